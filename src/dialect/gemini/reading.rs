//! What a Gemini body shows; an event of its stream is one, and a stream without events is a list of them.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::counts;
use crate::relay::marks::last_member;
use crate::relay::reading::{PART_DEPTH, Reading, is_something, kind_by, plain, reason};
use crate::usage::{elements_of, members, members_of};

/// Reads one body or event; `None` where it is no JSON object.
pub(super) fn read(json: &[u8]) -> Option<Reading<'_>> {
    let [model, candidates, feedback, usage, error] =
        members(json, ["modelVersion", "candidates", "promptFeedback", "usageMetadata", "error"])?;
    let mut reading = Reading { model, ..Reading::default() };
    if error.is_some() {
        // Its `code` is the status; the word is in `status`.
        reading.error = Some(kind_by(["status", "code"], json, error));
    }
    reading.is_answer = candidates.is_some() || feedback.is_some();
    reading.usage = usage.and_then(counts::read);
    let [block_reason] = members_of(feedback, ["blockReason"]);
    if let Some(block_reason) = block_reason {
        reading.meaningful = true;
        finish(&mut reading, block_reason);
    }
    for candidate in elements_of(candidates) {
        let [content, finish_reason] = members_of(Some(candidate), ["content", "finishReason"]);
        let [parts] = members_of(content, ["parts"]);
        reading.meaningful |= elements_of(parts).into_iter().any(says_something);
        if let Some(finish_reason) = finish_reason {
            reading.meaningful |= is_refusal(finish_reason);
            finish(&mut reading, finish_reason);
        }
    }
    Some(reading)
}

/// Reads a whole body, or a stream that is one list.
pub(super) fn read_body(json: &[u8]) -> Vec<Reading<'_>> {
    if json.trim_ascii_start().first() != Some(&b'[') {
        return read(json).into_iter().collect();
    }
    let list: Vec<&RawValue> = serde_json::from_slice(json).unwrap_or_default();
    let readings: Option<Vec<_>> = list.into_iter().map(|body| read(body.get().as_bytes())).collect();
    readings.unwrap_or_default()
}

/// What the end of a large event shows: of media, there may be megabytes before it.
pub(super) fn read_torn(end: &[u8]) -> Reading<'_> {
    let mut reading =
        Reading { usage: last_member(end, "usageMetadata", counts::read), ..Reading::default() };
    if let Some(finish_reason) = last_member(end, "finishReason", Some) {
        finish(&mut reading, finish_reason);
    }
    reading
}

/// There is no other word for the end than a reason.
fn finish(reading: &mut Reading<'_>, finish_reason: &RawValue) {
    if plain(Some(finish_reason)) == b"FINISH_REASON_UNSPECIFIED" {
        return;
    }
    reading.done = true;
    reading.terminated = true;
    reading.finish_reason = Some(reason(finish_reason));
}

/// A text that is not empty, or anything else that is no note on another part.
fn says_something(part: &RawValue) -> bool {
    const NOTES: [&str; 5] =
        ["thought", "thoughtSignature", "partMetadata", "videoMetadata", "mediaResolution"];
    let members: BTreeMap<String, Option<&RawValue>> = serde_json::from_str(part.get()).unwrap_or_default();
    members.iter().any(|(name, value)| match (name.as_str(), value) {
        (_, None) => false,
        ("text", Some(text)) => is_something(text, PART_DEPTH),
        (name, Some(_)) => !NOTES.contains(&name),
    })
}

/// It was ended because of what it said, or would have said.
fn is_refusal(finish_reason: &RawValue) -> bool {
    matches!(
        plain(Some(finish_reason)),
        b"SAFETY"
            | b"RECITATION"
            | b"BLOCKLIST"
            | b"PROHIBITED_CONTENT"
            | b"SPII"
            | b"MODEL_ARMOR"
            | b"IMAGE_SAFETY"
            | b"IMAGE_PROHIBITED_CONTENT"
            | b"IMAGE_RECITATION"
    )
}
