//! Which top-level fields mean something to us: those that are read, and those that are ours and never go on. The names
//! that a dialect has for them stand in its folder ([`Body::fields`](crate::dialect::wire::Body::fields)).

use crate::dialect::Dialect;

/// A field, by its meaning rather than its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Model,
    Stream,
    StreamOptions,
    User,
    SafetyIdentifier,
    Metadata,
    Store,
    MaxTokens,
    MaxCompletionTokens,
    GenerationConfig,
    Tools,
    Functions,
    System,
    Messages,
    PreviousResponse,
    Conversation,
    ExtraBody,
    Models,
    Fallback,
    Ignore,
    Sort,
    Provider,
    PromptVariables,
}

/// The names that mean the same in every dialect: ours, and those of the unit.
const OF_ALL: &[(&str, Field)] = &[
    ("user", Field::User),
    ("safety_identifier", Field::SafetyIdentifier),
    ("metadata", Field::Metadata),
    ("tools", Field::Tools),
    ("extra_body", Field::ExtraBody),
    ("models", Field::Models),
    ("fallback", Field::Fallback),
    ("ignore", Field::Ignore),
    ("sort", Field::Sort),
    ("provider", Field::Provider),
    ("prompt_variables", Field::PromptVariables),
];

impl Field {
    /// What a top-level name means in a dialect; `None` where it is only passed on.
    pub(super) fn named(dialect: Dialect, name: &str) -> Option<Field> {
        let of_all = OF_ALL.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
        of_all.or_else(|| dialect.wire().body.field(name))
    }

    /// The name in a dialect, for messages; empty of a field that the dialect has not.
    pub(super) fn name(self, dialect: Dialect) -> &'static str {
        let of_all = OF_ALL.iter().find(|(_, known)| *known == self).map(|(name, _)| *name);
        of_all.or_else(|| dialect.wire().body.name_of(self)).unwrap_or_default()
    }
}
