//! Where Messages have what a variant sets.

use serde_json::{Value, json};

use super::part;
use crate::dialect::conversation::{Part, Role};
use crate::treatment::{Places, SystemPrompt};

/// `output_config` holds an effort beside the form of the answer.
pub(super) const PLACES: Places = Places {
    objects: &["output_config"],
    same: &[],
    interchangeable: &[],
    left: &["model", "messages", "stream", "system"],
    reads_snake_case: false,
    has_own_words: false,
    has_cache_marks: true,
    system: SystemPrompt::Blocks("system"),
    turns: "messages",
    turn,
};

fn turn(role: Role, parts: &[Part]) -> Value {
    let blocks = parts.iter().filter_map(|part| {
        let Part::Text { text, cache, .. } = part else { return None };
        let mut block = json!({"type": "text", "text": text});
        part::put_cache(&mut block, cache.as_ref());
        Some(block)
    });
    let role = if role == Role::Assistant { "assistant" } else { "user" };
    json!({"role": role, "content": blocks.collect::<Vec<_>>()})
}
