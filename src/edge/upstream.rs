//! One attempt on the wire: it is sent, and its answer is read as far as it takes to know whether it is one.
//!
//! In scope: what came, as [`Event`]s for the exchange, and the answer as far as it was read. Out of scope: what is done
//! about it (`exchange`), the rest of a stream once it is committed ([`super::stream`]).

use worker::js_sys::{Array, Error as JsError, Promise, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::web_sys::{ReadableStream, Response};

use super::glue::{self, Pump, Tap};
use super::invocation::{Invocation, now, pairs, resolved};
use crate::dialect::Dialect;
use crate::exchange::patience::asked_pause;
use crate::exchange::{Event, Shown};
use crate::outbound::Outbound;
use crate::relay::{First, Observed, Observer, Said, UsageFilter};

/// The dialect of every downstream so far.
const DIALECT: Dialect = Dialect::OpenAi;

/// What one attempt gets to work with.
pub(super) struct Allowance {
    pub(super) budget_ms: u64,
    pub(super) may_outlive: bool,
}

/// An upstream's answer, as far as it was read.
pub(super) struct Answer {
    pub(super) upstream: Response,
    pub(super) status: u16,
    pub(super) body: Body,
}

/// What an answer has to say.
pub(super) enum Body {
    /// The bytes; `None` where an error's could not be had.
    Whole(Option<Uint8Array>, Observed),
    /// The JSON of an error inside a 200.
    Error(Vec<u8>, Observed),
    Stream(Box<Stream>),
}

/// A stream on its way.
pub(super) enum Stream {
    /// Moved by workerd; our branch of it is read along.
    Native(Tap, Observer),
    /// Moved by us through the usage filter, and what of it is held until it is committed.
    Filtered(Pump, UsageFilter, Vec<u8>),
}

/// As much of a stream is held for its first meaningful event: what says nothing for longer is let pass.
const MOST_HELD: usize = 8 << 20;

/// Sends a call and reads its answer up to its head, or whole where it is no stream. `reveals` says whether bytes show the
/// credential that was sent.
pub(super) async fn received(
    invocation: &Invocation,
    sent: Promise,
    asked_usage: bool,
    reveals: impl Fn(&[u8]) -> bool,
) -> (Event, Option<Answer>) {
    let parts = match resolved(sent).await {
        Ok(parts) => Array::from(&parts),
        Err(reason) => return (unanswered(&reason), None),
    };
    let upstream: Response = parts.get(0).unchecked_into();
    let summary = parts.get(1).as_string().unwrap_or_default();
    let mut lines = summary.split('\n');
    let status = lines.next().and_then(|status| status.parse().ok()).unwrap_or(502);
    let body = parts.get(2);
    if body.is_undefined() {
        let patience = parts.get(3);
        let stream = if asked_usage {
            glue::open_pump(&invocation.request, &upstream, &patience)
                .map(|pump| Stream::Filtered(pump, UsageFilter::new(DIALECT), Vec::new()))
        } else {
            glue::open_tap(&invocation.request, &upstream, &patience)
                .map(|tap| Stream::Native(tap, Observer::new(DIALECT)))
        };
        return match stream {
            Ok(stream) => (
                Event::Head { status },
                Some(Answer { upstream, status, body: Body::Stream(Box::new(stream)) }),
            ),
            Err(_) => (Event::Broke { status }, None),
        };
    }
    let headers = pairs(&mut lines.skip(1));
    let bytes = body.dyn_into::<Uint8Array>().ok();
    let (event, observed) = judged(status, bytes.as_ref(), &headers, reveals);
    (event, Some(Answer { upstream, status, body: Body::Whole(bytes, observed) }))
}

/// Judges an answer that is there whole.
fn judged(
    status: u16,
    bytes: Option<&Uint8Array>,
    headers: &[(String, String)],
    reveals: impl Fn(&[u8]) -> bool,
) -> (Event, Observed) {
    let copy = bytes.map(Uint8Array::to_vec);
    let read = copy.as_deref().map(|bytes| Observer::judge(DIALECT, bytes));
    let (observed, said) = read.unwrap_or((Observed::default(), Said::Garbage));
    let is_success = (200..300).contains(&status);
    if is_success && observed.error.is_none() {
        let event = match said {
            Said::Something => Event::Meaningful { status },
            Said::Nothing => Event::Empty { status },
            Said::Error | Said::Garbage => Event::Broke { status },
        };
        return (event, observed);
    }
    let header = |name: &str| headers.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str());
    let shown = Shown {
        status,
        word: observed.error.clone(),
        reveals: copy.as_deref().is_some_and(reveals),
        pause_ms: asked_pause(header, now()),
    };
    (Event::Failed(shown), observed)
}

/// Why there is no answer.
fn unanswered(reason: &JsValue) -> Event {
    match reason.as_string().as_deref() {
        Some("left") => Event::CallerLeft,
        Some("timeout") => Event::TimedOut,
        _ => {
            // workerd's words for a connection that broke; it has the same for one that was refused.
            let message = reason.dyn_ref::<JsError>().map(|error| String::from(error.message()));
            Event::Unreachable { reset: message.is_some_and(|message| message.contains("connection lost")) }
        }
    }
}

impl Answer {
    /// Reads a stream until it is known whether it says anything.
    pub(super) async fn first(&mut self, reveals: impl Fn(&[u8]) -> bool) -> Event {
        let status = self.status;
        let Body::Stream(stream) = &mut self.body else { return Event::Broke { status } };
        let event = stream.first(status, reveals).await;
        if let (Event::Failed(_), Some((json, observed))) = (&event, stream.error()) {
            self.abandon();
            self.body = Body::Error(json, observed);
        } else if !matches!(event, Event::Meaningful { .. } | Event::Empty { .. }) {
            self.abandon();
        }
        event
    }

    /// Lets go of it, and of the upstream with it.
    pub(super) fn abandon(&self) {
        let Body::Stream(stream) = &self.body else { return };
        match &**stream {
            Stream::Native(tap, _) => tap.abandon(),
            Stream::Filtered(pump, ..) => pump.abandon(),
        }
    }
}

impl Stream {
    async fn first(&mut self, status: u16, reveals: impl Fn(&[u8]) -> bool) -> Event {
        let mut read = 0;
        loop {
            let block = match resolved(self.next()).await {
                Ok(block) => block,
                Err(reason) => {
                    return match unanswered(&reason) {
                        Event::Unreachable { .. } => Event::Broke { status },
                        event => event,
                    };
                }
            };
            let block = block.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec);
            let is_end = block.is_none();
            read += block.as_ref().map_or(0, Vec::len);
            self.push(block.as_deref());
            match self.seen() {
                Some(First::Meaningful) => return Event::Meaningful { status },
                Some(First::Error { kind, json }) => {
                    let word = Some(kind.clone());
                    return Event::Failed(Shown { status, word, reveals: reveals(json), pause_ms: None });
                }
                None if is_end && self.observed().done => return Event::Empty { status },
                None if is_end => return Event::Broke { status },
                None if read > MOST_HELD => return Event::Meaningful { status },
                None => {}
            }
        }
    }

    fn next(&self) -> Promise {
        match self {
            Stream::Native(tap, _) => tap.next(),
            Stream::Filtered(pump, ..) => pump.next(),
        }
    }

    /// Takes the next bytes, or the end.
    fn push(&mut self, bytes: Option<&[u8]>) {
        match (self, bytes) {
            (Stream::Native(_, observer), Some(bytes)) => observer.push(bytes),
            (Stream::Native(_, observer), None) => observer.end(),
            (Stream::Filtered(_, filter, held), Some(bytes)) => filter.push(bytes, held),
            (Stream::Filtered(_, filter, held), None) => filter.end(held),
        }
    }

    /// The first event of note, once it was seen.
    fn seen(&self) -> Option<&First> {
        match self {
            Stream::Native(_, observer) => observer.first(),
            Stream::Filtered(_, filter, _) => filter.first(),
        }
    }

    fn observed(&self) -> &Observed {
        match self {
            Stream::Native(_, observer) => observer.observed(),
            Stream::Filtered(_, filter, _) => filter.observed(),
        }
    }

    /// The error that came first, where it did.
    fn error(&self) -> Option<(Vec<u8>, Observed)> {
        let Some(First::Error { json, .. }) = self.seen() else { return None };
        Some((json.clone(), self.observed().clone()))
    }

    /// Commits it: what the caller is to read.
    pub(super) fn commit(&self) -> ReadableStream {
        match self {
            Stream::Native(tap, _) => tap.commit(),
            Stream::Filtered(pump, ..) => pump.commit(),
        }
    }
}

/// Sends a call.
pub(super) fn send(
    invocation: &Invocation,
    streamed: bool,
    allowance: &Allowance,
    raw: &Uint8Array,
    outbound: &Outbound,
) -> Promise {
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
    #[expect(clippy::cast_precision_loss, reason = "at most an hour of milliseconds")]
    glue::exchange(
        &invocation.request,
        streamed,
        allowance.budget_ms as f64,
        allowance.may_outlive,
        &outbound.url,
        &headers,
        raw,
        &ranges,
        &replacements,
    )
}
