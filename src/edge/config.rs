//! Stored documents: KV read for the shelves of this isolate, and the index of router names.
//!
//! A call waits for KV only where nothing is held yet; whatever is held serves while a reading refreshes it (law 4). Each
//! call starts its own readings and awaits nobody else's (law 11).

use std::cell::RefCell;
use std::rc::Rc;

use serde::Deserialize;
use worker::js_sys::{Array, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Env, console_warn};

use super::glue;
use super::invocation::{Invocation, now, resolved};
use super::settings::settings;
use crate::auth::KeyRecord;
use crate::error::{Error, ErrorKind};
use crate::gateway::Gateway;
use crate::router::Router;
use crate::shelf::{Document, Look, Next, Reading, Shelf, State, Stored, summary};

/// A kind of document that this isolate shelves.
pub(super) trait Shelved: Document + 'static {
    /// Its key in KV.
    fn key(name: &str) -> String;
    /// The key of its last good copy.
    fn good_key(name: &str) -> String;
    /// Its key in KV, as the log has it.
    fn logged_key(name: &str) -> String {
        Self::key(name)
    }
    /// Its shelf.
    fn shelf<R>(work: impl FnOnce(&mut Shelf<Self>) -> R) -> R;
}

thread_local! {
    static ROUTERS: RefCell<Shelf<Router>> = RefCell::default();
    static GATEWAYS: RefCell<Shelf<Gateway>> = RefCell::default();
    static KEYS: RefCell<Shelf<KeyRecord>> = RefCell::default();
    static NAMES: RefCell<Names> = RefCell::default();
}

impl Shelved for Router {
    fn key(name: &str) -> String {
        format!("{ROUTER_PREFIX}{name}")
    }
    fn good_key(name: &str) -> String {
        format!("good:{name}")
    }
    fn shelf<R>(work: impl FnOnce(&mut Shelf<Self>) -> R) -> R {
        ROUTERS.with_borrow_mut(work)
    }
}

impl Shelved for Gateway {
    fn key(_: &str) -> String {
        GATEWAY.to_owned()
    }
    fn good_key(_: &str) -> String {
        "good-gateway".to_owned()
    }
    fn shelf<R>(work: impl FnOnce(&mut Shelf<Self>) -> R) -> R {
        GATEWAYS.with_borrow_mut(work)
    }
}

impl Shelved for KeyRecord {
    /// The name of a record is its key: `key:<sha256 hex>`.
    fn key(name: &str) -> String {
        name.to_owned()
    }
    fn good_key(name: &str) -> String {
        name.to_owned()
    }
    /// The hash of a key is not for logs; its beginning is enough to find the record.
    fn logged_key(name: &str) -> String {
        format!("{}…", name.get(..16).unwrap_or_default())
    }
    fn shelf<R>(work: impl FnOnce(&mut Shelf<Self>) -> R) -> R {
        KEYS.with_borrow_mut(work)
    }
}

const ROUTER_PREFIX: &str = "router:";
pub(super) const GATEWAY: &str = "gateway";

/// The gateway, and why its newest document is not in use, where it is not.
pub(super) async fn gateway(invocation: &Invocation) -> Result<(Rc<Gateway>, Option<Rc<str>>), Error> {
    thread_local! {
        static BUILT_IN: Rc<Gateway> = Rc::default();
    }
    match find::<Gateway>(invocation, GATEWAY).await {
        Some(State::Present(Stored { value, fault, .. })) => Ok((value, fault)),
        Some(State::Absent) => Ok((BUILT_IN.with(Rc::clone), None)),
        Some(State::Invalid(faults)) => {
            let message = format!(
                "The document 'gateway' is not valid, and no earlier version of it is: {}. Mend it in KV.",
                summary(&faults)
            );
            Err(Error::new(ErrorKind::InvalidGateway, message))
        }
        None => Err(unavailable()),
    }
}

/// A router by name; `None` where there is none.
pub(super) async fn router(invocation: &Invocation, name: &str) -> Result<Option<Stored<Router>>, Error> {
    match find::<Router>(invocation, name).await {
        Some(State::Present(stored)) => Ok(Some(stored)),
        Some(State::Absent) => Ok(None),
        Some(State::Invalid(faults)) => {
            let message = format!(
                "The router '{name}' is not valid, and no earlier version of it is: {}. Mend 'router:{name}' in KV.",
                summary(&faults)
            );
            Err(Error { param: Some("model".to_owned()), ..Error::new(ErrorKind::InvalidRouter, message) })
        }
        None => Err(unavailable()),
    }
}

/// What this isolate serves of a router, without a look at KV: its revision and how long ago KV was asked.
pub(super) fn held(name: &str) -> (Option<Rc<str>>, Option<u64>) {
    Router::shelf(|shelf| {
        let revision = match shelf.known(name) {
            Some(State::Present(stored)) => Some(stored.revision),
            Some(State::Absent | State::Invalid(_)) | None => None,
        };
        (revision, shelf.age(name, now()))
    })
}

/// Has the next call read a document again that was changed through this isolate.
pub(super) fn expire<T: Shelved>(name: &str) {
    T::shelf(|shelf| shelf.expire(name));
}

/// The same of all client keys: which record an id stands for is not known here.
pub(super) fn expire_keys() {
    KeyRecord::shelf(Shelf::expire_all);
}

/// Reads a router where this isolate does not hold it yet.
pub(super) async fn warm(invocation: &Invocation, name: &str) {
    let _ = find::<Router>(invocation, name).await;
}

/// The record of a client key, by its key in KV; `None` where there is none that can be read.
pub(super) async fn key_record(invocation: &Invocation, key: &str) -> Result<Option<Rc<KeyRecord>>, Error> {
    match find::<KeyRecord>(invocation, key).await {
        Some(State::Present(stored)) => Ok(Some(stored.value)),
        Some(State::Absent | State::Invalid(_)) => Ok(None),
        None => Err(unavailable()),
    }
}

fn unavailable() -> Error {
    Error::new(
        ErrorKind::ConfigUnavailable,
        "The configuration could not be read from KV just now; try again.",
    )
}

/// What is known of a document; `None` where nothing is and KV cannot be read.
async fn find<T: Shelved>(invocation: &Invocation, name: &str) -> Option<State<T>> {
    let ttl = settings(&invocation.env).config_ttl;
    match T::shelf(|shelf| shelf.look(name, now(), ttl)) {
        Look::Hit { state, refresh } => {
            if refresh {
                let (env, name) = (invocation.env.clone(), name.to_owned());
                invocation
                    .background(async move { keep(&env, &name, refreshed::<T>(&env, &name).await).await });
            }
            Some(state)
        }
        Look::Miss => {
            let next = refreshed::<T>(&invocation.env, name).await;
            if let Some(good) = next {
                let (env, name) = (invocation.env.clone(), name.to_owned());
                invocation.background(async move { keep(&env, &name, Some(good)).await });
            }
            T::shelf(|shelf| shelf.known(name))
        }
    }
}

/// Bytes to be stored as the last good ones, and where; none where the document was deleted.
struct Good {
    key: String,
    bytes: Option<Vec<u8>>,
}

/// Reads a document, and its last good copy where that is wanted. What comes back is left to be stored.
async fn refreshed<T: Shelved>(env: &Env, name: &str) -> Option<Good> {
    let key = T::key(name);
    let reading = read(env, &key, T::MAX_BYTES).await;
    let good = match T::shelf(|shelf| shelf.settle(name, now(), reading)) {
        Next::Done => None,
        Next::KeepGood(bytes) => Some(Good { key: T::good_key(name), bytes: Some(bytes) }),
        Next::ForgetGood => Some(Good { key: T::good_key(name), bytes: None }),
        Next::LoadGood(rejected) => {
            let good = read(env, &T::good_key(name), T::MAX_BYTES).await;
            T::shelf(|shelf| shelf.settle_good(name, now(), rejected, good));
            None
        }
    };
    if let Some(log) = T::shelf(|shelf| shelf.take_log(name)) {
        console_warn!("'{}' is {log}", T::logged_key(name));
    }
    good
}

/// Stores a last good copy, unless it is the stored one: many isolates validate the same hand edit.
async fn keep(env: &Env, name: &str, good: Option<Good>) {
    let Some(Good { key, bytes }) = good else { return };
    let written = match bytes {
        None => glue::delete_key(env, &key),
        Some(bytes) => match read(env, &key, bytes.len()).await {
            Reading::Value { bytes: stored, .. } if stored == bytes => return,
            _ => glue::write_key(env, &key, &bytes),
        },
    };
    let written = match written {
        Ok(promise) => resolved(promise).await,
        Err(error) => Err(error),
    };
    if written.is_err() {
        console_warn!(
            "the last good copy of '{name}' under '{key}' could not be changed; the next isolate tries again"
        );
    }
}

/// What control writes beside a value.
#[derive(Deserialize)]
struct Metadata {
    revision: Option<serde_json::Value>,
}

async fn read(env: &Env, key: &str, limit: usize) -> Reading {
    let Ok(found) = resolved(glue::read_key(env, key, u32::try_from(limit).unwrap_or(u32::MAX))).await else {
        return Reading::Unavailable;
    };
    let (bytes, metadata) = glue::pair(found);
    let Some(bytes) = bytes.dyn_ref::<Uint8Array>() else { return Reading::Absent };
    let revision = metadata
        .as_string()
        .and_then(|text| serde_json::from_str::<Metadata>(&text).ok()?.revision)
        .and_then(|revision| {
            revision.as_str().map(str::to_owned).or_else(|| Some(revision.as_u64()?.to_string()))
        });
    Reading::Value { bytes: bytes.to_vec(), revision }
}

/// The names of the routers in KV, as last listed.
#[derive(Default)]
struct Names {
    names: Rc<[String]>,
    listed_at: u64,
    listing_since: u64,
}

/// Names serve suggestions and lists, never a call: a minute is fresh enough.
const NAMES_TTL_MS: u64 = 60_000;
/// 10 pages of 1,000 names: beyond, a list of routers helps nobody, and each page is an operation that is paid for.
const MOST_PAGES: usize = 10;

/// Has the names listed once an isolate, so that the first call that misses one finds them. No call waits for it.
pub(super) fn preload_names(invocation: &Invocation) {
    if NAMES.with_borrow(|index| index.listing_since == 0) {
        names(invocation);
    }
}

/// The names that are known now, for a call that named none of them; where they are old, has them listed anew.
pub(super) fn names(invocation: &Invocation) -> Rc<[String]> {
    let now = now();
    let (names, list) = NAMES.with_borrow_mut(|index| {
        let list = now.saturating_sub(index.listed_at.max(index.listing_since)) >= NAMES_TTL_MS;
        if list {
            index.listing_since = now;
        }
        (index.names.clone(), list)
    });
    if list {
        let env = invocation.env.clone();
        invocation.background(async move {
            let _ = listed(&env).await;
        });
    }
    names
}

/// The names, listed anew where they are older than a stored document may be.
pub(super) async fn fresh_names(invocation: &Invocation) -> Result<Rc<[String]>, Error> {
    let ttl = settings(&invocation.env).config_ttl;
    let (names, listed_at) = NAMES.with_borrow(|index| (index.names.clone(), index.listed_at));
    if now().saturating_sub(listed_at) < ttl {
        return Ok(names);
    }
    listed(&invocation.env).await.map_err(|_| unavailable())
}

async fn listed(env: &Env) -> Result<Rc<[String]>, JsValue> {
    let mut names = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let page = resolved(glue::list_keys(env, ROUTER_PREFIX, cursor.as_deref())).await?;
        let (page, next) = glue::pair(page);
        names.extend(Array::from(&page).iter().filter_map(|name| name.as_string()));
        cursor = next.as_string();
        if cursor.is_none() {
            break;
        }
    }
    let names: Rc<[String]> = names.into();
    NAMES.with_borrow_mut(|index| {
        index.names = names.clone();
        index.listed_at = now();
    });
    Ok(names)
}
