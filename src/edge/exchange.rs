//! Does what the exchange says: sends, waits, reads, and hands over what it chose.
//!
//! In scope: the loop between [`Exchange`] and the wire, and the answer that the caller gets. Out of scope: every
//! decision (`crate::exchange`).

use std::cell::RefCell;
use std::rc::Rc;

use worker::js_sys::Uint8Array;
use worker::web_sys::Response;

use super::call::{Accepted, answered, unserved};
use super::invocation::{Invocation, now, resolved};
use super::journal::Journal;
use super::settings::{setting, settings};
use super::upstream::{self, Allowance, Answer, Body};
use super::{demo, glue, stream};
use crate::dialect::Dialect;
use crate::endpoint::Operation;
use crate::error::{Error, ErrorKind};
use crate::exchange::circuit::Circuits;
use crate::exchange::{Event, Exchange, Relay, Step};
use crate::gateway::{DEMO, Target};
use crate::outbound::{Outbound, Sending, outbound};
use crate::record::Outcome;
use crate::router::UsageMode;

thread_local! {
    /// What this isolate has seen of its downstreams. Plain data: no call waits for another by it.
    static CIRCUITS: RefCell<Circuits> = RefCell::default();
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
                        journal.attempt_begins(&prepared.provider, &prepared.model, Dialect::OpenAi);
                        let allowance = Allowance { budget_ms, may_outlive };
                        let (promise, asked_usage) = prepared.send(invocation, accepted, &allowance);
                        sent = prepared.outbound;
                        let reveals =
                            |bytes: &[u8]| sent.as_ref().is_some_and(|sent| sent.is_revealed_by(bytes));
                        let (event, received) =
                            upstream::received(invocation, promise, asked_usage, reveals).await;
                        answer = received;
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
        if matches!(event, Event::Meaningful { .. }) && accepted.outline.stream() {
            journal.first_token();
        }
        step = CIRCUITS.with_borrow_mut(|circuits| exchange.on(event, now(), circuits));
    }
}

async fn paused(invocation: &Invocation, milliseconds: u64) -> Event {
    #[expect(clippy::cast_precision_loss, reason = "at most an hour of milliseconds")]
    let left = resolved(glue::pause(&invocation.request, milliseconds as f64)).await;
    if left.is_ok_and(|left| left.is_truthy()) { Event::CallerLeft } else { Event::Paused }
}

/// A target that can be called.
struct Prepared {
    provider: String,
    model: String,
    /// `None` for a demo model.
    outbound: Option<Outbound>,
}

/// Who serves a target, and what is sent there; an error where it cannot be called.
fn prepared(invocation: &Invocation, accepted: &Accepted, name: &str) -> Result<Prepared, Error> {
    let Accepted { outline, gateway, direct, .. } = accepted;
    // A variant's model is `provider/model`; a caller may name one that a downstream lists.
    let listed = gateway.by_listed_model(name).filter(|_| *direct || !name.contains('/'));
    if listed.is_none()
        && let Some(model) = name.strip_prefix(DEMO).and_then(|rest| rest.strip_prefix('/'))
    {
        if !settings(&invocation.env).demo {
            return Err(unserved(demo::off(model), *direct));
        }
        return Ok(Prepared { provider: DEMO.to_owned(), model: model.to_owned(), outbound: None });
    }
    let target: Target<'_> =
        listed.map_or_else(|| gateway.target(name), Ok).map_err(|error| unserved(error, *direct))?;
    let forwarded: Vec<(&str, &str)> =
        invocation.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sending = Sending {
        dialect: Dialect::OpenAi,
        operation: Operation::Generate,
        forwarded: &forwarded,
        usage_as_asked: accepted.usage == UsageMode::AsAsked,
        direct: *direct && name == outline.model(),
    };
    let outbound = outbound(outline, &target, &sending, None, &|name| setting(&invocation.env, name))?;
    Ok(Prepared {
        provider: target.downstream.id.clone(),
        model: target.model.to_owned(),
        outbound: Some(outbound),
    })
}

impl Prepared {
    /// Sends it. Also says whether we ask for a usage chunk that the caller is not to see.
    fn send(
        &self,
        invocation: &Invocation,
        accepted: &Accepted,
        allowance: &Allowance,
    ) -> (worker::js_sys::Promise, bool) {
        let outline = &accepted.outline;
        match &self.outbound {
            Some(outbound) => (
                upstream::send(invocation, outline.stream(), allowance, &accepted.raw, outbound),
                outbound.asked_usage,
            ),
            None => {
                // As of any downstream: usage that the caller did not ask for is asked for, and withheld.
                let asked_usage =
                    outline.stream() && !outline.asks_usage() && accepted.usage == UsageMode::Always;
                (demo::answer(invocation, &accepted.raw, allowance, &self.model, asked_usage), asked_usage)
            }
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
            journal.content_type("application/json");
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
