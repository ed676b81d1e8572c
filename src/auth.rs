//! Who calls: credentials in headers, matched with the admin key or a stored key record.
//!
//! In scope: the header forms, constant-time comparison, what a key may do. Out of scope: fetching `key:<sha256>` from
//! KV (`edge`), and making keys.

use std::borrow::Cow;
use std::rc::Rc;

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api::Access;
use crate::endpoint::parameter;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;

/// The SHA-256 of a key: all that is ever compared or stored of one.
#[derive(Clone, Copy)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key as it came.
    pub fn of(key: &str) -> KeyDigest {
        KeyDigest(Sha256::digest(key.as_bytes()).into())
    }

    /// 64 hex digits, for the record's place alone: no answer shows them.
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// The key in KV under which this key's record lies.
    pub fn storage_key(&self) -> String {
        format!("key:{}", self.hex())
    }

    /// Whether two digests are of the same key, in constant time.
    pub fn matches(&self, other: &KeyDigest) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The headers that [`presented`] reads.
pub const HEADERS: &[&str] = &["authorization", "x-api-key", "x-goog-api-key"];

/// The keys that a request may mean, the likeliest first: `Authorization: Bearer K`, `Authorization: Basic K` (raw, or
/// base64 of `K` or `K:`), `x-api-key: K`, `x-goog-api-key: K`, and `?key=K` as older clients of Gemini's send it. `header`
/// takes lower-case names; `query` is a Gemini path's, empty for all others.
pub fn presented<'h>(header: impl Fn(&str) -> Option<&'h str>, query: &str) -> Vec<String> {
    let mut keys = Vec::new();
    if let Some((scheme, credential)) = header("authorization").and_then(|value| value.trim().split_once(' '))
    {
        let credential = credential.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            keys.push(credential.to_owned());
        } else if scheme.eq_ignore_ascii_case("basic") {
            keys.push(credential.to_owned());
            let decoded =
                BASE64.decode(credential.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            if let Some(decoded) = decoded {
                keys.push(decoded.strip_suffix(':').unwrap_or(&decoded).to_owned());
            }
        }
    }
    keys.extend(
        ["x-api-key", "x-goog-api-key"].into_iter().filter_map(&header).map(|key| key.trim().to_owned()),
    );
    keys.extend(parameter(query, "key").map(Cow::into_owned));
    keys.retain(|key| !key.is_empty());
    keys
}

/// What a key may do. Without `models`, direct models, `auto` and rules are closed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Call routers.
    Call,
    /// Call models directly.
    Models,
    /// Send feedback.
    Feedback,
    /// Read routers and results.
    Read,
    /// Change routers.
    Write,
    /// Change downstreams and rules.
    Gateway,
}

impl Scope {
    /// Every scope, in the order in which they are named to people.
    pub const ALL: [Scope; 6] =
        [Scope::Call, Scope::Models, Scope::Feedback, Scope::Read, Scope::Write, Scope::Gateway];

    /// As records and requests spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Call => "call",
            Scope::Models => "models",
            Scope::Feedback => "feedback",
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Gateway => "gateway",
        }
    }
}

/// How many calls a key may make in a time. The numbers are the worker's own, fixed when it is deployed: `wrangler.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The fewest.
    Low,
    /// In between.
    Standard,
    /// The most.
    High,
}

impl Tier {
    /// Every tier, the lowest first.
    pub const ALL: [Tier; 3] = [Tier::Low, Tier::Standard, Tier::High];

    /// As records and requests spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Low => "low",
            Tier::Standard => "standard",
            Tier::High => "high",
        }
    }

    /// The tier of that name.
    pub fn named(name: &str) -> Option<Tier> {
        Tier::ALL.into_iter().find(|tier| tier.as_str() == name)
    }

    /// The rate limit binding that counts its keys' calls.
    pub fn binding(self) -> &'static str {
        match self {
            Tier::Low => "RATE_LOW",
            Tier::Standard => "RATE_STANDARD",
            Tier::High => "RATE_HIGH",
        }
    }

    /// What a key that is over its limit is told.
    pub fn over(self) -> Error {
        let message = format!(
            "This key has made as many calls as its tier `{}` allows for now; wait up to {RATE_PERIOD_SECONDS} s, or ask for a \
             key of a higher tier. (Limits are fixed when the worker is deployed, and counted apart in each of Cloudflare's \
             locations.)",
            self.as_str()
        );
        Error::new(ErrorKind::RateLimited, message)
    }
}

/// After these seconds a caller that was over its limit has calls again: the `period` of all three bindings in `wrangler.toml`.
pub const RATE_PERIOD_SECONDS: u32 = 60;

/// A client key's record in KV: everything about it but the key.
///
/// A field that is not known is a fault, so that a typo in `routers` or `revoked` admits nobody instead of everybody.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its id, which records carry.
    pub id: String,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// What it may do.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// The only routers that it may name; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routers: Option<Vec<String>>,
    /// Its [`Tier`]'s name. A record that was written by hand may have another one, which limits nothing and is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Seconds since 1970 from which it is refused.
    #[serde(default, alias = "expiresAt", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Refused now and for ever.
    #[serde(default)]
    pub revoked: bool,
    /// What is odd in it, and harmless.
    #[serde(skip)]
    pub warnings: Vec<Fault>,
}

impl KeyRecord {
    /// A record that says nothing but its id, and so opens nothing.
    pub fn of(id: String) -> KeyRecord {
        KeyRecord {
            id,
            name: String::new(),
            scopes: Vec::new(),
            routers: None,
            tier: None,
            expires_at: None,
            revoked: false,
            warnings: Vec::new(),
        }
    }

    /// Reads a stored record. One that cannot be read admits nobody.
    pub fn parse(bytes: &[u8]) -> Result<KeyRecord, Fault> {
        let read = serde_json::from_slice(bytes).map_err(|error| {
            Fault::new(
                "",
                format!("this key's record is not valid ({error}); write {{\"id\", \"scopes\": [\"call\"]}}"),
            )
        });
        read.map(|record: KeyRecord| KeyRecord {
            warnings: record.tier_fault().into_iter().collect(),
            ..record
        })
    }

    /// That its tier is none that limits anything.
    fn tier_fault(&self) -> Option<Fault> {
        let tier = self.tier.as_deref()?;
        let message = "is none of `low`, `standard` and `high`, so that the key's calls are not limited; write one of them";
        Tier::named(tier).is_none().then(|| Fault::new("tier", message))
    }
}

/// Who calls, once known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Holds `ADMIN_KEY`: may do everything.
    Admin,
    /// Holds a client key.
    Key(Rc<KeyRecord>),
}

impl Caller {
    /// A record's holder, unless the record is revoked or expired at `now` (seconds since 1970).
    pub fn holding(record: Rc<KeyRecord>, now: u64) -> Result<Caller, Error> {
        if record.revoked {
            return Err(Error::new(ErrorKind::InvalidKey, "This key has been revoked; ask for another one."));
        }
        if record.expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(Error::new(ErrorKind::InvalidKey, "This key has expired; ask for another one."));
        }
        Ok(Caller::Key(record))
    }

    /// The id for records: never the key.
    pub fn key_id(&self) -> &str {
        match self {
            Caller::Admin => "admin",
            Caller::Key(record) => &record.id,
        }
    }

    /// How many calls it may make; `None` for as many as it likes.
    pub fn tier(&self) -> Option<Tier> {
        match self {
            Caller::Admin => None,
            Caller::Key(record) => Tier::named(record.tier.as_deref()?),
        }
    }

    /// Whether the caller may see a router at all.
    pub fn may_name(&self, router: &str) -> bool {
        match self {
            Caller::Admin => true,
            Caller::Key(record) => {
                record.routers.as_ref().is_none_or(|names| names.iter().any(|name| name == router))
            }
        }
    }

    /// Refuses a call to a router that the key is not for.
    pub fn check_router(&self, router: &str) -> Result<(), Error> {
        self.check_scope(Scope::Call)?;
        if self.may_name(router) {
            return Ok(());
        }
        Err(not_allowed(format!(
            "This key may not call the router '{router}'; ask for one whose `routers` name it."
        )))
    }

    /// Refuses a direct call to a model.
    pub fn check_model(&self, model: &str) -> Result<(), Error> {
        if self.has(Scope::Models) {
            return Ok(());
        }
        Err(not_allowed(format!(
            "This key may call routers only, not the model '{model}' directly; name a router, or ask for the scope `models`."
        )))
    }

    /// Refuses an operation of the control API that the key is not for.
    pub fn check_access(&self, access: Access) -> Result<(), Error> {
        match (access, self) {
            (Access::Open, _) | (Access::Admin, Caller::Admin) => Ok(()),
            (Access::Scope(scope), _) => self.check_scope(scope),
            (Access::Admin, Caller::Key(_)) => {
                let message =
                    "Only ADMIN_KEY may do this: who can make keys could make one that may do everything.";
                Err(Error::new(ErrorKind::MissingScope, message))
            }
        }
    }

    /// Refuses what the key has no scope for.
    pub fn check_scope(&self, scope: Scope) -> Result<(), Error> {
        if self.has(scope) {
            return Ok(());
        }
        let message = format!("This key lacks the scope `{}`; ask for one that has it.", scope.as_str());
        Err(Error::new(ErrorKind::MissingScope, message))
    }

    fn has(&self, scope: Scope) -> bool {
        match self {
            Caller::Admin => true,
            Caller::Key(record) => record.scopes.contains(&scope),
        }
    }
}

fn not_allowed(message: String) -> Error {
    Error { param: Some("model".to_owned()), ..Error::new(ErrorKind::ModelNotAllowed, message) }
}

impl crate::shelf::Document for KeyRecord {
    // A key's record that cannot be read admits nobody: falling back to an older one could revive a revoked key.
    const KEEPS_GOOD: bool = false;
    const MAX_BYTES: usize = 16 << 10;
    // A revoked key is refused within a minute, also by an isolate that has slept.
    const MOST_STALE: Option<u64> = Some(60_000);

    fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    fn parse(_: &str, bytes: &[u8]) -> Result<Self, Vec<Fault>> {
        KeyRecord::parse(bytes).map_err(|fault| vec![fault])
    }
}
