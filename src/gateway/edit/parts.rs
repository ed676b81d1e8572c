//! The document as its two lists, whose items are found by id, and a sentence of what changed between two of them.

use std::collections::BTreeMap;

use crate::document::{Found, Json, snake_case};

/// One of the document's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// `downstreams`
    Downstreams,
    /// `rules`
    Rules,
}

impl List {
    /// Its field in the document.
    pub fn field(self) -> &'static str {
        match self {
            List::Downstreams => "downstreams",
            List::Rules => "rules",
        }
    }

    pub(super) fn noun(self) -> &'static str {
        match self {
            List::Downstreams => "downstream",
            List::Rules => "rule",
        }
    }

    pub(super) fn one(self) -> &'static str {
        match self {
            List::Downstreams => "a downstream",
            List::Rules => "a rule",
        }
    }
}

/// A document's members, in order; what is no document has none.
#[derive(Clone)]
pub(super) struct Parts(pub(super) Vec<(String, Json)>);

impl Parts {
    pub(super) fn of(found: Option<Found>) -> Parts {
        match found.map(|found| found.value) {
            Some(Json::Object(members)) => Parts(members),
            _ => Parts(Vec::new()),
        }
    }

    pub(super) fn into_json(self) -> Json {
        Json::Object(self.0)
    }

    pub(super) fn items(&self, list: List) -> &[Json] {
        let found = self.0.iter().find(|(key, _)| snake_case(key) == list.field());
        match found {
            Some((_, Json::Array(items))) => items,
            _ => &[],
        }
    }

    pub(super) fn item(&self, list: List, id: &str) -> Option<&Json> {
        self.items(list).iter().find(|item| id_of(item) == Some(id))
    }

    /// The items of a list by their ids, for who looks for all of them: there may be ten thousand.
    pub(super) fn by_id(&self, list: List) -> BTreeMap<&str, &Json> {
        let mut items = BTreeMap::new();
        for item in self.items(list) {
            if let Some(id) = id_of(item) {
                items.entry(id).or_insert(item);
            }
        }
        items
    }

    pub(super) fn ids(&self, list: List) -> Vec<&str> {
        self.items(list).iter().filter_map(id_of).collect()
    }

    /// The rules that name a downstream.
    pub(super) fn rules_naming(&self, id: &str) -> Vec<&str> {
        let names = |rule: &&Json| match member(rule, "match_downstreams") {
            Some(Json::Array(ids)) => ids.contains(&Json::Text(id.to_owned())),
            _ => false,
        };
        self.items(List::Rules).iter().filter(names).filter_map(id_of).collect()
    }

    /// Adds items; says the list's own name in the document, and the place of the first.
    pub(super) fn push(&mut self, list: List, items: Vec<Json>) -> (String, usize) {
        self.edit(list, |list| {
            let first = list.len();
            list.extend(items);
            first
        })
    }

    /// Puts an item in place of the one of that id, or at the end; says where.
    pub(super) fn put(&mut self, list: List, id: &str, item: Json) -> (String, usize) {
        self.edit(list, |list| {
            match list.iter_mut().enumerate().find(|(_, known)| id_of(known) == Some(id)) {
                Some((place, known)) => {
                    *known = item;
                    place
                }
                None => {
                    list.push(item);
                    list.len() - 1
                }
            }
        })
    }

    pub(super) fn remove(&mut self, list: List, id: &str) {
        self.edit(list, |items| items.retain(|item| id_of(item) != Some(id)));
    }

    /// Edits a list, made where there is none; says its name as the author spells it, too.
    fn edit<R>(&mut self, list: List, edit: impl FnOnce(&mut Vec<Json>) -> R) -> (String, R) {
        let position = self.0.iter().position(|(key, _)| snake_case(key) == list.field());
        let Some((key, value)) = position.and_then(|position| self.0.get_mut(position)) else {
            let mut items = Vec::new();
            let result = edit(&mut items);
            self.0.push((list.field().to_owned(), Json::Array(items)));
            return (list.field().to_owned(), result);
        };
        let mut items = match std::mem::replace(value, Json::Null) {
            Json::Array(items) => items,
            _ => Vec::new(),
        };
        let result = edit(&mut items);
        *value = Json::Array(items);
        (key.clone(), result)
    }
}

/// A member by its name in snake case; null is absent.
pub(super) fn member<'a>(object: &'a Json, name: &str) -> Option<&'a Json> {
    let Json::Object(members) = object else { return None };
    let (_, value) = members.iter().find(|(key, _)| snake_case(key) == name)?;
    (*value != Json::Null).then_some(value)
}

pub(super) fn text<'a>(object: &'a Json, name: &str) -> Option<&'a str> {
    match member(object, name) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
}

pub(super) fn id_of(item: &Json) -> Option<&str> {
    text(item, "id")
}

/// What changed, by ids: "downstream azure added; rule r changed".
pub(super) fn summary(before: &Parts, after: &Parts) -> String {
    let mut said = Vec::new();
    for list in [List::Downstreams, List::Rules] {
        let (old, new) = (before.ids(list), after.ids(list));
        let (was, is) = (before.by_id(list), after.by_id(list));
        let added = new.iter().filter(|id| !was.contains_key(**id));
        let removed = old.iter().filter(|id| !is.contains_key(**id));
        let changed = new.iter().filter(|id| was.get(**id).is_some_and(|item| Some(item) != is.get(**id)));
        let changes = [("added", ids(added)), ("changed", ids(changed)), ("removed", ids(removed))];
        for (verb, ids) in changes.into_iter().filter(|(_, ids)| !ids.is_empty()) {
            said.push(format!("{} {ids} {verb}", list.noun()));
        }
        let kept: Vec<&&str> = old.iter().filter(|id| is.contains_key(**id)).collect();
        if !new.iter().filter(|id| was.contains_key(**id)).eq(kept) {
            said.push(format!("{} in another order", list.field()));
        }
    }
    if said.is_empty() { "written anew".to_owned() } else { said.join("; ") }
}

/// A few ids, and how many more.
fn ids<'a>(ids: impl Iterator<Item = &'a &'a str>) -> String {
    const MOST: usize = 5;
    let ids: Vec<&str> = ids.copied().collect();
    let shown = ids.get(..MOST.min(ids.len())).unwrap_or_default().join(", ");
    match ids.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
