//! A JSON object with some of its members changed, and every other byte as it was.

use serde_json::Value;

use crate::call::object::{Member, members};

/// A member as it is written.
pub(super) fn member(name: &str, value: &Value) -> String {
    format!("{}:{value}", Value::from(name))
}

/// What becomes of a member.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate<'v> {
    /// It stays.
    Stays,
    /// It goes.
    Goes,
    /// It has this value instead.
    Becomes(&'v Value),
}

/// An object with the members changed as `fate` says, and others added; `None` where `text` is no object.
pub(super) fn changed<'v>(
    text: &str,
    mut fate: impl FnMut(&Member<'_>, &str) -> Fate<'v>,
    added: impl FnOnce() -> Vec<String>,
) -> Option<String> {
    let members = members(text).ok()?;
    let first = members.first().map_or(text.len().checked_sub(1)?, |member| member.span.start);
    let last = members.last().map_or(first, |member| member.span.end);
    let mut changed = text.get(..first)?.to_owned();
    let mut stayed = None;
    for (index, member) in members.iter().enumerate() {
        let written = text.get(member.span.clone())?;
        let fate = fate(member, text.get(member.value.clone())?);
        if fate == Fate::Goes {
            continue;
        }
        match stayed {
            // The comma, and the white space around it, where the caller has it.
            Some((before, end)) if before + 1 == index => changed.push_str(text.get(end..member.span.start)?),
            Some(_) => changed.push(','),
            None => {}
        }
        match fate {
            Fate::Becomes(value) => {
                changed.push_str(text.get(member.span.start..member.value.start)?);
                changed.push_str(&value.to_string());
            }
            Fate::Stays | Fate::Goes => changed.push_str(written),
        }
        stayed = Some((index, member.span.end));
    }
    for member in added() {
        if stayed.is_some() {
            changed.push(',');
        }
        changed.push_str(&member);
        stayed = Some((members.len(), last));
    }
    changed.push_str(text.get(last..)?);
    Some(changed)
}

/// Whether a value that is written so is this one already.
pub(super) fn is(text: &str, value: &Value) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|written| written == *value)
}
