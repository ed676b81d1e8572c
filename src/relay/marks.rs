//! The marks by which bytes of a stream are known to matter without parsing them.

use memchr::memmem::{self, Finder};
use serde_json::value::RawValue;

use crate::dialect::Dialect;

/// Whether a chunk of Chat Completions needs no look at all once the first meaningful event was seen: it ends at an event's end (an empty
/// line after LF or CRLF), and has none of
/// - a member `"usage"`, `"error"` or `"finish_reason"` whose value is not null (or is not in this chunk),
/// - `[DONE]`,
/// - `event:`, which may name an event an error.
///
/// **The law.** Where the chunk is pushed to a [`UsageFilter`](super::UsageFilter) that
/// [holds nothing](super::UsageFilter::holds_nothing) and whose [first](super::UsageFilter::first) event of note is
/// [`First::Meaningful`](super::First::Meaningful), handing the chunk to the caller instead gives the same bytes and, at
/// the end, the same [`Observed`](super::Observed).
///
/// Said for a mirror in another language, with the bytes as a Latin-1 string, a chunk may be bypassed where
/// `/\n\r?\n$/` matches and `/"(?:usage|error|finish_reason)"(?![ \t\r\n]*:[ \t\r\n]*null)|\[DONE\]|event:/` does not.
/// (`\n\r\n` at the end counts too: its first line feed ends a line, whatever came before it.)
pub fn may_bypass(chunk: &[u8]) -> bool {
    (chunk.ends_with(b"\n\n") || chunk.ends_with(b"\n\r\n"))
        && !Marks::of(Dialect::OpenAi).matter_in(chunk)
        && memmem::find(chunk, b"[DONE]").is_none()
        && memmem::find(chunk, b"event:").is_none()
}

/// What marks the events of a dialect that matter after the first meaningful one, ready to be searched for: names of
/// members, and types.
#[derive(Debug)]
pub(super) struct Marks(Vec<Finder<'static>>);

impl Marks {
    pub(super) fn of(dialect: Dialect) -> Self {
        let marks = dialect.wire().stream.marks;
        Marks(marks.iter().map(|mark| Finder::new(mark.as_bytes())).collect())
    }

    /// Whether one of them occurs in `json`, and is no member that is null.
    pub(super) fn matter_in(&self, json: &[u8]) -> bool {
        self.0.iter().any(|name| {
            name.find_iter(json).any(|at| {
                let rest = json.get(at + name.needle().len()..).unwrap_or_default();
                !member_value(rest).is_some_and(|value| value.starts_with(b"null"))
            })
        })
    }
}

/// What follows a member's name and its colon.
pub(super) fn member_value(after_name: &[u8]) -> Option<&[u8]> {
    skip_space(after_name).strip_prefix(b":").map(skip_space)
}

/// What `read` makes of the last member of that name of which it makes anything, in JSON that may have lost its beginning.
/// A string that shows the name has it with escapes, and is not mistaken for a member.
pub(crate) fn last_member<'j, T>(
    json: &'j [u8],
    name: &str,
    read: impl Fn(&'j RawValue) -> Option<T>,
) -> Option<T> {
    let quoted = format!("\"{name}\"");
    memmem::rfind_iter(json, &quoted).find_map(|at| {
        let value = member_value(json.get(at + quoted.len()..)?)?;
        let mut values = serde_json::Deserializer::from_slice(value).into_iter::<&RawValue>();
        read(values.next()?.ok()?)
    })
}

/// Without the white space of JSON before it.
pub(super) fn skip_space(json: &[u8]) -> &[u8] {
    let space = json.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    json.get(space..).unwrap_or_default()
}
