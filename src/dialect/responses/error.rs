//! Errors: a body's, a stream's, and that of a response which failed.

use serde_json::{Value, json};

use super::answer::text;
use crate::dialect::answer::Failure;
use crate::error::Error;

/// Reads the body of an error.
pub(super) fn decode(status: u16, body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let failure = of_object(body.get("error").filter(|error| !error.is_null()).unwrap_or(&body));
    Failure { status, ..failure.unwrap_or_else(|| Failure { message: unsaid(status), ..Failure::default() }) }
}

/// What a response says of its failure; `None` where it did not fail.
pub(super) fn of_response(response: &Value) -> Option<Failure> {
    let error = response.get("error").filter(|error| !error.is_null());
    if error.is_none() && text(response, "status") != Some("failed") {
        return None;
    }
    Some(with_status(error.and_then(of_object).unwrap_or_default()))
}

/// A failure of which nothing is said.
pub(super) fn unexplained() -> Failure {
    with_status(Failure::default())
}

/// What an `error` event says: in the event itself, or, as some send it, in its `error`.
pub(super) fn of_event(event: &Value) -> Failure {
    let nested = event.get("error").filter(|error| error.is_object());
    let mut failure = of_object(nested.unwrap_or(event)).unwrap_or_default();
    if nested.is_none() {
        // Its `type` is the event's.
        failure.kind = None;
    }
    with_status(failure)
}

/// Message, kind, code and field of an error, wherever they stand.
fn of_object(error: &Value) -> Option<Failure> {
    if let Some(message) = error.as_str() {
        return Some(Failure { message: message.to_owned(), ..Failure::default() });
    }
    let message = text(error, "message").or_else(|| text(error, "detail"))?;
    let word = |name: &str| match error.get(name)? {
        Value::String(word) => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Some(Failure {
        status: 0,
        kind: word("type"),
        code: word("code"),
        param: word("param"),
        message: message.to_owned(),
    })
}

/// The status that an error inside a 200 stands for.
fn with_status(failure: Failure) -> Failure {
    let word = failure.code.as_deref().or(failure.kind.as_deref()).unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|part| word.contains(part));
    let status = match word.parse() {
        Ok(status @ 400..=599) => status,
        _ if has(&["rate_limit", "quota"]) => 429,
        _ if has(&["authentication"]) => 401,
        _ if has(&["permission"]) => 403,
        _ if has(&["not_found"]) && !has(&["image"]) => 404,
        _ if has(&["overload", "slow_down"]) => 503,
        _ if has(&["timeout"]) => 504,
        _ if has(&["invalid", "context_length", "image", "policy", "bad_request"]) => 400,
        _ => 500,
    };
    let message = if failure.message.is_empty() { unsaid(status) } else { failure.message };
    Failure { status, message, ..failure }
}

fn unsaid(status: u16) -> String {
    format!("The upstream failed with status {status} and did not say why.")
}

/// Writes the body of an error.
pub(super) fn encode(failure: &Failure) -> String {
    json!({"error": {
        "message": failure.message,
        "type": kind(failure),
        "param": failure.param,
        "code": code(failure),
    }})
    .to_string()
}

/// An error as an event; `sequence_number` is the encoder's.
pub(super) fn event(failure: &Failure) -> Value {
    json!({"type": "error", "code": code(failure), "message": failure.message, "param": failure.param})
}

/// An error as a failed response has it: it must have a code.
pub(super) fn in_response(failure: &Failure) -> Value {
    let by_status = match failure.status {
        429 => "rate_limit_exceeded",
        400..=499 => "invalid_prompt",
        _ => "server_error",
    };
    json!({"code": failure.code.as_deref().unwrap_or(by_status), "message": failure.message})
}

/// OpenAI's kind: another provider's becomes the one that its status stands for.
fn kind(failure: &Failure) -> &str {
    if let Some(kind) = failure.kind.as_deref().filter(|kind| is_known(kind)) {
        return kind;
    }
    match failure.status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// The code, else another provider's kind, which tells more than ours.
fn code(failure: &Failure) -> Option<&str> {
    failure.code.as_deref().or_else(|| failure.kind.as_deref().filter(|kind| !is_known(kind)))
}

fn is_known(kind: &str) -> bool {
    matches!(
        kind,
        "invalid_request_error"
            | "authentication_error"
            | "permission_error"
            | "rate_limit_error"
            | "server_error"
            | "insufficient_quota"
            | "tokens"
            | "requests"
    )
}

/// An error of ours as an event: the members of a body's `error` beside its own. Its number is not known here, where the
/// bytes before it are an upstream's own.
pub(super) fn refusal_event(error: &Error) -> Value {
    json!({
        "type": "error",
        "code": error.kind.code(),
        "message": error.message,
        "param": error.param,
        "sequence_number": 0,
    })
}
