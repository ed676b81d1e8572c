//! The demo downstream: `demo/…` models, served without network where the variable `DEMO` is `on`.

use worker::wasm_bindgen::JsValue;

use super::glue;
use super::invocation::{Invocation, resolved};
use crate::call::Call;
use crate::demo::{Answer, DemoRequest};
use crate::error::{Error, ErrorKind};
use crate::gateway::DEMO;

/// What a call to a demo model is told where there are none.
pub(super) fn off(model: &str) -> Error {
    let message = format!(
        "'{DEMO}/{model}' is a demo model, and those are off here; set the variable DEMO to `on` to have them."
    );
    Error { kind: ErrorKind::ModelNotFound, message, param: Some("model".to_owned()) }
}

/// The answer of a demo model, in the form of an upstream's; an error where the caller left before it began.
pub(super) async fn answer(
    invocation: &Invocation,
    call: &Call,
    model: &str,
    asked_usage: bool,
) -> Result<JsValue, JsValue> {
    let request = DemoRequest {
        model,
        messages: &call.messages(),
        stream: call.stream(),
        include_usage: call.asks_usage() || asked_usage,
        max_tokens: call.max_tokens(),
        created: invocation.started / 1000,
    };
    let upstream = match crate::demo::answer(&request) {
        Answer::Whole { status, retry_after, body, after_ms } => {
            resolved(glue::sleep(after_ms)).await?;
            let mut headers = "content-type\napplication/json".to_owned();
            if let Some(seconds) = retry_after {
                headers.push_str(&format!("\nretry-after\n{seconds}"));
            }
            glue::answer(status, &headers, &body)
        }
        Answer::Stream(chunks) => {
            let delays: Vec<u32> = chunks.iter().map(|chunk| chunk.after_ms).collect();
            let texts: Vec<String> = chunks.into_iter().map(|chunk| chunk.bytes).collect();
            glue::drip(&texts.join("\0"), &delays)
        }
    };
    resolved(glue::receive(&invocation.request, call.stream(), &upstream)).await
}
