//! Errors: <https://cloud.google.com/apis/design/errors>.

use serde_json::{Value, json};

use crate::dialect::answer::Failure;

/// The longest message that is made of a body which is no error of this dialect.
const MAX_FOREIGN_MESSAGE: usize = 500;

/// Google's names of statuses, and the HTTP status of each; of two with one status the first is written.
const STATUSES: &[(&str, u16)] = &[
    ("INVALID_ARGUMENT", 400),
    ("FAILED_PRECONDITION", 400),
    ("OUT_OF_RANGE", 400),
    ("UNAUTHENTICATED", 401),
    ("PERMISSION_DENIED", 403),
    ("NOT_FOUND", 404),
    ("ABORTED", 409),
    ("ALREADY_EXISTS", 409),
    ("RESOURCE_EXHAUSTED", 429),
    ("CANCELLED", 499),
    ("INTERNAL", 500),
    ("UNKNOWN", 500),
    ("DATA_LOSS", 500),
    ("UNIMPLEMENTED", 501),
    ("UNAVAILABLE", 503),
    ("DEADLINE_EXCEEDED", 504),
];

/// Reads the body of an error; of a stream that is no event stream it is an array of one.
pub fn decode_error(status: u16, body: &[u8]) -> Failure {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let value = value.get(0).unwrap_or(&value);
    match value.get("error") {
        Some(error) if !error.is_null() => of_member(status, error),
        _ => {
            let text = String::from_utf8_lossy(body);
            let message: String = text.trim().chars().take(MAX_FOREIGN_MESSAGE).collect();
            let message =
                if message.is_empty() { format!("The provider answered {status}.") } else { message };
            Failure { status, message, ..Failure::default() }
        }
    }
}

/// Reads the member `error`.
pub(super) fn of_member(status: u16, error: &Value) -> Failure {
    let name = error.get("status").and_then(Value::as_str);
    let said = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let named =
        name.and_then(|name| STATUSES.iter().find(|(known, _)| *known == name)).map(|(_, http)| *http);
    let failed = |status: &u16| (400..600).contains(status);
    let message = error.get("message").and_then(Value::as_str).or(error.as_str());
    Failure {
        status: [Some(status), said, named].into_iter().flatten().find(failed).unwrap_or(500),
        kind: name.map(str::to_owned),
        code: detail(error, "/reason").map(str::to_owned),
        param: detail(error, "/fieldViolations/0/field").map(str::to_owned),
        message: message.unwrap_or("The provider reports an error without a message.").to_owned(),
    }
}

/// Writes the body of an error. Our own stable code is the `reason` of a `google.rpc.ErrorInfo`, the field at fault a
/// violation of a `google.rpc.BadRequest`.
pub fn encode_error(failure: &Failure) -> String {
    json!({"error": member(failure)}).to_string()
}

fn member(failure: &Failure) -> Value {
    let mut details = Vec::new();
    if let Some(code) = &failure.code {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": code,
            "domain": "turnout",
        }));
    }
    if let Some(param) = &failure.param {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": param, "description": failure.message}],
        }));
    }
    // Google's clients take an error in a stream for one only by a code from 400 to 599.
    let code = if (400..600).contains(&failure.status) { failure.status } else { 500 };
    let mut error = json!({
        "code": code,
        "message": failure.message,
        "status": status_name(code, failure.kind.as_deref()),
    });
    if !details.is_empty()
        && let Some(error) = error.as_object_mut()
    {
        error.insert("details".to_owned(), Value::Array(details));
    }
    error
}

fn status_name(status: u16, kind: Option<&str>) -> &str {
    if let Some(kind) = kind.filter(|kind| STATUSES.iter().any(|(name, _)| name == kind)) {
        return kind;
    }
    let exact = STATUSES.iter().find(|(_, http)| *http == status).map(|(name, _)| *name);
    exact.unwrap_or(match status {
        408 => "DEADLINE_EXCEEDED",
        402..500 => "INVALID_ARGUMENT",
        // 502 of a gateway, 529 of an overloaded provider.
        _ => "UNAVAILABLE",
    })
}

/// The text at a pointer into the first of `details` that has it.
fn detail<'e>(error: &'e Value, pointer: &str) -> Option<&'e str> {
    let details = error.get("details")?.as_array()?;
    details.iter().find_map(|detail| detail.pointer(pointer)?.as_str())
}
