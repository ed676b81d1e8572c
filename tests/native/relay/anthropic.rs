//! Anthropic Messages, read along.

use turnout::dialect::Dialect::Anthropic;
use turnout::relay::{First, Observed, Observer, Said};
use turnout::usage::Usage;

use super::{first_in, observe_in};

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-m","content":[],"stop_reason":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,"output_tokens":1}}}"#;
const PING: &str = r#"{"type":"ping"}"#;
const TEXT: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const WORD: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}"#;
const END: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":42}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

/// A stream of these events, each named for its type.
fn stream(events: &[&str]) -> Vec<u8> {
    let named = |event: &&str| {
        let payload: serde_json::Value = serde_json::from_str(event).unwrap();
        format!("event: {}\ndata: {event}\n\n", payload["type"].as_str().unwrap())
    };
    events.iter().map(named).collect::<String>().into_bytes()
}

fn block(block: &str) -> String {
    format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#)
}

fn delta(delta: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#)
}

#[test]
fn texts_thoughts_tools_and_citations_are_meaningful() {
    for event in [
        delta(r#"{"type":"text_delta","text":"x"}"#),
        delta(r#"{"type":"thinking_delta","thinking":"hm"}"#),
        delta(r#"{"type":"input_json_delta","partial_json":"{"}"#),
        delta(r#"{"type":"citations_delta","citation":{"type":"char_location"}}"#),
        block(r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#),
        block(r#"{"type":"server_tool_use","id":"t","name":"web_search","input":{}}"#),
        block(r#"{"type":"mcp_tool_use","id":"t","name":"f","input":{}}"#),
        block(r#"{"type":"web_search_tool_result","tool_use_id":"t","content":[]}"#),
        block(r#"{"type":"redacted_thinking","data":"eA=="}"#),
        block(r#"{"type":"text","text":"x"}"#),
        block(r#"{"type":"of_tomorrow"}"#),
        // A refusal often says nothing else.
        r#"{"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":3}}"#
            .to_owned(),
    ] {
        assert_eq!(first_in(Anthropic, &stream(&[START, PING, &event])), Some(First::Meaningful), "{event}");
        // Some leave the name away.
        let unnamed = format!("data: {event}\n\n");
        assert_eq!(first_in(Anthropic, unnamed.as_bytes()), Some(First::Meaningful), "{event}");
    }
}

#[test]
fn beginnings_pings_and_what_is_empty_are_not_meaningful() {
    for event in [
        START.to_owned(),
        PING.to_owned(),
        TEXT.to_owned(),
        END.to_owned(),
        STOP.to_owned(),
        block(r#"{"type":"thinking","thinking":"","signature":""}"#),
        block(r#"{"type":"fallback","from":{"model":"a"},"to":{"model":"b"}}"#),
        block("{}"),
        delta(r#"{"type":"text_delta","text":""}"#),
        delta(r#"{"type":"input_json_delta","partial_json":""}"#),
        delta(r#"{"type":"signature_delta","signature":"eA=="}"#),
        r#"{"type":"content_block_stop","index":0}"#.to_owned(),
        r#"{"type":"event_of_tomorrow","text":"x"}"#.to_owned(),
    ] {
        assert_eq!(first_in(Anthropic, &stream(&[START, &event])), None, "{event}");
    }
    assert_eq!(first_in(Anthropic, b"data: {\"type\":\"content_block_delta\"\n\n"), None);
}

#[test]
fn an_error_before_anything_meaningful_is_a_failure() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"r"}"#;
    let failed = Some(First::Error { kind: "overloaded_error".to_owned(), json: error.as_bytes().to_vec() });
    assert_eq!(first_in(Anthropic, &stream(&[error])), failed);
    assert_eq!(first_in(Anthropic, &stream(&[START, PING, TEXT, error])), failed);
    assert_eq!(first_in(Anthropic, &stream(&[START, TEXT, WORD, error])), Some(First::Meaningful));
    let observed = observe_in(Anthropic, [&stream(&[START, TEXT, WORD, error])[..]]);
    assert_eq!((observed.error.as_deref(), observed.done), (Some("overloaded_error"), false));
    // Without a type, by the event's name.
    let unnamed = b"event: error\ndata: {\"error\":{\"type\":\"api_error\"}}\n\n";
    let Some(First::Error { kind, .. }) = first_in(Anthropic, unnamed) else { panic!() };
    assert_eq!(kind, "api_error");
}

#[test]
fn the_prompt_is_counted_at_the_beginning_and_the_output_at_the_end() {
    let seen = |events: &[&str]| observe_in(Anthropic, [&stream(events)[..]]);
    let prompt = Usage { input: Some(9), cache_read: Some(300), cache_write: Some(20), ..Usage::default() };
    let observed = seen(&[START, TEXT, WORD, END, STOP]);
    let expected = Observed {
        usage: Some(Usage { output: Some(42), ..prompt }),
        model: Some("claude-m".to_owned()),
        meaningful: true,
        done: true,
        terminated: true,
        finish_reason: Some("end_turn".to_owned()),
        error: None,
    };
    assert_eq!(observed, expected);
    assert_eq!(seen(&[START, TEXT, WORD, END]), Observed { terminated: false, ..expected.clone() });
    // What a beginning says of the output is a placeholder.
    let cut =
        Observed { usage: Some(prompt), done: false, terminated: false, finish_reason: None, ..expected };
    assert_eq!(seen(&[START, TEXT, WORD]), cut);
}

#[test]
fn later_counts_hold_but_for_a_prompt_of_no_tokens() {
    let start = |usage: &str| format!(r#"{{"type":"message_start","message":{{"usage":{usage}}}}}"#);
    let end =
        |usage: &str| format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"x"}},"usage":{usage}}}"#);
    for (first, last, [input, cache_read, cache_write, output, reasoning]) in [
        (
            r#"{"input_tokens":0,"output_tokens":0}"#,
            r#"{"input_tokens":7,"output_tokens":3}"#,
            [Some(7), None, None, Some(3), None],
        ),
        (
            r#"{"input_tokens":0,"output_tokens":0}"#,
            r#"{"output_tokens":3}"#,
            [None, None, None, Some(3), None],
        ),
        (
            r#"{"input_tokens":7}"#,
            r#"{"input_tokens":0,"output_tokens":3}"#,
            [Some(7), None, None, Some(3), None],
        ),
        (
            r#"{"input_tokens":7}"#,
            r#"{"input_tokens":0,"cache_read_input_tokens":7,"output_tokens":3}"#,
            [Some(0), Some(7), None, Some(3), None],
        ),
        (
            r#"{"input_tokens":7,"cache_creation_input_tokens":5}"#,
            r#"{"input_tokens":9,"output_tokens":3}"#,
            [Some(9), None, Some(5), Some(3), None],
        ),
        (
            "null",
            r#"{"output_tokens":3,"output_tokens_details":{"thinking_tokens":2}}"#,
            [None, None, None, Some(3), Some(2)],
        ),
        ("{}", r#"{"input_tokens":-1,"output_tokens":"3"}"#, [None; 5]),
    ] {
        let observed = observe_in(Anthropic, [&stream(&[&start(first), WORD, &end(last), STOP])[..]]);
        let expected = Usage { input, cache_read, cache_write, output, reasoning };
        assert_eq!(observed.usage.unwrap_or_default(), expected, "{first} {last}");
        assert_eq!(observed.usage.is_some(), expected != Usage::default(), "{first} {last}");
    }
}

#[test]
fn a_whole_body_says_something_nothing_or_an_error() {
    let body = |content: &str, reason: &str| {
        format!(
            r#"{{"type":"message","model":"claude-m","content":{content},"stop_reason":"{reason}","usage":{{"input_tokens":3,"output_tokens":4}}}}"#
        )
    };
    for (content, reason, said) in [
        (r#"[{"type":"text","text":"x"}]"#, "end_turn", Said::Something),
        (
            r#"[{"type":"text","text":""},{"type":"tool_use","id":"t","name":"f","input":{}}]"#,
            "tool_use",
            Said::Something,
        ),
        (r#"[{"type":"thinking","thinking":"hm","signature":"s"}]"#, "max_tokens", Said::Something),
        ("[]", "refusal", Said::Something),
        ("[]", "end_turn", Said::Nothing),
        (r#"[{"type":"text","text":""}]"#, "max_tokens", Said::Nothing),
        ("null", "end_turn", Said::Nothing),
    ] {
        let body = body(content, reason);
        let (observed, is) = Observer::judge(Anthropic, body.as_bytes());
        let usage = Usage { input: Some(3), output: Some(4), ..Usage::default() };
        assert_eq!((is, observed.usage), (said, Some(usage)), "{body}");
        assert_eq!((observed.done, observed.terminated), (true, false), "{body}");
        assert_eq!(observed.finish_reason.as_deref(), Some(reason), "{body}");
    }
    let judge = |body: &str| {
        let (observed, said) = Observer::judge(Anthropic, body.as_bytes());
        (said, observed.error)
    };
    let error = |kind: &str| (Said::Error, Some(kind.to_owned()));
    assert_eq!(
        judge(r#"{"type":"error","error":{"type":"rate_limit_error","message":"m"}}"#),
        error("rate_limit_error")
    );
    assert_eq!(
        judge(r#"{"error":{"message":"a proxy's","type":"server_error","code":null}}"#),
        error("server_error")
    );
    assert_eq!(judge(r#"{"type":"error"}"#), error("error"));
    assert_eq!(judge(r#"{"input_tokens":12}"#), (Said::Something, None), "count_tokens");
    assert_eq!(judge("<html>"), (Said::Garbage, None));
    assert_eq!(judge(r#"[{"type":"message"}]"#), (Said::Garbage, None));
}

#[test]
fn a_long_stream_is_read_at_its_beginning_and_its_end() {
    let result = block(&format!(
        r#"{{"type":"web_search_tool_result","tool_use_id":"t","content":[{{"encrypted_content":"{}"}}]}}"#,
        "e".repeat(200_000)
    ));
    let end = |padding: usize| {
        END.replace(r#""usage":{"#, &format!(r#""usage":{{"padding":"{}","#, "p".repeat(padding)))
    };
    for words in [1, 800, 3_000] {
        for (large, padding) in [(false, 0), (true, 0), (false, 9_000), (true, 9_000)] {
            let mut events = vec![START, TEXT];
            events.extend(vec![WORD; words]);
            if large {
                events.push(&result);
            }
            let end = end(padding);
            let whole = stream(&[events.clone(), vec![end.as_str(), STOP]].concat());
            for size in [97, 4_096, 65_536, whole.len()] {
                let observed = observe_in(Anthropic, whole.chunks(size));
                let usage = observed.usage.unwrap();
                assert_eq!(
                    (usage.input, usage.output),
                    (Some(9), Some(42)),
                    "{words} {large} {padding} {size}"
                );
                assert!(observed.terminated && observed.finish_reason.as_deref() == Some("end_turn"));
            }
            let cut = observe_in(Anthropic, stream(&events).chunks(4_096));
            assert_eq!((cut.done, cut.usage.and_then(|usage| usage.output)), (false, None));
        }
    }
}
