//! A script of one or more calls, and its player: what happens on the left, what the machine must say on the right.
//!
//! ```text
//! start             > a 1500 cancel    a call; `a` is sent to, within 1,500 ms, and is to be cancelled by itself after that
//! 503 +38           > b                38 ms later `a` answers 503; `b` is sent to, within whatever is left
//! 429 after 900 +5  > pause 900..1150  it asks for 900 ms; the machine waits as long, and 250 ms at most on top
//! paused            > b                that pause is over, to the millisecond
//! 200:server_error  > await            an error inside a 200, and its word; `+0` may be left out
//! ok                > relay 200        it says something
//! = b:200:5ms                          the attempts of the call, as in `x-turnout-attempts`
//! note b skipped                       a note that begins so; all that there are must be said, in order
//! says check its key                   the refusal's message holds this
//! ```

use std::rc::Rc;

use turnout::error::{Error, ErrorKind};
use turnout::exchange::circuit::Circuits;
use turnout::exchange::policy::{Policy, Triggers};
use turnout::exchange::{Event, Exchange, Refusal, Relay, Shown, Step};
use turnout::record::{Outcome, attempts_text};

/// What all calls of a script have in common.
pub(super) struct Setup {
    plan: Vec<Rc<str>>,
    holders: Vec<Rc<str>>,
    policy: Policy,
    streamed: bool,
}

/// Streamed calls over these targets, with default settings.
pub(super) fn stream(plan: &str) -> Setup {
    let plan = plan.split_whitespace().map(Rc::from).collect();
    Setup { plan, holders: Vec::new(), policy: Policy::default(), streamed: true }
}

/// The same, not streamed.
pub(super) fn whole(plan: &str) -> Setup {
    Setup { streamed: false, ..stream(plan) }
}

impl Setup {
    pub(super) fn with(mut self, set: impl FnOnce(&mut Policy)) -> Setup {
        set(&mut self.policy);
        self
    }

    /// With these beyond the plan, which may hold what a call builds upon.
    pub(super) fn holding(mut self, holders: &str) -> Setup {
        self.holders = holders.split_whitespace().map(Rc::from).collect();
        self
    }

    pub(super) fn on(self, set: impl FnOnce(&mut Triggers)) -> Setup {
        let mut triggers = Triggers::default();
        set(&mut triggers);
        self.with(|policy| policy.on = Rc::new(triggers))
    }
}

/// When scripts begin: some day in 2025.
const BEGINNING: u64 = 1_760_000_000_000;

struct Player<'s> {
    name: &'s str,
    setup: Setup,
    now: u64,
    circuits: Circuits,
    exchange: Exchange,
    step: Step,
    /// Notes that were not spoken of yet.
    notes: Vec<String>,
}

/// Plays a script; the name is the rule that it proves.
pub(super) fn check(name: &str, setup: Setup, script: &str) {
    let exchange = Exchange::new(Vec::new(), Policy::default(), true, BEGINNING, 0);
    let circuits = Circuits::default();
    let mut player =
        Player { name, setup, now: BEGINNING, circuits, exchange, step: Step::Over, notes: Vec::new() };
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        player.line(line);
    }
    player.all_notes_said();
}

impl Player<'_> {
    fn line(&mut self, line: &str) {
        if let Some(expected) = line.strip_prefix("= ") {
            assert_eq!(attempts_text(self.exchange.attempts()), expected, "{}: attempts", self.name);
            self.outcome_fits();
        } else if line == "=" {
            assert!(self.exchange.attempts().is_empty(), "{}: {:?}", self.name, self.exchange.attempts());
        } else if let Some(expected) = line.strip_prefix("note ") {
            assert!(!self.notes.is_empty(), "{}: no note `{expected}`", self.name);
            let note = self.notes.remove(0);
            assert!(note.starts_with(expected), "{}: note `{note}`, not `{expected}`", self.name);
        } else if let Some(expected) = line.strip_prefix("says ") {
            let Step::Refuse(refusal) = &self.step else { panic!("{}: {:?}", self.name, self.step) };
            let message = &refusal.error.message;
            assert!(message.contains(expected), "{}: `{message}` does not hold `{expected}`", self.name);
        } else {
            let (what, expected) = line.split_once('>').expect("an arrow");
            self.step = self.happens(what.trim());
            let said = matches(expected.trim(), &self.step, self.exchange.target());
            assert!(said, "{}: `{line}`, but the step was {:?}", self.name, self.step);
        }
    }

    fn happens(&mut self, what: &str) -> Step {
        let (what, after) = what.rsplit_once('+').unwrap_or((what, "0"));
        self.now += after.trim().parse::<u64>().expect("milliseconds");
        let what = what.trim();
        if what == "start" {
            self.all_notes_said();
            let Setup { plan, holders, policy, streamed } = &self.setup;
            self.exchange = Exchange::new(plan.clone(), policy.clone(), *streamed, self.now, self.now)
                .holding(holders.clone());
            let step = self.exchange.start(self.now, &mut self.circuits);
            self.notes = self.exchange.notes().to_vec();
            return step;
        }
        if let ("paused", Step::Pause(pause)) = (what, &self.step) {
            self.now += pause;
        }
        let before = self.exchange.notes().len();
        let step = self.exchange.on(event(what), self.now, &mut self.circuits);
        self.notes.extend(self.exchange.notes().iter().skip(before).cloned());
        step
    }

    fn all_notes_said(&self) {
        assert!(
            self.notes.is_empty(),
            "{}: notes that the script does not tell: {:?}",
            self.name,
            self.notes
        );
    }

    /// What the last step says of the call is what the record says of its last attempt.
    fn outcome_fits(&self) {
        let last = self.exchange.attempts().last().map(|attempt| attempt.outcome);
        match &self.step {
            Step::Relay(relay) => assert_eq!(Some(relay.outcome), last, "{}", self.name),
            Step::Refuse(refusal) => assert_eq!(Some(refusal.outcome), last, "{}", self.name),
            _ => {}
        }
    }
}

fn event(what: &str) -> Event {
    let reset = what == "reset";
    match what {
        "head" => Event::Head { status: 200 },
        "ok" => Event::Meaningful { status: 200 },
        "empty" => Event::Empty { status: 200 },
        "broke" => Event::Broke { status: 200 },
        "dead" | "reset" => Event::Unreachable { reset },
        "timeout" => Event::TimedOut,
        "left" => Event::CallerLeft,
        "paused" => Event::Paused,
        "unsendable" => {
            Event::Unsendable(Error::new(ErrorKind::UpstreamCredentials, "no credential; set A_API_KEY"))
        }
        "unserved" => Event::Unsendable(Error::new(ErrorKind::UpstreamModel, "nobody serves it")),
        _ => Event::Failed(shown(what)),
    }
}

/// `429`, `429 after 900`, `400:invalid_api_key`, `400:-!` (no word, and the body shows the credential).
fn shown(what: &str) -> Shown {
    let (what, pause) = what.split_once(" after ").map_or((what, None), |(what, pause)| (what, Some(pause)));
    let (what, reveals) = what.strip_suffix('!').map_or((what, false), |what| (what, true));
    let (status, word) = what.split_once(':').map_or((what, None), |(status, word)| (status, Some(word)));
    Shown {
        status: status.parse().unwrap_or_else(|_| panic!("no event: {what}")),
        word: word.filter(|word| *word != "-").map(str::to_owned),
        reveals,
        pause_ms: pause.map(|pause| pause.parse().expect("milliseconds")),
    }
}

/// Whether a step is what the script says.
fn matches(expected: &str, step: &Step, target: &str) -> bool {
    let words: Vec<&str> = expected.split_whitespace().collect();
    match (words.as_slice(), step) {
        (["await"], Step::Await) | (["over"], Step::Over) => true,
        (["pause", range], Step::Pause(pause)) => is_within(*pause, range),
        (["relay", status, rest @ ..], Step::Relay(Relay { outcome, status: given, retry_after })) => {
            let (rest, asked) = retry_after_of(rest);
            status.parse() == Ok(*given) && asked == *retry_after && is_outcome(rest, *outcome)
        }
        (["refuse", code, rest @ ..], Step::Refuse(Refusal { error, retry_after, .. })) => {
            let (rest, asked) = retry_after_of(rest);
            error.kind.code() == *code && asked == *retry_after && rest.is_empty()
        }
        ([name, rest @ ..], Step::Send { budget_ms, may_outlive }) => {
            *name == target
                && match rest {
                    [] => true,
                    [budget] => is_within(*budget_ms, budget) && !may_outlive,
                    [budget, "cancel"] => is_within(*budget_ms, budget) && *may_outlive,
                    _ => false,
                }
        }
        _ => false,
    }
}

fn retry_after_of<'w, 's>(words: &'w [&'s str]) -> (&'w [&'s str], Option<u64>) {
    match words {
        [rest @ .., "retry-after", seconds] => (rest, seconds.parse().ok()),
        rest => (rest, None),
    }
}

/// A relay is of a good answer, or of an error by its status, where the script does not say otherwise.
fn is_outcome(words: &[&str], outcome: Outcome) -> bool {
    match words {
        [] => matches!(outcome, Outcome::Ok | Outcome::UpstreamError),
        [word] => *word == outcome.as_str(),
        _ => false,
    }
}

/// `900`, or `900..1150` with both ends.
fn is_within(value: u64, range: &str) -> bool {
    let (least, most) = range.split_once("..").unwrap_or((range, range));
    let bound = |text: &str| text.parse::<u64>().expect("a number");
    (bound(least)..=bound(most)).contains(&value)
}
