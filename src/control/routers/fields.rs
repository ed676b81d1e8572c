//! A router document's own members, each as its author wrote it, apart from the fields that answers add.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::control::Request;
use crate::control::request::invalid_json;
use crate::error::Error;
use crate::router;

/// Fields that answers add. In a request they are read past, so that an answer can be sent back as it is.
pub(super) const SERVER_FIELDS: &[&str] = &[
    "etag",
    "revision",
    "create_time",
    "update_time",
    "updated_by",
    "warnings",
    "fault",
    "serving",
    "kv",
    "ramps",
];

/// The members of an object: names as written, values as their text.
#[derive(Debug)]
pub(super) struct Members {
    members: Vec<(String, Box<RawValue>)>,
    /// The whole, where nothing had to be taken out.
    whole: Option<Vec<u8>>,
}

impl Members {
    /// Of a request's body.
    pub(super) fn of(request: &Request) -> Result<Members, Error> {
        let text = request.json_text()?;
        Members::read(text).map_err(|error| invalid_json(&error))
    }

    /// Of a stored document; `None` where that is no JSON object.
    pub(super) fn stored(bytes: &[u8]) -> Option<Members> {
        let text = std::str::from_utf8(bytes).ok()?;
        Members::read(text.strip_prefix('\u{feff}').unwrap_or(text)).ok()
    }

    fn read(text: &str) -> Result<Members, serde_json::Error> {
        let Pairs(members) = serde_json::from_str(text)?;
        let before = members.len();
        let members: Vec<_> = members.into_iter().filter(|(name, _)| !is_server_field(name)).collect();
        let whole = (members.len() == before).then(|| text.as_bytes().to_vec());
        Ok(Members { members, whole })
    }

    /// Those that are the author's, but for the name.
    pub(super) fn unnamed(&self) -> impl Iterator<Item = &(String, Box<RawValue>)> {
        self.members.iter().filter(|(name, _)| name != "name")
    }

    /// The document without what answers add.
    pub(super) fn document(self) -> Vec<u8> {
        if let Some(whole) = self.whole {
            return whole;
        }
        let members = self
            .members
            .iter()
            .map(|(name, value)| format!("{}:{}", serde_json::Value::from(name.as_str()), value.get()));
        format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into_bytes()
    }

    /// The router's name: its own, with or without `routers/`, else what its display name gives ("User-Aware": `user-aware`).
    pub(super) fn name(&self) -> Result<String, Error> {
        let text = |names: &[&str]| {
            let member = self.members.iter().find(|(name, _)| names.contains(&name.as_str()));
            member.and_then(|(_, value)| serde_json::from_str::<Option<String>>(value.get()).ok().flatten())
        };
        if let Some(name) = text(&["name"]) {
            let name = name.strip_prefix("routers/").unwrap_or(&name);
            if router::is_name(name) {
                return Ok(name.to_owned());
            }
            let message = "`name` takes lower-case letters, digits and '-', begins with a letter or digit, and has at most 63.";
            return Err(Error::invalid("name", message));
        }
        let derived = text(&["display_name", "displayName"]).map(|name| slug(&name)).unwrap_or_default();
        if router::is_name(&derived) {
            return Ok(derived);
        }
        let message = "The router has no name: write `name` (lower-case letters, digits and '-'), or a `display_name` that gives one.";
        Err(Error::invalid("name", message))
    }
}

/// Whether answers add a field of that name, in either spelling.
fn is_server_field(name: &str) -> bool {
    SERVER_FIELDS.iter().any(|field| {
        let camel = field.split('_').enumerate().map(|(index, word)| {
            let (first, rest) = word.split_at(usize::from(index > 0));
            format!("{}{rest}", first.to_ascii_uppercase())
        });
        *field == name || camel.collect::<String>() == name
    })
}

/// Letters and digits in lower case; whatever stands between becomes one '-'.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let most = slug.char_indices().nth(63).map_or(slug.len(), |(index, _)| index);
    slug.truncate(most);
    slug.trim_end_matches('-').to_owned()
}

struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(member) = members.next_entry()? {
            pairs.push(member);
        }
        Ok(Pairs(pairs))
    }
}
