//! OpenAI Responses, from and to the neutral conversation.
//!
//! In scope: stateless use in full. State that the provider keeps (`previous_response_id`, `conversation`, `background`,
//! `prompt`, references to items) is kept under its own name in [`Conversation::own`], for no other dialect can follow it.
//! Items that only this dialect has (searches, MCP, patches, shells) are [`super::conversation::Part::Own`], whole: what
//! asks for them are tools of this dialect's own, which no other one takes, so no other one ever sees such a call.
//! Thoughts are told to callers as summaries, whoever made them: that is what clients show. Out of scope: what is stored.

mod answer;
mod content;
mod encoder;
mod error;
mod fields;
mod history;
mod items;
mod loss;
mod output;
mod places;
mod plugin;
mod reading;
mod reply;
mod request;
mod said;
mod stream;
pub(in crate::dialect) mod tools;
mod wire;
mod write;

use super::ReplyTo;
use super::answer::{Answer, Failure, Malformed};
use super::conversation::Conversation;
use super::loss::Losses;
use crate::error::Error;

pub use self::encoder::Encoder;
pub use self::stream::Decoder;
pub(crate) use self::wire::WIRE;

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
/// Where it is none of this dialect, or says that it failed or is not there yet.
pub fn decode_answer(body: &[u8]) -> Result<Answer, Malformed> {
    answer::decode(body)
}

/// Writes a whole answer.
pub fn encode_answer(answer: &Answer, to: &ReplyTo) -> Vec<u8> {
    reply::encode(answer, to)
}

/// Reads the body of an error.
pub fn decode_error(status: u16, body: &[u8]) -> Failure {
    error::decode(status, body)
}

/// Writes the body of an error.
pub fn encode_error(failure: &Failure) -> String {
    error::encode(failure)
}
