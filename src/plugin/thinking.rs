//! `remove_thinking`: an answer less the model's thoughts, whole or streamed, in whatever dialect it comes.
//!
//! Places in a stream are numbered anew, for clients find a block by its number. Token counts stay as they are: thoughts are
//! paid for. A dialect that is not known here passes as it is.

use std::collections::BTreeSet;

use super::rewriter::Verdict;
use super::text::{member, number, string, with_each, with_member, without_elements, without_members};
use crate::dialect::Dialect;

/// Where providers of Chat Completions put thoughts.
const CHAT_FIELDS: &[&str] = &["reasoning_content", "reasoning", "reasoning_details", "thinking_blocks"];

/// A whole answer less its thoughts; `None` where it has none.
pub(super) fn without(dialect: Dialect, body: &str) -> Option<String> {
    match dialect {
        Dialect::OpenAi => chat(body, "message"),
        Dialect::Anthropic => {
            with_member(body, "content", |content| without_elements(content, is_anthropic_thought))
        }
        Dialect::Responses => responses(body),
        // A stream that is no event stream is a list of answers.
        Dialect::Gemini if body.trim_start().starts_with('[') => with_each(body.trim(), gemini),
        Dialect::Gemini => gemini(body),
    }
}

/// Reads a stream's events and takes the thoughts out.
#[derive(Debug)]
pub(super) struct Thoughts {
    dialect: Dialect,
    /// Numbers of the blocks or items that are thoughts.
    hidden: BTreeSet<u64>,
    /// Events that were dropped.
    dropped: u64,
}

impl Thoughts {
    pub(super) fn new(dialect: Dialect) -> Thoughts {
        Thoughts { dialect, hidden: BTreeSet::new(), dropped: 0 }
    }

    /// What becomes of an event.
    pub(super) fn event(&mut self, data: &str) -> Verdict {
        match self.dialect {
            Dialect::OpenAi => chat(data, "delta").into(),
            Dialect::Anthropic => self.anthropic_event(data),
            Dialect::Responses => self.responses_event(data),
            Dialect::Gemini => gemini(data).into(),
        }
    }

    fn anthropic_event(&mut self, data: &str) -> Verdict {
        let Some(index) = number(data, "index") else { return Verdict::Keep };
        if member(data, "content_block").is_some_and(is_anthropic_thought) {
            self.hidden.insert(index);
        }
        if self.hidden.contains(&index) {
            return Verdict::Drop;
        }
        with_member(data, "index", |_| self.renumbered(index)).into()
    }

    fn responses_event(&mut self, data: &str) -> Verdict {
        let index = number(data, "output_index");
        if let Some(index) = index
            && member(data, "item").is_some_and(is_responses_thought)
        {
            self.hidden.insert(index);
        }
        if index.is_some_and(|index| self.hidden.contains(&index)) {
            self.dropped += 1;
            return Verdict::Drop;
        }
        let edits: [&dyn Fn(&str) -> Option<String>; 3] = [
            &|data| with_member(data, "response", responses),
            &|data| with_member(data, "output_index", |_| self.renumbered(index?)),
            &|data| with_member(data, "sequence_number", |number| self.counted(number)),
        ];
        let mut edited = None;
        for edit in edits {
            edited = edit(edited.as_deref().unwrap_or(data)).or(edited);
        }
        edited.into()
    }

    /// A place less the hidden ones before it; `None` where it stays.
    fn renumbered(&self, index: u64) -> Option<String> {
        let before = self.hidden.range(..index).count();
        (before > 0).then(|| index.saturating_sub(u64::try_from(before).unwrap_or(u64::MAX)).to_string())
    }

    /// An event's number less the events that were dropped.
    fn counted(&self, number: &str) -> Option<String> {
        let number: u64 = number.parse().ok()?;
        (self.dropped > 0).then(|| number.saturating_sub(self.dropped).to_string())
    }
}

/// `message` of whole answers, `delta` of streams. Mistral has thoughts among the parts of a content.
fn chat(json: &str, message: &str) -> Option<String> {
    with_member(json, "choices", |choices| {
        with_each(choices, |choice| with_member(choice, message, chat_message))
    })
}

fn chat_message(message: &str) -> Option<String> {
    let bare = without_members(message, CHAT_FIELDS);
    let less = with_member(bare.as_deref().unwrap_or(message), "content", |content| {
        without_elements(content, |part| string(part, "type").as_deref() == Some("thinking"))
    });
    less.or(bare)
}

fn is_anthropic_thought(block: &str) -> bool {
    matches!(string(block, "type").as_deref(), Some("thinking" | "redacted_thinking"))
}

fn responses(response: &str) -> Option<String> {
    with_member(response, "output", |output| without_elements(output, is_responses_thought))
}

fn is_responses_thought(item: &str) -> bool {
    string(item, "type").as_deref() == Some("reasoning")
}

fn gemini(json: &str) -> Option<String> {
    with_member(json, "candidates", |candidates| {
        with_each(candidates, |candidate| {
            with_member(candidate, "content", |content| {
                with_member(content, "parts", |parts| {
                    without_elements(parts, |part| member(part, "thought") == Some("true"))
                })
            })
        })
    })
}
