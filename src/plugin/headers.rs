//! `custom_header`: which headers a rule may add, and which are somebody else's business.

use crate::document::{Field, Found, Json, Kind, Reader, required};

/// Headers that carry a credential, frame the message, or belong to one connection.
const REFUSED: &[&str] = &[
    "accept-encoding",
    "api-key",
    "authorization",
    "cdn-loop",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
    "x-goog-api-key",
];

/// And whole families of them: Cloudflare's and ours.
const REFUSED_FAMILIES: &[&str] = &["cf-", "x-turnout-"];

/// The most of them in one step.
const MOST: usize = 32;

/// What the step is told.
const CONFIG: &[Field] = &[required("headers", Kind::Map(&Kind::Text), "Headers and their values.")];

/// The headers of a step, names in lower case.
pub(super) fn read(reader: &mut Reader, config: Option<Found>, path: &str) -> Option<Vec<(String, String)>> {
    let Some(config) = config else {
        reader.fault(path, "is missing; write {\"headers\": {\"x-name\": \"value\"}}");
        return None;
    };
    let mut fields = reader.object(config, CONFIG)?;
    let found = fields.required(reader, "headers", "{\"x-name\": \"value\"}")?;
    let Json::Object(members) = found.value else {
        reader.wrong_type(&found, "an object");
        return None;
    };
    if members.len() > MOST {
        reader.fault(&found.path, format!("has {} headers; {MOST} are the most", members.len()));
        return None;
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in members {
        let shown: String = name.chars().take(64).collect();
        let path = format!("{}.{shown}", found.path);
        let Json::Text(value) = value else {
            reader.fault(path, format!("must be a string, not {}", value.kind()));
            continue;
        };
        let name = name.to_ascii_lowercase();
        if let Some(message) = fault_of(&name, &value) {
            reader.fault(path, message);
        } else if headers.iter().any(|(other, _)| *other == name) {
            reader.fault(path, "is given twice; keep one of them");
        } else {
            if may_be_a_credential(&name) {
                reader.warn(
                    path,
                    "looks like a credential; header values are shown to whoever may read the gateway, and go to \
                     every downstream that the rule meets: keys belong in a downstream's `api_key`",
                );
            }
            headers.push((name, value));
        }
    }
    Some(headers)
}

fn fault_of(name: &str, value: &str) -> Option<&'static str> {
    let is_token = !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if !is_token {
        return Some("is no name of a header");
    }
    if REFUSED.contains(&name) || REFUSED_FAMILIES.iter().any(|family| name.starts_with(family)) {
        return Some(
            "is no header for a rule: credentials are a downstream's `api_key`, and what frames a message is not to be set",
        );
    }
    let holds = value.len() <= 4096
        && value.trim() == value
        && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (!holds).then_some("must be at most 4096 printable ASCII characters, without spaces at its ends")
}

/// Whether a header (its name in lower case) may tell a gateway that forwards calls whom it is to forward them to. The credential
/// of a call goes along (law 8).
pub(crate) fn may_lead_away(name: &str) -> bool {
    const WITHIN: &[&str] = &["target", "upstream", "forward", "proxy", "config"];
    let last = name.rsplit(['-', '_', '.']).next().unwrap_or(name);
    WITHIN.iter().any(|word| name.contains(word))
        || matches!(last, "host" | "origin" | "base")
        || last.ends_with("url")
        || last.ends_with("uri")
}

fn may_be_a_credential(name: &str) -> bool {
    let is_one = |word: &str| matches!(word, "key" | "token" | "secret" | "auth" | "password");
    name != "idempotency-key" && name.split(['-', '_', '.']).any(is_one)
}
