//! `matches`: regular expressions, compiled when the expression is.
//!
//! `regex-lite` knows no look-around and no back-references, and takes time linear in text × pattern. Both are bounded: the
//! pattern here, the text by the meter.

use std::sync::Arc;

use cel_interpreter::ExecutionError;
use cel_interpreter::common::types::{CelBool, CelString, Type};
use cel_interpreter::common::value::{CowVal, StaticVal, Val};
use regex_lite::{Regex, RegexBuilder};

use super::meter::Meter;

/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 256;
/// Deepest nesting of groups.
const MAX_PATTERN_DEPTH: u32 = 16;
/// The size of a compiled pattern in bytes, and the steps that 64 bytes of text take against it: time is proportional to
/// both, and a step is some 0.2 µs at worst. A budget is 1 MiB of text against the smallest patterns, such as a word with
/// `(?i)`, and 16 KiB against the largest; beyond those, a pattern is refused.
const SIZE_CLASSES: [(usize, u32); 4] = [(1 << 9, 16), (1 << 11, 64), (1 << 13, 256), (1 << 15, 1024)];

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// Steps for 64 bytes of text.
    steps: u32,
}

impl Pattern {
    /// Compiles a pattern; the error is a sentence.
    pub(super) fn compile(pattern: &str) -> Result<Pattern, String> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(format!(
                "a pattern of `matches` is {} bytes long; the longest is {MAX_PATTERN_BYTES}",
                pattern.len()
            ));
        }
        let mut error = String::new();
        for (size, steps) in SIZE_CLASSES {
            match RegexBuilder::new(pattern).size_limit(size).nest_limit(MAX_PATTERN_DEPTH).build() {
                Ok(regex) => return Ok(Pattern { regex, steps }),
                Err(reason) => error = reason.to_string(),
            }
        }
        Err(format!("the pattern `{pattern}` of `matches` does not compile: {error}"))
    }

    /// The pattern as a value, with what it pays with.
    pub(super) fn with(&self, meter: &Arc<Meter>) -> MeteredPattern {
        MeteredPattern { pattern: self.clone(), meter: Arc::clone(meter) }
    }
}

/// The second argument of [`matches`].
#[derive(Clone, Debug)]
pub(super) struct MeteredPattern {
    pattern: Pattern,
    meter: Arc<Meter>,
}

pub(super) static PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");

impl Val for MeteredPattern {
    fn get_type(&self) -> &Type {
        &PATTERN_TYPE
    }
    fn cel_type() -> &'static Type {
        &PATTERN_TYPE
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}
impl StaticVal for MeteredPattern {}

/// `matches(text, pattern)` and `text.matches(pattern)`: whether the pattern is found anywhere in the text.
pub(super) fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = args.as_slice() else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let (Some(text), Some(MeteredPattern { pattern, meter })) =
        (text.downcast_ref::<CelString>(), pattern.downcast_ref::<MeteredPattern>())
    else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let paid = meter.spend_on_text(text.inner().len(), pattern.steps);
    Ok(CowVal::owned(CelBool::from(paid && pattern.regex.is_match(text.inner()))))
}
