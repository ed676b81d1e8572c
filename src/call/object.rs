//! A JSON object or array as the spans of its members, in the order written.
//!
//! In scope: one pass of serde_json over a text, which checks all of it and descends iteratively, so that nesting costs no
//! stack. Out of scope: what a member means (`fields`), and building values of what is only passed on.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// More members or elements than this are not looked at: a body of 10 MB could hold millions, and a hundred bytes of
/// bookkeeping for each is more than an isolate has. 16,384 × 100 B = 1.6 MB; a call has a few dozen fields, a long
/// conversation a few thousand messages.
pub(crate) const MOST: usize = 16_384;

/// Why a text cannot be taken apart.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is not JSON.
    NotJson(serde_json::Error),
    /// It is JSON of another type.
    NotAnObject,
    /// There are more than `MOST` members.
    TooMany,
}

/// One member of an object: its name unescaped, and where it stands in the text.
pub(crate) struct Member<'a> {
    pub(crate) name: Cow<'a, str>,
    /// From the key's opening quote to the end of the value.
    pub(crate) span: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The members of the object that `text` holds.
pub(crate) fn members(text: &str) -> Result<Vec<Member<'_>>, Fault> {
    // serde_json would repeat the whole of another type's value in its error.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(
            serde_json::from_str::<IgnoredAny>(text).map_or_else(Fault::NotJson, |_| Fault::NotAnObject)
        );
    }
    let RawMembers(raw) = serde_json::from_str(text).map_err(|fault| match fault.classify() {
        // The one fault that the visitor finds by itself.
        Category::Data => Fault::TooMany,
        Category::Syntax | Category::Eof | Category::Io => Fault::NotJson(fault),
    })?;
    Ok(raw.into_iter().map(|(key, value)| located(text, key, value)).collect())
}

/// The value of the member `name` as it is written; of a repeated one the last, as most readers of JSON have it.
pub(crate) fn value<'a>(text: &'a str, members: &[Member<'_>], name: &str) -> Option<&'a str> {
    let member = members.iter().rfind(|member| member.name == name)?;
    text.get(member.value.clone())
}

/// As [`value`], of an object that is looked into once.
pub(crate) fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    value(text, &members(text).ok()?, name)
}

/// The name of the member that `text` begins with.
pub(crate) fn name(text: &str) -> Option<Cow<'_, str>> {
    let key = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>().next()?.ok()?;
    Some(unescaped(key.get()))
}

/// The elements of the array that `text` holds; `None` where it holds something else, or more than `MOST`.
pub(crate) fn elements(text: &str) -> Option<Vec<&str>> {
    if !text.starts_with('[') {
        return None;
    }
    let RawElements(elements) = serde_json::from_str(text).ok()?;
    Some(elements)
}

/// The string that the JSON literal `text` stands for. A surrogate without its other half (the `"\ud83d"` that
/// JavaScript's `JSON.stringify` makes of a string cut within an emoji) becomes U+FFFD; `None` where `text` is no string.
pub(crate) fn lossy_string(text: &str) -> Option<String> {
    struct Lossy;
    impl Visitor<'_> for Lossy {
        type Value = String;
        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            formatter.write_str("a string")
        }
        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
    }
    if !text.starts_with('"') {
        return None;
    }
    // serde_json reads a string as bytes without refusing lone surrogates.
    serde_json::Deserializer::from_str(text).deserialize_bytes(Lossy).ok()
}

/// Keys and values as they are written, the keys with their quotes.
struct RawMembers<'a>(Vec<(&'a str, &'a str)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = RawMembers<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    if members.len() == MOST {
                        return Err(A::Error::custom("too many members"));
                    }
                    members.push((key.get(), value.get()));
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Elements as they are written.
struct RawElements<'a>(Vec<&'a str>);

impl<'de> Deserialize<'de> for RawElements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArrayVisitor;
        impl<'de> Visitor<'de> for ArrayVisitor {
            type Value = RawElements<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = array.next_element::<&RawValue>()? {
                    if elements.len() == MOST {
                        return Err(A::Error::custom("too many elements"));
                    }
                    elements.push(element.get());
                }
                Ok(RawElements(elements))
            }
        }
        deserializer.deserialize_seq(ArrayVisitor)
    }
}

fn located<'a>(text: &'a str, key: &'a str, value: &str) -> Member<'a> {
    let key_start = offset(text, key);
    let value_start = offset(text, value);
    let value = value_start..value_start + value.len();
    Member { name: unescaped(key), span: key_start..value.end, value }
}

/// Where `part` begins in `text`, of which it is a slice: serde_json hands out borrowed slices of its input and no offsets.
pub(crate) fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

/// The name that a quoted key stands for. A key that is no Unicode text (a lone surrogate) stays as it is written: it is
/// nobody's field.
fn unescaped(key: &str) -> Cow<'_, str> {
    let inner = key.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(key);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(key).map_or(Cow::Borrowed(inner), Cow::Owned)
}
