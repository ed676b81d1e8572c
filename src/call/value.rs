//! One field's value, read as the type that we act on, or refused with a sentence that names the field.
//!
//! In scope: types and limits. Out of scope: which fields there are (`fields`).

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;
use serde_json::{Map, Value};

use super::layout::twice;
use super::object::{self, Fault, MOST};
use crate::error::Error;

/// Conditions look at a handful of attributes of the user; 64 leaves room for an app that sends its whole profile.
const METADATA_MAX_KEYS: usize = 64;
/// Metadata is turned into CEL values on every call: 64 keys × 256 B = 16 KiB.
const METADATA_MAX_BYTES: usize = 16 * 1024;
/// The object itself is the first level. Deep enough for `user.address.country.code`, shallow enough to walk recursively.
const METADATA_MAX_DEPTH: usize = 8;

/// What a body asks of its usage chunk, and where it would have to be changed to ask for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum UsageAsk {
    /// There is no `stream_options`.
    #[default]
    Absent,
    /// `stream_options` is null, and this is the null.
    NullOptions(Range<usize>),
    /// `include_usage` is missing; a first member would stand here, before others or alone.
    Missing { at: usize, alone: bool },
    /// `include_usage` is false or null, and this is the value.
    Declined(Range<usize>),
    /// `include_usage` is true.
    Asked,
}

/// What of its metadata Anthropic takes: `user_id`, or nothing at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UserId {
    /// Never empty.
    pub(super) value: Option<String>,
    /// The members before it and those after it, with the commas between; empty where there are none.
    pub(super) others: [Range<usize>; 2],
}

/// A field's value on its way to be read.
pub(super) struct Found<'a> {
    /// For messages: `user`, or `extra_body.user`.
    path: Cow<'a, str>,
    /// The value as it is written: valid JSON without whitespace around it.
    text: &'a str,
    /// Where `text` begins in the body.
    start: usize,
}

impl<'a> Found<'a> {
    pub(super) fn new(path: Cow<'a, str>, body: &'a str, value: &Range<usize>) -> Found<'a> {
        Found { path, text: body.get(value.clone()).unwrap_or_default(), start: value.start }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn is_null(&self) -> bool {
        self.text == "null"
    }

    pub(super) fn is_string(&self) -> bool {
        self.text.starts_with('"')
    }

    pub(super) fn is_list(&self) -> bool {
        self.text.starts_with('[')
    }

    pub(super) fn is_true(&self) -> bool {
        self.text == "true"
    }

    /// A string that is not empty; an empty one and null are absent.
    pub(super) fn filled_string(&self) -> Result<Option<String>, Error> {
        if self.is_null() {
            return Ok(None);
        }
        if !self.is_string() {
            return Err(self.wrong_type("a string"));
        }
        // Replacing the half pair would make two users one.
        let string: String = serde_json::from_str(self.text).map_err(|_| {
            let message = format!("`{}` holds half of a surrogate pair: send Unicode text.", self.path);
            Error::invalid(self.path.as_ref(), message)
        })?;
        Ok(Some(string).filter(|string| !string.is_empty()))
    }

    /// true or false; null is absent.
    pub(super) fn boolean(&self) -> Result<Option<bool>, Error> {
        match self.text {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            "null" => Ok(None),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A whole number that is not negative; what else there may be is passed on and unknown to us.
    pub(super) fn whole_number(&self) -> Option<u64> {
        self.text.parse().ok()
    }

    /// The whole number in the first member that has one of these names; `None` where this is no object or that no number.
    pub(super) fn whole_number_of(&self, names: &[&str]) -> Option<u64> {
        let members = object::members(self.text).ok()?;
        let member = members.iter().find(|member| names.contains(&member.name.as_ref()))?;
        self.text.get(member.value.clone())?.parse().ok()
    }

    /// Whether it is a list of Responses' items, one of which is a reference to what the provider keeps.
    pub(super) fn refers_to_items(&self) -> bool {
        // Few calls have any, and then a search is a hundredth of the work.
        let may = ["item_reference", "\\u"]
            .iter()
            .any(|hint| memmem::find(self.text.as_bytes(), hint.as_bytes()).is_some());
        may && object::elements(self.text).unwrap_or_default().into_iter().any(|item| {
            let kind = object::member(item, "type").and_then(object::lossy_string);
            kind.as_deref() == Some("item_reference")
        })
    }

    /// What of this metadata Anthropic takes; `None` where all that it holds is ours.
    pub(super) fn user_id(&self) -> Result<Option<UserId>, Error> {
        if self.is_null() {
            return Ok(Some(UserId::default()));
        }
        let members = self.object()?;
        if members.is_empty() {
            return Ok(Some(UserId::default()));
        }
        let mut named = members.iter().filter(|member| member.name == "user_id");
        let Some(member) = named.next() else { return Ok(None) };
        let path = format!("{}.user_id", self.path);
        if named.next().is_some() {
            return Err(twice(&path));
        }
        let text = self.text.get(member.value.clone()).unwrap_or_default();
        let found = Found { path: Cow::Owned(path), text, start: self.start + member.value.start };
        let (first, last) = (members.first().unwrap_or(member), members.last().unwrap_or(member));
        let others = [first.span.start..member.span.start, member.span.end..last.span.end];
        let others = others.map(|other| self.start + other.start..self.start + other.end);
        Ok(Some(UserId { value: found.filled_string()?, others }))
    }

    /// Whether it is a list that is not empty.
    pub(super) fn is_filled_list(&self) -> bool {
        let inside = self.text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inside.is_some_and(|inside| !inside.trim_ascii().is_empty())
    }

    /// The elements of a list that may have `most` of them.
    pub(super) fn elements(&self, most: usize) -> Result<Vec<Found<'a>>, Error> {
        if !self.is_list() {
            return Err(self.wrong_type("a list"));
        }
        let elements =
            object::elements(self.text).filter(|elements| elements.len() <= most).ok_or_else(|| {
                let message = format!("`{}` may have at most {most} entries.", self.path);
                Error::invalid(self.path.as_ref(), message)
            })?;
        let element = |(index, text)| {
            let path = Cow::Owned(format!("{}[{index}]", self.path));
            Found { path, text, start: self.start + object::offset(self.text, text) }
        };
        Ok(elements.into_iter().enumerate().map(element).collect())
    }

    /// What `stream_options` says.
    pub(super) fn usage_ask(&self) -> Result<UsageAsk, Error> {
        if self.is_null() {
            return Ok(UsageAsk::NullOptions(self.span()));
        }
        let members = self.object()?;
        let mut asks = members.iter().filter(|member| member.name == "include_usage");
        let Some(ask) = asks.next() else {
            return Ok(UsageAsk::Missing { at: self.start + 1, alone: members.is_empty() });
        };
        let path = format!("{}.include_usage", self.path);
        if asks.next().is_some() {
            return Err(twice(&path));
        }
        let text = self.text.get(ask.value.clone()).unwrap_or_default();
        let include_usage = Found { path: Cow::Owned(path), text, start: self.start + ask.value.start };
        Ok(match include_usage.boolean()? {
            Some(true) => UsageAsk::Asked,
            Some(false) | None => UsageAsk::Declined(include_usage.span()),
        })
    }

    /// The members of a field that must be an object.
    pub(super) fn object(&self) -> Result<Vec<object::Member<'a>>, Error> {
        object::members(self.text).map_err(|fault| match fault {
            Fault::TooMany => Error::invalid(
                self.path.as_ref(),
                format!("`{}` may have at most {MOST} members.", self.path),
            ),
            // The text is known to be valid JSON.
            Fault::NotJson(_) | Fault::NotAnObject => self.wrong_type("an object"),
        })
    }

    /// Metadata as values; null is none.
    fn metadata(&self) -> Result<Map<String, Value>, Error> {
        if self.is_null() {
            return Ok(Map::new());
        }
        if !self.text.starts_with('{') {
            return Err(self.wrong_type("an object"));
        }
        if self.text.len() > METADATA_MAX_BYTES {
            return Err(metadata_too_large(&self.path, &format!("it takes {} bytes", self.text.len())));
        }
        // What is valid JSON and still no value: numbers beyond a double, half surrogate pairs, and more levels than 128.
        let metadata: Map<String, Value> = serde_json::from_str(self.text)
            .map_err(|fault| metadata_too_large(&self.path, &format!("it cannot be read: {fault} of it")))?;
        if metadata.values().any(|value| depth(value) >= METADATA_MAX_DEPTH) {
            return Err(metadata_too_large(&self.path, "it is nested more deeply"));
        }
        Ok(metadata)
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    pub(super) fn wrong_type(&self, right: &str) -> Error {
        let is = match self.text.bytes().next() {
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            _ => "a number",
        };
        Error::invalid(self.path.as_ref(), format!("`{}` must be {right}, and is {is}.", self.path))
    }
}

/// Metadata for conditions: `over` (of a literal `extra_body`) wins over `base` (top-level) key by key.
pub(super) fn merged_metadata(
    base: Option<Found<'_>>,
    over: Option<Found<'_>>,
) -> Result<Map<String, Value>, Error> {
    let mut metadata = base.as_ref().map(Found::metadata).transpose()?.unwrap_or_default();
    metadata.extend(over.as_ref().map(Found::metadata).transpose()?.unwrap_or_default());
    if metadata.len() > METADATA_MAX_KEYS {
        return Err(metadata_too_large("metadata", &format!("it has {} keys", metadata.len())));
    }
    Ok(metadata)
}

fn metadata_too_large(path: &str, fault: &str) -> Error {
    let message = format!(
        "`{path}` may have at most {METADATA_MAX_KEYS} keys, {METADATA_MAX_BYTES} bytes of JSON and \
         {METADATA_MAX_DEPTH} levels, and {fault}: send only what conditions look at."
    );
    Error::invalid(path, message)
}

/// How many levels of lists and objects a value has; at most serde_json's own limit of 128, so recursion is safe.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
