//! Workers: the only folder that knows them. Everything that decides is above; here is what waits.
//!
//! `control` is the Durable Object that serialises changes, `admin` asks it; `invocation` is one request and what its handling needs; `call` is the recipe of a model call; `config` holds stored
//! documents; `exchange` does what `crate::exchange` says, by attempts in `upstream`; `stream` moves what was committed; `limit` counts the calls of keys that have a tier; `models` lists; `glue` is the border to JavaScript.

mod admin;
mod call;
mod config;
mod control;
mod demo;
mod exchange;
mod glue;
mod invocation;
mod journal;
mod limit;
mod models;
mod settings;
mod stream;
mod upstream;

use std::rc::Rc;

use worker::web_sys::{Request, Response};
use worker::{Context, Env, event};

use crate::endpoint::Endpoint;
use crate::error::Error;
use invocation::Invocation;

#[event(fetch)]
async fn fetch(request: Request, env: Env, ctx: Context) -> worker::Result<Response> {
    let invocation = Rc::new(Invocation::new(request, env, ctx));
    let endpoint = Endpoint::parse(&invocation.method, &invocation.path, &invocation.query)
        .map(|endpoint| endpoint.for_client(|name| invocation.header(name)));
    let answer = match endpoint {
        Ok(Endpoint::Call(ask)) => Ok(call::call(&invocation, &ask).await),
        Ok(Endpoint::Models(dialect)) => models::list(&invocation, dialect).await,
        Ok(Endpoint::Model(dialect, id)) => models::get(&invocation, dialect, &id).await,
        Ok(Endpoint::Health) => Ok(invocation.json(200, r#"{"status":"ok"}"#)),
        Ok(Endpoint::Control(asked)) => admin::answer(&invocation, &asked).await,
        Err(error) => Err(error),
    };
    Ok(answer.unwrap_or_else(|error: Error| invocation.refuse(&error)))
}
