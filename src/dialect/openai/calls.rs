//! Calls of tools, in messages of either direction.

use serde_json::{Map, Value, json};

use super::fields::Fields;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Seal, ToolCall};
use crate::error::Error;

/// Reads an element of `tool_calls`; `made_id` gives an id where it has none.
pub(super) fn read(call: Value, path: &str, made_id: impl FnOnce() -> String) -> Result<ToolCall, Error> {
    let mut call = Fields::of(call, path)?;
    let seal = signature(call.members());
    let id = call.string("id")?.filter(|id| !id.is_empty()).unwrap_or_else(made_id);
    let read = match call.string("type")?.as_deref() {
        Some("custom") => {
            let mut custom = call.required_object("custom")?;
            ToolCall {
                id,
                name: custom.required_string("name")?,
                arguments: custom.string("input")?.unwrap_or_default(),
                is_custom: true,
                seal: None,
            }
        }
        _ => read_function(&mut call.required_object("function")?, id)?,
    };
    Ok(ToolCall { seal, ..read })
}

/// Reads a `function` with its arguments.
pub(super) fn read_function(function: &mut Fields, id: String) -> Result<ToolCall, Error> {
    let name = function.required_string("name")?;
    let arguments = function.take("arguments").map(arguments_of).unwrap_or_default();
    Ok(ToolCall { id, name, arguments, is_custom: false, seal: None })
}

/// Arguments as text; some give them as the object that the text should have been.
pub(super) fn arguments_of(arguments: Value) -> String {
    match arguments {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A call as an element of `tool_calls`.
pub(super) fn write(call: &ToolCall, is_custom: bool, arguments: &str) -> Value {
    let mut written = if is_custom {
        json!({"id": call.id, "type": "custom", "custom": {"name": call.name, "input": arguments}})
    } else {
        json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
    };
    if let (Value::Object(written), Some(seal)) = (&mut written, &call.seal) {
        written.insert("extra_content".to_owned(), extra_content(&seal.wrapped(Dialect::OpenAi)));
    }
    written
}

/// The signature of a call, or of a message, where Google's compatible API has it.
pub(super) fn signature(object: &Map<String, Value>) -> Option<Seal> {
    let value = object.get("extra_content")?.get("google")?.get("thought_signature")?.as_str()?;
    Some(Seal::unwrapped(Dialect::OpenAi, value))
}

/// `extra_content` with a signature.
pub(super) fn extra_content(signature: &str) -> Value {
    json!({"google": {"thought_signature": signature}})
}
