//! How long to wait before a target is asked again: what it says itself, and what we add.
//!
//! In scope: `Retry-After` in seconds and as a date, `retry-after-ms`, the providers' own reset headers; exponential
//! backoff with full jitter. Out of scope: whether to wait at all ([`super::Exchange`]).

use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// The headers that [`asked_pause`] reads, in lower case. The shell reads them of answers that are errors.
pub const HEADERS: &[&str] = &[
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "retry-after",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-requests-day",
    "x-ratelimit-reset-requests-day",
    "x-ratelimit-remaining-tokens-minute",
    "x-ratelimit-reset-tokens-minute",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
];

/// What is left of a limit, and when it is whole again. Read in:
/// - OpenAI, <https://platform.openai.com/docs/guides/rate-limits> ("Rate limits in headers": `1s`, `6m0s`); Groq,
///   <https://console.groq.com/docs/rate-limits> (`2m59.56s`, `7.66s`). Azure has the same names with whole seconds, and -1
///   for what it does not know (<https://learn.microsoft.com/en-us/answers/questions/5625878>).
/// - Cerebras, <https://inference-docs.cerebras.ai/support/rate-limits>: seconds (`33011.38`). SambaNova has the daily one
///   as `4h17m`.
/// - OpenRouter, <https://openrouter.ai/docs/api/reference/limits>: milliseconds since 1970, in the body's
///   `error.metadata.headers` too, where they are not read. Together: seconds to go.
/// - Anthropic, <https://docs.claude.com/en/api/rate-limits>: RFC 3339.
const LIMITS: &[(&str, &str)] = &[
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day"),
    ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
];

/// The longest pause that is believed: a day, which Azure does ask for.
const LONGEST_ASKED_MS: f64 = 86_400_000.0;

/// How many milliseconds the downstream asks to be left alone; `None` where it does not say, or says nonsense. `header`
/// gives the value of a lower-case name; `now` is milliseconds since 1970.
///
/// A word on retrying goes before the state of its limits, and of those that are used up the longest counts. A time that
/// has passed is 0.
pub fn asked_pause<'h>(header: impl Fn(&str) -> Option<&'h str>, now: u64) -> Option<u64> {
    let read = |name: &str| header(name).map(str::trim);
    let milliseconds = |name: &str| read(name).and_then(number);
    // The order of the providers' own SDKs: openai-python's `_parse_retry_after_header`, and Azure's core libraries, which
    // also have the name with `x-ms` (github.com/Azure/azure-sdk-for-rust/pull/1517).
    let said = milliseconds("retry-after-ms")
        .or_else(|| milliseconds("x-ms-retry-after-ms"))
        .or_else(|| retry_after(read("retry-after")?, now));
    let pause = said.or_else(|| {
        let used_up = LIMITS.iter().filter(|(remaining, _)| read(remaining).and_then(number) == Some(0.0));
        used_up.filter_map(|(_, reset)| until(read(reset)?, now)).reduce(f64::max)
    })?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a day")]
    (pause <= LONGEST_ASKED_MS).then_some(pause.round() as u64)
}

/// Milliseconds by `Retry-After`: seconds, which some write with a fraction, or a date
/// (<https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>).
fn retry_after(text: &str, now: u64) -> Option<f64> {
    number(text).map(|seconds| seconds * 1000.0).or_else(|| until_date(text, now))
}

/// Milliseconds until a limit is whole again, in any spelling: a duration, a date, or a number.
fn until(text: &str, now: u64) -> Option<f64> {
    // Numbers are told apart by their size: as seconds to go, the first of these is three years; as milliseconds since
    // 1970, the second is in 1973, and as seconds it is in the year 5138.
    const SECONDS_SINCE_1970: f64 = 1e8;
    const MILLISECONDS_SINCE_1970: f64 = 1e11;
    match number(text) {
        Some(number) if number < SECONDS_SINCE_1970 => Some(number * 1000.0),
        Some(number) if number < MILLISECONDS_SINCE_1970 => Some(after(now, number * 1000.0)),
        Some(number) => Some(after(now, number)),
        None => duration(text).or_else(|| until_date(text, now)),
    }
}

/// Milliseconds until a date, as HTTP has it (`Sun, 06 Nov 1994 08:49:37 GMT`; its two obsolete forms are not read) or as
/// RFC 3339 does.
fn until_date(text: &str, now: u64) -> Option<f64> {
    let date =
        OffsetDateTime::parse(text, &Rfc2822).or_else(|_| OffsetDateTime::parse(text, &Rfc3339)).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "years 0 to 9999 in seconds are below 2^53")]
    Some(after(now, date.unix_timestamp() as f64 * 1000.0 + f64::from(date.millisecond())))
}

/// How far a time (milliseconds since 1970) is ahead; 0 where it has passed.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53 for 285,000 years")]
fn after(now: u64, time: f64) -> f64 {
    (time - now as f64).max(0.0)
}

/// A number that is neither negative nor endless.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

/// Milliseconds of a duration as Go prints it: `1h0m30s`, `2m59.56s`, `17ms`.
fn duration(text: &str) -> Option<f64> {
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let (value, after) = split_where(rest, |c| !c.is_ascii_digit() && c != '.');
        let (unit, after) = split_where(after, |c| c.is_ascii_digit());
        let milliseconds = match unit {
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" => 1000.0,
            "ms" => 1.0,
            "us" | "µs" => 1e-3,
            "ns" => 1e-6,
            _ => return None,
        };
        sum += number(value)? * milliseconds;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

/// Splits before the first character of this sort.
fn split_where(text: &str, sort: impl Fn(char) -> bool) -> (&str, &str) {
    text.find(sort).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
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
