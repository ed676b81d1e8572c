//! The control API.
//!
//! 1. Who asks, and whether they may: 401, 403.
//! 2. What they send: 400, 413.
//! 3. What is asked for: answered here, or by the Durable Object ([`super::control`]): 404, 409, 412, 503.

mod planning;

use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::JsCast;
use worker::web_sys::{RequestInit, Response};

use super::call::authenticated;
use super::invocation::{Invocation, resolved};
use super::settings::settings;
use super::{config, control, glue};
use crate::api::{Access, Asked, Operation, row_of};
use crate::auth::Caller;
use crate::control::routers::Serving;
use crate::control::{Envelope, MAX_BODY_BYTES, Who, request};
use crate::error::{Error, ErrorKind};
use crate::gateway::Gateway;
use crate::openapi;
use crate::router::Router;

/// Answers a request to the control API.
pub(super) async fn answer(invocation: &Invocation, asked: &Asked) -> Result<Response, Error> {
    // 1.
    let who = admitted(invocation, asked.operation).await?;
    // 2.
    let body = body(invocation).await?;
    let envelope = envelope(invocation, who);
    // 3.
    match asked.operation {
        Operation::OpenApi => Ok(invocation.json(200, openapi::DOCUMENT)),
        Operation::PlanRouter => planning::plan(invocation, asked, envelope, body).await,
        Operation::ExplainRouter => planning::explain(invocation, asked, envelope, body).await,
        Operation::GetRouter => {
            let serving = Some(serving(invocation, asked.name()));
            asked_of_control(invocation, Envelope { serving, ..envelope }, &body).await
        }
        Operation::ListRouters
        | Operation::CreateRouter
        | Operation::UpdateRouter
        | Operation::DeleteRouter
        | Operation::RouterHistory
        | Operation::RouterRevision
        | Operation::RollBackRouter
        | Operation::PromoteVariant
        | Operation::RampVariant
        | Operation::GetGateway
        | Operation::PutGateway
        | Operation::GatewayHistory
        | Operation::RollBackGateway
        | Operation::ListDownstreams
        | Operation::AddDownstreams
        | Operation::GetDownstream
        | Operation::PutDownstream
        | Operation::DeleteDownstream
        | Operation::ListRules
        | Operation::AddRules
        | Operation::GetRule
        | Operation::PutRule
        | Operation::DeleteRule
        | Operation::ListKeys
        | Operation::GetKey => {
            let response = asked_of_control(invocation, envelope, &body).await?;
            if invocation.method != "GET" {
                config::expire::<Router>(asked.name());
                config::expire::<Gateway>(config::GATEWAY);
            }
            Ok(response)
        }
        Operation::CreateKey | Operation::UpdateKey | Operation::RevokeKey => {
            let routers = config::fresh_names(invocation).await.ok().map(|names| names.to_vec());
            let response = asked_of_control(invocation, Envelope { routers, ..envelope }, &body).await?;
            config::expire_keys();
            Ok(response)
        }
    }
}

/// What this isolate serves of a router, and how old that may be.
fn serving(invocation: &Invocation, name: &str) -> Serving {
    let ttl = settings(&invocation.env).config_ttl;
    let (revision, age) = config::held(name);
    Serving::of(revision.as_deref(), age, ttl)
}

/// Who asks, where they may.
async fn admitted(invocation: &Invocation, operation: Operation) -> Result<Who, Error> {
    let access = row_of(operation).map_or(Access::Admin, |row| row.access);
    if access == Access::Open {
        return Ok(Who::default());
    }
    let caller = authenticated(invocation).await?;
    caller.check_access(access)?;
    Ok(match caller {
        Caller::Admin => Who { id: "admin".to_owned(), is_admin: true, ..Who::default() },
        Caller::Key(record) => Who {
            id: record.id.clone(),
            name: record.name.clone(),
            is_admin: false,
            routers: record.routers.clone(),
        },
    })
}

/// The whole body; empty where there is none.
async fn body(invocation: &Invocation) -> Result<Vec<u8>, Error> {
    #[expect(clippy::cast_precision_loss, reason = "1 MiB is exact")]
    let limit = MAX_BODY_BYTES as f64;
    let body = resolved(glue::read_body(&invocation.request, limit)).await.map_err(|_| {
        Error::new(ErrorKind::InvalidRequest, "The body broke off before its end; send the request again.")
    })?;
    body.dyn_into::<Uint8Array>().map(|body| body.to_vec()).map_err(|_| {
        let message =
            format!("The body is longer than {MAX_BODY_BYTES} bytes (1 MiB), which no document may be.");
        Error::new(ErrorKind::BodyTooLarge, message)
    })
}

/// Headers that only this API reads: `describe` would read them at every call.
fn envelope(invocation: &Invocation, who: Who) -> Envelope {
    let headers = invocation.all_headers();
    let header =
        |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let media = header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
    let mut draws = glue::draws(4).into_iter();
    Envelope {
        who,
        content_type: media.trim().to_ascii_lowercase(),
        accept: header("accept").unwrap_or_default().to_owned(),
        if_match: header("if-match").map(str::to_owned),
        random: std::array::from_fn(|_| draws.next().unwrap_or_default()),
        routers: None,
        serving: None,
    }
}

/// Has the Durable Object answer.
async fn asked_of_control(
    invocation: &Invocation,
    envelope: Envelope,
    body: &[u8],
) -> Result<Response, Error> {
    let line = (invocation.method.as_str(), invocation.path.as_str(), invocation.query.as_str());
    sent_to_control(invocation, line, envelope, body).await
}

/// Has the Durable Object answer a request that need not be the caller's: method, path and query.
async fn sent_to_control(
    invocation: &Invocation,
    line: (&str, &str, &str),
    envelope: Envelope,
    body: &[u8],
) -> Result<Response, Error> {
    let sealed = request::encode(line, envelope, body)?;
    let namespace = invocation.env.durable_object(control::BINDING).map_err(|_| {
        let message = "The Durable Object CONTROL is not bound, so nothing can be read or changed here. Add to \
                       wrangler.toml, and deploy: [[durable_objects.bindings]] name = \"CONTROL\", class_name = \
                       \"Control\"; [[migrations]] tag = \"v1\", new_sqlite_classes = [\"Control\"].";
        Error::new(ErrorKind::ControlUnavailable, message)
    })?;
    let stub = namespace.get_by_name(control::INSTANCE).map_err(|_| unreachable())?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&Uint8Array::from(sealed.as_slice()));
    let request = worker::web_sys::Request::new_with_str_and_init("https://control/", &init)
        .map_err(|_| unreachable())?;
    let response = stub.fetch_with_request(request.into()).await.map_err(|_| unreachable())?;
    Ok(response.into())
}

fn unreachable() -> Error {
    let message = "Changes cannot be made just now: the Durable Object CONTROL did not answer. Try again.";
    Error::new(ErrorKind::ControlUnavailable, message)
}
