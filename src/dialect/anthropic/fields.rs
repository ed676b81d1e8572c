//! Fields of a caller's body, each with an error that names it. Null is absent.
//! None of it is inlined: it is read once a call, at hundreds of places, and the worker has a size to keep to.

use serde_json::{Map, Number, Value};

use crate::error::Error;

/// An object of the caller's, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Fields<'v> {
    object: &'v Map<String, Value>,
    path: &'v str,
}

impl<'v> Fields<'v> {
    /// Those of `value`.
    pub(super) fn of(value: &'v Value, path: &'v str) -> Result<Fields<'v>, Error> {
        let object = value.as_object().ok_or_else(|| wrong(path, "a JSON object"))?;
        Ok(Fields { object, path })
    }

    /// Where a field stands.
    #[inline(never)]
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'v String, &'v Value)> {
        self.object.iter()
    }

    #[inline(never)]
    pub(super) fn text(&self, name: &str) -> Result<Option<&'v str>, Error> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A text that has to be there.
    #[inline(never)]
    pub(super) fn needed_text(&self, name: &str) -> Result<&'v str, Error> {
        self.text(name)?.ok_or_else(|| wrong(&self.at(name), "a string"))
    }

    #[inline(never)]
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        self.typed(name, "`true` or `false`", Value::as_bool)
    }

    #[inline(never)]
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, Error> {
        self.typed(name, "a whole number, 0 or more", Value::as_u64)
    }

    #[inline(never)]
    pub(super) fn number(&self, name: &str) -> Result<Option<Number>, Error> {
        self.typed(name, "a number", |value| value.as_number().cloned())
    }

    #[inline(never)]
    pub(super) fn array(&self, name: &str) -> Result<Option<&'v Vec<Value>>, Error> {
        self.typed(name, "an array", Value::as_array)
    }

    /// Texts in an array; none where it is absent.
    #[inline(never)]
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let texts = self.array(name)?.into_iter().flatten().map(|text| text.as_str().map(str::to_owned));
        texts.collect::<Option<_>>().ok_or_else(|| wrong(&self.at(name), "an array of strings"))
    }

    fn typed<T>(
        &self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| wrong(&self.at(name), what))
    }
}

/// A field that is not what it must be.
#[cold]
#[inline(never)]
pub(super) fn wrong(path: &str, what: &str) -> Error {
    let subject = if path.is_empty() { "the body".to_owned() } else { format!("`{path}`") };
    Error::invalid(path, format!("{subject} must be {what}; send it so."))
}
