//! `:plan`: what a change of a router would do, without making it.
//!
//! In scope: who moves on each route and by what certainty, which routes and arms are other ones afterwards, and which models could
//! not be called. Out of scope: the closed form (`moves`), making the change (`edit`), which validates here as it does there.

pub mod moves;
mod report;

use std::collections::{BTreeSet, HashMap};

use moves::Moves;
pub use report::{
    Against, ArmPlan, ConditionChange, EpochChange, ModelPlan, MovePlan, Plan, PlanRequest, RouteChange,
    RoutePlan, Warning,
};
use report::{listed_moves, percent, treatments};

use crate::assignment::Weight;
use crate::condition::Expression;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::reach::{Surroundings, reach};
use crate::router::edit::{created, shown_ramp, updated};
use crate::router::{Choice, Phase, Route, Router, parse};

/// How many models are listed, those with a problem first.
const MOST_MODELS: usize = 100;

/// What is planned against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Basis<'b> {
    /// The document as it stands; `None` where there is none.
    pub current: Option<&'b [u8]>,
    /// Its etag.
    pub etag: Option<&'b str>,
    /// Its revision.
    pub revision: Option<&'b str>,
}

/// What the request's document would do to the router `name` at `now`.
///
/// # Errors
/// Just those that the change itself would have: all faults of the document at once, a mask that names no field.
pub fn planned(
    name: &str,
    basis: &Basis<'_>,
    request: &PlanRequest,
    surroundings: &Surroundings<'_>,
    now: u64,
) -> Result<Plan, Error> {
    let body = request.document.get().as_bytes();
    let edited = match basis.current {
        Some(current) => updated(name, current, body, request.update_mask.as_deref())?,
        None => created(name, body)?,
    };
    let after = parse(name, &edited.bytes).map_err(Error::document)?;
    let before = basis.current.and_then(|current| parse(name, current).ok());
    let (routes, notes) = compared(before.as_ref(), &after, now);
    let against = basis.current.is_some().then(|| Against {
        etag: basis.etag.map(str::to_owned),
        revision: basis.revision.map(str::to_owned),
    });
    Ok(Plan {
        against,
        summary: edited.summary,
        routes,
        models: models(&after, surroundings),
        notes,
        warnings: edited.warnings.iter().map(Warning::from).collect(),
    })
}

/// Every route of two routers, and what is to be said of all.
pub fn compared(before: Option<&Router>, after: &Router, now: u64) -> (Vec<RoutePlan>, Vec<String>) {
    let Some(before) = before else {
        let routes = after.routes().map(|(_, route)| added(route, now)).collect();
        return (routes, Vec::new());
    };
    let mut notes = Vec::new();
    let is_other_unit = source(before.sticky_by.as_ref()) != source(after.sticky_by.as_ref());
    if is_other_unit {
        notes.push(
            "`sticky_by` changes, so that units are hashed by another id: all users are dealt anew."
                .to_owned(),
        );
    }
    let old: HashMap<&str, (Option<&Expression>, &Route)> =
        before.routes().map(|(condition, route)| (&*route.id, (condition, route))).collect();
    let new: BTreeSet<&str> = after.routes().map(|(_, route)| &*route.id).collect();
    let mut routes: Vec<RoutePlan> = after
        .routes()
        .map(|(condition, route)| match old.get(&*route.id) {
            None => added(route, now),
            Some((was, before)) => common((*was, before), (condition, route), is_other_unit, now),
        })
        .collect();
    routes.extend(
        before.routes().filter(|(_, route)| !new.contains(&*route.id)).map(|(_, route)| {
            RoutePlan::of(&route.id, RouteChange::Removed, arms(Some(route.at(now)), None))
        }),
    );
    notes.extend(of_choice(before, after));
    notes.extend(of_routes(before, after, &routes));
    (routes, notes)
}

fn added(route: &Route, now: u64) -> RoutePlan {
    RoutePlan::of(&route.id, RouteChange::Added, arms(None, Some(route.at(now))))
}

/// A route that is there before and after.
fn common(
    (was, before): (Option<&Expression>, &Route),
    (is, after): (Option<&Expression>, &Route),
    is_other_unit: bool,
    now: u64,
) -> RoutePlan {
    let (old, new) = (before.at(now), after.at(now));
    let is_dealt_anew = is_other_unit || before.salt != after.salt;
    let mut arms = arms(Some(old), Some(new));
    let hundredths =
        |percent: &Option<f64>| percent.and_then(Weight::from_percent).unwrap_or_default().hundredths();
    let weights = |side: fn(&ArmPlan) -> &Option<f64>| {
        arms.iter().map(|arm| hundredths(side(arm))).collect::<Vec<u16>>()
    };
    let moves =
        Moves::new(&weights(|arm| &arm.weight_before), &weights(|arm| &arm.weight_after), is_dealt_anew);
    for (at, arm) in arms.iter_mut().enumerate() {
        (arm.stay, arm.leave, arm.come) = (moves.share(at, at), moves.leave(at), moves.come(at));
    }
    let condition = (source(was) != source(is)).then(|| ConditionChange {
        before: source(was).map(str::to_owned),
        after: source(is).map(str::to_owned),
    });
    let mut warnings = treatments(old, new);
    if before.salt != after.salt {
        warnings.push(
            "The salt changes: all users of this route are dealt anew, whatever the weights.".to_owned(),
        );
    }
    warnings.extend(gone(&arms));
    warnings.extend(of_ramp(before, after, now));
    let is_changed = condition.is_some()
        || is_dealt_anew
        || old.epoch != new.epoch
        || arms.iter().any(|arm| arm.weight_before != arm.weight_after)
        || shown_ramp(before, now) != shown_ramp(after, now);
    let change = if is_changed { RouteChange::Changed } else { RouteChange::Unchanged };
    let (listed, other_moves) = listed_moves(&arms, &moves);
    RoutePlan {
        condition,
        dealt_anew: is_dealt_anew,
        epoch: Some(EpochChange { before: old.epoch.hex(), after: new.epoch.hex() }),
        moved: moves.moved(),
        least: moves.least(),
        moves: listed,
        other_moves,
        warnings,
        ..RoutePlan::of(&after.id, change, arms)
    }
}

/// The variants of both sides, those after the change first.
fn arms(old: Option<Phase<'_>>, new: Option<Phase<'_>>) -> Vec<ArmPlan> {
    let mut arms: Vec<ArmPlan> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for variant in new.iter().flat_map(|phase| phase.variants) {
        places.insert(&variant.id, arms.len());
        arms.push(ArmPlan { weight_after: Some(variant.weight.percent()), ..ArmPlan::of(&variant.id) });
    }
    for variant in old.iter().flat_map(|phase| phase.variants) {
        let weight_before = Some(variant.weight.percent());
        match places.get(&*variant.id).and_then(|at| arms.get_mut(*at)) {
            Some(arm) => arm.weight_before = weight_before,
            None => arms.push(ArmPlan { weight_before, ..ArmPlan::of(&variant.id) }),
        }
    }
    arms
}

/// Ids that come and go in one route: most likely the same arm under another id.
fn gone(arms: &[ArmPlan]) -> Option<String> {
    let names = |which: fn(&&ArmPlan) -> bool| -> Vec<&str> {
        arms.iter().filter(which).map(|arm| arm.variant_id.as_str()).take(8).collect()
    };
    let (gone, come) = (names(|arm| arm.weight_after.is_none()), names(|arm| arm.weight_before.is_none()));
    (!gone.is_empty() && !come.is_empty()).then(|| {
        format!(
            "'{}' goes and '{}' comes: another id is another variant, to which users are dealt anew; keep the `variant_id` where it \
             is the same arm.",
            gone.join("', '"),
            come.join("', '")
        )
    })
}

fn of_ramp(before: &Route, after: &Route, now: u64) -> Option<String> {
    match (shown_ramp(before, now), shown_ramp(after, now)) {
        (_, Some(ramp)) if ramp.next.is_some() => {
            let next = ramp.next.as_ref().map(|step| format!("{} from {} on", percent(step.weight), step.at));
            Some(format!(
                "The moves are those of now; the ramp of '{}' moves more: {}.",
                ramp.variant_id,
                next.unwrap_or_default()
            ))
        }
        (Some(ramp), None) => Some(format!(
            "The ramp of '{}', which stands at {}, is not in the new document: the variants' own weights hold.",
            ramp.variant_id,
            percent(ramp.current_weight)
        )),
        _ => None,
    }
}

/// What is to be said where a router chooses otherwise.
fn of_choice(before: &Router, after: &Router) -> Option<String> {
    match (&before.choice, &after.choice) {
        (Choice::Rule(was), Choice::Rule(is)) if was.expression.source() == is.expression.source() => None,
        (Choice::Rule(_), Choice::Rule(_)) => Some(
            "The rule changes: it has no weights, so whom it moves cannot be told from the document; its figures begin anew.".to_owned(),
        ),
        (Choice::Routes(_), Choice::Routes(_)) => None,
        _ => Some("The router changes between `rule` and routes: every user is dealt anew.".to_owned()),
    }
}

/// What is to be said where users may come from one route to another.
fn of_routes(before: &Router, after: &Router, routes: &[RoutePlan]) -> Vec<String> {
    let ids = |which: &dyn Fn(&&RoutePlan) -> bool| -> Vec<&str> {
        routes.iter().filter(|route| which(route)).map(|route| route.route_id.as_str()).take(8).collect()
    };
    let mut notes = Vec::new();
    let mut say = |ids: Vec<&str>, what: &str| {
        if !ids.is_empty() {
            notes.push(format!("{what}: '{}'. Users may come over from one route to another, where they are dealt by its own salt.", ids.join("', '")));
        }
    };
    let (appeared, went) = (
        ids(&|route| route.change == RouteChange::Added),
        ids(&|route| route.change == RouteChange::Removed),
    );
    let is_renamed = !appeared.is_empty() && !went.is_empty();
    say(ids(&|route| route.condition.is_some()), "The condition changes");
    say(appeared, "A route appears");
    say(went, "A route goes");
    let order = |router: &Router| -> Vec<String> {
        let both = router.routes().map(|(_, route)| route.id.to_string());
        let is_common =
            |id: &String| routes.iter().any(|route| route.route_id == *id && route.epoch.is_some());
        both.filter(is_common).collect()
    };
    if order(before) != order(after) {
        notes.push("The routes change places, and the first that holds decides: users for whom two of them hold come over.".to_owned());
    }
    if is_renamed {
        notes.push("Where one route goes and another appears because its condition changed, give it the old `route_id`: else its users are dealt anew.".to_owned());
    }
    notes
}

/// The models of a router, and whether they could be called.
fn models(router: &Router, surroundings: &Surroundings<'_>) -> Vec<ModelPlan> {
    let variants = router.routes().flat_map(|(_, route)| &route.variants);
    let mut models: BTreeSet<&str> = BTreeSet::new();
    for variant in variants {
        models.insert(&variant.model);
        models.extend(variant.failover.models.iter().map(|model| &**model));
    }
    if let Choice::Rule(rule) = &router.choice {
        models.extend(rule.expected.iter().flatten().map(|(model, _)| model.as_str()));
    }
    let mut plans: Vec<ModelPlan> = models
        .into_iter()
        .map(|model| {
            let reach = reach(surroundings, model, Dialect::OpenAi);
            let (provider, has_credential, problem) = (reach.provider, reach.has_credential, reach.problem);
            ModelPlan { model: model.to_owned(), provider, has_credential, problem }
        })
        .collect();
    plans.sort_by_key(|plan| plan.problem.is_none());
    plans.truncate(MOST_MODELS);
    plans
}

fn source(expression: Option<&Expression>) -> Option<&str> {
    expression.map(Expression::source)
}

impl RoutePlan {
    fn of(route_id: &str, change: RouteChange, variants: Vec<ArmPlan>) -> RoutePlan {
        RoutePlan {
            route_id: route_id.to_owned(),
            change,
            condition: None,
            dealt_anew: false,
            epoch: None,
            variants,
            moves: Vec::new(),
            other_moves: 0.0,
            moved: 0.0,
            least: 0.0,
            warnings: Vec::new(),
        }
    }
}
