mod anthropic;
mod gemini;
mod responses;

use proptest::collection::vec;
use proptest::prelude::*;
use turnout::dialect::Dialect;
use turnout::relay::{First, Observed, Observer, Said, UsageFilter, may_bypass};
use turnout::usage::Usage;

/// What comes out of a filter, and how many chunks went around it.
#[derive(Debug, PartialEq)]
pub(crate) struct Relayed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) observed: Observed,
    pub(crate) bypassed: usize,
}

pub(crate) fn relay<'c>(chunks: impl IntoIterator<Item = &'c [u8]>, bypass: bool) -> Relayed {
    let (mut filter, mut bytes, mut bypassed) = (UsageFilter::new(Dialect::OpenAi), Vec::new(), 0);
    for chunk in chunks {
        let may = filter.holds_nothing() && filter.first() == Some(&First::Meaningful) && may_bypass(chunk);
        if bypass && may {
            bytes.extend_from_slice(chunk);
            bypassed += 1;
        } else {
            filter.push(chunk, &mut bytes);
        }
    }
    let observed = filter.finish(&mut bytes);
    Relayed { bytes, observed, bypassed }
}

pub(crate) fn observe<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Observed {
    observe_in(Dialect::OpenAi, chunks)
}

pub(crate) fn observe_in<'c>(dialect: Dialect, chunks: impl IntoIterator<Item = &'c [u8]>) -> Observed {
    let mut observer = Observer::new(dialect);
    chunks.into_iter().for_each(|chunk| observer.push(chunk));
    observer.finish()
}

/// The first event of note of a stream, the same byte by byte.
pub(crate) fn first_in(dialect: Dialect, stream: &[u8]) -> Option<First> {
    let (mut whole, mut bytewise) = (Observer::new(dialect), Observer::new(dialect));
    whole.push(stream);
    stream.iter().for_each(|byte| bytewise.push(&[*byte]));
    assert_eq!(whole.first(), bytewise.first(), "{:?}", String::from_utf8_lossy(stream));
    whole.first().cloned()
}

/// The chunks that cuts at these offsets give.
pub(crate) fn cut<'s>(stream: &'s [u8], cuts: &[usize]) -> Vec<&'s [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/streams/{name}.sse", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Relays a fixture at every split into two, byte by byte and around the filter, and checks that all of its bytes pass but
/// the event at `withheld` (its index among the blocks that blank lines part, a comment's lines not counted).
fn check(name: &str, withheld: Option<&str>, expected: &Observed) {
    let stream = fixture(name);
    let passed = match withheld {
        None => stream.clone(),
        Some(event) => {
            let text = String::from_utf8(stream.clone()).unwrap();
            assert_eq!(text.matches(event).count(), 1, "{name} has the event once");
            text.replace(event, "").into_bytes()
        }
    };
    let relayed = |chunks: &[&[u8]], how: &str| {
        for bypass in [false, true] {
            let relayed = relay(chunks.iter().copied(), bypass);
            assert_eq!(
                String::from_utf8_lossy(&relayed.bytes),
                String::from_utf8_lossy(&passed),
                "{name}, {how}, bypass {bypass}"
            );
            assert_eq!(&relayed.observed, expected, "{name}, {how}, bypass {bypass}");
        }
        assert_eq!(&observe(chunks.iter().copied()), expected, "{name}, {how}, observer");
    };
    for at in 0..=stream.len() {
        relayed(&cut(&stream, &[at]), &format!("split at {at}"));
    }
    relayed(&stream.chunks(1).collect::<Vec<_>>(), "byte by byte");
    relayed(&stream.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>(), "line by line");
}

const USAGE: Usage =
    Usage { input: Some(10), cache_read: Some(20), cache_write: None, output: Some(12), reasoning: Some(5) };

/// What is seen of an answer that ends well.
fn ended(usage: Option<Usage>) -> Observed {
    Observed {
        usage,
        model: Some("made-up-1".to_owned()),
        meaningful: true,
        done: true,
        terminated: true,
        finish_reason: Some("stop".to_owned()),
        error: None,
    }
}

/// The last event that says `"choices":[]`, with its line ends.
fn usage_event(name: &str, line_end: &str) -> String {
    let text = String::from_utf8(fixture(name)).unwrap();
    let line = text.lines().rfind(|line| line.contains("\"choices\":[]")).unwrap();
    format!("{line}{line_end}{line_end}")
}

#[test]
fn the_usage_chunk_that_we_asked_for_is_withheld() {
    check("include-usage", Some(&usage_event("include-usage", "\n")), &ended(Some(USAGE)));
    check("crlf", Some(&usage_event("crlf", "\r\n")), &ended(Some(USAGE)));
    check("comments", Some(&usage_event("comments", "\n")), &ended(Some(USAGE)));
}

#[test]
fn white_space_makes_no_difference_and_passes_as_it_is() {
    let event = "data:  { \"choices\" : [ ] , \"usage\" : { \"prompt_tokens\" : 3 , \"completion_tokens\" : 4 , \"total_tokens\" : 7 } }\n\n";
    let usage = Usage { input: Some(3), output: Some(4), ..Usage::default() };
    check(
        "odd-spacing",
        Some(event),
        &Observed { finish_reason: Some("length".to_owned()), ..ended(Some(usage)) },
    );
}

#[test]
fn usage_beside_a_choice_passes_and_is_read() {
    check("usage-with-last-choice", None, &ended(Some(USAGE)));
}

#[test]
fn usage_null_passes_and_is_unknown() {
    check("usage-null-everywhere", None, &ended(None));
}

#[test]
fn a_usage_chunk_without_its_blank_line_is_withheld_too() {
    let line = usage_event("no-last-blank-line", "");
    check(
        "no-last-blank-line",
        Some(&format!("{line}\n")),
        &Observed { terminated: false, ..ended(Some(USAGE)) },
    );
}

#[test]
fn an_error_is_noted_by_its_kind_alone() {
    let failed = |kind: &str| Observed { error: Some(kind.to_owned()), ..Observed::default() };
    check("error-first", None, &Observed { done: true, terminated: true, ..failed("insufficient_quota") });
    check("error-named", None, &failed("overloaded_error"));
    check(
        "error-after-content",
        None,
        &Observed {
            error: Some("502".to_owned()),
            finish_reason: Some("error".to_owned()),
            terminated: false,
            ..ended(None)
        },
    );
}

#[test]
fn a_stream_that_was_cut_is_not_done() {
    check("cut", None, &Observed { done: false, terminated: false, finish_reason: None, ..ended(None) });
}

/// Gives the first event of note after each of the events.
fn first_after(events: &[&str]) -> Option<First> {
    let mut observer = Observer::new(Dialect::OpenAi);
    for event in events {
        observer.push(format!("data: {event}\n\n").as_bytes());
    }
    observer.first().cloned()
}

#[test]
fn content_tools_reasoning_refusals_and_media_are_meaningful() {
    for delta in [
        r#"{"content":"x"}"#,
        r#"{"content":" "}"#,
        r#"{"content":[{"type":"text","text":"x"}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
        r#"{"content":[{"type":"thinking","thinking":"hm"}]}"#,
        r#"{"content":[{"type":"image_url","image_url":{"url":"data:,"}}]}"#,
        r#"{"role":"assistant","content":null,"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
        r#"{"content":"","reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"eA=="}]}"#,
        r#"{"refusal":"no"}"#,
        r#"{"audio":{"id":"a"}}"#,
        r#"{"content":"\ud83d"}"#,
    ] {
        let event = format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
        assert_eq!(first_after(&[&event]), Some(First::Meaningful), "{delta}");
        let second = event.replace(r#""choices":["#, r#""choices":[{"index":1,"delta":{}},"#);
        assert_eq!(first_after(&[&second]), Some(First::Meaningful), "{second}");
    }
}

#[test]
fn roles_empty_content_and_usage_are_not_meaningful() {
    for delta in [
        r#"{}"#,
        r#"null"#,
        r#"7"#,
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":"","refusal":null,"tool_calls":null,"reasoning_content":""}"#,
        r#"{"content":[],"tool_calls":[],"audio":{ }}"#,
        r#"{"content":[{"type":"text","text":""}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":""}]}]}"#,
        r#"{"content":[[[[[[["too deep"]]]]]]]}"#,
    ] {
        let event = format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
        assert_eq!(first_after(&[&event]), None, "{delta}");
    }
    for event in [
        r#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":[],"prompt_filter_results":[{"content_filter_results":{}}]}"#,
        r#"{"choices":[{"delta":{"content":"cut"#,
        r#"{"choices":7,"error":null}"#,
        "[DONE]",
        "",
    ] {
        assert_eq!(first_after(&[event]), None, "{event}");
    }
}

#[test]
fn an_error_before_anything_meaningful_is_a_failure() {
    for (event, kind) in [
        (r#"{"error":{"message":"m","type":"server_error","code":null}}"#, "server_error"),
        (
            r#"{"error":{"message":"m","type":"requests","code":"rate_limit_exceeded"}}"#,
            "rate_limit_exceeded",
        ),
        (r#"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}"#, "429"),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#, "overloaded_error"),
        (r#"{"object":"error","message":"m","type":"invalid_request","code":null}"#, "invalid_request"),
        (r#"{"error":"a sentence with a secret-key"}"#, "error"),
        (r#"{"error":{"code":"a sentence with a secret-key"}}"#, "error"),
        (r#"{"choices":[{"error":{"code":502},"delta":{"content":""},"finish_reason":"error"}]}"#, "502"),
    ] {
        let failed = Some(First::Error { kind: kind.to_owned(), json: event.as_bytes().to_vec() });
        assert_eq!(first_after(&[event]), failed, "{event}");
        let role = r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
        let content = r#"{"choices":[{"delta":{"content":"x"}}]}"#;
        assert_eq!(first_after(&[role, event, content]), failed, "{event}");
        assert_eq!(first_after(&[role, content, event]), Some(First::Meaningful), "{event}");
    }
}

#[test]
fn a_whole_body_is_read_like_a_stream() {
    let body = br#"{"id":"1","object":"chat.completion","model":"made-up-1",
        "choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":30,"completion_tokens":12,"total_tokens":42,
            "prompt_tokens_details":{"cached_tokens":20},"completion_tokens_details":{"reasoning_tokens":5}}}"#;
    assert_eq!(
        Observer::judge(Dialect::OpenAi, body),
        (Observed { terminated: false, ..ended(Some(USAGE)) }, Said::Something)
    );

    let error =
        br#"{"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    let failed = Observed { error: Some("context_length_exceeded".to_owned()), ..Observed::default() };
    assert_eq!(Observer::judge(Dialect::OpenAi, error), (failed, Said::Error));
}

#[test]
fn an_event_is_held_only_while_it_may_be_the_usage_chunk() {
    let mut filter = UsageFilter::new(Dialect::OpenAi);
    let mut push = |chunk: &str| {
        let mut out = Vec::new();
        filter.push(chunk.as_bytes(), &mut out);
        (String::from_utf8(out).unwrap(), filter.holds_nothing())
    };
    let passes = |text: &str, holds_nothing: bool| (text.to_owned(), holds_nothing);

    assert_eq!(push(": keep-alive"), passes(": keep-alive", false), "a comment");
    assert_eq!(push("\n\n"), passes("\n\n", true));
    assert_eq!(push("data: {\"id\":1,\"choices\":["), passes("", false), "may be it");
    assert_eq!(push("{"), passes("data: {\"id\":1,\"choices\":[{", false), "shows a choice");
    assert_eq!(push("\"delta\":{}}"), passes("\"delta\":{}}", false));
    assert_eq!(push("]}\n\ndata"), passes("]}\n\n", false));
    assert_eq!(push(": {\"choices\":[]"), passes("", false));
    let large = "x".repeat(64 << 10);
    let held = format!("data: {{\"choices\":[]{large}");
    assert_eq!(push(&large), passes(&held, false), "too large");
    assert_eq!(push(",\"usage\":{}}\n"), passes(",\"usage\":{}}\n", false));
    assert_eq!(push("\n"), passes("\n", true));
    assert_eq!(push("data: {\"choices\":[],\"usage\":{}}\r\n\r"), passes("", false), "a line feed may come");
    assert_eq!(push("\ndata: [DONE]\r\n\r\n"), passes("data: [DONE]\r\n\r\n", true));
    assert_eq!(push("id: 7"), passes("", false));
    assert_eq!(push("\n\n"), passes("id: 7\n\n", true), "no data, no event");
}

#[test]
fn what_only_looks_like_a_usage_chunk_passes() {
    for data in [
        r#"{"choices":[],"usage":null}"#,
        r#"{"choices":[]}"#,
        r#"{"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":null,"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":{},"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":[],"usage":7}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":1},"error":{"code":1}}"#,
        r#"{"choices":[{"delta":{"content":"\"choices\":[],\"usage\":{}"}}],"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":1}"#,
        // Held no longer at the first list that is not empty, so never withheld.
        r#"{"more":{"choices":[1]},"choices":[],"usage":{"prompt_tokens":1}}"#,
    ] {
        let stream = format!("data: {data}\n\n");
        for at in 0..=stream.len() {
            let relayed = relay(cut(stream.as_bytes(), &[at]), false);
            assert_eq!(String::from_utf8_lossy(&relayed.bytes), stream, "{data} split at {at}");
        }
    }
    let large = "x".repeat(64 << 10);
    let stream = format!("data: {{\"choices\":[],\"usage\":{{}},\"x\":\"{large}\"}}\r\n\r\n");
    for at in [0, 9, 30, 65_000, stream.len() - 5, stream.len() - 3, stream.len() - 1] {
        assert!(
            relay(cut(stream.as_bytes(), &[at]), false).bytes == stream.as_bytes(),
            "large, split at {at}"
        );
    }
    let named = "event: error\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
    assert_eq!(relay([named.as_bytes()], false).bytes, named.as_bytes());
}

/// One block of a random stream, its line ends still open, and whether a filter withholds it.
fn block() -> impl Strategy<Value = (String, bool)> {
    let text = "[ -~✓]{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap());
    let passing = prop_oneof![
        4 => text.clone().prop_map(|text| format!(r#"data: {{"model":"m","choices":[{{"delta":{{"content":{text}}},"finish_reason":null}}],"usage":null}}~"#)),
        2 => text.prop_map(|text| format!(r#"data: {{"choices": [ {{"delta": {{"content": {text}}}}}]}}~"#)),
        1 => (0..99_u8, 0..99_u8).prop_map(|(input, output)| format!(
            r#"data:{{"choices":[{{"delta":{{"content":"x"}}}}],"usage":{{"prompt_tokens":{input},"completion_tokens":{output}}}}}~"#
        )),
        1 => proptest::sample::select(vec![
            ": keep-alive~", ":~", "", "id: 1~", "event: ping~data: {}~", "retry: 5~data: x~", "data~",
            r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}~"#,
            r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}~"#,
            r#"data: {"error":{"code":"overloaded"}}~"#,
            "event: error~data: {}~",
            "data: {~data: \"choices\":~data: []}~",
            "data: [DONE]~",
        ]).prop_map(str::to_owned),
    ];
    let withheld = (0..99_u8, 0..99_u8, any::<bool>()).prop_map(|(input, output, spaced)| {
        let event = format!(
            r#"data: {{"choices":[],"usage":{{"prompt_tokens":{input},"completion_tokens":{output}}}}}~"#
        );
        if spaced { event.replace(":[]", " : [ ]").replace("data: ", "data:") } else { event }
    });
    prop_oneof![8 => passing.prop_map(|block| (block, false)), 1 => withheld.prop_map(|block| (block, true))]
}

/// A stream, what of it passes, and the offsets of its blocks.
pub(crate) fn stream() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, Vec<usize>)> {
    let line_end = proptest::sample::select(vec!["\n", "\n", "\r\n", "\r"]);
    vec((block(), line_end), 0..16).prop_map(|blocks| {
        let (mut stream, mut passed, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        for ((block, withheld), line_end) in blocks {
            let bytes = format!("{block}~").replace('~', line_end).into_bytes();
            // After a carriage return alone, a block that begins with a line feed would be read as the rest of it.
            let bytes =
                if stream.last() == Some(&b'\r') && bytes[0] == b'\n' { b"\r".to_vec() } else { bytes };
            stream.extend_from_slice(&bytes);
            if !withheld {
                passed.extend_from_slice(&bytes);
            }
            offsets.push(stream.len());
        }
        (stream, passed, offsets)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn output_is_input_less_what_is_withheld(
        (stream, passed, offsets) in stream(),
        cuts in vec(any::<usize>(), 0..8),
        kept in vec(any::<bool>(), 16),
    ) {
        let whole = relay([&stream[..]], false);
        prop_assert_eq!(String::from_utf8_lossy(&whole.bytes), String::from_utf8_lossy(&passed));
        prop_assert_eq!(&observe([&stream[..]]), &whole.observed);

        // Cuts anywhere, and cuts between events, where chunks may be bypassed.
        let mut all_cuts: Vec<usize> = offsets.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(at, _)| *at).collect();
        all_cuts.extend(&cuts);
        for cuts in [cuts, all_cuts, offsets] {
            for bypass in [false, true] {
                let relayed = relay(cut(&stream, &cuts), bypass);
                prop_assert_eq!(String::from_utf8_lossy(&relayed.bytes), String::from_utf8_lossy(&passed));
                prop_assert_eq!(&relayed.observed, &whole.observed, "bypass {}", bypass);
            }
        }
    }

    #[test]
    fn any_bytes_are_relayed_without_panic(chunks in vec(vec(any::<u8>(), 0..40), 0..8)) {
        let input = chunks.concat();
        let relayed = relay(chunks.iter().map(Vec::as_slice), true);
        prop_assert_eq!(relayed.bytes, input);
        for dialect in Dialect::ALL {
            Observer::judge(dialect, &chunks.concat());
            observe_in(dialect, chunks.iter().map(Vec::as_slice));
        }
    }
}

#[test]
fn most_chunks_of_a_stream_go_around_the_filter() {
    let stream = fixture("include-usage");
    let events: Vec<&[u8]> = {
        let text = std::str::from_utf8(&stream).unwrap();
        text.split_inclusive("\n\n").map(str::as_bytes).collect()
    };
    // Of six events: the role, the first content, the reason, the usage and the end are looked at.
    assert_eq!(relay(events.iter().copied(), true).bypassed, events.len() - 5);
}

/// A stream of so many deltas of some 100 bytes, and then these events.
fn long(deltas: usize, last: &[String]) -> Vec<u8> {
    let delta = format!(
        r#"{{"model":"m","choices":[{{"delta":{{"content":"{}"}},"finish_reason":null}}]}}"#,
        "word ".repeat(10)
    );
    let events = std::iter::repeat_n(&delta, deltas).chain(last);
    events.map(|event| format!("data: {event}\n\n")).collect::<String>().into_bytes()
}

#[test]
fn a_long_stream_is_read_at_its_beginning_and_its_end() {
    let finish = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#.to_owned();
    let usage = |padding: usize| {
        format!(
            r#"{{"choices":[],"citations":"{}","usage":{{"prompt_tokens":9,"completion_tokens":3}}}}"#,
            "c".repeat(padding)
        )
    };
    // The usage in the last 4 KiB, in a last event that is longer than that, and before an end that is.
    for last in [
        vec![finish.clone(), usage(0)],
        vec![finish.clone(), usage(20_000)],
        vec![usage(0), usage(0), finish.clone()],
    ] {
        for deltas in [1, 50, 800, 3_000] {
            let mut stream = long(deltas, &last);
            stream.extend_from_slice(b"data: [DONE]\n\n");
            for size in [97, 4_096, 65_536, stream.len()] {
                let observed = observe(stream.chunks(size));
                let output = observed.usage.and_then(|usage| usage.output);
                assert_eq!(
                    (output, observed.done, observed.meaningful),
                    (Some(3), true, true),
                    "{deltas} {size}"
                );
                assert_eq!(observed.model.as_deref(), Some("m"));
                assert_eq!(observed.finish_reason.as_deref(), Some("stop"));
            }
        }
    }
}

#[test]
fn a_long_stream_that_was_cut_has_no_end() {
    for deltas in [1, 800, 3_000] {
        let stream = long(deltas, &[]);
        let observed = observe(stream[..stream.len() - 20].chunks(1_000));
        assert_eq!((observed.usage, observed.done, observed.error), (None, false, None), "{deltas}");
    }
}
