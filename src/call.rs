//! A call's body: the caller's own bytes, and the spans of the fields that are read or spliced (law 1).
//!
//! In scope: reading Chat Completions bodies without re-serialising them, and the splices that make an outbound body.
//! Out of scope: which splices a target needs (`outbound`), who the unit is (`identity`).
//!
//! A literal `extra_body` is what an SDK would have merged into the top level. So it is unfolded where it stands: what is
//! ours in it is read and removed, `{"extra_body": {"metadata": {…}, "top_k": 5}}` goes out as `{"top_k": 5}`, and a member
//! whose name the top level has too is dropped, read neither by us nor by the provider.

mod asked;
mod fields;
mod layout;
mod messages;
mod object;
mod outline;
mod splice;
mod value;

use std::ops::Deref;

use serde_json::Value;

use self::fields::Fields;
use self::layout::body_fault;
use crate::error::Error;

pub use self::outline::Outline;
pub use self::splice::{Overrides, Splice, apply};

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
    /// Errs with `InvalidRequest` where the body is empty, not UTF-8, not JSON or not an object; where `model` is missing or
    /// empty; where a field that is read here stands twice, or has a type that cannot be acted on; and where metadata is too
    /// large. The fields of a literal `extra_body` are named `extra_body.<field>`.
    pub fn parse(body: Vec<u8>) -> Result<Call, Error> {
        let body = String::from_utf8(body).map_err(|fault| {
            let valid_bytes = fault.utf8_error().valid_up_to();
            body_fault(format!("The body is not UTF-8: the first fault is after {valid_bytes} bytes."))
        })?;
        if body.trim_ascii().is_empty() {
            return Err(body_fault("The body is empty: send a Chat Completions request as JSON."));
        }
        let pieces = layout::pieces(&body)?;
        let fields = Fields::read(&body, &pieces)?;
        Ok(Call { body, outline: Outline { pieces, fields } })
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
        messages::have_images(self.messages_text())
    }

    /// `[{role, content}]` for conditions, the texts of parts joined by line ends; built only where a condition names it.
    /// A role or content that is absent or of another shape is an empty string, so that every message keeps its place.
    pub fn messages(&self) -> Value {
        messages::for_conditions(self.messages_text())
    }

    fn messages_text(&self) -> &str {
        self.outline.fields.messages.clone().and_then(|span| self.body.get(span)).unwrap_or("[]")
    }
}

/// A call is its outline and a body to look into.
impl Deref for Call {
    type Target = Outline;

    fn deref(&self) -> &Outline {
        &self.outline
    }
}
