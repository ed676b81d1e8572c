//! Thoughts and signatures: they come back to where they were made, and reach nobody else.

use serde_json::{Value, json};
use turnout::dialect::answer::{Answer, Choice, Event, Growth};
use turnout::dialect::conversation::{Conversation, Part, Seal, Thought, ToolCall};
use turnout::dialect::{Dialect, openai};

use super::{assembled, decode, encode, events, payloads, reply, stream};

fn seal(dialect: Dialect, is_redacted: bool) -> Option<Seal> {
    Some(Seal { dialect, is_redacted, value: "c2Vh/bA==".to_owned() })
}

fn thought(text: &str, seal: Option<Seal>) -> Thought {
    Thought { text: text.to_owned(), seal, ..Thought::default() }
}

/// Thoughts that others made.
fn foreign() -> Vec<Thought> {
    vec![
        thought("one", seal(Dialect::Anthropic, false)),
        thought("", seal(Dialect::Anthropic, true)),
        Thought {
            is_summary: true,
            id: Some("rs_1".to_owned()),
            ..thought("two", seal(Dialect::Responses, false))
        },
        Thought {
            is_summary: true,
            id: Some("rs_2".to_owned()),
            ..thought("", seal(Dialect::Responses, false))
        },
        thought("", seal(Dialect::Gemini, false)),
    ]
}

fn call() -> Part {
    let seal = seal(Dialect::Gemini, false);
    Part::ToolCall(ToolCall {
        id: "a".to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        is_custom: false,
        seal,
    })
}

/// The message of an answer that says `parts`, as a client has it that sends it back.
fn message(parts: Vec<Part>) -> Value {
    let answer = Answer { choices: vec![Choice { parts, ..Choice::default() }], ..Answer::default() };
    let body: Value = serde_json::from_slice(&openai::encode_answer(&answer, &reply())).expect("JSON");
    body["choices"][0]["message"].clone()
}

fn turn(message: Value) -> Conversation {
    decode(&json!({"model": "m", "messages": [{"role": "user", "content": "q"}, message]}))
}

#[test]
fn foreign_thoughts_come_back_from_a_client_that_echoes() {
    let mut parts: Vec<Part> = foreign().into_iter().map(Part::Thought).collect();
    parts.extend([Part::text("so"), call()]);
    let message = message(parts.clone());
    assert_eq!(message["reasoning_content"], "one\n\ntwo");
    let conversation = turn(message);
    assert_eq!(conversation.turns[1].parts, parts);
    // And this dialect's downstream gets none of it.
    let (body, note) = encode(&conversation, "m");
    assert_eq!(note, "not sent to openai: a thought that another model signed");
    assert_eq!(
        body["messages"][1],
        json!({"role": "assistant", "content": "so", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]})
    );
}

/// As the clients that overwrite what they do not know, and those that append it, put a streamed message together.
fn echoes(payloads: &[String]) -> [Value; 2] {
    let (mut overwritten, mut appended) = (json!({}), json!({}));
    for payload in payloads.iter().filter(|payload| *payload != "[DONE]") {
        let chunk: Value = serde_json::from_str(payload).expect("JSON");
        let Some(delta) = chunk["choices"][0]["delta"].as_object().cloned() else { continue };
        for (name, value) in delta {
            overwritten[&name] = value.clone();
            match (&mut appended[&name], value) {
                (Value::Array(all), Value::Array(more)) => all.extend(more),
                (Value::String(all), Value::String(more)) => all.push_str(&more),
                (before, value) => *before = value,
            }
        }
    }
    [overwritten, appended]
}

#[test]
fn a_streamed_thought_comes_back_with_its_seal() {
    let mut told = vec![Event::Start { id: None, model: None, created: None }];
    for (block, made) in foreign().into_iter().enumerate() {
        let Thought { text, seal, .. } = made.clone();
        let (text, at_once) = (text, seal.clone().filter(|seal| seal.is_redacted));
        told.push(Event::Open {
            block,
            choice: 0,
            part: Part::Thought(Thought { text: String::new(), seal: at_once, ..made }),
        });
        for letter in text.chars() {
            told.push(Event::Grow { block, by: Growth::Text(letter.to_string()) });
        }
        told.extend(
            seal.filter(|seal| !seal.is_redacted).map(|seal| Event::Grow { block, by: Growth::Seal(seal) }),
        );
        told.push(Event::Close { block });
    }
    told.push(Event::End);
    let [overwritten, appended] = echoes(&payloads(&stream(&told, &reply())));
    assert_eq!(appended["reasoning_content"], "one\n\ntwo");
    let parts = |message| turn(message).turns[1].parts.clone();
    let expected: Vec<Part> = foreign().into_iter().map(Part::Thought).collect();
    assert_eq!(parts(appended), expected);
    assert_eq!(parts(overwritten).last(), expected.last(), "at least the last is whole");
}

/// What a downstream of this dialect thought, in a message of its own form, is sent back in the same form.
#[test]
fn thoughts_of_this_dialect_go_back_to_where_they_stood() {
    let openrouter = json!([
        {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.summary", "summary": "u", "format": "openai-responses-v1", "index": 1},
        {"type": "reasoning.encrypted", "data": "d", "id": "rs", "format": "openai-responses-v1", "index": 1},
    ]);
    for message in [
        json!({"role": "assistant", "content": "a", "reasoning_content": "t"}),
        json!({"role": "assistant", "content": "a", "reasoning_details": openrouter}),
        json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "a"}]}),
        json!({"role": "assistant", "content": "a", "tool_calls": [{"id": "c", "type": "function",
            "function": {"name": "f", "arguments": "{}"}, "extra_content": {"google": {"thought_signature": "s"}}}]}),
    ] {
        let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
        let answer = openai::decode_answer(body.to_string().as_bytes()).expect("an answer");
        // Through a caller of another dialect, who sends back what it was given.
        let parts = answer.choices[0].parts.iter().map(|part| match part {
            Part::Thought(thought) => {
                Part::Thought(Thought { seal: thought.seal.as_ref().map(echoed), ..thought.clone() })
            }
            Part::ToolCall(call) => {
                Part::ToolCall(ToolCall { seal: call.seal.as_ref().map(echoed), ..call.clone() })
            }
            other => other.clone(),
        });
        let mut conversation = turn(json!({"role": "assistant", "content": "x"}));
        conversation.turns[1].parts = parts.collect();
        let (written, note) = encode(&conversation, "m");
        assert_eq!((&written["messages"][1], note.as_str()), (&message, ""));
    }
    // Nobody asks for `reasoning` back, and Groq refuses it.
    let groq = json!({"choices": [{"message": {"content": "a", "reasoning": "t"}, "finish_reason": "stop"}]});
    let answer = openai::decode_answer(groq.to_string().as_bytes()).expect("an answer");
    assert_eq!(answer.choices[0].parts[0], Part::Thought(thought("t", None)));
}

fn echoed(seal: &Seal) -> Seal {
    Seal::unwrapped(Dialect::Anthropic, &seal.wrapped(Dialect::Anthropic))
}

#[test]
fn a_signature_of_a_message_goes_back_to_where_it_stood() {
    let message =
        json!({"role": "assistant", "content": "a", "extra_content": {"google": {"thought_signature": "s"}}});
    let body = json!({"choices": [{"message": message, "finish_reason": "stop"}]});
    let answer = openai::decode_answer(body.to_string().as_bytes()).expect("an answer");
    let mut conversation = turn(json!({"role": "assistant", "content": "x"}));
    conversation.turns[1].parts = answer.choices[0].parts.clone();
    assert_eq!(encode(&conversation, "m").0["messages"][1], message);
}

fn chunk(delta: Value) -> String {
    json!({"id": "i", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}).to_string()
}

#[test]
fn streamed_details_are_put_together() {
    let detail = |entry: Value| chunk(json!({"reasoning": entry["text"], "reasoning_details": [entry]}));
    let chunks = [
        detail(json!({"type": "reasoning.text", "text": "t", "format": "f", "index": 0})),
        detail(json!({"type": "reasoning.text", "text": "u", "format": "f", "index": 0})),
        detail(json!({"type": "reasoning.text", "signature": "s", "format": "f", "index": 0})),
        detail(json!({"type": "reasoning.encrypted", "data": "d", "index": 1})),
        chunk(json!({"content": "a"})),
        "[DONE]".to_owned(),
    ];
    let streamed = assembled(&events(chunks.iter().map(String::as_str)).expect("a stream"));
    let whole = json!({"choices": [{"message": {"content": "a", "reasoning": "tu", "reasoning_details": [
        {"type": "reasoning.text", "text": "tu", "format": "f", "index": 0, "signature": "s"},
        {"type": "reasoning.encrypted", "data": "d", "index": 1},
    ]}}]});
    let whole = openai::decode_answer(whole.to_string().as_bytes()).expect("an answer");
    assert_eq!(streamed.choices[0].parts, whole.choices[0].parts);
}
