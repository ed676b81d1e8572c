//! Documents that were typed by hand, in JSON or YAML: read to the end, every fault with its path, none fatal to the next.
//!
//! In scope: what all documents share. Both spellings of a key, keys given twice, typos, wrong types, how many faults are
//! listed. Out of scope: what a field means (`router::document`, `gateway::document`), when a document is read ([`crate::shelf`]).
//! Nothing here quotes a value, for it may be a credential (law 8): messages name types, paths the author's own keys.

mod fields;
mod json;
mod table;
mod tree;
mod yaml;

pub(crate) use fields::{Fields, Found, Reader, snake_case, typo_of};
pub(crate) use json::Json;
pub(crate) use table::{Field, Kind, Object, field, misplaced, object, required};
pub(crate) use tree::{Place, Spelling, Tree, spelled};
pub(crate) use yaml::write as to_yaml;

use crate::fault::Fault;

/// Larger documents are refused unread: the largest that people write by hand is a few KiB, and a thousand routes are 300.
pub const MAX_BYTES: usize = 1 << 20;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// JSON where it begins as an object or a list of JSON does, else YAML: what lies in KV says of itself what it is.
    Either,
}

/// The whole of a JSON document; `write` is what belongs in place of an empty one.
///
/// # Errors
/// The one fault that keeps it from being looked into.
pub(crate) fn read(bytes: &[u8], write: &str) -> Result<Found, Fault> {
    read_as(Format::Json, bytes, write)
}

/// As [`read`], of a document in some format.
pub(crate) fn read_as(format: Format, bytes: &[u8], write: &str) -> Result<Found, Fault> {
    value(format, bytes, write)
        .map(|value| Found { path: String::new(), value })
        .map_err(|message| Fault::new("", message))
}

fn value(format: Format, bytes: &[u8], write: &str) -> Result<Json, String> {
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
    let is_json = match format {
        Format::Json => true,
        Format::Yaml => false,
        Format::Either => text.trim_start().starts_with(['{', '[']),
    };
    if !is_json {
        return yaml::read(text);
    }
    let hint = if format == Format::Json { " (YAML is not read here)" } else { "" };
    // serde_json quotes a value only where its type is not what the reader takes, and `Json` takes every type: what is left
    // are faults of syntax, which are fixed sentences with a line and a column.
    serde_json::from_str(text).map_err(|error| format!("the document is not JSON{hint}: {error}"))
}
