//! Chat Completions, from and to the neutral conversation.
//!
//! In scope: OpenAI's own form, and what the many who speak the dialect add to it or leave out: where they put thoughts
//! (`thoughts`), signatures (`calls`) and citations (`citations`), how they cut a stream into chunks (`decoder`).
//! Out of scope: which downstream refuses which field. The encoder knows a model's name alone (`model`).

use super::ReplyTo;
use super::answer::{Answer, Failure, Malformed};
use super::conversation::Conversation;
use super::loss::Losses;
use crate::error::Error;

mod answer;
mod blocks;
mod calls;
mod citations;
mod decoder;
mod encoder;
mod error;
mod fields;
mod history;
mod loss;
mod messages;
mod model;
mod parts;
mod places;
mod plugin;
mod reading;
mod request;
mod thoughts;
mod tools;
mod wire;
mod words;
mod write;

pub use self::decoder::Decoder;
pub use self::encoder::Encoder;
pub(crate) use self::wire::WIRE;
pub(in crate::dialect) use self::wire::model;

/// Reads a request.
///
/// # Errors
/// A 400 that names the field.
pub fn decode_request(body: &[u8]) -> Result<Conversation, Error> {
    request::decode(body)
}

/// Writes a request for `model`.
///
/// # Errors
/// A 400 that names what this dialect cannot carry and the answer would be wrong without.
pub fn encode_request(
    conversation: &Conversation,
    model: &str,
    losses: &mut Losses,
) -> Result<Vec<u8>, Error> {
    write::encode(conversation, model, losses)
}

/// Reads a whole answer.
///
/// # Errors
/// Where it is none of this dialect.
pub fn decode_answer(body: &[u8]) -> Result<Answer, Malformed> {
    answer::decode(body)
}

/// Writes a whole answer.
pub fn encode_answer(answer: &Answer, to: &ReplyTo) -> Vec<u8> {
    answer::encode(answer, to)
}

/// Reads the body of an error.
pub fn decode_error(status: u16, body: &[u8]) -> Failure {
    error::decode(status, body)
}

/// Writes the body of an error.
pub fn encode_error(failure: &Failure) -> String {
    error::encode(failure)
}
