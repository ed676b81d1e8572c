//! What conditions may ask about the messages. Built on demand, from the raw span, and never failing: whatever is not
//! shaped as expected counts as absent, for it is the provider's business to refuse it.

use memchr::memmem;
use serde_json::{Value, json};

use super::object::{self, Member};

/// `[{role, content}]`, one element a message; what is absent is an empty string.
pub(super) fn for_conditions(messages: &str) -> Value {
    let messages = object::elements(messages).unwrap_or_default();
    messages
        .into_iter()
        .map(|message| {
            let members = object::members(message).unwrap_or_default();
            let role = value(message, &members, "role").and_then(object::lossy_string).unwrap_or_default();
            let content = value(message, &members, "content").map(text_of).unwrap_or_default();
            json!({"role": role, "content": content})
        })
        .collect()
}

/// Whether any message has a part of one of the types that carry an image.
pub(super) fn have_images(messages: &str) -> bool {
    // Most calls have none, and then a search is a hundredth of the work. An escape may spell the word.
    if memmem::find(messages.as_bytes(), b"image").is_none()
        && memmem::find(messages.as_bytes(), b"\\u").is_none()
    {
        return false;
    }
    let is_image = |part: &str| {
        let kind = member(part, "type").and_then(object::lossy_string);
        matches!(kind.as_deref(), Some("image_url" | "input_image" | "image"))
    };
    let mut parts = object::elements(messages)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|message| object::elements(member(message, "content")?))
        .flatten();
    parts.any(is_image)
}

/// The text of a `content`: the string itself, or the texts of its parts, a line each.
fn text_of(content: &str) -> String {
    match object::elements(content) {
        Some(parts) => {
            let texts = parts.into_iter().filter_map(|part| object::lossy_string(member(part, "text")?));
            texts.collect::<Vec<_>>().join("\n")
        }
        None => object::lossy_string(content).unwrap_or_default(),
    }
}

fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    value(text, &object::members(text).ok()?, name)
}

/// The value of the member `name` as it is written; of a repeated one the last, as most readers of JSON have it.
fn value<'a>(text: &'a str, members: &[Member<'_>], name: &str) -> Option<&'a str> {
    let member = members.iter().rfind(|member| member.name == name)?;
    text.get(member.value.clone())
}
