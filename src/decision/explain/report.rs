//! What `:explain` is asked, and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::router::edit::{At, RampShown};

/// A call to be explained. Beside the fields below, any field of a call's body, as `stream`, `tools`, `max_tokens`, `models` or
/// `extra_body`: conditions see it as they would see it in a call.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ExplainRequest {
    /// The user, as a call names them.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Option<String>"))]
    pub user: Option<Value>,
    /// The session: what a call has in `x-session-id`.
    #[serde(default)]
    pub session: Option<String>,
    /// What conditions see as bare names.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Option<Map<String, Value>>"))]
    pub metadata: Option<Value>,
    /// The conversation, as the dialect has it.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Value"))]
    pub messages: Option<Value>,
    /// Headers of the call, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Where it comes from: `country`, `continent`, `city`, `colo`, `asn`, `timezone`.
    #[serde(default)]
    pub cf: Map<String, Value>,
    /// When it comes; now, where it is left out.
    #[serde(default)]
    pub now: Option<At>,
    /// The caller's dialect: `openai` where it is left out, `anthropic`, `openai_responses`, `gemini`.
    #[serde(default)]
    pub dialect: Option<String>,
    /// The path that is asked; that of the dialect, where it is left out.
    #[serde(default)]
    pub path: Option<String>,
    /// All else of the call's body.
    #[serde(flatten)]
    pub call: Map<String, Value>,
}

/// What a router decides of a call, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Explanation {
    /// The router.
    pub router: String,
    /// Its revision, as the isolate that answers has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The moment that this is about, in RFC 3339.
    pub now: String,
    /// Who is assigned.
    pub unit: UnitShown,
    /// The router's `sticky_by`, where it has one: its value is the unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky_by: Option<ExpressionShown>,
    /// The router's rule, where it has one: its value is the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<ExpressionShown>,
    /// The conditions, in the order in which they are asked.
    pub conditions: Vec<ConditionShown>,
    /// The route that was taken; absent where none holds, and where a rule chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteShown>,
    /// What the call gets; absent where nothing holds, and where each call is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned: Option<AssignedShown>,
    /// The targets in the order in which they would be tried.
    pub attempts: Vec<AttemptShown>,
    /// What is odd.
    pub notes: Vec<String>,
}

/// Who is assigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UnitShown {
    /// `user`, `session` or `call`.
    pub kind: &'static str,
    /// The id, as it is hashed; absent where the unit is the single call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// An expression that gives a string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ExpressionShown {
    /// Its source.
    pub expression: String,
    /// What it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why it gives nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A route's condition, and what it says of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ConditionShown {
    /// The route.
    pub route_id: String,
    /// The condition's source.
    pub expression: String,
    /// What it says.
    pub verdict: VerdictShown,
    /// Why it does not hold, where that is for want of a name, or why it errs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it is the first that holds, and so decides.
    pub decides: bool,
}

/// What a condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VerdictShown {
    /// True.
    Holds,
    /// False, or a name is missing.
    DoesNotHold,
    /// It errs, and therefore does not hold.
    Errs,
}

/// The route that was taken, and its race.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RouteShown {
    /// The route.
    pub route_id: String,
    /// What its units are hashed with.
    pub salt: String,
    /// The epoch at that moment: 16 hex digits.
    pub epoch: String,
    /// Its ramp, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp: Option<RampShown>,
    /// Its variants; of those with a score, the smallest wins.
    pub variants: Vec<VariantShown>,
}

/// A variant in the race.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct VariantShown {
    /// The variant.
    pub variant_id: String,
    /// Its model.
    pub model: String,
    /// Its percentage at that moment.
    pub weight: f64,
    /// The unit's hash for this variant, as a fraction of 1; absent where the unit is the single call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uniform: Option<f64>,
    /// `-ln(uniform) / weight`; absent where the weight is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Whether the unit gets it.
    pub assigned: bool,
}

/// What the call gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AssignedShown {
    /// The route; `rule` where a rule chose.
    pub route_id: String,
    /// The variant.
    pub variant_id: String,
    /// Its model.
    pub model: String,
    /// The epoch: 16 hex digits.
    pub epoch: String,
}

/// A target that would be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AttemptShown {
    /// `provider/model`.
    pub model: String,
    /// The downstream that serves it; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The dialect in which it would be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<&'static str>,
    /// Whether the credential that it needs is set.
    pub has_credential: bool,
    /// What keeps it from being called: it would be skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
