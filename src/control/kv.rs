//! What is read from KV and written there, as values: readings, and the metadata beside a document.

use serde::{Deserialize, Serialize};

use super::store::Entry;
use crate::moment::rfc3339;

/// What a reading of a key brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// There is no such key.
    Absent,
    /// Its value, and what lies beside it.
    Value {
        /// Cut after the longest that a document may be, and one byte.
        bytes: Vec<u8>,
        /// The revision in its metadata; a hand edit has none.
        revision: Option<u64>,
    },
    /// KV could not be read.
    Unavailable,
}

/// A page of a namespace's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Whole keys, each with the revision in its metadata.
    pub keys: Vec<(String, Option<u64>)>,
    /// Where the next page begins; `None` on the last.
    pub cursor: Option<String>,
}

/// What control writes beside a document.
#[derive(Serialize, Deserialize)]
struct Metadata<'m> {
    revision: u64,
    etag: String,
    author: &'m str,
    time: String,
}

/// KV takes 1,024 bytes; the other fields and the names of all have less than 200.
const LONGEST_AUTHOR: usize = 512;

/// The metadata of a revision, as JSON of at most 1,024 bytes.
pub fn metadata(entry: &Entry) -> String {
    let (id, _) = &entry.author;
    let mut author = id.as_str();
    while serde_json::Value::from(author).to_string().len() > LONGEST_AUTHOR {
        let end = author.char_indices().next_back().map_or(0, |(index, _)| index);
        author = author.get(..end).unwrap_or_default();
    }
    let metadata = Metadata { revision: entry.number, etag: entry.etag(), author, time: rfc3339(entry.time) };
    // A number and three strings can always be written.
    serde_json::to_string(&metadata).unwrap_or_default()
}

/// The revision that metadata names; control writes a number, and a person may have written a string.
pub fn revision_of(metadata: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Named {
        revision: serde_json::Value,
    }
    let Named { revision } = serde_json::from_str(metadata).ok()?;
    let number = revision.as_u64().or_else(|| revision.as_str()?.parse().ok())?;
    (number < MOST_REVISIONS).then_some(number)
}

/// A number beyond was typed by hand: counting on from it would come to an end.
const MOST_REVISIONS: u64 = 1 << 40;
