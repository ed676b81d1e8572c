//! Token counts, in Anthropic's words. Unlike OpenAI's, `input_tokens` is what the cache neither gave nor took.

use serde_json::{Map, Value, json};

use crate::usage::Usage;

/// What a `usage` object says.
pub(super) fn read(usage: Option<&Value>) -> Usage {
    let count = |name: &str| usage?.get(name)?.as_u64();
    Usage {
        input: count("input_tokens"),
        cache_read: count("cache_read_input_tokens"),
        cache_write: count("cache_creation_input_tokens"),
        output: count("output_tokens"),
        reasoning: usage
            .and_then(|usage| usage.get("output_tokens_details")?.get("thinking_tokens")?.as_u64()),
    }
}

/// What the beginning of a stream says: the prompt alone, for of the output it has but a placeholder; and nothing where
/// it counts no token at all (some who speak the dialect count at the end).
pub(super) fn read_start(usage: Option<&Value>) -> Usage {
    let said = Usage { output: None, reasoning: None, ..read(usage) };
    let counts = [said.input, said.cache_read, said.cache_write];
    if counts.into_iter().flatten().all(|count| count == 0) { Usage::default() } else { said }
}

/// A whole `usage` object. Input and output are no options there, so that what is not known is 0.
pub(super) fn write(usage: &Usage) -> Map<String, Value> {
    let mut object = write_end(usage);
    object.insert("input_tokens".into(), usage.input.unwrap_or(0).into());
    for name in ["cache_creation_input_tokens", "cache_read_input_tokens"] {
        object.entry(name).or_insert(Value::Null);
    }
    object
}

/// The `usage` object at the end of a stream: what is not known is left out, but for the output.
pub(super) fn write_end(usage: &Usage) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |name: &str, count: Option<u64>| {
        if let Some(count) = count {
            object.insert(name.to_owned(), count.into());
        }
    };
    put("input_tokens", usage.input);
    put("cache_creation_input_tokens", usage.cache_write);
    put("cache_read_input_tokens", usage.cache_read);
    put("output_tokens", Some(usage.output.unwrap_or(0)));
    if let Some(reasoning) = usage.reasoning {
        object.insert("output_tokens_details".into(), json!({"thinking_tokens": reasoning}));
    }
    object
}
