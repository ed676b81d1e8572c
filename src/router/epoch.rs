//! Epochs: content hashes over what an experiment compares. Frozen by golden vectors.

use crate::assignment::Weight;
use crate::hash::Framed;
use crate::identity::first;
use crate::router::{Epoch, Variant};

/// The epoch of a route: its salt, and each variant of weight > 0 by id: id, weight in hundredths (decimal digits), arm.
pub(super) fn of_route(salt: &str, variants: &[Variant]) -> Epoch {
    let mut arms: Vec<&Variant> =
        variants.iter().filter(|variant| variant.weight > Weight::default()).collect();
    arms.sort_by(|a, b| a.id.cmp(&b.id));
    let hash = arms.into_iter().fold(Framed::new("turnout/epoch/1").add(salt), |hash, variant| {
        hash.add(variant.id.as_bytes()).add(variant.weight.hundredths().to_string()).add(arm(variant))
    });
    Epoch(first(&hash.finish()))
}

/// The epoch of a rule: its salt and its source.
pub(super) fn of_rule(salt: &str, source: &str) -> Epoch {
    Epoch(first(&Framed::new("turnout/epoch/1").add(salt).add(source).finish()))
}

/// The hash of an arm: its model, its parameters and its prompts. The latter two are empty until variants can have them,
/// so that an arm without any keeps its hash when they can.
pub(super) fn arm(variant: &Variant) -> [u8; 32] {
    Framed::new("turnout/arm/1").add(variant.model.as_bytes()).add("").add("").finish()
}
