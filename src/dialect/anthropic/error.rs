//! Errors: `{type: error, error: {type, message}}`. Ours have a `code` besides, for programs to switch on.

use serde_json::{Map, Value, json};

use crate::dialect::answer::Failure;

/// Anthropic's kinds, and the status that each comes with. Of two for a status the first is written.
const KINDS: [(&str, u16); 10] = [
    ("invalid_request_error", 400),
    ("authentication_error", 401),
    ("billing_error", 402),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("request_too_large", 413),
    ("rate_limit_error", 429),
    ("api_error", 500),
    ("timeout_error", 504),
    ("overloaded_error", 529),
];

/// The longest text that stands in for the message of a body that is no JSON, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// Reads the body of an error.
pub fn decode_error(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice::<Value>(body) {
        Ok(body) => failure(status, &body),
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            Failure {
                status,
                message: text.trim().chars().take(MAX_MESSAGE_CHARS).collect(),
                ..Failure::default()
            }
        }
    }
}

/// What an error's object says. Inside a 200 its kind tells the status.
pub(super) fn failure(status: u16, body: &Value) -> Failure {
    let error = body.get("error").unwrap_or(body);
    let member = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = member("type");
    let status = if status >= 400 {
        status
    } else {
        let named = KINDS.iter().find(|(name, _)| Some(*name) == kind.as_deref());
        named.map_or(500, |(_, status)| *status)
    };
    let detail = error.get("details").and_then(|details| details.get("error_code")?.as_str());
    let message = member("message").or_else(|| error.as_str().map(str::to_owned));
    Failure {
        status,
        kind,
        code: member("code").or_else(|| detail.map(str::to_owned)),
        param: member("param"),
        message: message.unwrap_or_default(),
    }
}

/// Writes the body of an error.
pub fn encode_error(failure: &Failure) -> String {
    object(failure).to_string()
}

/// An error's object, as a body and as an event. The request's id is in a header.
pub(super) fn object(failure: &Failure) -> Value {
    let mut error = Map::new();
    error.insert("type".into(), kind_of(failure.status).into());
    error.insert("message".into(), failure.message.clone().into());
    if let Some(code) = &failure.code {
        error.insert("code".into(), code.clone().into());
    }
    if let Some(param) = &failure.param {
        error.insert("param".into(), param.clone().into());
    }
    json!({"type": "error", "error": error, "request_id": null})
}

/// The kind that comes with a status. 503 is what others say when they are overloaded.
fn kind_of(status: u16) -> &'static str {
    let same = KINDS.iter().find(|(_, of)| *of == status).map(|(name, _)| *name);
    same.unwrap_or(match status {
        408 => "timeout_error",
        503 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    })
}
