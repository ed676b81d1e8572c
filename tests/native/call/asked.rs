//! What a call asks of failover: `models`, `ignore`, `fallback`. The settings themselves are tried in `failover_settings`.

use turnout::call::Call;
use turnout::dialect::Dialect;
use turnout::endpoint::Ask;
use turnout::exchange::order::{Criterion, Metric, Preference};
use turnout::exchange::plan::Asked;
use turnout::exchange::policy::Tuning;

use super::{TO_M, outbound, parse};

/// The models and ignored that a body asks for, separated by spaces.
fn check(fields: &str, models: &str, ignore: &str) {
    let list = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    let expected = Asked { models: list(models), ignore: list(ignore), ..Asked::default() };
    let body = format!(r#"{{"model":"turnout/r",{fields}}}"#);
    assert_eq!(parse(&body).asked(), &expected, "{body}");
    assert_eq!(outbound(&parse(&body), &TO_M), r#"{"model":"m"}"#, "none of it goes on");
}

#[test]
fn names_are_read_at_the_top_level_and_in_extra_body() {
    check(r#""models":["a/b","listed"],"ignore":["c","d/e"]"#, "a/b listed", "c d/e");
    check(r#""extra_body":{"models":["a\/b"],"ignore":"c"}"#, "a/b", "c");
    check(r#""ignore":"a","extra_body":{"models":["x/y"],"ignore":["b"]}"#, "x/y", "a");
    check(r#""extra_body":{"models":["x/y"]},"models":["a/b"]"#, "a/b", "");
    check(r#""extra_body":{"models":["x/y"]},"models":null"#, "", "");
    check(r#""models":[],"ignore":[],"fallback":{}"#, "", "");
    check(r#""models":null,"ignore":null,"fallback":null"#, "", "");
    let many = format!(r#""models":[{}]"#, vec![r#""a/b""#; 16].join(", "));
    check(&many, &"a/b ".repeat(16), "");
}

#[test]
fn a_fallback_is_read_at_the_top_level_first() {
    let ttft = |body: &str| parse(body).asked().tuning.clone();
    let one = Tuning { ttft_ms: Some(1_000), ..Tuning::default() };
    for body in [
        r#"{"model":"a","fallback":{"ttft_timeout":"1s"}}"#,
        r#"{"model":"a","extra_body":{"fallback":{"ttftTimeout":"1s"}}}"#,
        r#"{"model":"a","extra_body":{"fallback":{"ttft_timeout":"2s","attempts":2}},"fallback":{"ttft_timeout":"1s"}}"#,
        // What it does not know is another router's.
        r#"{"model":"a","fallback":{"ttft_timeout":"1s","strategy":"best"}}"#,
    ] {
        assert_eq!(ttft(body), one, "{body}");
    }
}

#[test]
fn what_is_preferred_is_read_in_both_spellings() {
    let preference =
        |fields: &str| parse(&format!(r#"{{"model":"auto",{fields}}}"#)).asked().preference.clone();
    let by = |metric: Metric, descending: bool| Criterion { metric, descending };
    for sort in [
        r#""sort":["price","throughput","latency"]"#,
        r#""extra_body":{"sort":[{"metric":"SORT_METRIC_PRICE","direction":"SORT_DIRECTION_ASCENDING"},{"metric":"throughput"},
            {"metric":"SORT_METRIC_LATENCY","direction":"SORT_DIRECTION_UNSPECIFIED"}]}"#,
    ] {
        let expected = [by(Metric::Price, false), by(Metric::Throughput, true), by(Metric::Latency, false)];
        assert_eq!(preference(sort).sort, expected, "{sort}");
    }
    assert_eq!(preference(r#""sort":"price""#).sort, [by(Metric::Price, false)]);
    assert_eq!(preference(r#""sort":{"metric":"price","direction":"DESC"}"#).sort, [by(Metric::Price, true)]);
    assert_eq!(preference(r#""sort":["Wit"]"#).sort, [by(Metric::Other("wit".to_owned()), true)]);
    // What else `provider` may hold is another router's.
    assert_eq!(
        preference(r#""provider":{"order":["x","y/a"],"allow_fallbacks":false,"sort":"price"}"#).providers,
        ["x", "y/a"]
    );
    assert_eq!(preference(r#""provider":null,"sort":null"#), Preference::default());
    let openrouters = parse(r#"{"model":"openrouter/auto","provider":7,"sort":{}}"#);
    assert_eq!(openrouters.asked().preference, Preference::default());
}

#[test]
fn what_cannot_be_acted_on_is_refused_with_its_path() {
    let long = format!(r#""models":["a","{}"]"#, "x".repeat(257));
    let many = format!(r#""models":[{}]"#, vec![r#""a/b""#; 17].join(","));
    let endless = format!(r#""models":[{}]"#, vec!["0"; 20_000].join(","));
    let ignores = format!(r#""ignore":[{}]"#, vec![r#""a""#; 65].join(","));
    let large = format!(r#""fallback":{{"x":"{}"}}"#, "x".repeat(4_096));
    let deep = format!(r#""fallback":{{"x":{}{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    for (fields, param, part) in [
        (r#""models":"a/b""#, "models", "`models` must be a list, and is a string."),
        (r#""models":{}"#, "models", "must be a list, and is an object"),
        (r#""models":["a/b",7]"#, "models[1]", "`models[1]` must be a string, and is a number."),
        (
            r#""models":["a/b",""]"#,
            "models[1]",
            "`models[1]` is empty: name a model, or leave the entry out.",
        ),
        (r#""models":[null]"#, "models[0]", "is empty"),
        (r#""models":["a","turnout/x"]"#, "models[1]", "`models[1]` names a router: "),
        (r#""models":["inworld/x"]"#, "models[0]", "names a router"),
        (r#""extra_body":{"models":["a","routers/x"]}"#, "extra_body.models[1]", "names a router"),
        (r#""models":["\ud800"]"#, "models[0]", "surrogate"),
        (&long, "models[1]", "is 257 bytes long; names have at most 256"),
        (&many, "models", "may have at most 16 entries"),
        (&endless, "models", "may have at most 16 entries"),
        (r#""ignore":7"#, "ignore", "`ignore` must be a string or a list, and is a number."),
        (r#""ignore":"""#, "ignore", "is empty"),
        (r#""ignore":["a",[]]"#, "ignore[1]", "must be a string, and is a list"),
        (r#""extra_body":{"ignore":[""]}"#, "extra_body.ignore[0]", "is empty"),
        (&ignores, "ignore", "may have at most 64 entries"),
        (r#""fallback":2"#, "fallback", "`fallback` must be an object, not a number."),
        (r#""fallback":{"ttft_timeout":1}"#, "fallback.ttft_timeout", "write a string such as \"1.5s\"."),
        (r#""fallback":{"atempts":1}"#, "fallback.atempts", "did you mean `attempts`?"),
        (r#""fallback":{"x":1e999}"#, "fallback", "`fallback` cannot be read: number out of range"),
        (r#""fallback":{"x":"\ud800"}"#, "fallback", "cannot be read"),
        (&large, "fallback", "may take at most 4096 bytes"),
        (&deep, "fallback", "cannot be read: recursion limit exceeded"),
        (
            r#""sort":7"#,
            "sort",
            "`sort` must be an array of metrics, such as [\"price\", \"latency\"], not a number.",
        ),
        (r#""sort":[{"metric":7}]"#, "sort[0].metric", "`sort[0].metric` must be a string, not a number."),
        (r#""provider":"openai""#, "provider", "`provider` must be an object, not a string."),
        (r#""extra_body":{"provider":{"order":[""]}}"#, "extra_body.provider.order[0]", "must be a provider"),
    ] {
        let error = Call::parse(
            &Ask::of(Dialect::OpenAi),
            format!(r#"{{"model":"turnout/r",{fields}}}"#).into_bytes(),
        )
        .unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{}", error.message);
        assert!(error.message.contains(part) && error.message.len() < 200, "{}", error.message);
    }
}

#[test]
fn what_the_top_level_hides_is_not_read() {
    check(r#""models":["a/b"],"extra_body":{"models":7}"#, "a/b", "");
    check(r#""fallback":{},"extra_body":{"fallback":7},"ignore":"a""#, "", "a");
}

#[test]
fn models_of_a_call_to_openrouter_are_its_own_to_refuse() {
    for (models, read) in [
        (r#"["openai/gpt-5","anthropic/claude-x"]"#, 2),
        (r#"["turnout/x"]"#, 0),
        (r#"{"any":"thing"}"#, 0),
        (r#"[""]"#, 0),
    ] {
        for body in [
            format!(r#"{{"model":"openrouter/auto","models":{models}}}"#),
            format!(r#"{{"models":{models},"model":"openrouter/auto"}}"#),
        ] {
            let call = parse(&body);
            assert_eq!(call.asked().models.len(), read, "{body}");
            let forwarded = turnout::call::Overrides { forward_routing: true, ..TO_M };
            assert!(outbound(&call, &forwarded).contains(models), "it goes on as it is");
        }
    }
}

#[test]
fn an_outline_says_what_the_call_said() {
    let body = r#"{"model":"turnout/r","stream":true,"store":true,"stream_options":{"include_usage":true},"max_tokens":7,
        "user":"u","messages":[{"role":"user","content":"hello"}],"models":["a/b"]}"#;
    let outline = parse(body).into_outline();
    assert!(outline.stream() && outline.store() && outline.asks_usage());
    assert_eq!((outline.model(), outline.user(), outline.max_tokens()), ("turnout/r", Some("u"), Some(7)));
    assert_eq!(outline.asked().models, ["a/b"]);
    let whole = turnout::call::apply(body.as_bytes(), &outline.splices(&TO_M));
    assert_eq!(String::from_utf8(whole).unwrap(), outbound(&parse(body), &TO_M));
}
