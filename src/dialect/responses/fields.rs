//! The members of a JSON object, each of the type that it must have. Null is absent.
//! None of it is inlined: it is read once a call, at hundreds of places, and the worker has a size to keep to.

use serde_json::{Map, Number, Value};

use crate::error::Error;

/// A JSON object and where it stands in the caller's body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'v> {
    map: &'v Map<String, Value>,
    path: &'v str,
}

impl<'v> Fields<'v> {
    /// The object at `path`; the body itself is at the empty one.
    pub(super) fn of(value: &'v Value, path: &'v str) -> Result<Fields<'v>, Error> {
        match value {
            Value::Object(map) => Ok(Fields { map, path }),
            _ => Err(Error::invalid(path, format!("`{path}` must be an object."))),
        }
    }

    /// [`Fields::of`] of a map.
    pub(super) fn new(map: &'v Map<String, Value>, path: &'v str) -> Fields<'v> {
        Fields { map, path }
    }

    /// Where a member stands.
    #[inline(never)]
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A member of any type.
    #[inline(never)]
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    #[inline(never)]
    pub(super) fn text(&self, name: &str) -> Result<Option<&'v str>, Error> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A text that must be there.
    #[inline(never)]
    pub(super) fn required(&self, name: &str) -> Result<&'v str, Error> {
        self.text(name)?.ok_or_else(|| self.fault(name, "a string"))
    }

    /// A text of one's own.
    #[inline(never)]
    pub(super) fn string(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.text(name)?.map(str::to_owned))
    }

    /// A number, as it is spelled.
    #[inline(never)]
    pub(super) fn number(&self, name: &str) -> Result<Option<Number>, Error> {
        self.typed(name, "a number", |value| match value {
            Value::Number(number) => Some(number.clone()),
            _ => None,
        })
    }

    /// A count.
    #[inline(never)]
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, Error> {
        self.typed(name, "a whole number that is not negative", Value::as_u64)
    }

    /// Yes or no.
    #[inline(never)]
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// A list.
    #[inline(never)]
    pub(super) fn list(&self, name: &str) -> Result<&'v [Value], Error> {
        Ok(self.typed(name, "an array", |value| value.as_array().map(Vec::as_slice))?.unwrap_or_default())
    }

    /// A list of texts.
    #[inline(never)]
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let texts = self.list(name)?.iter().map(|text| text.as_str().map(str::to_owned));
        texts.collect::<Option<_>>().ok_or_else(|| self.fault(name, "an array of strings"))
    }

    /// An object.
    #[inline(never)]
    pub(super) fn object(&self, name: &str) -> Result<Option<&'v Value>, Error> {
        self.typed(name, "an object", |value| value.is_object().then_some(value))
    }

    /// What is wrong with a member.
    #[cold]
    #[inline(never)]
    pub(super) fn fault(&self, name: &str, must_be: &str) -> Error {
        let path = self.path(name);
        let message = format!("`{path}` must be {must_be}.");
        Error::invalid(path, message)
    }

    fn typed<T>(
        &self,
        name: &str,
        must_be: &str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.fault(name, must_be)),
        }
    }
}
