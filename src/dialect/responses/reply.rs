//! A whole answer, written; and what it has in common with a stream: ids, seals and calls as a caller is given them.

use serde_json::Value;

use super::output::{self, End};
use crate::dialect::answer::{Answer, Choice};
use crate::dialect::conversation::{Part, Seal, Thought, ToolCall, ToolKind};
use crate::dialect::{Dialect, ReplyTo};

/// What tells our ids from a provider's: what they name is kept nowhere.
pub(super) const MADE_HERE: &str = "_turnout_";

/// This dialect has no word for the seal of a call: a thought that says nothing carries it beside the call, which clients
/// send back where it was. This, before its seal, says that it is the next call's.
pub(super) const OF_NEXT_CALL: &str = "turnout.next_call.";
/// As of [`OF_NEXT_CALL`], of the call that went before: a provider may seal a call that has begun.
pub(super) const OF_LAST_CALL: &str = "turnout.last_call.";

/// How much of an id is taken into those of items: a provider refuses over 64 characters, and theirs have a prefix,
/// [`MADE_HERE`] and a number.
const ID_LENGTH: usize = 40;

/// Ids of items, unique to the call: a provider that gets them back wants each to begin with its type's prefix, and nothing
/// but letters, digits, `_` and `-`.
#[derive(Debug, Default)]
pub(super) struct Ids {
    base: String,
    next: usize,
}

impl Ids {
    /// Ids of one answer.
    pub(super) fn new(to: &ReplyTo, provider_id: Option<&str>) -> Ids {
        let base = if to.id.is_empty() { provider_id.unwrap_or_default() } else { &to.id };
        Ids { base: clean(base), next: 0 }
    }

    /// Of the answer itself: the provider's where it is one of this dialect.
    pub(super) fn response(&self, provider_id: Option<&str>) -> String {
        match provider_id {
            Some(id) if id.starts_with("resp_") => id.to_owned(),
            Some(id) if !id.is_empty() => format!("resp_{}", clean(id)),
            _ => format!("resp_{}", self.base),
        }
    }

    /// Of the next item.
    pub(super) fn item(&mut self, prefix: &str) -> String {
        let id = format!("{prefix}{MADE_HERE}{}_{}", self.base, self.next);
        self.next += 1;
        id
    }

    /// Gives an item of another kind its id, unless it has one.
    pub(super) fn name(&mut self, item: &mut Value) {
        if let Some(item) = item.as_object_mut().filter(|item| !item.contains_key("id")) {
            item.insert("id".to_owned(), self.item("item").into());
        }
    }

    /// Of a thought: the one that it has where it is this dialect's.
    pub(super) fn thought(&mut self, thought: &Thought) -> String {
        match &thought.id {
            Some(id) if id.starts_with("rs_") => id.clone(),
            _ => self.item("rs"),
        }
    }
}

fn clean(id: &str) -> String {
    let allowed = id.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_'));
    allowed.take(ID_LENGTH).collect()
}

/// A call as the caller is given it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With JSON.
    Function,
    /// With free text.
    Custom,
    /// With free text, which the upstream, having no such tools, gives as the only member of a JSON object.
    Unwrapped,
}

impl Form {
    /// By what the caller said of the tool.
    pub(super) fn of(call: &ToolCall, to: &ReplyTo) -> Form {
        let is_custom = |kind: &ToolKind| matches!(kind, ToolKind::Custom { name, .. } if *name == call.name);
        if call.is_custom {
            Form::Custom
        } else if to.conversation.tools.iter().any(|tool| is_custom(&tool.kind)) {
            Form::Unwrapped
        } else {
            Form::Function
        }
    }

    /// Whether it is an item of a tool that takes free text.
    pub(super) fn is_custom(self) -> bool {
        self != Form::Function
    }

    /// The whole of what the tool is called with.
    pub(super) fn arguments(self, arguments: &str) -> String {
        match self {
            Form::Unwrapped => unwrapped(arguments).unwrap_or_else(|| arguments.to_owned()),
            Form::Function if arguments.is_empty() => "{}".to_owned(),
            Form::Function | Form::Custom => arguments.to_owned(),
        }
    }
}

fn unwrapped(arguments: &str) -> Option<String> {
    let Value::Object(members) = serde_json::from_str(arguments).ok()? else { return None };
    let mut members = members.into_iter();
    match (members.next(), members.next()) {
        (Some((_, Value::String(text))), None) => Some(text),
        _ => None,
    }
}

/// A seal as a caller of this dialect is given it.
pub(super) fn sealed(seal: &Seal) -> String {
    seal.wrapped(Dialect::Responses)
}

/// Writes a whole answer.
pub(super) fn encode(answer: &Answer, to: &ReplyTo) -> Vec<u8> {
    let provider_id = answer.id.as_deref();
    let mut writer = Writer { to, ids: Ids::new(to, provider_id), items: Vec::new(), content: Vec::new() };
    let silent = Choice::default();
    let choice = answer.choices.first().unwrap_or(&silent);
    let mut logprobs = choice.logprobs.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let has_refusal = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let end = End::of(choice.stop.as_ref(), has_refusal);
    for part in &choice.parts {
        writer.part(part, &mut logprobs);
    }
    writer.flush(end.status);

    let model = answer.model.as_deref().unwrap_or(&to.conversation.model);
    let created = answer.created.unwrap_or(to.created);
    let mut response = output::response(&writer.ids.response(provider_id), created, model, &to.conversation);
    output::finish(&mut response, &end, writer.items, &answer.usage);
    if let Some(tier) = &answer.service_tier {
        response.insert("service_tier".to_owned(), tier.as_str().into());
    }
    Value::Object(response).to_string().into_bytes()
}

struct Writer<'a> {
    to: &'a ReplyTo,
    ids: Ids,
    items: Vec<Value>,
    /// Of the message in the making: texts and refusals that follow one another are one.
    content: Vec<Value>,
}

impl Writer<'_> {
    fn part(&mut self, part: &Part, logprobs: &mut Vec<Value>) {
        match part {
            Part::Text { text, citations, .. } => {
                let written = text.chars().count();
                let annotations: Vec<Value> =
                    citations.iter().filter_map(|citation| output::annotation(citation, written)).collect();
                // Whose likelihoods are whose is not told: they stand with the first text.
                let logprobs = std::mem::take(logprobs);
                self.content.push(output::output_text(text, &annotations, &logprobs));
            }
            Part::Refusal(text) => self.content.push(output::refusal(text)),
            Part::Thought(thought) => {
                self.flush("completed");
                let id = self.ids.thought(thought);
                let seal = thought.seal.as_ref().map(sealed);
                self.items.push(output::reasoning(&id, &thought.text, seal.as_deref()));
            }
            Part::ToolCall(call) => {
                self.flush("completed");
                if let Some(seal) = &call.seal {
                    let id = self.ids.item("rs");
                    let seal = format!("{OF_NEXT_CALL}{}", sealed(seal));
                    self.items.push(output::reasoning(&id, "", Some(&seal)));
                }
                let form = Form::of(call, self.to);
                let id = self.ids.item(if form.is_custom() { "ctc" } else { "fc" });
                let arguments = form.arguments(&call.arguments);
                let names = [call.id.as_str(), call.name.as_str()];
                self.items.push(output::call(&id, "completed", form.is_custom(), names, &arguments));
            }
            part => {
                if let Some(mut item) = output::own_item(part) {
                    self.flush("completed");
                    self.ids.name(&mut item);
                    self.items.push(item);
                }
            }
        }
    }

    fn flush(&mut self, status: &str) {
        if !self.content.is_empty() {
            let content = std::mem::take(&mut self.content);
            let id = self.ids.item("msg");
            self.items.push(output::message(&id, status, content));
        }
    }
}
