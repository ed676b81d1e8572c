//! The whole document.

use serde_json::{Map, Value, json};

use super::parts;
use super::schemas::Schemas;
use super::{calls, operations};
use crate::api::TABLE;

const ABOUT: &str = "A/B tests of language models on live traffic, as a worker on your own Cloudflare account: an app names a \
    *router* as its `model`, and a document says which user gets which model.\n\n\
    Names of fields may be written in snake or camel case. Errors of the control API and of OpenAI's dialects have the shape \
    `{\"error\": {message, type, param, code}}`; programs switch on `code`. Changes go to a Durable Object and from there to \
    Workers KV, which takes up to a minute to reach the world: each call says by `x-turnout-revision` what it was routed by.";

const TAGS: &[(&str, &str)] = &[
    ("Calls", "Model calls, in the dialect that the app's SDK speaks."),
    ("Models", "What may be called."),
    ("Routers", "Who gets which model: documents with revisions."),
    ("Gateway", "Downstreams, and rules that pick them."),
    ("Keys", "Client keys."),
    ("Meta", "About the worker itself."),
];

/// The description of all that the worker answers to.
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    calls::add(&mut paths, &mut schemas);
    operations::add(&mut paths, &mut schemas, TABLE);
    let tags: Vec<_> =
        TAGS.iter().map(|(name, description)| json!({"name": name, "description": description})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Turnout",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "security": parts::security(),
        "paths": paths,
        "components": {
            "responses": schemas.responses(),
            "schemas": schemas.finish(),
            "headers": parts::headers(),
            "securitySchemes": parts::security_schemes(),
        },
    })
}
