//! Edits of JSON that leave alone the bytes of what they do not change. Each gives `None` where there is nothing to change, or
//! where the text is not of the shape that it looks for.

use crate::call::object::{Member, elements, members};

/// An object with the value of one member edited; of a repeated one the last, as most readers have it.
pub(crate) fn with_member(
    object: &str,
    name: &str,
    edit: impl FnOnce(&str) -> Option<String>,
) -> Option<String> {
    let members = members(object).ok()?;
    let Member { value, .. } = members.iter().rfind(|member| member.name == name)?;
    let edited = edit(object.get(value.clone())?)?;
    Some(format!("{}{edited}{}", object.get(..value.start)?, object.get(value.end..)?))
}

/// An object less some of its members.
pub(crate) fn without_members(object: &str, names: &[&str]) -> Option<String> {
    let members = members(object).ok()?;
    let kept: Vec<&str> = members
        .iter()
        .filter(|member| !names.contains(&&*member.name))
        .filter_map(|member| object.get(member.span.clone()))
        .collect();
    (kept.len() < members.len()).then(|| format!("{{{}}}", kept.join(",")))
}

/// An object with members after its own; `added` is their text, without a comma before it.
pub(crate) fn with_more(object: &str, added: &str) -> Option<String> {
    let has_members = !members(object).ok()?.is_empty();
    let open = object.trim_end().strip_suffix('}')?;
    let comma = if has_members { "," } else { "" };
    Some(format!("{}{comma}{added}}}", open.trim_end()))
}

/// A list with an element after its own.
pub(crate) fn with_last(list: &str, element: &str) -> Option<String> {
    let comma = if elements(list)?.is_empty() { "" } else { "," };
    Some(format!("{}{comma}{element}]", list.trim_end().strip_suffix(']')?.trim_end()))
}

/// A list with some of its elements edited.
pub(crate) fn with_each(list: &str, mut edit: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let mut copied_to = 0;
    for element in elements(list)? {
        let Some(edited) = edit(element) else { continue };
        let start = crate::call::object::offset(list, element);
        out.push_str(list.get(copied_to..start)?);
        out.push_str(&edited);
        copied_to = start + element.len();
    }
    if copied_to == 0 {
        return None;
    }
    out.push_str(list.get(copied_to..)?);
    Some(out)
}

/// A list less the elements that go.
pub(crate) fn without_elements(list: &str, goes: impl Fn(&str) -> bool) -> Option<String> {
    let elements = elements(list)?;
    let kept: Vec<&str> = elements.iter().copied().filter(|element| !goes(element)).collect();
    (kept.len() < elements.len()).then(|| format!("[{}]", kept.join(",")))
}

/// The string that a member is.
pub(crate) fn string(object: &str, name: &str) -> Option<String> {
    crate::call::object::lossy_string(member(object, name)?)
}

/// The number that a member is.
pub(crate) fn number(object: &str, name: &str) -> Option<u64> {
    member(object, name)?.parse().ok()
}

/// The value of a member, as it is written.
pub(crate) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    crate::call::object::member(object, name)
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
