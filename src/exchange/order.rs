//! In which order the models that may stand in for one another are tried: `provider.order`, then `sort`.
//!
//! In scope: both, as documents and requests write them, and the order that comes of them. Out of scope: which models there are
//! (`plan`), where figures come from ([`super::figures`], prices). What is asked for and not known keeps the order that was
//! written, and is noted: an order that was made up would look like one that was measured.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::document::{Found, Json, Kind, Object, Reader, field, object, required};

/// What models are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// What a call costs.
    Price,
    /// How long the first token takes.
    Latency,
    /// How many tokens come in a second.
    Throughput,
    /// What nothing here measures.
    Other(String),
}

/// One thing to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// What.
    pub metric: Metric,
    /// The largest first.
    pub descending: bool,
}

/// What is preferred among models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// `provider.order`: providers, or `provider/model`, those to be tried first.
    pub providers: Vec<String>,
    /// `sort`: what decides among those that are equal by all before.
    pub sort: Vec<Criterion>,
}

/// What is known of a target by a metric; `None` where nothing is.
pub type Measure<'a> = &'a dyn Fn(&Metric, &str) -> Option<f64>;

/// A target, the rank of its provider, and its figures.
type Ranked = (usize, Vec<Option<f64>>, Rc<str>);

/// The most things to sort by, and providers to prefer.
const MOST: usize = 32;
/// What a note quotes of a name that is not known.
const SHOWN: usize = 64;

impl Metric {
    /// The metric of a word: `price`, or `SORT_METRIC_PRICE`.
    fn named(word: &str) -> Metric {
        let word = word.to_ascii_lowercase();
        match word.strip_prefix("sort_metric_").unwrap_or(&word) {
            "price" | "cost" => Metric::Price,
            "latency" | "ttft" => Metric::Latency,
            "throughput" => Metric::Throughput,
            other => Metric::Other(other.chars().take(SHOWN).collect()),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Metric::Price => "price",
            Metric::Latency => "latency",
            Metric::Throughput => "throughput",
            Metric::Other(name) => name,
        }
    }

    /// Whether more of it is better.
    fn is_better_more(&self) -> bool {
        match self {
            Metric::Price | Metric::Latency => false,
            Metric::Throughput | Metric::Other(_) => true,
        }
    }
}

impl Preference {
    /// What a request prefers, and where it says nothing, what the variant does.
    pub fn over(&self, variant: &Preference) -> Preference {
        let providers = if self.providers.is_empty() { &variant.providers } else { &self.providers };
        let sort = if self.sort.is_empty() { &variant.sort } else { &self.sort };
        Preference { providers: providers.clone(), sort: sort.clone() }
    }

    /// Arranges targets: those of the providers first, each group sorted; what is equal, or unknown, in the order as it was.
    /// Gives notes on what nothing is known of.
    pub fn arrange(&self, targets: &mut [Rc<str>], measure: Measure<'_>) -> Vec<String> {
        if targets.len() < 2 {
            return Vec::new();
        }
        let mut notes = Vec::new();
        let ranked: Vec<Ranked> = targets
            .iter()
            .map(|target| {
                let figures = self.sort.iter().map(|criterion| measure(&criterion.metric, target));
                (self.rank(target), figures.collect(), target.clone())
            })
            .collect();
        for (at, criterion) in self.sort.iter().enumerate() {
            let is_known = ranked.iter().any(|(_, figures, _)| figures.get(at).copied().flatten().is_some());
            if !is_known {
                let name = criterion.metric.as_str();
                notes.push(format!("not sorted by {name}, of which nothing is known yet"));
            }
        }
        // Stable, and for a few dozen targets at most: each goes before those that it is better than.
        let mut arranged: Vec<Ranked> = Vec::with_capacity(ranked.len());
        for target in ranked {
            let is_worse = |other: &Ranked| self.compare(&target, other).is_lt();
            let at = arranged.iter().position(is_worse).unwrap_or(arranged.len());
            arranged.insert(at, target);
        }
        for (place, (_, _, target)) in targets.iter_mut().zip(arranged) {
            *place = target;
        }
        notes
    }

    fn compare(&self, one: &Ranked, other: &Ranked) -> Ordering {
        let ((rank, figures, _), (other_rank, others, _)) = (one, other);
        let by_figures = self.sort.iter().zip(figures.iter().zip(others));
        let by_figures = by_figures.map(|(criterion, (figure, other))| criterion.compare(*figure, *other));
        by_figures.fold(rank.cmp(other_rank), Ordering::then)
    }

    /// The place of a target's provider, after the last where it has none.
    fn rank(&self, target: &str) -> usize {
        let provider = target.split_once('/').map_or(target, |(provider, _)| provider);
        let is = |entry: &String| entry == target || entry.eq_ignore_ascii_case(provider);
        self.providers.iter().position(is).unwrap_or(self.providers.len())
    }
}

impl Criterion {
    /// What is unknown comes last, in either direction.
    fn compare(&self, one: Option<f64>, other: Option<f64>) -> Ordering {
        match (one, other) {
            (Some(one), Some(other)) if self.descending => other.total_cmp(&one),
            (Some(one), Some(other)) => one.total_cmp(&other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
}

/// A `sort`: one criterion, or several of which the first that differs decides.
pub(crate) const SORT: Kind = Kind::Either(&[
    METRIC,
    Kind::Object(&CRITERION),
    Kind::Few(&Kind::Either(&[METRIC, Kind::Object(&CRITERION)]), 0, MOST),
]);

/// Metrics that are not known are read over, with a word of it.
const METRIC: Kind = Kind::Text;

static CRITERION: Object = object(
    "SortCriterion",
    "By what models are put in order, and which end comes first.",
    &[
        required("metric", METRIC, "`price`, `latency` or `throughput`; also as `SORT_METRIC_PRICE`."),
        field(
            "direction",
            Kind::Text,
            "`ascending` or `descending`, also as `SORT_DIRECTION_ASCENDING`; the best first by itself.",
        ),
    ],
);

/// A `provider`, of which `order` alone is read.
pub(crate) static PROVIDER: Object = object(
    "ProviderPreference",
    "Which providers go first.",
    &[field(
        "order",
        Kind::Few(&Kind::Pattern("^\\S{1,256}$"), 0, MOST),
        "Providers, or `provider/model`s, in that order before all others.",
    )],
);

/// Reads a `sort`: `["price", "latency"]`, or `[{"metric": "SORT_METRIC_PRICE", "direction": "SORT_DIRECTION_ASCENDING"}]`, or one
/// of either alone.
pub(crate) fn sort(reader: &mut Reader, found: Found) -> Vec<Criterion> {
    let items = match found.value {
        Json::Array(_) => listed(reader, found),
        Json::Text(_) | Json::Object(_) => vec![found],
        _ => {
            reader.wrong_type(&found, "an array of metrics, such as [\"price\", \"latency\"]");
            Vec::new()
        }
    };
    items.into_iter().filter_map(|item| criterion(reader, item)).collect()
}

/// Reads the `order` of a `provider`; what else that may hold is another router's.
pub(crate) fn providers(reader: &mut Reader, found: Found) -> Vec<String> {
    let Some(mut fields) = reader.object(found, PROVIDER.fields) else { return Vec::new() };
    let Some(order) = fields.take("order") else { return Vec::new() };
    let mut providers = Vec::new();
    for item in listed(reader, order) {
        let Some(entry) = reader.text(&item) else { continue };
        if entry.is_empty() || entry.len() > 256 || entry.contains(char::is_whitespace) {
            reader.fault(&item.path, "must be a provider, such as \"openai\", or \"provider/model\"");
            continue;
        }
        providers.push(entry.to_owned());
    }
    providers
}

fn listed(reader: &mut Reader, found: Found) -> Vec<Found> {
    let path = found.path.clone();
    let Some(items) = reader.items(found) else { return Vec::new() };
    if items.len() > MOST {
        reader.fault(path, format!("has {} entries; {MOST} are the most", items.len()));
        return Vec::new();
    }
    items.collect()
}

fn criterion(reader: &mut Reader, found: Found) -> Option<Criterion> {
    if let Json::Text(word) = &found.value {
        return Some(known(reader, &found.path, word));
    }
    let path = found.path.clone();
    let mut fields = reader.object(found, CRITERION.fields)?;
    let metric = fields.required(reader, "metric", "\"price\" or \"latency\"")?;
    let word = reader_text(reader, &metric)?;
    let criterion = known(reader, &path, &word);
    let Some(direction) = fields.take("direction") else { return Some(criterion) };
    let word = reader_text(reader, &direction)?.to_ascii_lowercase();
    let descending = match word.strip_prefix("sort_direction_").unwrap_or(&word) {
        "ascending" | "asc" => false,
        "descending" | "desc" => true,
        "unspecified" => criterion.descending,
        _ => {
            reader.fault(&direction.path, "is no direction; write \"ascending\" or \"descending\"");
            return None;
        }
    };
    Some(Criterion { descending, ..criterion })
}

fn reader_text(reader: &mut Reader, found: &Found) -> Option<String> {
    reader.text(found).map(str::to_owned)
}

/// The best first.
fn known(reader: &mut Reader, path: &str, word: &str) -> Criterion {
    let metric = Metric::named(word);
    if matches!(metric, Metric::Other(_)) {
        let message = "is no metric that is measured here, and changes nothing; there are price, latency and throughput";
        reader.warn(path, message);
    }
    Criterion { descending: metric.is_better_more(), metric }
}
