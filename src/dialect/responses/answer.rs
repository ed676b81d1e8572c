//! A whole answer, read.

use serde_json::Value;

use super::error;
use crate::dialect::Dialect;
use crate::dialect::answer::{Answer, Choice, Malformed, Stop};
use crate::dialect::conversation::{Citation, Part, Seal, Thought, ToolCall};
use crate::usage::Usage;

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Result<Answer, Malformed> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|fault| Malformed(format!("The response is not valid JSON: {fault}.")))?;
    let Some(output) = body.get("output").and_then(Value::as_array) else {
        return Err(Malformed("The response has no `output`.".to_owned()));
    };
    if let Some(failure) = error::of_response(&body) {
        return Err(Malformed(format!("The response failed: {}", failure.message)));
    }
    if let Some(status @ ("in_progress" | "queued" | "cancelled")) = text(&body, "status") {
        return Err(Malformed(format!("The response is not complete: its status is `{status}`.")));
    }
    let mut parts = Vec::new();
    let mut logprobs = Vec::new();
    for item in output {
        parts.extend(parts_of(item));
        logprobs.extend(contents(item).iter().flat_map(logprobs_of).cloned());
    }
    let stop = stop(&body, Said::of(&parts));
    Ok(Answer {
        id: text(&body, "id").map(str::to_owned),
        model: text(&body, "model").map(str::to_owned),
        created: created(&body),
        choices: vec![Choice {
            parts,
            stop: Some(stop),
            logprobs: (!logprobs.is_empty()).then_some(Value::Array(logprobs)),
        }],
        usage: body.get("usage").map(usage).unwrap_or_default(),
        service_tier: text(&body, "service_tier").map(str::to_owned),
    })
}

/// What an item of `output` says.
pub(super) fn parts_of(item: &Value) -> Vec<Part> {
    match text(item, "type") {
        Some("message") => contents(item).iter().filter_map(part_of).collect(),
        Some("function_call" | "custom_tool_call") => vec![Part::ToolCall(call_of(item))],
        Some("reasoning") => thoughts(item, seal_of(item)).into_iter().map(Part::Thought).collect(),
        _ => vec![Part::Own { dialect: Dialect::Responses, json: item.clone() }],
    }
}

/// The content of a message.
pub(super) fn contents(item: &Value) -> &[Value] {
    item.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A text or a refusal.
pub(super) fn part_of(content: &Value) -> Option<Part> {
    match text(content, "type")? {
        "output_text" => Some(Part::Text {
            text: text(content, "text").unwrap_or_default().to_owned(),
            citations: annotations_of(content).iter().filter_map(citation).collect(),
            cache: None,
        }),
        "refusal" => Some(Part::Refusal(text(content, "refusal").unwrap_or_default().to_owned())),
        _ => None,
    }
}

/// The annotations of a text.
pub(super) fn annotations_of(content: &Value) -> &[Value] {
    content.get("annotations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The likelihoods of a text's, or a delta's, tokens.
pub(super) fn logprobs_of(content: &Value) -> &[Value] {
    content.get("logprobs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A call of a function or of a tool that takes free text.
pub(super) fn call_of(item: &Value) -> ToolCall {
    let is_custom = text(item, "type") == Some("custom_tool_call");
    let id = text(item, "call_id").filter(|id| !id.is_empty()).or_else(|| text(item, "id"));
    ToolCall {
        id: id.unwrap_or("call_0").to_owned(),
        name: text(item, "name").unwrap_or_default().to_owned(),
        arguments: text(item, if is_custom { "input" } else { "arguments" }).unwrap_or_default().to_owned(),
        is_custom,
        seal: None,
    }
}

/// What an answer's reasoning item holds for its maker.
pub(super) fn seal_of(item: &Value) -> Option<Seal> {
    let value = text(item, "encrypted_content").filter(|value| !value.is_empty())?;
    Some(Seal { dialect: Dialect::Responses, is_redacted: false, value: value.to_owned() })
}

/// What a reasoning item says: the thought itself where it is told, its summary, or nothing but the seal. The seal is the
/// last one's.
pub(super) fn thoughts(item: &Value, seal: Option<Seal>) -> Vec<Thought> {
    let joined = |name: &str| {
        let texts = item.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let texts: Vec<&str> = texts.iter().filter_map(|part| text(part, "text")).collect();
        texts.join(BETWEEN_SUMMARIES)
    };
    let id = text(item, "id").map(str::to_owned);
    let mut thoughts: Vec<Thought> = [("content", false), ("summary", true)]
        .into_iter()
        .map(|(name, is_summary)| Thought { text: joined(name), is_summary, seal: None, id: id.clone() })
        .filter(|thought| !thought.text.is_empty())
        .collect();
    if thoughts.is_empty() && seal.is_some() {
        thoughts.push(Thought { id, ..Thought::default() });
    }
    if let Some(last) = thoughts.last_mut() {
        last.seal = seal.map(|seal| sealed(seal, &last.text));
    }
    thoughts
}

/// A seal of this dialect always holds the whole thought; where nothing else is told, it is all that there is.
pub(super) fn sealed(seal: Seal, text: &str) -> Seal {
    Seal { is_redacted: seal.is_redacted || (seal.is_of(Dialect::Responses) && text.is_empty()), ..seal }
}

/// What stands between the parts of a summary that are told as one.
pub(super) const BETWEEN_SUMMARIES: &str = "\n\n";

/// An annotation.
pub(super) fn citation(annotation: &Value) -> Option<Citation> {
    annotation.as_object()?;
    let count = |name: &str| annotation.get(name).and_then(Value::as_u64);
    Some(Citation {
        url: text(annotation, "url").map(str::to_owned),
        title: text(annotation, "title").or_else(|| text(annotation, "filename")).map(str::to_owned),
        cited_text: None,
        span: count("start_index").zip(count("end_index")),
        own: Some((Dialect::Responses, annotation.clone())),
    })
}

/// What has been said that tells why an answer ended: this dialect has no word of its own for calls and refusals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) call: bool,
    pub(super) refusal: bool,
}

impl Said {
    fn of(parts: &[Part]) -> Said {
        let mut said = Said::default();
        parts.iter().for_each(|part| said.add(part));
        said
    }

    /// Notes a part.
    pub(super) fn add(&mut self, part: &Part) {
        self.call |= matches!(part, Part::ToolCall(_));
        self.refusal |= matches!(part, Part::Refusal(_));
    }
}

/// Why a response ended.
pub(super) fn stop(response: &Value, said: Said) -> Stop {
    let reason = response.get("incomplete_details").and_then(|details| text(details, "reason"));
    match (text(response, "status"), reason) {
        (_, Some("max_output_tokens")) => Stop::Length,
        (_, Some("content_filter")) => Stop::Refusal,
        (_, Some(reason)) => Stop::Other(reason.to_owned()),
        (Some("incomplete"), None) => Stop::Other("incomplete".to_owned()),
        _ if said.call => Stop::ToolCalls,
        _ if said.refusal => Stop::Refusal,
        _ => Stop::End,
    }
}

/// What a `usage` object says. `input_tokens` includes what the cache gave and took, `output_tokens` the reasoning.
pub(super) fn usage(usage: &Value) -> Usage {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let cache_read = count("/input_tokens_details/cached_tokens");
    let cache_write = count("/input_tokens_details/cache_write_tokens");
    let cached = cache_read.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
    Usage {
        input: count("/input_tokens").map(|input| input.saturating_sub(cached)),
        cache_read,
        cache_write,
        output: count("/output_tokens"),
        reasoning: count("/output_tokens_details/reasoning_tokens"),
    }
}

/// When it was made; some say it with a fraction.
pub(super) fn created(response: &Value) -> Option<u64> {
    let created = response.get("created_at")?;
    // A float's whole seconds, and 0 for what is no time at all: `as` saturates.
    created.as_u64().or_else(|| created.as_f64().map(|seconds| seconds as u64))
}

/// A member that is a text.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}
