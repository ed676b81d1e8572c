//! The control API.
//!
//! 1. Who asks, and whether they may: 401, 403.
//! 2. What they send: 400, 413.
//! 3. What is asked for: answered here, or by the Durable Object ([`super::control`]): 404, 409, 412, 503.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
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
        // Branch `keys`: the committed description.
        Operation::OpenApi => unserved(asked),
        // Branch `edits`: `head(…)` is what control holds, `config::router` what calls get here.
        Operation::PlanRouter | Operation::ExplainRouter => unserved(asked),
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
        | Operation::CreateKey
        | Operation::GetKey
        | Operation::UpdateKey
        | Operation::RevokeKey => {
            let response = asked_of_control(invocation, envelope, &body).await?;
            if invocation.method != "GET" {
                config::expire::<Router>(asked.name());
                config::expire::<Gateway>(config::GATEWAY);
            }
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
    match (access, &caller) {
        (Access::Open, _) | (Access::Admin, Caller::Admin) => {}
        (Access::Scope(scope), _) => caller.check_scope(scope)?,
        (Access::Admin, Caller::Key(_)) => {
            let message = "Client keys are made and changed with ADMIN_KEY alone; send that one.";
            return Err(Error::new(ErrorKind::MissingScope, message));
        }
    }
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
        ..Envelope::default()
    }
}

/// A router's head as control holds it, for what is worked out here: its document, etag and revision.
#[expect(dead_code, reason = "plans and explanations land next")]
pub(super) struct Head {
    /// The newest document that validates; empty where none does.
    pub(super) bytes: Vec<u8>,
    /// Without quotes.
    pub(super) etag: Option<String>,
    pub(super) revision: Option<u64>,
}

/// The head of the router that the caller may see; `None` where there is none.
#[expect(dead_code, reason = "plans and explanations land next")]
pub(super) async fn head(invocation: &Invocation, who: Who, name: &str) -> Result<Option<Head>, Error> {
    let path = format!("/router/v1/routers/{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    let envelope = Envelope { who, is_raw: true, ..Envelope::default() };
    let response = asked_as(invocation, ("GET", &path, ""), envelope, &[]).await?;
    match response.status() {
        200 => {}
        404 => return Ok(None),
        _ => return Err(unreachable()),
    }
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let (etag, revision) = (header("etag"), header("x-turnout-revision"));
    let body = response.array_buffer().map_err(|_| unreachable())?;
    let bytes = Uint8Array::new(&resolved(body).await.map_err(|_| unreachable())?).to_vec();
    let etag = etag.map(|etag| etag.trim_matches('"').to_owned());
    Ok(Some(Head { bytes, etag, revision: revision.and_then(|number| number.parse().ok()) }))
}

/// Has the Durable Object answer.
async fn asked_of_control(
    invocation: &Invocation,
    envelope: Envelope,
    body: &[u8],
) -> Result<Response, Error> {
    let line = (invocation.method.as_str(), invocation.path.as_str(), invocation.query.as_str());
    asked_as(invocation, line, envelope, body).await
}

async fn asked_as(
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

fn unserved(asked: &Asked) -> Result<Response, Error> {
    Err(Error::new(ErrorKind::NotFound, format!("{:?} is not served yet.", asked.operation)))
}
