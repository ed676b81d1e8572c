//! Which fields an object may have, of which kind, and what they mean: the one list that documents are read by, and that the
//! OpenAPI document is made of.
//!
//! A name is all that the worker keeps of a field. Whether the readers hold to the kinds, a native test tries: it gives each field a
//! value of another kind, and wants a fault at its path.

/// A field of an object.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    /// In snake case; the camel case is read as well.
    pub(crate) name: &'static str,
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) is_required: bool,
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) kind: Kind,
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) meaning: &'static str,
}

/// An object that documents have, and its name in the OpenAPI document.
pub(crate) struct Object {
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) name: &'static str,
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) meaning: &'static str,
    pub(crate) fields: &'static [Field],
}

/// What a value may be.
#[derive(Clone, Copy)]
#[cfg_attr(
    target_arch = "wasm32",
    expect(dead_code, reason = "kinds are for readers of the OpenAPI document")
)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// A string of one character and at most so many.
    Filled(usize),
    /// A date and time, as RFC 3339 has it.
    Moment,
    /// A string that this regular expression matches.
    Pattern(&'static str),
    /// One of these strings.
    Word(&'static [&'static str]),
    /// true or false.
    Boolean,
    /// A number from the first to the second.
    Number(f64, f64),
    /// A whole number from the first to the second.
    Whole(i64, i64),
    /// A list.
    List(&'static Kind),
    /// A list of at least the first and at most the second number.
    Few(&'static Kind, usize, usize),
    /// An object with these fields.
    Object(&'static Object),
    /// An object whose names are the author's own.
    Map(&'static Kind),
    /// One of these kinds.
    Either(&'static [Kind]),
    /// Anything.
    Any,
    /// Nothing: the field does not belong here, and its reader says where it does. No schema has it.
    Misplaced,
}

/// A field that may be left out; null counts as left out.
#[cfg_attr(target_arch = "wasm32", expect(unused_variables, reason = "the worker keeps the names alone"))]
pub(crate) const fn field(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field {
        name,
        #[cfg(not(target_arch = "wasm32"))]
        is_required: false,
        #[cfg(not(target_arch = "wasm32"))]
        kind,
        #[cfg(not(target_arch = "wasm32"))]
        meaning,
    }
}

/// A field that is read only to say where it belongs.
pub(crate) const fn misplaced(name: &'static str) -> Field {
    field(name, Kind::Misplaced, "")
}

/// A field that must be there.
#[cfg_attr(target_arch = "wasm32", expect(unused_variables, reason = "the worker keeps the names alone"))]
pub(crate) const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Field {
    Field {
        name,
        #[cfg(not(target_arch = "wasm32"))]
        is_required: true,
        #[cfg(not(target_arch = "wasm32"))]
        kind,
        #[cfg(not(target_arch = "wasm32"))]
        meaning,
    }
}

/// An object with these fields.
#[cfg_attr(target_arch = "wasm32", expect(unused_variables, reason = "the worker keeps the names alone"))]
pub(crate) const fn object(name: &'static str, meaning: &'static str, fields: &'static [Field]) -> Object {
    Object {
        #[cfg(not(target_arch = "wasm32"))]
        name,
        #[cfg(not(target_arch = "wasm32"))]
        meaning,
        fields,
    }
}
