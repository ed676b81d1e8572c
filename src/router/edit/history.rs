//! What changed between two documents, in a sentence for people.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::assignment::Weight;
use crate::condition::Expression;
use crate::document::{Tree, snake_case};
use crate::moment::rfc3339;
use crate::router::ramp::Ramp;
use crate::router::share::written;
use crate::router::{Choice, Route, Router, parse};

/// What is said; what comes after is counted.
const MOST: usize = 8;

/// What changed from one document to another, as `default: sage 50 → 100, swift 50 → 0; condition of premium`. `None` is no
/// document: `made`, `deleted`. Where one of them does not validate, only that is said.
pub fn summary(name: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    let (before, after) = match (before, after) {
        (None, None) => return "nothing".to_owned(),
        (None, Some(_)) => return "made".to_owned(),
        (Some(_), None) => return "deleted".to_owned(),
        (Some(before), Some(after)) => (before, after),
    };
    let (before, after) = match (Version::read(name, before), Version::read(name, after)) {
        (Some(before), Some(after)) => (before, after),
        (None, Some(_)) => return "valid again".to_owned(),
        (_, None) => return "no longer valid".to_owned(),
    };
    let mut changes = changes(&before, &after);
    let more = changes.len().saturating_sub(MOST);
    changes.truncate(MOST);
    if more > 0 {
        changes.push(format!("and {more} more"));
    }
    if changes.is_empty() { "nothing that counts".to_owned() } else { changes.join("; ") }
}

/// A document, parsed and as it is written.
struct Version {
    router: Router,
    tree: Tree,
}

/// A route, parsed and as it is written.
struct Side<'v> {
    condition: Option<&'v Expression>,
    route: &'v Route,
    tree: &'v Tree,
}

impl Version {
    fn read(name: &str, bytes: &[u8]) -> Option<Version> {
        Some(Version { router: parse(name, bytes).ok()?, tree: Tree::read(bytes)? })
    }

    fn routes(&self) -> Vec<Side<'_>> {
        let conditional = self.tree.get("routes").into_iter().flat_map(Tree::items);
        let trees = conditional.filter_map(|item| item.get("route")).chain(self.tree.get("default_route"));
        let routes = self.router.routes().zip(trees);
        routes.map(|((condition, route), tree)| Side { condition, route, tree }).collect()
    }
}

fn changes(before: &Version, after: &Version) -> Vec<String> {
    let mut changes = Vec::new();
    let (old, new) = (before.routes(), after.routes());
    let of = |sides: &[Side<'_>], id: &str| sides.iter().position(|side| &*side.route.id == id);
    for side in &new {
        match of(&old, &side.route.id).and_then(|at| old.get(at)) {
            None => changes.push(format!("route {} added", side.route.id)),
            Some(was) => of_route(was, side, &mut changes),
        }
    }
    changes.extend(
        old.iter()
            .filter(|side| of(&new, &side.route.id).is_none())
            .map(|side| format!("route {} removed", side.route.id)),
    );
    let order = |sides: &[Side<'_>], others: &[Side<'_>]| -> Vec<String> {
        let both = sides.iter().filter(|side| of(others, &side.route.id).is_some());
        both.map(|side| side.route.id.to_string()).collect()
    };
    if order(&old, &new) != order(&new, &old) {
        changes.push("routes in another order".to_owned());
    }
    if let (Choice::Rule(was), Choice::Rule(is)) = (&before.router.choice, &after.router.choice) {
        changes.extend((was.expression.source() != is.expression.source()).then(|| "rule".to_owned()));
    }
    let passed_over: &[&str] = match (&before.router.choice, &after.router.choice) {
        (Choice::Rule(_), Choice::Rule(_)) => &["routes", "default_route", "name", "rule"],
        _ => &["routes", "default_route", "name"],
    };
    changes.extend(fields(&before.tree, &after.tree, passed_over));
    changes
}

fn of_route(was: &Side<'_>, is: &Side<'_>, changes: &mut Vec<String>) {
    let id = &is.route.id;
    if was.condition.map(Expression::source) != is.condition.map(Expression::source) {
        changes.push(format!("condition of {id}"));
    }
    let weights = weights(was.route, is.route);
    if !weights.is_empty() {
        changes.push(format!("{id}: {}", weights.join(", ")));
    }
    changes.extend(
        ramp(was.route.ramp.as_deref(), is.route.ramp.as_deref()).map(|what| format!("{what} on {id}")),
    );
    if was.route.salt != is.route.salt {
        changes.push(format!("salt of {id}, so that its users are dealt anew"));
    }
    let slots = |side: &Side<'_>| -> Vec<Tree> {
        side.tree
            .get("variants")
            .into_iter()
            .flat_map(Tree::items)
            .filter_map(|slot| slot.get("variant").cloned())
            .collect()
    };
    let (old, new) = (slots(was), slots(is));
    for (variant, tree) in is.route.variants.iter().zip(&new) {
        let mut before = was.route.variants.iter().zip(&old);
        let Some((then, before)) = before.find(|(before, _)| before.id == variant.id) else { continue };
        if then.model != variant.model {
            changes.push(format!("model of {id}/{} {} → {}", variant.id, then.model, variant.model));
        }
        let others = fields(before, tree, &["variant_id", "model_id"]);
        changes.extend(others.into_iter().map(|field| format!("{field} of {id}/{}", variant.id)));
    }
    let others = fields(was.tree, is.tree, &["variants", "ramp", "salt", "route_id"]);
    changes.extend(others.into_iter().map(|field| format!("{field} of {id}")));
}

/// `sage 50 → 100` of every variant whose own weight changed, or that came or went.
fn weights(was: &Route, is: &Route) -> Vec<String> {
    let weight = |route: &Route, id: &str| -> Option<Weight> {
        route.variants.iter().find(|variant| &*variant.id == id).map(|variant| variant.weight)
    };
    let stayed = is.variants.iter().filter_map(|variant| {
        let now = written(variant.weight);
        match weight(was, &variant.id) {
            None => Some(format!("{} added with {now}", variant.id)),
            Some(then) if then != variant.weight => Some(format!("{} {} → {now}", variant.id, written(then))),
            Some(_) => None,
        }
    });
    let gone = was.variants.iter().filter(|variant| weight(is, &variant.id).is_none());
    let gone = gone.map(|variant| format!("{} removed, which had {}", variant.id, written(variant.weight)));
    stayed.chain(gone).collect()
}

fn ramp(was: Option<&Ramp>, is: Option<&Ramp>) -> Option<String> {
    let path = |ramp: &Ramp| {
        let weights: Vec<String> = ramp.steps.iter().map(|step| written(step.weight)).collect();
        let first = ramp.steps.first().map(|step| format!(" from {}", rfc3339(step.at)));
        format!("{}{}", weights.join(" → "), first.unwrap_or_default())
    };
    let same = |a: &Ramp, b: &Ramp| a.variant == b.variant && steps(a) == steps(b);
    Some(match (was, is) {
        (None, None) => return None,
        (None, Some(is)) => format!("ramp of {} ({})", is.variant, path(is)),
        (Some(was), None) => format!("ramp of {} ended", was.variant),
        (Some(was), Some(is)) => match (was.paused_at, is.paused_at) {
            (None, Some(_)) => format!("ramp of {} paused", is.variant),
            (Some(_), None) => format!("ramp of {} resumed", is.variant),
            _ if same(was, is) && was.paused_at == is.paused_at => return None,
            _ => format!("ramp of {} ({})", is.variant, path(is)),
        },
    })
}

fn steps(ramp: &Ramp) -> Vec<(u64, Weight)> {
    ramp.steps.iter().map(|step| (step.at, step.weight)).collect()
}

/// The names of fields that are not the same in both.
fn fields(was: &Tree, is: &Tree, passed_over: &[&str]) -> Vec<String> {
    let names: BTreeSet<String> =
        was.members().iter().chain(is.members()).map(|member| snake_case(&member.name)).collect();
    let value = |tree: &Tree, name: &str| -> Option<Value> {
        let value: Value = serde_json::from_str(&tree.get(name)?.written()).ok()?;
        Some(value).filter(|value| !value.is_null())
    };
    names
        .into_iter()
        .filter(|name| !passed_over.contains(&name.as_str()) && value(was, name) != value(is, name))
        .map(|name| crate::nearest::shortened(&name).to_owned())
        .collect()
}
