//! What is told of an item that is complete.

use serde_json::{Value, json};

use super::{Content, Encoder, Item, Place, summary};
use crate::dialect::responses::output;
use crate::dialect::responses::reply::Form;

impl Encoder {
    pub(super) fn close(&mut self, place: Place, out: &mut Vec<u8>) {
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

    pub(super) fn close_content(&mut self, place: Place, out: &mut Vec<u8>) {
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

    pub(super) fn close_call(&mut self, place: Place, out: &mut Vec<u8>) {
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
    pub(super) fn settle(&mut self, ends: Option<&str>, out: &mut Vec<u8>) {
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

    pub(super) fn item_done(&mut self, index: usize, item: Value, out: &mut Vec<u8>) {
        self.emit("response.output_item.done", json!({"output_index": index, "item": item}), out);
        if let Some(place) = self.items.get_mut(index) {
            *place = Item::Done(item);
        }
    }
}
