//! The turns, written as messages.
//!
//! Three things are not as they were. Texts of one message that has nothing else become one text, for there are providers
//! of this dialect that take no list. An assistant's turns that follow one another become one message, for a message that
//! calls tools must be followed by their results. And what a tool's message cannot hold (pictures, files) comes in a
//! message of the user's after the results.

use serde_json::{Map, Value, json};

use super::thoughts::{self, BETWEEN};
use super::{calls, parts, tools};
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Part, Role, ToolCall, Turn};
use crate::dialect::custom;
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// Writes system prompt and turns.
pub(super) fn write(
    conversation: &Conversation,
    tools: &tools::Writer<'_>,
    losses: &mut Losses,
) -> Result<Vec<Value>, Error> {
    let mut writer = Writer { tools, losses, messages: Vec::new(), pending: Vec::new() };
    let mut system = Vec::new();
    for part in &conversation.system {
        writer.meet_marks(part, "system")?;
        system.extend(text_of(part));
    }
    if !system.is_empty() {
        writer.messages.push(json!({"role": "system", "content": system.join(BETWEEN)}));
    }
    let mut at = 0;
    while let Some(turn) = conversation.turns.get(at) {
        let rest = conversation.turns.get(at..).unwrap_or_default();
        let together = match turn.role {
            Role::Assistant => {
                rest.iter().take_while(|next| next.role == turn.role && next.name == turn.name).count()
            }
            Role::User | Role::System => 1,
        };
        let turns = rest.get(..together).unwrap_or_default();
        match turn.role {
            Role::Assistant => writer.assistant(turns, at)?,
            Role::User => writer.user(turn, &path(at))?,
            Role::System => writer.system(turn, &path(at))?,
        }
        at += together;
    }
    writer.flush();
    Ok(writer.messages)
}

fn path(turn: usize) -> String {
    format!("messages[{turn}]")
}

fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text, .. } => Some(text),
        _ => None,
    }
}

struct Writer<'w> {
    tools: &'w tools::Writer<'w>,
    losses: &'w mut Losses,
    messages: Vec<Value>,
    /// Parts that wait for a message of the user's.
    pending: Vec<Value>,
}

impl Writer<'_> {
    fn push(&mut self, role: &str, name: Option<&str>, mut message: Map<String, Value>) {
        message.insert("role".to_owned(), role.into());
        message.extend(name.map(|name| ("name".to_owned(), name.into())));
        self.messages.push(Value::Object(message));
    }

    /// What waits becomes a message of its own.
    fn flush(&mut self) {
        if !self.pending.is_empty() {
            let content = content_of(std::mem::take(&mut self.pending));
            self.messages.push(json!({"role": "user", "content": content}));
        }
    }

    /// What stands on a part and has no word here.
    fn meet_marks(&mut self, part: &Part, path: &str) -> Result<(), Error> {
        let (cache, citations) = match part {
            Part::Text { cache, citations, .. } => (cache, !citations.is_empty()),
            Part::Image { cache, .. } | Part::Document { cache, .. } | Part::ToolResult { cache, .. } => {
                (cache, false)
            }
            _ => return Ok(()),
        };
        if cache.is_some() {
            self.losses.meet(Feature::CacheControl, path)?;
        }
        if citations {
            self.losses.meet(Feature::Citations, path)?;
        }
        Ok(())
    }

    fn system(&mut self, turn: &Turn, path: &str) -> Result<(), Error> {
        self.flush();
        for part in &turn.parts {
            self.meet_marks(part, path)?;
        }
        let texts: Vec<&str> = turn.parts.iter().filter_map(text_of).collect();
        let content = Map::from_iter([("content".to_owned(), texts.join(BETWEEN).into())]);
        self.push("system", turn.name.as_deref(), content);
        Ok(())
    }

    /// Results first, for they must follow the calls; then what the user says.
    fn user(&mut self, turn: &Turn, path: &str) -> Result<(), Error> {
        let mut content = Vec::new();
        for part in &turn.parts {
            self.meet_marks(part, path)?;
            match part {
                Part::ToolResult { id, parts, is_error, .. } => self.result(id, parts, *is_error, path)?,
                Part::Text { text, .. } => content.push(parts::text(text)),
                Part::Own { dialect: Dialect::OpenAi, json } => content.push(json.clone()),
                Part::Own { .. } => self.losses.meet(Feature::ServerToolHistory, path)?,
                Part::Thought(_) => self.losses.meet(Feature::ForeignThought, path)?,
                Part::Refusal(text) => content.push(parts::text(text)),
                Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => {
                    content.extend(parts::write(part, path, self.losses)?);
                }
                // A user calls no tools.
                Part::ToolCall(_) => {}
            }
        }
        if !content.is_empty() || turn.parts.is_empty() {
            let mut all = std::mem::take(&mut self.pending);
            all.extend(content);
            let message = Map::from_iter([("content".to_owned(), content_of(all))]);
            self.push("user", turn.name.as_deref(), message);
        }
        Ok(())
    }

    /// A message holds text alone; the rest of a result waits.
    fn result(&mut self, id: &str, parts: &[Part], is_error: bool, path: &str) -> Result<(), Error> {
        let (mut texts, mut media) = (Vec::new(), Vec::new());
        for part in parts {
            self.meet_marks(part, path)?;
            match part {
                Part::Text { text, .. } => texts.push(text.clone()),
                Part::Own { .. } => self.losses.meet(Feature::ServerToolHistory, path)?,
                _ => media.extend(parts::write(part, path, self.losses)?),
            }
        }
        // A document of text is text here too.
        media.retain(|part| match part.get("text").and_then(Value::as_str) {
            Some(text) => {
                texts.push(text.to_owned());
                false
            }
            None => true,
        });
        if !media.is_empty() {
            if texts.is_empty() {
                texts.push("The result is in the user's next message.".to_owned());
            }
            self.pending.push(parts::text(&format!("From the result of tool call `{id}`:")));
            self.pending.extend(media);
        }
        let mut content = texts.join(BETWEEN);
        // There is no other way to say that it failed.
        if is_error && !content.to_ascii_lowercase().starts_with("error") {
            content.insert_str(0, "Error: ");
        }
        self.messages.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
        Ok(())
    }

    fn assistant(&mut self, turns: &[Turn], first: usize) -> Result<(), Error> {
        self.flush();
        let mut said = Said::default();
        for (offset, turn) in turns.iter().enumerate() {
            let before = said.text.len();
            for part in &turn.parts {
                self.assistant_part(part, &mut said, before, &path(first + offset))?;
            }
        }
        let Said { text, refusal, calls, own_parts, mut message, results } = said;
        if text.is_empty()
            && refusal.is_empty()
            && calls.is_empty()
            && own_parts.is_empty()
            && message.is_empty()
        {
            return Ok(());
        }
        let content = match (own_parts.is_empty(), text.is_empty()) {
            (true, true) if calls.is_empty() && refusal.is_empty() => "".into(),
            (true, true) => Value::Null,
            (true, false) => text.into(),
            (false, empty) => {
                let text = (!empty).then(|| parts::text(&text));
                own_parts.into_iter().chain(text).collect()
            }
        };
        message.insert("content".to_owned(), content);
        if !refusal.is_empty() {
            message.insert("refusal".to_owned(), refusal.into());
        }
        if !calls.is_empty() {
            message.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        self.push("assistant", turns.first().and_then(|turn| turn.name.as_deref()), message);
        for (id, parts, is_error) in results {
            self.result(id, parts, is_error, &path(first))?;
        }
        Ok(())
    }

    /// `before` is how much text earlier turns of the same message have.
    fn assistant_part<'p>(
        &mut self,
        part: &'p Part,
        said: &mut Said<'p>,
        before: usize,
        path: &str,
    ) -> Result<(), Error> {
        self.meet_marks(part, path)?;
        match part {
            Part::Text { text, .. } => {
                // Texts of one turn are pieces of one: citations cut them in the middle of a sentence.
                if said.text.len() == before && before > 0 && !text.is_empty() {
                    said.text.push_str(BETWEEN);
                }
                said.text.push_str(text);
            }
            Part::Refusal(text) => said.refusal.push_str(text),
            Part::Thought(thought) => {
                if !thoughts::put_back(thought, &mut said.message, &mut said.own_parts) {
                    self.losses.meet(Feature::ForeignThought, path)?;
                }
            }
            Part::ToolCall(call) => {
                if call.seal.as_ref().is_some_and(|seal| !seal.is_of(Dialect::OpenAi)) {
                    self.losses.meet(Feature::ForeignThought, path)?;
                }
                said.calls.push(self.call(call));
            }
            Part::ToolResult { id, parts, is_error, .. } => said.results.push((id, parts, *is_error)),
            Part::Own { dialect: Dialect::OpenAi, json } => match json.get("audio") {
                Some(audio) => {
                    said.message.insert("audio".to_owned(), audio.clone());
                }
                None => said.own_parts.push(json.clone()),
            },
            Part::Own { .. } => self.losses.meet(Feature::ServerToolHistory, path)?,
            Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => {
                if let Some(medium) = parts::write(part, path, self.losses)? {
                    self.pending.push(parts::text("From the assistant's last message:"));
                    self.pending.push(medium);
                }
            }
        }
        Ok(())
    }

    fn call(&self, call: &ToolCall) -> Value {
        let is_custom = call.is_custom && self.tools.is_custom(&call.name);
        let arguments = if call.is_custom && !is_custom {
            custom::wrap(&call.arguments)
        } else if !is_custom && call.arguments.trim().is_empty() {
            // No arguments; but nothing is no JSON, and some refuse it.
            "{}".to_owned()
        } else {
            call.arguments.clone()
        };
        let seal = call.seal.clone().filter(|seal| seal.is_of(Dialect::OpenAi));
        calls::write(&ToolCall { seal, ..call.clone() }, is_custom, &arguments)
    }
}

/// What an assistant's message has so far.
#[derive(Default)]
struct Said<'p> {
    text: String,
    refusal: String,
    calls: Vec<Value>,
    /// Parts of the content that are not text.
    own_parts: Vec<Value>,
    /// Members beside the content.
    message: Map<String, Value>,
    /// Results within the assistant's turn.
    results: Vec<(&'p str, &'p [Part], bool)>,
}

/// One text where there is nothing else, else the parts.
fn content_of(parts: Vec<Value>) -> Value {
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| {
            part.get("text").and_then(Value::as_str).filter(|_| part.get("type") == Some(&"text".into()))
        })
        .collect();
    match texts {
        Some(texts) => texts.join(BETWEEN).into(),
        None => Value::Array(parts),
    }
}
