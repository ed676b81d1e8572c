//! One model call, from its bytes to its record.
//!
//! 1. Who calls, and whether they may call just now: 401, 429, 503.
//! 2. What they send: 400, 413.
//! 3. What they name: 404, 403, 503.
//! 4. Which variant: cannot fail.
//! 5. Who serves it: 404, 502.
//! 6. The upstream call, and the next one where it fails: 502, 504.
//! 7. Its answer, moved to the caller ([`super::stream`]).
//! 8. The record, written once, after the last byte, error or cancel.
//!
//! 1 to 4 are here; 5 to 8 in [`super::exchange`], for they may come round again.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

use futures::future::join;
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::JsCast;
use worker::web_sys::Response;

use super::exchange::{FIGURES, served};
use super::invocation::{Invocation, error_headers, now, resolved};
use super::journal::Journal;
use super::settings::settings;
use super::{config, glue, limit};
use crate::auth::{Caller, KeyDigest, Scope, presented};
use crate::call::{Call, Outline};
use crate::decision::{Circumstances, Decision, decide};
use crate::dialect::conversation::Conversation;
use crate::endpoint::{Ask, Endpoint};
use crate::error::{Error, ErrorKind};
use crate::exchange::Exchange;
use crate::exchange::plan::{Asked, Failover, Planned, holders, planned};
use crate::gateway::{self, Gateway, Target};
use crate::identity::Unit;
use crate::nearest::{did_you_mean, nearest, shortened};
use crate::record::Outcome;
use crate::router::{Router, UsageMode, is_name, named_by};
use crate::shelf::Stored;
use crate::treatment::Applied;

thread_local! {
    /// The failover of calls that name a model.
    static DEFAULTS: Rc<Failover> = Rc::default();
}

/// Answers a model call.
pub(super) async fn call(invocation: &Rc<Invocation>, ask: &Ask) -> Response {
    let _hold = invocation.hold();
    match accepted(invocation, ask).await {
        Ok((accepted, Ok(exchange), journal)) => served(invocation, &accepted, exchange, journal).await,
        Ok((_, Err(error), journal)) => answered(journal, &error, Outcome::Refused),
        Err(error) => invocation.refuse(&error),
    }
}

/// A call that is understood, allowed and decided: from here on there is a record.
pub(super) struct Accepted {
    /// The call less its body, which lies once, on JavaScript's side, for as long as another attempt may need it.
    pub(super) outline: Outline,
    pub(super) raw: Uint8Array,
    pub(super) gateway: Rc<Gateway>,
    /// Targets that a rule says, with the names that were asked for.
    pub(super) claims: Vec<Claim>,
    /// The caller named a model, not a router.
    pub(super) direct: bool,
    pub(super) usage: UsageMode,
    /// A stream is to be events (and not, of Gemini's, one JSON array).
    pub(super) events: bool,
    /// The call in no dialect, once a downstream needs it so.
    pub(super) conversation: OnceCell<Result<Conversation, Error>>,
    /// What the variant does to it.
    pub(super) treatment: Option<Applied>,
}

/// A target of a rule.
pub(super) struct Claim {
    /// `downstream/model`.
    pub(super) target: Rc<str>,
    /// The model that the caller named.
    pub(super) asked: String,
}

/// Whom a `model` names.
enum Named {
    Router(Stored<Router>),
    /// A model; the targets that a rule has for it come first, where there are any.
    Model(Vec<Claim>),
}

/// The call, its attempts (or why there are none), and its record.
async fn accepted(
    invocation: &Rc<Invocation>,
    ask: &Ask,
) -> Result<(Accepted, Result<Exchange, Error>, Journal), Error> {
    // 1.
    let caller = authenticated(invocation).await?;
    limit::check(invocation, &caller).await?;
    // 2.
    let raw = body(invocation).await?;
    let call = Call::parse(ask, raw.to_vec())?;
    // 3.
    // A cold isolate reads the gateway and a router that is named by prefix at the same time.
    let warm = async {
        if let Some(name) = named_by(call.model()).filter(|name| is_name(name) && caller.may_name(name)) {
            config::warm(invocation, name).await;
        }
    };
    let (gateway, ()) = join(config::gateway(invocation), warm).await;
    let (gateway, gateway_fault) = gateway?;
    let (router, mut claims) = match named(invocation, &caller, &gateway, &call).await? {
        Named::Router(router) => (Some(router), Vec::new()),
        Named::Model(claims) => (None, claims),
    };
    for model in &call.asked().models {
        caller.check_model(model)?;
    }
    if router.is_none()
        && claims.is_empty()
        && is_auto(call.model(), &gateway)
        && call.asked().models.is_empty()
    {
        let message = "`models` is missing: `auto` chooses among the models that it names.";
        return Err(Error::invalid("models", message));
    }
    // 4.
    let decision = decision(invocation, &call, router.as_ref().map(|router| &*router.value));
    let mut journal =
        Journal::new(invocation, (ask.dialect, call.stream()), caller.key_id(), router.as_ref(), &decision);
    if let Some(fault) = router.as_ref().and_then(|router| router.fault.as_ref()) {
        journal.note(format!("router not as in KV: {fault}"));
    }
    if let Some(fault) = gateway_fault {
        journal.note(format!("gateway not as in KV: {fault}"));
    }
    let direct = router.is_none();
    let mut treatment = None;
    let plan = match decision.assigned {
        _ if direct => Ok(direct_plan(invocation, &call, &gateway, &mut claims)),
        Some(assigned) => assigned.treatment.of_call(call.prompt_variables()).map(|applied| {
            treatment = applied;
            let asked = with_claims(invocation, &call, &gateway, &mut claims);
            exchange(invocation, &call, Some(&assigned.model), &assigned.failover, &asked)
        }),
        None => Err(no_route_matched(journal.notes())),
    };
    let exchange = plan.map(|(exchange, notes)| {
        notes.into_iter().for_each(|note| journal.note(note));
        exchange
    });
    let usage = router.map_or_else(UsageMode::default, |router| router.value.usage);
    let outline = call.into_outline();
    let (events, conversation) = (ask.events, OnceCell::new());
    let accepted = Accepted { outline, raw, gateway, claims, direct, usage, events, conversation, treatment };
    Ok((accepted, exchange, journal))
}

/// The attempts of a call that names a model, or leaves it to us which: a rule's downstreams one after the other, else the one
/// that has it. OpenRouter's `models` are its own, and go on.
fn direct_plan(
    invocation: &Invocation,
    call: &Call,
    gateway: &Gateway,
    claims: &mut Vec<Claim>,
) -> (Exchange, Vec<String>) {
    let failover = DEFAULTS.with(Rc::clone);
    if let Some((first, others)) = claims.split_first() {
        let model = first.target.clone();
        let models = others.iter().map(|claim| claim.target.clone()).collect();
        let failover = Failover { models, ..Failover::clone(&failover) };
        let asked = with_claims(invocation, call, gateway, claims);
        return exchange(invocation, call, Some(&model), &failover, &asked);
    }
    if is_auto(call.model(), gateway) {
        let asked = with_claims(invocation, call, gateway, claims);
        return exchange(invocation, call, None, &failover, &asked);
    }
    let model = Rc::from(call.model());
    let target = gateway.by_listed_model(&model).or_else(|| gateway.target(&model).ok());
    if target.is_some_and(|target| target.downstream.habits.takes_routing) {
        let asked = Asked { tuning: call.asked().tuning.clone(), ..Asked::default() };
        let asked = Asked { ignore: call.asked().ignore.clone(), ..asked };
        return exchange(invocation, call, Some(&model), &failover, &asked);
    }
    let asked = with_claims(invocation, call, gateway, claims);
    exchange(invocation, call, Some(&model), &failover, &asked)
}

/// What the call asks of its failover, with the targets of rules in place of models that they name.
fn with_claims<'c>(
    invocation: &Invocation,
    call: &'c Call,
    gateway: &Gateway,
    claims: &mut Vec<Claim>,
) -> Cow<'c, Asked> {
    if call.asked().models.is_empty() || gateway.rules().is_empty() {
        return Cow::Borrowed(call.asked());
    }
    let mut models = Vec::new();
    for model in &call.asked().models {
        let claimed = claims_of(gateway.claimed(&asked(invocation, call, model)), model);
        if claimed.is_empty() {
            models.push(model.clone());
        }
        models.extend(claimed.iter().map(|claim| claim.target.to_string()));
        claims.extend(claimed);
    }
    Cow::Owned(Asked { models, ..call.asked().clone() })
}

fn asked<'a>(invocation: &'a Invocation, call: &Call, model: &'a str) -> gateway::Asked<'a> {
    gateway::Asked { path: &invocation.path, dialect: call.dialect(), model }
}

fn claims_of(targets: Vec<Target<'_>>, asked: &str) -> Vec<Claim> {
    let claim = |target: Target<'_>| Claim { target: target.to_string().into(), asked: asked.to_owned() };
    targets.into_iter().map(claim).collect()
}

/// The attempts, and what is odd about their order.
fn exchange(
    invocation: &Invocation,
    call: &Call,
    model: Option<&Rc<str>>,
    failover: &Failover,
    asked: &Asked,
) -> (Exchange, Vec<String>) {
    let Planned { targets, notes } = FIGURES
        .with_borrow(|figures| planned(model, failover, asked, &|metric, of| figures.measure(metric, of)));
    let policy = failover.policy.tuned(&asked.tuning);
    // Another target of the route may have kept what the call builds upon.
    let is_stateful = call.dialect().wire().body.keeps_state;
    let holders = if is_stateful { holders(&targets, failover, asked) } else { Vec::new() };
    let exchange = Exchange::new(targets, policy, call.stream(), now(), invocation.random[1]);
    (exchange.holding(holders), notes)
}

/// Whether a `model` leaves it to us which of the request's `models` serves; a downstream may have a model of that name.
fn is_auto(model: &str, gateway: &Gateway) -> bool {
    model == AUTO && gateway.by_listed_model(model).is_none()
}

/// The `model` of a call that names several, and leaves the choice to us.
const AUTO: &str = "auto";

/// The caller behind the request's credentials.
pub(super) async fn authenticated(invocation: &Invocation) -> Result<Caller, Error> {
    let settings = settings(&invocation.env);
    let query = Endpoint::query_with_key(&invocation.path, &invocation.query);
    let keys = presented(|name| invocation.header(name), query);
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

/// Whom the call's `model` names. In the order of precedence: a router by prefix, a model that a rule names, one that a
/// downstream lists, `auto`, `provider/model`, a bare router name; and what none of these is, whom a rule for every model has for it.
async fn named(
    invocation: &Invocation,
    caller: &Caller,
    gateway: &Gateway,
    call: &Call,
) -> Result<Named, Error> {
    let model = call.model();
    if let Some(name) = named_by(model) {
        return router(invocation, caller, gateway, name).await.map(Named::Router);
    }
    let asked = asked(invocation, call, model);
    let mut claims = claims_of(gateway.claimed(&asked), model);
    let is_known = !claims.is_empty() || gateway.by_listed_model(model).is_some() || is_auto(model, gateway);
    if is_known || model.contains('/') {
        caller.check_model(model)?;
        if !is_known && gateway.target(model).is_err() && !model.starts_with(DEMO_PREFIX) {
            claims = claims_of(gateway.caught(&asked), model);
        }
        return Ok(Named::Model(claims));
    }
    match router(invocation, caller, gateway, model).await {
        Err(error) if error.kind.status() < 500 => {
            let caught = claims_of(gateway.caught(&asked), model);
            // Whoever may not call models directly is told of routers.
            if caught.is_empty() || caller.check_model(model).is_err() {
                return Err(error);
            }
            Ok(Named::Model(caught))
        }
        found => found.map(Named::Router),
    }
}

const DEMO_PREFIX: &str = "demo/";

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
    Err(Error { param: Some("model".to_owned()), ..Error::new(ErrorKind::ModelNotFound, message) })
}

/// The models by name that the caller may call.
pub(super) fn models(invocation: &Invocation, caller: &Caller, gateway: &Gateway) -> Vec<String> {
    if caller.check_scope(Scope::Models).is_err() {
        return Vec::new();
    }
    let demo = if settings(&invocation.env).demo { crate::demo::MODELS } else { &[] };
    let claimable = gateway.claimable().into_iter().map(str::to_owned);
    gateway.models().chain(claimable).chain(demo.iter().map(|model| model.id.to_owned())).collect()
}

fn decision(invocation: &Invocation, call: &Call, router: Option<&Router>) -> Decision {
    let Some(router) = router else {
        let unit = Unit::of(call, |name| invocation.header(name));
        return Decision { unit, assigned: None, notes: Vec::new() };
    };
    let all_headers = router.reads_headers.then(|| invocation.all_headers());
    let circumstances = Circumstances {
        call,
        path: &invocation.path,
        headers: all_headers.as_ref().unwrap_or(&invocation.headers),
        origin: &invocation.origin,
        now: invocation.started,
        random: invocation.random[0],
    };
    decide(router, &circumstances)
}

fn no_route_matched(notes: &[String]) -> Error {
    let mut message = "No route matched. Configure a default route or adjust conditions.".to_owned();
    if !notes.is_empty() {
        message.push_str(&format!(" ({})", notes.join("; ")));
    }
    Error::new(ErrorKind::NoRouteMatched, message)
}

/// Why nobody serves a model: the caller's mistake where the caller named it, else the operator's.
pub(super) fn unserved(error: Error, direct: bool) -> Error {
    if direct {
        return Error { param: Some("model".to_owned()), ..error };
    }
    Error::new(ErrorKind::UpstreamModel, format!("No downstream serves this variant: {}", error.message))
}

/// Answered with an error of ours, and recorded.
pub(super) fn answered(mut journal: Journal, error: &Error, outcome: Outcome) -> Response {
    let mut headers = journal.headers();
    headers.push_str("\ncontent-type\napplication/json");
    headers.push_str(&error_headers(error));
    journal.error_kind(error.kind.code());
    let status = error.kind.status();
    let body = error.body(journal.dialect());
    journal.write(outcome, Some(status));
    glue::answer(status, &headers, &body)
}
