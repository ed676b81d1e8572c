//! A router as it is stored: read strictly, with every fault at once, each with its path and what would be right.
//!
//! In scope: every spelling that people write (snake and camel case, with and without ids), and the [`Router`] that comes
//! of it. Out of scope: keeping the last good one when this fails (`edge::config`). What this version cannot do and would
//! be wrong to ignore (parameters, prompts, ramps) is a fault, not a silence.

use std::collections::HashSet;
use std::rc::Rc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::assignment::Weight;
use crate::condition::Expression;
use crate::fault::Fault;
use crate::identity::reference;
use crate::router::fields::{Found, Reader};
use crate::router::json::Json;
use crate::router::{Choice, PREFIXES, RULE_ROUTE, Route, Router, Rule, UsageMode, Variant, epoch, is_name};

/// Larger documents are refused unread: the largest that people write by hand is a few KiB, and a thousand routes are 300.
pub const MAX_BYTES: usize = 1 << 20;

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
const VARIANT_FIELDS: &[&str] = &[
    "variant_id",
    "display_name",
    "description",
    "model_id",
    "text_generation_config",
    "message_templates",
    "model_selection",
];

/// Reads the router that is stored under `name`.
///
/// # Errors
/// Every fault of the document, in its order; never an empty list.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Router, Vec<Fault>> {
    let json = read(bytes).map_err(|fault| vec![fault])?;
    let mut reader = Reader::default();
    let router = router(&mut reader, name, json);
    match router {
        Some(router) if reader.faults.is_empty() => {
            let reads_headers =
                router.expressions().any(|expression| expression.names().any(|name| name == "headers"));
            Ok(Router { reads_headers, warnings: reader.warnings, ..router })
        }
        _ => Err(reader.faults),
    }
}

fn read(bytes: &[u8]) -> Result<Json, Fault> {
    let whole = |message: String| Fault::new("", message);
    if bytes.len() > MAX_BYTES {
        return Err(whole(format!(
            "the document is {} bytes long; the limit is {MAX_BYTES} (1 MiB)",
            bytes.len()
        )));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        whole(format!("the document is not UTF-8 (at byte {}); save it as UTF-8", error.valid_up_to()))
    })?;
    if text.trim().is_empty() {
        return Err(whole("the value is empty; write a router document, or delete the key".into()));
    }
    serde_json::from_str(text).map_err(|error| whole(format!("the document is not JSON: {error}")))
}

fn router(reader: &mut Reader, name: &str, json: Json) -> Option<Router> {
    if !is_name(name) {
        reader.fault(
            "",
            format!("'{name}' cannot be a router's name; use lower-case letters, digits and '-', at most 63"),
        );
    }
    let mut fields = reader.object("", json, ROUTER_FIELDS)?;
    if let Some(found) = fields.take("name") {
        check_name(reader, name, found);
    }
    if let Some(defaults) = fields.take("defaults") {
        refuse_unsupported(reader, defaults);
    }
    let sticky_by = fields.take("sticky_by").and_then(|found| expression(reader, found));
    let usage = fields.take("usage").map_or(Some(UsageMode::Always), |found| usage_mode(reader, found));
    let weights = fields.take("weights");
    let default = fields.take("default_route").and_then(|found| {
        let id: Option<Rc<str>> = Some("default".into());
        draft(reader, found, id)
    });
    let routes = fields.take("routes");
    let choice = match (fields.take("rule"), routes) {
        (Some(rule), None) => Choice::Rule(self::rule(reader, name, rule, weights)?),
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
            let drafts = routes.map(|found| conditional(reader, found)).unwrap_or_default();
            if drafts.is_empty() && default.is_none() && reader.faults.is_empty() {
                let message =
                    "the router has no way to choose; give it `routes`, a `default_route` or a `rule`";
                reader.fault("", message);
            }
            let (routes, default) = named(reader, name, drafts, default);
            return Some(Router {
                name: name.to_owned(),
                sticky_by,
                choice: Choice::Routes(routes),
                default,
                usage: usage?,
                reads_headers: false,
                warnings: Vec::new(),
            });
        }
    };
    let (_, default) = named(reader, name, Vec::new(), default);
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
    let path = found.path.clone();
    if let Some(written) = reader.text(found)
        && written.strip_prefix("routers/").unwrap_or(&written) != name
    {
        reader.fault(
            &path,
            format!("the document calls itself '{written}' but is stored as 'router:{name}'; make them the same, or leave `name` out"),
        );
    }
}

fn refuse_unsupported(reader: &mut Reader, found: Found) {
    let known = &["text_generation_config", "message_templates", "failover"];
    let path = found.path;
    let Some(mut fields) = reader.object(&path, found.value, known) else { return };
    for field in ["text_generation_config", "message_templates"] {
        if let Some(found) = fields.take(field) {
            reader.fault(&found.path, UNSUPPORTED_ARM);
        }
    }
    if let Some(found) = fields.take("failover") {
        reader.warn(&found.path, UNSUPPORTED_FAILOVER);
    }
}

const UNSUPPORTED_ARM: &str = "parameters and prompts of variants are not served by this version, and an experiment that left them out would \
     compare something else; remove the field";
const UNSUPPORTED_FAILOVER: &str =
    "failover is not served by this version; only the variant's own model is called";

fn usage_mode(reader: &mut Reader, found: Found) -> Option<UsageMode> {
    let path = found.path.clone();
    match reader.text(found)?.as_str() {
        "always" => Some(UsageMode::Always),
        "as_asked" => Some(UsageMode::AsAsked),
        other => {
            reader.fault(&path, format!("'{other}' is no usage mode; write \"always\" or \"as_asked\""));
            None
        }
    }
}

fn expression(reader: &mut Reader, found: Found) -> Option<Expression> {
    let path = found.path.clone();
    let source = reader.text(found)?;
    Expression::compile(&source).map_err(|message| reader.fault(&path, message)).ok()
}

/// The expression in `{"cel_expression": …}`, which conditions and rules are.
fn cel(reader: &mut Reader, found: Found) -> Option<Expression> {
    let path = found.path;
    let mut fields = reader.object(&path, found.value, &["cel_expression"])?;
    match fields.take("cel_expression") {
        Some(found) => expression(reader, found),
        None => {
            reader.fault(
                &path,
                "`cel_expression` is missing; write a CEL condition such as \"tier == \\\"premium\\\"\"",
            );
            None
        }
    }
}

fn rule(reader: &mut Reader, name: &str, found: Found, weights: Option<Found>) -> Option<Rule> {
    let expression = cel(reader, found);
    let expected = match weights {
        None => Some(None),
        Some(found) => expected_weights(reader, found).map(Some),
    };
    let (expression, expected) = (expression?, expected?);
    let epoch = epoch::of_rule(&format!("{name}/{RULE_ROUTE}"), expression.source());
    Some(Rule { expression, epoch, expected })
}

fn expected_weights(reader: &mut Reader, found: Found) -> Option<Vec<(String, Weight)>> {
    let path = found.path;
    let Json::Object(members) = found.value else {
        reader.fault(&path, format!("expected an object of model: percent, found {}", found.value.kind()));
        return None;
    };
    let weights: Vec<(String, Weight)> = members
        .into_iter()
        .filter_map(|(model, value)| {
            let path = format!("{path}.{model}");
            check_model(reader, &path, &model);
            Some((model, weight(reader, Found { path, value })?))
        })
        .collect();
    check_sum(reader, &path, weights.iter().map(|(_, weight)| *weight));
    Some(weights)
}

/// A route before ids that depend on the others are known.
struct Draft {
    path: String,
    given: Option<Rc<str>>,
    derived: Rc<str>,
    salt: Option<String>,
    variants: Vec<Variant>,
}

fn conditional(reader: &mut Reader, found: Found) -> Vec<(Expression, Draft)> {
    let path = found.path.clone();
    let Some(items) = reader.list(found) else { return Vec::new() };
    let mut routes = Vec::new();
    for (position, item) in items.into_iter().enumerate() {
        let path = format!("{path}[{position}]");
        let Some(mut fields) = reader.object(&path, item, &["route", "condition"]) else { continue };
        let condition = match fields.take("condition") {
            Some(found) => cel(reader, found),
            None => {
                let message = "`condition` is missing; write {\"cel_expression\": \"…\"}, or make this the `default_route`";
                reader.fault(&path, message);
                None
            }
        };
        let derived = condition.as_ref().map(|condition| derived_id(condition.source()));
        let route = match fields.take("route") {
            Some(found) => draft(reader, found, derived),
            None => {
                reader.fault(&path, "`route` is missing; write {\"variants\": […]}");
                None
            }
        };
        routes.extend(condition.zip(route));
    }
    routes
}

/// `r-` and eight hex digits of the SHA-256 of the condition: content, not position, so that reordering moves nobody.
fn derived_id(source: &str) -> Rc<str> {
    let digest = Sha256::digest(source.as_bytes());
    let (start, _) = digest.split_at(4);
    format!("r-{}", HEXLOWER.encode(start)).into()
}

fn draft(reader: &mut Reader, found: Found, derived: Option<Rc<str>>) -> Option<Draft> {
    let path = found.path;
    let mut fields = reader.object(&path, found.value, ROUTE_FIELDS)?;
    let given = fields.take("route_id").and_then(|found| id(reader, found));
    let salt = fields.take("salt").and_then(|found| reader.text(found));
    if let Some(found) = fields.take("ramp") {
        reader.fault(&found.path, "ramps are not served by this version; set the weights that you want now");
    }
    if let Some(found) = fields.take("failover") {
        reader.warn(&found.path, UNSUPPORTED_FAILOVER);
    }
    let variants = match fields.take("variants") {
        Some(found) => variants(reader, found),
        None => {
            reader.fault(&path, "`variants` is missing; write [{\"variant\": {\"model_id\": \"provider/model\"}, \"weight\": 100}]");
            Vec::new()
        }
    };
    Some(Draft { path, given, derived: derived?, salt, variants })
}

fn variants(reader: &mut Reader, found: Found) -> Vec<Variant> {
    let path = found.path.clone();
    let Some(items) = reader.list(found) else { return Vec::new() };
    if items.is_empty() {
        reader.fault(&path, "a route needs at least one variant");
        return Vec::new();
    }
    let mut parts: Vec<(String, Option<Rc<str>>, Option<Rc<str>>, Option<Weight>)> = Vec::new();
    for (position, item) in items.into_iter().enumerate() {
        let path = format!("{path}[{position}]");
        let Some(mut fields) = reader.object(&path, item, &["variant", "weight"]) else { continue };
        let share = match fields.take("weight") {
            Some(found) => weight(reader, found),
            None => {
                reader.fault(
                    &path,
                    "`weight` is missing; write the variant's percentage, 100 where it is the only one",
                );
                None
            }
        };
        let (given, model) = match fields.take("variant") {
            Some(found) => arm(reader, found),
            None => {
                reader.fault(&path, "`variant` is missing; write {\"model_id\": \"provider/model\"}");
                (None, None)
            }
        };
        parts.push((path, given, model, share));
    }
    if parts.iter().all(|(.., share)| share.is_some()) {
        check_sum(reader, &path, parts.iter().filter_map(|(.., share)| *share));
    }
    let mut taken =
        unique(reader, parts.iter().map(|(path, given, ..)| (format!("{path}.variant"), given.clone())));
    parts
        .into_iter()
        .filter_map(|(_, given, model, share)| {
            let model = model?;
            let id = given.unwrap_or_else(|| fresh(&mut taken, &model));
            Some(Variant { id, model, weight: share?, reference: [0; 8] })
        })
        .collect()
}

fn arm(reader: &mut Reader, found: Found) -> (Option<Rc<str>>, Option<Rc<str>>) {
    let path = found.path;
    let Some(mut fields) = reader.object(&path, found.value, VARIANT_FIELDS) else { return (None, None) };
    let given = fields.take("variant_id").and_then(|found| id(reader, found));
    for field in ["text_generation_config", "message_templates"] {
        if let Some(found) = fields.take(field) {
            reader.fault(&found.path, UNSUPPORTED_ARM);
        }
    }
    if let Some(found) = fields.take("model_selection") {
        reader.warn(&found.path, UNSUPPORTED_FAILOVER);
    }
    let Some(found) = fields.take("model_id") else {
        reader.fault(&path, "`model_id` is missing; write \"provider/model\", such as \"openai/gpt-5\"");
        return (given, None);
    };
    let path = found.path.clone();
    let model = reader.text(found).filter(|model| check_model(reader, &path, model));
    if let Some(model) = &model
        && given.is_none()
        && !is_id(model)
    {
        reader
            .fault(&path, "a variant's id cannot be made of this model id; give the variant a `variant_id`");
    }
    (given, model.map(Rc::from))
}

fn check_model(reader: &mut Reader, path: &str, model: &str) -> bool {
    let fault = model_fault(model);
    let holds = fault.is_none();
    if let Some(fault) = fault {
        reader.fault(path, fault);
    }
    holds
}

/// What keeps a string from being a variant's model.
pub(super) fn model_fault(model: &str) -> Option<String> {
    Some(match model.split_once('/') {
        None => format!("'{model}' names no provider; write \"provider/model\", such as \"openai/{model}\""),
        Some((prefix, _)) if PREFIXES.contains(&prefix) => {
            format!("'{model}' is a router, and a variant's model cannot be one; write \"provider/model\"")
        }
        Some((provider, name)) if provider.is_empty() || name.is_empty() => {
            format!("'{model}' is not complete; write \"provider/model\"")
        }
        _ if model.len() > 256 || model.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            "a model id has no white space and at most 256 bytes".to_owned()
        }
        _ => return None,
    })
}

fn weight(reader: &mut Reader, found: Found) -> Option<Weight> {
    let wrong = |reader: &mut Reader, what: String| {
        reader.fault(
            &found.path,
            format!("{what}; write a number from 0 to 100 with at most two decimals, without quotes"),
        );
        None
    };
    let Json::Number(percent) = found.value else {
        let what = format!("a weight is a number, not {}", found.value.kind());
        return wrong(reader, what);
    };
    if !(0.0..=100.0).contains(&percent) {
        return wrong(reader, format!("{percent} is no percentage"));
    }
    let hundredths = (percent * 100.0).round();
    // A decimal of two places is off by rounding alone, a third place by 0.1 at least.
    if (percent * 100.0 - hundredths).abs() > 1e-6 {
        return wrong(reader, format!("{percent} has more than two decimals"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to 10,000"
    )]
    Weight::from_hundredths(hundredths as u16)
}

fn check_sum(reader: &mut Reader, path: &str, weights: impl Iterator<Item = Weight>) {
    let sum: u64 = weights.map(|weight| u64::from(weight.hundredths())).sum();
    let all = u64::from(Weight::ALL.hundredths());
    if sum != all {
        #[expect(clippy::cast_precision_loss, reason = "a sum of weights, shown")]
        let (percent, off) = (sum as f64 / 100.0, (sum.abs_diff(all)) as f64 / 100.0);
        let direction = if sum < all { "missing" } else { "too much" };
        reader.fault(
            path,
            format!(
                "the weights sum to {percent}, not to 100 ({off} {direction}); they are never normalised"
            ),
        );
    }
}

fn id(reader: &mut Reader, found: Found) -> Option<Rc<str>> {
    let path = found.path.clone();
    let id = reader.text(found)?;
    if is_id(&id) {
        return Some(id.into());
    }
    reader.fault(&path, format!("'{id}' cannot be an id; begin with a letter or digit, then letters, digits and ._:/@- (at most 96)"));
    None
}

fn is_id(id: &str) -> bool {
    id.len() <= 96
        && id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte))
}

/// The ids that are given, with a fault for each that is given twice.
fn unique(reader: &mut Reader, given: impl Iterator<Item = (String, Option<Rc<str>>)>) -> HashSet<Rc<str>> {
    let mut taken = HashSet::new();
    for (path, id) in given {
        if let Some(id) = id
            && !taken.insert(id.clone())
        {
            reader.fault(
                &path,
                format!("the id '{id}' is given twice; ids are unique, and the assignment hangs on them"),
            );
        }
    }
    taken
}

/// A derived id that is still free: itself, then with `-2`, `-3`, ….
fn fresh(taken: &mut HashSet<Rc<str>>, derived: &Rc<str>) -> Rc<str> {
    let mut id = derived.clone();
    let mut count = 2_u32;
    while !taken.insert(id.clone()) {
        id = format!("{derived}-{count}").into();
        count = count.saturating_add(1);
    }
    id
}

/// Gives every route its id, and with it its salt, epoch and references. The default route's derived id goes first.
fn named(
    reader: &mut Reader,
    router: &str,
    routes: Vec<(Expression, Draft)>,
    default: Option<Draft>,
) -> (Vec<(Expression, Route)>, Option<Route>) {
    let drafts = default.iter().chain(routes.iter().map(|(_, draft)| draft));
    let mut taken = unique(reader, drafts.map(|draft| (draft.path.clone(), draft.given.clone())));
    let default = default.map(|draft| finished(router, draft, &mut taken));
    let routes = routes
        .into_iter()
        .map(|(condition, draft)| (condition, finished(router, draft, &mut taken)))
        .collect();
    (routes, default)
}

fn finished(router: &str, draft: Draft, taken: &mut HashSet<Rc<str>>) -> Route {
    let id = draft.given.unwrap_or_else(|| fresh(taken, &draft.derived));
    let salt = draft.salt.unwrap_or_else(|| format!("{router}/{id}"));
    let mut variants = draft.variants;
    for variant in &mut variants {
        variant.reference = reference(router, &id, &variant.id);
    }
    let epoch = epoch::of_route(&salt, &variants);
    Route { id, salt, variants, epoch }
}
