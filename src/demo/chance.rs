//! What is left to chance, drawn from a hash of model and messages: the same on every machine and in every call.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::random::SplitMix;

/// One generator for each question, so that an answer to one does not depend on how often another was asked.
pub(super) struct Chance {
    /// Whether and how the call fails.
    pub(super) fate: Dice,
    /// Which sentences.
    pub(super) text: Dice,
    /// How long each word takes.
    pub(super) pace: Dice,
    /// A part of the completion's id.
    pub(super) id: u64,
}

impl Chance {
    pub(super) fn of(model: &str, messages: &Value) -> Chance {
        let digest = Sha256::new()
            .chain_update("turnout/demo/1\n")
            .chain_update(model)
            .chain_update("\n")
            .chain_update(sorted(messages).to_string())
            .finalize();
        let mut words =
            digest.chunks(8).map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        let mut next = || words.next().unwrap_or_default();
        let mut dice = || Dice(SplitMix::new(next()));
        Chance { fate: dice(), text: dice(), pace: dice(), id: next() }
    }
}

/// What sentences are picked by.
pub(super) struct Dice(SplitMix);

impl Dice {
    /// One of `0..sides`; 0 where there are none. The bias of the remainder is below `sides` / 2^64.
    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.0.next().checked_rem(sides).unwrap_or(0)
    }

    /// One of `low..=high`.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(u64::from(high.saturating_sub(low)) + 1) as u32
    }

    /// `count` different ones of `from`, in a random order; all of them where there are fewer.
    pub(super) fn pick<'a>(&mut self, from: &[&'a str], count: usize) -> Vec<&'a str> {
        let mut left = from.to_vec();
        let mut picked = Vec::with_capacity(count);
        while picked.len() < count && !left.is_empty() {
            picked.push(left.swap_remove(self.below(left.len() as u64) as usize));
        }
        picked
    }
}

/// With keys in order, so that it is the same text whoever made it.
fn sorted(messages: &Value) -> Value {
    let mut messages = messages.clone();
    messages.sort_all_objects();
    messages
}
