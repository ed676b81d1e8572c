//! `(method, path)` to what is asked for.

use crate::dialect::Dialect;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A model call: `POST /v1/chat/completions`.
    Call(Dialect),
    /// `GET /v1/models`.
    Models,
    /// `GET /v1/models/{id}`; the id may hold slashes and is percent-decoded.
    Model(String),
    /// `GET /healthz`.
    Health,
}
