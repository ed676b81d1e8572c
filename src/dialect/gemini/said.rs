//! What conditions may ask about `contents`: the words of [`crate::call::messages`].

use serde_json::Value;

use crate::call::messages::{is_any, message};
use crate::call::object::{self, member, value};

/// `contents`.
pub(super) fn of_contents(contents: &str) -> Vec<Value> {
    object::elements(contents).unwrap_or_default().into_iter().map(of_content).collect()
}

/// One of Gemini's `contents`; one without a role is the user's.
fn of_content(text: &str) -> Value {
    let role = member(text, "role").and_then(object::lossy_string);
    let role = match role.as_deref() {
        None | Some("") => "user",
        Some("model") => "assistant",
        Some("function") => "tool",
        Some(other) => other,
    };
    message(role, &parts_text(text))
}

/// The texts of `parts` of one of Gemini's contents, and what functions gave, a line each.
pub(super) fn parts_text(content: &str) -> String {
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

/// Whether one of `contents` has a part that is an image.
pub(super) fn has_image(content: &str) -> bool {
    member(content, "parts").is_some_and(|parts| is_any(parts, is_image))
}

fn is_image(part: &str) -> bool {
    let members = object::members(part).unwrap_or_default();
    let media = ["inlineData", "inline_data", "fileData", "file_data"];
    media.iter().filter_map(|name| value(part, &members, name)).any(|media| {
        let kind = ["mimeType", "mime_type"].iter().find_map(|name| member(media, name));
        kind.and_then(object::lossy_string).is_some_and(|kind| kind.starts_with("image/"))
    })
}
