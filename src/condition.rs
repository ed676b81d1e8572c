//! CEL: conditions of routes, `sticky_by` and rules, compiled once and evaluated without fail (law 10).
//!
//! In scope: what may be written (`check`), what it may cost (`prepare`, `meter`), what it may see (`Facts`, `scope`,
//! `values`), and what is said when it errs (`note`). Out of scope: where the facts come from, and what a verdict leads to.
//!
//! The only module that names the CEL crate. Sources are parsed by `PrattParser` and evaluated by `Value::resolve_val`;
//! the crate's `Program::compile` and `Env::compile` bring in another parser, which traps in wasm.

mod check;
mod functions;
mod meter;
mod note;
mod pattern;
mod prepare;
mod scope;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;

use cel_interpreter::common::types::{CelBool, CelNull, CelString};
use cel_interpreter::common::value::Val;
use cel_interpreter::{Context, IdedExpr};
use serde_json::{Map, Value};

use meter::Meter;
use note::Failure;
use pattern::Pattern;
use scope::Scope;

/// Longest source, in bytes. Checked before parsing: some chains parse in quadratic time.
pub const MAX_SOURCE_BYTES: usize = 2048;

/// What an expression may ask about a call. A source builds each value when it is first asked for, and at most once.
pub trait Facts: Send + Sync {
    /// Every key is a bare name in CEL, unless it is one of the names below; all of them are in `metadata`.
    fn metadata(&self) -> &Map<String, Value>;
    /// The unit where its kind is `user`; else `user_id` is missing.
    fn user_id(&self) -> Option<&str>;
    /// `[{role, content}]`.
    fn messages(&self) -> &Value;
    /// `{model, path, dialect, stream, has_tools, has_images, max_tokens}`; a key that is not known is left out.
    fn request(&self) -> &Value;
    /// Lower-case names, credentials left out.
    fn headers(&self) -> &Value;
    /// `{country, continent, city, colo, asn, timezone}`; a key that is not known is left out.
    fn cf(&self) -> &Value;
    /// Seconds since 1970.
    fn now(&self) -> i64;
}

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    source: String,
    tree: IdedExpr,
    names: BTreeSet<String>,
    patterns: Vec<Pattern>,
}

/// What a condition says of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// True.
    Holds,
    /// False, or a name that it needs is missing.
    DoesNotHold,
    /// It erred, and therefore does not hold; the note says why, without any value of the caller's.
    Errs(String),
}

impl Expression {
    /// Parses and checks an expression. The error is a sentence that says what is wrong and what would be right.
    ///
    /// An expression that compiles is bounded in size, depth and cost, calls only functions that exist, and its
    /// patterns are compiled.
    pub fn compile(source: &str) -> Result<Expression, String> {
        let mut tree = check::parse(source)?;
        let names = check::check(&tree)?;
        let patterns = prepare::prepare(&mut tree)?;
        Ok(Expression { source: source.to_owned(), tree, names, patterns })
    }

    /// The source as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The top-level names that the expression mentions, sorted; a variable of one of its own loops is not one. Where
    /// `messages` or `headers` is not among them, those facts are never asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// As a condition.
    pub fn holds(&self, facts: &dyn Facts) -> Verdict {
        let truth = self.evaluate(facts, |value| match value.downcast_ref::<CelBool>() {
            Some(truth) => Ok(*truth.inner()),
            None => Err(format!("the condition gives {}, not true or false", note::type_of(value))),
        });
        match truth {
            Ok(true) => Verdict::Holds,
            Ok(false) | Err(Failure::Missing(_)) => Verdict::DoesNotHold,
            Err(Failure::Erred(note)) => Verdict::Errs(note),
        }
    }

    /// As an expression that gives a string (`sticky_by`, `rule`): `Ok(None)` where a name is missing or the value is
    /// null or empty, `Err(note)` where it errs or gives another type.
    pub fn string(&self, facts: &dyn Facts) -> Result<Option<String>, String> {
        let string = self.evaluate(facts, |value| {
            if let Some(text) = value.downcast_ref::<CelString>() {
                return Ok(Some(text.inner().to_owned()).filter(|text| !text.is_empty()));
            }
            match value.downcast_ref::<CelNull>() {
                Some(_) => Ok(None),
                None => Err(format!("the expression gives {}, not a string", note::type_of(value))),
            }
        });
        match string {
            Ok(string) => Ok(string),
            Err(Failure::Missing(_)) => Ok(None),
            Err(Failure::Erred(note)) => Err(note),
        }
    }

    /// The name for want of which the expression gives no value; `None` where that is not why. Names stand in the
    /// expression itself; a key that it computed of the caller's values is never said.
    pub fn missing(&self, facts: &dyn Facts) -> Option<String> {
        match self.evaluate(facts, |_| Ok(())) {
            Err(Failure::Missing(name)) => name,
            Ok(()) | Err(Failure::Erred(_)) => None,
        }
    }

    /// Evaluates, and reads the result while the facts that it borrows are at hand.
    fn evaluate<T>(
        &self,
        facts: &dyn Facts,
        read: impl FnOnce(&dyn Val) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let meter = Arc::new(Meter::default());
        let scope = Scope::new(facts, &self.patterns, &meter);
        let mut context = Context::with_env(functions::environment());
        context.set_variable_resolver(&scope);
        let result = match cel_interpreter::Value::resolve_val(&self.tree, &context) {
            Ok(value) => read(value.as_ref()).map_err(Failure::Erred),
            Err(error) => Err(note::failure(&error)),
        };
        // What an expression says after its budget has run out is said of cut-off values.
        if meter.is_exhausted() { Err(Failure::Erred(meter::too_much())) } else { result }
    }
}
