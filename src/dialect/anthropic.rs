//! Anthropic Messages, from and to the neutral conversation.
//!
//! In scope: `POST /v1/messages`: requests, answers whole and streamed, errors. What is written is valid for the model that
//! it is written for (`model`); what is read is what callers and providers really send.
//! Out of scope: `/v1/messages/count_tokens`. No other dialect counts a prompt without answering it, so that a call of it
//! goes to a downstream of this dialect, untouched, or is refused by whoever routes it.
//! Structured output is `output_config.format` and needs no beta header; `output_format`, its older name, is read too.

mod answer;
mod counts;
mod decoder;
mod encoder;
mod error;
mod fields;
mod history;
mod loss;
mod model;
mod names;
mod part;
mod places;
mod plugin;
mod read;
mod reading;
mod schema;
mod thinking;
mod tool;
mod usage;
mod wire;
mod write;

pub use self::answer::{decode_answer, encode_answer};
pub use self::decoder::Decoder;
pub use self::encoder::Encoder;
pub use self::error::{decode_error, encode_error};
pub use self::read::decode_request;
pub(crate) use self::wire::WIRE;
pub use self::write::encode_request;
