//! Token counts, in every spelling that providers use.
//!
//! In scope: what a body or a chunk of Chat Completions says of its tokens, brought to one meaning.
//! Out of scope: which chunk says it (`relay`), what tokens cost.
//! Loose on what comes in: a count that is negative, a fraction or no number is one that was not said.

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Tokens of one call. `None` is "not said", never 0 (law 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens that were neither read from nor written to a cache.
    pub input: Option<u64>,
    /// Input tokens read from the provider's cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to the provider's cache.
    pub cache_write: Option<u64>,
    /// Output tokens, reasoning included.
    pub output: Option<u64>,
    /// Reasoning tokens, a part of `output`.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// What a Chat Completions body, or one chunk of a stream, says: in `usage`, else in `x_groq.usage`, else in a
    /// choice's `usage` (Moonshot's streams). `None` where it says nothing or is no JSON object.
    pub fn from_chat(body_or_chunk: &[u8]) -> Option<Usage> {
        let [usage, x_groq, choices] = members(body_or_chunk, ["usage", "x_groq", "choices"])?;
        Usage::from_chat_members(usage, x_groq, &elements_of(choices))
    }

    /// [`Usage::from_chat`] of the members that may hold it.
    pub(crate) fn from_chat_members(
        usage: Option<&RawValue>,
        x_groq: Option<&RawValue>,
        choices: &[&RawValue],
    ) -> Option<Usage> {
        let usage_of = |object: &RawValue| {
            let [usage] = members_of(Some(object), ["usage"]);
            usage.and_then(Usage::from_chat_usage)
        };
        usage
            .and_then(Usage::from_chat_usage)
            .or_else(|| x_groq.and_then(usage_of))
            .or_else(|| choices.iter().find_map(|choice| usage_of(choice)))
    }

    /// What a `usage` object says; `None` where that is nothing.
    fn from_chat_usage(usage: &RawValue) -> Option<Usage> {
        let usage = ChatCounts::read(usage).usage();
        (usage != Usage::default()).then_some(usage)
    }

    /// Adds what a later chunk of the same stream says. Counts are cumulative: of each, the later one holds.
    pub fn merge(&mut self, later: Usage) {
        self.input = later.input.or(self.input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.output = later.output.or(self.output);
        self.reasoning = later.reasoning.or(self.reasoning);
    }
}

/// The counts as Chat Completions spells them.
struct ChatCounts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    written: Option<u64>,
    uncached: Option<u64>,
    reasoning: Option<u64>,
}

impl ChatCounts {
    fn read(usage: &RawValue) -> ChatCounts {
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
        ChatCounts {
            prompt,
            completion,
            total,
            cached: cached.or(flat_cached).or(hit).or(read),
            written: written.or(detailed_created).or(created),
            uncached: miss,
            reasoning: reasoning.or(flat_reasoning),
        }
    }

    /// One meaning for all of them. By OpenAI's rule `prompt_tokens` includes what the cache gave and took, and
    /// `completion_tokens` the reasoning. Who counts otherwise is known by the sum: `total_tokens` is then more than both.
    fn usage(&self) -> Usage {
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
fn count(value: Option<&RawValue>) -> Option<u64> {
    value?.get().parse().ok()
}

/// The values of the named members of a JSON object, in the order of `names`; the last one where a name repeats, as
/// every JSON library has it; null is absent. `None` where `json` is no object. Other members are only skipped.
pub(crate) fn members<'j, const N: usize>(
    json: &'j [u8],
    names: [&str; N],
) -> Option<[Option<&'j RawValue>; N]> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let values = json.deserialize_map(Members(names)).ok()?;
    json.end().ok()?;
    Some(values)
}

/// [`members`] of a value; all absent where it is no object.
pub(crate) fn members_of<'j, const N: usize>(
    value: Option<&'j RawValue>,
    names: [&str; N],
) -> [Option<&'j RawValue>; N] {
    value.and_then(|value| members(value.get().as_bytes(), names)).unwrap_or([None; N])
}

/// The elements of a JSON array; none where it is no array.
pub(crate) fn elements_of(value: Option<&RawValue>) -> Vec<&RawValue> {
    value.and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
}

struct Members<'n, const N: usize>([&'n str; N]);

impl<'j, const N: usize> Visitor<'j> for Members<'_, N> {
    type Value = [Option<&'j RawValue>; N];

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<M: MapAccess<'j>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut values = [None; N];
        while let Some(index) = map.next_key_seed(IndexIn(&self.0))? {
            match index {
                Some(index) => {
                    let value = values.get_mut(index).ok_or_else(|| M::Error::custom("no such name"))?;
                    *value = map.next_value::<Option<&RawValue>>()?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(values)
    }
}

/// Reads a member's name as its index in a list of names, without allocating.
struct IndexIn<'n>(&'n [&'n str]);

impl<'j> DeserializeSeed<'j> for IndexIn<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'j>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for IndexIn<'_> {
    type Value = Option<usize>;

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}
