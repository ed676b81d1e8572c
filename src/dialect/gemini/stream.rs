//! Answers, read: each event is a whole `GenerateContentResponse` with what is new. A whole answer is a stream of one.
//!
//! Text and thoughts continue the block that is open; all else opens and closes its own. The end is a `finishReason` for each
//! candidate; what a candidate says after its own is ignored.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::member;
use super::parts::read_media;
use super::pieces::Arguments;
use super::{error, ids, metadata, signature};
use crate::dialect::Dialect;
use crate::dialect::answer::{Event, Growth, Malformed, Stop};
use crate::dialect::conversation::{Citation, Part, Seal, Thought, ToolCall};
use crate::usage::Usage;

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    /// What the ids of calls are made of; empty before the first event.
    seed: Vec<u8>,
    blocks: usize,
    calls: usize,
    usage: Usage,
    is_blocked: bool,
    has_failed: bool,
    candidates: BTreeMap<u64, Candidate>,
}

#[derive(Debug, Default)]
struct Candidate {
    open: Option<Open>,
    has_calls: bool,
    has_stopped: bool,
    /// Those that were told, for each event may repeat them.
    cited: Vec<Citation>,
}

#[derive(Debug)]
enum Open {
    Text { block: usize, text: String },
    Thought { block: usize },
    Call { block: usize, arguments: Arguments },
}

impl Open {
    fn block(&self) -> usize {
        match self {
            Open::Text { block, .. } | Open::Thought { block } | Open::Call { block, .. } => *block,
        }
    }
}

impl Decoder {
    /// At the beginning of a stream.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes one server-sent event and appends what it says. Its name means nothing.
    ///
    /// # Errors
    /// Where it is none of this dialect.
    pub fn push(&mut self, _name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.has_failed || data.trim_ascii().is_empty() {
            return Ok(());
        }
        let response: Value = serde_json::from_slice(data)
            .map_err(|error| Malformed(format!("an event is not JSON: {error}")))?;
        if !response.is_object() {
            return Err(Malformed("an event is not a JSON object".to_owned()));
        }
        if let Some(error) = response.get("error").filter(|error| !error.is_null()) {
            self.has_failed = true;
            out.push(Event::Failed(error::of_member(200, error)));
            return Ok(());
        }
        if self.seed.is_empty() {
            self.start(&response, data, out);
        }
        self.read_block_reason(&response, out);
        let candidates = response.get("candidates").and_then(Value::as_array).map(Vec::as_slice);
        for (at, candidate) in candidates.unwrap_or_default().iter().enumerate() {
            let position = u64::try_from(at).unwrap_or(u64::MAX);
            let index = candidate.get("index").and_then(Value::as_u64).unwrap_or(position);
            self.read_candidate(index, candidate, out)?;
        }
        if let Some(said) = response.get("usageMetadata") {
            let mut usage = self.usage;
            usage.merge(metadata::usage(said));
            if usage != self.usage {
                self.usage = usage;
                out.push(Event::Usage(usage));
            }
        }
        Ok(())
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// Where it had not come to its end.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.has_failed {
            return Ok(());
        }
        let has_ended = self.candidates.values().all(|candidate| candidate.has_stopped);
        if !has_ended || self.candidates.is_empty() && !self.is_blocked {
            return Err(Malformed("the answer ended without a `finishReason`".to_owned()));
        }
        out.push(Event::End);
        Ok(())
    }

    fn start(&mut self, response: &Value, data: &[u8], out: &mut Vec<Event>) {
        let text = |name: &str| response.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text("responseId").filter(|id| !id.is_empty());
        self.seed = id.as_ref().map_or_else(|| data.to_vec(), |id| id.clone().into_bytes());
        out.push(Event::Start { id, model: text("modelVersion"), created: None });
    }

    /// A prompt that was blocked has no candidates.
    fn read_block_reason(&mut self, response: &Value, out: &mut Vec<Event>) {
        let Some(feedback) = response.get("promptFeedback") else { return };
        let reason = feedback.get("blockReason").and_then(Value::as_str).unwrap_or_default();
        if self.is_blocked || matches!(reason, "" | "BLOCK_REASON_UNSPECIFIED" | "BLOCKED_REASON_UNSPECIFIED")
        {
            return;
        }
        self.is_blocked = true;
        let message = feedback.get("blockReasonMessage").and_then(Value::as_str).map(str::to_owned);
        let message = message.unwrap_or_else(|| format!("The prompt was blocked ({reason})."));
        self.whole(0, Part::Refusal(String::new()), Some(Growth::Text(message)), out);
        self.candidates.entry(0).or_default().has_stopped = true;
        out.push(Event::Stop { choice: 0, stop: Stop::Refusal });
    }

    fn read_candidate(
        &mut self,
        index: u64,
        candidate: &Value,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        if self.candidates.entry(index).or_default().has_stopped {
            return Ok(());
        }
        let parts = candidate.pointer("/content/parts").and_then(Value::as_array).map(Vec::as_slice);
        for part in parts.unwrap_or_default() {
            self.read_part(index, part, out)?;
        }
        if let Some(said) = candidate.get("groundingMetadata") {
            self.cite(index, said, out);
        }
        if let Some(tokens) = candidate.get("logprobsResult").and_then(metadata::logprobs) {
            out.push(Event::Logprobs { choice: index, tokens });
        }
        let reason = candidate.get("finishReason").and_then(Value::as_str).unwrap_or_default();
        let has_calls = self.candidates.get(&index).is_some_and(|candidate| candidate.has_calls);
        if let Some(stop) = metadata::stop(reason, has_calls) {
            self.close(index, out);
            out.push(Event::Stop { choice: index, stop });
            self.candidates.entry(index).or_default().has_stopped = true;
        }
        Ok(())
    }

    fn read_part(&mut self, index: u64, part: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let seal = part.get("thoughtSignature").and_then(Value::as_str).filter(|seal| !seal.is_empty());
        let seal = seal.map(signature::read);
        if let Some(text) = part.get("text").and_then(Value::as_str) {
            if part.get("thought") == Some(&Value::Bool(true)) {
                self.think(index, text, seal, out);
            } else {
                self.speak(index, text, out);
                self.carry(index, seal, out);
            }
        } else if let Some(call) = part.get("functionCall") {
            self.call(index, call, seal, out)?;
        } else if let Some(media) = read_media(part) {
            self.whole(index, media, None, out);
            self.carry(index, seal, out);
        } else if part
            .as_object()
            .is_some_and(|members| members.keys().all(|name| name == "thoughtSignature"))
        {
            self.carry(index, seal, out);
        } else {
            self.whole(index, Part::Own { dialect: Dialect::Gemini, json: part.clone() }, None, out);
        }
        Ok(())
    }

    fn speak(&mut self, index: u64, piece: &str, out: &mut Vec<Event>) {
        if piece.is_empty() {
            return;
        }
        if !matches!(self.open_of(index), Some(Open::Text { .. })) {
            let block = self.open(index, Part::text(""), out);
            self.candidates.entry(index).or_default().open = Some(Open::Text { block, text: String::new() });
        }
        if let Some(Open::Text { block, text }) = self.open_of(index) {
            text.push_str(piece);
            out.push(Event::Grow { block: *block, by: Growth::Text(piece.to_owned()) });
        }
    }

    fn think(&mut self, index: u64, piece: &str, seal: Option<Seal>, out: &mut Vec<Event>) {
        if piece.is_empty() && seal.is_none() {
            return;
        }
        if !matches!(self.open_of(index), Some(Open::Thought { .. })) {
            let is_redacted = seal.as_ref().is_some_and(|seal| seal.is_redacted);
            let thought = Thought {
                is_summary: seal.as_ref().is_none_or(|seal| seal.is_of(Dialect::Gemini)),
                seal: seal.clone().filter(|_| is_redacted),
                ..Thought::default()
            };
            let block = self.open(index, Part::Thought(thought), out);
            self.candidates.entry(index).or_default().open = Some(Open::Thought { block });
            if is_redacted {
                return self.close(index, out);
            }
        }
        let Some(block) = self.open_of(index).map(|open| open.block()) else { return };
        if !piece.is_empty() {
            out.push(Event::Grow { block, by: Growth::Text(piece.to_owned()) });
        }
        if let Some(seal) = seal {
            out.push(Event::Grow { block, by: Growth::Seal(seal) });
            self.close(index, out);
        }
    }

    /// The signature of what came before it.
    fn carry(&mut self, index: u64, seal: Option<Seal>, out: &mut Vec<Event>) {
        if seal.is_some() {
            self.whole(index, Part::Thought(Thought { seal, ..Thought::default() }), None, out);
        }
    }

    fn call(
        &mut self,
        index: u64,
        call: &Value,
        seal: Option<Seal>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let name = call.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
        if let Some(name) = name {
            self.open_call(index, call.get("id"), name, seal, out);
        } else if let (Some(seal), Some(open)) = (seal, self.open_of(index)) {
            out.push(Event::Grow { block: open.block(), by: Growth::Seal(seal) });
        }
        let Some(Open::Call { block, arguments }) = self.open_of(index) else {
            return Err(Malformed("a piece of a `functionCall` comes without its `name`".to_owned()));
        };
        let block = *block;
        let mut text = String::new();
        let pieces = call.get("partialArgs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for piece in pieces {
            arguments.push(piece, &mut text)?;
        }
        let args = member(call, "args").filter(|_| pieces.is_empty());
        let will_continue = |value: &Value| value.get("willContinue") == Some(&Value::Bool(true));
        let is_complete = !will_continue(call) && !pieces.iter().any(will_continue);
        if let Some(args) = args {
            // Some send them as a text.
            text = args.as_str().map_or_else(|| args.to_string(), str::to_owned);
        } else if is_complete {
            arguments.finish(&mut text);
        }
        if !text.is_empty() {
            out.push(Event::Grow { block, by: Growth::Arguments(text) });
        }
        if is_complete || args.is_some() {
            self.candidates.entry(index).or_default().open = None;
            out.push(Event::Close { block });
        }
        Ok(())
    }

    fn open_call(
        &mut self,
        index: u64,
        id: Option<&Value>,
        name: &str,
        seal: Option<Seal>,
        out: &mut Vec<Event>,
    ) {
        let id = id.and_then(Value::as_str).filter(|id| !id.is_empty());
        let id = id.map_or_else(|| ids::in_answer(&self.seed, self.calls), str::to_owned);
        self.calls += 1;
        let call = ToolCall { id, name: name.to_owned(), seal, ..ToolCall::default() };
        let block = self.open(index, Part::ToolCall(call), out);
        let candidate = self.candidates.entry(index).or_default();
        candidate.has_calls = true;
        candidate.open = Some(Open::Call { block, arguments: Arguments::default() });
    }

    fn cite(&mut self, index: u64, said: &Value, out: &mut Vec<Event>) {
        let candidate = self.candidates.entry(index).or_default();
        // Sources come with the text or right after it; with none, there is nothing that rests on them.
        let Some(Open::Text { block, text }) = &candidate.open else { return };
        for citation in metadata::citations(said, text) {
            if !candidate.cited.contains(&citation) {
                candidate.cited.push(citation.clone());
                out.push(Event::Grow { block: *block, by: Growth::Citation(citation) });
            }
        }
    }

    /// Opens a block after the one that is open is closed.
    fn open(&mut self, index: u64, part: Part, out: &mut Vec<Event>) -> usize {
        self.close(index, out);
        let block = self.blocks;
        self.blocks += 1;
        out.push(Event::Open { block, choice: index, part });
        block
    }

    /// A block that comes at once.
    fn whole(&mut self, index: u64, part: Part, growth: Option<Growth>, out: &mut Vec<Event>) {
        let block = self.open(index, part, out);
        out.extend(growth.map(|by| Event::Grow { block, by }));
        out.push(Event::Close { block });
    }

    fn close(&mut self, index: u64, out: &mut Vec<Event>) {
        let Some(open) = self.candidates.entry(index).or_default().open.take() else { return };
        let block = open.block();
        if let Open::Call { mut arguments, .. } = open {
            let mut rest = String::new();
            arguments.finish(&mut rest);
            out.push(Event::Grow { block, by: Growth::Arguments(rest) });
        }
        out.push(Event::Close { block });
    }

    fn open_of(&mut self, index: u64) -> Option<&mut Open> {
        self.candidates.get_mut(&index)?.open.as_mut()
    }
}
