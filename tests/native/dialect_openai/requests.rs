//! Requests: each field as it is read, and as it is written again.

use serde_json::{Map, Value, json};
use turnout::dialect::conversation::{
    Cache, Conversation, Format, Part, Role, Source, Thinking, ThinkingMode, Tool, ToolCall, ToolChoice,
    ToolKind, Turn,
};
use turnout::dialect::loss::Losses;
use turnout::dialect::{Dialect, openai};

use super::{decode, encode};

fn with(fields: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    body
}

fn messages(messages: Value) -> Conversation {
    decode(&json!({"model": "m", "messages": messages}))
}

/// What is written of a request that has `fields` beside model and messages.
fn rewritten(fields: Value, model: &str) -> (Map<String, Value>, String) {
    let (body, note) = encode(&decode(&with(fields)), model);
    let Value::Object(mut body) = body else { panic!("{body}") };
    assert_eq!(body.remove("model"), Some(model.into()));
    assert_eq!(body.remove("messages"), Some(json!([{"role": "user", "content": "hi"}])));
    (body, note)
}

/// `fields` are written as `expected` for a model of OpenAI's.
fn check(fields: Value, expected: Value) {
    let (body, note) = rewritten(fields.clone(), "gpt-5.2");
    assert_eq!((Value::Object(body), note.as_str()), (expected, ""), "{fields}");
}

#[test]
fn fields_that_are_common_pass() {
    for fields in [
        json!({}),
        json!({"temperature": 0.5, "top_p": 0.25, "frequency_penalty": 1, "presence_penalty": -1.5, "seed": 7}),
        json!({"stop": ["a", "b"]}),
        json!({"logprobs": true, "top_logprobs": 3}),
        json!({"logprobs": true}),
        json!({"logit_bias": {"50256": -100}}),
        json!({"n": 2, "user": "u", "verbosity": "low", "prompt_cache_key": "k"}),
        json!({"max_completion_tokens": 9}),
        json!({"reasoning_effort": "minimal"}),
        json!({"response_format": {"type": "json_object"}}),
        json!({"response_format": {"type": "json_schema", "json_schema": {
            "name": "n", "description": "d", "schema": {"type": "object"}, "strict": true}}}),
        json!({"tools": [{"type": "function", "function": {
            "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}}],
            "tool_choice": "required", "parallel_tool_calls": false}),
        json!({"tools": [{"type": "custom", "custom": {"name": "c", "description": "d",
            "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: \"a\""}}}}],
            "tool_choice": {"type": "custom", "custom": {"name": "c"}}}),
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}], "tool_choice": {
            "type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}}}),
        json!({"web_search_options": {"search_context_size": "low", "user_location": {
            "type": "approximate", "approximate": {"city": "Bern", "country": "CH"}}}}),
        json!({"modalities": ["text", "audio"], "audio": {"voice": "ash", "format": "wav"}}),
        json!({"prediction": {"type": "content", "content": "x"}}),
    ] {
        check(fields.clone(), fields);
    }
}

#[test]
fn other_spellings_are_read() {
    check(json!({"max_tokens": 9}), json!({"max_completion_tokens": 9}));
    check(json!({"max_tokens": 9, "max_completion_tokens": 10.0}), json!({"max_completion_tokens": 10}));
    check(json!({"safety_identifier": "s"}), json!({"user": "s"}));
    check(json!({"safety_identifier": "s", "user": "u"}), json!({"user": "u"}));
    check(json!({"stop": "a"}), json!({"stop": ["a"]}));
    check(json!({"top_logprobs": 3, "logprobs": false}), json!({}));
    check(
        json!({"response_format": {"type": "text"}, "temperature": null, "stream": false, "store": false}),
        json!({}),
    );
    check(json!({"tool_choice": "none", "parallel_tool_calls": true}), json!({}));
    check(json!({"reasoning": {"effort": "high"}}), json!({"reasoning_effort": "high"}));
    check(json!({"reasoning": {"enabled": false}}), json!({"reasoning_effort": "none"}));
    check(json!({"thinking": {"type": "disabled"}}), json!({"reasoning_effort": "none"}));
    check(
        json!({"functions": [{"name": "f", "parameters": {"type": "object"}}], "function_call": {"name": "f"}}),
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}}}),
    );
    check(
        json!({"tools": [{"function": {"name": "f"}}], "tool_choice": "any"}),
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
            "tool_choice": "required"}),
    );
}

#[test]
fn ours_is_skipped_and_a_streams_usage_is_always_asked_for() {
    let ours = json!({"extra_body": {"a": 1}, "models": ["x"], "fallback": {}, "ignore": [], "sort": "price",
        "provider": {}, "prompt_variables": {}, "metadata": {"tier": "gold"}});
    check(ours, json!({}));
    let stream =
        json!({"stream": true, "stream_options": {"include_usage": false, "include_obfuscation": true}});
    check(stream, json!({"stream": true, "stream_options": {"include_usage": true}}));
}

#[test]
fn what_is_lost_is_noted() {
    for (fields, noted) in [
        (json!({"top_k": 5}), "`top_k`"),
        (json!({"service_tier": "flex"}), "`service_tier`"),
        (json!({"reasoning": {"max_tokens": 5000}}), "a budget of thought in tokens"),
        (json!({"reasoning": {"exclude": true}}), "how thoughts are shown"),
        (json!({"prompt_cache_retention": "24h"}), "a field of the caller's own dialect"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]}),
            "`cache_control`",
        ),
    ] {
        let (_, note) = rewritten(fields.clone(), "gpt-5.2");
        assert_eq!(note, format!("not sent to openai: {noted}"), "{fields}");
    }
}

#[test]
fn what_would_spoil_the_answer_is_refused() {
    let part = |part: Part| Conversation {
        turns: vec![Turn { role: Role::User, name: None, parts: vec![part] }],
        ..Conversation::default()
    };
    let tool =
        |kind: ToolKind| Conversation { tools: vec![Tool { kind, cache: None }], ..Conversation::default() };
    let document = |source| Part::Document { source, name: None, cache: None };
    let search = |domains: &[&str]| ToolKind::WebSearch {
        context_size: None,
        max_uses: None,
        allowed_domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
        blocked_domains: Vec::new(),
        user_location: None,
    };
    let own = |name: &str| Conversation {
        own: Map::from_iter([(name.to_owned(), json!("x"))]),
        ..Conversation::default()
    };
    for (conversation, path) in [
        (part(document(Source::Url("https://a/b.pdf".to_owned()))), "messages[0]"),
        (part(document(Source::File("file-1".to_owned()))), "messages[0]"),
        (
            part(Part::Image { source: Source::File("f".to_owned()), detail: None, cache: None }),
            "messages[0]",
        ),
        (tool(search(&["a.example"])), "tools[0]"),
        (tool(ToolKind::Own { dialect: Dialect::Gemini, json: json!({}) }), "tools[0]"),
        (own("previous_response_id"), "previous_response_id"),
    ] {
        let mut losses = Losses::new(Dialect::OpenAi);
        let error = openai::encode_request(&conversation, "gpt-5", &mut losses).expect_err(path);
        assert_eq!(error.param.as_deref(), Some(path), "{}", error.message);
    }
}

#[test]
fn a_bad_field_is_named() {
    for (fields, path) in [
        (json!({"messages": "hi"}), "messages"),
        (json!({"messages": null}), "messages"),
        (json!({"messages": [{"content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "robot", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user", "content": 5}]}), "messages[0].content"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}),
            "messages[0].content[0].type",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
            "messages[0].content[0].image_url",
        ),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}),
            "messages[0].tool_calls[0].function",
        ),
        (json!({"stream": "yes"}), "stream"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"stop": [1]}), "stop[0]"),
        (json!({"tools": [{"type": "function"}]}), "tools[0].function"),
        (json!({"tool_choice": "maybe"}), "tool_choice"),
        (json!({"tool_choice": {"type": "function"}}), "tool_choice.function"),
        (json!({"response_format": {"type": "xml"}}), "response_format.type"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}),
            "response_format.json_schema.schema",
        ),
    ] {
        let error = openai::decode_request(with(fields).to_string().as_bytes()).expect_err(path);
        assert_eq!(error.param.as_deref(), Some(path), "{}", error.message);
    }
    openai::decode_request(b"[]").expect_err("no object");
}

#[test]
fn who_is_not_openai_gets_the_words_that_others_know() {
    let tools = json!([
        {"type": "function", "function": {"name": "f", "parameters": {}}},
        {"type": "custom", "custom": {"name": "c", "description": "d"}},
        {"type": "function", "function": {"name": "g", "parameters": {}}},
    ]);
    let among = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
        {"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}]}});
    for model in ["kimi-k2", "openai/gpt-oss-120b", "mistral-large-latest", "ollama", "o-model"] {
        let (body, note) =
            rewritten(json!({"max_completion_tokens": 9, "tools": tools, "tool_choice": among}), model);
        assert_eq!((&body["max_tokens"], note.as_str()), (&json!(9), ""), "{model}");
        assert_eq!(body["tool_choice"], "auto");
        let names: Vec<&Value> =
            body["tools"].as_array().expect("tools").iter().map(|tool| &tool["function"]["name"]).collect();
        assert_eq!(names, ["f", "c"]);
        assert_eq!(body["tools"][1]["function"]["parameters"]["required"], json!(["input"]));
    }
    for model in ["gpt-4o", "o3", "openai/gpt-5", "ft:gpt-4.1:me", "chatgpt-4o-latest"] {
        let (body, _) = rewritten(json!({"max_tokens": 9, "tools": tools}), model);
        assert_eq!(
            (&body["max_completion_tokens"], &body["tools"][1]["type"]),
            (&json!(9), &json!("custom")),
            "{model}"
        );
    }
}

#[test]
fn an_effort_stands_in_for_a_budget() {
    let written = |thinking: Thinking, model: &str| {
        let conversation = Conversation { thinking: Some(thinking), ..Conversation::default() };
        encode(&conversation, model).0.get("reasoning_effort").cloned().unwrap_or_default()
    };
    let budget =
        |budget| Thinking { mode: Some(ThinkingMode::On), budget: Some(budget), ..Thinking::default() };
    let mode = |mode| Thinking { mode: Some(mode), ..Thinking::default() };
    for (thinking, effort) in [
        (budget(1024), json!("low")),
        (budget(10_000), json!("medium")),
        (budget(31_999), json!("high")),
        (mode(ThinkingMode::On), json!("medium")),
        (mode(ThinkingMode::Adaptive), Value::Null),
        (mode(ThinkingMode::Off), json!("none")),
    ] {
        assert_eq!(written(thinking.clone(), "gpt-5.2"), effort, "{thinking:?}");
    }
    assert_eq!(
        written(mode(ThinkingMode::Off), "gpt-4.1"),
        Value::Null,
        "it never thinks, and refuses the word"
    );
}

#[test]
fn prompts_at_the_beginning_are_the_system_prompt() {
    let conversation = messages(json!([
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"role": "user", "content": "c", "name": "ann"},
        {"role": "system", "content": "d"},
    ]));
    let cached = Part::Text {
        text: "b".to_owned(),
        citations: Vec::new(),
        cache: Some(Cache { ttl: Some("1h".to_owned()) }),
    };
    assert_eq!(conversation.system, [Part::text("a"), cached]);
    let turn = |role, name: Option<&str>, text: &str| Turn {
        role,
        name: name.map(str::to_owned),
        parts: vec![Part::text(text)],
    };
    assert_eq!(conversation.turns, [turn(Role::User, Some("ann"), "c"), turn(Role::System, None, "d")]);
    let (body, note) = encode(&conversation, "m");
    assert_eq!(note, "not sent to openai: `cache_control`");
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "a\n\nb"},
            {"role": "user", "content": "c", "name": "ann"},
            {"role": "system", "content": "d"},
        ])
    );
    // An example under a name is a turn.
    let named = messages(json!([{"role": "system", "name": "example_user", "content": "x"}]));
    assert_eq!(named.turns, [turn(Role::System, Some("example_user"), "x")]);
}

#[test]
fn media_are_read_and_written() {
    let pdf = "data:application/pdf;base64,AAAA";
    let content = json!([
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": pdf}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]);
    let conversation = messages(json!([{"role": "user", "content": content}]));
    let base64 =
        |media_type: &str| Source::Base64 { media_type: media_type.to_owned(), data: "AAAA".to_owned() };
    assert_eq!(
        conversation.turns[0].parts,
        [
            Part::text("look"),
            Part::Image {
                source: Source::Url("https://a/b.png".to_owned()),
                detail: Some("low".to_owned()),
                cache: None
            },
            Part::Image { source: base64("image/png"), detail: None, cache: None },
            Part::Document { source: base64("application/pdf"), name: Some("a.pdf".to_owned()), cache: None },
            Part::Audio { format: "wav".to_owned(), data: "AAAA".to_owned() },
        ]
    );
    let (body, note) = encode(&conversation, "m");
    assert_eq!((&body["messages"][0]["content"], note.as_str()), (&content, ""));

    for (part, source) in [
        (json!({"type": "image_url", "image_url": "https://a"}), Source::Url("https://a".to_owned())),
        (
            json!({"type": "image_url", "image_url": {"url": "data:image/svg+xml,%3Csvg/%3E"}}),
            Source::Base64 { media_type: "image/svg+xml".to_owned(), data: "PHN2Zy8+".to_owned() },
        ),
        (json!({"type": "file", "file": {"file_id": "f"}}), Source::File("f".to_owned())),
        (json!({"type": "file", "file": {"file_data": "AAAA", "filename": "x.txt"}}), base64("text/plain")),
        (json!({"type": "document_url", "document_url": "https://d"}), Source::Url("https://d".to_owned())),
    ] {
        let read = messages(json!([{"role": "user", "content": [part]}]));
        let (Part::Image { source: found, .. } | Part::Document { source: found, .. }) =
            &read.turns[0].parts[0]
        else {
            panic!("{read:?}")
        };
        assert_eq!(*found, source, "{part}");
    }
}

#[test]
fn a_document_of_text_is_written_as_text() {
    let text = Source::Base64 { media_type: "text/plain".to_owned(), data: "aGk=".to_owned() };
    for source in [text, Source::Text("hi".to_owned())] {
        let document = Part::Document { source, name: Some("note".to_owned()), cache: None };
        let turn = Turn { role: Role::User, name: None, parts: vec![document, Part::text("?")] };
        let (body, _) = encode(&Conversation { turns: vec![turn], ..Conversation::default() }, "m");
        assert_eq!(body["messages"][0]["content"], "note\n\nhi\n\n?");
    }
}

#[test]
fn calls_and_their_results_pass() {
    let written = json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "so", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
            {"id": "b", "type": "custom", "custom": {"name": "c", "input": "free"}},
        ]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": "on"},
        {"role": "assistant", "content": null, "refusal": "no"},
    ]);
    let conversation = messages(written.clone());
    let roles: Vec<Role> = conversation.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::User, Role::Assistant]);
    let call = |id: &str, name: &str, arguments: &str, is_custom| {
        let [id, name, arguments] = [id, name, arguments].map(str::to_owned);
        Part::ToolCall(ToolCall { id, name, arguments, is_custom, seal: None })
    };
    assert_eq!(
        conversation.turns[1].parts,
        [Part::text("so"), call("a", "f", "{\"x\":1}", false), call("b", "c", "free", true)]
    );
    let result = |id: &str, text: &str| Part::ToolResult {
        id: id.to_owned(),
        parts: vec![Part::text(text)],
        is_error: false,
        cache: None,
    };
    assert_eq!(conversation.turns[2].parts, [result("a", "1"), result("b", "2")], "one turn");
    assert_eq!(conversation.turns[4].parts, [Part::Refusal("no".to_owned())]);
    assert_eq!(encode(&conversation, "gpt-5").0["messages"], written);

    // Who has functions alone is called with JSON.
    let (body, _) = encode(&conversation, "kimi-k2");
    let custom = &body["messages"][1]["tool_calls"][1];
    assert_eq!(
        *custom,
        json!({"id": "b", "type": "function", "function": {"name": "c", "arguments": "{\"input\":\"free\"}"}})
    );
}

#[test]
fn legacy_calls_get_an_id_that_their_result_names() {
    let conversation = messages(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": ""}},
        {"role": "function", "name": "f", "content": "1"},
    ]));
    assert_eq!(
        encode(&conversation, "m").0["messages"],
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1_0", "content": "1"},
        ])
    );
}

#[test]
fn what_a_tools_message_cannot_hold_follows_in_one_of_the_users() {
    let image = Part::Image { source: Source::Url("https://a/b.png".to_owned()), detail: None, cache: None };
    let result = |id: &str, parts: Vec<Part>, is_error| Part::ToolResult {
        id: id.to_owned(),
        parts,
        is_error,
        cache: None,
    };
    let call = |id: &str| {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            ..ToolCall::default()
        })
    };
    let turn = |role, parts| Turn { role, name: None, parts };
    let turns = vec![
        // Turns that follow one another are one message, so that results follow the calls.
        turn(Role::Assistant, vec![Part::text("a"), call("1")]),
        turn(Role::Assistant, vec![Part::text("b"), call("2"), call("3")]),
        turn(Role::User, vec![result("1", vec![image], false)]),
        turn(
            Role::User,
            vec![
                result("2", vec![Part::text("x"), Part::text("y")], false),
                result("3", vec![Part::text("z")], true),
                Part::text("go on"),
            ],
        ),
    ];
    let (body, note) = encode(&Conversation { turns, ..Conversation::default() }, "m");
    let function =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    assert_eq!(note, "");
    assert_eq!(
        body["messages"],
        json!([
            {"role": "assistant", "content": "a\n\nb", "tool_calls": [function("1"), function("2"), function("3")]},
            {"role": "tool", "tool_call_id": "1", "content": "The result is in the user's next message."},
            {"role": "tool", "tool_call_id": "2", "content": "x\n\ny"},
            {"role": "tool", "tool_call_id": "3", "content": "Error: z"},
            {"role": "user", "content": [
                {"type": "text", "text": "From the result of tool call `1`:"},
                {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
                {"type": "text", "text": "go on"},
            ]},
        ])
    );
}

#[test]
fn the_form_of_an_answer_gets_a_name() {
    let format = Format::JsonSchema { name: None, description: None, schema: json!({}), strict: None };
    let (body, _) = encode(&Conversation { format: Some(format), ..Conversation::default() }, "m");
    assert_eq!(
        body["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": {}}})
    );
}

#[test]
fn choices_of_tools_are_read() {
    let tools =
        json!([{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}]);
    for (choice, expected) in [
        (json!("auto"), ToolChoice::Auto),
        (json!("none"), ToolChoice::None),
        (json!("required"), ToolChoice::Required),
        (json!({"type": "function", "function": {"name": "f"}}), ToolChoice::Named("f".to_owned())),
        (json!({"type": "custom", "custom": {"name": "c"}}), ToolChoice::Named("c".to_owned())),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools}}),
            ToolChoice::Among { names: vec!["f".to_owned(), "c".to_owned()], required: false },
        ),
    ] {
        let read = decode(&with(json!({"tools": tools, "tool_choice": choice})));
        assert_eq!(read.tool_choice, Some(expected), "{choice}");
        assert_eq!(encode(&read, "gpt-5").0["tool_choice"], choice);
    }
}
