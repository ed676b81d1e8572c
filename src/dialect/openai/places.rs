//! Where Chat Completions have what a variant sets.

use serde_json::{Value, json};

use super::thoughts::BETWEEN;
use crate::dialect::conversation::{Part, Role};
use crate::treatment::{Places, SystemPrompt};

/// Names of many servers' own for how much to think are replaced by OpenAI's, and OpenAI's older name of the limit by its newer.
pub(super) const PLACES: Places = Places {
    objects: &[],
    same: &[&["max_tokens", "max_completion_tokens"], &["reasoning_effort", "reasoning", "thinking"]],
    interchangeable: &[("max_tokens", "max_completion_tokens")],
    left: &["model", "messages", "stream", "stream_options"],
    reads_snake_case: false,
    has_own_words: true,
    has_cache_marks: false,
    system: SystemPrompt::FirstTurns(&["system", "developer"]),
    turns: "messages",
    turn,
};

/// There are servers that take no list of parts.
fn turn(role: Role, parts: &[Part]) -> Value {
    let texts: Vec<&str> = parts.iter().filter_map(Part::as_text).collect();
    let role = match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    json!({"role": role, "content": texts.join(BETWEEN)})
}
