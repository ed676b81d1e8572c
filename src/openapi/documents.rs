//! Routers and the gateway, as they are sent and as they are answered.

use serde_json::{Value, json};

use super::schemas::{Schemas, reference};
use crate::control::history::Author;
use crate::control::routers::Serving;
use crate::document::Object;
use crate::fault::Fault;
use crate::gateway;

/// A router as it is written.
pub(super) fn router(schemas: &mut Schemas) -> Value {
    schemas.object(&crate::router::DOCUMENT)
}

/// A router as it stands: its document, and what the server knows.
pub(super) fn standing_router(schemas: &mut Schemas) -> Value {
    schemas.answer::<Fault>();
    let author = schemas.answer::<Author>();
    let serving = schemas.answer::<Serving>();
    let state = json!({
        "type": "object",
        "required": ["name", "etag", "revision", "create_time", "update_time", "updated_by", "warnings", "kv"],
        "properties": {
            "name": {"type": "string", "description": "`routers/` and its name."},
            "etag": {"type": "string", "description": "Stands for this state: send it with a change."},
            "revision": {"type": ["integer", "null"], "description": "The revision that is shown; null where none validates."},
            "create_time": time("When it was made."),
            "update_time": time("When it was changed last."),
            "updated_by": author,
            "warnings": faults(),
            "fault": unserved_fault(),
            "kv": kv(),
            "serving": serving,
        },
    });
    schemas.named("RouterState", state);
    let document = router(schemas);
    schemas.named("StandingRouter", json!({"allOf": [document, reference("RouterState")]}))
}

fn faults() -> Value {
    json!({"type": "array", "items": reference("Fault")})
}

fn unserved_fault() -> Value {
    json!({
        "type": "object",
        "description": "Why its newest revision is not served, where it is not.",
        "required": ["revision", "message", "faults"],
        "properties": {"revision": {"type": "integer"}, "message": {"type": "string"}, "faults": faults()},
    })
}

fn kv() -> Value {
    json!({"enum": ["written", "pending"], "description": "Whether KV, where calls look for it, has this revision."})
}

fn time(meaning: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": meaning})
}

/// A page of routers.
pub(super) fn routers(schemas: &mut Schemas) -> Value {
    let router = standing_router(schemas);
    let page = json!({
        "type": "object",
        "required": ["routers"],
        "properties": {
            "routers": {"type": "array", "items": router},
            "next_page_token": {"type": "string", "description": "Send it as `page_token` to get the next page; absent on the last."},
            "note": {"type": "string", "description": "What is missing, where KV could not be listed."},
        },
    });
    schemas.named("Routers", page)
}

/// A router as it was.
pub(super) fn past_router(schemas: &mut Schemas) -> Value {
    let document = router(schemas);
    let author = schemas.answer::<Author>();
    let past = json!({
        "type": "object",
        "required": ["name", "revision", "update_time", "updated_by"],
        "properties": {
            "name": {"type": "string"},
            "revision": {"type": "integer"},
            "update_time": time("When this revision was made."),
            "updated_by": author,
        },
    });
    schemas.named("PastRouter", json!({"allOf": [document, past]}))
}

/// What making a router is answered with.
pub(super) fn operation(schemas: &mut Schemas) -> Value {
    let router = standing_router(schemas);
    let operation = json!({
        "type": "object",
        "required": ["name", "metadata", "done", "response"],
        "properties": {
            "name": {"type": "string", "description": "Of no use: the operation is done."},
            "metadata": {"type": "object"},
            "done": {"const": true},
            "response": router,
        },
    });
    schemas.named("RouterOperation", operation)
}

/// What answers on the gateway have beside the document; all of it is missing while nothing was ever put there.
fn gateway_state(schemas: &mut Schemas) -> Value {
    schemas.answer::<Fault>();
    let author = schemas.answer::<Author>();
    let state = json!({
        "type": "object",
        "properties": {
            "etag": {"type": "string", "description": "Stands for this state: send it with a change."},
            "revision": {"type": ["integer", "null"], "description": "The revision that is shown; null where none validates."},
            "update_time": time("When it was changed last."),
            "updated_by": author,
            "warnings": faults(),
            "fault": unserved_fault(),
            "kv": kv(),
        },
    });
    schemas.named("GatewayState", state)
}

/// The gateway as it stands.
pub(super) fn standing_gateway(schemas: &mut Schemas) -> Value {
    standing(schemas, "StandingGateway", &gateway::DOCUMENT)
}

/// Something of the gateway as it stands.
pub(super) fn standing(schemas: &mut Schemas, name: &str, object: &'static Object) -> Value {
    let (document, state) = (schemas.object(object), gateway_state(schemas));
    schemas.named(name, json!({"allOf": [document, state]}))
}

/// One of the gateway's lists as it stands.
pub(super) fn list(schemas: &mut Schemas, field: &str, object: &'static Object) -> Value {
    let (item, state) = (schemas.object(object), gateway_state(schemas));
    let list = json!({
        "type": "object",
        "required": [field],
        "properties": {field: {"type": "array", "items": item}},
    });
    json!({"allOf": [list, state]})
}
