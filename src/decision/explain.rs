//! `:explain`: which variant a call would get, and why.
//!
//! In scope: a call made of what is asked, decided by the very functions that calls are decided by, and all that they went by. Out of
//! scope: calling anybody. What is answered holds what the caller sent of the unit; nothing of it is stored.

mod report;

use std::rc::Rc;

use serde_json::{Map, Value};

pub use report::{
    AssignedShown, AttemptShown, ConditionShown, ExplainRequest, Explanation, ExpressionShown, RouteShown,
    UnitShown, VariantShown, VerdictShown,
};

use super::{CallFacts, Circumstances, Decision, Origin, decide};
use crate::assignment::{Weight, score, uniform};
use crate::call::Call;
use crate::condition::{Expression, Verdict};
use crate::dialect::Dialect;
use crate::endpoint::Ask;
use crate::error::Error;
use crate::exchange::order::Measure;
use crate::exchange::plan::planned;
use crate::identity::{Unit, UnitKind};
use crate::moment::{self, rfc3339};
use crate::reach::{Surroundings, reach};
use crate::router::edit::{At, shown_ramp};
use crate::router::{Choice, Route, Router};

/// How many conditions are evaluated that come after the one that decides.
const MOST_BEYOND: usize = 100;

/// Explains what a router decides of a call at `now` (milliseconds since 1970), or at the moment that is asked for. `measure` is what
/// this isolate knows of targets, by which a plan may be sorted.
///
/// # Errors
/// `InvalidRequest` where the call that is asked for would itself be refused, or its moment or dialect cannot be read.
pub fn explained(
    router: &Router,
    request: &ExplainRequest,
    surroundings: &Surroundings<'_>,
    measure: Measure<'_>,
    now: u64,
) -> Result<Explanation, Error> {
    let now = request.now.as_ref().map_or(Ok(now), moment_of)?;
    let dialect = dialect_of(request)?;
    let call = Call::parse(&Ask::of(dialect), body(router, request))?;
    let headers = headers(request);
    let origin = origin(request);
    let usual = path_of(dialect);
    let path = request.path.as_deref().unwrap_or(&usual);
    // The draw of a call without a unit is the call's own; nothing that hangs on it is shown.
    let circumstances =
        Circumstances { call: &call, path, headers: &headers, origin: &origin, now, random: 0 };
    let decision = decide(router, &circumstances);
    let facts = CallFacts::new(&circumstances, decision.unit.user_id());
    let route = chosen(router, &decision);
    let is_drawn = route.is_some() && decision.unit.kind == UnitKind::Call;
    let mut notes = decision.notes.clone();
    if is_drawn {
        notes.push(
            "The call names neither user nor session, so that each such call is drawn by weight.".to_owned(),
        );
    }
    if decision.assigned.is_none() {
        notes.push(
            "No route holds and there is no default route: the call would be refused with 404.".to_owned(),
        );
    }
    let assigned = decision.assigned.as_ref().filter(|_| !is_drawn);
    let (conditions, omitted) = conditions(router, &facts, &decision);
    if omitted > 0 {
        notes.push(format!("{omitted} more conditions come after these and do not decide."));
    }
    let attempts: Option<Vec<AttemptShown>> = assigned.map(|assigned| {
        let plan = planned(Some(&assigned.model), &assigned.failover, call.asked(), measure);
        notes.extend(plan.notes);
        if let Err(error) = assigned.treatment.of_call(call.prompt_variables()) {
            notes.push(format!("The call would be refused: {}", error.message));
        }
        plan.targets.iter().map(|model| attempt(surroundings, model, dialect)).collect()
    });
    Ok(Explanation {
        router: router.name.clone(),
        revision: None,
        now: rfc3339(now),
        unit: UnitShown {
            kind: decision.unit.kind.as_str(),
            id: Some(decision.unit.id.clone()).filter(|id| !id.is_empty()),
        },
        sticky_by: router.sticky_by.as_ref().map(|expression| sticky_by(expression, &circumstances)),
        rule: match &router.choice {
            Choice::Rule(rule) => Some(ExpressionShown::of(&rule.expression, &facts)),
            Choice::Routes(_) => None,
        },
        conditions,
        route: route
            .map(|route| shown(route, &decision.unit, assigned.map(|assigned| &*assigned.variant), now)),
        assigned: assigned.map(|assigned| AssignedShown {
            route_id: assigned.route.to_string(),
            variant_id: assigned.variant.to_string(),
            model: assigned.model.to_string(),
            epoch: assigned.epoch.hex(),
        }),
        attempts: attempts.unwrap_or_default(),
        notes,
    })
}

/// The route that a decision took, where it took one.
fn chosen<'r>(router: &'r Router, decision: &Decision) -> Option<&'r Route> {
    let id: &Rc<str> = &decision.assigned.as_ref()?.route;
    router.routes().map(|(_, route)| route).find(|route| route.id == *id)
}

/// Every condition in order, up to a bound beyond the one that decides, and how many come after that.
fn conditions(router: &Router, facts: &CallFacts<'_>, decision: &Decision) -> (Vec<ConditionShown>, usize) {
    let decides = decision.assigned.as_ref().map(|assigned| &*assigned.route);
    let conditional = || router.routes().filter_map(|(condition, route)| Some((condition?, route)));
    let deciding = conditional().position(|(_, route)| decides == Some(&*route.id));
    let shown = deciding.map_or(usize::MAX, |at| at.saturating_add(1).saturating_add(MOST_BEYOND));
    let conditions = conditional().take(shown).enumerate().map(|(at, (condition, route))| {
        let (verdict, note) = match condition.holds(facts) {
            Verdict::Holds => (VerdictShown::Holds, None),
            Verdict::DoesNotHold => {
                let missing = condition.missing(facts);
                (VerdictShown::DoesNotHold, missing.map(|name| format!("`{name}` is missing")))
            }
            Verdict::Errs(note) => (VerdictShown::Errs, Some(note)),
        };
        let (route_id, expression) = (route.id.to_string(), condition.source().to_owned());
        ConditionShown { route_id, expression, verdict, note, decides: deciding == Some(at) }
    });
    (conditions.collect(), conditional().count().saturating_sub(shown))
}

fn shown(route: &Route, unit: &Unit, winner: Option<&str>, now: u64) -> RouteShown {
    let phase = route.at(now);
    let has_scores = unit.kind != UnitKind::Call;
    let variants = phase.variants.iter().map(|variant| {
        let uniform = has_scores.then(|| uniform(&route.salt, &unit.id, &variant.id));
        VariantShown {
            variant_id: variant.id.to_string(),
            model: variant.model.to_string(),
            weight: variant.weight.percent(),
            uniform,
            score: uniform
                .filter(|_| variant.weight > Weight::default())
                .map(|uniform| score(uniform, variant.weight)),
            assigned: winner == Some(&*variant.id),
        }
    });
    RouteShown {
        route_id: route.id.to_string(),
        salt: route.salt.clone(),
        epoch: phase.epoch.hex(),
        ramp: shown_ramp(route, now),
        variants: variants.collect(),
    }
}

/// `sticky_by` sees the unit that the call itself names.
fn sticky_by(expression: &Expression, circumstances: &Circumstances<'_>) -> ExpressionShown {
    let named = Unit::of(circumstances.call, |name| circumstances.header(name));
    ExpressionShown::of(expression, &CallFacts::new(circumstances, named.user_id()))
}

impl ExpressionShown {
    fn of(expression: &Expression, facts: &CallFacts<'_>) -> ExpressionShown {
        let (value, note) = match expression.string(facts) {
            Ok(Some(value)) => (Some(value), None),
            Ok(None) => {
                let missing = expression.missing(facts);
                (
                    None,
                    Some(
                        missing
                            .map_or_else(|| "it gave none".to_owned(), |name| format!("`{name}` is missing")),
                    ),
                )
            }
            Err(note) => (None, Some(note)),
        };
        ExpressionShown { expression: expression.source().to_owned(), value, note }
    }
}

fn attempt(surroundings: &Surroundings<'_>, model: &str, caller: Dialect) -> AttemptShown {
    let reach = reach(surroundings, model, caller);
    AttemptShown {
        model: model.to_owned(),
        provider: reach.provider,
        dialect: reach.dialect.map(Dialect::as_str),
        has_credential: reach.has_credential,
        problem: reach.problem,
    }
}

/// The body of the call that is asked for.
fn body(router: &Router, request: &ExplainRequest) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("model".to_owned(), format!("turnout/{}", router.name).into());
    let named = [("user", &request.user), ("metadata", &request.metadata), ("messages", &request.messages)];
    for (name, value) in named {
        body.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
    }
    // A `model` of the caller's own is one that a condition may look at.
    body.extend(request.call.clone());
    Value::Object(body).to_string().into_bytes()
}

fn headers(request: &ExplainRequest) -> Vec<(String, String)> {
    let session = request.session.iter().map(|session| ("x-session-id".to_owned(), session.clone()));
    let given = request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    session.chain(given).collect()
}

fn origin(request: &ExplainRequest) -> Origin {
    let text = |name: &str| request.cf.get(name).and_then(Value::as_str).map(str::to_owned);
    Origin {
        country: text("country"),
        continent: text("continent"),
        city: text("city"),
        colo: text("colo"),
        asn: request.cf.get("asn").and_then(Value::as_u64),
        timezone: text("timezone"),
    }
}

fn dialect_of(request: &ExplainRequest) -> Result<Dialect, Error> {
    let Some(name) = &request.dialect else { return Ok(Dialect::OpenAi) };
    Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name).ok_or_else(|| {
        let known: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect();
        Error::invalid("dialect", format!("`dialect` is one of {}.", known.join(", ")))
    })
}

/// Where calls of a dialect are sent to.
fn path_of(dialect: Dialect) -> String {
    let wire = dialect.wire();
    format!("{}{}", wire.paths.version, wire.address.end)
}

fn moment_of(at: &At) -> Result<u64, Error> {
    match at {
        At::Text(text) => moment::parse(text),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10^14")]
        At::Seconds(seconds) => (0.0..1e11).contains(seconds).then(|| (seconds * 1000.0).round() as u64),
    }
    .ok_or_else(|| {
        Error::invalid("now", "`now` is a time such as \"2026-12-01T09:00:00Z\", or Unix seconds.")
    })
}
