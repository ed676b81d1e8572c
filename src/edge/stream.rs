//! An upstream's answer on its way to the caller.
//!
//! A body that is no stream is read whole. A stream is moved by workerd itself, and another branch of it is read now and
//! then ([`watch`]): no code of ours runs per chunk. Only where we asked for a usage chunk that the caller is not to see do
//! chunks pass through our hands ([`filter`]).

use std::cell::RefCell;
use std::rc::Rc;

use worker::js_sys::{Array, Uint8Array};
use worker::wasm_bindgen::prelude::Closure;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::web_sys::Response;

use super::call::answered;
use super::glue::{self, Pump, Tap};
use super::invocation::{Invocation, resolved};
use super::journal::Journal;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::record::Outcome;
use crate::relay::{First, Observed, Observer, UsageFilter};

/// Hands an upstream's answer to the caller, and its record to whoever sees its end. `answer` is what `exchange` in
/// `glue.js` resolves to.
pub(super) fn relayed(
    invocation: &Rc<Invocation>,
    mut journal: Journal,
    answer: JsValue,
    asked_usage: bool,
) -> Response {
    let answer = Array::from(&answer);
    let upstream: Response = answer.get(0).unchecked_into();
    let summary = answer.get(1).as_string().unwrap_or_default();
    let (status, _content_type) = summary.split_once('\n').unwrap_or((&summary, ""));
    let status = status.parse().unwrap_or(502);
    if matches!(status, 401 | 403) {
        // Theirs may show part of the key (law 8).
        journal.attempt_ends(Some(status), Outcome::UpstreamError);
        let message = format!("The downstream refused our credential with status {status}; check its key.");
        return answered(
            journal,
            &Error::new(ErrorKind::UpstreamCredentials, message),
            Outcome::UpstreamError,
        );
    }
    let body = answer.get(2);
    if !body.is_undefined() {
        return whole(journal, &upstream, &body, status);
    }
    journal.attempt_ends(Some(status), Outcome::Ok);
    let headers = journal.headers();
    if asked_usage {
        let pump = glue::open_pump(&invocation.request, &upstream);
        let answer = glue::pass(&upstream, &headers, &pump.readable());
        invocation.background(filter(pump, journal, status));
        answer
    } else {
        let tap = glue::open_tap(&invocation.request, &upstream);
        let answer = glue::pass(&upstream, &headers, &tap.readable());
        invocation.background(watch(tap, journal, status));
        answer
    }
}

/// An answer that is no stream: recorded, and passed on as it is.
fn whole(mut journal: Journal, upstream: &Response, body: &JsValue, status: u16) -> Response {
    let Some(bytes) = body.dyn_ref::<Uint8Array>() else {
        journal.attempt_ends(Some(status), Outcome::Cut);
        let message = "The downstream's answer broke off before its end.";
        return answered(journal, &Error::new(ErrorKind::UpstreamUnreachable, message), Outcome::Cut);
    };
    let observed = Observer::whole(Dialect::OpenAi, &bytes.to_vec());
    let outcome = match status {
        200..300 if observed.error.is_some() => Outcome::InBandError,
        200..300 => Outcome::Ok,
        _ => Outcome::UpstreamError,
    };
    journal.attempt_ends(Some(status), outcome);
    journal.observed(observed);
    let answer = glue::pass(upstream, &journal.headers(), body);
    journal.write(outcome, Some(status));
    answer
}

/// How often our branch of a stream is read once the first token was seen. Its end wakes us at once; this only bounds what
/// lies in memory meanwhile, which at the speed of models is some KiB.
const POLL_MS: u32 = 1_000;
/// A branch that is ahead of a slow caller lies in memory: after this many bytes ours is let go, and usage stays unknown.
const MOST_BYTES: usize = 8 << 20;

/// Reads our branch of a stream that workerd moves: at once until the first token, then now and then.
async fn watch(tap: Tap, mut journal: Journal, status: u16) {
    let mut observer = Observer::new(Dialect::OpenAi);
    let mut read = 0;
    while read <= MOST_BYTES {
        let first_was_seen = observer.first().is_some();
        let block = resolved(if first_was_seen { tap.later(POLL_MS) } else { tap.read() }).await;
        let Ok(block) = block else { break };
        let Some(block) = block.dyn_ref::<Uint8Array>() else { break };
        observer.push(&block.to_vec());
        read += block.length() as usize;
        if !first_was_seen && observer.first() == Some(&First::Meaningful) {
            journal.first_token();
        }
    }
    if read > MOST_BYTES {
        tap.cancel();
    }
    let _ = resolved(tap.ended()).await;
    close(journal, observer.finish(), tap.outcome(), status, read > MOST_BYTES);
}

/// Moves a stream through the usage filter.
async fn filter(pump: Pump, journal: Journal, status: u16) {
    let pump = Rc::new(pump);
    let state =
        Rc::new(RefCell::new((Some(UsageFilter::new(Dialect::OpenAi)), journal, Observed::default())));
    let feed = {
        let (pump, state) = (pump.clone(), state.clone());
        Closure::<dyn FnMut(JsValue) -> JsValue>::new(move |chunk: JsValue| {
            let (filter, journal, observed) = &mut *state.borrow_mut();
            let mut out = Vec::new();
            let Some(chunk) = chunk.dyn_ref::<Uint8Array>() else {
                if let Some(filter) = filter.take() {
                    *observed = filter.finish(&mut out);
                }
                return bytes(&out);
            };
            let Some(filter) = filter else { return JsValue::UNDEFINED };
            let first_was_seen = filter.first().is_some();
            let input = chunk.to_vec();
            filter.push(&input, &mut out);
            if !first_was_seen && filter.first() == Some(&First::Meaningful) {
                journal.first_token();
            }
            pump.set_unwatched(filter.holds_nothing() && filter.first() == Some(&First::Meaningful));
            if out == input { chunk.into() } else { bytes(&out) }
        })
    };
    let ended = resolved(pump.run(&feed)).await.ok();
    drop(feed);
    let Some(state) = Rc::into_inner(state) else { return };
    let (filter, journal, mut observed) = state.into_inner();
    if let Some(filter) = filter {
        // The stream did not come to its end; what was seen until then counts.
        observed = filter.finish(&mut Vec::new());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0, 1 or 2")]
    let ended = ended.and_then(|ended| ended.as_f64()).map(|ended| ended as u32);
    close(journal, observed, ended, status, false);
}

fn bytes(out: &[u8]) -> JsValue {
    if out.is_empty() { JsValue::UNDEFINED } else { Uint8Array::from(out).into() }
}

/// Writes the record of a stream that is over. `ended` is what `glue.js` says of its end.
fn close(mut journal: Journal, observed: Observed, ended: Option<u32>, status: u16, unseen: bool) {
    let outcome = match ended {
        Some(1) => Outcome::ClientCancelled,
        Some(0) if observed.error.is_some() => Outcome::InBandError,
        Some(0) if observed.done || unseen => Outcome::Ok,
        _ => Outcome::Cut,
    };
    journal.observed(observed);
    journal.write(outcome, Some(status));
}
