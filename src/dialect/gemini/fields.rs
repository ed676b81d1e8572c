//! Members of an object in either spelling, and errors that name their place.
//! None of it is inlined: it is read once a call, at hundreds of places, and the worker has a size to keep to.

use serde_json::{Map, Number, Value};

use crate::error::Error;

/// A member by its name in camel case, or the same in snake case; null is absent.
#[inline(never)]
pub(super) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    of_map(value.as_object()?, name)
}

/// Sets a member of an object that is written.
pub(super) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value.into());
    }
}

fn of_map<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.get(name).or_else(|| map.get(&snake_case(name))).filter(|value| !value.is_null())
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        if char.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}

/// An object of a request, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Object<'v> {
    map: &'v Map<String, Value>,
    path: String,
}

impl<'v> Object<'v> {
    /// `value`, which stands at `path` (empty: it is the body).
    pub(super) fn new(value: &'v Value, path: impl Into<String>) -> Result<Self, Error> {
        let path = path.into();
        match value {
            Value::Object(map) => Ok(Object { map, path }),
            _ if path.is_empty() => Err(Error::invalid("", "The body must be a JSON object.")),
            _ => Err(wrong(&path, "an object")),
        }
    }

    /// Where a member stands.
    #[inline(never)]
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Where it stands itself.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        of_map(self.map, name)
    }

    #[inline(never)]
    pub(super) fn text(&self, name: &str) -> Result<Option<&'v str>, Error> {
        self.read(name, "a string", Value::as_str)
    }

    #[inline(never)]
    pub(super) fn required_text(&self, name: &str) -> Result<&'v str, Error> {
        self.text(name)?.ok_or_else(|| {
            let path = self.path_of(name);
            let message = format!("`{path}` is missing: give it as a string.");
            Error::invalid(path, message)
        })
    }

    #[inline(never)]
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        self.read(name, "true or false", Value::as_bool)
    }

    /// A number; protobuf's JSON also allows it to be a string.
    #[inline(never)]
    pub(super) fn number(&self, name: &str) -> Result<Option<Number>, Error> {
        self.read(name, "a number", |value| match value {
            Value::Number(number) => Some(number.clone()),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    #[inline(never)]
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Error> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        number.as_i64().map(Some).ok_or_else(|| wrong(&self.path_of(name), "an integer"))
    }

    #[inline(never)]
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        number.as_u64().map(Some).ok_or_else(|| wrong(&self.path_of(name), "an integer of at least 0"))
    }

    #[inline(never)]
    pub(super) fn object(&self, name: &str) -> Result<Option<Object<'v>>, Error> {
        self.get(name).map(|value| Object::new(value, self.path_of(name))).transpose()
    }

    /// The objects of an array; none where it is absent.
    #[inline(never)]
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Object<'v>>, Error> {
        let path = self.path_of(name);
        let items = self.read(name, "an array", |value| value.as_array().map(Vec::as_slice))?;
        let items = items.unwrap_or_default().iter().enumerate();
        items.map(|(at, item)| Object::new(item, format!("{path}[{at}]"))).collect()
    }

    /// The strings of an array; none where it is absent.
    #[inline(never)]
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let items = self.read(name, "an array of strings", |value| {
            let items = value.as_array()?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        })?;
        Ok(items.unwrap_or_default())
    }

    /// The members of other names than these (in camel case), as they are.
    #[inline(never)]
    pub(super) fn except(&self, known: &[&str]) -> Map<String, Value> {
        let is_known = |name: &str| known.iter().any(|known| *known == name || snake_case(known) == name);
        let others = self.map.iter().filter(|(name, value)| !is_known(name) && !value.is_null());
        others.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    pub(super) fn value(&self) -> Value {
        Value::Object(self.map.clone())
    }

    fn read<T>(
        &self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| wrong(&self.path_of(name), what))
    }
}

/// The value at `path` is not `what` it must be.
#[cold]
#[inline(never)]
pub(super) fn wrong(path: &str, what: &str) -> Error {
    Error::invalid(path, format!("`{path}` must be {what}."))
}
