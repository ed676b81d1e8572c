//! What answers say of a key: everything but the key and its hash.

use serde::Serialize;

use crate::auth::{KeyRecord, Scope};
use crate::control::history::Author;
use crate::fault::Fault;

/// A client key, without the key.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ShownKey {
    /// What it is called in paths and in the records of calls; never changes. Of a record in KV that cannot be read, and where a
    /// record made by hand has the id of another, what paths know it by is in `path_id`.
    pub id: String,
    /// What stands for it in paths whatever its id is.
    pub path_id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The only routers that it may name; null for all.
    pub routers: Option<Vec<String>>,
    /// How many calls it may make, by the name of a tier; null for as many as it likes.
    pub tier: Option<String>,
    /// Seconds since 1970 from which it is refused; null for never.
    pub expires_at: Option<u64>,
    /// Whether it is refused for ever.
    pub revoked: bool,
    /// What control knows of the record.
    #[serde(flatten)]
    pub known: Known,
    /// What is odd about it, and harmless.
    pub warnings: Vec<Fault>,
    /// Why its record in KV cannot be read, so that it admits nobody; absent where it can.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// What is known of a record beside what it says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Known {
    /// Stands for this state of the record: sent with a change, it keeps the change from undoing somebody else's.
    pub etag: String,
    /// How often it has been changed.
    pub revision: u64,
    /// When it was made, or found in KV (RFC 3339).
    pub create_time: String,
    /// When it was changed last (RFC 3339).
    pub update_time: String,
    /// Who changed it last.
    pub updated_by: Author,
    /// Whether KV, where calls look for it, has this state of it.
    pub kv: Kv,
}

/// Whether KV has what control knows.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kv {
    /// It has; the world sees it within a minute or so.
    Written,
    /// It does not yet; it is tried again.
    Pending,
}

impl ShownKey {
    /// What is shown of a record that can be read.
    pub fn of(record: &KeyRecord, path_id: String, known: Known, warnings: Vec<Fault>) -> ShownKey {
        let KeyRecord { id, name, scopes, routers, tier, expires_at, revoked, .. } = record.clone();
        let faults = Vec::new();
        ShownKey { id, path_id, name, scopes, routers, tier, expires_at, revoked, known, warnings, faults }
    }

    /// What is shown of one that cannot.
    pub fn unreadable(path_id: String, known: Known, faults: Vec<Fault>) -> ShownKey {
        ShownKey {
            id: path_id.clone(),
            path_id,
            name: String::new(),
            scopes: Vec::new(),
            routers: None,
            tier: None,
            expires_at: None,
            revoked: false,
            known,
            warnings: Vec::new(),
            faults,
        }
    }
}

/// A key that was just made: the one answer that shows it. Without `Debug`, for it holds the key itself.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct MadeKey {
    /// The key itself. It is stored nowhere: this is the only time that it is shown.
    pub key: String,
    /// All the rest.
    #[serde(flatten)]
    pub shown: ShownKey,
}

/// Some of the client keys.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct KeyList {
    /// The keys, in no order that means anything.
    pub keys: Vec<ShownKey>,
    /// Send it as `page_token` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}
