//! A call's body: the caller's own bytes, and the spans of the fields that are read or spliced (law 1).
//!
//! In scope: reading Chat Completions bodies without re-serialising them, and the splices that make an outbound body.
//! Out of scope: which splices a target needs (`outbound`), who the unit is (`identity`).

use std::ops::Range;

use serde_json::{Map, Value};

use crate::error::Error;

/// A parsed call. Owns the body's bytes; nothing of it is ever written again but the named splices.
#[derive(Debug)]
pub struct Call {
    // private fields: the bytes, the top-level members' key and value spans, and what was read from them
}

/// What is to be different in the body that goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides<'a> {
    /// The model name that the downstream knows; always spliced.
    pub model: &'a str,
    /// Ask for a usage chunk (`stream_options.include_usage`): only where the call streams and did not ask itself.
    pub ask_usage: bool,
    /// Top-level `metadata` goes on as it is; else it is spliced out (it tells a provider whom one targets, and many refuse it).
    pub forward_metadata: bool,
    /// `models` and `provider` go on: they are the target's own (a direct call to `openrouter`).
    pub forward_routing: bool,
}

/// One replacement in the body. Splices are sorted, do not overlap, and leave valid JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// The bytes of the original that go.
    pub range: Range<usize>,
    /// What comes in their place; empty for a removed member (which takes one comma with it).
    pub with: String,
}

impl Call {
    /// Reads a body. One pass over the bytes; values that are not ours are only skipped.
    pub fn parse(body: Vec<u8>) -> Result<Call, Error> {
        let _ = body;
        todo!()
    }
    /// The caller's bytes.
    pub fn body(&self) -> &[u8] {
        todo!()
    }
    /// The `model` that the caller named.
    pub fn model(&self) -> &str {
        todo!()
    }
    /// Whether the caller wants a stream.
    pub fn stream(&self) -> bool {
        todo!()
    }
    /// Whether the caller asked for a usage chunk itself (`stream_options.include_usage: true`).
    pub fn asks_usage(&self) -> bool {
        todo!()
    }
    /// Top-level `user`; empty and null are absent.
    pub fn user(&self) -> Option<&str> {
        todo!()
    }
    /// Top-level `safety_identifier`; empty and null are absent.
    pub fn safety_identifier(&self) -> Option<&str> {
        todo!()
    }
    /// Metadata for conditions: top-level `metadata`, then `metadata` of a literal `extra_body` over it, per key.
    pub fn metadata(&self) -> &Map<String, Value> {
        todo!()
    }
    /// `store: true`, with which OpenAI takes `metadata`.
    pub fn store(&self) -> bool {
        todo!()
    }
    /// `max_completion_tokens`, else `max_tokens`.
    pub fn max_tokens(&self) -> Option<u64> {
        todo!()
    }
    /// Whether `tools` (or the older `functions`) is a list that is not empty.
    pub fn has_tools(&self) -> bool {
        todo!()
    }
    /// Whether any message has an image part; looks into the messages, so asked only where a condition does.
    pub fn has_images(&self) -> bool {
        todo!()
    }
    /// `[{role, content}]` for conditions, the texts of parts joined; built only where a condition names it.
    pub fn messages(&self) -> Value {
        todo!()
    }
    /// The splices that give the outbound body.
    pub fn splices(&self, overrides: &Overrides<'_>) -> Vec<Splice> {
        let _ = overrides;
        todo!()
    }
}

/// The body with the splices done: one allocation of the final size.
pub fn apply(body: &[u8], splices: &[Splice]) -> Vec<u8> {
    let _ = (body, splices);
    todo!()
}
