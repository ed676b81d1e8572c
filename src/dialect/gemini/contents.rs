//! `systemInstruction` and `contents` of a request, read.
//!
//! Clients store a streamed answer as the pieces that came: pieces of one text or thought are joined again here.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::fields::{Object, member, wrong};
use super::parts::read_media;
use super::{ids, signature};
use crate::dialect::Dialect;
use crate::dialect::conversation::{Part, Role, Seal, Thought, ToolCall, Turn};
use crate::error::Error;

/// Reads the system prompt.
pub(super) fn system(body: &Object<'_>) -> Result<Vec<Part>, Error> {
    if let Some(Value::String(text)) = body.get("systemInstruction") {
        return Ok(vec![Part::text(text)]);
    }
    let Some(instruction) = body.object("systemInstruction")? else { return Ok(Vec::new()) };
    let mut texts = Vec::new();
    for part in instruction.objects("parts")? {
        texts.push(Part::text(part.required_text("text")?));
    }
    Ok(texts)
}

/// Reads the turns.
pub(super) fn turns(body: &Object<'_>) -> Result<Vec<Turn>, Error> {
    if body.get("contents").is_none() {
        return Err(Error::invalid("contents", "`contents` is missing: give the conversation as an array."));
    }
    let mut calls = Calls::default();
    let contents = body.objects("contents")?;
    contents.iter().map(|content| turn(content, &mut calls)).collect()
}

fn turn(content: &Object<'_>, calls: &mut Calls) -> Result<Turn, Error> {
    let role = match content.text("role")? {
        None | Some("" | "user" | "function") => Role::User,
        Some("model") => Role::Assistant,
        Some(_) => return Err(wrong(&content.path_of("role"), "`user` or `model`")),
    };
    let mut parts = Vec::new();
    for part in content.objects("parts")? {
        read_part(&part, role, calls, &mut parts)?;
    }
    Ok(Turn { role, name: None, parts })
}

/// The calls of the history so far.
#[derive(Debug, Default)]
struct Calls {
    made: usize,
    given: HashSet<String>,
    /// Id and name of those that no result has come for.
    open: Vec<(String, String)>,
}

impl Calls {
    fn add(&mut self, id: Option<&str>, name: &str) -> String {
        let id = id.map_or_else(|| ids::in_history(self.made), str::to_owned);
        self.made += 1;
        self.given.insert(id.clone());
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    /// The id of the call that a result answers: by its id, else the first of that name without a result.
    fn answered(&mut self, id: Option<&str>, name: &str) -> Option<String> {
        if let Some(id) = id.filter(|id| self.given.contains(*id)) {
            self.open.retain(|(open, _)| open != id);
            return Some(id.to_owned());
        }
        let at = self.open.iter().position(|(_, open)| open == name)?;
        Some(self.open.remove(at).0)
    }
}

fn read_part(part: &Object<'_>, role: Role, calls: &mut Calls, parts: &mut Vec<Part>) -> Result<(), Error> {
    let seal = part.text("thoughtSignature")?.filter(|seal| !seal.is_empty() && *seal != signature::SKIP);
    let seal = seal.map(signature::read);
    if let Some(text) = part.text("text")? {
        if part.flag("thought")? == Some(true) {
            add_thought(parts, text, seal);
        } else {
            add_text(parts, role, text);
            add_carrier(parts, seal);
        }
    } else if let Some(call) = part.object("functionCall")? {
        parts.push(Part::ToolCall(read_call(&call, seal, calls)?));
    } else if let Some(response) = part.object("functionResponse")? {
        parts.push(read_result(&response, calls)?);
    } else if part.get("inlineData").is_some() || part.get("fileData").is_some() {
        let value = part.value();
        let media = read_media(&value).ok_or_else(|| {
            wrong(part.path(), "`inlineData` with `mimeType` and `data`, or `fileData` with `fileUri`")
        })?;
        parts.push(media);
        add_carrier(parts, seal);
    } else if part.except(&["thoughtSignature", "thought", "partMetadata"]).is_empty() {
        add_carrier(parts, seal);
    } else {
        parts.push(Part::Own { dialect: Dialect::Gemini, json: part.value() });
    }
    Ok(())
}

fn add_text(parts: &mut Vec<Part>, role: Role, piece: &str) {
    match parts.last_mut() {
        _ if piece.is_empty() => {}
        Some(Part::Text { text, .. }) if role == Role::Assistant => text.push_str(piece),
        _ => parts.push(Part::text(piece)),
    }
}

fn add_thought(parts: &mut Vec<Part>, piece: &str, seal: Option<Seal>) {
    if let Some(Part::Thought(thought)) = parts.last_mut()
        && thought.seal.is_none()
        && !seal.as_ref().is_some_and(|seal| seal.is_redacted)
    {
        thought.text.push_str(piece);
        thought.seal = seal;
        return;
    }
    if piece.is_empty() && seal.is_none() {
        return;
    }
    // What another dialect's model thought went to the caller as it was; Gemini itself only shows summaries.
    let is_summary = seal.as_ref().is_none_or(|seal| seal.is_of(Dialect::Gemini));
    parts.push(Part::Thought(Thought { text: piece.to_owned(), is_summary, seal, id: None }));
}

/// What bears the signature of the text or picture before it.
fn add_carrier(parts: &mut Vec<Part>, seal: Option<Seal>) {
    if seal.is_some() {
        parts.push(Part::Thought(Thought { seal, ..Thought::default() }));
    }
}

fn read_call(call: &Object<'_>, seal: Option<Seal>, calls: &mut Calls) -> Result<ToolCall, Error> {
    let name = call.required_text("name")?;
    let arguments = call.object("args")?.map_or_else(|| "{}".to_owned(), |args| args.value().to_string());
    let id = calls.add(call.text("id")?.filter(|id| !id.is_empty()), name);
    Ok(ToolCall { id, name: name.to_owned(), arguments, is_custom: false, seal })
}

fn read_result(response: &Object<'_>, calls: &mut Calls) -> Result<Part, Error> {
    let name = response.required_text("name")?;
    let id = calls.answered(response.text("id")?, name).ok_or_else(|| {
        let path = response.path();
        let message =
            format!("`{path}` answers a call of `{name}`, but none without an answer comes before it.");
        Error::invalid(path, message)
    })?;
    let said = response.object("response")?.map(|said| said.value()).unwrap_or_else(|| Map::new().into());
    let (text, is_error) = result_text(&said, name);
    let mut parts = vec![Part::text(text)];
    for part in response.objects("parts")? {
        let value = part.value();
        let media = read_media(&value);
        parts.push(media.ok_or_else(|| wrong(part.path(), "`inlineData` with `mimeType` and `data`"))?);
    }
    Ok(Part::ToolResult { id, parts, is_error, cache: None })
}

/// What a result says, and whether that is an error: `output` and `error` are Google's own names, `result` that of its Python
/// client, `content` beside the tool's name that of Vercel's; of anything else the whole is the output.
fn result_text(response: &Value, tool: &str) -> (String, bool) {
    let names_tool = response.get("name").and_then(Value::as_str) == Some(tool);
    if let Some(content) = response.get("content")
        && names_tool
        && response.as_object().is_some_and(|members| members.len() == 2)
    {
        return (content.as_str().map_or_else(|| content.to_string(), str::to_owned), false);
    }
    if let Some((name, value)) = sole_member(response) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match name {
            "output" | "result" => return (text, false),
            "error" => return (text, true),
            _ => {}
        }
    }
    (response.to_string(), false)
}

/// The only member of an object that has one.
pub(super) fn sole_member(value: &Value) -> Option<(&str, &Value)> {
    let mut members = value.as_object()?.iter();
    let (name, value) = members.next()?;
    members.next().is_none().then_some((name.as_str(), value))
}

/// Whether a result's text would be read as something else where it stood as the response itself.
pub(super) fn must_be_wrapped(response: &Value) -> bool {
    !response.is_object()
        || ["output", "result", "error"]
            .iter()
            .any(|name| member(response, name).is_some() && sole_member(response).is_some())
}
