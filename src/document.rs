//! JSON documents that were typed by hand: read to the end, every fault with its path, none fatal to the next.
//!
//! In scope: what all documents share. Both spellings of a key, keys given twice, typos, wrong types, how many faults are
//! listed. Out of scope: what a field means (`router::document`, `gateway::document`), when a document is read ([`crate::shelf`]).
//! Nothing here quotes a value, for it may be a credential (law 8): messages name types, paths the author's own keys.

mod fields;
mod json;
mod table;
mod tree;

pub(crate) use fields::{Fields, Found, Reader, snake_case, typo_of};
pub(crate) use json::Json;
pub(crate) use table::{Field, Kind, Object, field, object, required};
pub(crate) use tree::{Place, Spelling, Tree, spelled};

use crate::fault::Fault;

/// Larger documents are refused unread: the largest that people write by hand is a few KiB, and a thousand routes are 300.
pub const MAX_BYTES: usize = 1 << 20;

/// The whole of a document; `write` is what belongs in place of an empty one.
///
/// # Errors
/// The one fault that keeps it from being looked into.
pub(crate) fn read(bytes: &[u8], write: &str) -> Result<Found, Fault> {
    json(bytes, write)
        .map(|value| Found { path: String::new(), value })
        .map_err(|message| Fault::new("", message))
}

fn json(bytes: &[u8], write: &str) -> Result<Json, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("the document has {} bytes; the limit is {MAX_BYTES} (1 MiB)", bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        format!("the document is not UTF-8 (at byte {}); save it as UTF-8", error.valid_up_to())
    })?;
    // Some editors put a byte order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(format!("the document is empty; write {write}, or delete the key"));
    }
    // serde_json quotes a value only where its type is not what the reader takes, and `Json` takes every type: what is left
    // are faults of syntax, which are fixed sentences with a line and a column.
    serde_json::from_str(text)
        .map_err(|error| format!("the document is not JSON (YAML is not read here): {error}"))
}
