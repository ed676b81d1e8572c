//! What a model thought, in the places where messages of this dialect have it.
//!
//! It has no field of its own in OpenAI's API; providers put it in `reasoning_content` (DeepSeek, Moonshot, xAI, …),
//! `reasoning` (Groq, vLLM), `reasoning_details` (OpenRouter: text, summary, signature, encrypted) or parts of the content
//! (Mistral). Some want it back in the same place and some refuse it in another, so the place is kept as the seal of a thought
//! that this dialect's downstream had: a word, or the entry of `reasoning_details` without its text. `reasoning` has none, for
//! nobody asks for it back and Groq refuses it.

use serde_json::{Map, Value, json};

use crate::dialect::Dialect;
use crate::dialect::conversation::{Seal, Thought};

/// The seal of a thought that stood in `reasoning_content`.
pub(super) const CONTENT: &str = "reasoning_content";

/// The seal of a thought that was a part of the content.
pub(super) const PART: &str = "thinking";

/// The member of an entry of `reasoning_details` that can be read, by its type.
fn readable(kind: &str) -> Option<&'static str> {
    match kind {
        "reasoning.text" => Some("text"),
        "reasoning.summary" => Some("summary"),
        _ => None,
    }
}

/// A seal of this dialect.
pub(super) fn own_seal(value: impl Into<String>) -> Seal {
    Seal { dialect: Dialect::OpenAi, is_redacted: false, value: value.into() }
}

/// The thoughts of a message.
pub(super) fn read(message: &Map<String, Value>) -> Vec<Thought> {
    let details = message.get("reasoning_details").and_then(Value::as_array);
    let mut thoughts = Vec::new();
    for entry in details.into_iter().flatten().filter_map(Value::as_object) {
        read_entry(entry, &mut thoughts);
    }
    if thoughts.iter().all(|thought: &Thought| thought.text.is_empty())
        && let Some((text, seal)) = plain(message)
    {
        thoughts.insert(0, Thought { text: text.to_owned(), seal, ..Thought::default() });
    }
    thoughts
}

/// The text of `reasoning_content`, else of `reasoning`, and its seal.
pub(super) fn plain(message: &Map<String, Value>) -> Option<(&str, Option<Seal>)> {
    let text = |name| message.get(name).and_then(Value::as_str).filter(|text: &&str| !text.is_empty());
    match text(CONTENT) {
        Some(content) => Some((content, Some(own_seal(CONTENT)))),
        None => text("reasoning").map(|reasoning| (reasoning, None)),
    }
}

fn read_entry(entry: &Map<String, Value>, thoughts: &mut Vec<Thought>) {
    let text = entry_text(entry);
    let seal = entry_seal(entry);
    let id = entry.get("id").and_then(Value::as_str).map(str::to_owned);
    let is_summary = entry_kind(entry) == "reasoning.summary";
    let is_foreign_and_readable = !seal.is_of(Dialect::OpenAi) && !seal.is_redacted;
    if is_foreign_and_readable && entry.contains_key("data") {
        // What we wrote of a summary that has a seal: the summary, and its seal in an entry of its own.
        match thoughts.last_mut() {
            Some(last) if last.is_summary && last.id == id => last.seal = Some(seal),
            _ => thoughts.push(Thought { text, is_summary: true, seal: Some(seal), id }),
        }
        return;
    }
    thoughts.push(Thought { text, is_summary, seal: Some(seal), id });
}

pub(super) fn entry_kind(entry: &Map<String, Value>) -> &str {
    entry.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// What may be read of an entry.
pub(super) fn entry_text(entry: &Map<String, Value>) -> String {
    let text = readable(entry_kind(entry)).and_then(|name| entry.get(name)).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The seal of an entry: the one that we wrapped in it, else the entry itself without what may be read of it.
pub(super) fn entry_seal(entry: &Map<String, Value>) -> Seal {
    let wrapped = ["signature", "data"]
        .into_iter()
        .filter_map(|name| entry.get(name).and_then(Value::as_str))
        .map(|value| Seal::unwrapped(Dialect::OpenAi, value))
        .find(|seal| !seal.is_of(Dialect::OpenAi));
    wrapped.unwrap_or_else(|| {
        let readable = readable(entry_kind(entry));
        let rest: Map<String, Value> = entry
            .iter()
            .filter(|(name, value)| Some(name.as_str()) != readable && !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Seal { is_redacted: readable.is_none(), ..own_seal(Value::Object(rest).to_string()) }
    })
}

/// A thought as a part of the content, as Mistral has it.
pub(super) fn read_part(part: &Map<String, Value>) -> Thought {
    let text = match part.get("thinking") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    };
    Thought { text, seal: Some(own_seal(PART)), ..Thought::default() }
}

/// Puts a thought where it stood; `false` where it is not of this dialect. Parts of the content go to `parts`.
pub(super) fn put_back(thought: &Thought, message: &mut Map<String, Value>, parts: &mut Vec<Value>) -> bool {
    let Some(seal) = thought.seal.as_ref().filter(|seal| seal.is_of(Dialect::OpenAi)) else { return false };
    match seal.value.as_str() {
        CONTENT => append(message, CONTENT, &thought.text),
        PART => parts
            .push(json!({"type": "thinking", "thinking": [{"type": "text", "text": thought.text.clone()}]})),
        entry => {
            // What is no entry was never ours: nobody could make sense of it.
            let Ok(Value::Object(entry)) = serde_json::from_str(entry) else { return false };
            if entry.contains_key("extra_content") {
                message.extend(entry);
            } else {
                push_entry(message, with_text(entry, &thought.text));
            }
        }
    }
    true
}

fn with_text(mut entry: Map<String, Value>, text: &str) -> Value {
    if let Some(name) = readable(entry_kind(&entry)) {
        entry.insert(name.to_owned(), text.into());
    }
    Value::Object(entry)
}

fn push_entry(message: &mut Map<String, Value>, entry: Value) {
    let details = message.entry("reasoning_details").or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(details) = details {
        details.push(entry);
    }
}

/// Adds to a text, a paragraph of its own.
pub(super) fn append(message: &mut Map<String, Value>, name: &str, text: &str) {
    match message.get_mut(name) {
        Some(Value::String(before)) if !before.is_empty() => {
            before.push_str(BETWEEN);
            before.push_str(text);
        }
        _ => {
            message.insert(name.to_owned(), text.into());
        }
    }
}

/// What stands between two thoughts, or two texts that were parts of their own.
pub(super) const BETWEEN: &str = "\n\n";

/// Thoughts of a whole answer, for a caller of this dialect: all of them in `reasoning_content`, and, where one has a seal,
/// in `reasoning_details`, which clients send back as they were.
pub(super) fn write_answer(thoughts: &[&Thought], message: &mut Map<String, Value>) {
    for thought in thoughts.iter().filter(|thought| !thought.text.is_empty()) {
        append(message, CONTENT, &thought.text);
    }
    if thoughts.iter().any(|thought| needs_entry(thought)) {
        for (index, thought) in thoughts.iter().enumerate() {
            for entry in entries(thought, index) {
                push_entry(message, entry);
            }
        }
    }
}

/// Whether `reasoning_content` alone would lose something of it.
pub(super) fn needs_entry(thought: &Thought) -> bool {
    thought.seal.as_ref().is_some_and(|seal| !seal.is_of(Dialect::OpenAi) || seal.value.starts_with('{'))
}

/// A thought as entries of `reasoning_details`, the `index`th of its answer.
pub(super) fn entries(thought: &Thought, index: usize) -> Vec<Value> {
    if let Some(seal) = thought.seal.as_ref().filter(|seal| seal.is_of(Dialect::OpenAi))
        && let Ok(Value::Object(entry)) = serde_json::from_str(&seal.value)
    {
        return vec![with_text(entry, &thought.text)];
    }
    let mut written = Vec::new();
    let mut push = |kind: &str, name: &str, value: &str, signature: Option<String>| {
        let mut entry = json!({"type": kind, name: value, "index": index});
        if let (Value::Object(entry), Some(id)) = (&mut entry, &thought.id) {
            entry.insert("id".to_owned(), id.as_str().into());
        }
        if let (Value::Object(entry), Some(signature)) = (&mut entry, signature) {
            entry.insert("signature".to_owned(), signature.into());
        }
        written.push(entry);
    };
    let seal = thought.seal.as_ref().map(|seal| (seal.is_redacted, seal.wrapped(Dialect::OpenAi)));
    match seal {
        Some((true, data)) => push("reasoning.encrypted", "data", &data, None),
        Some((false, data)) if thought.is_summary => {
            if !thought.text.is_empty() {
                push("reasoning.summary", "summary", &thought.text, None);
            }
            push("reasoning.encrypted", "data", &data, None);
        }
        Some((false, signature)) => push("reasoning.text", "text", &thought.text, Some(signature)),
        None if thought.is_summary => push("reasoning.summary", "summary", &thought.text, None),
        None => push("reasoning.text", "text", &thought.text, None),
    }
    written
}
