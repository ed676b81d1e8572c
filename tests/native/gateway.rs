mod base_url;
mod document;
mod edit;
mod formats;
mod rules;
mod yaml;

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::dialect::Dialect;
use turnout::error::ErrorKind;
use turnout::fault::Fault;
use turnout::gateway::{Credential, Downstream, Gateway, Target};
use turnout::outbound::{Sending, url_for};
use turnout::provider::{AuthStyle, StreamUsage};

fn parse(document: &Value) -> Result<(Gateway, Vec<Fault>), Vec<Fault>> {
    Gateway::parse(document.to_string().as_bytes())
}

fn shown(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(Fault::to_string).collect()
}

/// A document of one downstream, sound but for the members given here (null takes one away).
fn document_with(changes: Value) -> Value {
    let mut downstream =
        json!({"id": "mine", "base_url": "https://llm.example.com/v1", "api_key": "sk-mine"});
    for (name, value) in changes.as_object().unwrap() {
        downstream[name] = value.clone();
    }
    json!({"downstreams": [downstream]})
}

/// The one downstream of a document, which must have no fault and no warning.
fn downstream(changes: Value) -> Downstream {
    let document = document_with(changes);
    let (gateway, warnings) = parse(&document).unwrap_or_else(|faults| panic!("{document}: {faults:?}"));
    assert_eq!(warnings, [], "{document}");
    let id = document["downstreams"][0]["id"].as_str().unwrap();
    gateway.downstream(id).unwrap().clone()
}

/// Where its model `m` is called in a dialect that it speaks.
fn url(downstream: &Downstream, dialect: Dialect) -> String {
    url_for(&Target { downstream, model: "m" }, &Sending::of(dialect), false, &|_| None).unwrap()
}

/// What it speaks, by name.
fn spoken(downstream: &Downstream) -> Vec<&'static str> {
    downstream.spoken.iter().map(|spoken| spoken.dialect.as_str()).collect()
}

/// One fault, and it begins so.
fn check_fault(document: &Value, expected: &str) {
    check_fault_in(&document.to_string(), expected);
}

/// As `check_fault`, of a document as it is typed: a `Value` holds no key twice.
fn check_fault_in(document: &str, expected: &str) {
    let parsed = Gateway::parse(document.as_bytes());
    let faults = shown(&parsed.expect_err(&format!("{document} has no fault")));
    assert!(
        faults.len() == 1 && faults[0].starts_with(expected),
        "{document}\n  expected: {expected}\n  found: {faults:#?}"
    );
}

#[test]
fn a_built_ins_secret_goes_to_its_host_alone() {
    let credential = |id: &str, base_url: &str, api_key: Value| {
        let document = document_with(json!({"id": id, "base_url": base_url, "api_key": api_key}));
        parse(&document).unwrap().0.downstream(id).unwrap().credential.clone()
    };
    let secret = |name: &str| Credential::Secret(name.to_owned());
    let none = Value::Null;
    for base_url in
        ["https://api.openai.com", "https://API.openai.com:443/v1/", "https://api.openai.com/beta"]
    {
        assert_eq!(credential("openai", base_url, none.clone()), secret("OPENAI_API_KEY"), "{base_url}");
    }
    for base_url in [
        "https://api.openai.com:8443/v1",
        "https://api.openai.com.evil.example/v1",
        "https://evil.example/v1",
        "https://eu.api.openai.com/v1",
        "http://localhost/v1",
        "https://api.mistral.ai/v1",
    ] {
        assert_eq!(credential("openai", base_url, none.clone()), Credential::None, "{base_url}");
        assert_eq!(credential("openai", base_url, json!("${OPENAI_API_KEY}")), secret("OPENAI_API_KEY"));
        assert_eq!(credential("openai", base_url, json!("sk-1")), Credential::Literal("sk-1".to_owned()));
    }
    // Another id inherits nothing, at whatever host; and a resource that is named by hand may be anybody's.
    assert_eq!(credential("mine", "https://api.openai.com/v1", none.clone()), Credential::None);
    assert_eq!(credential("azure", "https://any.openai.azure.com/openai/v1", none), Credential::None);
}

#[test]
fn a_model_on_this_machine_needs_no_key_and_no_warning() {
    assert_eq!(
        downstream(json!({"base_url": "http://127.0.0.1:11434", "api_key": null})).credential,
        Credential::None
    );
}

#[test]
fn habits_are_those_of_the_host_then_of_the_built_in_that_is_replaced() {
    let habits = |id: &str, base_url: &str| downstream(json!({"id": id, "base_url": base_url})).habits;
    assert_eq!(habits("mine", "https://a.example").stream_usage, StreamUsage::OnRequest);
    assert_eq!(habits("mine", "https://a.example").auth, AuthStyle::Bearer);
    assert_eq!(habits("mine", "https://api.mistral.ai/v1").stream_usage, StreamUsage::Always);
    assert_eq!(habits("mistral", "http://127.0.0.1:9/v1").stream_usage, StreamUsage::Always);
    assert_eq!(habits("openai", "https://api.mistral.ai/v1").stream_usage, StreamUsage::Always);
    assert_eq!(habits("azure", "http://127.0.0.1:9/v1").auth, AuthStyle::ApiKey);
    assert!(habits("openrouter", "http://127.0.0.1:9/v1").takes_routing);
}

#[test]
fn the_first_slash_divides_provider_and_model() {
    let gateway = Gateway::default();
    for (model, id, name) in [
        ("openai/gpt-5", "openai", "gpt-5"),
        ("openrouter/anthropic/claude-x", "openrouter", "anthropic/claude-x"),
        ("workers-ai/@cf/meta/llama-3.1-8b-instruct", "workers-ai", "@cf/meta/llama-3.1-8b-instruct"),
        ("inworld/openai/gpt-5", "inworld", "openai/gpt-5"),
    ] {
        let target = gateway.target(model).unwrap();
        assert_eq!((target.downstream.id.as_str(), target.model), (id, name));
        assert_eq!(target.to_string(), model);
    }
}

#[test]
fn a_model_without_a_home_is_not_found_and_the_nearest_are_named() {
    let (gateway, _) = parse(&document_with(json!({"id": "openai-eu"}))).unwrap();
    let long = format!("{}/x", "ä".repeat(10_000));
    for (model, expected) in [
        ("opnai/gpt-5", "no provider is called `opnai`; the nearest are openai, "),
        ("openai-uk/gpt-5", "no provider is called `openai-uk`; the nearest are openai-eu, openai, "),
        ("gemini/gemini-3", "no provider is called `gemini`; the nearest are google, "),
        ("OpenAI/gpt-5", "no provider is called `OpenAI`; the nearest are openai, "),
        ("/gpt-5", "no provider is called ``; the nearest are "),
        ("gpt-5", "`gpt-5` names no provider; write provider/model"),
        ("", "`` names no provider; write provider/model"),
        ("openai/", "`openai/` names no model; write provider/model"),
        (&long, "no provider is called `ää"),
    ] {
        let error = gateway.target(model).unwrap_err();
        assert_eq!(error.kind, ErrorKind::ModelNotFound);
        assert_eq!(error.param.as_deref(), Some("model"));
        assert!(error.message.starts_with(expected), "{}", error.message);
        assert!(error.message.len() < 300, "{} bytes", error.message.len());
    }
}

#[test]
fn a_listed_model_is_served_by_the_first_that_lists_it() {
    let (gateway, warnings) = parse(&json!({"downstreams": [
        {"id": "west", "base_url": "https://west.example", "api_key": "k", "output_model_ids": ["gpt-4o", "org/llama"]},
        {"id": "east", "base_url": "https://east.example", "api_key": "k", "output_model_ids": ["qwen", "gpt-4o"]},
    ]}))
    .unwrap();
    assert_eq!(
        shown(&warnings),
        [
            "downstreams: `gpt-4o` is listed by `west` as well, which serves it by that name; here it is `east/gpt-4o`"
        ]
    );
    let served = |model| gateway.by_listed_model(model).map(|target| target.to_string());
    assert_eq!(served("gpt-4o").as_deref(), Some("west/gpt-4o"));
    assert_eq!(served("qwen").as_deref(), Some("east/qwen"));
    assert_eq!(served("org/llama").as_deref(), Some("west/org/llama"));
    assert_eq!(served("gpt-5"), None);
    assert_eq!(
        gateway.target("west/gpt-5").unwrap().to_string(),
        "west/gpt-5",
        "a list does not limit direct calls"
    );
    assert_eq!(
        gateway.models().collect::<Vec<_>>(),
        ["east/qwen", "east/gpt-4o", "west/gpt-4o", "west/org/llama"]
    );
    assert_eq!(Gateway::default().models().count(), 0);
}

/// JSON of the shape of a document, sound and unsound, with a key and a password in every place for one.
fn document(key: String) -> impl Strategy<Value = (String, Value)> {
    let text = prop_oneof![
        Just(json!("openai")),
        Just(json!("mine")),
        Just(json!("")),
        Just(Value::Null),
        Just(json!(7)),
        Just(json!(["openai"])),
        Just(json!(["nope", 1])),
        Just(json!({"openai": "https://a.example"})),
    ];
    let keyed = key.clone();
    let api_key = (0..6_usize).prop_map(move |form| match form {
        0 => json!(keyed),
        1 => json!(format!("{keyed}\n")),
        2 => json!(format!("${{{keyed}}}")),
        3 => json!(format!("${keyed}")),
        4 => json!(format!("${{{keyed}_API_KEY}}")),
        _ => json!([keyed]),
    });
    let keyed = key.clone();
    let base_url = (0..5_usize).prop_map(move |form| match form {
        0 => json!("https://a.example/v1"),
        1 => json!("https://api.openai.com"),
        2 => json!(format!("https://me:{keyed}@a.example")),
        3 => json!(format!("https://a.example?key={keyed}")),
        _ => json!(format!("ftp://a.example/#{keyed}")),
    });
    let other = ["api_formats", "output_model_ids", "format_urls", "name", "weigth", "apiFormats"];
    (text.clone(), api_key, base_url, prop::sample::select(other.to_vec()), text).prop_map(
        move |(id, api_key, base_url, name, value)| {
            let mut downstream = json!({"id": id, "api_key": api_key, "base_url": base_url});
            downstream[name] = value;
            (key.clone(), json!({"downstreams": [downstream]}))
        },
    )
}

/// Law 8, where the text is no JSON: a fault of syntax quotes nothing of what stands next to it.
#[test]
fn no_slip_of_the_hand_shows_a_key() {
    // One slip leaves one half whole at least, so that neither may be seen anywhere.
    let halves = ["sk-firstfirst", "secondsecond"];
    let key = halves.concat();
    let sound = format!(
        r#"{{"downstreams": [{{"id": "mine", "api_key": "{key}", "base_url": "https://me:{key}@a.example/v1"}}]}}"#
    );
    for at in 0..sound.len() {
        let (before, after) = sound.split_at(at);
        let rest = after.get(1..).unwrap_or_default();
        let cut = before.to_owned();
        let without = format!("{before}{rest}");
        let inserted = "\"{}[],:\\ 0n\n\t"
            .chars()
            .flat_map(|slip| [format!("{before}{slip}{after}"), format!("{before}{slip}{rest}")]);
        for document in inserted.chain([cut, without]) {
            let faults = shown(&Gateway::parse(document.as_bytes()).expect_err(&document)).join("; ");
            assert!(!halves.iter().any(|half| faults.contains(half)), "{document}\n{faults}");
        }
    }
}

proptest! {
    /// Law 8: nothing that is shown ever holds a key.
    #[test]
    fn no_key_is_ever_shown(
        (key, document) in "sk-[a-zA-Z0-9]{12,40}".prop_flat_map(document)
    ) {
        let shown = match parse(&document) {
            Ok((gateway, warnings)) => {
                let error = gateway.target("nobody/model").unwrap_err();
                format!("{gateway:?} {gateway:#?} {warnings:?} {:?} {error:?} {}", shown(&warnings), error.message)
            }
            Err(faults) => format!("{faults:?} {:?}", shown(&faults)),
        };
        prop_assert!(!shown.contains(&key), "{shown}");
    }

    #[test]
    fn no_bytes_and_no_model_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), model in "\\PC{0,40}") {
        let _ = Gateway::parse(&bytes);
        let gateway = Gateway::default();
        let _ = gateway.target(&model);
        let _ = gateway.by_listed_model(&model);
    }

    /// A URL that is accepted goes to the host that it names, whatever the text around it.
    #[test]
    fn an_accepted_url_is_sent_to_the_host_that_was_checked(base_url in "https?://[a-z0-9.:@/\\[\\]%_\\\\ -]{1,30}") {
        let document = document_with(json!({"base_url": base_url, "api_formats": ["openai"]}));
        if let Ok((gateway, _)) = parse(&document) {
            let chat_url = url(gateway.downstream("mine").unwrap(), Dialect::OpenAi);
            let authority = base_url.split('/').nth(2).unwrap();
            let sent_to = chat_url.split('/').nth(2).unwrap();
            prop_assert!(authority == sent_to || authority.strip_suffix(":443") == Some(sent_to)
                || authority.strip_suffix(":80") == Some(sent_to)
                || authority.rsplit_once(':').is_some_and(|(host, port)| port.starts_with('0')
                    && sent_to == format!("{host}:{}", port.trim_start_matches('0'))), "{base_url} {chat_url}");
            prop_assert!(!authority.contains(['@', '%', '\\', ' ']));
        }
    }
}
