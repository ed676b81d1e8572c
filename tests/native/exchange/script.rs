//! Plays the table of scripts, `fixtures/exchange/scripts.txt`, against the machine with a fake clock. How to read one is
//! said there.

use std::collections::HashMap;
use std::rc::Rc;

use turnout::error::{Error, ErrorKind};
use turnout::exchange::circuit::Circuits;
use turnout::exchange::policy::{Policy, Triggers};
use turnout::exchange::{Event, Exchange, Refusal, Relay, Shown, Step};
use turnout::record::{Outcome, attempts_text};

const SCRIPTS: &str = include_str!("../../fixtures/exchange/scripts.txt");

#[test]
fn every_script_is_played_as_written() {
    let mut defined: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut played = 0;
    for block in SCRIPTS.split("\n\n").map(|block| block.lines().collect::<Vec<_>>()) {
        match block.as_slice() {
            [name, lines @ ..] if name.starts_with("define ") => {
                defined.insert(name.trim_start_matches("define "), lines.to_vec());
            }
            // What is no script has no settings: a heading, or how to read.
            [name, setup, lines @ ..] if !setup.starts_with('#') => {
                played += check(name.trim_start_matches("# "), setup, lines, &defined);
            }
            _ => {}
        }
    }
    assert!(played >= 120, "{played} scripts: were some not found?");
}

/// Plays a block as often as it says, and tells how often.
fn check(name: &str, setup: &str, lines: &[&str], defined: &HashMap<&str, Vec<&str>>) -> usize {
    let (mut items, mut times, mut script) = (vec![""], 1, Vec::new());
    for line in lines {
        match line.split_once(' ') {
            Some(("each", each)) => items = each.split_whitespace().collect(),
            Some(("times", count)) => times = count.parse().expect("how often"),
            Some(("first", define)) => script.extend_from_slice(&defined[define]),
            _ => script.push(*line),
        }
    }
    for item in &items {
        let (given, shown) = item.split_once('=').unwrap_or((item, item));
        let mut player = Player::new(format!("{name} {item}"), setup);
        for line in script.repeat(times) {
            player.line(&line.replace("{=}", shown).replace("{}", given));
        }
        player.all_notes_told();
    }
    items.len()
}

struct Player {
    name: String,
    plan: Vec<Rc<str>>,
    holders: Vec<Rc<str>>,
    policy: Policy,
    streamed: bool,
    now: u64,
    circuits: Circuits,
    exchange: Exchange,
    step: Step,
    /// Notes that the script has not told yet.
    notes: Vec<String>,
}

/// When scripts begin: some day in 2025.
const BEGINNING: u64 = 1_760_000_000_000;

impl Player {
    fn new(name: String, setup: &str) -> Player {
        let mut parts = setup.split("; ");
        let mut targets = parts.next().unwrap_or_default().split_whitespace();
        let streamed = match targets.next() {
            Some("stream") => true,
            Some("whole") => false,
            other => panic!("{name}: {other:?} is no kind of call"),
        };
        let mut policy = Policy::default();
        let mut holders = Vec::new();
        for part in parts {
            match part.strip_prefix("holding ") {
                Some(names) => holders = names.split_whitespace().map(Rc::from).collect(),
                None => set(&mut policy, part),
            }
        }
        Player {
            name,
            plan: targets.map(Rc::from).collect(),
            holders,
            policy,
            streamed,
            now: BEGINNING,
            circuits: Circuits::default(),
            exchange: Exchange::new(Vec::new(), Policy::default(), true, BEGINNING, 0),
            step: Step::Over,
            notes: Vec::new(),
        }
    }

    fn line(&mut self, line: &str) {
        let name = self.name.clone();
        if let Some(expected) = line.strip_prefix('=') {
            assert_eq!(attempts_text(self.exchange.attempts()), expected.trim(), "{name}: attempts");
            self.outcome_fits();
        } else if let Some(expected) = line.strip_prefix("note ") {
            assert!(!self.notes.is_empty(), "{name}: no note `{expected}`");
            let note = self.notes.remove(0);
            assert!(note.starts_with(expected), "{name}: note `{note}`, not `{expected}`");
        } else if let Some(expected) = line.strip_prefix("says ") {
            let Step::Refuse(refusal) = &self.step else { panic!("{name}: {:?}", self.step) };
            let message = &refusal.error.message;
            assert!(message.contains(expected), "{name}: `{message}` does not hold `{expected}`");
        } else {
            let (what, expected) = line.split_once('>').unwrap_or_else(|| panic!("{name}: {line}"));
            self.step = self.happens(what.trim());
            let said = is_step(expected.trim(), &self.step, self.exchange.target());
            assert!(said, "{name}: `{line}`, but the step was {:?}", self.step);
        }
    }

    fn happens(&mut self, what: &str) -> Step {
        let (what, after) = what.rsplit_once('+').unwrap_or((what, "0"));
        let what = what.trim();
        self.now += after.trim().parse::<u64>().expect("milliseconds");
        if what == "start" {
            self.all_notes_told();
            let (plan, policy) = (self.plan.clone(), self.policy.clone());
            self.exchange =
                Exchange::new(plan, policy, self.streamed, self.now, self.now).holding(self.holders.clone());
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

    fn all_notes_told(&self) {
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
            Step::Refuse(refusal) => {
                assert_eq!(refusal.outcome, last.unwrap_or(Outcome::Refused), "{}", self.name);
            }
            _ => {}
        }
    }
}

/// One setting: `ttft 1500`, `attempts 2`, `on 429` (instead of all statuses), `on +400`, `off cut`.
fn set(policy: &mut Policy, setting: &str) {
    let (name, value) = setting.split_once(' ').unwrap_or((setting, ""));
    let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{setting}: no number"));
    let mut on = Triggers::clone(&policy.on);
    match (name, value) {
        ("ttft", _) => policy.ttft_ms = Some(number()),
        ("attempt", _) => policy.attempt_ms = Some(number()),
        ("deadline", _) => policy.deadline_ms = number(),
        ("attempts", _) => policy.attempts = number() as u32,
        ("retry_on_empty", "") => policy.retry_on_empty = true,
        ("on", "none") => on.statuses.clear(),
        ("on", value) if value.starts_with('+') => on.statuses.push(number() as u16),
        ("on", _) => on.statuses = vec![number() as u16],
        ("off", "connection") => on.connection = false,
        ("off", "timeout") => on.timeout = false,
        ("off", "cut") => on.cut = false,
        ("off", "credentials") => on.credentials = false,
        ("off", "model") => on.model = false,
        _ => panic!("no setting: {setting}"),
    }
    policy.on = Rc::new(on);
}

fn event(what: &str) -> Event {
    match what {
        "head" => Event::Head { status: 200 },
        "ok" => Event::Meaningful { status: 200 },
        "empty" => Event::Empty { status: 200 },
        "broke" => Event::Broke { status: 200 },
        "dead" => Event::Unreachable { reset: false },
        "reset" => Event::Unreachable { reset: true },
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

/// `429`, `429 after 900`, `400:invalid_api_key`, `400:-!`.
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
fn is_step(expected: &str, step: &Step, target: &str) -> bool {
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
    let bound = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("no range: {range}"));
    (bound(least)..=bound(most)).contains(&value)
}
