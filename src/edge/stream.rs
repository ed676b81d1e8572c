//! A committed stream on its way to the caller.
//!
//! It is moved by workerd itself, and another branch of it is read now and then ([`watch`]): no code of ours runs per chunk.
//! Only where it is translated, or we asked for a usage chunk that the caller is not to see, do chunks pass through our hands ([`changed`]).
//! Where it breaks, or ends without having come to its end, the caller gets an error in the form that its dialect has
//! for errors in a stream, after the bytes that came.

use std::cell::RefCell;
use std::rc::Rc;

use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::prelude::Closure;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::web_sys::Response;

use super::exchange::unusable;
use super::glue::{self, Pump, Tap};
use super::invocation::{Invocation, resolved};
use super::journal::Journal;
use super::upstream::{Change, Stream};
use crate::error::{Error, ErrorKind};
use crate::exchange::Relay;
use crate::record::Outcome;
use crate::relay::{Observed, Observer, error_ending};

/// Hands a stream to the caller, and its record to whoever sees its end.
pub(super) fn committed(
    invocation: &Rc<Invocation>,
    journal: Journal,
    upstream: &Response,
    relay: &Relay,
    stream: Stream,
) -> Response {
    let Ok(answer) = glue::pass(upstream, relay.status, &journal.headers(), &stream.commit()) else {
        return unusable(journal, Outcome::Unreachable);
    };
    let begun = Begun { journal, outcome: relay.outcome, status: relay.status };
    match stream {
        Stream::Native(tap, observer) => invocation.background(watch(tap, *observer, begun)),
        Stream::Changed(pump, change, held) => invocation.background(changed(pump, change, held, begun)),
    }
    answer
}

/// The record of a stream that is on its way.
struct Begun {
    journal: Journal,
    /// What it comes to if it ends well.
    outcome: Outcome,
    status: u16,
}

/// How long our branch of a stream is left alone once it is committed: this long at first, then twice as long each time, up
/// to the longest. Its end wakes us at once, and a branch that fills quickly is read without a pause; the wait only bounds
/// what piles up before that is known.
const FIRST_WAIT_MS: u32 = 125;
const LONGEST_WAIT_MS: u32 = 1_000;
/// A branch that is ahead of a slow caller lies in memory: after this many bytes ours is let go, and usage stays unknown.
const MOST_BYTES: usize = 8 << 20;

/// Reads our branch of a stream that workerd moves, now and then, and ends it for the caller.
async fn watch(tap: Tap, mut observer: Observer, begun: Begun) {
    let mut read = 0;
    let mut wait = FIRST_WAIT_MS;
    while read <= MOST_BYTES {
        let block = resolved(tap.later(wait)).await;
        wait = (wait * 2).min(LONGEST_WAIT_MS);
        let Some(block) = block.ok().and_then(|block| block.dyn_into::<Uint8Array>().ok()) else { break };
        observer.push(&block.to_vec());
        read += block.length() as usize;
    }
    let unseen = read > MOST_BYTES;
    if unseen {
        tap.cancel();
    }
    let _ = resolved(tap.ended()).await;
    let between_events = !unseen && observer.between_events();
    let observed = observer.finish();
    let outcome = outcome(tap.outcome(), &observed, unseen);
    // Where our branch was let go, nobody knows whether an event is in progress: a blank line more does no harm.
    let ending = if outcome == Outcome::Cut {
        error_ending(begun.journal.dialect(), between_events, &broke_off())
    } else {
        Vec::new()
    };
    let _ = resolved(tap.close(&bytes(&ending))).await;
    close(begun, observed, outcome);
}

/// Moves a stream that is not to pass as it is, after what of it was held.
async fn changed(pump: Pump, change: Change, held: Vec<u8>, begun: Begun) {
    let pump = Rc::new(pump);
    let shared = Rc::new(RefCell::new(change));
    let feed = {
        let (pump, shared) = (pump.clone(), shared.clone());
        Closure::<dyn FnMut(JsValue) -> JsValue>::new(move |chunk: JsValue| {
            let change = &mut *shared.borrow_mut();
            let mut out = Vec::new();
            let Some(input) = chunk.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec) else {
                change.end(&mut out);
                let ended = if chunk.is_null() { 2 } else { 0 };
                if outcome(Some(ended), &change.observed(), false) == Outcome::Cut {
                    change.ending(&broke_off(), &mut out);
                }
                return bytes(&out);
            };
            if !change.push(&input, &mut out) {
                // It is none of its dialect any more: nothing that comes after this can be understood.
                change.ending(&broke_off(), &mut out);
                pump.set_over(true);
            }
            pump.set_unwatched(change.is_unwatched());
            if out == input { chunk } else { bytes(&out) }
        })
    };
    let ended = resolved(pump.run(&bytes(&held), &feed)).await.ok();
    drop(feed);
    let Some(change) = Rc::into_inner(shared) else { return };
    let mut change = change.into_inner();
    // Where the stream did not come to its end, what was seen until then counts.
    change.end(&mut Vec::new());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0, 1 or 2")]
    let ended = ended.and_then(|ended| ended.as_f64()).map(|ended| ended as u32);
    let observed = change.observed();
    let outcome = outcome(ended, &observed, false);
    close(begun, observed, outcome);
}

fn bytes(out: &[u8]) -> JsValue {
    if out.is_empty() { JsValue::UNDEFINED } else { Uint8Array::from(out).into() }
}

/// What a caller is told in a stream that broke.
fn broke_off() -> Error {
    let message = "The downstream's answer broke off here; what came before this is all that there is of it.";
    Error::new(ErrorKind::UpstreamUnreachable, message)
}

/// How a stream ended. `ended` is what `upstream.js` says of it; `unseen` where nothing can tell whether it was complete. A
/// caller who left once all was there has had its answer.
fn outcome(ended: Option<u32>, observed: &Observed, unseen: bool) -> Outcome {
    match ended {
        Some(_) if observed.error.is_some() => Outcome::InBandError,
        Some(0 | 1) if observed.done => Outcome::Ok,
        Some(_) if observed.terminated => Outcome::Ok,
        Some(0) if unseen => Outcome::Ok,
        Some(1) => Outcome::ClientCancelled,
        _ => Outcome::Cut,
    }
}

/// Writes the record of a stream that is over.
fn close(begun: Begun, observed: Observed, outcome: Outcome) {
    let Begun { mut journal, outcome: well, status } = begun;
    journal.observed(observed);
    journal.write(if outcome == Outcome::Ok { well } else { outcome }, Some(status));
}
