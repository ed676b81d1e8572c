//! What is left to chance, drawn from a hash of model and messages: the same on every machine and in every call.

use serde_json::Value;
use sha2::{Digest, Sha256};

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
            .chain_update(messages.to_string())
            .finalize();
        let mut words =
            digest.chunks(8).map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        let mut next = || words.next().unwrap_or_default();
        Chance { fate: Dice(next()), text: Dice(next()), pace: Dice(next()), id: next() }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): enough to pick sentences by, never a source of secrets.
pub(super) struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// One of `0..sides`; 0 where there are none. The bias of the remainder is below `sides` / 2^64.
    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.roll().checked_rem(sides).unwrap_or(0)
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
