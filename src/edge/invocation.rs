//! One request: what came with it, and the means to answer it.

use std::future::Future;

use worker::js_sys::{Date, Function, Promise};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{Request, Response};
use worker::{Context, Env};

use super::glue;
use crate::decision::Origin;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::exchange::patience;
use crate::{auth, identity, outbound};

thread_local! {
    /// Tells JavaScript, once an isolate, which headers to read of every request.
    /// And which of every answer that is an error.
    static WATCHED: () = {
        let forwarded = outbound::forwarded();
        glue::watch(&[auth::HEADERS, identity::HEADERS, &forwarded, outbound::FORWARDED_TO_OPENROUTER].concat().join("\n"));
        glue::heed(&patience::HEADERS.join("\n"));
    };
}

/// A request and its surroundings. Lives as long as anything works on it, which may be longer than its caller waits.
pub(super) struct Invocation {
    pub(super) request: Request,
    pub(super) env: Env,
    ctx: Context,
    /// When it began, in milliseconds since 1970.
    pub(super) started: u64,
    /// Two independent draws, uniform over all `u64`.
    pub(super) random: [u64; 2],
    pub(super) method: String,
    pub(super) path: String,
    /// Without its question mark. It may hold the caller's key.
    pub(super) query: String,
    pub(super) origin: Origin,
    /// Those that handling a call may need; names in lower case.
    pub(super) headers: Vec<(String, String)>,
}

impl Invocation {
    pub(super) fn new(request: Request, env: Env, ctx: Context) -> Invocation {
        WATCHED.with(|()| ());
        let text = glue::describe(&request);
        let mut lines = text.split('\n');
        let mut line = || lines.next().unwrap_or_default();
        let started = line().parse().unwrap_or_default();
        let random = [line().parse().unwrap_or_default(), line().parse().unwrap_or_default()];
        let method = line().to_owned();
        let (path, query) = path_and_query(line());
        let (path, query) = (path.to_owned(), query.to_owned());
        let mut known = || Some(line().to_owned()).filter(|value| !value.is_empty());
        let origin = Origin {
            country: known(),
            continent: known(),
            city: known(),
            colo: known(),
            asn: known().and_then(|asn| asn.parse().ok()),
            timezone: known(),
        };
        let headers = pairs(&mut lines);
        Invocation { request, env, ctx, started, random, method, path, query, origin, headers }
    }

    /// The first header of that lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Does work that the answer does not wait for, and that goes on when the caller leaves.
    pub(super) fn background(&self, work: impl Future<Output = ()> + 'static) {
        self.ctx.wait_until(work);
    }

    /// Keeps this invocation alive for as long as the guard is: without it, the runtime drops the work of a caller who
    /// leaves, and with it the record.
    pub(super) fn hold(&self) -> Hold {
        Hold { release: glue::hold(&self.request) }
    }

    /// Every header of the request, for conditions that look at them.
    pub(super) fn all_headers(&self) -> Vec<(String, String)> {
        pairs(&mut glue::all_headers(&self.request).split('\n'))
    }

    /// An answer of ours.
    pub(super) fn json(&self, status: u16, body: &str) -> Response {
        glue::answer(status, "content-type\napplication/json", body)
    }

    /// A refusal outside of any call.
    pub(super) fn refuse(&self, error: &Error) -> Response {
        let mut headers = "content-type\napplication/json".to_owned();
        headers.push_str(&error_headers(error));
        glue::answer(error.kind.status(), &headers, &error.body(Endpoint::dialect_of(&self.path)))
    }
}

/// Keeps an invocation alive; see [`Invocation::hold`].
pub(super) struct Hold {
    release: Function,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // It resolves a promise, which cannot fail.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

/// Names and values that alternate.
pub(super) fn pairs<'l>(lines: &mut impl Iterator<Item = &'l str>) -> Vec<(String, String)> {
    let mut pairs = Vec::with_capacity(8);
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        pairs.push((name.to_owned(), value.to_owned()));
    }
    pairs
}

/// Header lines that an error brings along, each begun by a line end.
pub(super) fn error_headers(error: &Error) -> String {
    match error.kind {
        // RFC 9110: a 401 names a scheme, a 405 the methods.
        ErrorKind::InvalidKey | ErrorKind::NotConfigured => "\nwww-authenticate\nBearer".to_owned(),
        ErrorKind::MethodNotAllowed(methods) => format!("\nallow\n{}", methods.join(", ")),
        ErrorKind::RateLimited => format!("\nretry-after\n{}", auth::RATE_PERIOD_SECONDS),
        ErrorKind::ConfigUnavailable | ErrorKind::ControlUnavailable => "\nretry-after\n1".to_owned(),
        _ => String::new(),
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole milliseconds since 1970"
    )]
    let now = Date::now() as u64;
    now
}

/// Waits for a promise.
pub(super) async fn resolved(promise: Promise) -> Result<JsValue, JsValue> {
    JsFuture::from(promise).await
}

/// The path of a URL, and its query.
fn path_and_query(url: &str) -> (&str, &str) {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.find('/').and_then(|start| after_scheme.get(start..)).unwrap_or("/");
    let path = path.split('#').next().unwrap_or(path);
    path.split_once('?').unwrap_or((path, ""))
}
