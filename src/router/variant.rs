//! The variants of a route: their weights and models.

use std::rc::Rc;

use crate::assignment::Weight;
use crate::document::{Fields, Found, Json, Kind, Object, Reader, field, object, required};
use crate::provider::builtin;
use crate::router::document::{ID, TEMPLATES, WEIGHT, for_people};
use crate::router::ids::Taken;
use crate::router::selection::{self, Selection};
use crate::router::{PREFIXES, ids, parameters, templates};
use crate::treatment::{Prompt, Treatment};

/// A variant and its share.
pub(super) static WEIGHTED: Object = object(
    "WeightedVariant",
    "A variant and its share.",
    &[
        required("variant", Kind::Object(&VARIANT), "What those get who are assigned it."),
        required("weight", WEIGHT, "Its percentage, with at most two decimals."),
    ],
);

static VARIANT: Object = object(
    "Variant",
    "One arm: a model, and what is done to a call of it.",
    &[
        field("variant_id", ID, "Unique in the route; the model's id by itself."),
        field("display_name", Kind::Text, "For people."),
        field("description", Kind::Text, "For people."),
        required("model_id", Kind::Filled(256), "`provider/model`; never a router."),
        field(
            "text_generation_config",
            Kind::Object(&parameters::PARAMETERS),
            "Parameters, over the request's own; in place of those of `defaults`.",
        ),
        field(
            "message_templates",
            TEMPLATES,
            "Prompts before the request's own; in place of those of `defaults`.",
        ),
        field(
            "model_selection",
            Kind::Object(&selection::SELECTION),
            "What stands in for the model, and in which order.",
        ),
    ],
);

/// A variant before its route is known.
#[derive(Clone)]
pub(super) struct Arm {
    pub(super) id: Rc<str>,
    pub(super) model: Rc<str>,
    pub(super) weight: Weight,
    pub(super) selection: Selection,
    pub(super) treatment: Rc<Treatment>,
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
    treatment: Rc<Treatment>,
}

/// Reads the list of a route's variants. Where there is a fault, what comes back is not complete.
pub(super) fn read_all(reader: &mut Reader, found: Found, defaults: &Rc<Treatment>) -> Vec<Arm> {
    let path = found.path.clone();
    let Some(items) = reader.items(found) else { return Vec::new() };
    if items.len() == 0 {
        reader.fault(&path, "a route needs at least one variant");
        return Vec::new();
    }
    let mut parts = Vec::new();
    for item in items {
        let Some(mut fields) = reader.object(item, WEIGHTED.fields) else { continue };
        let share = fields
            .required(reader, "weight", "the variant's percentage, 100 where it is the only one")
            .and_then(|found| weight(reader, found));
        let described = fields
            .required(reader, "variant", "{\"model_id\": \"provider/model\"}")
            .and_then(|found| described(reader, found, defaults))
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
        .filter_map(|Part { share, described, .. }| {
            let Described { given, model, selection, treatment } = described;
            let model = model?;
            let id = given.unwrap_or_else(|| taken.fresh(&model));
            Some(Arm { id, model, weight: share?, selection, treatment })
        })
        .collect()
}

fn described(reader: &mut Reader, found: Found, defaults: &Rc<Treatment>) -> Option<Described> {
    let mut fields = reader.object(found, VARIANT.fields)?;
    for_people(reader, &mut fields);
    let given = fields.take("variant_id").and_then(|found| ids::given(reader, found));
    let path = fields.at("text_generation_config");
    let treatment = treatment(reader, &mut fields, defaults);
    let selection = fields.take("model_selection");
    let write = "\"provider/model\", such as \"openai/gpt-5\"";
    let model = fields
        .required(reader, "model_id", write)
        .and_then(|found| own_model(reader, &found, given.is_none()));
    let selection = selection.map(|found| selection::read(reader, found, model.as_deref()));
    if let Some(model) = &model {
        warn_of_losses(reader, &path, model, &treatment);
    }
    Some(Described { given, model, selection: selection.unwrap_or_default(), treatment })
}

/// Parameters and prompts of a variant, or of `defaults`; each replaces the default whole.
pub(super) fn treatment(reader: &mut Reader, fields: &mut Fields, defaults: &Rc<Treatment>) -> Rc<Treatment> {
    let parameters = fields.take("text_generation_config").map(|found| parameters::read(reader, found));
    let prompts: Option<Rc<[Prompt]>> =
        fields.take("message_templates").map(|found| templates::read(reader, found).into());
    if parameters.is_none() && prompts.is_none() {
        return defaults.clone();
    }
    Rc::new(Treatment {
        parameters: parameters.unwrap_or_else(|| defaults.parameters.clone()),
        prompts: prompts.unwrap_or_else(|| defaults.prompts.clone()),
    })
}

/// What the provider of a model takes in none of its dialects is left out of every call. A downstream of the operator's own may
/// have the name, so it is a warning.
fn warn_of_losses(reader: &mut Reader, path: &str, model: &str, treatment: &Treatment) {
    if treatment.is_plain() {
        return;
    }
    let Some((id, name)) = model.split_once('/') else { return };
    let Some(provider) = builtin(id) else { return };
    let lost = treatment.lost_to(provider.spoken, name, &provider.habits);
    if !lost.is_empty() {
        let message = format!("'{model}' takes no {}; it is called without", lost.join(", "));
        reader.warn(path, message);
    }
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
