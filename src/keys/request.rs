//! What may be asked of keys: the bodies of requests, and what of them is right.
//!
//! Names of scopes, tiers and routers come as text here, so that whatever is wrong is said all at once, each with its path.

use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::auth::{KeyRecord, Scope, Tier};
use crate::fault::Fault;
use crate::nearest::{did_you_mean, nearest};
use crate::router::is_name;

/// A name is for lists, and people read those.
const LONGEST_NAME: usize = 100;
/// A record is read at a call: it is to stay small (`KeyRecord::MAX_BYTES`), with names of 63 bytes.
const MOST_ROUTERS: usize = 200;
/// The year 5138 in seconds, and a day in 1973 in milliseconds: beyond, a number is no time in seconds.
const LATEST: u64 = 100_000_000_000;

/// A key that is asked for.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What people call it, in at most 100 characters. Its id is derived from it, and never changes.
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(
            length(min = 1, max = 100),
            regex(pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")
        )
    )]
    pub name: String,
    /// What it may do; at least one.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Vec<Scope>", length(min = 1)))]
    pub scopes: Vec<String>,
    /// The only routers that it may name, at most 200; all where it is left out. One that does not exist yet is a warning.
    #[serde(default)]
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(length(max = 200), inner(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$")))
    )]
    pub routers: Option<Vec<String>>,
    /// How many calls it may make; as many as it likes where it is left out.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Option<Tier>"))]
    pub tier: Option<String>,
    /// When it stops being valid; never where it is left out.
    #[serde(default, alias = "expiresAt")]
    pub expires_at: Option<Moment>,
}

/// What is to change of a key. A field that is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyChanges {
    /// The etag of the key that the change was thought up for: where it is not the newest, nothing changes.
    #[serde(default)]
    pub etag: Option<String>,
    /// What people call it, in at most 100 characters. Its id stays.
    #[serde(default)]
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(
            length(min = 1, max = 100),
            regex(pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")
        )
    )]
    pub name: Option<String>,
    /// What it may do from now on; at least one.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Option<Vec<Scope>>", length(min = 1)))]
    pub scopes: Option<Vec<String>>,
    /// The only routers that it may name from now on, at most 200; null for all.
    #[serde(default)]
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(
            with = "Option<Vec<String>>",
            length(max = 200),
            inner(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,62}$"))
        )
    )]
    pub routers: Change<Vec<String>>,
    /// How many calls it may make from now on; null for as many as it likes.
    #[serde(default)]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Option<Tier>"))]
    pub tier: Change<String>,
    /// When it stops being valid; null for never.
    #[serde(default, alias = "expiresAt")]
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Option<Moment>"))]
    pub expires_at: Change<Moment>,
}

/// A field of a change: there is a difference between one that is left out and one that is null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Left out: as it was.
    #[default]
    Keep,
    /// Null: none from now on.
    Clear,
    /// This from now on.
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Change::Clear, Change::Set))
    }
}

impl<T> Change<T> {
    /// What there is after the change; `read` says what a new value comes to.
    fn over<U: Clone>(&self, before: &Option<U>, read: impl FnOnce(&T) -> Option<U>) -> Option<U> {
        match self {
            Change::Keep => before.clone(),
            Change::Clear => None,
            Change::Set(value) => read(value),
        }
    }
}

/// A moment: seconds since 1970, or a date and time such as `2027-01-31T18:00:00Z`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected a time: whole seconds since 1970, or a text such as \"2027-01-31T18:00:00Z\""
)]
pub enum Moment {
    /// Seconds since 1970.
    Seconds(#[cfg_attr(not(target_arch = "wasm32"), schemars(range(max = 99_999_999_999_u64)))] u64),
    /// As RFC 3339 has it.
    Text(#[cfg_attr(not(target_arch = "wasm32"), schemars(extend("format" = "date-time")))] String),
}

impl NewKey {
    /// The record that is asked for, its id still empty.
    pub(super) fn checked(&self, now: u64) -> Result<KeyRecord, Vec<Fault>> {
        let mut faults = Faults::default();
        let record = KeyRecord {
            id: String::new(),
            name: faults.name(&self.name),
            scopes: faults.scopes(&self.scopes),
            routers: self.routers.as_ref().map(|names| faults.routers(names)),
            tier: self.tier.as_ref().and_then(|tier| faults.tier(tier)),
            expires_at: self.expires_at.as_ref().and_then(|moment| faults.expiry(moment, now)),
            revoked: false,
            warnings: Vec::new(),
        };
        faults.or(record)
    }
}

impl KeyChanges {
    /// The record with these changes.
    pub(super) fn applied(&self, record: &KeyRecord, now: u64) -> Result<KeyRecord, Vec<Fault>> {
        let mut faults = Faults::default();
        let changed = KeyRecord {
            id: record.id.clone(),
            name: self.name.as_ref().map_or_else(|| record.name.clone(), |name| faults.name(name)),
            scopes: self
                .scopes
                .as_ref()
                .map_or_else(|| record.scopes.clone(), |scopes| faults.scopes(scopes)),
            routers: self.routers.over(&record.routers, |names| Some(faults.routers(names))),
            tier: self.tier.over(&record.tier, |tier| faults.tier(tier)),
            expires_at: self.expires_at.over(&record.expires_at, |moment| faults.expiry(moment, now)),
            revoked: record.revoked,
            warnings: Vec::new(),
        };
        faults.or(changed)
    }
}

/// What is wrong so far.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault::new(path, message));
    }

    fn or(self, record: KeyRecord) -> Result<KeyRecord, Vec<Fault>> {
        if self.0.is_empty() { Ok(record) } else { Err(self.0) }
    }

    fn name(&mut self, name: &str) -> String {
        let (given, name) = (name, name.trim());
        if name.is_empty() {
            self.add("name", "is empty; write what people call the key, such as \"Mobile app\"");
        } else if name.chars().count() > LONGEST_NAME {
            self.add("name", format!("is longer than {LONGEST_NAME} characters; write a shorter one"));
        } else if given.chars().any(char::is_control) {
            self.add("name", "has a line end or another control character; write it without");
        }
        name.to_owned()
    }

    fn scopes(&mut self, names: &[String]) -> Vec<Scope> {
        if names.is_empty() {
            self.add(
                "scopes",
                format!("is empty, so that the key could do nothing; write some of {}", all_scopes()),
            );
        }
        let mut scopes = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match Scope::ALL.into_iter().find(|scope| scope.as_str() == name) {
                Some(scope) if scopes.contains(&scope) => {}
                Some(scope) => scopes.push(scope),
                None => {
                    let near = did_you_mean(&nearest(name, Scope::ALL.map(Scope::as_str)));
                    self.add(
                        format!("scopes[{index}]"),
                        format!("is no scope; there are {}.{near}", all_scopes()),
                    );
                }
            }
        }
        scopes
    }

    fn routers(&mut self, names: &[String]) -> Vec<String> {
        if names.len() > MOST_ROUTERS {
            self.add("routers", format!("names {}; at most {MOST_ROUTERS} are allowed", names.len()));
        }
        for (index, name) in names.iter().take(MOST_ROUTERS).enumerate() {
            if !is_name(name) {
                let message =
                    "cannot be the name of a router: those are 1 to 63 of a-z, 0-9 and -, without a prefix";
                self.add(format!("routers[{index}]"), message);
            }
        }
        names.to_vec()
    }

    fn tier(&mut self, name: &str) -> Option<String> {
        if Tier::named(name).is_none() {
            self.add("tier", "is no tier; there are `low`, `standard` and `high`, and null for no limit");
        }
        Some(name.to_owned())
    }

    fn expiry(&mut self, moment: &Moment, now: u64) -> Option<u64> {
        let seconds = match moment {
            Moment::Seconds(seconds) => *seconds,
            Moment::Text(text) => {
                let parsed = OffsetDateTime::parse(text, &Rfc3339).ok();
                let Some(parsed) = parsed else {
                    self.add(
                        "expires_at",
                        "is no time; write it as \"2027-01-31T18:00:00Z\", or in seconds since 1970",
                    );
                    return None;
                };
                u64::try_from(parsed.unix_timestamp()).unwrap_or(0)
            }
        };
        if seconds <= now {
            self.add("expires_at", format!("is in the past (it is {now} now, in seconds since 1970); write a later time, or revoke the key"));
        } else if seconds >= LATEST {
            self.add("expires_at", "is too far away; was it milliseconds? write seconds since 1970");
        }
        Some(seconds)
    }
}

fn all_scopes() -> String {
    Scope::ALL.map(|scope| format!("`{}`", scope.as_str())).join(", ")
}
