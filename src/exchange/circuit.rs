//! A circuit for each downstream and model: which targets to leave alone for a while.
//!
//! In scope: what one isolate has seen. There is no coordination between isolates: each learns for itself, as each of
//! thousands would have to ask a single place before every call. Out of scope: what is a failure ([`super::failure`]).
//! Plain data; `now` is milliseconds since 1970.

/// The circuits of an isolate, by `provider/model`.
#[derive(Debug, Default)]
pub struct Circuits {}

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

impl Circuits {
    /// Whether a target may be called.
    pub fn state(&self, target: &str, now: u64) -> State {
        let _ = (target, now);
        todo!()
    }

    /// This call tries a half-open target; others leave it alone until it is known how that went, or for 30 s.
    pub fn probe(&mut self, target: &str, now: u64) {
        let _ = (target, now);
        todo!()
    }

    /// It answered, if only with an error of the caller's: it is alive.
    pub fn succeeded(&mut self, target: &str) {
        let _ = target;
        todo!()
    }

    /// It failed. `pause_ms` is how long it asked to be left alone.
    pub fn failed(&mut self, target: &str, pause_ms: Option<u64>, now: u64) {
        let _ = (target, pause_ms, now);
        todo!()
    }

    /// It is not known how it went: a probe that a caller left.
    pub fn released(&mut self, target: &str) {
        let _ = target;
        todo!()
    }
}
