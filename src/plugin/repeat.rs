//! `break_repeat`: small models that go round in circles are told so.
//!
//! Where the last three turns of the assistant say and do the same, a turn of the user's is added that asks for something else.
//! Thoughts do not count, nor do the ids of calls, and a turn that says and does nothing is like no other. A body that is not
//! understood passes as it is.

use super::text::quoted;
use crate::dialect::conversation::{Part, Role, Turn};
use crate::dialect::{Dialect, translate};

/// So many equal turns are a circle.
const ROUNDS: usize = 3;

const REMINDER: &str = "Your last three messages were the same. You seem to be going round in circles: do not repeat \
                        yourself again. Take another step, or finish if the task is done.";

/// The body with the reminder; `None` where nothing repeats.
pub(super) fn broken(dialect: Dialect, body: &str) -> Option<String> {
    let conversation = translate::decode_request(dialect, body.as_bytes()).ok()?;
    let turns = said_by_assistant(&conversation.turns);
    let (last, before) = turns.split_last()?;
    let before = before.get(before.len().checked_sub(ROUNDS - 1)?..)?;
    if last.is_empty() || before.iter().any(|turn| turn != last) {
        return None;
    }
    (dialect.wire().plugins.reminded)(body, &quoted(REMINDER))
}

/// What each turn of the assistant says and does; what follows another without a word between is one turn.
fn said_by_assistant(turns: &[Turn]) -> Vec<Vec<String>> {
    let mut said: Vec<Vec<String>> = Vec::new();
    let mut goes_on = false;
    for turn in turns {
        if turn.role != Role::Assistant {
            goes_on = false;
            continue;
        }
        let parts = turn.parts.iter().filter_map(fingerprint);
        match said.last_mut().filter(|_| goes_on) {
            Some(last) => last.extend(parts),
            None => said.push(parts.collect()),
        }
        goes_on = true;
    }
    said
}

/// What makes a part another one; `None` where it says nothing.
fn fingerprint(part: &Part) -> Option<String> {
    match part {
        Part::Thought(_) => None,
        Part::Text { text, .. } | Part::Refusal(text) => {
            Some(text.clone()).filter(|text| !text.trim().is_empty())
        }
        Part::ToolCall(call) => Some(format!("\0{}\0{}", call.name, call.arguments)),
        Part::Own { json, .. } => Some(json.to_string()),
        other => Some(format!("{other:?}")),
    }
}
