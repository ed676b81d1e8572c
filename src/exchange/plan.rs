//! The ordered targets of one exchange.
//!
//! The assigned variant's model; then its `model_selection.models`; then the request's `models`; these as they are preferred
//! ([`super::order`]); then, where the route says `across_variants`, its other variants by weight. Duplicates are dropped,
//! `ignore` is honoured. Out of scope: who serves a target (`gateway`). Whatever is tried first, the assignment stays what it is.

use std::rc::Rc;

use super::order::{Measure, Preference};
use super::policy::{Policy, Tuning};

/// What a variant brings along for the case that its model fails. Made once, when the router is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failover {
    /// The router's and the route's settings.
    pub policy: Policy,
    /// `model_selection.models`, each `provider/model`.
    pub models: Vec<Rc<str>>,
    /// `model_selection.ignore`: a provider, or `provider/model`.
    pub ignore: Vec<Rc<str>>,
    /// `model_selection.provider.order` and `sort`.
    pub preference: Preference,
    /// The models of the route's variants, by falling weight, then by variant id, where the policy has `across_variants`;
    /// else none. Variants of weight 0 are not among them: they were switched off on purpose. The variant's own model may
    /// be, so that one list serves the whole route; a plan drops what it has already.
    pub others: Rc<[Rc<str>]>,
    /// The models of all of the route's variants, by falling weight, then by variant id, whatever the policy: one of them may
    /// hold what an earlier call stored. One of weight 0 too, for that is where a finished ramp leaves it.
    pub holders: Rc<[Rc<str>]>,
}

/// What a request says of its own failover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `models`: models to try after its own, `provider/model` or one that a downstream lists.
    pub models: Vec<String>,
    /// `ignore`: a provider, or `provider/model`.
    pub ignore: Vec<String>,
    /// `provider.order` and `sort`.
    pub preference: Preference,
    /// `fallback`.
    pub tuning: Tuning,
}

/// The most targets of a plan; what comes after them is dropped.
pub const MOST_TARGETS: usize = 32;

/// The targets in the order in which they are tried; empty where all are ignored. A plan goes by names alone: a model that a
/// downstream lists is not the same target as `downstream/model`. Nothing is known here by which they could be sorted.
pub fn plan(model: &Rc<str>, failover: &Failover, asked: &Asked) -> Vec<Rc<str>> {
    planned(Some(model), failover, asked, &|_, _| None).targets
}

/// Targets, and what is odd about their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// In the order in which they are tried; empty where all are ignored.
    pub targets: Vec<Rc<str>>,
    /// For `x-turnout-note`.
    pub notes: Vec<String>,
}

/// As [`plan`], sorted by what is known of each. Without a model (`auto`) the request's `models` are all that there is.
pub fn planned(model: Option<&Rc<str>>, failover: &Failover, asked: &Asked, measure: Measure<'_>) -> Planned {
    let mut plan = Plan { failover, asked, targets: Vec::with_capacity(1) };
    for model in model.into_iter().chain(&failover.models) {
        plan.add(model, Rc::clone);
    }
    for model in &asked.models {
        plan.add(model, |model| Rc::from(model.as_str()));
    }
    let preference = asked.preference.over(&failover.preference);
    let notes = preference.arrange(&mut plan.targets, measure);
    for model in &*failover.others {
        plan.add(model, Rc::clone);
    }
    Planned { targets: plan.targets, notes }
}

/// The targets beyond a plan that may know what the call builds upon.
pub fn holders(targets: &[Rc<str>], failover: &Failover, asked: &Asked) -> Vec<Rc<str>> {
    let mut plan = Plan { failover, asked, targets: targets.to_vec() };
    for model in &*failover.holders {
        plan.add(model, Rc::clone);
    }
    plan.targets.split_off(targets.len())
}

/// Whether one of `entries`, each a provider or `provider/model`, takes in a target.
pub(crate) fn is_ignored<'a>(target: &str, mut entries: impl Iterator<Item = &'a str>) -> bool {
    let provider = target.split_once('/').map(|(provider, _)| provider);
    entries.any(|entry| entry == target || provider == Some(entry))
}

struct Plan<'a> {
    failover: &'a Failover,
    asked: &'a Asked,
    targets: Vec<Rc<str>>,
}

impl Plan<'_> {
    /// Adds a target where there is room for it, unless it is there already or is ignored.
    fn add<T: AsRef<str>>(&mut self, model: &T, shared: impl Fn(&T) -> Rc<str>) {
        let name = model.as_ref();
        let ignore = self.failover.ignore.iter().map(|entry| &**entry);
        if self.targets.len() < MOST_TARGETS
            && !self.targets.iter().any(|target| **target == *name)
            && !is_ignored(name, ignore.chain(self.asked.ignore.iter().map(String::as_str)))
        {
            self.targets.push(shared(model));
        }
    }
}
