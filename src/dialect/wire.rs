//! What is particular to one dialect, as data and functions: the one thing that a dialect's folder gives to the rest.
//!
//! In scope: the form of it. Whoever has a question that dialects answer differently asks [`Dialect::wire`], never which
//! dialect it is; a question that is new becomes a member here, and the compiler then asks every folder for its answer.
//! Out of scope: the answers, which each folder has in its own `wire`.

use serde_json::Value;

use super::Dialect;
use crate::call::field::Field;
use crate::provider::{AuthStyle, Habits};

/// A dialect, as the rest of the worker sees it.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The name in documents, records and CEL.
    pub(crate) name: &'static str,
    /// The others, the nearest first; any that is left out comes after these, in the order of the table.
    pub(crate) nearest: &'static [Dialect],
    pub(crate) body: Body,
    pub(crate) address: Address,
}

/// What a call's body is to who reads and splices it (`call`, `outbound`).
#[derive(Debug)]
pub(crate) struct Body {
    /// What a body ought to be, for messages.
    pub(crate) form: &'static str,
    /// What its top-level names mean, beside those that mean the same in every dialect. Of two names for one thing the
    /// first is told to callers.
    pub(crate) fields: &'static [(&'static str, Field)],
    /// Where in [`Field::GenerationConfig`] the most tokens of the answer stand, by any of these names.
    pub(crate) max_tokens_in: &'static [&'static str],
    pub(crate) metadata: Metadata,
    /// `user` and `safety_identifier` are fields of its own; else they would be refused, and are spliced out.
    pub(crate) takes_user: bool,
    /// A stream says its usage only where `stream_options.include_usage` asks for it; all others say it anyhow.
    pub(crate) usage_on_request: bool,
    /// A call may build upon what the provider keeps: an earlier answer, a conversation, an item of [`Field::Messages`].
    pub(crate) keeps_state: bool,
    /// The text of [`Field::System`], for conditions.
    pub(crate) system_text: fn(&str) -> String,
    /// `{role, content}` of each message of [`Field::Messages`], in Chat Completions' words, for conditions.
    pub(crate) said: fn(&str) -> Vec<Value>,
    /// Whether one element of [`Field::Messages`] carries an image. Only asked of messages that show the word.
    pub(crate) has_image: fn(&str) -> bool,
}

/// What of top-level `metadata` goes on to a downstream of the caller's own dialect. What does not is spliced out: it tells
/// a provider whom one targets, and many refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    /// All of it, where the call has `store: true` and the downstream takes it.
    WhereStored,
    /// Its member `user_id`, but not to who counts tokens.
    UserIdAlone,
    /// All of it.
    Whole,
    /// Nothing.
    Nothing,
}

/// Where its endpoints are below a root, and which headers a call to them has (`outbound`, `gateway::base_url`).
#[derive(Debug)]
pub(crate) struct Address {
    /// How the URL of its endpoint ends, or of what stands before the model: what somebody may give in place of the base.
    pub(crate) end: &'static str,
    /// Where the URL names the model: writes it in place of [`end`](Address::end).
    pub(crate) of_model: Option<fn(&mut String, Generate<'_>)>,
    /// The endpoint that counts tokens, where there is one.
    pub(crate) count_tokens: Option<&'static str>,
    /// What a root ends in, as its clients have it, and other versions that are its own.
    pub(crate) version: &'static str,
    pub(crate) other_versions: &'static [&'static str],
    /// Its clients take a version anywhere in a base URL for one; else at the end alone.
    pub(crate) version_anywhere: bool,
    /// Headers of a caller that go on to a downstream that speaks the same.
    pub(crate) forwarded: &'static [&'static str],
    /// Headers that a call must have, and what is meant where its caller says nothing.
    pub(crate) meant: &'static [(&'static str, &'static str)],
    /// The header that carries the credential, by the habits of the downstream.
    pub(crate) auth: fn(&Habits) -> AuthStyle,
}

/// What a URL that names the model says of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generate<'a> {
    /// The model that the downstream knows.
    pub(crate) model: &'a str,
    /// A stream is wanted.
    pub(crate) stream: bool,
    /// A stream comes as server-sent events.
    pub(crate) events: bool,
}

impl Body {
    /// What a name means.
    pub(crate) fn field(&self, name: &str) -> Option<Field> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    /// The name of a field, for messages.
    pub(crate) fn name_of(&self, field: Field) -> Option<&'static str> {
        self.fields.iter().find(|(_, known)| *known == field).map(|(name, _)| *name)
    }
}
