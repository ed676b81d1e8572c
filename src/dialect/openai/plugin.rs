//! Where Chat Completions have what plugins look for.

use crate::plugin::text::{string, with_each, with_last, with_member, without_elements, without_members};
use crate::plugin::{Hidden, Parts, Verdict};

pub(super) const PARTS: Parts = Parts {
    without_thoughts: |body| choices(body, "message"),
    thoughtless: |_: &mut Hidden, data| Verdict::from(choices(data, "delta")),
    reminded,
};

/// Where providers put thoughts.
const THOUGHTS: &[&str] = &["reasoning_content", "reasoning", "reasoning_details", "thinking_blocks"];

fn choices(json: &str, message: &str) -> Option<String> {
    with_member(json, "choices", |choices| {
        with_each(choices, |choice| with_member(choice, message, without_thoughts))
    })
}

/// Mistral has thoughts among the parts of a content.
fn without_thoughts(message: &str) -> Option<String> {
    let bare = without_members(message, THOUGHTS);
    let less = with_member(bare.as_deref().unwrap_or(message), "content", |content| {
        without_elements(content, |part| string(part, "type").as_deref() == Some("thinking"))
    });
    less.or(bare)
}

fn reminded(body: &str, text: &str) -> Option<String> {
    with_member(body, "messages", |messages| {
        with_last(messages, &format!(r#"{{"role":"user","content":{text}}}"#))
    })
}
