//! Does what the exchange says: sends, waits, reads, and hands over what it chose.
//!
//! In scope: the loop between [`Exchange`] and the wire, and the answer that the caller gets. Out of scope: every
//! decision (`crate::exchange`).

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use worker::js_sys::{Promise, Uint8Array};
use worker::web_sys::Response;

use super::call::{Accepted, answered, unserved};
use super::invocation::{Invocation, now, resolved};
use super::journal::Journal;
use super::settings::{setting, settings};
use super::upstream::{self, Allowance, Answer, Body, Manner, Plugins};
use super::{demo, glue, stream};
use crate::call::{Edits, Overrides, apply};
use crate::demo::DIALECT as SPOKEN_BY_DEMO;
use crate::dialect::conversation::Conversation;
use crate::dialect::loss::Losses;
use crate::dialect::{Dialect, ReplyTo, translate};
use crate::endpoint::Operation;
use crate::error::{Error, ErrorKind};
use crate::exchange::circuit::Circuits;
use crate::exchange::figures::Figures;
use crate::exchange::{Event, Exchange, Relay, Step};
use crate::gateway::{Asked, DEMO, Pipeline, Target};
use crate::outbound::{self, Outbound, Sending, outbound};
use crate::plugin::{self, Step as PluginStep};
use crate::provider::Habits;
use crate::record::Outcome;
use crate::router::UsageMode;
use crate::treatment::Written;

thread_local! {
    /// What this isolate has seen of its downstreams. Plain data: no call waits for another by it.
    static CIRCUITS: RefCell<Circuits> = RefCell::default();
    /// How quick its models were.
    pub(super) static FIGURES: RefCell<Figures> = RefCell::default();
}

/// Steps 5 to 8 of a call.
pub(super) async fn served(
    invocation: &Rc<Invocation>,
    accepted: &Accepted,
    mut exchange: Exchange,
    mut journal: Journal,
) -> Response {
    let mut answer: Option<Answer> = None;
    let mut sent: Option<Outbound> = None;
    let mut is_translated = false;
    let mut sent_at = now();
    let mut step = CIRCUITS.with_borrow_mut(|circuits| exchange.start(now(), circuits));
    loop {
        let reveals = |bytes: &[u8]| sent.as_ref().is_some_and(|sent| sent.is_revealed_by(bytes));
        let event = match step {
            Step::Send { budget_ms, may_outlive } => {
                // 5.
                match prepared(invocation, accepted, exchange.target()) {
                    Err(error) => Event::Unsendable(error),
                    // 6.
                    Ok(prepared) => {
                        let Prepared { provider, model, request, manner, plugins, note } = prepared;
                        journal.attempt_begins(&provider, &model, manner.spoken());
                        if let Some(note) = note {
                            journal.note(note);
                        }
                        sent_at = now();
                        let promise = send(
                            invocation,
                            accepted,
                            &request,
                            &model,
                            &Allowance { budget_ms, may_outlive },
                        );
                        sent = match request {
                            Request::Http(outbound) => Some(outbound),
                            Request::Demo(..) => None,
                        };
                        let reveals =
                            |bytes: &[u8]| sent.as_ref().is_some_and(|sent| sent.is_revealed_by(bytes));
                        let (event, received) =
                            upstream::received(invocation, promise, (&manner, plugins), reveals).await;
                        (answer, is_translated) = (received, matches!(manner, Manner::Translated { .. }));
                        event
                    }
                }
            }
            Step::Await => match &mut answer {
                Some(answer) => answer.first(reveals).await,
                None => Event::Unreachable { reset: false },
            },
            Step::Pause(milliseconds) => paused(invocation, milliseconds).await,
            // 7 and 8.
            Step::Relay(relay) => {
                journal.exchanged(&exchange);
                journal.served();
                if is_translated {
                    let is_stream = matches!(answer, Some(Answer { body: Body::Stream(_), .. }));
                    journal.content_type(if is_stream && accepted.events { EVENTS } else { JSON });
                }
                return relayed(invocation, journal, answer, &relay);
            }
            Step::Refuse(refusal) => {
                journal.exchanged(&exchange);
                journal.retry_after(refusal.retry_after);
                return answered(journal, &refusal.error, refusal.outcome);
            }
            Step::Over => {
                journal.exchanged(&exchange);
                journal.write(Outcome::ClientCancelled, None);
                // Nobody sees this one; its status is the one that nginx logs for it.
                return glue::answer(499, "", "");
            }
        };
        if matches!(event, Event::Meaningful { .. }) && answer.as_ref().is_some_and(Answer::has_begun) {
            journal.first_token();
            let millis = now().saturating_sub(sent_at);
            FIGURES.with_borrow_mut(|figures| figures.first_token(exchange.target(), millis));
        }
        step = CIRCUITS.with_borrow_mut(|circuits| exchange.on(event, now(), circuits));
    }
}

async fn paused(invocation: &Invocation, milliseconds: u64) -> Event {
    #[expect(clippy::cast_precision_loss, reason = "at most an hour of milliseconds")]
    let left = resolved(glue::pause(&invocation.request, milliseconds as f64)).await;
    if left.is_ok_and(|left| left.is_truthy()) { Event::CallerLeft } else { Event::Paused }
}

const EVENTS: &str = "text/event-stream; charset=utf-8";
const JSON: &str = "application/json";

/// A target that can be called.
struct Prepared {
    provider: String,
    model: String,
    request: Request,
    manner: Manner,
    plugins: Plugins,
    /// What was lost in translation.
    note: Option<String>,
}

enum Request {
    Http(Outbound),
    /// To a demo model; the body where it is another than the caller's, and whether usage is asked for that the caller did not ask for.
    Demo(Option<Vec<u8>>, bool),
}

/// Who serves a target, and what is sent there; an error where it cannot be called.
fn prepared(invocation: &Invocation, accepted: &Accepted, name: &str) -> Result<Prepared, Error> {
    let Accepted { outline, gateway, direct, .. } = accepted;
    // A rule says itself who serves what it claims. Else a variant's model is `provider/model`, and a caller may name one that
    // a downstream lists.
    let claim = accepted.claims.iter().find(|claim| *claim.target == *name);
    let listed =
        gateway.by_listed_model(name).filter(|_| claim.is_none() && (*direct || !name.contains('/')));
    if listed.is_none()
        && let Some(model) = name.strip_prefix(DEMO).and_then(|rest| rest.strip_prefix('/'))
    {
        return demonstrated(invocation, accepted, model);
    }
    let target: Target<'_> = listed
        .map_or_else(|| gateway.target(name), Ok)
        .or_else(|error| gateway.by_listed_model(name).ok_or(error))
        .map_err(|error| unserved(error, *direct))?;
    let caller = outline.dialect();
    let asked =
        Asked { path: &invocation.path, dialect: caller, model: claim.map_or(name, |claim| &claim.asked) };
    let pipeline = gateway.pipeline(&asked, &target);
    // A count is not translated, and needs not be where the downstream speaks the caller's dialect, whatever a step prefers.
    let is_own = outline.operation() == Operation::CountTokens && target.downstream.speaks(caller);
    let dialect = if is_own { caller } else { pipeline.dialect(caller, target.downstream) };
    let forwarded: Vec<(&str, &str)> =
        invocation.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sending = Sending {
        dialect,
        operation: outline.operation(),
        forwarded: &forwarded,
        usage_as_asked: accepted.usage == UsageMode::AsAsked,
        direct: *direct && name == outline.model(),
        // Whoever translates reads events.
        events: accepted.events || dialect != caller,
        edits: None,
    };
    let (translated, manner, edits, note) = if dialect == caller {
        let (edits, note) = edited(accepted, target.model, &target.downstream.habits);
        (None, None, edits, note)
    } else {
        let Translation { body, manner, note } =
            translation(invocation, accepted, dialect, target.model, &target.downstream.habits)?;
        (Some(body), Some(manner), None, note)
    };
    let sending = Sending { edits: edits.as_ref(), ..sending };
    let mut outbound =
        outbound(outline, &target, &sending, translated, &|name| setting(&invocation.env, name))?;
    let plugins = applied(accepted, &pipeline, dialect, &mut outbound);
    let manner = manner.unwrap_or(Manner::AsItIs { dialect, asked_usage: outbound.asked_usage });
    let (provider, model) = (target.downstream.id.clone(), target.model.to_owned());
    Ok(Prepared { provider, model, request: Request::Http(outbound), manner, plugins, note })
}

/// Does to a request what the rules say; what they do to the answer is given back.
fn applied(
    accepted: &Accepted,
    pipeline: &Pipeline<'_>,
    dialect: Dialect,
    outbound: &mut Outbound,
) -> Plugins {
    if pipeline.is_empty() {
        return Plugins::default();
    }
    outbound.added = pipeline.headers();
    for step in pipeline.request_steps() {
        let body = match &outbound.body {
            outbound::Body::Own(body) => Cow::Borrowed(body.as_slice()),
            outbound::Body::Spliced(splices) => Cow::Owned(apply(&accepted.raw.to_vec(), splices)),
        };
        let edited = std::str::from_utf8(&body).ok().and_then(|body| plugin::request(step, dialect, body));
        if let Some(edited) = edited {
            outbound.body = outbound::Body::Own(edited.into_bytes());
        }
    }
    let outline = &accepted.outline;
    let is_answered = outline.operation() == Operation::Generate;
    Plugins {
        hides_thoughts: is_answered && pipeline.has(&PluginStep::RemoveThinking),
        // Who reads another dialect gets all counts that it has from the translation.
        fixes_usage: is_answered
            && pipeline.has(&PluginStep::FixAnthropicUsage)
            && (dialect, outline.dialect()) == (Dialect::Anthropic, Dialect::Anthropic),
    }
}

fn demonstrated(invocation: &Invocation, accepted: &Accepted, model: &str) -> Result<Prepared, Error> {
    let outline = &accepted.outline;
    if !settings(&invocation.env).demo {
        return Err(unserved(crate::demo::off(model), accepted.direct));
    }
    let (request, manner, note) = if outline.dialect() == SPOKEN_BY_DEMO {
        // As of any downstream: usage that the caller did not ask for is asked for, and withheld.
        let asked_usage = outline.stream() && !outline.asks_usage() && accepted.usage == UsageMode::Always;
        let (edits, note) = edited(accepted, model, &Habits::default());
        let treated = edits.map(|edits| {
            let overrides = Overrides { model: outline.model(), edits: Some(&edits), ..Overrides::default() };
            apply(&accepted.raw.to_vec(), &outline.splices(&overrides))
        });
        (Request::Demo(treated, asked_usage), Manner::AsItIs { dialect: SPOKEN_BY_DEMO, asked_usage }, note)
    } else {
        let Translation { body, manner, note } =
            translation(invocation, accepted, SPOKEN_BY_DEMO, model, &Habits::default())?;
        (Request::Demo(Some(body), false), manner, note)
    };
    let plugins = Plugins::default();
    Ok(Prepared { provider: DEMO.to_owned(), model: model.to_owned(), request, manner, plugins, note })
}

/// What the variant changes in a body of the caller's own dialect, and what could not be said there.
fn edited(accepted: &Accepted, model: &str, habits: &Habits) -> (Option<Edits>, Option<String>) {
    let Some(treatment) = &accepted.treatment else { return (None, None) };
    // It was found to be UTF-8 when it was read.
    let body = String::from_utf8(accepted.raw.to_vec()).unwrap_or_default();
    let (edits, note) = treatment.edits(&body, &accepted.outline, model, habits);
    (Some(edits), note)
}

/// A call in another dialect than its caller's.
struct Translation {
    body: Vec<u8>,
    manner: Manner,
    note: Option<String>,
}

fn translation(
    invocation: &Invocation,
    accepted: &Accepted,
    target: Dialect,
    model: &str,
    habits: &Habits,
) -> Result<Translation, Error> {
    let outline = &accepted.outline;
    let caller = outline.dialect();
    if outline.operation() == Operation::CountTokens {
        let message =
            "Tokens are counted by downstreams that speak Anthropic's Messages alone; name a model of one.";
        return Err(Error::invalid("model", message));
    }
    let conversation =
        accepted.conversation.get_or_init(|| conversation(accepted)).as_ref().map_err(Error::clone)?;
    let Written { body, note } = match &accepted.treatment {
        Some(treatment) => treatment.translated(conversation, target, model, habits)?,
        None => {
            let mut losses = Losses::new(target);
            let body = translate::encode_request(target, conversation, model, &mut losses)?;
            Written { body, note: losses.note() }
        }
    };
    let reply = ReplyTo {
        conversation: conversation.clone(),
        id: format!("{:016x}{:016x}", invocation.started, invocation.random[1]),
        created: invocation.started / 1000,
        wants_usage: outline.asks_usage(),
        wants_events: accepted.events,
    };
    let manner = Manner::Translated { from: target, to: caller, reply: Rc::new(reply) };
    Ok(Translation { body, manner, note })
}

/// The call in no dialect: of its body less what is ours, with a literal `extra_body` unfolded.
fn conversation(accepted: &Accepted) -> Result<Conversation, Error> {
    let outline = &accepted.outline;
    let overrides = Overrides { model: outline.model(), forward_metadata: true, ..Overrides::default() };
    let body = apply(&accepted.raw.to_vec(), &outline.splices(&overrides));
    let mut conversation = translate::decode_request(outline.dialect(), &body)?;
    conversation.model = outline.model().to_owned();
    conversation.stream = outline.stream();
    if conversation.user.is_none() {
        conversation.user = outline.user().map(str::to_owned);
    }
    Ok(conversation)
}

/// Sends what was prepared.
fn send(
    invocation: &Invocation,
    accepted: &Accepted,
    request: &Request,
    model: &str,
    allowance: &Allowance,
) -> Promise {
    match request {
        Request::Http(outbound) => {
            upstream::send(invocation, accepted.outline.stream(), allowance, &accepted.raw, outbound)
        }
        Request::Demo(body, asked_usage) => {
            let body = body.clone().unwrap_or_else(|| accepted.raw.to_vec());
            demo::answer(invocation, body, allowance, model, *asked_usage)
        }
    }
}

/// The answer of the last attempt goes to the caller.
fn relayed(
    invocation: &Rc<Invocation>,
    mut journal: Journal,
    answer: Option<Answer>,
    relay: &Relay,
) -> Response {
    journal.retry_after(relay.retry_after);
    let Some(Answer { upstream, body, .. }) = answer else { return unusable(journal, relay.outcome) };
    match body {
        Body::Stream(stream) => stream::committed(invocation, journal, &upstream, relay, *stream),
        Body::Whole(None, observed) => {
            journal.observed(observed);
            unusable(journal, relay.outcome)
        }
        // It is no JSON, or far too long for an error.
        Body::Error(json, observed) if json.is_empty() => {
            journal.observed(observed);
            unusable(journal, relay.outcome)
        }
        Body::Whole(Some(bytes), observed) => {
            journal.observed(observed);
            passed(journal, &upstream, &bytes, relay)
        }
        Body::Error(json, observed) => {
            journal.observed(observed);
            journal.content_type(JSON);
            passed(journal, &upstream, &Uint8Array::from(json.as_slice()), relay)
        }
    }
}

fn passed(journal: Journal, upstream: &Response, body: &Uint8Array, relay: &Relay) -> Response {
    let Ok(response) = glue::pass(upstream, relay.status, &journal.headers(), body) else {
        return unusable(journal, Outcome::Unreachable);
    };
    journal.write(relay.outcome, Some(relay.status));
    response
}

/// An answer of which no response can be made.
pub(super) fn unusable(journal: Journal, outcome: Outcome) -> Response {
    let message =
        "The downstream's answer broke off before its end, or is none that can be passed on; try again.";
    answered(journal, &Error::new(ErrorKind::UpstreamUnreachable, message), outcome)
}
