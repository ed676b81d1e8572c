//! How an attempt ended that was not committed: what it says of its target, and to the caller if nothing comes after it.
//!
//! In scope: from an event to a [`Failure`], the health that circuits go by, the last answer and its sentences. Out of
//! scope: whether anything comes after it ([`super::Exchange`]), and the words of providers ([`super::failure`]).

use super::failure::Failure;
use super::step::{Event, Refusal, Relay, Shown, Step};
use crate::error::{Error, ErrorKind};
use crate::record::Outcome;

/// How an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) failure: Failure,
    /// What it was answered with, where it was.
    pub(super) status: Option<u16>,
    pub(super) outcome: Outcome,
    /// Milliseconds that the downstream asks to be left alone.
    pub(super) pause_ms: Option<u64>,
}

/// What an attempt says of how its target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It answered, if only to say that the caller is mistaken.
    Well,
    /// It may have been the call rather than the target.
    Unknown,
    Ill,
}

impl Ended {
    /// `head` is the status of the attempt's head, where that had come. `None` where the event is no failure.
    pub(super) fn of(event: &Event, head: Option<u16>) -> Option<Ended> {
        Some(match (event, head) {
            (Event::Empty { status }, _) => Ended::new(Failure::Empty, Some(*status), Outcome::Empty),
            (Event::Broke { status }, _) => Ended::new(Failure::Cut, Some(*status), Outcome::Cut),
            (Event::TimedOut, _) => Ended::new(Failure::Timeout, head, Outcome::Timeout),
            // There was an answer, or the beginning of one.
            (Event::Unreachable { .. }, Some(_)) => Ended::new(Failure::Cut, head, Outcome::Cut),
            (Event::Unreachable { reset }, None) => {
                Ended::new(Failure::Unreachable { reset: *reset }, None, Outcome::Unreachable)
            }
            (Event::Failed(shown), _) => Ended::shown(shown),
            (
                Event::Unsendable(_)
                | Event::Paused
                | Event::Head { .. }
                | Event::Meaningful { .. }
                | Event::CallerLeft,
                _,
            ) => return None,
        })
    }

    fn new(failure: Failure, status: Option<u16>, outcome: Outcome) -> Ended {
        Ended { failure, status, outcome, pause_ms: None }
    }

    fn shown(shown: &Shown) -> Ended {
        let failure = Failure::of_error(shown.status, shown.word.as_deref(), shown.reveals);
        let outcome = if is_success(shown.status) { Outcome::InBandError } else { Outcome::UpstreamError };
        Ended { failure, status: Some(shown.status), outcome, pause_ms: shown.pause_ms }
    }

    /// Whether it is the downstream's trouble. `waited` is whether silence could be told from thought: a stream that had
    /// its time.
    pub(super) fn health(&self, waited: bool) -> Health {
        match (self.failure, self.status) {
            (Failure::Timeout | Failure::Status(408 | 504 | 524), _) if !waited => Health::Unknown,
            // What was sent may be what is forbidden, or what nothing is said to.
            (Failure::Credentials, Some(403)) | (Failure::Empty, _) => Health::Unknown,
            // Another call has its lock; this request alone is larger than a minute's tokens.
            (Failure::Status(409), _) | (Failure::Status(429), Some(400..=428)) => Health::Unknown,
            (Failure::Status(408 | 425 | 429 | 500..), _) => Health::Ill,
            (Failure::Status(_) | Failure::State, _) => Health::Well,
            (
                Failure::Unreachable { .. }
                | Failure::Timeout
                | Failure::Cut
                | Failure::Credentials
                | Failure::Model
                | Failure::Redirect,
                _,
            ) => Health::Ill,
        }
    }

    /// What the caller gets if this was the last: the answer itself, or an error of ours where there is none, or none that
    /// is the caller's business. `retry_after` is in seconds, until a target that asked to be left alone may be tried.
    pub(super) fn answer(&self, target: &str, attempts: usize, retry_after: Option<u64>) -> Step {
        let outcome = self.outcome;
        if let Some(status) = self.relayed_status() {
            let may_help = matches!(status, 408 | 409 | 425 | 429 | 500..);
            // A word of its own is in its head, which goes to the caller as it is. An error inside a 200 gets a head of ours.
            let says_so = self.pause_ms.is_some() && outcome != Outcome::InBandError;
            let retry_after = retry_after.filter(|_| may_help && !says_so);
            return Step::Relay(Relay { outcome, status, retry_after });
        }
        let (kind, sentence) = self.sentence();
        let others =
            if attempts > 1 { format!(" It was the last of {attempts} attempts.") } else { String::new() };
        let error = Error::new(kind, format!("{target}: {sentence}{others}"));
        Step::Refuse(Refusal { error, outcome, retry_after })
    }

    /// The status with which the attempt's own answer goes to the caller, where it does.
    fn relayed_status(&self) -> Option<u16> {
        match self.failure {
            Failure::Status(stands_for) => {
                Some(self.status.filter(|status| (400..600).contains(status)).unwrap_or(stands_for))
            }
            // The caller's to know: it may send the whole conversation.
            Failure::State => Some(self.status.filter(|status| (400..600).contains(status)).unwrap_or(400)),
            Failure::Empty => self.status,
            Failure::Unreachable { .. }
            | Failure::Timeout
            | Failure::Cut
            | Failure::Credentials
            | Failure::Model
            | Failure::Redirect => None,
        }
    }

    fn sentence(&self) -> (ErrorKind, String) {
        let status = self.status.unwrap_or_default();
        match self.failure {
            Failure::Credentials if status == 403 => (
                ErrorKind::UpstreamCredentials,
                "the downstream forbade the call (status 403); check what our key and its account may do there, then \
                 whether what was sent is allowed there."
                    .to_owned(),
            ),
            Failure::Credentials => (
                ErrorKind::UpstreamCredentials,
                format!(
                    "the downstream refused our credential, account or quota (status {status}); check its key and its \
                     billing."
                ),
            ),
            Failure::Model => (
                ErrorKind::UpstreamModel,
                format!(
                    "the downstream has no such model, or not for our account (status {status}); check the name."
                ),
            ),
            Failure::Redirect => (
                ErrorKind::UpstreamUnreachable,
                format!(
                    "the downstream answered with a redirect ({status}), which is not followed because it would carry the \
                     credential elsewhere; set its base_url to where it really is."
                ),
            ),
            Failure::Timeout => (
                ErrorKind::UpstreamTimeout,
                "the downstream did not answer in time; allow more by `ttft_timeout` (streams), `attempt_timeout` (other \
                 calls) or `deadline`."
                    .to_owned(),
            ),
            Failure::Cut => (
                ErrorKind::UpstreamUnreachable,
                "the downstream's answer broke off, or was none, before it had said anything; try again.".to_owned(),
            ),
            Failure::Unreachable { .. } | Failure::Empty | Failure::Status(_) | Failure::State => (
                ErrorKind::UpstreamUnreachable,
                "the downstream could not be reached, or gave no HTTP answer; check its base_url, then its status page."
                    .to_owned(),
            ),
        }
    }
}

pub(super) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}
