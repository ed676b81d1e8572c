//! A call's record while it is being made, and the headers that tell the caller the same.

use std::rc::Rc;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use worker::console_log;

use super::exchange::FIGURES;
use super::glue;
use super::invocation::{Invocation, now};
use super::settings::settings;
use crate::decision::Decision;
use crate::dialect::Dialect;
use crate::exchange::Exchange;
use crate::identity::RequestStamp;
use crate::record::{Outcome, Record, attempts_text};
use crate::relay::Observed;
use crate::router::Router;
use crate::shelf::Stored;
use crate::usage::Usage;

/// One call's record. Writing consumes it: there is one record a call (law 5).
pub(super) struct Journal {
    invocation: Rc<Invocation>,
    record: Record,
    notes: Vec<String>,
    is_served: bool,
    /// Header lines that this one answer has.
    extra: Vec<(&'static str, String)>,
}

/// Kept as they are in header values: printable ASCII, but for the escape itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');
/// Notes are for people; a header longer than this is refused by some proxies.
const NOTE_BYTES: usize = 1024;

impl Journal {
    /// Begins the record of a decided call.
    pub(super) fn new(
        invocation: &Rc<Invocation>,
        (dialect, streamed): (Dialect, bool),
        key_id: &str,
        router: Option<&Stored<Router>>,
        decision: &Decision,
    ) -> Journal {
        let keys = &settings(&invocation.env).keys;
        let unit = keys.unit_hash(&decision.unit);
        let assigned = decision.assigned.as_ref();
        let [_, _, random @ ..] = invocation.random[1].to_be_bytes();
        let stamp = RequestStamp {
            time: invocation.started,
            random,
            kind: decision.unit.kind,
            unit,
            epoch: assigned.map_or([0; 8], |assigned| assigned.epoch.0),
            reference: assigned.map_or([0; 8], |assigned| assigned.reference),
        };
        let record = Record {
            router: router.map(|router| router.value.name.clone()),
            revision: router.map(|router| router.revision.to_string()),
            route: assigned.map(|assigned| assigned.route.to_string()),
            variant: assigned.map(|assigned| assigned.variant.to_string()),
            provider: None,
            model: None,
            dialect_in: dialect,
            dialect_out: None,
            outcome: Outcome::Refused,
            status: None,
            error_kind: None,
            country: invocation.origin.country.clone(),
            colo: invocation.origin.colo.clone(),
            unit_hash: unit.map(|hash| hash.hex()),
            unit_kind: decision.unit.kind.as_str(),
            request_id: keys.sign(&stamp),
            epoch: assigned.map(|assigned| assigned.epoch.hex()),
            attempts: Vec::new(),
            key_id: Some(key_id.to_owned()),
            latency_ms: 0,
            ttft_ms: None,
            overhead_ms: 0,
            usage: Usage::default(),
            cost_usd: None,
            streamed,
        };
        Journal {
            invocation: invocation.clone(),
            record,
            notes: decision.notes.clone(),
            is_served: false,
            extra: Vec::new(),
        }
    }

    /// Adds to what `x-turnout-note` says.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The caller's dialect.
    pub(super) fn dialect(&self) -> Dialect {
        self.record.dialect_in
    }

    /// What `x-turnout-note` is going to say.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// An upstream call is about to be sent.
    pub(super) fn attempt_begins(&mut self, provider: &str, model: &str, dialect: Dialect) {
        if self.record.provider.is_none() {
            self.record.overhead_ms = now().saturating_sub(self.invocation.started);
        }
        self.record.provider = Some(provider.to_owned());
        self.record.model = Some(model.to_owned());
        self.record.dialect_out = Some(dialect);
    }

    /// The attempts are over, or committed to.
    pub(super) fn exchanged(&mut self, exchange: &Exchange) {
        self.record.attempts = exchange.attempts().to_vec();
        self.notes.extend_from_slice(exchange.notes());
    }

    /// The answer is that of the last attempt, and not one of ours.
    pub(super) fn served(&mut self) {
        self.is_served = true;
    }

    /// The answer says when to come back, in seconds.
    pub(super) fn retry_after(&mut self, seconds: Option<u64>) {
        if let Some(seconds) = seconds {
            self.extra.push(("retry-after", seconds.to_string()));
        }
    }

    /// The answer is of another type than the upstream's head says.
    pub(super) fn content_type(&mut self, value: &str) {
        self.extra.push(("content-type", value.to_owned()));
    }

    /// The first meaningful event was seen just now.
    pub(super) fn first_token(&mut self) {
        self.record.ttft_ms.get_or_insert(now().saturating_sub(self.invocation.started));
    }

    /// What was seen in the answer's body.
    pub(super) fn observed(&mut self, observed: Observed) {
        self.record.usage = observed.usage.unwrap_or_default();
        self.record.error_kind = observed.error;
    }

    /// Closes the record and writes it. A stream that broke was counted as well begun: then the last attempt ended as the
    /// call did. One that had failed before stays what it was, also where the caller left in the pause after it.
    pub(super) fn write(mut self, outcome: Outcome, status: Option<u16>) {
        self.record.outcome = outcome;
        if let Some(last) = self.record.attempts.last_mut().filter(|last| last.outcome == Outcome::Ok) {
            last.outcome = outcome;
        }
        self.record.status = status;
        self.record.latency_ms = now().saturating_sub(self.invocation.started);
        self.measure_stream();
        let point = self.record.data_point();
        if settings(&self.invocation.env).demo {
            // Analytics Engine keeps nothing under `wrangler dev`; there, this line is all that can be seen of a record.
            console_log!("recorded {} {}", point.index, self.in_short());
        }
        let mut text = point.index;
        for blob in &point.blobs {
            text.push('\0');
            text.extend(blob.chars().filter(|character| *character != '\0'));
        }
        glue::write_point(&self.invocation.env, &text, &point.doubles);
    }

    /// Notes how quick a stream was that came to its end.
    fn measure_stream(&self) {
        let Record { outcome: Outcome::Ok, streamed: true, ttft_ms: Some(ttft), latency_ms, usage, .. } =
            &self.record
        else {
            return;
        };
        let target = format!("{}/{}", text(&self.record.provider), text(&self.record.model));
        let millis = latency_ms.saturating_sub(*ttft);
        FIGURES.with_borrow_mut(|figures| figures.stream(&target, usage.output.unwrap_or_default(), millis));
    }

    /// A line for people.
    fn in_short(&self) -> String {
        let Record { outcome, latency_ms, ttft_ms, usage, .. } = &self.record;
        let ttft = ttft_ms.map(|ttft| format!(", first token after {ttft} ms")).unwrap_or_default();
        let tokens = usage.output.map(|output| format!(", {output} tokens")).unwrap_or_default();
        format!("{}: {} ms{ttft}{tokens}", outcome.as_str(), latency_ms)
    }

    /// Notes the code of an error that is ours.
    pub(super) fn error_kind(&mut self, code: &str) {
        self.record.error_kind = Some(code.to_owned());
    }

    /// The header lines that every model call is answered with: name and value, a line each.
    pub(super) fn headers(&self) -> String {
        let mut lines = format!("x-turnout-request-id\n{}", self.record.request_id);
        let mut add = |name: &str, value: &str| {
            lines.push_str("\nx-turnout-");
            lines.push_str(name);
            lines.push('\n');
            lines.extend(utf8_percent_encode(value, ESCAPED));
        };
        let Record { router, revision, route, variant, provider, model, attempts, .. } = &self.record;
        let known = [("router", router), ("revision", revision), ("route", route), ("variant", variant)];
        for (name, value) in known {
            if let Some(value) = value {
                add(name, value);
            }
        }
        if self.is_served {
            add("served", &format!("{}/{}", text(provider), text(model)));
        }
        if !attempts.is_empty() {
            add("attempts", &attempts_text(attempts));
        }
        add("unit", self.record.unit_kind);
        if !self.notes.is_empty() {
            // Escaped, a byte can become three.
            let notes = self.notes.join("; ");
            add("note", notes.get(..notes.floor_char_boundary(NOTE_BYTES / 3)).unwrap_or(&notes));
        }
        for (name, value) in &self.extra {
            lines.push_str(&format!("\n{name}\n{value}"));
        }
        lines
    }
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}
