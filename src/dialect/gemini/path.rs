//! Model and method as they stand in URLs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::dialect::wire::Generate;

/// What stays as it is in a segment of a URL's path: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path below the root. A model may bring its collection along, as Google's own names do.
pub(super) fn push(url: &mut String, call: Generate<'_>) {
    let (collection, name) = match call.model.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), name)) => (collection, name),
        _ => ("models", call.model),
    };
    url.push('/');
    url.push_str(collection);
    url.push('/');
    url.extend(utf8_percent_encode(name, SEGMENT));
    url.push_str(match (call.stream, call.events) {
        (true, true) => ":streamGenerateContent?alt=sse",
        // One JSON array, as the caller asked.
        (true, false) => ":streamGenerateContent",
        (false, _) => ":generateContent",
    });
}
