//! From one dialect into another, by name: the one table over [`Dialect`].
//!
//! In scope: which module speaks which dialect, and what a relay has to know of a stream that it translates (whether it has
//! begun to say something, failed, ended; tokens; why it stopped). A fifth dialect is one arm in each `match` here.
//! Out of scope: the translations themselves, and when an attempt is given up (`exchange`). Whoever calls holds back what a
//! stream appends until [`Stream::has_begun`]: before that, another attempt may still be made (law 2).

use std::rc::Rc;

use super::answer::{Answer, Event, Failure, Growth, Malformed, Stop};
use super::conversation::{Conversation, Part};
use super::loss::Losses;
use super::{Dialect, ReplyTo, anthropic, gemini, openai, responses};
use crate::error::Error;
use crate::sse;
use crate::usage::Usage;

/// The status that only Anthropic knows: it has too much to do.
const OVERLOADED: u16 = 529;

/// Reads a request.
///
/// # Errors
/// A 400 that names the field.
pub fn decode_request(dialect: Dialect, body: &[u8]) -> Result<Conversation, Error> {
    match dialect {
        Dialect::OpenAi => openai::decode_request(body),
        Dialect::Anthropic => anthropic::decode_request(body),
        Dialect::Responses => responses::decode_request(body),
        Dialect::Gemini => gemini::decode_request(body),
    }
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
    match dialect {
        Dialect::OpenAi => openai::encode_request(conversation, model, losses),
        Dialect::Anthropic => anthropic::encode_request(conversation, model, losses),
        Dialect::Responses => responses::encode_request(conversation, model, losses),
        Dialect::Gemini => gemini::encode_request(conversation, model, losses),
    }
}

/// Reads a whole answer.
///
/// # Errors
/// Where it is none of that dialect.
pub fn decode_answer(dialect: Dialect, body: &[u8]) -> Result<Answer, Malformed> {
    match dialect {
        Dialect::OpenAi => openai::decode_answer(body),
        Dialect::Anthropic => anthropic::decode_answer(body),
        Dialect::Responses => responses::decode_answer(body),
        Dialect::Gemini => gemini::decode_answer(body),
    }
}

/// Writes a whole answer.
pub fn encode_answer(dialect: Dialect, answer: &Answer, to: &ReplyTo) -> Vec<u8> {
    match dialect {
        Dialect::OpenAi => openai::encode_answer(answer, to),
        Dialect::Anthropic => anthropic::encode_answer(answer, to),
        Dialect::Responses => responses::encode_answer(answer, to),
        Dialect::Gemini => gemini::encode_answer(answer, to),
    }
}

/// Reads the body of an error.
pub fn decode_error(dialect: Dialect, status: u16, body: &[u8]) -> Failure {
    match dialect {
        Dialect::OpenAi => openai::decode_error(status, body),
        Dialect::Anthropic => anthropic::decode_error(status, body),
        Dialect::Responses => responses::decode_error(status, body),
        Dialect::Gemini => gemini::decode_error(status, body),
    }
}

/// Writes the body of an error.
pub fn encode_error(dialect: Dialect, failure: &Failure) -> String {
    match dialect {
        Dialect::OpenAi => openai::encode_error(failure),
        Dialect::Anthropic => anthropic::encode_error(failure),
        Dialect::Responses => responses::encode_error(failure),
        Dialect::Gemini => gemini::encode_error(failure),
    }
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
        OVERLOADED if to != Dialect::Anthropic => 503,
        status if (400..600).contains(&status) => status,
        _ => 502,
    }
}

#[derive(Debug)]
enum Decoder {
    OpenAi(openai::Decoder),
    Anthropic(anthropic::Decoder),
    Responses(responses::Decoder),
    Gemini(gemini::Decoder),
}

impl Decoder {
    fn new(dialect: Dialect) -> Decoder {
        match dialect {
            Dialect::OpenAi => Decoder::OpenAi(openai::Decoder::new()),
            Dialect::Anthropic => Decoder::Anthropic(anthropic::Decoder::new()),
            Dialect::Responses => Decoder::Responses(responses::Decoder::new()),
            Dialect::Gemini => Decoder::Gemini(gemini::Decoder::new()),
        }
    }

    fn push(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match self {
            Decoder::OpenAi(decoder) => decoder.push(event.name, event.data, out),
            Decoder::Anthropic(decoder) => decoder.push(event.name, event.data, out),
            Decoder::Responses(decoder) => decoder.push(event.name, event.data, out),
            Decoder::Gemini(decoder) => decoder.push(event.name, event.data, out),
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match self {
            Decoder::OpenAi(decoder) => decoder.finish(out),
            Decoder::Anthropic(decoder) => decoder.finish(out),
            Decoder::Responses(decoder) => decoder.finish(out),
            Decoder::Gemini(decoder) => decoder.finish(out),
        }
    }
}

#[derive(Debug)]
enum Encoder {
    OpenAi(openai::Encoder),
    Anthropic(anthropic::Encoder),
    Responses(responses::Encoder),
    Gemini(gemini::Encoder),
}

impl Encoder {
    fn new(dialect: Dialect, reply: Rc<ReplyTo>) -> Encoder {
        match dialect {
            Dialect::OpenAi => Encoder::OpenAi(openai::Encoder::new(reply)),
            Dialect::Anthropic => Encoder::Anthropic(anthropic::Encoder::new(reply)),
            Dialect::Responses => Encoder::Responses(responses::Encoder::new(reply)),
            Dialect::Gemini => Encoder::Gemini(gemini::Encoder::new(reply)),
        }
    }

    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self {
            Encoder::OpenAi(encoder) => encoder.push(event, out),
            Encoder::Anthropic(encoder) => encoder.push(event, out),
            Encoder::Responses(encoder) => encoder.push(event, out),
            Encoder::Gemini(encoder) => encoder.push(event, out),
        }
    }
}

/// A stream that is translated as it comes.
#[derive(Debug)]
pub struct Stream {
    to: Dialect,
    sse: sse::Decoder,
    decoder: Decoder,
    encoder: Encoder,
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

impl Stream {
    /// At the beginning of a stream.
    pub fn new(from: Dialect, to: Dialect, reply: Rc<ReplyTo>) -> Stream {
        Stream {
            to,
            sse: sse::Decoder::new(),
            decoder: Decoder::new(from),
            encoder: Encoder::new(to, reply),
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
                tell(events, seen, encoder, out);
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
                tell(events, seen, encoder, out);
            }
        });
        if result.is_ok() && !seen.is_over() {
            result = decoder.finish(events);
            tell(events, seen, encoder, out);
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
fn tell(events: &mut Vec<Event>, seen: &mut Seen, encoder: &mut Encoder, out: &mut Vec<u8>) {
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
