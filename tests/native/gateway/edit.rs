//! Changes through the API: what is saved, what is refused, what is shown, and whose keys go where.

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::document::Format;
use turnout::error::ErrorKind;
use turnout::gateway::Gateway;
use turnout::gateway::edit::{Edit, List, Sent, Shown, edited};

const ADMIN: bool = true;
const GATEWAY_SCOPE: bool = false;

fn json_of(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn sent(body: &[u8]) -> Sent<'_> {
    Sent { format: Format::Json, body }
}

/// What is stored after an edit, or the error.
fn edit(current: &Value, edit: &Edit<'_>, is_admin: bool) -> Result<Value, turnout::error::Error> {
    let current = json_of(current);
    let edited = edited(Some(&current), edit, is_admin)?;
    assert!(Gateway::parse_as(Format::Json, &edited.bytes).is_ok(), "what is saved is what calls take");
    assert!(!edited.summary.contains("sk-"), "{}", edited.summary);
    Ok(serde_json::from_slice(&edited.bytes).unwrap())
}

fn put(current: &Value, document: &Value, is_admin: bool) -> Result<Value, turnout::error::Error> {
    edit(current, &Edit::Put(sent(&json_of(document))), is_admin)
}

/// The faults of an edit that is refused for its document.
fn faults(result: Result<Value, turnout::error::Error>) -> Vec<String> {
    let error = result.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidDocument, "{error:?}");
    error.faults.iter().map(ToString::to_string).collect()
}

/// Two downstreams, one with a literal key, and a rule of each.
fn stored() -> Value {
    json!({
        "downstreams": [
            {"id": "mine", "name": "Mine", "baseUrl": "https://llm.example.com/v1", "apiKey": "sk-stored", "outputModelIds": ["m"]},
            {"id": "other", "base_url": "https://other.example", "api_key": "${OTHER_API_KEY}"},
        ],
        "rules": [
            {"id": "r1", "pattern_path": "*", "pattern_model": "m", "match_downstreams": ["mine"]},
            {"id": "r2", "pattern_path": "*", "match_downstreams": ["other"], "pipeline_config": [{"plugin_id": "break_repeat"}]},
        ],
    })
}

fn shown(document: &Value) -> Value {
    serde_json::from_slice(&Shown::of(&json_of(document)).to_json(Vec::new())).unwrap()
}

#[test]
fn thousands_of_downstreams_are_compared_in_one_go() {
    // Where each is looked for among all others this takes minutes, and control has seconds.
    let many: Vec<Value> = (0..8_000)
        .map(|n| json!({"id": format!("d{n}"), "base_url": "https://a.example/v1", "api_key": "sk-literal"}))
        .collect();
    let current = json_of(&json!({"downstreams": many}));
    let body = json_of(&json!({"downstreams": shown(&json!({"downstreams": many}))["downstreams"]}));
    let edited = edited(Some(&current), &Edit::Put(sent(&body)), GATEWAY_SCOPE).expect("it is sound");
    assert_eq!(edited.summary, "written anew");
    assert!(!String::from_utf8_lossy(&edited.bytes).contains("***"), "every key is kept");
}

#[test]
fn what_is_shown_and_sent_back_changes_nothing() {
    let stored = stored();
    let shown = shown(&stored);
    assert_eq!(shown["downstreams"][0]["apiKey"], "***");
    assert_eq!(shown["downstreams"][1]["api_key"], "${OTHER_API_KEY}", "a reference is no secret");
    assert_eq!(put(&stored, &shown, GATEWAY_SCOPE).unwrap(), stored);
    // With what answers have beside the document, too.
    let mut answered = shown;
    for (field, value) in
        [("etag", json!("e")), ("revision", json!(4)), ("warnings", json!([])), ("updateTime", json!("t"))]
    {
        answered[field] = value;
    }
    assert_eq!(put(&stored, &answered, GATEWAY_SCOPE).unwrap(), stored);
    // In YAML as well.
    let yaml = Shown::of(&json_of(&stored)).to_yaml();
    let back = edited(
        Some(&json_of(&stored)),
        &Edit::Put(Sent { format: Format::Yaml, body: &yaml }),
        GATEWAY_SCOPE,
    );
    assert_eq!(serde_json::from_slice::<Value>(&back.unwrap().bytes).unwrap(), stored);
}

#[test]
fn a_stored_key_stays_only_at_its_host() {
    let stored = stored();
    let with = |changes: Value| {
        let mut item = json!({"id": "mine", "base_url": "https://llm.example.com/v1"});
        for (name, value) in changes.as_object().unwrap() {
            item[name] = value.clone();
        }
        let body = json_of(&item);
        edit(&stored, &Edit::PutItem(List::Downstreams, "mine", sent(&body)), ADMIN)
    };
    for (changes, key) in [
        (json!({"api_key": "***"}), json!("sk-stored")),
        (json!({"apiKey": "***"}), json!("sk-stored")),
        (json!({}), json!("sk-stored")),
        (json!({"base_url": "https://LLM.example.com:443/another/path"}), json!("sk-stored")),
        (json!({"api_key": "sk-new"}), json!("sk-new")),
        (json!({"api_key": "sk-new", "base_url": "https://elsewhere.example"}), json!("sk-new")),
        (json!({"api_key": null}), Value::Null),
        (json!({"api_key": null, "base_url": "https://elsewhere.example"}), Value::Null),
        (json!({"api_key": "${MINE_API_KEY}"}), json!("${MINE_API_KEY}")),
    ] {
        let saved = with(changes.clone()).unwrap_or_else(|error| panic!("{changes}: {error:?}"));
        let item = &saved["downstreams"][0];
        assert_eq!(item.get("api_key").or_else(|| item.get("apiKey")).unwrap(), &key, "{changes}");
    }
    for (changes, expected) in [
        (
            json!({"api_key": "***", "base_url": "https://elsewhere.example"}),
            "api_key: stands for the stored key, which was given for another",
        ),
        (
            json!({"base_url": "https://elsewhere.example"}),
            "api_key: is missing, and the stored key was given for another",
        ),
        (
            json!({"base_url": "https://llm.example.com:8443"}),
            "api_key: is missing, and the stored key was given for another",
        ),
        (
            json!({"base_url": "http://127.0.0.1:1"}),
            "api_key: is missing, and the stored key was given for another",
        ),
        (
            json!({"base_url": "https://elsewhere.example", "api_key": "***", "format_urls": {"openai": "https://llm.example.com/v1"}}),
            "api_key: stands for the stored key",
        ),
    ] {
        let faults = faults(with(changes.clone()));
        assert!(faults[0].starts_with(expected), "{changes}: {faults:?}");
    }
    // Under another id nothing is stored.
    let body = json_of(&json!({"id": "new", "base_url": "https://llm.example.com/v1", "api_key": "***"}));
    let added = faults(edit(&stored, &Edit::Add(List::Downstreams, sent(&body)), ADMIN));
    assert!(
        added[0].starts_with("api_key: stands for a key that is stored, and none is stored here"),
        "{added:?}"
    );
    // A format's own URL cannot lead it away either.
    let led = with(json!({"format_urls": {"gemini": "https://elsewhere.example"}}));
    assert!(faults(led)[0].starts_with("format_urls.gemini: must be at the scheme, host and port"));
}

#[test]
fn only_admin_key_sends_a_secret_to_another_host() {
    let at = |base_url: &str, api_key: &str| json!({"downstreams": [{"id": "x", "base_url": base_url, "api_key": api_key}]});
    let stored = stored();
    for (base_url, api_key) in [
        // A built-in's secret at its own host, the pair that is stored, a key of one's own.
        ("https://api.openai.com/v1", "${OPENAI_API_KEY}"),
        ("https://other.example/v2", "${OTHER_API_KEY}"),
        ("https://evil.example", "sk-mine"),
    ] {
        put(&stored, &at(base_url, api_key), GATEWAY_SCOPE).unwrap();
    }
    for (base_url, api_key) in [
        ("https://evil.example", "${OPENAI_API_KEY}"),
        ("https://evil.example", "${OTHER_API_KEY}"),
        ("https://api.openai.com.evil.example/v1", "${OPENAI_API_KEY}"),
        ("https://api.openai.com:8443/v1", "${OPENAI_API_KEY}"),
        ("https://api.openai.com/v1", "${ANTHROPIC_API_KEY}"),
        ("https://other.example:8443", "${OTHER_API_KEY}"),
        ("http://127.0.0.1:1", "${OTHER_API_KEY}"),
        // Anybody may have a resource of that name.
        ("https://mine.openai.azure.com/openai", "${AZURE_API_KEY}"),
    ] {
        let document = at(base_url, api_key);
        let error = put(&stored, &document, GATEWAY_SCOPE).unwrap_err();
        assert_eq!(error.kind, ErrorKind::MissingScope, "{base_url} {api_key}");
        assert!(
            error.message.contains("only ADMIN_KEY may send a secret to another host"),
            "{}",
            error.message
        );
        put(&stored, &document, ADMIN).unwrap();
        // Nor by going back to a time when it was so.
        let earlier = json_of(&document);
        let back = edit(&stored, &Edit::RollBack(1, &earlier), GATEWAY_SCOPE);
        assert_eq!(back.unwrap_err().kind, ErrorKind::MissingScope, "{base_url} {api_key}");
        edit(&stored, &Edit::RollBack(1, &earlier), ADMIN).unwrap();
    }
    // Where nothing is stored yet, nothing was given.
    let body = json_of(&at("https://other.example", "${OTHER_API_KEY}"));
    assert_eq!(
        edited(None, &Edit::Put(sent(&body)), GATEWAY_SCOPE).unwrap_err().kind,
        ErrorKind::MissingScope
    );
}

/// The stored gateway with a rule that adds headers to the calls of some downstreams.
fn with_headers(headers: &Value, downstreams: &Value) -> Value {
    let mut document = stored();
    document["rules"][0] = json!({
        "id": "r1", "pattern_path": "*", "match_downstreams": downstreams,
        "pipeline_config": [{"plugin_id": "custom_header", "config": {"headers": headers}}],
    });
    document
}

#[test]
fn only_admin_key_tells_a_gateway_whom_to_forward_to() {
    let refused = |current: &Value, document: &Value| {
        let error = put(current, document, GATEWAY_SCOPE).expect_err(&document.to_string());
        assert_eq!(error.kind, ErrorKind::MissingScope, "{error:?}");
        assert!(error.message.contains("only ADMIN_KEY may add or change"), "{}", error.message);
        put(current, document, ADMIN).unwrap();
        let earlier = json_of(document);
        let back = edit(current, &Edit::RollBack(1, &earlier), GATEWAY_SCOPE);
        assert_eq!(back.unwrap_err().kind, ErrorKind::MissingScope);
    };
    let stored = stored();
    for name in [
        "Helicone-Target-Url",
        "x-portkey-custom-host",
        "x-portkey-config",
        "x-upstream",
        "x-forwarded-host",
        "x-my-proxy",
        "helicone-openai-api-base",
        "x-base_url",
        "x-uri",
        "origin",
    ] {
        for downstreams in [json!(["mine"]), json!(["other"]), json!(["openai"]), json!([])] {
            refused(&stored, &with_headers(&json!({name: "https://evil.example"}), &downstreams));
        }
    }
    put(
        &stored,
        &with_headers(&json!({"x-team": "a", "http-referer": "https://a.example"}), &json!([])),
        GATEWAY_SCOPE,
    )
    .unwrap();
    // One that is stored stays, with whatever else changes, also where its author writes another key there.
    let target = json!({"x-target-url": "https://good.example"});
    let current = with_headers(&target, &json!(["mine"]));
    let mut changed = current.clone();
    changed["rules"][0]["name"] = json!("Renamed");
    changed["downstreams"][0]["apiKey"] = json!("sk-new");
    put(&current, &changed, GATEWAY_SCOPE).unwrap();
    // But not for another value, another credential, or one that comes along later.
    refused(&current, &with_headers(&json!({"x-target-url": "https://evil.example"}), &json!(["mine"])));
    refused(&current, &with_headers(&target, &json!(["mine", "other"])));
    let mut keyless = current.clone();
    keyless["downstreams"][0]["apiKey"] = Value::Null;
    put(&stored, &keyless, GATEWAY_SCOPE).unwrap();
    refused(&keyless, &current);
    let mut off = current.clone();
    off["rules"][0]["is_enabled"] = json!(false);
    put(&stored, &off, GATEWAY_SCOPE).unwrap();
    refused(&off, &current);
}

#[test]
fn items_are_added_put_and_deleted_one_by_one_or_as_a_list() {
    let stored = stored();
    let run = |list, what: &str, id: &str, body: Value| {
        let body = json_of(&body);
        let change = match what {
            "add" => Edit::Add(list, sent(&body)),
            "put" => Edit::PutItem(list, id, sent(&body)),
            _ => Edit::Delete(list, id),
        };
        edit(&stored, &change, ADMIN)
    };
    let ids = |document: Value, list: &str| -> Vec<String> {
        document[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let new = |id: &str| json!({"id": id, "base_url": "https://new.example", "api_key": "sk-1"});
    let rule = |id: &str| json!({"id": id, "pattern_path": "*", "match_downstreams": ["mine"]});
    use List::{Downstreams, Rules};
    assert_eq!(ids(run(Downstreams, "add", "", new("a")).unwrap(), "downstreams"), ["mine", "other", "a"]);
    assert_eq!(
        ids(run(Downstreams, "add", "", json!([new("a"), new("b")])).unwrap(), "downstreams"),
        ["mine", "other", "a", "b"]
    );
    assert_eq!(
        ids(
            run(Downstreams, "put", "other", json!({"base_url": "https://new.example", "api_key": "sk-1"}))
                .unwrap(),
            "downstreams"
        ),
        ["mine", "other"]
    );
    assert_eq!(ids(run(Downstreams, "put", "a", new("a")).unwrap(), "downstreams"), ["mine", "other", "a"]);
    assert_eq!(ids(run(Rules, "add", "", rule("r3")).unwrap(), "rules"), ["r1", "r2", "r3"]);
    assert_eq!(ids(run(Rules, "put", "r1", rule("r1")).unwrap(), "rules"), ["r1", "r2"]);
    assert_eq!(ids(run(Rules, "delete", "r1", Value::Null).unwrap(), "rules"), ["r2"]);
    for (result, kind) in [
        (run(Downstreams, "add", "", new("mine")), ErrorKind::AlreadyExists),
        (run(Rules, "add", "", json!([rule("r3"), rule("r2")])), ErrorKind::AlreadyExists),
        (run(Downstreams, "delete", "nobody", Value::Null), ErrorKind::NoSuchResource),
        (run(Rules, "delete", "r4", Value::Null), ErrorKind::NoSuchResource),
        (run(Downstreams, "delete", "mine", Value::Null), ErrorKind::Conflict),
    ] {
        assert_eq!(result.unwrap_err().kind, kind);
    }
    let error = run(Downstreams, "delete", "other", Value::Null).unwrap_err();
    assert_eq!(error.message, "The downstream 'other' is named by rule 'r2'; change or delete that first.");
    // A fault is named as it was sent; one that an item causes elsewhere, by its whole path.
    for (result, expected) in [
        (
            run(Downstreams, "put", "a", json!({"id": "b", "base_url": "https://b.example"})),
            vec!["id: is not the id in the path; an item keeps its id"],
        ),
        (
            run(Downstreams, "put", "a", json!({"api_key": "sk-1"})),
            vec!["base_url: is missing; write an absolute URL, as https://api.example.com/v1"],
        ),
        (
            run(Rules, "add", "", json!([rule("r3"), {"id": "r4"}])),
            vec!["[1].pattern_path: is missing; write a path, as /v1/chat/completions, or \"*\" for all"],
        ),
        (
            run(Downstreams, "add", "", json!([new("a"), new("a")])),
            vec!["[1].id: is also the id of downstreams[2]; ids are unique"],
        ),
        (run(Downstreams, "add", "", json!(7)), vec!["must be an object, not a number"]),
    ] {
        assert_eq!(faults(result), expected);
    }
}

#[test]
fn the_documented_third_part_is_added_by_its_lists() {
    let documented = include_bytes!("../../fixtures/gateway/documented.yaml");
    let whole =
        edited(None, &Edit::Put(Sent { format: Format::Yaml, body: documented }), GATEWAY_SCOPE).unwrap();
    assert_eq!(
        whole.summary,
        "downstream openai, anthropic, azure-openai added; rule gpt4o-rule, sonnet-rule, azure-rule added"
    );
    let without = |list, id: &str, bytes: &[u8]| {
        edited(Some(bytes), &Edit::Delete(list, id), GATEWAY_SCOPE).unwrap().bytes
    };
    let two = without(List::Downstreams, "azure-openai", &without(List::Rules, "azure-rule", &whole.bytes));
    let downstreams = "- id: azure-openai\n  name: Azure OpenAI\n  api_formats: [openai]\n  base_url: https://my-resource.openai.azure.com/openai\n  api_key: azure-key-...\n  output_model_ids:\n    - gpt-4o\n";
    let rules = "- id: azure-rule\n  name: Azure GPT-4o Route\n  pattern_path: /v1/chat/completions\n  pattern_model: azure-gpt4o\n  match_downstreams: [azure-openai]\n  pipeline_config: []\n  is_enabled: true\n";
    let add = |list, yaml: &str, bytes: &[u8]| {
        edited(
            Some(bytes),
            &Edit::Add(list, Sent { format: Format::Yaml, body: yaml.as_bytes() }),
            GATEWAY_SCOPE,
        )
        .unwrap()
        .bytes
    };
    let three = add(List::Rules, rules, &add(List::Downstreams, downstreams, &two));
    assert_eq!(String::from_utf8(three), String::from_utf8(whole.bytes));
}

#[test]
fn a_summary_says_what_changed() {
    let stored = stored();
    let after = |document: Value| {
        edited(Some(&json_of(&stored)), &Edit::Put(sent(&json_of(&document))), ADMIN).unwrap().summary
    };
    let mut changed = stored.clone();
    changed["downstreams"][0]["name"] = json!("Yours");
    changed["rules"].as_array_mut().unwrap().swap(0, 1);
    assert_eq!(after(changed), "downstream mine changed; rules in another order");
    assert_eq!(after(json!({})), "downstream mine, other removed; rule r1, r2 removed");
    assert_eq!(after(stored.clone()), "written anew");
    let many: Vec<Value> = (0..9)
        .map(|n| json!({"id": format!("d{n}"), "base_url": "https://d.example", "api_key": "k"}))
        .collect();
    let many = json!({"downstreams": many});
    assert_eq!(
        after(many),
        "downstream d0, d1, d2, d3, d4 and 4 more added; downstream mine, other removed; rule r1, r2 removed"
    );
}

#[test]
fn whatever_lies_in_kv_no_key_is_shown() {
    for document in [
        r#"{"downstreams": [{"id": "a", "api_key": "sk-secret-1", "apiKey": "sk-secret-2", "api_kye": "sk-secret-3"}]}"#,
        r#"{"downstreams": [{"id": "a", "api_key": {"value": "sk-secret"}, "headers": [{"authorization": "sk-secret"}]}]}"#,
        r#"{"downstreams": [{"id": "a", "base_url": "https://me:sk-secret@a.example"}]}"#,
        r#"{"downstreams": [{"id": "a", "base_url": "https://a.example?key=sk-secret", "format_urls": {"gemini": "https://sk-secret@a.example"}}]}"#,
        r#"{"downstreams": ["sk-secret"], "proxy_api_keys": ["sk-secret"], "admin_password": "sk-secret"}"#,
        r#"{"downstreams": "sk-secret", "rules": [{"id": "r", "api_key": "sk-secret"}, "sk-secret"]}"#,
        r#"{"downstreams": [{"id": "a", "api_key": "${sk-secret"}, {"id": "b", "api_key": "$sk-secret"}]}"#,
        r#"["sk-secret"]"#,
        r#"{"downstreams": [{"id": "a", "api_key": "sk-secret"}"#,
        "downstreams:\n- id: a\n  api_key: sk-secret\n  key: sk-secret\n",
        "downstreams:\n- id: a\n  api_key: 'sk-secret\n",
    ] {
        let shown = Shown::of(document.as_bytes());
        let texts =
            [shown.to_json(Vec::new()), shown.to_yaml()].map(|bytes| String::from_utf8(bytes).unwrap());
        for text in texts {
            assert!(!text.contains("secret"), "{document}\n{text}");
        }
    }
}

#[test]
fn no_fault_and_no_error_quotes_a_key() {
    let stored = stored();
    for body in [
        r#"{"downstreams": [{"id": "mine", "base_url": "ftp://x", "api_key": "sk-secret"}]}"#,
        r#"{"downstreams": [{"id": "mine", "base_url": "https://x.example", "api_key": "sk-secret \n"}]}"#,
        r#"{"downstreams": [{"id": "mine", "base_url": "https://x.example", "api_key": "${OTHER_API_KEY}"}]}"#,
        r#"{"downstreams": [{"id": "mine", "api_key": sk-secret}]}"#,
        r#"{"downstreams": [{"id": "sk-secret", "base_url": "https://x.example"}"#,
    ] {
        for format in [Format::Json, Format::Yaml] {
            let result = edited(
                Some(&json_of(&stored)),
                &Edit::Put(Sent { format, body: body.as_bytes() }),
                GATEWAY_SCOPE,
            );
            let text = format!("{:?}", result.map(|_| ()));
            assert!(!text.contains("sk-secret") && !text.contains("sk-stored"), "{body}: {text}");
        }
    }
    let sent = Sent { format: Format::Json, body: b"sk-secret" };
    assert!(!format!("{:?}", Edit::Put(sent)).contains("secret"));
}

#[test]
fn an_etag_in_the_body_counts_in_yaml_too() {
    use turnout::api;
    use turnout::control::{Envelope, Request};
    let expected = |content_type: &str, body: &str| {
        let asked = api::parse("PUT", "/router/v1/gateway").unwrap().unwrap();
        let envelope = Envelope { content_type: content_type.to_owned(), ..Envelope::default() };
        Request { asked, query: String::new(), body: body.as_bytes().to_vec(), envelope }.expected()
    };
    let tag = Some("1-abc".to_owned());
    assert_eq!(expected("application/yaml", "etag: 1-abc\ndownstreams: []\n").unwrap(), tag);
    assert_eq!(expected("text/yaml", "downstreams: []\n").unwrap(), None);
    assert_eq!(expected("application/yaml", "- etag: 1-abc\n").unwrap(), None);
    assert_eq!(expected("application/json", r#"{"etag": "\"1-abc\""}"#).unwrap(), tag);
    assert_eq!(expected("application/json", r#"[{"id": "a", "etag": "x"}]"#).unwrap(), None);
    assert!(expected("application/yaml", "etag: 7\n").is_err());
}

/// Any text that a document may hold, keys and ids that look like something else among them.
fn strings() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "",
        "~",
        "null",
        "true",
        "yes",
        "No",
        "1",
        "-1",
        "1.5",
        "0x1F",
        ".inf",
        "1e3",
        "- a",
        "a: b",
        "a #b",
        "#a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "'",
        "\"",
        "[",
        "{",
        "%",
        "@",
        "`",
        " a",
        "a ",
        "a\nb",
        "a\tb",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "ä",
        "😀",
        "2026-01-01",
        "https://a.example/v1",
        "https://a.example:",
        "?",
        ":",
        "-",
        "---",
        "...",
        "<<",
        "=",
        "\u{7f}",
        "\\",
        "a\\nb",
    ]);
    prop_oneof![odd.prop_map(str::to_owned), any::<String>()]
}

proptest! {
    /// What is shown in YAML reads back as what is shown in JSON.
    #[test]
    fn yaml_that_is_written_reads_back_the_same(
        names in prop::collection::vec(strings(), 0..4),
        models in prop::collection::vec(strings(), 0..4),
        config in prop::collection::vec((strings(), strings()), 0..4),
        number in any::<f64>().prop_filter("finite", |number| number.is_finite()),
        on in any::<bool>(),
    ) {
        let config: serde_json::Map<String, Value> = config.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let rules: Vec<Value> = names.iter().map(|name| json!({
            "id": name, "name": name, "is_enabled": on,
            "pipeline_config": [{"plugin_id": name, "config": config}, {}, [], [[name], []], number, null],
        })).collect();
        let document = json!({"downstreams": [{"id": "a", "output_model_ids": models}], "rules": rules});
        let bytes = document.to_string().into_bytes();
        let yaml = Shown::of(&bytes).to_yaml();
        // A document whose `id` is put by YAML and by JSON is the same.
        let by_yaml = Shown::of(&yaml).to_json(Vec::new());
        let by_json = Shown::of(&bytes).to_json(Vec::new());
        let text = String::from_utf8(yaml).unwrap();
        prop_assert_eq!(
            serde_json::from_slice::<Value>(&by_yaml).unwrap(),
            serde_json::from_slice::<Value>(&by_json).unwrap(),
            "{}", text
        );
    }

    /// No order of edits by somebody who has the scope `gateway` alone brings a stored key or secret to another host.
    #[test]
    fn no_edits_of_a_gateway_key_lead_a_credential_away(
        edits in prop::collection::vec((0..5_usize, 0..3_usize, 0..4_usize, 0..5_usize), 1..8)
    ) {
        let hosts = ["https://llm.example.com", "https://other.example", "https://evil.example", "http://127.0.0.1:1"];
        let keys = [json!("***"), json!("${OTHER_API_KEY}"), json!("sk-evil"), Value::Null, json!("${OPENAI_API_KEY}")];
        let ids = ["mine", "other", "new"];
        let mut current = json_of(&stored());
        for (what, id, host, key) in edits {
            let mut item = json!({"id": ids[id], "base_url": hosts[host]});
            // The fifth leaves it out.
            if what != 4 {
                item["api_key"] = keys[key].clone();
            }
            let body = json_of(&item);
            let whole = json_of(&json!({"downstreams": [item]}));
            let change = match what {
                0 => Edit::Add(List::Downstreams, sent(&body)),
                1 => Edit::Put(sent(&whole)),
                2 => Edit::Delete(List::Downstreams, ids[id]),
                _ => Edit::PutItem(List::Downstreams, ids[id], sent(&body)),
            };
            if let Ok(edited) = edited(Some(&current), &change, GATEWAY_SCOPE) {
                current = edited.bytes;
            }
            let (gateway, _) = Gateway::parse(&current).unwrap();
            for downstream in gateway.downstreams().filter(|downstream| downstream.configured) {
                let credential = &downstream.credential;
                use turnout::gateway::Credential::{Literal, Secret};
                let home = match credential {
                    Literal(key) if key == "sk-stored" => "https://llm.example.com",
                    Secret(name) if name == "OTHER_API_KEY" => "https://other.example",
                    Secret(name) if name == "OPENAI_API_KEY" => "https://api.openai.com",
                    _ => continue,
                };
                prop_assert!(downstream.base_url.starts_with(home), "{:?} at {}", credential, downstream.base_url);
            }
        }
    }
}
