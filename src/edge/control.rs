//! The Durable Object `CONTROL`: does what [`crate::control::machine`] says, over SQLite and KV.
//!
//! In scope: the loop, the alarm. Out of scope: what is done (`crate::control`), who may ask ([`super::admin`]).

mod sqlite;

use std::cell::{Cell, RefCell};

use worker::js_sys::{Array, Uint8Array};
// The macros name `wasm_bindgen` as if it were a dependency of ours.
use worker::wasm_bindgen;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{DurableObject, Env, Request, Response, State, console_error, console_warn, durable_object};

use super::glue;
use super::invocation::{error_headers, now, resolved};
use crate::control::kv::{Listed, Reading, revision_of};
use crate::control::machine::{Desk, Heard, Running, Step, Task};
use crate::control::store::Store;
use crate::control::{MAX_BODY_BYTES, Reply, Subject, request};
use crate::dialect::Dialect;
use crate::error::Error;
use sqlite::Sqlite;

/// What wrangler.toml calls the namespace.
pub(super) const BINDING: &str = "CONTROL";
/// The one instance: all changes go through it, one after the other.
pub(super) const INSTANCE: &str = "control";

/// KV takes one write a second and key, so nothing is gained by an alarm before.
const SOONEST_MS: i64 = 1_000;

/// The one place where stored documents change.
#[durable_object(alarm)]
pub struct Control {
    state: State,
    env: Env,
    store: RefCell<Sqlite>,
    running: RefCell<Running>,
    /// When the alarm goes off, as far as this incarnation has set it.
    armed: Cell<Option<u64>>,
}

impl DurableObject for Control {
    fn new(state: State, env: Env) -> Self {
        let store = Sqlite::of(&state);
        if let Err(error) = store.migrate() {
            console_error!("control's schema: {}", error.message);
        }
        Control {
            store: RefCell::new(store),
            state,
            env,
            running: RefCell::default(),
            armed: Cell::new(None),
        }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let bytes = request.bytes().await?;
        let reply = match request::decode(&bytes) {
            Ok(request) => self.done(Task::request(request)).await,
            Err(error) => Some(Err(error)),
        };
        Ok(reply.map_or_else(|| glue::answer(204, "", ""), answer).into())
    }

    async fn alarm(&self) -> worker::Result<Response> {
        // While it runs it is not set anew for what it is about to do.
        self.armed.set(Some(0));
        self.done(Task::sweep()).await;
        self.armed.set(None);
        self.arm().await;
        Response::empty()
    }
}

impl Control {
    /// Does a task to its end; the reply, where it is a request.
    async fn done(&self, mut task: Task) -> Option<Result<Reply, Error>> {
        let mut heard = Heard::Begun;
        loop {
            let step = {
                // Nothing is borrowed across an await.
                let (mut store, mut running) = (self.store.borrow_mut(), self.running.borrow_mut());
                task.step(&mut Desk { store: &mut *store, running: &mut running, now: now() }, heard)
            };
            self.arm().await;
            heard = match step {
                Step::Read(key) => Heard::Read(self.read(&key).await),
                Step::List { prefix, cursor } => Heard::Listed(self.list(prefix, cursor.as_deref()).await),
                Step::Write { key, bytes, metadata } => {
                    Heard::Wrote(written(&key, glue::write_with(&self.env, &key, &bytes, &metadata)).await)
                }
                Step::Delete(key) => Heard::Wrote(written(&key, glue::delete_key(&self.env, &key)).await),
                Step::Reply(reply) => return Some(reply),
                Step::Rest => return None,
            }
        }
    }

    /// Has the alarm go off when the next outbox is due. The call is made before anything is awaited, so that it is stored
    /// together with what made it necessary.
    async fn arm(&self) {
        if !self.store.borrow().take_changed() && self.armed.get().is_some() {
            return;
        }
        let due = self.store.borrow().next_due().ok().flatten();
        let Some(due) = due.filter(|due| self.armed.get().is_none_or(|armed| armed != *due)) else { return };
        self.armed.set(Some(due));
        let offset = i64::try_from(due.saturating_sub(now())).unwrap_or(i64::MAX).max(SOONEST_MS);
        if let Err(error) = self.state.storage().set_alarm(offset).await {
            self.armed.set(None);
            console_error!("control's alarm could not be set: {error}");
        }
    }

    async fn read(&self, key: &str) -> Reading {
        let limit = u32::try_from(MAX_BODY_BYTES).unwrap_or(u32::MAX);
        let Ok(found) = resolved(glue::read_key(&self.env, key, limit)).await else {
            console_warn!("'{}' could not be read from KV", Subject::logged(key));
            return Reading::Unavailable;
        };
        let (bytes, metadata) = glue::pair(found);
        let Some(bytes) = bytes.dyn_ref::<Uint8Array>() else { return Reading::Absent };
        Reading::Value {
            bytes: bytes.to_vec(),
            revision: metadata.as_string().and_then(|text| revision_of(&text)),
        }
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Option<Listed> {
        let page = resolved(glue::list_with(&self.env, prefix, cursor)).await.ok()?;
        let (keys, cursor) = glue::pair(page);
        let keys = Array::from(&keys);
        let keys = keys.iter().filter_map(|entry| {
            let (key, metadata) = glue::pair(entry);
            Some((key.as_string()?, metadata.as_string().and_then(|text| revision_of(&text))))
        });
        Some(Listed { keys: keys.collect(), cursor: cursor.as_string() })
    }
}

/// Whether KV has acknowledged a write.
async fn written(key: &str, promise: Result<worker::js_sys::Promise, JsValue>) -> bool {
    let written = match promise {
        Ok(promise) => resolved(promise).await,
        Err(error) => Err(error),
    };
    if written.is_err() {
        console_warn!("KV did not take '{}'; it is tried again", Subject::logged(key));
    }
    written.is_ok()
}

/// A reply or refusal as HTTP.
fn answer(reply: Result<Reply, Error>) -> worker::web_sys::Response {
    match reply {
        Ok(Reply { status, content_type, etag, revision, body }) => {
            let mut headers = format!("content-type\n{content_type}");
            let revision = revision.map(|number| number.to_string());
            for (name, value) in [("etag", etag), ("x-turnout-revision", revision)] {
                if let Some(value) = value {
                    headers.push_str(&format!("\n{name}\n{value}"));
                }
            }
            glue::answer(status, &headers, &String::from_utf8_lossy(&body))
        }
        Err(error) => {
            let mut headers = "content-type\napplication/json".to_owned();
            headers.push_str(&error_headers(&error));
            glue::answer(error.kind.status(), &headers, &error.body(Dialect::OpenAi))
        }
    }
}
