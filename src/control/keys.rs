//! The operations on client keys: which record, what is stored, what is answered.
//!
//! In scope: ids in paths, paging, what control knows beside a record. Out of scope: what a record may say (`keys`).
//!
//! A record lies under the SHA-256 of its key, and paths name it by its id: so all records are surveyed first, those that were put
//! into KV by hand too, and then the one is looked up. There are dozens of keys, or hundreds.

use super::dispatch::{Basis, Change, Document, Listing, Page, Shown, Way, Work};
use super::history::{Author, invalid_token, page_size};
use super::machine::standing_document;
use super::store::{Entry, Standing, Store};
use super::subject::Kind;
use super::{Edited, Reply, Request, Subject};
use crate::api::Operation;
use crate::auth::KeyRecord;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::keys::{self, Known, Kv, MadeKey, NewKey, RANDOM_BYTES, ShownKey};
use crate::moment::rfc3339;
use crate::nearest::{did_you_mean, nearest, shortened};

/// A page of keys.
///
/// # Errors
/// `InvalidRequest` where size or token cannot be read.
pub fn list(request: &Request) -> Result<Work, Error> {
    let after = match request.parameter("page_token") {
        None => String::new(),
        Some(token) => after(&token).ok_or_else(invalid_token)?,
    };
    Ok(Work::List(Page { kind: Kind::Keys, after, size: page_size(request)? }))
}

/// Digits of a digest that tell it from all others, and tell nobody what it is.
const SHOWN_DIGITS: usize = 12;

/// Where a page begins: after all keys in KV that begin with those digits.
fn after(token: &str) -> Option<String> {
    let is_start =
        token.len() == SHOWN_DIGITS && token.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
    is_start.then(|| format!("{}{token}~", Kind::Keys.prefix()))
}

/// What stands for a record in paths whatever its id is, and for its place in pages.
fn path_id(subject: &Subject) -> String {
    format!("key-{}", start(subject))
}

fn start(subject: &Subject) -> &str {
    let Subject::Key(digest) = subject else { return "" };
    digest.get(..SHOWN_DIGITS).unwrap_or_default()
}

/// What is to be done, by what control knows without a look at KV; `None` where all keys are to be surveyed first.
///
/// # Errors
/// `Conflict` where several keys have the id.
pub(super) fn remembered(store: &dyn Store, request: &Request) -> Result<Option<Work>, Error> {
    if request.asked.operation == Operation::CreateKey {
        return Ok(None);
    }
    let mut listing = Listing { is_whole: true, ..Listing::default() };
    for subject in store.subjects(Kind::Keys, "")? {
        listing.documents.extend(standing_document(store, &subject)?);
    }
    match surveyed(request, &listing, 0) {
        Err(error) if error.kind == ErrorKind::NoSuchResource => Ok(None),
        work => work.map(Some),
    }
}

/// What is to be done, once all keys were surveyed.
///
/// # Errors
/// `NoSuchResource` where none has that id, `Conflict` where several have, and whatever is wrong with a new key.
pub(super) fn surveyed(request: &Request, listing: &Listing, now: u64) -> Result<Work, Error> {
    match request.asked.operation {
        Operation::CreateKey => {
            // Its id is made when the record is: here it only has to be known where the record goes.
            let made = made(request, now, &[])?;
            Ok(Work::Change(Change::of(Subject::Key(made.digest.hex()), Way::Make, request)?))
        }
        Operation::GetKey => Ok(Work::Show(named(request.asked.name(), listing)?)),
        _ => Ok(Work::Change(Change::of(named(request.asked.name(), listing)?, Way::Edit, request)?)),
    }
}

/// The one key that a path names.
fn named(name: &str, listing: &Listing) -> Result<Subject, Error> {
    let mut found = listing.documents.iter().filter(|document| {
        path_id(&document.subject) == name || record(document).is_some_and(|record| record.id == name)
    });
    let Some(first) = found.next() else { return Err(absent(name, listing)) };
    let others: Vec<_> = found.map(|document| path_id(&document.subject)).collect();
    if others.is_empty() {
        return Ok(first.subject.clone());
    }
    let message = format!(
        "More than one key has the id '{}', for records were put into KV by hand; name one of {}, {}.",
        shortened(name),
        path_id(&first.subject),
        others.join(", ")
    );
    Err(Error::new(ErrorKind::Conflict, message))
}

fn absent(name: &str, listing: &Listing) -> Error {
    if listing.next.is_some() || !listing.is_whole {
        let message = format!(
            "There is no key '{}' among those that could be read at once just now; list the keys to the last page, and ask again.",
            shortened(name)
        );
        return Error::new(ErrorKind::ControlUnavailable, message);
    }
    let ids: Vec<String> = listing.documents.iter().filter_map(record).map(|record| record.id).collect();
    let nearest = did_you_mean(&nearest(name, ids.iter().map(String::as_str)));
    let message = format!("There is no key '{}'.{nearest}", shortened(name));
    Error { param: Some("id".to_owned()), ..Error::new(ErrorKind::NoSuchResource, message) }
}

/// The record that the call path takes.
fn record(document: &Document) -> Option<KeyRecord> {
    KeyRecord::parse(document.valid.as_ref()?.bytes.as_deref()?).ok().filter(|_| document.faults.is_empty())
}

/// The new record.
///
/// # Errors
/// What is wrong with the request, or with what it would make; `Conflict` where the record cannot be read.
pub fn edited(request: &Request, basis: &Basis<'_>) -> Result<Edited, Error> {
    let current = basis.current.and_then(|bytes| KeyRecord::parse(bytes).ok());
    let (record, summary) = match (request.asked.operation, current) {
        (Operation::CreateKey, _) => (made(request, basis.now, basis.ids)?.record, "made".to_owned()),
        (Operation::RevokeKey, Some(record)) => (keys::revoke(&record), "revoked".to_owned()),
        (Operation::RevokeKey, None) => {
            let id = request.asked.name().to_owned();
            (
                KeyRecord { revoked: true, ..KeyRecord::of(id) },
                "revoked, though it could not be read".to_owned(),
            )
        }
        (_, Some(record)) => keys::change(&record, &request.json()?, basis.now / 1000)?,
        (_, None) => {
            let message = "This key's record in KV cannot be read, so it cannot be changed: mend it there, or revoke the key.";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
    };
    let warnings = warnings(request, &record);
    Ok(Edited { bytes: keys::bytes(&record), summary, warnings })
}

/// The key that a request asks for. Made again for each step of the request: it follows from the request's own draws.
fn made(request: &Request, now: u64, ids: &[String]) -> Result<keys::Made, Error> {
    let new: NewKey = request.json()?;
    keys::make(&new, &random(request), now / 1000, |id| ids.iter().any(|taken| taken == id))
}

fn random(request: &Request) -> [u8; RANDOM_BYTES] {
    let mut drawn = request.envelope.random.into_iter().flat_map(u64::to_be_bytes);
    std::array::from_fn(|_| drawn.next().unwrap_or_default())
}

/// Where the routers are not known, none is said to be missing.
fn warnings(request: &Request, record: &KeyRecord) -> Vec<Fault> {
    match &request.envelope.routers {
        Some(routers) => keys::warnings(record, routers.iter().map(String::as_str)),
        None => record.warnings.clone(),
    }
}

/// The ids of all keys that control knows, and what else stands for them in paths.
///
/// # Errors
/// The store's.
pub(super) fn ids(store: &dyn Store) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for subject in store.subjects(Kind::Keys, "")? {
        let bytes = store.newest(&subject)?.and_then(|newest| newest.bytes);
        ids.extend(bytes.and_then(|bytes| KeyRecord::parse(&bytes).ok()).map(|record| record.id));
        ids.push(path_id(&subject));
    }
    Ok(ids)
}

/// The answer.
///
/// # Errors
/// `NoSuchResource` where the key is gone.
pub fn shown(request: &Request, shown: &Shown) -> Result<Reply, Error> {
    match shown {
        Shown::Document(document) => {
            let view = view(request, document);
            let reply = match request.asked.operation {
                Operation::CreateKey => {
                    // It was checked when it was made: by now it may have expired.
                    let made = made(request, 0, &[])?;
                    Reply { status: 201, ..Reply::json(&MadeKey { key: made.key, shown: view })? }
                }
                _ => Reply::json(&view)?,
            };
            let etag = Some(format!("\"{}\"", document.newest.etag()));
            Ok(Reply { etag, revision: Some(document.newest.number), ..reply })
        }
        Shown::Documents(listing) => {
            let keys = listing.documents.iter().map(|document| view(request, document)).collect();
            let next_page_token =
                listing.next.as_deref().and_then(Subject::of_key).map(|last| start(&last).to_owned());
            Reply::json(&keys::KeyList { keys, next_page_token })
        }
        Shown::Absent(_) | Shown::Deleted(_) | Shown::History(..) | Shown::Revision(_) => {
            let message = format!("There is no key '{}' any more.", shortened(request.asked.name()));
            Err(Error { param: Some("id".to_owned()), ..Error::new(ErrorKind::NoSuchResource, message) })
        }
    }
}

fn view(request: &Request, document: &Document) -> ShownKey {
    let path_id = path_id(&document.subject);
    let known = known(&document.newest, &document.standing);
    match record(document) {
        Some(record) => {
            let warnings = warnings(request, &record);
            ShownKey::of(&record, path_id, known, warnings)
        }
        None => ShownKey::unreadable(path_id, known, document.faults.clone()),
    }
}

fn known(newest: &Entry, standing: &Standing) -> Known {
    let (id, name) = newest.author.clone();
    Known {
        etag: newest.etag(),
        revision: newest.number,
        create_time: rfc3339(standing.created),
        update_time: rfc3339(newest.time),
        updated_by: Author { id, name },
        kv: if super::sight::is_behind(standing) { Kv::Pending } else { Kv::Written },
    }
}
