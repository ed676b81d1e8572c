//! A call's body: the caller's own bytes, and the spans of the fields that are read or spliced (law 1).
//!
//! In scope: reading bodies of every dialect without re-serialising them, and the splices that make an outbound body of the
//! same dialect. Out of scope: which splices a target needs (`outbound`), who the unit is (`identity`), translation (`dialect`).
//!
//! A literal `extra_body` is what an SDK would have merged into the top level. So it is unfolded where it stands: what is
//! ours in it is read and removed, `{"extra_body": {"metadata": {…}, "top_k": 5}}` goes out as `{"top_k": 5}`, and a member
//! whose name the top level has too is dropped, read neither by us nor by the provider.

mod asked;
pub(crate) mod field;
mod fields;
mod layout;
pub(crate) mod messages;
pub(crate) mod object;
mod outline;
mod splice;
mod value;
mod variables;

use std::ops::{Deref, Range};

use serde_json::Value;

use self::fields::Fields;
use self::layout::body_fault;
use crate::endpoint::Ask;
use crate::error::Error;

pub use self::outline::Outline;
pub use self::splice::{Edits, Overrides, Splice, apply};

/// A parsed call: its outline, which says what the fields say, and the body's bytes. Nothing of it is ever written again but
/// the named splices.
#[derive(Debug)]
pub struct Call {
    body: String,
    outline: Outline,
}

impl Call {
    /// Reads a body. One pass over the bytes; values that are not ours are only skipped, at any depth of nesting.
    ///
    /// # Errors
    /// `InvalidRequest` where the body is empty, not UTF-8, not JSON or not an object; where neither path nor body names a
    /// model; where a field that is read here stands twice, or has a type that cannot be acted on; and where metadata is too
    /// large. The fields of a literal `extra_body` are named `extra_body.<field>`.
    pub fn parse(ask: &Ask, body: Vec<u8>) -> Result<Call, Error> {
        let body = String::from_utf8(body).map_err(|fault| {
            let valid_bytes = fault.utf8_error().valid_up_to();
            body_fault(format!("The body is not UTF-8: the first fault is after {valid_bytes} bytes."))
        })?;
        if body.trim_ascii().is_empty() {
            let message = format!("The body is empty: send {}.", ask.dialect.wire().body.form);
            return Err(body_fault(message));
        }
        let pieces = layout::pieces(ask.dialect, &body)?;
        let fields = Fields::read(ask, &body, &pieces)?;
        let Ask { dialect, operation, .. } = *ask;
        let inside = body.find('{').map_or(0, |brace| brace + 1);
        Ok(Call { body, outline: Outline { dialect, operation, inside, pieces, fields } })
    }

    /// The caller's bytes.
    pub fn body(&self) -> &[u8] {
        self.body.as_bytes()
    }

    /// What is kept of the call while an upstream thinks. The body's bytes are let go.
    pub fn into_outline(self) -> Outline {
        self.outline
    }

    /// Whether any message has an image part; looks into the messages, so asked only where a condition does.
    pub fn has_images(&self) -> bool {
        messages::have_images(self.dialect(), self.text(&self.outline.fields.messages))
    }

    /// `[{role, content}]` for conditions, in Chat Completions' words whatever the dialect: the system prompt first where it
    /// stands apart, texts of parts joined by line ends. Built only where a condition names it. A role or content that is
    /// absent or of another shape is an empty string, so that every message keeps its place.
    pub fn messages(&self) -> Value {
        let fields = &self.outline.fields;
        messages::for_conditions(self.dialect(), self.text(&fields.system), self.text(&fields.messages))
    }

    /// The value of a field as it is written; `null` where it is absent.
    fn text(&self, span: &Option<Range<usize>>) -> &str {
        span.clone().and_then(|span| self.body.get(span)).unwrap_or("null")
    }
}

/// A call is its outline and a body to look into.
impl Deref for Call {
    type Target = Outline;

    fn deref(&self) -> &Outline {
        &self.outline
    }
}
