//! The revisions of a document: pages of them, one of them, and going back to one.

use serde::{Deserialize, Serialize};

use super::store::{Entry, Origin};
use super::{Reply, Request};
use crate::endpoint::parameter;
use crate::error::{Error, ErrorKind};
use crate::moment::rfc3339;

/// A page of revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those whose numbers are below this one.
    pub before: u64,
    /// How many, at the most.
    pub size: u32,
}

/// The revisions of a document, newest first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct History {
    /// One page of them.
    pub revisions: Vec<RevisionEntry>,
    /// Send it as `page_token` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// A revision, less its document.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RevisionEntry {
    /// Its number: from 1, growing, never used twice, not even after the document was deleted.
    pub revision: u64,
    /// The etag of the document while this was its newest revision.
    pub etag: String,
    /// When it was made (RFC 3339).
    pub time: String,
    /// Who made it.
    pub author: Author,
    /// What changed, in a sentence.
    pub summary: String,
    /// Whether it is a deletion, and so has no document.
    pub deleted: bool,
    /// Whether it was made through the API or found in KV.
    pub origin: Source,
    /// The SHA-256 of the document's bytes, in hex; absent for a deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How many bytes the document has.
    pub size: u64,
}

/// Who made a revision.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Author {
    /// The id of the key, `admin` for ADMIN_KEY, `kv` where the document was found in KV.
    pub id: String,
    /// What people call the key; may be empty.
    pub name: String,
}

/// Where a revision came from.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A change through the API.
    Api,
    /// Found in KV, where somebody had edited it.
    Kv,
}

/// Which revision to go back to.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// The number of the revision that becomes the newest again, under a new number.
    pub revision: u64,
    /// The etag of the state that is to be replaced; as the header `if-match`.
    #[serde(default)]
    pub etag: Option<String>,
}

/// How many revisions or documents a page has where nothing is said, and at the most.
const PAGE_SIZE: u32 = 20;
const MOST_PAGE_SIZE: u32 = 100;

/// The page of revisions that a request asks for.
///
/// # Errors
/// `InvalidRequest` where size or token cannot be read.
pub fn page(request: &Request) -> Result<Page, Error> {
    let before = match request.parameter("page_token") {
        None => u64::MAX,
        Some(token) => token.parse().map_err(|_| invalid_token())?,
    };
    Ok(Page { before, size: page_size(request)? })
}

/// How many items of a page are wanted: `page_size`, at most 100.
///
/// # Errors
/// `InvalidRequest` where it is no whole number.
pub fn page_size(request: &Request) -> Result<u32, Error> {
    let Some(text) = parameter(&request.query, "page_size") else { return Ok(PAGE_SIZE) };
    match text.parse::<u32>() {
        Ok(0) => Ok(PAGE_SIZE),
        Ok(size) => Ok(size.min(MOST_PAGE_SIZE)),
        Err(_) => {
            let message = format!("`page_size` is a whole number up to {MOST_PAGE_SIZE}.");
            Err(Error::invalid("page_size", message))
        }
    }
}

pub(super) fn invalid_token() -> Error {
    Error::invalid(
        "page_token",
        "`page_token` is none that an answer had; leave it out to begin at the start.",
    )
}

/// The number in a path's second pair of braces.
///
/// # Errors
/// `NoSuchResource` where it is no number.
pub fn number(request: &Request) -> Result<u64, Error> {
    let text = request.asked.names.get(1).map_or("", String::as_str);
    text.parse().map_err(|_| {
        let message = "Revisions are whole numbers, as the history lists them.";
        Error { param: Some("revision".to_owned()), ..Error::new(ErrorKind::NoSuchResource, message) }
    })
}

/// The revision that a roll-back asks for.
///
/// # Errors
/// `InvalidRequest` where the body is no [`RollBack`].
pub fn asked(request: &Request) -> Result<u64, Error> {
    Ok(request.json::<RollBack>()?.revision)
}

/// The answer that lists revisions.
///
/// # Errors
/// None that a revision can cause.
pub fn shown(entries: &[Entry], more: bool) -> Result<Reply, Error> {
    let next_page_token = entries.last().filter(|_| more).map(|entry| entry.number.to_string());
    Reply::json(&History { revisions: entries.iter().map(RevisionEntry::from).collect(), next_page_token })
}

impl From<&Entry> for RevisionEntry {
    fn from(entry: &Entry) -> Self {
        let (id, name) = entry.author.clone();
        RevisionEntry {
            revision: entry.number,
            etag: entry.etag(),
            time: rfc3339(entry.time),
            author: Author { id, name },
            summary: entry.summary.clone(),
            deleted: entry.digest.is_none(),
            origin: match entry.origin {
                Origin::Api => Source::Api,
                Origin::Kv => Source::Kv,
            },
            sha256: entry.digest.map(|digest| digest.hex()),
            size: entry.size,
        }
    }
}
