//! Epochs: content hashes over what an experiment compares. Frozen by golden vectors.

use crate::assignment::Weight;
use crate::hash::Framed;
use crate::identity::first;
use crate::router::{Epoch, Variant};
use crate::treatment::Treatment;

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

/// The epoch of a rule: its salt and its source, and the router's parameters and prompts where it has any.
pub(super) fn of_rule(salt: &str, source: &str, treatment: &Treatment) -> Epoch {
    let hash = Framed::new("turnout/epoch/1").add(salt).add(source);
    let hash = if treatment.is_plain() {
        hash
    } else {
        let (parameters, prompts) = treatment.canonical();
        hash.add(parameters).add(prompts)
    };
    Epoch(first(&hash.finish()))
}

/// The hash of an arm: its model, its parameters and its prompts, the latter two empty where it has none.
pub(super) fn arm(variant: &Variant) -> [u8; 32] {
    let (parameters, prompts) = variant.treatment.canonical();
    Framed::new("turnout/arm/1").add(variant.model.as_bytes()).add(parameters).add(prompts).finish()
}
