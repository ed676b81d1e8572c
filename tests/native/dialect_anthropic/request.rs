//! Requests: each field both ways, what a model takes, and that what is written is never refused for its form.

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::dialect::Dialect;
use turnout::dialect::anthropic::{decode_request, encode_request};
use turnout::dialect::conversation::{
    Cache, Citation, Conversation, Format, Part, Role, Sampling, Seal, Source, Thinking, ThinkingMode,
    Thought, Tool, ToolCall, ToolChoice, ToolKind, Turn,
};
use turnout::dialect::loss::{Feature, Losses};

use super::valid;

/// A model that takes all that is current.
const MODEL: &str = "claude-opus-5";

fn read(fields: Value) -> Conversation {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": []});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    decode_request(body.to_string().as_bytes()).unwrap()
}

fn encode(conversation: &Conversation, model: &str) -> Result<(Value, Vec<Feature>), String> {
    let mut losses = Losses::new(Dialect::Anthropic);
    let body = encode_request(conversation, model, &mut losses).map_err(|error| error.message)?;
    let request = serde_json::from_slice(&body).unwrap();
    valid::check(&request);
    Ok((request, losses.dropped().collect()))
}

fn written(conversation: &Conversation) -> Value {
    encode(conversation, MODEL).unwrap().0
}

fn user(parts: Vec<Part>) -> Turn {
    Turn { role: Role::User, name: None, parts }
}

fn assistant(parts: Vec<Part>) -> Turn {
    Turn { role: Role::Assistant, name: None, parts }
}

fn said(turns: Vec<Turn>) -> Conversation {
    Conversation { turns, ..Conversation::default() }
}

fn hello() -> Conversation {
    said(vec![user(vec![Part::text("Hi")])])
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
    Part::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult { id: id.into(), parts, is_error: false, cache: None }
}

fn function(name: &str) -> Tool {
    let kind = ToolKind::Function { name: name.into(), description: None, parameters: None, strict: None };
    Tool { kind, cache: None }
}

/// Fields that are written as they were read.
#[test]
fn each_field_is_read_and_written() {
    let long = || Some(Cache { ttl: Some("1h".into()) });
    type Set = fn(&mut Conversation);
    let cases: Vec<(Value, Set)> = vec![
        (json!({"stream": true}), |c| c.stream = true),
        (json!({"stop_sequences": ["##"]}), |c| c.sampling.stop = vec!["##".into()]),
        (json!({"metadata": {"user_id": "u"}}), |c| c.user = Some("u".into())),
        (json!({"system": "Be brief."}), |c| c.system = vec![Part::text("Be brief.")]),
        (
            json!({"system": [
                {"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "B"},
            ]}),
            |c| {
                let cache = Some(Cache { ttl: None });
                c.system = vec![Part::Text { text: "A".into(), citations: vec![], cache }, Part::text("B")];
            },
        ),
        (json!({"thinking": {"type": "disabled"}}), |c| {
            c.thinking = Some(Thinking { mode: Some(ThinkingMode::Off), ..Thinking::default() });
        }),
        (
            json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "xhigh"}}),
            |c| {
                c.thinking = Some(Thinking {
                    mode: Some(ThinkingMode::Adaptive),
                    effort: Some("xhigh".into()),
                    budget: None,
                    shown: Some("summarized".into()),
                });
            },
        ),
        (
            json!({"output_config": {"format": {
                "type": "json_schema",
                "schema": {"type": "object", "properties": {}, "additionalProperties": false},
            }}}),
            |c| {
                let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
                let (name, description) = (None, None);
                c.format = Some(Format::JsonSchema { name, description, schema, strict: Some(true) });
            },
        ),
    ];
    for (fields, set) in cases {
        let mut conversation = Conversation { model: "m".into(), max_tokens: Some(9), ..hello() };
        set(&mut conversation);
        let mut with_hello = json!({"messages": [{"role": "user", "content": "Hi"}]});
        with_hello.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(read(with_hello.clone()), conversation);
        with_hello["model"] = MODEL.into();
        with_hello["max_tokens"] = 9.into();
        assert_eq!(written(&conversation), with_hello);
    }
    assert_eq!(
        read(json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "A", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ]}]}))
        .turns[0]
            .parts,
        [Part::Text { text: "A".into(), citations: vec![], cache: long() }]
    );
}

#[test]
fn each_block_is_read_and_written() {
    let base64 = |media_type: &str| Source::Base64 { media_type: media_type.into(), data: "aGk=".into() };
    let own = |json: &Value| Part::Own { dialect: Dialect::Anthropic, json: json.clone() };
    let image = |source| Part::Image { source, detail: None, cache: None };
    let document =
        |source, name: Option<&str>| Part::Document { source, name: name.map(str::to_owned), cache: None };
    let thought = |text: &str, is_redacted| {
        Part::Thought(Thought {
            text: text.into(),
            is_summary: true,
            seal: Some(Seal { dialect: Dialect::Anthropic, is_redacted, value: "sig".into() }),
            id: None,
        })
    };
    let citation = json!({
        "type": "char_location", "cited_text": "c", "document_index": 0, "document_title": "T",
        "start_char_index": 0, "end_char_index": 1,
    });
    let cited = Citation {
        title: Some("T".into()),
        cited_text: Some("c".into()),
        own: Some((Dialect::Anthropic, citation.clone())),
        ..Citation::default()
    };
    let server = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}});
    let upload = json!({"type": "container_upload", "file_id": "f"});
    let failed = Part::ToolResult { id: "t".into(), parts: vec![], is_error: true, cache: None };
    let users = vec![
        (json!({"type": "image", "source": {"type": "url", "url": "https://a.example/a.png"}}), {
            image(Source::Url("https://a.example/a.png".into()))
        }),
        (
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}),
            image(base64("image/png")),
        ),
        (
            json!({"type": "document", "source": {"type": "url", "url": "https://a.example/a.pdf"}, "title": "A"}),
            document(Source::Url("https://a.example/a.pdf".into()), Some("A")),
        ),
        (
            json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}),
            document(base64("application/pdf"), None),
        ),
        (
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}),
            document(Source::Text("hi".into()), None),
        ),
        (
            json!({"type": "tool_result", "tool_use_id": "t", "content": "4"}),
            result("t", vec![Part::text("4")]),
        ),
        (
            json!({"type": "tool_result", "tool_use_id": "t", "content": [
                {"type": "text", "text": "4"},
                {"type": "image", "source": {"type": "url", "url": "u"}},
            ]}),
            result("t", vec![Part::text("4"), image(Source::Url("u".into()))]),
        ),
        (json!({"type": "tool_result", "tool_use_id": "t", "is_error": true}), failed),
        (upload.clone(), own(&upload)),
    ];
    let assistants = vec![
        (
            json!({"type": "text", "text": "c", "citations": [citation]}),
            Part::Text { text: "c".into(), citations: vec![cited], cache: None },
        ),
        (json!({"type": "thinking", "thinking": "Hm", "signature": "sig"}), thought("Hm", false)),
        (json!({"type": "redacted_thinking", "data": "sig"}), thought("", true)),
        (
            json!({"type": "tool_use", "id": "t", "name": "get", "input": {"a": 1}}),
            call("t", "get", r#"{"a":1}"#),
        ),
        (server.clone(), own(&server)),
    ];
    for (is_user, block, part) in users
        .into_iter()
        .map(|(block, part)| (true, block, part))
        .chain(assistants.into_iter().map(|(block, part)| (false, block, part)))
    {
        // A turn of its own kind, with a text after it.
        let more = json!({"type": "text", "text": "more"});
        let messages =
            json!([{"role": if is_user { "user" } else { "assistant" }, "content": [block, more]}]);
        let conversation = read(json!({"messages": messages}));
        assert_eq!(conversation.turns[0].parts, [part, Part::text("more")]);
        let conversation = said([vec![user(vec![Part::text("Hi")])], conversation.turns].concat());
        let request = written(&conversation);
        let message = request["messages"].as_array().unwrap().last().unwrap();
        assert!(valid::blocks(&message["content"]).contains(&block), "{block}: {message}");
    }
}

#[test]
fn what_others_have_no_word_for_still_says_what_it_says() {
    let content = json!([
        {
            "type": "document", "context": "Old.", "citations": {"enabled": true}, "title": "T",
            "source": {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        },
        {"type": "search_result", "source": "s", "title": "R", "content": [{"type": "text", "text": "found"}]},
    ]);
    let conversation = read(json!({"messages": [{"role": "user", "content": content}]}));
    let document = |text: &str, name: &str| Part::Document {
        source: Source::Text(text.into()),
        name: Some(name.into()),
        cache: None,
    };
    let expected = [Part::text("Old."), document("a\n\nb", "T"), document("found", "R")];
    assert_eq!(conversation.turns[0].parts, expected);
    let own: Vec<&String> = conversation.own.keys().collect();
    assert_eq!(own, ["messages[0].content[0].citations"]);
}

#[test]
fn what_is_anthropics_alone_is_kept_and_what_is_ours_is_not() {
    let conversation = read(json!({
        "container": "c", "context_management": {"edits": []}, "speed": "fast", "inference_geo": null,
        "metadata": {"plan": "free"}, "models": ["x"], "extra_body": {}, "provider": {},
        "output_config": {"task_budget": {"total": 1}}, "service_tier": "auto", "top_k": 5,
    }));
    let own: Vec<&String> = conversation.own.keys().collect();
    assert_eq!(own, ["container", "context_management", "speed", "output_config.task_budget"]);
    assert_eq!(conversation.service_tier.as_deref(), Some("auto"));
    assert_eq!(conversation.sampling.top_k, Some(5.into()));
    assert_eq!(conversation.user, None);
}

#[test]
fn tools_are_read_and_written() {
    let tools = json!([
        {"name": "get", "description": "Gets.", "input_schema": {"type": "object", "additionalProperties": false},
         "strict": true, "cache_control": {"type": "ephemeral", "ttl": "5m"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2, "allowed_domains": ["a.example"],
         "user_location": {"type": "approximate", "city": "Berlin"}},
        {"type": "bash_20250124", "name": "bash"},
    ]);
    let server = json!([{"type": "url", "url": "https://mcp.example", "name": "m"}]);
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let fields = json!({"tools": tools, "mcp_servers": server, "messages": messages});
    let conversation = read(fields.clone());
    assert_eq!(conversation.tools.len(), 4);
    let request = written(&conversation);
    assert_eq!((&request["tools"], &request["mcp_servers"]), (&fields["tools"], &fields["mcp_servers"]));

    let later = read(json!({"tools": [{"type": "web_search_20260209", "name": "web_search"}]}));
    assert!(matches!(later.tools[0].kind, ToolKind::WebSearch { .. }));
}

#[test]
fn the_choice_of_a_tool_is_read_and_written() {
    let one = |kind: &str| json!({"type": kind, "disable_parallel_tool_use": true});
    let cases = [
        (json!({"type": "auto"}), ToolChoice::Auto, None),
        (one("auto"), ToolChoice::Auto, Some(false)),
        (json!({"type": "any"}), ToolChoice::Required, None),
        (one("any"), ToolChoice::Required, Some(false)),
        (json!({"type": "none"}), ToolChoice::None, None),
        (json!({"type": "tool", "name": "get"}), ToolChoice::Named("get".into()), None),
    ];
    for (choice, expected, parallel) in cases {
        let tools = json!([{"name": "get", "input_schema": {"type": "object"}}]);
        let conversation = read(json!({"tools": tools, "tool_choice": choice}));
        assert_eq!(conversation.tool_choice, Some(expected));
        assert_eq!(conversation.parallel_tool_calls, parallel);
        assert_eq!(written(&conversation)["tool_choice"], choice);
    }
}

#[test]
fn a_choice_among_tools_declares_those_alone() {
    let choice = ToolChoice::Among { names: vec!["b".into()], required: true };
    let tools = vec![function("a"), function("b")];
    let request = written(&Conversation { tools, tool_choice: Some(choice), ..hello() });
    assert_eq!(request["tools"].as_array().unwrap().len(), 1);
    assert_eq!(request["tool_choice"], json!({"type": "any"}));
}

#[test]
fn a_history_of_calls_declares_its_tools() {
    let turns = vec![
        user(vec![Part::text("Hi")]),
        assistant(vec![call("1", "get", "{}")]),
        user(vec![result("1", vec![])]),
    ];
    let request = written(&said(turns));
    assert_eq!(request["tools"], json!([{"name": "get", "input_schema": {"type": "object"}}]));
    assert_eq!(request["tool_choice"], json!({"type": "none"}));
}

#[test]
fn a_bad_field_is_named() {
    let cases = [
        ("[]", ""),
        ("{", ""),
        (r#"{"messages": []}"#, "model"),
        (r#"{"model": "m"}"#, "messages"),
        (r#"{"model": "m", "messages": [], "max_tokens": "9"}"#, "max_tokens"),
        (r#"{"model": "m", "messages": [{"role": "robot", "content": ""}]}"#, "messages[0].role"),
        (r#"{"model": "m", "messages": [{"role": "user"}]}"#, "messages[0].content"),
        (r#"{"model": "m", "messages": [{"role": "user", "content": [{}]}]}"#, "messages[0].content[0].type"),
        (
            r#"{"model": "m", "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "x"}}]}]}"#,
            "messages[0].content[0].source.type",
        ),
        (r#"{"model": "m", "messages": [], "thinking": {"type": "hard"}}"#, "thinking.type"),
        (r#"{"model": "m", "messages": [], "tool_choice": {"type": "tool"}}"#, "tool_choice.name"),
        (r#"{"model": "m", "messages": [], "stop_sequences": [1]}"#, "stop_sequences"),
        (r#"{"model": "m", "messages": [], "output_format": {"type": "json"}}"#, "output_format.type"),
    ];
    for (body, param) in cases {
        let error = decode_request(body.as_bytes()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {}", error.message);
    }
}

#[test]
fn turns_are_put_as_anthropic_takes_them() {
    let system = Turn { role: Role::System, name: None, parts: vec![Part::text("Now rhyme.")] };
    let text = |text: &str| vec![Part::text(text)];
    let seal = Seal { dialect: Dialect::Anthropic, is_redacted: false, value: "sig".into() };
    let thought = Part::Thought(Thought { seal: Some(seal), ..Thought::default() });
    let cases: Vec<(Vec<Turn>, Value)> = vec![
        (vec![], json!([{"role": "user", "content": "(no message)"}])),
        (
            vec![assistant(text("Hi"))],
            json!([{"role": "user", "content": "(no message)"}, {"role": "assistant", "content": "Hi"}]),
        ),
        (
            vec![user(text("a")), user(text("b"))],
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
        ),
        (
            vec![user(text("a")), assistant(text(" ")), user(text("")), assistant(text("c \n"))],
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}]),
        ),
        (
            vec![user(text("a")), assistant(vec![thought]), user(text("b"))],
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
        ),
        (
            vec![user(text("a")), assistant(text("b")), user(text(" "))],
            json!([
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "(no message)"},
            ]),
        ),
        (
            vec![
                user(text("a")),
                assistant(vec![call("x.1", "get", "[1]"), call("y", "get", "oops")]),
                user([text("and"), vec![result("x.1", text("1"))]].concat()),
                user(vec![result("y", vec![])]),
            ],
            json!([
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "turnout-eC4x", "name": "get", "input": {"input": [1]}},
                    {"type": "tool_use", "id": "y", "name": "get", "input": {"input": "oops"}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "turnout-eC4x", "content": "1"},
                    {"type": "tool_result", "tool_use_id": "y"},
                    {"type": "text", "text": "and"},
                ]},
            ]),
        ),
        (vec![user(text("a")), system], json!([{"role": "user", "content": "a"}])),
    ];
    for (turns, messages) in cases {
        assert_eq!(written(&said(turns))["messages"], messages);
    }
    let prompt = Conversation { system: text("Tell a joke."), ..Conversation::default() };
    let request = written(&prompt);
    assert_eq!(request["messages"], json!([{"role": "user", "content": "Tell a joke."}]));
    assert_eq!(request["system"], Value::Null);
}

#[test]
fn odd_names_of_tools_lead_back() {
    for name in ["get", "a.b", "_x2E_", "_x2", "x_x2E", "é", "_.x2E_", "a:b/c d"] {
        let conversation = Conversation { tools: vec![function(name)], ..hello() };
        let written = written(&conversation)["tools"][0]["name"].clone();
        let answer = json!({"content": [{"type": "tool_use", "id": "1", "name": written, "input": {}}]});
        let answer = turnout::dialect::anthropic::decode_answer(answer.to_string().as_bytes()).unwrap();
        assert_eq!(answer.choices[0].parts, [call("1", name, "{}")]);
    }
    let conversation = Conversation { tools: vec![function(&"a".repeat(129))], ..hello() };
    assert!(encode(&conversation, MODEL).unwrap_err().contains("tools[0].name"));
}

#[test]
fn how_much_is_thought_is_told_as_the_model_takes_it() {
    use ThinkingMode::{Adaptive, Off, On};
    let want = |mode, effort: &str, budget| Thinking {
        mode,
        effort: (!effort.is_empty()).then(|| effort.to_owned()),
        budget,
        shown: None,
    };
    let budget = |tokens| json!({"type": "enabled", "budget_tokens": tokens});
    let (adaptive, disabled, no) = (json!({"type": "adaptive"}), json!({"type": "disabled"}), Value::Null);
    let lossy = vec![Feature::ThinkingAsAsked];
    let cases = [
        ("claude-sonnet-4-5", want(None, "minimal", None), 64_000, &budget(1_024), "", false),
        ("claude-sonnet-4-5", want(None, "low", None), 64_000, &budget(2_048), "", false),
        ("claude-sonnet-4-5", want(None, "medium", None), 64_000, &budget(8_192), "", false),
        ("claude-sonnet-4-5", want(None, "high", None), 64_000, &budget(16_384), "", false),
        ("claude-3-7-sonnet-20250219", want(None, "max", None), 100_000, &budget(32_768), "", false),
        ("claude-sonnet-4-5", want(None, "high", None), 10_000, &budget(5_000), "", false),
        ("claude-sonnet-4-5", want(None, "high", None), 1_000, &no, "", true),
        ("claude-sonnet-4-5", want(Some(On), "", Some(4_000)), 8_000, &budget(4_000), "", false),
        ("claude-sonnet-4-5", want(Some(On), "", Some(9_000)), 8_000, &budget(7_999), "", true),
        ("claude-sonnet-4-5", want(Some(On), "", Some(10)), 8_000, &budget(1_024), "", true),
        ("claude-sonnet-4-5", want(None, "none", None), 8_000, &no, "", false),
        ("claude-3-5-haiku-20241022", want(None, "high", None), 8_000, &no, "", true),
        ("deepseek-chat", want(None, "low", None), 8_000, &budget(2_048), "", false),
        ("claude-opus-4-6", want(Some(On), "", Some(4_000)), 8_000, &budget(4_000), "", false),
        ("claude-opus-4-6", want(None, "xhigh", None), 8_000, &adaptive, "high", false),
        ("anthropic.claude-opus-4-7-v1:0", want(None, "xhigh", None), 8_000, &adaptive, "xhigh", false),
        ("claude-opus-4-7", want(Some(On), "", Some(4_000)), 8_000, &adaptive, "low", true),
        ("claude-opus-5", want(Some(On), "", Some(16_000)), 80_000, &adaptive, "high", true),
        ("claude-opus-5", want(Some(Adaptive), "", None), 8_000, &adaptive, "", false),
        ("claude-opus-4-8", want(Some(Off), "", None), 8_000, &no, "", false),
        ("claude-opus-5", want(Some(Off), "", None), 8_000, &disabled, "", false),
        ("claude-opus-5", want(Some(Off), "max", None), 8_000, &disabled, "high", true),
        ("claude-haiku-5-5", want(None, "none", None), 8_000, &disabled, "", false),
        ("claude-fable-5", want(None, "none", None), 8_000, &no, "low", true),
        ("claude-sonnet-5-5", want(Some(Off), "", None), 8_000, &no, "low", true),
    ];
    for (model, wanted, max_tokens, thinking, effort, is_lossy) in cases {
        let conversation =
            Conversation { thinking: Some(wanted.clone()), max_tokens: Some(max_tokens), ..hello() };
        let (request, losses) = encode(&conversation, model).unwrap();
        assert_eq!(request["thinking"], *thinking, "{model}: {wanted:?}");
        assert_eq!(request["output_config"]["effort"].as_str().unwrap_or(""), effort, "{model}: {wanted:?}");
        assert_eq!(losses, if is_lossy { lossy.clone() } else { vec![] }, "{model}: {wanted:?}");
    }
}

#[test]
fn a_budget_gives_way_to_what_it_cannot_stand_beside() {
    let thinking = Some(Thinking { effort: Some("high".into()), ..Thinking::default() });
    let forced = Conversation {
        thinking: thinking.clone(),
        tools: vec![function("get")],
        tool_choice: Some(ToolChoice::Required),
        ..hello()
    };
    let foreign_call = Conversation {
        thinking,
        tools: vec![function("get")],
        turns: vec![
            user(vec![Part::text("Hi")]),
            assistant(vec![call("1", "get", "{}")]),
            user(vec![result("1", vec![])]),
        ],
        ..Conversation::default()
    };
    for conversation in [forced, foreign_call] {
        let (request, losses) = encode(&conversation, "claude-sonnet-4-5").unwrap();
        assert_eq!(request["thinking"], Value::Null);
        assert_eq!(losses, [Feature::ThinkingAsAsked]);
        assert_eq!(written(&conversation)["thinking"], json!({"type": "adaptive"}));
    }
}

#[test]
fn sampling_is_what_the_model_takes() {
    let number = |value: f64| serde_json::Number::from_f64(value);
    let all = Sampling {
        temperature: number(1.5),
        top_p: number(0.9),
        top_k: Some(5.into()),
        ..Sampling::default()
    };
    let cases = [
        ("claude-sonnet-4-5", json!([1, null, 5])),
        ("glm-5", json!([1, 0.9, 5])),
        ("claude-opus-4-7", json!([null, null, null])),
    ];
    for (model, expected) in cases {
        let conversation = Conversation { sampling: all.clone(), ..hello() };
        let (request, losses) = encode(&conversation, model).unwrap();
        assert_eq!(json!([request["temperature"], request["top_p"], request["top_k"]]), expected);
        assert_eq!(losses, [Feature::SamplingAsAsked]);
    }
    let mild = Sampling { temperature: number(0.7), ..Sampling::default() };
    let conversation = Conversation { sampling: mild, ..hello() };
    let (request, losses) = encode(&conversation, "claude-haiku-4-5").unwrap();
    assert_eq!((&request["temperature"], losses), (&json!(0.7), vec![]));
}

#[test]
fn max_tokens_is_written_though_the_caller_had_none() {
    let cases = [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-3-5-sonnet-20241022", 8_192),
        ("claude-sonnet-4-20250514", 32_000),
        ("claude-haiku-4-5", 64_000),
        ("claude-opus-5", 64_000),
        ("claude-latest", 64_000),
        ("kimi-k2", 8_192),
    ];
    for (model, expected) in cases {
        assert_eq!(encode(&hello(), model).unwrap().0["max_tokens"], expected, "{model}");
    }
}

#[test]
fn what_is_lost_is_noted_or_refused() {
    let refusals: Vec<(Conversation, &str)> = vec![
        (Conversation { n: Some(2), ..hello() }, "`n`"),
        (Conversation { format: Some(Format::JsonObject), ..hello() }, "JSON mode"),
        (
            Conversation { sampling: Sampling { logprobs: Some(0), ..Sampling::default() }, ..hello() },
            "`logprobs`",
        ),
        (
            Conversation { sampling: Sampling { stop: vec!["\n".into()], ..Sampling::default() }, ..hello() },
            "`stop`",
        ),
        (said(vec![user(vec![Part::Audio { format: "wav".into(), data: String::new() }])]), "spoken input"),
        (
            said(vec![user(vec![Part::Image {
                source: Source::File("f".into()),
                detail: None,
                cache: None,
            }])]),
            "uploaded",
        ),
        (
            said(vec![user(vec![Part::Document {
                source: Source::Base64 { media_type: "application/zip".into(), data: "aGk=".into() },
                name: None,
                cache: None,
            }])]),
            "application/zip",
        ),
    ];
    for (conversation, expected) in refusals {
        let message = encode(&conversation, MODEL).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
    let seal = Seal { dialect: Dialect::Gemini, is_redacted: false, value: "s".into() };
    let drops: Vec<(Conversation, Feature)> = vec![
        (Conversation { verbosity: Some("low".into()), ..hello() }, Feature::Verbosity),
        (Conversation { service_tier: Some("flex".into()), ..hello() }, Feature::ServiceTier),
        (Conversation { prompt_cache_key: Some("k".into()), ..hello() }, Feature::PromptCacheKey),
        (
            Conversation {
                own: [("prediction".to_owned(), json!({"type": "content"}))].into_iter().collect(),
                ..hello()
            },
            Feature::OwnField,
        ),
        (
            said(vec![Turn { role: Role::System, name: None, parts: vec![Part::text("x")] }]),
            Feature::LateSystem,
        ),
        (
            said(vec![assistant(vec![
                Part::Thought(Thought { text: "Hm".into(), seal: Some(seal), ..Thought::default() }),
                Part::text("x"),
            ])]),
            Feature::ForeignThought,
        ),
        (
            said(vec![assistant(vec![Part::Own { dialect: Dialect::Responses, json: json!({}) }])]),
            Feature::ServerToolHistory,
        ),
    ];
    for (conversation, expected) in drops {
        assert_eq!(encode(&conversation, MODEL).unwrap().1, [expected]);
    }
    let required =
        Conversation { tools: vec![function("get")], tool_choice: Some(ToolChoice::Required), ..hello() };
    assert!(encode(&required, "claude-opus-5-5").unwrap_err().contains("`tool_choice`"));
}

#[test]
fn a_schema_is_closed_and_what_cannot_be_compiled_is_told() {
    let schema = json!({
        "$schema": "x", "type": "object", "required": ["a"],
        "properties": {
            "a": {"type": "string", "format": "email", "minLength": 2, "description": "An address."},
            "b": {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
        },
    });
    let format =
        Format::JsonSchema { name: Some("n".into()), description: Some("D".into()), schema, strict: None };
    let request = written(&Conversation { format: Some(format), ..hello() });
    assert_eq!(
        request["output_config"]["format"]["schema"],
        json!({
            "type": "object", "required": ["a"], "additionalProperties": false, "description": "D",
            "properties": {
                "a": {"type": "string", "format": "email", "description": "An address.\n\n{\"minLength\":2}"},
                "b": {"anyOf": [{"type": "integer", "description": "{\"minimum\":1}"}, {"type": "null"}]},
            },
        })
    );
}

fn some_text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-zé\"\\\\]{1,6}( [a-z]{1,4}){0,2}", 1 => "[ \n]{0,2}", 1 => "[a-z]{1,3}[ \n]{1,2}"]
}

fn some_cache() -> impl Strategy<Value = Option<Cache>> {
    prop_oneof![
        4 => Just(None),
        1 => prop_oneof![Just(None), Just(Some("1h".to_owned()))].prop_map(|ttl| Some(Cache { ttl })),
    ]
}

fn some_seal() -> impl Strategy<Value = Option<Seal>> {
    let dialect = proptest::sample::select(Dialect::ALL.to_vec());
    proptest::option::of((dialect, any::<bool>()).prop_map(|(dialect, is_redacted)| Seal {
        dialect,
        is_redacted,
        value: "c2ln".into(),
    }))
}

fn some_part() -> impl Strategy<Value = Part> {
    let text =
        (some_text(), some_cache()).prop_map(|(text, cache)| Part::Text { text, citations: vec![], cache });
    let id = proptest::sample::select(vec!["call_1", "functions.get:0", "", "turnout-x"]);
    let name = proptest::sample::select(vec!["get", "a.b", "é"]);
    let arguments = proptest::sample::select(vec!["{}", r#"{"a":1}"#, "", "[1]", "null", "{\"cut", "4"]);
    let calls = (id.clone(), name, arguments, any::<bool>(), some_seal()).prop_map(
        |(id, name, arguments, is_custom, seal)| {
            Part::ToolCall(ToolCall {
                id: id.into(),
                name: name.into(),
                arguments: arguments.into(),
                is_custom,
                seal,
            })
        },
    );
    let results = (id, proptest::collection::vec(some_text().prop_map(Part::text), 0..3), any::<bool>())
        .prop_map(|(id, parts, is_error)| Part::ToolResult { id: id.into(), parts, is_error, cache: None });
    let thoughts = (some_text(), some_seal())
        .prop_map(|(text, seal)| Part::Thought(Thought { text, is_summary: true, seal, id: None }));
    let image = some_cache().prop_map(|cache| Part::Image {
        source: Source::Url("https://a.example".into()),
        detail: None,
        cache,
    });
    prop_oneof![3 => text, 2 => calls, 2 => results, 2 => thoughts, 1 => image, 1 => some_text().prop_map(Part::Refusal)]
}

/// Any conversation at all, however odd.
fn some_conversation() -> impl Strategy<Value = Conversation> {
    let role = proptest::sample::select(vec![Role::User, Role::Assistant, Role::System]);
    let turn = (role, proptest::collection::vec(some_part(), 0..4)).prop_map(|(role, parts)| Turn {
        role,
        name: None,
        parts,
    });
    let effort = proptest::sample::select(vec!["none", "minimal", "low", "high", "xhigh", "max"]);
    let thinking =
        (proptest::option::of(effort), proptest::option::of(0..40_000_u64)).prop_map(|(effort, budget)| {
            Thinking { effort: effort.map(str::to_owned), budget, ..Thinking::default() }
        });
    let choice = proptest::sample::select(vec![
        None,
        Some(ToolChoice::Auto),
        Some(ToolChoice::None),
        Some(ToolChoice::Required),
        Some(ToolChoice::Named("a.b".into())),
        Some(ToolChoice::Among { names: vec!["get".into()], required: false }),
    ]);
    (
        proptest::collection::vec(turn, 0..6),
        proptest::option::of(thinking),
        choice,
        any::<bool>(),
        proptest::option::of(1..40_000_u64),
        proptest::option::of(0.0..2.0_f64),
    )
        .prop_map(|(turns, thinking, tool_choice, has_tools, max_tokens, temperature)| Conversation {
            turns,
            thinking,
            tool_choice,
            tools: if has_tools { vec![function("get"), function("a.b")] } else { vec![] },
            max_tokens,
            sampling: Sampling {
                temperature: temperature.and_then(serde_json::Number::from_f64),
                ..Sampling::default()
            },
            ..Conversation::default()
        })
}

/// A conversation that Anthropic has a word for, part by part.
fn plain_conversation() -> impl Strategy<Value = Conversation> {
    let word = || "[a-z]{1,6}( [a-z]{1,4}){0,2}".prop_map(Part::text);
    let cached =
        ("[a-z]{1,6}", some_cache()).prop_map(|(text, cache)| Part::Text { text, citations: vec![], cache });
    let exchange = (
        proptest::collection::vec(cached, 1..3),
        proptest::option::of(any::<bool>()),
        proptest::collection::vec("[a-z0-9.:_-]{0,8}", 0..3),
        word(),
    )
        .prop_map(|(asked, thought, ids, answer)| {
            let mut parts: Vec<Part> = thought
                .into_iter()
                .map(|is_redacted| {
                    let text = if is_redacted { "" } else { "Hm" }.to_owned();
                    let seal = Seal { dialect: Dialect::Anthropic, is_redacted, value: "c2ln".into() };
                    Part::Thought(Thought { text, is_summary: true, seal: Some(seal), id: None })
                })
                .collect();
            parts.push(answer);
            parts.extend(ids.iter().map(|id| call(id, "get", r#"{"a":1}"#)));
            let results = ids.iter().map(|id| result(id, vec![Part::text("4")])).collect::<Vec<_>>();
            let mut turns = vec![user(asked), assistant(parts)];
            if !results.is_empty() {
                turns.push(user(results));
                turns.push(assistant(vec![Part::text("Done.")]));
            }
            turns
        });
    let effort = proptest::sample::select(vec!["low", "medium", "high", "xhigh", "max"]);
    let thinking =
        (effort, proptest::option::of(Just("summarized".to_owned()))).prop_map(|(effort, shown)| Thinking {
            mode: Some(ThinkingMode::Adaptive),
            effort: Some(effort.to_owned()),
            budget: None,
            shown,
        });
    (
        proptest::collection::vec(exchange, 1..4),
        proptest::collection::vec(word(), 0..3),
        proptest::option::of(thinking),
        any::<bool>(),
        proptest::option::of("[a-z0-9]{1,9}"),
        proptest::collection::vec("[a-z#]{1,3}", 0..3),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(|(exchanges, system, thinking, stream, user, stop, parallel)| Conversation {
            model: MODEL.into(),
            stream,
            system,
            turns: exchanges.concat(),
            tools: vec![Tool {
                kind: ToolKind::Function {
                    name: "get".into(),
                    description: Some("Gets.".into()),
                    parameters: Some(json!({"type": "object", "properties": {"a": {"type": "integer"}}})),
                    strict: None,
                },
                cache: None,
            }],
            tool_choice: Some(ToolChoice::Auto),
            // What is not forbidden is allowed.
            parallel_tool_calls: parallel.filter(|parallel| !parallel),
            thinking,
            sampling: Sampling { stop, ..Sampling::default() },
            max_tokens: Some(4_096),
            user,
            ..Conversation::default()
        })
}

proptest! {
    #[test]
    fn what_is_written_is_never_refused_for_its_form(
        conversation in some_conversation(),
        model in proptest::sample::select(vec![
            "claude-3-5-haiku-20241022", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5", "claude-fable-5", "glm",
        ]),
    ) {
        // The checker is in `encode`; a refusal of ours names what is wrong.
        if let Err(message) = encode(&conversation, model) {
            prop_assert!(message.contains('`'), "{message}");
        }
    }

    #[test]
    fn a_conversation_comes_back_as_it_was(conversation in plain_conversation()) {
        let mut losses = Losses::new(Dialect::Anthropic);
        let body = encode_request(&conversation, MODEL, &mut losses).unwrap();
        prop_assert_eq!(losses.note(), None);
        prop_assert_eq!(decode_request(&body).unwrap(), conversation);
    }

    #[test]
    fn no_body_panics(body in "[\\[\\]{}\":,a-z0-9_ ]{0,60}") {
        let _ = decode_request(body.as_bytes());
        let _ = turnout::dialect::anthropic::decode_answer(body.as_bytes());
    }
}
