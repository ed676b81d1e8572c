//! Arguments that Vertex AI streams: `partialArgs`, values by their paths, as the text of one JSON object.
//!
//! Each entry is written as it comes: whatever its path has in common with the one before stays open, the rest is closed.
//! That holds while the values come in the order of the object, as they do; one for an object that is closed is an error.
//! A string stays open until something else comes, for Google sends an empty piece after each. A path without a value ends
//! a string or an array, or is an empty object, or (ending in `[]`) an empty array.

use serde_json::Value;

use crate::dialect::answer::Malformed;

/// The text in the making.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// The containers that are open, the outermost first.
    open: Vec<Container>,
    /// The path of the string that is open, beneath the innermost.
    string: Option<Step>,
}

#[derive(Debug)]
struct Container {
    /// Its place in the one around it; the outermost has none.
    step: Option<Step>,
    is_array: bool,
    members: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

impl Arguments {
    /// Appends what an entry of `partialArgs` adds to the text.
    ///
    /// # Errors
    /// Where it is none, or belongs to what is closed.
    pub(super) fn push(&mut self, entry: &Value, out: &mut String) -> Result<(), Malformed> {
        let path = entry.get("jsonPath").and_then(Value::as_str);
        let path =
            path.ok_or_else(|| Malformed("an entry of `partialArgs` lacks its `jsonPath`".to_owned()))?;
        let (steps, is_array) = steps(path)?;
        self.open_root(out);
        let Some((last, around)) = steps.split_last() else { return Ok(()) };
        let text = entry.get("stringValue").and_then(Value::as_str);
        if self.is_at(around) && self.string.as_ref() == Some(last) {
            out.push_str(&inside_quotes(text.unwrap_or_default()));
            return Ok(());
        }
        let scalar = ["numberValue", "boolValue"].iter().find_map(|name| entry.get(name));
        let scalar = scalar.cloned().or_else(|| entry.get("nullValue").map(|_| Value::Null));
        match (text, scalar) {
            (Some(text), _) => {
                self.enter(around, matches!(last, Step::Index(_)), out)?;
                self.begin_member(last, out)?;
                out.push('"');
                out.push_str(&inside_quotes(text));
                self.string = Some(last.clone());
            }
            (None, Some(scalar)) => {
                self.enter(around, matches!(last, Step::Index(_)), out)?;
                self.begin_member(last, out)?;
                out.push_str(&scalar.to_string());
            }
            // An end, or nothing yet.
            (None, None)
                if self.is_known(around, last) || entry.get("willContinue") == Some(&Value::Bool(true)) => {}
            (None, None) => self.enter(&steps, is_array, out)?,
        }
        Ok(())
    }

    /// Appends the end of the text.
    pub(super) fn finish(&mut self, out: &mut String) {
        self.open_root(out);
        self.close_to(0, out);
    }

    fn open_root(&mut self, out: &mut String) {
        if self.open.is_empty() {
            self.open.push(Container { step: None, is_array: false, members: Vec::new() });
            out.push('{');
        }
    }

    /// Whether the innermost open container is that one.
    fn is_at(&self, path: &[Step]) -> bool {
        self.open.len() == path.len() + 1 && self.in_common(path) == path.len() + 1
    }

    /// How many of the open containers lie on the way to a path, the outermost included.
    fn in_common(&self, path: &[Step]) -> usize {
        let inner = self.open.iter().skip(1);
        1 + inner.zip(path).take_while(|(open, step)| open.step.as_ref() == Some(*step)).count()
    }

    /// Whether there is such a member already, so that a path without a value is its end.
    fn is_known(&self, around: &[Step], last: &Step) -> bool {
        let depth = self.in_common(around);
        let is_open = depth == around.len() + 1;
        let missing = around.get(depth.saturating_sub(1)).unwrap_or(last);
        let step = if is_open { last } else { missing };
        self.open.get(depth.saturating_sub(1)).is_some_and(|container| container.members.contains(step))
    }

    fn close_to(&mut self, depth: usize, out: &mut String) {
        if self.string.take().is_some() {
            out.push('"');
        }
        while self.open.len() > depth {
            let closed = self.open.pop();
            out.push(if closed.is_some_and(|container| container.is_array) { ']' } else { '}' });
        }
    }

    /// Closes and opens containers until that at `path` is the innermost.
    fn enter(&mut self, path: &[Step], is_array: bool, out: &mut String) -> Result<(), Malformed> {
        let depth = self.in_common(path);
        self.close_to(depth, out);
        for (at, step) in path.iter().enumerate().skip(depth - 1) {
            self.begin_member(step, out)?;
            let is_array = match path.get(at + 1) {
                Some(next) => matches!(next, Step::Index(_)),
                None => is_array,
            };
            self.open.push(Container { step: Some(step.clone()), is_array, members: Vec::new() });
            out.push(if is_array { '[' } else { '{' });
        }
        Ok(())
    }

    fn begin_member(&mut self, step: &Step, out: &mut String) -> Result<(), Malformed> {
        let Some(container) = self.open.last_mut() else { return Ok(()) };
        let fits = match step {
            Step::Name(_) => !container.is_array && !container.members.contains(step),
            Step::Index(index) => container.is_array && *index == container.members.len(),
        };
        if !fits {
            return Err(Malformed(format!("`partialArgs` comes back to {step:?}, which is complete")));
        }
        if !container.members.is_empty() {
            out.push(',');
        }
        if let Step::Name(name) = step {
            out.push_str(&Value::from(name.as_str()).to_string());
            out.push(':');
        }
        container.members.push(step.clone());
        Ok(())
    }
}

/// A text as JSON has it, without its quotes.
fn inside_quotes(text: &str) -> String {
    let mut quoted = Value::from(text).to_string();
    quoted.pop();
    if !quoted.is_empty() {
        quoted.remove(0);
    }
    quoted
}

/// The steps of a path (RFC 9535, names and indices alone), and whether it ends in `[]`.
fn steps(path: &str) -> Result<(Vec<Step>, bool), Malformed> {
    let malformed = || Malformed(format!("`{path}` is no path of an argument"));
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if rest == "[]" {
            return Ok((steps, true));
        }
        if let Some(bracketed) = rest.strip_prefix('[') {
            let quote = bracketed.chars().next().filter(|char| matches!(char, '\'' | '"'));
            let (step, after) = match quote {
                Some(quote) => {
                    let name = bracketed.strip_prefix(quote).unwrap_or_default();
                    let (name, after) = name.split_once(quote).ok_or_else(malformed)?;
                    (Step::Name(name.to_owned()), after.strip_prefix(']').ok_or_else(malformed)?)
                }
                None => {
                    let (index, after) = bracketed.split_once(']').ok_or_else(malformed)?;
                    (Step::Index(index.parse().map_err(|_| malformed())?), after)
                }
            };
            steps.push(step);
            rest = after;
            continue;
        }
        let name = rest.strip_prefix('.').unwrap_or(rest);
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, after) = name.split_at_checked(end).ok_or_else(malformed)?;
        if name.is_empty() {
            return Err(malformed());
        }
        steps.push(Step::Name(name.to_owned()));
        rest = after;
    }
    Ok((steps, false))
}
