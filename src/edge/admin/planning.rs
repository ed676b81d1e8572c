//! `:plan` and `:explain`: answered by the isolate that is asked, for they change nothing and need what it knows of the gateway.
//!
//! A plan is made against the newest document that control holds; an explanation of what calls get here.

use std::rc::Rc;

use serde::Serialize;
use worker::web_sys::Response;

use super::super::exchange::FIGURES;
use super::super::invocation::{Invocation, resolved};
use super::super::settings::{setting, settings};
use super::super::{config, glue};
use super::sent_to_control;
use crate::api::Asked;
use crate::control::{Envelope, Request, routers};
use crate::decision::explain::{ExplainRequest, Explanation, explained};
use crate::error::Error;
use crate::gateway::Gateway;
use crate::reach::Surroundings;
use crate::router::edit::authored;
use crate::router::is_name;
use crate::router::plan::{Basis, PlanRequest, planned};

/// What a change of a router would do.
pub(super) async fn plan(
    invocation: &Invocation,
    asked: &Asked,
    envelope: Envelope,
    body: Vec<u8>,
) -> Result<Response, Error> {
    let request = request(invocation, asked, envelope, body);
    routers::named(&request)?;
    let plan: PlanRequest = request.json()?;
    let name = asked.name();
    let line = ("GET", &*format!("/router/v1/routers/{name}"), "");
    let shown = sent_to_control(invocation, line, request.envelope, &[]).await?;
    let current = match shown.status() {
        200 => Some(authored(text(&shown).await?.as_bytes())),
        404 => None,
        // What control says is wrong is what the caller is told.
        _ => return Ok(shown),
    };
    let header = |name: &str| shown.headers().get(name).ok().flatten();
    let (etag, revision) = (header("etag"), header("x-turnout-revision"));
    let (gateway, _) = config::gateway(invocation).await?;
    let basis = Basis {
        current: current.as_deref(),
        etag: etag.as_deref().map(|etag| etag.trim_matches('"')),
        revision: revision.as_deref(),
    };
    let plan = with_surroundings(invocation, &gateway, |around| {
        planned(name, &basis, &plan, around, invocation.started)
    })?;
    answer(&plan, revision.as_deref())
}

/// What a call would get, and why.
pub(super) async fn explain(
    invocation: &Invocation,
    asked: &Asked,
    envelope: Envelope,
    body: Vec<u8>,
) -> Result<Response, Error> {
    let request = request(invocation, asked, envelope, body);
    routers::named(&request)?;
    let asked_for: ExplainRequest = request.json()?;
    let name = asked.name();
    let stored = if is_name(name) { config::router(invocation, name).await? } else { None };
    let stored = stored.ok_or_else(|| routers::absent(name))?;
    let (gateway, _) = config::gateway(invocation).await?;
    let explanation = with_surroundings(invocation, &gateway, |around| {
        FIGURES.with_borrow(|figures| {
            explained(
                &stored.value,
                &asked_for,
                around,
                &|metric, of| figures.measure(metric, of),
                invocation.started,
            )
        })
    })?;
    let revision = stored.revision.to_string();
    let notes = stored.fault.iter().map(|fault| format!("router not as in KV: {fault}"));
    let notes = notes.chain(explanation.notes.iter().cloned()).collect();
    let explanation = Explanation { revision: Some(revision.clone()), notes, ..explanation };
    answer(&explanation, Some(&revision))
}

fn request(invocation: &Invocation, asked: &Asked, envelope: Envelope, body: Vec<u8>) -> Request {
    Request { asked: asked.clone(), query: invocation.query.clone(), body, envelope }
}

fn with_surroundings<T>(
    invocation: &Invocation,
    gateway: &Rc<Gateway>,
    work: impl FnOnce(&Surroundings<'_>) -> T,
) -> T {
    let read = |name: &str| setting(&invocation.env, name);
    work(&Surroundings { gateway, settings: &read, demo: settings(&invocation.env).demo })
}

async fn text(response: &Response) -> Result<String, Error> {
    let text = response.text().map_err(|_| super::unreachable())?;
    let text = resolved(text).await.map_err(|_| super::unreachable())?;
    text.as_string().ok_or_else(super::unreachable)
}

fn answer(body: &impl Serialize, revision: Option<&str>) -> Result<Response, Error> {
    let body = serde_json::to_string(body).map_err(|_| super::unreachable())?;
    let mut headers = "content-type\napplication/json".to_owned();
    if let Some(revision) = revision {
        headers.push_str(&format!("\nx-turnout-revision\n{revision}"));
    }
    Ok(glue::answer(200, &headers, &body))
}
