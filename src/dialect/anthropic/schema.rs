//! JSON Schemas as structured output and strict tools take them.
//!
//! Anthropic compiles them to a grammar and refuses keywords that it cannot compile, and objects that are open. As its own
//! SDKs do, every object is closed, `oneOf` becomes `anyOf`, and what cannot be compiled is told in the description.

use serde_json::{Map, Value};

/// The formats of strings that can be compiled.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// A schema that can be compiled.
pub(super) fn strict(schema: &Value) -> Value {
    match schema {
        Value::Object(schema) => Value::Object(strict_object(schema)),
        other => other.clone(),
    }
}

fn strict_object(schema: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    let mut told = Map::new();
    for (name, value) in schema {
        match (name.as_str(), value) {
            ("$ref" | "title" | "description" | "default" | "const" | "enum" | "type" | "required", _) => {
                out.insert(name.clone(), value.clone());
            }
            ("anyOf" | "oneOf", Value::Array(variants)) => {
                let variants = variants.iter().map(strict).collect();
                out.insert("anyOf".into(), Value::Array(variants));
            }
            ("allOf", Value::Array(parts)) => {
                out.insert(name.clone(), Value::Array(parts.iter().map(strict).collect()));
            }
            ("items", items) => {
                out.insert(name.clone(), strict(items));
            }
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                let named = named.iter().map(|(name, schema)| (name.clone(), strict(schema))).collect();
                out.insert(name.clone(), Value::Object(named));
            }
            ("format", Value::String(format)) if FORMATS.contains(&format.as_str()) => {
                out.insert(name.clone(), value.clone());
            }
            ("minItems", Value::Number(least)) if matches!(least.as_u64(), Some(0 | 1)) => {
                out.insert(name.clone(), value.clone());
            }
            // They constrain nothing, or are said below.
            ("$schema" | "$id" | "additionalProperties", _) => {}
            _ => {
                told.insert(name.clone(), value.clone());
            }
        }
    }
    if out.contains_key("properties") || is_object(out.get("type")) {
        out.insert("additionalProperties".into(), false.into());
    }
    if !told.is_empty() {
        let told = Value::Object(told).to_string();
        let description = match out.get("description").and_then(Value::as_str) {
            Some(description) => format!("{description}\n\n{told}"),
            None => told,
        };
        out.insert("description".into(), description.into());
    }
    out
}

fn is_object(kind: Option<&Value>) -> bool {
    match kind {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => false,
    }
}
