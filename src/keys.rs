//! Client keys made through the API: their records, and what is said of them.
//!
//! In scope: what may be asked for and what becomes of it, ids, what is shown. Out of scope: what a key may do (`auth`), etags,
//! where records lie and how they get to KV (`control`). Randomness and time are arguments.
//!
//! A key is shown in the answer that makes it and never again; what is stored is its SHA-256, and no answer shows that either.
//! A record that somebody put into KV by hand is as good as one that was made here.

mod request;
mod shown;

pub use request::{Change, KeyChanges, NewKey};
pub use shown::{KeyList, Known, Kv, MadeKey, ShownKey};

use data_encoding::HEXLOWER;

use crate::auth::{KeyDigest, KeyRecord};
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::nearest::{did_you_mean, nearest};

/// The random bytes of a key: 20 B × 8 = 160 bits.
pub const RANDOM_BYTES: usize = 20;

/// What keys begin with, so that people and scanners of secrets know one when they see it.
pub const PREFIX: &str = "tk-";

/// A derived id is at most so long, less the number that makes it unique.
const LONGEST_ID: usize = 40;

/// The id of `ADMIN_KEY` in records: no other key may look like it there.
const ADMIN_ID: &str = "admin";

/// A key that was just made. Without `Debug`, for it holds the key itself.
pub struct Made {
    /// The key, to be shown once and kept nowhere.
    pub key: String,
    /// Where its record goes.
    pub digest: KeyDigest,
    /// Its record.
    pub record: KeyRecord,
}

/// Makes a key, at `now` (seconds since 1970), of bytes that nobody can guess; `is_taken` says which ids are not free.
///
/// # Errors
/// Everything that is wrong with what was asked for.
pub fn make(
    new: &NewKey,
    random: &[u8; RANDOM_BYTES],
    now: u64,
    is_taken: impl Fn(&str) -> bool,
) -> Result<Made, Error> {
    let asked = new.checked(now).map_err(Error::document)?;
    let key = format!("{PREFIX}{}", HEXLOWER.encode(random));
    let id = free_id(&asked.name, is_taken);
    let digest = KeyDigest::of(&key);
    Ok(Made { key, digest, record: KeyRecord { id, ..asked } })
}

/// A record with `changes`, at `now` (seconds since 1970), and a sentence that says what they were.
///
/// # Errors
/// Everything that is wrong with what was asked for; `Conflict` where the key is revoked.
pub fn change(record: &KeyRecord, changes: &KeyChanges, now: u64) -> Result<(KeyRecord, String), Error> {
    if record.revoked {
        let message = "This key is revoked, for ever; make another one.";
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    let changed = changes.applied(record, now).map_err(Error::document)?;
    let summary = difference(record, &changed);
    Ok((changed, summary))
}

/// The record of a key that is over for ever.
pub fn revoke(record: &KeyRecord) -> KeyRecord {
    KeyRecord { revoked: true, ..record.clone() }
}

/// A record as KV holds it.
pub fn bytes(record: &KeyRecord) -> Vec<u8> {
    // A struct of strings, numbers and lists of them: there is nothing in it that JSON could not say.
    serde_json::to_vec(record).unwrap_or_default()
}

/// What is odd in a record, and harmless: `routers` are the names of those that there are.
pub fn warnings<'r>(record: &KeyRecord, routers: impl Iterator<Item = &'r str> + Clone) -> Vec<Fault> {
    let mut warnings = record.warnings.clone();
    for (index, name) in record.routers.iter().flatten().enumerate() {
        if !routers.clone().any(|known| known == name) {
            let nearest = did_you_mean(&nearest(name, routers.clone()));
            let message = format!("there is no router '{name}' yet.{nearest}");
            warnings.push(Fault::new(format!("routers[{index}]"), message));
        }
    }
    warnings
}

/// `mobile-app` of "Mobile app", `mobile-app-2` where that is taken.
pub fn free_id(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let derived = derived_id(name);
    if derived != ADMIN_ID && !is_taken(&derived) {
        return derived;
    }
    // There are fewer keys than numbers, so that one of them is free.
    let numbered = (2_u32..).map(|number| format!("{derived}-{number}"));
    numbered.into_iter().find(|id| !is_taken(id)).unwrap_or(derived)
}

/// Letters and digits in lower case, and one `-` for whatever lies between them; `key` where there are none.
fn derived_id(name: &str) -> String {
    let mut id = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            id.push(character.to_ascii_lowercase());
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
        if id.len() >= LONGEST_ID {
            break;
        }
    }
    let id = id.trim_end_matches('-');
    if id.is_empty() { "key".to_owned() } else { id.to_owned() }
}

/// What changed between two records, in a sentence.
fn difference(before: &KeyRecord, after: &KeyRecord) -> String {
    let mut parts = Vec::new();
    if before.name != after.name {
        parts.push(format!("name '{}' → '{}'", before.name, after.name));
    }
    let scopes =
        |record: &KeyRecord| record.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
    if before.scopes != after.scopes {
        parts.push(format!("scopes {} → {}", scopes(before), scopes(after)));
    }
    let routers =
        |record: &KeyRecord| record.routers.as_ref().map_or("all".to_owned(), |names| names.join(", "));
    if before.routers != after.routers {
        parts.push(format!("routers {} → {}", routers(before), routers(after)));
    }
    let tier = |record: &KeyRecord| record.tier.clone().unwrap_or_else(|| "none".to_owned());
    if before.tier != after.tier {
        parts.push(format!("tier {} → {}", tier(before), tier(after)));
    }
    let expiry =
        |record: &KeyRecord| record.expires_at.map_or("never".to_owned(), |seconds| seconds.to_string());
    if before.expires_at != after.expires_at {
        parts.push(format!("expires at {} → {}", expiry(before), expiry(after)));
    }
    if parts.is_empty() { "nothing changed".to_owned() } else { parts.join("; ") }
}
