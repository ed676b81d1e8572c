//! Streams: read from odd providers, and written to the letter whatever comes.

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::dialect::Dialect;
use turnout::dialect::answer::{Event, Failure, Growth, Stop};
use turnout::dialect::conversation::{Citation, Part, Seal, Thought, ToolCall};
use turnout::usage::Usage;

use super::client::{events, message};
use super::recordings::{decoded, encoded};

const START: &str = r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":3,"output_tokens":1}}}"#;

fn read(payloads: &[&str]) -> Vec<Event> {
    decoded(&[&[START], payloads].concat()).unwrap()
}

fn call(id: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: "get".into(), ..ToolCall::default() })
}

fn open(block: usize, part: Part) -> Event {
    Event::Open { block, choice: 0, part }
}

fn text(block: usize, text: &str) -> Event {
    Event::Grow { block, by: Growth::Text(text.into()) }
}

fn arguments(block: usize, json: &str) -> Event {
    Event::Grow { block, by: Growth::Arguments(json.into()) }
}

fn seal(dialect: Dialect, is_redacted: bool) -> Seal {
    Seal { dialect, is_redacted, value: "sig".into() }
}

fn start() -> Event {
    Event::Start { id: Some("m".into()), model: Some("c".into()), created: None }
}

/// The content that a client builds of what these blocks say, with a beginning and an end around them.
fn content(blocks: Vec<Event>) -> Value {
    let all = [vec![start()], blocks, vec![Event::Stop { choice: 0, stop: Stop::End }, Event::End]].concat();
    message(&encoded(&all))["content"].clone()
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let events = read(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"get","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    assert!(events.contains(&arguments(0, "{}")));
}

#[test]
fn an_input_that_comes_at_once_is_the_arguments() {
    let events = read(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"get","input":{"a":1}}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}"#,
    ]);
    let said = [
        open(0, call("t")),
        Event::Usage(Usage { output: Some(5), ..Usage::default() }),
        arguments(0, r#"{"a":1}"#),
        Event::Close { block: 0 },
        Event::Stop { choice: 0, stop: Stop::ToolCalls },
        Event::End,
    ];
    assert_eq!(events[2..], said);
}

#[test]
fn a_beginning_that_counts_nothing_says_nothing_of_tokens() {
    let zero = START.replace(r#""input_tokens":3"#, r#""input_tokens":0"#);
    let end = r#"{"type":"message_stop"}"#;
    assert_eq!(decoded(&[&zero, end]).unwrap(), [start(), Event::End]);
    let input = Usage { input: Some(3), ..Usage::default() };
    assert_eq!(read(&[end])[1], Event::Usage(input), "the output of a beginning is a placeholder");
}

#[test]
fn an_error_in_a_stream_is_told_and_ends_it() {
    let events = read(&[
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    let failure = Failure {
        status: 529,
        kind: Some("overloaded_error".into()),
        message: "Overloaded".into(),
        ..Failure::default()
    };
    assert_eq!(events.last(), Some(&Event::Failed(failure)));
    let error = message(&encoded(&events));
    assert_eq!(error["error"], json!({"type": "overloaded_error", "message": "Overloaded"}));
}

#[test]
fn what_this_dialect_does_not_allow_is_malformed() {
    let cases: [&[&str]; 6] = [
        &[],
        &[START],
        &[r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#],
        &[START, r#"{"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"a"}}"#],
        &[START, r#"{"type":"content_block_start","index":0}"#],
        &[START, r#"{"type":"content_block_delta","index":0}"#],
    ];
    for payloads in cases {
        assert!(decoded(payloads).is_err(), "{payloads:?}");
    }
}

#[test]
fn calls_that_overlap_are_told_one_after_another() {
    let told = content(vec![
        open(0, call("a")),
        open(1, call("b")),
        arguments(1, r#"{"b":"#),
        arguments(0, r#"{"a":"#),
        arguments(0, "1}"),
        arguments(1, "2}"),
        Event::Close { block: 1 },
        Event::Close { block: 0 },
    ]);
    let block = |id, input| json!({"type": "tool_use", "id": id, "name": "get", "input": input});
    assert_eq!(told, json!([block("a", json!({"a": 1})), block("b", json!({"b": 2}))]));
}

#[test]
fn a_block_that_waits_does_not_hold_back_the_one_before() {
    let mut all = vec![start(), open(0, call("a")), open(1, call("b")), arguments(0, "{")];
    let before = encoded(&all);
    all.push(arguments(0, "}"));
    assert_eq!(events(&encoded(&all)).len(), events(&before).len() + 1);
}

#[test]
fn a_text_that_says_nothing_has_no_block() {
    let told = content(vec![
        open(0, Part::text("")),
        open(1, call("a")),
        Event::Close { block: 1 },
        text(0, "Late"),
        Event::Close { block: 0 },
        open(2, Part::text("")),
        Event::Close { block: 2 },
    ]);
    assert_eq!(told[0]["type"], "tool_use");
    assert_eq!(told[1]["text"], "Late");
    assert_eq!(told.as_array().unwrap().len(), 2);
}

#[test]
fn each_kind_of_block_is_told() {
    let thought = |text: &str, seal| Part::Thought(Thought { text: text.into(), seal, ..Thought::default() });
    let custom = ToolCall { id: "c".into(), name: "sql".into(), is_custom: true, ..ToolCall::default() };
    let sealed = ToolCall {
        id: "c".into(),
        name: "get".into(),
        arguments: "{}".into(),
        seal: Some(seal(Dialect::Gemini, false)),
        ..ToolCall::default()
    };
    let page = Citation { url: Some("https://a.example".into()), ..Citation::default() };
    let search = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}});
    let grow = |by| Event::Grow { block: 0, by };
    let cases = [
        (vec![open(0, Part::Refusal("No".into()))], json!([{"type": "text", "text": "No"}])),
        (
            vec![
                open(0, thought("", None)),
                text(0, "Hm"),
                grow(Growth::Seal(seal(Dialect::Anthropic, false))),
            ],
            json!([{"type": "thinking", "thinking": "Hm", "signature": "sig"}]),
        ),
        (
            vec![open(0, thought("", None)), grow(Growth::Seal(seal(Dialect::Responses, true)))],
            json!([{"type": "redacted_thinking", "data": "turnout.openai_responses.r.sig"}]),
        ),
        (
            vec![open(0, thought("", Some(seal(Dialect::Anthropic, true))))],
            json!([{"type": "redacted_thinking", "data": "sig"}]),
        ),
        (vec![open(0, thought("", None))], json!([])),
        (
            vec![open(0, Part::ToolCall(custom)), arguments(0, "say \"a"), arguments(0, "\"\n")],
            json!([{"type": "tool_use", "id": "c", "name": "sql", "input": {"input": "say \"a\"\n"}}]),
        ),
        (
            vec![open(0, Part::ToolCall(sealed))],
            json!([
                {"type": "thinking", "thinking": "", "signature": "turnout.gemini.s.sig"},
                {"type": "tool_use", "id": "c", "name": "get", "input": {}},
            ]),
        ),
        (
            vec![open(0, Part::text("")), text(0, "Hi"), grow(Growth::Citation(page))],
            json!([{"type": "text", "text": "Hi", "citations": [{
                "type": "web_search_result_location", "url": "https://a.example", "title": null,
                "cited_text": "", "encrypted_index": "",
            }]}]),
        ),
        (vec![open(0, Part::Own { dialect: Dialect::Anthropic, json: search.clone() })], json!([search])),
        (vec![open(0, Part::Own { dialect: Dialect::Gemini, json: json!({}) })], json!([])),
        (vec![Event::Open { block: 0, choice: 1, part: Part::text("Other") }, text(0, "!")], json!([])),
    ];
    for (blocks, expected) in cases {
        let closed = [blocks, vec![Event::Close { block: 0 }]].concat();
        assert_eq!(content(closed), expected);
    }
}

#[test]
fn tokens_that_are_known_late_stand_at_the_end() {
    let early = Event::Usage(Usage { input: Some(3), cache_read: Some(2), ..Usage::default() });
    let late = Event::Usage(Usage { output: Some(9), reasoning: Some(4), ..Usage::default() });
    let stop = Event::Stop { choice: 0, stop: Stop::Length };
    let stream = encoded(&[
        start(),
        early,
        open(0, Part::text("Hi")),
        Event::Close { block: 0 },
        stop,
        late,
        Event::End,
    ]);
    let events = events(&stream);
    assert_eq!(events[0].1["message"]["usage"]["input_tokens"], 3);
    let end = &events[events.len() - 2].1;
    assert_eq!(end["delta"], json!({"stop_reason": "max_tokens", "stop_sequence": null}));
    assert_eq!(
        end["usage"],
        json!({
            "input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 9,
            "output_tokens_details": {"thinking_tokens": 4},
        })
    );
}

/// A step of a stream, by the number of a block that may or may not be open.
#[derive(Clone, Debug)]
enum Step {
    Open(u8),
    Grow(usize, String),
    Close(usize),
    Usage(u64),
    Ping,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8).prop_map(Step::Open),
        8 => (0..8_usize, "[a-z\"\\\\ é]{0,4}").prop_map(|(block, text)| Step::Grow(block, text)),
        3 => (0..8_usize).prop_map(Step::Close),
        1 => any::<u64>().prop_map(Step::Usage),
        1 => Just(Step::Ping),
    ]
}

/// The events of the steps, as a stream may have them, and the text of each block in the order of opening.
fn played(steps: Vec<Step>) -> (Vec<Event>, Vec<(u8, String)>) {
    let (mut events, mut blocks) = (vec![start()], Vec::<(u8, String)>::new());
    let mut closed = Vec::new();
    for step in steps {
        let is_open = |block: usize, closed: &[bool]| closed.get(block) == Some(&false);
        match step {
            Step::Open(kind) => {
                let part = match kind {
                    0 => Part::text(""),
                    1 => Part::Thought(Thought::default()),
                    2 => call("a"),
                    _ => Part::ToolCall(ToolCall {
                        id: "b".into(),
                        name: "free".into(),
                        is_custom: true,
                        ..ToolCall::default()
                    }),
                };
                events.push(open(blocks.len(), part));
                blocks.push((kind, String::new()));
                closed.push(false);
            }
            Step::Grow(block, more) if is_open(block, &closed) => {
                // What a model writes for a call is JSON: here one growing array's worth of nothing but spaces.
                let more = if blocks[block].0 == 2 { " ".repeat(more.len()) } else { more };
                blocks[block].1 += &more;
                let is_call = blocks[block].0 >= 2;
                events.push(if is_call { arguments(block, &more) } else { text(block, &more) });
            }
            Step::Close(block) if is_open(block, &closed) => {
                if blocks[block].0 == 2 {
                    events.push(arguments(block, "{}"));
                }
                closed[block] = true;
                events.push(Event::Close { block });
            }
            Step::Usage(count) => {
                events.push(Event::Usage(Usage { output: Some(count), ..Usage::default() }));
            }
            Step::Ping => events.push(Event::Ping),
            Step::Grow(..) | Step::Close(_) => {}
        }
    }
    for block in (0..blocks.len()).filter(|block| !closed[*block] && blocks[*block].0 == 2) {
        events.push(arguments(block, "{}"));
    }
    events.push(Event::End);
    (events, blocks)
}

proptest! {
    #[test]
    fn whatever_overlaps_is_told_in_order_and_in_full(steps in proptest::collection::vec(step(), 0..40)) {
        let (events, blocks) = played(steps);
        let built = message(&encoded(&events));
        let mut told: Vec<(u8, String)> = built["content"].as_array().unwrap().iter().map(|block| {
            let text = |name: &str| block[name].as_str().unwrap().to_owned();
            match (block["type"].as_str().unwrap(), block["name"].as_str()) {
                ("text", _) => (0, text("text")),
                ("thinking", _) => (1, text("thinking")),
                (_, Some("get")) => {
                    assert_eq!(block["input"], json!({}));
                    (2, String::new())
                }
                _ => (3, block["input"]["input"].as_str().unwrap().to_owned()),
            }
        }).collect();
        let mut expected: Vec<(u8, String)> = blocks
            .into_iter()
            .map(|(kind, text)| if kind == 2 { (2, String::new()) } else { (kind, text) })
            .filter(|(kind, text)| *kind >= 2 || !text.is_empty())
            .collect();
        told.sort();
        expected.sort();
        prop_assert_eq!(told, expected);
    }
}
