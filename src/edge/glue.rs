//! The bindings to `glue.js` and `upstream.js`, and nothing else.

use js_sys::{Array, Function, Promise, Uint8Array};
use web_sys::{ReadableStream, Request, Response};
use worker::wasm_bindgen::prelude::*;
use worker::{Env, js_sys, wasm_bindgen, web_sys};

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    pub(super) fn hold(request: &Request) -> Function;
    pub(super) fn watch(names: &str);
    pub(super) fn describe(request: &Request) -> String;
    #[wasm_bindgen(js_name = allHeaders)]
    pub(super) fn all_headers(request: &Request) -> String;
    #[wasm_bindgen(js_name = readBody)]
    pub(super) fn read_body(request: &Request, limit: f64) -> Promise;

    pub(super) fn draws(count: u32) -> Vec<u64>;

    pub(super) fn setting(env: &Env, name: &str) -> Option<String>;

    #[wasm_bindgen(js_name = readKey)]
    pub(super) fn read_key(env: &Env, key: &str, limit: u32) -> Promise;
    #[wasm_bindgen(catch, js_name = writeKey)]
    pub(super) fn write_key(env: &Env, key: &str, bytes: &[u8]) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_name = deleteKey)]
    pub(super) fn delete_key(env: &Env, key: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_name = listKeys)]
    pub(super) fn list_keys(env: &Env, prefix: &str, cursor: Option<&str>) -> Promise;

    #[wasm_bindgen(catch, js_name = writeWith)]
    pub(super) fn write_with(env: &Env, key: &str, bytes: &[u8], metadata: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_name = listWith)]
    pub(super) fn list_with(env: &Env, prefix: &str, cursor: Option<&str>) -> Promise;

    #[wasm_bindgen(catch)]
    pub(super) fn select(storage: &JsValue, sql: &str, bindings: Vec<JsValue>) -> Result<Array, JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) fn transact(storage: &JsValue, statements: &Array) -> Result<(), JsValue>;

    pub(super) fn count(env: &Env, binding: &str, key: &str) -> Promise;

    #[wasm_bindgen(js_name = writePoint)]
    pub(super) fn write_point(env: &Env, blobs: &str, doubles: &[f64]);
}

#[wasm_bindgen(module = "/src/edge/upstream.js")]
extern "C" {
    pub(super) fn heed(names: &str);
    pub(super) fn exchange(
        request: &Request,
        streamed: bool,
        budget_ms: f64,
        may_outlive: bool,
        url: &str,
        headers: &str,
        body: &Uint8Array,
        ranges: &[u32],
        replacements: &[u8],
    ) -> Promise;
    pub(super) fn receive(
        request: &Request,
        streamed: bool,
        budget_ms: f64,
        may_outlive: bool,
        upstream: &Response,
        delay_ms: u32,
    ) -> Promise;
    pub(super) fn drip(texts: &str, delays: &[u32]) -> Response;
    pub(super) fn pause(request: &Request, milliseconds: f64) -> Promise;

    #[wasm_bindgen(catch)]
    pub(super) fn pass(
        upstream: &Response,
        status: u16,
        headers: &str,
        body: &JsValue,
    ) -> Result<Response, JsValue>;
    pub(super) fn answer(status: u16, headers: &str, body: &str) -> Response;

    #[wasm_bindgen(catch, js_name = openTap)]
    pub(super) fn open_tap(
        request: &Request,
        upstream: &Response,
        patience: &JsValue,
    ) -> Result<Tap, JsValue>;
    #[wasm_bindgen(catch, js_name = openPump)]
    pub(super) fn open_pump(
        request: &Request,
        upstream: &Response,
        patience: &JsValue,
    ) -> Result<Pump, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// A stream that workerd moves, and our branch of it.
    pub(super) type Tap;
    #[wasm_bindgen(method)]
    pub(super) fn next(this: &Tap) -> Promise;
    #[wasm_bindgen(method)]
    pub(super) fn commit(this: &Tap) -> ReadableStream;
    #[wasm_bindgen(method)]
    pub(super) fn abandon(this: &Tap);
    #[wasm_bindgen(method, getter)]
    pub(super) fn outcome(this: &Tap) -> Option<u32>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn ended(this: &Tap) -> Promise;
    #[wasm_bindgen(method)]
    pub(super) fn later(this: &Tap, milliseconds: u32) -> Promise;
    #[wasm_bindgen(method)]
    pub(super) fn close(this: &Tap, ending: &JsValue) -> Promise;
    #[wasm_bindgen(method)]
    pub(super) fn cancel(this: &Tap);

    /// A stream that passes through our hands.
    pub(super) type Pump;
    #[wasm_bindgen(method)]
    pub(super) fn next(this: &Pump) -> Promise;
    #[wasm_bindgen(method)]
    pub(super) fn commit(this: &Pump) -> ReadableStream;
    #[wasm_bindgen(method)]
    pub(super) fn abandon(this: &Pump);
    #[wasm_bindgen(method, setter)]
    pub(super) fn set_over(this: &Pump, over: bool);
    #[wasm_bindgen(method, setter)]
    pub(super) fn set_unwatched(this: &Pump, unwatched: bool);
    #[wasm_bindgen(method)]
    pub(super) fn run(this: &Pump, held: &JsValue, feed: &Closure<dyn FnMut(JsValue) -> JsValue>) -> Promise;
}

/// The items of an array that JavaScript promised.
pub(super) fn pair(value: JsValue) -> (JsValue, JsValue) {
    let array = Array::from(&value);
    (array.get(0), array.get(1))
}
