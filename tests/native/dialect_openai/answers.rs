//! Whole answers: what is read of them, and what is written.

use serde_json::{Value, json};
use turnout::dialect::answer::{Answer, Choice, Stop};
use turnout::dialect::conversation::{Citation, Conversation, Part, Source, Tool, ToolCall, ToolKind};
use turnout::dialect::{Dialect, ReplyTo, openai};
use turnout::usage::Usage;

use super::reply;

fn decode(body: &Value) -> Answer {
    openai::decode_answer(body.to_string().as_bytes()).expect("an answer")
}

fn encode(answer: &Answer, to: &ReplyTo) -> Value {
    serde_json::from_slice(&openai::encode_answer(answer, to)).expect("JSON")
}

fn choice(message: Value, finish_reason: &str) -> Choice {
    let body = json!({"id": "chatcmpl-1", "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}]});
    decode(&body).choices.remove(0)
}

fn written(choice: Choice, to: &ReplyTo) -> Value {
    encode(&Answer { choices: vec![choice], ..Answer::default() }, to)["choices"][0].clone()
}

fn says(parts: Vec<Part>, stop: Stop) -> Choice {
    Choice { parts, stop: Some(stop), logprobs: None }
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        ..ToolCall::default()
    }
}

#[test]
fn a_full_answer_is_written_as_it_was_read() {
    let logprobs = json!({"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}], "refusal": null});
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "gpt-5", "service_tier": "default",
        "choices": [
            {"index": 0, "finish_reason": "tool_calls", "logprobs": logprobs, "message": {
                "role": "assistant", "content": "a", "refusal": null,
                "annotations": [{"type": "url_citation", "url_citation": {
                    "url": "https://a", "title": "A", "start_index": 0, "end_index": 1}}],
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "2", "type": "custom", "custom": {"name": "c", "input": "x"}},
                ]}},
            {"index": 1, "finish_reason": "length", "logprobs": null, "message": {"role": "assistant", "content": "b", "refusal": null}},
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 8, "total_tokens": 18,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 3}},
    });
    let answer = decode(&body);
    let usage = Usage {
        input: Some(5),
        cache_read: Some(4),
        cache_write: Some(1),
        output: Some(8),
        reasoning: Some(3),
    };
    assert_eq!(answer.usage, usage);
    assert_eq!(encode(&answer, &reply()), body);
}

#[test]
fn what_a_provider_does_not_say_is_ours() {
    let body = encode(&Answer { choices: vec![Choice::default()], ..Answer::default() }, &reply());
    assert_eq!(
        body,
        json!({"id": "chatcmpl-abc", "object": "chat.completion", "created": 7, "model": "asked", "choices": [
        {"index": 0, "finish_reason": "stop", "logprobs": null, "message": {"role": "assistant", "content": "", "refusal": null}}]})
    );
    // A count that is not known is not 0.
    let usage = Usage { output: Some(3), ..Usage::default() };
    let body = encode(&Answer { usage, choices: vec![Choice::default()], ..Answer::default() }, &reply());
    assert_eq!(body["usage"], json!({"completion_tokens": 3}));
}

#[test]
fn reasons_are_read() {
    for (reason, stop) in [
        ("stop", Stop::End),
        ("length", Stop::Length),
        ("model_length", Stop::Length),
        ("tool_calls", Stop::ToolCalls),
        ("function_call", Stop::ToolCalls),
        ("content_filter", Stop::Refusal),
        ("insufficient_system_resource", Stop::Other("insufficient_system_resource".to_owned())),
    ] {
        assert_eq!(choice(json!({"content": "a"}), reason).stop, Some(stop), "{reason}");
    }
    let calls = json!({"tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    assert_eq!(
        choice(calls, "stop").stop,
        Some(Stop::ToolCalls),
        "a model that had to call says `stop` of it"
    );
    assert_eq!(choice(json!({"refusal": "no"}), "stop").stop, Some(Stop::Refusal));
    for (name, value, stop) in [
        ("stop_reason", json!("###"), Stop::Sequence(Some("###".to_owned()))),
        ("matched_stop", json!("###"), Stop::Sequence(Some("###".to_owned()))),
        ("matched_stop", json!(151_645), Stop::End),
    ] {
        let body = json!({"choices": [{"message": {"content": "a"}, "finish_reason": "stop", name: value}]});
        assert_eq!(decode(&body).choices[0].stop, Some(stop));
    }
}

#[test]
fn reasons_are_written() {
    for (stop, reason) in [
        (Stop::End, "stop"),
        (Stop::Length, "length"),
        (Stop::ToolCalls, "tool_calls"),
        (Stop::Sequence(Some("x".to_owned())), "stop"),
        (Stop::Refusal, "content_filter"),
        (Stop::Pause, "stop"),
        (Stop::Other("odd".to_owned()), "stop"),
    ] {
        assert_eq!(
            written(says(vec![Part::text("a")], stop.clone()), &reply())["finish_reason"],
            reason,
            "{stop:?}"
        );
    }
    let refusal = written(says(vec![Part::Refusal("no".to_owned())], Stop::Refusal), &reply());
    assert_eq!((&refusal["finish_reason"], &refusal["message"]["refusal"]), (&json!("stop"), &json!("no")));
    assert_eq!(refusal["message"]["content"], Value::Null);
}

#[test]
fn odd_answers_are_read() {
    // Mistral's parts, an object as arguments, a call without id.
    let message = json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]});
    let parts = choice(message, "tool_calls").parts;
    assert_eq!(
        parts,
        [Part::text("a"), Part::text("b"), Part::ToolCall(call("call_chatcmpl1_0", "f", "{\"x\":1}"))]
    );
    let legacy = json!({"content": null, "function_call": {"name": "f", "arguments": "{}"}});
    assert_eq!(choice(legacy, "function_call").parts, [Part::ToolCall(call("call_chatcmpl1_0", "f", "{}"))]);
    let image = json!({"content": "", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]});
    let source = Source::Base64 { media_type: "image/png".to_owned(), data: "AA==".to_owned() };
    assert_eq!(choice(image.clone(), "stop").parts, [Part::Image { source, detail: None, cache: None }]);
    assert_eq!(written(choice(image.clone(), "stop"), &reply())["message"]["images"], image["images"]);
    let audio =
        json!({"content": null, "audio": {"id": "a", "data": "AA==", "transcript": "t", "expires_at": 1}});
    assert_eq!(written(choice(audio.clone(), "stop"), &reply())["message"]["audio"], audio["audio"]);
}

#[test]
fn what_is_no_answer_is_malformed() {
    for body in [
        r#"{"error": {"message": "no"}}"#,
        r#"{"choices": []}"#,
        r#"{"choices": [{"index": 0}]}"#,
        r#"{"choices": [{"message": {"tool_calls": [{"id": "a"}]}}]}"#,
        r#"{"object": "response"}"#,
        "[]",
        "<html>",
    ] {
        openai::decode_answer(body.as_bytes()).expect_err(body);
    }
}

#[test]
fn pages_beside_an_answer_are_citations() {
    let body = json!({"choices": [{"message": {"content": "äb"}, "finish_reason": "stop"}],
        "citations": ["https://a"], "search_results": [{"title": "A", "url": "https://a"}]});
    let page =
        Citation { url: Some("https://a".to_owned()), title: Some("A".to_owned()), ..Citation::default() };
    let answer = decode(&body);
    let Part::Text { citations, .. } = &answer.choices[0].parts[0] else { panic!("{answer:?}") };
    assert_eq!(*citations, [page]);
    // Spans are of the whole content, in characters.
    let mut parts = vec![Part::text("ö")];
    parts.extend(answer.choices[0].parts.clone());
    let annotations = written(says(parts, Stop::End), &reply())["message"]["annotations"].clone();
    assert_eq!(
        annotations,
        json!([{"type": "url_citation", "url_citation": {
        "url": "https://a", "title": "A", "start_index": 1, "end_index": 3}}])
    );
}

#[test]
fn a_function_that_stood_for_a_custom_tool_comes_back_as_one() {
    let kind = ToolKind::Custom { name: "c".to_owned(), description: None, format: None };
    let conversation = Conversation { tools: vec![Tool { kind, cache: None }], ..Conversation::default() };
    let to = ReplyTo { conversation, ..reply() };
    for (arguments, input) in
        [(r#"{"input": "a\"b\nc"}"#, "a\"b\nc"), (r#"{"input": {"a":1}}"#, r#"{"a":1}"#), ("plain", "plain")]
    {
        let written = written(says(vec![Part::ToolCall(call("1", "c", arguments))], Stop::ToolCalls), &to);
        assert_eq!(
            written["message"]["tool_calls"],
            json!([{"id": "1", "type": "custom", "custom": {"name": "c", "input": input}}])
        );
    }
}

#[test]
fn who_declared_functions_reads_a_function_call() {
    let conversation = Conversation { legacy_functions: true, ..Conversation::default() };
    let to = ReplyTo { conversation, ..reply() };
    let written = written(says(vec![Part::ToolCall(call("1", "f", "{}"))], Stop::ToolCalls), &to);
    assert_eq!(written["finish_reason"], "function_call");
    assert_eq!(
        written["message"],
        json!({
        "role": "assistant", "content": null, "refusal": null, "function_call": {"name": "f", "arguments": "{}"}})
    );
}

#[test]
fn steps_of_others_tools_have_no_form_here() {
    let own = Part::Own { dialect: Dialect::Anthropic, json: json!({"type": "server_tool_use"}) };
    let written = written(says(vec![own, Part::text("a")], Stop::End), &reply());
    assert_eq!(written["message"], json!({"role": "assistant", "content": "a", "refusal": null}));
}
