//! A call's JSON as CEL values, by borrow: nothing of the caller's is copied to be looked at.
//!
//! Objects are looked into key by key. A list becomes a CEL list of borrowed items when it is named. Reading counts
//! (`meter`). A JSON integer is a CEL int where it fits an i64, else a uint; any other number is a double.
//!
//! An object here is not the CEL crate's own kind of map, which is why a map that an expression writes is compared from the
//! object's side (`prepare`), and is not looked for in a list (`check`).

use std::sync::OnceLock;

use cel_interpreter::ExecutionError;
use cel_interpreter::common::traits::{self, Comparer, Container, Indexer, Iterable, Sizer};
use cel_interpreter::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelNull, CelString, CelUInt, Kind, MAP_TYPE, STRING_TYPE, Type,
};
use cel_interpreter::common::value::{Builtin, BuiltinRef, CowVal, Val};
use serde_json::{Map, Value};

use super::meter::Meter;

/// A JSON value as CEL sees it.
pub(super) fn value<'a>(json: &'a Value, meter: &'a Meter) -> Box<dyn Val + 'a> {
    match json {
        Value::Null => Box::new(CelNull),
        Value::Bool(truth) => Box::new(CelBool::from(*truth)),
        Value::Number(number) => {
            if let Some(int) = number.as_i64() {
                Box::new(CelInt::from(int))
            } else if let Some(uint) = number.as_u64() {
                Box::new(CelUInt::from(uint))
            } else {
                Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN)))
            }
        }
        Value::String(text) => Box::new(Text::new(text, meter)),
        Value::Array(items) if meter.spend_on_list(items.len()) => {
            Box::new(CelList::from(items.iter().map(|item| value(item, meter)).collect::<Vec<_>>()))
        }
        Value::Array(_) => Box::new(CelList::default()),
        Value::Object(map) => Box::new(Object::new(map, meter)),
    }
}

/// A text of the caller's. It is a CEL string in every respect; only, each look at it counts.
#[derive(Clone, Debug)]
pub(super) struct Text<'a> {
    text: CelString<'a>,
    meter: &'a Meter,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str, meter: &'a Meter) -> Self {
        Text { text: CelString::from(text), meter }
    }

    fn read(&self) -> &CelString<'a> {
        if self.meter.spend_on_text(self.text.inner().len(), 1) { &self.text } else { &self.meter.nothing }
    }
}

impl<'a> Val for Text<'a> {
    fn get_type(&self) -> &Type {
        &STRING_TYPE
    }
    fn cel_type() -> &'static Type {
        &STRING_TYPE
    }
    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        self.read().equals(other)
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        if self.meter.spend(1) { Box::new(self.clone()) } else { Box::new(CelNull) }
    }
    // These two, hidden in the CEL crate's documentation, are how its functions get at a string. They must agree.
    fn as_builtin<'b, 'v>(&'b self) -> BuiltinRef<'b, 'v>
    where
        Self: 'v,
    {
        BuiltinRef::String(self.read())
    }
    fn into_builtin<'v>(self: Box<Self>) -> Option<Builtin<'v>>
    where
        Self: 'v,
    {
        Some(Builtin::String(self.text))
    }
}

impl Comparer for Text<'_> {
    fn compare(&self, other: &dyn Val) -> Result<std::cmp::Ordering, ExecutionError> {
        self.read().compare(other)
    }
}

/// An object of the caller's, or `user`: its metadata, and `id`.
#[derive(Debug)]
pub(super) struct Object<'a> {
    map: &'a Map<String, Value>,
    /// In `user`, what `id` is in place of the metadata's own, if it is known at all.
    user_id: Option<Option<&'a str>>,
    meter: &'a Meter,
    keys: OnceLock<Vec<Text<'a>>>,
}

const ID: &str = "id";

impl<'a> Object<'a> {
    pub(super) fn new(map: &'a Map<String, Value>, meter: &'a Meter) -> Self {
        Object { map, user_id: None, meter, keys: OnceLock::new() }
    }

    pub(super) fn user(map: &'a Map<String, Value>, user_id: Option<&'a str>, meter: &'a Meter) -> Self {
        Object { map, user_id: Some(user_id), meter, keys: OnceLock::new() }
    }

    fn find(&self, key: &str) -> Option<Box<dyn Val + 'a>> {
        match self.user_id {
            Some(user_id) if key == ID => user_id.map(|id| Box::new(Text::new(id, self.meter)) as _),
            _ => self.map.get(key).map(|json| value(json, self.meter)),
        }
    }

    fn keys(&self) -> &[Text<'a>] {
        self.keys.get_or_init(|| {
            if !self.meter.spend_on_list(self.map.len()) {
                return Vec::new();
            }
            let keys = self.map.keys().map(String::as_str);
            let mut own: Vec<&str> = keys.filter(|key| self.user_id.is_none() || *key != ID).collect();
            // What is decided must not hang on the order in which a caller wrote its metadata.
            own.sort_unstable();
            let id = self.user_id.flatten().map(|_| ID);
            own.into_iter().chain(id).map(|key| Text::new(key, self.meter)).collect()
        })
    }

    fn len(&self) -> usize {
        match self.user_id {
            None => self.map.len(),
            Some(id) => self.map.len() - usize::from(self.map.contains_key(ID)) + usize::from(id.is_some()),
        }
    }
}

impl<'a> Val for Object<'a> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }
    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        let (Some(size), Some(values)) = (other.as_sizer(), other.as_indexer()) else { return false };
        other.get_type().kind() == Kind::Map
            && size.size() == self.size()
            && self.keys().iter().all(|key| match (self.find(key.text.inner()), values.get(key)) {
                (Some(mine), Ok(theirs)) => mine.equals(theirs.as_ref()),
                _ => false,
            })
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        if !self.meter.spend(1) {
            return Box::new(CelNull);
        }
        Box::new(Object { map: self.map, user_id: self.user_id, meter: self.meter, keys: OnceLock::new() })
    }
}

impl Container for Object<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        let key = key.downcast_ref::<CelString>().map(CelString::inner);
        Ok(key.is_some_and(|key| self.find(key).is_some()))
    }
}

impl<'a> Indexer for Object<'a> {
    fn get<'b, 'v>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key.downcast_ref::<CelString>().map(CelString::inner);
        // The name of the key stays out of the error: it may be the caller's.
        key.and_then(|key| self.find(key))
            .map(|found| CowVal::Owned(found as Box<dyn Val + 'v>))
            .ok_or_else(|| ExecutionError::no_such_key("key"))
    }

    fn steal<'v>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

impl Iterable for Object<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn traits::Iterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Keys(self.keys().iter()))
    }
}

impl Sizer for Object<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.len()).unwrap_or(i64::MAX))
    }
}

struct Keys<'b, 'a>(std::slice::Iter<'b, Text<'a>>);

impl<'b, 'v, 'a: 'v> traits::Iterator<'b, 'v> for Keys<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|key| key as &(dyn Val + 'v))
    }
}
