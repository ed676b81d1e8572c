//! `GET /v1/models`: the routers that the caller may name, and the models that downstreams list.

use serde_json::{Value, json};
use worker::web_sys::Response;

use super::call::authenticated;
use super::config;
use super::invocation::Invocation;
use super::settings::settings;
use crate::auth::Scope;
use crate::demo::MODELS;
use crate::error::{Error, ErrorKind};
use crate::nearest::{did_you_mean, nearest};

/// The whole list, in OpenAI's shape.
pub(super) async fn list(invocation: &Invocation) -> Result<Response, Error> {
    let data: Vec<Value> = ids(invocation).await?.iter().map(|id| model(id)).collect();
    Ok(invocation.json(200, &json!({"object": "list", "data": data}).to_string()))
}

/// One of them.
pub(super) async fn get(invocation: &Invocation, id: &str) -> Result<Response, Error> {
    let ids = ids(invocation).await?;
    let known = |known: &String| known == id || known.strip_prefix("turnout/") == Some(id);
    match ids.iter().find(|id| known(id)) {
        Some(id) => Ok(invocation.json(200, &model(id).to_string())),
        None => {
            let nearest = did_you_mean(&nearest(id, ids.iter().map(String::as_str)));
            let message = format!("There is no model or router '{id}'.{nearest}");
            Err(Error { kind: ErrorKind::ModelNotFound, message, param: Some("model".to_owned()) })
        }
    }
}

async fn ids(invocation: &Invocation) -> Result<Vec<String>, Error> {
    let caller = authenticated(invocation).await?;
    let names = config::fresh_names(invocation).await?;
    let mut ids: Vec<String> =
        names.iter().filter(|name| caller.may_name(name)).map(|name| format!("turnout/{name}")).collect();
    if caller.check_scope(Scope::Models).is_ok() {
        let (gateway, _) = config::gateway(invocation).await?;
        ids.extend(gateway.models());
        if settings(&invocation.env).demo {
            ids.extend(MODELS.iter().map(|model| model.id.to_owned()));
        }
    }
    Ok(ids)
}

fn model(id: &str) -> Value {
    let owner = id.split_once('/').map_or("turnout", |(owner, _)| owner);
    // OpenAI's clients want a time of creation; KV keeps none, and a made-up one would be a lie.
    json!({"id": id, "object": "model", "created": 0, "owned_by": owner})
}
