//! Content blocks, from and to parts, as far as requests and answers have them in common.

use serde_json::{Map, Value, json};

use super::names;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Cache, Citation, Part, Seal, Thought, ToolCall};

/// Reads a block of an answer. What is not known is Anthropic's own.
pub(super) fn read_answer(block: &Value) -> Part {
    let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    match block.get("type").and_then(Value::as_str) {
        Some("text") => {
            Part::Text { text: text("text").to_owned(), citations: read_citations(block), cache: None }
        }
        Some("thinking") => thought(text("thinking"), text("signature"), |value| own_seal(value, false)),
        Some("redacted_thinking") => thought("", text("data"), |value| own_seal(value, true)),
        Some("tool_use") => Part::ToolCall(ToolCall {
            id: text("id").to_owned(),
            name: names::name_in(text("name")),
            arguments: arguments(block.get("input")),
            ..ToolCall::default()
        }),
        _ => Part::Own { dialect: Dialect::Anthropic, json: block.clone() },
    }
}

/// Anthropic's seal, fresh from Anthropic.
pub(super) fn own_seal(value: &str, is_redacted: bool) -> Seal {
    Seal { dialect: Dialect::Anthropic, is_redacted, value: value.to_owned() }
}

/// A thought. Since Claude 4 what may be read of one is a summary.
pub(super) fn thought(text: &str, signature: &str, seal: impl FnOnce(&str) -> Seal) -> Part {
    let seal = (!signature.is_empty()).then(|| seal(signature));
    Part::Thought(Thought { text: text.to_owned(), is_summary: true, seal, id: None })
}

/// The arguments of a call as a model would have written them.
pub(super) fn arguments(input: Option<&Value>) -> String {
    input.map_or_else(|| "{}".to_owned(), Value::to_string)
}

/// The input of a call: always an object. Free text stands in its one field; so does what a model wrote that is no object.
pub(super) fn input(call: &ToolCall) -> Value {
    if call.is_custom {
        return json!({FREE_TEXT: call.arguments});
    }
    match serde_json::from_str(&call.arguments) {
        Ok(Value::Object(object)) => Value::Object(object),
        Ok(Value::Null) => json!({}),
        Ok(other) => json!({FREE_TEXT: other}),
        Err(_) if call.arguments.trim().is_empty() => json!({}),
        Err(_) => json!({FREE_TEXT: call.arguments}),
    }
}

/// The field that free text stands in, where a tool takes nothing else.
pub(super) const FREE_TEXT: &str = "input";

pub(super) fn read_citations(block: &Value) -> Vec<Citation> {
    let citations = block.get("citations").and_then(Value::as_array);
    citations.into_iter().flatten().map(read_citation).collect()
}

/// What a text rests on. A web page without the index by which Anthropic knows it was cited by another provider.
pub(super) fn read_citation(citation: &Value) -> Citation {
    let text = |name: &str| citation.get(name).and_then(Value::as_str).map(str::to_owned);
    let is_foreign = citation.get("encrypted_index").and_then(Value::as_str) == Some("");
    Citation {
        url: text("url"),
        title: text("title").or_else(|| text("document_title")),
        cited_text: text("cited_text"),
        span: None,
        own: (!is_foreign).then(|| (Dialect::Anthropic, citation.clone())),
    }
}

/// A citation in an answer, where Anthropic has a form for it: its own as it was, another's if it names a page. That is
/// told by an empty index, for Anthropic has no form without one.
pub(super) fn write_citation(citation: &Citation) -> Option<Value> {
    if let Some((Dialect::Anthropic, own)) = &citation.own {
        return Some(own.clone());
    }
    let url = citation.url.as_ref()?;
    Some(json!({
        "type": "web_search_result_location",
        "url": url,
        "title": citation.title,
        "cited_text": citation.cited_text.as_deref().unwrap_or_default(),
        "encrypted_index": "",
    }))
}

/// The beginning of a call's block.
pub(super) fn tool_use(call: &ToolCall, name: &str, input: Value) -> Value {
    json!({"type": "tool_use", "id": names::id_out(&call.id), "name": name, "input": input})
}

/// The block that brings back the seal of a call: Anthropic's calls have no room for one, and clients send thoughts back
/// as they were.
pub(super) fn sealed_thought(text: &str, seal: Option<&Seal>) -> Value {
    match seal {
        Some(seal) if seal.is_redacted && text.is_empty() => {
            json!({"type": "redacted_thinking", "data": seal.wrapped(Dialect::Anthropic)})
        }
        seal => {
            let signature = seal.map(|seal| seal.wrapped(Dialect::Anthropic)).unwrap_or_default();
            json!({"type": "thinking", "thinking": text, "signature": signature})
        }
    }
}

/// Reads `cache_control`.
pub(super) fn read_cache(block: &Map<String, Value>) -> Option<Cache> {
    let control = block.get("cache_control").filter(|control| control.is_object())?;
    Some(Cache { ttl: control.get("ttl").and_then(Value::as_str).map(str::to_owned) })
}

/// Adds `cache_control` to a block.
pub(super) fn put_cache(block: &mut Value, cache: Option<&Cache>) {
    let (Some(cache), Some(block)) = (cache, block.as_object_mut()) else { return };
    let mut control = Map::new();
    control.insert("type".into(), "ephemeral".into());
    if let Some(ttl) = &cache.ttl {
        control.insert("ttl".into(), ttl.clone().into());
    }
    block.insert("cache_control".into(), Value::Object(control));
}
