//! A variant's `message_templates`, read: every fault with its path and what would be right.
//!
//! In scope: roles, contents, sizes. Out of scope: variables, and what a call makes of them (`treatment`).

use crate::dialect::conversation::Cache;
use crate::document::{Found, Json, Kind, Object, Reader, field, object, required};
use crate::treatment::{MOST_BYTES, MOST_PROMPTS, Prompt, Speaker, Text, pieces};

/// A message of `message_templates`.
pub(super) static MESSAGE: Object = object(
    "MessageTemplate",
    "A message that goes before the request's own; `{{name}}` stands for a variable of `prompt_variables`.",
    &[
        required("role", Kind::Word(&["system", "developer", "user", "assistant"]), ""),
        required(
            "content",
            Kind::Either(&[Kind::Filled(MOST_BYTES), Kind::Few(&Kind::Object(&PART), 1, MOST_BYTES)]),
            "Text, or parts of text.",
        ),
    ],
);

static PART: Object = object(
    "TextPart",
    "A part of a message.",
    &[
        field("type", Kind::Word(&["text"]), ""),
        required("text", Kind::Filled(MOST_BYTES), ""),
        field("cache_control", Kind::Object(&CACHE), "As Anthropic has it."),
    ],
);

static CACHE: Object = object(
    "CacheControl",
    "Up to where the provider is to keep the prompt.",
    &[required("type", Kind::Word(&["ephemeral"]), ""), field("ttl", Kind::Word(&["5m", "1h"]), "")],
);

/// Reads `message_templates`. Where there is a fault, what comes back is not complete.
pub(super) fn read(reader: &mut Reader, found: Found) -> Vec<Prompt> {
    let path = found.path.clone();
    let Some(items) = reader.items(found) else { return Vec::new() };
    if items.len() > MOST_PROMPTS {
        reader.fault(path, format!("has {} messages; {MOST_PROMPTS} are the most", items.len()));
        return Vec::new();
    }
    let mut room = MOST_BYTES;
    let mut prompts: Vec<Prompt> = Vec::new();
    for item in items {
        let item_path = item.path.clone();
        let Some(mut fields) = reader.object_of(item, MESSAGE.fields) else { continue };
        let speaker = fields
            .required(reader, "role", "\"system\", \"user\" or \"assistant\"")
            .and_then(|found| speaker(reader, &found));
        let texts = fields
            .required(reader, "content", "the text")
            .map(|found| content(reader, found, &mut room))
            .unwrap_or_default();
        let Some(speaker) = speaker else { continue };
        let is_late = speaker == Speaker::System && prompts.iter().any(|prompt| prompt.speaker != speaker);
        if is_late {
            reader.warn(item_path, "goes to the beginning, where all system prompts stand");
        }
        prompts.push(Prompt { speaker, texts });
    }
    if room == 0 {
        reader.fault(path, format!("is too long; all texts together may have {MOST_BYTES} bytes"));
    }
    prompts
}

fn speaker(reader: &mut Reader, found: &Found) -> Option<Speaker> {
    let speaker = match reader.text(found)? {
        "system" | "developer" => Some(Speaker::System),
        "user" => Some(Speaker::User),
        "assistant" => Some(Speaker::Assistant),
        _ => None,
    };
    if speaker.is_none() {
        reader.fault(&found.path, "is no role of a prompt; write \"system\", \"user\" or \"assistant\"");
    }
    speaker
}

/// A string, or parts of text.
fn content(reader: &mut Reader, found: Found, room: &mut usize) -> Vec<Text> {
    if !matches!(found.value, Json::Array(_)) {
        return text(reader, &found, None, room).into_iter().collect();
    }
    let path = found.path.clone();
    let Some(items) = reader.items(found) else { return Vec::new() };
    if items.len() == 0 {
        reader.fault(path, "is empty; write the text");
    }
    let mut texts = Vec::new();
    for item in items {
        let Some(mut fields) = reader.object_of(item, PART.fields) else { continue };
        if let Some(found) = fields.take("type")
            && reader.text(&found).is_some_and(|kind| kind != "text")
        {
            reader.fault(&found.path, "must be \"text\": prompts are made of text alone");
        }
        let cache = fields.take("cache_control").and_then(|found| cache(reader, found));
        let found = fields.required(reader, "text", "the text");
        texts.extend(found.and_then(|found| text(reader, &found, cache, room)));
    }
    texts
}

fn text(reader: &mut Reader, found: &Found, cache: Option<Cache>, room: &mut usize) -> Option<Text> {
    let template = reader.text(found)?;
    if template.is_empty() {
        reader.fault(&found.path, "is empty; write the text");
        return None;
    }
    *room = room.saturating_sub(template.len());
    if template.contains("{{") && !pieces(template).iter().any(crate::treatment::Piece::is_variable) {
        let message = "has `{{` and no variable, so it is sent as it is; write a variable as {{name}}";
        reader.warn(&found.path, message);
    }
    Some(Text { pieces: pieces(template), cache })
}

fn cache(reader: &mut Reader, found: Found) -> Option<Cache> {
    let mut fields = reader.object_of(found, CACHE.fields)?;
    let kind = fields.required(reader, "type", "\"ephemeral\"");
    if let Some(kind) = kind
        && reader.text(&kind).is_some_and(|written| written != "ephemeral")
    {
        reader.fault(&kind.path, "must be \"ephemeral\"");
    }
    let ttl = fields.take("ttl").and_then(|found| {
        let written = reader.text(&found)?.to_owned();
        if !["5m", "1h"].contains(&written.as_str()) {
            reader.fault(&found.path, "must be \"5m\" or \"1h\"");
        }
        Some(written)
    });
    Some(Cache { ttl })
}
