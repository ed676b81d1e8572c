//! A `usage` object, read as it lies.

use serde_json::value::RawValue;

use crate::usage::{Usage, count, members_of};

/// What a `usage` object says; `None` where it says nothing.
pub(super) fn read(usage: &RawValue) -> Option<Usage> {
    Counts::of(usage).usage().said()
}

/// The counts: what the cache gave and took is counted apart from the input.
struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl Counts {
    fn of(usage: &RawValue) -> Counts {
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
        Counts { input, cache_read, cache_write, output, thinking }
    }

    fn usage(&self) -> Usage {
        // No prompt is without tokens. Who says so did not count (Vertex's and others' `message_start`; some say it of a
        // `message_delta`, after a `message_start` that did count).
        let counted = [self.input, self.cache_read, self.cache_write];
        let counts_input = counted.into_iter().flatten().any(|count| count > 0);
        let [input, cache_read, cache_write] = if counts_input { counted } else { [None; 3] };
        Usage { input, cache_read, cache_write, output: self.output, reasoning: self.thinking }
    }
}
