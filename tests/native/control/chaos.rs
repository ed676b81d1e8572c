//! Random stories of changes, hand edits, deaths and a KV that fails, lags and lands late. Whatever happens: no revision is
//! lost, none is half saved, numbers grow, KV comes to hold the head, and traffic gets documents that validated.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::{Fate, Flight, Value, World, named, request, router};
use turnout::control::Subject;
use turnout::control::kv::revision_of;
use turnout::control::machine::{Step, Task};
use turnout::control::store::Origin;
use turnout::router::Router;
use turnout::shelf::{Look, Next, Reading, Shelf, State};

const NAMES: [&str; 2] = ["x", "y"];
/// Both KV and a write that was given up may lag by as much as KV says.
const LAG_MS: u64 = 60_000;

#[derive(Clone, Debug)]
enum Deed {
    /// Somebody asks for a change; the tasks of several go on in turns.
    Change { name: usize, what: What },
    /// Somebody edits KV by hand.
    Edit { name: usize, value: Hand },
    /// One of the tasks goes on by a step.
    Step { task: usize, fate: Fate },
    /// The alarm goes off, if it is due.
    Alarm,
    /// Time passes.
    Tick(u64),
    /// The Durable Object dies.
    Die,
    /// A call comes to an isolate, whose reading KV treats so.
    Call { name: usize, isolate: usize, fate: Fate },
}

#[derive(Clone, Debug)]
enum What {
    Create(u32),
    Update(u32),
    Delete,
    RollBack(u64),
}

#[derive(Clone, Debug)]
enum Hand {
    Valid(u32),
    Invalid(u32),
    Gone,
}

fn fate(bad_days: bool) -> BoxedStrategy<Fate> {
    if !bad_days {
        return prop_oneof![3 => Just(Fate::Done), 1 => Just(Fate::Fails)].boxed();
    }
    prop_oneof![
        4 => Just(Fate::Done),
        2 => Just(Fate::Fails),
        1 => (1..LAG_MS).prop_map(Fate::LandsLate),
        1 => (1..LAG_MS).prop_map(Fate::Stale),
    ]
    .boxed()
}

fn deed(bad_days: bool) -> impl Strategy<Value = Deed> {
    let what = prop_oneof![
        2 => (0..=100_u32).prop_map(What::Create),
        4 => (0..=100_u32).prop_map(What::Update),
        1 => Just(What::Delete),
        2 => (1..6_u64).prop_map(What::RollBack),
    ];
    let hand = prop_oneof![
        4 => (0..=100_u32).prop_map(Hand::Valid),
        1 => (0..9_u32).prop_map(Hand::Invalid),
        1 => Just(Hand::Gone),
    ];
    let name = 0..NAMES.len();
    prop_oneof![
        3 => (name.clone(), what).prop_map(|(name, what)| Deed::Change { name, what }),
        1 => (name.clone(), hand).prop_map(|(name, value)| Deed::Edit { name, value }),
        10 => (any::<prop::sample::Index>(), fate(bad_days)).prop_map(|(task, fate)| Deed::Step { task: task.index(64), fate }),
        1 => Just(Deed::Alarm),
        2 => prop_oneof![1..2_000_u64, 1..100_000_u64, 1..1_000_000_u64].prop_map(Deed::Tick),
        1 => Just(Deed::Die),
        2 => (name, 0..2_usize, fate(bad_days)).prop_map(|(name, isolate, fate)| Deed::Call { name, isolate, fate }),
    ]
}

/// A world, its tasks, and the isolates that serve calls.
#[derive(Default)]
struct Story {
    world: World,
    /// Each with the key of its router; the alarm's has none.
    flights: Vec<(String, Flight)>,
    isolates: BTreeMap<usize, Shelf<Router>>,
    /// Changes that were answered with success: the router, and the revision that the answer named.
    promised: Vec<(String, u64)>,
}

impl Story {
    fn play(&mut self, deed: Deed) {
        match deed {
            Deed::Change { name, what } => {
                let flight = self.world.begin(Task::request(asked(NAMES[name], &what)));
                self.flights.push((format!("router:{}", NAMES[name]), flight));
            }
            Deed::Edit { name, value } => {
                let key = format!("router:{}", NAMES[name]);
                match value {
                    Hand::Valid(weight) => self.world.hand_edit(&key, &named(NAMES[name], weight)),
                    Hand::Invalid(number) => self.world.hand_edit(&key, &format!("{{\"usage\": {number}}}")),
                    Hand::Gone => self.world.hand_delete(&key),
                }
            }
            Deed::Step { task, fate } if !self.flights.is_empty() => {
                let task = task % self.flights.len();
                self.step(task, fate);
            }
            Deed::Step { .. } => {}
            Deed::Alarm => {
                use turnout::control::store::Store;
                let due = self.world.store.next_due().expect("a store that is well");
                if due.is_some_and(|due| due <= self.world.now) {
                    let flight = self.world.begin(Task::sweep());
                    self.flights.push((String::new(), flight));
                }
            }
            Deed::Tick(milliseconds) => self.world.tick(milliseconds),
            Deed::Die => {
                self.flights.clear();
                self.world.restart();
            }
            Deed::Call { name, isolate, fate } => self.call(NAMES[name], isolate, fate),
        }
        self.check_writes();
    }

    fn step(&mut self, task: usize, fate: Fate) {
        let (key, flight) = &mut self.flights[task];
        let promised = match &flight.step {
            Step::Reply(Ok(reply)) => reply.revision.map(|revision| (key.clone(), revision)),
            _ => None,
        };
        if self.world.advance(flight, fate).is_some() {
            self.promised.extend(promised);
            self.flights.remove(task);
        }
    }

    /// What control writes is a whole revision that validates, under its own number.
    fn check_writes(&mut self) {
        for (key, value, _) in std::mem::take(&mut self.world.writes) {
            let (Some((bytes, metadata)), Some(subject)) = (value, subject_of(&key)) else { continue };
            assert_eq!(
                subject.check(&bytes),
                Ok(Vec::new()),
                "control wrote what does not validate under {key}"
            );
            let number = metadata.as_deref().and_then(revision_of).expect("control's number");
            let revisions = self.world.store.all(&subject.to_string());
            let revision = revisions.iter().find(|revision| revision.entry.number == number);
            assert_eq!(
                revision.and_then(|revision| revision.bytes.as_ref()),
                Some(&bytes),
                "half a revision at {key}"
            );
        }
    }

    /// A call, as `edge::config` has a shelf do it.
    fn call(&mut self, name: &str, isolate: usize, fate: Fate) {
        let (now, key, good) = (self.world.now, format!("router:{name}"), format!("good:{name}"));
        let shelf = self.isolates.entry(isolate).or_default();
        if let Look::Hit { refresh: false, .. } = shelf.look(name, now, 10_000) {
            return;
        }
        let had_something = matches!(shelf.known(name), Some(State::Present(_)));
        match shelf.settle(name, now, reading(&self.world, &key, fate)) {
            Next::Done => {}
            Next::LoadGood(rejected) => {
                shelf.settle_good(name, now, rejected, reading(&self.world, &good, fate))
            }
            Next::KeepGood(bytes) if fate == Fate::Done => self.world.kv.set(now, &good, Some((bytes, None))),
            Next::ForgetGood if fate == Fate::Done => self.world.kv.set(now, &good, None),
            Next::KeepGood(_) | Next::ForgetGood => {}
        }
        let shelf = self.isolates.entry(isolate).or_default();
        let is_invalid = matches!(shelf.known(name), Some(State::Invalid(_)));
        assert!(!(is_invalid && had_something), "an invalid document replaced a valid one");
        if is_invalid && fate == Fate::Done {
            assert_eq!(self.world.kv.get(&good), None, "there was a last good copy, and traffic got none");
        }
    }

    /// The weather clears: what runs ends, what is late lands, and the alarm empties the outbox.
    fn end(&mut self) {
        while !self.flights.is_empty() {
            self.step(0, Fate::Done);
            self.check_writes();
        }
        self.world.tick(LAG_MS);
        assert!(!self.world.kv.is_unsettled());
        self.world.settle();
        self.world.tick(10 * LAG_MS);
        for name in NAMES {
            // A look adopts what was edited last.
            let _ = self.world.ask(request("GET", &format!("/routers/{name}"), ""));
        }
        self.world.settle();
        self.check_writes();
    }

    fn check_end(&self) {
        for name in NAMES {
            let key = format!("router:{name}");
            let revisions = self.world.store.all(&key);
            let held = self.world.kv.get(&key).map(|(bytes, _)| bytes);
            let head = revisions.last().and_then(|newest| newest.bytes.as_ref());
            // A late write can fall on a hand edit that does not validate; that is not written back.
            let is_odd = head
                .is_some_and(|bytes| subject_of(&key).is_some_and(|subject| subject.check(bytes).is_err()));
            let is_known = revisions.iter().any(|revision| revision.bytes.as_ref() == held);
            assert!(
                held == head || is_odd && is_known,
                "KV does not hold the head of {name}: {:?}",
                entries(revisions)
            );
            assert!(revisions.windows(2).all(|pair| pair[0].entry.number < pair[1].entry.number
                && pair[0].entry.time <= pair[1].entry.time));
        }
        for (key, number) in &self.promised {
            let mut revisions = self.world.store.all(key).iter();
            assert!(
                revisions.any(|revision| revision.entry.number == *number),
                "{key} lost revision {number}"
            );
        }
    }
}

fn entries(revisions: &[turnout::control::store::Revision]) -> Vec<(u64, &str, u64)> {
    let entries = revisions.iter().map(|revision| &revision.entry);
    entries.map(|entry| (entry.number, entry.summary.as_str(), entry.time)).collect()
}

fn reading(world: &World, key: &str, fate: Fate) -> Reading {
    let value: Option<&Value> = match fate {
        Fate::Fails | Fate::LandsLate(_) => return Reading::Unavailable,
        Fate::Done => world.kv.get(key),
        Fate::Stale(age) => world.kv.at(key, world.now.saturating_sub(age)),
    };
    value.map_or(Reading::Absent, |(bytes, metadata)| Reading::Value {
        bytes: bytes.clone(),
        revision: metadata.as_deref().and_then(revision_of).map(|number| number.to_string()),
    })
}

/// The router that a document or a last good copy is of.
fn subject_of(key: &str) -> Option<Subject> {
    Subject::of_key(&key.replacen("good:", "router:", 1))
}

fn asked(name: &str, what: &What) -> turnout::control::Request {
    let path = format!("/routers/{name}");
    match what {
        What::Create(weight) => request("POST", "/routers", &named(name, *weight)),
        What::Update(weight) => request("PATCH", &path, &router(*weight)),
        What::Delete => request("DELETE", &format!("{path}?force=true"), ""),
        What::RollBack(number) => {
            request("POST", &format!("{path}:rollback"), &format!("{{\"revision\":{number}}}"))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_kv_comes_to_hold_the_head(deeds in prop::collection::vec(deed(true), 1..80)) {
        let mut story = Story::default();
        for deed in deeds {
            story.play(deed);
        }
        story.end();
        story.check_end();
    }

    /// KV has no compare-and-swap, so a hand edit can fall between a look and the write after it. Where it does not, and no
    /// reading is stale, control never writes over one that it has not adopted.
    #[test]
    fn no_hand_edit_is_written_over_unseen(deeds in prop::collection::vec(deed(false), 1..80)) {
        let mut story = Story::default();
        for deed in deeds {
            if matches!(deed, Deed::Edit { .. }) && !story.flights.is_empty() {
                continue;
            }
            story.play_watched(deed);
        }
        story.end();
        story.check_end();
    }
}

impl Story {
    fn play_watched(&mut self, deed: Deed) {
        let before = self.world.writes.len();
        assert_eq!(before, 0);
        match deed {
            Deed::Step { task, fate } if !self.flights.is_empty() => {
                let task = task % self.flights.len();
                self.step(task, fate);
                for (key, _, overwritten) in &self.world.writes {
                    let Some((bytes, None)) = overwritten else { continue };
                    // Bytes that were the head's just before are nobody's edit.
                    let revisions = self.world.store.all(key);
                    let known = revisions.iter().rev().enumerate().any(|(age, revision)| {
                        revision.bytes.as_ref() == Some(bytes)
                            && (age < 2 || revision.entry.origin == Origin::Kv)
                    });
                    assert!(known || key.starts_with("good:"), "a hand edit was lost at {key}");
                }
                self.check_writes();
            }
            other => self.play(other),
        }
    }
}
