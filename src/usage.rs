//! Token counts, in every spelling that providers use.
//!
//! In scope: what is counted, in one meaning, and how OpenAI and those who follow it spell it. The other dialects' spellings
//! are in their folders.
//! Out of scope: which event says it (`relay`), what tokens cost.
//! Loose on what comes in: a count that is negative, a fraction or no number is one that was not said.

mod counts;
mod members;

use serde_json::value::RawValue;

use self::counts::OpenAiCounts;
pub(crate) use self::counts::count;
pub(crate) use self::members::{elements_of, members, members_of};

/// Tokens of one call. `None` is "not said", never 0 (law 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens that were neither read from nor written to a cache.
    pub input: Option<u64>,
    /// Input tokens read from the provider's cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to the provider's cache.
    pub cache_write: Option<u64>,
    /// Output tokens, reasoning included.
    pub output: Option<u64>,
    /// Reasoning tokens, a part of `output`.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// What a Chat Completions body, or one chunk of a stream, says: in `usage`, else in `x_groq.usage`, else in a
    /// choice's `usage` (Moonshot's streams). `None` where it says nothing or is no JSON object.
    pub fn from_chat(body_or_chunk: &[u8]) -> Option<Usage> {
        let [usage, x_groq, choices] = members(body_or_chunk, ["usage", "x_groq", "choices"])?;
        Usage::from_chat_members(usage, x_groq, &elements_of(choices))
    }

    /// [`Usage::from_chat`] of the members that may hold it.
    pub(crate) fn from_chat_members(
        usage: Option<&RawValue>,
        x_groq: Option<&RawValue>,
        choices: &[&RawValue],
    ) -> Option<Usage> {
        let usage_of = |object: &RawValue| {
            let [usage] = members_of(Some(object), ["usage"]);
            usage.and_then(Usage::from_chat_usage)
        };
        usage
            .and_then(Usage::from_chat_usage)
            .or_else(|| x_groq.and_then(usage_of))
            .or_else(|| choices.iter().find_map(|choice| usage_of(choice)))
    }

    /// What a `usage` object of Chat Completions says.
    fn from_chat_usage(usage: &RawValue) -> Option<Usage> {
        OpenAiCounts::of_chat(usage).usage().said()
    }

    /// What a `usage` object of Responses says.
    pub(crate) fn from_responses_usage(usage: &RawValue) -> Option<Usage> {
        OpenAiCounts::of_responses(usage).usage().said()
    }

    /// Itself, unless it says nothing.
    pub(crate) fn said(self) -> Option<Usage> {
        (self != Usage::default()).then_some(self)
    }

    /// Adds what a later event of the same stream says. Counts are cumulative: of each, the later one holds.
    pub fn merge(&mut self, later: Usage) {
        self.input = later.input.or(self.input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.output = later.output.or(self.output);
        self.reasoning = later.reasoning.or(self.reasoning);
    }
}
