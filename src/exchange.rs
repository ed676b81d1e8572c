//! Failover: one call's attempts, until one of them is committed or all are spent.
//!
//! **The law.** Another attempt is made only before the first meaningful byte has reached the caller, only for failures
//! that the policy names, one at a time, and within one deadline. A stream is committed at its first meaningful event, not
//! at its head: an error that arrives as the first event of a 200 is a failure like any other. After commitment nothing is
//! tried again and nothing is spliced together. What served is recorded beside the variant assigned, which never changes.
//!
//! In scope: which target next and when, and what the caller gets when all is spent; a state machine without IO, that is
//! told what happened and says what to do. Out of scope: doing it (`edge`), reading answers (`relay`).

pub mod circuit;
mod document;
pub mod failure;
pub mod patience;
pub mod plan;
pub mod policy;

use std::rc::Rc;

pub(crate) use document::tuning;

use self::circuit::{Circuits, State};
use self::failure::Failure;
use self::patience::backoff;
use self::policy::Policy;
use crate::error::{Error, ErrorKind};
use crate::random::SplitMix;
use crate::record::{Attempt, Outcome};

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
    /// Call [`Exchange::target`], and report what comes; at the end of the budget, [`Event::TimedOut`].
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
    /// The answer of the last attempt that was sent goes to the caller.
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
    /// Seconds, where an earlier attempt was asked to wait and this answer has no such word of its own.
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

/// One call's attempts.
#[derive(Debug)]
pub struct Exchange {
    targets: Vec<Target>,
    policy: Policy,
    streamed: bool,
    /// Milliseconds since 1970.
    deadline: u64,
    jitter: SplitMix,
    phase: Phase,
    /// The target of the last attempt.
    current: usize,
    attempts: Vec<Attempt>,
    notes: Vec<String>,
    /// How the last attempt failed.
    last: Option<Ended>,
    /// Why the first target that could not be called could not be.
    unsendable: Option<Error>,
}

#[derive(Debug)]
struct Target {
    /// `provider/model`, or a model that a downstream lists.
    name: Rc<str>,
    tried: bool,
    /// Attempts beyond the first.
    retries: u32,
    /// When it asked to be tried again.
    again_at: Option<u64>,
    /// Left alone because of its circuit, and tried when all others are spent.
    deferred: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is open, and the next target is not chosen.
    Idle,
    /// Nothing is open; this target comes next.
    Pausing(usize),
    Sent(Open),
    /// The caller has been answered, or has left.
    Over,
}

/// An attempt that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    target: usize,
    /// Milliseconds since 1970.
    began: u64,
    /// The status of its head, once that came.
    head: Option<u16>,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug)]
struct Ended {
    failure: Failure,
    /// What it was answered with, where it was.
    status: Option<u16>,
    outcome: Outcome,
    /// Milliseconds that the downstream asks to be left alone.
    pause_ms: Option<u64>,
}

/// The longest pause that a downstream may ask for and be waited for, where no other target is left. Callers' SDKs wait by
/// themselves; holding a call for longer than this helps nobody.
pub const LONGEST_PAUSE_MS: u64 = 10_000;
/// How often one target is tried again.
const MOST_RETRIES: u32 = 2;
/// What is added before a connection that was reset is opened again. It was an old one, most likely, and the downstream is
/// not in trouble: the least that keeps callers from coming back in step.
const RESET_BASE_MS: u64 = 5;
/// What is added to a pause that the downstream asked for: all who were refused were told the same time.
const PAUSE_BASE_MS: u64 = 250;

impl Exchange {
    /// An exchange over the targets of a plan. `now` is milliseconds since 1970; `seed` decides the jitter.
    pub fn new(plan: Vec<Rc<str>>, policy: Policy, streamed: bool, now: u64, seed: u64) -> Exchange {
        let target = |name| Target { name, tried: false, retries: 0, again_at: None, deferred: false };
        Exchange {
            targets: plan.into_iter().map(target).collect(),
            deadline: now.saturating_add(policy.deadline_ms),
            policy,
            streamed,
            jitter: SplitMix::new(seed),
            phase: Phase::Idle,
            current: 0,
            attempts: Vec::new(),
            notes: Vec::new(),
            last: None,
            unsendable: None,
        }
    }

    /// The first step.
    pub fn start(&mut self, now: u64, circuits: &mut Circuits) -> Step {
        match self.phase {
            Phase::Idle => self.next(now, circuits),
            Phase::Pausing(_) | Phase::Sent(_) | Phase::Over => Step::Over,
        }
    }

    /// Takes what happened and says what to do. What does not fit the last step changes nothing.
    pub fn on(&mut self, event: Event, now: u64, circuits: &mut Circuits) -> Step {
        match (self.phase, event) {
            (Phase::Over, _) => Step::Over,
            (Phase::Idle | Phase::Pausing(_), Event::CallerLeft) => {
                self.phase = Phase::Over;
                Step::Over
            }
            (Phase::Pausing(target), Event::Paused) => self.send(target, now),
            (Phase::Sent(open), Event::Head { status }) => {
                self.phase = Phase::Sent(Open { head: Some(status), ..open });
                Step::Await
            }
            (Phase::Sent(open), Event::Unsendable(error)) => {
                let name = self.name(open.target);
                circuits.released(&name);
                self.notes.push(format!("{name} skipped: {}", error.message));
                self.unsendable.get_or_insert(error);
                self.next(now, circuits)
            }
            (Phase::Sent(open), event) => self.attempt_ended(open, event, now, circuits),
            (Phase::Idle | Phase::Pausing(_), _) => Step::Await,
        }
    }

    /// The target of the last [`Step::Send`].
    pub fn target(&self) -> &str {
        self.targets.get(self.current).map_or("", |target| &target.name)
    }

    /// The attempts that are over, in order; the last of them is the one whose answer is relayed.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// What was odd: targets that were left alone, and why.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// An attempt came to its end, well or not.
    fn attempt_ended(&mut self, open: Open, event: Event, now: u64, circuits: &mut Circuits) -> Step {
        let name = self.name(open.target);
        let ended = match event {
            Event::Meaningful { status } => return self.committed(open, status, now, circuits),
            Event::Empty { status } if !self.policy.retry_on_empty => {
                return self.committed(open, status, now, circuits);
            }
            Event::CallerLeft => {
                circuits.released(&name);
                self.note_attempt(open, open.head, Outcome::ClientCancelled, now);
                self.phase = Phase::Over;
                return Step::Over;
            }
            Event::Empty { status } => Ended::new(Failure::Empty, Some(status), Outcome::Empty),
            Event::Broke { status } => Ended::new(Failure::Cut, Some(status), Outcome::Cut),
            Event::TimedOut => Ended::new(Failure::Timeout, open.head, Outcome::Timeout),
            Event::Unreachable { reset } => {
                Ended::new(Failure::Unreachable { reset }, None, Outcome::Unreachable)
            }
            Event::Failed(shown) => Ended::shown(&shown),
            Event::Unsendable(_) | Event::Paused | Event::Head { .. } => return Step::Await,
        };
        self.note_attempt(open, ended.status, ended.outcome, now);
        let leads_on = ended.failure.leads_on(&self.policy.on);
        match ended.failure {
            // An answer that was long in the making says nothing of the downstream's health.
            Failure::Timeout if !self.streamed => circuits.released(&name),
            _ if leads_on => circuits.failed(&name, ended.pause_ms, now),
            // The caller's own mistake: the downstream is alive.
            _ => circuits.succeeded(&name),
        }
        if let Some(target) = self.targets.get_mut(open.target) {
            target.again_at = ended.pause_ms.map(|pause| now.saturating_add(pause));
        }
        self.last = Some(ended);
        if !leads_on || self.attempts.len() >= self.policy.attempts as usize {
            return self.spent(now);
        }
        if ended.failure == (Failure::Unreachable { reset: true }) && self.retries(open.target) == 0 {
            let pause = backoff(RESET_BASE_MS, 0, self.jitter.next());
            if let Some(step) = self.again(open.target, pause, now) {
                return step;
            }
        }
        self.next(now, circuits)
    }

    fn committed(&mut self, open: Open, status: u16, now: u64, circuits: &mut Circuits) -> Step {
        circuits.succeeded(&self.name(open.target));
        self.note_attempt(open, Some(status), Outcome::Ok, now);
        self.phase = Phase::Over;
        Step::Relay(Relay { outcome: Outcome::Ok, status, retry_after: None })
    }

    fn note_attempt(&mut self, open: Open, status: Option<u16>, outcome: Outcome, now: u64) {
        let target = self.name(open.target).to_string();
        self.attempts.push(Attempt { target, status, millis: now.saturating_sub(open.began), outcome });
    }

    /// The next target that was not tried; those whose circuit is open when no other is left; else the one that asked for
    /// the shortest pause, after it; else all is spent.
    fn next(&mut self, now: u64, circuits: &mut Circuits) -> Step {
        if now >= self.deadline {
            return self.spent(now);
        }
        for index in 0..self.targets.len() {
            if self.is_callable(index, now, circuits) {
                return self.send(index, now);
            }
        }
        if let Some(index) = self.targets.iter().position(|target| !target.tried) {
            return self.send(index, now);
        }
        let soonest = |(index, target): (usize, &Target)| {
            let pause = target.again_at?.saturating_sub(now);
            (pause <= LONGEST_PAUSE_MS && target.retries < MOST_RETRIES).then_some((pause, index))
        };
        let Some((pause, index)) = self.targets.iter().enumerate().filter_map(soonest).min() else {
            return self.spent(now);
        };
        let pause = pause + backoff(PAUSE_BASE_MS, self.retries(index), self.jitter.next());
        self.again(index, pause, now).unwrap_or_else(|| self.spent(now))
    }

    /// Whether a target was not tried yet and its circuit lets it be. Takes the place of the one call that tries a half-open one.
    fn is_callable(&mut self, index: usize, now: u64, circuits: &mut Circuits) -> bool {
        let Some(target) = self.targets.get_mut(index).filter(|target| !target.tried && !target.deferred)
        else {
            return false;
        };
        match circuits.state(&target.name, now) {
            State::Closed => true,
            State::HalfOpen => {
                circuits.probe(&target.name, now);
                self.notes.push(format!("{} is tried again after failures", target.name));
                true
            }
            State::Open { why } => {
                target.deferred = true;
                self.notes.push(format!("{} left alone: {why}", target.name));
                false
            }
        }
    }

    fn send(&mut self, index: usize, now: u64) -> Step {
        self.current = index;
        if let Some(target) = self.targets.get_mut(index) {
            target.tried = true;
        }
        let left = self.deadline.saturating_sub(now);
        let own = if self.streamed { self.policy.ttft_ms } else { self.policy.attempt_ms };
        let budget_ms = own.unwrap_or(left).min(left);
        self.phase = Phase::Sent(Open { target: index, began: now, head: None });
        Step::Send { budget_ms, may_outlive: budget_ms < left }
    }

    /// The same target once more after a pause, if the deadline leaves time for it.
    fn again(&mut self, index: usize, pause: u64, now: u64) -> Option<Step> {
        if now.saturating_add(pause) >= self.deadline {
            return None;
        }
        let target = self.targets.get_mut(index)?;
        target.retries += 1;
        target.again_at = None;
        self.phase = Phase::Pausing(index);
        Some(Step::Pause(pause))
    }

    /// Nothing more can be tried: the caller gets the last attempt's own answer, or an error of ours where there is none, or
    /// none that is the caller's business.
    fn spent(&mut self, now: u64) -> Step {
        self.phase = Phase::Over;
        let Some(Ended { failure, status, outcome, pause_ms }) = self.last else {
            let error = self.unsendable.take().unwrap_or_else(no_target);
            return Step::Refuse(Refusal { error, outcome: Outcome::Refused, retry_after: None });
        };
        let asked = self.targets.iter().filter_map(|target| target.again_at).min();
        let retry_after = asked.map(|at| at.saturating_sub(now).div_ceil(1000).max(1));
        let own = |status| {
            let retry_after = retry_after.filter(|_| pause_ms.is_none());
            Step::Relay(Relay { outcome, status, retry_after })
        };
        let name = self.attempts.last().map_or("", |attempt| &attempt.target);
        let (kind, message) = match (failure, status) {
            (Failure::Status(stands_for), _) => return own(stands_for),
            (Failure::Empty, _) => return own(status.unwrap_or(200)),
            (Failure::Credentials, status) => (
                ErrorKind::UpstreamCredentials,
                format!(
                    "{name}: the downstream refused our credential, account or quota (status {}); check its key and its billing.",
                    status.unwrap_or_default()
                ),
            ),
            (Failure::Model, _) => (
                ErrorKind::UpstreamModel,
                format!("{name}: the downstream has no such model, or not for this account; check the name."),
            ),
            (Failure::Redirect, status) => (
                ErrorKind::UpstreamUnreachable,
                format!(
                    "{name}: the downstream answered with a redirect ({}), which is not followed because it would carry \
                     the credential elsewhere; set its base_url to where it really is.",
                    status.unwrap_or_default()
                ),
            ),
            (Failure::Timeout, _) => {
                (ErrorKind::UpstreamTimeout, format!("{name}: the downstream did not answer in time."))
            }
            (Failure::Cut, _) => (
                ErrorKind::UpstreamUnreachable,
                format!(
                    "{name}: the downstream's answer broke off, or was none, before it had said anything."
                ),
            ),
            (Failure::Unreachable { .. }, _) => (
                ErrorKind::UpstreamUnreachable,
                format!("{name}: the downstream could not be reached, or gave no HTTP answer."),
            ),
        };
        Step::Refuse(Refusal { error: Error::new(kind, message), outcome, retry_after })
    }

    fn retries(&self, target: usize) -> u32 {
        self.targets.get(target).map_or(0, |target| target.retries)
    }

    fn name(&self, target: usize) -> Rc<str> {
        self.targets.get(target).map_or_else(|| Rc::from(""), |target| target.name.clone())
    }
}

impl Ended {
    fn new(failure: Failure, status: Option<u16>, outcome: Outcome) -> Ended {
        Ended { failure, status, outcome, pause_ms: None }
    }

    fn shown(shown: &Shown) -> Ended {
        let failure = Failure::of_error(shown.status, shown.word.as_deref(), shown.reveals);
        let outcome =
            if (200..300).contains(&shown.status) { Outcome::InBandError } else { Outcome::UpstreamError };
        Ended { failure, status: Some(shown.status), outcome, pause_ms: shown.pause_ms }
    }
}

/// A plan without targets.
fn no_target() -> Error {
    Error::invalid("ignore", "`ignore` leaves no model to call; leave out one of its entries.")
}
