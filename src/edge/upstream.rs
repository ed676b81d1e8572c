//! One attempt on the wire: it is sent, and its answer is read as far as it takes to know whether it is one.
//!
//! In scope: what came, as [`Event`]s for the exchange, and the answer as far as it was read. Out of scope: what is done
//! about it (`exchange`), the rest of a stream once it is committed ([`super::stream`]).

use std::rc::Rc;

use worker::js_sys::{Array, Error as JsError, Promise, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::web_sys::{ReadableStream, Response};

use super::glue::{self, Pump, Tap};
use super::invocation::{Invocation, now, pairs, resolved};
use crate::dialect::answer::Failure;
use crate::dialect::{Dialect, ReplyTo, translate};
use crate::error::Error;
use crate::exchange::patience::asked_pause;
use crate::exchange::{Event, Shown};
use crate::outbound::{self, Outbound};
use crate::plugin::{self, Rewriter};
use crate::relay::{First, Observed, Observer, Said, UsageFilter, error_ending};
use crate::sse::MAX_EVENT_BYTES;
use crate::usage::Usage;

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

/// How an answer is read, and brought to the caller.
pub(super) enum Manner {
    /// Caller and downstream speak the same: bytes pass as they are, less a usage chunk where we asked for it.
    AsItIs { dialect: Dialect, asked_usage: bool },
    /// The downstream speaks `from`, the caller `to`.
    Translated { from: Dialect, to: Dialect, reply: Rc<ReplyTo> },
}

impl Manner {
    /// What the downstream speaks.
    pub(super) fn spoken(&self) -> Dialect {
        match self {
            Manner::AsItIs { dialect, .. } => *dialect,
            Manner::Translated { from, .. } => *from,
        }
    }
}

/// A stream on its way.
pub(super) enum Stream {
    /// Moved by workerd; our branch of it is read along.
    Native(Tap, Box<Observer>),
    /// Moved by us, and what of it is held until it is committed.
    Changed(Pump, Change, Vec<u8>),
}

/// What plugins do to an answer, in the dialect that the downstream speaks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plugins {
    /// The model's thoughts are taken out, before anything reads it.
    pub(super) hides_thoughts: bool,
    /// Counts that are missing are filled in, once it was read: what is recorded is what was said.
    pub(super) fixes_usage: bool,
}

/// What becomes of a stream that passes through our hands.
pub(super) struct Change {
    before: Option<Box<Rewriter>>,
    what: What,
    after: Option<Box<Rewriter>>,
}

enum What {
    /// Nothing but what plugins do.
    Observed(Dialect, Box<Observer>),
    /// A usage chunk is withheld, and nothing else.
    Usage(Dialect, Box<UsageFilter>),
    Translation(Box<translate::Stream>),
}

/// As much of a stream is held for its first meaningful event: what says nothing for longer is let pass. An event of this
/// size is not read, and may be the one.
const MOST_HELD: usize = MAX_EVENT_BYTES;

/// Sends a call and reads its answer up to its head, or whole where it is no stream. `reveals` says whether bytes show the
/// credential that was sent.
pub(super) async fn received(
    invocation: &Invocation,
    sent: Promise,
    (manner, plugins): (&Manner, Plugins),
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
        let stream = opened(invocation, &upstream, &patience, (manner, plugins));
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
    let copy = bytes.as_ref().map(Uint8Array::to_vec);
    let (event, observed) = judged(manner.spoken(), status, copy.as_deref(), &headers, reveals);
    let is_answer = matches!(event, Event::Meaningful { .. } | Event::Empty { .. });
    let edited = copy.as_deref().filter(|_| is_answer).and_then(|copy| plugins.edited(manner.spoken(), copy));
    let bytes = edited.as_deref().map(Uint8Array::from).or(bytes);
    let (event, bytes) = match (manner, edited.or(copy)) {
        (Manner::Translated { from, to, reply }, Some(copy)) => {
            translated(event, (*from, *to), status, &copy, reply)
        }
        _ => (event, bytes),
    };
    (event, Some(Answer { upstream, status, body: Body::Whole(bytes, observed) }))
}

fn opened(
    invocation: &Invocation,
    upstream: &Response,
    patience: &JsValue,
    (manner, plugins): (&Manner, Plugins),
) -> Result<Stream, JsValue> {
    let what = match manner {
        Manner::AsItIs { dialect, asked_usage: false } if plugins.are_none() => {
            let tap = glue::open_tap(&invocation.request, upstream, patience)?;
            return Ok(Stream::Native(tap, Box::new(Observer::new(*dialect))));
        }
        Manner::AsItIs { dialect, asked_usage: false } => {
            What::Observed(*dialect, Box::new(Observer::new(*dialect)))
        }
        Manner::AsItIs { dialect, asked_usage: true } => {
            What::Usage(*dialect, Box::new(UsageFilter::new(*dialect)))
        }
        Manner::Translated { from, to, reply } => {
            What::Translation(Box::new(translate::Stream::new(*from, *to, reply.clone())))
        }
    };
    let spoken = manner.spoken();
    let before = plugins.hides_thoughts.then(|| Box::new(Rewriter::without_thoughts(spoken)));
    let after = plugins.fixes_usage.then(|| Box::new(Rewriter::with_usage()));
    let change = Change { before, what, after };
    let pump = glue::open_pump(&invocation.request, upstream, patience)?;
    Ok(Stream::Changed(pump, change, Vec::new()))
}

/// A whole answer, or an error, in the caller's dialect. What the downstream's own does not allow is no answer.
fn translated(
    event: Event,
    (from, to): (Dialect, Dialect),
    status: u16,
    bytes: &[u8],
    reply: &ReplyTo,
) -> (Event, Option<Uint8Array>) {
    match event {
        Event::Meaningful { .. } | Event::Empty { .. } => match translate::answer(from, to, bytes, reply) {
            Ok(translated) => (event, Some(Uint8Array::from(translated.as_slice()))),
            Err(_) => (Event::Broke { status }, None),
        },
        Event::Failed(_) => {
            let (_, body) = translate::error(from, to, status, bytes);
            (event, Some(Uint8Array::from(body.as_bytes())))
        }
        _ => (event, None),
    }
}

/// Judges an answer that is there whole.
fn judged(
    dialect: Dialect,
    status: u16,
    bytes: Option<&[u8]>,
    headers: &[(String, String)],
    reveals: impl Fn(&[u8]) -> bool,
) -> (Event, Observed) {
    let read = bytes.map(|bytes| Observer::judge(dialect, bytes));
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
        reveals: bytes.is_some_and(reveals),
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
        if let (Event::Failed(_), Some((_, json))) = (&event, stream.error()) {
            let observed = stream.observed();
            self.abandon();
            self.body = Body::Error(json, observed);
        } else if !matches!(event, Event::Meaningful { .. } | Event::Empty { .. }) {
            self.abandon();
        }
        event
    }

    /// Whether it is a stream whose first meaningful event was seen.
    pub(super) fn has_begun(&self) -> bool {
        matches!(&self.body, Body::Stream(stream) if stream.has_begun())
    }

    /// Lets go of it, and of the upstream with it.
    pub(super) fn abandon(&self) {
        let Body::Stream(stream) = &self.body else { return };
        match &**stream {
            Stream::Native(tap, _) => tap.abandon(),
            Stream::Changed(pump, ..) => pump.abandon(),
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
            read += block.as_ref().map_or(0, Vec::len);
            let is_sound = self.push(block.as_deref());
            if let Some((word, json)) = self.error() {
                let reveals = reveals(&json);
                return Event::Failed(Shown { status, word, reveals, pause_ms: None });
            }
            if self.has_begun() {
                return Event::Meaningful { status };
            }
            match block {
                _ if !is_sound => return Event::Broke { status },
                None if self.observed().done => return Event::Empty { status },
                None => return Event::Broke { status },
                Some(_) if read > MOST_HELD => return Event::Meaningful { status },
                Some(_) => {}
            }
        }
    }

    fn next(&self) -> Promise {
        match self {
            Stream::Native(tap, _) => tap.next(),
            Stream::Changed(pump, ..) => pump.next(),
        }
    }

    /// Takes the next bytes, or the end; says whether they are of the downstream's dialect, where that is looked at.
    fn push(&mut self, bytes: Option<&[u8]>) -> bool {
        match (self, bytes) {
            (Stream::Native(_, observer), Some(bytes)) => observer.push(bytes),
            (Stream::Native(_, observer), None) => observer.end(),
            (Stream::Changed(_, change, held), Some(bytes)) => return change.push(bytes, held),
            (Stream::Changed(_, change, held), None) => change.end(held),
        }
        true
    }

    fn has_begun(&self) -> bool {
        match self {
            Stream::Native(_, observer) => observer.first() == Some(&First::Meaningful),
            Stream::Changed(_, change, _) => change.has_begun(),
        }
    }

    /// The word and the body of an error that came first.
    fn error(&self) -> Option<(Option<String>, Vec<u8>)> {
        let first = match self {
            Stream::Native(_, observer) => observer.first(),
            Stream::Changed(_, change, _) => match &change.what {
                What::Observed(_, observer) => observer.first(),
                What::Usage(_, filter) => filter.first(),
                What::Translation(stream) => {
                    let failed = stream.failed().filter(|_| !stream.has_begun())?;
                    return Some((failed.kind, failed.body.into_bytes()));
                }
            },
        };
        let Some(First::Error { kind, json }) = first else { return None };
        Some((Some(kind.clone()), json.clone()))
    }

    fn observed(&self) -> Observed {
        match self {
            Stream::Native(_, observer) => observer.observed().clone(),
            Stream::Changed(_, change, _) => change.observed(),
        }
    }

    /// Commits it: what the caller is to read.
    pub(super) fn commit(&self) -> ReadableStream {
        match self {
            Stream::Native(tap, _) => tap.commit(),
            Stream::Changed(pump, ..) => pump.commit(),
        }
    }
}

impl Plugins {
    fn are_none(self) -> bool {
        !self.hides_thoughts && !self.fixes_usage
    }

    /// A whole answer as it is to be; `None` where it stays as it is.
    fn edited(self, spoken: Dialect, body: &[u8]) -> Option<Vec<u8>> {
        if self.are_none() {
            return None;
        }
        let body = std::str::from_utf8(body).ok()?;
        let bare = if self.hides_thoughts { plugin::without_thoughts(spoken, body) } else { None };
        let filled =
            if self.fixes_usage { plugin::with_usage(bare.as_deref().unwrap_or(body)) } else { None };
        filled.or(bare).map(String::into_bytes)
    }
}

impl Change {
    /// Takes the next bytes and appends what the caller gets of them. Says whether more may come.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        let bare = self.before.as_mut().map(|before| {
            let mut bare = Vec::new();
            before.push(bytes, &mut bare);
            bare
        });
        self.read(bare.as_deref().unwrap_or(bytes), out)
    }

    /// Takes the end, and appends what was still held.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(before) = &mut self.before {
            let mut bare = Vec::new();
            before.finish(&mut bare);
            self.read(&bare, out);
        }
        match &mut self.what {
            What::Observed(_, observer) => observer.end(),
            What::Usage(_, filter) => filter.end(out),
            // Whether it had come to its end is seen by `observed`.
            What::Translation(stream) => drop(stream.finish(out)),
        }
        if let Some(after) = &mut self.after {
            after.finish(out);
        }
    }

    fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        match &mut self.what {
            What::Observed(_, observer) => {
                observer.push(bytes);
                match &mut self.after {
                    Some(after) => after.push(bytes, out),
                    None => out.extend_from_slice(bytes),
                }
                true
            }
            What::Usage(_, filter) => {
                filter.push(bytes, out);
                true
            }
            What::Translation(stream) => stream.push(bytes, out).is_ok(),
        }
    }

    /// Appends an error, in the caller's dialect, after what was said.
    pub(super) fn ending(&mut self, error: &Error, out: &mut Vec<u8>) {
        match &mut self.what {
            // What a plugin left out may have been all that was between: a blank line more does no harm.
            What::Observed(dialect, _) => out.extend(error_ending(*dialect, false, error)),
            What::Usage(dialect, filter) => {
                out.extend(error_ending(*dialect, filter.between_events(), error));
            }
            What::Translation(stream) => stream.ending(&Failure::from(error), out),
        }
    }

    /// Whether chunks that need no look may go around.
    pub(super) fn is_unwatched(&self) -> bool {
        match &self.what {
            What::Usage(_, filter) if self.before.is_none() => filter.holds_nothing() && self.has_begun(),
            _ => false,
        }
    }

    fn has_begun(&self) -> bool {
        match &self.what {
            What::Observed(_, observer) => observer.first() == Some(&First::Meaningful),
            What::Usage(_, filter) => filter.first() == Some(&First::Meaningful),
            What::Translation(stream) => stream.has_begun(),
        }
    }

    /// What was seen until now.
    pub(super) fn observed(&self) -> Observed {
        match &self.what {
            What::Observed(_, observer) => observer.observed().clone(),
            What::Usage(_, filter) => filter.observed().clone(),
            What::Translation(stream) => Observed {
                usage: Some(stream.usage()).filter(|usage| *usage != Usage::default()),
                model: stream.model().map(str::to_owned),
                meaningful: stream.has_begun(),
                done: stream.is_done(),
                terminated: stream.is_done(),
                finish_reason: stream.stop().map(str::to_owned),
                error: stream.failed().map(|failed| failed.kind.unwrap_or_else(|| "error".to_owned())),
            },
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
    let own = outbound.headers.iter().map(|(name, value)| (*name, value));
    // Of two of a name the later holds.
    for (name, value) in own.chain(outbound.added.iter().map(|(name, value)| (name.as_str(), value))) {
        if !headers.is_empty() {
            headers.push('\n');
        }
        headers.push_str(name);
        headers.push('\n');
        headers.push_str(value);
    }
    let (splices, own) = match &outbound.body {
        outbound::Body::Spliced(splices) => (splices.as_slice(), None),
        outbound::Body::Own(body) => (&[][..], Some(Uint8Array::from(body.as_slice()))),
    };
    let mut ranges = Vec::with_capacity(splices.len() * 3);
    let mut replacements = Vec::new();
    for splice in splices {
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
        own.as_ref().unwrap_or(raw),
        &ranges,
        &replacements,
    )
}
