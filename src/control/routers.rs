//! The operations on routers: which router, what is stored, what is answered.
//!
//! In scope: names, paging, server fields. Out of scope: what an edit does inside a document (`router::edit`).

mod answer;
mod fields;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

pub(super) use answer::listed;
pub use answer::shown;
use fields::Members;

use super::dispatch::{Basis, Change, Page, Way, Work};
use super::{Edited, Request, Subject, history};
use crate::control::subject::Kind;
use crate::error::{Error, ErrorKind};
use crate::router;
use crate::router::edit::RampState;

/// What the isolate that was asked serves of a router, and how old that may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Serving {
    /// The revision that calls get here: a number, or `h-` and eight hex digits of a hand edit that is not numbered in KV;
    /// null where nothing is held yet.
    pub revision: Option<String>,
    /// How long ago KV was asked last, in milliseconds; null where it was not yet.
    pub age_ms: Option<u64>,
    /// How old what calls get may be, at the most, when KV keeps to its minute.
    pub may_be_stale_ms: u64,
    /// The same in a sentence.
    pub explanation: String,
}

/// KV says that a change takes up to a minute, or more, to be seen everywhere.
const KV_LAG_MS: u64 = 60_000;

impl Serving {
    /// Of an isolate that holds a revision, asked KV `age` ms ago, and asks again after `ttl` ms.
    pub fn of(revision: Option<&str>, age: Option<u64>, ttl: u64) -> Serving {
        let may_be_stale_ms = age.unwrap_or_default().max(ttl).saturating_add(KV_LAG_MS);
        let explanation = match (revision, age) {
            (Some(revision), Some(age)) => format!(
                "The isolate that answered serves revision {revision}, and asked KV {} s ago. Once that is {} s ago, the next \
                 call has it ask again, and is itself still served what is held. KV takes up to a minute to show a change \
                 everywhere.",
                age / 1000,
                ttl / 1000
            ),
            (None, Some(_)) => "The isolate that answered found nothing valid in KV; the next call has it ask again. KV takes up \
                                to a minute to show a change everywhere."
                .to_owned(),
            (_, None) => "The isolate that answered has not served this router yet, and will ask KV at the first call. KV takes \
                          up to a minute to show a change everywhere."
                .to_owned(),
        };
        Serving { revision: revision.map(str::to_owned), age_ms: age, may_be_stale_ms, explanation }
    }
}

/// The router that a request's path names.
///
/// # Errors
/// `NoSuchResource` where it can be none, or is none that the caller may see.
pub fn named(request: &Request) -> Result<Subject, Error> {
    let name = request.asked.name();
    if !router::is_name(name) || !request.envelope.who.may_name(name) {
        return Err(absent(name));
    }
    Ok(Subject::Router(name.to_owned()))
}

/// There is no such router, as far as the caller may know.
pub fn absent(name: &str) -> Error {
    let message = format!("There is no router '{}'.", crate::nearest::shortened(name));
    Error { param: Some("name".to_owned()), ..Error::new(ErrorKind::NoSuchResource, message) }
}

/// A page of routers.
///
/// # Errors
/// `InvalidRequest` where size or token cannot be read.
pub fn list(request: &Request) -> Result<Work, Error> {
    let after = match request.parameter("page_token") {
        None => String::new(),
        Some(token) => BASE64URL_NOPAD
            .decode(token.as_bytes())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .filter(|key| Subject::of_key(key).is_some())
            .ok_or_else(history::invalid_token)?,
    };
    Ok(Work::List(Page { kind: Kind::Routers, after, size: history::page_size(request)? }))
}

/// A change of the router that the path names.
///
/// # Errors
/// As [`named`] and [`Change::of`].
pub fn change(request: &Request, way: Way) -> Result<Work, Error> {
    Ok(Work::Change(Change::of(named(request)?, way, request)?))
}

/// A router to be made, by its own name or that which its display name gives.
///
/// # Errors
/// `InvalidRequest` where neither gives a name, `MissingScope` where the key is limited to other routers.
pub fn create(request: &Request) -> Result<Work, Error> {
    let members = Members::of(request)?;
    let name = members.name()?;
    if !request.envelope.who.may_name(&name) {
        let message =
            format!("This key is limited to certain routers, and '{name}' is none of them; use another key.");
        return Err(Error::new(ErrorKind::MissingScope, message));
    }
    // An etag in the body is of the router that it was copied from.
    let expected = request.if_match()?;
    Ok(Work::Change(Change { subject: Subject::Router(name), way: Way::Make, expected }))
}

/// The document of a router that is made.
///
/// # Errors
/// `InvalidDocument` with all its faults.
pub fn created(request: &Request) -> Result<Edited, Error> {
    let members = Members::of(request)?;
    let name = members.name()?;
    edited_to(&name, members.document(), "made".to_owned())
}

/// The document that a router goes back to.
///
/// # Errors
/// `InvalidDocument` where this version would not serve it any more.
pub fn rolled_back(request: &Request, basis: &Basis<'_>) -> Result<Edited, Error> {
    let number = history::asked(request)?;
    let Some(earlier) = basis.earlier else {
        let message = format!("Revision {number} is a deletion; delete the router instead.");
        return Err(Error::invalid("revision", message));
    };
    edited_to(request.asked.name(), earlier.to_vec(), format!("back to revision {number}"))
}

/// The document that a router becomes by an update. Where no revision of it validates there is nothing to keep of it.
///
/// # Errors
/// As [`router::edit::updated`].
pub fn updated(request: &Request, basis: &Basis<'_>) -> Result<Edited, Error> {
    let mask = request.parameter("update_mask").or_else(|| request.parameter("updateMask"));
    let current = basis.current.unwrap_or(b"{}");
    router::edit::updated(request.asked.name(), current, request.json_text()?.as_bytes(), mask.as_deref())
}

/// Whether a ramp of the router is under way, so that it must not be deleted without being asked twice.
///
/// # Errors
/// `Conflict` where one is.
pub fn check_ramps(name: &str, document: &[u8], now: u64) -> Result<(), Error> {
    let Ok(router) = router::parse(name, document) else { return Ok(()) };
    let ramps = router::edit::ramps(&router, now);
    let Some(ramp) = ramps.into_iter().find(|ramp| ramp.state != RampState::Done) else { return Ok(()) };
    let message = format!(
        "A ramp of '{}' on route '{}' is under way. Finish or cancel it first, or delete with `?force=true`.",
        ramp.variant_id, ramp.route_id
    );
    Err(Error::new(ErrorKind::Conflict, message))
}

/// A document, validated, with every id that was derived from its content written down.
fn edited_to(name: &str, bytes: Vec<u8>, summary: String) -> Result<Edited, Error> {
    let pinned = router::edit::pinned(name, &bytes).map_err(Error::document)?;
    match Subject::Router(name.to_owned()).check(&pinned) {
        Ok(warnings) => Ok(Edited { bytes: pinned, summary, warnings }),
        Err(faults) => Err(Error::document(faults)),
    }
}
