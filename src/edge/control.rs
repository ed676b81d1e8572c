//! The Durable Object `CONTROL`: does what [`crate::control`] says, over SQLite and KV.

// The macros name `wasm_bindgen` as if it were a dependency of ours.
use worker::wasm_bindgen;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use super::glue;
use crate::control::{Reply, dispatch, request};
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};

/// What wrangler.toml calls the namespace.
pub(super) const BINDING: &str = "CONTROL";
/// The one instance: all changes go through it, one after the other.
pub(super) const INSTANCE: &str = "control";

/// The one place where stored documents change.
#[durable_object(alarm)]
pub struct Control {
    #[expect(dead_code, reason = "the store lands next")]
    state: State,
    #[expect(dead_code, reason = "the store lands next")]
    env: Env,
}

impl DurableObject for Control {
    fn new(state: State, env: Env) -> Self {
        Control { state, env }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let bytes = request.bytes().await?;
        let reply = request::decode(&bytes).and_then(|request| {
            dispatch::work(&request)?;
            let message = format!("{:?} is not served yet.", request.asked.operation);
            Err(Error::new(ErrorKind::NotFound, message))
        });
        Ok(answer(reply).into())
    }

    async fn alarm(&self) -> worker::Result<Response> {
        Response::empty()
    }
}

/// A reply or refusal as HTTP.
fn answer(reply: Result<Reply, Error>) -> worker::web_sys::Response {
    match reply {
        Ok(Reply { status, content_type, etag, revision, body }) => {
            let mut headers = format!("content-type\n{content_type}");
            for (name, value) in
                [("etag", etag), ("x-turnout-revision", revision.map(|number| number.to_string()))]
            {
                if let Some(value) = value {
                    headers.push_str(&format!("\n{name}\n{value}"));
                }
            }
            glue::answer(status, &headers, &String::from_utf8_lossy(&body))
        }
        Err(error) => {
            let mut headers = "content-type\napplication/json".to_owned();
            headers.push_str(&super::invocation::error_headers(&error));
            glue::answer(error.kind.status(), &headers, &error.body(Dialect::OpenAi))
        }
    }
}
