//! The turns of a conversation as Anthropic takes them.
//!
//! Its rules: turns alternate, and the first is the user's. Results come first in the turn after their calls. No text is
//! blank. A turn of the model does not end in a thought, nor the last one in white space. Thoughts carry Anthropic's seal.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{names, part, tool};
use crate::dialect::Dialect;
use crate::dialect::conversation::{Cache, Citation, Conversation, Part, Role, Source, Turn};
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// What stands for a turn of the user that there has to be and that says nothing.
const NOTHING_SAID: &str = "(no message)";

/// System prompts and turns, as they are written.
#[derive(Debug)]
pub(super) struct History {
    /// Text blocks.
    pub(super) system: Vec<Value>,
    /// Messages.
    pub(super) messages: Vec<Value>,
}

#[derive(Debug)]
struct Message {
    is_user: bool,
    blocks: Vec<Value>,
}

/// Writes the prompts and turns of a conversation.
pub(super) fn write(conversation: &Conversation, losses: &mut Losses) -> Result<History, Error> {
    let mut system = Vec::new();
    for part in &conversation.system {
        system.extend(write_part(part, Role::System, "system", losses)?);
    }
    let mut messages = Vec::new();
    for (index, turn) in conversation.turns.iter().enumerate() {
        let blocks = write_turn(turn, &format!("messages[{index}]"), losses)?;
        if turn.role == Role::System {
            system.extend(blocks);
        } else {
            messages.push(Message { is_user: turn.role == Role::User, blocks });
        }
    }
    let user_is_last = messages.last().is_none_or(|message| message.is_user);
    let mut messages = merged(messages);
    messages.iter_mut().for_each(put_in_order);
    let mut messages = merged(messages);
    if !user_is_last {
        trim_end(&mut messages);
    }
    if messages.is_empty() && !system.is_empty() {
        // A prompt alone is something to answer, and a request without a message is refused.
        messages.push(Message { is_user: true, blocks: std::mem::take(&mut system) });
    }
    let nothing_said = || Message { is_user: true, blocks: vec![text_block(NOTHING_SAID)] };
    if messages.first().is_none_or(|message| !message.is_user) {
        messages.insert(0, nothing_said());
    }
    if user_is_last && messages.last().is_some_and(|message| !message.is_user) {
        messages.push(nothing_said());
    }
    Ok(History { system, messages: messages.into_iter().map(Message::json).collect() })
}

/// Empty messages left out, neighbours of one role joined.
fn merged(messages: Vec<Message>) -> Vec<Message> {
    let mut merged: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages.into_iter().filter(|message| !message.blocks.is_empty()) {
        match merged.last_mut() {
            Some(last) if last.is_user == message.is_user => last.blocks.extend(message.blocks),
            _ => merged.push(message),
        }
    }
    merged
}

fn kind_of(block: &Value) -> &str {
    block.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn put_in_order(message: &mut Message) {
    if message.is_user {
        message.blocks.sort_by_key(|block| kind_of(block) != "tool_result");
        return;
    }
    while message.blocks.last().is_some_and(|block| kind_of(block).ends_with("thinking")) {
        message.blocks.pop();
    }
}

/// Takes the white space from the end of a last turn that the model is to go on with.
fn trim_end(messages: &mut [Message]) {
    let Some(last) = messages.last_mut().filter(|message| !message.is_user) else { return };
    if let Some(Value::String(text)) = last.blocks.last_mut().and_then(|block| block.get_mut("text")) {
        text.truncate(text.trim_end().len());
    }
}

impl Message {
    fn json(self) -> Value {
        let role = if self.is_user { "user" } else { "assistant" };
        json!({"role": role, "content": compact(self.blocks)})
    }
}

/// Blocks, or the string that stands for one text and nothing about it.
pub(super) fn compact(mut blocks: Vec<Value>) -> Value {
    match blocks.as_mut_slice() {
        [Value::Object(block)] if block.len() == 2 && block.contains_key("text") => {
            block.remove("text").unwrap_or_default()
        }
        _ => Value::Array(blocks),
    }
}

fn write_turn(turn: &Turn, path: &str, losses: &mut Losses) -> Result<Vec<Value>, Error> {
    if turn.role == Role::System {
        losses.meet(Feature::LateSystem, path)?;
    }
    if turn.name.is_some() {
        losses.meet(Feature::SpeakerName, &format!("{path}.name"))?;
    }
    let mut blocks = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        blocks.extend(write_part(part, turn.role, path, losses)?);
    }
    Ok(blocks)
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn write_part(part: &Part, role: Role, path: &str, losses: &mut Losses) -> Result<Option<Value>, Error> {
    if !belongs(part, role) {
        losses.meet(Feature::OwnField, path)?;
        return Ok(None);
    }
    Ok(match part {
        Part::Text { text, citations, cache } => write_text(text, citations, cache.as_ref(), path, losses)?,
        Part::Refusal(text) => write_text(text, &[], None, path, losses)?,
        Part::Image { source, detail, cache } => {
            if detail.is_some() {
                losses.meet(Feature::ImageDetail, path)?;
            }
            let mut block = json!({"type": "image", "source": write_image(source, path, losses)?});
            part::put_cache(&mut block, cache.as_ref());
            Some(block)
        }
        Part::Document { source, name, cache } => {
            let mut block = json!({"type": "document", "source": write_document(source, path, losses)?});
            if let (Some(name), Some(block)) = (name, block.as_object_mut()) {
                block.insert("title".into(), name.clone().into());
            }
            part::put_cache(&mut block, cache.as_ref());
            Some(block)
        }
        Part::Audio { .. } => {
            losses.meet(Feature::Audio, path)?;
            None
        }
        Part::ToolCall(call) => {
            if call.seal.is_some() {
                losses.meet(Feature::ForeignThought, path)?;
            }
            Some(part::tool_use(call, &tool::checked_name(&call.name, path)?, part::input(call)))
        }
        Part::ToolResult { id, parts, is_error, cache } => {
            Some(write_result(id, parts, *is_error, cache.as_ref(), path, losses)?)
        }
        Part::Thought(thought) => match &thought.seal {
            Some(seal) if seal.is_of(Dialect::Anthropic) => Some(if seal.is_redacted {
                json!({"type": "redacted_thinking", "data": seal.value})
            } else {
                json!({"type": "thinking", "thinking": thought.text, "signature": seal.value})
            }),
            _ => {
                losses.meet(Feature::ForeignThought, path)?;
                None
            }
        },
        Part::Own { dialect: Dialect::Anthropic, json } => Some(json.clone()),
        Part::Own { .. } => {
            losses.meet(Feature::ServerToolHistory, path)?;
            None
        }
    })
}

/// Whether Anthropic takes a part in a turn of that role: no picture that a model made, and no call but the model's.
fn belongs(part: &Part, role: Role) -> bool {
    match part {
        Part::Text { .. } | Part::Refusal(_) => true,
        Part::Own { .. } | Part::Audio { .. } => role != Role::System,
        Part::ToolCall(_) | Part::Thought(_) => role == Role::Assistant,
        Part::Image { .. } | Part::Document { .. } | Part::ToolResult { .. } => role == Role::User,
    }
}

fn write_text(
    text: &str,
    citations: &[Citation],
    cache: Option<&Cache>,
    path: &str,
    losses: &mut Losses,
) -> Result<Option<Value>, Error> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut block = text_block(text);
    let mut kept = Vec::new();
    for citation in citations {
        match &citation.own {
            Some((Dialect::Anthropic, own)) => kept.push(as_sent(own)),
            _ => losses.meet(Feature::Citations, path)?,
        }
    }
    if let (false, Some(block)) = (kept.is_empty(), block.as_object_mut()) {
        block.insert("citations".into(), Value::Array(kept));
    }
    part::put_cache(&mut block, cache);
    Ok(Some(block))
}

/// A citation as a request has it: an answer's has one field more.
fn as_sent(citation: &Value) -> Value {
    let mut citation = citation.clone();
    if let Some(citation) = citation.as_object_mut() {
        citation.remove("file_id");
    }
    citation
}

fn write_result(
    id: &str,
    parts: &[Part],
    is_error: bool,
    cache: Option<&Cache>,
    path: &str,
    losses: &mut Losses,
) -> Result<Value, Error> {
    let mut content = Vec::with_capacity(parts.len());
    for part in parts {
        content.extend(write_part(part, Role::User, path, losses)?);
    }
    let mut block = json!({"type": "tool_result", "tool_use_id": names::id_out(id)});
    if let Some(block) = block.as_object_mut() {
        if !content.is_empty() {
            block.insert("content".into(), compact(content));
        }
        if is_error {
            block.insert("is_error".into(), true.into());
        }
    }
    part::put_cache(&mut block, cache);
    Ok(block)
}

fn write_image(source: &Source, path: &str, losses: &mut Losses) -> Result<Value, Error> {
    Ok(match source {
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::Base64 { media_type, data } => {
            json!({"type": "base64", "media_type": image_type(media_type), "data": data})
        }
        Source::Text(_) => return Err(unreadable(path, "an image that is text")),
        Source::File(id) => uploaded(id, path, losses)?,
    })
}

/// The name that Anthropic knows a picture's type by.
fn image_type(media_type: &str) -> &str {
    if media_type.eq_ignore_ascii_case("image/jpg") { "image/jpeg" } else { media_type }
}

fn write_document(source: &Source, path: &str, losses: &mut Losses) -> Result<Value, Error> {
    Ok(match source {
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::Text(text) => json!({"type": "text", "media_type": "text/plain", "data": text}),
        Source::Base64 { media_type, data } if media_type == "application/pdf" => {
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        Source::Base64 { media_type, data } => {
            let bytes = BASE64.decode(data.as_bytes()).ok();
            let text = bytes.filter(|_| is_text(media_type)).and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| unreadable(path, &format!("a document of type `{media_type}`")))?;
            json!({"type": "text", "media_type": "text/plain", "data": text})
        }
        Source::File(id) => uploaded(id, path, losses)?,
    })
}

fn is_text(media_type: &str) -> bool {
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_markup = ["json", "xml", "yaml", "x-yaml", "javascript"]
        .iter()
        .any(|kind| media_type.strip_prefix("application/") == Some(kind));
    media_type.starts_with("text/") || is_markup
}

fn unreadable(path: &str, what: &str) -> Error {
    let message = format!(
        "`{path}`: a downstream that speaks `anthropic` cannot read {what}; send a PDF or text, or name another model."
    );
    Error::invalid(path, message)
}

fn uploaded(id: &str, path: &str, losses: &mut Losses) -> Result<Value, Error> {
    losses.meet(Feature::UploadedFile, path)?;
    Ok(json!({"type": "file", "file_id": id}))
}
