//! Who a call is for, and how that is written down: the unit, its keyed hash, and the request id.
//!
//! In scope: the order in which a unit is looked for, hashes that stand for it (law 7), and request ids that carry what
//! late feedback needs and cannot be forged. Out of scope: `sticky_by` itself, which the router evaluates.

use std::borrow::Cow;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::Sha256;

use crate::call::Call;
use crate::hash::Framed;

/// The headers that [`Unit::of`] reads.
pub const HEADERS: &[&str] = &["x-turnout-user", "x-session-id"];

/// What kind of thing is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitKind {
    /// A user: what verdicts are about.
    User,
    /// A session, where no user is known.
    Session,
    /// The single call: drawn at random, sticky to nothing.
    Call,
}

impl UnitKind {
    /// The name in headers, hashes and records.
    pub fn as_str(self) -> &'static str {
        match self {
            UnitKind::User => "user",
            UnitKind::Session => "session",
            UnitKind::Call => "call",
        }
    }
}

/// Who is assigned. `id` is empty for [`UnitKind::Call`] and for nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The kind.
    pub kind: UnitKind,
    /// The id as it came: never trimmed, never case-folded, never stored.
    pub id: String,
}

impl Unit {
    /// The unit that the call itself names: `user`, `safety_identifier`, Anthropic's `metadata.user_id` (of Claude Code's the
    /// part before the session), header `x-turnout-user`; then `x-session-id`; else the call. A header that is empty is
    /// absent. `sticky_by` comes before all of them and is the router's.
    pub fn of<'h>(call: &Call, header: impl Fn(&str) -> Option<&'h str>) -> Unit {
        let present = |name| header(name).filter(|value| !value.is_empty());
        let user = call.user().or(call.safety_identifier()).map(Cow::Borrowed);
        let user = user.or_else(|| call.metadata_user_id().map(less_the_session));
        let user = user.or_else(|| present("x-turnout-user").map(Cow::Borrowed));
        match (user, present("x-session-id")) {
            (Some(user), _) => Unit::user(user),
            (None, Some(session)) => Unit { kind: UnitKind::Session, id: session.to_owned() },
            (None, None) => Unit { kind: UnitKind::Call, id: String::new() },
        }
    }

    /// A user.
    pub fn user(id: impl Into<String>) -> Unit {
        Unit { kind: UnitKind::User, id: id.into() }
    }

    /// The id where the kind is `user`: what conditions see as `user_id`.
    pub fn user_id(&self) -> Option<&str> {
        (self.kind == UnitKind::User).then_some(self.id.as_str())
    }
}

/// A `metadata.user_id` of Anthropic's as it names a user. Claude Code puts its session there as well: up to version 2.1.77 as
/// `user_<device>_account_<account>_session_<session>`, since then as JSON. Both give `user_<device>_account_<account>`, so
/// that an update moves nobody to another variant. Any other id is taken as it is.
fn less_the_session(user_id: &str) -> Cow<'_, str> {
    if let Some((user, _session)) = user_id.rsplit_once("_session_")
        && user.starts_with("user_")
        && user.contains("_account_")
    {
        return Cow::Borrowed(user);
    }
    match serde_json::from_str(user_id) {
        Ok(ClaudeCode { device_id, account_uuid, session_id: _ }) => {
            Cow::Owned(format!("user_{device_id}_account_{}", account_uuid.unwrap_or_default()))
        }
        Err(_) => Cow::Borrowed(user_id),
    }
}

/// Claude Code's id, in JSON. What else it holds does not matter.
#[derive(Deserialize)]
struct ClaudeCode<'a> {
    #[serde(borrow)]
    device_id: Cow<'a, str>,
    #[serde(borrow, default)]
    account_uuid: Option<Cow<'a, str>>,
    #[expect(dead_code, reason = "by it such an id is told from an app's own")]
    session_id: IgnoredAny,
}

/// What stands for a unit in everything that is stored: 128 bits of a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnitHash([u8; 16]);

impl UnitHash {
    /// 32 hex digits.
    pub fn hex(self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

/// The secrets that hashes and signatures are made with, ready to use.
#[derive(Clone)]
pub struct Keys {
    units: Hmac<Sha256>,
    requests: Hmac<Sha256>,
}

impl Keys {
    /// `unit_hash_key` is the secret `UNIT_HASH_KEY`, empty where there is none; request ids are signed with a key derived
    /// from it, else from `admin_key`, so that ids cannot be forged where only the latter is set.
    pub fn new(unit_hash_key: &str, admin_key: &str) -> Keys {
        let root = if unit_hash_key.is_empty() { admin_key } else { unit_hash_key };
        let derived = authenticated(&keyed(root.as_bytes()), &[b"turnout/request-key/1"]);
        Keys { units: keyed(unit_hash_key.as_bytes()), requests: keyed(&derived) }
    }

    /// The hash of a unit; `None` for the single call, which nothing can be joined to.
    ///
    /// The first 16 bytes of HMAC-SHA-256(key, lp("turnout/unit/1") || lp(kind) || lp(unit)): a warehouse computes the same.
    pub fn unit_hash(&self, unit: &Unit) -> Option<UnitHash> {
        if unit.kind == UnitKind::Call {
            return None;
        }
        let fields = [b"turnout/unit/1".as_slice(), unit.kind.as_str().as_bytes(), unit.id.as_bytes()];
        Some(UnitHash(first(&authenticated(&self.units, &fields))))
    }

    /// The request id of a call.
    pub fn sign(&self, stamp: &RequestStamp) -> String {
        let mut bytes = stamp.bytes().to_vec();
        let signature: [u8; SIGNATURE] =
            first(&authenticated(&self.requests, &[b"turnout/request/1", &bytes]));
        bytes.extend_from_slice(&signature);
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// What a request id carries, or `None` where it is not one of ours.
    pub fn verify(&self, request_id: &str) -> Option<RequestStamp> {
        let bytes = BASE64URL_NOPAD.decode(request_id.as_bytes()).ok()?;
        let (stamp, signature) = bytes.split_at_checked(STAMP)?;
        let expected: [u8; SIGNATURE] = first(&authenticated(&self.requests, &[b"turnout/request/1", stamp]));
        bool::from(subtle::ConstantTimeEq::ct_eq(expected.as_slice(), signature))
            .then(|| RequestStamp::from_bytes(stamp))?
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// What a request id carries, so that feedback that comes days later needs no stored call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestStamp {
    /// When the call began, in milliseconds since 1970 (48 bits are kept).
    pub time: u64,
    /// Makes the id unique.
    pub random: [u8; 6],
    /// The unit's kind.
    pub kind: UnitKind,
    /// Its hash; all zeros where there is none.
    pub unit: Option<UnitHash>,
    /// The epoch of the route at that time, all zeros for a call without a router.
    pub epoch: [u8; 8],
    /// The [`reference()`] to router, route and variant, all zeros for a call without a router.
    pub reference: [u8; 8],
}

/// Version, time, randomness, kind, unit, epoch, reference.
const STAMP: usize = 1 + 6 + 6 + 1 + 16 + 8 + 8;
/// 80 bits: a forger has no oracle but the feedback endpoint, one guess a request.
const SIGNATURE: usize = 10;
const VERSION: u8 = 1;

impl RequestStamp {
    fn bytes(&self) -> [u8; STAMP] {
        let mut bytes = [0; STAMP];
        let [_, _, time @ ..] = self.time.to_be_bytes();
        let kind = match self.kind {
            UnitKind::User => 1,
            UnitKind::Session => 2,
            UnitKind::Call => 3,
        };
        let unit = self.unit.map_or([0; 16], |hash| hash.0);
        let fields: [&[u8]; 7] =
            [&[VERSION], &time, &self.random, &[kind], &unit, &self.epoch, &self.reference];
        for (place, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<RequestStamp> {
        let (&[VERSION], rest) = bytes.split_first_chunk()? else { return None };
        let (&time, rest) = rest.split_first_chunk::<6>()?;
        let (&random, rest) = rest.split_first_chunk()?;
        let (&[kind], rest) = rest.split_first_chunk()?;
        let (&unit, rest) = rest.split_first_chunk::<16>()?;
        let (&epoch, rest) = rest.split_first_chunk()?;
        let (&reference, _) = rest.split_first_chunk()?;
        let [t0, t1, t2, t3, t4, t5] = time;
        let (kind, unit) = match kind {
            1 => (UnitKind::User, Some(UnitHash(unit))),
            2 => (UnitKind::Session, Some(UnitHash(unit))),
            3 => (UnitKind::Call, None),
            _ => return None,
        };
        let time = u64::from_be_bytes([0, 0, t0, t1, t2, t3, t4, t5]);
        Some(RequestStamp { time, random, kind, unit, epoch, reference })
    }
}

/// Eight bytes that stand for a variant of a route of a router in a request id.
pub fn reference(router: &str, route: &str, variant: &str) -> [u8; 8] {
    first(&Framed::new("turnout/reference/1").add(router).add(route).add(variant).finish())
}

/// The first bytes of a digest.
pub(crate) fn first<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(digest).for_each(|(place, byte)| *place = *byte);
    bytes
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes a key of any length, also none; the error type is for other MACs"
    )]
    Hmac::new_from_slice(key).expect("HMAC takes any key")
}

/// HMAC over length-prefixed fields.
fn authenticated(key: &Hmac<Sha256>, fields: &[&[u8]]) -> [u8; 32] {
    let mut mac = key.clone();
    for field in fields {
        mac.update(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        mac.update(field);
    }
    mac.finalize().into_bytes().into()
}
