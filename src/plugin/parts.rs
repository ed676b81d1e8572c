//! What a dialect has to say for plugins: the one thing that its folder gives them.

use std::collections::BTreeSet;

use super::rewriter::Verdict;

/// Where a dialect has what plugins look for.
#[derive(Debug)]
pub(crate) struct Parts {
    /// A whole answer less its thoughts; `None` where it has none.
    pub(crate) without_thoughts: fn(&str) -> Option<String>,
    /// What becomes of an event of a stream that is to have no thoughts.
    pub(crate) thoughtless: fn(&mut Hidden, &str) -> Verdict,
    /// A body with a turn of the user's at its end; the text is a JSON string.
    pub(crate) reminded: fn(&str, &str) -> Option<String>,
}

/// What was taken out of a stream so far.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    places: BTreeSet<u64>,
    dropped: u64,
}

impl Hidden {
    /// The block or item at a place is taken out.
    pub(crate) fn hide(&mut self, place: u64) {
        self.places.insert(place);
    }

    /// Whether it is; then an event of it is dropped.
    pub(crate) fn drops(&mut self, place: u64) -> bool {
        let is_hidden = self.places.contains(&place);
        self.dropped += u64::from(is_hidden);
        is_hidden
    }

    /// A place less the hidden ones before it; `None` where it stays.
    pub(crate) fn moved(&self, place: u64) -> Option<String> {
        let before = u64::try_from(self.places.range(..place).count()).unwrap_or(u64::MAX);
        (before > 0).then(|| place.saturating_sub(before).to_string())
    }

    /// An event's number less the events that were dropped; `None` where it stays.
    pub(crate) fn counted(&self, number: &str) -> Option<String> {
        let number: u64 = number.parse().ok()?;
        (self.dropped > 0).then(|| number.saturating_sub(self.dropped).to_string())
    }
}
