//! Reading an object typed by hand: both spellings of a field, wrong types, typos; every fault collected, none fatal.

use serde_json::{Map, Value};

use crate::fault::Fault;

/// How many faults, and how many warnings, are listed; the rest are counted. A document of 1 MiB could have half a
/// million, and nobody reads more than a screen of them.
const MOST: usize = 64;

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings {
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    more_faults: usize,
    more_warnings: usize,
}

/// One object of the document, and where it is.
pub(super) struct Fields<'v> {
    path: String,
    object: &'v Map<String, Value>,
}

impl Findings {
    pub(super) fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        push(&mut self.faults, &mut self.more_faults, path.into(), message.into());
    }

    pub(super) fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        push(&mut self.warnings, &mut self.more_warnings, path.into(), message.into());
    }

    /// The warnings, or the faults where there is one.
    pub(super) fn finish(mut self) -> Result<Vec<Fault>, Vec<Fault>> {
        note_more(&mut self.faults, self.more_faults);
        note_more(&mut self.warnings, self.more_warnings);
        if self.faults.is_empty() { Ok(self.warnings) } else { Err(self.faults) }
    }
}

fn push(list: &mut Vec<Fault>, more: &mut usize, path: String, message: String) {
    if list.len() < MOST {
        list.push(Fault { path, message });
    } else {
        *more += 1;
    }
}

fn note_more(list: &mut Vec<Fault>, more: usize) {
    if more > 0 {
        list.push(Fault::new("", format!("and {more} more")));
    }
}

impl<'v> Fields<'v> {
    /// The object at `path`; each key that is not one of `known` (in snake case) is a fault where it looks like a typo,
    /// else a warning.
    pub(super) fn read(
        value: &'v Value,
        path: String,
        known: &[&str],
        findings: &mut Findings,
    ) -> Option<Fields<'v>> {
        let Value::Object(object) = value else {
            findings.fault(path, format!("must be an object, not {}", kind(value)));
            return None;
        };
        let fields = Fields { path, object };
        for name in object.keys() {
            fields.check_name(name, known, findings);
        }
        Some(fields)
    }

    /// The path of a field.
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Whether a field is there, in either spelling; null is absent.
    pub(super) fn has(&self, name: &str) -> bool {
        let values = [self.object.get(name), self.object.get(&camel(name))];
        values.into_iter().flatten().any(|value| !value.is_null())
    }

    /// A field, in snake or camel case; null is absent.
    pub(super) fn get(&self, name: &str, findings: &mut Findings) -> Option<&'v Value> {
        let camel = camel(name);
        let (snake_value, camel_value) = (self.object.get(name), self.object.get(&camel));
        if camel != name && snake_value.is_some() && camel_value.is_some() {
            findings.fault(self.at(name), format!("is given twice, as `{name}` and as `{camel}`; keep one"));
        }
        let is_there = |value: &&Value| !value.is_null();
        snake_value.filter(is_there).or(camel_value.filter(is_there))
    }

    /// A field that is a string.
    pub(super) fn string(&self, name: &str, findings: &mut Findings) -> Option<&'v str> {
        let value = self.get(name, findings)?;
        let text = value.as_str();
        if text.is_none() {
            findings.fault(self.at(name), format!("must be a string, not {}", kind(value)));
        }
        text
    }

    /// A field that is an array.
    pub(super) fn array(&self, name: &str, findings: &mut Findings) -> Option<&'v [Value]> {
        let value = self.get(name, findings)?;
        let items = value.as_array();
        if items.is_none() {
            findings.fault(self.at(name), format!("must be an array, not {}", kind(value)));
        }
        items.map(Vec::as_slice)
    }

    /// A field that is an array of strings, with the path of each; an item of another type is a fault and left out.
    pub(super) fn strings(&self, name: &str, findings: &mut Findings) -> Option<Vec<(String, &'v str)>> {
        let items = self.array(name, findings)?;
        let mut strings = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", self.at(name));
            match item.as_str() {
                Some(text) => strings.push((path, text)),
                None => findings.fault(path, format!("must be a string, not {}", kind(item))),
            }
        }
        Some(strings)
    }

    fn check_name(&self, name: &str, known: &[&str], findings: &mut Findings) {
        if known.iter().any(|known| *known == name || camel(known) == name) {
            return;
        }
        let shown: String = name.chars().take(64).collect();
        match known.iter().find(|known| is_typo(name, known) || is_typo(name, &camel(known))) {
            Some(known) => {
                findings.fault(self.at(&shown), format!("is no field here; did you mean `{known}`?"));
            }
            None => findings.warn(self.at(&shown), "is no field here, and is ignored"),
        }
    }
}

/// At most two slips, and one only in a short name: every name of two letters is two slips from `id`.
fn is_typo(name: &str, known: &str) -> bool {
    let slips = if known.len() <= 4 { 1 } else { 2 };
    // The distance is at least the difference of the lengths; a name of a megabyte is not measured.
    name.len().abs_diff(known.len()) <= 2 * slips && strsim::damerau_levenshtein(name, known) <= slips
}

/// The nearest of `known`, where a slip or two lie between.
pub(super) fn typo_of<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known.iter().copied().find(|known| is_typo(name, known))
}

fn camel(snake: &str) -> String {
    let mut camel = String::with_capacity(snake.len());
    let mut raise = false;
    for c in snake.chars() {
        if c == '_' {
            raise = true;
        } else {
            camel.push(if raise { c.to_ascii_uppercase() } else { c });
            raise = false;
        }
    }
    camel
}

/// A JSON type, for a message.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
