//! What an Anthropic message, or one event of its stream, shows.
//!
//! Tokens are counted twice in a stream: the prompt at its beginning, all of it at its end. What `message_start` says of
//! the output is a placeholder, so that it counts for nothing: of a stream that was cut, the output is not known.

use serde_json::value::RawValue;

use super::counts;
use crate::relay::reading::{Reading, any_is_something, error_kind, is_word, plain, reason};
use crate::usage::{Usage, elements_of, members, members_of};

/// Reads one event; `None` where its data is no JSON object.
pub(super) fn read_event<'j>(name: &[u8], data: &'j [u8]) -> Option<Reading<'j>> {
    let [kind, message, block, delta, usage, error] =
        members(data, ["type", "message", "content_block", "delta", "usage", "error"])?;
    let mut reading = Reading::default();
    match if kind.is_some() { plain(kind) } else { name } {
        b"message_start" => {
            let [model, usage] = members_of(message, ["model", "usage"]);
            let usage = usage.and_then(counts::read);
            reading.model = model;
            reading.usage = usage.map(|usage| Usage { output: None, reasoning: None, ..usage });
        }
        b"content_block_start" => reading.meaningful = is_something(block),
        b"content_block_delta" => {
            reading.meaningful = any_is_something(members_of(
                delta,
                ["text", "thinking", "partial_json", "citation", "content"],
            ));
        }
        b"message_delta" => {
            let [stop_reason] = members_of(delta, ["stop_reason"]);
            reading.usage = usage.and_then(counts::read);
            finish(&mut reading, stop_reason);
        }
        b"message_stop" => {
            reading.done = true;
            reading.terminated = true;
        }
        b"error" => reading.error = Some(error_kind(data, error)),
        _ if error.is_some() => reading.error = Some(error_kind(data, error)),
        _ => {}
    }
    Some(reading)
}

/// Reads a whole body; `None` where it is no JSON object.
pub(super) fn read_body(json: &[u8]) -> Option<Reading<'_>> {
    let [kind, model, content, stop_reason, usage, error] =
        members(json, ["type", "model", "content", "stop_reason", "usage", "error"])?;
    let mut reading = Reading { model, ..Reading::default() };
    if error.is_some() || is_word(kind, "error") {
        reading.error = Some(error_kind(json, error));
    }
    reading.is_answer = content.is_some() || is_word(kind, "message");
    reading.usage = usage.and_then(counts::read);
    reading.meaningful = elements_of(content).into_iter().any(|block| is_something(Some(block)));
    finish(&mut reading, stop_reason);
    Some(reading)
}

/// A refusal says something, though often in no other way.
fn finish(reading: &mut Reading<'_>, stop_reason: Option<&RawValue>) {
    let Some(stop_reason) = stop_reason else { return };
    reading.done = true;
    reading.meaningful |= is_word(Some(stop_reason), "refusal");
    reading.finish_reason = Some(reason(stop_reason));
}

/// Whether a block says something: texts and thoughts where they are not empty, and whatever else there is (calls of tools
/// and their results) by being there. That another model took over (`fallback`) is nothing yet.
fn is_something(block: Option<&RawValue>) -> bool {
    let [kind, text, thinking, data, content] =
        members_of(block, ["type", "text", "thinking", "data", "content"]);
    match plain(kind) {
        b"" | b"fallback" => false,
        b"text" | b"thinking" | b"redacted_thinking" | b"compaction" => {
            any_is_something([text, thinking, data, content])
        }
        _ => true,
    }
}
