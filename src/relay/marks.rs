//! The marks by which bytes of a stream are known to matter without parsing them.

use memchr::memmem::{self, Finder};

/// Whether a chunk needs no look at all once the first meaningful event was seen: it ends at an event's end (an empty
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
        && !Marks::new().matter_in(chunk)
        && memmem::find(chunk, b"[DONE]").is_none()
        && memmem::find(chunk, b"event:").is_none()
}

/// The members that matter, ready to be searched for.
#[derive(Debug)]
pub(super) struct Marks([Finder<'static>; 3]);

impl Marks {
    pub(super) fn new() -> Self {
        Marks(["\"usage\"", "\"error\"", "\"finish_reason\""].map(|name| Finder::new(name.as_bytes())))
    }

    /// Whether one of them occurs in `json` with anything but null after it.
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

/// Without the white space of JSON before it.
pub(super) fn skip_space(json: &[u8]) -> &[u8] {
    let space = json.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    json.get(space..).unwrap_or_default()
}
