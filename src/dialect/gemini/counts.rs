//! `usageMetadata`, read as it lies.

use serde_json::value::RawValue;

use crate::usage::{Usage, count, members_of};

/// What it says; `None` where it says nothing.
pub(super) fn read(usage: &RawValue) -> Option<Usage> {
    Counts::of(usage).usage().said()
}

/// The counts: the prompt includes what the cache gave, and the candidates not the thoughts. What is
/// 0 is left out, and what was not counted yet too.
struct Counts {
    prompt: Option<u64>,
    cached: Option<u64>,
    tool_prompt: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
}

impl Counts {
    fn of(usage: &RawValue) -> Counts {
        let [prompt, cached, tool_prompt, candidates, thoughts] = members_of(
            Some(usage),
            [
                "promptTokenCount",
                "cachedContentTokenCount",
                "toolUsePromptTokenCount",
                "candidatesTokenCount",
                "thoughtsTokenCount",
            ],
        )
        .map(count);
        Counts { prompt, cached, tool_prompt, candidates, thoughts }
    }

    fn usage(&self) -> Usage {
        // What built-in tools found is read by the model too.
        let uncached = self.prompt.map(|prompt| prompt.saturating_sub(self.cached.unwrap_or(0)));
        Usage {
            input: sum(uncached, self.tool_prompt),
            cache_read: self.cached,
            cache_write: None,
            output: sum(self.candidates, self.thoughts),
            reasoning: self.thoughts,
        }
    }
}

/// Both, as far as they were said.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}
