//! The ordered targets of one exchange.
//!
//! The assigned variant's model; then its `model_selection.models`; then the request's `models`; then, where the route
//! says `across_variants`, its other variants by weight. Duplicates are dropped, `ignore` is honoured. Out of scope: who
//! serves a target (`gateway`), and `sort`, `auto` and `provider.order`, which are not served yet.

use std::rc::Rc;

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
    /// The models of the route's other variants of weight above 0, by falling weight, then by variant id.
    pub others: Vec<Rc<str>>,
}

/// What a request says of its own failover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `models`: models to try after its own, `provider/model` or one that a downstream lists.
    pub models: Vec<String>,
    /// `ignore`: a provider, or `provider/model`.
    pub ignore: Vec<String>,
    /// `fallback`.
    pub tuning: Tuning,
}

/// The most targets of a plan; what comes after them is dropped.
pub const MOST_TARGETS: usize = 32;

/// The targets in the order in which they are tried; empty where all are ignored.
pub fn plan(model: &Rc<str>, failover: &Failover, asked: &Asked) -> Vec<Rc<str>> {
    let _ = (model, failover, asked);
    todo!()
}
