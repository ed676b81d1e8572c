//! Answers, whole, and the words for why one ended.

use serde_json::{Map, Value, json};

use super::{part, usage};
use crate::dialect::Dialect;
use crate::dialect::ReplyTo;
use crate::dialect::answer::{Answer, Choice, Malformed, Stop};
use crate::dialect::conversation::{Citation, Part};

/// Reads a whole answer.
///
/// # Errors
/// Where it is none of this dialect.
pub fn decode_answer(body: &[u8]) -> Result<Answer, Malformed> {
    let body: Value =
        serde_json::from_slice(body).map_err(|fault| Malformed(format!("the answer is no JSON: {fault}")))?;
    let content = body.get("content").and_then(Value::as_array);
    let content = content.ok_or_else(|| Malformed("the answer has no `content`".to_owned()))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let counts = body.get("usage");
    let tier = counts.and_then(|usage| usage.get("service_tier")?.as_str());
    Ok(Answer {
        id: text("id"),
        model: text("model"),
        created: None,
        choices: vec![Choice {
            parts: content.iter().map(part::read_answer).collect(),
            stop: read_stop(&body),
            logprobs: None,
        }],
        usage: usage::read(counts),
        service_tier: tier.map(str::to_owned),
    })
}

/// Writes a whole answer. Of several choices the first; of parts those that Anthropic has a form for.
pub fn encode_answer(answer: &Answer, to: &ReplyTo) -> Vec<u8> {
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let mut content = Vec::with_capacity(choice.parts.len());
    for part in &choice.parts {
        write_part(part, &mut content);
    }
    let calls = matches!(choice.parts.last(), Some(Part::ToolCall(_)));
    let refuses = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let mut counts = usage::write(&answer.usage);
    if let Some(tier @ ("standard" | "priority" | "batch")) = answer.service_tier.as_deref() {
        counts.insert("service_tier".into(), tier.into());
    }
    let mut message = skeleton(answer.id.as_deref(), answer.model.as_deref(), to, counts);
    message.insert("content".into(), Value::Array(content));
    message.extend(write_stop(choice.stop.as_ref(), calls, refuses));
    Value::Object(message).to_string().into_bytes()
}

/// A message that has said nothing yet.
pub(super) fn skeleton(
    id: Option<&str>,
    model: Option<&str>,
    to: &ReplyTo,
    usage: Map<String, Value>,
) -> Map<String, Value> {
    let id = id.filter(|id| !id.is_empty()).map_or_else(|| format!("msg_{}", to.id), str::to_owned);
    let model = model.filter(|model| !model.is_empty()).unwrap_or(&to.conversation.model);
    let mut message = Map::new();
    message.insert("id".into(), id.into());
    message.insert("type".into(), "message".into());
    message.insert("role".into(), "assistant".into());
    message.insert("model".into(), model.into());
    message.insert("content".into(), json!([]));
    message.insert("stop_reason".into(), Value::Null);
    message.insert("stop_sequence".into(), Value::Null);
    message.insert("usage".into(), Value::Object(usage));
    message
}

/// Why an answer or its delta says that it ended.
pub(super) fn read_stop(message: &Value) -> Option<Stop> {
    let sequence = || message.get("stop_sequence").and_then(Value::as_str).map(str::to_owned);
    Some(match message.get("stop_reason").and_then(Value::as_str)? {
        "end_turn" => Stop::End,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "stop_sequence" => Stop::Sequence(sequence()),
        "tool_use" => Stop::ToolCalls,
        "refusal" => Stop::Refusal,
        "pause_turn" => Stop::Pause,
        other => Stop::Other(other.to_owned()),
    })
}

/// `stop_reason` and `stop_sequence`. Clients run tools by the reason, so that an answer which ends in a call, or refuses,
/// says so even if its provider only says that it ended.
pub(super) fn write_stop(stop: Option<&Stop>, calls: bool, refuses: bool) -> Map<String, Value> {
    let (reason, sequence) = match stop.unwrap_or(&Stop::End) {
        Stop::End if refuses => ("refusal", None),
        Stop::End if calls => ("tool_use", None),
        // Anthropic's other words; nobody else's mean anything to its clients.
        Stop::Other(word) if word == "compaction" => ("compaction", None),
        Stop::End | Stop::Other(_) => ("end_turn", None),
        Stop::Length => ("max_tokens", None),
        Stop::ToolCalls => ("tool_use", None),
        Stop::Sequence(sequence) => ("stop_sequence", sequence.clone()),
        Stop::Refusal => ("refusal", None),
        Stop::Pause => ("pause_turn", None),
    };
    let mut out = Map::new();
    out.insert("stop_reason".into(), reason.into());
    out.insert("stop_sequence".into(), sequence.into());
    out
}

/// Whether Anthropic has a form for a part of an answer.
pub(super) fn has_a_form(part: &Part) -> bool {
    match part {
        Part::Text { .. } | Part::Refusal(_) | Part::Thought(_) | Part::ToolCall(_) => true,
        Part::Own { dialect, .. } => *dialect == Dialect::Anthropic,
        // Pictures and speech that another's model made; results are no part of an answer.
        Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } | Part::ToolResult { .. } => false,
    }
}

fn write_part(part: &Part, content: &mut Vec<Value>) {
    match part {
        Part::Text { text, citations, .. } => content.extend(text_block(text, citations)),
        Part::Refusal(text) => content.extend(text_block(text, &[])),
        Part::Thought(thought) if thought.text.is_empty() && thought.seal.is_none() => {}
        Part::Thought(thought) => content.push(part::sealed_thought(&thought.text, thought.seal.as_ref())),
        Part::ToolCall(call) => {
            if let Some(seal) = &call.seal {
                content.push(part::sealed_thought("", Some(seal)));
            }
            content.push(part::tool_use(call, &call.name, part::input(call)));
        }
        Part::Own { dialect: Dialect::Anthropic, json } => content.push(json.clone()),
        _ => {}
    }
}

/// No block for an empty text: it would come back in the next request, and be refused there.
fn text_block(text: &str, citations: &[Citation]) -> Option<Value> {
    let citations: Vec<Value> = citations.iter().filter_map(part::write_citation).collect();
    if text.is_empty() {
        return None;
    }
    let mut block = json!({"type": "text", "text": text});
    // Left out where there are none: Vercel's client takes no null.
    if let Some(block) = block.as_object_mut().filter(|_| !citations.is_empty()) {
        block.insert("citations".to_owned(), Value::Array(citations));
    }
    Some(block)
}
