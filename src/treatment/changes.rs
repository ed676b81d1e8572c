//! Which members of a request parameters are, in a dialect and for a model.
//!
//! The encoders know: a request is written with the parameters and without, and what differs is theirs. So that what a model
//! takes and how it is called there is not known twice. What of the caller's own settings has a bearing (its thinking, on a
//! temperature) is in both.

use serde_json::{Map, Value};

use super::parameters::Parameters;
use super::places::Places;
use crate::dialect::conversation::Conversation;
use crate::dialect::loss::{Losses, TABLE};
use crate::dialect::{Dialect, translate};
use crate::provider::Habits;

/// A member that is set, or removed where it has no value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// The object that it is a member of; `None` where it is the request's own.
    pub(super) object: Option<&'static str>,
    pub(super) name: String,
    pub(super) value: Option<Value>,
}

/// The changes that make a request of the caller's settings one with the parameters; and the names of what is lost.
pub(super) fn of(
    parameters: &Parameters,
    caller: &Conversation,
    dialect: Dialect,
    model: &str,
    habits: &Habits,
) -> (Vec<Change>, Vec<&'static str>) {
    let (rest, own) = parameters.in_own_words(dialect, habits);
    let places = &dialect.wire().places;
    let (mut changes, mut lost) = spelled(&rest, caller, dialect, model, places)
        .or_else(|| spelled(&rest, &Conversation::default(), dialect, model, places))
        .unwrap_or_else(|| (Vec::new(), vec!["parameters"]));
    let own_members = own.members.into_iter();
    changes.extend(own_members.map(|(name, value)| Change {
        object: None,
        name: name.to_owned(),
        value: Some(value),
    }));
    lost.extend(own.lost);
    (changes, lost)
}

/// `None` where the caller's settings are none that an encoder can write.
fn spelled(
    parameters: &Parameters,
    caller: &Conversation,
    dialect: Dialect,
    model: &str,
    places: &Places,
) -> Option<(Vec<Change>, Vec<&'static str>)> {
    if *parameters == Parameters::default() {
        return Some(Default::default());
    }
    let written = |conversation: &Conversation| {
        let mut losses = Losses::forgiving(dialect, TABLE.iter().map(|row| row.feature).collect());
        let body = translate::encode_request(dialect, conversation, model, &mut losses).ok()?;
        let body: Map<String, Value> = serde_json::from_slice(&body).ok()?;
        Some((body, losses.names().collect::<Vec<_>>()))
    };
    let mut treated = caller.clone();
    parameters.set(&mut treated);
    let mut otherwise = caller.clone();
    parameters.unset(&mut otherwise);
    let mut alone = Conversation::default();
    parameters.set(&mut alone);

    let (treated, mut lost) = written(&treated)?;
    let (otherwise, lost_anyway) = written(&otherwise)?;
    let (as_it_was, _) = written(caller)?;
    let (_, lost_alone) = written(&alone)?;
    lost.retain(|name| !lost_anyway.contains(name) || lost_alone.contains(name));

    let mut changes = Vec::new();
    for before in [otherwise, as_it_was] {
        differences(&before, &treated, places, &mut changes);
    }
    Some((changes, lost))
}

/// Adds what is other in a request than it was before.
fn differences(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    places: &Places,
    changes: &mut Vec<Change>,
) {
    let empty = Map::new();
    for name in names(before, after).filter(|name| !places.left.contains(&name.as_str())) {
        let object = places.objects.iter().find(|object| **object == name.as_str()).copied();
        match object {
            None => differ(None, name, before, after, changes),
            Some(_) => {
                let [before, after] = [before, after].map(|body| body.get(name).and_then(Value::as_object));
                let (before, after) = (before.unwrap_or(&empty), after.unwrap_or(&empty));
                names(before, after).for_each(|name| differ(object, name, before, after, changes));
            }
        }
    }
}

/// Every name of two objects, once.
fn names<'m>(
    before: &'m Map<String, Value>,
    after: &'m Map<String, Value>,
) -> impl Iterator<Item = &'m String> {
    after.keys().chain(before.keys().filter(|name| !after.contains_key(*name)))
}

fn differ(
    object: Option<&'static str>,
    name: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    changes: &mut Vec<Change>,
) {
    let is_known = || changes.iter().any(|change| change.object == object && change.name == name);
    if before.get(name) != after.get(name) && !is_known() {
        changes.push(Change { object, name: name.to_owned(), value: after.get(name).cloned() });
    }
}
