use serde_json::{Value, json};
use turnout::dialect::Dialect;
use turnout::gateway::Gateway;

use super::{check_fault, document_with, downstream, parse, shown, spoken, url};

#[test]
fn what_is_spoken_is_what_the_document_names() {
    for (formats, expected) in [
        (json!(["openai"]), &["openai"][..]),
        (json!(["anthropic"]), &["anthropic"]),
        (json!(["gemini", "openai"]), &["gemini", "openai"]),
        (json!(["openai", "openai"]), &["openai"]),
        (
            json!(["openai", "anthropic", "openai_responses", "gemini"]),
            &["openai", "anthropic", "openai_responses", "gemini"],
        ),
    ] {
        assert_eq!(spoken(&downstream(json!({"api_formats": formats}))), expected, "{formats}");
    }
}

#[test]
fn where_no_formats_are_named_the_url_says_what_is_spoken() {
    let check = |id: &str, base_url: &str, expected: &[&str]| {
        let mine = downstream(json!({"id": id, "base_url": base_url}));
        assert_eq!(spoken(&mine), expected, "{id} {base_url}");
    };
    check("mine", "https://a.example/v1", &["openai"]);
    check("mine", "https://a.example/v1beta", &["openai"]);
    check("mine", "https://a.example/v1/messages", &["anthropic"]);
    check("mine", "https://a.example/v1/responses", &["openai_responses"]);
    check("mine", "https://a.example/v1/models", &["openai"]);
    // A known host.
    check("mine", "https://api.openai.com", &["openai", "openai_responses"]);
    check("mine", "https://api.openai.com/v1/chat/completions", &["openai"]);
    check("anthropic", "https://api.anthropic.com", &["anthropic"]);
    check("mine", "https://api.anthropic.com/v1", &["anthropic"]);
    check("mine", "https://my-resource.openai.azure.com/openai", &["openai", "openai_responses"]);
    check("google", "https://generativelanguage.googleapis.com", &["gemini"]);
    check("google", "https://generativelanguage.googleapis.com/v1beta", &["gemini"]);
    check("google", "https://generativelanguage.googleapis.com/v1beta/openai", &["openai"]);
    check("deepseek", "https://api.deepseek.com/v1", &["openai", "anthropic"]);
    check("deepseek", "https://api.deepseek.com/anthropic", &["anthropic"]);
    // A built-in's name at another host says nothing of what is spoken there.
    check("openai", "http://127.0.0.1:9/v1", &["openai"]);
    check("deepseek", "https://a.example", &["openai"]);
}

#[test]
fn a_caller_is_served_in_its_own_dialect_or_the_nearest() {
    let serves = |formats: Value, caller| {
        downstream(json!({"api_formats": formats})).dialect_for(Dialect::named(caller).unwrap()).as_str()
    };
    for (formats, caller, expected) in [
        (json!(["openai", "anthropic"]), "anthropic", "anthropic"),
        (json!(["openai", "anthropic"]), "openai_responses", "openai"),
        (json!(["openai", "openai_responses"]), "anthropic", "openai_responses"),
        (json!(["anthropic", "gemini"]), "openai", "anthropic"),
        (json!(["gemini"]), "openai", "gemini"),
        (json!(["anthropic"]), "gemini", "anthropic"),
    ] {
        assert_eq!(serves(formats.clone(), caller), expected, "{formats} {caller}");
    }
    let gateway = Gateway::default();
    for (id, caller, expected) in [
        ("openai", Dialect::Responses, Dialect::Responses),
        ("openai", Dialect::Anthropic, Dialect::Responses),
        ("anthropic", Dialect::OpenAi, Dialect::Anthropic),
        ("google", Dialect::OpenAi, Dialect::Gemini),
        ("mistral", Dialect::Gemini, Dialect::OpenAi),
    ] {
        assert_eq!(gateway.downstream(id).unwrap().dialect_for(caller), expected, "{id} {caller:?}");
    }
}

#[test]
fn a_format_may_have_a_url_of_its_own_at_the_same_host() {
    let mine = downstream(json!({
        "base_url": "https://a.example/openai",
        "api_formats": ["openai", "anthropic", "openai_responses", "gemini"],
        "format_urls": {
            "anthropic": "https://a.example/anthropic",
            "openai_responses": "https://A.example:443/other/v1/responses",
            "gemini": "https://a.example/v1"}}));
    assert_eq!(mine.base_url, "https://a.example/openai");
    assert_eq!(url(&mine, Dialect::OpenAi), "https://a.example/openai/v1/chat/completions");
    assert_eq!(url(&mine, Dialect::Anthropic), "https://a.example/anthropic/v1/messages");
    assert_eq!(url(&mine, Dialect::Responses), "https://a.example/other/v1/responses");
    assert_eq!(url(&mine, Dialect::Gemini), "https://a.example/v1/models/m:generateContent");
    // One that is given a URL is spoken, where nothing else is said.
    let mine = downstream(json!({"format_urls": {"anthropic": "https://llm.example.com/anthropic"}}));
    assert_eq!(spoken(&mine), ["openai", "anthropic"]);
    assert_eq!(url(&mine, Dialect::Anthropic), "https://llm.example.com/anthropic/v1/messages");
}

/// Law 8: there is one key, and it was given for one host.
#[test]
fn a_format_has_no_url_at_another_host() {
    for url in [
        "https://other.example/v1",
        "https://llm.example.com:8443/v1",
        "https://llm.example.com.evil.example/v1",
        "http://127.0.0.1/v1",
    ] {
        for api_key in [json!("sk-mine"), json!("${MINE_API_KEY}"), Value::Null] {
            let document = document_with(json!({"api_key": api_key, "format_urls": {"gemini": url}}));
            check_fault(
                &document,
                "downstreams[0].format_urls.gemini: must be at the scheme, host and port of `base_url`",
            );
        }
    }
    check_fault(
        &json!({"downstreams": [{"id": "openai", "base_url": "https://api.openai.com/v1",
            "format_urls": {"anthropic": "https://evil.example"}}]}),
        "downstreams[0].format_urls.anthropic: must be at the scheme, host and port",
    );
}

#[test]
fn what_may_be_meant_otherwise_is_a_warning() {
    for (changes, expected) in [
        (
            json!({"api_formats": ["openai"], "format_urls": {"gemini": "https://llm.example.com"}}),
            "downstreams[0].format_urls.gemini: is not among `api_formats`, and is ignored",
        ),
        (
            json!({"id": "anthropic"}),
            "downstreams[0].api_formats: is missing, so `openai` is spoken; write [\"anthropic\"] if this host speaks as Anthropic does",
        ),
        (
            json!({"id": "google"}),
            "downstreams[0].api_formats: is missing, so `openai` is spoken; write [\"gemini\"] if",
        ),
    ] {
        let document = document_with(changes);
        let (gateway, warnings) = parse(&document).unwrap();
        let id = document["downstreams"][0]["id"].as_str().unwrap();
        assert_eq!(spoken(gateway.downstream(id).unwrap()), ["openai"]);
        let warnings = shown(&warnings);
        assert!(
            warnings.len() == 1 && warnings[0].starts_with(expected),
            "{document}\n  {expected}\n  {warnings:?}"
        );
    }
}
