use serde_json::json;
use turnout::dialect::Dialect;
use turnout::gateway::{Credential, Gateway};
use turnout::provider::AuthStyle;

use super::{check_fault, check_fault_in, document_with, parse, shown, url};

#[test]
fn a_document_as_tresor_writes_it_is_read_in_both_spellings() {
    let snake = json!({"downstreams": [{
        "id": "azure-openai", "name": "Azure OpenAI", "api_formats": ["openai"],
        "base_url": "https://my-resource.openai.azure.com/openai", "api_key": "azure-key-1",
        "output_model_ids": ["gpt-4o"], "format_urls": {}}], "rules": []});
    let camel = json!({"downstreams": [{
        "id": "azure-openai", "name": "Azure OpenAI", "apiFormats": ["openai"],
        "baseUrl": "https://my-resource.openai.azure.com/openai", "apiKey": "azure-key-1",
        "outputModelIds": ["gpt-4o"], "formatUrls": {}}]});
    for document in [snake, camel] {
        let (gateway, warnings) = parse(&document).unwrap();
        assert_eq!(warnings, []);
        let azure = gateway.downstream("azure-openai").unwrap();
        assert_eq!(azure.name, "Azure OpenAI");
        assert_eq!(
            url(azure, Dialect::OpenAi),
            "https://my-resource.openai.azure.com/openai/v1/chat/completions"
        );
        assert_eq!(azure.credential, Credential::Literal("azure-key-1".to_owned()));
        assert_eq!(azure.habits.auth, AuthStyle::ApiKey, "the habits are those of the host");
        assert_eq!(gateway.models().collect::<Vec<_>>(), ["azure-openai/gpt-4o"]);
        assert!(gateway.downstream("openai").is_some(), "built-ins stay");
    }
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    assert!(Gateway::parse(b"\xEF\xBB\xBF{\"downstreams\": []}").is_ok());
    assert!(Gateway::parse(b"{}").is_ok());
}

#[test]
fn what_is_no_document_is_one_clear_fault() {
    for (bytes, expected) in [
        (&b""[..], "the document is empty"),
        (b" \n", "the document is empty"),
        (b"\xFF{}", "the document is not UTF-8"),
        (b"{\"downstreams\": [}", "the document is not JSON"),
        (b"[]", "must be an object, not an array"),
        (b"{downstreams: []}", "the document is not JSON: key must be a string at line 1 column 2"),
        (&vec![b' '; (1 << 20) + 1], "the document has 1048577 bytes; the limit is 1048576 (1 MiB)"),
        ("[".repeat(100_000).as_bytes(), "the document is not JSON"),
    ] {
        let faults = Gateway::parse(bytes).unwrap_err();
        assert!(faults.len() == 1 && faults[0].to_string().starts_with(expected), "{expected}: {faults:?}");
    }
}

#[test]
fn each_fault_names_its_field_and_what_would_be_right() {
    let long = "a".repeat(64);
    for (changes, expected) in [
        (json!({"id": null}), "downstreams[0].id: is missing"),
        (json!({"id": 7}), "downstreams[0].id: must be a string, not a number"),
        (json!({"id": ""}), "downstreams[0].id: must be 1 to 63"),
        (json!({"id": "-a"}), "downstreams[0].id: must be 1 to 63"),
        (json!({"id": "Mine"}), "downstreams[0].id: must be 1 to 63"),
        (json!({"id": "a/b"}), "downstreams[0].id: must be 1 to 63"),
        (json!({"id": long}), "downstreams[0].id: must be 1 to 63"),
        (json!({"id": "turnout"}), "downstreams[0].id: `turnout` is reserved"),
        (json!({"id": "inworld"}), "downstreams[0].id: `inworld` is reserved"),
        (json!({"id": "routers"}), "downstreams[0].id: `routers` is reserved"),
        (json!({"id": "demo"}), "downstreams[0].id: `demo` is reserved"),
        (json!({"name": []}), "downstreams[0].name: must be a string, not an array"),
        (json!({"base_url": null}), "downstreams[0].base_url: is missing"),
        (json!({"base_url": true}), "downstreams[0].base_url: must be a string, not a boolean"),
        (json!({"baseUrl": "https://a.example/v1"}), "downstreams[0].baseUrl: is given twice"),
        (json!({"api_key": 7}), "downstreams[0].api_key: must be a string"),
        (json!({"api_key": ""}), "downstreams[0].api_key: is empty"),
        (json!({"api_key": "***"}), "downstreams[0].api_key: stands for a key that is stored"),
        (json!({"api_key": "sk-1\n"}), "downstreams[0].api_key: holds white space, control"),
        (json!({"api_key": "sk-ü"}), "downstreams[0].api_key: holds white space, control"),
        (json!({"api_key": "${ADMIN_KEY}"}), "downstreams[0].api_key: must name a secret as"),
        (json!({"api_key": "${UNIT_HASH_KEY}"}), "downstreams[0].api_key: must name a secret as"),
        (json!({"api_key": "${_API_KEY}"}), "downstreams[0].api_key: must name a secret as"),
        (json!({"api_key": "${my_API_KEY}"}), "downstreams[0].api_key: must name a secret as"),
        (json!({"api_key": "${MY_API_KEY"}), "downstreams[0].api_key: must name a secret as"),
        (json!({"api_key": "$MY_API_KEY"}), "downstreams[0].api_key: must name a secret as"),
        (json!({"api_formats": "openai"}), "downstreams[0].api_formats: must be an array, not a string"),
        (json!({"api_formats": []}), "downstreams[0].api_formats: is empty; name what is spoken there"),
        (json!({"api_formats": ["anthropic", 1]}), "downstreams[0].api_formats[1]: must be a string"),
        (
            json!({"api_formats": ["openai_response"]}),
            "downstreams[0].api_formats[0]: is no format; did you mean `openai_responses`?",
        ),
        (
            json!({"api_formats": ["openai", "opanai"]}),
            "downstreams[0].api_formats[1]: is no format; did you mean `openai`?",
        ),
        (
            json!({"api_formats": ["openai", "soap"]}),
            "downstreams[0].api_formats[1]: is no format; the formats are openai, anthropic, openai_responses, gemini",
        ),
        (
            json!({"output_model_ids": ["a", 1]}),
            "downstreams[0].output_model_ids[1]: must be a string, not a number",
        ),
        (json!({"output_model_ids": ["a", "b c"]}), "downstreams[0].output_model_ids[1]: must be 1 to 256"),
        (json!({"output_model_ids": ["a", "a"]}), "downstreams[0].output_model_ids[1]: is listed twice"),
        (
            json!({"format_urls": {"gemini": "ftp://a.example"}}),
            "downstreams[0].format_urls.gemini: must be https",
        ),
        (
            json!({"format_urls": {"openia": "https://a.example"}}),
            "downstreams[0].format_urls.openia: is no field here; did you mean `openai`?",
        ),
        (json!({"base_ur": "x"}), "downstreams[0].base_ur: is no field here; did you mean `base_url`?"),
        (
            json!({"outputModelsIds": []}),
            "downstreams[0].outputModelsIds: is no field here; did you mean `output_model_ids`?",
        ),
        (json!({"nmae": "x"}), "downstreams[0].nmae: is no field here; did you mean `name`?"),
    ] {
        check_fault(&document_with(changes), expected);
    }
    check_fault(&json!({"downstream": []}), "downstream: is no field here; did you mean `downstreams`?");
    check_fault(&json!({"downstreams": {}}), "downstreams: must be an array, not an object");
    check_fault(&json!({"downstreams": [1]}), "downstreams[0]: must be an object, not a number");
    check_fault(&json!({"rules": 1}), "rules: must be an array, not a number");
}

#[test]
fn a_key_given_twice_is_a_fault_whichever_would_win() {
    let path = "downstreams[0]";
    for (members, expected) in [
        (r#""id": "other""#, format!("{path}.id: is given twice; keep one of them")),
        (r#""id": "mine""#, format!("{path}.id: is given twice; keep one of them")),
        (r#""id": null"#, format!("{path}.id: is given twice; keep one of them")),
        (r#""api_key": "sk-other""#, format!("{path}.api_key: is given twice; keep one of them")),
        (r#""apiKey": "sk-other""#, format!("{path}.apiKey: is given twice, in both spellings; keep one")),
        (r#""baseUrl": "https://b.example""#, format!("{path}.baseUrl: is given twice, in both spellings")),
        (r#""\u0062ase_url": "https://b.example""#, format!("{path}.base_url: is given twice; keep one")),
        (
            r#""formatUrls": {"gemini": "https://a.example/b", "gemini": "https://a.example/c"}"#,
            format!("{path}.formatUrls.gemini: is given twice; keep one"),
        ),
    ] {
        let document = format!(
            r#"{{"downstreams": [{{"id": "mine", "base_url": "https://a.example/v1", "api_key": "sk-mine", {members}}}]}}"#
        );
        check_fault_in(&document, &expected);
    }
    check_fault_in(
        r#"{"downstreams": [], "downstreams": []}"#,
        "downstreams: is given twice; keep one of them",
    );
    check_fault_in(r#"{"rules": [], "rules": []}"#, "rules: is given twice; keep one of them");
    let thrice = shown(&Gateway::parse(br#"{"rules": [], "rules": [], "rules": []}"#).unwrap_err());
    assert_eq!(thrice, ["rules: is given twice; keep one of them"; 2]);
}

#[test]
fn a_path_has_the_authors_own_spelling() {
    for (member, expected) in [
        (r#""baseUrl": 7"#, "downstreams[0].baseUrl: must be a string, not a number"),
        (r#""baseUrl": "https://a.example", "apiKey": """#, "downstreams[0].apiKey: is empty"),
        (
            r#""baseUrl": "https://a.example", "outputModelIds": ["a", "a"]"#,
            "downstreams[0].outputModelIds[1]: is listed twice",
        ),
    ] {
        check_fault_in(&format!(r#"{{"downstreams": [{{"id": "mine", {member}}}]}}"#), expected);
    }
}

#[test]
fn a_key_of_any_length_is_shown_shortly() {
    let (_, warnings) = parse(&json!({"ä".repeat(100_000): 1})).unwrap();
    assert_eq!(shown(&warnings), [format!("{}: is no field here, and is ignored", "ä".repeat(64))]);
}

#[test]
fn ids_are_unique() {
    let one = document_with(json!({}))["downstreams"][0].clone();
    check_fault(&json!({"downstreams": [one, one]}), "downstreams[1].id: is also the id of downstreams[0]");
}

#[test]
fn all_faults_are_reported_at_once() {
    let faults = parse(&json!({
        "downstreams": [
            {"id": "A", "base_url": "http://example.com", "api_key": "", "weigth": 1},
            {"base_url": 1, "output_model_ids": [""]},
        ],
        "ruels": []}))
    .unwrap_err();
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "ruels",
            "downstreams[0].id",
            "downstreams[0].api_key",
            "downstreams[0].base_url",
            "downstreams[1].id",
            "downstreams[1].output_model_ids[0]",
            "downstreams[1].base_url",
        ]
    );
}

#[test]
fn a_document_of_nothing_but_faults_is_answered_shortly() {
    let faults = parse(&json!({"downstreams": vec![0; 100_000]})).unwrap_err();
    assert_eq!(faults.len(), 65);
    assert_eq!(faults[64].to_string(), "and 99936 more");
}

#[test]
fn what_is_harmless_is_a_warning() {
    for (document, expected) in [
        (json!({"comment": "ours"}), "comment: is no field here, and is ignored"),
        (document_with(json!({"note": "x"})), "downstreams[0].note: is no field here, and is ignored"),
        (document_with(json!({"os": "x"})), "downstreams[0].os: is no field here, and is ignored"),
        (
            document_with(json!({"api_key": null})),
            "downstreams[0].api_key: is missing, so calls carry no credential",
        ),
        (
            document_with(json!({"id": "openai", "api_key": null})),
            "downstreams[0].api_key: is missing, and OPENAI_API_KEY goes only to api.openai.com; write \"${OPENAI_API_KEY}\" here",
        ),
    ] {
        let (_, warnings) = parse(&document).unwrap_or_else(|faults| panic!("{document}: {faults:?}"));
        let warnings = shown(&warnings);
        assert!(
            warnings.len() == 1 && warnings[0].starts_with(expected),
            "{document}\n  {expected}\n  {warnings:?}"
        );
    }
}
