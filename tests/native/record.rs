//! Records: the columns are frozen, Analytics Engine's limits hold for any input, unknown is never 0.

use std::collections::HashSet;

use proptest::prelude::*;
use turnout::dialect::Dialect;
use turnout::record::{
    ATTEMPTS_MAX_BYTES, Attempt, BLOBS, BLOBS_MAX_BYTES, DOUBLES, DataPoint, INDEX_MAX_BYTES, Outcome,
    Record, attempts_text,
};
use turnout::usage::Usage;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn attempt(target: &str, status: Option<u16>, millis: u64, outcome: Outcome) -> Attempt {
    Attempt { target: target.to_owned(), status, millis, outcome }
}

/// A call in which everything is known and every column has a value of its own.
fn full() -> Record {
    Record {
        router: some("checkout"),
        revision: some("7"),
        route: some("paid"),
        variant: some("variant-a"),
        provider: some("anthropic"),
        model: some("claude-opus-4-6"),
        dialect_in: Dialect::OpenAi,
        dialect_out: Some(Dialect::OpenAi),
        outcome: Outcome::InBandError,
        status: Some(200),
        error_kind: some("overloaded_error"),
        country: some("NZ"),
        colo: some("AKL"),
        unit_hash: some("00112233445566778899aabbccddeeff"),
        unit_kind: "user",
        request_id: "req".to_owned(),
        epoch: some("0123456789abcdef"),
        attempts: vec![
            attempt("openai/gpt-5", Some(429), 38, Outcome::UpstreamError),
            attempt("anthropic/claude-opus-4-6", Some(200), 412, Outcome::InBandError),
        ],
        key_id: some("key-1"),
        latency_ms: 1234,
        ttft_ms: Some(321),
        overhead_ms: 3,
        usage: Usage {
            input: Some(11),
            cache_read: Some(22),
            cache_write: Some(33),
            output: Some(44),
            reasoning: Some(5),
        },
        cost_usd: Some(0.0125),
        streamed: true,
    }
}

/// A call of which almost nothing is known.
fn bare() -> Record {
    Record {
        router: None,
        revision: None,
        route: None,
        variant: None,
        provider: None,
        model: None,
        dialect_in: Dialect::OpenAi,
        dialect_out: None,
        outcome: Outcome::ClientCancelled,
        status: None,
        error_kind: None,
        country: None,
        colo: None,
        unit_hash: None,
        unit_kind: "call",
        request_id: String::new(),
        epoch: None,
        attempts: Vec::new(),
        key_id: None,
        latency_ms: 0,
        ttft_ms: None,
        overhead_ms: 0,
        usage: Usage::default(),
        cost_usd: None,
        streamed: false,
    }
}

fn double(point: &DataPoint, name: &str) -> f64 {
    point.doubles[DOUBLES.iter().position(|column| *column == name).expect("a column of that name")]
}

#[test]
fn columns_and_their_places_are_frozen() {
    let point = full().data_point();
    let blobs: Vec<(&str, &str)> = BLOBS.into_iter().zip(point.blobs.iter().map(String::as_str)).collect();
    assert_eq!(
        blobs,
        [
            ("router", "checkout"),
            ("revision", "7"),
            ("route", "paid"),
            ("variant", "variant-a"),
            ("provider", "anthropic"),
            ("model", "claude-opus-4-6"),
            ("dialect_in", "openai"),
            ("dialect_out", "openai"),
            ("outcome", "in_band_error"),
            ("status", "200"),
            ("error_kind", "overloaded_error"),
            ("country", "NZ"),
            ("colo", "AKL"),
            ("unit_hash", "00112233445566778899aabbccddeeff"),
            ("unit_kind", "user"),
            ("request_id", "req"),
            ("epoch", "0123456789abcdef"),
            ("attempts", "openai/gpt-5:429:38ms,anthropic/claude-opus-4-6:200-in_band_error:412ms"),
            ("key_id", "key-1"),
            ("schema_version", "1"),
        ]
    );
    let doubles: Vec<(&str, f64)> = DOUBLES.into_iter().zip(point.doubles).collect();
    assert_eq!(
        doubles,
        [
            ("latency_ms", 1234.0),
            ("ttft_ms", 321.0),
            ("input_tokens", 11.0),
            ("cache_read_tokens", 22.0),
            ("cache_write_tokens", 33.0),
            ("output_tokens", 44.0),
            ("reasoning_tokens", 5.0),
            ("cost_usd", 0.0125),
            ("attempts", 2.0),
            ("overhead_ms", 3.0),
            ("ttft_known", 1.0),
            ("input_known", 1.0),
            ("cache_read_known", 1.0),
            ("cache_write_known", 1.0),
            ("output_known", 1.0),
            ("reasoning_known", 1.0),
            ("cost_known", 1.0),
            ("streamed", 1.0),
            ("is_error", 1.0),
            ("reserved", 0.0),
        ]
    );
}

#[test]
fn unknown_is_0_with_flag_0_and_a_known_zero_is_0_with_flag_1() {
    type Set = fn(&mut Record);
    let cases: [(&str, &str, Set); 7] = [
        ("ttft_ms", "ttft_known", |record| record.ttft_ms = Some(0)),
        ("input_tokens", "input_known", |record| record.usage.input = Some(0)),
        ("cache_read_tokens", "cache_read_known", |record| record.usage.cache_read = Some(0)),
        ("cache_write_tokens", "cache_write_known", |record| record.usage.cache_write = Some(0)),
        ("output_tokens", "output_known", |record| record.usage.output = Some(0)),
        ("reasoning_tokens", "reasoning_known", |record| record.usage.reasoning = Some(0)),
        ("cost_usd", "cost_known", |record| record.cost_usd = Some(0.0)),
    ];
    for (value, known, set_to_zero) in cases {
        let unknown = bare().data_point();
        assert_eq!((double(&unknown, value), double(&unknown, known)), (0.0, 0.0), "{value} unknown");
        let mut record = bare();
        set_to_zero(&mut record);
        let zero = record.data_point();
        assert_eq!((double(&zero, value), double(&zero, known)), (0.0, 1.0), "{value} known");
        let known_columns = DOUBLES.iter().filter(|name| name.ends_with("_known"));
        let others = known_columns.filter(|name| **name != known).map(|name| double(&zero, name));
        assert_eq!(others.sum::<f64>(), 0.0, "{value} makes only itself known");
    }
}

#[test]
fn a_cost_that_is_no_amount_is_unknown() {
    for cost in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.01] {
        let point = Record { cost_usd: Some(cost), ..full() }.data_point();
        assert_eq!((double(&point, "cost_usd"), double(&point, "cost_known")), (0.0, 0.0), "{cost}");
    }
}

#[test]
fn only_what_failed_the_caller_is_an_error() {
    let cases = [
        (Outcome::Ok, "ok", false),
        (Outcome::UpstreamError, "upstream_error", true),
        (Outcome::InBandError, "in_band_error", true),
        (Outcome::Cut, "cut", true),
        (Outcome::ClientCancelled, "client_cancelled", false),
        (Outcome::Unreachable, "unreachable", true),
        (Outcome::Refused, "refused", true),
    ];
    for (outcome, name, is_error) in cases {
        let point = Record { outcome, ..full() }.data_point();
        assert_eq!(outcome.is_error(), is_error, "{name}");
        assert_eq!(double(&point, "is_error"), f64::from(is_error), "{name}");
        assert_eq!(point.blobs[8], name);
    }
}

#[test]
fn the_index_names_the_experiment() {
    let v = |times: usize| "v".repeat(times);
    let route = format!("{}é", v(76));
    let cases = [
        ((Some("r"), Some("a"), Some("b"), Some("openai")), "r/a/b".to_owned()),
        ((None, None, None, Some("openai")), "@direct/openai".to_owned()),
        ((None, None, None, None), "@direct/-".to_owned()),
        ((Some("r"), None, None, None), "r/-/-".to_owned()),
        // 96 bytes are within the limit, 97 are not; the digits are those of `sha256sum`.
        ((Some("r"), Some("a"), Some(&v(92)), None), format!("r/a/{}", v(92))),
        ((Some("r"), Some("a"), Some(&v(93)), None), format!("r/a/{}~3bf0d026fcce8caa", v(75))),
        // A character that would straddle the bound goes whole.
        ((Some("r"), Some("é"), Some(&v(96)), None), format!("r/é/{}~6d0dcc9cfce82fcd", v(74))),
        ((Some("r"), Some(&route), Some(&v(96)), None), format!("r/{}~a1f15e3162397d70", v(76))),
    ];
    for ((router, route, variant, provider), expected) in cases {
        let owned = |part: Option<&str>| part.map(str::to_owned);
        let record = Record {
            router: owned(router),
            route: owned(route),
            variant: owned(variant),
            provider: owned(provider),
            ..bare()
        };
        assert_eq!(record.data_point().index, expected);
    }
}

#[test]
fn long_indexes_that_begin_alike_stay_distinct() {
    let index = |number: u32| {
        let variant = Some(format!("{}{number}", "long-variant-id/".repeat(6)));
        Record { variant, ..full() }.data_point().index
    };
    let indexes: HashSet<String> = (0..10_000).map(index).collect();
    assert_eq!(indexes.len(), 10_000);
    assert_eq!(index(42), index(42));
}

#[test]
fn attempts_read_as_one_line() {
    let cases: [(Vec<Attempt>, &str); 5] = [
        (vec![], ""),
        (vec![attempt("openai/gpt-5", Some(200), 412, Outcome::Ok)], "openai/gpt-5:200:412ms"),
        (
            vec![
                attempt("openai/gpt-5", Some(429), 38, Outcome::UpstreamError),
                attempt("openrouter/meta/llama:free", Some(200), 412, Outcome::Ok),
            ],
            "openai/gpt-5:429:38ms,openrouter/meta/llama:free:200:412ms",
        ),
        (
            vec![
                attempt("a/b", None, 30_000, Outcome::Unreachable),
                attempt("c/d", None, 0, Outcome::Refused),
                attempt("e/f", Some(200), 7, Outcome::Cut),
            ],
            "a/b:unreachable:30000ms,c/d:refused:0ms,e/f:200-cut:7ms",
        ),
        (vec![attempt("a/b", Some(200), 5, Outcome::ClientCancelled)], "a/b:200-client_cancelled:5ms"),
    ];
    for (attempts, expected) in cases {
        assert_eq!(attempts_text(&attempts), expected);
    }
}

#[test]
fn many_attempts_end_in_a_count_of_the_rest() {
    let attempts = vec![attempt("openai/gpt-5", Some(503), 10, Outcome::UpstreamError); 1000];
    let text = attempts_text(&attempts);
    let (items, tail) = text.rsplit_once(",+").expect("a tail");
    assert!(text.len() <= ATTEMPTS_MAX_BYTES && text.len() > ATTEMPTS_MAX_BYTES - 64, "{}", text.len());
    assert!(items.split(',').all(|item| item == "openai/gpt-5:503:10ms"), "{items}");
    assert_eq!(items.split(',').count() + tail.parse::<usize>().unwrap(), 1000);
}

/// Strings of any length around the bounds, whose characters straddle them in every way.
fn long_text() -> impl Strategy<Value = String> {
    ("[a-z]{0,4}", any::<char>(), 0..9000_usize)
        .prop_map(|(head, character, times)| head + &character.to_string().repeat(times))
}

fn any_text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof![long_text(), any::<String>()])
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Ok),
        Just(Outcome::UpstreamError),
        Just(Outcome::Cut),
        Just(Outcome::ClientCancelled)
    ]
}

fn any_attempt() -> impl Strategy<Value = Attempt> {
    (long_text(), any::<Option<u16>>(), any::<u64>(), any_outcome())
        .prop_map(|(target, status, millis, outcome)| Attempt { target, status, millis, outcome })
}

fn any_usage() -> impl Strategy<Value = Usage> {
    any::<[Option<u64>; 5]>().prop_map(|[input, cache_read, cache_write, output, reasoning]| Usage {
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
    })
}

prop_compose! {
    fn any_record()(
        texts in proptest::collection::vec(any_text(), 13),
        attempts in proptest::collection::vec(any_attempt(), 0..40),
        request_id in long_text(),
        outcome in any_outcome(),
        usage in any_usage(),
        cost_usd in any::<Option<f64>>(),
        (latency_ms, ttft_ms, overhead_ms) in any::<(u64, Option<u64>, u64)>(),
    ) -> Record {
        let text = |index: usize| texts[index].clone();
        Record {
            router: text(0), revision: text(1), route: text(2), variant: text(3), provider: text(4), model: text(5),
            error_kind: text(6), country: text(7), colo: text(8), unit_hash: text(9), epoch: text(10), key_id: text(11),
            request_id, attempts, outcome, usage, cost_usd, latency_ms, ttft_ms, overhead_ms,
            ..full()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_point_is_over_a_limit(record in any_record()) {
        let point = record.data_point();
        prop_assert!(point.index.len() <= INDEX_MAX_BYTES, "index of {} bytes", point.index.len());
        let bytes: usize = point.blobs.iter().map(String::len).sum();
        prop_assert!(bytes <= BLOBS_MAX_BYTES, "{bytes} bytes of blobs");
        prop_assert!(point.doubles.iter().all(|double| double.is_finite()), "{:?}", point.doubles);
        prop_assert_eq!(&point, &record.data_point(), "the same record gives the same point");
    }

    #[test]
    fn what_is_cut_is_a_prefix(record in any_record()) {
        let point = record.data_point();
        let model = record.model.clone().unwrap_or_default();
        prop_assert!(model.starts_with(&point.blobs[5]));
        prop_assert!(point.blobs[5].len() == model.len() || point.blobs[5].len() > 512 - 4);
    }

    #[test]
    fn attempts_keep_their_bound_and_count(attempts in proptest::collection::vec(any_attempt(), 0..40)) {
        let text = attempts_text(&attempts);
        prop_assert!(text.len() <= ATTEMPTS_MAX_BYTES);
        prop_assert_eq!(text.is_empty(), attempts.is_empty());
    }
}
