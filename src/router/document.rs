//! A router as it is stored: read strictly, with every fault at once, each with its path and what would be right.
//!
//! In scope: every spelling that people write (snake and camel case, with and without ids), and the [`Router`] that comes
//! of it. Out of scope: keeping the last good one when this fails (`shelf`). What this version cannot do and would
//! be wrong to ignore (ramps) is a fault, not a silence.

use std::rc::Rc;

use crate::assignment::Weight;
use crate::condition::Expression;
use crate::document::{self, Fields, Found, Json, Reader};
use crate::exchange;
use crate::exchange::plan::Failover;
use crate::exchange::policy::{Policy, Tuning};
use crate::fault::Fault;
use crate::identity::reference;
use crate::router::ids::Taken;
use crate::router::variant::Arm;
use crate::router::{
    Choice, RULE_ROUTE, Route, Router, Rule, UsageMode, Variant, epoch, ids, is_name, selection, variant,
};
use crate::treatment::Treatment;

const ROUTER_FIELDS: &[&str] = &[
    "name",
    "display_name",
    "description",
    "routes",
    "default_route",
    "rule",
    "weights",
    "sticky_by",
    "usage",
    "defaults",
    "metrics",
    "goal",
    "guardrails",
    "baseline",
    "min_users",
    "record_metadata",
];
const ROUTE_FIELDS: &[&str] =
    &["route_id", "display_name", "description", "variants", "salt", "failover", "ramp"];

/// Reads the router that is stored under `name`.
///
/// # Errors
/// Every fault of the document, in its order; never an empty list.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Router, Vec<Fault>> {
    let found = document::read(bytes, "a router document").map_err(|fault| vec![fault])?;
    let mut reader = Reader::default();
    let router = router(&mut reader, name, found);
    let (router, warnings) = reader.finish(router)?;
    let reads_headers =
        router.expressions().any(|expression| expression.names().any(|name| name == "headers"));
    Ok(Router { reads_headers, warnings, ..router })
}

fn router(reader: &mut Reader, name: &str, found: Found) -> Option<Router> {
    if !is_name(name) {
        reader.fault(
            "",
            format!("'{name}' cannot be a router's name; use lower-case letters, digits and '-', at most 63"),
        );
    }
    let mut fields = reader.object(found, ROUTER_FIELDS)?;
    if let Some(found) = fields.take("name") {
        check_name(reader, name, found);
    }
    let (tuning, treatment) =
        fields.take("defaults").map(|found| defaults(reader, found)).unwrap_or_default();
    let policy = Policy::default().tuned(&tuning);
    let sticky_by = fields.take("sticky_by").and_then(|found| expression(reader, found));
    let usage = fields.take("usage").map_or(Some(UsageMode::Always), |found| usage_mode(reader, found));
    let weights = fields.take("weights");
    let default = fields.take("default_route").and_then(|found| {
        let id: Option<Rc<str>> = Some("default".into());
        draft(reader, found, id, &treatment)
    });
    let routes = fields.take("routes");
    let (choice, default) = match (fields.take("rule"), routes) {
        (Some(found), None) => {
            let rule = rule(reader, name, (&policy, treatment), found, weights)?;
            let (_, default) = named(reader, name, &policy, Vec::new(), default);
            (Choice::Rule(rule), default)
        }
        (Some(rule), Some(_)) => {
            reader.fault(&rule.path, "a router has either `rule` or `routes`; remove one of them");
            return None;
        }
        (None, routes) => {
            if let Some(weights) = weights {
                reader.fault(
                    &weights.path,
                    "`weights` belongs to a router with `rule`; routes have theirs at each variant",
                );
            }
            let drafts = routes.map(|found| conditional(reader, found, &treatment)).unwrap_or_default();
            if drafts.is_empty() && default.is_none() && reader.is_faultless() {
                let message =
                    "the router has no way to choose; give it `routes`, a `default_route` or a `rule`";
                reader.fault("", message);
            }
            let (routes, default) = named(reader, name, &policy, drafts, default);
            (Choice::Routes(routes), default)
        }
    };
    Some(Router {
        name: name.to_owned(),
        sticky_by,
        choice,
        default,
        usage: usage?,
        reads_headers: false,
        warnings: Vec::new(),
    })
}

fn check_name(reader: &mut Reader, name: &str, found: Found) {
    if let Some(written) = reader.text(&found)
        && written.strip_prefix("routers/").unwrap_or(written) != name
    {
        reader.fault(
            &found.path,
            format!("the document calls itself '{written}' but is stored as 'router:{name}'; make them the same, or leave `name` out"),
        );
    }
}

/// What `defaults` says: failover, parameters and prompts.
fn defaults(reader: &mut Reader, found: Found) -> (Tuning, Rc<Treatment>) {
    let known = &["text_generation_config", "message_templates", "failover"];
    let Some(mut fields) = reader.object(found, known) else { return Default::default() };
    let treatment = variant::treatment(reader, &mut fields, &Rc::default());
    (failover(reader, &mut fields), treatment)
}

/// The `failover` of `defaults` or of a route.
fn failover(reader: &mut Reader, fields: &mut Fields) -> Tuning {
    fields.take("failover").and_then(|found| exchange::tuning(reader, found)).unwrap_or_default()
}

fn usage_mode(reader: &mut Reader, found: Found) -> Option<UsageMode> {
    match reader.text(&found)? {
        "always" => Some(UsageMode::Always),
        "as_asked" => Some(UsageMode::AsAsked),
        other => {
            reader
                .fault(&found.path, format!("'{other}' is no usage mode; write \"always\" or \"as_asked\""));
            None
        }
    }
}

fn expression(reader: &mut Reader, found: Found) -> Option<Expression> {
    let source = reader.text(&found)?;
    Expression::compile(source).map_err(|message| reader.fault(&found.path, message)).ok()
}

/// The expression in `{"cel_expression": …}`, which conditions and rules are.
fn cel(reader: &mut Reader, found: Found) -> Option<Expression> {
    let mut fields = reader.object(found, &["cel_expression"])?;
    let write = "a CEL condition such as \"tier == \\\"premium\\\"\"";
    fields.required(reader, "cel_expression", write).and_then(|found| expression(reader, found))
}

fn rule(
    reader: &mut Reader,
    name: &str,
    (policy, treatment): (&Policy, Rc<Treatment>),
    found: Found,
    weights: Option<Found>,
) -> Option<Rule> {
    let expression = cel(reader, found);
    let expected = match weights {
        None => Some(None),
        Some(found) => expected_weights(reader, found).map(Some),
    };
    let (expression, expected) = (expression?, expected?);
    let epoch = epoch::of_rule(&format!("{name}/{RULE_ROUTE}"), expression.source(), &treatment);
    let failover = Rc::new(Failover { policy: policy.clone(), ..Failover::default() });
    Some(Rule { expression, epoch, expected, treatment, failover })
}

fn expected_weights(reader: &mut Reader, found: Found) -> Option<Vec<(String, Weight)>> {
    let Json::Object(members) = found.value else {
        reader.wrong_type(&found, "an object of model: percent");
        return None;
    };
    let path = found.path;
    let weights: Vec<(String, Weight)> = members
        .into_iter()
        .filter_map(|(model, value)| {
            let path = format!("{path}.{model}");
            variant::check_model(reader, &path, &model);
            Some((model, variant::weight(reader, Found { path, value })?))
        })
        .collect();
    variant::check_sum(reader, &path, weights.iter().map(|(_, weight)| *weight));
    Some(weights)
}

/// A route before ids that depend on the others are known.
struct Draft {
    path: String,
    given: Option<Rc<str>>,
    derived: Rc<str>,
    salt: Option<String>,
    tuning: Tuning,
    arms: Vec<Arm>,
}

fn conditional(reader: &mut Reader, found: Found, defaults: &Rc<Treatment>) -> Vec<(Expression, Draft)> {
    let Some(items) = reader.items(found) else { return Vec::new() };
    let mut routes = Vec::new();
    for item in items {
        let Some(mut fields) = reader.object(item, &["route", "condition"]) else { continue };
        let write = "{\"cel_expression\": \"…\"}, or make this the `default_route`";
        let condition = fields.required(reader, "condition", write).and_then(|found| cel(reader, found));
        let derived = condition.as_ref().map(|condition| ids::of_condition(condition.source()));
        let route = fields
            .required(reader, "route", "{\"variants\": […]}")
            .and_then(|found| draft(reader, found, derived, defaults));
        routes.extend(condition.zip(route));
    }
    routes
}

fn draft(
    reader: &mut Reader,
    found: Found,
    derived: Option<Rc<str>>,
    defaults: &Rc<Treatment>,
) -> Option<Draft> {
    let path = found.path.clone();
    let mut fields = reader.object(found, ROUTE_FIELDS)?;
    let given = fields.take("route_id").and_then(|found| ids::given(reader, found));
    let salt = fields.take("salt").and_then(|found| reader.text(&found).map(str::to_owned));
    if let Some(found) = fields.take("ramp") {
        reader.fault(&found.path, "ramps are not served by this version; set the weights that you want now");
    }
    let tuning = failover(reader, &mut fields);
    let write = "[{\"variant\": {\"model_id\": \"provider/model\"}, \"weight\": 100}]";
    let arms = fields
        .required(reader, "variants", write)
        .map(|found| variant::read_all(reader, found, defaults))
        .unwrap_or_default();
    Some(Draft { path, given, derived: derived?, salt, tuning, arms })
}

/// Gives every route its id, and with it its salt, epoch and references. The default route's derived id goes first.
fn named(
    reader: &mut Reader,
    router: &str,
    policy: &Policy,
    routes: Vec<(Expression, Draft)>,
    default: Option<Draft>,
) -> (Vec<(Expression, Route)>, Option<Route>) {
    let drafts = default.iter().chain(routes.iter().map(|(_, draft)| draft));
    let mut taken = Taken::given(reader, drafts.map(|draft| (draft.path.as_str(), draft.given.clone())));
    let default = default.map(|draft| finished(router, policy, draft, &mut taken));
    let routes = routes
        .into_iter()
        .map(|(condition, draft)| (condition, finished(router, policy, draft, &mut taken)))
        .collect();
    (routes, default)
}

fn finished(router: &str, policy: &Policy, draft: Draft, taken: &mut Taken) -> Route {
    let id = draft.given.unwrap_or_else(|| taken.fresh(&draft.derived));
    let salt = draft.salt.unwrap_or_else(|| format!("{router}/{id}"));
    let failover = selection::of_route(policy.tuned(&draft.tuning), &draft.arms);
    let variant = |arm: Arm| Variant {
        reference: reference(router, &id, &arm.id),
        id: arm.id,
        model: arm.model,
        weight: arm.weight,
        treatment: arm.treatment,
        failover: arm.selection.within(&failover),
    };
    let variants: Vec<Variant> = draft.arms.into_iter().map(variant).collect();
    let epoch = epoch::of_route(&salt, &variants);
    Route { id, salt, variants, epoch }
}
