//! Ids of calls that Gemini gave none.
//!
//! In a history they count the calls from its beginning, so the same history has the same ids however often it comes. In an
//! answer they hash the answer's own id (else its first bytes, which count the prompt's tokens): no two answers of a
//! conversation share one. Both begin so that they are known again, and are then left out: Vertex AI takes no ids, and
//! Gemini matches a result by name and order where there are none.

use data_encoding::HEXLOWER;

use crate::hash::Framed;

const MADE: &str = "gcall_";

/// The id of the call that comes after `before` others in its history.
pub(super) fn in_history(before: usize) -> String {
    format!("{MADE}h{before}")
}

/// The id of the call that comes after `before` others in the answer that `seed` names.
pub(super) fn in_answer(seed: &[u8], before: usize) -> String {
    let digest = Framed::new("turnout/gemini-call/1").add(seed).finish();
    let eight = digest.get(..8).unwrap_or_default();
    format!("{MADE}{}_{before}", HEXLOWER.encode(eight))
}

/// Whether an id is one of these.
pub(super) fn is_made(id: &str) -> bool {
    id.starts_with(MADE)
}
