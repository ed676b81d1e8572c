//! Token counts as OpenAI spells them, in both its dialects. Others are spelled in the folders of theirs.

use serde_json::value::RawValue;

use super::Usage;
use super::members::members_of;

/// The counts as OpenAI spells them, and those who follow it.
pub(super) struct OpenAiCounts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    written: Option<u64>,
    uncached: Option<u64>,
    reasoning: Option<u64>,
}

impl OpenAiCounts {
    /// Of Chat Completions.
    pub(super) fn of_chat(usage: &RawValue) -> OpenAiCounts {
        let members = members_of(
            Some(usage),
            [
                "prompt_tokens_details",
                "completion_tokens_details",
                "prompt_tokens",
                "completion_tokens",
                "total_tokens",
                // Moonshot.
                "cached_tokens",
                // DeepSeek.
                "prompt_cache_hit_tokens",
                "prompt_cache_miss_tokens",
                // Anthropic's words, which some keep.
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
                // Perplexity, and DeepSeek on Azure.
                "reasoning_tokens",
            ],
        );
        let [prompt_details, completion_details, ..] = members;
        let [_, _, prompt, completion, total, flat_cached, hit, miss, read, created, flat_reasoning] =
            members.map(count);
        // OpenAI and most others; OpenAI and OpenRouter; Alibaba.
        let [cached, written, detailed_created] = members_of(
            prompt_details,
            ["cached_tokens", "cache_write_tokens", "cache_creation_input_tokens"],
        )
        .map(count);
        let [reasoning] = members_of(completion_details, ["reasoning_tokens"]).map(count);
        OpenAiCounts {
            prompt,
            completion,
            total,
            cached: cached.or(flat_cached).or(hit).or(read),
            written: written.or(detailed_created).or(created),
            uncached: miss,
            reasoning: reasoning.or(flat_reasoning),
        }
    }

    /// Of Responses.
    pub(super) fn of_responses(usage: &RawValue) -> OpenAiCounts {
        let members = members_of(
            Some(usage),
            [
                "input_tokens_details",
                "output_tokens_details",
                "input_tokens",
                "output_tokens",
                "total_tokens",
            ],
        );
        let [input_details, output_details, ..] = members;
        let [_, _, prompt, completion, total] = members.map(count);
        let [cached, written] = members_of(input_details, ["cached_tokens", "cache_write_tokens"]).map(count);
        let [reasoning] = members_of(output_details, ["reasoning_tokens"]).map(count);
        OpenAiCounts { prompt, completion, total, cached, written, uncached: None, reasoning }
    }

    /// One meaning for all of them. By OpenAI's rule the prompt includes what the cache gave and took, and the completion the
    /// reasoning. Who counts otherwise is known by the sum: `total_tokens` is then more than both.
    pub(super) fn usage(&self) -> Usage {
        let cache = self.cached.unwrap_or(0).saturating_add(self.written.unwrap_or(0));
        let reasoning = self.reasoning.unwrap_or(0);
        let beyond = self.beyond_prompt_and_completion();

        // Whatever is beyond is the cache's only where it is just as much, and the reasoning is not.
        let prompt_lacks_cache = beyond > 0 && beyond == cache && beyond != reasoning;
        let input = self.prompt.map(|prompt| match prompt.checked_sub(cache) {
            Some(uncached) if !prompt_lacks_cache => uncached,
            _ => prompt,
        });

        // xAI counts reasoning apart and says so; Google's compatible endpoint counts it in the total alone.
        let output = self.completion.map(|completion| {
            let output = completion.saturating_add(if prompt_lacks_cache { 0 } else { beyond });
            // Perplexity's deep research leaves it out of the total too: a part is never more than the whole.
            if reasoning > output { output.saturating_add(reasoning) } else { output }
        });

        Usage {
            input: input.or(self.uncached),
            cache_read: self.cached,
            cache_write: self.written,
            output,
            reasoning: self.reasoning,
        }
    }

    /// How much more `total_tokens` is than the other two; 0 where one of the three was not said.
    fn beyond_prompt_and_completion(&self) -> u64 {
        match (self.prompt, self.completion, self.total) {
            (Some(prompt), Some(completion), Some(total)) => {
                total.saturating_sub(prompt.saturating_add(completion))
            }
            _ => 0,
        }
    }
}

/// A count of tokens, if it is one.
pub(crate) fn count(value: Option<&RawValue>) -> Option<u64> {
    value?.get().parse().ok()
}
