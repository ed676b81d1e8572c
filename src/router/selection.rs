//! What stands in for a variant's model: its `model_selection`, and what its route adds.
//!
//! In scope: reading, and the [`Failover`] that comes of it. Out of scope: the order of targets (`exchange::plan`).

use std::cmp::Reverse;
use std::rc::Rc;

use crate::assignment::Weight;
use crate::document::{Found, Kind, Object, Reader, field, object};
use crate::exchange::order::{self, Preference};
use crate::exchange::plan::{Failover, MOST_TARGETS, is_ignored};
use crate::exchange::policy::Policy;
use crate::router::variant::{self, Arm};

/// A variant's own fallbacks.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Selection {
    models: Vec<Rc<str>>,
    ignore: Vec<Rc<str>>,
    preference: Preference,
}

impl Selection {
    /// Joins what the route says; variants without a selection share the route's.
    pub(super) fn within(self, route: &Rc<Failover>) -> Rc<Failover> {
        if self == Selection::default() {
            return route.clone();
        }
        let Selection { models, ignore, preference } = self;
        Rc::new(Failover { models, ignore, preference, ..Failover::clone(route) })
    }
}

/// What all variants of a route have in common.
pub(super) fn of_route(policy: Policy, arms: &[Arm]) -> Rc<Failover> {
    let others = if policy.across_variants {
        models_by_weight(arms, |weight| weight > Weight::default())
    } else {
        Rc::default()
    };
    Rc::new(Failover { policy, others, holders: models_by_weight(arms, |_| true), ..Failover::default() })
}

fn models_by_weight(arms: &[Arm], which: impl Fn(Weight) -> bool) -> Rc<[Rc<str>]> {
    let mut arms: Vec<&Arm> = arms.iter().filter(|arm| which(arm.weight)).collect();
    arms.sort_by(|a, b| (Reverse(a.weight), &a.id).cmp(&(Reverse(b.weight), &b.id)));
    arms.into_iter().map(|arm| arm.model.clone()).collect()
}

/// What stands in for a variant's model, and in which order they are called.
pub(super) static SELECTION: Object = object(
    "ModelSelection",
    "What stands in for a variant's model, and in which order they are called.",
    &[
        field(
            "models",
            Kind::Few(&Kind::Filled(256), 0, MOST_TARGETS),
            "`provider/model`s, in the order in which they are tried.",
        ),
        field(
            "ignore",
            Kind::Few(&Kind::Filled(256), 0, MOST_TARGETS),
            "Providers, or `provider/model`s, that are not to be called.",
        ),
        field("sort", order::SORT, "By what they are put in order, the variant's own model among them."),
        field("provider", Kind::Object(&order::PROVIDER), "Which providers go first."),
    ],
);

/// Reads a `model_selection`; `model` is the variant's own.
pub(super) fn read(reader: &mut Reader, found: Found, model: Option<&str>) -> Selection {
    let Some(mut fields) = reader.object(found, SELECTION.fields) else {
        return Selection::default();
    };
    let preference = Preference {
        providers: fields.take("provider").map(|found| order::providers(reader, found)).unwrap_or_default(),
        sort: fields.take("sort").map(|found| order::sort(reader, found)).unwrap_or_default(),
    };
    let models = fields.take("models").map(|found| texts(reader, found, variant::check_model));
    let ignore_path = fields.at("ignore");
    let ignore = fields.take("ignore").map(|found| texts(reader, found, check_ignored));
    let selection =
        Selection { models: models.unwrap_or_default(), ignore: ignore.unwrap_or_default(), preference };
    if model.is_some_and(|model| is_ignored(model, selection.ignore.iter().map(|entry| &**entry))) {
        reader.warn(ignore_path, "takes in the variant's own model, which is therefore never called");
    }
    selection
}

/// A list of at most [`MOST_TARGETS`] strings that pass a check.
fn texts(reader: &mut Reader, found: Found, check: impl Fn(&mut Reader, &str, &str) -> bool) -> Vec<Rc<str>> {
    let path = found.path.clone();
    let Some(items) = reader.items(found) else { return Vec::new() };
    if items.len() > MOST_TARGETS {
        reader.fault(path, format!("has {} entries; {MOST_TARGETS} are the most", items.len()));
        return Vec::new();
    }
    let read =
        |item: Found| Some(reader.text(&item)?.to_owned()).filter(|text| check(reader, &item.path, text));
    items.filter_map(read).map(Rc::from).collect()
}

fn check_ignored(reader: &mut Reader, path: &str, entry: &str) -> bool {
    let holds = !entry.is_empty() && entry.len() <= 256 && !entry.contains(char::is_whitespace);
    if !holds {
        reader.fault(path, "must be a provider, such as \"openai\", or \"provider/model\"");
    }
    holds
}
