//! Answers and errors, whole.

use serde_json::{Value, json};
use turnout::dialect::answer::{Answer, Choice, Failure, Stop};
use turnout::dialect::anthropic::{decode_answer, decode_error, decode_request, encode_answer, encode_error};
use turnout::dialect::conversation::{Citation, Part, Seal, Source, Thought, ToolCall};
use turnout::dialect::{Dialect, ReplyTo};
use turnout::usage::Usage;

fn written(parts: Vec<Part>, stop: Option<Stop>) -> Value {
    let answer = Answer { choices: vec![Choice { parts, stop, logprobs: None }], ..Answer::default() };
    serde_json::from_slice(&encode_answer(&answer, &ReplyTo::default())).unwrap()
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "get".into(), arguments: arguments.into(), ..ToolCall::default() }
}

#[test]
fn each_stop_reason_is_read_and_written() {
    let both = [
        ("end_turn", Stop::End),
        ("max_tokens", Stop::Length),
        ("stop_sequence", Stop::Sequence(Some("##".into()))),
        ("tool_use", Stop::ToolCalls),
        ("pause_turn", Stop::Pause),
        ("refusal", Stop::Refusal),
        ("compaction", Stop::Other("compaction".into())),
    ];
    for (word, stop) in both {
        let sequence = if word == "stop_sequence" { json!("##") } else { Value::Null };
        let body = json!({"content": [], "stop_reason": word, "stop_sequence": sequence}).to_string();
        assert_eq!(decode_answer(body.as_bytes()).unwrap().choices[0].stop, Some(stop.clone()));
        let answer = written(vec![], Some(stop));
        assert_eq!((&answer["stop_reason"], &answer["stop_sequence"]), (&json!(word), &sequence));
    }
    let full = br#"{"content": [], "stop_reason": "model_context_window_exceeded"}"#;
    assert_eq!(decode_answer(full).unwrap().choices[0].stop, Some(Stop::Length));
    let foreign = written(vec![], Some(Stop::Other("content_moderated".into())));
    assert_eq!(foreign["stop_reason"], "end_turn");
}

#[test]
fn an_answer_that_calls_or_refuses_says_so_even_if_its_provider_did_not() {
    let calls = written(vec![Part::ToolCall(call("a", "{}"))], Some(Stop::End));
    assert_eq!(calls["stop_reason"], "tool_use");
    let refuses = written(vec![Part::Refusal("No.".into())], None);
    assert_eq!(refuses["stop_reason"], "refusal");
    assert_eq!(refuses["content"], json!([{"type": "text", "text": "No."}]));
}

#[test]
fn each_part_of_an_answer_has_its_block() {
    let seal = |dialect, is_redacted| Seal { dialect, is_redacted, value: "sig".into() };
    let thought = |text: &str, seal| Part::Thought(Thought { text: text.into(), seal, ..Thought::default() });
    let custom = ToolCall { is_custom: true, ..call("c", "SELECT \"1\"") };
    let sealed =
        ToolCall { seal: Some(seal(Dialect::Gemini, false)), ..call("functions.get:0", "{\"a\":1}") };
    let page =
        Citation { url: Some("https://a.example".into()), title: Some("A".into()), ..Citation::default() };
    let cases = [
        (Part::text("Hi"), json!([{"type": "text", "text": "Hi"}])),
        (Part::text(""), json!([])),
        (
            Part::Text { text: "Hi".into(), citations: vec![page, Citation::default()], cache: None },
            json!([{"type": "text", "text": "Hi", "citations": [{
                "type": "web_search_result_location", "url": "https://a.example", "title": "A",
                "cited_text": "", "encrypted_index": "",
            }]}]),
        ),
        (thought("", None), json!([])),
        (thought("Hm", None), json!([{"type": "thinking", "thinking": "Hm", "signature": ""}])),
        (
            thought("Hm", Some(seal(Dialect::Anthropic, false))),
            json!([{"type": "thinking", "thinking": "Hm", "signature": "sig"}]),
        ),
        (
            thought("Hm", Some(seal(Dialect::Responses, false))),
            json!([{"type": "thinking", "thinking": "Hm", "signature": "turnout.openai_responses.s.sig"}]),
        ),
        (
            thought("", Some(seal(Dialect::Anthropic, true))),
            json!([{"type": "redacted_thinking", "data": "sig"}]),
        ),
        (
            Part::ToolCall(call("call_1", "")),
            json!([{"type": "tool_use", "id": "call_1", "name": "get", "input": {}}]),
        ),
        (
            Part::ToolCall(custom),
            json!([{"type": "tool_use", "id": "c", "name": "get", "input": {"input": "SELECT \"1\""}}]),
        ),
        (
            Part::ToolCall(sealed),
            json!([
                {"type": "thinking", "thinking": "", "signature": "turnout.gemini.s.sig"},
                {"type": "tool_use", "id": "turnout-ZnVuY3Rpb25zLmdldDow", "name": "get", "input": {"a": 1}},
            ]),
        ),
        (Part::Own { dialect: Dialect::Anthropic, json: json!({"type": "x"}) }, json!([{"type": "x"}])),
        (Part::Own { dialect: Dialect::Responses, json: json!({"type": "x"}) }, json!([])),
        (Part::Image { source: Source::Url("u".into()), detail: None, cache: None }, json!([])),
    ];
    for (part, content) in cases {
        assert_eq!(written(vec![part], None)["content"], content);
    }
}

#[test]
fn what_an_answer_gave_comes_back_from_its_history_as_it_was() {
    let seal = |dialect, is_redacted| Some(Seal { dialect, is_redacted, value: "sig".into() });
    let parts = vec![
        Part::Thought(Thought {
            seal: seal(Dialect::Responses, true),
            is_summary: true,
            ..Thought::default()
        }),
        Part::text("Hi"),
        Part::Thought(Thought {
            text: "Hm".into(),
            seal: seal(Dialect::Anthropic, false),
            is_summary: true,
            id: None,
        }),
        Part::ToolCall(ToolCall { seal: seal(Dialect::Gemini, false), ..call("functions.get:0", "{}") }),
        Part::ToolCall(call("turnout-x", "{}")),
    ];
    let content = written(parts.clone(), None)["content"].clone();
    let request = json!({"model": "m", "messages": [{"role": "assistant", "content": content}]}).to_string();
    let conversation = decode_request(request.as_bytes()).unwrap();
    assert_eq!(conversation.turns[0].parts, parts);
}

#[test]
fn tokens_and_the_head_of_an_answer_are_written_in_full() {
    let usage = Usage { input: Some(5), output: Some(7), reasoning: Some(3), ..Usage::default() };
    let answer =
        Answer { id: Some("chatcmpl-1".into()), model: Some("gpt".into()), usage, ..Answer::default() };
    let written: Value = serde_json::from_slice(&encode_answer(&answer, &ReplyTo::default())).unwrap();
    assert_eq!(
        written,
        json!({
            "id": "chatcmpl-1", "type": "message", "role": "assistant", "model": "gpt", "content": [],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {
                "input_tokens": 5, "output_tokens": 7, "cache_creation_input_tokens": null,
                "cache_read_input_tokens": null, "output_tokens_details": {"thinking_tokens": 3},
            },
        })
    );
    let to = ReplyTo { id: "x1".into(), ..ReplyTo::default() };
    let bare: Value = serde_json::from_slice(&encode_answer(&Answer::default(), &to)).unwrap();
    assert_eq!(bare["id"], "msg_x1");
}

#[test]
fn what_is_no_answer_is_malformed() {
    for body in ["", "[]", "{}", "<html>", r#"{"type": "error", "error": {"type": "api_error"}}"#] {
        assert!(decode_answer(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn each_status_has_its_kind_of_error() {
    let cases = [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ];
    for (status, kind) in cases {
        let failure = Failure { status, message: "Why.".into(), ..Failure::default() };
        let body: Value = serde_json::from_str(&encode_error(&failure)).unwrap();
        assert_eq!(
            body,
            json!({"type": "error", "error": {"type": kind, "message": "Why."}, "request_id": null})
        );
        let read = decode_error(status, body.to_string().as_bytes());
        assert_eq!(read, Failure { kind: Some(kind.into()), ..failure });
    }
}

#[test]
fn an_error_of_ours_keeps_its_code_and_field() {
    let failure = Failure {
        status: 404,
        kind: Some("not_found_error".into()),
        code: Some("model_not_found".into()),
        param: Some("model".into()),
        message: "No such model.".into(),
    };
    assert_eq!(decode_error(404, encode_error(&failure).as_bytes()), failure);
}

#[test]
fn an_error_that_is_no_json_is_its_text() {
    let failure = decode_error(502, b" <html>Bad Gateway</html> ");
    assert_eq!((failure.status, failure.message.as_str()), (502, "<html>Bad Gateway</html>"));
    let inside_a_200 =
        br#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}"#;
    assert_eq!(decode_error(200, inside_a_200).status, 529);
}
