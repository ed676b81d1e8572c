//! The one way in which Turnout hashes: domain-separated, length-prefixed SHA-256.
//!
//! In scope: the framing and the 53 bits that make a fraction. Out of scope: keyed hashes (unit hashes, request ids),
//! and what is hashed, which each user of this module states beside its domain.

use sha2::{Digest, Sha256};

/// A SHA-256 over fields that cannot run into one another: each is preceded by its length in bytes, as a big-endian
/// `u32`, and the first field names what the hash is for.
///
/// Frozen: assignments, epochs and `user_hash` are made of it.
#[derive(Clone, Debug)]
pub struct Framed(Sha256);

impl Framed {
    /// Begins a hash for one purpose; `domain` ends in its version, as in `turnout/assign/1`.
    pub fn new(domain: &str) -> Self {
        Framed(Sha256::new()).add(domain)
    }

    /// Adds one field. A field is at most `u32::MAX` bytes long: nothing that Turnout reads is nearly as large.
    #[must_use]
    #[expect(
        clippy::should_implement_trait,
        reason = "a field is added to a hash, two hashes are not added up"
    )]
    pub fn add(mut self, field: impl AsRef<[u8]>) -> Self {
        let field = field.as_ref();
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(field);
        self
    }

    /// The digest of all fields.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// Appends a field to bytes that become one field of a hash, with its length before it: fields within it cannot run into one another.
pub(crate) fn push_field(bytes: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field);
}

/// The first eight bytes of a digest, big-endian, less their low eleven bits: an integer below 2^53, which an `f64` and
/// an `i64` both hold exactly.
pub fn top53(digest: &[u8; 32]) -> u64 {
    let [b0, b1, b2, b3, b4, b5, b6, b7, ..] = *digest;
    u64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7]) >> 11
}
