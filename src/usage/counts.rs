//! The spellings of token counts.

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

/// The counts as Anthropic spells them: what the cache gave and took is counted apart from the input.
pub(super) struct AnthropicCounts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl AnthropicCounts {
    pub(super) fn of(usage: &RawValue) -> AnthropicCounts {
        let members = members_of(
            Some(usage),
            [
                "output_tokens_details",
                "input_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
                "output_tokens",
            ],
        );
        let [details, ..] = members;
        let [_, input, cache_read, cache_write, output] = members.map(count);
        let [thinking] = members_of(details, ["thinking_tokens"]).map(count);
        AnthropicCounts { input, cache_read, cache_write, output, thinking }
    }

    pub(super) fn usage(&self) -> Usage {
        // No prompt is without tokens. Who says so did not count (Vertex's and others' `message_start`; some say it of a
        // `message_delta`, after a `message_start` that did count).
        let counted = [self.input, self.cache_read, self.cache_write];
        let counts_input = counted.into_iter().flatten().any(|count| count > 0);
        let [input, cache_read, cache_write] = if counts_input { counted } else { [None; 3] };
        Usage { input, cache_read, cache_write, output: self.output, reasoning: self.thinking }
    }
}

/// The counts as Gemini spells them: the prompt includes what the cache gave, and the candidates not the thoughts. What is
/// 0 is left out, and what was not counted yet too.
pub(super) struct GeminiCounts {
    prompt: Option<u64>,
    cached: Option<u64>,
    tool_prompt: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
}

impl GeminiCounts {
    pub(super) fn of(usage: &RawValue) -> GeminiCounts {
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
        GeminiCounts { prompt, cached, tool_prompt, candidates, thoughts }
    }

    pub(super) fn usage(&self) -> Usage {
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

/// A count of tokens, if it is one.
fn count(value: Option<&RawValue>) -> Option<u64> {
    value?.get().parse().ok()
}
