//! From one dialect into another, by name.
//!
//! In scope: who has to decode and who to encode, and what a relay has to know of a stream that it translates (whether it has
//! begun to say something, failed, ended; tokens; why it stopped).
//! Out of scope: the translations themselves, and when an attempt is given up (`exchange`). Whoever calls holds back what a
//! stream appends until [`Stream::has_begun`]: before that, another attempt may still be made (law 2).

use std::fmt;
use std::rc::Rc;

use super::answer::{Answer, Event, Failure, Growth, Malformed, Stop};
use super::conversation::{Conversation, Part};
use super::loss::Losses;
use super::{Dialect, ReplyTo};
use crate::error::Error;
use crate::sse;
use crate::usage::Usage;

/// Anthropic's status for having too much to do, in whose words failures have theirs.
const OVERLOADED: u16 = 529;

/// Reads a request.
///
/// # Errors
/// A 400 that names the field.
pub fn decode_request(dialect: Dialect, body: &[u8]) -> Result<Conversation, Error> {
    (dialect.wire().translation.decode_request)(body)
}

/// Writes a request for `model`.
///
/// # Errors
/// A 400 that names what the dialect cannot carry and the answer would be wrong without.
pub fn encode_request(
    dialect: Dialect,
    conversation: &Conversation,
    model: &str,
    losses: &mut Losses,
) -> Result<Vec<u8>, Error> {
    (dialect.wire().translation.encode_request)(conversation, model, losses)
}

/// Reads a whole answer.
///
/// # Errors
/// Where it is none of that dialect.
pub fn decode_answer(dialect: Dialect, body: &[u8]) -> Result<Answer, Malformed> {
    (dialect.wire().translation.decode_answer)(body)
}

/// Writes a whole answer.
pub fn encode_answer(dialect: Dialect, answer: &Answer, to: &ReplyTo) -> Vec<u8> {
    (dialect.wire().translation.encode_answer)(answer, to)
}

/// Reads the body of an error.
pub fn decode_error(dialect: Dialect, status: u16, body: &[u8]) -> Failure {
    (dialect.wire().translation.decode_error)(status, body)
}

/// Writes the body of an error.
pub fn encode_error(dialect: Dialect, failure: &Failure) -> String {
    (dialect.wire().translation.encode_error)(failure)
}

/// Translates a whole answer.
///
/// # Errors
/// Where it is none of the dialect `from`.
pub fn answer(from: Dialect, to: Dialect, body: &[u8], reply: &ReplyTo) -> Result<Vec<u8>, Malformed> {
    decode_answer(from, body).map(|answer| encode_answer(to, &answer, reply))
}

/// Translates an error: its status, and the body that says it.
pub fn error(from: Dialect, to: Dialect, status: u16, body: &[u8]) -> (u16, String) {
    let failure = decode_error(from, status, body);
    (status_of(&failure, to), encode_error(to, &failure))
}

/// The status under which a failure is told to a caller who speaks `to`.
fn status_of(failure: &Failure, to: Dialect) -> u16 {
    match failure.status {
        OVERLOADED => to.wire().errors.overloaded,
        status if (400..600).contains(&status) => status,
        _ => 502,
    }
}

/// Reads the stream of one dialect. (No `Debug`: a trait object would drag all of it into the worker, 20 KB.)
pub(crate) trait Decode {
    /// Takes one event and appends what it says. Errs where it is none of the dialect.
    fn push(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed>;

    /// Takes the end of the bytes. Errs where the answer had not come to its end.
    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed>;
}

/// Writes the stream of one dialect.
pub(crate) trait Encode {
    /// Appends the bytes that say an event.
    fn push(&mut self, event: &Event, out: &mut Vec<u8>);
}

/// Makes a dialect's `Decoder` and `Encoder` what a [`Stream`] works with; their own `push` and `finish` do the work, and
/// take an event's name and data apart.
macro_rules! coders {
    ($decoder:ty, $encoder:ty) => {
        impl crate::dialect::translate::Decode for $decoder {
            fn push(
                &mut self,
                event: &crate::sse::Event<'_>,
                out: &mut Vec<crate::dialect::answer::Event>,
            ) -> Result<(), crate::dialect::answer::Malformed> {
                <$decoder>::push(self, event.name, event.data, out)
            }

            fn finish(
                &mut self,
                out: &mut Vec<crate::dialect::answer::Event>,
            ) -> Result<(), crate::dialect::answer::Malformed> {
                <$decoder>::finish(self, out)
            }
        }

        impl crate::dialect::translate::Encode for $encoder {
            fn push(&mut self, event: &crate::dialect::answer::Event, out: &mut Vec<u8>) {
                <$encoder>::push(self, event, out);
            }
        }
    };
}
pub(crate) use coders;

/// A stream that is translated as it comes.
pub struct Stream {
    to: Dialect,
    sse: sse::Decoder,
    decoder: Box<dyn Decode>,
    encoder: Box<dyn Encode>,
    events: Vec<Event>,
    seen: Seen,
}

/// What was read of a stream so far.
#[derive(Debug, Default)]
struct Seen {
    has_begun: bool,
    is_done: bool,
    failure: Option<Failure>,
    usage: Usage,
    model: Option<String>,
    stop: Option<Stop>,
}

/// An error that came before a stream had said anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The status that it would have had as a whole answer.
    pub status: u16,
    /// The provider's word for its kind.
    pub kind: Option<String>,
    /// The error in no dialect.
    pub failure: Failure,
    /// The body in the caller's dialect.
    pub body: String,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("to", &self.to).field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Stream {
    /// At the beginning of a stream.
    pub fn new(from: Dialect, to: Dialect, reply: Rc<ReplyTo>) -> Stream {
        Stream {
            to,
            sse: sse::Decoder::new(),
            decoder: (from.wire().translation.decoder)(),
            encoder: (to.wire().translation.encoder)(reply),
            events: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// Takes the upstream's next bytes and appends those for the caller.
    ///
    /// # Errors
    /// Where they are none of the upstream's dialect. What was appended before holds; nothing more is to be pushed.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let Stream { sse, decoder, encoder, events, seen, .. } = self;
        let mut result = Ok(());
        sse.push(bytes, |event| {
            if result.is_ok() {
                result = decoder.push(&event, events);
                tell(events, seen, &mut **encoder, out);
            }
        });
        result
    }

    /// Takes the end of the upstream's bytes.
    ///
    /// # Errors
    /// Where the answer had not come to its end.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let Stream { sse, decoder, encoder, events, seen, .. } = self;
        let mut result = Ok(());
        sse.finish(|event| {
            if result.is_ok() {
                result = decoder.push(&event, events);
                tell(events, seen, &mut **encoder, out);
            }
        });
        if result.is_ok() && !seen.is_over() {
            result = decoder.finish(events);
            tell(events, seen, &mut **encoder, out);
        }
        result
    }

    /// Appends the form that an error has in the caller's dialect after what was already said. Nothing comes after it.
    pub fn ending(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if !self.seen.is_over() {
            self.seen.failure = Some(failure.clone());
            self.encoder.push(&Event::Failed(failure.clone()), out);
        }
    }

    /// Whether the first meaningful event has come: content, a tool call, a thought, a refusal. An answer that is done
    /// without one has said nothing.
    pub fn has_begun(&self) -> bool {
        self.seen.has_begun
    }

    /// Whether the answer is whole.
    pub fn is_done(&self) -> bool {
        self.seen.is_done
    }

    /// The error, where one came in the stream. Before the stream had begun it was not appended, and is told here as a whole.
    pub fn failed(&self) -> Option<Failed> {
        let failure = self.seen.failure.as_ref()?;
        Some(Failed {
            status: status_of(failure, self.to),
            kind: failure.kind.clone().or_else(|| failure.code.clone()),
            failure: failure.clone(),
            body: encode_error(self.to, failure),
        })
    }

    /// Tokens so far.
    pub fn usage(&self) -> Usage {
        self.seen.usage
    }

    /// The model that answers, in the provider's words.
    pub fn model(&self) -> Option<&str> {
        self.seen.model.as_deref()
    }

    /// Why the first choice ended, in the words of Chat Completions.
    pub fn stop(&self) -> Option<&str> {
        self.seen.stop.as_ref().map(chat_word)
    }
}

/// A reason to stop in the words of Chat Completions, as records have it for every dialect.
pub fn chat_word(stop: &Stop) -> &str {
    match stop {
        Stop::End | Stop::Sequence(_) => "stop",
        Stop::Length => "length",
        Stop::ToolCalls => "tool_calls",
        Stop::Refusal => "content_filter",
        Stop::Pause => "pause_turn",
        Stop::Other(word) => word,
    }
}

/// Notes each event and writes it. An error before the beginning is noted alone: the caller's dialect tells it as a body.
fn tell(events: &mut Vec<Event>, seen: &mut Seen, encoder: &mut dyn Encode, out: &mut Vec<u8>) {
    for event in events.drain(..) {
        if seen.is_over() {
            continue;
        }
        seen.note(&event);
        if seen.has_begun || !matches!(event, Event::Failed(_)) {
            encoder.push(&event, out);
        }
    }
}

impl Seen {
    fn is_over(&self) -> bool {
        self.is_done || self.failure.is_some()
    }

    fn note(&mut self, event: &Event) {
        self.has_begun |= is_meaningful(event);
        match event {
            Event::Start { model, .. } => self.model.clone_from(model),
            Event::Stop { choice: 0, stop } => self.stop = Some(stop.clone()),
            Event::Usage(usage) => self.usage.merge(*usage),
            Event::Failed(failure) => self.failure = Some(failure.clone()),
            Event::End => self.is_done = true,
            _ => {}
        }
    }
}

/// Whether an event says something: the beginning of a text does not, its first letter does.
fn is_meaningful(event: &Event) -> bool {
    match event {
        Event::Open { part, .. } => match part {
            Part::Text { text, .. } | Part::Refusal(text) => !text.is_empty(),
            Part::Thought(thought) => !thought.text.is_empty() || thought.seal.is_some(),
            _ => true,
        },
        Event::Grow { by: Growth::Text(text), .. } => !text.is_empty(),
        Event::Grow { .. } => true,
        // A filter leaves no text.
        Event::Stop { stop, .. } => *stop == Stop::Refusal,
        _ => false,
    }
}
