//! Changes of the gateway's document through the API: pure, over the stored bytes, and checked as a whole.
//!
//! In scope: what is put, added or removed; what becomes of keys that were shown as `KEPT` (`kept`); who may name which secret
//! for which host (`secrets`, law 8); what may be shown of a document ([`Shown`]); a sentence of what changed. Out of scope:
//! where the bytes come from and go to (`control`), what a document means (`document`). Whatever was stored, what is saved is
//! JSON, in its author's spelling and order; a key that is stored never leaves this module but in the document itself.

mod kept;
mod parts;
mod secrets;
mod shown;

use self::parts::{Parts, id_of};
use super::document;
use crate::control::Edited;
use crate::document::{Format, Found, Json, MAX_BYTES, read_as};
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::nearest::{did_you_mean, nearest, shortened};

pub use self::parts::List;
pub use self::shown::Shown;

/// A change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Another document in place of the whole.
    Put(Sent<'a>),
    /// One item, or a list of them, after the others.
    Add(List, Sent<'a>),
    /// An item in place of the one with that id, or after the others.
    PutItem(List, &'a str, Sent<'a>),
    /// The item with that id goes.
    Delete(List, &'a str),
    /// The document of an earlier revision.
    RollBack(u64, &'a [u8]),
}

/// What was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sent<'a> {
    /// How it is written.
    pub format: Format,
    /// As it came.
    pub body: &'a [u8],
}

/// It may hold a key.
impl std::fmt::Debug for Sent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sent").field("format", &self.format).field("bytes", &self.body.len()).finish()
    }
}

/// Members that answers have beside a document; sent back, they are not stored.
const SERVER_FIELDS: &[&str] =
    &["etag", "revision", "create_time", "update_time", "updated_by", "warnings", "fault", "kv", "serving"];

/// The new document. `current` is the newest that validates; `is_admin` is whether the author holds `ADMIN_KEY`.
///
/// # Errors
/// `InvalidDocument` with all faults; `NoSuchResource`, `AlreadyExists` or `Conflict` for an item; `MissingScope` where a
/// secret is named for a host that it was not given for.
pub fn edited(current: Option<&[u8]>, edit: &Edit<'_>, is_admin: bool) -> Result<Edited, Error> {
    let before = Parts::of(current.and_then(|bytes| read_as(Format::Either, bytes, "{}").ok()));
    let (mut after, places) = applied(edit, &before)?;
    let mut faults = Vec::new();
    if !matches!(edit, Edit::RollBack(..)) {
        kept::restore(&before, &mut after, &mut faults);
    }
    let bytes = after.to_bytes();
    let checked = document::of(Found { path: String::new(), value: after.clone() });
    let (gateway, warnings) = match checked {
        Ok(checked) if faults.is_empty() => checked,
        Ok(_) => return Err(Error::document(places.faults(faults))),
        Err(others) => {
            // What is said of a key once is enough.
            let is_new = |fault: &Fault| !faults.iter().any(|known| known.path == fault.path);
            let others: Vec<Fault> = others.into_iter().filter(is_new).collect();
            faults.extend(others);
            return Err(Error::document(places.faults(faults)));
        }
    };
    if bytes.len() > MAX_BYTES {
        let message =
            format!("the document would have {} bytes; the limit is {MAX_BYTES} (1 MiB)", bytes.len());
        return Err(Error::document(vec![Fault::new("", message)]));
    }
    if !is_admin {
        secrets::check(current, &gateway)?;
    }
    let summary = match edit {
        Edit::RollBack(number, _) => format!("back to revision {number}"),
        _ => parts::summary(&before, &Parts::of(Some(Found { path: String::new(), value: after }))),
    };
    Ok(Edited { bytes, summary, warnings: places.faults(warnings) })
}

/// Where the items that were sent stand in the whole document, so that a fault names them as they were sent.
#[derive(Debug, Default)]
struct Places {
    /// The path of the list, the place of the first, and whether they were sent as a list.
    sent: Option<(String, usize, bool)>,
}

impl Places {
    fn faults(&self, faults: Vec<Fault>) -> Vec<Fault> {
        let Some((list, first, is_list)) = &self.sent else { return faults };
        let moved = |fault: Fault| {
            let found = fault.path.strip_prefix(list.as_str()).and_then(|rest| {
                let (place, field) = rest.strip_prefix('[')?.split_once(']')?;
                let place = place.parse::<usize>().ok()?.checked_sub(*first)?;
                match is_list {
                    true => Some(format!("[{place}]{field}")),
                    false if place == 0 => Some(field.trim_start_matches('.').to_owned()),
                    false => None,
                }
            });
            match found {
                Some(path) => Fault { path, ..fault },
                None => fault,
            }
        };
        faults.into_iter().map(moved).collect()
    }
}

/// The document after an edit, with the keys as they were sent.
fn applied(edit: &Edit<'_>, before: &Parts) -> Result<(Json, Places), Error> {
    let read = |sent: &Sent<'_>, write: &str| {
        read_as(sent.format, sent.body, write).map_err(|fault| Error::document(vec![fault]))
    };
    match *edit {
        Edit::Put(sent) => {
            let found = read(&sent, "{\"downstreams\": [], \"rules\": []}")?;
            Ok((without_server_fields(found.value), Places::default()))
        }
        Edit::RollBack(_, bytes) => {
            let found = read_as(Format::Either, bytes, "{}").map_err(|fault| Error::document(vec![fault]))?;
            Ok((found.value, Places::default()))
        }
        Edit::Add(list, sent) => {
            let (items, is_list) = match read(&sent, "{\"id\": …}, or a list")?.value {
                Json::Array(items) => (items, true),
                item => (vec![item], false),
            };
            let items: Vec<Json> = items.into_iter().map(without_server_fields).collect();
            for id in items.iter().filter_map(id_of) {
                if before.item(list, id).is_some() {
                    let message = format!(
                        "There is {} '{}' already; put it at its own path, or choose another id.",
                        list.one(),
                        shortened(id)
                    );
                    return Err(Error {
                        param: Some("id".to_owned()),
                        ..Error::new(ErrorKind::AlreadyExists, message)
                    });
                }
            }
            let mut after = before.clone();
            let (path, first) = after.push(list, items);
            Ok((after.into_json(), Places { sent: Some((path, first, is_list)) }))
        }
        Edit::PutItem(list, id, sent) => {
            let mut item = without_server_fields(read(&sent, "{\"id\": …}")?.value);
            if let Json::Object(members) = &mut item
                && !members.iter().any(|(key, _)| key.eq_ignore_ascii_case("id"))
            {
                members.insert(0, ("id".to_owned(), Json::Text(id.to_owned())));
            }
            if id_of(&item).is_some_and(|own| own != id) {
                let message = "is not the id in the path; an item keeps its id";
                return Err(Error::document(vec![Fault::new("id", message)]));
            }
            let mut after = before.clone();
            let (path, place) = after.put(list, id, item);
            Ok((after.into_json(), Places { sent: Some((path, place, false)) }))
        }
        Edit::Delete(list, id) => {
            if before.item(list, id).is_none() {
                return Err(no_such(list, id, &before.ids(list)));
            }
            if list == List::Downstreams {
                unused(before, id)?;
            }
            let mut after = before.clone();
            after.remove(list, id);
            Ok((after.into_json(), Places::default()))
        }
    }
}

/// There is no item of that id in a list, which has `known`.
pub fn no_such(list: List, id: &str, known: &[&str]) -> Error {
    let near = did_you_mean(&nearest(id, known.iter().copied()));
    let message = format!("There is no {} '{}'.{near}", list.noun(), shortened(id));
    Error { param: Some("id".to_owned()), ..Error::new(ErrorKind::NoSuchResource, message) }
}

/// A downstream that a rule names does not go before the rule does.
fn unused(parts: &Parts, id: &str) -> Result<(), Error> {
    let users = parts.rules_naming(id);
    if users.is_empty() {
        return Ok(());
    }
    let message = format!(
        "The downstream '{}' is named by {}; change or delete that first.",
        shortened(id),
        users.iter().map(|rule| format!("rule '{rule}'")).collect::<Vec<_>>().join(", ")
    );
    Err(Error::new(ErrorKind::Conflict, message))
}

fn without_server_fields(value: Json) -> Json {
    match value {
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .filter(|(key, _)| !SERVER_FIELDS.contains(&crate::document::snake_case(key).as_str()))
                .collect(),
        ),
        other => other,
    }
}
