//! What an isolate holds of stored documents, and when it looks again (law 4). A state machine without IO: the edge reads
//! KV and tells what it found.
//!
//! In scope: freshness, unchanged bytes, last good, absence apart from failure, the bound on memory. Out of scope: how
//! documents are read (`edge::config`) and parsed ([`Document`]).
//!
//! A call asks [`Shelf::look`]. On [`Look::Hit`] it goes on at once, and starts the refresh where it is told to; on
//! [`Look::Miss`] it waits for one reading. Each reading goes to [`Shelf::settle`], which says whether the stored last good
//! copy is to be read ([`Next::LoadGood`], answered by [`Shelf::settle_good`]) or written ([`Next::KeepGood`]).

use std::collections::HashMap;
use std::rc::Rc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::fault::Fault;

/// A kind of stored document.
pub trait Document: Sized {
    /// Reads the document stored under `name`, or says everything that is wrong with it.
    fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Fault>>;
    /// What is odd in the document and harmless to traffic: logged, once for each version of it.
    fn warnings(&self) -> &[Fault];
    /// Whether a copy of the newest valid bytes is stored beside it, and goes on serving when newer ones do not validate.
    const KEEPS_GOOD: bool;
    /// Bytes beyond which a value is refused unread.
    const MAX_BYTES: usize;
    /// Milliseconds after which a document that is held is not served any more without a look at KV; `None` for never.
    const MOST_STALE: Option<u64> = None;
}

/// A valid document, and what is known of how it was stored.
#[derive(Debug)]
pub struct Stored<T> {
    /// The parsed document.
    pub value: Rc<T>,
    /// The revision number that control gave it, or `h-` and eight hex digits of a hand edit.
    pub revision: Rc<str>,
    /// Why the newest bytes are not in use, where they are not.
    pub fault: Option<Rc<str>>,
}

impl<T> Clone for Stored<T> {
    fn clone(&self) -> Self {
        Stored { value: self.value.clone(), revision: self.revision.clone(), fault: self.fault.clone() }
    }
}

/// What is known under a name.
#[derive(Debug)]
pub enum State<T> {
    /// A document that validates, perhaps an older one.
    Present(Stored<T>),
    /// KV has no such key.
    Absent,
    /// The bytes do not validate and none did before.
    Invalid(Rc<[Fault]>),
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        match self {
            State::Present(stored) => State::Present(stored.clone()),
            State::Absent => State::Absent,
            State::Invalid(faults) => State::Invalid(faults.clone()),
        }
    }
}

/// What a call finds on the shelf.
#[derive(Debug)]
pub enum Look<T> {
    /// Use this; where `refresh` is set, start a reading that no call waits for.
    Hit {
        /// What is known.
        state: State<T>,
        /// Whether this call is to start a reading.
        refresh: bool,
    },
    /// Nothing is known, or nothing that may still be used: read, and wait for it.
    Miss,
}

/// What a reading of KV found.
#[derive(Debug)]
pub enum Reading {
    /// There is no such key.
    Absent,
    /// The value, and the revision in its metadata, which hand edits lack.
    Value {
        /// The document's bytes; only the first [`Document::MAX_BYTES`] + 1 need be there.
        bytes: Vec<u8>,
        /// The revision that control wrote beside it.
        revision: Option<String>,
    },
    /// KV could not be read.
    Unavailable,
}

/// What the edge is to do after a reading.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Done,
    /// Store these bytes as the last good ones, unless they are: a hand edit was validated for the first time here.
    KeepGood(Vec<u8>),
    /// Delete the last good copy: the document was deleted, and shall not come back when its name is used again.
    ForgetGood,
    /// Read the last good copy and hand it to [`Shelf::settle_good`] with this.
    LoadGood(Rejected),
}

/// Bytes that did not validate.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    digest: [u8; 32],
    faults: Vec<Fault>,
}

/// Documents of one kind, by name.
#[derive(Debug)]
pub struct Shelf<T> {
    entries: HashMap<String, Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    state: State<T>,
    /// The digest of the bytes that were read last: the same bytes are not parsed again.
    digest: Option<[u8; 32]>,
    /// 0 where what KV holds could not be told.
    checked_at: u64,
    /// It was changed since, so it is looked at again whenever that was.
    is_expired: bool,
    refreshing_since: Option<u64>,
    used_at: u64,
    /// What nobody has been told yet.
    unlogged: Option<String>,
}

/// Names that an isolate holds at the most: beyond, the quarter that was not used for longest goes. Bounds the memory that a
/// namespace of many routers, or a caller who invents names, can take.
pub const MOST_ENTRIES: usize = 1024;

/// A refresh whose call was ended by the runtime never reports; after this another one may start.
const REFRESH_PATIENCE_MS: u64 = 30_000;

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf { entries: HashMap::new() }
    }
}

impl<T: Document> Shelf<T> {
    /// What is known under `name`, at `now`, when what was checked less than `ttl` ago counts as fresh (milliseconds).
    pub fn look(&mut self, name: &str, now: u64, ttl: u64) -> Look<T> {
        let Some(entry) = self.entries.get_mut(name) else { return Look::Miss };
        entry.used_at = now;
        let age = now.saturating_sub(entry.checked_at);
        let stale = entry.is_expired || age >= ttl;
        // A call waits for no refresh of what it has; an absence and a fault are nothing to have.
        let has_something = matches!(entry.state, State::Present(_));
        if stale && (!has_something || T::MOST_STALE.is_some_and(|most| entry.is_expired || age >= most)) {
            return Look::Miss;
        }
        let idle =
            entry.refreshing_since.is_none_or(|since| now.saturating_sub(since) >= REFRESH_PATIENCE_MS);
        let refresh = stale && idle;
        if refresh {
            entry.refreshing_since = Some(now);
        }
        Look::Hit { state: entry.state.clone(), refresh }
    }

    /// What is known under `name`, without asking whether it is fresh; `None` where a reading brought nothing.
    pub fn known(&self, name: &str) -> Option<State<T>> {
        self.entries.get(name).map(|entry| entry.state.clone())
    }

    /// How long ago, in milliseconds, what is known under `name` was checked against KV; `None` where nothing is.
    pub fn age(&self, name: &str, now: u64) -> Option<u64> {
        let entry = self.entries.get(name).filter(|entry| entry.checked_at > 0)?;
        Some(now.saturating_sub(entry.checked_at))
    }

    /// Has the next call look at KV again: what is known under `name` has just been changed.
    pub fn expire(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.is_expired = true;
            entry.refreshing_since = None;
        }
    }

    /// The same for all names.
    pub fn expire_all(&mut self) {
        for entry in self.entries.values_mut() {
            entry.is_expired = true;
            entry.refreshing_since = None;
        }
    }

    /// What is wrong or odd with the document that was read last, in one line; said once.
    pub fn take_log(&mut self, name: &str) -> Option<String> {
        self.entries.get_mut(name)?.unlogged.take()
    }

    /// Takes in a reading.
    pub fn settle(&mut self, name: &str, now: u64, reading: Reading) -> Next {
        let (bytes, revision) = match reading {
            Reading::Value { bytes, revision } => (bytes, revision),
            Reading::Absent => {
                let was_there = matches!(self.known(name), Some(State::Present(_)));
                self.put(name, now, State::Absent, None);
                return if was_there && T::KEEPS_GOOD { Next::ForgetGood } else { Next::Done };
            }
            Reading::Unavailable => {
                // What is held goes on serving and is tried again after its TTL; a failure is never held as an absence.
                self.checked(name, now);
                return Next::Done;
            }
        };
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        // Where nothing valid is held, a last good copy may have come since these bytes were read first.
        let is_known = |entry: &&mut Entry<T>| {
            entry.digest == Some(digest) && !(T::KEEPS_GOOD && matches!(entry.state, State::Invalid(_)))
        };
        if let Some(entry) = self.entries.get_mut(name).filter(is_known) {
            // Control may have numbered what was a hand edit.
            if let (State::Present(stored), Some(revision)) = (&mut entry.state, revision)
                && stored.fault.is_none()
                && *stored.revision != *revision
            {
                stored.revision = revision.into();
            }
            self.checked(name, now);
            return Next::Done;
        }
        match parse::<T>(name, &bytes) {
            Ok(value) => {
                let hand_edited = revision.is_none();
                let revision = revision.unwrap_or_else(|| hand_revision(&digest)).into();
                let odd =
                    (!value.warnings().is_empty()).then(|| format!("odd: {}", summary(value.warnings())));
                let stored = Stored { value: Rc::new(value), revision, fault: None };
                self.put(name, now, State::Present(stored), Some(digest));
                self.log(name, odd);
                if hand_edited && T::KEEPS_GOOD { Next::KeepGood(bytes) } else { Next::Done }
            }
            Err(faults) => self.reject(name, now, Rejected { digest, faults }),
        }
    }

    fn reject(&mut self, name: &str, now: u64, rejected: Rejected) -> Next {
        let state = match self.known(name) {
            _ if !T::KEEPS_GOOD => State::Invalid(rejected.faults.clone().into()),
            Some(State::Present(good)) => {
                State::Present(Stored { fault: Some(summary(&rejected.faults).into()), ..good })
            }
            _ => return Next::LoadGood(rejected),
        };
        self.put(name, now, state, Some(rejected.digest));
        self.log(name, Some(not_valid(&rejected.faults)));
        Next::Done
    }

    /// Takes in the reading of the last good copy, after bytes that did not validate.
    pub fn settle_good(&mut self, name: &str, now: u64, rejected: Rejected, good: Reading) {
        let Rejected { digest, faults } = rejected;
        let log = not_valid(&faults);
        let state = match good {
            Reading::Value { bytes, revision } => match parse::<T>(name, &bytes) {
                Ok(value) => {
                    let revision =
                        revision.unwrap_or_else(|| hand_revision(&Sha256::digest(&bytes).into())).into();
                    let fault = Some(summary(&faults).into());
                    State::Present(Stored { value: Rc::new(value), revision, fault })
                }
                Err(_) => State::Invalid(faults.into()),
            },
            Reading::Absent => State::Invalid(faults.into()),
            Reading::Unavailable => {
                // Whether there is a last good one is not known: hold the faults, but look again at the next call.
                self.put(name, 0, State::Invalid(faults.into()), None);
                return;
            }
        };
        self.put(name, now, state, Some(digest));
        self.log(name, Some(log));
    }

    fn log(&mut self, name: &str, what: Option<String>) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.unlogged = what;
        }
    }

    fn put(&mut self, name: &str, now: u64, state: State<T>, digest: Option<[u8; 32]>) {
        if self.entries.len() >= MOST_ENTRIES && !self.entries.contains_key(name) {
            self.evict();
        }
        let used_at = self.entries.get(name).map_or(now, |entry| entry.used_at);
        let (checked_at, refreshing_since, unlogged) = (now, None, None);
        let entry =
            Entry { state, digest, checked_at, is_expired: false, refreshing_since, used_at, unlogged };
        self.entries.insert(name.to_owned(), entry);
    }

    fn checked(&mut self, name: &str, now: u64) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.checked_at = now;
            entry.is_expired = false;
            entry.refreshing_since = None;
        }
    }

    fn evict(&mut self) {
        let mut ages: Vec<u64> = self.entries.values().map(|entry| entry.used_at).collect();
        let (_, &mut oldest_kept, _) = ages.select_nth_unstable(MOST_ENTRIES / 4);
        let mut surplus = MOST_ENTRIES / 4;
        self.entries.retain(|_, entry| {
            let goes = entry.used_at <= oldest_kept && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }
}

fn parse<T: Document>(name: &str, bytes: &[u8]) -> Result<T, Vec<Fault>> {
    if bytes.len() > T::MAX_BYTES {
        let limit = T::MAX_BYTES;
        return Err(vec![Fault::new(
            "",
            format!("the document is larger than {limit} bytes and was not read; make it smaller"),
        )]);
    }
    T::parse(name, bytes)
}

/// The revision of a hand edit: of bytes that control has not numbered.
pub fn hand_revision(digest: &[u8; 32]) -> String {
    let (start, _) = digest.split_at(4);
    format!("h-{}", HEXLOWER.encode(start))
}

fn not_valid(faults: &[Fault]) -> String {
    format!("not valid: {}", faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "))
}

/// The faults in one line, the first few in full.
pub fn summary(faults: &[Fault]) -> String {
    let mut text = faults.iter().take(3).map(Fault::to_string).collect::<Vec<_>>().join("; ");
    if faults.len() > 3 {
        text.push_str(&format!("; and {} more", faults.len() - 3));
    }
    text
}
