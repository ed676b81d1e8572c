//! What a Chat Completions body, or one chunk of its stream, shows.

use serde_json::value::RawValue;

use crate::relay::reading::{
    PART_DEPTH, Reading, any_is_something, error_kind, is_blank, is_something, reason,
};
use crate::usage::{Usage, elements_of, members, members_of};

/// Reads one JSON object; `None` where it is none. Google's compatible endpoint has its errors in a list of one, which
/// is read as the error in it.
pub(super) fn read(json: &[u8]) -> Option<Reading<'_>> {
    if json.trim_ascii_start().first() != Some(&b'[') {
        return read_object(json);
    }
    let list: Vec<&RawValue> = serde_json::from_slice(json).ok()?;
    read_object(list.first()?.get().as_bytes()).filter(|reading| reading.error.is_some())
}

fn read_object(json: &[u8]) -> Option<Reading<'_>> {
    let [model, usage, x_groq, choices, error, object, kind] =
        members(json, ["model", "usage", "x_groq", "choices", "error", "object", "type"])?;
    let mut reading = Reading { model, ..Reading::default() };

    // Beside choices, an error that is empty is none.
    let error = error.filter(|error| choices.is_none() || !is_blank(error));
    let is_error = [object, kind].into_iter().flatten().any(|word| word.get() == "\"error\"");
    if error.is_some() || is_error {
        reading.error = Some(error_kind(json, error));
    }

    // Null choices are absent here, so that a chat completion is known by its name too.
    reading.is_answer =
        choices.is_some() || object.is_some_and(|object| object.get().starts_with("\"chat.completion"));
    let list = elements_of(choices);
    let no_choices = choices.is_some_and(|choices| choices.get().starts_with('[')) && list.is_empty();
    reading.usage_alone =
        no_choices && usage.is_some_and(|usage| usage.get().starts_with('{')) && reading.error.is_none();

    reading.usage = Usage::from_chat_members(usage, x_groq, &list);
    for choice in list {
        read_choice(&mut reading, choice);
    }
    Some(reading)
}

fn read_choice(reading: &mut Reading<'_>, choice: &RawValue) {
    let [delta, message, text, finish_reason, error] =
        members_of(Some(choice), ["delta", "message", "text", "finish_reason", "error"]);
    let error = error.filter(|error| !is_blank(error));
    // `text` is the legacy completions'.
    reading.meaningful |= says_something(delta)
        || says_something(message)
        || text.is_some_and(|text| is_something(text, PART_DEPTH));
    // Some servers write an empty one in every chunk.
    if let Some(finish_reason) = finish_reason.filter(|reason| reason.get() != "\"\"") {
        reading.finish_reason = Some(reason(finish_reason));
        reading.done = true;
    }
    // Mistral and OpenRouter also finish for the reason `error`, with or without more of it.
    let failed = error.is_some() || reading.finish_reason.as_deref() == Some("error");
    if reading.error.is_none() && failed {
        reading.error = Some(error_kind(b"{}", error));
    }
}

/// Whether a delta or a message has content, a tool call, reasoning, a refusal, media or sources; a role alone is nothing.
///
/// Not OpenAI's own: `reasoning_content` (DeepSeek, xAI, Moonshot, most), `reasoning` (Groq, OpenRouter, vLLM),
/// `reasoning_details` and `images` (OpenRouter), `reasoning_text` (Copilot), `thinking_blocks` (LiteLLM), `executed_tools`
/// (Groq's compound models).
fn says_something(message: Option<&RawValue>) -> bool {
    any_is_something(members_of(
        message,
        [
            "content",
            "tool_calls",
            "function_call",
            "reasoning_content",
            "reasoning",
            "reasoning_details",
            "reasoning_text",
            "thinking_blocks",
            "executed_tools",
            "refusal",
            "audio",
            "images",
            "annotations",
        ],
    ))
}
