//! Reads along with a stream, or a whole body, and changes nothing.

use super::ending::LastBytes;
use super::marks::Marks;
use super::reading::{Reading, error_kind};
use super::tail::Tail;
use crate::dialect::Dialect;
use crate::sse::{Decoder, Event, Start};
use crate::usage::Usage;

/// Longest model id that is kept, in bytes.
const MAX_MODEL: usize = 256;
/// Largest error that is kept: 64 KiB, a hundred times one that was written for a reader.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// The first event of note in a stream: what failover waits for (law 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// Content, a tool call, reasoning, a refusal or other media. Roles, empty content, usage and comments are not.
    Meaningful,
    /// An error came before anything meaningful.
    Error {
        /// Its code, type or status, else `error`.
        kind: String,
        /// The error's own JSON, in the form of a body: the event's data, or what of Responses' events is the error; empty
        /// where it is no JSON, or over 64 KiB.
        json: Vec<u8>,
    },
}

/// What a whole body says: [`First`] for what is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The answer says something, or the body is a JSON object of a form that is not known here.
    Something,
    /// It is an answer, and says nothing.
    Nothing,
    /// An error, its kind in [`Observed::error`]; the body is the error's own JSON.
    Error,
    /// No JSON object: the body was cut off, or is of another make (a proxy's page).
    Garbage,
}

/// What was seen of an answer. What was not said is `None` or false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Tokens, if any were counted.
    pub usage: Option<Usage>,
    /// The model that answered, in the upstream's words.
    pub model: Option<String>,
    /// Something meaningful came.
    pub meaningful: bool,
    /// The answer came to its end: a reason why it finished, or what its dialect has as the last word.
    pub done: bool,
    /// The stream said its last word: `[DONE]`, `message_stop`, `response.completed` and its like, or Gemini's reason why it
    /// finished. What breaks after that has lost nothing.
    pub terminated: bool,
    /// The last reason why it finished, in the dialect's own word (`stop`, `end_turn`, `completed`, `STOP`, …); `other` where
    /// it looks like no word.
    pub finish_reason: Option<String>,
    /// The code, type or status of the first error in the body, else `error`; never its message.
    pub error: Option<String>,
}

/// Reads along with one stream: its beginning as it comes, up to the first event of note, and its end once it is over.
/// What lies between is kept and not read, for usage, errors and reasons to finish stand at the end, and an event costs
/// more to take apart than to keep. (Anthropic counts the prompt at the beginning, before anything meaningful.)
#[derive(Debug)]
pub struct Observer {
    decoder: Decoder,
    seen: Seen,
    /// What came last since the first event of note.
    tail: Tail,
    last: LastBytes,
}

/// What an event is to the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Usage and no choice.
    UsageAlone,
    Other,
}

impl Observer {
    /// An observer at the beginning of a stream.
    pub fn new(dialect: Dialect) -> Self {
        Observer {
            decoder: Decoder::new(),
            seen: Seen::new(dialect),
            tail: Tail::of(dialect),
            last: LastBytes::new(),
        }
    }

    /// Takes the next bytes, as many as came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.seen.first.is_none() {
            self.push_each(bytes, |_, _| {});
            if let (Some(_), Some(Start::At(begin))) = (self.first(), self.decoder.in_progress()) {
                self.tail.begins_within(bytes.get(begin..).unwrap_or_default());
            }
            return;
        }
        self.last.push(bytes);
        self.tail.push(bytes);
    }

    /// The first event of note, once it was seen.
    pub fn first(&self) -> Option<&First> {
        self.seen.first.as_ref()
    }

    /// Whether the bytes so far end between two events, or there are none.
    pub fn between_events(&self) -> bool {
        self.last.end_an_event()
    }

    /// Takes the end of the stream, after which nothing may be pushed: an event without its blank line is read if it is
    /// whole, and may be the [first](Observer::first) of note.
    pub fn end(&mut self) {
        let tail = self.tail.take();
        if self.ends_well(&tail) {
            return;
        }
        if tail.was_cut() {
            // What was being read has lost its end.
            self.decoder.push(b"\n\n", |event| {
                self.seen.read(&event);
            });
            if let Some((beginning, end)) = tail.torn_event() {
                let reading = Reading::of_torn(self.seen.dialect, beginning, end);
                self.seen.note(reading, &[]);
            }
        }
        self.decoder.push(tail.bytes(), |event| {
            self.seen.read(&event);
        });
        self.finish_each(|_| {});
    }

    /// What was seen until now.
    pub fn observed(&self) -> &Observed {
        &self.seen.observed
    }

    /// What was seen, the [end](Observer::end) of the stream included.
    pub fn finish(mut self) -> Observed {
        self.end();
        self.seen.observed
    }

    /// Takes what the last few events say, where they say all that is to be known: the usage, and, but for Chat Completions
    /// where that comes after all else, that the answer is over. What is cut off before them is no event.
    fn ends_well(&mut self, tail: &Tail) -> bool {
        let Some(ending) = tail.ending() else { return false };
        let mut last = Observer::new(self.seen.dialect);
        last.push_each(ending, |_, _| {});
        last.finish_each(|_| {});
        let Observed { usage: Some(usage), done, terminated, finish_reason, error, .. } = last.seen.observed
        else {
            return false;
        };
        if !done {
            return false;
        }
        let observed = &mut self.seen.observed;
        observed.usage.get_or_insert_default().merge(usage);
        observed.done |= done;
        observed.terminated |= terminated;
        observed.finish_reason = finish_reason.or(observed.finish_reason.take());
        observed.error = observed.error.take().or(error);
        true
    }

    /// What is seen in a body that is no stream, and what that comes to.
    pub fn judge(dialect: Dialect, body: &[u8]) -> (Observed, Said) {
        let mut seen = Seen::new(dialect);
        // Bytes that are no UTF-8 pass as they are; they are no reason to throw an answer away.
        let body = String::from_utf8_lossy(body);
        let readings = Reading::of_body(dialect, body.as_bytes());
        let is_answer = readings.iter().any(|reading| reading.is_answer);
        let said = if readings.is_empty() {
            Said::Garbage
        } else if readings.iter().any(|reading| reading.error.is_some()) {
            Said::Error
        } else if is_answer && !readings.iter().any(|reading| reading.meaningful) {
            Said::Nothing
        } else {
            Said::Something
        };
        for reading in readings {
            seen.note(reading, &[]);
        }
        // Only a stream says so.
        seen.observed.terminated = false;
        (seen.observed, said)
    }

    pub(super) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    pub(super) fn push_each(&mut self, bytes: &[u8], mut on_event: impl FnMut(&Event<'_>, Nature)) {
        self.last.push(bytes);
        self.decoder.push(bytes, |event| on_event(&event, self.seen.read(&event)));
    }

    pub(super) fn finish_each(&mut self, mut on_event: impl FnMut(Nature)) {
        self.decoder.finish(|event| on_event(self.seen.read(&event)));
    }
}

#[derive(Debug)]
struct Seen {
    dialect: Dialect,
    marks: Marks,
    first: Option<First>,
    observed: Observed,
}

impl Seen {
    fn new(dialect: Dialect) -> Seen {
        Seen { dialect, marks: Marks::of(dialect), first: None, observed: Observed::default() }
    }

    fn read(&mut self, event: &Event<'_>) -> Nature {
        let named_error = event.name == b"error";
        if event.data.trim_ascii_start().starts_with(b"[DONE]") {
            self.observed.done = true;
            self.observed.terminated = true;
            Nature::Other
        } else if !self.observed.meaningful || named_error || self.marks.matter_in(event.data) {
            self.read_json(event, named_error)
        } else {
            Nature::Other
        }
    }

    fn read_json(&mut self, event: &Event<'_>, named_error: bool) -> Nature {
        let json = event.data;
        let reading = Reading::of_event(self.dialect, event.name, json, self.observed.meaningful);
        let error_json = if reading.is_some() && json.len() <= MAX_ERROR_BYTES { json } else { &[] };
        let mut reading = reading.unwrap_or_default();
        if named_error && reading.error.is_none() {
            reading.error = Some(error_kind(json, None));
        }
        let nature = if reading.usage_alone && !named_error { Nature::UsageAlone } else { Nature::Other };
        self.note(reading, error_json);
        nature
    }

    /// Notes what was read; `error_json` is the whole of it, as far as it would be kept were it an error and had no body.
    fn note(&mut self, reading: Reading<'_>, error_json: &[u8]) {
        let observed = &mut self.observed;
        if observed.model.is_none() {
            // Azure's first chunk, with the verdict on the prompt, has an empty one.
            observed.model = reading
                .model
                .and_then(|model| serde_json::from_str::<String>(model.get()).ok())
                .filter(|model| !model.is_empty() && model.len() <= MAX_MODEL);
        }
        if let Some(usage) = reading.usage {
            observed.usage.get_or_insert_default().merge(usage);
        }
        observed.done |= reading.done;
        observed.terminated |= reading.terminated;
        if reading.finish_reason.is_some() {
            observed.finish_reason = reading.finish_reason;
        }
        if let Some(kind) = reading.error {
            self.first.get_or_insert_with(|| {
                let mut json = reading.error_body.unwrap_or_else(|| error_json.to_vec());
                json.truncate(if json.len() > MAX_ERROR_BYTES { 0 } else { json.len() });
                First::Error { kind: kind.clone(), json }
            });
            observed.error.get_or_insert(kind);
        }
        if reading.meaningful {
            self.first.get_or_insert(First::Meaningful);
            observed.meaningful = true;
        }
    }
}
