//! What is kept of a call while an upstream thinks: what it says and where its splices go, without its bytes.

use serde_json::{Map, Value};

use super::field::Field;
use super::fields::Fields;
use super::layout::Piece;
use super::object::{self, Member};
use super::splice::{self, Overrides, Splice};
use super::value::UsageAsk;
use crate::dialect::Dialect;
use crate::endpoint::Operation;
use crate::exchange::plan::Asked;
use crate::treatment::Variables;

/// A call less its body. Every attempt's splices come of it; they are those of that very body.
#[derive(Debug)]
pub struct Outline {
    pub(super) dialect: Dialect,
    pub(super) operation: Operation,
    /// Where the body's inside begins: just after its opening brace.
    pub(super) inside: usize,
    pub(super) pieces: Vec<Piece>,
    pub(super) fields: Fields,
}

impl Outline {
    /// The caller's dialect.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What the call is to do.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The model that the caller named, in its body or in its path; never empty.
    pub fn model(&self) -> &str {
        &self.fields.model
    }

    /// Whether the caller wants a stream.
    pub fn stream(&self) -> bool {
        self.fields.stream
    }

    /// Whether the caller asked for a usage chunk itself (`stream_options.include_usage: true`).
    pub fn asks_usage(&self) -> bool {
        self.fields.usage_ask == UsageAsk::Asked
    }

    /// Top-level `user`, whatever the dialect; empty and null are absent.
    pub fn user(&self) -> Option<&str> {
        self.fields.user.as_deref()
    }

    /// Top-level `safety_identifier`, whatever the dialect; empty and null are absent.
    pub fn safety_identifier(&self) -> Option<&str> {
        self.fields.safety_identifier.as_deref()
    }

    /// Anthropic's `metadata.user_id`, as it came; empty and null are absent. Of a literal `extra_body` it is none.
    pub fn metadata_user_id(&self) -> Option<&str> {
        self.fields.user_id.as_ref()?.value.as_deref()
    }

    /// Metadata for conditions: top-level `metadata`, then `metadata` of a literal `extra_body` over it, per key.
    pub fn metadata(&self) -> &Map<String, Value> {
        &self.fields.metadata
    }

    /// `store: true`, with which OpenAI's Chat Completions take `metadata`.
    pub fn store(&self) -> bool {
        self.fields.store
    }

    /// Whether the call goes on from what the provider keeps: `previous_response_id`, `conversation`, or a reference to an
    /// item in `input`. Another downstream than the one that keeps it does not know it.
    pub fn refers_to_state(&self) -> bool {
        self.fields.refers_to_state
    }

    /// The most tokens of the answer, as each dialect has it (`max_completion_tokens`, else `max_tokens`; `max_output_tokens`;
    /// `generationConfig.maxOutputTokens`); what is no whole number is absent.
    pub fn max_tokens(&self) -> Option<u64> {
        self.fields.max_completion_tokens.or(self.fields.max_tokens)
    }

    /// Whether `tools` (or the older `functions`) is a list that is not empty.
    pub fn has_tools(&self) -> bool {
        self.fields.has_tools
    }

    /// `models`, `ignore` and `fallback`. Of a call to `openrouter/…`, whose own field `models` is, one that cannot be read
    /// as ours counts as absent; whether it goes on is decided by the target's habits (`outbound`).
    pub fn asked(&self) -> &Asked {
        &self.fields.asked
    }

    /// Whether the call goes on from an answer or a conversation that the provider keeps: what was said before is there.
    pub(crate) fn goes_on(&self) -> bool {
        self.fields.goes_on
    }

    /// `prompt_variables`, for the prompts of a variant.
    pub fn prompt_variables(&self) -> &Variables {
        &self.fields.prompt_variables
    }

    /// The members of the call's body that a downstream sees, those of a literal `extra_body` among them.
    pub(crate) fn members<'b>(&self, body: &'b str) -> Vec<Member<'b>> {
        let seen =
            self.pieces.iter().filter(|piece| !piece.shadowed && piece.field != Some(Field::ExtraBody));
        let named = seen.filter_map(|piece| {
            let Piece { span, value, .. } = piece;
            Some(Member {
                name: object::name(body.get(span.clone())?)?,
                span: span.clone(),
                value: value.clone(),
            })
        });
        named.collect()
    }

    /// The splices that give the outbound body, for a downstream of the caller's own dialect.
    pub fn splices(&self, overrides: &Overrides<'_>) -> Vec<Splice> {
        splice::splices(self, overrides)
    }
}
