//! What operations have in common: errors, headers, parameters, ways to send a key.

use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use crate::error::ErrorKind;
use crate::fault::Fault;

/// When an error is answered, in half a sentence.
fn when(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest => {
            "the body is no JSON object, or a field or parameter is missing, repeated or of the wrong type"
        }
        ErrorKind::BodyTooLarge => "the body is larger than the worker reads",
        ErrorKind::InvalidKey => "no key was sent, or one that is unknown, expired or revoked",
        ErrorKind::NotConfigured => "the worker has no `ADMIN_KEY`, and no client key fits",
        ErrorKind::MissingScope => "the key lacks the scope",
        ErrorKind::ModelNotAllowed => "the key may not name this router or model",
        ErrorKind::ModelNotFound => {
            "no router, provider or model has that name; names that are near are given"
        }
        ErrorKind::NoRouteMatched => "no condition holds and there is no default route",
        ErrorKind::NotFound => "there is no such path",
        ErrorKind::MethodNotAllowed(_) => "the path takes other methods, which `allow` names",
        ErrorKind::InvalidRouter => "the router does not validate, and no earlier version of it did",
        ErrorKind::InvalidGateway => "the gateway does not validate, and no earlier version of it did",
        ErrorKind::ConfigUnavailable => "KV could not be read just now",
        ErrorKind::UpstreamCredentials => "a provider's secret is not set, or the provider refused it",
        ErrorKind::UpstreamModel => "no downstream serves the model, or the provider does not have it",
        ErrorKind::UpstreamUnreachable => "no connection, or an answer that is none",
        ErrorKind::UpstreamTimeout => "no answer in the time set for it",
        ErrorKind::InvalidDocument => {
            "what was sent to be saved does not validate: `details` lists everything that is wrong"
        }
        ErrorKind::NoSuchResource => "there is no such thing, or none that this key may see",
        ErrorKind::AlreadyExists => "the name is taken",
        ErrorKind::EtagMismatch => "somebody has changed it since",
        ErrorKind::Conflict => "the state of things forbids it: a ramp runs, or what is to go is in use",
        ErrorKind::RateLimited => "the key's tier allows no more calls for now",
        ErrorKind::ControlUnavailable => "changes cannot be made just now",
    }
}

/// Adds to `responses` those of these errors, those of one status together; `body` is the shape that they have.
pub(super) fn add_errors(responses: &mut Map<String, Value>, kinds: &[ErrorKind], body: &Value) {
    let mut sorted = kinds.to_vec();
    sorted.sort_by_key(|kind| kind.status());
    for kinds in sorted.chunk_by(|first, second| first.status() == second.status()) {
        let Some(first) = kinds.first() else { continue };
        let told: Vec<_> = kinds.iter().map(|kind| format!("`{}`: {}", kind.code(), when(*kind))).collect();
        let mut response = json!({
            "description": format!("{}.", told.join("; ")),
            "content": {"application/json": {"schema": body}},
        });
        let headers = headers_of(*first);
        if let (Some(headers), Some(members)) = (headers, response.as_object_mut()) {
            members.insert("headers".to_owned(), headers);
        }
        responses.insert(first.status().to_string(), response);
    }
}

/// What comes with an error, as `edge::invocation::error_headers` has it.
fn headers_of(kind: ErrorKind) -> Option<Value> {
    match kind.status() {
        401 => Some(json!({"www-authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}})),
        429 => Some(json!({"retry-after": header_reference("retry-after")})),
        _ => None,
    }
}

/// OpenAI's shape, which the control API has too.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "made by hand in `error`; here for its schema")]
struct ErrorBody {
    /// What went wrong.
    error: ErrorDetails,
}

/// What went wrong, whose fault it is, and what to do.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "made by hand in `error`; here for its schema")]
struct ErrorDetails {
    /// A sentence that says what is wrong and what to do.
    message: String,
    /// A class of errors, as OpenAI names them.
    #[schemars(rename = "type")]
    kind: String,
    /// The field or parameter at fault, where there is one.
    param: Option<String>,
    /// Stable: programs switch on it.
    code: String,
    /// Everything that is wrong with a document that was sent; absent for all other errors.
    #[schemars(default)]
    details: Vec<Fault>,
}

/// The shape of an error in OpenAI's dialects and in the control API.
pub(super) fn error_body(schemas: &mut Schemas) -> Value {
    schemas.request::<ErrorBody>()
}

/// The shape of an error in Anthropic's dialect.
pub(super) fn anthropic_error(schemas: &mut Schemas) -> Value {
    let error = json!({
        "type": "object",
        "required": ["type", "message"],
        "properties": {
            "type": {"type": "string"},
            "message": {"type": "string", "description": "A sentence that says what is wrong and what to do."},
            "code": {"type": "string", "description": "Stable: programs switch on it. Absent where the provider said none."},
            "param": {"type": "string", "description": "The field at fault, where there is one."},
        },
    });
    let properties =
        json!({"type": {"const": "error"}, "error": error, "request_id": {"type": ["string", "null"]}});
    schemas.named(
        "AnthropicError",
        json!({"type": "object", "required": ["type", "error"], "properties": properties}),
    )
}

/// The shape of an error in Gemini's dialect.
pub(super) fn gemini_error(schemas: &mut Schemas) -> Value {
    let error = json!({
        "type": "object",
        "required": ["code", "message", "status"],
        "properties": {
            "code": {"type": "integer", "description": "The HTTP status."},
            "message": {"type": "string", "description": "A sentence that says what is wrong and what to do."},
            "status": {"type": "string", "description": "A class of errors, as Google names them."},
            "details": {
                "type": "array",
                "items": {"type": "object"},
                "description": "`reason` of the `ErrorInfo` in it is stable: programs switch on it.",
            },
        },
    });
    schemas.named(
        "GeminiError",
        json!({"type": "object", "required": ["error"], "properties": {"error": error}}),
    )
}

/// Headers by name, each with what it says.
const HEADERS: &[(&str, &str)] = &[
    (
        "x-turnout-request-id",
        "The signed id of the call; carries time, unit hash, and a reference to route and variant.",
    ),
    ("x-turnout-router", "The router that was named; absent on a call to a model directly."),
    (
        "x-turnout-revision",
        "Which version of the document: a revision's number, or `h-` and 8 hex digits of a hand edit.",
    ),
    ("x-turnout-route", "The route that was taken."),
    ("x-turnout-variant", "The variant that was assigned."),
    ("x-turnout-served", "`provider/model` that answered."),
    (
        "x-turnout-attempts",
        "`provider/model:status:milliseconds` of each attempt, with commas, as known when the answer began.",
    ),
    ("x-turnout-unit", "Who was assigned: `user`, `session` or `call`."),
    (
        "x-turnout-note",
        "What is odd, and harmless: a condition that erred, a document not as in KV, a field that was left out.",
    ),
    ("etag", "Stands for this state of the document: send it as `if-match` with a change."),
    ("retry-after", "Seconds after which it makes sense to try again."),
];

/// Those on the answer of every model call that was decided.
pub(super) const CALL_HEADERS: &[&str] = &[
    "x-turnout-request-id",
    "x-turnout-router",
    "x-turnout-revision",
    "x-turnout-route",
    "x-turnout-variant",
    "x-turnout-served",
    "x-turnout-attempts",
    "x-turnout-unit",
    "x-turnout-note",
];

/// All headers, for the components.
pub(super) fn headers() -> Value {
    let headers = HEADERS.iter().map(|(name, meaning)| {
        ((*name).to_owned(), json!({"description": meaning, "schema": {"type": "string"}}))
    });
    Value::Object(headers.collect())
}

/// References to headers, by name.
pub(super) fn header_references(names: &[&str]) -> Value {
    Value::Object(names.iter().map(|name| ((*name).to_owned(), header_reference(name))).collect())
}

fn header_reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// A parameter of a path.
pub(super) fn in_path(name: &str, schema: Value, meaning: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": meaning, "schema": schema})
}

/// A parameter of a query, which may be left out.
pub(super) fn in_query(name: &str, schema: Value, meaning: &str) -> Value {
    json!({"name": name, "in": "query", "description": meaning, "schema": schema})
}

/// A header of a request, which may be left out.
pub(super) fn in_header(name: &str, schema: Value, meaning: &str) -> Value {
    json!({"name": name, "in": "header", "description": meaning, "schema": schema})
}

/// The ways to send a key; any of them will do.
pub(super) fn security_schemes() -> Value {
    json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "`ADMIN_KEY`, or a client key."},
        "basic": {"type": "http", "scheme": "basic", "description": "The key as user name, without a password; the key as it is, without base64, will do too."},
        "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "As Anthropic's clients send it."},
        "googApiKey": {"type": "apiKey", "in": "header", "name": "x-goog-api-key", "description": "As Google's clients send it."},
    })
}

/// That any of them will do.
pub(super) fn security() -> Value {
    json!([{"bearer": []}, {"basic": []}, {"apiKey": []}, {"googApiKey": []}])
}

/// The name of a router, in a path.
pub(super) fn router_name() -> Value {
    in_path("name", json!({"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}), "The router's name.")
}
