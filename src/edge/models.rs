//! `GET /v1/models`: the routers that the caller may name, and the models that downstreams list.

use serde_json::{Value, json};
use worker::web_sys::Response;

use super::call::{authenticated, models};
use super::config;
use super::invocation::Invocation;
use crate::auth::Caller;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::nearest::{did_you_mean, nearest, shortened};
use crate::router::{is_name, named_by};

/// The whole list, in the shape that clients of a dialect read.
pub(super) async fn list(invocation: &Invocation, dialect: Dialect) -> Result<Response, Error> {
    let caller = authenticated(invocation).await?;
    let ids = ids(invocation, &caller).await?;
    let models: Vec<Value> = ids.iter().map(|id| model(id, dialect)).collect();
    let list = match dialect {
        Dialect::OpenAi | Dialect::Responses => json!({"object": "list", "data": models}),
        Dialect::Anthropic => {
            json!({"data": models, "has_more": false, "first_id": ids.first(), "last_id": ids.last()})
        }
        Dialect::Gemini => json!({"models": models}),
    };
    Ok(invocation.json(200, &list.to_string()))
}

/// One of them. A router is looked up by its name, for the list has an end.
pub(super) async fn get(invocation: &Invocation, dialect: Dialect, id: &str) -> Result<Response, Error> {
    let caller = authenticated(invocation).await?;
    let name = named_by(id).unwrap_or(id);
    if is_name(name) && caller.may_name(name) && config::router(invocation, name).await?.is_some() {
        return Ok(invocation.json(200, &model(&format!("turnout/{name}"), dialect).to_string()));
    }
    let (gateway, _) = config::gateway(invocation).await?;
    if models(invocation, &caller, &gateway).iter().any(|known| known == id)
        || gateway.by_listed_model(id).is_some()
    {
        caller.check_model(id)?;
        return Ok(invocation.json(200, &model(id, dialect).to_string()));
    }
    let ids = ids(invocation, &caller).await?;
    let nearest = did_you_mean(&nearest(id, ids.iter().map(String::as_str)));
    let message = format!("There is no model or router '{}'.{nearest}", shortened(id));
    Err(Error { param: Some("model".to_owned()), ..Error::new(ErrorKind::ModelNotFound, message) })
}

async fn ids(invocation: &Invocation, caller: &Caller) -> Result<Vec<String>, Error> {
    let names = config::fresh_names(invocation).await?;
    let (gateway, _) = config::gateway(invocation).await?;
    let routers = names.iter().filter(|name| caller.may_name(name)).map(|name| format!("turnout/{name}"));
    Ok(routers.chain(models(invocation, caller, &gateway)).collect())
}

fn model(id: &str, dialect: Dialect) -> Value {
    // Clients want a time of creation; KV keeps none, and a made-up one would be a lie.
    match dialect {
        Dialect::OpenAi | Dialect::Responses => {
            let owner = id.split_once('/').map_or("turnout", |(owner, _)| owner);
            json!({"id": id, "object": "model", "created": 0, "owned_by": owner})
        }
        Dialect::Anthropic => {
            json!({"type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z"})
        }
        Dialect::Gemini => json!({
            "name": format!("models/{id}"),
            "displayName": id,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
        }),
    }
}
