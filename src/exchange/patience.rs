//! How long to wait before a target is asked again: what it says itself, and what we add.
//!
//! In scope: `Retry-After` in seconds and as a date, `retry-after-ms`, the providers' own reset headers; exponential
//! backoff with full jitter. Out of scope: whether to wait at all ([`super::Exchange`]).

/// The headers that [`asked_pause`] reads, in lower case. The shell reads them of answers that are errors.
pub const HEADERS: &[&str] = &["retry-after", "retry-after-ms"];

/// How many milliseconds the downstream asks to be left alone; `None` where it does not say, or says nonsense. `header`
/// gives the value of a lower-case name; `now` is milliseconds since 1970.
pub fn asked_pause<'h>(header: impl Fn(&str) -> Option<&'h str>, now: u64) -> Option<u64> {
    let _ = (header, now);
    todo!()
}

/// The pause before the `nth` retry (from 0): uniform from 0 to `base_ms × 2^nth`, at most [`LONGEST_BACKOFF_MS`] ("full
/// jitter": AWS Architecture Blog, "Exponential Backoff And Jitter"). `random` is uniform over all `u64`.
pub fn backoff(base_ms: u64, nth: u32, random: u64) -> u64 {
    let factor = 1_u64.checked_shl(nth).unwrap_or(u64::MAX);
    let most = base_ms.saturating_mul(factor).min(LONGEST_BACKOFF_MS);
    // The upper half of the product is uniform over 0..=most, and needs no division.
    ((u128::from(random) * u128::from(most + 1)) >> 64) as u64
}

/// No pause grows beyond this.
pub const LONGEST_BACKOFF_MS: u64 = 10_000;
