//! What one event of a stream, or one whole body, shows of how the call goes.
//!
//! In scope: the one form of it for all dialects, and what more than one of them needs to read it: words, kinds of errors,
//! what counts as saying something. Out of scope: where a dialect says it; that stands in its folder.

use serde_json::value::RawValue;

use crate::dialect::Dialect;
use crate::usage::{Usage, elements_of, members, members_of};

/// How deep the text of a part may be nested; Mistral's thinking has it at three.
pub(crate) const PART_DEPTH: u8 = 4;

/// Longest code, type or reason that is kept, in bytes.
const MAX_WORD: usize = 64;

/// What one event or body shows.
#[derive(Debug, Default)]
pub(crate) struct Reading<'j> {
    pub(crate) model: Option<&'j RawValue>,
    pub(crate) usage: Option<Usage>,
    /// It has the form of an answer that is complete.
    pub(crate) is_answer: bool,
    /// It says or does something.
    pub(crate) meaningful: bool,
    pub(crate) finish_reason: Option<String>,
    /// The answer is over.
    pub(crate) done: bool,
    /// Nothing comes after it.
    pub(crate) terminated: bool,
    /// The kind of an error, never its message.
    pub(crate) error: Option<String>,
    /// The error as a body, where that is not the event's own data.
    pub(crate) error_body: Option<Vec<u8>>,
    /// Chat Completions alone: `choices` is an empty list, `usage` an object, and there is no error: OpenAI's answer to
    /// `include_usage`.
    pub(crate) usage_alone: bool,
}

impl<'j> Reading<'j> {
    /// Reads one event; `None` where its data is no JSON object. `seen` is whether something meaningful came before it:
    /// then a dialect may save itself the search for more.
    pub(crate) fn of_event(dialect: Dialect, name: &[u8], data: &'j [u8], seen: bool) -> Option<Reading<'j>> {
        (dialect.wire().stream.read_event)(name, data, seen)
    }

    /// Reads a whole body; one reading, but for Gemini's stream as a list. None where it is of another make.
    pub(crate) fn of_body(dialect: Dialect, json: &'j [u8]) -> Vec<Reading<'j>> {
        (dialect.wire().stream.read_body)(json)
    }

    /// What an event shows whose middle was not kept: its beginning, and what of it was kept at its end. Only dialects
    /// whose last event can be large have something to say.
    pub(crate) fn of_torn(dialect: Dialect, beginning: &[u8], end: &'j [u8]) -> Reading<'j> {
        dialect.wire().stream.read_torn.map(|read| read(beginning, end)).unwrap_or_default()
    }
}

/// The kind of an error by its code, type or status; `error` where it has none. Its message may show anything, the key
/// included (law 8), so it is never taken.
pub(crate) fn error_kind(object: &[u8], error: Option<&RawValue>) -> String {
    kind_by(["code", "type", "status"], object, error)
}

/// [`error_kind`], with the members of `error` in another order. Google's word for a key that it refuses stands deeper
/// than the rest, whose words would make it the caller's mistake.
pub(crate) fn kind_by<const N: usize>(names: [&str; N], object: &[u8], error: Option<&RawValue>) -> String {
    let [details] = members_of(error, ["details"]);
    let refused_key = elements_of(details).into_iter().find_map(|detail| {
        let [reason] = members_of(Some(detail), ["reason"]);
        word(reason?).filter(|reason| reason.starts_with("API_KEY_"))
    });
    let within = members_of(error, names);
    let beside = members(object, ["code", "type"]).unwrap_or_default();
    let named = || within.into_iter().chain(beside).flatten().filter_map(word).find(|word| word != "error");
    refused_key.or_else(named).unwrap_or_else(|| "error".to_owned())
}

/// A string or a whole number that looks like a name in a program: short, of letters, digits and `_.:/-`.
pub(crate) fn word(value: &RawValue) -> Option<String> {
    let text = value.get();
    let word = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_name = !word.is_empty()
        && word.len() <= MAX_WORD
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte));
    is_name.then(|| word.to_owned())
}

/// The reason why an answer finished: `other` where it looks like no word.
pub(crate) fn reason(value: &RawValue) -> String {
    word(value).unwrap_or_else(|| "other".to_owned())
}

/// Whether a value is this string, written without escapes.
pub(crate) fn is_word(value: Option<&RawValue>, expected: &str) -> bool {
    plain(value) == expected.as_bytes()
}

/// A string's bytes between its quotes, as they are written; empty where it is none.
pub(crate) fn plain(value: Option<&RawValue>) -> &[u8] {
    let text = value.map(|value| value.get().as_bytes()).unwrap_or_default();
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or_default()
}

/// A string that is not empty, a list with something in it, or an object: where it is a part with a text or thoughts, by
/// these, else if it has any member.
pub(crate) fn is_something(value: &RawValue, depth: u8) -> bool {
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

/// Whether one of the values is [something](is_something).
pub(crate) fn any_is_something<'j>(values: impl IntoIterator<Item = Option<&'j RawValue>>) -> bool {
    values.into_iter().flatten().any(|value| is_something(value, PART_DEPTH))
}

/// An empty string, list or object, or `false`.
pub(crate) fn is_blank(value: &RawValue) -> bool {
    value.get() == "false" || value.get().bytes().all(|byte| b"\"[]{} \t\r\n".contains(&byte))
}
