//! Which variant a unit gets: weighted rendezvous hashing, the exponential race. Frozen by golden vectors.
//!
//! In scope: the pure function from salt, unit and weights to a variant, and the draw for calls without a unit.
//! Out of scope: who the unit is (`identity`) and whether anything failed: assignment never changes (law 3).

use crate::hash::{Framed, top53};

/// A share of a route's traffic, in hundredths of a percent: 0 to 10,000. Documents write it in percent, with at most
/// two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Weight(u16);

impl Weight {
    /// All of the traffic.
    pub const ALL: Weight = Weight(10_000);

    /// A weight from hundredths of a percent; more than all is none.
    pub fn from_hundredths(hundredths: u16) -> Option<Weight> {
        (hundredths <= Weight::ALL.0).then_some(Weight(hundredths))
    }

    /// A weight from a percentage of at most two decimals; `None` of any other number.
    pub fn from_percent(percent: f64) -> Option<Weight> {
        let hundredths = (percent * 100.0).round();
        // A decimal of two places is off by rounding alone, a third place by 0.1 at least.
        if !(0.0..=100.0).contains(&percent) || (percent * 100.0 - hundredths).abs() > 1e-6 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number from 0 to 10,000"
        )]
        Weight::from_hundredths(hundredths as u16)
    }

    /// What is left of it when `other` is taken away; at least 0.
    pub fn less(self, other: Weight) -> Weight {
        Weight(self.0.saturating_sub(other.0))
    }

    /// Hundredths of a percent.
    pub fn hundredths(self) -> u16 {
        self.0
    }

    /// The percent as the nearest `f64`: 3,333 hundredths are exactly the double that is written `33.33`, because
    /// division rounds correctly.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// What enters the race: a variant's id and its weight.
#[derive(Clone, Copy, Debug)]
pub struct Entrant<'a> {
    /// The variant's id, used as it is.
    pub id: &'a str,
    /// Its weight; 0 never wins.
    pub weight: Weight,
}

/// The position of the variant that `unit` gets, or `None` where no weight is above 0.
///
/// Each entrant's score is `-ln(u) / weight`; the smallest wins, a tie goes to the smaller id. Their order does not
/// matter, and a changed weight moves only units that win or lose by that very change.
pub fn assign<'a>(salt: &str, unit: &str, entrants: impl Iterator<Item = Entrant<'a>>) -> Option<usize> {
    let prefix = Framed::new("turnout/assign/1").add(salt).add(unit);
    entrants
        .enumerate()
        .filter(|(_, entrant)| entrant.weight > Weight(0))
        .map(|(position, entrant)| {
            let digest = prefix.clone().add(entrant.id).finish();
            (position, score(fraction(&digest), entrant.weight), entrant.id)
        })
        .min_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.2.cmp(b.2)))
        .map(|(position, ..)| position)
}

/// The `u` of one unit and variant, in (0, 1).
pub fn uniform(salt: &str, unit: &str, variant_id: &str) -> f64 {
    fraction(&Framed::new("turnout/assign/1").add(salt).add(unit).add(variant_id).finish())
}

/// What an entrant of weight > 0 with this `u` runs the race in; the smallest wins.
pub fn score(uniform: f64, weight: Weight) -> f64 {
    -libm::log(uniform) / weight.percent()
}

/// The position of the variant for a call without a unit: `random` (uniform over all `u64`) falls into the weights.
pub fn draw(random: u64, weights: impl Iterator<Item = Weight> + Clone) -> Option<usize> {
    let total: u128 = weights.clone().map(|weight| u128::from(weight.0)).sum();
    let mut ticket = (u128::from(random) * total) >> 64;
    for (position, weight) in weights.enumerate() {
        let weight = u128::from(weight.0);
        if ticket < weight {
            return Some(position);
        }
        ticket -= weight;
    }
    None
}

/// 53 bits and a half, over 2^53: never 0 and never 1.
fn fraction(digest: &[u8; 32]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in an f64")]
    let bits = top53(digest) as f64;
    (bits + 0.5) / 9_007_199_254_740_992.0
}
