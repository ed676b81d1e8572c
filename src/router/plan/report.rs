//! What a plan looks like to whoever asks, and its sentences.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::moves::Moves;
use crate::fault::Fault;
use crate::router::{Phase, epoch};

/// What `:plan` is asked: a document, read as an update of the router would read it.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The fields of the router that would change, or all of it. For a router that is not there yet, all of it.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub document: Box<RawValue>,
    /// Which of its fields would change, as in an update: `routes,default_route`; `*` for all.
    #[serde(default, alias = "updateMask")]
    pub update_mask: Option<String>,
}

/// What a change would do. It was validated, and nothing was saved.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Plan {
    /// What it was planned against; absent where the router is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
    /// What changes, in a sentence, as the history would have it.
    pub summary: String,
    /// Every route, before and after.
    pub routes: Vec<RoutePlan>,
    /// The models of the new document, those that could not be called first.
    pub models: Vec<ModelPlan>,
    /// What is to be known of the change as a whole.
    pub notes: Vec<String>,
    /// What is odd in the new document and harmless.
    pub warnings: Vec<Warning>,
}

/// The state that was planned against.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Against {
    /// Its etag: sent along with the change, it keeps the change from being made to another state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Its revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// What becomes of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RouteChange {
    /// Nothing that concerns who gets what.
    Unchanged,
    /// Its condition, weights, arms, salt or ramp.
    Changed,
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
}

/// What a change does on one route. Shares are of the users of this route, from 0 to 1, and exact: users who come from or go to
/// other routes are not among them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RoutePlan {
    /// The route.
    pub route_id: String,
    /// What becomes of it.
    pub change: RouteChange,
    /// Its condition, where that changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionChange>,
    /// Whether all users are dealt anew, because salt or unit change.
    pub dealt_anew: bool,
    /// Its epochs, where it is there before and after: another epoch is another experiment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<EpochChange>,
    /// Every variant, before and after.
    pub variants: Vec<ArmPlan>,
    /// Who goes where, the largest share first.
    pub moves: Vec<MovePlan>,
    /// The share that moves in ways too small or too many to be listed.
    pub other_moves: f64,
    /// The share of users that get another variant.
    pub moved: f64,
    /// The least that could move under any scheme that gives these weights.
    pub least: f64,
    /// What is to be known before this is done.
    pub warnings: Vec<String>,
}

/// A condition that changes; absent is that of the default route.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ConditionChange {
    /// As it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// As it would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Two epochs, 16 hex digits each.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct EpochChange {
    /// As it is.
    pub before: String,
    /// As it would be.
    pub after: String,
}

/// A variant, before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ArmPlan {
    /// The variant.
    pub variant_id: String,
    /// Its percentage now; absent where it is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_before: Option<f64>,
    /// Its percentage after; absent where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_after: Option<f64>,
    /// The share of users that have it and keep it.
    pub stay: f64,
    /// The share of users that have it and lose it.
    pub leave: f64,
    /// The share of users that get it anew.
    pub come: f64,
}

/// Users that go from one variant to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct MovePlan {
    /// The variant that they have.
    pub from: String,
    /// The variant that they get.
    pub to: String,
    /// Their share of the route's users.
    pub share: f64,
    /// The same of 10,000 users, rounded.
    pub per_10000: u32,
    /// The same in a sentence.
    pub sentence: String,
}

/// Whether a model could be called.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ModelPlan {
    /// `provider/model`.
    pub model: String,
    /// The downstream that serves it; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Whether the credential that it needs is set.
    pub has_credential: bool,
    /// What keeps it from being called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What is odd in a document and harmless.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Warning {
    /// The field.
    pub path: String,
    /// A sentence.
    pub message: String,
}

impl From<&Fault> for Warning {
    fn from(fault: &Fault) -> Warning {
        Warning { path: fault.path.clone(), message: fault.message.clone() }
    }
}

impl ArmPlan {
    pub(super) fn of(variant_id: &str) -> ArmPlan {
        let variant_id = variant_id.to_owned();
        ArmPlan { variant_id, weight_before: None, weight_after: None, stay: 0.0, leave: 0.0, come: 0.0 }
    }
}

/// How many variants that lose users, and that gain them, are paired: a route of thousands has millions of pairs.
const MOST_PAIRED: usize = 64;
/// How many moves are listed.
const MOST_MOVES: usize = 64;
/// A share that is none but for the rounding of its sum.
const NOTHING: f64 = 1e-12;

/// The largest moves, and the share of those that are not listed.
pub(super) fn listed_moves(arms: &[ArmPlan], moves: &Moves) -> (Vec<MovePlan>, f64) {
    let most = |by: &dyn Fn(usize) -> f64| -> Vec<usize> {
        let mut some: Vec<usize> = (0..arms.len()).filter(|at| by(*at) > NOTHING).collect();
        some.sort_by(|a, b| by(*b).total_cmp(&by(*a)));
        some.truncate(MOST_PAIRED);
        some
    };
    let (losing, gaining) = (most(&|at| moves.leave(at)), most(&|at| moves.come(at)));
    let mut pairs: Vec<(f64, usize, usize)> = losing
        .iter()
        .flat_map(|from| gaining.iter().map(|to| (moves.share(*from, *to), *from, *to)))
        .filter(|(share, from, to)| from != to && *share > NOTHING)
        .collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs.truncate(MOST_MOVES);
    let listed: f64 = pairs.iter().map(|(share, ..)| share).sum();
    let id = |at: usize| arms.get(at).map(|arm| arm.variant_id.clone()).unwrap_or_default();
    let moved = pairs.iter().map(|(share, from, to)| MovePlan::of(id(*from), id(*to), *share)).collect();
    let rest = moves.moved() - listed;
    (moved, if rest > NOTHING { rest } else { 0.0 })
}

impl MovePlan {
    fn of(from: String, to: String, share: f64) -> MovePlan {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10,000")]
        let per_10000 = (share * 10_000.0).round() as u32;
        let sentence = match per_10000 {
            0 => format!("Fewer than 1 of 10,000 users go from {from} to {to}."),
            1 => format!("1 of 10,000 users goes from {from} to {to}."),
            many => format!("{} of 10,000 users go from {from} to {to}.", grouped(many)),
        };
        MovePlan { from, to, share, per_10000, sentence }
    }
}

/// `4,012`.
fn grouped(number: u32) -> String {
    match (number / 1000, number % 1000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands},{rest:03}"),
    }
}

/// `12.5 %`
pub(super) fn percent(percent: f64) -> String {
    format!("{percent} %")
}

/// Arms that are other treatments under the same id.
pub(super) fn treatments(old: Phase<'_>, new: Phase<'_>) -> Vec<String> {
    let changed = new.variants.iter().filter_map(|variant| {
        let before = old.variants.iter().find(|before| before.id == variant.id)?;
        (epoch::arm(before) != epoch::arm(variant)).then(|| {
            let what = if before.model == variant.model {
                "other parameters or prompts".to_owned()
            } else {
                format!("another model ({} → {})", before.model, variant.model)
            };
            format!(
                "'{}' has {what} under the same id: another treatment, whose figures begin anew; give it an id of its own to \
                 compare it with what it was.",
                variant.id
            )
        })
    });
    changed.take(16).collect()
}
