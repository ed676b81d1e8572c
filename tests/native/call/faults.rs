//! What is refused, naming the field and what to do.

use turnout::call::Call;
use turnout::dialect::Dialect;
use turnout::endpoint::Ask;
use turnout::error::ErrorKind;

/// A body, the field that the error names, and parts of its message.
fn check(body: &[u8], param: Option<&str>, parts: &[&str]) {
    check_as(&Ask::of(Dialect::OpenAi), body, param, parts);
}

fn check_as(ask: &Ask, body: &[u8], param: Option<&str>, parts: &[&str]) {
    let shown = String::from_utf8_lossy(body.get(..200).unwrap_or(body));
    let error = Call::parse(ask, body.to_vec()).expect_err(&shown);
    assert_eq!(
        (error.kind, error.param.as_deref()),
        (ErrorKind::InvalidRequest, param),
        "{shown}: {}",
        error.message
    );
    for part in parts {
        assert!(error.message.contains(part), "{shown}: {} lacks {part}", error.message);
    }
}

#[test]
fn bodies_that_are_no_json_object() {
    let cases: [(&[u8], &str); 16] = [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"{\"model\":\"a\xff\"}", "not UTF-8: the first fault is after 11 bytes"),
        (b"\xff\xfe{\0}\0", "not UTF-8"),
        (b"model=a", "not valid JSON: expected value at line 1 column 1"),
        (b"{\"model\":\"a\"", "EOF while parsing an object at line 1 column 12"),
        (b"{\"model\":\"a\",}", "trailing comma at line 1 column 14"),
        (b"{\"model\":\"a\"}x", "trailing characters at line 1 column 14"),
        (b"{\"model\":\"a\"}{}", "trailing characters"),
        (b"{\"model\":\"a\",\n\"x\":[1,,2]}", "line 2 column 8"),
        (b"{\"model\":\"a\",\"x\":\"\n\"}", "control character"),
        (b"{\"model\":\"a\",\"x\":01}", "invalid number"),
        (b"{model:\"a\"}", "key must be a string"),
        (b"[{\"model\":\"a\"}]", "must be a JSON object"),
        (b"\"secret\"", "must be a JSON object"),
        (b"null", "must be a JSON object"),
    ];
    for (body, part) in cases {
        check(body, None, &[part]);
    }
    let error = Call::parse(&Ask::of(Dialect::OpenAi), b"\"secret\"".to_vec()).unwrap_err();
    assert!(!error.message.contains("secret"), "no error repeats what was sent: {}", error.message);
}

#[test]
fn fields_of_the_wrong_type() {
    for (body, param, part) in [
        (r#"{}"#, "model", "`model` is missing"),
        (r#"{"model":null}"#, "model", "`model` is missing or empty: name a router"),
        (r#"{"model":""}"#, "model", "missing or empty"),
        (r#"{"model":7}"#, "model", "`model` must be a string, and is a number"),
        (r#"{"model":["a"]}"#, "model", "must be a string, and is a list"),
        (r#"{"model":"\ud800"}"#, "model", "surrogate"),
        (r#"{"model":"a","stream":1}"#, "stream", "`stream` must be true or false, and is a number"),
        (r#"{"model":"a","stream":"true"}"#, "stream", "is a string"),
        (r#"{"model":"a","user":7}"#, "user", "`user` must be a string"),
        (r#"{"model":"a","user":{"id":1}}"#, "user", "is an object"),
        (r#"{"model":"a","user":"x\udc00"}"#, "user", "surrogate"),
        (r#"{"model":"a","safety_identifier":false}"#, "safety_identifier", "is true or false"),
        (r#"{"model":"a","metadata":[]}"#, "metadata", "`metadata` must be an object, and is a list"),
        (r#"{"model":"a","metadata":"x"}"#, "metadata", "must be an object"),
        (r#"{"model":"a","stream_options":true}"#, "stream_options", "must be an object"),
        (
            r#"{"model":"a","stream_options":{"include_usage":1}}"#,
            "stream_options.include_usage",
            "true or false",
        ),
        (r#"{"model":"a","extra_body":[]}"#, "extra_body", "`extra_body` must be an object"),
        (r#"{"model":"a","extra_body":{"user":1}}"#, "extra_body.user", "`extra_body.user` must be a string"),
        (r#"{"model":"a","extra_body":{"metadata":1}}"#, "extra_body.metadata", "must be an object"),
    ] {
        check(body.as_bytes(), Some(param), &[part]);
    }
}

#[test]
fn what_is_read_may_stand_once() {
    for name in [
        "model",
        "stream",
        "stream_options",
        "user",
        "safety_identifier",
        "metadata",
        "store",
        "max_tokens",
        "max_completion_tokens",
        "tools",
        "functions",
        "messages",
        "extra_body",
        "models",
        "fallback",
        "ignore",
        "sort",
        "provider",
        "prompt_variables",
    ] {
        let body = format!(r#"{{"model":"a","{name}":null,"x":1,"{name}":null}}"#);
        check(body.as_bytes(), Some(name), &[&format!("`{name}` is given more than once")]);
    }
    check(br#"{"model":"a","\u006dodel":"b"}"#, Some("model"), &["more than once"]);
    check(
        br#"{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}"#,
        Some("stream_options.include_usage"),
        &["more than once"],
    );
    check(br#"{"model":"a","extra_body":{"y":1,"\u0079":2}}"#, Some("extra_body.y"), &["more than once"]);
    let long = "y".repeat(100_000);
    let named = format!("extra_body.{}", "y".repeat(64));
    let body = format!(r#"{{"model":"a","extra_body":{{"{long}":1,"{long}":2}}}}"#);
    check(body.as_bytes(), Some(&named), &["more than once"]);
}

#[test]
fn metadata_is_bounded() {
    let with = |metadata: &str| format!(r#"{{"model":"a","metadata":{metadata}}}"#).into_bytes();
    let keys = |count: usize| {
        let members: Vec<_> = (0..count).map(|key| format!(r#""k{key}":1"#)).collect();
        format!("{{{}}}", members.join(","))
    };
    let levels = |count: usize| format!("{}0{}", r#"{"a":"#.repeat(count), "}".repeat(count));
    let bytes = |count: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(count - 8));

    for fits in [keys(64), levels(8), bytes(16 * 1024)] {
        Call::parse(&Ask::of(Dialect::OpenAi), with(&fits)).unwrap();
    }
    let limits = "at most 64 keys, 16384 bytes of JSON and 8 levels";
    for (metadata, part) in [
        (keys(65), "it has 65 keys"),
        (levels(9), "nested more deeply"),
        (levels(2_000), "recursion limit exceeded"),
        (bytes(16 * 1024 + 1), "it takes 16385 bytes"),
        (levels(100_000), "bytes"),
        (r#"{"a":1e999}"#.to_owned(), "number out of range"),
        (r#"{"a":"\ud800"}"#.to_owned(), "cannot be read"),
    ] {
        check(&with(&metadata), Some("metadata"), &[limits, part]);
    }
    let merged =
        format!(r#"{{"model":"a","metadata":{},"extra_body":{{"metadata":{{"other":1}}}}}}"#, keys(64));
    check(merged.as_bytes(), Some("metadata"), &["65 keys"]);
}

#[test]
fn members_are_bounded() {
    let many = r#""":0,"#.repeat(20_000);
    check(format!(r#"{{{many}"model":"a"}}"#).as_bytes(), None, &["at most 16384 fields"]);
    check(
        format!(r#"{{"model":"a","extra_body":{{{many}"x":1}}}}"#).as_bytes(),
        Some("extra_body"),
        &["at most 16384"],
    );
    let messages = "{},".repeat(20_000);
    let call = Call::parse(
        &Ask::of(Dialect::OpenAi),
        format!(r#"{{"model":"a","messages":[{messages}{{}}]}}"#).into_bytes(),
    )
    .unwrap();
    assert_eq!(call.messages(), serde_json::json!([]), "so many messages are not looked at");
}

#[test]
fn each_dialect_names_its_own_fields() {
    use Dialect::{Anthropic, Gemini, Responses};
    for (dialect, body, param, part) in [
        (Anthropic, "", None, "empty: send a Messages request, such as {\"model\""),
        (Responses, "[]", None, "must be a JSON object: a Responses request"),
        (Gemini, "7", None, "such as {\"contents\": […]}"),
        (Anthropic, r#"{"messages":[]}"#, Some("model"), "`model` is missing"),
        (Responses, r#"{"prompt":{"id":"p"}}"#, Some("model"), "`model` is missing"),
        (Anthropic, r#"{"model":"a","stream":1}"#, Some("stream"), "true or false"),
        (Anthropic, r#"{"model":"a","metadata":[]}"#, Some("metadata"), "must be an object, and is a list"),
        (
            Anthropic,
            r#"{"model":"a","metadata":{"user_id":7}}"#,
            Some("metadata.user_id"),
            "must be a string",
        ),
        (
            Anthropic,
            r#"{"model":"a","metadata":{"user_id":"\ud800"}}"#,
            Some("metadata.user_id"),
            "surrogate",
        ),
        (
            Anthropic,
            r#"{"model":"a","metadata":{"user_id":"a","user_id":"b"}}"#,
            Some("metadata.user_id"),
            "more than once",
        ),
        (Anthropic, r#"{"model":"a","system":"a","system":"b"}"#, Some("system"), "more than once"),
        (Responses, r#"{"model":"a","input":"a","input":[]}"#, Some("input"), "more than once"),
        (
            Responses,
            r#"{"model":"a","instructions":"","instructions":""}"#,
            Some("instructions"),
            "more than once",
        ),
        (
            Responses,
            r#"{"model":"a","max_output_tokens":1,"max_output_tokens":2}"#,
            Some("max_output_tokens"),
            "once",
        ),
        (Gemini, r#"{"contents":[],"contents":[]}"#, Some("contents"), "more than once"),
        (
            Gemini,
            r#"{"systemInstruction":{},"system_instruction":{}}"#,
            Some("systemInstruction"),
            "more than once",
        ),
        (Gemini, r#"{"user":7}"#, Some("user"), "must be a string"),
        (Gemini, r#"{"extra_body":{"metadata":7}}"#, Some("extra_body.metadata"), "must be an object"),
    ] {
        let ask = Ask { model: (dialect == Gemini).then(|| "a".to_owned()), ..Ask::of(dialect) };
        check_as(&ask, body.as_bytes(), param, &[part]);
    }
    let long = Ask { model: Some("x".repeat(257)), ..Ask::of(Gemini) };
    check_as(&long, b"{}", Some("model"), &["257 bytes"]);
}
