//! Where a request of a dialect has what a variant sets. Each dialect's folder says it of its own (`places`).

use serde_json::Value;

use crate::dialect::conversation::{Part, Role};

/// Where a request of a dialect has its parameters and its prompts.
#[derive(Debug)]
pub(crate) struct Places {
    /// Objects whose members are parameters, set one by one; every other member is replaced whole.
    pub(crate) objects: &'static [&'static str],
    /// Names that mean the same: where a caller has one, another of them takes its place.
    pub(crate) same: &'static [&'static [&'static str]],
    /// `(name, other)`: where an encoder says `name` for want of knowing the model, and the caller says `other`, the caller knows
    /// better.
    pub(crate) interchangeable: &'static [(&'static str, &'static str)],
    /// Members that an encoder writes for our own sake, and that are left as the caller has them.
    pub(crate) left: &'static [&'static str],
    /// Every name may be written in snake case too.
    pub(crate) reads_snake_case: bool,
    /// Servers have words of their own beside those of the dialect.
    pub(crate) has_own_words: bool,
    /// Texts may be marked with `cache_control`.
    pub(crate) has_cache_marks: bool,
    /// Where the system prompt is.
    pub(crate) system: SystemPrompt,
    /// The list of turns.
    pub(crate) turns: &'static str,
    /// Writes a turn of text.
    pub(crate) turn: fn(Role, &[Part]) -> Value,
}

/// Where a request has its system prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemPrompt {
    /// Turns of these roles, at the beginning of the list of turns.
    FirstTurns(&'static [&'static str]),
    /// A text, or a list of blocks of text.
    Blocks(&'static str),
    /// A text, which a turn cannot be instead.
    Text(&'static str),
    /// An object that has a list of `parts`.
    Parts(&'static str),
}

impl SystemPrompt {
    /// The member that holds it, where that is one of its own.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            SystemPrompt::FirstTurns(_) => None,
            SystemPrompt::Blocks(name) | SystemPrompt::Text(name) | SystemPrompt::Parts(name) => Some(name),
        }
    }
}

impl Places {
    /// Whether a caller's member is the one of `name`, which is in the dialect's own spelling.
    pub(super) fn is(&self, written: &str, name: &str) -> bool {
        written == name || self.reads_snake_case && is_snake_case_of(written, name)
    }

    /// Whether a caller's member means the same as `name`.
    pub(super) fn means(&self, written: &str, name: &str) -> bool {
        let same = self.same.iter().find(|names| names.contains(&name));
        self.is(written, name) || same.is_some_and(|names| names.contains(&written))
    }
}

/// Whether `written` is `name` in snake case.
fn is_snake_case_of(written: &str, name: &str) -> bool {
    let snake = name.chars().flat_map(|character| {
        let mark = character.is_ascii_uppercase().then_some('_');
        mark.into_iter().chain([character.to_ascii_lowercase()])
    });
    snake.eq(written.chars())
}
