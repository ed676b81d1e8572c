//! The control plane: changes of stored documents in one place and one order, with their history (DESIGN, "KV").
//!
//! In scope: what is done for an operation of [`crate::api`], as a state machine without IO over a typed store. Out of scope:
//! the Durable Object that does what it says (`edge::control`), who may ask (`edge::admin`), and what an edit does to a
//! document (`router`, `gateway`, `keys`).
//!
//! A [`Request`] is sorted by [`dispatch`] into [`dispatch::Work`]; [`machine::Task`] does it in steps, and ends with a [`Reply`].
//! What KV shows is judged by `sight`, what it has not taken yet is brought there by `delivery`.

mod delivery;
pub mod dispatch;
pub mod gateway;
pub mod history;
pub mod keys;
pub mod kv;
pub mod machine;
pub mod request;
pub mod routers;
mod sight;
pub mod store;
pub mod subject;
mod survey;

use serde::{Deserialize, Serialize};

use crate::api::Asked;
use crate::error::Error;
use crate::fault::Fault;

pub use subject::Subject;

/// The largest body that is read: what is larger could not be stored either.
pub const MAX_BODY_BYTES: usize = crate::document::MAX_BYTES;

/// A request to the control API that was let in, as the Durable Object gets it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The operation and what its path names.
    pub asked: Asked,
    /// The query, as it stands in the URL.
    pub query: String,
    /// The body, at most [`MAX_BODY_BYTES`].
    pub body: Vec<u8>,
    /// What came beside path and body.
    pub envelope: Envelope,
}

/// What of a request stands neither in its path nor in its body. Travels in one header, as JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Envelope {
    /// Who asks.
    pub who: Who,
    /// Its media type, without parameters and in lower case; empty where there was no body.
    #[serde(default)]
    pub content_type: String,
    /// `accept`, as it came.
    #[serde(default)]
    pub accept: String,
    /// `if-match`, as it came.
    #[serde(default)]
    pub if_match: Option<String>,
    /// Four independent draws, uniform over all `u64`.
    #[serde(default)]
    pub random: [u64; 4],
    /// The routers that there are, where the operation warns of those that there are not.
    #[serde(default)]
    pub routers: Option<Vec<String>>,
    /// What the isolate that was asked serves of the router, where the operation is to say so.
    #[serde(default)]
    pub serving: Option<routers::Serving>,
}

/// Who asks, as far as an edit may care.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The key's id, `admin` for `ADMIN_KEY`.
    pub id: String,
    /// What people call the key; may be empty.
    #[serde(default)]
    pub name: String,
    /// Holds `ADMIN_KEY`.
    #[serde(default)]
    pub is_admin: bool,
    /// The only routers that the key may name; all where absent.
    #[serde(default)]
    pub routers: Option<Vec<String>>,
}

impl Who {
    /// Whether they may see a router at all.
    pub fn may_name(&self, router: &str) -> bool {
        self.routers.as_ref().is_none_or(|names| names.iter().any(|name| name == router))
    }
}

/// What an edit made of a document, validated; what is wrong with it is an [`Error::document`] instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The new document.
    pub bytes: Vec<u8>,
    /// A sentence of what changed, for the history; never holds a credential.
    pub summary: String,
    /// What is odd in it and harmless.
    pub warnings: Vec<Fault>,
}

/// An answer, not yet HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The header `etag`, with its quotes.
    pub etag: Option<String>,
    /// The header `x-turnout-revision`.
    pub revision: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer of 200 in JSON.
    ///
    /// # Errors
    /// None that a value of ours can cause.
    pub fn json(body: &impl Serialize) -> Result<Reply, Error> {
        let body = serde_json::to_vec(body).map_err(|error| {
            let message =
                format!("The answer could not be written ({error}); this is a mistake of Turnout's.");
            Error::new(crate::error::ErrorKind::ControlUnavailable, message)
        })?;
        Ok(Reply { status: 200, content_type: "application/json", etag: None, revision: None, body })
    }
}
