//! Gemini, read along.

use turnout::dialect::Dialect::Gemini;
use turnout::relay::{First, Observed, Observer, Said};
use turnout::usage::Usage;

use super::{first_in, observe_in};

fn event(body: &str) -> String {
    format!("data: {body}\r\n\r\n")
}

/// A body with one candidate of these parts.
fn parts(parts: &str) -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"role":"model","parts":[{parts}]}},"index":0}}],"modelVersion":"gemini-m"}}"#
    )
}

fn finished(reason: &str, usage: &str) -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"parts":[{{"text":""}}]}},"finishReason":"{reason}"}}],"usageMetadata":{usage},"modelVersion":"gemini-m"}}"#
    )
}

#[test]
fn texts_calls_media_code_and_blocks_are_meaningful() {
    for body in [
        parts(r#"{"text":"x"}"#),
        parts(r#"{"text":"hm","thought":true}"#),
        parts(r#"{"text":""},{"functionCall":{"name":"f"},"thoughtSignature":"eA=="}"#),
        parts(r#"{"inlineData":{"mimeType":"image/png","data":"eA=="}}"#),
        parts(r#"{"executableCode":{"code":"1"}}"#),
        parts(r#"{"codeExecutionResult":{"outcome":"OUTCOME_OK"}}"#),
        parts(r#"{"partOfTomorrow":1}"#),
        r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#.to_owned(),
        r#"{"candidates":[{"finishReason":"SAFETY"}]}"#.to_owned(),
        r#"{"candidates":[{"index":0},{"content":{"parts":[{"text":"x"}]},"index":1}]}"#.to_owned(),
    ] {
        assert_eq!(first_in(Gemini, event(&body).as_bytes()), Some(First::Meaningful), "{body}");
        assert_eq!(Observer::judge(Gemini, body.as_bytes()).1, Said::Something, "{body}");
    }
}

#[test]
fn signatures_empty_texts_and_usage_are_not_meaningful() {
    for body in [
        parts(""),
        parts(r#"{"text":""}"#),
        parts(r#"{"text":"","thought":true,"thoughtSignature":"eA=="}"#),
        parts(r#"{"thoughtSignature":"eA=="}"#),
        parts(r#"{"functionCall":null}"#),
        parts("7"),
        finished("STOP", "{}"),
        finished("MAX_TOKENS", r#"{"promptTokenCount":3}"#),
        r#"{"candidates":[]}"#.to_owned(),
        r#"{"candidates":[{"content":{}}]}"#.to_owned(),
        r#"{"promptFeedback":{"safetyRatings":[]}}"#.to_owned(),
    ] {
        assert_eq!(first_in(Gemini, event(&body).as_bytes()), None, "{body}");
        assert_eq!(Observer::judge(Gemini, body.as_bytes()).1, Said::Nothing, "{body}");
    }
    let usage = r#"{"usageMetadata":{"promptTokenCount":3}}"#;
    assert_eq!(first_in(Gemini, event(usage).as_bytes()), None);
    assert_eq!(Observer::judge(Gemini, br#"{"totalTokens":3}"#).1, Said::Something, "countTokens");
}

#[test]
fn an_error_has_googles_word() {
    for (error, kind) in [
        (r#"{"code":503,"message":"m","status":"UNAVAILABLE"}"#, "UNAVAILABLE"),
        (
            r#"{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"reason":"RATE_LIMIT_EXCEEDED"}]}"#,
            "RESOURCE_EXHAUSTED",
        ),
        (
            r#"{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}"#,
            "API_KEY_INVALID",
        ),
        (r#"{"code":404,"message":"m"}"#, "404"),
        (r#""a sentence with a secret-key""#, "error"),
    ] {
        let body = format!(r#"{{"error":{error}}}"#);
        let failed = First::Error { kind: kind.to_owned(), json: body.as_bytes().to_vec() };
        assert_eq!(first_in(Gemini, event(&body).as_bytes()), Some(failed), "{body}");
        for whole in [body.clone(), format!("[{body}]")] {
            let (observed, said) = Observer::judge(Gemini, whole.as_bytes());
            assert_eq!((said, observed.error.as_deref()), (Said::Error, Some(kind)), "{whole}");
        }
        let late = [event(&parts(r#"{"text":"x"}"#)), event(&body)].concat();
        assert_eq!(first_in(Gemini, late.as_bytes()), Some(First::Meaningful));
        let observed = observe_in(Gemini, [late.as_bytes()]);
        assert_eq!((observed.error.as_deref(), observed.done), (Some(kind), false), "{body}");
    }
}

#[test]
fn of_all_counts_the_last_hold_and_unknown_is_none() {
    for (metadata, [input, cache_read, output, reasoning]) in [
        (
            r#"{"promptTokenCount":9,"candidatesTokenCount":23,"totalTokenCount":334,"thoughtsTokenCount":302}"#,
            [Some(9), None, Some(325), Some(302)],
        ),
        (
            r#"{"promptTokenCount":900,"cachedContentTokenCount":800,"candidatesTokenCount":5}"#,
            [Some(100), Some(800), Some(5), None],
        ),
        (
            r#"{"promptTokenCount":9,"toolUsePromptTokenCount":50,"candidatesTokenCount":5}"#,
            [Some(59), None, Some(5), None],
        ),
        (r#"{"promptTokenCount":9,"thoughtsTokenCount":100}"#, [Some(9), None, Some(100), Some(100)]),
        (r#"{"promptTokenCount":9}"#, [Some(9), None, None, None]),
        (
            r#"{"promptTokenCount":9,"cachedContentTokenCount":10,"candidatesTokenCount":-1}"#,
            [Some(0), Some(10), None, None],
        ),
        (r#"{"trafficType":"ON_DEMAND"}"#, [None; 4]),
    ] {
        let stream = [event(&parts(r#"{"text":"x"}"#)), event(&finished("STOP", metadata))].concat();
        let expected = Usage { input, cache_read, cache_write: None, output, reasoning };
        let observed = observe_in(Gemini, [stream.as_bytes()]);
        assert_eq!(observed.usage.unwrap_or_default(), expected, "{metadata}");
        assert_eq!(observed.usage.is_some(), expected != Usage::default(), "{metadata}");
    }
    let counted = |output: u32| {
        let usage = format!(
            r#""usageMetadata":{{"promptTokenCount":9,"candidatesTokenCount":{output}}},"modelVersion""#
        );
        event(&parts(r#"{"text":"x"}"#).replace(r#""modelVersion""#, &usage))
    };
    let cut = observe_in(Gemini, [[counted(1), counted(2)].concat().as_bytes()]);
    let usage = Usage { input: Some(9), output: Some(2), ..Usage::default() };
    assert_eq!(
        cut,
        Observed {
            usage: Some(usage),
            model: Some("gemini-m".to_owned()),
            meaningful: true,
            ..Observed::default()
        }
    );
}

#[test]
fn a_stream_without_events_is_a_list() {
    let usage = r#"{"promptTokenCount":9,"candidatesTokenCount":2}"#;
    let list = format!("[{},\r\n{}]", parts(r#"{"text":"x"}"#), finished("STOP", usage));
    let (observed, said) = Observer::judge(Gemini, list.as_bytes());
    assert_eq!(said, Said::Something);
    assert_eq!(observed.usage, Some(Usage { input: Some(9), output: Some(2), ..Usage::default() }));
    assert_eq!((observed.finish_reason.as_deref(), observed.done), (Some("STOP"), true));
    let nothing = format!("[{}]", finished("STOP", "{}"));
    assert_eq!(Observer::judge(Gemini, nothing.as_bytes()).1, Said::Nothing);
    for garbage in ["[]", "[7]", "[{}, 7]", r#"[{"candidates":"#, "", "null"] {
        assert_eq!(
            Observer::judge(Gemini, garbage.as_bytes()),
            (Observed::default(), Said::Garbage),
            "{garbage}"
        );
    }
}

#[test]
fn reasons_to_finish_are_googles_own() {
    for (reason, seen) in [
        ("STOP", Some("STOP")),
        ("MAX_TOKENS", Some("MAX_TOKENS")),
        ("MALFORMED_FUNCTION_CALL", Some("MALFORMED_FUNCTION_CALL")),
        ("FINISH_REASON_UNSPECIFIED", None),
    ] {
        let stream = [event(&parts(r#"{"text":"x"}"#)), event(&finished(reason, "{}"))].concat();
        let observed = observe_in(Gemini, [stream.as_bytes()]);
        assert_eq!(observed.finish_reason.as_deref(), seen);
        assert_eq!((observed.done, observed.terminated), (seen.is_some(), seen.is_some()), "{reason}");
    }
    let (blocked, _) = Observer::judge(Gemini, br#"{"promptFeedback":{"blockReason":"SAFETY"}}"#);
    assert_eq!((blocked.finish_reason.as_deref(), blocked.done), (Some("SAFETY"), true));
}

#[test]
fn the_last_event_may_hold_an_image() {
    let usage = r#"{"promptTokenCount":9,"candidatesTokenCount":1290}"#;
    for (padding, words) in [(0, 3_000), (20_000, 10), (200_000, 10), (3_000_000, 1_000)] {
        let image =
            format!(r#"{{"inlineData":{{"mimeType":"image/png","data":"{}"}}}}"#, "A".repeat(padding));
        let last = finished("STOP", usage).replace(r#"{"text":""}"#, &image);
        let mut stream = event(&parts(r#"{"text":"x"}"#)).repeat(words);
        stream.push_str(&event(&last));
        for size in [997, 65_536, stream.len()] {
            let observed = observe_in(Gemini, stream.as_bytes().chunks(size));
            assert_eq!(observed.usage.and_then(|usage| usage.output), Some(1290), "{padding} {size}");
            assert_eq!(
                (observed.finish_reason.as_deref(), observed.done),
                (Some("STOP"), true),
                "{padding} {size}"
            );
        }
        let cut = &stream.as_bytes()[..stream.len() - 4];
        assert!(
            padding == 0 || padding == 20_000 || !observe_in(Gemini, cut.chunks(65_536)).done,
            "{padding}"
        );
    }
}
