//! Why an answer ended, and its tokens, in this dialect's words.

use serde_json::{Map, Value, json};

use crate::dialect::answer::Stop;
use crate::usage::Usage;

/// What else is known of an answer when its `finish_reason` is read or written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) calls_tools: bool,
    pub(super) refuses: bool,
}

/// Reads a `finish_reason`. A model that is made to call one tool says `stop` of it, and one that refuses too: what it did
/// tells more.
pub(super) fn stop(reason: &str, said: Said) -> Stop {
    match reason {
        "stop" | "eos" | "eos_token" | "end_turn" | "STOP" if said.calls_tools => Stop::ToolCalls,
        "stop" | "eos" | "eos_token" | "end_turn" | "STOP" if said.refuses => Stop::Refusal,
        "stop" | "eos" | "eos_token" | "end_turn" | "STOP" => Stop::End,
        // `model_length` is Mistral's.
        "length" | "max_tokens" | "model_length" | "MAX_TOKENS" => Stop::Length,
        "tool_calls" | "function_call" | "tool_use" => Stop::ToolCalls,
        "stop_sequence" => Stop::Sequence(None),
        "content_filter" | "refusal" | "SAFETY" => Stop::Refusal,
        other => Stop::Other(other.to_owned()),
    }
}

/// The text at which it stopped: vLLM's `stop_reason`, SGLang's `matched_stop`; a number is a token and tells nothing.
pub(super) fn stop_text(choice: &Map<String, Value>) -> Option<String> {
    let text = |name| choice.get(name).and_then(Value::as_str).map(str::to_owned);
    text("stop_reason").or_else(|| text("matched_stop"))
}

/// Writes a `finish_reason`, which is one of five.
pub(super) fn finish_reason(stop: &Stop, said: Said, legacy_functions: bool) -> &'static str {
    match stop {
        Stop::Length => "length",
        Stop::ToolCalls if legacy_functions => "function_call",
        Stop::ToolCalls => "tool_calls",
        // A model that refuses says so in `refusal`; where it does not, a filter did.
        Stop::Refusal if !said.refuses => "content_filter",
        Stop::Refusal | Stop::End | Stop::Sequence(_) | Stop::Pause | Stop::Other(_) => "stop",
    }
}

/// `usage`; `None` where nothing is known. A count that is not known is left out.
pub(super) fn usage(usage: &Usage) -> Option<Value> {
    if *usage == Usage::default() {
        return None;
    }
    let cache = usage.cache_read.unwrap_or(0) + usage.cache_write.unwrap_or(0);
    let prompt = match (usage.input, cache) {
        (None, 0) => None,
        (input, cache) => Some(input.unwrap_or(0) + cache),
    };
    let mut written = Map::new();
    let mut put =
        |name: &str, value: Option<Value>| written.extend(value.map(|value| (name.to_owned(), value)));
    put("prompt_tokens", prompt.map(Value::from));
    put("completion_tokens", usage.output.map(Value::from));
    put("total_tokens", prompt.zip(usage.output).map(|(prompt, output)| (prompt + output).into()));
    put(
        "prompt_tokens_details",
        details(&[("cached_tokens", usage.cache_read), ("cache_write_tokens", usage.cache_write)]),
    );
    put("completion_tokens_details", details(&[("reasoning_tokens", usage.reasoning)]));
    Some(Value::Object(written))
}

fn details(counts: &[(&str, Option<u64>)]) -> Option<Value> {
    let known = counts.iter().filter_map(|(name, count)| Some(((*name).to_owned(), Value::from((*count)?))));
    let known: Map<String, Value> = known.collect();
    (!known.is_empty()).then_some(Value::Object(known))
}

/// `logprobs` of a choice.
pub(super) fn logprobs(tokens: &Value) -> Value {
    json!({"content": tokens, "refusal": null})
}
