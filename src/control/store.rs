//! What control remembers, as a typed store: SQLite in the Durable Object, a fake in tests.
//!
//! All of it is synchronous, so what is read and written without an await between is one step that nobody else sees half of.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::{Subject, Who};
use crate::control::subject::Kind;
use crate::error::Error;

/// The SHA-256 of a document's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// 64 hex digits.
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// From 64 hex digits.
    pub fn from_hex(hex: &str) -> Option<Digest> {
        HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok().map(Digest)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// Where a revision came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A change through the API: its bytes have only ever been in KV with our metadata.
    Api,
    /// Found in KV.
    Kv,
}

/// A revision, less its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From 1, strictly increasing for each subject, never used twice.
    pub number: u64,
    /// Of its bytes; `None` where it is a deletion.
    pub digest: Option<Digest>,
    /// How many bytes.
    pub size: u64,
    /// When control made it, in milliseconds since 1970.
    pub time: u64,
    /// Who made it: the key's id and name.
    pub author: (String, String),
    /// A sentence of what changed.
    pub summary: String,
    /// Where it came from.
    pub origin: Origin,
}

/// A revision with its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// All but the document.
    pub entry: Entry,
    /// The document; `None` where this is a deletion.
    pub bytes: Option<Vec<u8>>,
}

impl Entry {
    /// What a client sends back to say which state it has seen, without quotes.
    pub fn etag(&self) -> String {
        let digest = self.digest.map(|digest| digest.hex()).unwrap_or_default();
        format!("{}-{}", self.number, digest.get(..8).unwrap_or("deleted"))
    }
}

/// What is known of a subject beside its revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When the document was made, or made again after a deletion.
    pub created: u64,
    /// When KV last took what control wrote; 0 for never.
    pub written: u64,
    /// What is still to be done in KV.
    pub outbox: Option<Outbox>,
}

/// What is still to be done in KV for a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbox {
    /// What.
    pub task: Task,
    /// How often it failed in a row.
    pub attempts: u32,
    /// When the alarm is to do it, in milliseconds since 1970.
    pub due: u64,
}

/// What is to be done in KV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// KV has not acknowledged the head, or the last good copy where the head does not validate.
    Write,
    /// KV has acknowledged it; look once more, and write the last good copy once more, after the time in which an older write
    /// could still land.
    Verify,
}

/// A new revision and what comes with it, committed as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Whose.
    pub subject: Subject,
    /// The revision; its number is greater than every one before.
    pub revision: Revision,
    /// What is known of the subject from now on.
    pub standing: Standing,
}

/// Everything that control remembers. Every error is [`crate::error::ErrorKind::ControlUnavailable`].
pub trait Store: fmt::Debug {
    /// The newest revision of a subject; `None` where control has never seen it.
    fn newest(&self, subject: &Subject) -> Result<Option<Revision>, Error>;
    /// A revision by its number.
    fn revision(&self, subject: &Subject, number: u64) -> Result<Option<Revision>, Error>;
    /// The newest revision with these bytes, of that origin where one is given.
    fn by_digest(
        &self,
        subject: &Subject,
        digest: &Digest,
        origin: Option<Origin>,
    ) -> Result<Option<Entry>, Error>;
    /// At most `limit` revisions whose numbers are below `before`, newest first.
    fn history(&self, subject: &Subject, before: u64, limit: u32) -> Result<Vec<Entry>, Error>;
    /// The subjects of a kind that are not deleted and whose keys come after `after`, in order of key.
    fn subjects(&self, kind: Kind, after: &str) -> Result<Vec<Subject>, Error>;
    /// What is known beside the revisions.
    fn standing(&self, subject: &Subject) -> Result<Standing, Error>;
    /// Makes a revision the newest, with its standing, in one go.
    fn commit(&mut self, commit: &Commit) -> Result<(), Error>;
    /// Changes what is known beside the revisions.
    fn stand(&mut self, subject: &Subject, standing: &Standing) -> Result<(), Error>;
    /// At most `limit` subjects whose outbox is due at `now`, the longest due first.
    fn due(&self, now: u64, limit: u32) -> Result<Vec<Subject>, Error>;
    /// When the next outbox is due.
    fn next_due(&self) -> Result<Option<u64>, Error>;
}

impl Who {
    /// As a revision's author.
    pub fn author(&self) -> (String, String) {
        (self.id.clone(), self.name.clone())
    }
}
