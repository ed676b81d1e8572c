//! What happened in one call, as one Analytics Engine data point (law 5).
//!
//! In scope: the columns and their order, the size limits, and the text of the attempts (also a response header).
//! Out of scope: measuring (the caller hands in times and usage), prices, and writing the point.
//! A record is written for every call and holds no raw user id, prompt, completion or metadata (law 7).

use sha2::{Digest, Sha256};

use crate::dialect::Dialect;
use crate::usage::Usage;

/// The blob columns: `BLOBS[0]` is Analytics Engine's `blob1`. Stored points are read by position for three months, so a
/// column never moves; a change of meaning takes another [`SCHEMA_VERSION`].
pub const BLOBS: [&str; 20] = [
    "router",
    "revision",
    "route",
    "variant",
    "provider",
    "model",
    "dialect_in",
    "dialect_out",
    "outcome",
    "status",
    "error_kind",
    "country",
    "colo",
    "unit_hash",
    "unit_kind",
    "request_id",
    "epoch",
    "attempts",
    "key_id",
    "schema_version",
];

/// The double columns: `DOUBLES[0]` is Analytics Engine's `double1`. A column `x` with an `x_known` beside it is 0 where
/// `x_known` is 0, and then says nothing: means are taken over the points where the flag is 1.
pub const DOUBLES: [&str; 20] = [
    "latency_ms",
    "ttft_ms",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "attempts",
    "overhead_ms",
    "ttft_known",
    "input_known",
    "cache_read_known",
    "cache_write_known",
    "output_known",
    "reasoning_known",
    "cost_known",
    "streamed",
    "is_error",
    "reserved",
];

/// The last blob of every point: what the columns mean.
pub const SCHEMA_VERSION: &str = "1";

/// Analytics Engine's limit for the index. A point over a limit is dropped without an error, so the limits are kept here.
pub const INDEX_MAX_BYTES: usize = 96;

/// Analytics Engine's limit for all blobs of a point together: 16 KB, read as the smaller of its two meanings.
pub const BLOBS_MAX_BYTES: usize = 16_000;

/// The bound of every blob but the attempts; ids, names and hashes that validate are far below it.
pub const BLOB_MAX_BYTES: usize = 512;

/// The bound of [`attempts_text`].
pub const ATTEMPTS_MAX_BYTES: usize = 1024;

// 19 × 512 + 1024 = 10,752 bytes: whatever the strings, the blobs fit.
const _: () = assert!((BLOBS.len() - 1) * BLOB_MAX_BYTES + ATTEMPTS_MAX_BYTES <= BLOBS_MAX_BYTES);

/// How a call, or one attempt of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Answered, to the end.
    Ok,
    /// Answered with an error status, which was passed on.
    UpstreamError,
    /// An error inside a stream (or body) whose status was 200.
    InBandError,
    /// The stream broke after it had begun.
    Cut,
    /// The caller went away. No error of the variant.
    ClientCancelled,
    /// No answer: no connection, or no HTTP.
    Unreachable,
    /// No answer, or nothing meaningful of one, within its time.
    Timeout,
    /// An answer that says nothing, where the route takes that for a failure.
    Empty,
    /// Refused by us after a decision: missing credentials, for one.
    Refused,
}

impl Outcome {
    /// The stable name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::UpstreamError => "upstream_error",
            Outcome::InBandError => "in_band_error",
            Outcome::Cut => "cut",
            Outcome::ClientCancelled => "client_cancelled",
            Outcome::Unreachable => "unreachable",
            Outcome::Timeout => "timeout",
            Outcome::Empty => "empty",
            Outcome::Refused => "refused",
        }
    }

    /// Whether the caller was failed. Whose fault an `UpstreamError` is, its status says.
    pub fn is_error(self) -> bool {
        match self {
            Outcome::Ok | Outcome::ClientCancelled => false,
            Outcome::UpstreamError
            | Outcome::InBandError
            | Outcome::Cut
            | Outcome::Unreachable
            | Outcome::Timeout
            | Outcome::Empty
            | Outcome::Refused => true,
        }
    }
}

/// One upstream call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// `provider/model`.
    pub target: String,
    /// The status that the upstream answered with, where it answered.
    pub status: Option<u16>,
    /// Whole milliseconds from sending it to knowing its outcome.
    pub millis: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// What happened in one call. Written once, at the stream's end, error or cancel.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The router's name; `None` for a call to a model directly.
    pub router: Option<String>,
    /// The router's revision.
    pub revision: Option<String>,
    /// The id of the route that held.
    pub route: Option<String>,
    /// The id of the variant *assigned*, whatever served.
    pub variant: Option<String>,
    /// The provider that answered, else the last one tried.
    pub provider: Option<String>,
    /// The model that its provider was asked for and answered with, else the last one tried.
    pub model: Option<String>,
    /// The caller's dialect.
    pub dialect_in: Dialect,
    /// The downstream's dialect; `None` where nothing was sent.
    pub dialect_out: Option<Dialect>,
    /// How the call ended.
    pub outcome: Outcome,
    /// The status that the caller saw; `None` where the caller left before there was one.
    pub status: Option<u16>,
    /// Our own error code, or the upstream's `code` or `type`; never its message, which may quote the prompt or a key.
    pub error_kind: Option<String>,
    /// The caller's country, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The Cloudflare data centre, by IATA code.
    pub colo: Option<String>,
    /// The keyed hash of the unit; `None` where the unit is the call itself.
    pub unit_hash: Option<String>,
    /// `user`, `session` or `call`.
    pub unit_kind: &'static str,
    /// Our request id.
    pub request_id: String,
    /// The epoch: a hash of the route's arms and weights.
    pub epoch: Option<String>,
    /// The attempts in order.
    pub attempts: Vec<Attempt>,
    /// The id of the client key, never the key.
    pub key_id: Option<String>,
    /// Whole milliseconds from the request's arrival to the last byte.
    pub latency_ms: u64,
    /// Whole milliseconds from the request's arrival to the first meaningful event of a stream.
    pub ttft_ms: Option<u64>,
    /// Whole milliseconds before the first upstream call was sent.
    pub overhead_ms: u64,
    /// Tokens.
    pub usage: Usage,
    /// Cost in US dollars.
    pub cost_usd: Option<f64>,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
}

/// One Analytics Engine data point, within its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct DataPoint {
    /// What Analytics Engine samples by, at most [`INDEX_MAX_BYTES`].
    pub index: String,
    /// In the order of [`BLOBS`]; together at most [`BLOBS_MAX_BYTES`]. What is not known is empty.
    pub blobs: [String; 20],
    /// In the order of [`DOUBLES`]; all finite.
    pub doubles: [f64; 20],
}

impl Record {
    /// The point to write.
    pub fn data_point(&self) -> DataPoint {
        DataPoint { index: self.index(), blobs: self.blobs(), doubles: self.doubles() }
    }

    /// `router/route/variant`, or `@direct/provider` where no router was named; router names do not begin with `@`, and
    /// ids do not begin with the `-` that stands for a part that the decision did not reach.
    fn index(&self) -> String {
        let part = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let whole = match &self.router {
            Some(router) => format!("{router}/{}/{}", part(&self.route), part(&self.variant)),
            None => format!("@direct/{}", part(&self.provider)),
        };
        shortened_index(whole)
    }

    fn blobs(&self) -> [String; 20] {
        let text = |value: &str| prefix(value, BLOB_MAX_BYTES).to_owned();
        let optional = |value: &Option<String>| text(value.as_deref().unwrap_or_default());
        [
            optional(&self.router),
            optional(&self.revision),
            optional(&self.route),
            optional(&self.variant),
            optional(&self.provider),
            optional(&self.model),
            text(self.dialect_in.as_str()),
            text(self.dialect_out.map_or("", Dialect::as_str)),
            text(self.outcome.as_str()),
            self.status.map(|status| status.to_string()).unwrap_or_default(),
            optional(&self.error_kind),
            optional(&self.country),
            optional(&self.colo),
            optional(&self.unit_hash),
            text(self.unit_kind),
            text(&self.request_id),
            optional(&self.epoch),
            attempts_text(&self.attempts),
            optional(&self.key_id),
            SCHEMA_VERSION.to_owned(),
        ]
    }

    fn doubles(&self) -> [f64; 20] {
        let usage = &self.usage;
        let (ttft, ttft_known) = count(self.ttft_ms);
        let (input, input_known) = count(usage.input);
        let (cache_read, cache_read_known) = count(usage.cache_read);
        let (cache_write, cache_write_known) = count(usage.cache_write);
        let (output, output_known) = count(usage.output);
        let (reasoning, reasoning_known) = count(usage.reasoning);
        // A price table typed by hand may give nonsense; no point is worth a NaN that spoils every mean over it.
        let cost = self.cost_usd.filter(|cost| cost.is_finite() && *cost >= 0.0);
        [
            self.latency_ms as f64,
            ttft,
            input,
            cache_read,
            cache_write,
            output,
            reasoning,
            cost.unwrap_or(0.0),
            self.attempts.len() as f64,
            self.overhead_ms as f64,
            ttft_known,
            input_known,
            cache_read_known,
            cache_write_known,
            output_known,
            reasoning_known,
            flag(cost.is_some()),
            flag(self.streamed),
            flag(self.outcome.is_error()),
            0.0,
        ]
    }
}

/// The attempts as one line, also sent as `x-turnout-attempts`: `target:status:millis` each, joined by commas, as in
/// `openai/gpt-5:429:38ms,anthropic/claude-opus-4-6:200:412ms`. Where the status does not say how the attempt ended, the
/// outcome follows it (`200-in_band_error`); where there was none, it stands alone (`unreachable`). A target may hold
/// colons: read an item from its end. Beyond [`ATTEMPTS_MAX_BYTES`] whole items give way to a tail: `,+3` is three more.
pub fn attempts_text(attempts: &[Attempt]) -> String {
    let mut text = String::new();
    for (index, attempt) in attempts.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let item = attempt_text(attempt);
        let remaining = attempts.len() - index;
        // The last item needs no room for a tail after it.
        let room = ATTEMPTS_MAX_BYTES - if remaining == 1 { 0 } else { TAIL_MAX_BYTES };
        if text.len() + separator.len() + item.len() > room {
            text.push_str(&format!("{separator}+{remaining}"));
            break;
        }
        text.push_str(separator);
        text.push_str(&item);
    }
    text
}

/// `,+` and a count of at most 20 digits.
const TAIL_MAX_BYTES: usize = 22;

/// A model that a caller names may be of any length; four targets of this bound fit beside one another.
const TARGET_MAX_BYTES: usize = 192;

fn attempt_text(attempt: &Attempt) -> String {
    let target = prefix(&attempt.target, TARGET_MAX_BYTES);
    let millis = attempt.millis;
    let outcome = attempt.outcome;
    match (attempt.status, outcome) {
        (Some(status), Outcome::Ok | Outcome::UpstreamError) => format!("{target}:{status}:{millis}ms"),
        (Some(status), _) => format!("{target}:{status}-{}:{millis}ms", outcome.as_str()),
        (None, _) => format!("{target}:{}:{millis}ms", outcome.as_str()),
    }
}

/// The index as it is where it fits; else its longest prefix that leaves room for `~` and 16 hex digits of the SHA-256 of
/// the whole, so that two long ones that begin alike stay two.
fn shortened_index(whole: String) -> String {
    if whole.len() <= INDEX_MAX_BYTES {
        return whole;
    }
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(whole.as_bytes()).into();
    let digest = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    // 1 for `~`, 16 for the digits.
    format!("{}~{digest:016x}", prefix(&whole, INDEX_MAX_BYTES - 17))
}

/// The longest prefix of at most `max_bytes` that ends between two characters.
fn prefix(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or_default()
}

/// A number and whether it is known: an unknown one is 0 with flag 0, which a known zero is not.
fn count(value: Option<u64>) -> (f64, f64) {
    (value.unwrap_or(0) as f64, flag(value.is_some()))
}

fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}
