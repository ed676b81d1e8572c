//! Reading a document's objects: by either spelling of a field's name, with a fault for what is wrong and a path for each.

use crate::document::json::Json;
use crate::document::table::Field;
use crate::fault::Fault;

/// How many faults, and how many warnings, are listed; the rest are counted. A document of 1 MiB could have half a
/// million, and nobody reads more than a screen of them.
const MOST: usize = 64;

/// What a path shows of a key that is no field's, which may be of any length.
const LONGEST_KEY: usize = 64;

/// Collects what is wrong.
#[derive(Default)]
pub(crate) struct Reader {
    faults: Findings,
    warnings: Findings,
}

/// A value, and where it was found in its author's own spelling.
pub(crate) struct Found {
    /// Empty for the whole document.
    pub(crate) path: String,
    pub(crate) value: Json,
}

/// The known fields of one object, and where it is.
pub(crate) struct Fields {
    path: String,
    found: Vec<(&'static str, Found)>,
}

impl Reader {
    pub(crate) fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.faults.push(path.into(), message.into());
    }

    pub(crate) fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(path.into(), message.into());
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_faultless(&self) -> bool {
        self.faults.listed.is_empty()
    }

    /// What was read and the warnings, or the faults where there is one. Nothing may be `None` without a fault that says why.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<(T, Vec<Fault>), Vec<Fault>> {
        match read {
            Some(read) if self.is_faultless() => Ok((read, self.warnings.finish())),
            _ => Err(self.faults.finish()),
        }
    }

    /// An object whose fields are among `known`, in snake case: a field that is given twice, or looks like a typo of a
    /// known one, is a fault; any other that is not known is a warning.
    pub(crate) fn object(&mut self, found: Found, known: &[impl Named]) -> Option<Fields> {
        self.read_object(found, known, false)
    }

    /// The same, of an object that would mean something else without any of its fields: one that is not known is a fault too.
    pub(crate) fn object_of(&mut self, found: Found, known: &[impl Named]) -> Option<Fields> {
        self.read_object(found, known, true)
    }

    fn read_object(&mut self, found: Found, known: &[impl Named], is_strict: bool) -> Option<Fields> {
        let Json::Object(members) = found.value else {
            self.wrong_type(&found, "an object");
            return None;
        };
        let mut fields = Fields { path: found.path, found: Vec::new() };
        for (key, value) in members {
            let snake = snake_case(&key);
            let Some(name) = known.iter().map(Named::name).find(|name| *name == snake) else {
                let names: Vec<&str> = known.iter().map(Named::name).collect();
                self.unknown(&fields, &key, &snake, &names, is_strict);
                continue;
            };
            let path = fields.at(&key);
            match fields.found.iter().find(|(other, _)| *other == name) {
                Some((_, first)) if first.path == path => {
                    self.fault(path, "is given twice; keep one of them");
                }
                Some(_) => self.fault(path, "is given twice, in both spellings; keep one of them"),
                None => fields.found.push((name, Found { path, value })),
            }
        }
        Some(fields)
    }

    /// A string.
    pub(crate) fn text<'f>(&mut self, found: &'f Found) -> Option<&'f str> {
        if let Json::Text(text) = &found.value {
            return Some(text);
        }
        self.wrong_type(found, "a string");
        None
    }

    /// true or false.
    pub(crate) fn boolean(&mut self, found: &Found) -> Option<bool> {
        if let Json::Bool(value) = found.value {
            return Some(value);
        }
        self.wrong_type(found, "true or false");
        None
    }

    /// The items of an array.
    pub(crate) fn items(&mut self, found: Found) -> Option<impl ExactSizeIterator<Item = Found> + use<>> {
        let Json::Array(items) = found.value else {
            self.wrong_type(&found, "an array");
            return None;
        };
        let path = found.path;
        let items = items.into_iter().enumerate();
        Some(items.map(move |(index, value)| Found { path: format!("{path}[{index}]"), value }))
    }

    /// The type that a value must have is not the one that it has.
    pub(crate) fn wrong_type(&mut self, found: &Found, right: &str) {
        self.fault(&found.path, format!("must be {right}, not {}", found.value.kind()));
    }

    fn unknown(&mut self, fields: &Fields, key: &str, snake: &str, known: &[&str], is_strict: bool) {
        let shown: String = key.chars().take(LONGEST_KEY).collect();
        match typo_of(snake, known) {
            Some(name) => self.fault(fields.at(&shown), format!("is no field here; did you mean `{name}`?")),
            None if is_strict => {
                let message = format!("is no field here; those that there are: {}", known.join(", "));
                self.fault(fields.at(&shown), message);
            }
            None => self.warn(fields.at(&shown), "is no field here, and is ignored"),
        }
    }
}

/// What is known of a field by those who read: its name, in snake case.
pub(crate) trait Named {
    fn name(&self) -> &'static str;
}

impl Named for Field {
    fn name(&self) -> &'static str {
        self.name
    }
}

/// Names that are another table's, such as that of dialects.
impl Named for &'static str {
    fn name(&self) -> &'static str {
        self
    }
}

impl Fields {
    /// The path of a field that the author spells so.
    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A field by its snake-case name; null is absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Found> {
        let position = self.found.iter().position(|(known, _)| *known == name)?;
        let (_, found) = self.found.swap_remove(position);
        (found.value != Json::Null).then_some(found)
    }

    /// A field that must be there; `write` is what would be right.
    pub(crate) fn required(&mut self, reader: &mut Reader, name: &str, write: &str) -> Option<Found> {
        let found = self.take(name);
        if found.is_none() {
            reader.fault(self.at(name), format!("is missing; write {write}"));
        }
        found
    }
}

/// The nearest of `known` that `name` may be a slip of the hand for: two slips, and one only in a short name, for every
/// name of two letters is two slips from `id`.
pub(crate) fn typo_of<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let length = name.chars().count();
    let slips = |known: &&str| {
        let most = if known.len() <= 4 { 1 } else { 2 };
        // The distance is at least the difference of the lengths; a name of a megabyte is not measured.
        (length.abs_diff(known.len()) <= most)
            .then(|| strsim::damerau_levenshtein(name, known))
            .filter(|slips| *slips <= most)
    };
    let near = known.iter().filter_map(|known| Some((slips(known)?, *known)));
    near.min_by_key(|(slips, _)| *slips).map(|(_, known)| known)
}

/// Faults or warnings, as many as are listed, and how many more there are.
#[derive(Default)]
struct Findings {
    listed: Vec<Fault>,
    more: usize,
}

impl Findings {
    fn push(&mut self, path: String, message: String) {
        if self.listed.len() < MOST {
            self.listed.push(Fault { path, message });
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<Fault> {
        if self.more > 0 {
            self.listed.push(Fault::new("", format!("and {} more", self.more)));
        }
        self.listed
    }
}

/// A key in snake case, whichever way it is spelled.
pub(crate) fn snake_case(key: &str) -> String {
    let mut snake = String::with_capacity(key.len() + 2);
    for character in key.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}
