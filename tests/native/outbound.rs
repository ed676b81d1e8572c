use std::collections::BTreeMap;

use serde_json::json;
use turnout::call::{Call, Splice};
use turnout::dialect::Dialect::{self, Anthropic, Gemini, OpenAi, Responses};
use turnout::endpoint::Operation;
use turnout::error::{Error, ErrorKind};
use turnout::gateway::{Gateway, Target};
use turnout::outbound::{
    Body, CallFacts, Outbound, Sending, forwarded, forwarded_in, headers_for, outbound, overrides_for,
    url_for,
};

const KEY: &str = "sk-secret-0123456789";

fn gateway() -> Gateway {
    let document = json!({"downstreams": [
        {"id": "local", "base_url": "http://127.0.0.1:11434"},
        {"id": "literal", "base_url": "https://llm.example", "api_key": KEY},
        {"id": "polyglot", "base_url": "https://all.example", "api_key": KEY,
            "api_formats": ["openai", "anthropic", "openai_responses", "gemini"]},
    ]});
    Gateway::parse(document.to_string().as_bytes()).unwrap().0
}

fn settings(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let pairs: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| pairs.get(name).cloned()
}

fn headers(id: &str, pairs: &[(&str, &str)]) -> Result<Vec<(&'static str, String)>, Error> {
    headers_for(gateway().downstream(id).unwrap(), &Sending::of(OpenAi), false, false, &settings(pairs))
}

/// Where a call of `provider/model` goes.
fn url(model: &str, sending: &Sending<'_>, stream: bool, pairs: &[(&str, &str)]) -> Result<String, Error> {
    url_for(&gateway().target(model).unwrap(), sending, stream, &settings(pairs))
}

#[test]
fn the_credential_is_in_the_header_that_the_downstream_expects() {
    let gateway = gateway();
    let credential = |id: &str, dialect: Dialect| {
        let all = |name: &str| Some(if name == "GOOGLE_API_KEY" { "  padded\n" } else { KEY }.to_owned());
        let downstream = gateway.downstream(id).unwrap();
        let headers = headers_for(downstream, &Sending::of(dialect), false, false, &all).unwrap();
        let is_credential = |name: &str| name == "authorization" || name.ends_with("api-key");
        let found: Vec<_> = headers.into_iter().filter(|(name, _)| is_credential(name)).collect();
        assert!(found.len() <= 1, "{id}");
        found.into_iter().next().map(|(name, value)| format!("{name}: {value}").replace(KEY, "K"))
    };
    for (id, dialect, expected) in [
        ("openai", OpenAi, Some("authorization: Bearer K")),
        ("openai", Responses, Some("authorization: Bearer K")),
        ("azure", OpenAi, Some("api-key: K")),
        ("azure", Responses, Some("api-key: K")),
        ("inworld", OpenAi, Some("authorization: Basic K")),
        ("inworld", Anthropic, Some("authorization: Basic K")),
        ("anthropic", Anthropic, Some("x-api-key: K")),
        ("google", Gemini, Some("x-goog-api-key: padded")),
        ("deepseek", OpenAi, Some("authorization: Bearer K")),
        ("deepseek", Anthropic, Some("x-api-key: K")),
        ("minimax", Anthropic, Some("x-api-key: K")),
        ("moonshot", Anthropic, Some("authorization: Bearer K")),
        ("openrouter", Anthropic, Some("authorization: Bearer K")),
        ("zai", Anthropic, Some("authorization: Bearer K")),
        ("literal", OpenAi, Some("authorization: Bearer K")),
        ("polyglot", OpenAi, Some("authorization: Bearer K")),
        ("polyglot", Anthropic, Some("x-api-key: K")),
        ("polyglot", Responses, Some("authorization: Bearer K")),
        ("polyglot", Gemini, Some("x-goog-api-key: K")),
        ("local", OpenAi, None),
    ] {
        assert_eq!(credential(id, dialect).as_deref(), expected, "{id} {dialect:?}");
    }
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
    let url = |model: &str, pairs: &[(&str, &str)]| url(model, &Sending::of(OpenAi), false, pairs);
    assert_eq!(url("openai/m", &[]).unwrap(), "https://api.openai.com/v1/chat/completions");
    assert_eq!(url("local/m", &[]).unwrap(), "http://127.0.0.1:11434/v1/chat/completions");
    assert_eq!(
        url("azure/m", &[("AZURE_RESOURCE_NAME", "my-resource")]).unwrap(),
        "https://my-resource.openai.azure.com/openai/v1/chat/completions"
    );
    assert_eq!(
        url("workers-ai/m", &[("CLOUDFLARE_ACCOUNT_ID", "0a1b")]).unwrap(),
        "https://api.cloudflare.com/client/v4/accounts/0a1b/ai/v1/chat/completions"
    );
    for (pairs, expected) in [
        (vec![], "the address of `azure` needs AZURE_RESOURCE_NAME; set AZURE_RESOURCE_NAME"),
        (
            vec![("AZURE_RESOURCE_NAME", "evil.example/")],
            "AZURE_RESOURCE_NAME must be letters, digits and `-` alone",
        ),
    ] {
        let error = url("azure/m", &pairs).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UpstreamCredentials);
        assert!(error.message.starts_with(expected), "{}", error.message);
        assert!(!error.message.contains("evil"));
    }
}

#[test]
fn each_dialect_has_its_endpoint_and_gemini_its_model_in_the_url() {
    let host = "https://all.example";
    for (model, dialect, stream, expected) in [
        ("m", OpenAi, false, "/v1/chat/completions"),
        ("m", OpenAi, true, "/v1/chat/completions"),
        ("m", Anthropic, true, "/v1/messages"),
        ("m", Responses, true, "/v1/responses"),
        ("gemini-3", Gemini, false, "/v1beta/models/gemini-3:generateContent"),
        ("gemini-3", Gemini, true, "/v1beta/models/gemini-3:streamGenerateContent?alt=sse"),
        ("models/gemini-3", Gemini, false, "/v1beta/models/gemini-3:generateContent"),
        ("tunedModels/mine-1", Gemini, false, "/v1beta/tunedModels/mine-1:generateContent"),
        ("org/model_1.5~x", Gemini, false, "/v1beta/models/org%2Fmodel_1.5~x:generateContent"),
        // What a caller names leads nowhere else.
        ("../../files", Gemini, false, "/v1beta/models/..%2F..%2Ffiles:generateContent"),
        ("models/../files", Gemini, false, "/v1beta/models/..%2Ffiles:generateContent"),
        (
            "m:countTokens?key=x#",
            Gemini,
            false,
            "/v1beta/models/m%3AcountTokens%3Fkey%3Dx%23:generateContent",
        ),
        ("{NAME} ä", Gemini, false, "/v1beta/models/%7BNAME%7D%20%C3%A4:generateContent"),
    ] {
        let found = url(&format!("polyglot/{model}"), &Sending::of(dialect), stream, &[]).unwrap();
        assert_eq!(found, format!("{host}{expected}"), "{model} {dialect:?} {stream}");
    }
}

#[test]
fn tokens_are_counted_where_anthropic_is_spoken() {
    let count = |model: &str, dialect| {
        let sending = Sending { operation: Operation::CountTokens, ..Sending::of(dialect) };
        url(model, &sending, false, &[])
    };
    assert_eq!(count("polyglot/m", Anthropic).unwrap(), "https://all.example/v1/messages/count_tokens");
    assert_eq!(
        count("anthropic/m", Anthropic).unwrap(),
        "https://api.anthropic.com/v1/messages/count_tokens"
    );
    for (model, dialect, expected) in [
        (
            "openai/m",
            Responses,
            "`openai` cannot count tokens: only downstreams that speak `anthropic` can; it speaks openai, openai_responses",
        ),
        ("openai/m", Anthropic, "`openai` does not speak `anthropic`; it speaks openai, openai_responses"),
        ("polyglot/m", Gemini, "`polyglot` cannot count tokens"),
    ] {
        let error = count(model, dialect).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UpstreamModel);
        assert!(error.message.starts_with(expected), "{}", error.message);
    }
}

#[test]
fn every_built_in_can_be_addressed_in_all_that_it_speaks() {
    let gateway = Gateway::default();
    let value = |_: &str| Some("value".to_owned());
    for downstream in gateway.downstreams() {
        for dialect in Dialect::ALL {
            let sending = Sending::of(dialect);
            let found = url_for(&Target { downstream, model: "m" }, &sending, true, &value);
            if !downstream.speaks(dialect) {
                assert_eq!(
                    found.unwrap_err().kind,
                    ErrorKind::UpstreamModel,
                    "{} {dialect:?}",
                    downstream.id
                );
                continue;
            }
            let url = found.unwrap();
            let end = match dialect {
                OpenAi => "/chat/completions",
                Anthropic => "/v1/messages",
                Responses => "/v1/responses",
                Gemini => "/v1beta/models/m:streamGenerateContent?alt=sse",
            };
            assert!(url.starts_with("https://") && url.ends_with(end), "{url}");
            assert!(url.parse::<http::Uri>().is_ok() && !url.contains(['{', '}']), "{url}");
            assert!(headers_for(downstream, &sending, true, false, &value).is_ok());
        }
    }
}

/// All that a caller may send, each with its name for a value, or `caller` where it must not go on.
const OF_THE_CALLER: &[(&str, &str)] = &[
    ("authorization", "Bearer caller"),
    ("x-api-key", "caller"),
    ("x-goog-api-key", "caller"),
    ("api-key", "caller"),
    ("cookie", "caller"),
    ("user-agent", "caller"),
    ("openai-organization", "caller"),
    ("openai-project", "caller"),
    ("x-stainless-os", "caller"),
    ("x-goog-api-client", "caller"),
    ("anthropic-dangerous-direct-browser-access", "caller"),
    ("accept-language", "caller"),
    ("accept-encoding", "caller"),
    ("content-type", "caller"),
    ("cf-connecting-ip", "caller"),
    ("x-forwarded-for", "caller"),
    ("x-turnout-user", "caller"),
    ("anthropic-beta", "beta-1,beta-2"),
    ("anthropic-version", "2026-10-21"),
    ("openai-beta", "beta"),
    ("idempotency-key", "once"),
    ("http-referer", "https://app.example"),
    ("x-title", "App"),
];

#[test]
fn of_the_callers_headers_only_a_few_go_on() {
    let gateway = gateway();
    let check = |id: &str, dialect, is_translated, credential: &str, expected: &[(&str, &str)]| {
        for (stream, accept) in [(false, "application/json"), (true, "text/event-stream, application/json")] {
            let sending = Sending { forwarded: OF_THE_CALLER, ..Sending::of(dialect) };
            let key = |_: &str| Some(KEY.to_owned());
            let downstream = gateway.downstream(id).unwrap();
            let sent = headers_for(downstream, &sending, stream, is_translated, &key).unwrap();
            let (name, value) = credential.split_once(": ").unwrap();
            let value = value.replace('K', KEY);
            let mut all = vec![
                ("content-type", "application/json"),
                ("accept", accept),
                ("user-agent", concat!("turnout/", env!("CARGO_PKG_VERSION"))),
                (name, &value),
            ];
            all.extend(expected);
            let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(sent, all, "{id} {dialect:?} {is_translated} {stream}");
        }
    };
    let openai = [("idempotency-key", "once"), ("openai-beta", "beta")];
    check("openai", OpenAi, false, "authorization: Bearer K", &openai);
    check("openai", Responses, false, "authorization: Bearer K", &openai);
    let anthropic = [("anthropic-version", "2026-10-21"), ("anthropic-beta", "beta-1,beta-2")];
    check("anthropic", Anthropic, false, "x-api-key: K", &anthropic);
    check("google", Gemini, false, "x-goog-api-key: K", &[]);
    // OpenRouter shows by them which app calls, in whatever dialect.
    let app = [("http-referer", "https://app.example"), ("x-title", "App")];
    check("openrouter", OpenAi, false, "authorization: Bearer K", &[openai, app].concat());
    check("openrouter", Anthropic, false, "authorization: Bearer K", &[anthropic, app].concat());
    // Of another dialect's headers nothing goes on, and none of a name that two dialects might mean.
    check("openai", OpenAi, true, "authorization: Bearer K", &[]);
    check("openai", Responses, true, "authorization: Bearer K", &[]);
    check("anthropic", Anthropic, true, "x-api-key: K", &[("anthropic-version", "2023-06-01")]);
    check("google", Gemini, true, "x-goog-api-key: K", &[]);
    check("openrouter", OpenAi, true, "authorization: Bearer K", &app);
}

#[test]
fn messages_have_a_version_where_the_caller_names_none() {
    let sending = Sending { forwarded: &[("anthropic-beta", "b")], ..Sending::of(Anthropic) };
    let gateway = gateway();
    let headers =
        headers_for(gateway.downstream("polyglot").unwrap(), &sending, false, false, &|_| None).unwrap();
    let sent: Vec<_> = headers.iter().filter(|(name, _)| name.starts_with("anthropic")).collect();
    assert_eq!(sent, [&("anthropic-beta", "b".to_owned()), &("anthropic-version", "2023-06-01".to_owned())]);
}

#[test]
fn every_header_that_goes_on_is_read_of_a_request() {
    for dialect in Dialect::ALL {
        assert!(forwarded_in(dialect).iter().all(|name| forwarded().contains(name)), "{dialect:?}");
    }
}

#[test]
fn usage_is_asked_for_only_where_it_must_be_and_may_be() {
    let check = |model: &str, facts: CallFacts, usage_as_asked: bool, expected: bool| {
        let gateway = gateway();
        let target = gateway.target(model).unwrap();
        let dialect = target.downstream.dialect_for(OpenAi);
        let sending = Sending { usage_as_asked, ..Sending::of(dialect) };
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
    check("anthropic/m", streams, false, false);
    check("google/m", streams, false, false);
}

#[test]
fn metadata_and_routing_go_on_only_where_they_are_the_targets_own() {
    let overrides = |model: &'static str, store: bool, direct: bool| {
        let gateway = gateway();
        let target = gateway.target(model).unwrap();
        let facts = CallFacts { store, ..CallFacts::default() };
        let made = overrides_for(facts, &target, &Sending { direct, ..Sending::of(OpenAi) });
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

/// A call of Chat Completions as it goes to a target.
fn sent(
    body: &str,
    model: &str,
    sending: &Sending<'_>,
    translated: Option<&[u8]>,
) -> Result<Outbound, Error> {
    let call =
        Call::parse(&turnout::endpoint::Ask::of(turnout::dialect::Dialect::OpenAi), body.as_bytes().to_vec())
            .unwrap();
    let gateway = gateway();
    let target = gateway.target(model).unwrap();
    outbound(&call, &target, sending, translated.map(<[u8]>::to_vec), &|_| Some(KEY.to_owned()))
}

#[test]
fn a_call_of_the_same_dialect_is_spliced_and_another_has_a_body_of_its_own() {
    let body = r#"{"model": "r", "stream": true, "messages": []}"#;
    let same = sent(body, "openai/gpt-5", &Sending::of(OpenAi), None).unwrap();
    assert!(same.asked_usage);
    assert!(matches!(&same.body, Body::Spliced(splices) if splices.len() == 2), "{same:?}");

    let translated = sent(body, "polyglot/m", &Sending::of(Gemini), Some(b"{}")).unwrap();
    assert!(!translated.asked_usage);
    assert_eq!(translated.url, "https://all.example/v1beta/models/m:streamGenerateContent?alt=sse");
    assert_eq!(translated.body, Body::Own(b"{}".to_vec()));
    let to_chat = sent(body, "openai/gpt-5", &Sending::of(OpenAi), Some(b"{}")).unwrap();
    assert!(!to_chat.asked_usage, "the translation asks for what it needs");

    // Counting never streams.
    let count = Sending { operation: Operation::CountTokens, ..Sending::of(Anthropic) };
    let counted = sent(body, "polyglot/m", &count, Some(b"{}")).unwrap();
    assert!(counted.headers.contains(&("accept", "application/json".to_owned())));
    assert_eq!(sent(body, "local/m", &Sending::of(Gemini), None).unwrap_err().kind, ErrorKind::UpstreamModel);
}

#[test]
fn a_credential_is_known_in_whatever_header_it_was_sent() {
    let body = r#"{"model": "r", "messages": []}"#;
    for (model, dialect) in [
        ("openai/m", OpenAi),
        ("azure/m", Responses),
        ("anthropic/m", Anthropic),
        ("google/m", Gemini),
        ("polyglot/m", Gemini),
    ] {
        let settings = |name: &str| Some(if name.ends_with("_NAME") { "mine" } else { KEY }.to_owned());
        let call = Call::parse(
            &turnout::endpoint::Ask::of(turnout::dialect::Dialect::OpenAi),
            body.as_bytes().to_vec(),
        )
        .unwrap();
        let gateway = gateway();
        let target = gateway.target(model).unwrap();
        let sent = outbound(&call, &target, &Sending::of(dialect), Some(Vec::new()), &settings).unwrap();
        assert!(sent.is_revealed_by(b"Incorrect API key provided: sk-secre********6789."), "{model}");
        assert!(!sent.is_revealed_by(b"Incorrect API key provided."), "{model}");
    }
}

#[test]
fn an_outbound_request_shows_no_header_value_and_no_body() {
    let splices = vec![Splice { range: 0..1, with: "prompt".to_owned() }];
    for body in [Body::Spliced(splices), Body::Own(b"prompt".to_vec())] {
        let outbound = Outbound {
            url: "https://llm.example/v1/chat/completions".to_owned(),
            headers: headers("literal", &[]).unwrap(),
            added: Vec::new(),
            body,
            asked_usage: false,
        };
        let shown = format!("{outbound:?} {outbound:#?}");
        assert!(shown.contains("authorization") && !shown.contains(KEY), "{shown}");
        assert!(!shown.contains("prompt") && !shown.contains("112"), "{shown}");
    }
    let gateway = gateway();
    let target = gateway.target("literal/m").unwrap();
    assert!(!format!("{target:?}").contains(KEY));
}
