//! Requests: what each field and item becomes, and what becomes of each again.

use turnout::dialect::conversation::{Format, Sampling, Thinking, ThinkingMode, Tool, ToolChoice, ToolKind};

use super::*;

/// A request's fields, and the same written again: `None` where they are the same.
fn check(fields: Value, again: Option<Value>) {
    let mut body = fields.clone();
    body["model"] = "gpt-4.1".into();
    body["store"] = json!(false);
    let (mut written, lost) = encoded(&decoded(&body));
    assert_eq!(lost, [], "{fields}");
    for always in ["model", "store", "stream"] {
        written.as_object_mut().unwrap().remove(always);
    }
    let mut expected = again.unwrap_or(fields);
    if expected.get("input").is_none() {
        expected["input"] = json!([]);
    }
    assert_eq!(written, expected);
}

#[test]
fn fields_are_read_and_written() {
    for fields in [
        json!({"instructions": "Be brief."}),
        json!({"temperature": 0.5, "top_p": 1, "max_output_tokens": 100}),
        json!({"parallel_tool_calls": false, "user": "u-1", "prompt_cache_key": "k"}),
        json!({"text": {"format": {"type": "json_object"}, "verbosity": "low"}}),
        json!({"text": {"format": {"type": "json_schema", "name": "n", "description": "d", "strict": true,
                                   "schema": {"type": "object"}}}}),
        json!({"reasoning": {"effort": "low", "summary": "detailed", "context": "all_turns"},
               "include": ["reasoning.encrypted_content"]}),
        json!({"include": ["web_search_call.action.sources", "message.output_text.logprobs"], "top_logprobs": 3}),
        json!({"previous_response_id": "resp_1", "truncation": "auto", "background": true, "max_tool_calls": 2}),
        json!({"conversation": {"id": "conv_1"}, "prompt": {"id": "pmpt_1"}, "metadata": {"tier": "pro"}}),
        json!({"context_management": [{"type": "compaction", "compact_threshold": 1000}]}),
        json!({"tool_choice": "required"}),
        json!({"tool_choice": {"type": "mcp", "server_label": "s", "name": "n"}}),
    ] {
        check(fields, None);
    }
    for (fields, again) in [
        (json!({"safety_identifier": "s", "user": "u"}), json!({"user": "s"})),
        (json!({"text": {"format": {"type": "text"}}}), json!({})),
        (json!({"reasoning": {"generate_summary": "auto"}}), json!({"reasoning": {"summary": "auto"}})),
        // OpenAI takes no less than 16.
        (json!({"max_output_tokens": 1}), json!({"max_output_tokens": 16})),
        (json!({"temperature": null, "tools": null, "metadata": null}), json!({})),
        // Our own.
        (
            json!({"models": ["a"], "provider": {}, "extra_body": {}, "fallback": {}, "sort": "price"}),
            json!({}),
        ),
    ] {
        check(fields, Some(again));
    }
}

#[test]
fn stored_by_default_is_kept_apart_from_not_said() {
    for (said, written) in [(json!(null), true), (json!(true), true), (json!(false), false)] {
        let (body, _) = encoded(&decoded(&json!({"model": "m", "input": "Hi", "store": said})));
        assert_eq!(body["store"], written);
    }
    // A conversation from elsewhere is not stored.
    assert_eq!(encoded(&Conversation::default()).0["store"], false);
}

#[test]
fn items_are_read_and_written() {
    let message = |role: &str, content: Value| json!({"type": "message", "role": role, "content": content});
    for items in [
        json!([message(
            "user",
            json!([
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": "https://a.test/b.png", "detail": "low"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
                {"type": "input_file", "file_url": "https://a.test/b.pdf"},
                {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,SGk="},
            ])
        )]),
        json!([
            message("user", json!([{"type": "input_text", "text": "Hi"}])),
            message("developer", json!([{"type": "input_text", "text": "From now on…"}])),
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "e"},
            {"type": "reasoning", "summary": [], "encrypted_content": "f"},
            {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}], "encrypted_content": "g"},
            message("assistant", json!([
                {"type": "output_text", "text": "One", "annotations": []}, {"type": "refusal", "refusal": "No."}
            ])),
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\": 1}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "SELECT 1"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [
                {"type": "input_text", "text": "See"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
            ]},
            {"type": "function_call_output", "call_id": "c3", "output": "", "status": "incomplete"},
            message("user", json!([{"type": "input_text", "text": "Go on"}])),
        ]),
        // What only this dialect knows stays where it was.
        json!([
            {"type": "item_reference", "id": "msg_1"},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "a"}, "status": "completed"},
            {"type": "apply_patch_call_output", "call_id": "c", "status": "completed"},
            {"type": "mcp_approval_response", "approval_request_id": "r", "approve": true},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
            {"type": "compaction", "encrypted_content": "e"},
        ]),
    ] {
        let mut again = json!({"input": items});
        if again["input"].to_string().contains("encrypted_content\":\"f") {
            again["include"] = json!(["reasoning.encrypted_content"]);
        }
        check(json!({"input": items}), Some(again));
    }
}

#[test]
fn loose_forms_are_read_as_the_strict_ones() {
    let user = |content: Value| json!([{"type": "message", "role": "user", "content": content}]);
    let text = |text: &str| json!([{"type": "input_text", "text": text}]);
    for (items, again) in [
        (json!("Hi"), json!({"input": user(text("Hi"))})),
        (json!([{"role": "user", "content": "Hi"}]), json!({"input": user(text("Hi"))})),
        (
            json!([{"role": "developer", "content": "A"}, {"role": "system", "content": "B"}, {"role": "user", "content": "C"}]),
            json!({"instructions": "A", "input": [
                {"type": "message", "role": "developer", "content": text("B")},
                {"type": "message", "role": "user", "content": text("C")},
            ]}),
        ),
        (
            json!([{"role": "assistant", "content": "A"}, {"id": "msg_1", "type": "message", "status": "completed",
                    "role": "assistant", "content": [{"type": "output_text", "text": "B", "annotations": []}]}]),
            json!({"input": [{"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "A", "annotations": []}, {"type": "output_text", "text": "B", "annotations": []},
            ]}]}),
        ),
        (
            json!([{"role": "user", "content": [{"type": "input_image", "image_url": {"url": "https://a.test"}},
                                                {"type": "input_file", "filename": "a.csv", "file_data": "AAAA"}]}]),
            json!({"input": user(json!([{"type": "input_image", "image_url": "https://a.test"},
                {"type": "input_file", "filename": "a.csv", "file_data": "data:text/csv;base64,AAAA"}]))}),
        ),
    ] {
        check(json!({"input": items}), Some(again));
    }
}

#[test]
fn tools_are_read_and_written() {
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
                        "additionalProperties": false});
    for tool in [
        json!({"type": "function", "name": "f", "description": "d", "parameters": closed, "strict": true}),
        json!({"type": "function", "name": "f", "description": null, "parameters": {"type": "object"}, "strict": false}),
        json!({"type": "custom", "name": "g", "description": "d", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}),
        json!({"type": "web_search", "search_context_size": "low", "user_location": {"type": "approximate", "city": "Bern"},
               "filters": {"allowed_domains": ["a.test"], "blocked_domains": ["b.test"]}}),
        json!({"type": "mcp", "server_label": "s", "server_url": "https://a.test"}),
        json!({"type": "web_search", "external_web_access": false}),
    ] {
        check(json!({"tools": [tool]}), None);
    }
    let function = |parameters: &Value| json!({"type": "function", "name": "f", "description": null, "parameters": parameters});
    let with = |mut tool: Value, strict: bool| {
        tool["strict"] = strict.into();
        tool
    };
    for (tool, again) in [
        // The default is to keep to the schema where that can be kept to.
        (function(&closed), with(function(&closed), true)),
        (
            function(&json!({"type": "object", "properties": {"a": {}}})),
            with(function(&json!({"type": "object", "properties": {"a": {}}})), false),
        ),
        (
            function(
                &json!({"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"], "additionalProperties": false}),
            ),
            with(
                function(
                    &json!({"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"], "additionalProperties": false}),
                ),
                false,
            ),
        ),
        (
            json!({"type": "custom", "name": "g", "format": {"type": "text"}}),
            json!({"type": "custom", "name": "g"}),
        ),
        (json!({"type": "web_search_preview"}), json!({"type": "web_search"})),
    ] {
        check(json!({"tools": [tool]}), Some(json!({"tools": [again]})));
    }
}

#[test]
fn tools_are_chosen_by_name() {
    let tools = json!([
        {"type": "function", "name": "f", "description": null, "parameters": {"type": "object"}, "strict": false},
        {"type": "custom", "name": "g"}, {"type": "web_search"},
    ]);
    for choice in [
        json!("auto"),
        json!("none"),
        json!({"type": "function", "name": "f"}),
        json!({"type": "custom", "name": "g"}),
        json!({"type": "web_search"}),
        json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}]}),
        json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}),
        json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "s"}]}),
        json!({"type": "file_search"}),
    ] {
        check(json!({"tools": tools, "tool_choice": choice}), None);
    }
    let named = decoded(&json!({"input": "", "tool_choice": {"type": "web_search_preview"}}));
    assert_eq!(named.tool_choice, Some(ToolChoice::Named("web_search".to_owned())));
}

#[test]
fn faults_name_the_field() {
    for (body, path) in [
        (json!([]), ""),
        (json!({"input": 1}), "input"),
        (json!({"input": [1]}), "input[0]"),
        (json!({"input": [{}]}), "input[0].type"),
        (json!({"input": [{"role": "robot", "content": ""}]}), "input[0].role"),
        (json!({"input": [{"role": "user", "content": 1}]}), "input[0].content"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}),
            "input[0].content[0].type",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
            "input[0].content[0].image_url",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}),
            "input[0].content[0].file_data",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}),
            "input[0].content[0].text",
        ),
        (
            json!({"input": [{"role": "system", "content": [{"type": "refusal", "refusal": ""}]}]}),
            "input[0].content",
        ),
        (json!({"input": [{"type": "function_call", "name": "f"}]}), "input[0].call_id"),
        (json!({"input": [{"type": "function_call_output"}]}), "input[0].call_id"),
        (json!({"tools": {}}), "tools"),
        (json!({"tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"tool_choice": "maybe"}), "tool_choice"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"max_output_tokens": -1}), "max_output_tokens"),
        (json!({"text": {"format": {"type": "xml"}}}), "text.format.type"),
        (json!({"text": {"format": {"type": "json_schema"}}}), "text.format.schema"),
        (json!({"include": [1]}), "include"),
        (json!({"stream": "yes"}), "stream"),
    ] {
        let error = responses::decode_request(body.to_string().as_bytes()).expect_err("a fault");
        assert_eq!(error.param.as_deref(), Some(path), "{body}: {}", error.message);
    }
}

#[test]
fn state_that_the_provider_keeps_is_refused_elsewhere() {
    use turnout::dialect::loss;
    for (body, refused) in [
        (json!({"previous_response_id": "resp_1"}), Some("previous_response_id")),
        (json!({"conversation": "conv_1"}), Some("conversation")),
        (json!({"background": true}), Some("background")),
        (json!({"prompt": {"id": "p"}}), Some("prompt")),
        (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), Some("item_reference")),
        (json!({"input": [{"id": "msg_1"}]}), Some("item_reference")),
        // A thought of another dialect, which we named: it is kept nowhere.
        (json!({"input": [{"type": "item_reference", "id": "rs_turnout_abc_0"}]}), None),
        (
            json!({"previous_response_id": null, "background": false, "truncation": "disabled", "store": true,
                "include": ["reasoning.encrypted_content"], "metadata": {"a": "b"}}),
            None,
        ),
    ] {
        for target in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
            let mut losses = Losses::new(target);
            let met = loss::own_fields(&decoded(&body), &mut losses);
            assert_eq!(met.err().and_then(|error| error.param).as_deref(), refused, "{body}");
            assert_eq!(losses.note(), None, "{body}");
        }
    }
    let mut losses = Losses::new(Dialect::Anthropic);
    loss::own_fields(&decoded(&json!({"truncation": "auto"})), &mut losses).expect("dropped");
    assert_eq!(losses.dropped().collect::<Vec<_>>(), [Feature::OwnField]);
}

/// What is refused or dropped on its way into this dialect, by the table.
#[test]
fn what_has_no_word_is_met() {
    let sampling = |sampling: Sampling| Conversation { sampling, ..Conversation::default() };
    let one = || serde_json::Number::from(1);
    let user = |part: Part| of_turns(vec![turn(Role::User, vec![part])]);
    let said = |part: Part| of_turns(vec![turn(Role::Assistant, vec![part])]);
    let file = || Source::File("file_1".to_owned());
    let cache = || Some(Cache { ttl: None });
    let foreign = |json: Value| Part::Own { dialect: Dialect::Anthropic, json };
    let tool =
        |kind: ToolKind| Conversation { tools: vec![Tool { kind, cache: None }], ..Conversation::default() };
    let search = ToolKind::WebSearch {
        context_size: None,
        max_uses: Some(3),
        allowed_domains: vec![],
        blocked_domains: vec![],
        user_location: None,
    };
    let mut named = user(Part::text("Hi"));
    named.turns[0].name = Some("Ada".to_owned());
    let mut own = Conversation::default();
    own.own.insert("container".to_owned(), "c".into());
    let cited = Part::Text { text: "T".to_owned(), citations: vec![Citation::default()], cache: None };
    let call = |seal: Option<Seal>| {
        Part::ToolCall(ToolCall { id: "c".to_owned(), name: "f".to_owned(), seal, ..ToolCall::default() })
    };
    let thought =
        |seal: Option<Seal>| Part::Thought(Thought { text: "Hm".to_owned(), seal, ..Thought::default() });
    let thinking = |thinking: Thinking| Conversation { thinking: Some(thinking), ..Conversation::default() };
    for (conversation, feature) in [
        (sampling(Sampling { top_k: Some(one()), ..Sampling::default() }), Feature::TopK),
        (sampling(Sampling { presence_penalty: Some(one()), ..Sampling::default() }), Feature::Penalties),
        (sampling(Sampling { frequency_penalty: Some(one()), ..Sampling::default() }), Feature::Penalties),
        (sampling(Sampling { seed: Some(one()), ..Sampling::default() }), Feature::Seed),
        (sampling(Sampling { stop: vec!["x".to_owned()], ..Sampling::default() }), Feature::StopSequences),
        (sampling(Sampling { logit_bias: Some(json!({})), ..Sampling::default() }), Feature::LogitBias),
        (Conversation { n: Some(2), ..Conversation::default() }, Feature::SeveralAnswers),
        (
            Conversation { service_tier: Some("flex".to_owned()), ..Conversation::default() },
            Feature::ServiceTier,
        ),
        (user(Part::Audio { format: "wav".to_owned(), data: String::new() }), Feature::Audio),
        (user(Part::Image { source: file(), detail: None, cache: None }), Feature::UploadedFile),
        (user(Part::Document { source: file(), name: None, cache: None }), Feature::UploadedFile),
        (user(Part::Text { text: "T".to_owned(), citations: vec![], cache: cache() }), Feature::CacheControl),
        (
            user(Part::ToolResult { id: "c".to_owned(), parts: vec![], is_error: false, cache: cache() }),
            Feature::CacheControl,
        ),
        (user(foreign(json!({}))), Feature::ServerToolHistory),
        (said(foreign(json!({}))), Feature::ServerToolHistory),
        (
            said(Part::Image { source: Source::Url("https://a.test".to_owned()), detail: None, cache: None }),
            Feature::ServerToolHistory,
        ),
        (said(cited), Feature::Citations),
        (said(thought(None)), Feature::ForeignThought),
        (said(thought(Some(seal(Dialect::Anthropic, "s")))), Feature::ForeignThought),
        (said(call(Some(seal(Dialect::Gemini, "s")))), Feature::ForeignThought),
        (named, Feature::SpeakerName),
        (own, Feature::OwnField),
        (tool(search), Feature::WebSearchDetails),
        (tool(ToolKind::Own { dialect: Dialect::Gemini, json: json!({}) }), Feature::OtherServerTool),
        (thinking(Thinking { budget: Some(5000), ..Thinking::default() }), Feature::ThinkingBudget),
        (
            thinking(Thinking { mode: Some(ThinkingMode::Off), ..Thinking::default() }),
            Feature::ThinkingBudget,
        ),
    ] {
        let row = turnout::dialect::loss::TABLE.iter().find(|row| row.feature == feature).expect("a row");
        let mut losses = Losses::new(Dialect::Responses);
        let written = responses::encode_request(&conversation, "m", &mut losses);
        match row.fate(Dialect::Responses) {
            turnout::dialect::loss::Fate::Dropped => {
                written.expect("a body");
                assert_eq!(losses.dropped().collect::<Vec<_>>(), [feature], "{conversation:?}");
            }
            _ => assert!(written.is_err_and(|error| error.param.is_some()), "{conversation:?}"),
        }
    }
}

#[test]
fn state_that_another_provider_keeps_is_refused() {
    let mut conversation = Conversation::default();
    conversation.own.insert("cachedContent".to_owned(), "cachedContents/1".into());
    let written = responses::encode_request(&conversation, "m", &mut Losses::new(Dialect::Responses));
    assert_eq!(written.expect_err("a refusal").param.as_deref(), Some("cachedContent"));
}

#[test]
fn thinking_is_said_in_words() {
    let thinking = |mode, effort: Option<&str>, budget, shown: Option<&str>| Thinking {
        mode,
        effort: effort.map(str::to_owned),
        budget,
        shown: shown.map(str::to_owned),
    };
    for (thinking, written) in [
        (
            thinking(None, Some("xhigh"), None, Some("concise")),
            json!({"effort": "xhigh", "summary": "concise"}),
        ),
        (thinking(Some(ThinkingMode::On), None, Some(1024), None), json!({"effort": "low"})),
        (
            thinking(Some(ThinkingMode::On), None, Some(8192), Some("summarized")),
            json!({"effort": "medium", "summary": "auto"}),
        ),
        (thinking(Some(ThinkingMode::On), None, Some(32_000), Some("omitted")), json!({"effort": "high"})),
        (thinking(Some(ThinkingMode::Adaptive), Some("max"), None, None), json!({"effort": "max"})),
        (thinking(Some(ThinkingMode::Off), None, None, None), Value::Null),
        (thinking(Some(ThinkingMode::Off), Some("none"), None, None), json!({"effort": "none"})),
    ] {
        let (body, _) = encoded(&Conversation { thinking: Some(thinking), ..Conversation::default() });
        assert_eq!(body["reasoning"], written);
    }
}

#[test]
fn thoughts_are_asked_for_where_there_may_be_any() {
    let wants = |conversation: &Conversation, model: &str| {
        let mut losses = Losses::new(Dialect::Responses);
        let body = responses::encode_request(conversation, model, &mut losses).expect("a body");
        serde_json::from_slice::<Value>(&body).unwrap()["include"] == json!(["reasoning.encrypted_content"])
    };
    for (model, expected) in [
        ("o3-mini", true),
        ("gpt-5.2", true),
        ("openai/gpt-5", true),
        ("gpt-5-chat-latest", false),
        ("gpt-4.1", false),
    ] {
        assert_eq!(wants(&Conversation::default(), model), expected, "{model}");
    }
    let thinks = Thinking { effort: Some("low".to_owned()), ..Thinking::default() };
    assert!(wants(&Conversation { thinking: Some(thinks), ..Conversation::default() }, "grok-4"));
}

#[test]
fn ids_that_are_too_long_are_hashed_alike_everywhere() {
    let id = "c".repeat(65);
    let call = ToolCall { id: id.clone(), name: "f".to_owned(), ..ToolCall::default() };
    let result = Part::ToolResult { id, parts: vec![], is_error: false, cache: None };
    let mut conversation =
        of_turns(vec![turn(Role::Assistant, vec![Part::ToolCall(call)]), turn(Role::User, vec![result])]);
    conversation.user = Some("u".repeat(200));
    let (body, _) = encoded(&conversation);
    assert_eq!(body["input"][0]["call_id"], body["input"][1]["call_id"]);
    assert_eq!(body["input"][0]["call_id"].as_str().map(str::len), Some(64));
    assert_eq!(body["user"].as_str().map(str::len), Some(64));
}

#[test]
fn a_schema_without_a_name_gets_one() {
    let format = Format::JsonSchema { name: None, description: None, schema: json!({}), strict: None };
    let (body, _) = encoded(&Conversation { format: Some(format), ..Conversation::default() });
    assert_eq!(body["text"], json!({"format": {"type": "json_schema", "name": "answer", "schema": {}}}));
}

/// A thought of another dialect that a caller of this one was given comes back as it was.
#[test]
fn foreign_seals_come_back() {
    for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
        let made = seal(dialect, "sig.1");
        let items = json!([{"type": "reasoning", "id": "rs_turnout_a_0", "summary": [{"type": "summary_text", "text": "Hm"}],
                            "encrypted_content": made.wrapped(Dialect::Responses)}]);
        let read = decoded(&json!({"input": items}));
        let Part::Thought(thought) = &read.turns[0].parts[0] else { panic!("{read:?}") };
        assert_eq!((thought.text.as_str(), &thought.seal), ("Hm", &Some(made)));
    }
}
