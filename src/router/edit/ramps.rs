//! `:ramp`: starts a ramp, pauses, resumes, cancels or finishes it; and what a ramp looks like to whoever asks.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::weights::{found, position, weigh, weight};
use super::{Edited, route_at, stored, written};
use crate::document::{Place, Spelling, Tree, spelled};
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::moment::rfc3339;
use crate::router::ramp::{Progress, Ramp};
use crate::router::{Route, Router, parse};

/// What `:ramp` is asked: `variant_id` and `steps` to start a ramp, or an `action` on the one that there is.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RampRequest {
    /// The route; may be left out where the router has just one.
    #[serde(default, alias = "routeId")]
    pub route_id: Option<String>,
    /// What is to be done with the ramp; `start` where it is left out.
    #[serde(default)]
    pub action: Action,
    /// To start: the variant that is ramped.
    #[serde(default, alias = "variantId")]
    pub variant_id: Option<String>,
    /// To start: its weights and since when they hold, in order of time.
    #[serde(default)]
    pub steps: Option<Vec<NewStep>>,
    /// To cancel: whether the weights of now are kept, instead of those before the ramp.
    #[serde(default)]
    pub keep: bool,
    /// Not served by this version.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(skip))]
    pub guardrails: Option<Value>,
    /// The router's etag; where it is not the newest any more, nothing is changed.
    #[serde(default)]
    pub etag: Option<String>,
}

/// What is to be done with a ramp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A ramp begins.
    #[default]
    Start,
    /// It stands still at the weights of now.
    Pause,
    /// It goes on; the steps that were not reached are put off by as long as it was paused.
    Resume,
    /// It ends, and the weights are those before it; with `keep`, those of now.
    Cancel,
    /// It ends, and the weights are those of its last step.
    Finish,
}

/// A step of a ramp to be.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewStep {
    /// When it begins.
    pub at: At,
    /// The variant's percentage from then on, with at most two decimals.
    pub weight: f64,
}

/// A moment, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum At {
    /// RFC 3339, as `2026-12-01T09:00:00Z`.
    Text(String),
    /// Unix seconds.
    Seconds(f64),
}

/// A ramp as answers show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RampShown {
    /// The route that it is of.
    pub route_id: String,
    /// The variant that is ramped.
    pub variant_id: String,
    /// How far it is.
    pub state: RampState,
    /// The variant's percentage now.
    pub current_weight: f64,
    /// The step that comes next; where the ramp is paused, the one that would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextStep>,
}

/// How far a ramp is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RampState {
    /// It goes on by itself.
    Running,
    /// It stands still until it is resumed.
    Paused,
    /// Its last step is reached.
    Done,
}

/// A step that is to come.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct NextStep {
    /// When it begins, in RFC 3339.
    pub at: String,
    /// The variant's percentage from then on.
    pub weight: f64,
}

/// The ramps of a router as they are at `now`.
pub fn ramps(router: &Router, now: u64) -> Vec<RampShown> {
    router.routes().filter_map(|(_, route)| shown(route, now)).collect()
}

/// The ramp of a route as it is at `now`.
pub(crate) fn shown(route: &Route, now: u64) -> Option<RampShown> {
    let ramp = route.ramp.as_ref()?;
    let current = route.at(now).variants.iter().find(|variant| variant.id == ramp.variant)?;
    let state = match ramp.progress(now) {
        Progress::Running => RampState::Running,
        Progress::Paused => RampState::Paused,
        Progress::Done => RampState::Done,
    };
    let next = ramp.next_after(now);
    Some(RampShown {
        route_id: route.id.to_string(),
        variant_id: ramp.variant.to_string(),
        state,
        current_weight: current.weight.percent(),
        next: next.map(|step| NextStep { at: rfc3339(step.at), weight: step.weight.percent() }),
    })
}

/// The document with a ramp started, or with another state of the one that there is.
///
/// # Errors
/// `InvalidRequest` where the request does not fit together or names what there is not; `Conflict` where the ramp is not in a
/// state that the action is for; every fault of a ramp that is no good.
pub fn ramped(name: &str, current: &[u8], request: &RampRequest, now: u64) -> Result<Edited, Error> {
    check(request)?;
    let router = parse(name, current).map_err(Error::document)?;
    let (at, route) = found(&router, request.route_id.as_deref())?;
    let mut tree = stored(current)?;
    let spelling = tree.spelling().unwrap_or(Spelling::Snake);
    let mut notes = Vec::new();
    let Some(inner) = route_at(&mut tree, at) else {
        return Err(Error::invalid("route_id", "The route could not be found in the document."));
    };
    match (request.action, &route.ramp) {
        (Action::Start, ramp) => {
            refuse_second(route, ramp.as_deref(), now)?;
            fold(inner, route, now);
            start(inner, route, request, inner.spelling().unwrap_or(spelling))?;
        }
        (_, None) => return Err(conflict(format!("The route '{}' has no ramp; start one first.", route.id))),
        (Action::Pause, Some(ramp)) => pause(inner, ramp, now)?,
        (Action::Resume, Some(ramp)) => resume(inner, ramp, now)?,
        (Action::Cancel, Some(_)) => {
            if request.keep {
                fold(inner, route, now);
            }
            inner.remove("ramp");
        }
        (Action::Finish, Some(_)) => {
            fold(inner, route, u64::MAX);
            inner.remove("ramp");
        }
    }
    let edited = written(name, Some(current), tree)?;
    if request.action == Action::Start {
        notes.extend(late(&edited.bytes, name, at, now));
    }
    Ok(Edited { warnings: [notes, edited.warnings].concat(), ..edited })
}

/// What must be said of a ramp that begins in the past.
fn late(bytes: &[u8], name: &str, at: usize, now: u64) -> Option<Fault> {
    let router = parse(name, bytes).ok()?;
    let (_, route) = router.routes().nth(at)?;
    let ramp = route.ramp.as_ref()?;
    let step = ramp.step_at(now)?;
    let weight = step.weight.percent();
    let message = match ramp.progress(now) {
        Progress::Done => format!(
            "all of its steps are in the past: '{}' has its last weight, {weight}, at once",
            ramp.variant
        ),
        _ => format!("it begins in the past: '{}' has the weight {weight} at once", ramp.variant),
    };
    Some(Fault::new(format!("{}.ramp", route.id), message))
}

fn check(request: &RampRequest) -> Result<(), Error> {
    let is_start = request.action == Action::Start;
    if request.guardrails.is_some() {
        let message = "Guardrails are not served by this version, and a ramp that left them out would go on where you want it to \
             stop. Remove the field.";
        return Err(Error::invalid("guardrails", message));
    }
    if is_start && request.variant_id.is_none() {
        let message = "Name the variant and its steps: {\"variant_id\": \"…\", \"steps\": [{\"at\": \"2026-12-01T09:00:00Z\", \
             \"weight\": 5}]}, or an `action`: pause, resume, cancel, finish.";
        return Err(Error::invalid("variant_id", message));
    }
    if is_start && request.steps.is_none() {
        return Err(Error::invalid(
            "steps",
            "Send the steps: [{\"at\": \"2026-12-01T09:00:00Z\", \"weight\": 5}, …].",
        ));
    }
    if !is_start && (request.steps.is_some() || request.variant_id.is_some()) {
        return Err(Error::invalid(
            "action",
            "`variant_id` and `steps` start a ramp; leave them out of any other action.",
        ));
    }
    if request.keep && request.action != Action::Cancel {
        return Err(Error::invalid("keep", "`keep` belongs to the action `cancel`."));
    }
    Ok(())
}

fn refuse_second(route: &Route, ramp: Option<&Ramp>, now: u64) -> Result<(), Error> {
    match ramp {
        Some(ramp) if ramp.progress(now) != Progress::Done => Err(conflict(format!(
            "The route '{}' has a ramp of '{}' that has not reached its end. Finish or cancel it first.",
            route.id, ramp.variant
        ))),
        _ => Ok(()),
    }
}

fn start(tree: &mut Tree, route: &Route, request: &RampRequest, spelling: Spelling) -> Result<(), Error> {
    let id = request.variant_id.as_deref().unwrap_or_default();
    position(route, id, "variant_id")?;
    let mut steps = Vec::new();
    for (index, step) in request.steps.iter().flatten().enumerate() {
        // Whole seconds are written as such.
        let at = match &step.at {
            At::Text(text) => json!(text).to_string(),
            At::Seconds(seconds) => seconds.to_string(),
        };
        let percent = crate::router::share::written(weight(&format!("steps[{index}].weight"), step.weight)?);
        steps.push(format!("{{\"at\": {at}, \"weight\": {percent}}}"));
    }
    let ramp = format!(
        "{{\"{}\": {}, \"steps\": [{}], \"state\": \"running\"}}",
        spelled("variant_id", spelling),
        json!(id),
        steps.join(", ")
    );
    tree.set("ramp", spelling, Place::Last, Tree::read(ramp.as_bytes()).unwrap_or(Tree::Raw(ramp)));
    Ok(())
}

fn pause(route: &mut Tree, ramp: &Ramp, now: u64) -> Result<(), Error> {
    refuse_done(ramp, now)?;
    if ramp.paused_at.is_some() {
        return Err(conflict(format!("The ramp of '{}' is paused already.", ramp.variant)));
    }
    if let Some(tree) = route.get_mut("ramp") {
        let spelling = tree.spelling().unwrap_or(Spelling::Snake);
        tree.set("state", spelling, Place::Last, Tree::text("paused"));
        tree.set("paused_at", spelling, Place::Last, Tree::text(&rfc3339(now)));
    }
    Ok(())
}

/// Puts off the steps that were not reached, each in the way in which its moment is written.
fn resume(route: &mut Tree, ramp: &Ramp, now: u64) -> Result<(), Error> {
    refuse_done(ramp, now)?;
    let Some(paused_at) = ramp.paused_at else {
        return Err(conflict(format!("The ramp of '{}' is not paused.", ramp.variant)));
    };
    // Up to the next second, so that moments stay as round as they were.
    let paused_for = now.saturating_sub(paused_at).div_ceil(1000).saturating_mul(1000);
    let Some(tree) = route.get_mut("ramp") else { return Ok(()) };
    if let Some(steps) = tree.get_mut("steps") {
        for (step, tree) in ramp.steps.iter().zip(steps.items_mut()).filter(|(step, _)| step.at > paused_at) {
            let at = step.at.saturating_add(paused_for);
            let is_text = matches!(tree.get("at"), Some(Tree::Raw(text)) if text.starts_with('"'));
            #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
            let at =
                if is_text { Tree::text(&rfc3339(at)) } else { Tree::Raw((at as f64 / 1000.0).to_string()) };
            tree.set("at", Spelling::Snake, Place::First, at);
        }
    }
    tree.remove("paused_at");
    tree.set("state", Spelling::Snake, Place::Last, Tree::text("running"));
    Ok(())
}

fn refuse_done(ramp: &Ramp, now: u64) -> Result<(), Error> {
    if ramp.progress(now) != Progress::Done {
        return Ok(());
    }
    let message = format!("The ramp of '{}' has reached its last step; finish or cancel it.", ramp.variant);
    Err(conflict(message))
}

/// Makes the weights of `now` the variants' own, so that the ramp can go.
fn fold(tree: &mut Tree, route: &Route, now: u64) {
    let phase = match &route.ramp {
        // The last step, whether or not the ramp is paused before it.
        Some(ramp) if now == u64::MAX => ramp.steps.last().map_or(&route.variants, |step| &step.variants),
        _ => route.at(now).variants,
    };
    let weights: Vec<_> = phase.iter().map(|variant| variant.weight).collect();
    weigh(tree, &route.variants, &weights);
}

fn conflict(message: String) -> Error {
    Error::new(ErrorKind::Conflict, message)
}
