//! The demo downstream: `demo/…` models, served without network where the variable `DEMO` is `on`.

use worker::js_sys::Promise;
use worker::wasm_bindgen::JsValue;

use super::glue;
use super::invocation::Invocation;
use super::upstream::Allowance;
use crate::call::Call;
use crate::demo::{Answer, DIALECT, DemoRequest};
use crate::endpoint::Ask;

/// A call to a demo model, in Chat Completions: what `receive` in `upstream.js` resolves to.
pub(super) fn answer(
    invocation: &Invocation,
    body: Vec<u8>,
    allowance: &Allowance,
    model: &str,
    asked_usage: bool,
) -> Promise {
    // It was read before, or is our own; it is well formed.
    let Ok(call) = Call::parse(&Ask::of(DIALECT), body) else {
        return Promise::reject(&JsValue::NULL);
    };
    let request = DemoRequest {
        model,
        messages: &call.messages(),
        stream: call.stream(),
        include_usage: call.asks_usage() || asked_usage,
        max_tokens: call.max_tokens(),
        created: invocation.started / 1000,
    };
    let (upstream, delay_ms) = match crate::demo::answer(&request) {
        Answer::Whole { status, retry_after, body, after_ms } => {
            let mut headers = "content-type\napplication/json".to_owned();
            if let Some(seconds) = retry_after {
                headers.push_str(&format!("\nretry-after\n{seconds}"));
            }
            (glue::answer(status, &headers, &body), after_ms)
        }
        Answer::Stream(chunks) => {
            let delays: Vec<u32> = chunks.iter().map(|chunk| chunk.after_ms).collect();
            let texts: Vec<String> = chunks.into_iter().map(|chunk| chunk.bytes).collect();
            (glue::drip(&texts.join("\0"), &delays), 0)
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "at most an hour of milliseconds")]
    let budget_ms = allowance.budget_ms as f64;
    glue::receive(&invocation.request, call.stream(), budget_ms, allowance.may_outlive, &upstream, delay_ms)
}
