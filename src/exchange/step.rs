//! The words between the exchange and the shell: what happened, and what to do.
//!
//! In scope: closed vocabularies, so that a new case breaks the build wherever it matters. Out of scope: what follows from
//! an event ([`super::Exchange`]), and doing what a step says (`edge`).

use crate::error::Error;
use crate::record::Outcome;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The target cannot be called: nobody serves it, or a credential is missing. Nothing was sent.
    Unsendable(Error),
    /// The pause is over.
    Paused,
    /// The head of a stream came, with a status of success.
    Head {
        /// That status.
        status: u16,
    },
    /// The answer says something: the first meaningful event of a stream, or a whole body without an error.
    Meaningful {
        /// Its status.
        status: u16,
    },
    /// The answer came to its end well and says nothing.
    Empty {
        /// Its status.
        status: u16,
    },
    /// An error: by its status, or inside an answer of status 200.
    Failed(Shown),
    /// The answer ended or broke before it said anything, or is none of its dialect.
    Broke {
        /// Its status.
        status: u16,
    },
    /// There was no HTTP answer.
    Unreachable {
        /// An open connection broke, rather than none coming about.
        reset: bool,
    },
    /// The budget of [`Step::Send`] is used up.
    TimedOut,
    /// The caller went away.
    CallerLeft,
}

/// An upstream's error, as it shows itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The status of the answer; 200 where the error stands inside it.
    pub status: u16,
    /// The error's code, type or status in the body.
    pub word: Option<String>,
    /// The body shows the credential that was sent.
    pub reveals: bool,
    /// How many milliseconds the downstream asks to be left alone.
    pub pause_ms: Option<u64>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Call [`super::Exchange::target`], and report what comes; at the end of the budget, [`Event::TimedOut`].
    Send {
        /// Milliseconds from now.
        budget_ms: u64,
        /// The call may outlive this attempt, so that an attempt that is out of time has to be cancelled by itself.
        may_outlive: bool,
    },
    /// Wait so many milliseconds, then report [`Event::Paused`]. Nothing is open meanwhile.
    Pause(u64),
    /// Go on reading, within the budget of the attempt.
    Await,
    /// The answer of the last attempt that was sent goes to the caller. After it, targets may have turned out not to be
    /// callable, or a pause may have passed: an error's answer is kept until another attempt is really sent.
    Relay(Relay),
    /// The caller gets an error of ours.
    Refuse(Refusal),
    /// There is nothing to do: the caller has left, or has been answered before.
    Over,
}

/// How an upstream's answer goes to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// How the attempt ended, or began where it is a stream.
    pub outcome: Outcome,
    /// The status that the caller gets: the answer's own, or what an error inside a 200 stands for.
    pub status: u16,
    /// Seconds, to be set as `Retry-After`: an earlier target asked to be left alone, waiting may help, and this answer has no
    /// such word of its own in a head that goes along with it (an error inside a 200 has none).
    pub retry_after: Option<u64>,
}

/// An answer of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the caller is told.
    pub error: Error,
    /// For the record.
    pub outcome: Outcome,
    /// Seconds, where a downstream asked to wait.
    pub retry_after: Option<u64>,
}
