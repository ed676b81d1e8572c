//! What answers say of a key: everything but the key, its hash included.

use serde::{Deserialize, Serialize};

use super::etag;
use crate::auth::{KeyRecord, Scope};
use crate::fault::Fault;

/// A client key, without the key.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ShownKey {
    /// What it is called in paths and in the records of calls; never changes.
    pub id: String,
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
    /// Stands for this state of the record. Sent with a change, it keeps the change from undoing somebody else's.
    pub etag: String,
    /// What is odd about it, and harmless.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Fault>,
}

impl ShownKey {
    /// What is shown of a record.
    pub fn of(record: &KeyRecord, warnings: Vec<Fault>) -> ShownKey {
        ShownKey {
            id: record.id.clone(),
            name: record.name.clone(),
            scopes: record.scopes.clone(),
            routers: record.routers.clone(),
            tier: record.tier.clone(),
            expires_at: record.expires_at,
            revoked: record.revoked,
            etag: etag(record),
            warnings,
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
    /// The keys, by id.
    pub keys: Vec<ShownKey>,
    /// What asks for the next page, as `page_token`; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// Which keys are asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct KeyPage {
    /// How many keys; 1 to 1,000, and 100 where it is left out.
    #[serde(default, alias = "pageSize")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(range(min = 1, max = 1000)))]
    pub page_size: Option<usize>,
    /// The `next_page_token` of the page before.
    #[serde(default, alias = "pageToken")]
    pub page_token: Option<String>,
}
