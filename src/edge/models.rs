//! `GET /v1/models`: the routers that the caller may name, and the models that downstreams list.

use serde_json::{Value, json};
use worker::web_sys::Response;

use super::call::{authenticated, models};
use super::config;
use super::invocation::Invocation;
use crate::auth::Caller;
use crate::error::{Error, ErrorKind};
use crate::nearest::{did_you_mean, nearest, shortened};
use crate::router::{is_name, named_by};

/// The whole list, in OpenAI's shape.
pub(super) async fn list(invocation: &Invocation) -> Result<Response, Error> {
    let caller = authenticated(invocation).await?;
    let data: Vec<Value> = ids(invocation, &caller).await?.iter().map(|id| model(id)).collect();
    Ok(invocation.json(200, &json!({"object": "list", "data": data}).to_string()))
}

/// One of them. A router is looked up by its name, for the list has an end.
pub(super) async fn get(invocation: &Invocation, id: &str) -> Result<Response, Error> {
    let caller = authenticated(invocation).await?;
    let name = named_by(id).unwrap_or(id);
    if is_name(name) && caller.may_name(name) && config::router(invocation, name).await?.is_some() {
        return Ok(invocation.json(200, &model(&format!("turnout/{name}")).to_string()));
    }
    let (gateway, _) = config::gateway(invocation).await?;
    if models(invocation, &caller, &gateway).iter().any(|known| known == id)
        || gateway.by_listed_model(id).is_some()
    {
        caller.check_model(id)?;
        return Ok(invocation.json(200, &model(id).to_string()));
    }
    let ids = ids(invocation, &caller).await?;
    let nearest = did_you_mean(&nearest(id, ids.iter().map(String::as_str)));
    let message = format!("There is no model or router '{}'.{nearest}", shortened(id));
    Err(Error { kind: ErrorKind::ModelNotFound, message, param: Some("model".to_owned()) })
}

async fn ids(invocation: &Invocation, caller: &Caller) -> Result<Vec<String>, Error> {
    let names = config::fresh_names(invocation).await?;
    let (gateway, _) = config::gateway(invocation).await?;
    let routers = names.iter().filter(|name| caller.may_name(name)).map(|name| format!("turnout/{name}"));
    Ok(routers.chain(models(invocation, caller, &gateway)).collect())
}

fn model(id: &str) -> Value {
    let owner = id.split_once('/').map_or("turnout", |(owner, _)| owner);
    // OpenAI's clients want a time of creation; KV keeps none, and a made-up one would be a lie.
    json!({"id": id, "object": "model", "created": 0, "owned_by": owner})
}
