//! What conditions may ask about the messages. Built on demand, from the raw spans, and never failing: whatever is not
//! shaped as expected counts as absent, for it is the provider's business to refuse it.
//!
//! The words are Chat Completions', so that a condition means the same whichever client asks: roles `system`, `user`,
//! `assistant`, `tool`; a system prompt that stands apart is the first message. Thoughts are not said.

use memchr::memmem;
use serde_json::{Value, json};

use super::object::{self, member, value};
use crate::dialect::Dialect;

/// How deep in one another parts may be: a text in a search result in a tool's result.
const MOST_LEVELS: usize = 3;

/// `[{role, content}]`, one element a message, or an item of Responses'; what is absent is an empty string.
pub(super) fn for_conditions(dialect: Dialect, system: &str, messages: &str) -> Value {
    let mut said = Vec::new();
    let system = match dialect {
        Dialect::Gemini => parts_text(system),
        Dialect::OpenAi | Dialect::Anthropic | Dialect::Responses => text_of(system, MOST_LEVELS),
    };
    if !system.is_empty() {
        said.push(message("system", &system));
    }
    if let (Dialect::Responses, Some(text)) = (dialect, object::lossy_string(messages)) {
        said.push(message("user", &text));
    }
    let read = match dialect {
        Dialect::OpenAi | Dialect::Anthropic => of_chat,
        Dialect::Responses => of_responses,
        Dialect::Gemini => of_gemini,
    };
    said.extend(object::elements(messages).unwrap_or_default().into_iter().map(read));
    Value::Array(said)
}

fn message(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

/// A message of Chat Completions or of Anthropic's.
fn of_chat(text: &str) -> Value {
    let members = object::members(text).unwrap_or_default();
    let role = value(text, &members, "role").and_then(object::lossy_string).unwrap_or_default();
    let content = value(text, &members, "content").map(|content| text_of(content, MOST_LEVELS));
    message(&role, &content.unwrap_or_default())
}

/// An item of Responses' `input`: a message, what a tool gave, or what the model did.
fn of_responses(text: &str) -> Value {
    let members = object::members(text).unwrap_or_default();
    let string = |name| value(text, &members, name).and_then(object::lossy_string);
    let content = value(text, &members, "content").or_else(|| value(text, &members, "output"));
    let role = match (string("role"), string("type").as_deref()) {
        (Some(role), _) => role,
        (None, None | Some("item_reference")) => String::new(),
        (None, Some("reasoning")) => return message("assistant", ""),
        (None, Some(kind)) if kind.ends_with("_output") => "tool".to_owned(),
        (None, Some(_)) => "assistant".to_owned(),
    };
    message(&role, &content.map(|content| text_of(content, MOST_LEVELS)).unwrap_or_default())
}

/// One of Gemini's `contents`; one without a role is the user's.
fn of_gemini(text: &str) -> Value {
    let role = member(text, "role").and_then(object::lossy_string);
    let role = match role.as_deref() {
        None | Some("") => "user",
        Some("model") => "assistant",
        Some("function") => "tool",
        Some(other) => other,
    };
    message(role, &parts_text(text))
}

/// The text of a `content`: the string itself, or the texts of its parts and of what a tool gave, a line each.
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

/// The texts of `parts` of one of Gemini's contents, and what functions gave, a line each.
fn parts_text(content: &str) -> String {
    let parts = member(content, "parts").and_then(object::elements).unwrap_or_default();
    let texts = parts.into_iter().filter_map(|part| {
        let members = object::members(part).ok()?;
        if value(part, &members, "thought") == Some("true") {
            return None;
        }
        if let Some(text) = value(part, &members, "text") {
            return object::lossy_string(text);
        }
        let gave = ["functionResponse", "function_response"];
        let gave = gave.into_iter().find_map(|name| value(part, &members, name))?;
        member(gave, "response").map(given)
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// What a function gave: the string, where it is wrapped in one of the usual ways, else the JSON as it is written.
fn given(response: &str) -> String {
    let members = object::members(response).unwrap_or_default();
    let wrapped = match members.as_slice() {
        [only] if matches!(only.name.as_ref(), "output" | "result" | "content" | "error") => {
            response.get(only.value.clone()).and_then(object::lossy_string)
        }
        _ => None,
    };
    wrapped.unwrap_or_else(|| response.to_owned())
}

/// Whether any message has a part that carries an image.
pub(super) fn have_images(dialect: Dialect, messages: &str) -> bool {
    // Most calls have none, and then a search is a hundredth of the work. An escape may spell the word.
    if memmem::find(messages.as_bytes(), b"image").is_none()
        && memmem::find(messages.as_bytes(), b"\\u").is_none()
    {
        return false;
    }
    let messages = object::elements(messages).unwrap_or_default();
    messages.into_iter().any(|message| match dialect {
        Dialect::Gemini => member(message, "parts").is_some_and(|parts| is_any(parts, is_gemini_image)),
        Dialect::OpenAi | Dialect::Anthropic | Dialect::Responses => {
            ["content", "output"].iter().any(|name| {
                member(message, name).is_some_and(|parts| is_any(parts, |part| is_image(part, MOST_LEVELS)))
            })
        }
    })
}

fn is_any(parts: &str, is: impl Fn(&str) -> bool) -> bool {
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

fn is_gemini_image(part: &str) -> bool {
    let members = object::members(part).unwrap_or_default();
    let media = ["inlineData", "inline_data", "fileData", "file_data"];
    media.iter().filter_map(|name| value(part, &members, name)).any(|media| {
        let kind = ["mimeType", "mime_type"].iter().find_map(|name| member(media, name));
        kind.and_then(object::lossy_string).is_some_and(|kind| kind.starts_with("image/"))
    })
}
