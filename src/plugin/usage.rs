//! `fix_anthropic_usage`: the counts that clients of Messages read without asking whether they are there.
//!
//! Some downstreams leave out the counts of caches, or all of `message_delta`'s, and Anthropic's SDKs fail at that. What is
//! missing is 0, and in `message_delta` what `message_start` said. What is there stays as it is.

use super::rewriter::Verdict;
use super::text::{member, number, string, with_member, with_more};

const COUNTS: [&str; 4] =
    ["input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];

/// A whole answer with all counts; `None` where they are there, or it is no answer.
pub(super) fn filled(body: &str) -> Option<String> {
    if string(body, "type").as_deref() != Some("message") {
        return None;
    }
    with_counts(body, [0; 4])
}

/// Reads a stream's events and fills in counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// What `message_start` said, in the order of [`COUNTS`].
    started: [u64; 4],
}

impl Counts {
    pub(super) fn event(&mut self, data: &str) -> Verdict {
        match string(data, "type").as_deref() {
            Some("message_start") => {
                let usage = member(data, "message").and_then(|message| member(message, "usage"));
                if let Some(usage) = usage {
                    self.started = COUNTS.map(|name| number(usage, name).unwrap_or(0));
                }
                with_member(data, "message", |message| with_counts(message, [0; 4])).into()
            }
            Some("message_delta") => match member(data, "usage").filter(|usage| *usage != "null") {
                None => with_counts(data, self.started).into(),
                Some(usage) if member(usage, "output_tokens").is_none() => {
                    let [_, output, ..] = self.started;
                    with_member(data, "usage", |usage| {
                        with_more(usage, &format!("\"output_tokens\":{output}"))
                    })
                    .into()
                }
                Some(_) => Verdict::Keep,
            },
            _ => Verdict::Keep,
        }
    }
}

/// An object whose `usage` has every count, those that are missing being `counts`.
fn with_counts(object: &str, counts: [u64; 4]) -> Option<String> {
    let missing = |usage: &str| {
        let missing = COUNTS
            .iter()
            .zip(counts)
            .filter(|(name, _)| member(usage, name).is_none_or(|count| count == "null"));
        let missing: Vec<String> = missing.map(|(name, count)| format!("\"{name}\":{count}")).collect();
        (!missing.is_empty()).then(|| missing.join(","))
    };
    match member(object, "usage") {
        None => with_more(object, &format!("\"usage\":{{{}}}", missing("{}")?)),
        Some("null") => with_member(object, "usage", |_| Some(format!("{{{}}}", missing("{}")?))),
        Some(_) => with_member(object, "usage", |usage| {
            let nulls: Vec<&str> =
                COUNTS.into_iter().filter(|name| member(usage, name) == Some("null")).collect();
            let bare = super::text::without_members(usage, &nulls);
            with_more(bare.as_deref().unwrap_or(usage), &missing(usage)?)
        }),
    }
}
