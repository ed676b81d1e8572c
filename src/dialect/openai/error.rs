//! Errors: the many shapes in which those who speak this dialect tell them, and the one in which callers are told.

use serde_json::{Map, Value, json};

use crate::dialect::answer::Failure;
use crate::error::Error;

/// Reads the body of an error, or an error in a stream (`status` is then 200, and what the error itself says counts).
pub(super) fn decode(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice(body) {
        Ok(value) => read(status, &value),
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            Failure {
                status: status_of(status, None, None),
                message: sentence(text.trim()),
                ..Failure::default()
            }
        }
    }
}

/// Reads an error's JSON.
pub(super) fn read(status: u16, value: &Value) -> Failure {
    // Google's compatible API gives a list of one.
    let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
    let empty = Map::new();
    let outer = value.as_object().unwrap_or(&empty);
    let error = outer.get("error").unwrap_or(&Value::Null);
    let inner = error.as_object();
    let word = |name: &str| {
        let found = inner.and_then(|inner| inner.get(name)).or_else(|| outer.get(name));
        found.and_then(text)
    };
    // `status` is Google's; a `type` of `error` only says that it is one.
    let kind = word("type").filter(|kind| kind != "error").or_else(|| word("status"));
    let code = word("code");
    let message = error
        .as_str()
        .map(str::to_owned)
        .or_else(|| word("message"))
        .or_else(|| outer.get("detail").and_then(detail));
    let number = code.as_deref().and_then(|code| code.parse().ok());
    let status = status_of(status, number, kind.as_deref());
    Failure {
        status,
        kind,
        // A code that is but the status tells nothing finer.
        code: code.filter(|_| number != Some(status)),
        param: word("param"),
        message: message.unwrap_or_else(|| sentence("")),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// FastAPI's `detail`: a sentence, or a list of places and what is wrong there.
fn detail(detail: &Value) -> Option<String> {
    match detail {
        Value::String(text) => Some(text.clone()),
        Value::Array(faults) => {
            let faults = faults.iter().filter_map(|fault| {
                let place = fault.get("loc").and_then(Value::as_array).into_iter().flatten().filter_map(text);
                let place: Vec<String> = place.collect();
                Some(format!("{}: {}", place.join("."), fault.get("msg")?.as_str()?))
            });
            Some(faults.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
        }
        _ => None,
    }
}

fn sentence(text: &str) -> String {
    if text.is_empty() { "The provider gave no reason.".to_owned() } else { text.to_owned() }
}

/// The status that came, or, inside a 200, what the error stands for.
fn status_of(status: u16, code: Option<u16>, kind: Option<&str>) -> u16 {
    if status >= 400 {
        return status;
    }
    if let Some(code) = code.filter(|code| (400..600).contains(code)) {
        return code;
    }
    match kind.unwrap_or_default() {
        "invalid_request_error" | "INVALID_ARGUMENT" | "BadRequestError" => 400,
        "authentication_error" | "UNAUTHENTICATED" => 401,
        "permission_error" | "PERMISSION_DENIED" => 403,
        "not_found_error" | "NOT_FOUND" => 404,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "insufficient_quota"
        | "tokens"
        | "requests"
        | "RESOURCE_EXHAUSTED" => 429,
        "overloaded_error" | "service_unavailable" | "UNAVAILABLE" => 503,
        "timeout_error" | "DEADLINE_EXCEEDED" => 504,
        _ => 500,
    }
}

/// Kinds that callers of this dialect know.
const KNOWN: [&str; 10] = [
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "insufficient_quota",
    "tokens",
    "requests",
    "server_error",
    "api_error",
];

/// Writes the body of an error. A kind that only another dialect knows becomes the code, for programs switch on that.
pub(super) fn encode(failure: &Failure) -> String {
    let known = failure.kind.as_deref().filter(|kind| KNOWN.contains(kind));
    let kind = known.unwrap_or(match failure.status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    });
    let other = failure.kind.as_deref().filter(|_| known.is_none());
    json!({"error": {
        "message": failure.message,
        "type": kind,
        "param": failure.param,
        "code": failure.code.as_deref().or(other),
    }})
    .to_string()
}

/// The body of an error of ours: `{"error": {message, type, param, code}}`, and `details` where faults are listed.
pub(super) fn refusal(refused: &Error) -> String {
    let mut error = json!({
        "message": refused.message,
        "type": refused.kind.openai_type(),
        "param": refused.param,
        "code": refused.kind.code(),
    });
    if !refused.faults.is_empty()
        && let Some(members) = error.as_object_mut()
    {
        let details = refused.faults.iter();
        let details = details.map(|fault| json!({"path": fault.path, "message": fault.message}));
        members.insert("details".to_owned(), details.collect());
    }
    // serde_json escapes line ends, so that it is one line, and fit for an event.
    json!({"error": error}).to_string()
}
