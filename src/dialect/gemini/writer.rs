//! Turns as `contents`: roles alternate, results stand first in the turn after the calls and in their order, each part with
//! its signature.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::contents::must_be_wrapped;
use super::fields::set;
use super::parts::{write_audio, write_source};
use super::thinking::is_gemini_3;
use super::{FREE_TEXT, ids, signature};
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Part, Role, Seal, Thought, ToolCall, Turn};
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// Writes the contents of one request.
#[derive(Debug)]
pub(super) struct Writer<'c> {
    conversation: &'c Conversation,
    is_gemini_3: bool,
    /// By id: how many calls came before, and the name, which a result must repeat.
    calls: HashMap<&'c str, (usize, &'c str)>,
    system: Vec<Value>,
    contents: Vec<Content>,
}

#[derive(Debug)]
struct Content {
    role: Role,
    /// With the order of their calls.
    results: Vec<(usize, Value)>,
    parts: Vec<Value>,
}

impl<'c> Writer<'c> {
    pub(super) fn new(conversation: &'c Conversation, model: &str) -> Self {
        let parts = conversation.turns.iter().flat_map(|turn| &turn.parts);
        let calls = parts.filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.id.as_str(), call.name.as_str())),
            _ => None,
        });
        let calls = calls.enumerate().map(|(at, (id, name))| (id, (at, name))).collect();
        let is_gemini_3 = is_gemini_3(model);
        Writer { conversation, is_gemini_3, calls, system: Vec::new(), contents: Vec::new() }
    }

    pub(super) fn write(&mut self, losses: &mut Losses) -> Result<(), Error> {
        for (at, part) in self.conversation.system.iter().enumerate() {
            self.write_system(part, &format!("system[{at}]"), losses)?;
        }
        for (at, turn) in self.conversation.turns.iter().enumerate() {
            self.write_turn(turn, &format!("messages[{at}]"), losses)?;
        }
        Ok(())
    }

    /// `systemInstruction` and `contents`.
    pub(super) fn finish(mut self) -> (Option<Value>, Value) {
        if self.is_gemini_3 {
            self.contents
                .iter_mut()
                .filter(|content| content.role == Role::Assistant)
                .for_each(sign_first_call);
        }
        let mut system = (!self.system.is_empty()).then(|| json!({"parts": self.system}));
        let written = self.contents.into_iter().filter_map(Content::written);
        let mut contents: Vec<Value> = written.collect();
        if contents.is_empty()
            && let Some(mut only) = system.take()
        {
            // There must be a turn: what is all there is speaks as the user.
            set(&mut only, "role", "user");
            contents.push(only);
        }
        (system, Value::Array(contents))
    }

    fn write_system(&mut self, part: &Part, path: &str, losses: &mut Losses) -> Result<(), Error> {
        let Part::Text { text, cache, .. } = part else { return Ok(()) };
        if cache.is_some() {
            losses.meet(Feature::CacheControl, path)?;
        }
        if !text.is_empty() {
            self.system.push(json!({"text": text}));
        }
        Ok(())
    }

    fn write_turn(&mut self, turn: &'c Turn, path: &str, losses: &mut Losses) -> Result<(), Error> {
        if turn.name.is_some() {
            losses.meet(Feature::SpeakerName, path)?;
        }
        if turn.role == Role::System {
            losses.meet(Feature::LateSystem, path)?;
            return turn.parts.iter().try_for_each(|part| self.write_system(part, path, losses));
        }
        if self.contents.last().is_none_or(|content| content.role != turn.role) {
            self.contents.push(Content { role: turn.role, results: Vec::new(), parts: Vec::new() });
        }
        turn.parts.iter().try_for_each(|part| self.write_part(part, path, losses))
    }

    fn write_part(&mut self, part: &'c Part, path: &str, losses: &mut Losses) -> Result<(), Error> {
        if let Part::ToolResult { id, parts, is_error, cache } = part {
            if cache.is_some() {
                losses.meet(Feature::CacheControl, path)?;
            }
            return self.write_result(id, parts, *is_error, path, losses);
        }
        if let Part::Thought(thought) = part {
            return self.write_thought(thought, path, losses);
        }
        let written = match part {
            Part::ToolCall(call) => Some(write_call(call, path, losses)?),
            Part::Own { dialect: Dialect::Gemini, json } => Some(json.clone()),
            Part::Own { .. } => {
                losses.meet(Feature::ServerToolHistory, path)?;
                None
            }
            _ => write_said(part, path, losses)?,
        };
        if let Some(content) = self.contents.last_mut() {
            content.parts.extend(written);
        }
        Ok(())
    }

    fn write_thought(&mut self, thought: &Thought, path: &str, losses: &mut Losses) -> Result<(), Error> {
        let seal = seal_of(thought.seal.as_ref(), path, losses)?;
        if thought.seal.is_some() && seal.is_none() {
            return Ok(());
        }
        let Some(content) = self.contents.last_mut() else { return Ok(()) };
        match (thought.text.is_empty(), seal) {
            (true, None) => {}
            (true, Some(seal)) => content.sign_last(seal),
            (false, None) => content.parts.push(json!({"text": thought.text, "thought": true})),
            (false, Some(seal)) => {
                content.parts.push(json!({"text": thought.text, "thought": true, "thoughtSignature": seal}))
            }
        }
        Ok(())
    }

    fn write_result(
        &mut self,
        id: &str,
        parts: &'c [Part],
        is_error: bool,
        path: &str,
        losses: &mut Losses,
    ) -> Result<(), Error> {
        let Some((order, name)) = self.calls.get(id).copied() else {
            let message = format!("`{path}` gives the result of the call `{id}`, which no message makes.");
            return Err(Error::invalid(path, message));
        };
        let (mut text, mut inner, mut beside) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            if let Part::Text { text: piece, .. } = part {
                text.push(piece.as_str());
            }
            let media = match part {
                Part::Text { .. } => None,
                part => write_said(part, path, losses)?,
            };
            // Only the third generation takes bytes within a result, and no URL is taken there.
            match media {
                Some(media) if self.is_gemini_3 && media.get("inlineData").is_some() => inner.push(media),
                media => beside.extend(media),
            }
        }
        let mut response = json!({"name": name, "response": response_of(&text.join("\n"), is_error)});
        if !ids::is_made(id) {
            set(&mut response, "id", id);
        }
        if !inner.is_empty() {
            set(&mut response, "parts", inner);
        }
        if let Some(content) = self.contents.last_mut() {
            content.results.push((order, json!({"functionResponse": response})));
            content.parts.extend(beside);
        }
        Ok(())
    }
}

impl Content {
    fn written(mut self) -> Option<Value> {
        self.results.sort_by_key(|(order, _)| *order);
        let results = self.results.into_iter().map(|(_, result)| result);
        let parts: Vec<Value> = results.chain(self.parts).collect();
        let role = if self.role == Role::Assistant { "model" } else { "user" };
        (!parts.is_empty()).then(|| json!({"role": role, "parts": parts}))
    }

    /// Puts a signature back where it was: on the text or picture before, else on an empty text.
    fn sign_last(&mut self, seal: String) {
        match self.parts.last_mut().and_then(Value::as_object_mut) {
            Some(part) if bears_carried_signature(part) => {
                part.insert("thoughtSignature".to_owned(), seal.into());
            }
            _ => self.parts.push(json!({"text": "", "thoughtSignature": seal})),
        }
    }
}

fn bears_carried_signature(part: &Map<String, Value>) -> bool {
    let is_spoken = (part.contains_key("text") && !part.contains_key("thought"))
        || part.contains_key("inlineData")
        || part.contains_key("fileData");
    is_spoken && !part.contains_key("thoughtSignature")
}

/// Gemini 3 refuses a history in whose turns the first call has no signature.
fn sign_first_call(content: &mut Content) {
    let first = content.parts.iter_mut().find(|part| part.get("functionCall").is_some());
    if let Some(part) = first.and_then(Value::as_object_mut) {
        part.entry("thoughtSignature").or_insert_with(|| signature::SKIP.into());
    }
}

/// The seal as Gemini gave it; a foreign one is met.
fn seal_of(seal: Option<&Seal>, path: &str, losses: &mut Losses) -> Result<Option<String>, Error> {
    match seal {
        Some(seal) if seal.is_of(Dialect::Gemini) => Ok(Some(seal.value.clone())),
        Some(_) => losses.meet(Feature::ForeignThought, path).map(|()| None),
        None => Ok(None),
    }
}

fn write_call(call: &ToolCall, path: &str, losses: &mut Losses) -> Result<Value, Error> {
    let mut written = function_call(call);
    if ids::is_made(&call.id)
        && let Value::Object(members) = &mut written
    {
        members.remove("id");
    }
    let mut part = json!({"functionCall": written});
    if let Some(seal) = seal_of(call.seal.as_ref(), path, losses)? {
        set(&mut part, "thoughtSignature", seal);
    }
    Ok(part)
}

/// `functionCall` of a complete call.
pub(super) fn function_call(call: &ToolCall) -> Value {
    let arguments = call.arguments.trim();
    let args = match serde_json::from_str(arguments) {
        Ok(Value::Object(args)) if !call.is_custom => args,
        _ if arguments.is_empty() && !call.is_custom => Map::new(),
        _ => Map::from_iter([(FREE_TEXT.to_owned(), call.arguments.clone().into())]),
    };
    json!({"id": call.id, "name": call.name, "args": args})
}

fn response_of(text: &str, is_error: bool) -> Value {
    if is_error {
        return json!({"error": text});
    }
    match serde_json::from_str(text) {
        Ok(response) if !must_be_wrapped(&response) => response,
        _ => json!({"output": text}),
    }
}

/// Text, pictures, files, sound; `None` where there is nothing to write.
fn write_said(part: &Part, path: &str, losses: &mut Losses) -> Result<Option<Value>, Error> {
    let (cache, source, fallback) = match part {
        Part::Text { text, citations, cache } => {
            if !citations.is_empty() {
                losses.meet(Feature::Citations, path)?;
            }
            if cache.is_some() {
                losses.meet(Feature::CacheControl, path)?;
            }
            return Ok((!text.is_empty()).then(|| json!({"text": text})));
        }
        Part::Refusal(text) => return Ok((!text.is_empty()).then(|| json!({"text": text}))),
        Part::Audio { format, data } => return Ok(Some(write_audio(format, data))),
        Part::Image { source, detail, cache } => {
            if detail.as_ref().is_some_and(|detail| detail != "auto") {
                losses.meet(Feature::ImageDetail, path)?;
            }
            (cache, source, "image/jpeg")
        }
        Part::Document { source, name, cache } => {
            if name.is_some() {
                // Google's own API has no name for a file that stands in the request.
                losses.meet(Feature::OwnField, path)?;
            }
            (cache, source, "application/pdf")
        }
        _ => return Ok(None),
    };
    if cache.is_some() {
        losses.meet(Feature::CacheControl, path)?;
    }
    match write_source(source, fallback) {
        Some(part) => Ok(Some(part)),
        None => losses.meet(Feature::UploadedFile, path).map(|()| None),
    }
}
