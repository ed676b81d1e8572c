//! The blocks of one choice of a stream, as its deltas come.

use serde_json::{Map, Value};

use super::answer::made_id;
use super::calls;
use super::thoughts;
use super::words::Said;
use crate::dialect::answer::{Event, Growth, Malformed};
use crate::dialect::conversation::{Citation, Part, Seal, Thought, ToolCall};

/// What is open in one choice.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    choice: u64,
    /// The number of the next block of the whole stream.
    next: usize,
    open: Option<Open>,
    calls: Vec<Call>,
    refuses: bool,
}

/// The block that grows by text. Calls are apart, for they may go on beside it.
#[derive(Debug)]
enum Open {
    Text(usize),
    Refusal(usize),
    Thought {
        block: usize,
        /// What its seal will be.
        seal: Option<Seal>,
    },
    /// An entry of `reasoning_details`, which its fragments make up.
    Entry {
        block: usize,
        entry: Map<String, Value>,
    },
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: String,
    /// `None` until its name is known.
    block: Option<usize>,
    /// Fragments that came before its name.
    held: String,
    seal: Option<Seal>,
    is_closed: bool,
}

impl Blocks {
    pub(super) fn new(choice: u64) -> Blocks {
        Blocks { choice, ..Blocks::default() }
    }

    /// Blocks are counted over all choices.
    pub(super) fn count_from(&mut self, next: usize) {
        self.next = next;
    }

    pub(super) fn counted(&self) -> usize {
        self.next
    }

    pub(super) fn said(&self) -> Said {
        Said { calls_tools: !self.calls.is_empty(), refuses: self.refuses }
    }

    pub(super) fn has_text(&self) -> bool {
        matches!(self.open, Some(Open::Text(_)))
    }

    fn begin(&mut self, part: Part, out: &mut Vec<Event>) -> usize {
        let block = self.next;
        self.next += 1;
        out.push(Event::Open { block, choice: self.choice, part });
        block
    }

    /// A text, a refusal or a thought ends.
    fn close_open(&mut self, out: &mut Vec<Event>) {
        let (block, seal) = match self.open.take() {
            None => return,
            Some(Open::Text(block) | Open::Refusal(block)) => (block, None),
            Some(Open::Thought { block, seal }) => (block, seal),
            Some(Open::Entry { block, entry }) => {
                // One that cannot be read was given when it began.
                (block, Some(thoughts::entry_seal(&entry)).filter(|seal| !seal.is_redacted))
            }
        };
        if let Some(seal) = seal {
            out.push(Event::Grow { block, by: Growth::Seal(seal) });
        }
        out.push(Event::Close { block });
    }

    pub(super) fn text(&mut self, text: &str, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        let block = match self.open {
            Some(Open::Text(block)) => block,
            _ => {
                self.close_open(out);
                let block = self.begin(Part::text(""), out);
                self.open = Some(Open::Text(block));
                block
            }
        };
        grow(block, text, out);
    }

    pub(super) fn refusal(&mut self, text: &str, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        self.refuses = true;
        let block = match self.open {
            Some(Open::Refusal(block)) => block,
            _ => {
                self.close_open(out);
                let block = self.begin(Part::Refusal(String::new()), out);
                self.open = Some(Open::Refusal(block));
                block
            }
        };
        grow(block, text, out);
    }

    /// A thought that is text alone; `seal` says where it stood.
    pub(super) fn thought(&mut self, text: &str, seal: Option<Seal>, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        let block = match self.open {
            Some(Open::Thought { block, .. }) => block,
            _ => {
                self.close_open(out);
                let block = self.begin(Part::Thought(Thought::default()), out);
                self.open = Some(Open::Thought { block, seal });
                block
            }
        };
        grow(block, text, out);
    }

    /// A fragment of an entry of `reasoning_details`: of the open one where type and index are the same.
    pub(super) fn thought_entry(&mut self, fragment: &Map<String, Value>, out: &mut Vec<Event>) {
        let text = thoughts::entry_text(fragment);
        let block = match &mut self.open {
            Some(Open::Entry { block, entry }) if is_same_entry(entry, fragment) => {
                entry.extend(
                    fragment
                        .iter()
                        .filter(|(_, value)| !value.is_null())
                        .map(|(name, value)| (name.clone(), value.clone())),
                );
                *block
            }
            _ => {
                self.close_open(out);
                let seal = thoughts::entry_seal(fragment);
                let thought = Thought {
                    is_summary: thoughts::entry_kind(fragment) == "reasoning.summary",
                    id: fragment.get("id").and_then(Value::as_str).map(str::to_owned),
                    // One that cannot be read is whole at once; a signature may still come.
                    seal: seal.is_redacted.then_some(seal),
                    ..Thought::default()
                };
                let block = self.begin(Part::Thought(thought), out);
                self.open = Some(Open::Entry { block, entry: fragment.clone() });
                block
            }
        };
        if !text.is_empty() {
            grow(block, &text, out);
        }
    }

    /// What the open text rests on.
    pub(super) fn cite(&mut self, citations: Vec<Citation>, out: &mut Vec<Event>) {
        let Some(Open::Text(block)) = self.open else { return };
        out.extend(
            citations.into_iter().map(|citation| Event::Grow { block, by: Growth::Citation(citation) }),
        );
    }

    /// A part that comes at once.
    pub(super) fn whole(&mut self, part: Part, out: &mut Vec<Event>) {
        self.close_open(out);
        let block = self.begin(part, out);
        out.push(Event::Close { block });
    }

    /// A fragment of `tool_calls`.
    pub(super) fn call(
        &mut self,
        fragment: &Map<String, Value>,
        answer: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let fragment = Fragment::read(fragment);
        let at = match self.find(fragment.index, fragment.id.as_deref(), fragment.name.is_some()) {
            Some(at) => at,
            None => {
                self.close_open(out);
                self.close_calls(out)?;
                let id = fragment.id.clone().unwrap_or_else(|| made_id(answer, self.calls.len()));
                let (block, held, seal, is_closed) = (None, String::new(), None, false);
                self.calls.push(Call { index: fragment.index, id, block, held, seal, is_closed });
                self.calls.len() - 1
            }
        };
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        match (call.block, &fragment.name) {
            (None, Some(name)) => {
                let part = ToolCall {
                    id: call.id.clone(),
                    name: name.clone(),
                    arguments: std::mem::take(&mut call.held),
                    is_custom: fragment.is_custom,
                    seal: fragment.seal.or(call.seal.take()),
                };
                call.block = Some(self.next);
                self.next += 1;
                call.grow(fragment.arguments, None, Some((self.choice, part)), out)
            }
            _ => call.grow(fragment.arguments, fragment.seal, None, out),
        }
    }

    /// The call that a fragment belongs to. Indices and ids are each left out, repeated and used twice by somebody: another
    /// id together with a name is another call whatever the index says.
    fn find(&self, index: Option<u64>, id: Option<&str>, has_name: bool) -> Option<usize> {
        let by_index = |call: &Call| index.is_some() && call.index == index;
        let found = match (index, id) {
            (Some(_), _) => self.calls.iter().rposition(by_index),
            (None, Some(id)) => self.calls.iter().rposition(|call| call.id == id),
            (None, None) if has_name => None,
            (None, None) => self.calls.len().checked_sub(1),
        };
        found.filter(|found| {
            let call = self.calls.get(*found);
            let is_other =
                |call: &Call| id.is_some_and(|id| id != call.id) && has_name && call.block.is_some();
            !call.is_some_and(is_other)
        })
    }

    fn close_calls(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        for call in self.calls.iter_mut().filter(|call| !call.is_closed) {
            let block = call.block.ok_or_else(|| Malformed("a tool call has no name".to_owned()))?;
            call.is_closed = true;
            out.push(Event::Close { block });
        }
        Ok(())
    }

    /// The choice is complete.
    pub(super) fn close_all(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.close_open(out);
        self.close_calls(out)
    }
}

impl Call {
    /// Opens the call, where its name has come just now, and takes what came of its arguments and its seal.
    fn grow(
        &mut self,
        arguments: String,
        seal: Option<Seal>,
        opens: Option<(u64, ToolCall)>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let Some(block) = self.block else {
            self.held.push_str(&arguments);
            self.seal = seal.or(self.seal.take());
            return Ok(());
        };
        if self.is_closed && !arguments.is_empty() {
            return Err(Malformed("a tool call goes on after the next one began".to_owned()));
        }
        if let Some((choice, call)) = opens {
            out.push(Event::Open { block, choice, part: Part::ToolCall(call) });
        }
        if let Some(seal) = seal.filter(|_| !self.is_closed) {
            out.push(Event::Grow { block, by: Growth::Seal(seal) });
        }
        if !arguments.is_empty() {
            out.push(Event::Grow { block, by: Growth::Arguments(arguments) });
        }
        Ok(())
    }
}

/// What a fragment of `tool_calls` says; what is empty is not said.
struct Fragment {
    index: Option<u64>,
    id: Option<String>,
    name: Option<String>,
    arguments: String,
    is_custom: bool,
    seal: Option<Seal>,
}

impl Fragment {
    fn read(fragment: &Map<String, Value>) -> Fragment {
        let word = |object: &Map<String, Value>, name: &str| {
            object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let custom = fragment.get("custom").and_then(Value::as_object);
        let body = custom.or_else(|| fragment.get("function").and_then(Value::as_object));
        let arguments = body.and_then(|body| body.get(if custom.is_some() { "input" } else { "arguments" }));
        Fragment {
            index: fragment.get("index").and_then(Value::as_u64),
            id: word(fragment, "id"),
            name: body.and_then(|body| word(body, "name")),
            arguments: arguments.cloned().map(calls::arguments_of).unwrap_or_default(),
            is_custom: custom.is_some(),
            seal: calls::signature(fragment),
        }
    }
}

fn grow(block: usize, text: &str, out: &mut Vec<Event>) {
    out.push(Event::Grow { block, by: Growth::Text(text.to_owned()) });
}

fn is_same_entry(entry: &Map<String, Value>, fragment: &Map<String, Value>) -> bool {
    let is_readable = |entry| matches!(thoughts::entry_kind(entry), "reasoning.text" | "reasoning.summary");
    is_readable(fragment)
        && entry.get("type") == fragment.get("type")
        && entry.get("index") == fragment.get("index")
}
