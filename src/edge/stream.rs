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

/// An upstream's answer, as `exchange` in `glue.js` resolves to it.
pub(super) struct Answer {
    upstream: Response,
    status: u16,
    /// Whether it calls itself a stream of events.
    is_events: bool,
    /// `undefined` where it is a stream, `null` where it broke off, else its bytes.
    body: JsValue,
}

impl Answer {
    /// Takes apart what came over the border.
    pub(super) fn new(value: &JsValue) -> Answer {
        let parts = Array::from(value);
        let summary = parts.get(1).as_string().unwrap_or_default();
        let (status, content_type) = summary.split_once('\n').unwrap_or((&summary, ""));
        Answer {
            upstream: parts.get(0).unchecked_into(),
            status: status.parse().unwrap_or(502),
            is_events: content_type.trim_start().to_ascii_lowercase().starts_with("text/event-stream"),
            body: parts.get(2),
        }
    }
}

/// Hands an upstream's answer to the caller, and its record to whoever sees its end. `reveals` says whether bytes show the
/// credential that was sent.
pub(super) fn relayed(
    invocation: &Rc<Invocation>,
    mut journal: Journal,
    answer: &Answer,
    asked_usage: bool,
    reveals: impl Fn(&[u8]) -> bool,
) -> Response {
    let Answer { upstream, status, is_events, body } = answer;
    if (300..400).contains(status) {
        journal.attempt_ends(Some(*status), Outcome::UpstreamError);
        let message = format!(
            "The downstream answered with a redirect ({status}), which is not followed because it would carry the \
             credential elsewhere; set its base_url to where it really is."
        );
        let error = Error::new(ErrorKind::UpstreamUnreachable, message);
        return answered(journal, &error, Outcome::UpstreamError);
    }
    if !body.is_undefined() {
        return whole(journal, answer, reveals);
    }
    journal.attempt_ends(Some(*status), Outcome::Ok);
    let headers = journal.headers();
    let opened = if asked_usage && *is_events {
        glue::open_pump(&invocation.request, upstream).and_then(|pump| {
            let answer = glue::pass(upstream, &headers, &pump.readable())?;
            Ok((answer, Moved::ByUs(pump)))
        })
    } else {
        glue::open_tap(&invocation.request, upstream).and_then(|tap| {
            let answer = glue::pass(upstream, &headers, &tap.readable())?;
            Ok((answer, Moved::ByWorkerd(tap)))
        })
    };
    match opened {
        Ok((answer, Moved::ByUs(pump))) => {
            invocation.background(filter(pump, journal, *status));
            answer
        }
        Ok((answer, Moved::ByWorkerd(tap))) => {
            invocation.background(watch(tap, journal, *status, *is_events));
            answer
        }
        Err(_) => unusable(journal),
    }
}

/// Who moves a stream's chunks.
enum Moved {
    ByWorkerd(Tap),
    ByUs(Pump),
}

/// An answer that is no stream: recorded, and passed on as it is.
fn whole(mut journal: Journal, answer: &Answer, reveals: impl Fn(&[u8]) -> bool) -> Response {
    let status = answer.status;
    let Some(bytes) = answer.body.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec) else {
        journal.attempt_ends(Some(status), Outcome::Cut);
        let message = "The downstream's answer broke off before its end.";
        return answered(journal, &Error::new(ErrorKind::UpstreamUnreachable, message), Outcome::Cut);
    };
    let observed = Observer::whole(Dialect::OpenAi, &bytes);
    // A 401 is our credential's, and theirs may show part of it (law 8); so may any other error, one inside a 200 too.
    let is_error = status >= 400 || observed.error.is_some();
    if status == 401 || (is_error && reveals(&bytes)) {
        journal.attempt_ends(Some(status), Outcome::UpstreamError);
        let message = format!("The downstream refused our credential with status {status}; check its key.");
        let error = Error::new(ErrorKind::UpstreamCredentials, message);
        return answered(journal, &error, Outcome::UpstreamError);
    }
    let outcome = match status {
        200..300 if observed.error.is_some() => Outcome::InBandError,
        200..300 => Outcome::Ok,
        _ => Outcome::UpstreamError,
    };
    journal.attempt_ends(Some(status), outcome);
    journal.observed(observed);
    let Ok(response) = glue::pass(&answer.upstream, &journal.headers(), &answer.body) else {
        return unusable(journal);
    };
    journal.write(outcome, Some(status));
    response
}

/// An answer of which no response can be made.
fn unusable(journal: Journal) -> Response {
    let message = "The downstream's answer is no HTTP that can be passed on.";
    answered(journal, &Error::new(ErrorKind::UpstreamUnreachable, message), Outcome::Unreachable)
}

/// How long our branch of a stream is left alone once the first token was seen: this long at first, then twice as long
/// each time, up to the longest. Its end wakes us at once, and a branch that fills quickly is read without a pause; the wait
/// only bounds what piles up before that is known.
const FIRST_WAIT_MS: u32 = 125;
const LONGEST_WAIT_MS: u32 = 1_000;
/// A branch that is ahead of a slow caller lies in memory: after this many bytes ours is let go, and usage stays unknown.
const MOST_BYTES: usize = 8 << 20;

/// Reads our branch of a stream that workerd moves: at once until the first token, then now and then.
async fn watch(tap: Tap, mut journal: Journal, status: u16, is_events: bool) {
    let mut observer = Observer::new(Dialect::OpenAi);
    let mut read = 0;
    let mut wait = FIRST_WAIT_MS;
    while read <= MOST_BYTES {
        let first_was_seen = observer.first().is_some();
        let block = if first_was_seen || !is_events {
            let block = tap.later(wait);
            wait = (wait * 2).min(LONGEST_WAIT_MS);
            block
        } else {
            tap.read()
        };
        let Ok(block) = resolved(block).await else { break };
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
    close(journal, observer.finish(), tap.outcome(), status, read > MOST_BYTES || !is_events);
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

/// Writes the record of a stream that is over. `ended` is what `glue.js` says of its end; `unseen` where nothing can tell
/// whether it was complete. A caller who left once all was there has had its answer.
fn close(mut journal: Journal, observed: Observed, ended: Option<u32>, status: u16, unseen: bool) {
    let outcome = match ended {
        Some(0 | 1) if observed.error.is_some() => Outcome::InBandError,
        Some(0 | 1) if observed.done => Outcome::Ok,
        Some(0) if unseen => Outcome::Ok,
        Some(1) => Outcome::ClientCancelled,
        _ => Outcome::Cut,
    };
    journal.observed(observed);
    journal.write(outcome, Some(status));
}
