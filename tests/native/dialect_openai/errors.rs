use serde_json::{Value, json};
use turnout::dialect::answer::Failure;
use turnout::dialect::openai::{decode_error, encode_error};

/// Status, kind, code, param, message.
type Told<'t> = (u16, Option<&'t str>, Option<&'t str>, Option<&'t str>, &'t str);

fn check(status: u16, body: &str, told: Told<'_>) {
    let failure = decode_error(status, body.as_bytes());
    let Failure { status, kind, code, param, message } = &failure;
    assert_eq!(
        (*status, kind.as_deref(), code.as_deref(), param.as_deref(), message.as_str()),
        told,
        "{body}"
    );
}

#[test]
fn every_shape_of_an_error_is_read() {
    check(
        400,
        r#"{"error":{"message":"no","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
        (400, Some("invalid_request_error"), Some("unsupported_parameter"), Some("max_tokens"), "no"),
    );
    check(503, r#"{"error":"busy"}"#, (503, None, None, None, "busy"));
    check(
        422,
        r#"{"object":"error","message":"bad","type":"invalid_request_error","param":null,"code":"1500"}"#,
        (422, Some("invalid_request_error"), Some("1500"), None, "bad"),
    );
    check(
        422,
        r#"{"detail":[{"loc":["body","seed"],"msg":"extra fields"},{"loc":["body",0],"msg":"no"}]}"#,
        (422, None, None, None, "body.seed: extra fields; body.0: no"),
    );
    check(404, r#"{"detail":"Not Found"}"#, (404, None, None, None, "Not Found"));
    check(
        429,
        r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]"#,
        (429, Some("RESOURCE_EXHAUSTED"), None, None, "quota"),
    );
    check(502, "<html>bad gateway</html>", (502, None, None, None, "<html>bad gateway</html>"));
    check(500, "", (500, None, None, None, "The provider gave no reason."));
}

#[test]
fn an_error_inside_a_200_tells_its_own_status() {
    check(200, r#"{"error":{"code":429,"message":"slow"}}"#, (429, None, None, None, "slow"));
    check(
        200,
        r#"{"error":{"type":"overloaded_error","message":"x"}}"#,
        (503, Some("overloaded_error"), None, None, "x"),
    );
    check(
        200,
        r#"{"error":{"type":"server_error","code":"boom","message":"x"}}"#,
        (500, Some("server_error"), Some("boom"), None, "x"),
    );
}

#[test]
fn an_error_is_written_in_words_that_callers_know() {
    let written = |status, kind: &str, code: Option<&str>| -> Value {
        let failure = Failure {
            status,
            kind: Some(kind.to_owned()),
            code: code.map(str::to_owned),
            param: Some("tools".to_owned()),
            message: "why".to_owned(),
        };
        serde_json::from_str(&encode_error(&failure)).expect("JSON")
    };
    let expected = |kind: &str, code: Value| json!({"error": {"message": "why", "type": kind, "param": "tools", "code": code}});
    assert_eq!(
        written(400, "invalid_request_error", Some("c")),
        expected("invalid_request_error", json!("c"))
    );
    assert_eq!(written(400, "invalid_request_error", None), expected("invalid_request_error", Value::Null));
    assert_eq!(written(529, "overloaded_error", None), expected("server_error", json!("overloaded_error")));
    assert_eq!(
        written(429, "RESOURCE_EXHAUSTED", None),
        expected("rate_limit_error", json!("RESOURCE_EXHAUSTED"))
    );
}
