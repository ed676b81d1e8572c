//! The operations on the gateway: in which format a document comes and goes, and what is answered.
//!
//! In scope: media types, server fields, items by the path's id. Out of scope: what an edit does, and what may be shown of a
//! document (`gateway::edit`).

use serde_json::{Value, json};

use super::dispatch::{Basis, Document, Shown};
use super::history;
use super::routers::listed;
use super::store::Task;
use super::{Edited, Reply, Request};
use crate::api::Operation;
use crate::document::Format;
use crate::error::{Error, ErrorKind};
use crate::gateway::edit::{self, Edit, List, Sent, Shown as Gateway};
use crate::moment::rfc3339;

/// The media types of YAML: the registered one, and two that are older than it.
const YAML: [&str; 3] = ["application/yaml", "application/x-yaml", "text/yaml"];

/// The document that a request makes of the current one.
///
/// # Errors
/// As [`edit::edited`]; `InvalidRequest` where the body is of no known type.
pub fn edited(request: &Request, basis: &Basis<'_>) -> Result<Edited, Error> {
    let id = request.asked.name();
    let edit = match request.asked.operation {
        Operation::PutGateway => Edit::Put(sent(request)?),
        Operation::AddDownstreams => Edit::Add(List::Downstreams, sent(request)?),
        Operation::AddRules => Edit::Add(List::Rules, sent(request)?),
        Operation::PutDownstream => Edit::PutItem(List::Downstreams, id, sent(request)?),
        Operation::PutRule => Edit::PutItem(List::Rules, id, sent(request)?),
        Operation::DeleteDownstream => Edit::Delete(List::Downstreams, id),
        Operation::DeleteRule => Edit::Delete(List::Rules, id),
        _ => {
            let number = history::asked(request)?;
            let Some(earlier) = basis.earlier else {
                let message = format!("Revision {number} is a deletion; put an empty document instead.");
                return Err(Error::invalid("revision", message));
            };
            Edit::RollBack(number, earlier)
        }
    };
    edit::edited(basis.current, &edit, request.envelope.who.is_admin)
}

/// Whether a media type is YAML.
pub(super) fn is_yaml(media: &str) -> bool {
    YAML.contains(&media) || media.ends_with("+yaml")
}

/// The body, by its media type.
fn sent(request: &Request) -> Result<Sent<'_>, Error> {
    let media = request.envelope.content_type.as_str();
    let format = if is_yaml(media) {
        Format::Yaml
    } else if media.is_empty()
        || media == "text/json"
        || media == "application/json"
        || media.ends_with("+json")
    {
        Format::Json
    } else {
        let message = format!(
            "The body's type is '{}', and this operation takes JSON and YAML; send `content-type: application/json` or \
             `content-type: application/yaml`.",
            media.chars().take(64).collect::<String>()
        );
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    };
    Ok(Sent { format, body: &request.body })
}

/// The answer of an operation on the gateway.
///
/// # Errors
/// `NoSuchResource` where the path names an item that is not there.
pub fn shown(request: &Request, shown: &Shown) -> Result<Reply, Error> {
    match shown {
        Shown::History(entries, more) => history::shown(entries, *more),
        Shown::Document(document) => of_document(request, Some(document)),
        // Nothing was ever put there: the built-ins are all that there is.
        Shown::Absent(_) | Shown::Deleted(_) => of_document(request, None),
        Shown::Documents(_) | Shown::Revision(_) => {
            Err(Error::new(ErrorKind::NotFound, "The gateway has no such view."))
        }
    }
}

fn of_document(request: &Request, document: Option<&Document>) -> Result<Reply, Error> {
    let bytes = document.and_then(|document| document.valid.as_ref()?.bytes.as_deref());
    let whole = Gateway::of(bytes.unwrap_or(b"{\"downstreams\": [], \"rules\": []}"));
    let id = request.asked.name();
    let item = |list| {
        whole.item(list, id).ok_or_else(|| {
            let ids = whole.ids(list);
            edit::no_such(list, id, &ids.iter().map(String::as_str).collect::<Vec<_>>())
        })
    };
    let view = match request.asked.operation {
        Operation::ListDownstreams | Operation::AddDownstreams => whole.list(List::Downstreams),
        Operation::ListRules | Operation::AddRules => whole.list(List::Rules),
        Operation::GetDownstream | Operation::PutDownstream => item(List::Downstreams)?,
        Operation::GetRule | Operation::PutRule => item(List::Rules)?,
        Operation::DeleteDownstream | Operation::DeleteRule => {
            return Ok(tagged(Reply::json(&json!({}))?, document));
        }
        _ => whole,
    };
    let (content_type, body) = if wants_yaml(&request.envelope.accept) {
        ("application/yaml", view.to_yaml())
    } else {
        ("application/json", view.to_json(document.map(server_fields).unwrap_or_default()))
    };
    Ok(tagged(Reply { status: 200, content_type, etag: None, revision: None, body }, document))
}

/// Whether the first type of `accept` that is one of ours is YAML.
fn wants_yaml(accept: &str) -> bool {
    let types = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    let mut ours = types.map(str::to_ascii_lowercase).filter(|media| {
        YAML.contains(&media.as_str())
            || matches!(media.as_str(), "application/json" | "application/*" | "*/*")
    });
    ours.next().is_some_and(|media| YAML.contains(&media.as_str()))
}

fn server_fields(document: &Document) -> Vec<(&'static str, Value)> {
    let Document { valid, newest, faults, warnings, standing, .. } = document;
    let (id, name) = &newest.author;
    let is_written = standing.outbox.is_none_or(|outbox| outbox.task == Task::Verify);
    let mut fields = vec![
        ("etag", json!(newest.etag())),
        ("revision", json!(valid.as_ref().map(|valid| valid.entry.number))),
        ("update_time", json!(rfc3339(newest.time))),
        ("updated_by", json!({"id": id, "name": name})),
        ("warnings", listed(warnings)),
        ("kv", json!(if is_written { "written" } else { "pending" })),
    ];
    if !faults.is_empty() {
        let message = "The newest revision was found in KV and does not validate: the last one that does is shown and served.";
        let fault = json!({"revision": newest.number, "message": message, "faults": listed(faults)});
        fields.push(("fault", fault));
    }
    fields
}

fn tagged(reply: Reply, document: Option<&Document>) -> Reply {
    match document {
        Some(Document { newest, .. }) => {
            Reply { etag: Some(format!("\"{}\"", newest.etag())), revision: Some(newest.number), ..reply }
        }
        None => reply,
    }
}
