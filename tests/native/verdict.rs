//! What an answer comes to: whole bodies, and streams that ended without a first event of note.

use turnout::dialect::Dialect;
use turnout::relay::{First, Observed, Observer, Said};

fn judge(body: &str) -> (Observed, Said) {
    Observer::judge(Dialect::OpenAi, body.as_bytes())
}

#[test]
fn a_choice_that_says_anything_is_something() {
    for message in [
        r#""message":{"content":"x"}"#,
        r#""message":{"content":[{"type":"text","text":"x"}]}"#,
        r#""message":{"content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":""}}]}"#,
        r#""message":{"content":null,"function_call":{"name":"f","arguments":"{}"}}"#,
        r#""message":{"content":"","reasoning_content":"hm"}"#,
        r#""message":{"content":"","reasoning":"hm"}"#,
        r#""message":{"reasoning_text":"hm"}"#,
        r#""message":{"reasoning_details":[{"type":"reasoning.encrypted","data":"eA=="}]}"#,
        r#""message":{"thinking_blocks":[{"type":"thinking","thinking":"hm"}]}"#,
        r#""message":{"executed_tools":[{"type":"search"}]}"#,
        r#""message":{"content":null,"refusal":"no"}"#,
        r#""message":{"content":null,"audio":{"id":"a","data":"eA=="}}"#,
        r#""message":{"content":"","images":[{"type":"image_url","image_url":{"url":"data:,"}}]}"#,
        r#""message":{"content":"","annotations":[{"type":"url_citation","url_citation":{"url":"https://a"}}]}"#,
        r#""text":"x""#,
    ] {
        let body = format!(
            r#"{{"object":"chat.completion","choices":[{{"index":0,{message},"finish_reason":"stop"}}]}}"#
        );
        let (observed, said) = judge(&body);
        assert_eq!((said, observed.meaningful, observed.done), (Said::Something, true, true), "{body}");
        let second = body.replace(r#""choices":["#, r#""choices":[{"message":{"content":""}},"#);
        assert_eq!(judge(&second).1, Said::Something, "{second}");
    }
}

#[test]
fn an_object_of_an_unknown_form_is_something() {
    for body in [
        "{}",
        r#"{"result":"x"}"#,
        r#"{"object":"list","data":[]}"#,
        r#" {"output":[]} "#,
        r#"{"error":null}"#,
    ] {
        assert_eq!(judge(body), (Observed::default(), Said::Something), "{body}");
    }
}

#[test]
fn choices_that_say_nothing_are_nothing() {
    for body in [
        r#"{"choices":[]}"#,
        r#"{"choices":{}}"#,
        r#"{"object":"chat.completion","choices":null}"#,
        r#"{"object":"chat.completion"}"#,
        r#"{"choices":[null]}"#,
        r#"{"choices":[{}]}"#,
        r#"{"choices":[{"message":{"role":"assistant","content":"","refusal":null,"annotations":[]},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"message":null,"text":"","finish_reason":"content_filter"}]}"#,
        // An error that is empty is none.
        r#"{"choices":[],"error":{}}"#,
        r#"{"choices":[{"error":""}],"error":false}"#,
    ] {
        let (observed, said) = judge(body);
        assert_eq!((said, observed.error), (Said::Nothing, None), "{body}");
    }
}

#[test]
fn an_error_is_an_error_whatever_is_beside_it() {
    for (body, kind) in [
        (r#"{"error":{"message":"m","type":"server_error","code":null}}"#, "server_error"),
        (r#"{"error":{"message":"m","code":429},"choices":[]}"#, "429"),
        (r#"{"error":{"code":502},"choices":[{"message":{"content":"so far"}}]}"#, "502"),
        (
            r#"{"choices":[{"message":{"content":"so far"},"finish_reason":"error","error":{"code":502}}]}"#,
            "502",
        ),
        (r#"{"choices":[{"message":{"content":""},"finish_reason":"error"}]}"#, "error"),
        (r#"{"error":"model \"x\" not found"}"#, "error"),
        (r#"{"error":{}}"#, "error"),
        (r#"{"object":"error","message":"m","type":"NotFoundError","code":404}"#, "404"),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#, "overloaded_error"),
        // Google's compatible endpoint.
        (r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#, "400"),
    ] {
        let (observed, said) = judge(body);
        assert_eq!((said, observed.error.as_deref()), (Said::Error, Some(kind)), "{body}");
    }
}

#[test]
fn what_is_no_object_is_garbage() {
    for body in [
        "",
        " ",
        "<html>",
        "null",
        "7",
        r#""choices""#,
        "[]",
        "[7]",
        r#"[{"choices":[{"message":{"content":"x"}}]}]"#,
        r#"{"choices":[{"message":{"content":"cut"#,
        r#"{"choices":[]} and more"#,
        "data: {}\n\n",
    ] {
        assert_eq!(judge(body), (Observed::default(), Said::Garbage), "{body}");
    }
    assert_eq!(Observer::judge(Dialect::OpenAi, b"\xff{}").1, Said::Garbage);
}

const ROLE: &str =
    r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const FINISH: &str = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const WHOLE: &str = r#"data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}"#;
const AZURE: &str = r#"data: {"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}"#;
const FAILED: &str = r#"data: {"error":{"code":"overloaded","message":"m"}}"#;

/// Checks a stream of these blocks: what failover sees first, before its end and with it, and whether it came to its end.
fn check(blocks: &[&str], before_end: Option<&First>, first: Option<&First>, done: bool) {
    let stream = blocks.join("\n\n");
    for chunk in [1, 7, stream.len().max(1)] {
        let mut observer = Observer::new(Dialect::OpenAi);
        stream.as_bytes().chunks(chunk).for_each(|chunk| observer.push(chunk));
        assert_eq!(observer.first(), before_end, "{stream}");
        observer.end();
        assert_eq!(observer.first(), first, "{stream}, ended");
        observer.end();
        let observed = observer.finish();
        assert_eq!(
            (observed.done, observed.meaningful),
            (done, first == Some(&First::Meaningful)),
            "{stream}"
        );
    }
}

#[test]
fn an_empty_stream_is_told_from_one_that_was_cut() {
    for (blocks, done) in [
        (vec![ROLE, FINISH, "data: [DONE]", ""], true),
        (vec![ROLE, FINISH, ""], true),
        (vec![FINISH], true),
        (vec!["data: [DONE]", ""], true),
        (vec!["data: [DONE]"], true),
        (vec![AZURE, ": keep-alive", "data: [DONE]", ""], true),
        (vec![], false),
        (vec![": keep-alive", ": keep-alive", ""], false),
        (vec![ROLE, ""], false),
        (vec![AZURE, ROLE, ": OPENROUTER PROCESSING", ""], false),
        (vec![ROLE, FINISH.trim_end_matches('}')], false),
        (vec!["data: [DON"], false),
        (vec!["<html>a proxy's page</html>"], false),
        (vec![r#"{"error":{"message":"no event"}}"#], false),
    ] {
        check(&blocks, None, None, done);
    }
}

#[test]
fn a_first_event_may_say_all_there_is() {
    let meaningful = Some(&First::Meaningful);
    check(&[WHOLE, ""], meaningful, meaningful, true);
    check(&[AZURE, ROLE, WHOLE, FAILED, ""], meaningful, meaningful, true);
    check(&[WHOLE], None, meaningful, true);
}

#[test]
fn an_error_brings_its_own_json() {
    let json = FAILED.strip_prefix("data: ").unwrap().as_bytes().to_vec();
    let failed = First::Error { kind: "overloaded".to_owned(), json };
    check(&[ROLE, FAILED, ""], Some(&failed), Some(&failed), false);
    check(&[ROLE, FAILED], None, Some(&failed), false);

    let named = |data: &str, kind: &str, json: &str| {
        let failed = First::Error { kind: kind.to_owned(), json: json.as_bytes().to_vec() };
        check(&[&format!("event: error\ndata: {data}"), ""], Some(&failed), Some(&failed), false);
    };
    named(
        r#"{"message":"m","type":"overloaded_error"}"#,
        "overloaded_error",
        r#"{"message":"m","type":"overloaded_error"}"#,
    );
    named("{\ndata: \"code\":7}", "7", "{\n\"code\":7}");
    named("Overloaded, sk-not-a-real-one", "error", "");
    let limit = 64 << 10;
    let large = |size: usize| {
        let json = r#"{"error":{"code":"large","message":""}}"#;
        json.replace(r#""""#, &format!("\"{}\"", "x".repeat(size - json.len())))
    };
    named(&large(limit), "large", &large(limit));
    named(&large(limit + 1), "large", "");
}
