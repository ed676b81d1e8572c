//! Answers, whole and streamed, and errors, both ways.

use std::rc::Rc;

use serde_json::{Value, json};
use turnout::dialect::answer::{Answer, Choice, Event, Failure, Growth, Stop};
use turnout::dialect::conversation::{Citation, Conversation, Part, Seal, Source, Thought, ToolCall};
use turnout::dialect::{Dialect, ReplyTo, gemini};
use turnout::usage::Usage;

use super::{assembled, events, json};

fn whole(body: &Value) -> Answer {
    gemini::decode_answer(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

fn candidate(candidate: Value) -> Answer {
    whole(&json!({"candidates": [candidate], "responseId": "r"}))
}

fn parts(parts: Value) -> Vec<Part> {
    candidate(json!({"content": {"parts": parts}, "finishReason": "STOP"})).choices.remove(0).parts
}

fn reply(wants_events: bool) -> Rc<ReplyTo> {
    let conversation = Conversation { model: "router".into(), ..Conversation::default() };
    Rc::new(ReplyTo { conversation, id: "ours".into(), wants_events, ..ReplyTo::default() })
}

fn seal(dialect: Dialect, value: &str) -> Seal {
    Seal { dialect, is_redacted: false, value: value.into() }
}

fn carrier(value: &str) -> Part {
    Part::Thought(Thought { seal: Some(seal(Dialect::Gemini, value)), ..Thought::default() })
}

#[test]
fn every_part_of_an_answer_is_read() {
    assert_eq!(parts(json!([{"text": "a"}, {"text": "b"}])), [Part::text("ab")]);
    let thought = Part::Thought(Thought { text: "hm".into(), is_summary: true, ..Thought::default() });
    assert_eq!(parts(json!([{"text": "hm", "thought": true}, {"text": "a"}])), [thought, Part::text("a")]);
    assert_eq!(parts(json!([{"text": "a", "thoughtSignature": "S"}])), [Part::text("a"), carrier("S")]);
    assert_eq!(parts(json!([{"text": "", "thoughtSignature": "S"}])), [carrier("S")]);
    let png = Source::Base64 { media_type: "image/png".into(), data: "AA==".into() };
    assert_eq!(
        parts(json!([{"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thoughtSignature": "S"}])),
        [Part::Image { source: png, detail: None, cache: None }, carrier("S")]
    );
    let code = json!({"codeExecutionResult": {"outcome": "OUTCOME_OK"}});
    assert_eq!(parts(json!([code])), [Part::Own { dialect: Dialect::Gemini, json: code.clone() }]);
    let call = |id: &str, arguments: &str, seal| {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: "f".into(),
            arguments: arguments.into(),
            is_custom: false,
            seal,
        })
    };
    assert_eq!(
        parts(json!([{"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "S"}])),
        [call("1", r#"{"a":1}"#, Some(seal(Dialect::Gemini, "S")))]
    );
}

#[test]
fn calls_without_an_id_get_one_that_no_other_answer_has() {
    let ids = |response: &str| -> Vec<String> {
        let call = json!({"functionCall": {"name": "f"}});
        let answer = whole(&json!({
            "candidates": [{"content": {"parts": [call, call]}, "finishReason": "STOP"}], "responseId": response,
        }));
        let calls = answer.choices[0].parts.iter().map(|part| match part {
            Part::ToolCall(call) => {
                assert_eq!(call.arguments, "{}");
                call.id.clone()
            }
            other => panic!("{other:?}"),
        });
        calls.collect()
    };
    let (first, again, other) = (ids("a"), ids("a"), ids("b"));
    assert_eq!(first, again);
    assert_ne!(first[0], first[1]);
    assert_ne!(first[0], other[0]);
    assert!(first[0].len() <= 40 && first[0].chars().all(|char| char.is_ascii_alphanumeric() || char == '_'));
}

#[test]
fn reasons_to_stop_are_read_and_written() {
    let other = |word: &str| Stop::Other(word.into());
    for (reason, has_call, stop, back) in [
        ("STOP", false, Stop::End, "STOP"),
        ("STOP", true, Stop::ToolCalls, "STOP"),
        ("MAX_TOKENS", true, Stop::Length, "MAX_TOKENS"),
        ("CONTINUATION", false, Stop::Length, "MAX_TOKENS"),
        ("SAFETY", false, Stop::Refusal, "SAFETY"),
        ("RECITATION", false, Stop::Refusal, "SAFETY"),
        ("BLOCKLIST", false, Stop::Refusal, "SAFETY"),
        ("PROHIBITED_CONTENT", false, Stop::Refusal, "SAFETY"),
        ("SPII", false, Stop::Refusal, "SAFETY"),
        ("IMAGE_SAFETY", false, Stop::Refusal, "SAFETY"),
        ("MALFORMED_FUNCTION_CALL", false, other("MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
        ("OTHER", false, other("OTHER"), "OTHER"),
        ("LANGUAGE", false, other("LANGUAGE"), "LANGUAGE"),
        ("NEW_WORD", false, other("NEW_WORD"), "OTHER"),
    ] {
        let part = if has_call { json!({"functionCall": {"name": "f"}}) } else { json!({"text": "a"}) };
        let answer = candidate(json!({"content": {"parts": [part]}, "finishReason": reason}));
        assert_eq!(answer.choices[0].stop, Some(stop), "{reason}");
        let body: Value = serde_json::from_slice(&gemini::encode_answer(&answer, &reply(true))).unwrap();
        assert_eq!(body["candidates"][0]["finishReason"], back, "{reason}");
    }
    for (stop, back, message) in [
        (Some(Stop::Sequence(Some("x".into()))), "STOP", None),
        (Some(Stop::Pause), "OTHER", Some("pause_turn")),
        (Some(other("odd")), "OTHER", Some("odd")),
        (None, "STOP", None),
    ] {
        let answer = Answer { choices: vec![Choice { stop, ..Choice::default() }], ..Answer::default() };
        let body: Value = serde_json::from_slice(&gemini::encode_answer(&answer, &reply(true))).unwrap();
        assert_eq!(body["candidates"][0]["finishReason"], back);
        assert_eq!(body["candidates"][0]["finishMessage"].as_str(), message);
    }
}

#[test]
fn tokens_are_read_and_written() {
    let usage = |input, cache_read, output, reasoning| Usage {
        input,
        cache_read,
        cache_write: None,
        output,
        reasoning,
    };
    for (said, expected) in [
        (json!({"promptTokenCount": 9, "candidatesTokenCount": 2}), usage(Some(9), None, Some(2), None)),
        (
            json!({"promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 5}),
            usage(Some(5), Some(4), Some(7), Some(5)),
        ),
        (
            json!({"promptTokenCount": 9, "toolUsePromptTokenCount": 3, "thoughtsTokenCount": 5}),
            usage(Some(12), None, Some(5), Some(5)),
        ),
        (json!({"trafficType": "ON_DEMAND"}), Usage::default()),
    ] {
        let body = json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": said});
        let answer = whole(&body);
        assert_eq!(answer.usage, expected, "{said}");
        let again = gemini::decode_answer(&gemini::encode_answer(&answer, &reply(true))).unwrap();
        assert_eq!(again.usage, expected, "{said}");
    }
}

#[test]
fn a_blocked_prompt_is_a_refusal() {
    let body = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}});
    let answer = whole(&body);
    assert_eq!(answer.choices[0].stop, Some(Stop::Refusal));
    assert!(
        matches!(&answer.choices[0].parts[..], [Part::Refusal(text)] if text.contains("SAFETY")),
        "{answer:?}"
    );
    assert_eq!(answer.usage.input, Some(4));
}

#[test]
fn what_is_no_answer_is_malformed() {
    for body in [
        "",
        "no JSON",
        "[]",
        "{}",
        r#"{"candidates": []}"#,
        r#"{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}"#,
        r#"{"candidates": [{"content": {"parts": [{"functionCall": {"args": {}}}]}, "finishReason": "STOP"}]}"#,
        r#"{"error": {"code": 500, "message": "no"}}"#,
    ] {
        assert!(gemini::decode_answer(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn sources_are_cited_with_their_spans_in_characters() {
    // "é" is two bytes.
    let text = "é is a letter. It is.";
    let web = json!({"web": {"uri": "https://x.com", "title": "X"}});
    let grounding = json!({
        "groundingChunks": [web],
        "groundingSupports": [
            {"segment": {"startIndex": 0, "endIndex": 15, "text": "é is a letter."}, "groundingChunkIndices": [0]},
            {"segment": {"startIndex": 2, "endIndex": 4, "text": "It is."}, "groundingChunkIndices": [0, 9]},
        ],
    });
    let answer = candidate(json!({
        "content": {"parts": [{"text": text}]}, "finishReason": "STOP", "groundingMetadata": grounding,
    }));
    let cited = |span| Citation {
        url: Some("https://x.com".into()),
        title: Some("X".into()),
        cited_text: None,
        span: Some(span),
        own: Some((Dialect::Gemini, web.clone())),
    };
    let expected =
        Part::Text { text: text.into(), citations: vec![cited((0, 14)), cited((15, 21))], cache: None };
    assert_eq!(answer.choices[0].parts, [expected]);
    let body: Value = serde_json::from_slice(&gemini::encode_answer(&answer, &reply(true))).unwrap();
    let written = &body["candidates"][0]["groundingMetadata"];
    assert_eq!(written["groundingChunks"], json!([web]));
    assert_eq!(
        written["groundingSupports"][1]["segment"],
        json!({
            "partIndex": 0, "startIndex": 16, "endIndex": 22, "text": "It is.",
        })
    );
}

#[test]
fn likelihoods_are_read_and_written() {
    let result = json!({
        "chosenCandidates": [{"token": "é", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "e", "logProbability": -2}]}],
    });
    let answer = candidate(json!({
        "content": {"parts": [{"text": "é"}]}, "finishReason": "STOP", "logprobsResult": result,
    }));
    assert_eq!(
        answer.choices[0].logprobs,
        Some(json!([{
            "token": "é", "logprob": -0.5, "bytes": [195, 169], "top_logprobs": [
                {"token": "é", "logprob": -0.5, "bytes": [195, 169]}, {"token": "e", "logprob": -2, "bytes": [101]},
            ],
        }]))
    );
    let body: Value = serde_json::from_slice(&gemini::encode_answer(&answer, &reply(true))).unwrap();
    assert_eq!(body["candidates"][0]["logprobsResult"], result);
}

#[test]
fn foreign_seals_come_back_as_they_were_even_in_the_other_alphabet_of_base64() {
    for seal in [
        seal(Dialect::Anthropic, "Ev~~sig+/=="),
        Seal { dialect: Dialect::Anthropic, is_redacted: true, value: "data".into() },
        seal(Dialect::Responses, "enc?>>>"),
        seal(Dialect::Gemini, "AY89a18+/w=="),
    ] {
        let thought = Thought { text: "hm".into(), is_summary: false, seal: Some(seal.clone()), id: None };
        let choice = Choice { parts: vec![Part::Thought(thought)], stop: Some(Stop::End), logprobs: None };
        let answer = Answer { choices: vec![choice], ..Answer::default() };
        let body: Value = serde_json::from_slice(&gemini::encode_answer(&answer, &reply(true))).unwrap();
        let mut content = body["candidates"][0]["content"].clone();
        let signature = content["parts"][0]["thoughtSignature"].as_str().expect("a signature").to_owned();
        assert!(
            signature.chars().all(|char| char.is_ascii_alphanumeric() || "+/=".contains(char)),
            "{signature}"
        );
        let is_own = seal.dialect == Dialect::Gemini;
        let spellings = [signature.clone(), signature.replace('+', "-").replace('/', "_")];
        for spelling in spellings.iter().take(if is_own { 1 } else { 2 }) {
            content["parts"][0]["thoughtSignature"] = spelling.clone().into();
            let turns = super::decoded(&json!({"contents": [content]})).turns;
            assert!(
                matches!(&turns[0].parts[..], [Part::Thought(thought)] if thought.seal.as_ref() == Some(&seal)),
                "{spelling}: {turns:?}"
            );
        }
    }
}

/// What a stream of these events is.
fn streamed(events: &[Event], wants_events: bool) -> String {
    let mut encoder = gemini::Encoder::new(reply(wants_events));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn said() -> Vec<Event> {
    let open = |block, part| Event::Open { block, choice: 0, part };
    let grow = |block, by| Event::Grow { block, by };
    let call = ToolCall { id: "c1".into(), name: "f".into(), ..ToolCall::default() };
    vec![
        Event::Start { id: Some("r1".into()), model: Some("m".into()), created: None },
        open(0, Part::Thought(Thought::default())),
        grow(0, Growth::Text("hm".into())),
        grow(0, Growth::Seal(seal(Dialect::Gemini, "T"))),
        Event::Close { block: 0 },
        open(1, Part::text("")),
        grow(1, Growth::Text("a".into())),
        Event::Ping,
        open(2, Part::ToolCall(call)),
        grow(2, Growth::Arguments("{\"x\"".into())),
        grow(1, Growth::Text("b".into())),
        Event::Close { block: 1 },
        grow(2, Growth::Arguments(":1}".into())),
        Event::Close { block: 2 },
        Event::Usage(Usage { input: Some(3), output: Some(4), ..Usage::default() }),
        Event::Stop { choice: 0, stop: Stop::ToolCalls },
        Event::End,
    ]
}

#[test]
fn a_stream_tells_texts_at_once_and_calls_when_they_are_complete() {
    let stream = streamed(&said(), true);
    let payloads: Vec<Value> = stream
        .split_terminator("\r\n\r\n")
        .map(|frame| json(frame.strip_prefix("data: ").unwrap()))
        .collect();
    let parts: Vec<Value> =
        payloads.iter().map(|payload| payload["candidates"][0]["content"]["parts"][0].clone()).collect();
    assert_eq!(
        parts,
        [
            json!({"text": "hm", "thought": true, "thoughtSignature": "T"}),
            json!({"text": "a"}),
            json!({"text": "b"}),
            json!({"functionCall": {"id": "c1", "name": "f", "args": {"x": 1}}}),
            json!({"text": ""}),
        ]
    );
    let (last, before) = payloads.split_last().unwrap();
    assert!(before.iter().all(|payload| payload["candidates"][0].get("finishReason").is_none()));
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(
        last["usageMetadata"],
        json!({"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7})
    );
    assert!(payloads.iter().all(|payload| payload["responseId"] == "r1" && payload["modelVersion"] == "m"));
}

#[test]
fn a_stream_that_is_no_event_stream_is_one_array() {
    let failed = Event::Failed(Failure { status: 529, message: "busy".into(), ..Failure::default() });
    for (events, is_error) in [(said(), false), (said()[..3].iter().cloned().chain([failed]).collect(), true)]
    {
        let array = json(&streamed(&events, false));
        let last = array.as_array().expect("an array").last().expect("an element");
        assert_eq!(last["error"]["status"] == "UNAVAILABLE", is_error, "{last}");
    }
}

#[test]
fn pieces_of_arguments_are_put_together() {
    let open =
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]}"#;
    let end = r#"{"candidates":[{"content":{"parts":[{"functionCall":{}}]},"finishReason":"STOP"}]}"#;
    let check = |pieces: Value, expected: &str| {
        let pieces: Vec<String> = pieces.as_array().unwrap().iter().map(|piece| {
            json!({"candidates": [{"content": {"parts": [{"functionCall": {"partialArgs": [piece], "willContinue": true}}]}}]})
                .to_string()
        }).collect();
        let payloads: Vec<&str> =
            [open].into_iter().chain(pieces.iter().map(String::as_str)).chain([end]).collect();
        let answer = assembled(&events(&payloads));
        assert_eq!(answer.choices[0].stop, Some(Stop::ToolCalls));
        assert!(
            matches!(&answer.choices[0].parts[..], [Part::ToolCall(call)] if call.arguments == expected),
            "{answer:?}"
        );
    };
    check(json!([]), "{}");
    check(
        json!([{"jsonPath": "$.a", "numberValue": 1}, {"jsonPath": "$.b", "boolValue": true}]),
        r#"{"a":1,"b":true}"#,
    );
    check(json!([{"jsonPath": "$.a", "nullValue": null}]), r#"{"a":null}"#);
    check(
        json!([
            {"jsonPath": "$.a", "stringValue": "x\"", "willContinue": true},
            {"jsonPath": "$.a", "stringValue": "y", "willContinue": true},
            {"jsonPath": "$.a", "stringValue": ""},
            {"jsonPath": "$['b c'][0].d", "stringValue": "z"},
            {"jsonPath": "$['b c'][0].e[0]", "numberValue": 1},
            {"jsonPath": "$['b c'][0].e[]"},
            {"jsonPath": "$['b c'][1]", "boolValue": false},
            {"jsonPath": "$['b c'][]"},
            {"jsonPath": "$.f[]"},
            {"jsonPath": "$.g"},
            {"jsonPath": "$.h.i", "numberValue": 0.5},
        ]),
        r#"{"a":"x\"y","b c":[{"d":"z","e":[1]},false],"f":[],"g":{},"h":{"i":0.5}}"#,
    );
    let back = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[
        {"jsonPath":"$.a.b","numberValue":1},{"jsonPath":"$.c","numberValue":1},{"jsonPath":"$.a.d","numberValue":1}
    ]}}]}}]}"#;
    let mut decoder = gemini::Decoder::new();
    decoder.push(b"", open.as_bytes(), &mut Vec::new()).unwrap();
    assert!(decoder.push(b"", back.as_bytes(), &mut Vec::new()).is_err());
}

#[test]
fn an_error_in_a_stream_ends_it() {
    let mut decoder = gemini::Decoder::new();
    let mut events = Vec::new();
    let error = r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}"#;
    decoder.push(b"", error.as_bytes(), &mut events).unwrap();
    decoder.finish(&mut events).unwrap();
    assert!(matches!(&events[..], [Event::Failed(failure)] if failure.status == 429), "{events:?}");
}

#[test]
fn errors_are_read_and_written() {
    let failure = |status, kind: &str, code: Option<&str>, param: Option<&str>| Failure {
        status,
        kind: Some(kind.into()),
        code: code.map(str::to_owned),
        param: param.map(str::to_owned),
        message: "no".into(),
    };
    for (status, kind, name) in [
        (400, "invalid_request_error", "INVALID_ARGUMENT"),
        (401, "authentication_error", "UNAUTHENTICATED"),
        (403, "permission_error", "PERMISSION_DENIED"),
        (404, "not_found_error", "NOT_FOUND"),
        (413, "x", "INVALID_ARGUMENT"),
        (429, "rate_limit_error", "RESOURCE_EXHAUSTED"),
        (400, "FAILED_PRECONDITION", "FAILED_PRECONDITION"),
        (500, "api_error", "INTERNAL"),
        (502, "x", "UNAVAILABLE"),
        (503, "x", "UNAVAILABLE"),
        (504, "x", "DEADLINE_EXCEEDED"),
        (529, "overloaded_error", "UNAVAILABLE"),
    ] {
        let body = gemini::encode_error(&failure(status, kind, Some("our_code"), Some("tools[0]")));
        let read = gemini::decode_error(status, body.as_bytes());
        assert_eq!(read, failure(status, name, Some("our_code"), Some("tools[0]")), "{body}");
        assert_eq!(json(&body)["error"]["code"], status);
    }
    for (status, body, expected) in [
        (
            500,
            "[{\"error\": {\"code\": 500, \"message\": \"no\", \"status\": \"INTERNAL\"}}]",
            failure(500, "INTERNAL", None, None),
        ),
        (
            200,
            "{\"error\": {\"message\": \"no\", \"status\": \"UNAVAILABLE\"}}",
            failure(503, "UNAVAILABLE", None, None),
        ),
        (502, "no", Failure { status: 502, message: "no".into(), ..Failure::default() }),
    ] {
        assert_eq!(gemini::decode_error(status, body.as_bytes()), expected);
    }
}
