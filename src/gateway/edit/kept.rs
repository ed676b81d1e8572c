//! Literal keys that a document which comes back does not hold: shown as [`KEPT`], or left out.
//!
//! The stored one stays, but only while scheme, host and port are what they were: a key goes to the host that it was given for
//! (law 8), so anybody else's host takes the key anew. `null` takes a key away.

use super::parts::{List, Parts, text};
use crate::document::{Json, snake_case};
use crate::fault::Fault;
use crate::gateway::KEPT;
use crate::gateway::base_url::BaseUrl;

const FIELD: &str = "api_key";

/// Puts stored keys in place of what stands for them; a fault where one may not be.
pub(super) fn restore(before: &Parts, after: &mut Json, faults: &mut Vec<Fault>) {
    let Json::Object(members) = after else { return };
    let known = before.by_id(List::Downstreams);
    for (list, value) in members.iter_mut().filter(|(key, _)| snake_case(key) == List::Downstreams.field()) {
        let Json::Array(items) = value else { continue };
        for (place, item) in items.iter_mut().enumerate() {
            let stored = text(item, "id").and_then(|id| known.get(id).copied());
            let Some((stored, key)) = stored.and_then(|stored| Some((stored, literal(stored)?))) else {
                continue;
            };
            let moved = has_moved(stored, item);
            let Json::Object(members) = item else { continue };
            let given = members.iter_mut().find(|(key, _)| snake_case(key) == FIELD);
            let path = |key: &str| format!("{list}[{place}].{key}");
            match given {
                Some((name, value)) if *value == Json::Text(KEPT.to_owned()) => {
                    if moved {
                        faults.push(Fault::new(path(name), WRITE_AGAIN));
                    }
                    *value = Json::Text(key.to_owned());
                }
                Some(_) => {}
                None if moved => faults.push(Fault::new(path(FIELD), LEFT_OUT)),
                None => members.push((FIELD.to_owned(), Json::Text(key.to_owned()))),
            }
        }
    }
}

const WRITE_AGAIN: &str =
    "stands for the stored key, which was given for another scheme, host or port; write the key again";
const LEFT_OUT: &str = "is missing, and the stored key was given for another scheme, host or port; write the key again, or \
                        null for none";

/// A downstream's key, where it stands in the document itself.
pub(super) fn literal(downstream: &Json) -> Option<&str> {
    text(downstream, FIELD).filter(|key| !key.starts_with('$'))
}

/// Whether it has left its host. A URL that cannot be read is a fault by itself.
fn has_moved(stored: &Json, item: &Json) -> bool {
    let url = |item: &Json| text(item, "base_url").and_then(BaseUrl::of);
    match (url(stored), url(item)) {
        (Some(old), Some(new)) => !new.is_at_origin_of(&old),
        (None, Some(_)) => true,
        (_, None) => false,
    }
}
