//! Reading a document's objects: by any spelling of a field's name, with a fault for what is wrong and a path for each.

use crate::fault::Fault;
use crate::router::json::Json;

/// More faults than a person mends in one go; a document of nothing but faults shall not fill a log.
const MOST_FAULTS: usize = 50;

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

/// A field's value, and where it was found in its author's own spelling.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) value: Json,
}

impl Reader {
    pub(super) fn fault(&mut self, path: &str, message: impl Into<String>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault::new(path, message));
        }
    }

    /// A field that must be there is not; `write` is what would be right.
    pub(super) fn missing(&mut self, path: &str, field: &str, write: &str) {
        self.fault(&format!("{path}.{field}"), format!("missing; write {write}"));
    }

    pub(super) fn warn(&mut self, path: &str, message: impl Into<String>) {
        if self.warnings.len() < MOST_FAULTS {
            self.warnings.push(Fault::new(path, message));
        }
    }

    /// An object whose fields are among `known`: a field that is given twice, or looks like a typo of a known one, is a
    /// fault; any other that is not known is a warning.
    pub(super) fn object(&mut self, path: &str, value: Json, known: &[&'static str]) -> Option<Fields> {
        let Json::Object(members) = value else {
            self.fault(path, format!("expected an object, found {}", value.kind()));
            return None;
        };
        let mut fields: Vec<(&'static str, Found)> = Vec::new();
        for (key, value) in members {
            let field_path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let snake = snake_case(&key);
            match known.iter().find(|name| **name == snake) {
                Some(name) if fields.iter().any(|(other, _)| other == name) => {
                    self.fault(&field_path, format!("`{name}` is given twice; keep one of them"));
                }
                Some(name) => fields.push((name, Found { path: field_path, value })),
                None => self.unknown(&field_path, &snake, known),
            }
        }
        Some(Fields(fields))
    }

    fn unknown(&mut self, path: &str, snake: &str, known: &[&'static str]) {
        let nearest = known.iter().min_by_key(|name| strsim::damerau_levenshtein(snake, name));
        match nearest.filter(|name| strsim::damerau_levenshtein(snake, name) <= 2) {
            Some(name) => self.fault(path, format!("there is no such field; did you mean `{name}`?")),
            None => self.warn(path, "this field is not known and has no effect"),
        }
    }

    pub(super) fn text(&mut self, found: Found) -> Option<String> {
        match found.value {
            Json::Text(text) => Some(text),
            other => {
                self.fault(&found.path, format!("expected a string, found {}", other.kind()));
                None
            }
        }
    }

    pub(super) fn list(&mut self, found: Found) -> Option<Vec<Json>> {
        match found.value {
            Json::List(items) => Some(items),
            other => {
                self.fault(&found.path, format!("expected a list, found {}", other.kind()));
                None
            }
        }
    }
}

/// The known fields of one object.
#[derive(Debug)]
pub(super) struct Fields(Vec<(&'static str, Found)>);

impl Fields {
    /// A field by its snake-case name; null is absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Found> {
        let position = self.0.iter().position(|(known, _)| *known == name)?;
        let (_, found) = self.0.swap_remove(position);
        (found.value != Json::Null).then_some(found)
    }
}

fn snake_case(key: &str) -> String {
    let mut snake = String::with_capacity(key.len() + 2);
    for character in key.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}
