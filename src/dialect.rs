//! Wire formats, and the neutral conversation between them.
//!
//! In scope: their names, which is nearest to which, and translation: every dialect decodes into [`conversation`] and
//! [`answer`], and encodes from them. A fifth is a folder and a variant of [`Dialect`]; the compiler names who has to know it.
//! Out of scope: calls whose caller and downstream speak the same dialect. Their bytes are spliced and never come here (law 1).

pub mod answer;
pub mod conversation;
mod custom;
pub mod loss;
pub mod translate;

pub mod anthropic;
pub mod gemini;
pub mod openai;
pub mod responses;

use self::conversation::Conversation;

/// A wire format that a caller or a downstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI Chat Completions.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Responses.
    Responses,
    /// Gemini's `generateContent`.
    Gemini,
}

impl Dialect {
    /// Every dialect, in the order of the tables.
    pub const ALL: [Dialect; 4] = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Responses, Dialect::Gemini];

    /// The name in documents, records and CEL (`request.dialect`).
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::OpenAi => "openai",
            Dialect::Anthropic => "anthropic",
            Dialect::Responses => "openai_responses",
            Dialect::Gemini => "gemini",
        }
    }

    /// The dialect of that name.
    pub fn named(name: &str) -> Option<Dialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }

    /// Those of `spoken` that a caller of this dialect is served by: the same one, else the nearest. `None` where none is
    /// spoken at all.
    pub fn nearest(self, spoken: &[Dialect]) -> Option<Dialect> {
        use Dialect::{Anthropic, Gemini, OpenAi, Responses};
        let order = match self {
            OpenAi => [OpenAi, Responses, Anthropic, Gemini],
            Responses => [Responses, OpenAi, Anthropic, Gemini],
            Anthropic => [Anthropic, Responses, OpenAi, Gemini],
            Gemini => [Gemini, Responses, OpenAi, Anthropic],
        };
        order.into_iter().find(|dialect| spoken.contains(dialect))
    }
}

/// What the encoder of an answer has to know of the request that it answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplyTo {
    /// The request: names of custom tools, what Responses echoes, the model for want of another.
    pub conversation: Conversation,
    /// An id for want of the provider's: letters and digits, unique to the call.
    pub id: String,
    /// Seconds since 1970, for want of the provider's.
    pub created: u64,
    /// The caller wants a usage chunk in its stream (`stream_options.include_usage`).
    pub wants_usage: bool,
    /// The caller reads server-sent events; else, of Gemini's streams, one JSON array.
    pub wants_events: bool,
}
