//! Requests, written.

use serde_json::{Value, json};
use turnout::dialect::Dialect;
use turnout::dialect::conversation::{
    Conversation, Format, Part, Role, Sampling, Seal, Source, Thinking, ThinkingMode, Thought, Tool,
    ToolCall, ToolChoice, ToolKind, Turn,
};
use turnout::dialect::gemini;
use turnout::dialect::loss::{Feature, Losses};

use super::encoded;

const OLD: &str = "gemini-2.5-flash";
const NEW: &str = "gemini-3-flash-preview";

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn asking(change: impl FnOnce(&mut Conversation)) -> Conversation {
    let mut conversation =
        Conversation { turns: vec![turn(Role::User, vec![Part::text("hi")])], ..Conversation::default() };
    change(&mut conversation);
    conversation
}

/// What stands at `pointer` of the request, in which nothing is lost.
fn check(conversation: &Conversation, model: &str, pointer: &str, expected: Value) {
    let (body, note) = encoded(conversation, model);
    assert_eq!(body.pointer(pointer), Some(&expected), "{body}");
    assert_eq!(note, None, "{body}");
}

fn check_contents(turns: Vec<Turn>, model: &str, expected: Value) {
    let conversation = Conversation { turns, ..Conversation::default() };
    assert_eq!(encoded(&conversation, model).0["contents"], expected);
}

#[test]
fn the_config_is_written() {
    let conversation = asking(|it| {
        let number = |text: &str| serde_json::from_str(text).ok();
        it.sampling = Sampling {
            temperature: number("0.5"),
            top_p: number("0.9"),
            top_k: number("40"),
            frequency_penalty: number("-1"),
            presence_penalty: number("1.5"),
            seed: number("7"),
            stop: vec!["END".into()],
            logprobs: Some(2),
            logit_bias: None,
        };
        it.max_tokens = Some(9);
        it.n = Some(2);
        it.format = Some(Format::JsonSchema {
            name: Some("answer".into()),
            description: Some("What it is.".into()),
            schema: json!({"type": "object"}),
            strict: Some(true),
        });
    });
    check(
        &conversation,
        OLD,
        "/generationConfig",
        json!({
            "temperature": 0.5, "topP": 0.9, "topK": 40, "frequencyPenalty": -1, "presencePenalty": 1.5, "seed": 7,
            "stopSequences": ["END"], "responseLogprobs": true, "logprobs": 2, "maxOutputTokens": 9, "candidateCount": 2,
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object", "description": "What it is."},
        }),
    );
}

#[test]
fn how_much_is_thought_is_said_as_the_model_takes_it() {
    let thinking = |mode: Option<ThinkingMode>, effort: Option<&str>, budget| Thinking {
        mode,
        effort: effort.map(str::to_owned),
        budget,
        shown: None,
    };
    let effort = |effort| thinking(None, Some(effort), None);
    let budget = |budget| thinking(Some(ThinkingMode::On), None, Some(budget));
    let off = thinking(Some(ThinkingMode::Off), None, None);
    let budgeted = |budget: i64| Some(json!({"thinkingBudget": budget}));
    let level = |level: &str| Some(json!({"thinkingLevel": level}));
    for (model, wanted, expected) in [
        ("gemini-2.5-pro", effort("none"), budgeted(128)),
        ("gemini-2.5-pro", effort("max"), budgeted(24_576)),
        ("gemini-2.5-pro", budget(50_000), budgeted(32_768)),
        ("gemini-2.5-pro", off.clone(), budgeted(128)),
        ("gemini-2.5-flash", off.clone(), budgeted(0)),
        ("models/gemini-2.5-flash", effort("low"), budgeted(1024)),
        ("gemini-2.5-flash", effort("medium"), budgeted(8192)),
        ("gemini-2.5-flash", thinking(Some(ThinkingMode::Adaptive), None, None), budgeted(-1)),
        ("gemini-2.5-flash", thinking(None, Some("high"), Some(2000)), budgeted(2000)),
        ("gemini-2.5-flash-lite", budget(100), budgeted(512)),
        ("gemini-3-pro-preview", effort("minimal"), level("LOW")),
        ("gemini-3-pro-preview", effort("medium"), level("HIGH")),
        ("gemini-3.1-pro-preview", effort("medium"), level("MEDIUM")),
        ("gemini-3-flash-preview", off.clone(), level("MINIMAL")),
        ("gemini-3-flash-preview", effort("xhigh"), level("HIGH")),
        ("gemini-3-flash-preview", thinking(None, Some("low"), Some(2000)), level("LOW")),
        ("gemini-3-flash-preview", budget(2000), budgeted(2000)),
        ("gemini-3-flash-preview", thinking(Some(ThinkingMode::Adaptive), None, None), None),
        ("gemini-flash-latest", effort("high"), level("HIGH")),
        ("gemini-2.0-flash", off, None),
    ] {
        let conversation = asking(|it| it.thinking = Some(wanted.clone()));
        let (body, _) = encoded(&conversation, model);
        let config = body.pointer("/generationConfig/thinkingConfig").cloned();
        assert_eq!(config, expected, "{model}: {wanted:?}");
    }
    // What is not done as it was asked is noted.
    for (model, wanted, is_noted) in [
        ("gemini-2.5-flash", effort("low"), false),
        ("gemini-2.5-flash", effort("max"), true),
        ("gemini-2.5-pro", effort("none"), true),
        ("gemini-2.5-pro", budget(50_000), true),
        ("gemini-2.5-pro", budget(5000), false),
        ("gemini-3-pro-preview", effort("medium"), true),
        ("gemini-3-flash-preview", effort("medium"), false),
        ("gemini-3-flash-preview", thinking(None, Some("low"), Some(2000)), true),
    ] {
        let (_, note) = encoded(&asking(|it| it.thinking = Some(wanted.clone())), model);
        assert_eq!(note.is_some(), is_noted, "{model}: {wanted:?}");
    }
    for (shown, expected) in [("auto", true), ("summarized", true), ("detailed", true), ("omitted", false)] {
        let conversation =
            asking(|it| it.thinking = Some(Thinking { shown: Some(shown.into()), ..Thinking::default() }));
        check(&conversation, NEW, "/generationConfig/thinkingConfig/includeThoughts", json!(expected));
    }
}

#[test]
fn tools_are_written() {
    let tool = |kind| Tool { kind, cache: None };
    let function = |name: &str, parameters| {
        tool(ToolKind::Function {
            name: name.into(),
            description: Some("d".into()),
            parameters,
            strict: None,
        })
    };
    let search = tool(ToolKind::WebSearch {
        context_size: None,
        max_uses: None,
        allowed_domains: vec![],
        blocked_domains: vec![],
        user_location: None,
    });
    let own = tool(ToolKind::Own { dialect: Dialect::Gemini, json: json!({"urlContext": {}}) });
    let custom = tool(ToolKind::Custom { name: "c".into(), description: None, format: None });
    let conversation = asking(|it| {
        it.tools =
            vec![function("a", Some(json!({"type": "object"}))), search, function("b", None), own, custom];
        it.tool_choice = Some(ToolChoice::Auto);
    });
    let tools = json!([{"googleSearch": {}}, {"urlContext": {}}, {"functionDeclarations": [
        {"name": "a", "description": "d", "parametersJsonSchema": {"type": "object"}},
        {"name": "b", "description": "d"},
        {"name": "c", "parametersJsonSchema":
            {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}},
    ]}]);
    check(&conversation, NEW, "/tools", tools);
    check(
        &conversation,
        NEW,
        "/toolConfig",
        json!({
            "includeServerSideToolInvocations": true, "functionCallingConfig": {"mode": "VALIDATED"},
        }),
    );
    let names = vec!["a".to_owned(), "b".to_owned()];
    for (choice, expected) in [
        (ToolChoice::Auto, json!({"mode": "AUTO"})),
        (ToolChoice::None, json!({"mode": "NONE"})),
        (ToolChoice::Required, json!({"mode": "ANY"})),
        (ToolChoice::Named("a".into()), json!({"mode": "ANY", "allowedFunctionNames": ["a"]})),
        (
            ToolChoice::Among { names: names.clone(), required: true },
            json!({"mode": "ANY", "allowedFunctionNames": ["a", "b"]}),
        ),
        (
            ToolChoice::Among { names, required: false },
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["a", "b"]}),
        ),
    ] {
        let conversation = asking(|it| {
            it.tools = vec![function("a", None)];
            it.tool_choice = Some(choice.clone());
        });
        check(&conversation, NEW, "/toolConfig/functionCallingConfig", expected);
    }
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        ..ToolCall::default()
    })
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult { id: id.into(), parts: vec![Part::text(text)], is_error: false, cache: None }
}

#[test]
fn roles_alternate_and_results_come_first_in_the_order_of_their_calls() {
    let turns = vec![
        turn(Role::User, vec![Part::text("a")]),
        turn(Role::User, vec![Part::text("b")]),
        turn(Role::Assistant, vec![Part::text("c")]),
        turn(Role::Assistant, vec![call("1", "f", "{\"x\":1}"), call("2", "g", "")]),
        turn(Role::User, vec![result("2", "two")]),
        turn(Role::User, vec![Part::text("and"), result("1", "{\"one\":1}")]),
    ];
    check_contents(
        turns,
        OLD,
        json!([
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [
                {"text": "c"},
                {"functionCall": {"id": "1", "name": "f", "args": {"x": 1}}},
                {"functionCall": {"id": "2", "name": "g", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "1", "name": "f", "response": {"one": 1}}},
                {"functionResponse": {"id": "2", "name": "g", "response": {"output": "two"}}},
                {"text": "and"},
            ]},
        ]),
    );
}

#[test]
fn ids_of_ours_are_left_out_and_what_is_no_object_is_wrapped() {
    let failed = Part::ToolResult {
        id: "gcall_h0".into(),
        parts: vec![Part::text("no")],
        is_error: true,
        cache: None,
    };
    let turns =
        vec![turn(Role::Assistant, vec![call("gcall_h0", "f", "[1]")]), turn(Role::User, vec![failed])];
    check_contents(
        turns,
        OLD,
        json!([
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"input": "[1]"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"error": "no"}}}]},
        ]),
    );
}

#[test]
fn pictures_of_a_result_stand_in_it_where_the_model_takes_that() {
    let png = Part::Image {
        source: Source::Base64 { media_type: "image/png".into(), data: "AA==".into() },
        detail: None,
        cache: None,
    };
    let url = Part::Image { source: Source::Url("https://x.com/a".into()), detail: None, cache: None };
    let turns = || {
        let parts = vec![Part::text("see"), png.clone(), url.clone()];
        let result = Part::ToolResult { id: "1".into(), parts, is_error: false, cache: None };
        vec![turn(Role::Assistant, vec![call("1", "f", "{}")]), turn(Role::User, vec![result])]
    };
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}});
    let file = json!({"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x.com/a"}});
    let said = json!({"output": "see"});
    let user = |model: &str| {
        let conversation = Conversation { turns: turns(), ..Conversation::default() };
        encoded(&conversation, model).0["contents"][1]["parts"].clone()
    };
    assert_eq!(
        user(OLD),
        json!([{"functionResponse": {"id": "1", "name": "f", "response": said}}, inline, file])
    );
    assert_eq!(
        user(NEW),
        json!([{"functionResponse": {"id": "1", "name": "f", "response": said, "parts": [inline]}}, file])
    );
}

#[test]
fn signatures_go_back_to_the_parts_that_they_were_on() {
    let seal = |value: &str| Some(Seal { dialect: Dialect::Gemini, is_redacted: false, value: value.into() });
    let thought =
        |text: &str, seal| Part::Thought(Thought { text: text.into(), is_summary: true, seal, id: None });
    let signed_call =
        Part::ToolCall(ToolCall { id: "1".into(), name: "f".into(), seal: seal("C"), ..ToolCall::default() });
    let parts = vec![
        thought("hm", None),
        thought("so", seal("T")),
        Part::text("a"),
        thought("", seal("A")),
        thought("", seal("B")),
        signed_call,
        call("2", "f", "{}"),
    ];
    check_contents(
        vec![turn(Role::Assistant, parts)],
        NEW,
        json!([{"role": "model", "parts": [
            {"text": "hm", "thought": true},
            {"text": "so", "thought": true, "thoughtSignature": "T"},
            {"text": "a", "thoughtSignature": "A"},
            {"text": "", "thoughtSignature": "B"},
            {"functionCall": {"id": "1", "name": "f", "args": {}}, "thoughtSignature": "C"},
            {"functionCall": {"id": "2", "name": "f", "args": {}}},
        ]}]),
    );
}

#[test]
fn gemini_3_is_told_to_skip_what_it_never_signed() {
    let turns = || vec![turn(Role::Assistant, vec![call("1", "f", "{}"), call("2", "f", "{}")])];
    for (model, expected) in [
        (OLD, None),
        (NEW, Some("skip_thought_signature_validator")),
        ("google/gemini-3-pro-preview", Some("skip_thought_signature_validator")),
    ] {
        let conversation = Conversation { turns: turns(), ..Conversation::default() };
        let parts = encoded(&conversation, model).0["contents"][0]["parts"].clone();
        assert_eq!(parts[0]["thoughtSignature"].as_str(), expected, "{model}");
        assert_eq!(parts[1].get("thoughtSignature"), None, "{model}");
    }
}

#[test]
fn a_system_prompt_alone_speaks_as_the_user() {
    let conversation = Conversation { system: vec![Part::text("hi")], ..Conversation::default() };
    let (body, _) = encoded(&conversation, OLD);
    assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}));
}

#[test]
fn what_has_no_word_is_met_as_the_table_says() {
    let foreign = Some(Seal { dialect: Dialect::Anthropic, is_redacted: false, value: "s".into() });
    let part = |part: Part| asking(|it| it.turns.push(turn(Role::Assistant, vec![part])));
    let tool = |kind: ToolKind| asking(|it| it.tools.push(Tool { kind, cache: None }));
    let strict =
        ToolKind::Function { name: "f".into(), description: None, parameters: None, strict: Some(true) };
    let own = |name: &str, value: Value| asking(|it| drop(it.own.insert(name.into(), value)));
    let search = ToolKind::WebSearch {
        context_size: Some("low".into()),
        max_uses: None,
        allowed_domains: vec![],
        blocked_domains: vec![],
        user_location: None,
    };
    let named = Part::Document { source: Source::Text("a".into()), name: Some("a.txt".into()), cache: None };
    let detailed = Part::Image {
        source: Source::Url("https://x/a.png".into()),
        detail: Some("high".into()),
        cache: None,
    };
    for (conversation, feature) in [
        (asking(|it| it.user = Some("u".into())), Feature::User),
        (asking(|it| it.verbosity = Some("low".into())), Feature::Verbosity),
        (asking(|it| it.service_tier = Some("flex".into())), Feature::ServiceTier),
        (asking(|it| it.prompt_cache_key = Some("k".into())), Feature::PromptCacheKey),
        (asking(|it| it.parallel_tool_calls = Some(false)), Feature::OneToolAtATime),
        (asking(|it| it.turns[0].name = Some("n".into())), Feature::SpeakerName),
        (asking(|it| it.turns.push(turn(Role::System, vec![Part::text("s")]))), Feature::LateSystem),
        (
            part(Part::Thought(Thought { seal: foreign.clone(), ..Thought::default() })),
            Feature::ForeignThought,
        ),
        (part(Part::Own { dialect: Dialect::Anthropic, json: json!({}) }), Feature::ServerToolHistory),
        (part(detailed), Feature::ImageDetail),
        (part(named), Feature::OwnField),
        (tool(strict), Feature::StrictTool),
        (tool(search), Feature::WebSearchDetails),
        (own("some_field", json!(1)), Feature::OwnField),
    ] {
        let mut losses = Losses::new(Dialect::Gemini);
        gemini::encode_request(&conversation, NEW, &mut losses).expect("a request");
        assert_eq!(losses.dropped().collect::<Vec<_>>(), [feature]);
    }
    let domains = ToolKind::WebSearch {
        context_size: None,
        max_uses: None,
        allowed_domains: vec!["x.com".into()],
        blocked_domains: vec![],
        user_location: None,
    };
    let grammar =
        ToolKind::Custom { name: "c".into(), description: None, format: Some(json!({"type": "grammar"})) };
    let file = Part::Image { source: Source::File("file-1".into()), detail: None, cache: None };
    for (conversation, param) in [
        (asking(|it| it.sampling.logit_bias = Some(json!({"1": 2}))), "logit_bias"),
        (own("previous_response_id", json!("r")), "previous_response_id"),
        (own("modalities", json!(["text", "audio"])), "modalities"),
        (tool(domains), "tools[0]"),
        (tool(grammar), "tools[0].format"),
        (tool(ToolKind::Own { dialect: Dialect::Responses, json: json!({}) }), "tools[0]"),
        (part(file), "messages[1]"),
        (part(result("unknown", "a")), "messages[1]"),
    ] {
        let error = gemini::encode_request(&conversation, NEW, &mut Losses::new(Dialect::Gemini));
        assert_eq!(error.expect_err(param).param.as_deref(), Some(param));
    }
}
