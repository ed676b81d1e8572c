//! Responses, read along.

use serde_json::{Value, json};
use turnout::dialect::Dialect::Responses;
use turnout::relay::{First, Observed, Observer, Said};
use turnout::usage::Usage;

use super::{first_in, observe_in};

/// A stream of these events, each named for its type.
fn stream(events: &[Value]) -> Vec<u8> {
    let named = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(named).collect::<String>().into_bytes()
}

fn created() -> Value {
    json!({"type": "response.created", "sequence_number": 0, "response":
        {"id": "resp_1", "object": "response", "status": "in_progress", "model": "gpt-m", "error": null, "output": [], "usage": null}})
}

fn word() -> Value {
    json!({"type": "response.output_text.delta", "item_id": "msg_1", "delta": "x"})
}

fn item(event: &str, item: Value) -> Value {
    json!({"type": format!("response.output_item.{event}"), "output_index": 0, "item": item})
}

/// A response that ended so, with this output; its members in the order of OpenAI's.
fn response(status: &str, output: &str, more: &str) -> String {
    format!(
        r#"{{"id":"resp_1","object":"response","status":"{status}","error":null,"model":"gpt-m","output":{output},"tools":[{{"name":"usage","parameters":{{"properties":{{"usage":{{"type":"object"}}}}}}}}],{more}"usage":{{"input_tokens":100,"input_tokens_details":{{"cached_tokens":80,"cache_write_tokens":5}},"output_tokens":50,"output_tokens_details":{{"reasoning_tokens":40}},"total_tokens":150}},"metadata":{{}}}}"#
    )
}

const USAGE: Usage = Usage {
    input: Some(15),
    cache_read: Some(80),
    cache_write: Some(5),
    output: Some(50),
    reasoning: Some(40),
};

fn ended(status: &str, output: &str, more: &str) -> String {
    format!(
        "event: response.{status}\ndata: {{\"type\":\"response.{status}\",\"response\":{},\"sequence_number\":9}}\n\n",
        response(status, output, more)
    )
}

const MESSAGE: &str = r#"[{"type":"message","content":[{"type":"output_text","text":"x"}]}]"#;

#[test]
fn texts_thoughts_refusals_and_calls_are_meaningful() {
    let part = |part: Value| json!({"type": "response.content_part.added", "part": part});
    let typed = |kind: &str, name: &str| {
        let mut event = json!({"type": kind});
        event[name] = json!("x");
        event
    };
    for event in [
        word(),
        typed("response.refusal.delta", "delta"),
        typed("response.reasoning_text.delta", "delta"),
        typed("response.reasoning_summary_text.delta", "delta"),
        typed("response.function_call_arguments.delta", "delta"),
        typed("response.custom_tool_call_input.delta", "delta"),
        typed("response.audio.delta", "delta"),
        typed("response.of_tomorrow.delta", "delta"),
        typed("response.output_text.done", "text"),
        typed("response.image_generation_call.partial_image", "partial_image_b64"),
        json!({"type": "response.output_text.annotation.added", "annotation": {}}),
        part(json!({"type": "output_text", "text": "x"})),
        item("added", json!({"type": "function_call", "name": "f", "arguments": ""})),
        item("added", json!({"type": "custom_tool_call", "name": "f", "input": ""})),
        item("added", json!({"type": "web_search_call", "status": "in_progress"})),
        item("added", json!({"type": "item_of_tomorrow"})),
        item("done", json!({"type": "message", "content": [{"type": "refusal", "refusal": "no"}]})),
        item("done", json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]})),
        item("done", json!({"type": "reasoning", "summary": [], "encrypted_content": "eA=="})),
        // A stream that says everything at once.
        json!({"type": "response.completed", "response": {"output": [{"type": "function_call", "name": "f"}]}}),
    ] {
        let stream = stream(&[created(), event.clone()]);
        assert_eq!(first_in(Responses, &stream), Some(First::Meaningful), "{event}");
        let unnamed = format!("data: {event}\n\n");
        assert_eq!(first_in(Responses, unnamed.as_bytes()), Some(First::Meaningful), "{event}");
    }
}

#[test]
fn beginnings_and_what_is_empty_are_not_meaningful() {
    for event in [
        json!({"type": "response.in_progress", "response": {"error": null}}),
        json!({"type": "response.queued", "response": {}}),
        item("added", json!({"type": "message", "content": [], "status": "in_progress"})),
        item("added", json!({"type": "reasoning", "summary": []})),
        item("added", json!({"type": "reasoning", "summary": [], "encrypted_content": "eA=="})),
        item("added", json!({"type": "mcp_list_tools", "tools": []})),
        item("done", json!({"type": "mcp_list_tools", "tools": [{"name": "f"}]})),
        item("done", json!({"type": "message", "content": [{"type": "output_text", "text": ""}]})),
        json!({"type": "response.content_part.added", "part": {"type": "output_text", "text": "", "annotations": []}}),
        json!({"type": "response.reasoning_summary_part.added", "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.output_text.delta", "delta": ""}),
        json!({"type": "response.mcp_list_tools.in_progress"}),
        json!({"type": "response.completed", "response": {"output": []}}),
        json!({"type": "keepalive", "sequence_number": 3}),
    ] {
        assert_eq!(first_in(Responses, &stream(&[created(), event.clone()])), None, "{event}");
    }
}

#[test]
fn an_error_before_anything_meaningful_comes_as_a_body() {
    for (event, kind, body) in [
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "m"}, "output": []}}),
            "server_error",
            json!({"error": {"code": "server_error", "message": "m"}}),
        ),
        (
            json!({"type": "error", "code": "rate_limit_exceeded", "message": "m", "param": null, "sequence_number": 3}),
            "rate_limit_exceeded",
            json!({"error": {"code": "rate_limit_exceeded", "message": "m", "param": null}}),
        ),
        (
            json!({"type": "error", "error": {"type": "tokens", "code": null, "message": "m"}, "sequence_number": 3}),
            "tokens",
            json!({"error": {"type": "tokens", "code": null, "message": "m"}}),
        ),
        (
            json!({"type": "error", "code": "a sentence with a secret-key", "message": "m"}),
            "error",
            json!({"error": {"code": "a sentence with a secret-key", "message": "m", "param": null}}),
        ),
    ] {
        for events in [vec![event.clone()], vec![created(), event.clone(), word()]] {
            let Some(First::Error { kind: is, json }) = first_in(Responses, &stream(&events)) else {
                panic!("{event}")
            };
            assert_eq!(is, kind, "{event}");
            assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), body, "{event}");
        }
        let late = stream(&[created(), word(), event.clone()]);
        assert_eq!(first_in(Responses, &late), Some(First::Meaningful), "{event}");
        assert_eq!(observe_in(Responses, [&late[..]]).error.as_deref(), Some(kind), "{event}");
    }
    let large = json!({"type": "error", "code": "large", "message": "x".repeat(70_000)});
    let failed = First::Error { kind: "large".to_owned(), json: Vec::new() };
    assert_eq!(first_in(Responses, &stream(&[large])), Some(failed));
}

#[test]
fn the_last_event_says_how_it_ended() {
    let begun = stream(&[created(), word()]);
    let seen = |last: &str| observe_in(Responses, [&begun[..], last.as_bytes()]);
    let expected = Observed {
        usage: Some(USAGE),
        model: Some("gpt-m".to_owned()),
        meaningful: true,
        done: true,
        terminated: true,
        finish_reason: Some("completed".to_owned()),
        error: None,
    };
    assert_eq!(seen(&ended("completed", MESSAGE, "")), expected);
    let incomplete = ended("incomplete", MESSAGE, r#""incomplete_details":{"reason":"max_output_tokens"},"#);
    let reason = Some("max_output_tokens".to_owned());
    assert_eq!(seen(&incomplete), Observed { finish_reason: reason, ..expected.clone() });
    let failed = seen(&ended("failed", "[]", ""));
    assert_eq!((failed.error.as_deref(), failed.terminated), (Some("error"), true));
    let cut = Observed { usage: None, done: false, terminated: false, finish_reason: None, ..expected };
    assert_eq!(seen(""), cut);
}

#[test]
fn a_whole_body_says_something_nothing_or_an_error() {
    let judge = |body: &str| {
        let (observed, said) = Observer::judge(Responses, body.as_bytes());
        (said, observed.done, observed.error.unwrap_or_default())
    };
    let done = |said| (said, true, String::new());
    assert_eq!(judge(&response("completed", MESSAGE, "")), done(Said::Something));
    assert_eq!(
        judge(&response("completed", r#"[{"type":"function_call","name":"f"}]"#, "")),
        done(Said::Something)
    );
    assert_eq!(judge(&response("completed", "[]", "")), done(Said::Nothing));
    assert_eq!(
        judge(&response("incomplete", r#"[{"type":"reasoning","summary":[]}]"#, "")),
        done(Said::Nothing)
    );
    assert_eq!(judge(&response("failed", "[]", "")), (Said::Error, true, "error".to_owned()));
    let failed = r#"{"object":"response","status":"failed","error":{"code":"server_error","message":"m"},"output":[]}"#;
    assert_eq!(judge(failed), (Said::Error, true, "server_error".to_owned()));
    // It works in the background.
    assert_eq!(judge(&response("queued", "[]", "")), (Said::Something, false, String::new()));
    assert_eq!(
        judge(r#"{"object":"response.input_tokens","input_tokens":3}"#),
        (Said::Something, false, String::new())
    );
    for garbage in ["", "[]", "null", r#"{"output":["#] {
        assert_eq!(judge(garbage), (Said::Garbage, false, String::new()), "{garbage}");
    }
    let (observed, _) = Observer::judge(Responses, response("completed", MESSAGE, "").as_bytes());
    assert_eq!((observed.usage, observed.terminated), (Some(USAGE), false));
}

#[test]
fn an_error_without_a_code_is_known_by_the_field_at_fault() {
    for (members, kind) in [
        (
            r#""type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found""#,
            "previous_response_not_found",
        ),
        (
            r#""type":"invalid_request_error","param":"previous_response_id","code":null"#,
            "previous_response_id",
        ),
        (r#""type":"NotFoundError","param":"response_id","code":404"#, "previous_response_id"),
        (
            r#""type":"invalid_request_error","param":"conversation_id","code":"invalid_request_error""#,
            "conversation",
        ),
        (r#""type":"invalid_request_error","param":"input","code":null"#, "input"),
        (r#""type":"invalid_request_error","param":null,"code":null"#, "unspecified_invalid_request"),
        (r#""type":"invalid_request_error","param":"temperature","code":null"#, "invalid_request_error"),
        (r#""type":"invalid_request_error","param":"model","code":"model_not_found""#, "model_not_found"),
        (r#""type":"server_error","param":null,"code":null"#, "server_error"),
    ] {
        let body = format!(r#"{{"error":{{"message":"m",{members}}}}}"#);
        let (observed, said) = Observer::judge(Responses, body.as_bytes());
        assert_eq!((said, observed.error.as_deref()), (Said::Error, Some(kind)), "{body}");
    }
}

/// The last event holds the whole answer once more, which may be media.
#[test]
fn the_last_event_may_hold_megabytes() {
    for size in [10, 5_000, 100_000, 140_000, 3_000_000] {
        let text = "\\\"usage\\\":{\\\"input_tokens\\\":1} ".repeat(size / 30);
        let output =
            format!(r#"[{{"type":"message","content":[{{"type":"output_text","text":"{text}"}}]}}]"#);
        for status in ["completed", "incomplete"] {
            for deltas in [1, 2_000] {
                let mut events = vec![created()];
                events.extend(vec![word(); deltas]);
                let begun = stream(&events);
                let last = ended(status, &output, "");
                let whole = [&begun[..], last.as_bytes()].concat();
                for chunk in [1_460, 65_536] {
                    let observed = observe_in(Responses, whole.chunks(chunk));
                    let seen = (
                        observed.usage,
                        observed.done,
                        observed.terminated,
                        observed.finish_reason.as_deref(),
                    );
                    let how = format!("{size} {status} {deltas} {chunk}");
                    assert_eq!(seen, (Some(USAGE), true, true, Some(status)), "{how}");
                    // An event that was cut off is none.
                    let cut = &whole[..whole.len() - 9];
                    let observed = observe_in(Responses, cut.chunks(chunk));
                    assert_eq!((observed.usage, observed.done), (None, false), "{how}, cut");
                }
            }
        }
    }
}

/// And so may an item in the middle: it is no end, whatever it shows.
#[test]
fn a_large_event_in_the_middle_is_no_end() {
    let image = item(
        "done",
        json!({"type": "image_generation_call", "result": "A".repeat(1_000_000), "usage": {"input_tokens": 1}}),
    );
    let whole = stream(&[created(), word(), image]);
    for chunk in [1_460, 65_536] {
        let observed = observe_in(Responses, whole.chunks(chunk));
        assert_eq!((observed.usage, observed.done), (None, false), "{chunk}");
    }
}
