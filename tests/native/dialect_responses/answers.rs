//! Whole answers and errors.

use turnout::dialect::answer::{Answer, Choice, Failure, Stop};
use turnout::usage::Usage;

use super::*;

fn read(body: &Value) -> Answer {
    responses::decode_answer(body.to_string().as_bytes()).unwrap_or_else(|fault| panic!("{body}: {fault:?}"))
}

/// An answer of these items, which ended so.
fn check(output: Value, parts: Vec<Part>, stop: Stop) {
    let answer = read(&json!({"status": "completed", "output": output}));
    let [choice] = answer.choices.as_slice() else { panic!("{answer:?}") };
    assert_eq!((&choice.parts, &choice.stop), (&parts, &Some(stop)), "{output}");
}

#[test]
fn items_are_read() {
    let message = |content: Value| json!([{"type": "message", "role": "assistant", "content": content}]);
    let thought = |text: &str, is_summary: bool, seal: Option<Seal>| {
        Part::Thought(Thought { text: text.to_owned(), is_summary, seal, id: Some("rs_1".to_owned()) })
    };
    let own = |json: &Value| Part::Own { dialect: Dialect::Responses, json: json.clone() };
    let annotation = json!({"type": "url_citation", "start_index": 1, "end_index": 2, "url": "https://a.test", "title": "A"});
    let citation = Citation {
        url: Some("https://a.test".to_owned()),
        title: Some("A".to_owned()),
        cited_text: None,
        span: Some((1, 2)),
        own: Some((Dialect::Responses, annotation.clone())),
    };
    let cited = Part::Text { text: "A".to_owned(), citations: vec![citation], cache: None };
    check(
        message(
            json!([{"type": "output_text", "text": "A", "annotations": [annotation]}, {"type": "output_text", "text": ""}]),
        ),
        vec![cited, Part::text("")],
        Stop::End,
    );
    check(
        message(json!([{"type": "refusal", "refusal": "No."}])),
        vec![Part::Refusal("No.".to_owned())],
        Stop::Refusal,
    );
    let call = |is_custom| ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: "x".to_owned(),
        is_custom,
        seal: None,
    };
    check(
        json!([{"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "x"}]),
        vec![Part::ToolCall(call(false))],
        Stop::ToolCalls,
    );
    check(
        json!([{"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "f", "input": "x"}]),
        vec![Part::ToolCall(call(true))],
        Stop::ToolCalls,
    );
    let redacted = Seal { is_redacted: true, ..seal(Dialect::Responses, "e") };
    for (item, parts) in [
        (json!({"type": "reasoning", "id": "rs_1", "summary": []}), vec![]),
        (
            json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}),
            vec![thought("", false, Some(redacted))],
        ),
        (
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"text": "A"}, {"text": "B"}], "encrypted_content": "e"}),
            vec![thought("A\n\nB", true, Some(seal(Dialect::Responses, "e")))],
        ),
        (
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"text": "A"}], "content": [{"type": "reasoning_text", "text": "Aha"}]}),
            vec![thought("Aha", false, None), thought("A", true, None)],
        ),
    ] {
        check(json!([item]), parts, Stop::End);
    }
    for item in [
        json!({"type": "web_search_call", "id": "ws_1", "status": "completed"}),
        json!({"type": "apply_patch_call", "id": "apc_1", "call_id": "c"}),
        json!({"odd": true}),
    ] {
        check(json!([item]), vec![own(&item)], Stop::End);
    }
}

#[test]
fn ends_and_tokens_are_read() {
    for (reason, stop) in [
        ("max_output_tokens", Stop::Length),
        ("content_filter", Stop::Refusal),
        ("odd", Stop::Other("odd".to_owned())),
    ] {
        let answer =
            read(&json!({"status": "incomplete", "incomplete_details": {"reason": reason}, "output": []}));
        assert_eq!(answer.choices[0].stop, Some(stop));
    }
    let answer = read(&json!({
        "id": "resp_1", "model": "m", "created_at": 7.5, "service_tier": "flex", "output": [],
        "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 1},
                  "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}},
    }));
    assert_eq!(
        (answer.id.as_deref(), answer.model.as_deref(), answer.created),
        (Some("resp_1"), Some("m"), Some(7))
    );
    assert_eq!(answer.service_tier.as_deref(), Some("flex"));
    let usage = Usage {
        input: Some(3),
        cache_read: Some(6),
        cache_write: Some(1),
        output: Some(5),
        reasoning: Some(2),
    };
    assert_eq!(answer.usage, usage);
    // What is not said is not 0.
    assert_eq!(
        read(&json!({"output": [], "usage": {"output_tokens": 5}})).usage,
        Usage { output: Some(5), ..Usage::default() }
    );
}

#[test]
fn what_is_no_answer_is_malformed() {
    for body in [
        "{",
        "[]",
        "{}",
        r#"{"output": {}}"#,
        r#"{"output": [], "status": "failed", "error": {"code": "server_error", "message": "Oh."}}"#,
        r#"{"output": [], "error": {"message": "Oh."}}"#,
        r#"{"output": [], "status": "queued"}"#,
        r#"{"output": [], "status": "in_progress"}"#,
    ] {
        assert!(responses::decode_answer(body.as_bytes()).is_err(), "{body}");
    }
}

/// A whole answer is the last event of the stream that tells the same.
#[test]
fn whole_is_as_streamed() {
    let call = |id: &str, seal: Option<Seal>| {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            is_custom: false,
            seal,
        })
    };
    let own = |dialect, json: Value| Part::Own { dialect, json };
    let picture = Source::Base64 { media_type: "image/png".to_owned(), data: "AAAA".to_owned() };
    let parts = vec![
        Part::Thought(Thought {
            text: "Hm".to_owned(),
            seal: Some(seal(Dialect::Anthropic, "s")),
            ..Thought::default()
        }),
        Part::text("A"),
        Part::Refusal("No.".to_owned()),
        own(Dialect::Anthropic, json!({"type": "server_tool_use"})),
        Part::text("B"),
        call("c1", Some(seal(Dialect::Gemini, "s"))),
        own(Dialect::Responses, json!({"type": "web_search_call", "id": "ws_1", "status": "completed"})),
        Part::Image { source: picture, detail: None, cache: None },
        call("c2", None),
        Part::text("C"),
    ];
    for stop in [Stop::End, Stop::ToolCalls, Stop::Length] {
        let mut events =
            vec![Event::Start { id: Some("x".to_owned()), model: Some("m".to_owned()), created: Some(9) }];
        for (block, part) in parts.iter().enumerate() {
            events.push(Event::Open { block, choice: 0, part: part.clone() });
            events.push(Event::Close { block });
        }
        events.push(Event::Stop { choice: 0, stop: stop.clone() });
        events.push(Event::Usage(Usage { input: Some(1), output: Some(2), ..Usage::default() }));
        events.push(Event::End);
        let streamed = order::check(&stream_of(&events, reply_to(Conversation::default())), "an answer");

        let answer = Answer {
            id: Some("x".to_owned()),
            model: Some("m".to_owned()),
            created: Some(9),
            choices: vec![Choice { parts: parts.clone(), stop: Some(stop), logprobs: None }],
            usage: Usage { input: Some(1), output: Some(2), ..Usage::default() },
            service_tier: None,
        };
        let whole = responses::encode_answer(&answer, &reply_to(Conversation::default()));
        assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), streamed);
    }
}

#[test]
fn errors_are_read_and_written() {
    let failure = |kind: Option<&str>, code: Option<&str>, param: Option<&str>, message: &str| Failure {
        status: 400,
        kind: kind.map(str::to_owned),
        code: code.map(str::to_owned),
        param: param.map(str::to_owned),
        message: message.to_owned(),
    };
    let unsaid = "The upstream failed with status 400 and did not say why.";
    for (body, read) in [
        (
            r#"{"error": {"message": "No.", "type": "invalid_request_error", "param": "temperature", "code": null}}"#,
            failure(Some("invalid_request_error"), None, Some("temperature"), "No."),
        ),
        (r#"{"error": {"message": "No.", "code": 400}}"#, failure(None, Some("400"), None, "No.")),
        (r#"{"error": "No."}"#, failure(None, None, None, "No.")),
        (r#"{"detail": "No."}"#, failure(None, None, None, "No.")),
        (r#"{"code": "x", "error": null, "message": "No."}"#, failure(None, Some("x"), None, "No.")),
        ("<html>", failure(None, None, None, unsaid)),
        ("", failure(None, None, None, unsaid)),
    ] {
        assert_eq!(responses::decode_error(400, body.as_bytes()), read, "{body}");
    }
    for (status, kind, code, written) in [
        (400, Some("invalid_request_error"), None, json!(["invalid_request_error", null])),
        (401, None, Some("invalid_api_key"), json!(["authentication_error", "invalid_api_key"])),
        (403, Some("PERMISSION_DENIED"), None, json!(["permission_error", "PERMISSION_DENIED"])),
        (429, Some("rate_limit_error"), None, json!(["rate_limit_error", null])),
        (529, Some("overloaded_error"), None, json!(["server_error", "overloaded_error"])),
    ] {
        let failure = Failure { status, param: Some("p".to_owned()), ..failure(kind, code, None, "No.") };
        let body: Value = serde_json::from_str(&responses::encode_error(&failure)).expect("JSON");
        let error = &body["error"];
        assert_eq!(json!([error["type"], error["code"]]), written);
        assert_eq!((&error["message"], &error["param"]), (&json!("No."), &json!("p")));
    }
}
