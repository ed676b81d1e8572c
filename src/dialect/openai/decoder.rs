//! A stream of chunks, read as blocks.
//!
//! Chunks say what grows and never what ends. So a text or a thought ends where something of another kind begins, a call
//! where the next one does, and all of them with the choice. A `finish_reason` is kept until the stream is over, for there
//! are providers that repeat it and some that still say something after it.

use serde_json::{Map, Value};

use super::blocks::Blocks;
use super::error;
use super::words::{self, Said};
use super::{answer, calls, citations, thoughts};
use crate::dialect::answer::{Event, Malformed, Stop};
use crate::dialect::conversation::Part;
use crate::usage::Usage;

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    /// `[DONE]` or an error came: nothing more is read.
    over: bool,
    id: String,
    usage: Usage,
    choices: Vec<Choice>,
    blocks: usize,
    /// Pages beside the answer that were named already.
    pages: Vec<String>,
}

#[derive(Debug)]
struct Choice {
    index: u64,
    blocks: Blocks,
    finish_reason: Option<Stop>,
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
        let data = data.trim_ascii();
        if self.over || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            return self.end(out);
        }
        let chunk: Map<String, Value> = match serde_json::from_slice(data) {
            Ok(chunk) => chunk,
            Err(_) if name == b"error" => Map::from_iter([(
                "error".to_owned(),
                Value::String(String::from_utf8_lossy(data).into_owned()),
            )]),
            Err(error) => return Err(Malformed(format!("a chunk is no JSON object: {error}"))),
        };
        if name == b"error" || is_error(&chunk) {
            self.over = true;
            out.push(Event::Failed(error::read(200, &Value::Object(chunk))));
            return Ok(());
        }
        self.read_chunk(&chunk, data, out)
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// Where it had not come to its end.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.over {
            return Ok(());
        }
        let is_whole =
            !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish_reason.is_some());
        if !is_whole {
            return Err(Malformed("the stream ended before its answer did".to_owned()));
        }
        self.end(out)
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.over = true;
        if self.choices.is_empty() {
            return Err(Malformed("the stream has no answer in it".to_owned()));
        }
        for choice in &mut self.choices {
            choice.blocks.close_all(out)?;
            let said = choice.blocks.said();
            let stop = match choice.finish_reason.take() {
                // What it did in the end tells more than the word that came before.
                Some(Stop::End) | None => words::stop("stop", said),
                Some(stop) => stop,
            };
            out.push(Event::Stop { choice: choice.index, stop });
        }
        out.push(Event::End);
        Ok(())
    }

    fn read_chunk(
        &mut self,
        chunk: &Map<String, Value>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let choices = match chunk.get("choices") {
            Some(Value::Array(choices)) => choices.as_slice(),
            Some(Value::Null) | None => &[],
            Some(_) => return Err(Malformed("`choices` of a chunk is no list".to_owned())),
        };
        let usage = Usage::from_chat(data);
        // Azure begins with a chunk that has no choices, and tells of its filters.
        if !choices.is_empty() {
            self.start(chunk, out);
        }
        for (at, choice) in choices.iter().enumerate() {
            let choice =
                choice.as_object().ok_or_else(|| Malformed(format!("`choices[{at}]` is no object")))?;
            self.read_choice(choice, at, chunk, out)?;
        }
        if let Some(usage) = usage.filter(|usage| *usage != self.usage) {
            self.start(chunk, out);
            self.usage.merge(usage);
            out.push(Event::Usage(usage));
        }
        Ok(())
    }

    fn start(&mut self, chunk: &Map<String, Value>, out: &mut Vec<Event>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let text = |name: &str| {
            chunk.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let id = text("id");
        self.id = id.clone().unwrap_or_default();
        let created = chunk.get("created").and_then(Value::as_u64).filter(|created| *created > 0);
        out.push(Event::Start { id, model: text("model"), created });
    }

    fn read_choice(
        &mut self,
        choice: &Map<String, Value>,
        at: usize,
        chunk: &Map<String, Value>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
        let known = self.choices.iter().position(|known| known.index == index);
        if known.is_none() {
            self.choices.push(Choice { index, blocks: Blocks::new(index), finish_reason: None });
        }
        let known = known.unwrap_or(self.choices.len().saturating_sub(1));
        let Some(state) = self.choices.get_mut(known) else { return Ok(()) };
        state.blocks.count_from(self.blocks);
        if let Some(delta) = choice.get("delta").and_then(Value::as_object) {
            read_delta(delta, &self.id, &mut state.blocks, out)?;
        }
        let pages = citations::read_pages(chunk).into_iter().filter(|page| {
            let url = page.url.clone().unwrap_or_default();
            state.blocks.has_text() && !self.pages.contains(&url) && {
                self.pages.push(url);
                true
            }
        });
        state.blocks.cite(pages.collect(), out);
        if let Some(tokens) = answer::tokens(choice) {
            out.push(Event::Logprobs { choice: index, tokens });
        }
        if let Some(reason) =
            choice.get("finish_reason").and_then(Value::as_str).filter(|reason| !reason.is_empty())
        {
            let stop = words::stop(reason, Said::default());
            state.finish_reason = answer::at_text(Some(stop), choice);
        }
        self.blocks = state.blocks.counted();
        Ok(())
    }
}

fn is_error(chunk: &Map<String, Value>) -> bool {
    let has = |name: &str| chunk.get(name).is_some_and(|value| !value.is_null());
    let says = |name: &str| chunk.get(name).and_then(Value::as_str) == Some("error");
    has("error") || ((says("object") || says("type")) && !has("choices"))
}

/// Thoughts first, then what is said, then what is called: the order in which a model does it, should one chunk hold more.
fn read_delta(
    delta: &Map<String, Value>,
    answer: &str,
    blocks: &mut Blocks,
    out: &mut Vec<Event>,
) -> Result<(), Malformed> {
    read_thoughts(delta, blocks, out);
    match delta.get("content") {
        Some(Value::String(text)) => blocks.text(text, out),
        Some(Value::Array(parts)) => parts.iter().for_each(|part| read_part(part, blocks, out)),
        _ => {}
    }
    blocks.cite(citations::read(delta), out);
    if let Some(refusal) = delta.get("refusal").and_then(Value::as_str) {
        blocks.refusal(refusal, out);
    }
    let fragments = delta.get("tool_calls").and_then(Value::as_array);
    for fragment in fragments.into_iter().flatten().filter_map(Value::as_object) {
        blocks.call(fragment, answer, out)?;
    }
    if let Some(call) = delta.get("function_call").filter(|call| call.is_object()) {
        let fragment =
            Map::from_iter([("index".to_owned(), Value::from(0)), ("function".to_owned(), call.clone())]);
        blocks.call(&fragment, answer, out)?;
    }
    if let Some(seal) = calls::signature(delta).and_then(|_| super::history::signature(delta)) {
        blocks.whole(seal, out);
    }
    for part in answer::images(delta).into_iter().chain(answer::audio(delta)) {
        blocks.whole(part, out);
    }
    Ok(())
}

fn read_thoughts(delta: &Map<String, Value>, blocks: &mut Blocks, out: &mut Vec<Event>) {
    let details = delta.get("reasoning_details").and_then(Value::as_array);
    let entries: Vec<&Map<String, Value>> =
        details.into_iter().flatten().filter_map(Value::as_object).collect();
    if entries.iter().all(|entry| thoughts::entry_text(entry).is_empty())
        && let Some((text, seal)) = thoughts::plain(delta)
    {
        blocks.thought(text, seal, out);
    }
    for entry in entries {
        blocks.thought_entry(entry, out);
    }
}

fn read_part(part: &Value, blocks: &mut Blocks, out: &mut Vec<Event>) {
    let Some(object) = part.as_object() else { return };
    match object.get("type").and_then(Value::as_str) {
        Some("thinking") => {
            let thought = thoughts::read_part(object);
            blocks.thought(&thought.text, thought.seal, out);
        }
        Some("text") => blocks.text(object.get("text").and_then(Value::as_str).unwrap_or_default(), out),
        _ => blocks.whole(Part::Own { dialect: crate::dialect::Dialect::OpenAi, json: part.clone() }, out),
    }
}
