//! YAML as far as it says what JSON can say, and back.
//!
//! In scope: one YAML 1.2 document of mappings, lists and the scalars of its core schema. Anchors, aliases, tags, merge keys,
//! several documents, keys that repeat or are no strings, and deep nesting are refused where they stand: they are how a small
//! text becomes a large one, or says another thing than its reader sees. The parser is pulled event by event, so that depth
//! costs no stack. Out of scope: what a field means; comments, which a document that is stored loses.
//!
//! No message quotes a value, for it may be a credential (law 8): they name a line and a column.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::Json;

/// The deepest nesting: a document has five levels, and `serde_json` takes 128.
const DEEPEST: usize = 64;

/// Reads the one document of a text.
///
/// # Errors
/// A sentence with line and column.
pub(crate) fn read(text: &str) -> Result<Json, String> {
    let mut building = Building::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| not_yaml(&error))?;
        building.take(event, span)?;
    }
    // An empty document has an event of its own, a null.
    building.document.ok_or_else(|| "the document is empty".to_owned())
}

/// What was read so far.
#[derive(Default)]
struct Building {
    open: Vec<Open>,
    document: Option<Json>,
}

/// A collection whose end has not come.
enum Open {
    List(Vec<Json>),
    Mapping(Mapping),
}

#[derive(Default)]
struct Mapping {
    members: Vec<(String, Json)>,
    /// The key whose value comes next.
    key: Option<String>,
    /// All keys so far: a document of 1 MiB may have a hundred thousand.
    keys: BTreeSet<String>,
}

impl Building {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), String> {
        let at = span.start;
        match event {
            Event::DocumentStart(_) if self.document.is_some() => {
                Err(refused(at, "begins a second document; send one"))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Alias(_) => Err(refused(at, "is an alias (`*name`); write out what it stands for")),
            Event::Scalar(text, style, anchor, tag) => {
                check(at, anchor, tag.is_some())?;
                self.scalar(text, style, at)
            }
            Event::SequenceStart(anchor, tag) => {
                check(at, anchor, tag.is_some())?;
                self.open(at, Open::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                check(at, anchor, tag.is_some())?;
                self.open(at, Open::Mapping(Mapping::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(items)) => self.put(Json::Array(items)),
                Some(Open::Mapping(mapping)) => self.put(Json::Object(mapping.members)),
                None => Err(refused(at, "ends what did not begin")),
            },
        }
    }

    fn open(&mut self, at: Marker, collection: Open) -> Result<(), String> {
        if let Some(Open::Mapping(Mapping { key: None, .. })) = self.open.last() {
            return Err(refused(at, "has a list or mapping for a key; keys are strings"));
        }
        if self.open.len() == DEEPEST {
            return Err(refused(at, "is nested too deeply"));
        }
        self.open.push(collection);
        Ok(())
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, at: Marker) -> Result<(), String> {
        let is_plain = style == ScalarStyle::Plain;
        let Some(Open::Mapping(Mapping { key: key @ None, keys, .. })) = self.open.last_mut() else {
            let value = if is_plain { plain(text, at)? } else { Json::Text(text.into_owned()) };
            return self.put(value);
        };
        if is_plain && text == "<<" {
            return Err(refused(at, "is a merge key (`<<`); write out what it would bring in"));
        }
        if is_plain && !matches!(plain(Cow::Borrowed(&text), at), Ok(Json::Text(_))) {
            return Err(refused(at, "has a key that is no string; put it in quotes"));
        }
        if !keys.insert(text.clone().into_owned()) {
            return Err(refused(at, "repeats a key of its mapping; keep one of them"));
        }
        *key = Some(text.into_owned());
        Ok(())
    }

    /// A value is whole: it belongs to the innermost open collection, or is the document.
    fn put(&mut self, value: Json) -> Result<(), String> {
        match self.open.last_mut() {
            Some(Open::List(items)) => items.push(value),
            Some(Open::Mapping(Mapping { members, key, .. })) => {
                members.extend(key.take().map(|key| (key, value)));
            }
            None => self.document = Some(value),
        }
        Ok(())
    }
}

fn check(at: Marker, anchor: usize, has_tag: bool) -> Result<(), String> {
    if anchor != 0 {
        return Err(refused(at, "has an anchor (`&name`); write it without"));
    }
    if has_tag {
        return Err(refused(at, "has a tag (`!name`); write it without"));
    }
    Ok(())
}

/// What a plain scalar stands for in the core schema of YAML 1.2: `yes` and `on` are strings there.
fn plain(text: Cow<'_, str>, at: Marker) -> Result<Json, String> {
    Ok(match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "true" | "True" | "TRUE" => Json::Bool(true),
        "false" | "False" | "FALSE" => Json::Bool(false),
        word => match number(word) {
            Some(number) if number.is_finite() => Json::Number(number),
            Some(_) => return Err(refused(at, "is a number that JSON cannot write; put it in quotes")),
            None => Json::Text(text.into_owned()),
        },
    })
}

/// The number that a plain scalar stands for, where it does for one.
fn number(word: &str) -> Option<f64> {
    if let Some(digits) = word.strip_prefix("0o") {
        return of_digits(digits, 8);
    }
    if let Some(digits) = word.strip_prefix("0x") {
        return of_digits(digits, 16);
    }
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(word, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    let begins_well = unsigned.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    let may_be = unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    // Rust's own grammar of floats is that of the core schema, once words such as `inf` are out.
    if begins_well && may_be { word.parse().ok() } else { None }
}

fn of_digits(digits: &str, radix: u32) -> Option<f64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in digits.chars() {
        value = value * f64::from(radix) + f64::from(digit.to_digit(radix)?);
    }
    Some(value)
}

fn refused(at: Marker, why: &str) -> String {
    format!("line {} column {} {why}", at.line(), at.col() + 1)
}

fn not_yaml(error: &ScanError) -> String {
    let at = error.marker();
    // The one sentence of the parser's that quotes what it read.
    let why = if error.info().contains('`') { "unexpected character" } else { error.info() };
    format!("the document is not YAML: {why} at line {} column {}", at.line(), at.col() + 1)
}

/// Writes a document in block style. What it reads back as is the same value.
pub(crate) fn write(value: &Json) -> String {
    let mut out = String::new();
    match value {
        Json::Array(items) if !items.is_empty() => list(&mut out, items, 0),
        Json::Object(members) if !members.is_empty() => mapping(&mut out, members, 0),
        scalar => {
            atom(&mut out, scalar);
            out.push('\n');
        }
    }
    out
}

fn list(out: &mut String, items: &[Json], indent: usize) {
    for item in items {
        indented(out, indent);
        out.push('-');
        match item {
            // The first member stands beside the dash.
            Json::Object(members) if !members.is_empty() => {
                let mut inner = String::new();
                mapping(&mut inner, members, indent + 1);
                out.push(' ');
                out.push_str(inner.trim_start_matches(' '));
            }
            other => nested(out, other, indent),
        }
    }
}

fn mapping(out: &mut String, members: &[(String, Json)], indent: usize) {
    for (key, value) in members {
        indented(out, indent);
        text(out, key);
        out.push(':');
        nested(out, value, indent);
    }
}

/// A value after its dash or colon.
fn nested(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Array(items) if !items.is_empty() => {
            out.push('\n');
            list(out, items, indent + 1);
        }
        Json::Object(members) if !members.is_empty() => {
            out.push('\n');
            mapping(out, members, indent + 1);
        }
        scalar => {
            out.push(' ');
            atom(out, scalar);
            out.push('\n');
        }
    }
}

fn indented(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n("  ", indent));
}

fn atom(out: &mut String, value: &Json) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{number:?}");
        }
        Json::Text(value) => text(out, value),
        Json::Array(_) => out.push_str("[]"),
        Json::Object(_) => out.push_str("{}"),
    }
}

/// A string: bare where every reader of YAML takes it for one, else in double quotes.
fn text(out: &mut String, value: &str) {
    const LOOK_LIKE_OTHERS: &[&str] = &["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_bare = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte))
        && !LOOK_LIKE_OTHERS.iter().any(|word| value.eq_ignore_ascii_case(word));
    let is_url = value.starts_with("https://")
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./-:".contains(&byte))
        && !value.ends_with(':');
    if is_bare || is_url {
        out.push_str(value);
        return;
    }
    out.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            // What YAML has for no printable character, and what breaks its lines.
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}'..='\u{ffff}') =>
            {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
