//! What a response of the Responses API, or one event of its stream, shows.

use memchr::memmem;
use serde_json::value::RawValue;

use crate::relay::marks::last_member;
use crate::relay::reading::{Reading, any_is_something, error_kind, is_word, plain, reason};
use crate::usage::{Usage, elements_of, members, members_of};

/// Reads one event; `None` where its data is no JSON object. The last one holds the whole answer again, which is looked
/// into only where nothing was `seen` before.
pub(super) fn read_event<'j>(name: &[u8], data: &'j [u8], seen: bool) -> Option<Reading<'j>> {
    let [kind, response, item, part, delta, error] =
        members(data, ["type", "response", "item", "part", "delta", "error"])?;
    let kind = if kind.is_some() { plain(kind) } else { name };
    let mut reading = Reading::default();
    match kind {
        b"error" => {
            reading.error = Some(kind_of(data, error));
            reading.error_body = Some(body_of(data, error));
        }
        b"response.completed" | b"response.incomplete" | b"response.failed" | b"response.cancelled" => {
            let last = kind.strip_prefix(b"response.").unwrap_or_default();
            reading = read_response(response, !seen);
            end(&mut reading, last);
        }
        b"response.created" | b"response.in_progress" | b"response.queued" => {
            [reading.model] = members_of(response, ["model"]);
        }
        b"response.output_item.added" => reading.meaningful = begins_something(item),
        b"response.output_item.done" => reading.meaningful = is_something(item),
        b"response.output_text.annotation.added" => reading.meaningful = true,
        _ if kind.ends_with(b"_part.added") || kind.ends_with(b"_part.done") => {
            reading.meaningful = any_is_something([part]);
        }
        _ if kind.ends_with(b".delta") => reading.meaningful = any_is_something([delta]),
        _ if kind.ends_with(b".done") || kind.ends_with(b".partial_image") => {
            reading.meaningful = any_is_something(members(
                data,
                ["text", "refusal", "arguments", "input", "code", "diff", "transcript", "partial_image_b64"],
            )?);
        }
        _ if error.is_some() => {
            reading.error = Some(kind_of(data, error));
            reading.error_body = Some(body_of(data, error));
        }
        _ => {}
    }
    Some(reading)
}

/// Reads a whole body; `None` where it is no JSON object.
pub(super) fn read_body(json: &[u8]) -> Option<Reading<'_>> {
    let [status, object, kind, output] = members(json, ["status", "object", "type", "output"])?;
    let mut reading = read_response(serde_json::from_slice(json).ok(), true);
    // Copies of OpenAI's API, which have the members of an error at the top.
    if reading.error.is_none() && (is_word(object, "error") || is_word(kind, "error")) {
        reading.error = Some(kind_of(json, None));
    }
    let status = plain(status);
    // One that works in the background has said nothing yet, and is none the worse for it.
    let is_pending = matches!(status, b"queued" | b"in_progress");
    reading.is_answer = (output.is_some() || is_word(object, "response")) && !is_pending;
    if matches!(status, b"completed" | b"incomplete" | b"failed" | b"cancelled") {
        end(&mut reading, status);
    }
    Some(reading)
}

/// What the end of an event shows that may be the last one and hold megabytes.
pub(super) fn read_torn<'j>(beginning: &[u8], tail: &'j [u8]) -> Reading<'j> {
    let last = [&b"completed"[..], b"incomplete", b"failed"]
        .into_iter()
        .find(|last| memmem::find(beginning, &[b"\"response.", *last, b"\""].concat()).is_some());
    let mut reading = Reading::default();
    if let Some(last) = last {
        end(&mut reading, last);
        reading.usage = last_member(tail, "usage", Usage::from_responses_usage);
    }
    reading
}

/// Reads a response object; `look` is whether to look for something in its output.
fn read_response(response: Option<&RawValue>, look: bool) -> Reading<'_> {
    let [model, error, details, output, usage] =
        members_of(response, ["model", "error", "incomplete_details", "output", "usage"]);
    let [why] = members_of(details, ["reason"]);
    let json = response.map(|response| response.get().as_bytes()).unwrap_or_default();
    Reading {
        model,
        usage: usage.and_then(Usage::from_responses_usage),
        meaningful: look && elements_of(output).into_iter().any(|item| is_something(Some(item))),
        finish_reason: why.map(reason),
        error: error.map(|_| kind_of(json, error)),
        error_body: error.map(|_| body_of(json, error)),
        ..Reading::default()
    }
}

/// It ended in this status.
fn end(reading: &mut Reading<'_>, status: &[u8]) {
    let status = String::from_utf8_lossy(status);
    reading.done = true;
    reading.terminated = true;
    if status == "failed" {
        reading.error.get_or_insert_with(|| "error".to_owned());
    }
    reading.finish_reason.get_or_insert_with(|| status.into_owned());
}

/// Whether an item that is only begun says something: a call does by being made. Thoughts that nobody can read may come
/// along before they are thought.
fn begins_something(item: Option<&RawValue>) -> bool {
    let [kind] = members_of(item, ["type"]);
    plain(kind) != b"compaction" && says_something(item, false)
}

fn is_something(item: Option<&RawValue>) -> bool {
    says_something(item, true)
}

/// Whether an item says something: messages and thoughts where they are not empty, and whatever else there is (calls of
/// tools and their results) by being there. The list of a server's tools is none of the model's words.
fn says_something(item: Option<&RawValue>, encrypted_counts: bool) -> bool {
    let [kind, content, summary, encrypted] =
        members_of(item, ["type", "content", "summary", "encrypted_content"]);
    match plain(kind) {
        b"" | b"mcp_list_tools" => false,
        b"message" => elements_of(content).into_iter().any(is_part_something),
        b"reasoning" => any_is_something([content, summary, encrypted.filter(|_| encrypted_counts)]),
        _ => true,
    }
}

/// A part of a message: a text, or a refusal.
fn is_part_something(part: &RawValue) -> bool {
    let [kind, text, refusal] = members_of(Some(part), ["type", "text", "refusal"]);
    match plain(kind) {
        b"output_text" | b"text" | b"refusal" | b"" => any_is_something([text, refusal]),
        _ => true,
    }
}

/// The kind of an error. OpenAI's is the same for all mistakes where there is no code, an id that it does not know among
/// them; the field at fault says more then.
fn kind_of(object: &[u8], error: Option<&RawValue>) -> String {
    let kind = error_kind(object, error);
    let beside = members(object, ["param"]).unwrap_or_default();
    let [param] = if error.is_some() { members_of(error, ["param"]) } else { beside };
    let has_code = kind != "invalid_request_error" && kind.parse::<u16>().is_err();
    match plain(param) {
        _ if has_code => kind,
        b"previous_response_id" | b"response_id" => "previous_response_id".to_owned(),
        b"conversation" | b"conversation_id" => "conversation".to_owned(),
        b"input" => "input".to_owned(),
        b"" if kind == "invalid_request_error" => "unspecified_invalid_request".to_owned(),
        _ => kind,
    }
}

/// The error as the body of an answer has it: `{"error":{…}}`. The members of an event are beside its type.
fn body_of(object: &[u8], error: Option<&RawValue>) -> Vec<u8> {
    if let Some(error) = error {
        return format!(r#"{{"error":{}}}"#, error.get()).into_bytes();
    }
    let [code, message, param] = members(object, ["code", "message", "param"]).unwrap_or_default();
    let text = |value: Option<&RawValue>| value.map_or("null", RawValue::get).to_owned();
    format!(r#"{{"error":{{"code":{},"message":{},"param":{}}}}}"#, text(code), text(message), text(param))
        .into_bytes()
}
