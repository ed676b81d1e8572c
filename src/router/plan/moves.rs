//! Who moves when weights change, exactly: the exponential race has a closed form.
//!
//! In scope: the share of units that go from each variant to each other, under one salt and under two. Out of scope: which routes
//! are compared (`plan`).
//!
//! A unit draws E_v = -ln u(v) for each variant, whatever the weights; the smallest E_v / w_v wins. With E_i = x, E_j = y it goes
//! from i to j where y/x = r lies between w_j/w_i and w'_j/w'_i and every other k has E_k > max(w_k x/w_i, w'_k y/w'_j), so
//!
//! ```text
//! P(i → j) = ∫ dr / (1 + r + Σ_{k≠i,j} max(w_k/w_i, w'_k r/w'_j))²     over r from w_j/w_i to w'_j/w'_i
//! ```
//!
//! With s = r w_i/w'_j and ρ_k = w_k/w'_k this is w_i w'_j ∫ ds / D(s)² over s from ρ_j to ρ_i, where D(s) = Σ_k max(w_k, w'_k s),
//! the i and j of the bounds being just those of the sum. So one integral, taken piece by piece between the ρ in order, serves all
//! pairs: P(i → j) = w_i w'_j (G(ρ_i) − G(ρ_j)) where that is positive. Who stays: P(i → i) = w_i / D(ρ_i).

use std::cmp::Ordering;

/// A change of weights. Positions are those of both lists, in which a variant that is not there has 0.
#[derive(Debug)]
pub struct Moves {
    sides: Vec<Side>,
    is_dealt_anew: bool,
}

#[derive(Clone, Copy, Debug)]
struct Side {
    /// In hundredths of a percent, so that sums and differences are exact.
    old: f64,
    new: f64,
    /// G(ρ).
    integral: f64,
    /// The share of all units that were there and stay.
    stays: f64,
}

impl Moves {
    /// From `old` to `new`, in hundredths of a percent; each list sums to 10,000. With another salt all units are dealt anew, so
    /// that where they were says nothing of where they go.
    pub fn new(old: &[u16], new: &[u16], is_dealt_anew: bool) -> Moves {
        let mut sides: Vec<Side> = old
            .iter()
            .zip(new)
            .map(|(old, new)| {
                let (old, new) = (f64::from(*old), f64::from(*new));
                Side { old, new, integral: 0.0, stays: old / ALL * (new / ALL) }
            })
            .collect();
        if !is_dealt_anew {
            integrate(&mut sides);
        }
        Moves { sides, is_dealt_anew }
    }

    /// The share of all units that go from one variant to another, or stay.
    pub fn share(&self, from: usize, to: usize) -> f64 {
        let (Some(one), Some(other)) = (self.sides.get(from), self.sides.get(to)) else { return 0.0 };
        if from == to {
            return one.stays;
        }
        if self.is_dealt_anew {
            return one.old / ALL * (other.new / ALL);
        }
        if one.old == 0.0 || other.new == 0.0 {
            return 0.0;
        }
        (one.old * other.new * (one.integral - other.integral)).max(0.0)
    }

    /// The share of all units that leave a variant.
    pub fn leave(&self, from: usize) -> f64 {
        self.sides.get(from).map_or(0.0, |side| (side.old / ALL - side.stays).max(0.0))
    }

    /// The share of all units that come to a variant.
    pub fn come(&self, to: usize) -> f64 {
        self.sides.get(to).map_or(0.0, |side| (side.new / ALL - side.stays).max(0.0))
    }

    /// The share of all units that change their variant.
    pub fn moved(&self) -> f64 {
        (0..self.sides.len()).map(|at| self.leave(at)).sum()
    }

    /// The least that could change theirs under any scheme, even one that remembers: what the weights themselves lose.
    pub fn least(&self) -> f64 {
        self.sides.iter().map(|side| (side.old - side.new).max(0.0)).sum::<f64>() / ALL
    }
}

const ALL: f64 = 10_000.0;

/// Fills in `integral` and `stays`.
fn integrate(sides: &mut [Side]) {
    // By ρ = old/new; a variant that is in neither is of no account.
    let mut order: Vec<(f64, usize)> = sides
        .iter()
        .enumerate()
        .filter(|(_, side)| side.old > 0.0 || side.new > 0.0)
        .map(|(at, side)| (if side.new > 0.0 { side.old / side.new } else { f64::INFINITY }, at))
        .collect();
    order.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
    // D(s) = constant + slope · s, from `from` on; those of smaller ρ count by their new weight.
    let (mut constant, mut slope): (f64, f64) = (sides.iter().map(|side| side.old).sum(), 0.0);
    let (mut from, mut integral) = (0.0, 0.0);
    for group in order.chunk_by(|a, b| a.0 == b.0) {
        let Some((ratio, _)) = group.first().copied() else { continue };
        integral += if ratio.is_infinite() {
            1.0 / (slope * (constant + slope * from))
        } else {
            (ratio - from) / ((constant + slope * from) * (constant + slope * ratio))
        };
        let height = constant + slope * ratio;
        for (_, at) in group {
            let Some(side) = sides.get_mut(*at) else { continue };
            side.integral = integral;
            side.stays = if ratio.is_infinite() { 0.0 } else { side.old / height };
            constant -= side.old;
            slope += side.new;
        }
        from = ratio;
    }
}
