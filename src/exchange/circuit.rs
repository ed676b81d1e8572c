//! A circuit for each downstream and model: which targets to leave alone for a while.
//!
//! In scope: what one isolate has seen. There is no coordination between isolates: each learns for itself, as each of
//! thousands would have to ask a single place before every call. Out of scope: what is a failure ([`super::failure`]).
//! Plain data; `now` is milliseconds since 1970.

use std::collections::BTreeMap;

/// The circuits of an isolate, by `provider/model`. A target that is well has none.
#[derive(Debug, Default)]
pub struct Circuits {
    targets: BTreeMap<Box<str>, Circuit>,
}

/// Whether a target may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It may.
    Closed,
    /// It failed, and its time is over: this call may be the one that tries. Whoever goes on must call
    /// [`Circuits::probe`].
    HalfOpen,
    /// It is left alone.
    Open {
        /// Why, and for how long: a sentence for `x-turnout-note`, without the target.
        why: String,
    },
}

#[derive(Debug, Default)]
struct Circuit {
    /// In a row.
    failures: u32,
    failed_at: u64,
    /// Until when it asked to be left alone. That time over, it is called as before: it said itself when it would be well.
    asked_until: u64,
    opened: Option<Opened>,
}

/// Too many failures in a row.
#[derive(Debug)]
struct Opened {
    /// Until when it is left alone; after that, one call tries it.
    until: u64,
    /// How long it is left alone this time.
    pause: u64,
    /// When a call began to try it.
    probed_at: Option<u64>,
}

/// So many failures in a row open a circuit.
pub const FAILURES: u32 = 5;
/// Failures that lie further apart are not in a row.
pub const ROW_MS: u64 = 60_000;
/// How long a target is left alone at first; each probe that fails doubles it.
pub const SHORTEST_OPEN_MS: u64 = 5_000;
/// The longest that a target is left alone, also where it asks for more: an isolate may live for hours.
pub const LONGEST_OPEN_MS: u64 = 60_000;
/// A probe that has not reported by then gives way to another: its call may have been ended by the runtime.
pub const PROBE_MS: u64 = 30_000;
/// The most targets with failures; then the one whose last failure is oldest is forgotten.
pub const MOST_TARGETS: usize = 1024;

impl Circuits {
    /// Whether a target may be called.
    pub fn state(&self, target: &str, now: u64) -> State {
        let Some(circuit) = self.targets.get(target) else { return State::Closed };
        if now < circuit.asked_until {
            let why =
                format!("it asked to be left alone for another {} s", seconds(circuit.asked_until - now));
            return State::Open { why };
        }
        let Some(opened) = &circuit.opened else { return State::Closed };
        let failures = circuit.failures;
        if now < opened.until {
            let why =
                format!("{failures} failures in a row, tried again in {} s", seconds(opened.until - now));
            return State::Open { why };
        }
        if opened.probed_at.is_some_and(|at| now.saturating_sub(at) < PROBE_MS) {
            return State::Open { why: format!("{failures} failures in a row, another call is trying it") };
        }
        State::HalfOpen
    }

    /// This call tries a half-open target; others leave it alone until it is known how that went, or for [`PROBE_MS`].
    pub fn probe(&mut self, target: &str, now: u64) {
        if let Some(opened) = self.opened(target) {
            opened.probed_at = Some(now);
        }
    }

    /// It answered, if only with an error of the caller's: it is alive. What it asked for holds all the same, for the answer
    /// may be to a call from before.
    pub fn succeeded(&mut self, target: &str, now: u64) {
        let Some(circuit) = self.targets.get_mut(target) else { return };
        if now < circuit.asked_until {
            circuit.failures = 0;
            circuit.opened = None;
        } else {
            self.targets.remove(target);
        }
    }

    /// It failed. `pause_ms` is how long it asked to be left alone.
    pub fn failed(&mut self, target: &str, pause_ms: Option<u64>, now: u64) {
        let circuit = self.entry(target);
        circuit.count(now);
        if let Some(pause) = pause_ms {
            let until = now.saturating_add(pause.min(LONGEST_OPEN_MS));
            circuit.asked_until = circuit.asked_until.max(until);
        }
    }

    /// It is not known how it went: a probe that a caller left.
    pub fn released(&mut self, target: &str) {
        if let Some(opened) = self.opened(target) {
            opened.probed_at = None;
        }
    }

    fn opened(&mut self, target: &str) -> Option<&mut Opened> {
        self.targets.get_mut(target)?.opened.as_mut()
    }

    fn entry(&mut self, target: &str) -> &mut Circuit {
        if self.targets.len() >= MOST_TARGETS && !self.targets.contains_key(target) {
            let oldest = self.targets.iter().min_by_key(|(_, circuit)| circuit.failed_at);
            if let Some(oldest) = oldest.map(|(target, _)| target.clone()) {
                self.targets.remove(&oldest);
            }
        }
        self.targets.entry(target.into()).or_default()
    }
}

impl Circuit {
    /// One more failure. Those of calls that were under way when the target began to be left alone say nothing new.
    fn count(&mut self, now: u64) {
        let is_in_row = now.saturating_sub(self.failed_at) <= ROW_MS;
        self.failed_at = now;
        if let Some(opened) = &mut self.opened {
            if now >= opened.until && opened.probed_at.is_some() {
                self.failures = self.failures.saturating_add(1);
                let pause = opened.pause.saturating_mul(2).min(LONGEST_OPEN_MS);
                *opened = Opened { until: now.saturating_add(pause), pause, probed_at: None };
            }
        } else if now >= self.asked_until {
            self.failures = if is_in_row { self.failures.saturating_add(1) } else { 1 };
            if self.failures >= FAILURES {
                let until = now.saturating_add(SHORTEST_OPEN_MS);
                self.opened = Some(Opened { until, pause: SHORTEST_OPEN_MS, probed_at: None });
            }
        }
    }
}

/// Whole seconds, begun ones counted.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}
