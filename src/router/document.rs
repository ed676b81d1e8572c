//! A router as it is stored: read strictly, with every fault at once, each with its path and what would be right.
//!
//! In scope: every spelling that people write (snake and camel case, with and without ids), and the [`Router`] that comes
//! of it. Out of scope: keeping the last good one when this fails (`shelf`). What this version cannot do and would
//! be wrong to ignore (guardrails of a ramp) is a fault, not a silence.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::assignment::Weight;
use crate::condition::Expression;
use crate::document::{self, Fields, Found, Json, Kind, Object, Reader, field, misplaced, object, required};
use crate::exchange;
use crate::exchange::plan::Failover;
use crate::exchange::policy::{Policy, Tuning};
use crate::fault::Fault;
use crate::identity::reference;
use crate::router::ids::Taken;
use crate::router::ramp::{Ramp, Schedule, Step};
use crate::router::variant::Arm;
use crate::router::{
    Choice, RULE_ROUTE, Route, Router, Rule, UsageMode, Variant, epoch, ids, is_name, parameters, ramp,
    selection, templates, variant,
};
use crate::treatment::{MOST_PROMPTS, Treatment};

/// A router as it is stored.
pub(crate) static ROUTER: Object = object(
    "Router",
    "Who gets which model. Fields may be written in snake or camel case.",
    &[
        field(
            "name",
            Kind::Text,
            "The router's name, with or without `routers/`: that of its path, or of its key in KV.",
        ),
        field("display_name", Kind::Text, "For people; gives a new router its name where it has no other."),
        field("description", Kind::Text, "For people."),
        field(
            "routes",
            Kind::List(&Kind::Object(&CONDITIONAL)),
            "In order: the first whose condition holds is taken.",
        ),
        field("default_route", Kind::Object(&ROUTE), "Where no other holds."),
        field(
            "rule",
            Kind::Object(&CONDITION),
            "In place of `routes`: an expression whose value is the model.",
        ),
        field("weights", Kind::Map(&WEIGHT), "With `rule`: the percentage of each model that you expect."),
        field("sticky_by", Kind::Text, "A CEL expression that gives the unit, such as `org_id`."),
        field(
            "usage",
            Kind::Word(USAGE),
            "Whether streams are asked for their usage where the caller does not ask; `always` by itself.",
        ),
        field(
            "defaults",
            Kind::Object(&DEFAULTS),
            "What holds for every route and variant that does not say otherwise.",
        ),
        field("metrics", Kind::Any, "Accepted, and of no effect yet."),
        field("goal", Kind::Any, "Accepted, and of no effect yet."),
        field("guardrails", Kind::Any, "Accepted, and of no effect yet."),
        field("baseline", Kind::Any, "Accepted, and of no effect yet."),
        field("min_users", Kind::Any, "Accepted, and of no effect yet."),
        field("record_metadata", Kind::Any, "Accepted, and of no effect yet."),
        misplaced("ramp"),
    ],
);

static CONDITIONAL: Object = object(
    "ConditionalRoute",
    "A route and when it is taken.",
    &[
        required("condition", Kind::Object(&CONDITION), "When."),
        required("route", Kind::Object(&ROUTE), "Which."),
    ],
);

static CONDITION: Object = object(
    "Condition",
    "An expression in CEL.",
    &[
        required("cel_expression", Kind::Text, "Such as `tier == \"premium\"`; at most 2,048 bytes."),
        misplaced("ramp"),
    ],
);

static ROUTE: Object = object(
    "Route",
    "Variants and their shares.",
    &[
        field("route_id", ID, "Unique in the router; else `default`, or derived from the condition."),
        field("display_name", Kind::Text, "For people."),
        field("description", Kind::Text, "For people."),
        required(
            "variants",
            Kind::List(&Kind::Object(&variant::WEIGHTED)),
            "At least one; their weights sum to exactly 100.",
        ),
        field("salt", Kind::Text, "What users are hashed with; `<router>/<route_id>` by itself."),
        field("failover", Kind::Object(&exchange::FAILOVER), "Over that of `defaults`."),
        field("ramp", Kind::Object(&ramp::RAMP), "Weights that change by themselves."),
    ],
);

static DEFAULTS: Object = object(
    "Defaults",
    "What holds for every route and variant that does not say otherwise.",
    &[
        field(
            "text_generation_config",
            Kind::Object(&parameters::PARAMETERS),
            "Parameters of every variant that has none.",
        ),
        field("message_templates", TEMPLATES, "Prompts of every variant that has none."),
        field("failover", Kind::Object(&exchange::FAILOVER), "Of every route."),
    ],
);

/// An id of a route or of a variant.
pub(super) const ID: Kind = Kind::Pattern("^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,95}$");
/// Percent; at most two decimals.
pub(super) const WEIGHT: Kind = Kind::Number(0.0, 100.0);
pub(super) const TEMPLATES: Kind = Kind::Few(&Kind::Object(&templates::MESSAGE), 0, MOST_PROMPTS);
const USAGE: &[&str] = &["always", "as_asked"];

/// The fields of a router, as a mask may name them.
pub(super) fn router_fields() -> impl Iterator<Item = &'static str> + Clone {
    ROUTER.fields.iter().map(|field| field.name)
}

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
    let mut fields = reader.object(found, ROUTER.fields)?;
    for_people(reader, &mut fields);
    if let Some(found) = fields.take("name") {
        check_name(reader, name, found);
    }
    if let Some(found) = fields.take("ramp") {
        reader.fault(found.path, "a ramp is a field of a route, beside its `variants`; move it there");
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
            refuse_ramp(reader, default.as_ref());
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

/// A rule chooses by itself; a ramp of its default route would move only those whom it fails.
fn refuse_ramp(reader: &mut Reader, default: Option<&Draft>) {
    if let Some(draft) = default.filter(|draft| draft.ramp.is_some()) {
        reader.fault(format!("{}.ramp", draft.path), NO_RAMP_OF_A_RULE);
    }
}

const NO_RAMP_OF_A_RULE: &str = "a router with `rule` has no weights that could be ramped; use routes with variants, or write the dates into the rule, by `now`";

/// What is of no meaning here, and must still be text.
pub(super) fn for_people(reader: &mut Reader, fields: &mut Fields) {
    for name in ["display_name", "description"] {
        if let Some(found) = fields.take(name) {
            reader.text(&found);
        }
    }
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
    let Some(mut fields) = reader.object(found, DEFAULTS.fields) else { return Default::default() };
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
    let mut fields = reader.object(found, CONDITION.fields)?;
    if let Some(found) = fields.take("ramp") {
        reader.fault(found.path, "is of no use here; a ramp is a field of a route, beside its `variants`");
    }
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
    ramp: Option<Schedule>,
}

impl Draft {
    /// How many bytes of prompts are hashed for its epochs: those of each variant, at each step.
    fn prompt_bytes(&self) -> usize {
        let mut known = BTreeMap::new();
        let of_all: usize = self
            .arms
            .iter()
            .map(|arm| {
                let prompts = arm.treatment.prompts.as_ptr();
                *known.entry(prompts).or_insert_with(|| arm.treatment.prompt_bytes())
            })
            .sum();
        let steps = self.ramp.as_ref().map_or(0, |ramp| ramp.steps.len());
        of_all.saturating_mul(steps.saturating_add(1))
    }

    fn ramp_weights(&self) -> usize {
        self.ramp.as_ref().map_or(0, |ramp| ramp.steps.len().saturating_mul(self.arms.len()))
    }
}

fn conditional(reader: &mut Reader, found: Found, defaults: &Rc<Treatment>) -> Vec<(Expression, Draft)> {
    let Some(items) = reader.items(found) else { return Vec::new() };
    let mut routes = Vec::new();
    for item in items {
        let Some(mut fields) = reader.object(item, CONDITIONAL.fields) else { continue };
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
    let mut fields = reader.object(found, ROUTE.fields)?;
    for_people(reader, &mut fields);
    let given = fields.take("route_id").and_then(|found| ids::given(reader, found));
    let salt = fields.take("salt").and_then(|found| reader.text(&found).map(str::to_owned));
    let ramp = fields.take("ramp").and_then(|found| ramp::read(reader, found));
    let tuning = failover(reader, &mut fields);
    let write = "[{\"variant\": {\"model_id\": \"provider/model\"}, \"weight\": 100}]";
    let arms = fields
        .required(reader, "variants", write)
        .map(|found| variant::read_all(reader, found, defaults))
        .unwrap_or_default();
    let ramp = ramp.and_then(|ramp| ramp::scheduled(reader, ramp, &arms));
    Some(Draft { path, given, derived: derived?, salt, tuning, arms, ramp })
}

/// The most bytes of prompts of all variants: each isolate hashes all of them whenever it reads the router.
const MOST_PROMPT_BYTES: usize = 32 << 20;

/// Gives every route its id, and with it its salt, epoch and references. The default route's derived id goes first.
fn named(
    reader: &mut Reader,
    router: &str,
    policy: &Policy,
    routes: Vec<(Expression, Draft)>,
    default: Option<Draft>,
) -> (Vec<(Expression, Route)>, Option<Route>) {
    let drafts = default.iter().chain(routes.iter().map(|(_, draft)| draft));
    let weights: usize = drafts.clone().map(Draft::ramp_weights).sum();
    let prompts: usize = drafts.clone().map(Draft::prompt_bytes).sum();
    let mut taken = Taken::given(reader, drafts.map(|draft| (draft.path.as_str(), draft.given.clone())));
    if weights > ramp::MOST_WEIGHTS {
        let most = ramp::MOST_WEIGHTS;
        reader.fault(
            "",
            format!(
                "its ramps come to {weights} weights, a step having one for each variant; {most} are the most"
            ),
        );
        return (Vec::new(), None);
    }
    if prompts > MOST_PROMPT_BYTES {
        let message = format!(
            "the prompts of its variants come to {prompts} bytes, those of `defaults` counting for each variant that has them and each \
             step of a ramp; {MOST_PROMPT_BYTES} are the most"
        );
        reader.fault("", message);
        return (Vec::new(), None);
    }
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
    let policy = policy.tuned(&draft.tuning);
    // The order of those that stand in hangs on the weights.
    let phase = |arms: Vec<Arm>| {
        let failover = selection::of_route(policy.clone(), &arms);
        let variant = |arm: Arm| Variant {
            reference: reference(router, &id, &arm.id),
            id: arm.id,
            model: arm.model,
            weight: arm.weight,
            treatment: arm.treatment,
            failover: arm.selection.within(&failover),
        };
        let variants: Vec<Variant> = arms.into_iter().map(variant).collect();
        let epoch = epoch::of_route(&salt, &variants);
        (variants, epoch)
    };
    let step = |(at, weight, weights): (u64, Weight, Vec<Weight>)| {
        let arms = draft.arms.iter().zip(weights).map(|(arm, weight)| Arm { weight, ..arm.clone() });
        let (variants, epoch) = phase(arms.collect());
        Step { at, weight, variants, epoch }
    };
    let ramp = draft.ramp.map(|Schedule { variant, steps, paused_at }| {
        Box::new(Ramp { variant, steps: steps.into_iter().map(step).collect(), paused_at })
    });
    let (variants, epoch) = phase(draft.arms);
    Route { id, salt, variants, epoch, ramp }
}
