//! What conditions may ask about the messages. Built on demand, from the raw spans, and never failing: whatever is not
//! shaped as expected counts as absent, for it is the provider's business to refuse it.
//!
//! The words are Chat Completions', so that a condition means the same whichever client asks: roles `system`, `user`,
//! `assistant`, `tool`; a system prompt that stands apart is the first message. Thoughts are not said. Where a dialect has
//! its messages, and in what shape, is said in its folder; what is here are the shapes that more than one have.

use memchr::memmem;
use serde_json::{Value, json};

use super::object::{self, member, value};
use crate::dialect::Dialect;

/// How deep in one another parts may be: a text in a search result in a tool's result.
const MOST_LEVELS: usize = 3;

/// `[{role, content}]`, one element a message, or an item of Responses'; what is absent is an empty string.
pub(super) fn for_conditions(dialect: Dialect, system: &str, messages: &str) -> Value {
    let body = &dialect.wire().body;
    let system = (body.system_text)(system);
    let first = (!system.is_empty()).then(|| message("system", &system));
    Value::Array(first.into_iter().chain((body.said)(messages)).collect())
}

/// Whether any message has a part that carries an image.
pub(super) fn have_images(dialect: Dialect, messages: &str) -> bool {
    // Most calls have none, and then a search is a hundredth of the work. An escape may spell the word.
    if memmem::find(messages.as_bytes(), b"image").is_none()
        && memmem::find(messages.as_bytes(), b"\\u").is_none()
    {
        return false;
    }
    is_any(messages, dialect.wire().body.has_image)
}

/// One of them.
pub(crate) fn message(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

/// Messages of the shape that Chat Completions and Anthropic's have.
pub(crate) fn of_chat(messages: &str) -> Vec<Value> {
    object::elements(messages).unwrap_or_default().into_iter().map(chat_message).collect()
}

fn chat_message(text: &str) -> Value {
    let members = object::members(text).unwrap_or_default();
    let role = value(text, &members, "role").and_then(object::lossy_string).unwrap_or_default();
    let content = value(text, &members, "content").map(content_text);
    message(&role, &content.unwrap_or_default())
}

/// The text of a `content`: the string itself, or the texts of its parts and of what a tool gave, a line each.
pub(crate) fn content_text(content: &str) -> String {
    text_of(content, MOST_LEVELS)
}

fn text_of(content: &str, levels: usize) -> String {
    let Some(parts) = object::elements(content) else {
        return object::lossy_string(content).unwrap_or_default();
    };
    let texts = parts.into_iter().filter_map(|part| {
        let members = object::members(part).ok()?;
        if let Some(text) = value(part, &members, "text") {
            return object::lossy_string(text);
        }
        let inner = value(part, &members, "content").filter(|_| levels > 1)?;
        Some(text_of(inner, levels - 1)).filter(|text| !text.is_empty())
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Whether a message has an image in its `content`, or as an item of Responses' in its `output`.
pub(crate) fn has_content_image(message: &str) -> bool {
    ["content", "output"].iter().any(|name| {
        member(message, name).is_some_and(|parts| is_any(parts, |part| is_image(part, MOST_LEVELS)))
    })
}

/// Whether one of the parts is such.
pub(crate) fn is_any(parts: &str, is: impl Fn(&str) -> bool) -> bool {
    object::elements(parts).unwrap_or_default().into_iter().any(is)
}

/// An image, or a tool's result with one among its parts.
fn is_image(part: &str, levels: usize) -> bool {
    let members = object::members(part).unwrap_or_default();
    let kind = value(part, &members, "type").and_then(object::lossy_string);
    matches!(kind.as_deref(), Some("image_url" | "input_image" | "image" | "computer_screenshot"))
        || levels > 1
            && value(part, &members, "content")
                .is_some_and(|parts| is_any(parts, |part| is_image(part, levels - 1)))
}
