//! Rules as they stand in the document: read strictly, with a fault for what can match nothing.
//!
//! In scope: the fields, and what contradicts itself, its downstreams or a rule before it. Out of scope: what a rule does to a
//! call ([`super::routing`]), the steps' own configuration (`plugin`). Documented fields: `id, name, pattern_path` (exact, or
//! `*`), `pattern_model` or `pattern_models[]`, `match_format[]`, `match_downstream_format[]`, `match_downstreams[]`,
//! `pipeline_config[{plugin_id, config}]`, `is_enabled`. OR within a list, AND across lists, an empty list is any.

use std::collections::BTreeMap;

use super::document::FORMAT;
use super::{Downstream, formats};
use crate::dialect::Dialect;
use crate::document::{Fields, Found, Json, Kind, Object, Reader, field, object, required, typo_of};
use crate::endpoint::Endpoint;
use crate::plugin::{self, Step};
use crate::router;

/// A rule of the document.
pub(crate) static RULE: Object = object(
    "Rule",
    "A pattern on path and model that picks downstreams and adds steps. Within a list any will do, across lists all must; an empty \
     list is any.",
    &[
        required("id", Kind::Pattern("^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"), "Unique among rules."),
        field("name", Kind::Text, "For people."),
        required(
            "pattern_path",
            Kind::Text,
            "A path of model calls, such as `/v1/chat/completions`, or `*`.",
        ),
        field("pattern_model", Kind::Text, "A model, as callers write it."),
        field("pattern_models", Kind::List(&Kind::Text), "Several."),
        field("match_format", Kind::List(&FORMAT), "Dialects of callers."),
        field("match_downstream_format", Kind::List(&FORMAT), "Dialects of which a downstream speaks one."),
        field(
            "match_downstreams",
            Kind::List(&Kind::Text),
            "Ids of downstreams, in the order in which they are called.",
        ),
        field(
            "pipeline_config",
            Kind::Few(&Kind::Object(&plugin::STEP), 0, MOST_STEPS),
            "What is done to a call, in order.",
        ),
        field("is_enabled", Kind::Boolean, "Whether it does anything; true by itself."),
    ],
);

/// Any model of Gemini's and either method: its calls have the model in their path.
const GEMINI_PATHS: &str = "/v1beta/models/*";
const GEMINI_PREFIX: &str = "/v1beta/models/";
/// Who counts tokens asks at a path below the one that answers.
const COUNTING: &str = "/count_tokens";

/// A pattern on path and model that picks a downstream and adds steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique among rules.
    pub id: String,
    /// For people.
    pub name: String,
    /// Which paths.
    pub path: PathPattern,
    /// Which models; empty for any.
    pub models: Vec<String>,
    /// Which dialects of a caller; empty for any.
    pub formats: Vec<Dialect>,
    /// Of which a downstream speaks one; empty for any.
    pub downstream_formats: Vec<Dialect>,
    /// Which downstreams, in the order in which they are called; empty for any.
    pub downstreams: Vec<String>,
    /// What is done to a call.
    pub steps: Vec<Step>,
    /// A rule that is not changes nothing.
    pub is_enabled: bool,
}

/// Which paths a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// `*`
    Any,
    /// This one, and the one below it that counts tokens.
    Exact(String),
    /// `/v1beta/models/*`
    Gemini,
}

impl Rule {
    /// Path and model, then `*` and model, then path, then `*`: the smaller comes first.
    pub(super) fn specificity(&self) -> (bool, bool) {
        (self.models.is_empty(), self.path == PathPattern::Any)
    }

    /// Whether it takes a path and a caller's dialect. `path` is as it stands in the URL.
    pub(super) fn is_for(&self, path: &str, dialect: Dialect) -> bool {
        self.is_enabled
            && self.path.takes(path)
            && (self.formats.is_empty() || self.formats.contains(&dialect))
    }

    /// Whether its filters take a downstream.
    pub(super) fn takes(&self, downstream: &Downstream) -> bool {
        (self.downstreams.is_empty() || self.downstreams.contains(&downstream.id))
            && (self.downstream_formats.is_empty()
                || self.downstream_formats.iter().any(|format| downstream.speaks(*format)))
    }
}

impl PathPattern {
    fn takes(&self, path: &str) -> bool {
        let path = path.strip_suffix('/').unwrap_or(path);
        match self {
            PathPattern::Any => true,
            PathPattern::Exact(exact) => {
                path.strip_prefix(exact.as_str()).is_some_and(|rest| rest.is_empty() || rest == COUNTING)
            }
            PathPattern::Gemini => path.starts_with(GEMINI_PREFIX),
        }
    }

    /// The dialect that is spoken there; `None` where it is any.
    fn dialect(&self) -> Option<Dialect> {
        match self {
            PathPattern::Any => None,
            PathPattern::Exact(path) => Some(Endpoint::dialect_of(path)),
            PathPattern::Gemini => Some(Dialect::Gemini),
        }
    }

    fn covers(&self, other: &PathPattern) -> bool {
        match other {
            PathPattern::Exact(path) => self.takes(path),
            _ => *self == PathPattern::Any || self == other,
        }
    }
}

/// A rule, and where its fields stand, for what is said of them once all are read.
struct Placed {
    rule: Rule,
    path: String,
    translators: Vec<(Dialect, Dialect, String)>,
}

/// The downstreams of which a rule may speak.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// All that there are.
    pub(super) downstreams: &'a BTreeMap<String, Downstream>,
    /// The ids of the document's, those with faults of their own included.
    pub(super) ids: &'a BTreeMap<String, usize>,
}

/// The rules of a document by falling specificity, then in its order.
pub(super) fn read(reader: &mut Reader, found: Option<Found>, known: Known<'_>) -> Vec<Rule> {
    let items = found.and_then(|found| bounded(reader, found, MOST_RULES));
    let mut placed: Vec<Placed> = Vec::new();
    let mut places = BTreeMap::new();
    for (place, item) in items.into_iter().flatten().enumerate() {
        let path = item.path.clone();
        let Some(fields) = reader.object(item, RULE.fields) else { continue };
        if let Some((rule, translators)) = rule(reader, fields, (place, &mut places), known) {
            placed.push(Placed { rule, path, translators });
        }
    }
    placed.sort_by_key(|placed| placed.rule.specificity());
    // Rules that pick a downstream by a model, as far as they come before the one that is looked at.
    let mut picking: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for one in &placed {
        warn(reader, one, &picking, known);
        if one.rule.is_enabled && !one.rule.downstreams.is_empty() {
            for model in &one.rule.models {
                picking.entry(model).or_default().push(&one.rule);
            }
        }
    }
    placed.into_iter().map(|placed| placed.rule).collect()
}

/// The most rules, and the most entries of a rule's list: every call looks through them, and nobody reads more.
const MOST_RULES: usize = 256;
const MOST_ENTRIES: usize = 256;

/// The items of a list that is not too long.
fn bounded(
    reader: &mut Reader,
    found: Found,
    most: usize,
) -> Option<impl ExactSizeIterator<Item = Found> + use<>> {
    let path = found.path.clone();
    let items = reader.items(found)?;
    if items.len() > most {
        reader.fault(path, format!("has {} entries; {most} are the most", items.len()));
        return None;
    }
    Some(items)
}

type Translators = Vec<(Dialect, Dialect, String)>;

fn rule(
    reader: &mut Reader,
    mut fields: Fields,
    (place, places): (usize, &mut BTreeMap<String, usize>),
    known: Known<'_>,
) -> Option<(Rule, Translators)> {
    let id = fields
        .required(reader, "id", "a name that no other rule has")
        .and_then(|found| unique_id(reader, &found, place, places));
    let name = fields.take("name").and_then(|found| reader.text(&found).map(str::to_owned));
    let path = fields
        .required(reader, "pattern_path", "a path, as /v1/chat/completions, or \"*\" for all")
        .and_then(|found| path_pattern(reader, &found));
    let models = models(reader, &mut fields);
    let formats = dialects(reader, &mut fields, "match_format");
    let downstream_formats = dialects(reader, &mut fields, "match_downstream_format");
    let downstreams = downstreams(reader, &mut fields, known);
    let (steps, translators) = steps(reader, &mut fields);
    let is_enabled = fields.take("is_enabled").and_then(|found| reader.boolean(&found)).unwrap_or(true);

    if let Some(spoken) = path.as_ref().and_then(PathPattern::dialect)
        && !formats.is_empty()
        && !formats.contains(&spoken)
    {
        let message = format!("excludes every call: what is asked at that path is `{}`", spoken.as_str());
        reader.fault(fields.at("match_format"), message);
    }
    let speaks_one = |id: &String| {
        // One with faults of its own is not held against its rules.
        let downstream = known.downstreams.get(id);
        downstream.is_none_or(|known| downstream_formats.iter().any(|format| known.speaks(*format)))
    };
    if !downstreams.is_empty() && !downstream_formats.is_empty() && !downstreams.iter().any(speaks_one) {
        let message = format!("excludes every downstream: {} speaks none of these", downstreams.join(", "));
        reader.fault(fields.at("match_downstream_format"), message);
    }
    let id = id?;
    let name = name.unwrap_or_else(|| id.clone());
    let rule =
        Rule { path: path?, id, name, models, formats, downstream_formats, downstreams, steps, is_enabled };
    Some((rule, translators))
}

fn unique_id(
    reader: &mut Reader,
    found: &Found,
    place: usize,
    places: &mut BTreeMap<String, usize>,
) -> Option<String> {
    let id = reader.text(found)?;
    let well_formed = (1..=96).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !well_formed {
        let message =
            "must be 1 to 96 of letters, digits, `.`, `_` and `-`, and begin with a letter or digit";
        reader.fault(&found.path, message);
        return None;
    }
    if let Some(first) = places.get(id) {
        reader.fault(&found.path, format!("is also the id of rules[{first}]; ids are unique"));
        return None;
    }
    places.insert(id.to_owned(), place);
    Some(id.to_owned())
}

fn path_pattern(reader: &mut Reader, found: &Found) -> Option<PathPattern> {
    let text = reader.text(found)?;
    if text == "*" {
        return Some(PathPattern::Any);
    }
    if text == GEMINI_PATHS {
        return Some(PathPattern::Gemini);
    }
    let path = text.strip_suffix('/').unwrap_or(text);
    if !path.contains('*') && matches!(Endpoint::parse("POST", path, ""), Ok(Endpoint::Call(_))) {
        return Some(PathPattern::Exact(path.to_owned()));
    }
    reader.fault(
        &found.path,
        "is the path of no model call; write \"*\", /v1/chat/completions, /v1/messages, /v1/responses or \
         /v1beta/models/*",
    );
    None
}

/// `pattern_model` and `pattern_models`, which mean the same.
fn models(reader: &mut Reader, fields: &mut Fields) -> Vec<String> {
    // An empty one is any model, as an empty list is.
    let one = fields.take("pattern_model").filter(|found| found.value != Json::Text(String::new()));
    let list = fields.take("pattern_models").and_then(|found| bounded(reader, found, MOST_ENTRIES));
    let mut models: Vec<String> = Vec::new();
    for found in one.into_iter().chain(list.into_iter().flatten()) {
        let Some(model) = reader.text(&found) else { continue };
        if model.is_empty() || model.len() > 256 || model.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            reader
                .fault(&found.path, "must be 1 to 256 bytes without white space, as callers write the model");
        } else if model.contains('*') {
            reader.fault(&found.path, "names models one by one, without `*`; leave it out for every model");
        } else if router::named_by(model).is_some() {
            reader.fault(&found.path, "names a router, which no rule takes; name a model");
        } else if models.iter().any(|other| other == model) {
            reader.fault(&found.path, "is listed twice");
        } else {
            models.push(model.to_owned());
        }
    }
    models
}

fn dialects(reader: &mut Reader, fields: &mut Fields, field: &str) -> Vec<Dialect> {
    let items = fields.take(field).and_then(|found| reader.items(found));
    let mut dialects = Vec::new();
    for found in items.into_iter().flatten() {
        let dialect = formats::format(reader, &found);
        dialects.extend(dialect.filter(|dialect| !dialects.contains(dialect)));
    }
    dialects
}

fn downstreams(reader: &mut Reader, fields: &mut Fields, known: Known<'_>) -> Vec<String> {
    let items = fields.take("match_downstreams").and_then(|found| bounded(reader, found, MOST_ENTRIES));
    let mut ids: Vec<String> = Vec::new();
    for found in items.into_iter().flatten() {
        let Some(id) = reader.text(&found) else { continue };
        if !known.downstreams.contains_key(id) && !known.ids.contains_key(id) {
            let names: Vec<&str> =
                known.downstreams.keys().chain(known.ids.keys()).map(String::as_str).collect();
            // To measure the distance to thousands of names takes longer than to read the document.
            let near = if names.len() <= MOST_ENTRIES { typo_of(id, &names) } else { None };
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it to `downstreams` first".to_owned(),
            };
            reader.fault(&found.path, format!("is no downstream; {hint}"));
        } else if ids.iter().any(|other| other == id) {
            reader.fault(&found.path, "is listed twice");
        } else {
            ids.push(id.to_owned());
        }
    }
    ids
}

fn steps(reader: &mut Reader, fields: &mut Fields) -> (Vec<Step>, Translators) {
    let found = fields.take("pipeline_config");
    let Some(items) = found.and_then(|found| bounded(reader, found, MOST_STEPS)) else {
        return Default::default();
    };
    let (mut steps, mut translators) = (Vec::new(), Vec::new());
    for item in items {
        let Some((step, path)) = plugin::read_step(reader, item) else { continue };
        if let Step::Translate(from, to) = step {
            translators.push((from, to, path));
        }
        steps.push(step);
    }
    (steps, translators)
}

/// The most steps of a rule.
const MOST_STEPS: usize = 32;

/// Says what a rule does not do; `picking` are the rules before it that pick a downstream, by model.
fn warn(reader: &mut Reader, one: &Placed, picking: &BTreeMap<&str, Vec<&Rule>>, known: Known<'_>) {
    let Placed { rule, path, translators } = one;
    if !rule.is_enabled {
        return;
    }
    let narrows = !rule.models.is_empty() && !rule.downstream_formats.is_empty();
    if rule.steps.is_empty() && rule.downstreams.is_empty() && !narrows {
        reader.warn(path, "picks no downstream and has no steps, so it does nothing");
    }
    let is_shadowed = |model: &String| {
        let before = picking.get(model.as_str()).into_iter().flatten();
        let mut before = before.filter(|other| {
            other.path.covers(&rule.path)
                && (other.formats.is_empty()
                    || !rule.formats.is_empty()
                        && rule.formats.iter().all(|format| other.formats.contains(format)))
        });
        before.next()
    };
    if !rule.downstreams.is_empty()
        && let Some(first) = rule.models.first().and_then(is_shadowed)
        && rule.models.iter().all(|model| is_shadowed(model).is_some())
    {
        let message =
            format!("comes after rule `{}`, which picks the downstream of the same calls", first.id);
        reader.warn(path, message);
    }
    // Most rules have none, and there may be thousands of downstreams.
    if translators.is_empty() {
        return;
    }
    let callers: Vec<Dialect> = match rule.path.dialect() {
        Some(dialect) => vec![dialect],
        None if rule.formats.is_empty() => Dialect::ALL.to_vec(),
        None => rule.formats.clone(),
    };
    let candidates: Vec<&Downstream> =
        known.downstreams.values().filter(|downstream| rule.takes(downstream)).collect();
    for (from, to, path) in translators {
        let applies = |downstream: &&Downstream| {
            callers.contains(from) && downstream.speaks(*to)
                || callers.contains(to) && downstream.dialect_for(*to) == *from
        };
        if !candidates.iter().any(applies) {
            let message = format!(
                "does nothing: no call that the rule takes goes between `{}` and `{}`",
                from.as_str(),
                to.as_str()
            );
            reader.warn(path, message);
        }
    }
}
