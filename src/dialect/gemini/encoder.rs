//! Answers, written as a stream: each frame is a whole `GenerateContentResponse` with what is new.
//!
//! A call is told when it is complete, for its arguments are an object and no text; all else passes at once. Why it ended,
//! tokens and sources come in the last frame. Without `alt=sse` the frames are the elements of one array, parted as Google
//! parts them. Every frame has a part: for Google's clients one without makes a chat's history invalid.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::answer::{add_origin, content, thought_part, written};
use super::encode_error;
use super::fields::set;
use super::metadata::{self, Grounding};
use crate::dialect::ReplyTo;
use crate::dialect::answer::{Event, Growth, Stop};
use crate::dialect::conversation::{Part, Thought};
use crate::usage::Usage;

/// Writes a stream.
#[derive(Debug)]
pub struct Encoder {
    to: Rc<ReplyTo>,
    id: Option<String>,
    model: Option<String>,
    usage: Usage,
    /// Those that are open.
    blocks: BTreeMap<usize, Block>,
    choices: BTreeMap<u64, Ending>,
    has_frames: bool,
}

#[derive(Debug)]
struct Block {
    choice: u64,
    part: Part,
}

/// What the last frame says of a choice.
#[derive(Debug, Default)]
struct Ending {
    stop: Option<Stop>,
    grounding: Grounding,
}

impl Encoder {
    /// At the beginning of a stream.
    pub fn new(to: Rc<ReplyTo>) -> Encoder {
        Encoder {
            to,
            id: None,
            model: None,
            usage: Usage::default(),
            blocks: BTreeMap::new(),
            choices: BTreeMap::new(),
            has_frames: false,
        }
    }

    /// Appends the bytes that tell an event.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, .. } => (self.id, self.model) = (id.clone(), model.clone()),
            Event::Open { block, choice, part } => self.open(*block, *choice, part, out),
            Event::Grow { block, by } => self.grow(*block, by, out),
            Event::Close { block } => self.close(*block, out),
            Event::Logprobs { choice, tokens } => {
                let result = metadata::logprobs_result(tokens);
                let candidate =
                    json!({"content": content(Vec::new()), "index": choice, "logprobsResult": result});
                self.candidates(vec![candidate], out);
            }
            Event::Stop { choice, stop } => {
                self.choices.entry(*choice).or_default().stop = Some(stop.clone());
            }
            Event::Usage(usage) => self.usage.merge(*usage),
            Event::Ping => {}
            Event::Failed(failure) => {
                self.frame(&encode_error(failure), out);
                self.end(out);
            }
            Event::End => self.last(out),
        }
    }

    fn open(&mut self, block: usize, choice: u64, part: &Part, out: &mut Vec<u8>) {
        self.choices.entry(choice).or_default();
        match part {
            Part::Text { citations, .. } => {
                self.part(choice, written(part), out);
                self.blocks.insert(block, Block { choice, part: part.clone() });
                citations
                    .iter()
                    .for_each(|citation| self.grow(block, &Growth::Citation(citation.clone()), out));
            }
            Part::Refusal(_) | Part::ToolCall(_) => {
                if matches!(part, Part::Refusal(_)) {
                    self.part(choice, written(part), out);
                }
                self.blocks.insert(block, Block { choice, part: part.clone() });
            }
            // A seal comes last, whenever it was known.
            Part::Thought(_) => drop(self.blocks.insert(block, Block { choice, part: part.clone() })),
            whole => self.part(choice, written(whole), out),
        }
    }

    fn grow(&mut self, block: usize, by: &Growth, out: &mut Vec<u8>) {
        let Some(Block { choice, part }) = self.blocks.get_mut(&block) else { return };
        let choice = *choice;
        let said = match (part, by) {
            (Part::Text { text, .. } | Part::Refusal(text), Growth::Text(piece)) => {
                // Kept for the sources alone, whose places are counted in it.
                text.push_str(piece);
                written(&Part::text(piece))
            }
            (Part::Text { text, .. }, Growth::Citation(citation)) => {
                self.choices.entry(choice).or_default().grounding.add(citation, text, 0);
                None
            }
            // The last piece is held until the next event: clients keep a seal only on a part that says something.
            (Part::Thought(thought), Growth::Text(piece)) => {
                let text = std::mem::replace(&mut thought.text, piece.clone());
                thought_part(&Thought { text, ..Thought::default() })
            }
            (Part::Thought(thought), Growth::Seal(seal)) => {
                thought.seal = Some(seal.clone());
                None
            }
            (Part::ToolCall(call), Growth::Arguments(piece)) => {
                call.arguments.push_str(piece);
                None
            }
            (Part::ToolCall(call), Growth::Seal(seal)) => {
                call.seal = Some(seal.clone());
                None
            }
            _ => None,
        };
        self.part(choice, said, out);
    }

    fn close(&mut self, block: usize, out: &mut Vec<u8>) {
        let Some(Block { choice, part }) = self.blocks.remove(&block) else { return };
        if matches!(part, Part::ToolCall(_) | Part::Thought(_)) {
            self.part(choice, written(&part), out);
        }
    }

    fn part(&mut self, choice: u64, part: Option<Value>, out: &mut Vec<u8>) {
        if let Some(part) = part {
            self.candidates(vec![json!({"content": content(vec![part]), "index": choice})], out);
        }
    }

    fn candidates(&mut self, candidates: Vec<Value>, out: &mut Vec<u8>) {
        let response = self.response(candidates);
        self.frame(&Value::Object(response).to_string(), out);
    }

    fn response(&self, candidates: Vec<Value>) -> Map<String, Value> {
        let mut response = Map::new();
        response.insert("candidates".to_owned(), candidates.into());
        add_origin(&mut response, self.id.as_deref(), self.model.as_deref(), &self.to);
        response
    }

    fn last(&mut self, out: &mut Vec<u8>) {
        let open: Vec<usize> = self.blocks.keys().copied().collect();
        open.into_iter().for_each(|block| self.close(block, out));
        let endings = std::mem::take(&mut self.choices);
        let candidates = endings.into_iter().map(|(index, mut ending)| {
            let (reason, message) = metadata::finish(ending.stop.as_ref());
            let mut candidate =
                json!({"content": content(Vec::new()), "finishReason": reason, "index": index});
            if let Some(message) = message {
                set(&mut candidate, "finishMessage", message);
            }
            if let Some(grounding) = ending.grounding.take() {
                set(&mut candidate, "groundingMetadata", grounding);
            }
            candidate
        });
        let mut response = self.response(candidates.collect());
        if let Some(usage) = metadata::usage_metadata(&self.usage) {
            response.insert("usageMetadata".to_owned(), usage);
        }
        self.frame(&Value::Object(response).to_string(), out);
        self.end(out);
    }

    fn frame(&mut self, json: &str, out: &mut Vec<u8>) {
        let (before, after): (&str, &str) = match (self.to.wants_events, self.has_frames) {
            (true, _) => ("data: ", "\r\n\r\n"),
            (false, false) => ("[", ""),
            (false, true) => ("\n,\r\n", ""),
        };
        self.has_frames = true;
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(json.as_bytes());
        out.extend_from_slice(after.as_bytes());
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if !self.to.wants_events {
            out.extend_from_slice(b"\n]\n");
        }
    }
}
