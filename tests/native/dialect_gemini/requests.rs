//! Requests, read.

use serde_json::{Value, json};
use turnout::dialect::Dialect;
use turnout::dialect::conversation::{
    Conversation, Format, Part, Role, Seal, Source, Thinking, ThinkingMode, Thought, ToolCall, ToolChoice,
    ToolKind,
};
use turnout::dialect::gemini;

use super::decoded;

/// What `read` finds in a request with these members beside its contents.
fn check<T: PartialEq + std::fmt::Debug>(members: Value, read: impl Fn(Conversation) -> T, expected: T) {
    let mut body = members.clone();
    body["contents"] = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    assert_eq!(read(decoded(&body)), expected, "{members}");
}

fn config(config: Value) -> Value {
    json!({"generationConfig": config})
}

#[test]
fn every_field_of_the_config_is_read_in_both_spellings() {
    let number = |text: &str| serde_json::from_str(text).ok();
    check(config(json!({"temperature": 0.5})), |it| it.sampling.temperature, number("0.5"));
    check(config(json!({"topP": 0.9})), |it| it.sampling.top_p, number("0.9"));
    check(config(json!({"top_p": 0.9})), |it| it.sampling.top_p, number("0.9"));
    check(config(json!({"topK": 40})), |it| it.sampling.top_k, number("40"));
    check(config(json!({"maxOutputTokens": 100})), |it| it.max_tokens, Some(100));
    check(config(json!({"max_output_tokens": "100"})), |it| it.max_tokens, Some(100));
    check(config(json!({"stopSequences": ["a", "b"]})), |it| it.sampling.stop, vec!["a".into(), "b".into()]);
    check(config(json!({"candidateCount": 2})), |it| it.n, Some(2));
    check(config(json!({"seed": 7})), |it| it.sampling.seed, number("7"));
    check(config(json!({"presencePenalty": 1.5})), |it| it.sampling.presence_penalty, number("1.5"));
    check(config(json!({"frequencyPenalty": -1})), |it| it.sampling.frequency_penalty, number("-1"));
    check(config(json!({"responseLogprobs": true, "logprobs": 3})), |it| it.sampling.logprobs, Some(3));
    check(config(json!({"responseLogprobs": true})), |it| it.sampling.logprobs, Some(0));
    check(config(json!({"logprobs": 3})), |it| it.sampling.logprobs, None);
    check(json!({"serviceTier": "flex"}), |it| it.service_tier, Some("flex".into()));
    check(
        json!({"system_instruction": {"parts": [{"text": "Be brief."}]}}),
        |it| it.system,
        vec![Part::text("Be brief.")],
    );
}

#[test]
fn the_form_of_the_answer_is_read() {
    let json_schema =
        |schema| Some(Format::JsonSchema { name: None, description: None, schema, strict: None });
    let read = |it: Conversation| it.format;
    check(config(json!({"responseMimeType": "application/json"})), read, Some(Format::JsonObject));
    check(config(json!({"responseMimeType": "text/plain"})), read, None);
    check(
        config(json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}})),
        read,
        json_schema(json!({"type": "object"})),
    );
    let openapi = json!({
        "type": "OBJECT",
        "properties": {
            "first_name": {"type": "STRING", "nullable": true, "maxLength": "9"},
            "tags": {"type": "ARRAY", "items": {"type": "STRING", "enum": ["A"]}, "min_items": "1"},
            "either": {"any_of": [{"type": "INTEGER"}, {"type": "NUMBER"}]},
        },
        "propertyOrdering": ["tags", "first_name"],
        "required": ["tags"],
    });
    check(
        config(json!({"response_mime_type": "application/json", "response_schema": openapi})),
        read,
        json_schema(json!({
            "type": "object",
            "properties": {
                "first_name": {"type": ["string", "null"], "maxLength": 9},
                "tags": {"type": "array", "items": {"type": "string", "enum": ["A"]}, "minItems": 1},
                "either": {"anyOf": [{"type": "integer"}, {"type": "number"}]},
            },
            "required": ["tags"],
        })),
    );
}

#[test]
fn thinking_is_read() {
    let thinking = |mode, effort: Option<&str>, budget, shown: Option<&str>| {
        Some(Thinking { mode, effort: effort.map(str::to_owned), budget, shown: shown.map(str::to_owned) })
    };
    for (said, expected) in [
        (json!({"thinkingBudget": 0}), thinking(Some(ThinkingMode::Off), None, None, None)),
        (json!({"thinkingBudget": -1}), thinking(Some(ThinkingMode::Adaptive), None, None, None)),
        (
            json!({"thinkingBudget": 512, "includeThoughts": true}),
            thinking(Some(ThinkingMode::On), None, Some(512), Some("auto")),
        ),
        (json!({"thinkingLevel": "HIGH"}), thinking(None, Some("high"), None, None)),
        (json!({"include_thoughts": false}), thinking(None, None, None, Some("omitted"))),
        (json!({}), None),
    ] {
        check(config(json!({"thinkingConfig": said})), |it| it.thinking, expected);
    }
}

#[test]
fn tools_and_their_choice_are_read() {
    let kinds = |it: Conversation| it.tools.into_iter().map(|tool| tool.kind).collect::<Vec<_>>();
    let search = |blocked: &[&str]| ToolKind::WebSearch {
        context_size: None,
        max_uses: None,
        allowed_domains: vec![],
        blocked_domains: blocked.iter().map(|host| (*host).to_owned()).collect(),
        user_location: None,
    };
    let function = |name: &str, parameters| ToolKind::Function {
        name: name.into(),
        description: Some("d".into()),
        parameters,
        strict: None,
    };
    let own = |json| ToolKind::Own { dialect: Dialect::Gemini, json };
    check(
        json!({"tools": [{"functionDeclarations": [
            {"name": "a", "description": "d", "parameters": {"type": "OBJECT"}},
            {"name": "b", "description": "d", "parameters_json_schema": {"type": "object"}},
            {"name": "c", "description": "d"},
        ]}]}),
        kinds,
        vec![
            function("a", Some(json!({"type": "object"}))),
            function("b", Some(json!({"type": "object"}))),
            function("c", None),
        ],
    );
    check(json!({"tools": [{"googleSearch": {}}]}), kinds, vec![search(&[])]);
    check(
        json!({"tools": [{"google_search": {"exclude_domains": ["x.com"]}}]}),
        kinds,
        vec![search(&["x.com"])],
    );
    let filtered = json!({"googleSearch": {"timeRangeFilter": {}}});
    check(json!({"tools": [filtered]}), kinds, vec![own(filtered.clone())]);
    check(json!({"tools": [{"codeExecution": {}}]}), kinds, vec![own(json!({"codeExecution": {}}))]);

    let among = |required| Some(ToolChoice::Among { names: vec!["a".into(), "b".into()], required });
    for (calling, expected) in [
        (json!({"mode": "AUTO"}), Some(ToolChoice::Auto)),
        (json!({"mode": "VALIDATED"}), Some(ToolChoice::Auto)),
        (json!({"mode": "NONE"}), Some(ToolChoice::None)),
        (json!({"mode": "ANY"}), Some(ToolChoice::Required)),
        (json!({"mode": "ANY", "allowedFunctionNames": ["a"]}), Some(ToolChoice::Named("a".into()))),
        (json!({"mode": "ANY", "allowed_function_names": ["a", "b"]}), among(true)),
        (json!({"mode": "VALIDATED", "allowedFunctionNames": ["a", "b"]}), among(false)),
        (json!({}), None),
    ] {
        check(json!({"toolConfig": {"functionCallingConfig": calling}}), |it| it.tool_choice, expected);
    }
}

#[test]
fn what_only_gemini_has_is_kept_and_our_own_fields_are_not() {
    check(
        json!({
            "safetySettings": [{"category": "x"}], "labels": {"a": "b"}, "cachedContent": "cachedContents/1",
            "generationConfig": {"speechConfig": {"a": 1}, "topK": 1},
            "toolConfig": {"retrievalConfig": {}, "functionCallingConfig": {"mode": "AUTO"}},
            "extra_body": {"metadata": {}}, "models": [], "fallback": {}, "ignore": [], "sort": "price", "provider": {},
            "prompt_variables": {}, "metadata": {"plan": "pro"},
        }),
        |it| Value::Object(it.own),
        json!({
            "safetySettings": [{"category": "x"}], "labels": {"a": "b"}, "cachedContent": "cachedContents/1",
            "speechConfig": {"a": 1}, "retrievalConfig": {},
        }),
    );
}

/// The parts that a model's turn with these is read as.
fn check_parts(role: &str, parts: Value, expected: Vec<Part>) {
    let body = json!({"contents": [{"role": role, "parts": parts}]});
    assert_eq!(decoded(&body).turns[0].parts, expected, "{parts}");
}

fn seal(value: &str) -> Option<Seal> {
    Some(Seal { dialect: Dialect::Gemini, is_redacted: false, value: value.into() })
}

fn thought(text: &str, seal: Option<Seal>) -> Part {
    Part::Thought(Thought { text: text.into(), is_summary: !text.is_empty(), seal, id: None })
}

#[test]
fn every_part_is_read() {
    let base64 =
        |media_type: &str, data: &str| Source::Base64 { media_type: media_type.into(), data: data.into() };
    let image = |source| vec![Part::Image { source, detail: None, cache: None }];
    let document = |source, name: Option<&str>| {
        vec![Part::Document { source, name: name.map(str::to_owned), cache: None }]
    };
    check_parts("user", json!([{"text": "a"}, {"text": "b"}]), vec![Part::text("a"), Part::text("b")]);
    let png = json!([{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]);
    check_parts("user", png, image(base64("image/png", "AA==")));
    let mp3 = json!([{"inlineData": {"mimeType": "audio/mpeg", "data": "AA=="}}]);
    check_parts("user", mp3, vec![Part::Audio { format: "mp3".into(), data: "AA==".into() }]);
    let pdf =
        json!([{"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "a.pdf"}}]);
    check_parts("user", pdf, document(base64("application/pdf", "AA=="), Some("a.pdf")));
    let text = json!([{"inlineData": {"mimeType": "text/plain", "data": "aGk="}}]);
    check_parts("user", text, document(Source::Text("hi".into()), None));
    let url = json!([{"fileData": {"fileUri": "https://x.com/a.png?b"}}]);
    check_parts("user", url, image(Source::Url("https://x.com/a.png?b".into())));
    let page = json!([{"fileData": {"fileUri": "https://x.com/a", "mimeType": "application/pdf"}}]);
    check_parts("user", page, document(Source::Url("https://x.com/a".into()), None));
    let uploaded = "https://generativelanguage.googleapis.com/v1beta/files/abc";
    let file = json!([{"fileData": {"fileUri": uploaded, "mimeType": "image/png"}}]);
    check_parts("user", file, image(Source::File(uploaded.into())));
    let code = json!({"executableCode": {"language": "PYTHON", "code": "1"}});
    check_parts("model", json!([code]), vec![Part::Own { dialect: Dialect::Gemini, json: code.clone() }]);
}

#[test]
fn signatures_stay_with_their_parts_and_pieces_are_joined() {
    let signed = json!([{"text": "a"}, {"text": "b", "thoughtSignature": "S1"}, {"text": "c"}]);
    check_parts("model", signed, vec![Part::text("ab"), thought("", seal("S1")), Part::text("c")]);
    let alone = json!([{"text": "a"}, {"text": "", "thoughtSignature": "S1"}]);
    check_parts("model", alone, vec![Part::text("a"), thought("", seal("S1"))]);
    let thoughts =
        json!([{"text": "a", "thought": true}, {"text": "b", "thought": true, "thoughtSignature": "S"}]);
    check_parts("model", thoughts, vec![thought("ab", seal("S"))]);
    let call = json!([{"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "S"}]);
    let read = ToolCall {
        id: "1".into(),
        name: "f".into(),
        arguments: r#"{"a":1}"#.into(),
        is_custom: false,
        seal: seal("S"),
    };
    check_parts("model", call, vec![Part::ToolCall(read.clone())]);
    // What stands in for a signature is none.
    let skipped = json!([{"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "skip_thought_signature_validator"}]);
    check_parts("model", skipped, vec![Part::ToolCall(ToolCall { seal: None, ..read })]);
}

#[test]
fn results_find_their_calls() {
    let call = |name: &str, id: Option<&str>| json!({"functionCall": {"name": name, "id": id, "args": {}}});
    let result = |name: &str, id: Option<&str>, response: Value| json!({"functionResponse": {"name": name, "id": id, "response": response}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [call("f", None), call("g", None), call("f", None), call("f", Some("x"))]},
        {"role": "function", "parts": [
            result("g", None, json!({"a": 1, "b": 2})),
            result("f", Some("x"), json!({"output": "by id"})),
            result("f", None, json!({"result": [1]})),
            result("f", None, json!({"error": "no"})),
        ]},
        {"role": "model", "parts": [call("f", None)]},
        {"role": "user", "parts": [result("f", None, json!({"output": "last"}))]},
    ]});
    let turns = decoded(&body).turns;
    assert_eq!(turns[2].role, Role::User);
    let calls: Vec<&str> = turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(calls, ["gcall_h0", "gcall_h1", "gcall_h2", "x", "gcall_h4"]);
    let results: Vec<_> = turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .filter_map(|part| match part {
            Part::ToolResult { id, parts, is_error, .. } => Some((id.as_str(), parts.clone(), *is_error)),
            _ => None,
        })
        .collect();
    let said = |text: &str| vec![Part::text(text)];
    assert_eq!(
        results,
        [
            ("gcall_h1", said(r#"{"a":1,"b":2}"#), false),
            ("x", said("by id"), false),
            ("gcall_h0", said("[1]"), false),
            ("gcall_h2", said("no"), true),
            ("gcall_h4", said("last"), false),
        ]
    );
    assert_eq!(decoded(&body), decoded(&body), "the same history has the same ids");
}

#[test]
fn a_fault_names_its_field() {
    let contents = |parts: Value| json!({"contents": [{"role": "user", "parts": parts}]});
    for (body, param) in [
        (json!([]), ""),
        (json!({}), "contents"),
        (json!({"contents": "hi"}), "contents"),
        (json!({"contents": [{"role": "assistant", "parts": []}]}), "contents[0].role"),
        (contents(json!([{"text": 1}])), "contents[0].parts[0].text"),
        (contents(json!([{"inlineData": {"data": "AA=="}}])), "contents[0].parts[0]"),
        (contents(json!([{"functionCall": {"args": {}}}])), "contents[0].parts[0].functionCall.name"),
        (contents(json!([{"functionResponse": {"name": "f"}}])), "contents[0].parts[0].functionResponse"),
        (json!({"contents": [], "generationConfig": {"topK": "many"}}), "generationConfig.topK"),
        (
            json!({"contents": [], "generationConfig": {"maxOutputTokens": -1}}),
            "generationConfig.maxOutputTokens",
        ),
        (
            json!({"contents": [], "generationConfig": {"responseMimeType": "text/x.enum"}}),
            "generationConfig.responseMimeType",
        ),
        (
            json!({"contents": [], "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}),
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            json!({"contents": [], "tools": [{"functionDeclarations": [{}]}]}),
            "tools[0].functionDeclarations[0].name",
        ),
    ] {
        let error = gemini::decode_request(body.to_string().as_bytes()).expect_err(&body.to_string());
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {}", error.message);
    }
    assert!(gemini::decode_request(b"{").is_err());
}
