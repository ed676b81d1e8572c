//! Ids of calls and names of tools that Anthropic does not take as they are, made so that they can be turned back.
//!
//! Both take letters, digits, `_` and `-` alone. An id is only compared, so a foreign one is wrapped whole. A name is read
//! by the model, so only its odd bytes are spelled out. Both ways lead back without a table, for the stream that brings a
//! name back knows nothing of the request.

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;

/// What precedes an id that is wrapped.
const WRAPPING: &str = "turnout-";

/// The longest name of a tool.
pub(super) const MAX_NAME_BYTES: usize = 128;

/// The bytes of `_x2E_`, by which a name spells out a byte.
const ESCAPE_BYTES: usize = 5;

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// An id as Anthropic takes it.
pub(super) fn id_out(id: &str) -> Cow<'_, str> {
    if !id.is_empty() && id.bytes().all(is_plain) && !id.starts_with(WRAPPING) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("{WRAPPING}{}", BASE64URL_NOPAD.encode(id.as_bytes())))
}

/// The id that [`id_out`] was given.
pub(super) fn id_in(id: &str) -> String {
    id.strip_prefix(WRAPPING)
        .and_then(|wrapped| BASE64URL_NOPAD.decode(wrapped.as_bytes()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| id.to_owned())
}

/// A tool's name as Anthropic takes it, but for its length.
pub(super) fn name_out(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [byte, after @ ..] = rest {
        // A name that looks like an escape would not be turned back to itself.
        if is_plain(*byte) && escaped(rest).is_none() {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("_x{byte:02X}_"));
        }
        rest = after;
    }
    out
}

/// The name that [`name_out`] was given.
pub(super) fn name_in(name: &str) -> String {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [byte, after @ ..] = rest {
        match escaped(rest) {
            Some(byte) if rest.get(ESCAPE_BYTES - 1) == Some(&b'_') => {
                out.push(byte);
                rest = rest.get(ESCAPE_BYTES..).unwrap_or_default();
            }
            _ => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| name.to_owned())
}

/// The byte that `_xHH` at the beginning spells out.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let [b'_', b'x', high, low, ..] = bytes else { return None };
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? * 16 + digit(low)?)
}
