//! Ramps: weights of a route that change at given moments.
//!
//! In scope: reading `ramp`, and the weights that it gives at a moment, a pure function that needs no cron. Out of scope: starting,
//! pausing and ending one (`edit`), and guardrails, which are not served yet.
//!
//! Before the first step the variants have their own weights. From a step on the ramped variant has the step's weight, and the
//! others share the rest in proportion to their own. A ramp that is paused stands still at `paused_at`.

use std::rc::Rc;

use crate::assignment::Weight;
use crate::document::{Found, Json, Kind, Object, Reader, field, misplaced, object, required};
use crate::moment;
use crate::router::document::{ID, WEIGHT};
use crate::router::share::shared;
use crate::router::variant::{self, Arm};
use crate::router::{Epoch, Variant, ids};

/// The most steps of a ramp.
pub const MOST_STEPS: usize = 32;

/// The most weights that all ramps of a router may come to: each step of each has one a variant, 100 bytes or so in memory.
pub(super) const MOST_WEIGHTS: usize = 20_000;

/// A ramp of a route.
#[derive(Debug)]
pub struct Ramp {
    /// The variant that is ramped.
    pub variant: Rc<str>,
    /// At least one; their moments strictly increase.
    pub steps: Vec<Step>,
    /// When it was paused, in milliseconds since 1970, where it is.
    pub paused_at: Option<u64>,
}

/// A step, and the route from then on.
#[derive(Debug)]
pub struct Step {
    /// From when on, in milliseconds since 1970.
    pub at: u64,
    /// The ramped variant's weight.
    pub weight: Weight,
    /// The route's variants with the weights of this step, in the document's order.
    pub variants: Vec<Variant>,
    /// Of these weights.
    pub epoch: Epoch,
}

/// How far a ramp is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on by itself.
    Running,
    /// It stands still until it is resumed.
    Paused,
    /// Its last step is reached: nothing more happens.
    Done,
}

impl Ramp {
    /// The step that holds at `now`; `None` before the first.
    pub fn step_at(&self, now: u64) -> Option<&Step> {
        let now = self.clock(now);
        self.steps.iter().take_while(|step| step.at <= now).last()
    }

    /// The step that comes after `now`, if the ramp is not paused till then.
    pub fn next_after(&self, now: u64) -> Option<&Step> {
        let now = self.clock(now);
        self.steps.iter().find(|step| step.at > now)
    }

    /// How far it is at `now`.
    pub fn progress(&self, now: u64) -> Progress {
        match (self.next_after(now), self.paused_at) {
            (None, _) => Progress::Done,
            (Some(_), Some(_)) => Progress::Paused,
            (Some(_), None) => Progress::Running,
        }
    }

    fn clock(&self, now: u64) -> u64 {
        self.paused_at.map_or(now, |paused_at| paused_at.min(now))
    }
}

/// A ramp as written, before its route's variants are known.
pub(super) struct Draft {
    path: String,
    variant: Option<(String, Rc<str>)>,
    steps: Vec<(u64, Weight)>,
    paused_at: Option<u64>,
}

/// A `ramp`.
pub(super) static RAMP: Object = object(
    "Ramp",
    "Weights that change by themselves: before the first step the variants' own, from each step on its own.",
    &[
        required(
            "variant_id",
            ID,
            "The variant that is ramped; the others share the rest by their own weights.",
        ),
        required("steps", Kind::Few(&Kind::Object(&STEP), 1, MOST_STEPS), "In order of time."),
        field("state", Kind::Word(&["running", "paused"]), "`running` by itself."),
        field("paused_at", MOMENT, "Since when it is paused."),
        misplaced("guardrails"),
    ],
);

static STEP: Object = object(
    "RampStep",
    "A weight, and since when it holds.",
    &[
        required("at", MOMENT, "When it begins."),
        required("weight", WEIGHT, "The ramped variant's percentage from then on."),
    ],
);

const MOMENT: Kind = Kind::Either(&[Kind::Moment, Kind::Number(0.0, 99_999_999_999.0)]);

/// Reads a `ramp`.
pub(super) fn read(reader: &mut Reader, found: Found) -> Option<Draft> {
    let path = found.path.clone();
    let mut fields = reader.object(found, RAMP.fields)?;
    if let Some(found) = fields.take("guardrails") {
        reader.fault(
            found.path,
            "guardrails are not served by this version, and a ramp that left them out would go on where you \
             want it to stop; remove the field",
        );
    }
    let paused_at = fields.take("paused_at");
    let paused = match fields.take("state") {
        None => Some(false),
        Some(found) => is_paused(reader, &found),
    };
    let paused_at = match (paused, paused_at) {
        (Some(true), Some(found)) => Some(moment(reader, &found)?),
        (Some(true), None) => {
            reader.fault(
                fields.at("paused_at"),
                "is missing; write since when the ramp is paused, as \"2026-12-01T09:00:00Z\"",
            );
            None
        }
        (Some(false), Some(found)) => {
            reader.fault(
                found.path,
                "belongs to a ramp that is paused; set `state` to \"paused\", or remove it",
            );
            None
        }
        _ => None,
    };
    let variant =
        fields.required(reader, "variant_id", "the id of the variant that is ramped").and_then(|found| {
            let id = ids::given(reader, Found { path: found.path.clone(), value: found.value })?;
            Some((found.path, id))
        });
    let write = "[{\"at\": \"2026-12-01T09:00:00Z\", \"weight\": 5}]";
    let steps = fields.required(reader, "steps", write).map(|found| steps(reader, found)).unwrap_or_default();
    Some(Draft { path, variant, steps, paused_at })
}

fn is_paused(reader: &mut Reader, found: &Found) -> Option<bool> {
    match reader.text(found)? {
        "running" => Some(false),
        "paused" => Some(true),
        other => {
            let message = format!(
                "'{}' is no state; write \"running\" or \"paused\"",
                crate::nearest::shortened(other)
            );
            reader.fault(&found.path, message);
            None
        }
    }
}

/// Steps that are in order. Where there is a fault, what comes back is not complete.
fn steps(reader: &mut Reader, found: Found) -> Vec<(u64, Weight)> {
    let path = found.path.clone();
    let Some(items) = reader.items(found) else { return Vec::new() };
    if items.len() == 0 {
        reader.fault(&path, "a ramp needs at least one step");
    }
    if items.len() > MOST_STEPS {
        reader.fault(&path, format!("has {} steps; {MOST_STEPS} are the most", items.len()));
        return Vec::new();
    }
    let mut steps: Vec<(u64, Weight)> = Vec::new();
    for item in items {
        let Some(mut fields) = reader.object(item, STEP.fields) else { continue };
        let path = fields.at("at");
        let at = fields
            .required(reader, "at", "when the step begins, as \"2026-12-01T09:00:00Z\"")
            .and_then(|found| moment(reader, &found));
        let weight = fields
            .required(reader, "weight", "the percentage of the ramped variant from then on")
            .and_then(|found| variant::weight(reader, found));
        let Some((at, weight)) = at.zip(weight) else { continue };
        if steps.last().is_some_and(|(before, _)| *before >= at) {
            reader.fault(path, "is not after the step before it; write the steps in order of time");
        }
        steps.push((at, weight));
    }
    steps
}

/// The largest number of seconds that is one: in the year 5138. Whoever writes more means milliseconds.
const MOST_SECONDS: f64 = 1e11;

/// A moment in RFC 3339 or in Unix seconds, as milliseconds.
fn moment(reader: &mut Reader, found: &Found) -> Option<u64> {
    let fault = match &found.value {
        Json::Text(text) => match moment::parse(text) {
            Some(moment) => return Some(moment),
            None => "is no time; write it with its zone, as \"2026-12-01T09:00:00Z\"".to_owned(),
        },
        Json::Number(seconds) if (0.0..MOST_SECONDS).contains(seconds) => {
            return Some(milliseconds(*seconds));
        }
        Json::Number(seconds) if *seconds >= MOST_SECONDS => {
            "is no time in Unix seconds; are these milliseconds? Write them without the last three digits"
                .to_owned()
        }
        Json::Number(_) => "is before 1970".to_owned(),
        other => {
            format!("must be a time such as \"2026-12-01T09:00:00Z\" or Unix seconds, not {}", other.kind())
        }
    };
    reader.fault(&found.path, fault);
    None
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10^14")]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

/// The weights of a route's variants in each step, in the document's order.
pub(super) struct Schedule {
    pub(super) variant: Rc<str>,
    pub(super) steps: Vec<(u64, Weight, Vec<Weight>)>,
    pub(super) paused_at: Option<u64>,
}

/// The ramp of these arms, or a fault that says why they have none.
pub(super) fn scheduled(reader: &mut Reader, draft: Draft, arms: &[Arm]) -> Option<Schedule> {
    let (path, variant) = draft.variant?;
    let Some(position) = arms.iter().position(|arm| arm.id == variant) else {
        // Where the variants have faults themselves, this one says nothing new.
        if !arms.is_empty() {
            let known: Vec<&str> = arms.iter().map(|arm| &*arm.id).take(MOST_NAMED).collect();
            reader.fault(
                path,
                format!("the route has no variant '{variant}'; it has '{}'", known.join("', '")),
            );
        }
        return None;
    };
    let others: Vec<(&str, Weight)> =
        arms.iter().filter(|arm| arm.id != variant).map(|arm| (&*arm.id, arm.weight)).collect();
    let mut steps = Vec::with_capacity(draft.steps.len());
    for (at, weight) in draft.steps {
        let rest = Weight::ALL.less(weight);
        let Some(mut weights) = shared(rest, &others) else {
            let message = format!(
                "the weights of the other variants are all 0, so that nobody can have the rest of a step; give '{variant}' less than 100"
            );
            reader.fault(draft.path, message);
            return None;
        };
        weights.insert(position, weight);
        steps.push((at, weight, weights));
    }
    Some(Schedule { variant, steps, paused_at: draft.paused_at })
}

/// How many known ids a message names.
pub(super) const MOST_NAMED: usize = 12;
