//! A tool that takes free text, for those who only know tools that take JSON.
//!
//! In scope: the function that stands for it (one required string, `input`), its calls in the history, and its calls in an
//! answer, whole and streamed: the string is unescaped as it comes, so that fragments pass as fragments.
//! Out of scope: grammars, which no function can promise to keep ([`super::loss::Feature::CustomGrammar`]).

use serde_json::{Value, json};

use super::conversation::{Conversation, ToolKind};

/// The one parameter of the function.
const INPUT: &str = "input";

/// The parameters of the function that stands for a tool that takes free text.
pub(super) fn parameters() -> Value {
    json!({
        "type": "object",
        "properties": {INPUT: {"type": "string", "description": "The whole input, as plain text."}},
        "required": [INPUT],
        "additionalProperties": false,
    })
}

/// Whether the caller declared `name` as a tool that takes free text.
pub(super) fn is_custom(conversation: &Conversation, name: &str) -> bool {
    conversation
        .tools
        .iter()
        .any(|tool| matches!(&tool.kind, ToolKind::Custom { name: custom, .. } if custom == name))
}

/// Free text as the arguments of the function.
pub(super) fn wrap(input: &str) -> String {
    json!({ INPUT: input }).to_string()
}

/// The free text in the arguments of the function; the arguments themselves where they have another form.
pub(super) fn unwrap(arguments: &str) -> String {
    let input = serde_json::from_str::<Value>(arguments).ok().and_then(|mut value| {
        let input = value.get_mut(INPUT)?;
        Some(match input.take() {
            Value::String(text) => text,
            other => other.to_string(),
        })
    });
    input.unwrap_or_else(|| arguments.to_owned())
}

/// [`unwrap`] of arguments that come in fragments.
///
/// Where they begin otherwise than with `{"input": "`, they are held until they are complete.
#[derive(Debug, Default)]
pub(super) struct Unwrapper {
    state: State,
    /// What came and was not given out: the beginning, or an escape that is not complete.
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Inside,
    After,
    /// Not of the expected form.
    Odd,
}

impl Unwrapper {
    /// Takes a fragment of the arguments, and gives the free text that it completes.
    pub(super) fn push(&mut self, fragment: &str) -> String {
        self.held.push_str(fragment);
        if self.state == State::Before {
            match opening(&self.held) {
                Opening::Whole(length) => {
                    self.held = self.held.split_off(length);
                    self.state = State::Inside;
                }
                Opening::Partial => {}
                Opening::Other => self.state = State::Odd,
            }
        }
        match self.state {
            State::Inside => self.unescape(),
            State::After => {
                self.held.clear();
                String::new()
            }
            State::Before | State::Odd => String::new(),
        }
    }

    /// Takes the end of the arguments, and gives what was held.
    pub(super) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Before | State::Odd if !held.is_empty() => unwrap(&held),
            _ => String::new(),
        }
    }

    fn unescape(&mut self) -> String {
        let mut text = String::new();
        let mut rest = self.held.as_str();
        while let Some(first) = rest.chars().next() {
            let after = rest.get(first.len_utf8()..).unwrap_or_default();
            match first {
                '"' => {
                    self.state = State::After;
                    rest = "";
                }
                '\\' => match escape(after) {
                    Some((unescaped, length)) => {
                        text.push(unescaped);
                        rest = after.get(length..).unwrap_or_default();
                    }
                    None => break,
                },
                _ => {
                    text.push(first);
                    rest = after;
                }
            }
        }
        self.held = rest.to_owned();
        text
    }
}

enum Opening {
    /// So many bytes, up to the first of the text.
    Whole(usize),
    /// It may become one.
    Partial,
    Other,
}

/// Whether `json` begins with `{"input": "`, white space aside.
fn opening(json: &str) -> Opening {
    let mut rest = json;
    for token in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        match rest.strip_prefix(token) {
            Some(after) => rest = after,
            None if token.starts_with(rest) => return Opening::Partial,
            None => return Opening::Other,
        }
    }
    Opening::Whole(json.len() - rest.len())
}

/// The character that an escape stands for, and the bytes that it takes after its backslash; `None` where more must come.
fn escape(after: &str) -> Option<(char, usize)> {
    Some(match after.chars().next()? {
        'n' => ('\n', 1),
        't' => ('\t', 1),
        'r' => ('\r', 1),
        'b' => ('\u{8}', 1),
        'f' => ('\u{c}', 1),
        'u' => {
            let unit = hex(after.get(1..)?)?;
            let is_high = (0xD800..0xDC00).contains(&unit);
            if !is_high {
                return Some((char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 5));
            }
            let next = after.get(5..)?;
            if !"\\u".starts_with(next.get(..2).unwrap_or(next)) {
                return Some((char::REPLACEMENT_CHARACTER, 5));
            }
            let low = hex(next.get(2..)?)?;
            if !(0xDC00..0xE000).contains(&low) {
                return Some((char::REPLACEMENT_CHARACTER, 5));
            }
            let scalar = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 11)
        }
        other => (other, other.len_utf8()),
    })
}

/// Four digits of a code unit; what is no digit counts as one that stands for no character. `None` where more must come.
fn hex(digits: &str) -> Option<u32> {
    let four: String = digits.chars().take(4).collect();
    if four.chars().count() < 4 {
        return None;
    }
    Some(u32::from_str_radix(&four, 16).unwrap_or(0xDFFF))
}
