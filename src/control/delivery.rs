//! Bringing the head of a document to KV: in order, never an older revision over a newer one, never over a hand edit.
//!
//! One delivery of a subject runs at a time. It always writes what is the head just then, and looks again after each write:
//! a change that came meanwhile is written by the delivery that runs. What fails is left in the outbox, for the alarm.

use std::collections::HashMap;

use super::Subject;
use super::kv::metadata;
use super::machine::{Desk, Heard, Next, Step, earlier_good};
use super::sight::{Sight, VERIFY_MS, adopt, seen};
use super::store::{Outbox, Revision, Standing, Task};
use crate::error::Error;

/// The deliveries that run in this Durable Object; gone when it restarts.
#[derive(Debug, Default)]
pub struct Running {
    /// Which delivery of a subject runs, and when it was last heard of.
    holders: HashMap<Subject, (u64, u64)>,
    tickets: u64,
}

/// After this long a delivery that has not come back is taken for lost, with the request that it belonged to.
const PATIENCE_MS: u64 = 60_000;
/// When the alarm takes up a delivery that was begun at a commit, should the Durable Object die meanwhile.
pub(super) const SAFETY_MS: u64 = 10_000;
/// KV takes one write a second and key.
const FIRST_PAUSE_MS: u64 = 1_100;
const LONGEST_PAUSE_MS: u64 = 5 * 60_000;

/// A delivery under way.
#[derive(Debug)]
pub(super) struct Delivery {
    subject: Subject,
    stage: Stage,
    /// Tells it from every other delivery; 0 before it runs.
    ticket: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// To be begun, with a look at KV or, where that has just been done, without.
    Begun { looked: bool },
    /// Waits for what KV shows.
    Look,
    /// Waits for the document of this revision to be written.
    Document(u64),
    /// Waits for the last good copy to be written.
    Good {
        /// What was the head then.
        head: u64,
        /// Whether nothing is to be looked at afterwards.
        is_last: bool,
    },
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// KV has the head.
    Written,
    /// It has not; the alarm, or a delivery that runs already, goes on.
    Pending,
}

impl Delivery {
    /// Of a subject's head; `looked` where KV was read just now and showed nothing to adopt.
    pub(super) fn of(subject: Subject, looked: bool) -> Delivery {
        Delivery { subject, stage: Stage::Begun { looked }, ticket: 0 }
    }

    /// Goes on, with what was heard of the step before.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn go_on(&mut self, desk: &mut Desk<'_>, heard: Heard) -> Result<Next<Delivered>, Error> {
        match (&self.stage, heard) {
            (Stage::Begun { looked }, _) => {
                let looked = *looked;
                if !self.take_over(desk) {
                    self.put_off(desk)?;
                    return Ok(Next::Done(Delivered::Pending));
                }
                if looked { self.document(desk) } else { self.look(desk) }
            }
            (Stage::Look, Heard::Read(reading)) => {
                let sight = seen(desk.store, &self.subject, reading, desk.now)?;
                adopt(desk.store, &self.subject, &sight, desk.now)?;
                match (sight, desk.store.standing(&self.subject)?.outbox) {
                    (Sight::Unknown, _) => self.failed(desk),
                    (Sight::Older, Some(_)) => self.document(desk),
                    // A hand edit that leaves something to be written does not validate.
                    (
                        Sight::Head | Sight::Removed | Sight::Edited(..),
                        Some(Outbox { task: Task::Write, .. }),
                    ) => self.good(desk, false),
                    // An isolate may have written its copy of a hand edit after ours; nobody looks at what lies there.
                    (Sight::Head, Some(Outbox { task: Task::Verify, due, .. })) if due <= desk.now => {
                        self.good(desk, true)
                    }
                    (_, _) => self.done(desk, Delivered::Written),
                }
            }
            (Stage::Document(number), Heard::Wrote(true)) => {
                if self.is_newest(desk, *number)? {
                    self.good(desk, false)
                } else {
                    self.again(desk)
                }
            }
            (Stage::Good { head, is_last }, Heard::Wrote(true)) => {
                if !self.is_newest(desk, *head)? {
                    return self.again(desk);
                }
                let task = Task::Verify;
                let outbox = Outbox { task, attempts: 0, due: desk.now.saturating_add(VERIFY_MS) };
                self.settled(desk, Some(outbox).filter(|_| !is_last))
            }
            (Stage::Look | Stage::Document(_) | Stage::Good { .. }, _) => self.failed(desk),
        }
    }

    /// Becomes the delivery that runs, unless another does.
    fn take_over(&mut self, desk: &mut Desk<'_>) -> bool {
        let holder = desk.running.holders.get(&self.subject);
        if holder.is_some_and(|(_, heard)| desk.now.saturating_sub(*heard) < PATIENCE_MS) {
            return false;
        }
        desk.running.tickets = desk.running.tickets.saturating_add(1);
        self.ticket = desk.running.tickets;
        desk.running.holders.insert(self.subject.clone(), (self.ticket, desk.now));
        true
    }

    /// Whether it still runs: it may have been taken for lost, and another have taken over.
    fn runs(&self, desk: &Desk<'_>) -> bool {
        desk.running.holders.get(&self.subject).is_some_and(|(ticket, _)| *ticket == self.ticket)
    }

    /// What was written is not the newest: KV may now hold something older than before, so it is to be written in any case.
    fn again(&mut self, desk: &mut Desk<'_>) -> Result<Next<Delivered>, Error> {
        let standing = desk.store.standing(&self.subject)?;
        let outbox =
            Some(Outbox { task: Task::Write, attempts: 0, due: desk.now.saturating_add(FIRST_PAUSE_MS) });
        desk.store.stand(&self.subject, &Standing { outbox, ..standing })?;
        if self.runs(desk) { self.look(desk) } else { Ok(Next::Done(Delivered::Pending)) }
    }

    fn look(&mut self, desk: &mut Desk<'_>) -> Result<Next<Delivered>, Error> {
        self.stage = Stage::Look;
        self.step(desk, Step::Read(self.subject.to_string()))
    }

    /// Writes the head, or deletes the key.
    fn document(&mut self, desk: &mut Desk<'_>) -> Result<Next<Delivered>, Error> {
        let Some(head) = desk.store.newest(&self.subject)? else {
            return self.done(desk, Delivered::Written);
        };
        // A hand edit that does not validate, and that a late write of ours has fallen on. What lies there serves calls; to put
        // the fault back would help nobody. The last good copy has still to come.
        if head.bytes.as_ref().is_some_and(|bytes| self.subject.check(bytes).is_err()) {
            let outbox = desk.store.standing(&self.subject)?.outbox;
            let is_last = outbox.is_none_or(|outbox| outbox.task == Task::Verify);
            return self.good(desk, is_last);
        }
        self.stage = Stage::Document(head.entry.number);
        let step = put(self.subject.to_string(), head);
        self.step(desk, step)
    }

    /// Writes or deletes the last good copy. What does not validate becomes none: the newest revision that does is it, under its
    /// own number.
    fn good(&mut self, desk: &mut Desk<'_>, is_last: bool) -> Result<Next<Delivered>, Error> {
        let Some(head) = desk.store.newest(&self.subject)? else {
            return self.done(desk, Delivered::Written);
        };
        let number = head.entry.number;
        self.stage = Stage::Good { head: number, is_last };
        let Some(key) = self.subject.good_key() else { return self.go_on(desk, Heard::Wrote(true)) };
        let is_good = head.bytes.as_ref().is_none_or(|bytes| self.subject.check(bytes).is_ok());
        let good = if is_good { Some(head) } else { earlier_good(desk.store, &self.subject, number)? };
        match good {
            Some(good) => self.step(desk, put(key, good)),
            // Nothing that control knows has ever validated.
            None => self.go_on(desk, Heard::Wrote(true)),
        }
    }

    fn is_newest(&self, desk: &Desk<'_>, number: u64) -> Result<bool, Error> {
        Ok(desk.store.newest(&self.subject)?.is_some_and(|newest| newest.entry.number == number))
    }

    fn step(&self, desk: &mut Desk<'_>, step: Step) -> Result<Next<Delivered>, Error> {
        if self.runs(desk) {
            desk.running.holders.insert(self.subject.clone(), (self.ticket, desk.now));
        }
        Ok(Next::Do(step))
    }

    /// KV has the head; `outbox` is what remains.
    fn settled(&self, desk: &mut Desk<'_>, outbox: Option<Outbox>) -> Result<Next<Delivered>, Error> {
        let standing = desk.store.standing(&self.subject)?;
        let written = if outbox.is_some() { desk.now } else { standing.written };
        desk.store.stand(&self.subject, &Standing { written, outbox, ..standing })?;
        self.done(desk, Delivered::Written)
    }

    /// KV failed: later.
    fn failed(&self, desk: &mut Desk<'_>) -> Result<Next<Delivered>, Error> {
        let standing = desk.store.standing(&self.subject)?;
        if let Some(outbox) = standing.outbox {
            let due = desk.now.saturating_add(pause(outbox.attempts));
            let outbox = Some(Outbox { attempts: outbox.attempts.saturating_add(1), due, ..outbox });
            desk.store.stand(&self.subject, &Standing { outbox, ..standing })?;
        }
        self.done(desk, Delivered::Pending)
    }

    /// Another delivery runs: the alarm is to look after it has ended, one way or the other.
    fn put_off(&self, desk: &mut Desk<'_>) -> Result<(), Error> {
        let standing = desk.store.standing(&self.subject)?;
        if let Some(outbox) = standing.outbox {
            let due = outbox.due.max(desk.now.saturating_add(SAFETY_MS));
            desk.store
                .stand(&self.subject, &Standing { outbox: Some(Outbox { due, ..outbox }), ..standing })?;
        }
        Ok(())
    }

    fn done(&self, desk: &mut Desk<'_>, delivered: Delivered) -> Result<Next<Delivered>, Error> {
        if self.runs(desk) {
            desk.running.holders.remove(&self.subject);
        }
        Ok(Next::Done(delivered))
    }
}

/// Writes a revision under a key, or deletes the key where the revision is a deletion.
fn put(key: String, revision: Revision) -> Step {
    match revision.bytes {
        Some(bytes) => Step::Write { key, bytes, metadata: metadata(&revision.entry) },
        None => Step::Delete(key),
    }
}

/// Twice as long after each failure.
fn pause(attempts: u32) -> u64 {
    FIRST_PAUSE_MS.saturating_mul(1 << attempts.min(10)).min(LONGEST_PAUSE_MS)
}
