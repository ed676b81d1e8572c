//! The items and the response object of an answer, as this dialect has them.

use serde_json::{Map, Value, json};

use super::tools;
use super::write::text_json;
use crate::dialect::Dialect;
use crate::dialect::answer::Stop;
use crate::dialect::conversation::{Citation, Conversation, Part, Source};
use crate::usage::Usage;

/// A message.
pub(super) fn message(id: &str, status: &str, content: Vec<Value>) -> Value {
    json!({"type": "message", "id": id, "status": status, "role": "assistant", "content": content})
}

/// A text of a message.
pub(super) fn output_text(text: &str, annotations: &[Value], logprobs: &[Value]) -> Value {
    json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs})
}

/// A refusal of a message.
pub(super) fn refusal(text: &str) -> Value {
    json!({"type": "refusal", "refusal": text})
}

/// A thought; `sealed` is what must come back with it.
pub(super) fn reasoning(id: &str, text: &str, sealed: Option<&str>) -> Value {
    let summary = if text.is_empty() { json!([]) } else { json!([summary_text(text)]) };
    match sealed {
        Some(sealed) => {
            json!({"type": "reasoning", "id": id, "summary": summary, "encrypted_content": sealed})
        }
        None => json!({"type": "reasoning", "id": id, "summary": summary}),
    }
}

/// The summary of a thought.
pub(super) fn summary_text(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// A call.
pub(super) fn call(id: &str, status: &str, is_custom: bool, names: [&str; 2], arguments: &str) -> Value {
    let [call_id, name] = names;
    let (kind, field) =
        if is_custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
    json!({"type": kind, "id": id, "status": status, "call_id": call_id, "name": name, field: arguments})
}

/// An item of this dialect's own, or a picture that the model made; `None` where this dialect has no such item.
pub(super) fn own_item(part: &Part) -> Option<Value> {
    match part {
        Part::Own { dialect: Dialect::Responses, json } if json.is_object() => Some(json.clone()),
        Part::Image { source: Source::Base64 { data, .. }, .. } => {
            Some(json!({"type": "image_generation_call", "status": "completed", "result": data}))
        }
        _ => None,
    }
}

/// An annotation of a text of which `written` characters are written; `None` where it names no page.
pub(super) fn annotation(citation: &Citation, written: usize) -> Option<Value> {
    if let Some((Dialect::Responses, own)) = &citation.own {
        return Some(own.clone());
    }
    let url = citation.url.as_deref()?;
    let written = u64::try_from(written).unwrap_or(u64::MAX);
    let (start, end) = citation.span.unwrap_or((0, written));
    Some(json!({
        "type": "url_citation",
        "start_index": start,
        "end_index": end,
        "url": url,
        "title": citation.title.as_deref().unwrap_or(url),
    }))
}

/// What a response says of its end.
pub(super) struct End {
    pub(super) status: &'static str,
    /// Why it is incomplete.
    pub(super) reason: Option<String>,
}

impl End {
    /// By why the answer ended, and whether it says a refusal itself.
    pub(super) fn of(stop: Option<&Stop>, has_refusal: bool) -> End {
        let reason = match stop {
            // What was to be sent again is not whole, and this dialect has no other word for it.
            Some(Stop::Length | Stop::Pause) => "max_output_tokens".to_owned(),
            Some(Stop::Refusal) if !has_refusal => "content_filter".to_owned(),
            Some(Stop::Other(reason)) => reason.clone(),
            _ => return End { status: "completed", reason: None },
        };
        End { status: "incomplete", reason: Some(reason) }
    }
}

/// The response object, but for what becomes of it: what the request asked for comes back with every answer.
pub(super) fn response(id: &str, created: u64, model: &str, asked: &Conversation) -> Map<String, Value> {
    let own = |name: &str| asked.own.get(name).cloned().unwrap_or_default();
    let thinking = asked.thinking.as_ref();
    let mut text = text_json(asked).unwrap_or_else(|| json!({}));
    if let Some(text) = text.as_object_mut().filter(|_| asked.format.is_none()) {
        text.insert("format".to_owned(), json!({"type": "text"}));
    }
    let instructions = match asked.system.first() {
        Some(Part::Text { text, .. }) => Value::from(text.as_str()),
        _ => Value::Null,
    };
    let choice = asked.tool_choice.as_ref().map(|choice| tools::choice_json(asked, choice));
    let object = json!({
        "id": id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": instructions,
        "max_output_tokens": asked.max_tokens,
        "metadata": asked.own.get("metadata").cloned().unwrap_or_else(|| json!({})),
        "model": model,
        "output": [],
        "parallel_tool_calls": asked.parallel_tool_calls.unwrap_or(true),
        "previous_response_id": null,
        "prompt_cache_key": asked.prompt_cache_key,
        "reasoning": {
            "effort": thinking.and_then(|thinking| thinking.effort.as_deref()),
            "summary": thinking.and_then(|thinking| thinking.shown.as_deref()),
        },
        "safety_identifier": null,
        "store": false,
        "temperature": asked.sampling.temperature,
        "text": text,
        "tool_choice": choice.or_else(|| asked.own.get("tool_choice").cloned()).unwrap_or("auto".into()),
        "tools": asked.tools.iter().map(|tool| tools::tool_json(&tool.kind)).collect::<Vec<_>>(),
        "top_logprobs": asked.sampling.logprobs.unwrap_or(0),
        "top_p": asked.sampling.top_p,
        "truncation": match own("truncation") { Value::Null => "disabled".into(), said => said },
        "usage": null,
        "user": asked.user,
    });
    match object {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Tokens. Every count must be there, so one that is not known is 0, and all are null where none is known.
pub(super) fn usage(usage: &Usage) -> Value {
    if *usage == Usage::default() {
        return Value::Null;
    }
    let cache_read = usage.cache_read.unwrap_or(0);
    let cache_write = usage.cache_write.unwrap_or(0);
    let input = usage.input.unwrap_or(0).saturating_add(cache_read).saturating_add(cache_write);
    let output = usage.output.unwrap_or(0);
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": cache_read, "cache_write_tokens": cache_write},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning.unwrap_or(0)},
        "total_tokens": input.saturating_add(output),
    })
}

/// Completes the response object.
pub(super) fn finish(response: &mut Map<String, Value>, end: &End, items: Vec<Value>, tokens: &Usage) {
    response.insert("status".to_owned(), end.status.into());
    if let Some(reason) = &end.reason {
        response.insert("incomplete_details".to_owned(), json!({"reason": reason}));
    }
    response.insert("output".to_owned(), items.into());
    response.insert("usage".to_owned(), usage(tokens));
}
