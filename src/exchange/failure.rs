//! How an attempt failed, whose fault that is, and what its status should have been.
//!
//! In scope: judging an upstream's error by its status and by the word (code, type or status) in its body, in every
//! spelling that providers have. Out of scope: finding that word (`relay`), what is done about it ([`super::Exchange`]).

use super::policy::Triggers;

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No HTTP answer.
    Unreachable {
        /// An open connection broke, rather than none coming about.
        reset: bool,
    },
    /// Nothing meaningful in time.
    Timeout,
    /// It ended or broke before it had said anything, or is no answer of its dialect.
    Cut,
    /// It came to its end and said nothing, and the route has `retry_on_empty`.
    Empty,
    /// The downstream's own trouble, or the caller's mistake: [`Triggers`] decide.
    Status(u16),
    /// The downstream refuses our credential, account or quota: the operator's fault.
    Credentials,
    /// The downstream does not have the model: the operator's fault.
    Model,
    /// It answered with a redirect, which is not followed: the operator's fault.
    Redirect,
}

impl Failure {
    /// Judges an error by the status that it came with (200 where it came inside one) and the word in its body.
    /// `reveals` is whether the body shows the credential that was sent, as refusals of a key do.
    pub fn of_error(status: u16, word: Option<&str>, reveals: bool) -> Failure {
        let _ = (status, word, reveals);
        todo!()
    }

    /// Whether another attempt may be made.
    pub fn leads_on(self, triggers: &Triggers) -> bool {
        match self {
            Failure::Unreachable { .. } => triggers.connection,
            Failure::Timeout => triggers.timeout,
            Failure::Cut => triggers.cut,
            Failure::Empty => true,
            Failure::Status(status) => triggers.statuses.contains(&status),
            Failure::Credentials => triggers.credentials,
            Failure::Model | Failure::Redirect => triggers.model,
        }
    }
}
