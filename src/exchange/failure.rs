//! How an attempt failed, whose fault that is, and what its status should have been.
//!
//! In scope: judging an upstream's error by its status and by the word (code, type or status) in its body, in every
//! spelling that providers have. Out of scope: finding that word (`relay`), what is done about it ([`super::Exchange`]).

use super::policy::Triggers;
use super::words::{Meaning, meaning};

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
    /// The downstream does not know what the call builds upon: an answer, a conversation or an item that was stored
    /// elsewhere, or thoughts that another wrote. Whoever served the turn before knows it, so that the other targets are asked.
    State,
    /// It answered with a redirect, which is not followed: the operator's fault.
    Redirect,
}

impl Failure {
    /// Judges an error by the status that it came with (200 where it came inside one) and the word in its body.
    /// `reveals` is whether the body shows the credential that was sent, as refusals of a key do.
    pub fn of_error(status: u16, word: Option<&str>, reveals: bool) -> Failure {
        if (300..400).contains(&status) {
            return Failure::Redirect;
        }
        if reveals {
            return Failure::Credentials;
        }
        let meaning = word.and_then(meaning);
        match meaning {
            Some(Meaning::Credentials) => Failure::Credentials,
            Some(Meaning::Model) => Failure::Model,
            Some(Meaning::State) if matches!(status, 200..300 | 400 | 404..=428) => Failure::State,
            Some(Meaning::Missing) if status == 404 => Failure::State,
            _ if (200..300).contains(&status) => Failure::of_status(stands_for(word, meaning)),
            // Some say so with the status of a caller's mistake; see the table.
            Some(Meaning::Status(429)) if matches!(status, 400 | 403 | 413 | 422) => Failure::Status(429),
            _ => Failure::of_status(status),
        }
    }

    /// Judges an error of which nothing but a status is known.
    fn of_status(status: u16) -> Failure {
        match status {
            401..=403 => Failure::Credentials,
            404 => Failure::Model,
            400..=599 => Failure::Status(status),
            // No status that a caller could be given.
            _ => Failure::Status(UNKNOWN),
        }
    }

    /// Whether another attempt may be made.
    pub fn leads_on(self, triggers: &Triggers) -> bool {
        match self {
            Failure::Unreachable { .. } => triggers.connection,
            Failure::Timeout => triggers.timeout,
            Failure::Cut => triggers.cut,
            Failure::Empty | Failure::State => true,
            Failure::Status(status) => triggers.statuses.contains(&status),
            Failure::Credentials => triggers.credentials,
            Failure::Model | Failure::Redirect => triggers.model,
        }
    }
}

/// What an error stands for of which nothing is known.
const UNKNOWN: u16 = 502;

/// The status that an error inside a 200 stands for: its code where that is one (OpenRouter, Google), else what its word
/// means.
fn stands_for(word: Option<&str>, meaning: Option<Meaning>) -> u16 {
    let number = word.and_then(|word| word.parse().ok()).filter(|status| (400..600).contains(status));
    number.unwrap_or(match meaning {
        Some(Meaning::Status(status)) => status,
        Some(Meaning::Missing) => 400,
        _ => UNKNOWN,
    })
}
