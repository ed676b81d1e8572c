//! What a body says.

use serde_json::{Value, json};

use super::parse;

#[test]
fn fields_are_read() {
    let call = parse(
        r#" {"model":"turnout\/r\u00e9", "stream":true, "user":"u", "safety_identifier":"s", "store":true,
             "max_tokens":10, "max_completion_tokens":20, "tools":[{}], "stream_options":{"include_usage":true}} "#,
    );
    assert_eq!((call.model(), call.user(), call.safety_identifier()), ("turnout/ré", Some("u"), Some("s")));
    assert!(call.stream() && call.asks_usage() && call.store() && call.has_tools());
    assert_eq!(call.max_tokens(), Some(20));
    assert!(call.body().starts_with(b" {\"model\":\"turnout\\/"), "the body is as it came");
}

#[test]
fn absent_null_and_empty_are_the_same() {
    for body in [
        r#"{"model":"a"}"#,
        r#"{"model":"a","stream":null,"user":null,"safety_identifier":null,"metadata":null,"store":null,
            "max_tokens":null,"tools":null,"functions":null,"messages":null,"stream_options":null,"extra_body":null}"#,
        r#"{"model":"a","stream":false,"user":"","safety_identifier":"","metadata":{},"store":false,"tools":[ ],
            "functions":[],"messages":[],"stream_options":{},"extra_body":{}}"#,
        // Not ours to refuse: the provider does.
        r#"{"model":"a","store":"yes","max_tokens":"many","max_completion_tokens":1.5,"tools":{},"functions":7,
            "messages":"hello","sort":[],"provider":{"only":["x"]},"stream_options":{"include_usage":null}}"#,
    ] {
        let call = parse(body);
        assert!(
            !call.stream() && !call.asks_usage() && !call.store() && !call.has_tools() && !call.has_images()
        );
        assert_eq!((call.user(), call.safety_identifier(), call.max_tokens()), (None, None, None), "{body}");
        assert_eq!((call.metadata().len(), call.messages()), (0, json!([])), "{body}");
    }
}

#[test]
fn older_spellings_count() {
    assert!(parse(r#"{"model":"a","functions":[{}],"tools":[]}"#).has_tools());
    for (body, expected) in [
        (r#"{"model":"a","max_tokens":10}"#, Some(10)),
        (r#"{"model":"a","max_completion_tokens":null,"max_tokens":10}"#, Some(10)),
        (r#"{"model":"a","max_tokens":-1}"#, None),
        (r#"{"model":"a","max_tokens":18446744073709551616}"#, None),
    ] {
        assert_eq!(parse(body).max_tokens(), expected, "{body}");
    }
}

#[test]
fn metadata_of_extra_body_wins_per_key() {
    for (body, expected) in [
        (r#"{"model":"a","metadata":{"plan":"free","n":1}}"#, json!({"plan": "free", "n": 1})),
        (r#"{"model":"a","extra_body":{"metadata":{"plan":"pro"}}}"#, json!({"plan": "pro"})),
        (
            r#"{"extra_body":{"metadata":{"plan":"pro","x":{"y":[1]}}},"metadata":{"plan":"free","n":1},"model":"a"}"#,
            json!({"plan": "pro", "n": 1, "x": {"y": [1]}}),
        ),
    ] {
        assert_eq!(Value::Object(parse(body).metadata().clone()), expected, "{body}");
    }
}

#[test]
fn an_sdk_would_have_merged_extra_body() {
    let call = parse(
        r#"{"model":"a","user":"top","extra_body":{"stream":true,"user":"in","safety_identifier":"s"}}"#,
    );
    assert!(call.stream());
    assert_eq!((call.user(), call.safety_identifier()), (Some("top"), Some("s")));
    assert_eq!(parse(r#"{"extra_body":{"model":"b"}}"#).model(), "b");
}

#[test]
fn messages_are_role_and_text() {
    let check = |messages: &str, expected: Value| {
        let call = parse(&format!(r#"{{"model":"a","messages":{messages}}}"#));
        assert_eq!(call.messages(), expected, "of {messages}");
    };
    check(
        r#"[ {"role":"system","content":"be \u0062rief"} , {"content":[{"type":"text","text":"one"},
             {"type":"image_url","image_url":{"url":"data:"}},{"type":"text","text":"two"}],"role":"user"} ]"#,
        json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "one\ntwo"}]),
    );
    check(
        r#"[{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool"},{"content":"x"},7,null,
            {"role":1,"content":{"text":"y"}}]"#,
        json!([
            {"role": "assistant", "content": ""}, {"role": "tool", "content": ""},
            {"role": "", "content": "x"}, {"role": "", "content": ""},
            {"role": "", "content": ""}, {"role": "", "content": ""}
        ]),
    );
    check(
        r#"[{"role":"user","content":"cut \ud83d here"},{"role":"user","content":["plain",{"text":7},{"text":"t"}]}]"#,
        json!([{"role": "user", "content": "cut \u{fffd}\u{fffd}\u{fffd} here"}, {"role": "user", "content": "t"}]),
    );
    check("{}", json!([]));
}

#[test]
fn images_are_seen_in_parts_alone() {
    for (messages, expected) in [
        (r#"[{"content":"image_url"}]"#, false),
        (r#"[{"content":[{"type":"text","text":"image"}]}]"#, false),
        (r#"[{"type":"image"}]"#, false),
        (r#"[{"content":"x"},{"content":[{"type":"text"},{"type":"image_url"}]}]"#, true),
        (r#"[{"content":[{"type":"input\u005fimage"}]}]"#, true),
        (r#"[{"content":[{"source":{},"type":"image"}]}]"#, true),
    ] {
        let call = parse(&format!(r#"{{"model":"a","messages":{messages}}}"#));
        assert_eq!(call.has_images(), expected, "{messages}");
    }
}

/// A stack overflow would end the test binary. 100,000 levels: each costs some hundred bytes of stack in a recursive reader.
#[test]
fn deep_nesting_is_skipped_not_followed() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = format!("{}0{}", r#"{"content":"#.repeat(100_000), "}".repeat(100_000));
    for value in [&deep, &deep_objects] {
        let call =
            parse(&format!(r#"{{"model":"a","x":{value},"extra_body":{{"y":{value}}},"messages":{value}}}"#));
        call.messages();
        assert!(!call.has_images());
        let messages = format!(r#"[{{"role":"user","content":{value}}},{{"role":"user","content":"ok"}}]"#);
        let call = parse(&format!(r#"{{"model":"a","tools":{value},"messages":{messages}}}"#));
        assert_eq!(call.messages()[1]["content"], "ok");
        assert_eq!(call.messages()[0]["role"], "user");
    }
}
