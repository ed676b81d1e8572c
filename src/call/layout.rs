//! The body's top level as a list of pieces in the order written, a literal `extra_body` unfolded among them.
//!
//! In scope: where each member stands, which of them are ours, and that none that we read stands twice. An SDK would have
//! moved the members of `extra_body` to the top level, so they count as standing there, unless the name is taken.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use super::field::Field;
use super::object::{self, Fault, MOST, Member};
use super::value::Found;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};

/// No more of a caller's own name for a field is repeated to it than this many characters.
const SHOWN_NAME: usize = 64;

/// A member, or the opening or the closing of a literal `extra_body`.
#[derive(Debug)]
pub(super) struct Piece {
    /// From the key's opening quote to the end of the value; the value is at its end.
    pub(super) span: Range<usize>,
    pub(super) value: Range<usize>,
    /// What it means to us; `ExtraBody` for an opening, a closing, and an `extra_body` that is null.
    pub(super) field: Option<Field>,
    /// It stands in a literal `extra_body`.
    pub(super) inside: bool,
    /// The top level has the same name, which wins.
    pub(super) shadowed: bool,
}

/// The pieces of a body. Errs where it is not one JSON object, or where a field that we read stands twice.
pub(super) fn pieces(dialect: Dialect, body: &str) -> Result<Vec<Piece>, Error> {
    let members = object::members(body).map_err(|fault| match fault {
        Fault::NotJson(fault) => body_fault(format!("The body is not valid JSON: {fault}.")),
        Fault::NotAnObject => {
            body_fault(format!("The body must be a JSON object: {}.", dialect.wire().body.form))
        }
        Fault::TooMany => body_fault(format!("The body may have at most {MOST} fields at its top level.")),
    })?;
    refuse_repeated_fields(dialect, &members)?;

    let mut pieces = Vec::with_capacity(members.len());
    for member in &members {
        match Field::named(dialect, &member.name) {
            Some(Field::ExtraBody) => unfold(dialect, body, member, &members, &mut pieces)?,
            field => pieces.push(Piece::new(member, field)),
        }
    }
    Ok(pieces)
}

/// A field that stands more than once where we read it: the provider might read the other one.
pub(super) fn twice(path: &str) -> Error {
    Error::invalid(path, format!("`{path}` is given more than once: keep one of them."))
}

/// A fault of the body as a whole.
pub(super) fn body_fault(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

/// Only fields that we know: what is merely passed on is the provider's to judge.
fn refuse_repeated_fields(dialect: Dialect, members: &[Member<'_>]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for field in members.iter().filter_map(|member| Field::named(dialect, &member.name)) {
        if !seen.insert(field) {
            return Err(twice(field.name(dialect)));
        }
    }
    Ok(())
}

/// Adds a literal `extra_body`: its opening, its members and its closing. Here no name may be repeated at all, for moving
/// its members up must not put a name twice at the top level.
fn unfold(
    dialect: Dialect,
    body: &str,
    extra_body: &Member<'_>,
    top_level: &[Member<'_>],
    pieces: &mut Vec<Piece>,
) -> Result<(), Error> {
    let whole = Piece::new(extra_body, Some(Field::ExtraBody));
    let found = Found::new(Cow::Borrowed(Field::ExtraBody.name(dialect)), body, &whole.value);
    if found.is_null() {
        pieces.push(whole);
        return Ok(());
    }
    let top_level_names: BTreeSet<&str> = top_level.iter().map(|member| member.name.as_ref()).collect();
    let start = whole.value.start;
    let (opening_end, closing_start) = (start + 1, whole.value.end - 1);
    let mut seen = BTreeSet::new();

    pieces.push(Piece { span: whole.span.start..opening_end, value: start..opening_end, ..whole });
    for mut member in found.object()? {
        if !seen.insert(member.name.clone()) {
            let shown: String = member.name.chars().take(SHOWN_NAME).collect();
            return Err(twice(&format!("extra_body.{shown}")));
        }
        member.span = start + member.span.start..start + member.span.end;
        member.value = start + member.value.start..start + member.value.end;
        let field = Field::named(dialect, &member.name);
        // The two objects of metadata are merged, so neither hides the other.
        let shadowed = field != Some(Field::Metadata) && top_level_names.contains(member.name.as_ref());
        pieces.push(Piece { inside: true, shadowed, ..Piece::new(&member, field) });
    }
    let closing = closing_start..extra_body.value.end;
    pieces.push(Piece {
        span: closing.clone(),
        value: closing,
        ..Piece::new(extra_body, Some(Field::ExtraBody))
    });
    Ok(())
}

impl Piece {
    fn new(member: &Member<'_>, field: Option<Field>) -> Piece {
        let Member { span, value, .. } = member;
        Piece { span: span.clone(), value: value.clone(), field, inside: false, shadowed: false }
    }
}
