//! Streams, read.
//!
//! Blocks that only Anthropic has are told when they are whole: nobody else could make use of a piece of one.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{answer, error, part, usage};
use crate::dialect::Dialect;
use crate::dialect::answer::{Event, Growth, Malformed, Stop};
use crate::dialect::conversation::{Part, ToolCall};
use crate::usage::Usage;

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The message's id, once it has begun.
    begun: Option<String>,
    /// How many blocks were told.
    told: usize,
    /// Blocks that are open, by Anthropic's index.
    open: BTreeMap<u64, Open>,
    /// Why it will end was said at its very beginning.
    foretold: Option<Stop>,
    /// Why it ended was said.
    stopped: bool,
    /// It came to its end, or failed.
    ended: bool,
}

#[derive(Debug)]
enum Open {
    /// Told under this number.
    Told(usize),
    /// A call that is told, with the arguments that it began with and whether any came since.
    Call { block: usize, first: String, grew: bool },
    /// Anthropic's own, and the input that it writes by and by.
    Own { json: Value, input: String },
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
        if self.ended || data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let event: Value = serde_json::from_slice(data)
            .map_err(|fault| Malformed(format!("an event of the stream is no JSON: {fault}")))?;
        let named = std::str::from_utf8(name).unwrap_or_default();
        match event.get("type").and_then(Value::as_str).unwrap_or(named) {
            "message_start" => self.start(&event, out),
            "content_block_start" => self.open(&event, out),
            "content_block_delta" => self.grow(&event, out),
            "content_block_stop" => {
                self.close(index(&event)?, out);
                Ok(())
            }
            "message_delta" => {
                self.message_delta(&event, out);
                Ok(())
            }
            "message_stop" => {
                self.end(out);
                Ok(())
            }
            "ping" => {
                out.push(Event::Ping);
                Ok(())
            }
            "error" => {
                self.ended = true;
                out.push(Event::Failed(error::failure(200, &event)));
                Ok(())
            }
            // New kinds of events may come at any time, as Anthropic says.
            _ => Ok(()),
        }
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// Where it had not come to its end.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.ended {
            return Ok(());
        }
        if !self.stopped {
            return Err(Malformed("the stream broke off".to_owned()));
        }
        // Nothing was left to say.
        self.end(out);
        Ok(())
    }

    fn start(&mut self, event: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let message = event.get("message").unwrap_or(&Value::Null);
        let text = |name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text("id").unwrap_or_default();
        match &self.begun {
            // Some proxies say it twice.
            Some(begun) if *begun == id => return Ok(()),
            Some(_) => return Err(Malformed("another message begins in the midst of one".to_owned())),
            None => self.begun = Some(id),
        }
        out.push(Event::Start { id: text("id"), model: text("model"), created: None });
        say_usage(usage::read_start(message.get("usage")), out);
        // A call that code on Anthropic's side makes comes whole, in the message's beginning.
        for json in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            let block = self.tell(part::read_answer(json), out);
            out.push(Event::Close { block });
        }
        self.foretold = answer::read_stop(message);
        Ok(())
    }

    fn open(&mut self, event: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let index = index(event)?;
        let json = event.get("content_block").filter(|block| block.is_object());
        let json = json.ok_or_else(|| Malformed("a block without `content_block`".to_owned()))?;
        if self.begun.is_none() {
            return Err(Malformed("a block before `message_start`".to_owned()));
        }
        // Whoever forgets to close a block closes it by opening the next in its place.
        self.close(index, out);
        let open = match part::read_answer(json) {
            Part::Own { .. } => Open::Own { json: json.clone(), input: String::new() },
            Part::ToolCall(call) => {
                let first = call.arguments.clone();
                let block = self.tell(Part::ToolCall(ToolCall { arguments: String::new(), ..call }), out);
                Open::Call { block, first, grew: false }
            }
            part => Open::Told(self.tell(part, out)),
        };
        self.open.insert(index, open);
        Ok(())
    }

    fn tell(&mut self, part: Part, out: &mut Vec<Event>) -> usize {
        let block = self.told;
        self.told += 1;
        out.push(Event::Open { block, choice: 0, part });
        block
    }

    fn grow(&mut self, event: &Value, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let delta = event.get("delta").and_then(Value::as_object);
        let delta = delta.ok_or_else(|| Malformed("an event without `delta`".to_owned()))?;
        let open = self.open.get_mut(&index(event)?);
        match open.ok_or_else(|| Malformed("a delta of a block that is not open".to_owned()))? {
            Open::Told(block) => {
                if let Some(by) = growth(delta) {
                    out.push(Event::Grow { block: *block, by });
                }
            }
            Open::Call { block, grew, .. } => {
                if let Some(by @ Growth::Arguments(_)) = growth(delta) {
                    *grew |= by != Growth::Arguments(String::new());
                    out.push(Event::Grow { block: *block, by });
                }
            }
            Open::Own { json, input } => grow_own(json, input, delta),
        }
        Ok(())
    }

    fn close(&mut self, index: u64, out: &mut Vec<Event>) {
        match self.open.remove(&index) {
            None => {}
            Some(Open::Told(block)) => out.push(Event::Close { block }),
            Some(Open::Call { block, first, grew }) => {
                if !grew {
                    out.push(Event::Grow { block, by: Growth::Arguments(first) });
                }
                out.push(Event::Close { block });
            }
            Some(Open::Own { mut json, input }) => {
                if let (Ok(input), Some(block)) = (serde_json::from_str(&input), json.as_object_mut()) {
                    block.insert("input".into(), input);
                }
                let block = self.tell(Part::Own { dialect: Dialect::Anthropic, json }, out);
                out.push(Event::Close { block });
            }
        }
    }

    fn close_all(&mut self, out: &mut Vec<Event>) {
        while let Some(index) = self.open.keys().next().copied() {
            self.close(index, out);
        }
    }

    fn message_delta(&mut self, event: &Value, out: &mut Vec<Event>) {
        say_usage(usage::read(event.get("usage")), out);
        self.stop(event.get("delta").and_then(answer::read_stop), out);
    }

    fn stop(&mut self, stop: Option<Stop>, out: &mut Vec<Event>) {
        if let (false, Some(stop)) = (self.stopped, stop) {
            self.close_all(out);
            self.stopped = true;
            out.push(Event::Stop { choice: 0, stop });
        }
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.close_all(out);
        let foretold = self.foretold.take();
        self.stop(foretold, out);
        self.ended = true;
        out.push(Event::End);
    }
}

fn say_usage(usage: Usage, out: &mut Vec<Event>) {
    if usage != Usage::default() {
        out.push(Event::Usage(usage));
    }
}

fn index(event: &Value) -> Result<u64, Malformed> {
    let index = event.get("index").and_then(Value::as_u64);
    index.ok_or_else(|| Malformed("an event of a block without `index`".to_owned()))
}

/// What a delta says; nothing where its kind is not known.
fn growth(delta: &Map<String, Value>) -> Option<Growth> {
    let text = |name: &str| delta.get(name).and_then(Value::as_str);
    Some(match text("type")? {
        "text_delta" => Growth::Text(text("text")?.to_owned()),
        "thinking_delta" => Growth::Text(text("thinking")?.to_owned()),
        "input_json_delta" => Growth::Arguments(text("partial_json")?.to_owned()),
        "signature_delta" => {
            let signature = text("signature").filter(|signature| !signature.is_empty())?;
            Growth::Seal(part::own_seal(signature, false))
        }
        "citations_delta" => Growth::Citation(part::read_citation(delta.get("citation")?)),
        _ => return None,
    })
}

/// Anthropic's own blocks grow by the member that their delta names, as far as is known of them: texts by what is added,
/// all else as a whole.
fn grow_own(json: &mut Value, input: &mut String, delta: &Map<String, Value>) {
    if let Some(Value::String(fragment)) = delta.get("partial_json") {
        input.push_str(fragment);
        return;
    }
    let Some(block) = json.as_object_mut() else { return };
    for (name, value) in delta.iter().filter(|(name, _)| *name != "type") {
        match (block.get_mut(name), value) {
            (Some(Value::String(text)), Value::String(more)) => text.push_str(more),
            _ => {
                block.insert(name.clone(), value.clone());
            }
        }
    }
}
