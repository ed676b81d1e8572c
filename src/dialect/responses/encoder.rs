//! A stream, written.
//!
//! Items are numbered as they begin, and may overlap. Texts and refusals that follow one another are parts of one message,
//! which is complete when something else begins or the answer ends. Whatever is complete is told again in whole, for
//! clients rely on it; that takes memory, not time. The one thing that waits is the input of a tool that takes free text,
//! where the upstream gives it inside JSON: its text is not known before the JSON is whole.

mod close;
mod grow;

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error;
use super::output::{self, End};
use super::reply::{Form, Ids, OF_NEXT_CALL, sealed};
use crate::dialect::ReplyTo;
use crate::dialect::answer::{Event, Failure, Stop};
use crate::dialect::conversation::{Part, Seal, Thought, ToolCall};
use crate::usage::Usage;

/// Writes a stream.
#[derive(Debug)]
pub struct Encoder {
    to: Rc<ReplyTo>,
    ids: Ids,
    /// The response object; `None` before the beginning.
    response: Option<Map<String, Value>>,
    ended: bool,
    sequence: u64,
    /// By `output_index`.
    items: Vec<Item>,
    /// Which item a block is, and, of a message, which of its parts.
    blocks: BTreeMap<usize, Place>,
    has_refusal: bool,
    usage: Usage,
    stop: Option<Stop>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    item: usize,
    content: usize,
}

#[derive(Debug)]
enum Item {
    Message { id: String, contents: Vec<Content> },
    Thought { id: String, text: String, seal: Option<String> },
    Call { id: String, call_id: String, name: String, form: Form, arguments: String },
    Done(Value),
}

/// A part of a message.
#[derive(Debug, Default)]
struct Content {
    is_refusal: bool,
    is_done: bool,
    text: String,
    annotations: Vec<Value>,
    logprobs: Vec<Value>,
}

impl Content {
    fn json(&self) -> Value {
        if self.is_refusal {
            output::refusal(&self.text)
        } else {
            output::output_text(&self.text, &self.annotations, &self.logprobs)
        }
    }
}

impl Encoder {
    /// At the beginning of a stream.
    pub fn new(to: Rc<ReplyTo>) -> Encoder {
        Encoder {
            ids: Ids::new(&to, None),
            to,
            response: None,
            ended: false,
            sequence: 0,
            items: Vec::new(),
            blocks: BTreeMap::new(),
            has_refusal: false,
            usage: Usage::default(),
            stop: None,
        }
    }

    /// Appends the bytes that tell an event. There is one answer in this dialect: those beyond the first are left out.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            Event::Start { id, model, created } => {
                self.begin(id.as_deref(), model.as_deref(), *created, out);
            }
            // A comment: clients read over it.
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Open { block, choice: 0, part } => {
                self.begin(None, None, None, out);
                self.open(*block, part, out);
            }
            Event::Grow { block, by } => {
                if let Some(place) = self.blocks.get(block).copied() {
                    self.grow(place, by, out);
                }
            }
            Event::Close { block } => {
                if let Some(place) = self.blocks.remove(block) {
                    self.close(place, out);
                    self.settle(None, out);
                }
            }
            Event::Logprobs { choice: 0, tokens } => self.logprobs(tokens, out),
            Event::Stop { choice: 0, stop } => self.stop = Some(stop.clone()),
            Event::Usage(usage) => self.usage.merge(*usage),
            Event::Failed(failure) => self.fail(failure, out),
            Event::End => self.end(out),
            Event::Open { .. } | Event::Logprobs { .. } | Event::Stop { .. } => {}
        }
    }

    fn begin(&mut self, id: Option<&str>, model: Option<&str>, created: Option<u64>, out: &mut Vec<u8>) {
        if self.response.is_some() {
            return;
        }
        self.ids = Ids::new(&self.to, id);
        let asked = &self.to.conversation;
        let model = model.unwrap_or(&asked.model);
        let created = created.unwrap_or(self.to.created);
        let response = output::response(&self.ids.response(id), created, model, asked);
        for kind in ["response.created", "response.in_progress"] {
            self.emit(kind, json!({"response": response}), out);
        }
        self.response = Some(response);
    }

    fn open(&mut self, block: usize, part: &Part, out: &mut Vec<u8>) {
        match part {
            Part::Text { text, citations, .. } => {
                let place = self.open_content(block, false, out);
                self.grow_text(place, text, out);
                citations.iter().for_each(|citation| self.cite(place, citation, out));
            }
            Part::Refusal(text) => {
                self.has_refusal = true;
                let place = self.open_content(block, true, out);
                self.grow_text(place, text, out);
            }
            Part::Thought(thought) => {
                let place = self.open_thought(thought, out);
                self.blocks.insert(block, place);
            }
            Part::ToolCall(call) => {
                let place = self.open_call(call, out);
                self.blocks.insert(block, place);
            }
            part => {
                if let Some(mut item) = output::own_item(part) {
                    self.ids.name(&mut item);
                    let place = self.add(Item::Done(item.clone()), &item, out);
                    self.item_done(place.item, item, out);
                }
            }
        }
        self.settle(None, out);
    }

    /// Begins an item.
    fn add(&mut self, item: Item, json: &Value, out: &mut Vec<u8>) -> Place {
        let place = Place { item: self.items.len(), content: 0 };
        self.items.push(item);
        self.emit("response.output_item.added", json!({"output_index": place.item, "item": json}), out);
        place
    }

    /// Begins a part of a message: of the one that was told last, where nothing has come after it.
    fn open_content(&mut self, block: usize, is_refusal: bool, out: &mut Vec<u8>) -> Place {
        let item = match self.items.last() {
            Some(Item::Message { .. }) => self.items.len() - 1,
            _ => {
                let id = self.ids.item("msg");
                let json = output::message(&id, "in_progress", Vec::new());
                self.add(Item::Message { id, contents: Vec::new() }, &json, out).item
            }
        };
        let mut place = Place { item, content: 0 };
        let mut told = None;
        if let Some(Item::Message { id, contents }) = self.items.get_mut(item) {
            place.content = contents.len();
            let content = Content { is_refusal, ..Content::default() };
            told = Some(json!({
                "item_id": id,
                "output_index": item,
                "content_index": place.content,
                "part": content.json(),
            }));
            contents.push(content);
        }
        if let Some(told) = told {
            self.emit("response.content_part.added", told, out);
        }
        self.blocks.insert(block, place);
        place
    }

    fn open_thought(&mut self, thought: &Thought, out: &mut Vec<u8>) -> Place {
        let id = self.ids.thought(thought);
        let json = output::reasoning(&id, "", None);
        let seal = thought.seal.as_ref().map(sealed);
        let place = self.add(Item::Thought { id, text: String::new(), seal }, &json, out);
        self.grow_text(place, &thought.text, out);
        place
    }

    /// The seal of a call, as a thought beside it.
    fn seal_of_call(&mut self, whose: &str, seal: &Seal, out: &mut Vec<u8>) {
        let id = self.ids.item("rs");
        let json = output::reasoning(&id, "", None);
        let seal = Some(format!("{whose}{}", sealed(seal)));
        let place = self.add(Item::Thought { id, text: String::new(), seal }, &json, out);
        self.close(place, out);
    }

    fn open_call(&mut self, call: &ToolCall, out: &mut Vec<u8>) -> Place {
        if let Some(seal) = &call.seal {
            self.seal_of_call(OF_NEXT_CALL, seal, out);
        }
        let form = Form::of(call, &self.to);
        let id = self.ids.item(if form.is_custom() { "ctc" } else { "fc" });
        let json = output::call(&id, "in_progress", form.is_custom(), [&call.id, &call.name], "");
        let item = Item::Call {
            id,
            call_id: call.id.clone(),
            name: call.name.clone(),
            form,
            arguments: String::new(),
        };
        let place = self.add(item, &json, out);
        self.grow_text(place, &call.arguments, out);
        place
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(None, None, None, out);
        let end = End::of(self.stop.as_ref(), self.has_refusal);
        for (_, place) in std::mem::take(&mut self.blocks) {
            self.close(place, out);
        }
        self.settle(Some(end.status), out);
        let kind = if end.reason.is_some() { "response.incomplete" } else { "response.completed" };
        self.last(kind, &end, None, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.begin(None, None, None, out);
        self.emit("error", error::event(failure), out);
        let end = End { status: "failed", reason: None };
        self.last("response.failed", &end, Some(error::in_response(failure)), out);
    }

    /// The last event: the whole response, with the items that are complete.
    fn last(&mut self, kind: &str, end: &End, error: Option<Value>, out: &mut Vec<u8>) {
        let done = std::mem::take(&mut self.items).into_iter().filter_map(|item| match item {
            Item::Done(item) => Some(item),
            _ => None,
        });
        let mut response = self.response.take().unwrap_or_default();
        output::finish(&mut response, end, done.collect(), &self.usage);
        if let Some(error) = error {
            response.insert("error".to_owned(), error);
        }
        self.emit(kind, json!({"response": response}), out);
        self.ended = true;
    }

    fn emit(&mut self, kind: &str, mut event: Value, out: &mut Vec<u8>) {
        if let Some(event) = event.as_object_mut() {
            event.insert("type".to_owned(), kind.into());
            event.insert("sequence_number".to_owned(), self.sequence.into());
        }
        self.sequence += 1;
        write(kind, &event, out);
    }
}

/// What is told of a thought's summary, which is one part.
fn summary(id: &str, item: usize, name: &str, value: Value) -> Value {
    json!({"item_id": id, "output_index": item, "summary_index": 0, name: value})
}

fn write(kind: &str, event: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // Texts, numbers and JSON are written into memory: nothing of that can fail.
    let _ = serde_json::to_writer(&mut *out, event);
    out.extend_from_slice(b"\n\n");
}
