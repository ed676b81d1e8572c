//! The laws of failover, whatever happens and whenever.

use std::collections::HashMap;
use std::rc::Rc;

use proptest::prelude::*;
use turnout::error::{Error, ErrorKind};
use turnout::exchange::circuit::{Circuits, LONGEST_OPEN_MS, State};
use turnout::exchange::policy::{Policy, Triggers};
use turnout::exchange::{Event, Exchange, Shown, Step};
use turnout::record::Outcome;

const BEGINNING: u64 = 1_760_000_000_000;
const NAMES: [&str; 6] = ["a/1", "b/2", "c/3", "d/4", "e/5", "f/6"];
/// More than any exchange of six targets takes: each once, and at most two pauses and one reset each, and each step of these
/// with a few events that do not fit.
const MOST_STEPS: usize = 400;

/// One call and all that is going to happen to it.
#[derive(Clone, Debug)]
struct Call {
    targets: Vec<usize>,
    policy: Policy,
    streamed: bool,
    seed: u64,
    /// Since the call before.
    after: u64,
    events: Vec<(Event, u64)>,
}

fn any_event() -> impl Strategy<Value = Event> {
    let status = prop_oneof![Just(200_u16), Just(429), Just(503), Just(400), Just(401), 0_u16..1000];
    let word = proptest::option::of(prop_oneof![
        Just("rate_limit_exceeded"),
        Just("insufficient_quota"),
        Just("model_not_found"),
        Just("429"),
        Just("kaput"),
    ]);
    let pause = proptest::option::of(prop_oneof![0_u64..3_000, 0_u64..100_000, any::<u64>()]);
    let failed =
        (status, word, prop::bool::weighted(0.1), pause).prop_map(|(status, word, reveals, pause_ms)| {
            Event::Failed(Shown { status, word: word.map(str::to_owned), reveals, pause_ms })
        });
    prop_oneof![
        8 => failed,
        2 => any::<bool>().prop_map(|reset| Event::Unreachable { reset }),
        2 => Just(Event::TimedOut),
        2 => Just(Event::Broke { status: 200 }),
        2 => Just(Event::Empty { status: 200 }),
        2 => Just(Event::Head { status: 200 }),
        6 => Just(Event::Paused),
        1 => Just(Event::Meaningful { status: 200 }),
        1 => Just(Event::CallerLeft),
        1 => Just(Event::Unsendable(Error::new(ErrorKind::UpstreamModel, "nobody serves it"))),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let triggers = (proptest::option::of(proptest::collection::vec(400_u16..600, 0..5)), any::<[bool; 5]>())
        .prop_map(|(statuses, [connection, timeout, cut, credentials, model])| match statuses {
            None => Triggers::default(),
            Some(statuses) => Triggers { statuses, connection, timeout, cut, credentials, model },
        });
    let budget = || proptest::option::of(1_u64..5_000);
    (triggers, budget(), budget(), prop_oneof![0_u64..30_000, Just(600_000)], 0_u32..21, any::<bool>())
        .prop_map(|(on, ttft_ms, attempt_ms, deadline_ms, attempts, retry_on_empty)| Policy {
            on: Rc::new(on),
            ttft_ms,
            attempt_ms,
            deadline_ms,
            attempts,
            retry_on_empty,
            across_variants: false,
        })
}

fn any_call() -> impl Strategy<Value = Call> {
    let targets = Just((0..NAMES.len()).collect::<Vec<_>>()).prop_shuffle();
    let targets =
        (targets, 0..=NAMES.len()).prop_map(|(targets, most)| targets.into_iter().take(most).collect());
    let events =
        proptest::collection::vec((any_event(), prop_oneof![Just(0_u64), 0_u64..300, 0_u64..20_000]), 0..80);
    (targets, any_policy(), any::<bool>(), any::<u64>(), 0_u64..40_000, events).prop_map(
        |(targets, policy, streamed, seed, after, events)| Call {
            targets,
            policy,
            streamed,
            seed,
            after,
            events,
        },
    )
}

/// What the shell holds while it does what the machine says.
struct World {
    now: u64,
    deadline: u64,
    /// An attempt is open: whether its head came.
    open: Option<bool>,
    pausing: bool,
    over: bool,
    /// Attempts that were sent, and were not said to be unsendable.
    sent: usize,
    waits: HashMap<String, u32>,
}

impl World {
    /// Takes a step; what it breaks is an error.
    fn takes(&mut self, step: &Step, call: &Call, exchange: &Exchange) -> Result<(), TestCaseError> {
        match step {
            Step::Send { budget_ms, may_outlive } => {
                prop_assert!(!self.over, "sends when it is over");
                prop_assert!(self.open.is_none(), "two attempts at once");
                prop_assert!(self.now < self.deadline, "sends after the deadline");
                prop_assert!(*budget_ms > 0 && self.now + budget_ms <= self.deadline);
                prop_assert_eq!(*may_outlive, self.now + budget_ms < self.deadline);
                prop_assert!(NAMES.contains(&exchange.target()));
                self.open = Some(false);
                self.pausing = false;
                self.sent += 1;
                prop_assert!(self.sent <= call.policy.attempts.max(1) as usize, "more attempts than allowed");
            }
            Step::Pause(pause) => {
                prop_assert!(!self.over && self.open.is_none() && !self.pausing);
                prop_assert!(self.now.saturating_add(*pause) < self.deadline, "pauses beyond the deadline");
                self.pausing = true;
                let waits = self.waits.entry(exchange.target().to_owned()).or_default();
                *waits += 1;
            }
            Step::Await => prop_assert!(!self.over && (self.open.is_some() || self.pausing)),
            Step::Relay(_) | Step::Refuse(_) => {
                prop_assert!(!self.over, "answers twice");
                prop_assert!(self.open.is_none());
                self.over = true;
            }
            Step::Over => self.over = true,
        }
        Ok(())
    }

    /// What an event does to what is open.
    fn happens(&mut self, event: &Event) {
        match (event, self.open) {
            (Event::Head { .. }, Some(_)) => self.open = Some(true),
            (Event::Unsendable(_), Some(false)) => {
                self.open = None;
                self.sent -= 1;
            }
            (Event::Unsendable(_), Some(true)) | (Event::Paused, _) => {}
            _ => self.open = None,
        }
    }
}

/// Plays a call to its end, checking each step. Events that are used up are followed by silence: every pause and every
/// budget runs out.
fn play(call: &Call, begins: u64, circuits: &mut Circuits) -> Result<(Exchange, u64), TestCaseError> {
    let plan: Vec<Rc<str>> = call.targets.iter().map(|target| Rc::from(NAMES[*target])).collect();
    let open_before = plan.first().is_some_and(|first| circuits.state(first, begins) != State::Closed);
    let mut exchange = Exchange::new(plan.clone(), call.policy.clone(), call.streamed, begins, call.seed);
    let mut world = World {
        now: begins,
        deadline: begins + call.policy.deadline_ms,
        open: None,
        pausing: false,
        over: false,
        sent: 0,
        waits: HashMap::new(),
    };
    let mut step = exchange.start(world.now, circuits);
    if let (Step::Send { .. }, Some(first)) = (&step, plan.first()) {
        let is_first = exchange.target() == first.as_ref();
        prop_assert!(is_first || open_before, "the assigned target comes first unless its circuit is open");
    }
    world.takes(&step, call, &exchange)?;

    let mut events = call.events.iter().cloned();
    let mut steps = 0;
    while !world.over {
        steps += 1;
        prop_assert!(steps < MOST_STEPS, "it does not end");
        let (event, after) = match (events.next(), &step) {
            (Some((Event::Paused, _)), Step::Pause(pause)) | (None, Step::Pause(pause)) => {
                (Event::Paused, *pause)
            }
            (None, Step::Send { budget_ms, .. }) => (Event::TimedOut, *budget_ms),
            (None, _) => (if world.pausing { Event::Paused } else { Event::TimedOut }, 0),
            (Some((event, after)), _) => (event, after),
        };
        // The shell reports a budget that is used up before anything that comes later.
        world.now += after;
        world.happens(&event);
        let is_answer = matches!(event, Event::Meaningful { .. }) && !world.pausing;
        step = exchange.on(event, world.now, circuits);
        world.takes(&step, call, &exchange)?;
        prop_assert!(!is_answer || world.over, "committed, and goes on");
    }
    check_record(&exchange, &step, &world)?;
    check_over(&mut exchange, &world, circuits)?;
    Ok((exchange, world.now))
}

/// One record for each attempt; the last of them is what the caller got.
fn check_record(exchange: &Exchange, step: &Step, world: &World) -> Result<(), TestCaseError> {
    let attempts = exchange.attempts();
    prop_assert_eq!(attempts.len(), world.sent, "an attempt and its record");
    prop_assert!(exchange.notes().len() <= 8);
    prop_assert!(world.waits.values().all(|waits| *waits <= 3), "two pauses and a reset: {:?}", world.waits);
    let last = attempts.last().map(|attempt| attempt.outcome);
    match step {
        Step::Relay(relay) => {
            prop_assert_eq!(Some(relay.outcome), last);
            prop_assert!((200..600).contains(&relay.status));
            prop_assert!(
                relay.outcome == Outcome::Ok || relay.outcome == Outcome::Empty || relay.status >= 400
            );
        }
        Step::Refuse(refusal) => {
            prop_assert_eq!(refusal.outcome, last.unwrap_or(Outcome::Refused));
        }
        Step::Over => prop_assert!(attempts.is_empty() || last.is_some()),
        _ => prop_assert!(false, "{:?} is no end", step),
    }
    let earlier = attempts.split_last().map_or([].as_slice(), |(_, earlier)| earlier);
    prop_assert!(earlier.iter().all(|attempt| attempt.outcome.is_error()), "{:?}", attempts);
    Ok(())
}

/// What is over stays so, and its record as it is.
fn check_over(exchange: &mut Exchange, world: &World, circuits: &mut Circuits) -> Result<(), TestCaseError> {
    let before = exchange.attempts().to_vec();
    let late = [Event::Meaningful { status: 200 }, Event::TimedOut, Event::Paused, Event::CallerLeft];
    for event in late {
        prop_assert_eq!(exchange.on(event, world.now, circuits), Step::Over);
    }
    prop_assert_eq!(exchange.start(world.now, circuits), Step::Over);
    prop_assert_eq!(exchange.attempts(), before.as_slice());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_laws_of_failover_hold(calls in proptest::collection::vec(any_call(), 1..6)) {
        let mut circuits = Circuits::default();
        let mut now = BEGINNING;
        for call in &calls {
            let (_, ended) = play(call, now + call.after, &mut circuits)?;
            now = ended;
        }
        // Nobody is left alone for ever.
        for name in NAMES {
            let later = now + LONGEST_OPEN_MS;
            let left_alone = matches!(circuits.state(name, later), State::Open { .. });
            prop_assert!(!left_alone, "{name}");
        }
    }

    /// A call that is played twice takes the same steps: no clock and no chance but those handed in.
    #[test]
    fn the_same_events_give_the_same_call(call in any_call()) {
        let played = || {
            let (exchange, _) = play(&call, BEGINNING, &mut Circuits::default())?;
            Ok::<_, TestCaseError>((exchange.attempts().to_vec(), exchange.notes().to_vec()))
        };
        prop_assert_eq!(played()?, played()?);
    }
}

/// A caller may name as many models as it likes, and call them what it likes.
#[test]
fn what_is_said_of_targets_is_short() {
    let name: Rc<str> = format!("é{}", "x".repeat(100_000)).into();
    let plan: Vec<Rc<str>> = (0..32).map(|_| name.clone()).collect();
    let mut exchange = Exchange::new(plan, Policy::default(), true, BEGINNING, 0);
    let mut circuits = Circuits::default();
    let mut step = exchange.start(BEGINNING, &mut circuits);
    for _ in 0..31 {
        let nobody = Error::new(ErrorKind::UpstreamModel, "nobody serves it");
        step = exchange.on(Event::Unsendable(nobody), BEGINNING, &mut circuits);
    }
    assert!(matches!(step, Step::Send { .. }));
    let refused = Event::Failed(Shown { status: 401, ..Shown::default() });
    let Step::Refuse(refusal) = exchange.on(refused, BEGINNING, &mut circuits) else { panic!("no refusal") };
    assert!(refusal.error.message.len() < 400, "{}", refusal.error.message.len());
    assert!(exchange.notes().len() == 8 && exchange.notes().iter().all(|note| note.len() < 300));
}
