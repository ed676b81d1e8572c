//! Which top-level fields mean something to us, by dialect: those that are read, and those that are ours and never go on.

use crate::dialect::Dialect;

/// A field, by its meaning rather than its name.
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

impl Field {
    /// What a top-level name means in a dialect; `None` where it is only passed on.
    pub(super) fn named(dialect: Dialect, name: &str) -> Option<Field> {
        Field::of_all(name).or_else(|| match dialect {
            Dialect::OpenAi => Field::of_chat(name),
            Dialect::Anthropic => Field::of_anthropic(name),
            Dialect::Responses => Field::of_responses(name),
            Dialect::Gemini => Field::of_gemini(name),
        })
    }

    /// The names that mean the same in every dialect: ours, and those of the unit.
    fn of_all(name: &str) -> Option<Field> {
        Some(match name {
            "user" => Field::User,
            "safety_identifier" => Field::SafetyIdentifier,
            "metadata" => Field::Metadata,
            "tools" => Field::Tools,
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

    fn of_chat(name: &str) -> Option<Field> {
        Some(match name {
            "model" => Field::Model,
            "stream" => Field::Stream,
            "stream_options" => Field::StreamOptions,
            "store" => Field::Store,
            "max_tokens" => Field::MaxTokens,
            "max_completion_tokens" => Field::MaxCompletionTokens,
            "functions" => Field::Functions,
            "messages" => Field::Messages,
            _ => return None,
        })
    }

    fn of_anthropic(name: &str) -> Option<Field> {
        Some(match name {
            "model" => Field::Model,
            "stream" => Field::Stream,
            "max_tokens" => Field::MaxTokens,
            "system" => Field::System,
            "messages" => Field::Messages,
            _ => return None,
        })
    }

    fn of_responses(name: &str) -> Option<Field> {
        Some(match name {
            "model" => Field::Model,
            "stream" => Field::Stream,
            "store" => Field::Store,
            "max_output_tokens" => Field::MaxTokens,
            "instructions" => Field::System,
            "input" => Field::Messages,
            "previous_response_id" => Field::PreviousResponse,
            "conversation" => Field::Conversation,
            _ => return None,
        })
    }

    /// Model and stream are the path's. Google reads both spellings of every name.
    fn of_gemini(name: &str) -> Option<Field> {
        Some(match name {
            "generationConfig" | "generation_config" => Field::GenerationConfig,
            "systemInstruction" | "system_instruction" => Field::System,
            "contents" => Field::Messages,
            _ => return None,
        })
    }

    /// The name in a dialect, for messages.
    pub(super) fn name(self, dialect: Dialect) -> &'static str {
        match self {
            Field::Model => "model",
            Field::Stream => "stream",
            Field::StreamOptions => "stream_options",
            Field::User => "user",
            Field::SafetyIdentifier => "safety_identifier",
            Field::Metadata => "metadata",
            Field::Store => "store",
            Field::MaxTokens if dialect == Dialect::Responses => "max_output_tokens",
            Field::MaxTokens => "max_tokens",
            Field::MaxCompletionTokens => "max_completion_tokens",
            Field::GenerationConfig => "generationConfig",
            Field::Tools => "tools",
            Field::Functions => "functions",
            Field::System => match dialect {
                Dialect::OpenAi | Dialect::Anthropic => "system",
                Dialect::Responses => "instructions",
                Dialect::Gemini => "systemInstruction",
            },
            Field::Messages => match dialect {
                Dialect::OpenAi | Dialect::Anthropic => "messages",
                Dialect::Responses => "input",
                Dialect::Gemini => "contents",
            },
            Field::PreviousResponse => "previous_response_id",
            Field::Conversation => "conversation",
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
