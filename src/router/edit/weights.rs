//! `:promote`: one variant's weight set and the others scaled, or all weights at once.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Edited, route_at, stored, written};
use crate::assignment::Weight;
use crate::document::{Place, Spelling, Tree};
use crate::error::{Error, ErrorKind};
use crate::router::ramp::{MOST_NAMED, Progress};
use crate::router::share::{self, shared};
use crate::router::{Choice, Route, Router, Variant, parse};

/// What `:promote` is asked: one variant and its weight, or the weights of all.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PromoteRequest {
    /// The route; may be left out where the router has just one.
    #[serde(default, alias = "routeId")]
    pub route_id: Option<String>,
    /// The variant whose weight is set. The others are scaled, so that all sum to 100.
    #[serde(default, alias = "variantId")]
    pub variant_id: Option<String>,
    /// Its percentage, with at most two decimals; 100 where it is left out.
    #[serde(default)]
    pub weight: Option<f64>,
    /// In place of `variant_id` and `weight`: the percentage of each variant by its id. They sum to 100; a variant that is not
    /// named gets 0.
    #[serde(default)]
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(with = "Option<std::collections::BTreeMap<String, f64>>")
    )]
    pub weights: Option<Map<String, Value>>,
    /// The router's etag; where it is not the newest any more, nothing is changed.
    #[serde(default)]
    pub etag: Option<String>,
}

/// The document with the weights that are asked for. A ramp that is done is folded in: its last weights are where this begins.
///
/// # Errors
/// `InvalidRequest` where the request names no route or variant that there is, or weights that are none or do not sum to 100;
/// `Conflict` while the route's ramp runs.
pub fn promoted(name: &str, current: &[u8], request: &PromoteRequest, now: u64) -> Result<Edited, Error> {
    let router = parse(name, current).map_err(Error::document)?;
    let (position, route) = found(&router, request.route_id.as_deref())?;
    if let Some(ramp) = &route.ramp
        && ramp.progress(now) != Progress::Done
    {
        let message = format!(
            "The ramp of '{}' on route '{}' has not reached its end, and sets the weights. Finish or cancel it first: \
             `:ramp` with {{\"action\": \"finish\"}} or {{\"action\": \"cancel\"}}.",
            ramp.variant, route.id
        );
        return Err(Error { param: Some("route_id".to_owned()), ..Error::new(ErrorKind::Conflict, message) });
    }
    let weights = asked(request, route, route.at(now).variants)?;
    let mut tree = stored(current)?;
    if let Some(tree) = route_at(&mut tree, position) {
        tree.remove("ramp");
        weigh(tree, &route.variants, &weights);
    }
    written(name, Some(current), tree)
}

/// The weights that are asked for, in the document's order.
fn asked(request: &PromoteRequest, route: &Route, variants: &[Variant]) -> Result<Vec<Weight>, Error> {
    match (&request.variant_id, &request.weights) {
        (Some(id), None) => {
            let at = position(route, id, "variant_id")?;
            let weight = match request.weight {
                None => Weight::ALL,
                Some(percent) => weight("weight", percent)?,
            };
            let mut others: Vec<(&str, Weight)> =
                variants.iter().map(|variant| (&*variant.id, variant.weight)).collect();
            others.remove(at);
            let mut weights = shared(Weight::ALL.less(weight), &others).ok_or_else(|| {
                let example: Vec<String> =
                    route.variants.iter().take(MOST_NAMED).map(|variant| format!("\"{}\": …", variant.id)).collect();
                let message = format!(
                    "The other variants all have weight 0, so it does not follow who gets the other {} %. Send the weights of \
                     all instead: {{\"weights\": {{{}}}}}.",
                    share::written(Weight::ALL.less(weight)),
                    example.join(", ")
                );
                Error::invalid("weights", message)
            })?;
            weights.insert(at, weight);
            Ok(weights)
        }
        (None, Some(map)) if request.weight.is_none() => {
            let mut weights = vec![Weight::default(); route.variants.len()];
            for (id, percent) in map {
                let param = format!("weights.{}", crate::nearest::shortened(id));
                let at = position(route, id, &param)?;
                let percent = percent.as_f64().ok_or_else(|| {
                    Error::invalid(
                        &param,
                        format!("`{param}` must be a number: the variant's percentage, without quotes."),
                    )
                })?;
                let weight = weight(&param, percent)?;
                weights.iter_mut().skip(at).take(1).for_each(|place| *place = weight);
            }
            let sum: u32 = weights.iter().map(|weight| u32::from(weight.hundredths())).sum();
            if sum != u32::from(Weight::ALL.hundredths()) {
                let message = format!(
                    "The weights sum to {}, not to 100; a variant that is not named gets 0.",
                    f64::from(sum) / 100.0
                );
                return Err(Error::invalid("weights", message));
            }
            Ok(weights)
        }
        (None, None) => Err(Error::invalid(
            "variant_id",
            "Name the variant: {\"variant_id\": \"…\", \"weight\": 50}, or send `weights`.",
        )),
        _ => Err(Error::invalid(
            "weights",
            "Send either `variant_id` and `weight`, or `weights` of all variants, not both.",
        )),
    }
}

/// A percentage as a weight.
pub(super) fn weight(param: &str, percent: f64) -> Result<Weight, Error> {
    Weight::from_percent(percent).ok_or_else(|| {
        let message = format!("`{param}` must be a number from 0 to 100 with at most two decimals.");
        Error::invalid(param, message)
    })
}

/// The route of that id and its position among [`Router::routes`]; the only one where no id is given.
pub(super) fn found<'r>(router: &'r Router, id: Option<&str>) -> Result<(usize, &'r Route), Error> {
    let mut routes = router.routes().map(|(_, route)| route).enumerate();
    let found = match id {
        Some(id) => routes.find(|(_, route)| &*route.id == id),
        None => routes.next().filter(|_| routes.next().is_none()),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = router.routes().map(|(_, route)| &*route.id).take(MOST_NAMED).collect();
        let known = known.join("', '");
        let message = match id {
            _ if known.is_empty() && matches!(router.choice, Choice::Rule(_)) => {
                "A router with `rule` has no weights: what it chooses is its expression's to say. Change `rule`.".to_owned()
            }
            Some(id) => format!("There is no route '{}'; there are '{known}'.", crate::nearest::shortened(id)),
            None => format!("Name the route by `route_id`: there are '{known}'."),
        };
        Error::invalid("route_id", message)
    })
}

/// Where a variant stands in its route.
pub(super) fn position(route: &Route, id: &str, param: &str) -> Result<usize, Error> {
    route.variants.iter().position(|variant| &*variant.id == id).ok_or_else(|| {
        let known: Vec<&str> = route.variants.iter().map(|variant| &*variant.id).take(MOST_NAMED).collect();
        let id = crate::nearest::shortened(id);
        let message =
            format!("The route '{}' has no variant '{id}'; it has '{}'.", route.id, known.join("', '"));
        Error::invalid(param, message)
    })
}

/// Writes the weights into a route's tree, each where it differs from what stands there.
pub(super) fn weigh(tree: &mut Tree, variants: &[Variant], weights: &[Weight]) {
    let Some(slots) = tree.get_mut("variants") else { return };
    for ((variant, weight), slot) in variants.iter().zip(weights).zip(slots.items_mut()) {
        if variant.weight != *weight {
            slot.set("weight", Spelling::Snake, Place::Last, Tree::Raw(share::written(*weight)));
        }
    }
}
