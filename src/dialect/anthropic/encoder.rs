//! Streams, written.
//!
//! To the letter: a whole message skeleton, blocks one after another by index, `message_delta` once with reason and usage,
//! `message_stop`. Blocks of other dialects overlap (a second tool call begins before the first is said to be complete);
//! Anthropic's do not, and clients put deltas where the last block began. So a block that opens while another is open
//! waits, with what it grows by, until that one closes: the one case in which more than an event is held back.

use std::collections::VecDeque;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::{answer, error, part, usage};
use crate::dialect::answer::{Event, Growth, Stop};
use crate::dialect::conversation::{Part, Seal, Thought, ToolCall};
use crate::dialect::{Dialect, ReplyTo};
use crate::usage::Usage;

/// Writes a stream.
#[derive(Debug)]
pub struct Encoder {
    to: Rc<ReplyTo>,
    /// Id and model, as the answer's beginning had them.
    head: (Option<String>, Option<String>),
    begun: bool,
    ended: bool,
    usage: Usage,
    stop: Option<Stop>,
    /// The block that opened last calls a tool.
    calls: bool,
    refuses: bool,
    /// The index of the block that is written, or will be next.
    index: usize,
    open: Option<Open>,
    waiting: VecDeque<Waiting>,
}

/// The block that is written.
#[derive(Debug)]
struct Open {
    block: usize,
    kind: Kind,
    /// Its start was written. A text or thought that says nothing has none: it would come back empty, and be refused.
    is_started: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
    Call,
    /// A call whose arguments are free text, which goes into a JSON string.
    FreeCall,
    /// Nothing more is to come.
    Whole,
}

/// A block whose turn has not come.
#[derive(Debug)]
struct Waiting {
    block: usize,
    part: Part,
    growths: Vec<Growth>,
    is_closed: bool,
}

impl Encoder {
    /// At the beginning of a stream.
    pub fn new(to: Rc<ReplyTo>) -> Encoder {
        Encoder {
            to,
            head: (None, None),
            begun: false,
            ended: false,
            usage: Usage::default(),
            stop: None,
            calls: false,
            refuses: false,
            index: 0,
            open: None,
            waiting: VecDeque::new(),
        }
    }

    /// Appends the bytes that tell an event.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            // The message begins with what comes next, for that may be the tokens of its prompt.
            Event::Start { id, model, .. } => self.head = (id.clone(), model.clone()),
            Event::Usage(usage) => self.usage.merge(*usage),
            Event::Open { block, choice: 0, part } if answer::has_a_form(part) => {
                self.begin(out);
                self.open(*block, part, out);
            }
            Event::Grow { block, by } => self.grow(*block, by, out),
            Event::Close { block } => self.close(*block, out),
            Event::Stop { choice: 0, stop } => self.stop = Some(stop.clone()),
            Event::Ping if self.begun => event_of("ping", Map::new(), out),
            Event::Failed(failure) => {
                self.ended = true;
                write_event("error", &error::object(failure), out);
            }
            Event::End => self.end(out),
            // Of several answers Anthropic has the first, and of no token how likely it was.
            Event::Open { .. } | Event::Logprobs { .. } | Event::Stop { .. } | Event::Ping => {}
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let (id, model) = &self.head;
        let message = answer::skeleton(id.as_deref(), model.as_deref(), &self.to, usage::write(&self.usage));
        event_of("message_start", Map::from_iter([("message".to_owned(), Value::Object(message))]), out);
    }

    fn open(&mut self, block: usize, part: &Part, out: &mut Vec<u8>) {
        self.calls = matches!(part, Part::ToolCall(_));
        self.refuses |= matches!(part, Part::Refusal(_));
        let mut waiting = Waiting { block, part: part.clone(), growths: Vec::new(), is_closed: false };
        match &mut self.open {
            None => return self.start_block(block, part, out),
            // It has said nothing yet, and so can be said after this one as well.
            Some(open) if !open.is_started => {
                let silent = open.kind.empty_part();
                let silent =
                    Waiting { block: open.block, part: silent, growths: Vec::new(), is_closed: false };
                waiting = silent;
                self.start_block(block, part, out);
            }
            Some(_) => {}
        }
        self.waiting.push_back(waiting);
    }

    /// Begins a block where none is open.
    fn start_block(&mut self, block: usize, part: &Part, out: &mut Vec<u8>) {
        let kind = match part {
            Part::Thought(Thought { text, seal: Some(seal), .. }) if seal.is_redacted && text.is_empty() => {
                Kind::Whole
            }
            Part::Thought(_) => Kind::Thought,
            Part::ToolCall(call) if call.is_custom => Kind::FreeCall,
            Part::ToolCall(_) => Kind::Call,
            Part::Own { .. } => Kind::Whole,
            _ => Kind::Text,
        };
        self.open = Some(Open { block, kind, is_started: false });
        match part {
            Part::Text { text, citations, .. } => {
                self.grow_open(&Growth::Text(text.clone()), out);
                for citation in citations {
                    self.grow_open(&Growth::Citation(citation.clone()), out);
                }
            }
            Part::Refusal(text) => self.grow_open(&Growth::Text(text.clone()), out),
            Part::Thought(thought) => self.start_thought(thought, out),
            Part::ToolCall(call) => self.start_call(call, out),
            Part::Own { json, .. } => self.start_own(json, out),
            _ => {}
        }
    }

    fn start_thought(&mut self, thought: &Thought, out: &mut Vec<u8>) {
        self.grow_open(&Growth::Text(thought.text.clone()), out);
        match &thought.seal {
            Some(seal) if seal.is_redacted && thought.text.is_empty() => self.start_redacted(seal, out),
            Some(seal) => self.grow_open(&Growth::Seal(seal.clone()), out),
            None => {}
        }
    }

    fn start_redacted(&mut self, seal: &Seal, out: &mut Vec<u8>) {
        if let Some(open) = &mut self.open {
            open.kind = Kind::Whole;
        }
        self.start(part::sealed_thought("", Some(seal)), out);
    }

    fn start_call(&mut self, call: &ToolCall, out: &mut Vec<u8>) {
        if let Some(seal) = &call.seal {
            self.start(part::sealed_thought("", None), out);
            self.delta(signature(seal), out);
            self.stop_block(out);
        }
        self.start(part::tool_use(call, &call.name, json!({})), out);
        if call.is_custom {
            let beginning = format!("{{{}:\"", Value::from(part::FREE_TEXT));
            self.delta(fragment(&beginning), out);
        }
        self.grow_open(&Growth::Arguments(call.arguments.clone()), out);
    }

    /// Anthropic's own: its input comes as that of a call does.
    fn start_own(&mut self, json: &Value, out: &mut Vec<u8>) {
        let mut block = json.clone();
        let input = block.get_mut("input").filter(|input| input.as_object().is_some_and(|it| !it.is_empty()));
        let input = input.map(|input| std::mem::replace(input, json!({})));
        self.start(block, out);
        if let Some(input) = input {
            self.delta(fragment(&input.to_string()), out);
        }
    }

    fn grow(&mut self, block: usize, by: &Growth, out: &mut Vec<u8>) {
        if self.open.as_ref().is_some_and(|open| open.block == block) {
            self.grow_open(by, out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.block == block) {
            waiting.growths.push(by.clone());
        }
    }

    fn grow_open(&mut self, by: &Growth, out: &mut Vec<u8>) {
        let Some(open) = &self.open else { return };
        let (kind, is_started) = (open.kind, open.is_started);
        let (start, delta) = match (kind, by) {
            (_, Growth::Text(text) | Growth::Arguments(text)) if text.is_empty() => return,
            (Kind::Text, Growth::Text(text)) => (empty_text(), json!({"type": "text_delta", "text": text})),
            (Kind::Text, Growth::Citation(citation)) => {
                let Some(citation) = part::write_citation(citation) else { return };
                (empty_text(), json!({"type": "citations_delta", "citation": citation}))
            }
            (Kind::Thought, Growth::Text(text)) => {
                (part::sealed_thought("", None), json!({"type": "thinking_delta", "thinking": text}))
            }
            (Kind::Thought, Growth::Seal(seal)) if seal.is_redacted && !is_started => {
                return self.start_redacted(seal, out);
            }
            (Kind::Thought, Growth::Seal(seal)) => (part::sealed_thought("", None), signature(seal)),
            (Kind::Call, Growth::Arguments(text)) => (Value::Null, fragment(text)),
            (Kind::FreeCall, Growth::Arguments(text)) => {
                let quoted = Value::from(text.as_str()).to_string();
                let bare = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                (Value::Null, fragment(bare.unwrap_or_default()))
            }
            _ => return,
        };
        if !is_started {
            self.start(start, out);
        }
        self.delta(delta, out);
    }

    fn close(&mut self, block: usize, out: &mut Vec<u8>) {
        if self.open.as_ref().is_some_and(|open| open.block == block) {
            self.close_open(out);
            self.go_on(out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.block == block) {
            waiting.is_closed = true;
        }
    }

    fn close_open(&mut self, out: &mut Vec<u8>) {
        let Some(open) = &self.open else { return };
        let (kind, is_started) = (open.kind, open.is_started);
        if kind == Kind::FreeCall {
            self.delta(fragment("\"}"), out);
        }
        if is_started {
            self.stop_block(out);
        }
        self.open = None;
    }

    /// Says what waited, up to a block that is still open.
    fn go_on(&mut self, out: &mut Vec<u8>) {
        while self.open.is_none() {
            let Some(next) = self.waiting.pop_front() else { return };
            self.start_block(next.block, &next.part, out);
            for by in &next.growths {
                self.grow_open(by, out);
            }
            if next.is_closed {
                self.close_open(out);
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        while self.open.is_some() {
            self.close_open(out);
            self.go_on(out);
        }
        self.ended = true;
        let delta = answer::write_stop(self.stop.as_ref(), self.calls, self.refuses);
        let delta = Map::from_iter([
            ("delta".to_owned(), Value::Object(delta)),
            ("usage".to_owned(), Value::Object(usage::write_end(&self.usage))),
        ]);
        event_of("message_delta", delta, out);
        event_of("message_stop", Map::new(), out);
    }

    fn start(&mut self, block: Value, out: &mut Vec<u8>) {
        if let Some(open) = &mut self.open {
            open.is_started = true;
        }
        self.block_event("content_block_start", Some(("content_block", block)), out);
    }

    fn delta(&mut self, delta: Value, out: &mut Vec<u8>) {
        self.block_event("content_block_delta", Some(("delta", delta)), out);
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        self.block_event("content_block_stop", None, out);
        self.index += 1;
    }

    fn block_event(&self, name: &str, member: Option<(&str, Value)>, out: &mut Vec<u8>) {
        let mut event = Map::new();
        event.insert("index".into(), self.index.into());
        event.extend(member.map(|(name, value)| (name.to_owned(), value)));
        event_of(name, event, out);
    }
}

impl Kind {
    /// What a block of this kind is before it has said anything.
    fn empty_part(self) -> Part {
        match self {
            Kind::Thought => Part::Thought(Thought::default()),
            _ => Part::text(""),
        }
    }
}

fn empty_text() -> Value {
    json!({"type": "text", "text": ""})
}

fn fragment(json: &str) -> Value {
    json!({"type": "input_json_delta", "partial_json": json})
}

fn signature(seal: &Seal) -> Value {
    json!({"type": "signature_delta", "signature": seal.wrapped(Dialect::Anthropic)})
}

fn event_of(name: &str, mut event: Map<String, Value>, out: &mut Vec<u8>) {
    event.insert("type".into(), name.into());
    write_event(name, &Value::Object(event), out);
}

fn write_event(name: &str, event: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("event: {name}\ndata: {event}\n\n").as_bytes());
}
