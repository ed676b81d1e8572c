//! The variants of a route: their weights and models.

use std::rc::Rc;

use crate::assignment::Weight;
use crate::document::{Found, Json, Reader};
use crate::router::document::UNSUPPORTED_ARM;
use crate::router::ids::Taken;
use crate::router::selection::{self, Selection};
use crate::router::{PREFIXES, ids};

const FIELDS: &[&str] = &[
    "variant_id",
    "display_name",
    "description",
    "model_id",
    "text_generation_config",
    "message_templates",
    "model_selection",
];

/// A variant before its route is known.
#[derive(Clone)]
pub(super) struct Arm {
    pub(super) id: Rc<str>,
    pub(super) model: Rc<str>,
    pub(super) weight: Weight,
    pub(super) selection: Selection,
}

/// What is known of a variant before ids that depend on the others.
struct Part {
    path: String,
    share: Option<Weight>,
    described: Described,
}

/// What the object `variant` says.
#[derive(Default)]
struct Described {
    given: Option<Rc<str>>,
    model: Option<Rc<str>>,
    selection: Selection,
}

/// Reads the list of a route's variants. Where there is a fault, what comes back is not complete.
pub(super) fn read_all(reader: &mut Reader, found: Found) -> Vec<Arm> {
    let path = found.path.clone();
    let Some(items) = reader.items(found) else { return Vec::new() };
    if items.len() == 0 {
        reader.fault(&path, "a route needs at least one variant");
        return Vec::new();
    }
    let mut parts = Vec::new();
    for item in items {
        let Some(mut fields) = reader.object(item, &["variant", "weight"]) else { continue };
        let share = fields
            .required(reader, "weight", "the variant's percentage, 100 where it is the only one")
            .and_then(|found| weight(reader, found));
        let described = fields
            .required(reader, "variant", "{\"model_id\": \"provider/model\"}")
            .and_then(|found| described(reader, found))
            .unwrap_or_default();
        parts.push(Part { path: fields.at("variant"), share, described });
    }
    if parts.iter().all(|part| part.share.is_some()) {
        check_sum(reader, &path, parts.iter().filter_map(|part| part.share));
    }
    let given = parts.iter().map(|part| (part.path.as_str(), part.described.given.clone()));
    let mut taken = Taken::given(reader, given);
    parts
        .into_iter()
        .filter_map(|Part { share, described: Described { given, model, selection }, .. }| {
            let model = model?;
            let id = given.unwrap_or_else(|| taken.fresh(&model));
            Some(Arm { id, model, weight: share?, selection })
        })
        .collect()
}

fn described(reader: &mut Reader, found: Found) -> Option<Described> {
    let mut fields = reader.object(found, FIELDS)?;
    let given = fields.take("variant_id").and_then(|found| ids::given(reader, found));
    for field in ["text_generation_config", "message_templates"] {
        if let Some(found) = fields.take(field) {
            reader.fault(found.path, UNSUPPORTED_ARM);
        }
    }
    let selection = fields.take("model_selection");
    let write = "\"provider/model\", such as \"openai/gpt-5\"";
    let model = fields
        .required(reader, "model_id", write)
        .and_then(|found| own_model(reader, &found, given.is_none()));
    let selection = selection.map(|found| selection::read(reader, found, model.as_deref()));
    Some(Described { given, model, selection: selection.unwrap_or_default() })
}

/// The model that a variant is about, and its id where it has no other.
fn own_model(reader: &mut Reader, found: &Found, is_id: bool) -> Option<Rc<str>> {
    let model = reader.text(found).filter(|model| check_model(reader, &found.path, model))?;
    if is_id && !ids::is_id(model) {
        reader.fault(
            &found.path,
            "a variant's id cannot be made of this model id; give the variant a `variant_id`",
        );
    }
    Some(model.into())
}

pub(super) fn check_model(reader: &mut Reader, path: &str, model: &str) -> bool {
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

pub(super) fn weight(reader: &mut Reader, found: Found) -> Option<Weight> {
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
    let weight = Weight::from_percent(percent);
    if weight.is_none() {
        return wrong(reader, format!("{percent} has more than two decimals"));
    }
    weight
}

pub(super) fn check_sum(reader: &mut Reader, path: &str, weights: impl Iterator<Item = Weight>) {
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
