//! Streams: how each sort of block is told, and what is told of it.

use turnout::dialect::answer::{Choice, Failure, Growth, Stop};
use turnout::dialect::conversation::{Tool, ToolKind};
use turnout::usage::Usage;

use super::*;

/// The choices that a stream's events add up to.
pub(super) fn assembled(events: &[Event]) -> Vec<Choice> {
    let mut blocks: Vec<Part> = Vec::new();
    let mut choice = Choice::default();
    let mut logprobs = Vec::new();
    for event in events {
        match event {
            Event::Open { block, part, .. } => {
                assert_eq!(*block, blocks.len());
                blocks.push(part.clone());
            }
            Event::Grow { block, by } => grow(&mut blocks[*block], by),
            Event::Logprobs { tokens, .. } => logprobs.extend(tokens.as_array().unwrap().clone()),
            Event::Stop { stop, .. } => choice.stop = Some(stop.clone()),
            _ => {}
        }
    }
    choice.parts = blocks;
    choice.logprobs = (!logprobs.is_empty()).then_some(Value::Array(logprobs));
    vec![choice]
}

fn grow(part: &mut Part, by: &Growth) {
    match (part, by) {
        (Part::Text { text, .. } | Part::Refusal(text), Growth::Text(more)) => text.push_str(more),
        (Part::Thought(thought), Growth::Text(more)) => thought.text.push_str(more),
        (Part::Thought(thought), Growth::Seal(seal)) => thought.seal = Some(seal.clone()),
        (Part::ToolCall(call), Growth::Arguments(more)) => call.arguments.push_str(more),
        (Part::Text { citations, .. }, Growth::Citation(citation)) => citations.push(citation.clone()),
        (part, by) => panic!("{by:?} of {part:?}"),
    }
}

fn start() -> Event {
    Event::Start { id: Some("chatcmpl-1".to_owned()), model: Some("m".to_owned()), created: Some(7) }
}

fn open(block: usize, part: Part) -> Event {
    Event::Open { block, choice: 0, part }
}

fn more(block: usize, text: &str) -> Event {
    Event::Grow { block, by: Growth::Text(text.to_owned()) }
}

fn arguments(block: usize, text: &str) -> Event {
    Event::Grow { block, by: Growth::Arguments(text.to_owned()) }
}

fn close(block: usize) -> Event {
    Event::Close { block }
}

fn ends(stop: Stop) -> Vec<Event> {
    let usage = Usage { input: Some(5), cache_read: Some(3), output: Some(2), ..Usage::default() };
    vec![Event::Stop { choice: 0, stop }, Event::Usage(usage), Event::End]
}

fn thought(seal: Option<Seal>) -> Part {
    Part::Thought(Thought { seal, ..Thought::default() })
}

fn call(id: &str, name: &str, seal: Option<Seal>) -> Part {
    Part::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), seal, ..ToolCall::default() })
}

/// Types of the events that these blocks are told in, but for the beginning and the end, and the final response.
fn told(blocks: Vec<Event>, stop: Stop, to: Conversation) -> (Vec<String>, Value) {
    let events: Vec<Event> = [start()].into_iter().chain(blocks).chain(ends(stop)).collect();
    let payloads = stream_of(&events, reply_to(to));
    let response = order::check(&payloads, "a stream");
    let kinds = payloads[2..payloads.len() - 1]
        .iter()
        .map(|payload| payload["type"].as_str().unwrap().strip_prefix("response.").unwrap().to_owned());
    (kinds.collect(), response)
}

#[test]
fn texts_that_follow_one_another_are_one_message() {
    let cited = Citation { url: Some("https://a.test".to_owned()), ..Citation::default() };
    let (kinds, response) = told(
        vec![
            open(0, Part::text("")),
            more(0, "A"),
            more(0, "b"),
            close(0),
            open(1, Part::text("C")),
            Event::Grow { block: 1, by: Growth::Citation(cited) },
            Event::Logprobs {
                choice: 0,
                tokens: json!([{"token": "C", "logprob": -0.5, "top_logprobs": []}]),
            },
            close(1),
        ],
        Stop::End,
        Conversation::default(),
    );
    assert_eq!(
        kinds,
        [
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "content_part.added",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
        ]
    );
    assert_eq!(
        response["output"],
        json!([{
            "type": "message", "id": "msg_turnout_abc123_0", "role": "assistant", "status": "completed",
            "content": [
                {"type": "output_text", "text": "Ab", "annotations": [], "logprobs": []},
                {"type": "output_text", "text": "C", "annotations": [{
                    "type": "url_citation", "start_index": 0, "end_index": 1, "url": "https://a.test", "title": "https://a.test",
                }], "logprobs": [{"token": "C", "logprob": -0.5, "top_logprobs": []}]},
            ],
        }])
    );
    assert_eq!(response["id"], "resp_chatcmpl-1");
    assert_eq!((&response["created_at"], &response["model"]), (&json!(7), &json!("m")));
    assert_eq!(
        response["usage"],
        json!({
            "input_tokens": 8, "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
            "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 10,
        })
    );
}

#[test]
fn thoughts_are_told_as_summaries_with_their_seal() {
    let made = seal(Dialect::Anthropic, "sig");
    let (kinds, response) = told(
        vec![
            open(0, thought(None)),
            more(0, "Hm"),
            Event::Grow { block: 0, by: Growth::Seal(made.clone()) },
            close(0),
            open(1, thought(Some(Seal { is_redacted: true, ..made.clone() }))),
            close(1),
            open(2, Part::text("")),
            more(2, "A"),
            close(2),
        ],
        Stop::End,
        Conversation::default(),
    );
    assert_eq!(
        kinds[..8],
        [
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
        ]
    );
    assert_eq!(
        response["output"][0],
        json!({
            "type": "reasoning", "id": "rs_turnout_abc123_0", "summary": [{"type": "summary_text", "text": "Hm"}],
            "encrypted_content": "turnout.anthropic.s.sig",
        })
    );
    assert_eq!(response["output"][1]["encrypted_content"], "turnout.anthropic.r.sig");
}

#[test]
fn calls_pass_in_fragments_even_where_they_overlap() {
    let (kinds, response) = told(
        vec![
            open(0, Part::text("")),
            more(0, "See"),
            open(1, call("c1", "f", Some(seal(Dialect::Gemini, "sig")))),
            arguments(1, "{\"a\""),
            open(2, call("c2", "g", None)),
            more(0, "."),
            arguments(2, "{}"),
            arguments(1, ":1}"),
            close(1),
            close(0),
            close(2),
            open(3, call("c3", "h", None)),
            close(3),
        ],
        Stop::ToolCalls,
        Conversation::default(),
    );
    assert_eq!(kinds.iter().filter(|kind| *kind == "function_call_arguments.delta").count(), 4);
    let items: Vec<&str> =
        response["output"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(items, ["message", "reasoning", "function_call", "function_call", "function_call"]);
    assert_eq!(response["output"][1]["encrypted_content"], "turnout.gemini.s.sig");
    assert_eq!(
        response["output"][2],
        json!({
            "type": "function_call", "id": "fc_turnout_abc123_2", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}",
            "status": "completed",
        })
    );
    // No arguments are an empty object.
    assert_eq!(response["output"][4]["arguments"], "{}");
}

/// Where the upstream has no tools that take free text, the text is a JSON object's only member.
#[test]
fn free_text_is_unwrapped() {
    let kind = ToolKind::Custom { name: "sql".to_owned(), description: None, format: None };
    let to = Conversation { tools: vec![Tool { kind, cache: None }], ..Conversation::default() };
    for (upstream, input) in [
        (vec!["{\"input\": \"SELECT ", "\\\"a\\\"\"}"], "SELECT \"a\""),
        (vec!["{\"a\": 1}"], "{\"a\": 1}"),
        (vec!["no JSON"], "no JSON"),
        (vec![], ""),
    ] {
        let mut blocks = vec![open(0, call("c1", "sql", None))];
        blocks.extend(upstream.into_iter().map(|fragment| arguments(0, fragment)));
        blocks.push(close(0));
        let (_, response) = told(blocks, Stop::ToolCalls, to.clone());
        assert_eq!(response["output"][0]["type"], "custom_tool_call");
        assert_eq!(response["output"][0]["input"], input);
    }
    // Where it has, it passes as it is.
    let native = Part::ToolCall(ToolCall {
        id: "c".to_owned(),
        name: "sql".to_owned(),
        is_custom: true,
        ..ToolCall::default()
    });
    let (kinds, response) =
        told(vec![open(0, native), arguments(0, "SE"), arguments(0, "LECT"), close(0)], Stop::ToolCalls, to);
    assert_eq!(kinds.iter().filter(|kind| *kind == "custom_tool_call_input.delta").count(), 2);
    assert_eq!(response["output"][0]["input"], "SELECT");
}

#[test]
fn ends_are_told() {
    let refusal = || vec![open(0, Part::Refusal(String::new())), more(0, "No."), close(0)];
    let text = || vec![open(0, Part::text("")), more(0, "A"), close(0)];
    for (blocks, stop, status, reason) in [
        (text(), Stop::End, "completed", json!(null)),
        (text(), Stop::Sequence(None), "completed", json!(null)),
        (text(), Stop::Length, "incomplete", json!("max_output_tokens")),
        (text(), Stop::Pause, "incomplete", json!("max_output_tokens")),
        (text(), Stop::Refusal, "incomplete", json!("content_filter")),
        (text(), Stop::Other("odd".to_owned()), "incomplete", json!("odd")),
        (refusal(), Stop::Refusal, "completed", json!(null)),
        (vec![], Stop::End, "completed", json!(null)),
    ] {
        let (_, response) = told(blocks.clone(), stop.clone(), Conversation::default());
        assert_eq!(response["status"], status, "{stop:?}");
        assert_eq!(response.pointer("/incomplete_details/reason").unwrap_or(&Value::Null), &reason);
        if let Some(message) = response["output"].get(0) {
            assert_eq!(message["status"], status);
        }
    }
}

#[test]
fn pings_are_comments_and_other_choices_are_left_out() {
    let mut events = vec![Event::Ping, start(), Event::Ping];
    events.push(Event::Open { block: 0, choice: 1, part: Part::text("B") });
    events.extend([more(0, "B"), close(0), open(1, Part::text("A")), close(1)]);
    events.push(Event::Stop { choice: 1, stop: Stop::Length });
    events.extend(ends(Stop::End));
    let response = order::check(&stream_of(&events, reply_to(Conversation::default())), "pings");
    assert_eq!(response["output"][0]["content"][0]["text"], "A");
    assert_eq!(
        (response["status"].as_str(), response["output"].as_array().map(Vec::len)),
        (Some("completed"), Some(1))
    );
}

#[test]
fn a_block_that_was_never_closed_is_closed_at_the_end() {
    let (_, response) = told(
        vec![open(0, Part::text("")), more(0, "A"), open(1, call("c", "f", None)), arguments(1, "{}")],
        Stop::ToolCalls,
        Conversation::default(),
    );
    assert_eq!(response["output"].as_array().map(Vec::len), Some(2));
}

#[test]
fn errors_in_mid_stream_are_told_and_nothing_after_them() {
    let failed = |status, kind: Option<&str>, code: Option<&str>| Failure {
        status,
        kind: kind.map(str::to_owned),
        code: code.map(str::to_owned),
        param: None,
        message: "Too much.".to_owned(),
    };
    for (failure, code, in_response) in [
        (failed(529, Some("overloaded_error"), None), json!("overloaded_error"), "server_error"),
        (failed(429, Some("RESOURCE_EXHAUSTED"), None), json!("RESOURCE_EXHAUSTED"), "rate_limit_exceeded"),
        (
            failed(400, None, Some("context_length_exceeded")),
            json!("context_length_exceeded"),
            "context_length_exceeded",
        ),
        (failed(500, Some("server_error"), None), json!(null), "server_error"),
    ] {
        let events = [
            start(),
            open(0, Part::text("")),
            more(0, "A"),
            close(0),
            open(1, call("c", "f", None)),
            Event::Failed(failure),
            more(1, "B"),
            Event::End,
        ];
        let payloads = stream_of(&events, reply_to(Conversation::default()));
        let response = order::check(&payloads, "an error");
        let [.., error, _] = payloads.as_slice() else { panic!("{payloads:?}") };
        assert_eq!((&error["code"], &error["message"]), (&code, &json!("Too much.")));
        assert_eq!(response["error"], json!({"code": in_response, "message": "Too much."}));
    }
}

#[test]
fn the_request_comes_back() {
    let asked = json!({
        "model": "turnout/support", "instructions": "Be brief.", "input": "Hi", "temperature": 0.5, "top_p": 0.9,
        "max_output_tokens": 50, "parallel_tool_calls": false, "metadata": {"tier": "pro"}, "user": "u",
        "reasoning": {"effort": "low", "summary": "auto"}, "text": {"verbosity": "low"}, "truncation": "auto",
        "tools": [{"type": "custom", "name": "g"}, {"type": "mcp", "server_label": "s"}],
        "tool_choice": {"type": "custom", "name": "g"}, "store": false,
    });
    let to = decoded(&asked);
    let events = [Event::Start { id: None, model: None, created: None }, Event::End];
    let response = order::check(&stream_of(&events, reply_to(to)), "an echo");
    for name in [
        "instructions",
        "temperature",
        "top_p",
        "max_output_tokens",
        "parallel_tool_calls",
        "metadata",
        "user",
        "model",
        "reasoning",
        "truncation",
        "tools",
        "tool_choice",
        "store",
    ] {
        assert_eq!(response[name], asked[name], "{name}");
    }
    assert_eq!(response["text"], json!({"format": {"type": "text"}, "verbosity": "low"}));
    assert_eq!((&response["id"], &response["created_at"]), (&json!("resp_abc123"), &json!(1_700_000_000)));
    assert_eq!(response["usage"], json!(null));
}

/// Providers leave out what others send: nothing is lost, and nothing is told twice.
#[test]
fn what_is_told_late_is_told_once() {
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
        {"type": "output_text", "text": "Hi", "annotations": [{"type": "url_citation", "url": "https://a.test", "title": "A",
         "start_index": 0, "end_index": 2}], "logprobs": [{"token": "Hi", "logprob": -1.0}]},
        {"type": "refusal", "refusal": "No."},
    ]});
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": [
        {"type": "summary_text", "text": "One"}, {"type": "summary_text", "text": "Two"}], "encrypted_content": "e"});
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"});
    let output = json!([thought, message, call]);
    let done = |index: usize| json!({"type": "response.output_item.done", "output_index": index, "item": output[index]});
    let completed =
        json!({"type": "response.completed", "response": {"status": "completed", "output": output}});
    let expected =
        responses::decode_answer(completed["response"].to_string().as_bytes()).expect("an answer").choices;
    let delta = |kind: &str, index: usize, more: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "output_index": index});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    for events in [
        vec![],
        vec![done(0), done(1), done(2)],
        vec![
            delta(
                "reasoning_summary_text.delta",
                0,
                json!({"summary_index": 0, "item_id": "rs_1", "delta": "One"}),
            ),
            delta(
                "reasoning_summary_text.done",
                0,
                json!({"summary_index": 1, "item_id": "rs_1", "text": "Two"}),
            ),
            done(0),
            delta("output_text.delta", 1, json!({"content_index": 0, "delta": "Hi"})),
            delta("refusal.done", 1, json!({"content_index": 1, "refusal": "No."})),
            done(1),
            delta(
                "output_item.added",
                2,
                json!({"item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}}),
            ),
            delta("function_call_arguments.done", 2, json!({"arguments": "{}"})),
            done(2),
        ],
        vec![
            delta(
                "reasoning_summary_text.done",
                0,
                json!({"summary_index": 0, "item_id": "rs_1", "text": "One"}),
            ),
            delta(
                "reasoning_summary_text.delta",
                0,
                json!({"summary_index": 1, "item_id": "rs_1", "delta": "Two"}),
            ),
            done(0),
            delta(
                "output_text.annotation.added",
                1,
                json!({"content_index": 0, "annotation": message["content"][0]["annotations"][0]}),
            ),
            delta(
                "output_text.done",
                1,
                json!({"content_index": 0, "text": "Hi", "logprobs": [{"token": "Hi", "logprob": -1.0}]}),
            ),
            done(1),
            delta("output_item.added", 2, json!({"item": call})),
            done(2),
        ],
    ] {
        let mut payloads: Vec<String> = events.iter().map(Value::to_string).collect();
        payloads.push(completed.to_string());
        payloads.push("[DONE]".to_owned());
        let read = events_of(payloads.iter().map(String::as_str));
        assert_eq!(assembled(&read), expected, "{payloads:#?}");
    }
}

#[test]
fn failures_are_read() {
    for (payload, status, code, message) in [
        (
            json!({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": null}),
            429,
            Some("rate_limit_exceeded"),
            "Slow down.",
        ),
        (
            json!({"type": "error", "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "Pay."}}),
            429,
            Some("insufficient_quota"),
            "Pay.",
        ),
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "Oh."}}}),
            500,
            Some("server_error"),
            "Oh.",
        ),
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "context_length_exceeded", "message": "Long."}}}),
            400,
            Some("context_length_exceeded"),
            "Long.",
        ),
        (
            json!({"type": "response.failed", "response": {}}),
            500,
            None,
            "The upstream failed with status 500 and did not say why.",
        ),
        (json!({"error": {"message": "Busy.", "code": 503}}), 503, Some("503"), "Busy."),
    ] {
        let (mut decoder, mut events) = (Decoder::new(), Vec::new());
        decoder.push(b"", payload.to_string().as_bytes(), &mut events).expect("an event");
        // OpenAI tells most failures twice.
        let again = json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "x", "message": "y"}}});
        decoder.push(b"", again.to_string().as_bytes(), &mut events).expect("an event");
        assert!(decoder.finish(&mut events).is_ok());
        let [Event::Failed(failure)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(
            (failure.status, failure.code.as_deref(), failure.message.as_str()),
            (status, code, message)
        );
    }
}

#[test]
fn what_is_no_event_is_malformed() {
    let mut decoder = Decoder::new();
    assert!(decoder.push(b"", b"{", &mut Vec::new()).is_err());
    // Events that nobody knows yet say nothing.
    let mut events = Vec::new();
    decoder.push(b"response.new", b"{}", &mut events).expect("an event");
    decoder.push(b"", b"[]", &mut events).expect("an event");
    decoder.push(b"keepalive", b"{}", &mut events).expect("an event");
    assert_eq!(events, [Event::Ping]);
}
