//! Seals as `thoughtSignature`.
//!
//! The field is `bytes`: Google's clients for Python and Go decode it as base64 and encode it anew, in either alphabet. So a
//! foreign seal's wrapping goes into base64 as a whole; Gemini's own passes as it is.

use data_encoding::{BASE64, BASE64_NOPAD};

use crate::dialect::Dialect;
use crate::dialect::conversation::Seal;

/// What Gemini 3 takes in place of a signature that was never its own:
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>.
pub(super) const SKIP: &str = "skip_thought_signature_validator";

/// The seal as a caller who speaks Gemini is given it.
pub(super) fn for_caller(seal: &Seal) -> String {
    let wrapped = seal.wrapped(Dialect::Gemini);
    if wrapped == seal.value { wrapped } else { BASE64.encode(wrapped.as_bytes()) }
}

/// The seal that a caller or Gemini itself sent.
pub(super) fn read(value: &str) -> Seal {
    let plain: String = value
        .chars()
        .filter(|char| *char != '=')
        .map(|char| match char {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let decoded = BASE64_NOPAD.decode(plain.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let unwrapped = decoded.map(|text| (Seal::unwrapped(Dialect::Gemini, &text), text));
    match unwrapped {
        Some((seal, text)) if seal.value != text => seal,
        // It was no wrapping: what came is Gemini's own, as it came.
        _ => Seal { dialect: Dialect::Gemini, is_redacted: false, value: value.to_owned() },
    }
}
