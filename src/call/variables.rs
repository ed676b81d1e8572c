//! `prompt_variables`: what a call puts into the prompts of a variant.
//!
//! In scope: types and limits. Out of scope: which of them a prompt needs (`treatment`). Read strictly, and also where no prompt
//! needs any: of a router's users some would notice a mistake and others not.

use super::value::Found;
use crate::error::Error;
use crate::treatment::Variables;

/// A prompt has a handful of them.
const MOST_VARIABLES: usize = 64;
/// A document to be looked at may be one of them: 64 KiB are some 15,000 tokens.
const MOST_BYTES: usize = 64 * 1024;

/// The variables; null is none.
pub(super) fn read(found: &Found<'_>) -> Result<Variables, Error> {
    if found.is_null() {
        return Ok(Variables::default());
    }
    let path = found.path();
    let too_much = |fault: String| {
        let message = format!(
            "`{path}` may have at most {MOST_VARIABLES} members and {MOST_BYTES} bytes, and has {fault}."
        );
        Error::invalid(path, message)
    };
    if found.text().len() > MOST_BYTES {
        return Err(too_much(format!("{} bytes", found.text().len())));
    }
    let members = found.object()?;
    if members.len() > MOST_VARIABLES {
        return Err(too_much(format!("{} members", members.len())));
    }
    let mut variables = Variables::default();
    for member in members {
        let value = found.text().get(member.value).unwrap_or_default();
        let name = member.name.into_owned();
        if variables.0.contains_key(&name) {
            let message = format!("`{path}` has a member twice: keep one of them.");
            return Err(Error::invalid(path, message));
        }
        variables.0.insert(name, text_of(value));
    }
    Ok(variables)
}

/// A scalar as text, numbers as they are written; or what it is instead.
fn text_of(value: &str) -> Result<String, &'static str> {
    match value.bytes().next() {
        Some(b'"') => serde_json::from_str(value).map_err(|_| "half of a surrogate pair"),
        Some(b'{') => Err("an object"),
        Some(b'[') => Err("a list"),
        Some(b'n') | None => Err("null"),
        Some(_) => Ok(value.to_owned()),
    }
}
