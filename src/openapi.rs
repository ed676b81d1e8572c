//! The description of the whole HTTP surface, as OpenAPI 3.1.
//!
//! The worker serves a file that is committed. A native test makes it anew, of the very tables and types that the code works with
//! ([`crate::api::TABLE`], the types of requests and answers, the tables of documents' fields), and fails where the file is not
//! what comes of them: `UPDATE=1 cargo test openapi` writes it.

/// The document, as JSON without spaces.
pub const DOCUMENT: &str = include_str!("openapi/openapi.json");

#[cfg(not(target_arch = "wasm32"))]
mod calls;
#[cfg(not(target_arch = "wasm32"))]
mod documents;
#[cfg(not(target_arch = "wasm32"))]
mod examples;
#[cfg(not(target_arch = "wasm32"))]
mod operations;
#[cfg(not(target_arch = "wasm32"))]
mod parts;
#[cfg(not(target_arch = "wasm32"))]
mod schemas;
#[cfg(not(target_arch = "wasm32"))]
mod whole;

#[cfg(not(target_arch = "wasm32"))]
pub use whole::document;
