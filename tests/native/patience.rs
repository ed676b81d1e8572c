use turnout::exchange::patience::{HEADERS, asked_pause};

/// 2026-11-20 12:00:00 UTC.
const NOW: u64 = 1_795_176_000_000;

/// Checks the pause of an answer with these headers, and that a shell which reads those of [`HEADERS`] sees the same.
fn check(headers: &[(&str, &str)], expected: Option<u64>) {
    let find = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    assert_eq!(asked_pause(find, NOW), expected, "{headers:?}");
    let listed = |name: &str| find(name).filter(|_| HEADERS.contains(&name));
    assert_eq!(asked_pause(listed, NOW), expected, "{headers:?}, those listed");
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    for (value, expected) in [
        ("0", Some(0)),
        ("1", Some(1_000)),
        (" 30 ", Some(30_000)),
        ("0.25", Some(250)),
        ("1.0", Some(1_000)),
        ("86400", Some(86_400_000)),
        ("Fri, 20 Nov 2026 12:00:07 GMT", Some(7_000)),
        ("Fri, 20 Nov 2026 11:59:00 GMT", Some(0)),
        ("Sat, 21 Nov 2026 12:00:00 GMT", Some(86_400_000)),
        ("2026-11-20T12:00:07.5Z", Some(7_500)),
        // Nonsense, and what is longer than a day.
        ("", None),
        ("soon", None),
        ("-1", None),
        ("NaN", None),
        ("inf", None),
        ("1e400", None),
        ("86401", None),
        ("1795176007", None),
        ("2m", None),
        ("Sat, 21 Nov 2026 12:00:01 GMT", None),
        ("Fri, 32 Nov 2026 12:00:07 GMT", None),
        ("Fri, 20 Nov 2026", None),
    ] {
        check(&[("retry-after", value)], expected);
    }
}

#[test]
fn milliseconds_are_the_finer_word() {
    check(&[("retry-after-ms", "1250")], Some(1_250));
    check(&[("retry-after-ms", "0.6")], Some(1));
    check(&[("x-ms-retry-after-ms", "40")], Some(40));
    check(&[("retry-after", "2"), ("retry-after-ms", "1250")], Some(1_250));
    check(&[("retry-after", "2"), ("x-ms-retry-after-ms", "1250")], Some(1_250));
    check(&[("retry-after", "2"), ("retry-after-ms", "soon")], Some(2_000));
    check(&[("retry-after", "2"), ("retry-after-ms", "86400001")], None);
}

#[test]
fn a_limit_counts_where_it_is_used_up() {
    let requests = |remaining, reset| {
        [("x-ratelimit-remaining-requests", remaining), ("x-ratelimit-reset-requests", reset)]
    };
    for (reset, expected) in [
        ("1s", Some(1_000)),
        ("6m0s", Some(360_000)),
        ("17ms", Some(17)),
        ("2m59.56s", Some(179_560)),
        ("7.66s", Some(7_660)),
        ("1h0m30s", Some(3_630_000)),
        ("1.5µs", Some(0)),
        ("500us1ns", Some(1)),
        ("0s", Some(0)),
        // Azure, Cerebras; seconds since 1970.
        ("30", Some(30_000)),
        ("11.38", Some(11_380)),
        ("1795176003", Some(3_000)),
        ("", None),
        ("s", None),
        ("6m0", None),
        ("1d", None),
        ("-1s", None),
        ("1.2.3s", None),
        ("1 s", None),
        ("25h", None),
        ("9999999999999999999999h", None),
        ("✓", None),
    ] {
        check(&requests("0", reset), expected);
        check(&requests("1", reset), None);
        check(&requests("-1", reset), None);
        check(&requests("", reset), None);
        check(&[("x-ratelimit-reset-requests", reset)], None);
    }
    check(&[("x-ratelimit-remaining-requests", "0")], None);
}

#[test]
fn every_providers_limits_are_known() {
    for (remaining, reset, value, expected) in [
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "7.66s", 7_660),
        ("x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day", "33011.382867", 33_011_383),
        ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute", "0.5", 500),
        ("x-ratelimit-remaining", "x-ratelimit-reset", "1795176010000", 10_000),
        ("x-ratelimit-remaining", "x-ratelimit-reset", "1795175000000", 0),
        ("x-ratelimit-remaining", "x-ratelimit-reset", "1795176010", 10_000),
        ("x-ratelimit-remaining", "x-ratelimit-reset", "2", 2_000),
        (
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
            "2026-11-20T12:00:05Z",
            5_000,
        ),
        (
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
            "2026-11-20T13:00:01+01:00",
            1_000,
        ),
        (
            "anthropic-ratelimit-input-tokens-remaining",
            "anthropic-ratelimit-input-tokens-reset",
            "2026-11-20T12:01:00.250Z",
            60_250,
        ),
        (
            "anthropic-ratelimit-output-tokens-remaining",
            "anthropic-ratelimit-output-tokens-reset",
            "2026-11-20T11:59:59Z",
            0,
        ),
    ] {
        check(&[(remaining, "0"), (reset, value)], Some(expected));
        check(&[(remaining, "9"), (reset, value)], None);
    }
}

#[test]
fn the_longest_of_the_limits_that_are_used_up_counts() {
    let limits = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "2s"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "3s"),
        ("x-ratelimit-remaining", "5"),
        ("x-ratelimit-reset", "9"),
    ];
    check(&limits, Some(3_000));
    // One that makes no sense does not hide the others; one beyond a day is the answer, which is then not believed.
    check(&[&limits[..], &[("anthropic-ratelimit-tokens-remaining", "0")]].concat(), Some(3_000));
    let days = [
        ("anthropic-ratelimit-tokens-remaining", "0"),
        ("anthropic-ratelimit-tokens-reset", "2026-11-25T00:00:00Z"),
    ];
    check(&[&limits[..], &days].concat(), None);
    // What it says of retrying goes before them.
    check(&[&limits[..], &[("retry-after", "1")]].concat(), Some(1_000));
    check(&[&limits[..], &[("retry-after", "100000")]].concat(), None);
    check(&[&limits[..], &[("retry-after", "soon")]].concat(), Some(3_000));
}

#[test]
fn nothing_said_is_no_pause() {
    check(&[], None);
    check(&[("x-ratelimit-limit-requests", "0"), ("date", "Fri, 20 Nov 2026 12:00:07 GMT")], None);
}

#[test]
fn names_are_listed_once_and_in_lower_case() {
    for (index, name) in HEADERS.iter().enumerate() {
        assert_eq!(*name, name.to_lowercase());
        assert!(!HEADERS[..index].contains(name), "{name}");
    }
}
