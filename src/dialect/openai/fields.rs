//! The members of an object of a request, taken one by one and with the path that an error names.
//! None of it is inlined: it is read once a call, at hundreds of places, and the worker has a size to keep to.

use serde_json::{Map, Number, Value};

use crate::error::Error;

/// An object whose members are taken. What is left is what nobody knew. Null is absent.
pub(super) struct Fields {
    path: String,
    members: Map<String, Value>,
}

impl Fields {
    /// The body itself.
    pub(super) fn of_body(members: Map<String, Value>) -> Fields {
        Fields { path: String::new(), members }
    }

    /// The object at `path`.
    pub(super) fn of(value: Value, path: impl Into<String>) -> Result<Fields, Error> {
        let path = path.into();
        match value {
            Value::Object(members) => Ok(Fields { path, members }),
            other => Err(wrong(&path, "an object", &other)),
        }
    }

    /// Where a member is.
    #[inline(never)]
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a member of any type.
    #[inline(never)]
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text.
    #[inline(never)]
    pub(super) fn string(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(&self.path(name), "a string", &other)),
        }
    }

    /// Takes a text that must be there.
    #[inline(never)]
    pub(super) fn required_string(&mut self, name: &str) -> Result<String, Error> {
        self.string(name)?.ok_or_else(|| missing(&self.path(name), "a string"))
    }

    /// Takes `true` or `false`.
    #[inline(never)]
    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(wrong(&self.path(name), "a boolean", &other)),
        }
    }

    /// Takes a number.
    #[inline(never)]
    pub(super) fn number(&mut self, name: &str) -> Result<Option<Number>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(other) => Err(wrong(&self.path(name), "a number", &other)),
        }
    }

    /// Takes a whole number, 0 or above.
    #[inline(never)]
    pub(super) fn whole(&mut self, name: &str) -> Result<Option<u64>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match whole(&value) {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(&self.path(name), "a whole number", &value)),
            },
        }
    }

    /// Takes a list; empty where it is absent.
    #[inline(never)]
    pub(super) fn list(&mut self, name: &str) -> Result<Vec<Value>, Error> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(wrong(&self.path(name), "an array", &other)),
        }
    }

    /// Takes an object.
    #[inline(never)]
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Fields>, Error> {
        let path = self.path(name);
        self.take(name).map(|value| Fields::of(value, path)).transpose()
    }

    /// Takes an object that must be there.
    #[inline(never)]
    pub(super) fn required_object(&mut self, name: &str) -> Result<Fields, Error> {
        self.object(name)?.ok_or_else(|| missing(&self.path(name), "an object"))
    }

    /// The members, untaken ones alone.
    pub(super) fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// What nobody took.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.members.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

/// 3, and 3.0 too.
pub(super) fn whole(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between 0 and 2^53, by the filter"
    )]
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
    })
}

/// The error for a value of another type than `expected`.
#[cold]
#[inline(never)]
pub(super) fn wrong(path: &str, expected: &str, found: &Value) -> Error {
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    Error::invalid(path, format!("`{path}` must be {expected}, not {kind}."))
}

/// The error for a member that must be there.
#[cold]
#[inline(never)]
pub(super) fn missing(path: &str, expected: &str) -> Error {
    Error::invalid(path, format!("`{path}` is missing: give {expected}."))
}
