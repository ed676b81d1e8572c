//! Where Responses have what a variant sets.

use serde_json::{Value, json};

use crate::dialect::conversation::{Part, Role};
use crate::treatment::{Places, SystemPrompt};

/// `reasoning` holds how much beside how it is shown. What is stored and included is the caller's affair.
pub(super) const PLACES: Places = Places {
    objects: &["reasoning"],
    same: &[],
    interchangeable: &[],
    left: &["model", "input", "instructions", "stream", "store", "include"],
    reads_snake_case: false,
    has_own_words: false,
    has_cache_marks: false,
    system: SystemPrompt::Text("instructions"),
    turns: "input",
    turn,
};

fn turn(role: Role, parts: &[Part]) -> Value {
    let texts: Vec<&str> = parts.iter().filter_map(Part::as_text).collect();
    let role = if role == Role::Assistant { "assistant" } else { "user" };
    json!({"role": role, "content": texts.join("\n\n")})
}
