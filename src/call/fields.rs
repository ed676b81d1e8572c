//! Which top-level fields mean something to us, and what a body says in each of them.
//!
//! Strict where we act on a field, for a call that is read wrongly is assigned wrongly; loose where it is only passed on
//! (`max_tokens`, `store`, `tools`, `messages`), for its value is the provider's business.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Value};

use super::asked::{self, LONGEST_MODEL};
use super::layout::Piece;
use super::value::{Found, UsageAsk, merged_metadata};
use crate::error::Error;
use crate::exchange::plan::Asked;

/// A field that is read, or that is ours and never goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Model,
    Stream,
    StreamOptions,
    User,
    SafetyIdentifier,
    Metadata,
    Store,
    MaxTokens,
    MaxCompletionTokens,
    Tools,
    Functions,
    Messages,
    ExtraBody,
    Models,
    Fallback,
    Ignore,
    Sort,
    Provider,
    PromptVariables,
}

impl Field {
    pub(super) fn named(name: &str) -> Option<Field> {
        Some(match name {
            "model" => Field::Model,
            "stream" => Field::Stream,
            "stream_options" => Field::StreamOptions,
            "user" => Field::User,
            "safety_identifier" => Field::SafetyIdentifier,
            "metadata" => Field::Metadata,
            "store" => Field::Store,
            "max_tokens" => Field::MaxTokens,
            "max_completion_tokens" => Field::MaxCompletionTokens,
            "tools" => Field::Tools,
            "functions" => Field::Functions,
            "messages" => Field::Messages,
            "extra_body" => Field::ExtraBody,
            "models" => Field::Models,
            "fallback" => Field::Fallback,
            "ignore" => Field::Ignore,
            "sort" => Field::Sort,
            "provider" => Field::Provider,
            "prompt_variables" => Field::PromptVariables,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Field::Model => "model",
            Field::Stream => "stream",
            Field::StreamOptions => "stream_options",
            Field::User => "user",
            Field::SafetyIdentifier => "safety_identifier",
            Field::Metadata => "metadata",
            Field::Store => "store",
            Field::MaxTokens => "max_tokens",
            Field::MaxCompletionTokens => "max_completion_tokens",
            Field::Tools => "tools",
            Field::Functions => "functions",
            Field::Messages => "messages",
            Field::ExtraBody => "extra_body",
            Field::Models => "models",
            Field::Fallback => "fallback",
            Field::Ignore => "ignore",
            Field::Sort => "sort",
            Field::Provider => "provider",
            Field::PromptVariables => "prompt_variables",
        }
    }
}

/// What a body says. An absent field is its default.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Never empty.
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) usage_ask: UsageAsk,
    pub(super) user: Option<String>,
    pub(super) safety_identifier: Option<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) store: bool,
    pub(super) max_tokens: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) has_tools: bool,
    pub(super) messages: Option<Range<usize>>,
    pub(super) asked: Asked,
}

impl Fields {
    /// Reads the pieces that are fields of ours or of the dialect; errs on a type that cannot be acted on.
    pub(super) fn read(body: &str, pieces: &[Piece]) -> Result<Fields, Error> {
        let mut fields = Fields::default();
        let (mut metadata, mut metadata_over) = (None, None);
        let mut models = None;
        for piece in pieces.iter().filter(|piece| !piece.shadowed) {
            let Some(field) = piece.field else { continue };
            let path = if piece.inside {
                Cow::Owned(format!("extra_body.{}", field.name()))
            } else {
                Cow::Borrowed(field.name())
            };
            let found = Found::new(path, body, &piece.value);
            match field {
                Field::Model => fields.model = found.filled_string()?.unwrap_or_default(),
                Field::Stream => fields.stream = found.boolean()?.unwrap_or(false),
                Field::StreamOptions => fields.usage_ask = found.usage_ask()?,
                Field::User => fields.user = found.filled_string()?,
                Field::SafetyIdentifier => fields.safety_identifier = found.filled_string()?,
                Field::Metadata if piece.inside => metadata_over = Some(found),
                Field::Metadata => metadata = Some(found),
                Field::Store => fields.store = found.is_true(),
                Field::MaxTokens => fields.max_tokens = found.whole_number(),
                Field::MaxCompletionTokens => fields.max_completion_tokens = found.whole_number(),
                Field::Tools | Field::Functions => fields.has_tools |= found.is_filled_list(),
                Field::Messages => fields.messages = Some(piece.value.clone()),
                Field::Models => models = Some(found),
                Field::Ignore => fields.asked.ignore = asked::ignore(&found)?,
                Field::Fallback => fields.asked.tuning = asked::fallback(&found)?,
                Field::ExtraBody | Field::Sort | Field::Provider | Field::PromptVariables => {}
            }
        }
        fields.metadata = merged_metadata(metadata, metadata_over)?;
        if fields.model.len() > LONGEST_MODEL {
            let message =
                format!("`model` is {} bytes long; names have at most {LONGEST_MODEL}.", fields.model.len());
            return Err(Error::invalid("model", message));
        }
        if fields.model.is_empty() {
            return Err(no_model());
        }
        if let Some(models) = models {
            let read = asked::models(&models);
            // There the field is OpenRouter's own, and its to refuse.
            fields.asked.models =
                if fields.model.starts_with(OPENROUTER) { read.unwrap_or_default() } else { read? };
        }
        Ok(fields)
    }
}

/// How a call to OpenRouter names its model.
const OPENROUTER: &str = "openrouter/";

fn no_model() -> Error {
    let message =
        "`model` is missing or empty: name a router (`turnout/<router>`) or a model (`<provider>/<model>`).";
    Error::invalid("model", message)
}
