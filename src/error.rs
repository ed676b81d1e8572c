//! What a caller is told when a call cannot be answered: whose fault, which status, which stable code.
//!
//! In scope: one error type for everything that Turnout itself refuses, and its status and body in the caller's dialect.
//! Out of scope: an upstream's own error, which passes through as it is.

use crate::dialect::Dialect;
use crate::dialect::answer::Failure;
use crate::fault::Fault;

/// Why a call was refused. `code()` is stable: programs switch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The body is no JSON, or a field is missing, repeated or of the wrong type.
    InvalidRequest,
    /// The body is larger than `MAX_BODY_BYTES`.
    BodyTooLarge,
    /// No key was sent, or one that is not known, revoked or expired.
    InvalidKey,
    /// No credential is configured at all (law 9).
    NotConfigured,
    /// The key lacks a scope.
    MissingScope,
    /// The key may not name this model or router.
    ModelNotAllowed,
    /// No router, downstream or provider has that name.
    ModelNotFound,
    /// No route holds and there is no default route.
    NoRouteMatched,
    /// There is no such path.
    NotFound,
    /// The path exists, the method does not; those that do, as the header `allow` has it.
    MethodNotAllowed(&'static [&'static str]),
    /// The router's document does not validate and no earlier one did.
    InvalidRouter,
    /// The gateway's document does not validate and no earlier one did.
    InvalidGateway,
    /// The configuration could not be read.
    ConfigUnavailable,
    /// The target's downstream has no credential configured, or refused the one that it was sent.
    UpstreamCredentials,
    /// No downstream serves the variant's model.
    UpstreamModel,
    /// The upstream could not be reached, or broke before its answer began.
    UpstreamUnreachable,
    /// The upstream said nothing within the time that it was given.
    UpstreamTimeout,
    /// A document that was sent to be saved does not validate: `faults` says why.
    InvalidDocument,
    /// There is no such router, revision, downstream, rule or key.
    NoSuchResource,
    /// The name or id is taken.
    AlreadyExists,
    /// Somebody else has changed it since: the etag that was sent is not the newest.
    EtagMismatch,
    /// The state of things forbids it: a ramp runs, or what is to go is still in use.
    Conflict,
    /// The key's tier allows no more calls for now.
    RateLimited,
    /// Changes cannot be made for now: the Durable Object or KV does not answer.
    ControlUnavailable,
}

/// A refusal, in no dialect yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Why.
    pub kind: ErrorKind,
    /// A sentence that says what is wrong and what to do; never holds a credential.
    pub message: String,
    /// The field at fault, where there is one.
    pub param: Option<String>,
    /// Everything that is wrong with a document that was sent, each with its path; empty for all other errors.
    pub faults: Vec<Fault>,
}

impl Error {
    /// An error about no field in particular.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error::of(kind, message.into(), None)
    }

    /// Apart from the hundreds of places that make one, and never inlined there: an error is rare, and the worker has a size
    /// to keep to.
    #[cold]
    #[inline(never)]
    fn of(kind: ErrorKind, message: String, param: Option<String>) -> Self {
        Error { kind, message, param, faults: Vec::new() }
    }

    /// A fault in the caller's body, at `param`.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Error::of(ErrorKind::InvalidRequest, message.into(), Some(param.into()))
    }

    /// A document that was sent does not validate. The first fault is the message, all of them are listed.
    pub fn document(faults: Vec<Fault>) -> Self {
        let first = faults.first();
        let message = first.map_or_else(|| "The document does not validate.".to_owned(), Fault::to_string);
        let param = first.map(|fault| fault.path.clone()).filter(|path| !path.is_empty());
        Error { param, faults, ..Error::new(ErrorKind::InvalidDocument, message) }
    }

    /// The body in the caller's dialect.
    pub fn body(&self, dialect: Dialect) -> String {
        (dialect.wire().errors.body)(self)
    }

    /// The error as one event of a stream in the caller's dialect.
    pub fn event(&self, dialect: Dialect) -> String {
        (dialect.wire().errors.event)(self)
    }
}

/// The refusal in no dialect, for the encoders.
impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        Failure {
            status: error.kind.status(),
            kind: Some(error.kind.openai_type().to_owned()),
            code: Some(error.kind.code().to_owned()),
            param: error.param.clone(),
            message: error.message.clone(),
        }
    }
}

impl ErrorKind {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            ErrorKind::InvalidRequest => 400,
            ErrorKind::BodyTooLarge => 413,
            ErrorKind::InvalidKey | ErrorKind::NotConfigured => 401,
            ErrorKind::MissingScope | ErrorKind::ModelNotAllowed => 403,
            ErrorKind::ModelNotFound | ErrorKind::NoRouteMatched | ErrorKind::NotFound => 404,
            ErrorKind::MethodNotAllowed(_) => 405,
            ErrorKind::InvalidRouter | ErrorKind::InvalidGateway | ErrorKind::ConfigUnavailable => 503,
            ErrorKind::UpstreamCredentials | ErrorKind::UpstreamModel | ErrorKind::UpstreamUnreachable => 502,
            ErrorKind::UpstreamTimeout => 504,
            ErrorKind::InvalidDocument => 400,
            ErrorKind::NoSuchResource => 404,
            ErrorKind::AlreadyExists | ErrorKind::Conflict => 409,
            ErrorKind::EtagMismatch => 412,
            ErrorKind::RateLimited => 429,
            ErrorKind::ControlUnavailable => 503,
        }
    }

    /// The stable code that programs switch on.
    pub fn code(self) -> &'static str {
        match self {
            ErrorKind::InvalidRequest => "invalid_request",
            ErrorKind::BodyTooLarge => "body_too_large",
            ErrorKind::InvalidKey => "invalid_api_key",
            ErrorKind::NotConfigured => "not_configured",
            ErrorKind::MissingScope => "missing_scope",
            ErrorKind::ModelNotAllowed => "model_not_allowed",
            ErrorKind::ModelNotFound => "model_not_found",
            ErrorKind::NoRouteMatched => "no_route_matched",
            ErrorKind::NotFound => "not_found",
            ErrorKind::MethodNotAllowed(_) => "method_not_allowed",
            ErrorKind::InvalidRouter => "invalid_router",
            ErrorKind::InvalidGateway => "invalid_gateway",
            ErrorKind::ConfigUnavailable => "config_unavailable",
            ErrorKind::UpstreamCredentials => "upstream_credentials",
            ErrorKind::UpstreamModel => "upstream_model",
            ErrorKind::UpstreamUnreachable => "upstream_unreachable",
            ErrorKind::UpstreamTimeout => "upstream_timeout",
            ErrorKind::InvalidDocument => "invalid_document",
            ErrorKind::NoSuchResource => "no_such_resource",
            ErrorKind::AlreadyExists => "already_exists",
            ErrorKind::EtagMismatch => "etag_mismatch",
            ErrorKind::Conflict => "conflict",
            ErrorKind::RateLimited => "rate_limited",
            ErrorKind::ControlUnavailable => "control_unavailable",
        }
    }

    /// OpenAI's word for errors of this status, which is that of failures in no dialect too.
    pub(crate) fn openai_type(self) -> &'static str {
        match self.status() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }
}
