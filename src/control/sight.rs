//! What a reading of KV means: the head, a stale read, or a hand edit that is to be adopted.
//!
//! KV may show what it held a minute ago, and a write that was given up may still land. What control wrote has our metadata;
//! what a person wrote has none. Together with the digests of all revisions that tells nearly every case apart; where it does
//! not, time does.

use super::Subject;
use super::kv::Reading;
use super::store::{Commit, Digest, Entry, Origin, Outbox, Revision, Standing, Store, Task};
use crate::error::Error;

/// What a reading means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// KV shows the newest revision (or nothing, where nothing is to be there).
    Head,
    /// KV shows what control knows to be older: a stale read, or a write that is still to come.
    Older,
    /// Somebody has changed the value by hand. The number that its metadata claims, where that is beyond all of ours.
    Edited(Vec<u8>, Option<u64>),
    /// Somebody has deleted the key by hand.
    Removed,
    /// KV could not be read.
    Unknown,
}

/// How long KV may show what it held before: it says 60 seconds "or more".
pub(super) const STALE_MS: u64 = 5 * 60_000;
/// When KV is looked at again after it took a write: an older write may have landed after it.
pub(super) const VERIFY_MS: u64 = 90_000;

/// What a reading of a subject's key means at `now`.
///
/// # Errors
/// The store's.
pub(super) fn seen(store: &dyn Store, subject: &Subject, reading: Reading, now: u64) -> Result<Sight, Error> {
    let newest = store.newest(subject)?;
    let (bytes, claimed) = match reading {
        Reading::Unavailable => return Ok(Sight::Unknown),
        Reading::Absent => return absent(store, subject, newest.as_ref(), now),
        Reading::Value { bytes, revision } => (bytes, revision),
    };
    let Some(newest) = newest else { return Ok(Sight::Edited(bytes, claimed)) };
    let digest = Digest::of(&bytes);
    let entry = &newest.entry;
    if entry.digest == Some(digest) {
        // The same bytes may have been there before: only their own number, or none on a hand edit, shows that it is these.
        let is_head = match claimed {
            Some(number) => number == entry.number,
            None => entry.origin == Origin::Kv,
        };
        return Ok(if is_head { Sight::Head } else { Sight::Older });
    }
    let known = store.by_digest(subject, &digest, None)?.is_some();
    match claimed {
        Some(_) if known => Ok(Sight::Older),
        Some(number) => Ok(Sight::Edited(bytes, Some(number).filter(|number| *number > entry.number))),
        None if known => put_back(store, subject, bytes, &digest, now),
        None => Ok(Sight::Edited(bytes, None)),
    }
}

/// No value where there is to be one: removed by hand, unless it may not have come yet.
fn absent(store: &dyn Store, subject: &Subject, newest: Option<&Revision>, now: u64) -> Result<Sight, Error> {
    let Some(newest) = newest.filter(|newest| newest.bytes.is_some()) else { return Ok(Sight::Head) };
    let standing = store.standing(subject)?;
    let since = standing.written.max(newest.entry.time);
    let is_settled = !is_behind(&standing) && now.saturating_sub(since) >= STALE_MS;
    Ok(if is_settled { Sight::Removed } else { Sight::Older })
}

/// Bytes without metadata that control knows. Those that only the API has made were never in KV without metadata, so
/// somebody has put them there. Those that were a hand edit may be a stale read of it, for as long as KV may be stale.
fn put_back(
    store: &dyn Store,
    subject: &Subject,
    bytes: Vec<u8>,
    digest: &Digest,
    now: u64,
) -> Result<Sight, Error> {
    let Some(edit) = store.by_digest(subject, digest, Some(Origin::Kv))? else {
        return Ok(Sight::Edited(bytes, None));
    };
    let standing = store.standing(subject)?;
    let next = store.revision(subject, edit.number.saturating_add(1))?;
    let superseded = next.map_or(now, |next| next.entry.time);
    let since = superseded.max(standing.written);
    let is_settled = !is_behind(&standing) && now.saturating_sub(since) >= STALE_MS;
    Ok(if is_settled { Sight::Edited(bytes, None) } else { Sight::Older })
}

/// Whether KV has not acknowledged the head yet.
pub(super) fn is_behind(standing: &Standing) -> bool {
    standing.outbox.is_some_and(|outbox| outbox.task == Task::Write)
}

/// Takes over what was changed by hand, as the next revision.
///
/// Its key is not written: the value is there, and a write could only fall on a newer hand edit. What was still to be written
/// there is given up; it stays in the history, and is written as the last good copy where the hand edit does not validate.
///
/// # Errors
/// The store's.
pub(super) fn adopt(store: &mut dyn Store, subject: &Subject, sight: &Sight, now: u64) -> Result<(), Error> {
    let (bytes, claimed) = match sight {
        Sight::Edited(bytes, claimed) => (Some(bytes.clone()), *claimed),
        Sight::Removed => (None, None),
        Sight::Head | Sight::Older | Sight::Unknown => return Ok(()),
    };
    let newest = store.newest(subject)?;
    let was_there = newest.as_ref().is_some_and(|newest| newest.bytes.is_some());
    let before = store.standing(subject)?;
    let next = newest.as_ref().map_or(1, |newest| newest.entry.number.saturating_add(1));
    let summary = match (&bytes, was_there) {
        (None, _) => "deleted in KV",
        (Some(_), true) => "edited in KV",
        (Some(_), false) => "found in KV",
    };
    let entry = Entry {
        number: claimed.unwrap_or(next).max(next),
        digest: bytes.as_deref().map(Digest::of),
        size: bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
        time: newest.map_or(now, |newest| newest.entry.time.max(now)),
        author: ("kv".to_owned(), String::new()),
        summary: summary.to_owned(),
        origin: Origin::Kv,
    };
    // What does not validate is not served: what was to be written before it is, as the last good copy, which KV must still get.
    let is_invalid = bytes.as_ref().is_some_and(|bytes| subject.check(bytes).is_err());
    // A write of ours that is under way may still fall on it; and a deletion leaves the last good copy to be deleted.
    let outbox = match (&bytes, before.outbox) {
        (Some(_), Some(Outbox { task: Task::Write, .. })) if is_invalid => {
            Some(Outbox { task: Task::Write, attempts: 0, due: now })
        }
        (None, _) => Some(Outbox { task: Task::Write, attempts: 0, due: now }),
        (Some(_), Some(_)) => {
            Some(Outbox { task: Task::Verify, attempts: 0, due: now.saturating_add(VERIFY_MS) })
        }
        (Some(_), None) => None,
    };
    let created = if was_there { before.created } else { now };
    let standing = Standing { created, written: before.written, outbox };
    store.commit(&Commit { subject: subject.clone(), revision: Revision { entry, bytes }, standing })
}
