//! An answer in no dialect, whole or as events, and an error.
//!
//! In scope: what every dialect's answer is decoded into, and encoded from. A stream is blocks that open, grow and close,
//! for that is what the strictest of the dialects (Anthropic, Responses) needs; a whole answer is the same parts at once.

use serde_json::Value;

use super::conversation::{Citation, Part, Seal};
use crate::usage::Usage;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model that answered, in the provider's words.
    pub model: Option<String>,
    /// Seconds since 1970.
    pub created: Option<u64>,
    /// At least one, by index.
    pub choices: Vec<Choice>,
    /// Tokens.
    pub usage: Usage,
    /// The queue that served it.
    pub service_tier: Option<String>,
}

/// One of `n` answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// What it says, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub stop: Option<Stop>,
    /// As Chat Completions has them: `[{token, logprob, bytes, top_logprobs}]` of the text.
    pub logprobs: Option<Value>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It had said all.
    End,
    /// At `max_tokens`, or at the end of the context.
    Length,
    /// It calls tools.
    ToolCalls,
    /// At one of the caller's texts.
    Sequence(Option<String>),
    /// It, or a filter, refuses.
    Refusal,
    /// The provider's own tools take long: the same conversation is to be sent again (Anthropic's `pause_turn`).
    Pause,
    /// Another word.
    Other(String),
}

/// What comes in a stream, in order: `Start`, then blocks, `Stop` of each choice, `Usage` at any time (cumulative: of each
/// count the later one holds), `End`. After `Failed` comes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start {
        /// As of [`Answer`].
        id: Option<String>,
        /// As of [`Answer`].
        model: Option<String>,
        /// As of [`Answer`].
        created: Option<u64>,
    },
    /// A block begins. Blocks of one choice may overlap (Chat Completions says its tool calls so).
    Open {
        /// Counted from 0 over the whole stream, in the order of opening.
        block: usize,
        /// Of which choice; 0 but where `n` is above 1.
        choice: u64,
        /// What it is, with what is known at its beginning: an empty text, a call without arguments, …
        part: Part,
    },
    /// It grows.
    Grow {
        /// Which.
        block: usize,
        /// By what.
        by: Growth,
    },
    /// It is complete.
    Close {
        /// Which.
        block: usize,
    },
    /// Likelihoods of the tokens that came last, as of [`Choice::logprobs`].
    Logprobs {
        /// Of which choice.
        choice: u64,
        /// `[{token, logprob, …}]`.
        tokens: Value,
    },
    /// A choice is complete.
    Stop {
        /// Which.
        choice: u64,
        /// Why.
        stop: Stop,
    },
    /// Tokens so far.
    Usage(Usage),
    /// The provider says that it is alive. Nothing is said.
    Ping,
    /// An error; nothing comes after it.
    Failed(Failure),
    /// The answer is whole.
    End,
}

/// By what a block grows.
#[derive(Clone, Debug, PartialEq)]
pub enum Growth {
    /// Text of a text, a refusal, or a thought.
    Text(String),
    /// Arguments of a tool call, as the model wrote them: a fragment.
    Arguments(String),
    /// What a text rests on.
    Citation(Citation),
    /// The seal of a thought or of a call.
    Seal(Seal),
}

/// An upstream's error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status, or what the error stands for where it came inside a 200.
    pub status: u16,
    /// The kind as the provider has it (`overloaded_error`, `RESOURCE_EXHAUSTED`, `invalid_request_error`, …).
    pub kind: Option<String>,
    /// A finer one (`context_length_exceeded`, …).
    pub code: Option<String>,
    /// The field at fault, in the provider's own words.
    pub param: Option<String>,
    /// For people.
    pub message: String,
}

/// An upstream sent what its dialect does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);
