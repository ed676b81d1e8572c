//! What a variant does to a call beside naming a model: its parameters and its prompts.
//!
//! In scope: the two as values, their hash (an arm is its model, parameters and prompts), a call's prompts with its variables
//! filled in, and how both are put into a request, in the caller's own dialect or in none. Out of scope: how they are written in
//! a document (`router`), who serves the model (`gateway`), the splicing itself (`call`).
//!
//! They are what is compared, so they win over what the request says. What a target has no word for is left out and noted, never
//! refused: a 400 would blame the caller for what the operator wrote.

mod changes;
mod object;
mod parameters;
mod places;
mod prompts;
mod same;

use std::rc::Rc;

pub use self::parameters::{Parameters, Reasoning};
pub(crate) use self::places::{Places, SystemPrompt};
pub(crate) use self::prompts::{MOST_BYTES, MOST_PROMPTS};
pub use self::prompts::{Piece, Prompt, Prompts, Speaker, Text, Variables, pieces};

use crate::dialect::Dialect;
use crate::dialect::conversation::Conversation;
use crate::dialect::loss::Losses;
use crate::error::Error;
use crate::provider::Habits;

/// Parameters and prompts of a variant; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Treatment {
    /// `text_generation_config`.
    pub parameters: Parameters,
    /// `message_templates`, in order. Thousands of variants may have those of `defaults`, which are held once.
    pub prompts: Rc<[Prompt]>,
}

impl Treatment {
    /// Whether it does nothing.
    pub fn is_plain(&self) -> bool {
        *self == Treatment::default()
    }

    /// The canonical form of both, which arms are hashed by: parameters, then prompts; empty where there are none. Frozen.
    pub fn canonical(&self) -> (Vec<u8>, Vec<u8>) {
        (self.parameters.canonical(), prompts::canonical(&self.prompts))
    }

    /// The treatment as a call with these variables gets it; `None` where it does nothing.
    ///
    /// # Errors
    /// A 400 that names the variable that a prompt needs and the call does not give, or that gives too much.
    pub fn of_call(self: &Rc<Self>, variables: &Variables) -> Result<Option<Applied>, Error> {
        if self.is_plain() {
            return Ok(None);
        }
        let prompts = prompts::filled(&self.prompts, variables)?;
        Ok(Some(Applied { treatment: Rc::clone(self), prompts }))
    }

    /// How many bytes its prompts have, less their variables.
    pub(crate) fn prompt_bytes(&self) -> usize {
        let texts = self.prompts.iter().flat_map(|prompt| &prompt.texts);
        let said = texts.flat_map(|text| &text.pieces).map(|piece| match piece {
            Piece::Literal(said) | Piece::Variable(said) => said.len(),
        });
        said.sum()
    }

    /// What none of a provider's dialects can carry to a model, for a warning when a document is read.
    pub(crate) fn lost_to(&self, spoken: &[Dialect], model: &str, habits: &Habits) -> Vec<&'static str> {
        let lost_in = |dialect: &Dialect| {
            let (_, lost) = changes::of(&self.parameters, &Conversation::default(), *dialect, model, habits);
            lost
        };
        let mut lost = spoken.iter().map(lost_in);
        let first = lost.next().unwrap_or_default();
        lost.fold(first, |all, here| all.into_iter().filter(|name| here.contains(name)).collect())
    }
}

/// A treatment with a call's variables filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    treatment: Rc<Treatment>,
    prompts: Prompts,
}

/// A request with the treatment in it, written in another dialect than its caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The downstream's body.
    pub body: Vec<u8>,
    /// What was lost of the call and of the treatment, for `x-turnout-note`.
    pub note: Option<String>,
}

impl Applied {
    /// Writes the treated call in a target's dialect.
    ///
    /// # Errors
    /// A 400 that names what of the *caller's* the dialect cannot carry and the answer would be wrong without.
    pub fn translated(
        &self,
        conversation: &Conversation,
        target: Dialect,
        model: &str,
        habits: &Habits,
    ) -> Result<Written, Error> {
        let mut treated = conversation.clone();
        self.prompts.put_before(&mut treated);
        let (rest, own) = self.treatment.parameters.in_own_words(target, habits);
        rest.set(&mut treated);
        if own.members.iter().any(|(name, _)| *name == "reasoning") {
            // It is said in that member, and would be said twice.
            treated.thinking = None;
        }
        let mut losses = Losses::forgiving(target, rest.features());
        let mut body = crate::dialect::translate::encode_request(target, &treated, model, &mut losses)?;
        // Every encoder writes an object that has members.
        if body.pop() == Some(b'}') {
            for (name, value) in &own.members {
                body.extend_from_slice(format!(",{}", object::member(name, value)).as_bytes());
            }
            body.push(b'}');
        }
        Ok(Written { body, note: noted(target, losses.names().chain(own.lost)) })
    }
}

/// What was lost on the way to a target, for `x-turnout-note`.
fn noted(target: Dialect, names: impl Iterator<Item = &'static str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| format!("not sent to {}: {}", target.as_str(), names.join(", ")))
}
