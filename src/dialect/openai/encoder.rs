//! Blocks, written as a stream of chunks.
//!
//! What clients put together by overwriting and not by appending is sent whole: an entry of `reasoning_details` when its
//! thought ends, so that text and seal come back together, and the annotations of a text when the text ends.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::thoughts;
use super::words::{self, Said};
use super::{answer, calls, citations, error, parts};
use crate::dialect::answer::{Event, Growth};
use crate::dialect::conversation::{Citation, Part, Thought, ToolCall};
use crate::dialect::custom::{self, Unwrapper};
use crate::dialect::{Dialect, ReplyTo};
use crate::usage::Usage;

/// Writes a stream.
#[derive(Debug)]
pub struct Encoder {
    to: Rc<ReplyTo>,
    id: String,
    model: String,
    created: u64,
    choices: BTreeMap<u64, Choice>,
    blocks: BTreeMap<usize, Block>,
    usage: Usage,
    is_over: bool,
}

/// What a choice has said so far.
#[derive(Debug, Default)]
struct Choice {
    /// Characters of its content.
    length: u64,
    calls: usize,
    thoughts: usize,
    /// Something stands in `reasoning_content`.
    has_thought: bool,
    refuses: bool,
}

#[derive(Debug)]
struct Block {
    choice: u64,
    kind: Kind,
}

/// What a block is, and what of it is kept until it ends.
#[derive(Debug)]
enum Kind {
    Text {
        start: u64,
        citations: Vec<Citation>,
    },
    Refusal,
    Thought {
        index: usize,
        thought: Thought,
    },
    Call {
        index: usize,
        unwrapper: Option<Unwrapper>,
        is_custom: bool,
    },
    /// It was told when it began, or has no form here.
    Other,
}

impl Encoder {
    /// At the beginning of a stream.
    pub fn new(to: Rc<ReplyTo>) -> Encoder {
        Encoder {
            id: answer::id(None, &to),
            model: to.conversation.model.clone(),
            created: to.created,
            to,
            choices: BTreeMap::new(),
            blocks: BTreeMap::new(),
            usage: Usage::default(),
            is_over: false,
        }
    }

    /// Appends the bytes that tell an event.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        match event {
            Event::Start { id, model, created } => {
                self.id = answer::id(id.as_deref(), &self.to);
                self.model = model.clone().unwrap_or_else(|| self.to.conversation.model.clone());
                self.created = created.unwrap_or(self.to.created);
                self.role(0, out);
            }
            Event::Open { block, choice, part } => self.open(*block, *choice, part, out),
            Event::Grow { block, by } => self.grow(*block, by, out),
            Event::Close { block } => self.close(*block, out),
            Event::Logprobs { choice, tokens } => {
                self.role(*choice, out);
                let choice = json!({"index": choice, "delta": {}, "logprobs": words::logprobs(tokens), "finish_reason": null});
                self.chunk(vec![choice], Value::Null, out);
            }
            Event::Stop { choice, stop } => {
                self.role(*choice, out);
                let state = self.choices.get(choice);
                let said = state.map_or(Said::default(), |state| Said {
                    calls_tools: state.calls > 0,
                    refuses: state.refuses,
                });
                let reason = words::finish_reason(stop, said, self.to.conversation.legacy_functions);
                let choice = json!({"index": choice, "delta": {}, "logprobs": null, "finish_reason": reason});
                self.chunk(vec![choice], Value::Null, out);
            }
            Event::Usage(usage) => self.usage.merge(*usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Failed(failure) => {
                self.is_over = true;
                send(&error::encode(failure), out);
            }
            Event::End => {
                self.is_over = true;
                if let Some(usage) = words::usage(&self.usage).filter(|_| self.to.wants_usage) {
                    self.chunk(Vec::new(), usage, out);
                }
                send("[DONE]", out);
            }
        }
    }

    /// The first chunk of a choice tells its role.
    fn role(&mut self, choice: u64, out: &mut Vec<u8>) {
        if let Entry::Vacant(vacant) = self.choices.entry(choice) {
            vacant.insert(Choice::default());
            self.delta(choice, json!({"role": "assistant", "content": "", "refusal": null}), out);
        }
    }

    fn delta(&self, choice: u64, delta: Value, out: &mut Vec<u8>) {
        let choice = json!({"index": choice, "delta": delta, "logprobs": null, "finish_reason": null});
        self.chunk(vec![choice], Value::Null, out);
    }

    /// Where usage is wanted, it is null in every chunk but its own.
    fn chunk(&self, choices: Vec<Value>, usage: Value, out: &mut Vec<u8>) {
        let mut chunk = Map::from_iter([
            ("id".to_owned(), Value::from(self.id.as_str())),
            ("object".to_owned(), "chat.completion.chunk".into()),
            ("created".to_owned(), self.created.into()),
            ("model".to_owned(), self.model.as_str().into()),
            ("choices".to_owned(), choices.into()),
        ]);
        if self.to.wants_usage {
            chunk.insert("usage".to_owned(), usage);
        }
        send(&Value::Object(chunk).to_string(), out);
    }

    fn open(&mut self, block: usize, choice: u64, part: &Part, out: &mut Vec<u8>) {
        self.role(choice, out);
        let kind = match part {
            Part::Text { text, citations, .. } => {
                let start = self.choices.get(&choice).map_or(0, |state| state.length);
                self.say(choice, text, out);
                Kind::Text { start, citations: citations.clone() }
            }
            Part::Refusal(text) => {
                self.refuse(choice, text, out);
                Kind::Refusal
            }
            Part::Thought(thought) => self.open_thought(choice, thought, out),
            Part::ToolCall(call) => self.open_call(choice, call, out),
            Part::Image { source, .. } => {
                if let Some(image) = parts::write_image(source, None) {
                    self.delta(choice, json!({"images": [image]}), out);
                }
                Kind::Other
            }
            Part::Own { dialect: Dialect::OpenAi, json } => {
                self.delta(choice, json.clone(), out);
                Kind::Other
            }
            Part::Own { .. } | Part::ToolResult { .. } | Part::Document { .. } | Part::Audio { .. } => {
                Kind::Other
            }
        };
        self.blocks.insert(block, Block { choice, kind });
    }

    fn say(&mut self, choice: u64, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            if let Some(state) = self.choices.get_mut(&choice) {
                state.length += text.chars().count() as u64;
            }
            self.delta(choice, json!({"content": text}), out);
        }
    }

    fn refuse(&mut self, choice: u64, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            if let Some(state) = self.choices.get_mut(&choice) {
                state.refuses = true;
            }
            self.delta(choice, json!({"refusal": text}), out);
        }
    }

    fn open_thought(&mut self, choice: u64, thought: &Thought, out: &mut Vec<u8>) -> Kind {
        let index = self.choices.get_mut(&choice).map_or(0, |state| {
            state.thoughts += 1;
            state.thoughts - 1
        });
        self.think(choice, &thought.text, true, out);
        Kind::Thought { index, thought: thought.clone() }
    }

    /// Thoughts are paragraphs of one text. `is_first` where nothing of this one was told.
    fn think(&mut self, choice: u64, text: &str, is_first: bool, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let had = self
            .choices
            .get_mut(&choice)
            .is_some_and(|state| std::mem::replace(&mut state.has_thought, true));
        let between = if is_first && had { thoughts::BETWEEN } else { "" };
        self.delta(choice, json!({thoughts::CONTENT: format!("{between}{text}")}), out);
    }

    fn open_call(&mut self, choice: u64, call: &ToolCall, out: &mut Vec<u8>) -> Kind {
        let index = self.choices.get_mut(&choice).map_or(0, |state| {
            state.calls += 1;
            state.calls - 1
        });
        let stands_for_custom = !call.is_custom && custom::is_custom(&self.to.conversation, &call.name);
        let mut unwrapper = stands_for_custom.then(Unwrapper::default);
        let is_custom = call.is_custom || stands_for_custom;
        let arguments = match &mut unwrapper {
            Some(unwrapper) => unwrapper.push(&call.arguments),
            None => call.arguments.clone(),
        };
        let mut written = calls::write(call, is_custom, &arguments);
        if self.to.conversation.legacy_functions {
            // There is room for one.
            if let Some(function) = written.get("function").filter(|_| index == 0) {
                self.delta(choice, json!({"function_call": function}), out);
            }
        } else if let Value::Object(fragment) = &mut written {
            fragment.insert("index".to_owned(), index.into());
            self.delta(choice, json!({"tool_calls": [written]}), out);
        }
        Kind::Call { index, unwrapper, is_custom }
    }

    fn grow(&mut self, block: usize, by: &Growth, out: &mut Vec<u8>) {
        let Some(mut state) = self.blocks.remove(&block) else { return };
        let choice = state.choice;
        match (&mut state.kind, by) {
            (Kind::Text { .. }, Growth::Text(text)) => self.say(choice, text, out),
            (Kind::Text { citations, .. }, Growth::Citation(citation)) => citations.push(citation.clone()),
            (Kind::Refusal, Growth::Text(text)) => self.refuse(choice, text, out),
            (Kind::Thought { thought, .. }, Growth::Text(text)) => {
                self.think(choice, text, thought.text.is_empty(), out);
                thought.text.push_str(text);
            }
            (Kind::Thought { thought, .. }, Growth::Seal(seal)) => thought.seal = Some(seal.clone()),
            (Kind::Call { index, unwrapper, is_custom }, Growth::Arguments(fragment)) => {
                let fragment = match unwrapper {
                    Some(unwrapper) => unwrapper.push(fragment),
                    None => fragment.clone(),
                };
                self.arguments(choice, *index, *is_custom, &fragment, out);
            }
            (Kind::Call { index, .. }, Growth::Seal(seal)) if !self.to.conversation.legacy_functions => {
                let extra = calls::extra_content(&seal.wrapped(Dialect::OpenAi));
                self.delta(choice, json!({"tool_calls": [{"index": index, "extra_content": extra}]}), out);
            }
            _ => {}
        }
        self.blocks.insert(block, state);
    }

    fn arguments(&self, choice: u64, index: usize, is_custom: bool, fragment: &str, out: &mut Vec<u8>) {
        if fragment.is_empty() {
            return;
        }
        let delta = match (self.to.conversation.legacy_functions, is_custom) {
            (true, _) if index > 0 => return,
            (true, _) => json!({"function_call": {"arguments": fragment}}),
            (false, true) => json!({"tool_calls": [{"index": index, "custom": {"input": fragment}}]}),
            (false, false) => json!({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}),
        };
        self.delta(choice, delta, out);
    }

    fn close(&mut self, block: usize, out: &mut Vec<u8>) {
        let Some(Block { choice, kind }) = self.blocks.remove(&block) else { return };
        match kind {
            Kind::Text { start, citations } => {
                let end = self.choices.get(&choice).map_or(start, |state| state.length);
                let annotations: Vec<Value> = citations
                    .iter()
                    .filter_map(|citation| citations::write(citation, (start, end)))
                    .collect();
                if !annotations.is_empty() {
                    self.delta(choice, json!({"annotations": annotations}), out);
                }
            }
            Kind::Thought { index, thought } => {
                if thoughts::needs_entry(&thought) {
                    let entries = thoughts::entries(&thought, index);
                    self.delta(choice, json!({"reasoning_details": entries}), out);
                }
            }
            Kind::Call { index, unwrapper: Some(mut unwrapper), is_custom } => {
                let rest = unwrapper.finish();
                self.arguments(choice, index, is_custom, &rest, out);
            }
            Kind::Call { .. } | Kind::Refusal | Kind::Other => {}
        }
    }
}

fn send(data: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}
