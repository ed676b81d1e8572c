//! The turns of a conversation, written as items.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::content;
use super::write::shortened;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Part, Role, Thought, ToolCall, Turn};
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// `instructions` and `input`.
pub(super) fn encode(
    conversation: &Conversation,
    losses: &mut Losses,
) -> Result<(Option<String>, Vec<Value>), Error> {
    let mut writer = Writer {
        items: Vec::new(),
        message: Vec::new(),
        customs: customs(conversation),
        losses,
        path: "system".to_owned(),
    };
    let mut system = conversation.system.iter();
    let instructions = match system.next() {
        Some(Part::Text { text, cache, .. }) => {
            if cache.is_some() {
                writer.losses.meet(Feature::CacheControl, "system")?;
            }
            Some(text.clone())
        }
        _ => None,
    };
    for part in system {
        writer.part(Role::System, part)?;
    }
    writer.flush(Role::System);
    for (index, turn) in conversation.turns.iter().enumerate() {
        writer.path = format!("messages[{index}]");
        writer.turn(turn)?;
    }
    Ok((instructions, writer.items))
}

/// Ids of calls of tools that take free text: their results are items of another type.
fn customs(conversation: &Conversation) -> HashSet<&str> {
    let parts = conversation.turns.iter().flat_map(|turn| &turn.parts);
    parts
        .filter_map(|part| match part {
            Part::ToolCall(call) if call.is_custom => Some(call.id.as_str()),
            _ => None,
        })
        .collect()
}

struct Writer<'c> {
    items: Vec<Value>,
    /// Content of the message in the making.
    message: Vec<Value>,
    customs: HashSet<&'c str>,
    losses: &'c mut Losses,
    /// Of the turn that is being written.
    path: String,
}

impl Writer<'_> {
    fn turn(&mut self, turn: &Turn) -> Result<(), Error> {
        if turn.name.is_some() {
            self.losses.meet(Feature::SpeakerName, &self.path)?;
        }
        for part in &turn.parts {
            self.part(turn.role, part)?;
        }
        self.flush(turn.role);
        Ok(())
    }

    fn part(&mut self, role: Role, part: &Part) -> Result<(), Error> {
        match part {
            Part::ToolCall(call) => {
                self.flush(role);
                self.call(call)
            }
            Part::ToolResult { id, parts, is_error, cache } => {
                self.flush(role);
                if cache.is_some() {
                    self.losses.meet(Feature::CacheControl, &self.path)?;
                }
                self.result(id, parts, *is_error)
            }
            Part::Thought(thought) => {
                self.flush(role);
                self.thought(thought)
            }
            Part::Own { dialect: Dialect::Responses, json } => {
                self.flush(role);
                self.items.push(json.clone());
                Ok(())
            }
            Part::Own { .. } => self.losses.meet(Feature::ServerToolHistory, &self.path),
            Part::Refusal(refusal) if role == Role::Assistant => {
                self.message.push(json!({"type": "refusal", "refusal": refusal}));
                Ok(())
            }
            Part::Text { text, citations, cache } if role == Role::Assistant => {
                if !citations.is_empty() {
                    self.losses.meet(Feature::Citations, &self.path)?;
                }
                if cache.is_some() {
                    self.losses.meet(Feature::CacheControl, &self.path)?;
                }
                self.message.push(json!({"type": "output_text", "text": text, "annotations": []}));
                Ok(())
            }
            // A picture that the model made: its own provider's tool did.
            _ if role == Role::Assistant => self.losses.meet(Feature::ServerToolHistory, &self.path),
            Part::Refusal(text) => {
                self.message.push(json!({"type": "input_text", "text": text}));
                Ok(())
            }
            part => {
                self.message.extend(content::encode(part, &self.path, self.losses)?);
                Ok(())
            }
        }
    }

    /// Ends the message in the making.
    fn flush(&mut self, role: Role) {
        if self.message.is_empty() {
            return;
        }
        let role = match role {
            Role::System => "developer",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let content = std::mem::take(&mut self.message);
        self.items.push(json!({"type": "message", "role": role, "content": content}));
    }

    fn call(&mut self, call: &ToolCall) -> Result<(), Error> {
        if call.seal.is_some() {
            self.losses.meet(Feature::ForeignThought, &self.path)?;
        }
        let id = shortened(&call.id);
        self.items.push(if call.is_custom {
            json!({"type": "custom_tool_call", "call_id": id, "name": call.name, "input": call.arguments})
        } else {
            let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
            json!({"type": "function_call", "call_id": id, "name": call.name, "arguments": arguments})
        });
        Ok(())
    }

    fn result(&mut self, id: &str, parts: &[Part], is_error: bool) -> Result<(), Error> {
        let output = match parts {
            [] => Value::from(""),
            [Part::Text { text, citations, cache: None }] if citations.is_empty() => text.as_str().into(),
            parts => {
                let path = &self.path;
                let mut output = Vec::new();
                for part in parts {
                    output.extend(content::encode(part, path, self.losses)?);
                }
                output.into()
            }
        };
        let kind = if self.customs.contains(id) { "custom_tool_call_output" } else { "function_call_output" };
        let mut item = json!({"type": kind, "call_id": shortened(id), "output": output});
        // The only word that this dialect has for it.
        if let (true, Some(item)) = (is_error, item.as_object_mut()) {
            item.insert("status".to_owned(), "incomplete".into());
        }
        self.items.push(item);
        Ok(())
    }

    fn thought(&mut self, thought: &Thought) -> Result<(), Error> {
        let Some(seal) = thought.seal.as_ref().filter(|seal| seal.is_of(Dialect::Responses)) else {
            return self.losses.meet(Feature::ForeignThought, &self.path);
        };
        let mut item = json!({"type": "reasoning", "summary": [], "encrypted_content": seal.value});
        if let Some(item) = item.as_object_mut() {
            if let Some(id) = &thought.id {
                item.insert("id".to_owned(), id.as_str().into());
            }
            if !thought.text.is_empty() {
                let (name, kind) = if thought.is_summary {
                    ("summary", "summary_text")
                } else {
                    ("content", "reasoning_text")
                };
                item.insert(name.to_owned(), json!([{"type": kind, "text": thought.text}]));
            }
        }
        self.items.push(item);
        Ok(())
    }
}
