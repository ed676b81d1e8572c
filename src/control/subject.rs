//! What control keeps: routers, the gateway and the records of client keys; where each lies in KV, and how it is checked.

use std::fmt;

use crate::auth::KeyRecord;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::router::{self, Router};
use crate::shelf::Document;

/// A document that control keeps. Its `Display` is its key in KV, by which the store knows it too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A router, by its name.
    Router(String),
    /// The downstreams and rules.
    Gateway,
    /// A client key's record, by the 64 hex digits of the key's SHA-256.
    Key(String),
}

/// The kinds of subjects of which there are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `router:…`
    Routers,
    /// `key:…`
    Keys,
}

impl Kind {
    /// What all their keys in KV begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Kind::Routers => "router:",
            Kind::Keys => "key:",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Router(name) => write!(f, "router:{name}"),
            Subject::Gateway => f.write_str("gateway"),
            Subject::Key(digest) => write!(f, "key:{digest}"),
        }
    }
}

impl Subject {
    /// The subject of a key in KV; `None` where it is none that could be read.
    pub fn of_key(key: &str) -> Option<Subject> {
        if key == "gateway" {
            return Some(Subject::Gateway);
        }
        if let Some(name) = key.strip_prefix(Kind::Routers.prefix()) {
            return router::is_name(name).then(|| Subject::Router(name.to_owned()));
        }
        let digest = key.strip_prefix(Kind::Keys.prefix())?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
        is_digest.then(|| Subject::Key(digest.to_owned()))
    }

    /// Where its last good copy lies in KV; a key's record has none.
    pub fn good_key(&self) -> Option<String> {
        match self {
            Subject::Router(name) => Some(format!("good:{name}")),
            Subject::Gateway => Some("good-gateway".to_owned()),
            Subject::Key(_) => None,
        }
    }

    /// A key in KV as the log has it: the hash of a client key is not for logs, and its beginning is enough to find the record.
    pub fn logged(key: &str) -> String {
        const SHOWN_DIGITS: usize = 12;
        match key.strip_prefix(Kind::Keys.prefix()) {
            Some(digest) => {
                format!("{}{}…", Kind::Keys.prefix(), digest.get(..SHOWN_DIGITS).unwrap_or_default())
            }
            None => key.to_owned(),
        }
    }

    /// How a person calls it, at the start of a sentence's object: "the router 'x'".
    pub fn title(&self) -> String {
        match self {
            Subject::Router(name) => format!("the router '{name}'"),
            Subject::Gateway => "the gateway".to_owned(),
            // A digest is no secret, and no use to a reader either.
            Subject::Key(_) => "the key".to_owned(),
        }
    }

    /// Whether the call path would take these bytes: the warnings, or everything that is wrong.
    ///
    /// # Errors
    /// Every fault of the document; never an empty list.
    pub fn check(&self, bytes: &[u8]) -> Result<Vec<Fault>, Vec<Fault>> {
        fn checked<T: Document>(name: &str, bytes: &[u8]) -> Result<Vec<Fault>, Vec<Fault>> {
            if bytes.len() > T::MAX_BYTES {
                let message = format!("the document is larger than {} bytes; make it smaller", T::MAX_BYTES);
                return Err(vec![Fault::new("", message)]);
            }
            T::parse(name, bytes).map(|document| document.warnings().to_vec())
        }
        match self {
            Subject::Router(name) => checked::<Router>(name, bytes),
            Subject::Gateway => checked::<Gateway>("gateway", bytes),
            Subject::Key(_) => checked::<KeyRecord>("", bytes),
        }
    }
}
