//! `GET /v1/models`: the routers that the caller may name, and the models that downstreams list.

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
    Ok(invocation.json(200, &dialect.list_of(&ids).to_string()))
}

/// One of them. A router is looked up by its name, for the list has an end.
pub(super) async fn get(invocation: &Invocation, dialect: Dialect, id: &str) -> Result<Response, Error> {
    let caller = authenticated(invocation).await?;
    let name = named_by(id).unwrap_or(id);
    if is_name(name) && caller.may_name(name) && config::router(invocation, name).await?.is_some() {
        return Ok(invocation.json(200, &dialect.model_of(&format!("turnout/{name}")).to_string()));
    }
    let (gateway, _) = config::gateway(invocation).await?;
    if models(invocation, &caller, &gateway).iter().any(|known| known == id)
        || gateway.by_listed_model(id).is_some()
    {
        caller.check_model(id)?;
        return Ok(invocation.json(200, &dialect.model_of(id).to_string()));
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
