//! What counts as a failure, how long an attempt may take, and how many there may be.
//!
//! In scope: the settings with their defaults, and how one level of them (the router's, the route's, the request's)
//! overrides another. Out of scope: reading them from JSON (`document`), acting on them ([`super::Exchange`]).

use std::rc::Rc;

/// The settings of one exchange, all levels applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which failures lead to another attempt.
    pub on: Rc<Triggers>,
    /// Milliseconds from sending a streamed call to its first meaningful event.
    pub ttft_ms: Option<u64>,
    /// Milliseconds from sending a call that does not stream to the end of its answer.
    pub attempt_ms: Option<u64>,
    /// Milliseconds from the first attempt to commitment, all attempts and pauses together. A committed stream is never
    /// cut by it.
    pub deadline_ms: u64,
    /// The most upstream calls, at least one.
    pub attempts: u32,
    /// Whether an answer that says nothing is a failure.
    pub retry_on_empty: bool,
    /// Whether the route's other variants stand in for the assigned one when all else failed.
    pub across_variants: bool,
}

/// Ten minutes: reasoning models take minutes to their first word.
pub const DEADLINE_MS: u64 = 600_000;
/// The shortest time to first token that may be asked for: below it, healthy models fail.
pub const SHORTEST_TTFT_MS: u64 = 300;
/// The longest of any duration that may be set: an hour.
pub const LONGEST_MS: u64 = 3_600_000;
/// The default of [`Policy::attempts`].
pub const ATTEMPTS: u32 = 6;
/// The most that may be set.
pub const MOST_ATTEMPTS: u32 = 20;

impl Default for Policy {
    fn default() -> Self {
        Policy {
            on: Rc::new(Triggers::default()),
            ttft_ms: None,
            attempt_ms: None,
            deadline_ms: DEADLINE_MS,
            attempts: ATTEMPTS,
            retry_on_empty: false,
            across_variants: false,
        }
    }
}

/// What one level says; what it does not say is left to the level below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// [`Policy::on`].
    pub on: Option<Triggers>,
    /// [`Policy::ttft_ms`].
    pub ttft_ms: Option<u64>,
    /// [`Policy::attempt_ms`].
    pub attempt_ms: Option<u64>,
    /// [`Policy::deadline_ms`].
    pub deadline_ms: Option<u64>,
    /// [`Policy::attempts`].
    pub attempts: Option<u32>,
    /// [`Policy::retry_on_empty`].
    pub retry_on_empty: Option<bool>,
    /// [`Policy::across_variants`].
    pub across_variants: Option<bool>,
}

impl Policy {
    /// These settings, with another level's over them.
    #[must_use]
    pub fn tuned(&self, tuning: &Tuning) -> Policy {
        Policy {
            on: tuning.on.as_ref().map_or_else(|| self.on.clone(), |on| Rc::new(on.clone())),
            ttft_ms: tuning.ttft_ms.or(self.ttft_ms),
            attempt_ms: tuning.attempt_ms.or(self.attempt_ms),
            deadline_ms: tuning.deadline_ms.unwrap_or(self.deadline_ms),
            attempts: tuning.attempts.unwrap_or(self.attempts),
            retry_on_empty: tuning.retry_on_empty.unwrap_or(self.retry_on_empty),
            across_variants: tuning.across_variants.unwrap_or(self.across_variants),
        }
    }
}

/// The failures that lead to another attempt; any other is passed on at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggers {
    /// HTTP statuses from 400 to 599: what an error inside a 200 stands for counts too.
    pub statuses: Vec<u16>,
    /// No HTTP answer at all.
    pub connection: bool,
    /// No head, no first meaningful event or no whole answer within its time.
    pub timeout: bool,
    /// An answer that ended or broke before it had said anything, or is no answer of its dialect.
    pub cut: bool,
    /// A credential, a quota or an account that the downstream refuses.
    pub credentials: bool,
    /// A model that the downstream does not have.
    pub model: bool,
}

impl Default for Triggers {
    fn default() -> Self {
        let statuses = [408, 409, 425, 429].into_iter().chain(500..600).collect();
        Triggers { statuses, connection: true, timeout: true, cut: true, credentials: true, model: true }
    }
}
