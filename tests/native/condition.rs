//! Conditions: the language as users write it, what is refused and why, what notes say.

mod bounds;
mod properties;

use serde_json::{Map, Value, json};
use turnout::condition::{Expression, Facts, Verdict};
use turnout::hash::{Framed, top53};

/// A call's facts, as plain data.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) metadata: Map<String, Value>,
    pub(crate) user_id: Option<String>,
    pub(crate) messages: Value,
    pub(crate) request: Value,
    pub(crate) headers: Value,
    pub(crate) cf: Value,
    pub(crate) now: i64,
}

impl Call {
    /// The call of `call.json`, which has something of every type.
    pub(crate) fn full() -> Call {
        let call: Value = serde_json::from_str(include_str!("../fixtures/cel/call.json")).unwrap();
        Call {
            metadata: call["metadata"].as_object().unwrap().clone(),
            user_id: call["user_id"].as_str().map(str::to_owned),
            messages: call["messages"].clone(),
            request: call["request"].clone(),
            headers: call["headers"].clone(),
            cf: call["cf"].clone(),
            now: call["now"].as_i64().unwrap(),
        }
    }

    /// A call that says as little as a call can.
    pub(crate) fn bare() -> Call {
        Call {
            metadata: Map::new(),
            user_id: None,
            messages: json!([]),
            request: json!({}),
            headers: json!({}),
            cf: json!({}),
            now: 0,
        }
    }

    pub(crate) fn with(mut self, key: &str, value: Value) -> Call {
        self.metadata.insert(key.to_owned(), value);
        self
    }
}

impl Facts for Call {
    fn metadata(&self) -> &Map<String, Value> {
        &self.metadata
    }
    fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }
    fn messages(&self) -> &Value {
        &self.messages
    }
    fn request(&self) -> &Value {
        &self.request
    }
    fn headers(&self) -> &Value {
        &self.headers
    }
    fn cf(&self) -> &Value {
        &self.cf
    }
    fn now(&self) -> i64 {
        self.now
    }
}

pub(crate) fn compile(source: &str) -> Expression {
    Expression::compile(source).unwrap_or_else(|fault| panic!("{source}: {fault}"))
}

pub(crate) fn fault(source: &str) -> String {
    match Expression::compile(source) {
        Err(fault) => fault,
        Ok(_) => panic!("compiles: {source}"),
    }
}

pub(crate) fn holds(source: &str, call: &Call) -> Verdict {
    compile(source).holds(call)
}

/// What comes of an expression, told as in the tables: false and missing differ in what their negation gives.
fn outcome(source: &str, call: &Call) -> String {
    match (holds(source, call), Expression::compile(&format!("!({source}\n)")).map(|not| not.holds(call))) {
        (Verdict::Errs(note), _) => format!("errs: {note}"),
        (Verdict::Holds, Ok(Verdict::DoesNotHold)) => "true".to_owned(),
        (Verdict::DoesNotHold, Ok(Verdict::Holds)) => "false".to_owned(),
        (Verdict::DoesNotHold, Ok(Verdict::DoesNotHold)) => "missing".to_owned(),
        (verdict, negation) => panic!("{source}: {verdict:?}, but its negation {negation:?}"),
    }
}

fn check_table(table: &str, call: &Call, at_least: usize) {
    let cases: Vec<(&str, &str)> = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once("  ").unwrap_or_else(|| panic!("no two spaces: {line}")))
        .collect();
    let mut wrong = Vec::new();
    for (expected, source) in &cases {
        let outcome = outcome(source.trim(), call);
        let is_right = match expected.strip_prefix("errs: ") {
            Some(note) => outcome.strip_prefix("errs: ").is_some_and(|given| given.contains(note)),
            None => outcome == *expected,
        };
        if !is_right {
            wrong.push(format!("{}: expected {expected}, got {outcome}", source.trim()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= at_least, "only {} cases were read", cases.len());
}

#[test]
fn language_as_users_write_it() {
    check_table(include_str!("../fixtures/cel/language.txt"), &Call::full(), 150);
}

#[test]
fn core_of_the_cel_specification() {
    check_table(include_str!("../fixtures/cel/core.txt"), &Call::bare(), 120);
}

#[test]
fn a_name_that_is_missing_means_does_not_hold_without_a_note() {
    for source in [
        "tier == 'premium'",
        "tier != 'premium'",
        "user.tier == 'premium'",
        "user.id == 'x'",
        "user_id == 'x'",
        "user_hash(user_id) % 2 == 0",
        "bucket('s', user_id) < 50.0",
        "messages.last().content == 'x'",
        "request.model == 'x'",
        "headers['x'] == 'x'",
        "cf.country == 'x'",
        "tier in ['a']",
        "tier.matches('a')",
        "tags.exists(t, t == 'a')",
    ] {
        assert_eq!(holds(source, &Call::bare()), Verdict::DoesNotHold, "{source}");
    }
}

#[test]
fn facts_that_are_no_objects_do_no_harm() {
    let call = Call {
        messages: Value::Null,
        request: Value::Null,
        headers: json!([1]),
        cf: json!("x"),
        ..Call::bare()
    };
    for source in ["messages.size() > 0", "request.model == 'x'", "headers['x'] == 'y'", "cf.country == 'CZ'"]
    {
        assert!(!matches!(holds(source, &call), Verdict::Holds), "{source}");
    }
}

#[test]
fn faults_say_what_is_wrong_and_what_would_be_right() {
    for (source, parts) in [
        ("", vec!["is empty", "tier == \"premium\""]),
        (" \n ", vec!["is empty"]),
        ("1 +", vec!["does not parse at line 1, column"]),
        ("tier == 'a' &&\n  plan == ", vec!["line 2, column"]),
        ("(tier == 'a'", vec!["does not parse"]),
        ("tier = 'a'", vec!["does not parse", "`==`"]),
        ("tier == 'a' and plan == 'b'", vec!["`&&`"]),
        (
            "if user_hash(user_id) % 2 == 0:\nmodel = 'a'\nelse:\nmodel = 'b'",
            vec!["no `if`", "condition ? 'one' : 'other'"],
        ),
        ("'unbalanced", vec!["does not parse"]),
        ("has(tier)", vec!["has(metadata.key)"]),
        ("userhash(user_id) == 1", vec!["no function `userhash`", "user_hash(user_id)"]),
        ("user_id.startswith('a')", vec!["no function `startswith`", "startsWith('prefix')"]),
        ("messages.lst().role == 'user'", vec!["no function `lst`", "last(list)"]),
        ("frobnicate(1)", vec!["no function `frobnicate`", "user_hash", "bucket", "last", "matches"]),
        ("now > timestamp('2026-01-01T00:00:00Z')", vec!["no function `timestamp`", "seconds since 1970"]),
        ("tier.lowerAscii() == 'a'", vec!["(?i)"]),
        ("contains(tier, 'a')", vec!["`contains` is not called like that", "text.contains('part')"]),
        ("user_hash() == 1", vec!["user_hash(user_id)"]),
        ("bucket(user_id) < 5.0", vec!["bucket('salt', user_id)"]),
        ("user_id.user_hash() == 1", vec!["user_hash(user_id)"]),
        ("messages.exists(m)", vec!["list.exists(x, condition)"]),
        ("optional.of(1) == 1", vec!["no function `of`"]),
        ("user == 'user-123'", vec!["use user_id"]),
        ("'user-123' != user", vec!["use user_id"]),
        ("user in ['a', 'b']", vec!["use user_id"]),
        ("user.startsWith('a')", vec!["use user_id"]),
        ("user_hash(user) % 2 == 0", vec!["use user_id"]),
        ("bucket('s', user) < 50.0", vec!["use user_id"]),
        ("'u-' + user == 'u-1'", vec!["use user_id"]),
        ("headers.user-agent == 'curl'", vec!["headers['user-…']"]),
        ("headers['X-Plan'] == 'gold'", vec!["lower-case", "headers['x-plan']"]),
        ("tier.matches(plan)", vec!["string literal"]),
        ("tier.matches('a' + 'b')", vec!["string literal"]),
        ("tier.matches('(')", vec!["`(`", "does not compile"]),
        ("tier.matches('a(?=b)')", vec!["does not compile"]),
        ("b'bytes' == b'bytes'", vec!["bytes"]),
        ("bytes('a') == bytes('a')", vec!["no function `bytes`"]),
        ("user.?tier == 'a'", vec!["does not parse"]),
        ("Thing{a: 1} == 1", vec!["not supported"]),
        ("{tier: 1}['a'] == 1", vec!["keys of a map must be literals"]),
        ("org in [{'a': 1}]", vec!["compare their fields"]),
        ("@fare == 1", vec!["does not parse"]),
        ("while == 1", vec!["does not parse", "while"]),
    ] {
        let fault = fault(source);
        for part in parts {
            assert!(fault.contains(part), "{source}: {part:?} is not in {fault:?}");
        }
    }
}

#[test]
fn notes_never_hold_a_value_of_the_callers() {
    let secret = "s3cr3t-Value";
    let call = Call {
        user_id: Some(secret.to_owned()),
        messages: json!([{"role": secret, "content": secret}]),
        request: json!({"model": secret, "max_tokens": 424_242}),
        headers: json!({"x": secret}),
        cf: json!({"country": secret}),
        ..Call::bare()
            .with("s", json!(secret))
            .with("n", json!(424_242))
            .with("l", json!([secret]))
            .with("o", json!({secret: secret}))
    };
    let operands = [
        "s", "n", "l", "o", "user_id", "messages", "request", "headers", "cf", "now", "metadata", "l[0]",
        "null",
    ];
    let templates = [
        "A + B == 1",
        "A - B == 1",
        "A * B == 1",
        "A / B == 1",
        "A % B == 1",
        "A < B",
        "A in B",
        "A[B] == 1",
        "-A == B",
        "!A",
        "A && B",
        "A ? B : B",
        "int(A) == 1",
        "double(A) == 1.0",
        "bool(A)",
        "uint(A) == 1u",
        "A.x == B",
        "has(A.x)",
        "A.exists(x, x > B)",
        "A.map(x, x + B) == 1",
        "A.size() > B",
        "A.contains(B)",
        "user_hash(A) == 1",
        "bucket(A, B) < 1.0",
        "A.last() == B",
        "A.last().x == B",
        "{'a': A}[B] == 1",
        "A.matches('x')",
        "A == B",
        "A",
    ];
    let mut notes = 0;
    for template in templates {
        for (a, b) in operands.iter().flat_map(|a| operands.iter().map(move |b| (a, b))) {
            let Ok(expression) = Expression::compile(&template.replace('A', a).replace('B', b)) else {
                continue;
            };
            let said = [
                match expression.holds(&call) {
                    Verdict::Errs(note) => note,
                    _ => String::new(),
                },
                expression.string(&call).err().unwrap_or_default(),
            ];
            for note in said {
                notes += usize::from(!note.is_empty());
                assert!(
                    !note.contains(secret) && !note.contains("424242"),
                    "{}: {note}",
                    expression.source()
                );
                assert!(note.len() < 250 && !note.contains('\n'), "{}: {note}", expression.source());
            }
        }
    }
    assert!(notes > 1000, "only {notes} notes were made");
}

#[test]
fn a_string_is_missing_where_it_is_absent_null_or_empty() {
    let call = Call::full();
    for (source, expected) in [
        ("user_id", Ok(Some("user-123"))),
        ("tier", Ok(Some("premium"))),
        ("tier + ':' + plan", Ok(Some("premium:free"))),
        (
            "user_hash(user_id) % 2 == 0 ? 'openai/gpt-5.4' : 'anthropic/claude-sonnet-4-6'",
            Ok(Some("anthropic/claude-sonnet-4-6")),
        ),
        ("cf.country == 'CZ' ? 'a/b' : 'c/d'", Ok(Some("a/b"))),
        ("headers['x-plan']", Ok(Some("gold"))),
        ("string(age)", Ok(Some("42"))),
        ("has(metadata.org) ? string(org.id) : user_id", Ok(Some("7"))),
        ("nothing", Ok(None)),
        ("empty", Ok(None)),
        ("nope", Ok(None)),
        ("metadata.nope", Ok(None)),
        ("headers['nope']", Ok(None)),
        ("age", Err("the expression gives int, not a string")),
        ("tags", Err("the expression gives list, not a string")),
        ("tier == 'premium'", Err("the expression gives bool, not a string")),
        ("tier + age", Err("no such overload: _+_ (string, int)")),
    ] {
        let expected = expected.map(|text: Option<&str>| text.map(str::to_owned)).map_err(str::to_owned);
        assert_eq!(compile(source).string(&call), expected, "{source}");
    }
}

#[test]
fn names_are_those_of_the_top_level() {
    for (source, expected) in [
        ("true", vec![]),
        ("tier == 'a' && user.tier == tier", vec!["tier", "user"]),
        ("messages.exists(m, m.role == role)", vec!["messages", "role"]),
        ("tags.all(messages, messages == 'x')", vec!["tags"]),
        ("tags.exists(t, t == 'a') && t == 'b'", vec!["t", "tags"]),
        ("tags.exists(now, .now > 1)", vec!["now", "tags"]),
        ("has(headers.x) || cf.country == request.model", vec!["cf", "headers", "request"]),
        ("{'a': metadata.x}['a'] == [user_id][0]", vec!["metadata", "user_id"]),
        ("tier.matches('a') && last(tags) == 'a'", vec!["tags", "tier"]),
    ] {
        assert_eq!(compile(source).names().collect::<Vec<_>>(), expected, "{source}");
    }
    assert_eq!(compile(" tier == 'a'").source(), " tier == 'a'");
}

#[test]
fn facts_are_asked_for_only_where_they_are_named() {
    /// Every fact but the metadata must not be asked for.
    struct MetadataAlone(Map<String, Value>);
    impl Facts for MetadataAlone {
        fn metadata(&self) -> &Map<String, Value> {
            &self.0
        }
        fn user_id(&self) -> Option<&str> {
            panic!("user_id")
        }
        fn messages(&self) -> &Value {
            panic!("messages")
        }
        fn request(&self) -> &Value {
            panic!("request")
        }
        fn headers(&self) -> &Value {
            panic!("headers")
        }
        fn cf(&self) -> &Value {
            panic!("cf")
        }
        fn now(&self) -> i64 {
            panic!("now")
        }
    }
    let facts = MetadataAlone(Call::full().metadata);
    for source in
        ["tier == 'premium'", "tier == 'premium' || messages.size() > 1", "metadata.org.plan == 'team'"]
    {
        assert_eq!(compile(source).holds(&facts), Verdict::Holds, "{source}");
    }
}

#[test]
fn hashes_are_those_of_the_golden_vectors() {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/cel/hashes.json")).unwrap();
    let hashes = vectors["user_hash"].as_object().unwrap();
    assert!(hashes.len() >= 15);
    for (unit, hash) in hashes {
        let call = Call::bare().with("unit", json!(unit)).with("hash", hash.clone());
        assert_eq!(holds("user_hash(unit) == hash && hash >= 0", &call), Verdict::Holds, "{unit:?}");
    }
    let buckets = vectors["bucket"].as_array().unwrap();
    assert!(buckets.len() >= 18);
    for case in buckets {
        let mut call = Call::bare();
        call.metadata = case.as_object().unwrap().clone();
        // serde_json reads a fraction to within its last bit.
        let source =
            "bucket(salt, unit) - metadata.bucket < 1e-12 && metadata.bucket - bucket(salt, unit) < 1e-12";
        assert_eq!(holds(source, &call), Verdict::Holds, "{case}");
    }
}

#[test]
fn framing_keeps_fields_apart() {
    let digest = |fields: &[&str]| fields.iter().fold(Framed::new("test/1"), Framed::add).finish();
    assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    assert_ne!(digest(&["a", ""]), digest(&["a"]));
    assert_ne!(Framed::new("test/1").add("a").finish(), Framed::new("test/2").add("a").finish());
    assert_eq!(top53(&[0xff; 32]), (1 << 53) - 1);
    assert_eq!(top53(&[0; 32]), 0);
}

/// Values of a function over many units.
fn sample(function: impl Fn(&str) -> f64) -> Vec<f64> {
    (0..20_000).map(|index| function(&format!("user-{index}"))).collect()
}

fn bucket(salt: &str, unit: &str) -> f64 {
    top53(&Framed::new("turnout/bucket/1").add(salt).add(unit).finish()) as f64 / 2f64.powi(53) * 100.0
}

#[test]
fn bucket_is_uniform_and_independent_between_salts() {
    let (one, other) = (sample(|unit| bucket("one", unit)), sample(|unit| bucket("other", unit)));
    for (values, cells) in [(&one, 20), (&other, 20)] {
        let mut counts = vec![0.0; cells];
        values.iter().for_each(|value| counts[(value / 100.0 * cells as f64) as usize] += 1.0);
        let expected = values.len() as f64 / cells as f64;
        let chi_squared: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        // 19 degrees of freedom: above 43.8 by chance once in a thousand; the sample is fixed.
        assert!(chi_squared < 43.8, "{chi_squared}");
    }
    assert_uncorrelated(&one, &other);
}

#[test]
fn user_hash_is_independent_of_the_assignment() {
    let fraction = |domain: &str, fields: &[&str]| {
        top53(&fields.iter().fold(Framed::new(domain), Framed::add).finish()) as f64 / 2f64.powi(53)
    };
    let hash = sample(|unit| fraction("turnout/user_hash/1", &[unit]));
    let assignment = sample(|unit| fraction("turnout/assign/1", &["router/route", unit, "variant-a"]));
    assert_uncorrelated(&hash, &assignment);
    let parity = sample(|unit| (top53(&Framed::new("turnout/user_hash/1").add(unit).finish()) % 2) as f64);
    assert_uncorrelated(&parity, &assignment);
}

fn assert_uncorrelated(one: &[f64], other: &[f64]) {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let covariance: f64 = one.iter().zip(other).map(|(a, b)| (a - mean_one) * (b - mean_other)).sum();
    let spread =
        |values: &[f64], mean: f64| values.iter().map(|value| (value - mean).powi(2)).sum::<f64>().sqrt();
    let correlation = covariance / (spread(one, mean_one) * spread(other, mean_other));
    // 3.3 standard errors of 1/√n.
    assert!(correlation.abs() < 3.3 / (one.len() as f64).sqrt(), "{correlation}");
}
