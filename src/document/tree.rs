//! JSON that is changed in places: whatever is not touched is written as its author wrote it, to the last space.
//!
//! In scope: reading text that serde_json has accepted, finding a field by either spelling, putting one in, taking one out.
//! Out of scope: what the fields mean (`router::edit`), and faults: whoever edits parses the result as a document again.

use super::fields::snake_case;
use super::json::Json;

/// A value with the white space within it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// Its members; what stands between the braces where there are none.
    Object(Vec<Member>, String),
    /// Its items; what stands between the brackets where there are none.
    Array(Vec<Item>, String),
    /// Any other value, and any that is put in whole.
    Raw(String),
}

/// A member, and the white space around it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    before: String,
    /// As written, in quotes.
    key: String,
    /// Decoded, as the author spells it.
    pub(crate) name: String,
    /// The colon and the white space around it.
    colon: String,
    pub(crate) value: Tree,
    after: String,
}

/// An item, and the white space around it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    before: String,
    pub(crate) value: Tree,
    after: String,
}

/// How the author spells keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `variant_id`
    Snake,
    /// `variantId`
    Camel,
}

/// Where a field goes that is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    Last,
}

impl Tree {
    /// Reads a document. `None` where it is not JSON, which whoever has parsed it before has said better.
    pub(crate) fn read(bytes: &[u8]) -> Option<Tree> {
        let text = std::str::from_utf8(bytes).ok()?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // It checks the syntax and the depth, on which the scanner relies.
        serde_json::from_str::<Json>(text).ok()?;
        let mut scanner = Scanner { rest: text };
        scanner.space();
        scanner.value()
    }

    /// A string.
    pub(crate) fn text(text: &str) -> Tree {
        Tree::Raw(serde_json::Value::from(text).to_string())
    }

    /// The members of an object; none of any other value.
    pub(crate) fn members(&self) -> &[Member] {
        match self {
            Tree::Object(members, _) => members,
            Tree::Array(..) | Tree::Raw(_) => &[],
        }
    }

    /// The members of an object; none of any other value.
    pub(crate) fn members_mut(&mut self) -> &mut [Member] {
        match self {
            Tree::Object(members, _) => members,
            Tree::Array(..) | Tree::Raw(_) => &mut [],
        }
    }

    /// The items of an array; none of any other value.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Tree> {
        let items = match self {
            Tree::Array(items, _) => items.as_slice(),
            Tree::Object(..) | Tree::Raw(_) => &[],
        };
        items.iter().map(|item| &item.value)
    }

    /// The items of an array; none of any other value.
    pub(crate) fn items_mut(&mut self) -> impl Iterator<Item = &mut Tree> {
        let items = match self {
            Tree::Array(items, _) => items.as_mut_slice(),
            Tree::Object(..) | Tree::Raw(_) => &mut [],
        };
        items.iter_mut().map(|item| &mut item.value)
    }

    /// A field of an object by its snake-case name.
    pub(crate) fn get(&self, name: &str) -> Option<&Tree> {
        self.members().iter().find(|member| snake_case(&member.name) == name).map(|member| &member.value)
    }

    /// A field of an object by its snake-case name.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Tree> {
        let Tree::Object(members, _) = self else { return None };
        let member = members.iter_mut().find(|member| snake_case(&member.name) == name);
        member.map(|member| &mut member.value)
    }

    /// Gives an object's field a value: where it stands, if it does; else at `place`, in `spelling` and in the way in which its
    /// neighbours are set out.
    pub(crate) fn set(&mut self, name: &str, spelling: Spelling, place: Place, value: Tree) {
        if let Some(old) = self.get_mut(name) {
            *old = value;
            return;
        }
        let Tree::Object(members, inner) = self else { return };
        let name = spelled(name, spelling);
        let key = serde_json::Value::from(name.as_str()).to_string();
        let neighbour = match place {
            Place::First => members.first(),
            Place::Last => members.last(),
        };
        let colon = neighbour.map_or_else(|| ": ".to_owned(), |neighbour| neighbour.colon.clone());
        let mut member = Member { before: String::new(), key, name, colon, value, after: String::new() };
        let between = match members.as_slice() {
            [] => String::new(),
            [only] if only.before.is_empty() && only.colon.ends_with(' ') => " ".to_owned(),
            [only] => only.before.clone(),
            [.., last] => last.before.clone(),
        };
        match (members.first_mut(), place) {
            (None, _) => member.before = std::mem::take(inner),
            (Some(first), Place::First) => {
                let second = between;
                member.before = std::mem::replace(&mut first.before, second);
            }
            (Some(_), Place::Last) => {
                member.before = between;
                if let Some(last) = members.last_mut() {
                    member.after = std::mem::take(&mut last.after);
                }
            }
        }
        match place {
            Place::First => members.insert(0, member),
            Place::Last => members.push(member),
        }
    }

    /// Takes a field out of an object, in every spelling in which it stands there.
    pub(crate) fn remove(&mut self, name: &str) {
        let Tree::Object(members, inner) = self else { return };
        while let Some(at) = members.iter().position(|member| snake_case(&member.name) == name) {
            let removed = members.remove(at);
            if members.is_empty() {
                *inner = String::new();
            } else if at == members.len() {
                members.iter_mut().last().into_iter().for_each(|last| last.after.clone_from(&removed.after));
            } else if at == 0 {
                members.iter_mut().take(1).for_each(|first| first.before.clone_from(&removed.before));
            }
        }
    }

    /// How the keys in here are spelled, by their majority; `None` where none of them tells.
    pub(crate) fn spelling(&self) -> Option<Spelling> {
        let mut told = Told::default();
        self.tell(&mut told, true);
        told.spelling()
    }

    /// How the keys of this very object are spelled.
    pub(crate) fn own_spelling(&self) -> Option<Spelling> {
        let mut told = Told::default();
        self.tell(&mut told, false);
        told.spelling()
    }

    fn tell(&self, told: &mut Told, is_deep: bool) {
        match self {
            Tree::Object(members, _) => {
                for member in members {
                    told.hear(&member.name);
                    if is_deep {
                        member.value.tell(told, true);
                    }
                }
            }
            Tree::Array(items, _) if is_deep => items.iter().for_each(|item| item.value.tell(told, true)),
            Tree::Array(..) | Tree::Raw(_) => {}
        }
    }

    /// Whether it is `null`, which counts as absent in a document.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Tree::Raw(text) if text == "null")
    }

    /// The JSON.
    pub(crate) fn written(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) {
        match self {
            Tree::Raw(text) => out.push_str(text),
            Tree::Array(items, inner) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&item.before);
                    item.value.write(out);
                    out.push_str(&item.after);
                }
                out.push_str(inner);
                out.push(']');
            }
            Tree::Object(members, inner) => {
                out.push('{');
                for (at, member) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    [&member.before, &member.key, &member.colon]
                        .into_iter()
                        .for_each(|part| out.push_str(part));
                    member.value.write(out);
                    out.push_str(&member.after);
                }
                out.push_str(inner);
                out.push('}');
            }
        }
    }
}

/// Keys that tell how their author spells.
#[derive(Default)]
struct Told {
    snake: usize,
    camel: usize,
}

impl Told {
    fn hear(&mut self, name: &str) {
        let is_camel = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.contains(|c: char| c.is_ascii_uppercase());
        self.snake += usize::from(name.contains('_'));
        self.camel += usize::from(is_camel);
    }

    fn spelling(&self) -> Option<Spelling> {
        match (self.snake, self.camel) {
            (0, 0) => None,
            (snake, camel) if camel > snake => Some(Spelling::Camel),
            _ => Some(Spelling::Snake),
        }
    }
}

/// A snake-case name as it is spelled.
pub(crate) fn spelled(name: &str, spelling: Spelling) -> String {
    let mut out = String::with_capacity(name.len());
    let mut is_next_upper = false;
    for character in name.chars() {
        match (character, spelling) {
            ('_', Spelling::Camel) => is_next_upper = true,
            _ if std::mem::take(&mut is_next_upper) => out.push(character.to_ascii_uppercase()),
            _ => out.push(character),
        }
    }
    out
}

/// Goes through text that is known to be JSON; what is not gives `None`.
struct Scanner<'t> {
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    /// Takes what is white space.
    fn space(&mut self) -> &'t str {
        let after = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
        self.taken(self.rest.len() - after.len()).unwrap_or_default()
    }

    fn taken(&mut self, bytes: usize) -> Option<&'t str> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn symbol(&mut self, symbol: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(symbol)?;
        Some(())
    }

    fn value(&mut self) -> Option<Tree> {
        match self.rest.chars().next()? {
            '{' => self.object(),
            '[' => self.array(),
            '"' => Some(Tree::Raw(self.string()?.to_owned())),
            _ => {
                let end = self.rest.find([',', '}', ']', ' ', '\n', '\r', '\t']).unwrap_or(self.rest.len());
                Some(Tree::Raw(self.taken(end)?.to_owned()))
            }
        }
    }

    /// A string, in its quotes.
    fn string(&mut self) -> Option<&'t str> {
        let bytes = self.rest.as_bytes();
        let mut at = 1;
        loop {
            match bytes.get(at)? {
                b'"' => return self.taken(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }

    fn object(&mut self) -> Option<Tree> {
        self.symbol('{')?;
        let mut before = self.space();
        let mut members = Vec::new();
        if self.symbol('}').is_some() {
            return Some(Tree::Object(members, before.to_owned()));
        }
        loop {
            let key = self.string()?;
            let between = self.space();
            self.symbol(':')?;
            let colon = format!("{between}:{}", self.space());
            let value = self.value()?;
            let after = self.space().to_owned();
            let name = serde_json::from_str(key).ok()?;
            members.push(Member {
                before: before.to_owned(),
                key: key.to_owned(),
                name,
                colon,
                value,
                after,
            });
            if self.symbol('}').is_some() {
                return Some(Tree::Object(members, String::new()));
            }
            self.symbol(',')?;
            before = self.space();
        }
    }

    fn array(&mut self) -> Option<Tree> {
        self.symbol('[')?;
        let mut before = self.space();
        let mut items = Vec::new();
        if self.symbol(']').is_some() {
            return Some(Tree::Array(items, before.to_owned()));
        }
        loop {
            let value = self.value()?;
            let after = self.space().to_owned();
            items.push(Item { before: before.to_owned(), value, after });
            if self.symbol(']').is_some() {
                return Some(Tree::Array(items, String::new()));
            }
            self.symbol(',')?;
            before = self.space();
        }
    }
}
