//! Streams, read and written.

use serde_json::{Value, json};
use turnout::dialect::answer::{Event, Failure, Growth, Stop};
use turnout::dialect::conversation::{Citation, Conversation, Part, Seal, Tool, ToolCall, ToolKind};
use turnout::dialect::{Dialect, ReplyTo, openai};
use turnout::usage::Usage;

use super::{assembled, events, payloads, reply, stream};

fn chunk(delta: Value) -> String {
    json!({"id": "i", "model": "m", "created": 3, "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}).to_string()
}

fn finish(reason: &str) -> String {
    json!({"id": "i", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}).to_string()
}

fn read(chunks: &[String]) -> Vec<Event> {
    events(chunks.iter().map(String::as_str)).expect("a stream")
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    let [id, name, arguments] = [id, name, arguments].map(str::to_owned);
    Part::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
}

/// Fragments of `tool_calls`, one a chunk, make up `expected`.
fn check_calls(fragments: &[Value], expected: &[Part]) {
    let mut chunks: Vec<String> =
        fragments.iter().map(|fragment| chunk(json!({"tool_calls": [fragment]}))).collect();
    chunks.push(finish("tool_calls"));
    assert_eq!(assembled(&read(&chunks)).choices[0].parts, expected, "{fragments:?}");
}

#[test]
fn fragments_of_calls_find_their_call() {
    let first = |index: Value, id: Value, name: &str| json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}});
    let more = |index: Value, arguments: &str| json!({"index": index, "function": {"arguments": arguments}});
    let both = [call("a", "f", "{}"), call("b", "g", "[]")];
    // As OpenAI does.
    check_calls(
        &[
            first(json!(0), json!("a"), "f"),
            more(json!(0), "{"),
            more(json!(0), "}"),
            first(json!(1), json!("b"), "g"),
            more(json!(1), "[]"),
        ],
        &both,
    );
    // Without any index.
    check_calls(
        &[
            first(Value::Null, json!("a"), "f"),
            more(Value::Null, "{}"),
            first(Value::Null, json!("b"), "g"),
            more(Value::Null, "[]"),
        ],
        &both,
    );
    // The same index for all, which only their ids tell apart.
    check_calls(
        &[
            first(json!(0), json!("a"), "f"),
            more(json!(0), "{}"),
            first(json!(0), json!("b"), "g"),
            more(json!(0), "[]"),
        ],
        &both,
    );
    // Id and name in every chunk, or empty in the later ones.
    let repeated =
        |arguments: &str| json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": arguments}});
    check_calls(&[repeated("{"), repeated("}")], &both[..1]);
    let empty = json!({"index": 0, "id": "", "function": {"name": "", "arguments": "}"}});
    check_calls(&[repeated("{"), empty], &both[..1]);
    // Whole in one chunk; the arguments before the name; as an object; an index that begins at 1; without id.
    check_calls(&[repeated("{}")], &both[..1]);
    check_calls(
        &[
            json!({"index": 0, "id": "a", "function": {"arguments": "{"}}),
            json!({"index": 0, "function": {"name": "f", "arguments": "}"}}),
        ],
        &both[..1],
    );
    check_calls(&[json!({"index": 1, "id": "a", "function": {"name": "f", "arguments": {}}})], &both[..1]);
    check_calls(
        &[json!({"index": 0, "function": {"name": "f", "arguments": "{}"}})],
        &[call("call_i_0", "f", "{}")],
    );
    // Free text.
    let custom = Part::ToolCall(ToolCall {
        id: "a".to_owned(),
        name: "c".to_owned(),
        arguments: "xy".to_owned(),
        is_custom: true,
        seal: None,
    });
    check_calls(
        &[
            json!({"index": 0, "id": "a", "type": "custom", "custom": {"name": "c", "input": "x"}}),
            json!({"index": 0, "custom": {"input": "y"}}),
        ],
        &[custom],
    );
    // A signature.
    let seal = Some(Seal { dialect: Dialect::OpenAi, is_redacted: false, value: "s".to_owned() });
    let signed = Part::ToolCall(ToolCall {
        id: "a".to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        is_custom: false,
        seal,
    });
    check_calls(
        &[
            json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"google": {"thought_signature": "s"}}}),
        ],
        &[signed],
    );
}

#[test]
fn blocks_end_where_another_kind_begins() {
    let chunks = [
        chunk(json!({"role": "assistant", "content": ""})),
        chunk(json!({"reasoning_content": "t"})),
        chunk(json!({"content": "a", "reasoning_content": null})),
        chunk(json!({"content": "b"})),
        chunk(json!({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}]})),
        finish("tool_calls"),
        json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})
            .to_string(),
        "[DONE]".to_owned(),
    ];
    let words: Vec<String> = read(&chunks)
        .iter()
        .map(|event| match event {
            Event::Open { block, .. } => format!("open {block}"),
            Event::Grow { block, by: Growth::Seal(seal) } => format!("seal {block} {}", seal.value),
            Event::Grow { block, .. } => format!("grow {block}"),
            Event::Close { block } => format!("close {block}"),
            Event::Stop { stop, .. } => format!("{stop:?}"),
            other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
        })
        .collect();
    assert_eq!(
        words,
        [
            "Start",
            "open 0",
            "grow 0",
            "seal 0 reasoning_content",
            "close 0",
            "open 1",
            "grow 1",
            "grow 1",
            "close 1",
            "open 2",
            "grow 2",
            "Usage",
            "close 2",
            "ToolCalls",
            "End",
        ]
    );
}

#[test]
fn odd_streams_are_read() {
    // Azure's first chunk; a reason that is repeated, with text after it; usage in each chunk; nothing after the last.
    let chunks = [
        json!({"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": [{}]}).to_string(),
        json!({"id": "i", "choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}).to_string(),
        json!({"id": "i", "choices": [{"delta": {"content": "b"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}).to_string(),
    ];
    let answer = assembled(&read(&chunks));
    assert_eq!(answer.id.as_deref(), Some("i"));
    assert_eq!(answer.choices[0].parts, [Part::text("ab")]);
    assert_eq!((answer.choices[0].stop.clone(), answer.usage.output), (Some(Stop::End), Some(2)));
    // `[DONE]` alone is an end too.
    let answer = assembled(&read(&[chunk(json!({"refusal": "no"})), "[DONE]".to_owned()]));
    assert_eq!(answer.choices[0].stop, Some(Stop::Refusal));
    // The form before tools.
    let legacy = [
        chunk(json!({"function_call": {"name": "f", "arguments": ""}})),
        chunk(json!({"function_call": {"arguments": "{}"}})),
        finish("function_call"),
    ];
    assert_eq!(assembled(&read(&legacy)).choices[0].parts, [call("call_i_0", "f", "{}")]);
}

#[test]
fn several_answers_come_at_once() {
    let of = |index: u64, delta: Value, reason: Value| {
        json!({"id": "i", "choices": [{"index": index, "delta": delta, "finish_reason": reason}]}).to_string()
    };
    let chunks = [
        of(0, json!({"content": "a"}), Value::Null),
        of(1, json!({"content": "x"}), Value::Null),
        of(0, json!({"content": "b"}), json!("stop")),
        of(1, json!({"content": "y"}), json!("length")),
        "[DONE]".to_owned(),
    ];
    let read = read(&chunks);
    let answer = assembled(&read);
    assert_eq!(
        (&answer.choices[0].parts, &answer.choices[1].parts),
        (&vec![Part::text("ab")], &vec![Part::text("xy")])
    );
    assert_eq!(answer.choices[1].stop, Some(Stop::Length));
    let again = payloads(&stream(&read, &reply()));
    assert_eq!(
        assembled(&events(again.iter().map(String::as_str)).expect("a stream")).choices,
        answer.choices
    );
}

#[test]
fn what_breaks_is_malformed() {
    for chunks in [
        vec![],
        vec!["[DONE]".to_owned()],
        vec!["nonsense".to_owned()],
        vec![chunk(json!({"content": "a"}))],
        vec![r#"{"choices": 5}"#.to_owned()],
        vec![
            chunk(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{}"}}]})),
            finish("tool_calls"),
        ],
        vec![
            chunk(
                json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]}),
            ),
            chunk(
                json!({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}}]}),
            ),
            chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})),
        ],
    ] {
        events(chunks.iter().map(String::as_str)).expect_err(&format!("{chunks:?}"));
    }
}

#[test]
fn an_error_ends_a_stream() {
    for (name, payload) in [
        ("", r#"{"error": {"message": "busy", "code": 503}}"#),
        (
            "",
            r#"{"id": "i", "choices": [{"delta": {"content": ""}, "finish_reason": "error"}], "error": {"message": "busy", "code": 503}}"#,
        ),
        ("error", r#"{"message": "busy", "code": 503}"#),
        ("", r#"{"object": "error", "message": "busy", "code": 503}"#),
    ] {
        let (mut decoder, mut events) = (openai::Decoder::new(), Vec::new());
        for (name, payload) in
            [("", chunk(json!({"content": "a"})).as_str()), (name, payload), ("", "[DONE]")]
        {
            decoder.push(name.as_bytes(), payload.as_bytes(), &mut events).expect("no fault");
        }
        decoder.finish(&mut events).expect("it is over");
        let failure = Failure { status: 503, message: "busy".to_owned(), ..Failure::default() };
        assert_eq!(events.last(), Some(&Event::Failed(failure)), "{payload}");
        let again = payloads(&stream(&events, &reply()));
        let last: Value = serde_json::from_str(again.last().expect("a payload")).expect("no `[DONE]`");
        assert_eq!(
            last["error"],
            json!({"message": "busy", "type": "server_error", "param": null, "code": null})
        );
    }
}

/// The deltas of the first choice, without the one that tells the role.
fn deltas(events: &[Event], to: &ReplyTo) -> Vec<Value> {
    let mut all = vec![Event::Start { id: None, model: None, created: None }];
    all.extend(events.to_vec());
    let payloads = payloads(&stream(&all, to));
    let chunks = payloads.iter().filter(|payload| *payload != "[DONE]").skip(1);
    chunks
        .map(|payload| serde_json::from_str::<Value>(payload).expect("JSON")["choices"][0]["delta"].clone())
        .collect()
}

#[test]
fn chunks_have_the_form_of_openais() {
    let usage = Usage { input: Some(1), output: Some(2), ..Usage::default() };
    let told = [
        Event::Start { id: Some("msg_1".to_owned()), model: Some("claude".to_owned()), created: None },
        Event::Usage(Usage { input: Some(1), output: Some(1), ..Usage::default() }),
        Event::Ping,
        Event::Open { block: 0, choice: 0, part: Part::text("") },
        Event::Grow { block: 0, by: Growth::Text("a".to_owned()) },
        Event::Logprobs { choice: 0, tokens: json!([{"token": "a"}]) },
        Event::Close { block: 0 },
        Event::Usage(usage),
        Event::Stop { choice: 0, stop: Stop::Length },
        Event::End,
        Event::Ping,
    ];
    let frame = |choices: Value, usage: Value| {
        json!({"id": "msg_1", "object": "chat.completion.chunk", "created": 7,
        "model": "claude", "choices": choices, "usage": usage})
    };
    let choice = |delta: Value, logprobs: Value, reason: Value| {
        frame(
            json!([{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}]),
            Value::Null,
        )
    };
    let expected = [
        choice(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null, Value::Null),
        choice(json!({"content": "a"}), Value::Null, Value::Null),
        choice(json!({}), json!({"content": [{"token": "a"}], "refusal": null}), Value::Null),
        choice(json!({}), Value::Null, json!("length")),
        frame(json!([]), json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3})),
    ];
    let bytes = stream(&told, &reply());
    assert!(bytes.windows(8).any(|bytes| bytes == b": ping\n\n"), "it is told that the provider is alive");
    let written = payloads(&bytes);
    assert_eq!(written.last().map(String::as_str), Some("[DONE]"));
    let chunks: Vec<Value> =
        written[..written.len() - 1].iter().map(|chunk| serde_json::from_str(chunk).expect("JSON")).collect();
    assert_eq!(chunks, expected);

    // Who did not ask for usage sees none.
    let told = stream(&told, &ReplyTo { wants_usage: false, ..reply() });
    assert!(!String::from_utf8_lossy(&told).contains("usage"));
}

#[test]
fn calls_pass_as_fragments() {
    let told = [
        Event::Open { block: 0, choice: 0, part: call("a", "f", "") },
        Event::Open { block: 1, choice: 0, part: call("b", "g", "{}") },
        Event::Grow { block: 0, by: Growth::Arguments("{".to_owned()) },
        Event::Grow { block: 0, by: Growth::Arguments("}".to_owned()) },
        Event::Close { block: 0 },
        Event::Close { block: 1 },
    ];
    let first = |index: u64, id: &str, name: &str, arguments: &str| {
        json!({"tool_calls": [
        {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]})
    };
    let more = |arguments: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
    assert_eq!(
        deltas(&told, &reply()),
        [first(0, "a", "f", ""), first(1, "b", "g", "{}"), more("{"), more("}")]
    );

    // Who declared functions reads the first.
    let conversation = Conversation { legacy_functions: true, ..Conversation::default() };
    let legacy = |function: Value| json!({"function_call": function});
    assert_eq!(
        deltas(&told, &ReplyTo { conversation, ..reply() }),
        [
            legacy(json!({"name": "f", "arguments": ""})),
            legacy(json!({"arguments": "{"})),
            legacy(json!({"arguments": "}"})),
        ]
    );
}

#[test]
fn annotations_come_when_their_text_ends() {
    let citation =
        Citation { url: Some("https://a".to_owned()), title: Some("A".to_owned()), ..Citation::default() };
    let mut told = Vec::new();
    for (block, text) in ["öö", "b"].into_iter().enumerate() {
        told.push(Event::Open { block, choice: 0, part: Part::text("") });
        told.push(Event::Grow { block, by: Growth::Citation(citation.clone()) });
        told.push(Event::Grow { block, by: Growth::Text(text.to_owned()) });
        told.push(Event::Close { block });
    }
    let cites = |start: u64, end: u64| {
        json!({"annotations": [{"type": "url_citation", "url_citation": {
        "url": "https://a", "title": "A", "start_index": start, "end_index": end}}]})
    };
    assert_eq!(
        deltas(&told, &reply()),
        [json!({"content": "öö"}), cites(0, 2), json!({"content": "b"}), cites(2, 3)]
    );
}

/// The input that a caller of a custom tool puts together, where the arguments of its function are cut into `fragments`.
fn unwrapped(fragments: &[&str]) -> String {
    let kind = ToolKind::Custom { name: "c".to_owned(), description: None, format: None };
    let conversation = Conversation { tools: vec![Tool { kind, cache: None }], ..Conversation::default() };
    let mut told = vec![Event::Open { block: 0, choice: 0, part: call("a", "c", "") }];
    told.extend(
        fragments
            .iter()
            .map(|&fragment| Event::Grow { block: 0, by: Growth::Arguments(fragment.to_owned()) }),
    );
    told.push(Event::Close { block: 0 });
    let deltas = deltas(&told, &ReplyTo { conversation, ..reply() });
    assert_eq!(deltas[0]["tool_calls"][0]["type"], "custom");
    deltas.iter().filter_map(|delta| delta["tool_calls"][0]["custom"]["input"].as_str()).collect()
}

#[test]
fn a_custom_tools_input_is_unescaped_at_every_split() {
    for input in ["", "plain", "a\"b\\c\n\t\r\u{8}\u{c}/", "ä€𝄞", "{\"input\": \"x\"}"] {
        let plain = json!({"input": input}).to_string();
        let escaped: String = plain
            .chars()
            .flat_map(|letter| {
                let mut units = [0; 2];
                let is_ascii = letter.is_ascii();
                let escaped = letter
                    .encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}"))
                    .collect::<String>();
                if is_ascii { letter.to_string() } else { escaped }.chars().collect::<Vec<_>>()
            })
            .collect();
        for arguments in [plain, escaped, format!(" {{ \"input\" : {} }} ", json!(input))] {
            for at in (0..=arguments.len()).filter(|at| arguments.is_char_boundary(*at)) {
                let (one, two) = arguments.split_at(at);
                assert_eq!(unwrapped(&[one, two]), input, "{one} | {two}");
            }
            let letters: Vec<String> = arguments.chars().map(String::from).collect();
            assert_eq!(unwrapped(&letters.iter().map(String::as_str).collect::<Vec<_>>()), input);
        }
    }
    // Other forms are held until they are whole.
    assert_eq!(unwrapped(&["{\"note\": 1, ", "\"input\": \"x\"}"]), "x");
    assert_eq!(unwrapped(&["pl", "ain"]), "plain");
    assert_eq!(unwrapped(&[r#"{"input": "\ud834"#, r#"x\ud834\n"}"#]), "\u{fffd}x\u{fffd}\n");
    assert_eq!(unwrapped(&[]), "");
}
