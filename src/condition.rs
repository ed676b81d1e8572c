//! CEL: conditions of routes, `sticky_by` and rules, compiled once and evaluated without fail (law 10).
//!
//! The only module that names the CEL crate.

use serde_json::{Map, Value};

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
pub struct Expression {}

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
    pub fn compile(source: &str) -> Result<Expression, String> {
        let _ = source;
        todo!()
    }
    /// The source as written.
    pub fn source(&self) -> &str {
        todo!()
    }
    /// As a condition.
    pub fn holds(&self, facts: &dyn Facts) -> Verdict {
        let _ = facts;
        todo!()
    }
    /// As an expression that gives a string (`sticky_by`, `rule`): `Ok(None)` where a name is missing or the value is
    /// null or empty, `Err(note)` where it errs or gives another type.
    pub fn string(&self, facts: &dyn Facts) -> Result<Option<String>, String> {
        let _ = facts;
        todo!()
    }
}
