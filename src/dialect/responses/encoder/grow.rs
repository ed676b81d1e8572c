//! What is told of an item as it grows.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Encoder, Item, Place, summary, write};
use crate::dialect::answer::Growth;
use crate::dialect::conversation::Citation;
use crate::dialect::responses::output;
use crate::dialect::responses::reply::{Form, OF_LAST_CALL, sealed};

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
    pub(super) fn grow(&mut self, place: Place, by: &Growth, out: &mut Vec<u8>) {
        match by {
            Growth::Text(text) | Growth::Arguments(text) => self.grow_text(place, text, out),
            Growth::Citation(citation) => self.cite(place, citation, out),
            Growth::Seal(by) => {
                let is_last = place.item + 1 == self.items.len();
                match self.items.get_mut(place.item) {
                    Some(Item::Thought { seal, .. }) => *seal = Some(sealed(by)),
                    // Where another item has begun since, there is no telling whose it would be.
                    Some(Item::Call { .. }) if is_last => self.seal_of_call(OF_LAST_CALL, by, out),
                    _ => {}
                }
            }
        }
    }

    pub(super) fn grow_text(&mut self, place: Place, delta: &str, out: &mut Vec<u8>) {
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
    pub(super) fn delta(&mut self, place: Place, delta: &str, logprobs: &[Value], out: &mut Vec<u8>) {
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

    pub(super) fn cite(&mut self, place: Place, citation: &Citation, out: &mut Vec<u8>) {
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
    pub(super) fn logprobs(&mut self, tokens: &Value, out: &mut Vec<u8>) {
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
}
