use std::collections::BTreeMap;

use serde_json::json;
use turnout::call::Splice;
use turnout::error::{Error, ErrorKind};
use turnout::gateway::Gateway;
use turnout::outbound::{CallFacts, Outbound, Sending, headers_for, overrides_for, url_for};

const KEY: &str = "sk-secret-0123456789";

fn gateway() -> Gateway {
    let document = json!({"downstreams": [
        {"id": "local", "base_url": "http://127.0.0.1:11434"},
        {"id": "literal", "base_url": "https://llm.example", "api_key": KEY},
    ]});
    Gateway::parse(document.to_string().as_bytes()).unwrap().0
}

fn settings(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let pairs: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| pairs.get(name).cloned()
}

fn headers(id: &str, pairs: &[(&str, &str)]) -> Result<Vec<(&'static str, String)>, Error> {
    headers_for(gateway().downstream(id).unwrap(), false, &[], &settings(pairs))
}

#[test]
fn the_credential_is_in_the_header_that_the_downstream_expects() {
    let all = [
        ("OPENAI_API_KEY", KEY),
        ("AZURE_API_KEY", KEY),
        ("INWORLD_API_KEY", KEY),
        ("GOOGLE_API_KEY", "  padded\n"),
    ];
    let credential = |id: &str| {
        let headers = headers(id, &all).unwrap();
        let found: Vec<_> =
            headers.into_iter().filter(|(name, _)| matches!(*name, "authorization" | "api-key")).collect();
        assert!(found.len() <= 1, "{id}");
        found.into_iter().next()
    };
    assert_eq!(credential("openai"), Some(("authorization", format!("Bearer {KEY}"))));
    assert_eq!(credential("azure"), Some(("api-key", KEY.to_owned())));
    assert_eq!(credential("inworld"), Some(("authorization", format!("Basic {KEY}"))));
    assert_eq!(credential("literal"), Some(("authorization", format!("Bearer {KEY}"))));
    assert_eq!(credential("google"), Some(("authorization", "Bearer padded".to_owned())));
    assert_eq!(credential("local"), None);
}

#[test]
fn a_secret_that_is_missing_or_unusable_is_named_and_never_shown() {
    for (value, expected) in [
        (
            None,
            "`openai` has no credential; set OPENAI_API_KEY: npx wrangler secret put OPENAI_API_KEY (or in .dev.vars for local use)",
        ),
        (Some(" \n"), "`openai` has no credential; set OPENAI_API_KEY"),
        (
            Some("sk-secret\nx-evil: 1"),
            "OPENAI_API_KEY holds characters that no header can carry; set OPENAI_API_KEY",
        ),
    ] {
        let pairs: Vec<(&str, &str)> = value.into_iter().map(|value| ("OPENAI_API_KEY", value)).collect();
        let error = headers("openai", &pairs).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UpstreamCredentials);
        assert!(error.message.starts_with(expected), "{}", error.message);
        assert!(!format!("{error:?}").contains("sk-secret"));
    }
}

#[test]
fn a_variable_of_the_address_is_filled_in_or_named() {
    let gateway = gateway();
    let url = |id: &str, pairs: &[(&str, &str)]| url_for(gateway.downstream(id).unwrap(), &settings(pairs));
    assert_eq!(url("openai", &[]).unwrap(), "https://api.openai.com/v1/chat/completions");
    assert_eq!(url("local", &[]).unwrap(), "http://127.0.0.1:11434/v1/chat/completions");
    assert_eq!(
        url("azure", &[("AZURE_RESOURCE_NAME", "my-resource")]).unwrap(),
        "https://my-resource.openai.azure.com/openai/v1/chat/completions"
    );
    assert_eq!(
        url("workers-ai", &[("CLOUDFLARE_ACCOUNT_ID", "0a1b")]).unwrap(),
        "https://api.cloudflare.com/client/v4/accounts/0a1b/ai/v1/chat/completions"
    );
    for (pairs, expected) in [
        (vec![], "the address of `azure` needs AZURE_RESOURCE_NAME; set AZURE_RESOURCE_NAME"),
        (
            vec![("AZURE_RESOURCE_NAME", "evil.example/")],
            "AZURE_RESOURCE_NAME must be letters, digits and `-` alone",
        ),
    ] {
        let error = url("azure", &pairs).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UpstreamCredentials);
        assert!(error.message.starts_with(expected), "{}", error.message);
        assert!(!error.message.contains("evil"));
    }
}

#[test]
fn every_built_in_can_be_addressed() {
    let gateway = Gateway::default();
    for downstream in gateway.downstreams() {
        let url = url_for(downstream, &|_| Some("value".to_owned())).unwrap();
        assert!(url.starts_with("https://") && url.ends_with("/chat/completions"), "{url}");
        assert!(url.parse::<http::Uri>().is_ok() && !url.contains(['{', '}']), "{url}");
        assert!(headers_for(downstream, true, &[], &|_| Some("value".to_owned())).is_ok());
    }
}

#[test]
fn of_the_callers_headers_only_a_few_go_on() {
    let forwarded = [
        ("authorization", "Bearer caller"),
        ("x-api-key", "caller"),
        ("cookie", "caller"),
        ("user-agent", "caller"),
        ("openai-organization", "caller"),
        ("openai-project", "caller"),
        ("x-stainless-os", "caller"),
        ("accept-language", "caller"),
        ("accept-encoding", "caller"),
        ("content-type", "caller"),
        ("cf-connecting-ip", "caller"),
        ("x-forwarded-for", "caller"),
        ("x-turnout-user", "caller"),
        ("openai-beta", "beta"),
        ("idempotency-key", "once"),
        ("http-referer", "https://app.example"),
        ("x-title", "App"),
    ];
    let sent = |id: &str, stream: bool| {
        let gateway = gateway();
        let key = |_: &str| Some(KEY.to_owned());
        headers_for(gateway.downstream(id).unwrap(), stream, &forwarded, &key).unwrap()
    };
    let ours = |accept: &str| {
        vec![
            ("content-type", "application/json".to_owned()),
            ("accept", accept.to_owned()),
            ("user-agent", concat!("turnout/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("authorization", format!("Bearer {KEY}")),
            ("idempotency-key", "once".to_owned()),
            ("openai-beta", "beta".to_owned()),
        ]
    };
    assert_eq!(sent("openai", false), ours("application/json"));
    assert_eq!(sent("openai", true), ours("text/event-stream, application/json"));
    let mut to_openrouter = ours("application/json");
    to_openrouter.push(("http-referer", "https://app.example".to_owned()));
    to_openrouter.push(("x-title", "App".to_owned()));
    assert_eq!(sent("openrouter", false), to_openrouter);
}

#[test]
fn usage_is_asked_for_only_where_it_must_be_and_may_be() {
    let check = |model: &str, facts: CallFacts, usage_as_asked: bool, expected: bool| {
        let gateway = gateway();
        let target = gateway.target(model).unwrap();
        let sending = Sending { usage_as_asked, ..Sending::default() };
        assert_eq!(
            overrides_for(facts, &target, &sending).ask_usage,
            expected,
            "{model} {facts:?} {usage_as_asked}"
        );
    };
    let streams = CallFacts { stream: true, ..CallFacts::default() };
    check("openai/m", streams, false, true);
    check("local/m", streams, false, true);
    check("openai/m", streams, true, false);
    check("openai/m", CallFacts { asks_usage: true, ..streams }, false, false);
    check("openai/m", CallFacts::default(), false, false);
    check("mistral/m", streams, false, false);
    check("groq/m", streams, false, false);
    check("cohere/m", streams, false, false);
}

#[test]
fn metadata_and_routing_go_on_only_where_they_are_the_targets_own() {
    let overrides = |model: &'static str, store: bool, direct: bool| {
        let gateway = gateway();
        let target = gateway.target(model).unwrap();
        let facts = CallFacts { store, ..CallFacts::default() };
        let made = overrides_for(facts, &target, &Sending { direct, ..Sending::default() });
        (made.model.to_owned(), made.forward_metadata, made.forward_routing)
    };
    for (model, store, direct, expected) in [
        ("openai/gpt-5", true, true, ("gpt-5", true, false)),
        ("openai/gpt-5", false, true, ("gpt-5", false, false)),
        ("azure/gpt-5", true, false, ("gpt-5", true, false)),
        ("anthropic/claude", true, true, ("claude", false, false)),
        ("local/llama", true, true, ("llama", false, false)),
        ("openrouter/a/b", true, true, ("a/b", false, true)),
        ("openrouter/a/b", true, false, ("a/b", false, false)),
    ] {
        let (name, metadata, routing) = overrides(model, store, direct);
        assert_eq!((name.as_str(), metadata, routing), expected, "{model} {store} {direct}");
    }
}

#[test]
fn an_outbound_request_shows_no_header_value() {
    let outbound = Outbound {
        url: "https://llm.example/v1/chat/completions".to_owned(),
        headers: headers("literal", &[]).unwrap(),
        splices: vec![Splice { range: 0..1, with: String::new() }],
        asked_usage: false,
    };
    let shown = format!("{outbound:?} {outbound:#?}");
    assert!(shown.contains("authorization") && !shown.contains(KEY), "{shown}");
    let gateway = gateway();
    let target = gateway.target("literal/m").unwrap();
    assert!(!format!("{target:?}").contains(KEY));
}
