//! Gemini's `generateContent`, from and to the neutral conversation.
//!
//! In scope: what <https://ai.google.dev/api/generate-content> says, as Google's own API and Vertex AI speak it. Field names
//! are read in both spellings (`inlineData`, `inline_data`) and written in camel case.
//! Out of scope: model and stream flag, which stand in the URL: whoever decodes a request sets them afterwards.
//! - A signature belongs to a part. On a text or a picture it becomes a [`Thought`](super::conversation::Thought) without
//!   text right after it, and goes back to the part before it.
//! - A call without an id gets one (`ids`), which is left out again on its way back.

mod answer;
mod contents;
mod counts;
mod encode;
mod encoder;
mod error;
mod fields;
mod ids;
mod loss;
mod metadata;
mod parts;
mod path;
mod pieces;
mod places;
mod plugin;
mod reading;
mod request;
mod said;
mod schema;
mod signature;
mod stream;
mod thinking;
mod wire;
mod writer;

pub(crate) use self::wire::WIRE;
pub use answer::{decode_answer, encode_answer};
pub use encode::encode_request;
pub use encoder::Encoder;
pub use error::{decode_error, encode_error};
pub use request::decode_request;
pub use stream::Decoder;

/// The one argument of a call whose arguments are no JSON object: free text of a custom tool, or what a model got wrong.
const FREE_TEXT: &str = "input";
