//! What a Chat Completions body, or one chunk of its stream, shows of how the call goes.

use serde_json::value::RawValue;

use crate::usage::{Usage, elements_of, members, members_of};

/// How deep the text of a part may be nested; Mistral's thinking has it at three.
const PART_DEPTH: u8 = 4;

/// Longest code, type or reason that is kept, in bytes.
const MAX_WORD: usize = 64;

/// What one body or chunk shows.
#[derive(Debug, Default)]
pub(super) struct Reading<'j> {
    pub(super) model: Option<&'j RawValue>,
    pub(super) usage: Option<Usage>,
    /// It has the form of an answer: `choices`, or the name of such an object.
    pub(super) is_answer: bool,
    /// A choice says or does something.
    pub(super) meaningful: bool,
    pub(super) finish_reason: Option<String>,
    /// The kind of an error, never its message.
    pub(super) error: Option<String>,
    /// `choices` is an empty list, `usage` an object, and there is no error: OpenAI's answer to `include_usage`.
    pub(super) usage_alone: bool,
}

impl<'j> Reading<'j> {
    /// Reads one JSON object; `None` where it is none. Google's compatible endpoint has its errors in a list of one, which
    /// is read as the error in it.
    pub(super) fn of(json: &'j [u8]) -> Option<Reading<'j>> {
        if json.trim_ascii_start().first() != Some(&b'[') {
            return Reading::of_object(json);
        }
        let list: Vec<&RawValue> = serde_json::from_slice(json).ok()?;
        Reading::of_object(list.first()?.get().as_bytes()).filter(|reading| reading.error.is_some())
    }

    fn of_object(json: &'j [u8]) -> Option<Reading<'j>> {
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
            reading.read_choice(choice);
        }
        Some(reading)
    }

    fn read_choice(&mut self, choice: &RawValue) {
        let [delta, message, text, finish_reason, error] =
            members_of(Some(choice), ["delta", "message", "text", "finish_reason", "error"]);
        let error = error.filter(|error| !is_blank(error));
        // `text` is the legacy completions'.
        self.meaningful |= says_something(delta)
            || says_something(message)
            || text.is_some_and(|text| is_something(text, PART_DEPTH));
        if let Some(reason) = finish_reason {
            self.finish_reason = Some(word(reason).unwrap_or_else(|| "other".to_owned()));
        }
        // Mistral and OpenRouter also finish for the reason `error`, with or without more of it.
        let failed = error.is_some() || self.finish_reason.as_deref() == Some("error");
        if self.error.is_none() && failed {
            self.error = Some(error_kind(b"{}", error));
        }
    }
}

/// The kind of an error by its code, type or status; `error` where it has none. Its message may show anything, the key
/// included (law 8), so it is never taken.
pub(super) fn error_kind(object: &[u8], error: Option<&RawValue>) -> String {
    let within = members_of(error, ["code", "type", "status"]);
    let beside = members(object, ["code", "type"]).unwrap_or_default();
    within
        .into_iter()
        .chain(beside)
        .flatten()
        .filter_map(word)
        .find(|word| word != "error")
        .unwrap_or_else(|| "error".to_owned())
}

/// A string or a whole number that looks like a name in a program: short, of letters, digits and `_.:/-`.
fn word(value: &RawValue) -> Option<String> {
    let text = value.get();
    let word = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_name = !word.is_empty()
        && word.len() <= MAX_WORD
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte));
    is_name.then(|| word.to_owned())
}

/// Whether a delta or a message has content, a tool call, reasoning, a refusal, media or sources; a role alone is nothing.
///
/// Not OpenAI's own: `reasoning_content` (DeepSeek, xAI, Moonshot, most), `reasoning` (Groq, OpenRouter, vLLM),
/// `reasoning_details` and `images` (OpenRouter), `reasoning_text` (Copilot), `thinking_blocks` (LiteLLM), `executed_tools`
/// (Groq's compound models).
fn says_something(message: Option<&RawValue>) -> bool {
    members_of(
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
    )
    .into_iter()
    .flatten()
    .any(|value| is_something(value, PART_DEPTH))
}

/// A string that is not empty, a list with something in it, or an object: where it is a part with a text or thoughts, by
/// these, else if it has any member.
fn is_something(value: &RawValue, depth: u8) -> bool {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'"') => json != "\"\"",
        Some(b'[') => {
            depth > 0 && elements_of(Some(value)).into_iter().any(|part| is_something(part, depth - 1))
        }
        Some(b'{') => {
            let texts = members_of(Some(value), ["text", "thinking"]);
            if texts.iter().all(Option::is_none) {
                !json.bytes().all(|byte| b"{} \t\r\n".contains(&byte))
            } else {
                depth > 0 && texts.into_iter().flatten().any(|text| is_something(text, depth - 1))
            }
        }
        _ => false,
    }
}

/// An empty string, list or object, or `false`.
fn is_blank(value: &RawValue) -> bool {
    value.get() == "false" || value.get().bytes().all(|byte| b"\"[]{} \t\r\n".contains(&byte))
}
