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
mod ended;
pub mod failure;
pub mod figures;
pub mod order;
pub mod patience;
pub mod plan;
pub mod policy;
mod step;
mod words;

use std::rc::Rc;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use document::ASKED;
pub(crate) use document::{FAILOVER, asked_tuning, tuning};
pub use step::{Event, Refusal, Relay, Shown, Step};

use self::circuit::{Circuits, State};
use self::ended::{Ended, Health};
use self::failure::Failure;
use self::patience::backoff;
use self::policy::Policy;
use crate::error::{Error, ErrorKind};
use crate::random::SplitMix;
use crate::record::{Attempt, Outcome};

/// One call's attempts.
#[derive(Debug)]
pub struct Exchange {
    targets: Vec<Target>,
    /// Targets that are added once one does not know what the call builds upon.
    holders: Vec<Rc<str>>,
    policy: Policy,
    streamed: bool,
    /// Milliseconds since 1970.
    deadline: u64,
    jitter: SplitMix,
    phase: Phase,
    /// The target of the last attempt.
    current: usize,
    /// The target whose circuit this call tries.
    probing: Option<usize>,
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
    /// Left alone because of its circuit, and tried when all others are spent.
    deferred: bool,
    /// Tried again after its connection was reset.
    reopened: bool,
    /// How often it was tried again after a pause that it asked for.
    waits: u32,
    /// When it asked to be tried again.
    again_at: Option<u64>,
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
    /// The deadline leaves it less than half of the time that it would have had.
    hurried: bool,
    /// Its budget is all that the deadline leaves: when it is used up, nothing comes after it, whatever the timer's precision.
    until_deadline: bool,
}

/// The longest pause that a downstream may ask for and be waited for, where no other target is left. Callers' SDKs wait by
/// themselves; holding a call for longer than this helps nobody.
pub const LONGEST_PAUSE_MS: u64 = 10_000;
/// How often one target is waited for.
const MOST_WAITS: u32 = 2;
/// What is added before a connection that was reset is opened again. It was an old one, most likely, and the downstream is
/// not in trouble: the least that keeps callers from coming back in step.
const RESET_BASE_MS: u64 = 2;
/// What is added to a pause that the downstream asked for: all who were refused were told the same time.
const PAUSE_BASE_MS: u64 = 250;
/// The most notes, and the longest name in one or in an error, in bytes: a caller may name what it likes.
const MOST_NOTES: usize = 8;
const NAME_BYTES: usize = 192;

impl Exchange {
    /// An exchange over the targets of a plan. `now` is milliseconds since 1970; `seed` decides the jitter.
    pub fn new(plan: Vec<Rc<str>>, policy: Policy, streamed: bool, now: u64, seed: u64) -> Exchange {
        Exchange {
            targets: plan.into_iter().map(Target::new).collect(),
            holders: Vec::new(),
            deadline: now.saturating_add(policy.deadline_ms),
            policy,
            streamed,
            jitter: SplitMix::new(seed),
            phase: Phase::Idle,
            current: 0,
            probing: None,
            attempts: Vec::new(),
            notes: Vec::new(),
            last: None,
            unsendable: None,
        }
    }

    /// The same, with [`plan::holders`]: targets that are asked as well, once one of the plan does not know what the call
    /// builds upon. One of them may have served the turn before, under other weights.
    #[must_use]
    pub fn holding(self, holders: Vec<Rc<str>>) -> Exchange {
        Exchange { holders, ..self }
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
            (Phase::Pausing(_), Event::Paused) if now >= self.deadline => self.spent(now),
            (Phase::Pausing(target), Event::Paused) => self.send(target, now),
            (Phase::Idle | Phase::Pausing(_), _) => Step::Await,
            (Phase::Sent(open), event) => self.on_open(open, event, now, circuits),
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

    /// What was odd: targets that were left alone or skipped, and why. There are few, whatever the plan.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What happened to the attempt that is open.
    fn on_open(&mut self, open: Open, event: Event, now: u64, circuits: &mut Circuits) -> Step {
        match event {
            Event::Head { status } => {
                self.phase = Phase::Sent(Open { head: Some(status), ..open });
                Step::Await
            }
            Event::Unsendable(error) if open.head.is_none() => {
                let name = self.name(open.target);
                self.release(open.target, circuits);
                // Where it is the only one, the caller is told so at once.
                if self.targets.len() > 1 {
                    self.note(&name, &format!("skipped: {}", error.message));
                }
                self.unsendable.get_or_insert(error);
                self.next(now, circuits)
            }
            Event::Meaningful { status } => self.committed(open, status, now, circuits),
            Event::Empty { status } if !self.policy.retry_on_empty => {
                self.committed(open, status, now, circuits)
            }
            Event::CallerLeft => {
                self.release(open.target, circuits);
                self.record(open, open.head, Outcome::ClientCancelled, now);
                self.phase = Phase::Over;
                Step::Over
            }
            event => match Ended::of(&event, open.head) {
                Some(ended) => self.failed(open, ended, now, circuits),
                None => Step::Await,
            },
        }
    }

    fn committed(&mut self, open: Open, status: u16, now: u64, circuits: &mut Circuits) -> Step {
        circuits.succeeded(&self.name(open.target), now);
        self.record(open, Some(status), Outcome::Ok, now);
        self.phase = Phase::Over;
        Step::Relay(Relay { outcome: Outcome::Ok, status, retry_after: None })
    }

    fn failed(&mut self, open: Open, ended: Ended, now: u64, circuits: &mut Circuits) -> Step {
        self.record(open, ended.status, ended.outcome, now);
        self.last = Some(ended);
        let leads_on = ended.failure.leads_on(&self.policy.on);

        let name = self.name(open.target);
        match ended.health(self.streamed && !open.hurried) {
            Health::Well => circuits.succeeded(&name, now),
            Health::Ill if leads_on => circuits.failed(&name, ended.pause_ms, now),
            // A failure that the policy takes for none is none to the circuit.
            Health::Ill | Health::Unknown => self.release(open.target, circuits),
        }

        if ended.failure == Failure::State {
            self.targets.extend(self.holders.drain(..).map(Target::new));
        }
        let attempts_left = (self.policy.attempts as usize).saturating_sub(self.attempts.len());
        let untried = self.targets.iter().any(|target| !target.tried);
        let Some(target) = self.targets.get_mut(open.target) else { return self.spent(now) };
        // Of the operator's faults none is gone after a pause.
        let asked = ended.pause_ms.filter(|_| matches!(ended.failure, Failure::Status(_)));
        target.again_at = asked.map(|pause| now.saturating_add(pause));

        let out_of_time = ended.failure == Failure::Timeout && open.until_deadline;
        if !leads_on || attempts_left == 0 || out_of_time {
            return self.spent(now);
        }
        let was_reset = ended.failure == (Failure::Unreachable { reset: true });
        // The last attempt is better spent on a target that has had none.
        if was_reset && !target.reopened && (attempts_left > 1 || !untried) {
            target.reopened = true;
            let pause = backoff(RESET_BASE_MS, 0, self.jitter.next());
            return self.again(open.target, pause, now);
        }
        self.next(now, circuits)
    }

    /// The next target that was not tried; those whose circuit is open when no other is left; else the one that asked for
    /// the shortest pause, after it; else all is spent.
    fn next(&mut self, now: u64, circuits: &mut Circuits) -> Step {
        self.phase = Phase::Idle;
        if now >= self.deadline {
            return self.spent(now);
        }
        for index in 0..self.targets.len() {
            if self.is_callable(index, now, circuits) {
                return self.send(index, now);
            }
        }
        // Left alone, but never refused.
        if let Some(index) = self.targets.iter().position(|target| !target.tried) {
            let name = self.name(index);
            self.note(&name, "is tried all the same: no other is left");
            if circuits.state(&name, now) == State::HalfOpen {
                circuits.probe(&name, now);
                self.probing = Some(index);
            }
            return self.send(index, now);
        }
        let soonest = |(index, target): (usize, &Target)| {
            let pause = target.again_at?.saturating_sub(now);
            (pause <= LONGEST_PAUSE_MS && target.waits < MOST_WAITS).then_some((pause, index))
        };
        let Some((pause, index)) = self.targets.iter().enumerate().filter_map(soonest).min() else {
            return self.spent(now);
        };
        let Some(target) = self.targets.get_mut(index) else { return self.spent(now) };
        let pause = pause + backoff(PAUSE_BASE_MS, target.waits, self.jitter.next());
        target.waits += 1;
        self.again(index, pause, now)
    }

    /// Whether a target was not tried yet and its circuit lets it be. Takes the place of the one call that tries a half-open one.
    fn is_callable(&mut self, index: usize, now: u64, circuits: &mut Circuits) -> bool {
        let Some(target) = self.targets.get_mut(index).filter(|target| !target.tried && !target.deferred)
        else {
            return false;
        };
        let name = target.name.clone();
        match circuits.state(&name, now) {
            State::Closed => true,
            State::HalfOpen => {
                circuits.probe(&name, now);
                self.probing = Some(index);
                self.note(&name, "is tried again after failures");
                true
            }
            State::Open { why } => {
                target.deferred = true;
                self.note(&name, &format!("left alone: {why}"));
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
        let due = own.unwrap_or(u64::MAX).min(self.policy.deadline_ms);
        let budget_ms = due.min(left);
        let open = Open {
            target: index,
            began: now,
            head: None,
            hurried: budget_ms < due / 2,
            until_deadline: budget_ms == left,
        };
        self.phase = Phase::Sent(open);
        Step::Send { budget_ms, may_outlive: !open.until_deadline }
    }

    /// The same target once more after a pause, if the deadline leaves time for it.
    fn again(&mut self, index: usize, pause: u64, now: u64) -> Step {
        if now.saturating_add(pause) >= self.deadline {
            return self.spent(now);
        }
        self.phase = Phase::Pausing(index);
        Step::Pause(pause)
    }

    /// Nothing more can be tried: the last attempt's own answer, or an error of ours.
    fn spent(&mut self, now: u64) -> Step {
        self.phase = Phase::Over;
        let asked = self.targets.iter().filter_map(|target| target.again_at).min();
        let retry_after = asked.map(|at| at.saturating_sub(now).div_ceil(1000).max(1));
        if let Some(ended) = self.last {
            let target = self.attempts.last().map_or("", |attempt| &attempt.target);
            return ended.answer(shortened(target), self.attempts.len(), retry_after);
        }
        let error = self.unsendable.take().unwrap_or_else(|| self.nothing_sent());
        Step::Refuse(Refusal { error, outcome: Outcome::Refused, retry_after })
    }

    /// Why nothing was sent, though no target was found wanting.
    fn nothing_sent(&self) -> Error {
        if self.targets.is_empty() {
            return Error::invalid(
                "ignore",
                "`ignore` leaves no model to call; leave out one of its entries.",
            );
        }
        Error::new(
            ErrorKind::UpstreamTimeout,
            "the deadline was over before anything was sent; raise `deadline`.",
        )
    }

    fn record(&mut self, open: Open, status: Option<u16>, outcome: Outcome, now: u64) {
        let target = self.name(open.target).to_string();
        self.attempts.push(Attempt { target, status, millis: now.saturating_sub(open.began), outcome });
    }

    fn note(&mut self, name: &str, what: &str) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(format!("{} {what}", shortened(name)));
        }
    }

    /// Gives back the probe of a target, where this call has it.
    fn release(&mut self, target: usize, circuits: &mut Circuits) {
        if self.probing == Some(target) {
            circuits.released(&self.name(target));
        }
    }

    fn name(&self, target: usize) -> Rc<str> {
        self.targets.get(target).map_or_else(|| Rc::from(""), |target| target.name.clone())
    }
}

impl Target {
    fn new(name: Rc<str>) -> Target {
        Target { name, tried: false, deferred: false, reopened: false, waits: 0, again_at: None }
    }
}

fn shortened(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES)).unwrap_or_default()
}
