//! `message_templates`: messages that come before a call's own.
//!
//! In scope: templates, their variables, their hash, and what a call makes of them. Out of scope: how they are written in a
//! document (`router::templates`), where a dialect has its system prompt (`places`).
//!
//! `{{name}}` stands for the call's `prompt_variables.name`. A value is text and nothing else: what looks like a variable in it
//! is left as it is, and the encoders escape it.

use std::collections::BTreeMap;

use crate::dialect::conversation::{Cache, Conversation, Part, Role, Turn};
use crate::error::Error;
use crate::hash::push_field;

/// The most messages of one variant. They go out with every call of it.
pub(crate) const MOST_PROMPTS: usize = 64;
/// The most bytes of one variant's texts, before and after variables are filled in: 256 KiB are some 60,000 tokens.
pub(crate) const MOST_BYTES: usize = 256 * 1024;

/// The longest name of a variable.
const LONGEST_NAME: usize = 64;
/// Where the closing braces are looked for: a name, and white space around it.
const NEAR: usize = 2 * LONGEST_NAME;

/// A message before its variables are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Who says it.
    pub speaker: Speaker,
    /// What is said: at least one.
    pub texts: Vec<Text>,
}

/// Who says a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The operator; `developer` is the same.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// A text of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// In order; no two literals follow one another.
    pub pieces: Vec<Piece>,
    /// `cache_control`: Anthropic caches the prompt up to here.
    pub cache: Option<Cache>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Said as it is.
    Literal(String),
    /// The call's value of that name.
    Variable(String),
}

/// A call's `prompt_variables`: scalars as text, what else there may be as its kind (`null`, `a list`, …).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(pub BTreeMap<String, Result<String, &'static str>>);

/// A call's prompts, with its variables filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompts {
    pub(crate) system: Vec<Part>,
    pub(crate) turns: Vec<Turn>,
}

impl Piece {
    pub(crate) fn is_variable(&self) -> bool {
        matches!(self, Piece::Variable(_))
    }
}

impl Speaker {
    /// The word for it, by which prompts are hashed.
    pub fn as_str(self) -> &'static str {
        match self {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        }
    }
}

impl Prompts {
    /// Puts them before what a request has of its kind: the system prompt, the turns. Where the request goes on from turns that
    /// the provider keeps, the first of them had these already; whoever calls leaves them out.
    pub(super) fn put_before(&self, conversation: &mut Conversation) {
        conversation.system.splice(0..0, self.system.iter().cloned());
        conversation.turns.splice(0..0, self.turns.iter().cloned());
    }
}

/// Takes a template apart. Braces that hold no name are text.
pub fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        literal.push_str(before);
        // Not farther than a name may reach, so that a text of nothing but braces takes no longer than another.
        let near = after.get(..after.floor_char_boundary(NEAR)).unwrap_or(after);
        let closing = near.find("}}").and_then(|end| Some((after.get(..end)?, after.get(end + 2..)?)));
        match closing.map(|(name, after)| (name.trim_ascii(), after)) {
            Some((name, after)) if is_name(name) => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Variable(name.to_owned()));
                rest = after;
            }
            _ => {
                // A third brace may be the first of a pair.
                literal.push('{');
                rest = rest.get(before.len() + 1..).unwrap_or_default();
            }
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

/// Whether a variable can have that name: a letter or `_`, then letters, digits, `_`, `-` and `.`.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// The prompts with a call's variables in them.
pub(super) fn filled(prompts: &[Prompt], variables: &Variables) -> Result<Prompts, Error> {
    let mut filled = Prompts::default();
    let mut room = MOST_BYTES;
    for Prompt { speaker, texts } in prompts {
        let mut parts = Vec::with_capacity(texts.len());
        for text in texts {
            parts.push(fill(text, variables, &mut room)?);
        }
        // What a variable left empty says nothing, and some refuse an empty text.
        parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
        match speaker {
            Speaker::System => filled.system.extend(parts),
            Speaker::User | Speaker::Assistant if parts.is_empty() => {}
            Speaker::User => filled.turns.push(Turn { role: Role::User, name: None, parts }),
            Speaker::Assistant => filled.turns.push(Turn { role: Role::Assistant, name: None, parts }),
        }
    }
    Ok(filled)
}

fn fill(template: &Text, variables: &Variables, room: &mut usize) -> Result<Part, Error> {
    let mut text = String::new();
    for piece in &template.pieces {
        let said = match piece {
            Piece::Literal(literal) => literal,
            Piece::Variable(name) => variables.get(name)?,
        };
        *room = room.checked_sub(said.len()).ok_or_else(|| {
            let message = format!(
                "`prompt_variables` make this variant's prompts longer than {MOST_BYTES} bytes: send shorter values."
            );
            Error::invalid("prompt_variables", message)
        })?;
        text.push_str(said);
    }
    Ok(Part::Text { text, citations: Vec::new(), cache: template.cache.clone() })
}

impl Variables {
    fn get(&self, name: &str) -> Result<&String, Error> {
        let path = format!("prompt_variables.{name}");
        match self.0.get(name) {
            Some(Ok(value)) => Ok(value),
            Some(Err(kind)) => {
                let message = format!("`{path}` must be a string, a number or a boolean, and is {kind}.");
                Err(Error::invalid(path, message))
            }
            None => {
                let message = format!("`{path}` is missing: a prompt of this router's needs it.");
                Err(Error::invalid(path, message))
            }
        }
    }
}

/// For each prompt `lp(speaker) lp(texts)`, the texts being `lp(template) lp(cache)` each; a variable is `{{name}}`, a cache mark
/// `ephemeral` or `ephemeral:` and its `ttl`. Frozen by golden vectors.
pub(super) fn canonical(prompts: &[Prompt]) -> Vec<u8> {
    let mut all = Vec::new();
    for Prompt { speaker, texts } in prompts {
        let mut said = Vec::new();
        for Text { pieces, cache } in texts {
            let template: String = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(literal) => literal.clone(),
                    Piece::Variable(name) => format!("{{{{{name}}}}}"),
                })
                .collect();
            let mark = match cache {
                None => String::new(),
                Some(Cache { ttl: None }) => "ephemeral".to_owned(),
                Some(Cache { ttl: Some(ttl) }) => format!("ephemeral:{ttl}"),
            };
            push_field(&mut said, template.as_bytes());
            push_field(&mut said, mark.as_bytes());
        }
        push_field(&mut all, speaker.as_str().as_bytes());
        push_field(&mut all, &said);
    }
    all
}
