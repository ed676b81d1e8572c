//! Plugins: what each does to requests and answers of every dialect, whole and streamed, and what it leaves alone.

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::dialect::Dialect::{self, Anthropic, Gemini, OpenAi, Responses};
use turnout::plugin::{Rewriter, Step, request, with_usage, without_thoughts};

/// An answer less its thoughts is this one; byte for byte, where both are texts.
fn check_answer(dialect: Dialect, body: &str, expected: Option<&str>) {
    assert_eq!(without_thoughts(dialect, body).as_deref(), expected, "{body}");
}

/// What a stream becomes, at every split of it in two and byte by byte.
fn streamed(make: impl Fn() -> Rewriter, stream: &str) -> String {
    let run = |chunks: &[&[u8]]| {
        let (mut rewriter, mut out) = (make(), Vec::new());
        for chunk in chunks {
            rewriter.push(chunk, &mut out);
        }
        rewriter.finish(&mut out);
        String::from_utf8(out).unwrap()
    };
    let bytes = stream.as_bytes();
    let whole = run(&[bytes]);
    for at in 0..bytes.len() {
        let (before, after) = bytes.split_at(at);
        assert_eq!(run(&[before, after]), whole, "split at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(run(&single), whole, "byte by byte");
    whole
}

fn check_stream(dialect: Dialect, stream: &str, expected: &str) {
    assert_eq!(streamed(|| Rewriter::without_thoughts(dialect), stream), expected);
}

#[test]
fn thoughts_go_and_all_else_keeps_its_bytes() {
    check_answer(
        OpenAi,
        r#"{"id":"1", "choices": [ {"index":0,"message":{"role":"assistant","reasoning_content":"hm","content":"a","x":1.0},"logprobs":null}, {"index":1,"message":{"reasoning":"b","reasoning_details":[{}],"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"c"}]}}],"usage":{"completion_tokens":1e1}}"#,
        Some(
            r#"{"id":"1", "choices": [ {"index":0,"message":{"role":"assistant","content":"a","x":1.0},"logprobs":null}, {"index":1,"message":{"content":[{"type":"text","text":"c"}]}}],"usage":{"completion_tokens":1e1}}"#,
        ),
    );
    check_answer(
        Anthropic,
        r#"{"type":"message","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"thinking"}],"usage":{"output_tokens": 9}}"#,
        Some(
            r#"{"type":"message","content":[{"type":"text","text":"thinking"}],"usage":{"output_tokens": 9}}"#,
        ),
    );
    check_answer(
        Responses,
        r#"{"output":[{"type":"reasoning","id":"rs","summary":[]},{"type":"message","content":[]}]}"#,
        Some(r#"{"output":[{"type":"message","content":[]}]}"#),
    );
    check_answer(
        Gemini,
        r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"a","thoughtSignature":"s"}]}}]}"#,
        Some(r#"{"candidates":[{"content":{"parts":[{"text":"a","thoughtSignature":"s"}]}}]}"#),
    );
    // A stream of Gemini's that is a list.
    check_answer(
        Gemini,
        "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true}]}}]}\n,\n{\"candidates\":[]}]",
        Some("[{\"candidates\":[{\"content\":{\"parts\":[]}}]}\n,\n{\"candidates\":[]}]"),
    );
    for (dialect, body) in [
        (OpenAi, r#"{"choices":[{"message":{"content":"reasoning_content"}}]}"#),
        (OpenAi, r#"{"choices":"none"}"#),
        (OpenAi, r#"{"error":{"message":"reasoning"}}"#),
        (Anthropic, r#"{"content":[{"type":"text","text":"x"}]}"#),
        (Anthropic, r#"{"content":"thinking"}"#),
        (Responses, r#"{"output":[{"type":"message"}]}"#),
        (Gemini, r#"{"candidates":[{"content":{"parts":[{"text":"x","thought":false}]}}]}"#),
        (Gemini, r#"{"candidates":[{"finishReason":"SAFETY"}]}"#),
        (OpenAi, "no json"),
        (OpenAi, ""),
    ] {
        check_answer(dialect, body, None);
    }
}

#[test]
fn thoughts_go_out_of_a_stream_and_what_follows_is_numbered_anew() {
    check_stream(
        OpenAi,
        ": hello\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"reasoning_content\":\"hm\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\ndata: [DONE]\n\n",
        ": hello\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\ndata: [DONE]\n\n",
    );
    let event = |name: &str, data: &str| format!("event: {name}\ndata: {data}\n\n");
    let stream = [
        event(
            "message_start",
            r#"{"type":"message_start","message":{"content":[],"usage":{"input_tokens":3}}}"#,
        ),
        event(
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        ),
        event("ping", r#"{"type":"ping"}"#),
        event(
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        ),
        event(
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
        ),
        event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        event(
            "content_block_start",
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        ),
        event(
            "content_block_delta",
            r#"{"type":"content_block_delta", "index":1, "delta":{"type":"text_delta","text":"\u00e4"}}"#,
        ),
        event("content_block_stop", r#"{"type":"content_block_stop","index":1}"#),
        event(
            "content_block_start",
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"redacted_thinking","data":"d"}}"#,
        ),
        event("content_block_stop", r#"{"type":"content_block_stop","index":2}"#),
        event(
            "content_block_start",
            r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t","name":"n","input":{"index":3}}}"#,
        ),
        event("content_block_stop", r#"{"type":"content_block_stop","index":3}"#),
        event("message_stop", r#"{"type":"message_stop"}"#),
    ];
    let expected = [
        stream[0].clone(),
        stream[2].clone(),
        event(
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        ),
        event(
            "content_block_delta",
            r#"{"type":"content_block_delta", "index":0, "delta":{"type":"text_delta","text":"\u00e4"}}"#,
        ),
        event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        event(
            "content_block_start",
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"n","input":{"index":3}}}"#,
        ),
        event("content_block_stop", r#"{"type":"content_block_stop","index":1}"#),
        stream[13].clone(),
    ];
    check_stream(Anthropic, &stream.concat(), &expected.concat());
    let stream = [
        event(
            "response.created",
            r#"{"type":"response.created","sequence_number":0,"response":{"output":[]}}"#,
        ),
        event(
            "response.output_item.added",
            r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"reasoning"}}"#,
        ),
        event(
            "response.reasoning_summary_text.delta",
            r#"{"type":"response.reasoning_summary_text.delta","sequence_number":2,"output_index":0,"delta":"hm"}"#,
        ),
        event(
            "response.output_item.done",
            r#"{"type":"response.output_item.done","sequence_number":3,"output_index":0,"item":{"type":"reasoning"}}"#,
        ),
        event(
            "response.output_item.added",
            r#"{"type":"response.output_item.added","sequence_number":4,"output_index":1,"item":{"type":"message"}}"#,
        ),
        event(
            "response.output_text.delta",
            r#"{"type":"response.output_text.delta","sequence_number":5,"output_index":1,"delta":"a"}"#,
        ),
        event(
            "response.completed",
            r#"{"type":"response.completed","sequence_number":6,"response":{"output":[{"type":"reasoning"},{"type":"message"}],"usage":{"output_tokens":5}}}"#,
        ),
    ];
    let expected = [
        stream[0].clone(),
        event(
            "response.output_item.added",
            r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message"}}"#,
        ),
        event(
            "response.output_text.delta",
            r#"{"type":"response.output_text.delta","sequence_number":2,"output_index":0,"delta":"a"}"#,
        ),
        event(
            "response.completed",
            r#"{"type":"response.completed","sequence_number":3,"response":{"output":[{"type":"message"}],"usage":{"output_tokens":5}}}"#,
        ),
    ];
    check_stream(Responses, &stream.concat(), &expected.concat());
    check_stream(
        Gemini,
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true}]}}]}\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[]}}]}\n\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n",
    );
    // An event that is cut off is passed as it came.
    check_stream(
        OpenAi,
        "data: {\"choices\":[{\"delta\":{\"reasoning",
        "data: {\"choices\":[{\"delta\":{\"reasoning",
    );
}

#[test]
fn counts_that_clients_read_are_there() {
    let zeros = r#""cache_creation_input_tokens":0,"cache_read_input_tokens":0"#;
    for (body, expected) in [
        (r#"{"type":"message","usage":{"input_tokens":1,"output_tokens":2}}"#, Some(format!(r#"{{"type":"message","usage":{{"input_tokens":1,"output_tokens":2,{zeros}}}}}"#))),
        (r#"{"type":"message","usage":{}}"#, Some(format!(r#"{{"type":"message","usage":{{"input_tokens":0,"output_tokens":0,{zeros}}}}}"#))),
        (r#"{"type":"message"}"#, Some(format!(r#"{{"type":"message","usage":{{"input_tokens":0,"output_tokens":0,{zeros}}}}}"#))),
        (r#"{"type":"message","usage":null}"#, Some(format!(r#"{{"type":"message","usage":{{"input_tokens":0,"output_tokens":0,{zeros}}}}}"#))),
        (
            r#"{"type":"message","usage":{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":null,"cache_creation_input_tokens":4}}"#,
            Some(r#"{"type":"message","usage":{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":4,"cache_read_input_tokens":0}}"#.to_owned()),
        ),
        (r#"{"type":"message","usage":{"input_tokens":1,"output_tokens":2,"cache_read_input_tokens":3,"cache_creation_input_tokens":4}}"#, None),
        (r#"{"type":"message","usage":"odd"}"#, None),
        (r#"{"type":"error","error":{}}"#, None),
        ("no json", None),
    ] {
        assert_eq!(with_usage(body), expected, "{body}");
    }
    let event = |name: &str, data: &str| format!("event: {name}\ndata: {data}\n\n");
    let check = |stream: &[String], expected: &[String]| {
        assert_eq!(streamed(Rewriter::with_usage, &stream.concat()), expected.concat());
    };
    check(
        &[
            event(
                "message_start",
                r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":7,"output_tokens":1}}}"#,
            ),
            event(
                "content_block_delta",
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"usage"}}"#,
            ),
            event("message_delta", r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#),
        ],
        &[
            event(
                "message_start",
                &format!(
                    r#"{{"type":"message_start","message":{{"id":"m","usage":{{"input_tokens":7,"output_tokens":1,{zeros}}}}}}}"#
                ),
            ),
            event(
                "content_block_delta",
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"usage"}}"#,
            ),
            event(
                "message_delta",
                &format!(
                    r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{{"input_tokens":7,"output_tokens":1,{zeros}}}}}"#
                ),
            ),
        ],
    );
    let sound = [
        event(
            "message_start",
            &format!(
                r#"{{"type":"message_start","message":{{"usage":{{"input_tokens":7,"output_tokens":1,{zeros}}}}}}}"#
            ),
        ),
        event("message_delta", r#"{"type":"message_delta","usage":{"output_tokens":9}}"#),
    ];
    check(&sound, &sound);
    check(
        &[event("message_delta", r#"{"type":"message_delta","usage":{"input_tokens":3}}"#)],
        &[event("message_delta", r#"{"type":"message_delta","usage":{"input_tokens":3,"output_tokens":0}}"#)],
    );
}

#[test]
fn images_of_tool_results_move_beside_them() {
    let fix = |body: &str| request(&Step::FixAnthropicImages, Anthropic, body);
    let image = r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}"#;
    let url = r#"{"type":"image","source":{"type":"url","url":"https://a.example/i.png"},"cache_control":{"type":"ephemeral"}}"#;
    assert_eq!(
        fix(&format!(
            r#"{{"model":"m", "messages":[{{"role":"user","content":"hi"}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":[{{"type":"text","text":"see"}}, {image}]}},{{"type":"tool_result","tool_use_id":"u","content":[{url}]}},{{"type":"text","text":"?"}}]}}]}}"#
        )),
        Some(format!(
            r#"{{"model":"m", "messages":[{{"role":"user","content":"hi"}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":[{{"type":"text","text":"see"}}]}},{{"type":"tool_result","tool_use_id":"u","content":[{{"type":"text","text":"What the tool gave is the image below."}}]}},{{"type":"text","text":"?"}},{image},{url}]}}]}}"#
        ))
    );
    for body in [
        format!(r#"{{"messages":[{{"role":"user","content":[{image}]}}]}}"#),
        r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"text"}]}]}"#.to_owned(),
        r#"{"messages":"odd"}"#.to_owned(),
        "no json".to_owned(),
    ] {
        assert_eq!(fix(&body), None, "{body}");
    }
    let body = format!(r#"{{"messages":[{{"content":[{{"type":"tool_result","content":[{image}]}}]}}]}}"#);
    assert_eq!(request(&Step::FixAnthropicImages, OpenAi, &body), None, "a step for Messages alone");
}

#[test]
fn thousands_of_images_are_moved_in_one_go() {
    // Where each has the whole message read again this takes minutes, and no isolate has them.
    let image = r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}"#;
    let images = vec![image; 8_000].join(",");
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":[{images}]}}]}}]}}"#
    );
    let fixed = request(&Step::FixAnthropicImages, Anthropic, &body).expect("there are images");
    assert_eq!(
        fixed,
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":[{{"type":"text","text":"What the tool gave is the image below."}}]}},{images}]}}]}}"#
        )
    );
}

/// A conversation in which the assistant does the same three times, in each dialect, and where the reminder stands then.
fn circles(said: [&str; 3]) -> [(Dialect, Value, &'static str); 4] {
    let call = |n: usize| json!({"id": format!("call_{n}"), "type": "function", "function": {"name": "f", "arguments": said[n]}});
    let chat: Vec<Value> = (0..3)
        .flat_map(|n| {
            [
                json!({"role": "assistant", "content": null, "tool_calls": [call(n)]}),
                json!({"role": "tool", "tool_call_id": format!("call_{n}"), "content": "r"}),
            ]
        })
        .collect();
    let messages: Vec<Value> = (0..3).flat_map(|n| [json!({"role": "assistant", "content": [{"type": "thinking", "thinking": format!("hm {n}"), "signature": "s"}, {"type": "text", "text": said[n]}]}), json!({"role": "user", "content": format!("no {n}")})]).collect();
    let input: Vec<Value> = (0..3).flat_map(|n| [json!({"type": "function_call", "call_id": format!("c{n}"), "name": "f", "arguments": said[n]}), json!({"type": "function_call_output", "call_id": format!("c{n}"), "output": "r"})]).collect();
    let contents: Vec<Value> = (0..3)
        .flat_map(|n| {
            [
                json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"x": said[n]}}}]}),
                json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}),
            ]
        })
        .collect();
    [
        (OpenAi, json!({"model": "m", "messages": chat}), "/messages/6/content"),
        (
            Anthropic,
            json!({"model": "m", "max_tokens": 9, "messages": messages}),
            "/messages/5/content/1/text",
        ),
        (Responses, json!({"model": "m", "input": input}), "/input/6/content"),
        (Gemini, json!({"contents": contents}), "/contents/6/parts/0/text"),
    ]
}

#[test]
fn who_goes_in_circles_is_told_so_in_every_dialect() {
    for (dialect, body, place) in circles(["{}", "{}", "{}"]) {
        let text = body.to_string();
        let told =
            request(&Step::BreakRepeat, dialect, &text).unwrap_or_else(|| panic!("{dialect:?} {text}"));
        let told: Value = serde_json::from_str(&told).unwrap();
        let reminder = told.pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("{told}"));
        assert!(reminder.contains("going round in circles"), "{reminder}");
        turnout::dialect::translate::decode_request(dialect, told.to_string().as_bytes()).unwrap();
    }
    for said in [["{}", "{}", "{\"a\":1}"], ["{\"a\":1}", "{}", "{}"]] {
        for (dialect, body, _) in circles(said) {
            assert_eq!(request(&Step::BreakRepeat, dialect, &body.to_string()), None, "{dialect:?} {body}");
        }
    }
    let say = |text: &str| json!({"role": "assistant", "content": text});
    let ask = json!({"role": "user", "content": "go on"});
    for messages in [
        json!([say("a"), ask, say("a")]),
        // One turn, and turns that say nothing.
        json!([say("a"), say("a"), say("a")]),
        json!([say(""), ask, say(""), ask, say("")]),
        json!("odd"),
    ] {
        let body = json!({"model": "m", "messages": messages}).to_string();
        assert_eq!(request(&Step::BreakRepeat, OpenAi, &body), None, "{body}");
    }
}

proptest! {
    /// A stream in which nothing is to be changed passes byte for byte, whatever it is and however it comes.
    #[test]
    fn what_is_not_to_change_keeps_its_bytes(
        lines in prop::collection::vec(prop_oneof![
            Just("data: {\"choices\":[]}".to_owned()), Just("event: x".to_owned()), Just(": c".to_owned()), Just(String::new()),
            Just("data:".to_owned()), Just("data: [DONE]".to_owned()), "[ -~]{0,12}",
        ], 0..24),
        ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 24),
        size in 1..40_usize,
    ) {
        let text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
        for make in [|| Rewriter::without_thoughts(OpenAi), Rewriter::with_usage] {
            let (mut rewriter, mut out) = (make(), Vec::new());
            for chunk in text.as_bytes().chunks(size) {
                rewriter.push(chunk, &mut out);
            }
            rewriter.finish(&mut out);
            prop_assert_eq!(&String::from_utf8(out).unwrap(), &text);
        }
    }

    /// No bytes make a plugin panic.
    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1..40_usize) {
        for dialect in Dialect::ALL {
            let (mut rewriter, mut out) = (Rewriter::without_thoughts(dialect), Vec::new());
            for chunk in bytes.chunks(size) {
                rewriter.push(chunk, &mut out);
            }
            rewriter.finish(&mut out);
            let text = String::from_utf8_lossy(&bytes);
            let _ = without_thoughts(dialect, &text);
            let _ = request(&Step::BreakRepeat, dialect, &text);
            let _ = request(&Step::FixAnthropicImages, dialect, &text);
        }
    }
}
