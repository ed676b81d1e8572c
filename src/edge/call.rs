//! One model call, from its bytes to its record.
//!
//! 1. Who calls: 401, 503.
//! 2. What they send: 400, 413.
//! 3. What they name: 404, 403, 503.
//! 4. Which variant: cannot fail.
//! 5. Who serves it: 404, 502.
//! 6. The upstream call: 502.
//! 7. Its answer, moved to the caller ([`stream`]).
//! 8. The record, written once, after the last byte, error or cancel.

use std::rc::Rc;

use futures::future::join;
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::JsCast;
use worker::web_sys::Response;

use super::invocation::{Invocation, error_headers, resolved};
use super::journal::Journal;
use super::settings::{setting, settings};
use super::stream::{self, Answer};
use super::{config, demo, glue};
use crate::auth::{Caller, KeyDigest, Scope, presented};
use crate::call::Call;
use crate::decision::{Circumstances, Decision, decide};
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::gateway::{DEMO, Gateway};
use crate::identity::Unit;
use crate::nearest::{did_you_mean, nearest, shortened};
use crate::outbound::{Outbound, Sending, outbound};
use crate::record::Outcome;
use crate::router::{Router, UsageMode, is_name, named_by};
use crate::shelf::Stored;

/// Answers a model call.
pub(super) async fn call(invocation: &Rc<Invocation>, dialect: Dialect) -> Response {
    let _hold = invocation.hold();
    match accepted(invocation, dialect).await {
        Ok(accepted) => served(invocation, accepted).await,
        Err(error) => invocation.refuse(&error),
    }
}

/// A call that is understood, allowed and decided: from here on there is a record.
struct Accepted {
    call: Call,
    /// The body as it came, on JavaScript's side, where the splices are made.
    raw: Uint8Array,
    gateway: Rc<Gateway>,
    /// `provider/model`, or a model that a downstream lists; `None` where no route held.
    model: Option<String>,
    direct: bool,
    usage: UsageMode,
    journal: Journal,
}

async fn accepted(invocation: &Rc<Invocation>, dialect: Dialect) -> Result<Accepted, Error> {
    // 1.
    let caller = authenticated(invocation).await?;
    // 2.
    let raw = body(invocation).await?;
    let call = Call::parse(raw.to_vec())?;
    // 3.
    // A cold isolate reads the gateway and a router that is named by prefix at the same time.
    let warm = async {
        if let Some(name) = named_by(call.model()).filter(|name| is_name(name) && caller.may_name(name)) {
            config::warm(invocation, name).await;
        }
    };
    let (gateway, ()) = join(config::gateway(invocation), warm).await;
    let (gateway, gateway_fault) = gateway?;
    let router = match router_named(call.model(), &gateway) {
        Some(name) => Some(router(invocation, &caller, &gateway, name).await?),
        None => caller.check_model(call.model()).map(|()| None)?,
    };
    // 4.
    let decision = decision(invocation, dialect, &call, router.as_ref().map(|router| &*router.value));
    let mut journal =
        Journal::new(invocation, (dialect, call.stream()), caller.key_id(), router.as_ref(), &decision);
    if let Some(fault) = router.as_ref().and_then(|router| router.fault.as_ref()) {
        journal.note(format!("router not as in KV: {fault}"));
    }
    if let Some(fault) = gateway_fault {
        journal.note(format!("gateway not as in KV: {fault}"));
    }
    let (model, direct, usage) = match router {
        Some(router) => {
            (decision.assigned.map(|assigned| assigned.model.to_string()), false, router.value.usage)
        }
        None => (Some(call.model().to_owned()), true, UsageMode::default()),
    };
    Ok(Accepted { call, raw, gateway, model, direct, usage, journal })
}

/// The caller behind the request's credentials.
pub(super) async fn authenticated(invocation: &Invocation) -> Result<Caller, Error> {
    let settings = settings(&invocation.env);
    let keys = presented(|name| invocation.header(name));
    let digests: Vec<KeyDigest> = keys.iter().map(|key| KeyDigest::of(key)).collect();
    if let Some(admin) = settings.admin
        && digests.iter().any(|digest| admin.matches(digest))
    {
        return Ok(Caller::Admin);
    }
    for digest in digests {
        if let Some(record) = config::key_record(invocation, &digest.storage_key()).await? {
            return Caller::holding(record, invocation.started / 1000);
        }
    }
    Err(match (settings.admin, keys.is_empty()) {
        (None, _) => Error::new(
            ErrorKind::NotConfigured,
            "ADMIN_KEY is not set, and no other key that was sent is known, so the call is refused. Set it: `npx \
             wrangler secret put ADMIN_KEY`, or a line ADMIN_KEY=… in .dev.vars for local use.",
        ),
        (Some(_), true) => Error::new(
            ErrorKind::InvalidKey,
            "No API key was sent. Send one as `Authorization: Bearer …` (or x-api-key, or x-goog-api-key).",
        ),
        (Some(_), false) => Error::new(ErrorKind::InvalidKey, "This API key is not known here."),
    })
}

async fn body(invocation: &Invocation) -> Result<Uint8Array, Error> {
    let limit = settings(&invocation.env).max_body;
    let body = resolved(glue::read_body(&invocation.request, f64::from(limit))).await.map_err(|_| {
        Error::new(ErrorKind::InvalidRequest, "The body broke off before its end; send the call again.")
    })?;
    body.dyn_into().map_err(|_| {
        let message =
            format!("The body is longer than {limit} bytes (MAX_BODY_BYTES); send less, or raise the limit.");
        Error::new(ErrorKind::BodyTooLarge, message)
    })
}

/// The router that a `model` names; `None` where it names a model. In the order of precedence: a router by prefix, a model
/// that a downstream lists, `provider/model`, a bare router name.
fn router_named<'m>(model: &'m str, gateway: &Gateway) -> Option<&'m str> {
    named_by(model).or_else(|| {
        let is_model = gateway.by_listed_model(model).is_some() || model.contains('/');
        (!is_model).then_some(model)
    })
}

async fn router(
    invocation: &Invocation,
    caller: &Caller,
    gateway: &Gateway,
    name: &str,
) -> Result<Stored<Router>, Error> {
    config::preload_names(invocation);
    if is_name(name) {
        caller.check_router(name)?;
        if let Some(router) = config::router(invocation, name).await? {
            return Ok(router);
        }
    }
    let names = config::names(invocation);
    let models = models(invocation, caller, gateway);
    let known = names.iter().filter(|name| caller.may_name(name)).chain(&models).map(String::as_str);
    let nearest = did_you_mean(&nearest(name, known));
    let message = format!(
        "There is no router '{}' and no model of that name.{nearest} A router is named as `turnout/<name>`, a model as \
         `provider/model`.",
        shortened(name)
    );
    Err(Error { kind: ErrorKind::ModelNotFound, message, param: Some("model".to_owned()) })
}

/// The models by name that the caller may call.
pub(super) fn models(invocation: &Invocation, caller: &Caller, gateway: &Gateway) -> Vec<String> {
    if caller.check_scope(Scope::Models).is_err() {
        return Vec::new();
    }
    let demo = if settings(&invocation.env).demo { crate::demo::MODELS } else { &[] };
    gateway.models().chain(demo.iter().map(|model| model.id.to_owned())).collect()
}

fn decision(invocation: &Invocation, dialect: Dialect, call: &Call, router: Option<&Router>) -> Decision {
    let Some(router) = router else {
        let unit = Unit::of(call, |name| invocation.header(name));
        return Decision { unit, assigned: None, notes: Vec::new() };
    };
    let all_headers = router.reads_headers.then(|| invocation.all_headers());
    let circumstances = Circumstances {
        call,
        path: &invocation.path,
        dialect,
        headers: all_headers.as_ref().unwrap_or(&invocation.headers),
        origin: &invocation.origin,
        now: invocation.started,
        random: invocation.random[0],
    };
    decide(router, &circumstances)
}

/// Steps 5 to 8.
async fn served(invocation: &Rc<Invocation>, accepted: Accepted) -> Response {
    let Accepted { call, raw, gateway, model, direct, usage, mut journal } = accepted;
    let Some(model) = model else {
        let error = no_route_matched(journal.notes());
        return refused(journal, &error);
    };
    // 5.
    let listed = gateway.by_listed_model(&model).filter(|_| direct);
    if listed.is_none()
        && let Some(name) = model.strip_prefix(DEMO).and_then(|rest| rest.strip_prefix('/'))
    {
        return demonstrated(invocation, journal, &call, name, direct, usage).await;
    }
    let target = match listed.map_or_else(|| gateway.target(&model), Ok) {
        Ok(target) => target,
        Err(error) => return refused(journal, &unserved(error, direct)),
    };
    let forwarded: Vec<(&str, &str)> =
        invocation.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sending = Sending { forwarded: &forwarded, usage_as_asked: usage == UsageMode::AsAsked, direct };
    let outbound = match outbound(&call, &target, &sending, &|name| setting(&invocation.env, name)) {
        Ok(outbound) => outbound,
        Err(error) => return refused(journal, &error),
    };
    // 6.
    journal.attempt_begins(&target.downstream.id, target.model, Dialect::OpenAi);
    let sent = send(invocation, call.stream(), &raw, &outbound);
    // An upstream may think for minutes; nothing of the body is needed any more.
    drop((call, raw));
    match resolved(sent).await {
        // 7 and 8.
        Ok(answer) => {
            let reveals = |bytes: &[u8]| outbound.is_revealed_by(bytes);
            stream::relayed(invocation, journal, &Answer::new(&answer), outbound.asked_usage, reveals)
        }
        Err(_) if invocation.left() => left(journal),
        Err(_) => {
            journal.attempt_ends(None, Outcome::Unreachable);
            let message = format!(
                "The downstream '{}' could not be reached, or gave no HTTP answer.",
                target.downstream.id
            );
            let error = Error::new(ErrorKind::UpstreamUnreachable, message);
            answered(journal, &error, Outcome::Unreachable)
        }
    }
}

/// A demo model's answer, or why there is none.
async fn demonstrated(
    invocation: &Rc<Invocation>,
    mut journal: Journal,
    call: &Call,
    name: &str,
    direct: bool,
    usage: UsageMode,
) -> Response {
    if !settings(&invocation.env).demo {
        return refused(journal, &unserved(demo::off(name), direct));
    }
    journal.attempt_begins(DEMO, name, Dialect::OpenAi);
    // As of any downstream: usage that the caller did not ask for is asked for, and withheld.
    let asked_usage = call.stream() && !call.asks_usage() && usage == UsageMode::Always;
    match demo::answer(invocation, call, name, asked_usage).await {
        Ok(answer) => stream::relayed(invocation, journal, &Answer::new(&answer), asked_usage, |_| false),
        Err(_) => left(journal),
    }
}

fn no_route_matched(notes: &[String]) -> Error {
    let mut message = "No route matched. Configure a default route or adjust conditions.".to_owned();
    if !notes.is_empty() {
        message.push_str(&format!(" ({})", notes.join("; ")));
    }
    Error::new(ErrorKind::NoRouteMatched, message)
}

/// Why nobody serves a model: the caller's mistake where the caller named it, else the operator's.
fn unserved(error: Error, direct: bool) -> Error {
    if direct {
        return Error { param: Some("model".to_owned()), ..error };
    }
    Error::new(ErrorKind::UpstreamModel, format!("No downstream serves this variant: {}", error.message))
}

/// The caller left before there was an answer. Nobody sees this one; its status is the one that nginx logs for it.
fn left(mut journal: Journal) -> Response {
    journal.attempt_ends(None, Outcome::ClientCancelled);
    journal.write(Outcome::ClientCancelled, None);
    glue::answer(499, "", "")
}

fn send(
    invocation: &Invocation,
    streamed: bool,
    raw: &Uint8Array,
    outbound: &Outbound,
) -> worker::js_sys::Promise {
    let mut headers = String::with_capacity(256);
    for (name, value) in &outbound.headers {
        if !headers.is_empty() {
            headers.push('\n');
        }
        headers.push_str(name);
        headers.push('\n');
        headers.push_str(value);
    }
    let mut ranges = Vec::with_capacity(outbound.splices.len() * 3);
    let mut replacements = Vec::new();
    for splice in &outbound.splices {
        // Bodies are far shorter than 4 GiB: `MAX_BODY_BYTES` is a u32.
        let triple = [splice.range.start, splice.range.end, splice.with.len()];
        ranges.extend(triple.map(|number| u32::try_from(number).unwrap_or(u32::MAX)));
        replacements.extend_from_slice(splice.with.as_bytes());
    }
    glue::exchange(&invocation.request, streamed, &outbound.url, &headers, raw, &ranges, &replacements)
}

/// Refused by us after the decision.
fn refused(journal: Journal, error: &Error) -> Response {
    answered(journal, error, Outcome::Refused)
}

/// Answered with an error of ours, and recorded.
pub(super) fn answered(mut journal: Journal, error: &Error, outcome: Outcome) -> Response {
    let mut headers = journal.headers();
    headers.push_str("\ncontent-type\napplication/json");
    headers.push_str(&error_headers(error));
    journal.error_kind(error.kind.code());
    let status = error.kind.status();
    journal.write(outcome, Some(status));
    glue::answer(status, &headers, &error.body(Dialect::OpenAi))
}
