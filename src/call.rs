//! A call's body: the caller's own bytes, and the spans of the fields that are read or spliced (law 1).
//!
//! In scope: reading Chat Completions bodies without re-serialising them, and the splices that make an outbound body.
//! Out of scope: which splices a target needs (`outbound`), who the unit is (`identity`).
//!
//! A literal `extra_body` is what an SDK would have merged into the top level. So it is unfolded where it stands: what is
//! ours in it is read and removed, `{"extra_body": {"metadata": {…}, "top_k": 5}}` goes out as `{"top_k": 5}`, and a member
//! whose name the top level has too is dropped, read neither by us nor by the provider.

mod fields;
mod layout;
mod messages;
mod object;
mod splice;
mod value;

use serde_json::{Map, Value};

use self::fields::Fields;
use self::layout::{Piece, body_fault};
use self::value::UsageAsk;
use crate::error::Error;

pub use self::splice::{Overrides, Splice, apply};

/// A parsed call. Owns the body's bytes; nothing of it is ever written again but the named splices.
#[derive(Debug)]
pub struct Call {
    body: String,
    pieces: Vec<Piece>,
    fields: Fields,
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
        Ok(Call { body, pieces, fields })
    }

    /// The caller's bytes.
    pub fn body(&self) -> &[u8] {
        self.body.as_bytes()
    }

    /// The `model` that the caller named; never empty.
    pub fn model(&self) -> &str {
        &self.fields.model
    }

    /// Whether the caller wants a stream.
    pub fn stream(&self) -> bool {
        self.fields.stream
    }

    /// Whether the caller asked for a usage chunk itself (`stream_options.include_usage: true`).
    pub fn asks_usage(&self) -> bool {
        self.fields.usage_ask == UsageAsk::Asked
    }

    /// Top-level `user`; empty and null are absent.
    pub fn user(&self) -> Option<&str> {
        self.fields.user.as_deref()
    }

    /// Top-level `safety_identifier`; empty and null are absent.
    pub fn safety_identifier(&self) -> Option<&str> {
        self.fields.safety_identifier.as_deref()
    }

    /// Metadata for conditions: top-level `metadata`, then `metadata` of a literal `extra_body` over it, per key.
    pub fn metadata(&self) -> &Map<String, Value> {
        &self.fields.metadata
    }

    /// `store: true`, with which OpenAI takes `metadata`.
    pub fn store(&self) -> bool {
        self.fields.store
    }

    /// `max_completion_tokens`, else `max_tokens`; what is no whole number is absent.
    pub fn max_tokens(&self) -> Option<u64> {
        self.fields.max_completion_tokens.or(self.fields.max_tokens)
    }

    /// Whether `tools` (or the older `functions`) is a list that is not empty.
    pub fn has_tools(&self) -> bool {
        self.fields.has_tools
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

    /// The splices that give the outbound body.
    pub fn splices(&self, overrides: &Overrides<'_>) -> Vec<Splice> {
        splice::splices(&self.pieces, &self.fields, overrides)
    }

    fn messages_text(&self) -> &str {
        self.fields.messages.clone().and_then(|span| self.body.get(span)).unwrap_or("[]")
    }
}
