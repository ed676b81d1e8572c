//! Routers as answers show them: the author's document and, beside it, what the server knows.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::json;

use super::fields::Members;
use crate::api::Operation;
use crate::control::dispatch::{Document, Shown};
use crate::control::history;
use crate::control::store::{Entry, Task};
use crate::control::{Reply, Request, Subject};
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::moment::rfc3339;
use crate::router;
use crate::router::edit::RampShown;

/// The answer of an operation on routers.
///
/// # Errors
/// None that a document can cause.
pub fn shown(request: &Request, shown: &Shown, now: u64) -> Result<Reply, Error> {
    match shown {
        Shown::Document(document) if request.asked.operation == Operation::CreateRouter => {
            let router = View { document, request, now };
            let name = format!("operations/create-{}", name_of(&document.subject));
            tagged(
                Reply::json(&Made { name, metadata: Metadata {}, done: true, response: router })?,
                document,
            )
        }
        Shown::Document(document) => tagged(Reply::json(&View { document, request, now })?, document),
        Shown::Deleted(entry) => {
            let reply = Reply::json(&json!({}))?;
            Ok(Reply { revision: Some(entry.number), ..reply })
        }
        Shown::Absent(subject) => Err(super::absent(name_of(subject))),
        Shown::Documents(listing) => {
            let routers: Vec<View<'_>> =
                listing.documents.iter().map(|document| View { document, request, now }).collect();
            let next_page_token = listing.next.as_ref().map(|key| BASE64URL_NOPAD.encode(key.as_bytes()));
            Reply::json(&Routers { routers, next_page_token, note: (!listing.is_whole).then_some(UNLISTED) })
        }
        Shown::History(entries, more) => history::shown(entries, *more),
        Shown::Revision(revision) => {
            let Some(bytes) = &revision.bytes else {
                let message =
                    format!("Revision {} is a deletion, and has no document.", revision.entry.number);
                return Err(Error::new(ErrorKind::NoSuchResource, message));
            };
            let document = Members::stored(bytes);
            let body =
                Past { name: request.asked.name(), entry: &revision.entry, document: document.as_ref() };
            let reply = Reply::json(&body)?;
            Ok(Reply { revision: Some(revision.entry.number), ..reply })
        }
    }
}

fn tagged(reply: Reply, document: &Document) -> Result<Reply, Error> {
    let etag = Some(format!("\"{}\"", document.newest.etag()));
    Ok(Reply { etag, revision: Some(document.newest.number), ..reply })
}

fn name_of(subject: &Subject) -> &str {
    match subject {
        Subject::Router(name) => name,
        Subject::Gateway | Subject::Key(_) => "",
    }
}

/// The operation that a creation is answered with. It is always done.
#[derive(Serialize)]
struct Made<'m> {
    name: String,
    metadata: Metadata,
    done: bool,
    // No `serde_json::Value`: it would spell the author's numbers anew.
    response: View<'m>,
}

#[derive(Serialize)]
struct Metadata {}

/// A page of routers.
#[derive(Serialize)]
struct Routers<'r> {
    routers: Vec<View<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

const UNLISTED: &str =
    "KV could not be listed just now: routers that were only ever put there by hand may be missing.";

/// A router as it stands.
struct View<'v> {
    document: &'v Document,
    request: &'v Request,
    now: u64,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Document { subject, valid, newest, faults, warnings, standing } = self.document;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &format!("routers/{}", name_of(subject)))?;
        let members = valid.as_ref().and_then(|valid| Members::stored(valid.bytes.as_deref()?));
        for (name, value) in members.iter().flat_map(Members::unnamed) {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("etag", &newest.etag())?;
        map.serialize_entry("revision", &valid.as_ref().map(|valid| valid.entry.number))?;
        map.serialize_entry("create_time", &rfc3339(standing.created))?;
        map.serialize_entry("update_time", &rfc3339(newest.time))?;
        let (id, name) = &newest.author;
        map.serialize_entry("updated_by", &json!({"id": id, "name": name}))?;
        map.serialize_entry("warnings", &listed(warnings))?;
        let ramps = valid.as_ref().and_then(|valid| ramps(subject, valid.bytes.as_deref()?, self.now));
        if let Some(ramps) = ramps.filter(|ramps| !ramps.is_empty()) {
            map.serialize_entry("ramps", &ramps)?;
        }
        if !faults.is_empty() {
            let fault = json!({"revision": newest.number, "message": NOT_SERVED, "faults": listed(faults)});
            map.serialize_entry("fault", &fault)?;
        }
        let is_written = standing.outbox.is_none_or(|outbox| outbox.task == Task::Verify);
        map.serialize_entry("kv", if is_written { "written" } else { "pending" })?;
        if let Some(serving) = &self.request.envelope.serving {
            map.serialize_entry("serving", serving)?;
        }
        map.end()
    }
}

/// Where the ramps of a router's routes stand.
fn ramps(subject: &Subject, document: &[u8], now: u64) -> Option<Vec<RampShown>> {
    Some(router::edit::ramps(&router::parse(name_of(subject), document).ok()?, now))
}

const NOT_SERVED: &str =
    "The newest revision was found in KV and does not validate: the last one that does is shown and served.";

/// A router as it was.
struct Past<'p> {
    name: &'p str,
    entry: &'p Entry,
    document: Option<&'p Members>,
}

impl Serialize for Past<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &format!("routers/{}", self.name))?;
        for (name, value) in self.document.into_iter().flat_map(Members::unnamed) {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("revision", &self.entry.number)?;
        map.serialize_entry("update_time", &rfc3339(self.entry.time))?;
        let (id, name) = &self.entry.author;
        map.serialize_entry("updated_by", &json!({"id": id, "name": name}))?;
        map.end()
    }
}

/// Faults or warnings, as every answer lists them.
pub(in crate::control) fn listed(faults: &[Fault]) -> serde_json::Value {
    faults.iter().map(|fault| json!({"path": fault.path, "message": fault.message})).collect()
}
