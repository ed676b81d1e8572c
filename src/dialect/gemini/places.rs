//! Where `generateContent` has what a variant sets.

use serde_json::{Value, json};

use crate::dialect::conversation::{Part, Role};
use crate::treatment::{Places, SystemPrompt};

/// Google reads both spellings of every name. `thinkingConfig` is replaced whole: a level and a budget at once are refused.
pub(super) const PLACES: Places = Places {
    objects: &["generationConfig"],
    same: &[],
    interchangeable: &[],
    left: &["contents", "systemInstruction"],
    reads_snake_case: true,
    has_own_words: false,
    has_cache_marks: false,
    system: SystemPrompt::Parts("systemInstruction"),
    turns: "contents",
    turn,
};

fn turn(role: Role, parts: &[Part]) -> Value {
    let parts: Vec<Value> =
        parts.iter().filter_map(Part::as_text).map(|text| json!({"text": text})).collect();
    let role = if role == Role::Assistant { "model" } else { "user" };
    json!({"role": role, "parts": parts})
}
