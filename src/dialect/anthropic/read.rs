//! Requests, read.
//!
//! Strict where a misreading would change the answer, loose elsewhere. What only Anthropic has goes to `own`, and so is
//! named in a note when it is left behind.

use serde_json::{Map, Value, json};

use super::fields::{Fields, wrong};
use super::{names, part, tool};
use crate::dialect::Dialect;
use crate::dialect::conversation::{
    Conversation, Format, Part, Role, Sampling, Seal, Source, Thinking, ThinkingMode, ToolCall, Turn,
};
use crate::dialect::responses::tools::can_be_strict;
use crate::error::Error;

/// What is ours, and what is read by name.
const READ_OR_SKIPPED: [&str; 24] = [
    "extra_body",
    "fallback",
    "ignore",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "models",
    "output_config",
    "output_format",
    "prompt_variables",
    "provider",
    "service_tier",
    "sort",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "mcp_servers",
];

/// Reads a request.
///
/// # Errors
/// A 400 that names the field.
pub fn decode_request(body: &[u8]) -> Result<Conversation, Error> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|fault| Error::invalid("", format!("The body is no JSON: {fault}. Send a JSON object.")))?;
    let fields = Fields::of(&body, "")?;
    let mut conversation = Conversation {
        model: fields.needed_text("model")?.to_owned(),
        stream: fields.flag("stream")?.unwrap_or(false),
        sampling: Sampling {
            temperature: fields.number("temperature")?,
            top_p: fields.number("top_p")?,
            top_k: fields.number("top_k")?,
            stop: fields.texts("stop_sequences")?,
            ..Sampling::default()
        },
        max_tokens: fields.count("max_tokens")?,
        service_tier: fields.text("service_tier")?.map(str::to_owned),
        ..Conversation::default()
    };
    let is_known = |name: &String| READ_OR_SKIPPED.contains(&name.as_str());
    let own = fields.iter().filter(|(name, value)| !is_known(name) && !value.is_null());
    conversation.own = own.map(|(name, value)| (name.clone(), value.clone())).collect();

    if let Some(system) = fields.get("system") {
        conversation.system = Blocks { own: &mut conversation.own }.read(system, "system")?;
    }
    let messages = fields.array("messages")?.ok_or_else(|| wrong("messages", "an array"))?;
    for (index, message) in messages.iter().enumerate() {
        let turn = read_turn(message, &format!("messages[{index}]"), &mut conversation.own)?;
        conversation.turns.push(turn);
    }
    if let Some(metadata) = fields.get("metadata") {
        conversation.user = Fields::of(metadata, "metadata")?.text("user_id")?.map(str::to_owned);
    }
    tool::read(&fields, &mut conversation)?;
    read_output(&fields, &mut conversation)?;
    Ok(conversation)
}

/// `thinking`, `output_config`, and `output_format`.
fn read_output(fields: &Fields<'_>, conversation: &mut Conversation) -> Result<(), Error> {
    if let Some(thinking) = fields.get("thinking") {
        conversation.thinking = Some(read_thinking(&Fields::of(thinking, "thinking")?)?);
    }
    if let Some(config) = fields.get("output_config") {
        let config = Fields::of(config, "output_config")?;
        if let Some(effort) = config.text("effort")? {
            conversation.thinking.get_or_insert_default().effort = Some(effort.to_owned());
        }
        if let Some(format) = config.get("format") {
            conversation.format = Some(read_format(&Fields::of(format, "output_config.format")?)?);
        }
        let rest = config.iter().filter(|(name, _)| !["effort", "format"].contains(&name.as_str()));
        for (name, value) in rest.filter(|(_, value)| !value.is_null()) {
            conversation.own.insert(format!("output_config.{name}"), value.clone());
        }
    }
    if let (None, Some(format)) = (&conversation.format, fields.get("output_format")) {
        conversation.format = Some(read_format(&Fields::of(format, "output_format")?)?);
    }
    Ok(())
}

fn read_thinking(thinking: &Fields<'_>) -> Result<Thinking, Error> {
    let mode = match thinking.needed_text("type")? {
        "enabled" => ThinkingMode::On,
        "disabled" => ThinkingMode::Off,
        "adaptive" | "between_tools" => ThinkingMode::Adaptive,
        _ => {
            return Err(wrong(&thinking.at("type"), "`enabled`, `disabled`, `adaptive` or `between_tools`"));
        }
    };
    Ok(Thinking {
        mode: Some(mode),
        effort: None,
        budget: thinking.count("budget_tokens")?,
        shown: thinking.text("display")?.map(str::to_owned),
    })
}

fn read_format(format: &Fields<'_>) -> Result<Format, Error> {
    if format.needed_text("type")? != "json_schema" {
        return Err(wrong(&format.at("type"), "`json_schema`"));
    }
    let schema = format.get("schema").ok_or_else(|| wrong(&format.at("schema"), "a JSON Schema"))?;
    // Anthropic keeps to any schema; OpenAI to one that leaves nothing open, and refuses to promise it of another.
    let strict = can_be_strict(schema).then_some(true);
    Ok(Format::JsonSchema { name: None, description: None, schema: schema.clone(), strict })
}

fn read_turn(message: &Value, path: &str, own: &mut Map<String, Value>) -> Result<Turn, Error> {
    let message = Fields::of(message, path)?;
    let role = match message.needed_text("role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(wrong(&message.at("role"), "`user`, `assistant` or `system`")),
    };
    let content_path = message.at("content");
    let content = message
        .get("content")
        .ok_or_else(|| wrong(&content_path, "a string or an array of content blocks"))?;
    let mut parts = Blocks { own }.read(content, &content_path)?;
    return_seals(&mut parts);
    Ok(Turn { role, name: None, parts })
}

/// Gives calls back the seals that went out as thoughts before them ([`part::sealed_thought`]). Only Gemini seals calls.
fn return_seals(parts: &mut Vec<Part>) {
    let mut kept: Vec<Part> = Vec::with_capacity(parts.len());
    for mut part in parts.drain(..) {
        if let (Part::ToolCall(call), Some(Part::Thought(thought))) = (&mut part, kept.last())
            && thought.text.is_empty()
            && let Some(seal) = &thought.seal
            && seal.is_of(Dialect::Gemini)
        {
            call.seal = Some(seal.clone());
            kept.pop();
        }
        kept.push(part);
    }
    *parts = kept;
}

/// Reads content: a string, or blocks.
struct Blocks<'o> {
    /// Where the fields go that only Anthropic has.
    own: &'o mut Map<String, Value>,
}

impl Blocks<'_> {
    fn read(&mut self, content: &Value, path: &str) -> Result<Vec<Part>, Error> {
        if let Some(text) = content.as_str() {
            return Ok(vec![Part::text(text)]);
        }
        let blocks =
            content.as_array().ok_or_else(|| wrong(path, "a string or an array of content blocks"))?;
        let mut parts = Vec::with_capacity(blocks.len());
        for (index, block) in blocks.iter().enumerate() {
            self.block(block, &format!("{path}[{index}]"), &mut parts)?;
        }
        Ok(parts)
    }

    fn block(&mut self, json: &Value, path: &str, parts: &mut Vec<Part>) -> Result<(), Error> {
        let block = Fields::of(json, path)?;
        let cache = json.as_object().and_then(part::read_cache);
        let part = match block.needed_text("type")? {
            "text" => Part::Text {
                text: block.needed_text("text")?.to_owned(),
                citations: part::read_citations(json),
                cache,
            },
            "image" => Part::Image { source: read_source(&block)?, detail: None, cache },
            "document" => {
                if let Some(context) = block.text("context")? {
                    parts.push(Part::text(context));
                }
                self.note_citations(&block);
                Part::Document { source: read_source(&block)?, name: title(&block)?, cache }
            }
            "search_result" => {
                self.note_citations(&block);
                let text = joined(block.get("content"), &block.at("content"))?;
                Part::Document { source: Source::Text(text), name: title(&block)?, cache }
            }
            "tool_use" => Part::ToolCall(ToolCall {
                id: names::id_in(block.needed_text("id")?),
                name: block.needed_text("name")?.to_owned(),
                arguments: part::arguments(block.get("input")),
                ..ToolCall::default()
            }),
            "tool_result" => Part::ToolResult {
                id: names::id_in(block.needed_text("tool_use_id")?),
                parts: match block.get("content") {
                    Some(content) => self.read(content, &block.at("content"))?,
                    None => Vec::new(),
                },
                is_error: block.flag("is_error")?.unwrap_or(false),
                cache,
            },
            "thinking" => part::thought(
                block.text("thinking")?.unwrap_or_default(),
                block.text("signature")?.unwrap_or_default(),
                |signature| Seal::unwrapped(Dialect::Anthropic, signature),
            ),
            "redacted_thinking" => part::thought("", block.needed_text("data")?, |data| {
                let seal = Seal::unwrapped(Dialect::Anthropic, data);
                Seal { is_redacted: true, ..seal }
            }),
            _ => Part::Own { dialect: Dialect::Anthropic, json: json.clone() },
        };
        parts.push(part);
        Ok(())
    }

    /// Citations that are asked for cannot be given by others: a field that is left behind.
    fn note_citations(&mut self, block: &Fields<'_>) {
        if let Some(citations) = block.get("citations")
            && citations.get("enabled") == Some(&json!(true))
        {
            self.own.insert(block.at("citations"), citations.clone());
        }
    }
}

fn title(block: &Fields<'_>) -> Result<Option<String>, Error> {
    Ok(block.text("title")?.map(str::to_owned))
}

fn read_source(block: &Fields<'_>) -> Result<Source, Error> {
    let path = block.at("source");
    let source = block.get("source").ok_or_else(|| wrong(&path, "an object"))?;
    let source = Fields::of(source, &path)?;
    Ok(match source.needed_text("type")? {
        "url" => Source::Url(source.needed_text("url")?.to_owned()),
        "base64" => Source::Base64 {
            media_type: source.needed_text("media_type")?.to_owned(),
            data: source.needed_text("data")?.to_owned(),
        },
        "text" => Source::Text(source.needed_text("data")?.to_owned()),
        "content" => Source::Text(joined(source.get("content"), &source.at("content"))?),
        "file" => Source::File(source.needed_text("file_id")?.to_owned()),
        _ => return Err(wrong(&source.at("type"), "`base64`, `url`, `text`, `content` or `file`")),
    })
}

/// The texts of content, a paragraph each.
fn joined(content: Option<&Value>, path: &str) -> Result<String, Error> {
    let blocks = match content {
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Array(blocks)) => blocks,
        _ => return Err(wrong(path, "a string or an array of text blocks")),
    };
    let texts = blocks.iter().enumerate().map(|(index, block)| {
        let text = block.get("text").and_then(Value::as_str);
        text.ok_or_else(|| wrong(&format!("{path}[{index}]"), "a text block"))
    });
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n\n"))
}
