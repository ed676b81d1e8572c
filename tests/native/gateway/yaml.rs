//! Documents in YAML: what is read, and what is refused where it stands.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use turnout::document::Format;
use turnout::gateway::Gateway;

use super::shown;

/// A document in YAML means what this one in JSON means: the same downstreams and warnings, or the same faults.
fn check_same(yaml: &str, json: &Value) {
    let summary = |parsed: Result<(Gateway, Vec<turnout::fault::Fault>), Vec<turnout::fault::Fault>>| {
        parsed
            .map(|(gateway, warnings)| {
                let downstreams: Vec<String> = gateway.downstreams().map(|one| format!("{one:?}")).collect();
                (downstreams, format!("{:?}", gateway.rules()), shown(&warnings))
            })
            .map_err(|faults| shown(&faults))
    };
    let expected = summary(Gateway::parse(json.to_string().as_bytes()));
    assert_eq!(summary(Gateway::parse_as(Format::Yaml, yaml.as_bytes())), expected, "{yaml}");
}

fn check_refused(yaml: &str, expected: &str) {
    let faults = shown(&Gateway::parse_as(Format::Yaml, yaml.as_bytes()).unwrap_err());
    assert!(faults.len() == 1 && faults[0].starts_with(expected), "{yaml}\n  {expected}\n  {faults:?}");
}

#[test]
fn yaml_says_what_json_says() {
    let downstream = json!({"id": "mine", "base_url": "https://a.example", "api_key": "sk-1", "output_model_ids": ["4.1", "yes"]});
    let document = json!({"downstreams": [downstream]});
    check_same(
        "downstreams:\n- id: mine\n  base_url: https://a.example\n  api_key: sk-1\n  output_model_ids: ['4.1', yes]\n",
        &document,
    );
    check_same(
        "---\n# a comment\ndownstreams:\n    -\n        id: \"mine\"\n        base_url: 'https://a.example'\n        api_key: >-\n          sk-1\n        output_model_ids:\n        - \"\\x34.1\"\n        - yes # no boolean in YAML 1.2\n...\n",
        &document,
    );
    check_same(&document.to_string(), &document);
    check_same(&serde_json::to_string_pretty(&document).unwrap(), &document);
    check_same("{}", &json!({}));
    check_same("downstreams: ~\nrules: []\n", &json!({"downstreams": null, "rules": []}));
    check_same("rules: null", &json!({"rules": null}));
    // The types of the core schema, each told by the fault that it makes here.
    for (yaml, value) in [
        ("7", json!(7)),
        ("-7", json!(-7)),
        ("+7", json!(7)),
        ("0o17", json!(15)),
        ("0xFf", json!(255)),
        ("1.5", json!(1.5)),
        (".5", json!(0.5)),
        ("1.", json!(1)),
        ("1e3", json!(1000)),
        ("true", json!(true)),
        ("TRUE", json!(true)),
        ("False", json!(false)),
        ("~", json!(null)),
        ("", json!(null)),
        ("Null", json!(null)),
        ("[]", json!([])),
        ("{a: 1}", json!({"a": 1})),
        ("yes", json!("yes")),
        ("off", json!("off")),
        ("1.2.3", json!("1.2.3")),
        ("0o8", json!("0o8")),
        ("1_000", json!("1_000")),
        ("12:30", json!("12:30")),
        ("inf", json!("inf")),
        ("2026-01-01", json!("2026-01-01")),
        ("'7'", json!("7")),
        ("\"true\"", json!("true")),
        ("|\n    a\n", json!("a\n")),
    ] {
        check_same(&format!("downstreams:\n- id: {yaml}\n"), &json!({"downstreams": [{"id": value}]}));
    }
}

#[test]
fn what_makes_a_small_text_large_or_says_other_than_it_seems_is_refused() {
    for (yaml, expected) in [
        ("", "the document is empty"),
        ("# nothing\n", "the document is empty"),
        ("a: &x 1\n", "line 1 column 4 has an anchor"),
        ("a: &x {b: 1}\n", "line 1 column 4 has an anchor"),
        ("a: &x\n- 1\n", "line 1 column 4 has an anchor"),
        ("&x a: 1\n", "line 1 column 1 has an anchor"),
        ("a: 1\nb: *x\n", "the document is not YAML"),
        ("rules: !!seq []\n", "line 1 column 8 has a tag"),
        ("a: !!python/object:os.system x\n", "line 1 column 4 has a tag"),
        ("a: !local x\n", "line 1 column 4 has a tag"),
        ("rules: []\n<<: {downstreams: []}\n", "line 2 column 1 is a merge key"),
        ("rules: []\n---\nrules: []\n", "line 2 column 1 begins a second document"),
        ("rules: []\nrules: []\n", "line 2 column 1 repeats a key"),
        ("downstreams:\n- id: a\n  id: b\n", "line 3 column 3 repeats a key"),
        ("1: a\n", "line 1 column 1 has a key that is no string"),
        ("true: a\n", "line 1 column 1 has a key that is no string"),
        ("~: a\n", "line 1 column 1 has a key that is no string"),
        ("? [a]\n: b\n", "line 1 column 3 has a list or mapping for a key"),
        ("? {a: 1}\n: b\n", "line 1 column 3 has a list or mapping for a key"),
        ("a: .inf\n", "line 1 column 4 is a number that JSON cannot write"),
        ("a: .nan\n", "line 1 column 4 is a number that JSON cannot write"),
        ("a: 1e999\n", "line 1 column 4 is a number that JSON cannot write"),
        ("a: [1\n", "the document is not YAML"),
        ("a: 'b\n", "the document is not YAML"),
        ("a: b: c\n", "the document is not YAML"),
        ("- a\n", "must be an object, not an array"),
        ("just words\n", "must be an object, not a string"),
    ] {
        check_refused(yaml, expected);
    }
    check_refused(&format!("a: {}", "[".repeat(100)), "line 1 column 67 is nested too deeply");
    let deep: String = (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    check_refused(&deep, "line 65 column 65 is nested too deeply");
}

#[test]
fn a_fault_of_syntax_quotes_no_key() {
    for yaml in
        ["api_key: 'sk-secret\n", "api_key: @sk-secret\n", "api_key: `sk-secret`\n", "api_key: [sk-secret\n"]
    {
        let faults = shown(&Gateway::parse_as(Format::Yaml, yaml.as_bytes()).unwrap_err());
        assert!(!faults.join(" ").contains("secret"), "{faults:?}");
    }
}

/// A megabyte of nastiness is refused, or read, in the time that a megabyte of text takes.
#[test]
#[expect(clippy::disallowed_methods, reason = "a native test may look at the clock")]
fn no_text_takes_long() {
    let size = 1 << 20;
    for unit in [
        "[",
        "{",
        "- ",
        "? ",
        "a: ",
        "&a ",
        "*a ",
        "!a ",
        "'",
        "\"",
        "|\n",
        "[a,",
        "{a: ",
        "a\n",
        "- a\n",
        "-\n",
        "%",
        "#",
        "---\n",
        " ",
        "a b ",
        "[]\n",
        ": ",
        ",",
        "\\",
        "\"\\u0041\" ",
    ] {
        let text = unit.repeat(size / unit.len());
        let began = Instant::now();
        let _ = Gateway::parse_as(Format::Yaml, text.as_bytes());
        assert!(began.elapsed() < Duration::from_secs(5), "{unit:?} took {:?}", began.elapsed());
    }
    let keys: String = (0..100_000).map(|n| format!("k{n}: 1\n")).collect();
    let began = Instant::now();
    let _ = Gateway::parse_as(Format::Yaml, keys.as_bytes());
    assert!(began.elapsed() < Duration::from_secs(5), "many keys took {:?}", began.elapsed());
}

/// What lies in KV says of itself what it is.
#[test]
fn a_hand_edit_may_be_yaml() {
    assert!(Gateway::parse(b"rules: []\n").is_ok());
    assert!(Gateway::parse(b"\xEF\xBB\xBFrules: []\n").is_ok());
    assert!(Gateway::parse(b" {\"rules\": []}").is_ok());
}
