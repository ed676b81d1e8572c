//! A stream, written.
//!
//! Items are numbered as they begin, and may overlap. Texts and refusals that follow one another are parts of one message,
//! which is complete when something else begins or the answer ends. Whatever is complete is told again in whole, for
//! clients rely on it; that takes memory, not time. The one thing that waits is the input of a tool that takes free text,
//! where the upstream gives it inside JSON: its text is not known before the JSON is whole.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error;
use super::output::{self, End};
use super::reply::{Form, Ids, sealed};
use crate::dialect::ReplyTo;
use crate::dialect::answer::{Event, Failure, Growth, Stop};
use crate::dialect::conversation::{Citation, Part, Thought, ToolCall};
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

/// The event of which there are many; its members are written in this order.
#[derive(Serialize)]
struct Delta<'a> {
    r#type: &'a str,
    sequence_number: u64,
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a [Value]>,
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
                let id = self.ids.item("ig");
                if let Some(item) = output::own_item(part, &id) {
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

    fn open_call(&mut self, call: &ToolCall, out: &mut Vec<u8>) -> Place {
        // This dialect has no word for the seal of a call. It stands before it as a thought that says nothing, which
        // clients send back where it was ([`super::items`]).
        if let Some(seal) = &call.seal {
            let seal = Thought { seal: Some(seal.clone()), ..Thought::default() };
            let place = self.open_thought(&seal, out);
            self.close(place, out);
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

    fn grow(&mut self, place: Place, by: &Growth, out: &mut Vec<u8>) {
        match by {
            Growth::Text(text) | Growth::Arguments(text) => self.grow_text(place, text, out),
            Growth::Citation(citation) => self.cite(place, citation, out),
            Growth::Seal(by) => {
                // That of a call comes with its beginning: it stands before it.
                if let Some(Item::Thought { seal, .. }) = self.items.get_mut(place.item) {
                    *seal = Some(sealed(by));
                }
            }
        }
    }

    fn grow_text(&mut self, place: Place, delta: &str, out: &mut Vec<u8>) {
        if delta.is_empty() {
            return;
        }
        if let Some(Item::Thought { id, text, .. }) = self.items.get(place.item)
            && text.is_empty()
        {
            let part = summary(id, place.item, "part", output::summary_text(""));
            self.emit("response.reasoning_summary_part.added", part, out);
        }
        self.delta(place, delta, &[], out);
        match self.items.get_mut(place.item) {
            Some(Item::Message { contents, .. }) => {
                if let Some(content) = contents.get_mut(place.content) {
                    content.text.push_str(delta);
                }
            }
            Some(Item::Thought { text, .. }) => text.push_str(delta),
            Some(Item::Call { arguments, .. }) => arguments.push_str(delta),
            Some(Item::Done(_)) | None => {}
        }
    }

    /// Tells a fragment.
    fn delta(&mut self, place: Place, delta: &str, logprobs: &[Value], out: &mut Vec<u8>) {
        let (kind, id, content, summary, logprobs) = match self.items.get(place.item) {
            Some(Item::Message { id, contents }) => {
                let is_refusal = contents.get(place.content).is_some_and(|content| content.is_refusal);
                if is_refusal {
                    ("response.refusal.delta", id, Some(place.content), None, None)
                } else {
                    ("response.output_text.delta", id, Some(place.content), None, Some(logprobs))
                }
            }
            Some(Item::Thought { id, .. }) => {
                ("response.reasoning_summary_text.delta", id, None, Some(0), None)
            }
            Some(Item::Call { id, form, .. }) => match form {
                Form::Function => ("response.function_call_arguments.delta", id, None, None, None),
                Form::Custom => ("response.custom_tool_call_input.delta", id, None, None, None),
                Form::Unwrapped => return,
            },
            Some(Item::Done(_)) | None => return,
        };
        let event = Delta {
            r#type: kind,
            sequence_number: self.sequence,
            item_id: id,
            output_index: place.item,
            content_index: content,
            summary_index: summary,
            delta,
            logprobs,
        };
        write(kind, &event, out);
        self.sequence += 1;
    }

    fn cite(&mut self, place: Place, citation: &Citation, out: &mut Vec<u8>) {
        let Some(Item::Message { id, contents }) = self.items.get_mut(place.item) else { return };
        let Some(content) = contents.get_mut(place.content) else { return };
        let Some(annotation) = output::annotation(citation, content.text.chars().count()) else { return };
        let told = json!({
            "item_id": id,
            "output_index": place.item,
            "content_index": place.content,
            "annotation_index": content.annotations.len(),
            "annotation": annotation,
        });
        content.annotations.push(annotation);
        self.emit("response.output_text.annotation.added", told, out);
    }

    /// Likelihoods ride on the deltas, but come after the text that they are of: a delta without text tells them.
    fn logprobs(&mut self, tokens: &Value, out: &mut Vec<u8>) {
        let tokens = tokens.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_text = |place: &&Place| match self.items.get(place.item) {
            Some(Item::Message { contents, .. }) => {
                contents.get(place.content).is_some_and(|content| !content.is_refusal)
            }
            _ => false,
        };
        let Some(place) = self.blocks.values().rev().find(is_text).copied() else { return };
        self.delta(place, "", tokens, out);
        if let Some(Item::Message { contents, .. }) = self.items.get_mut(place.item)
            && let Some(content) = contents.get_mut(place.content)
        {
            content.logprobs.extend_from_slice(tokens);
        }
    }

    fn close(&mut self, place: Place, out: &mut Vec<u8>) {
        match self.items.get_mut(place.item) {
            Some(Item::Message { .. }) => self.close_content(place, out),
            Some(Item::Thought { id, text, seal }) => {
                let (id, text, seal) = (std::mem::take(id), std::mem::take(text), seal.take());
                if !text.is_empty() {
                    let done = summary(&id, place.item, "text", text.as_str().into());
                    self.emit("response.reasoning_summary_text.done", done, out);
                    let done = summary(&id, place.item, "part", output::summary_text(&text));
                    self.emit("response.reasoning_summary_part.done", done, out);
                }
                self.item_done(place.item, output::reasoning(&id, &text, seal.as_deref()), out);
            }
            Some(Item::Call { .. }) => self.close_call(place, out),
            Some(Item::Done(_)) | None => {}
        }
    }

    fn close_content(&mut self, place: Place, out: &mut Vec<u8>) {
        let Some(Item::Message { id, contents }) = self.items.get_mut(place.item) else { return };
        let Some(content) = contents.get_mut(place.content) else { return };
        content.is_done = true;
        let told = |name: &str, value: Value| json!({"item_id": id, "output_index": place.item, "content_index": place.content, name: value});
        let (kind, mut done) = if content.is_refusal {
            ("response.refusal.done", told("refusal", content.text.as_str().into()))
        } else {
            ("response.output_text.done", told("text", content.text.as_str().into()))
        };
        if let (false, Some(done)) = (content.is_refusal, done.as_object_mut()) {
            done.insert("logprobs".to_owned(), content.logprobs.clone().into());
        }
        let part = told("part", content.json());
        self.emit(kind, done, out);
        self.emit("response.content_part.done", part, out);
    }

    fn close_call(&mut self, place: Place, out: &mut Vec<u8>) {
        let Some(Item::Call { id, call_id, name, form, arguments }) = self.items.get_mut(place.item) else {
            return;
        };
        let whole = form.arguments(arguments);
        let names = [call_id.as_str(), name.as_str()];
        let item = output::call(id, "completed", form.is_custom(), names, &whole);
        let told =
            |field: &str, value: &str| json!({"item_id": id, "output_index": place.item, field: value});
        let (delta, kind, mut done) = if form.is_custom() {
            (
                "response.custom_tool_call_input.delta",
                "response.custom_tool_call_input.done",
                told("input", &whole),
            )
        } else {
            (
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                told("arguments", &whole),
            )
        };
        // What was not told in fragments: what had to wait, and that there are no arguments.
        let late = (*form == Form::Unwrapped || arguments.is_empty()) && !whole.is_empty();
        let late = late.then(|| told("delta", &whole));
        if let (false, Some(done)) = (form.is_custom(), done.as_object_mut()) {
            done.insert("name".to_owned(), name.as_str().into());
        }
        if let Some(late) = late {
            self.emit(delta, late, out);
        }
        self.emit(kind, done, out);
        self.item_done(place.item, item, out);
    }

    /// Completes messages to which nothing can be added: all but the last item, and that too where the answer ends so.
    fn settle(&mut self, ends: Option<&str>, out: &mut Vec<u8>) {
        let last = self.items.len().saturating_sub(1);
        for index in 0..self.items.len() {
            let Some(Item::Message { id, contents }) = self.items.get(index) else { continue };
            if contents.iter().all(|content| content.is_done) && (index != last || ends.is_some()) {
                let status = if index == last { ends.unwrap_or("completed") } else { "completed" };
                let item = output::message(id, status, contents.iter().map(Content::json).collect());
                self.item_done(index, item, out);
            }
        }
    }

    fn item_done(&mut self, index: usize, item: Value, out: &mut Vec<u8>) {
        self.emit("response.output_item.done", json!({"output_index": index, "item": item}), out);
        if let Some(place) = self.items.get_mut(index) {
            *place = Item::Done(item);
        }
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
