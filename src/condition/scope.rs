//! What a name in an expression means: the reserved names first, then the keys of the metadata.

use std::sync::{Arc, OnceLock};

use cel_interpreter::common::types::CelInt;
use cel_interpreter::common::value::{CowVal, Val};
use cel_interpreter::context::VariableResolver;

use super::Facts;
use super::meter::{Fare, Meter};
use super::pattern::Pattern;
use super::prepare::{FARE_PREFIX, PATTERN_PREFIX};
use super::values::{Object, Text, value};

/// The names of one evaluation.
pub(super) struct Scope<'a> {
    facts: &'a dyn Facts,
    patterns: &'a [Pattern],
    meter: &'a Arc<Meter>,
    /// Kept, for a conversation may be long and named more than once.
    messages: OnceLock<Box<dyn Val + 'a>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(facts: &'a dyn Facts, patterns: &'a [Pattern], meter: &'a Arc<Meter>) -> Self {
        Scope { facts, patterns, meter, messages: OnceLock::new() }
    }

    /// Names that `prepare` has put into the expression, which cannot be written in CEL.
    fn internal(&self, name: &str) -> Option<CowVal<'a, 'a>> {
        if let Some(steps) = name.strip_prefix(FARE_PREFIX) {
            return Some(CowVal::owned(Fare { meter: Arc::clone(self.meter), steps: steps.parse().ok()? }));
        }
        let index: usize = name.strip_prefix(PATTERN_PREFIX)?.parse().ok()?;
        Some(CowVal::owned(self.patterns.get(index)?.with(self.meter)))
    }
}

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let facts = self.facts;
        let value: Box<dyn Val + 'b> = match name {
            "metadata" => Box::new(Object::new(facts.metadata(), self.meter)),
            "user" => Box::new(Object::user(facts.metadata(), facts.user_id(), self.meter)),
            "user_id" => Box::new(Text::new(facts.user_id()?, self.meter)),
            "messages" => {
                let messages = self.messages.get_or_init(|| value(facts.messages(), self.meter));
                return Some(CowVal::Borrowed(messages.as_ref()));
            }
            "request" => value(facts.request(), self.meter),
            "headers" => value(facts.headers(), self.meter),
            "cf" => value(facts.cf(), self.meter),
            "now" => Box::new(CelInt::from(facts.now())),
            internal if internal.starts_with('@') => return self.internal(internal),
            // `user.tier` is asked for as a whole before `user` is: a key of the metadata that is spelled so must not
            // stand in for the user's tier.
            dotted if dotted.contains('.') => return None,
            key => value(facts.metadata().get(key)?, self.meter),
        };
        Some(CowVal::Owned(value))
    }
}
