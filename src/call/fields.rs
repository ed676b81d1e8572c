//! What a body says in the fields that mean something to us ([`Field`]).
//!
//! Strict where we act on a field, for a call that is read wrongly is assigned wrongly; loose where it is only passed on
//! (`max_tokens`, `store`, `tools`, `messages`), for its value is the provider's business.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Value};

use super::asked::{self, LONGEST_MODEL};
use super::field::Field;
use super::layout::Piece;
use super::value::{Found, UsageAsk, UserId, merged_metadata};
use super::variables;
use crate::dialect::Dialect;
use crate::dialect::wire::Metadata;
use crate::endpoint::Ask;
use crate::error::Error;
use crate::exchange::plan::Asked;
use crate::treatment::Variables;

/// What a body says. An absent field is its default.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Never empty.
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) usage_ask: UsageAsk,
    pub(super) user: Option<String>,
    pub(super) safety_identifier: Option<String>,
    /// Anthropic's alone.
    pub(super) user_id: Option<UserId>,
    pub(super) metadata: Map<String, Value>,
    pub(super) store: bool,
    pub(super) max_tokens: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) has_tools: bool,
    pub(super) refers_to_state: bool,
    /// From a whole answer or conversation, and not an item alone.
    pub(super) goes_on: bool,
    pub(super) prompt_variables: Variables,
    pub(super) system: Option<Range<usize>>,
    pub(super) messages: Option<Range<usize>>,
    pub(super) asked: Asked,
}

impl Fields {
    /// Reads the pieces that are fields of ours or of the dialect; errs on a type that cannot be acted on.
    pub(super) fn read(ask: &Ask, body: &str, pieces: &[Piece]) -> Result<Fields, Error> {
        let mut fields = Fields::default();
        let (mut metadata, mut metadata_over) = (None, None);
        let (mut models, mut sort, mut provider) = (None, None, None);
        for piece in pieces.iter().filter(|piece| !piece.shadowed) {
            let Some(field) = piece.field else { continue };
            let found = Found::new(path(ask.dialect, field, piece.inside), body, &piece.value);
            match field {
                Field::Metadata if piece.inside => metadata_over = Some(found),
                Field::Metadata => metadata = Some(found),
                Field::Models => models = Some(found),
                Field::Sort => sort = Some(found),
                Field::Provider => provider = Some(found),
                _ => fields.take(field, &found, ask.dialect)?,
            }
        }
        if let (Metadata::UserIdAlone, Some(metadata)) = (ask.dialect.wire().body.metadata, &metadata) {
            fields.user_id = metadata.user_id()?;
        }
        fields.metadata = merged_metadata(metadata, metadata_over)?;
        if let Some(model) = &ask.model {
            fields.model.clone_from(model);
        }
        fields.stream = ask.stream.unwrap_or(fields.stream);
        check_model(&fields.model)?;
        // To OpenRouter they are fields of its own, and its to refuse.
        let is_openrouters = fields.model.starts_with(OPENROUTER);
        if let Some(models) = models {
            fields.asked.models = ours(asked::models(&models), is_openrouters)?;
        }
        if let Some(sort) = sort {
            fields.asked.preference.sort = ours(asked::sort(&sort), is_openrouters)?;
        }
        if let Some(provider) = provider {
            fields.asked.preference.providers = ours(asked::providers(&provider), is_openrouters)?;
        }
        Ok(fields)
    }

    /// Reads one field that stands for itself.
    fn take(&mut self, field: Field, found: &Found<'_>, dialect: Dialect) -> Result<(), Error> {
        match field {
            Field::Model => self.model = found.filled_string()?.unwrap_or_default(),
            Field::Stream => self.stream = found.boolean()?.unwrap_or(false),
            Field::StreamOptions => self.usage_ask = found.usage_ask()?,
            Field::User => self.user = found.filled_string()?,
            Field::SafetyIdentifier => self.safety_identifier = found.filled_string()?,
            Field::Store => self.store = found.is_true(),
            Field::MaxTokens => self.max_tokens = found.whole_number(),
            Field::MaxCompletionTokens => self.max_completion_tokens = found.whole_number(),
            Field::GenerationConfig => {
                self.max_tokens = found.whole_number_of(dialect.wire().body.max_tokens_in);
            }
            Field::Tools | Field::Functions => self.has_tools |= found.is_filled_list(),
            Field::System => self.system = Some(found.span()),
            Field::Messages => {
                self.messages = Some(found.span());
                self.refers_to_state |= dialect.wire().body.keeps_state && found.refers_to_items();
            }
            Field::PreviousResponse | Field::Conversation => {
                self.goes_on |= !found.is_null() && found.text() != "\"\"";
                self.refers_to_state |= self.goes_on;
            }
            Field::Ignore => self.asked.ignore = asked::ignore(found)?,
            Field::Fallback => self.asked.tuning = asked::fallback(found)?,
            Field::PromptVariables => self.prompt_variables = variables::read(found)?,
            Field::Metadata | Field::Models | Field::ExtraBody | Field::Sort | Field::Provider => {}
        }
        Ok(())
    }
}

/// What was read, where the field is ours to read.
fn ours<T: Default>(read: Result<T, Error>, is_openrouters: bool) -> Result<T, Error> {
    if is_openrouters { Ok(read.unwrap_or_default()) } else { read }
}

/// How a call to OpenRouter names its model.
const OPENROUTER: &str = "openrouter/";

fn path(dialect: Dialect, field: Field, inside: bool) -> Cow<'static, str> {
    let name = field.name(dialect);
    if inside { Cow::Owned(format!("extra_body.{name}")) } else { Cow::Borrowed(name) }
}

fn check_model(model: &str) -> Result<(), Error> {
    if model.is_empty() {
        let message = "`model` is missing or empty: name a router (`turnout/<router>`) or a model (`<provider>/<model>`).";
        return Err(Error::invalid("model", message));
    }
    if model.len() > LONGEST_MODEL {
        let message = format!("`model` is {} bytes long; names have at most {LONGEST_MODEL}.", model.len());
        return Err(Error::invalid("model", message));
    }
    Ok(())
}
