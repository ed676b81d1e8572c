//! Moments as documents write them, RFC 3339, and as everything here counts them: milliseconds since 1970.
//!
//! In scope: reading and writing. Out of scope: what time it is, which is always an argument.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970 of an RFC 3339 time, as `2026-12-01T09:00:00Z`; `None` of any other text, and before 1970.
pub fn parse(text: &str) -> Option<u64> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()
}

/// The moment in RFC 3339, in UTC, with milliseconds only where there are any. What is beyond the year 9999 is its end.
pub fn rfc3339(milliseconds: u64) -> String {
    let moment = i64::try_from(milliseconds / 1000)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let Some(moment) = moment else { return "9999-12-31T23:59:59Z".to_owned() };
    let (year, month, day) = (moment.year(), u8::from(moment.month()), moment.day());
    let (hour, minute, second) = (moment.hour(), moment.minute(), moment.second());
    let fraction = match milliseconds % 1000 {
        0 => String::new(),
        part => format!(".{part:03}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}
