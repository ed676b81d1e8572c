//! A fault in a stored document: where it is, and what would be right.
//!
//! One type for every document in KV, so that a response header, the log and the portal show them all alike. A
//! message never holds a credential (law 8); what a value *was* is quoted only where it cannot be one.

use std::fmt;

use serde::Serialize;

/// One fault, or one warning, in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Fault {
    /// The field, as `routes[0].route.variants[1].weight`; empty for the document as a whole.
    pub path: String,
    /// A sentence that says what is wrong and what would be right.
    pub message: String,
}

impl Fault {
    /// A fault at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Fault { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}
