//! The control API.

use worker::web_sys::Response;

use super::invocation::Invocation;
use crate::api::Asked;
use crate::error::{Error, ErrorKind};

/// Answers a request to the control API.
pub(super) async fn answer(_: &Invocation, asked: &Asked) -> Result<Response, Error> {
    Err(Error::new(ErrorKind::NotFound, format!("{:?} is not served yet.", asked.operation)))
}
