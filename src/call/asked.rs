//! What a call says of its own failover: `models`, `ignore`, `sort`, `provider` and `fallback`.
//!
//! In scope: types and limits, each fault at its path. Out of scope: whether the caller's key may name models, and who
//! serves them (`edge`). Strict, for a fallback that was misread is noticed when it is needed and not there.

use super::value::Found;
use crate::document::{self, Json, Reader};
use crate::error::Error;
use crate::exchange;
use crate::exchange::order::{self, Criterion};
use crate::exchange::policy::Tuning;
use crate::fault::Fault;
use crate::router::named_by;

/// A call waits for one model after the other; nobody waits for more than these.
const MOST_MODELS: usize = 16;
/// There are some thirty providers, and a model to leave out for each.
const MOST_IGNORED: usize = 64;
/// The longest name of a model, in bytes: it is said again in headers and errors.
pub(super) const LONGEST_MODEL: usize = 256;
/// Every field of `fallback`, with each of the 200 statuses by its number, takes a quarter of it.
const SETTINGS_MAX_BYTES: usize = 4 * 1024;

/// `models`: a list of names.
pub(super) fn models(found: &Found<'_>) -> Result<Vec<String>, Error> {
    if found.is_null() {
        return Ok(Vec::new());
    }
    let models = names(found, MOST_MODELS)?;
    for (index, model) in models.iter().enumerate() {
        if named_by(model).is_some() {
            let path = format!("{}[{index}]", found.path());
            let message = format!("`{path}` names a router: models alone can stand in for one another.");
            return Err(Error::invalid(path, message));
        }
    }
    Ok(models)
}

/// `ignore`: a name or a list of them.
pub(super) fn ignore(found: &Found<'_>) -> Result<Vec<String>, Error> {
    if found.is_null() {
        return Ok(Vec::new());
    }
    if found.is_string() {
        return Ok(vec![name(found)?]);
    }
    if !found.is_list() {
        return Err(found.wrong_type("a string or a list"));
    }
    names(found, MOST_IGNORED)
}

fn names(found: &Found<'_>, most: usize) -> Result<Vec<String>, Error> {
    found.elements(most)?.iter().map(name).collect()
}

fn name(found: &Found<'_>) -> Result<String, Error> {
    let path = found.path();
    let name = found.filled_string()?.ok_or_else(|| {
        Error::invalid(path, format!("`{path}` is empty: name a model, or leave the entry out."))
    })?;
    if name.len() > LONGEST_MODEL {
        let message = format!("`{path}` is {} bytes long; names have at most {LONGEST_MODEL}.", name.len());
        return Err(Error::invalid(path, message));
    }
    Ok(name)
}

/// `fallback`: the settings that routers have as `failover`.
pub(super) fn fallback(found: &Found<'_>) -> Result<Tuning, Error> {
    Ok(settings(found, exchange::asked_tuning)?.unwrap_or_default())
}

/// `sort`: what decides which model is tried first.
pub(super) fn sort(found: &Found<'_>) -> Result<Vec<Criterion>, Error> {
    Ok(settings(found, |reader, found| Some(order::sort(reader, found)))?.unwrap_or_default())
}

/// `provider`: whose models are tried first.
pub(super) fn providers(found: &Found<'_>) -> Result<Vec<String>, Error> {
    Ok(settings(found, |reader, found| Some(order::providers(reader, found)))?.unwrap_or_default())
}

/// A field that documents have too, read as they are; `None` where it is null.
fn settings<T>(
    found: &Found<'_>,
    read: impl FnOnce(&mut Reader, document::Found) -> Option<T>,
) -> Result<Option<T>, Error> {
    if found.is_null() {
        return Ok(None);
    }
    let path = found.path();
    if found.text().len() > SETTINGS_MAX_BYTES {
        let message = format!("`{path}` may take at most {SETTINGS_MAX_BYTES} bytes.");
        return Err(Error::invalid(path, message));
    }
    // What is valid JSON and still no value: numbers beyond a double and half surrogate pairs.
    let value: Json = serde_json::from_str(found.text())
        .map_err(|fault| Error::invalid(path, format!("`{path}` cannot be read: {fault} of it.")))?;
    let mut reader = Reader::default();
    let read = read(&mut reader, document::Found { path: path.to_owned(), value });
    // A field that is not known is another router's: only a document is told of those.
    reader.finish(read).map(|(read, _)| Some(read)).map_err(|faults| {
        let first = faults.into_iter().next();
        let Fault { path, message } = first.unwrap_or_else(|| Fault::new(path, "cannot be read"));
        let end = if message.ends_with('?') { "" } else { "." };
        Error::invalid(path.as_str(), format!("`{path}` {message}{end}"))
    })
}
