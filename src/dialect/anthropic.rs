//! Anthropic Messages, from and to the neutral conversation.

use std::rc::Rc;

use super::ReplyTo;
use super::answer::{Answer, Event, Failure, Malformed};
use super::conversation::Conversation;
use super::loss::Losses;
use crate::error::Error;

/// Reads a request.
///
/// # Errors
/// A 400 that names the field.
pub fn decode_request(body: &[u8]) -> Result<Conversation, Error> {
    let _ = body;
    todo!()
}

/// Writes a request for `model`.
///
/// # Errors
/// A 400 that names what this dialect cannot carry and the answer would be wrong without.
pub fn encode_request(conversation: &Conversation, model: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    let _ = (conversation, model, losses);
    todo!()
}

/// Reads a whole answer.
///
/// # Errors
/// Where it is none of this dialect.
pub fn decode_answer(body: &[u8]) -> Result<Answer, Malformed> {
    let _ = body;
    todo!()
}

/// Writes a whole answer.
pub fn encode_answer(answer: &Answer, to: &ReplyTo) -> Vec<u8> {
    let _ = (answer, to);
    todo!()
}

/// Reads the body of an error.
pub fn decode_error(status: u16, body: &[u8]) -> Failure {
    let _ = (status, body);
    todo!()
}

/// Writes the body of an error.
pub fn encode_error(failure: &Failure) -> String {
    let _ = failure;
    todo!()
}

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Decoder {}

impl Decoder {
    /// At the beginning of a stream.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes one server-sent event and appends what it says.
    ///
    /// # Errors
    /// Where it is none of this dialect.
    pub fn push(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        let _ = (name, data, out);
        todo!()
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// Where it had not come to its end.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let _ = out;
        todo!()
    }
}

/// Writes a stream.
#[derive(Debug)]
pub struct Encoder {}

impl Encoder {
    /// At the beginning of a stream.
    pub fn new(to: Rc<ReplyTo>) -> Encoder {
        let _ = to;
        todo!()
    }

    /// Appends the bytes that tell an event.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        let _ = (event, out);
        todo!()
    }
}
