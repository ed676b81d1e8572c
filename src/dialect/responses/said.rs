//! What conditions may ask about `input`: the words of [`crate::call::messages`].

use serde_json::Value;

use crate::call::messages::{content_text, message};
use crate::call::object::{self, value};

/// `input`: one text, or a list of items.
pub(super) fn of_input(input: &str) -> Vec<Value> {
    if let Some(text) = object::lossy_string(input) {
        return vec![message("user", &text)];
    }
    object::elements(input).unwrap_or_default().into_iter().map(of_item).collect()
}

/// An item of Responses' `input`: a message, what a tool gave, or what the model did.
fn of_item(text: &str) -> Value {
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
    message(&role, &content.map(content_text).unwrap_or_default())
}
