//! A stream, read.
//!
//! Loose on what comes in: what providers leave out is made up for. A text whose beginning or deltas were not told is told
//! at its end, and an answer that only the last event holds is told then; nothing is told twice.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::{self, BETWEEN_SUMMARIES, Said, text};
use super::error;
use crate::dialect::Dialect;
use crate::dialect::answer::{Event, Growth, Malformed};
use crate::dialect::conversation::{Part, Seal, Thought};

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The stream has come to its end, well or not.
    ended: bool,
    next_block: usize,
    blocks: BTreeMap<Place, Block>,
    said: Said,
}

/// Where in the answer a block stands: the item's index, and the index of its content.
type Place = (u64, Within);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Within {
    /// A message's part.
    Content(u64),
    /// A call's arguments.
    Call,
    /// A thought itself.
    Thought,
    /// Its summary.
    Summary,
}

#[derive(Debug, Default)]
struct Block {
    number: usize,
    closed: bool,
    /// Some of its text, or of its arguments, was told.
    has_text: bool,
    citations: usize,
    has_logprobs: bool,
    /// The part of a summary that was told last.
    summary: u64,
}

impl Decoder {
    /// At the beginning of a stream.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes one server-sent event and appends what it says.
    ///
    /// # Errors
    /// Where it is none of this dialect.
    pub fn push(&mut self, name: &[u8], data: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.ended || data == b"[DONE]" {
            return Ok(());
        }
        let event: Value = serde_json::from_slice(data)
            .map_err(|fault| Malformed(format!("An event of the stream is not valid JSON: {fault}.")))?;
        let name = String::from_utf8_lossy(name);
        let kind = text(&event, "type").unwrap_or(&name);
        match kind {
            "response.created" => {
                let response = event.get("response").unwrap_or(&Value::Null);
                out.push(Event::Start {
                    id: text(response, "id").map(str::to_owned),
                    model: text(response, "model").map(str::to_owned),
                    created: answer::created(response),
                });
            }
            "response.output_item.added" => self.item_added(&event, out),
            "response.output_item.done" => self.item_done(&event, out),
            "response.completed" | "response.incomplete" => {
                self.ends(event.get("response").unwrap_or(&Value::Null), out);
            }
            "response.failed" | "response.cancelled" => {
                let failure = event.get("response").and_then(error::of_response);
                self.fails(Event::Failed(failure.unwrap_or_else(error::unexplained)), out);
            }
            "error" => self.fails(Event::Failed(error::of_event(&event)), out),
            "keepalive" => out.push(Event::Ping),
            _ if event.get("error").is_some_and(Value::is_object) => {
                self.fails(Event::Failed(error::of_event(&event)), out);
            }
            kind => self.content(kind, &event, out),
        }
        Ok(())
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// Where it had not come to its end.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let _ = out;
        if self.ended {
            return Ok(());
        }
        Err(Malformed("The stream ended before its last event (`response.completed`).".to_owned()))
    }

    /// What grows within an item.
    fn content(&mut self, kind: &str, event: &Value, out: &mut Vec<Event>) {
        let item = item_of(event);
        let content = (item, Within::Content(index(event, "content_index")));
        let (call, thought, summary) =
            ((item, Within::Call), (item, Within::Thought), (item, Within::Summary));
        match kind {
            "response.content_part.added" => {
                if let Some(part) = event.get("part").and_then(answer::part_of) {
                    self.open(content, emptied(part), out);
                }
            }
            "response.content_part.done" => self.part_done(content, event.get("part"), out),
            "response.output_text.delta" => {
                self.grow(content, &empty_text(), text(event, "delta"), out);
                self.logprobs(content, event, out);
            }
            "response.output_text.done" => {
                self.rest(content, &empty_text(), text(event, "text"), out);
                self.missing_logprobs(content, event, out);
            }
            "response.output_text.annotation.added" => {
                self.open(content, empty_text(), out);
                self.citation(content, event.get("annotation"), out);
            }
            "response.refusal.delta" => self.grow(content, &empty_refusal(), text(event, "delta"), out),
            "response.refusal.done" => self.rest(content, &empty_refusal(), text(event, "refusal"), out),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.arguments(call, text(event, "delta"), out);
            }
            "response.function_call_arguments.done" => {
                self.missing_arguments(call, text(event, "arguments"), out);
            }
            "response.custom_tool_call_input.done" => self.missing_arguments(call, text(event, "input"), out),
            "response.reasoning_text.delta" => {
                self.grow(thought, &empty_thought(event, false), text(event, "delta"), out);
            }
            "response.reasoning_text.done" => {
                self.rest(thought, &empty_thought(event, false), text(event, "text"), out);
            }
            "response.reasoning_summary_text.delta" => {
                self.between_summaries(summary, event, out);
                self.grow(summary, &empty_thought(event, true), text(event, "delta"), out);
            }
            "response.reasoning_summary_text.done" => {
                self.between_summaries(summary, event, out);
                self.rest(summary, &empty_thought(event, true), text(event, "text"), out);
            }
            _ => {}
        }
    }

    fn item_added(&mut self, event: &Value, out: &mut Vec<Event>) {
        let Some(item) = event.get("item") else { return };
        if matches!(text(item, "type"), Some("function_call" | "custom_tool_call")) {
            let call = answer::call_of(item);
            let place = (item_of(event), Within::Call);
            let has_arguments = !call.arguments.is_empty();
            self.open(place, Part::ToolCall(call), out);
            if let Some(block) = self.blocks.get_mut(&place) {
                block.has_text = has_arguments;
            }
        }
    }

    /// An item is complete: what of it was not told is told now, and its blocks are closed.
    fn item_done(&mut self, event: &Value, out: &mut Vec<Event>) {
        let Some(item) = event.get("item") else { return };
        let at = item_of(event);
        match text(item, "type") {
            Some("message") => {
                for (index, content) in (0..).zip(answer::contents(item)) {
                    self.part_done((at, Within::Content(index)), Some(content), out);
                }
            }
            Some("function_call" | "custom_tool_call") => {
                let call = answer::call_of(item);
                let arguments = call.arguments.clone();
                self.open((at, Within::Call), emptied(Part::ToolCall(call)), out);
                self.missing_arguments((at, Within::Call), Some(&arguments), out);
            }
            Some("reasoning") => self.thought_done(at, item, out),
            _ => {
                let part = Part::Own { dialect: Dialect::Responses, json: item.clone() };
                self.open((at, Within::Content(0)), part, out);
            }
        }
        self.close_all(|place| place.0 == at, out);
    }

    fn thought_done(&mut self, at: u64, item: &Value, out: &mut Vec<Event>) {
        let thoughts = answer::thoughts(item, answer::seal_of(item));
        for (index, thought) in thoughts.iter().enumerate() {
            let within = if thought.is_summary { Within::Summary } else { Within::Thought };
            // Where only the seal is told at the end, it belongs to whatever was told before.
            let told = [Within::Summary, Within::Thought]
                .into_iter()
                .find(|within| thought.text.is_empty() && self.blocks.contains_key(&(at, *within)));
            let place = (at, told.unwrap_or(within));
            let empty = Part::Thought(Thought { text: String::new(), seal: None, ..thought.clone() });
            let has_text = self.blocks.get(&place).is_some_and(|block| block.has_text);
            self.rest(place, &empty, Some(&thought.text), out);
            if let (true, Some(seal)) = (index + 1 == thoughts.len(), thought.seal.clone()) {
                self.open(place, empty, out);
                let is_redacted = seal.is_redacted && !has_text;
                self.tell(place, Growth::Seal(Seal { is_redacted, ..seal }), out);
            }
        }
    }

    /// A part of a message is complete.
    fn part_done(&mut self, place: Place, content: Option<&Value>, out: &mut Vec<Event>) {
        let Some(content) = content else { return };
        match answer::part_of(content) {
            Some(Part::Text { text, .. }) => {
                self.open(place, empty_text(), out);
                self.rest(place, &empty_text(), Some(&text), out);
                self.missing_logprobs(place, content, out);
                let told = self.blocks.get(&place).map_or(0, |block| block.citations);
                for annotation in answer::annotations_of(content).iter().skip(told) {
                    self.citation(place, Some(annotation), out);
                }
            }
            Some(Part::Refusal(text)) => {
                self.open(place, empty_refusal(), out);
                self.rest(place, &empty_refusal(), Some(&text), out);
            }
            _ => {}
        }
        self.close_all(|at| at == place, out);
    }

    /// The last event.
    fn ends(&mut self, response: &Value, out: &mut Vec<Event>) {
        if let Some(failure) = error::of_response(response) {
            return self.fails(Event::Failed(failure), out);
        }
        self.close_all(|_| true, out);
        if self.next_block == 0 {
            self.told_at_once(response, out);
        }
        if let Some(usage) = response.get("usage").filter(|usage| usage.is_object()) {
            out.push(Event::Usage(answer::usage(usage)));
        }
        out.push(Event::Stop { choice: 0, stop: answer::stop(response, self.said) });
        out.push(Event::End);
        self.ended = true;
    }

    /// Some tell the whole answer in the last event alone.
    fn told_at_once(&mut self, response: &Value, out: &mut Vec<Event>) {
        let output = response.get("output").and_then(Value::as_array);
        for (index, item) in (0_u64..).zip(output.into_iter().flatten()) {
            let event = serde_json::json!({"output_index": index, "item": item});
            self.item_done(&event, out);
        }
    }

    fn fails(&mut self, failed: Event, out: &mut Vec<Event>) {
        out.push(failed);
        self.ended = true;
    }

    /// Opens a block, unless it was before.
    fn open(&mut self, place: Place, part: Part, out: &mut Vec<Event>) {
        if self.blocks.contains_key(&place) {
            return;
        }
        let number = self.next_block;
        self.next_block += 1;
        self.said.add(&part);
        self.blocks.insert(place, Block { number, ..Block::default() });
        out.push(Event::Open { block: number, choice: 0, part });
    }

    fn tell(&mut self, place: Place, by: Growth, out: &mut Vec<Event>) {
        if let Some(block) = self.blocks.get(&place).filter(|block| !block.closed) {
            out.push(Event::Grow { block: block.number, by });
        }
    }

    /// More of a text.
    fn grow(&mut self, place: Place, empty: &Part, delta: Option<&str>, out: &mut Vec<Event>) {
        let Some(delta) = delta.filter(|delta| !delta.is_empty()) else { return };
        self.open(place, empty.clone(), out);
        self.tell(place, Growth::Text(delta.to_owned()), out);
        self.was_told(place);
    }

    /// The whole of a text, where none of it was told.
    fn rest(&mut self, place: Place, empty: &Part, whole: Option<&str>, out: &mut Vec<Event>) {
        if !self.blocks.get(&place).is_some_and(|block| block.has_text) {
            self.grow(place, empty, whole, out);
        }
    }

    fn arguments(&mut self, place: Place, delta: Option<&str>, out: &mut Vec<Event>) {
        let Some(delta) = delta.filter(|delta| !delta.is_empty()) else { return };
        self.tell(place, Growth::Arguments(delta.to_owned()), out);
        self.was_told(place);
    }

    fn missing_arguments(&mut self, place: Place, whole: Option<&str>, out: &mut Vec<Event>) {
        if !self.blocks.get(&place).is_some_and(|block| block.has_text) {
            self.arguments(place, whole, out);
        }
    }

    fn was_told(&mut self, place: Place) {
        if let Some(block) = self.blocks.get_mut(&place) {
            block.has_text = true;
        }
    }

    fn between_summaries(&mut self, place: Place, event: &Value, out: &mut Vec<Event>) {
        let says_something =
            ["delta", "text"].iter().any(|name| text(event, name).is_some_and(|text| !text.is_empty()));
        let summary = index(event, "summary_index");
        if !says_something {
            return;
        }
        let Some(block) = self.blocks.get_mut(&place).filter(|block| block.summary != summary) else {
            return;
        };
        block.summary = summary;
        if block.has_text {
            self.tell(place, Growth::Text(BETWEEN_SUMMARIES.to_owned()), out);
            // What follows is another text, of which nothing was told.
            if let Some(block) = self.blocks.get_mut(&place) {
                block.has_text = false;
            }
        }
    }

    fn citation(&mut self, place: Place, annotation: Option<&Value>, out: &mut Vec<Event>) {
        let Some(citation) = annotation.and_then(answer::citation) else { return };
        self.tell(place, Growth::Citation(citation), out);
        if let Some(block) = self.blocks.get_mut(&place) {
            block.citations += 1;
        }
    }

    fn logprobs(&mut self, place: Place, event: &Value, out: &mut Vec<Event>) {
        let tokens = answer::logprobs_of(event);
        if tokens.is_empty() {
            return;
        }
        out.push(Event::Logprobs { choice: 0, tokens: tokens.to_vec().into() });
        if let Some(block) = self.blocks.get_mut(&place) {
            block.has_logprobs = true;
        }
    }

    fn missing_logprobs(&mut self, place: Place, content: &Value, out: &mut Vec<Event>) {
        if self.blocks.get(&place).is_some_and(|block| !block.has_logprobs && !block.closed) {
            self.logprobs(place, content, out);
        }
    }

    fn close_all(&mut self, which: impl Fn(Place) -> bool, out: &mut Vec<Event>) {
        let open = self.blocks.iter_mut().filter(|(place, block)| !block.closed && which(**place));
        for (_, block) in open {
            block.closed = true;
            out.push(Event::Close { block: block.number });
        }
    }
}

fn index(event: &Value, name: &str) -> u64 {
    event.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn item_of(event: &Value) -> u64 {
    index(event, "output_index")
}

fn empty_text() -> Part {
    Part::text("")
}

fn empty_refusal() -> Part {
    Part::Refusal(String::new())
}

fn empty_thought(event: &Value, is_summary: bool) -> Part {
    let id = text(event, "item_id").map(str::to_owned);
    Part::Thought(Thought { text: String::new(), is_summary, seal: None, id })
}

/// The part as it opens, where what it says is told afterwards.
fn emptied(part: Part) -> Part {
    match part {
        Part::Text { .. } => empty_text(),
        Part::Refusal(_) => empty_refusal(),
        Part::ToolCall(mut call) => {
            call.arguments = String::new();
            Part::ToolCall(call)
        }
        part => part,
    }
}
