//! The messages of a request.

use serde_json::{Map, Value};

use super::calls;
use super::citations;
use super::fields::{Fields, missing, wrong};
use super::{parts, thoughts};
use crate::dialect::Dialect;
use crate::dialect::conversation::{Cache, Part, Role, Seal, Thought, Turn};
use crate::error::Error;

/// What the messages say, as they are read.
#[derive(Default)]
pub(super) struct History {
    pub(super) system: Vec<Part>,
    pub(super) turns: Vec<Turn>,
    /// The last turn is one of results, to which the next result belongs too.
    ends_with_results: bool,
    /// The id that was made for the last call of a legacy `function_call`, which has none.
    legacy_call: Option<String>,
}

impl History {
    /// Reads `messages`.
    pub(super) fn read(messages: Option<Value>) -> Result<History, Error> {
        let messages = match messages {
            Some(Value::Array(messages)) => messages,
            Some(other) => return Err(wrong("messages", "an array", &other)),
            None => return Err(missing("messages", "an array of messages")),
        };
        let mut history = History::default();
        for (at, message) in messages.into_iter().enumerate() {
            history.read_message(Fields::of(message, format!("messages[{at}]"))?, at)?;
        }
        Ok(history)
    }

    fn read_message(&mut self, mut message: Fields, at: usize) -> Result<(), Error> {
        let role = message.required_string("role")?;
        let cache = parts::cache(&mut message);
        let follows_results = std::mem::take(&mut self.ends_with_results);
        match role.as_str() {
            "system" | "developer" => self.read_system(message, cache),
            "user" => {
                let parts = read_content(&mut message, cache, false)?;
                self.push(Role::User, message.string("name")?, parts);
                Ok(())
            }
            "assistant" => self.read_assistant(message, cache, at),
            "tool" => {
                let id = message.required_string("tool_call_id")?;
                self.push_result(id, &mut message, cache, follows_results)
            }
            "function" => {
                let id = self.legacy_call.clone().unwrap_or_else(|| made_id(at, 0));
                self.push_result(id, &mut message, cache, follows_results)
            }
            other => {
                let path = message.path("role");
                let words = "`system`, `developer`, `user`, `assistant` or `tool`";
                Err(Error::invalid(path.as_str(), format!("`{path}` is `{other}`: use {words}.")))
            }
        }
    }

    /// Those before the first turn are the prompt, except where one speaks under a name (as examples do).
    fn read_system(&mut self, mut message: Fields, cache: Option<Cache>) -> Result<(), Error> {
        let path = message.path("content");
        let parts = read_content(&mut message, cache, false)?;
        if parts.iter().any(|part| !matches!(part, Part::Text { .. })) {
            return Err(Error::invalid(
                path.as_str(),
                format!("`{path}` of a system prompt may hold text alone."),
            ));
        }
        let name = message.string("name")?;
        if self.turns.is_empty() && name.is_none() {
            self.system.extend(parts);
        } else {
            self.push(Role::System, name, parts);
        }
        Ok(())
    }

    fn read_assistant(&mut self, mut message: Fields, cache: Option<Cache>, at: usize) -> Result<(), Error> {
        let mut parts: Vec<Part> = thoughts::read(message.members()).into_iter().map(Part::Thought).collect();
        parts.extend(signature(message.members()));
        let mut content = read_content(&mut message, cache, true)?;
        // An empty text says nothing, and others refuse it.
        content.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
        citations::attach(&mut content, citations::read(message.members()));
        parts.extend(content);
        parts.extend(message.string("refusal")?.map(Part::Refusal));
        let path = message.path("tool_calls");
        for (index, call) in message.list("tool_calls")?.into_iter().enumerate() {
            parts
                .push(Part::ToolCall(calls::read(call, &format!("{path}[{index}]"), || made_id(at, index))?));
        }
        if let Some(mut call) = message.object("function_call")? {
            let id = made_id(at, 0);
            self.legacy_call = Some(id.clone());
            parts.push(Part::ToolCall(calls::read_function(&mut call, id)?));
        }
        if let Some(audio) = message.take("audio") {
            let json = Value::Object(Map::from_iter([("audio".to_owned(), audio)]));
            parts.push(Part::Own { dialect: Dialect::OpenAi, json });
        }
        self.push(Role::Assistant, message.string("name")?, parts);
        Ok(())
    }

    fn push(&mut self, role: Role, name: Option<String>, parts: Vec<Part>) {
        self.turns.push(Turn { role, name, parts });
    }

    fn push_result(
        &mut self,
        id: String,
        message: &mut Fields,
        cache: Option<Cache>,
        follows_results: bool,
    ) -> Result<(), Error> {
        let path = message.path("content");
        let mut parts = parts::read(message.take("content"), &path, false)?;
        // A mark on a part of the result is one on the result: up to its end is what others can say.
        let inner = parts.iter_mut().rev().find_map(take_cache);
        let result = Part::ToolResult { id, parts, is_error: false, cache: cache.or(inner) };
        match self.turns.last_mut() {
            Some(turn) if follows_results => turn.parts.push(result),
            _ => self.push(Role::User, None, vec![result]),
        }
        self.ends_with_results = true;
        Ok(())
    }
}

/// An id for a call that came without: the same wherever the same history is read.
fn made_id(message: usize, call: usize) -> String {
    format!("call_{message}_{call}")
}

/// The content, with a mark that stood on the message put on its last part.
fn read_content(message: &mut Fields, cache: Option<Cache>, is_assistants: bool) -> Result<Vec<Part>, Error> {
    let path = message.path("content");
    let mut content = parts::read(message.take("content"), &path, is_assistants)?;
    if let Some(mark) = cache
        && let Some(Part::Text { cache, .. } | Part::Image { cache, .. } | Part::Document { cache, .. }) =
            content.last_mut()
    {
        cache.get_or_insert(mark);
    }
    Ok(content)
}

fn take_cache(part: &mut Part) -> Option<Cache> {
    match part {
        Part::Text { cache, .. } | Part::Image { cache, .. } | Part::Document { cache, .. } => cache.take(),
        _ => None,
    }
}

/// Google's signature of a message that calls no tool, as a thought that cannot be read.
pub(super) fn signature(message: &Map<String, Value>) -> Option<Part> {
    let signature = calls::signature(message)?;
    let seal = match signature {
        seal if seal.is_of(Dialect::OpenAi) => {
            let extra = Map::from_iter([("extra_content".to_owned(), calls::extra_content(&seal.value))]);
            Seal { value: Value::Object(extra).to_string(), ..seal }
        }
        foreign => foreign,
    };
    Some(Part::Thought(Thought { seal: Some(seal), ..Thought::default() }))
}
