//! Edits of a stored router document: what the control API does to one.
//!
//! In scope: the new document that a request makes of the old one, in its author's spelling and order, validated, with a sentence
//! of what changed. Out of scope: storing it (`control`), and what a document means (`document`).
//!
//! Every edit ends in `written`: nothing leaves here that the call path would refuse, and every id that was derived from content
//! stands in the document from then on, so that a later edit of a condition or model deals nobody anew.

mod history;
mod ramps;
mod weights;

pub use history::summary;
pub(crate) use ramps::shown as shown_ramp;
pub use ramps::{Action, At, NewStep, NextStep, RampRequest, RampShown, RampState, ramped, ramps};
pub use weights::{PromoteRequest, promoted};

pub use crate::control::Edited;
use crate::document::{self, Place, Spelling, Tree, snake_case};
use crate::error::Error;
use crate::fault::Fault;
use crate::router::document::router_fields;
use crate::router::{Router, parse};

/// What answers add to a document, and what is therefore ignored when it comes back. Never stored.
pub const SERVER_FIELDS: &[&str] = &[
    "etag",
    "revision",
    "create_time",
    "update_time",
    "updated_by",
    "warnings",
    "fault",
    "faults",
    "serving",
    "kv",
    "ramps",
];

/// The document with every derived id written down, in the spelling around it. Router and ids, salts and epochs stay what they
/// were; what has all its ids comes back as it is.
///
/// # Errors
/// Every fault of the document.
pub fn pinned(name: &str, bytes: &[u8]) -> Result<Vec<u8>, Vec<Fault>> {
    let router = parse(name, bytes)?;
    let Some(mut tree) = Tree::read(bytes) else { return Ok(bytes.to_vec()) };
    Ok(if pin(&router, &mut tree) { tree.written().into_bytes() } else { bytes.to_vec() })
}

/// An answer's router less the fields that answers add: the document as its author wrote it.
pub fn authored(answer: &[u8]) -> Vec<u8> {
    let Some(mut tree) = Tree::read(answer) else { return answer.to_vec() };
    SERVER_FIELDS.iter().for_each(|field| tree.remove(field));
    tree.written().into_bytes()
}

/// A new document: what was sent, less the fields that answers add.
///
/// # Errors
/// `InvalidRequest` where it is no JSON object; else every fault of the document.
pub fn created(name: &str, body: &[u8]) -> Result<Edited, Error> {
    written(name, None, sent(body)?)
}

/// The document with fields of `body` in place of its own. With a mask (`routes,defaultRoute`; `*` for all fields) those that it
/// names, and one that the body lacks is cleared; without a mask those that the body has, and null clears.
///
/// # Errors
/// `InvalidRequest` where the body is no object, gives a field twice, names another router, or the mask names a field that is
/// none; else every fault of the document that comes of it.
pub fn updated(name: &str, current: &[u8], body: &[u8], mask: Option<&str>) -> Result<Edited, Error> {
    let changed = merged(name, current, body, mask)?;
    written(name, Some(current), changed)
}

/// The document that [`updated`] validates and writes.
pub(super) fn merged(name: &str, current: &[u8], body: &[u8], mask: Option<&str>) -> Result<Tree, Error> {
    let body = sent(body)?;
    check_name(name, &body)?;
    let mut tree = stored(current)?;
    let fields = match mask.map(str::trim).filter(|mask| !mask.is_empty()) {
        Some("*") => return Ok(whole(&tree, body)),
        Some(mask) => masked(mask)?,
        None => body.members().iter().map(|member| snake_case(&member.name)).collect(),
    };
    let spelling = tree.spelling().or(body.spelling()).unwrap_or(Spelling::Snake);
    for field in fields.iter().filter(|field| *field != "name") {
        match body.get(field).filter(|value| !value.is_null()) {
            Some(value) => {
                // A field that is not ours keeps the spelling in which it was sent.
                let sent = body.members().iter().find(|member| snake_case(&member.name) == *field);
                let is_ours = router_fields().any(|ours| ours == field);
                match sent.filter(|_| !is_ours && tree.get(field).is_none()) {
                    Some(sent) => tree.set(&sent.name, Spelling::Snake, Place::Last, value.clone()),
                    None => tree.set(field, spelling, Place::Last, value.clone()),
                }
            }
            None => tree.remove(field),
        }
    }
    Ok(tree)
}

/// The whole body, with the name that the document gives itself.
fn whole(tree: &Tree, mut body: Tree) -> Tree {
    if let (Some(name), None) = (tree.get("name"), body.get("name")) {
        body.set("name", Spelling::Snake, Place::First, name.clone());
    }
    body
}

/// The fields that a mask names, in snake case.
fn masked(mask: &str) -> Result<Vec<String>, Error> {
    let mut fields = Vec::new();
    for written in mask.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let field = snake_case(written);
        let known = router_fields().chain(SERVER_FIELDS.iter().copied()).any(|known| known == field);
        if !known {
            let shown = crate::nearest::shortened(written);
            let why = match field.split_once('.') {
                Some((outer, _)) if router_fields().any(|ours| ours == outer) => {
                    format!("'{shown}' is within a field; name the whole of it, `{outer}`")
                }
                _ => format!("a router has no field '{shown}'"),
            };
            let known: Vec<&str> =
                router_fields().filter(|known| !matches!(*known, "name" | "ramp")).collect();
            let message = format!("The mask cannot be read: {why}. The fields are {}.", known.join(", "));
            return Err(Error::invalid("update_mask", message));
        }
        fields.push(field);
    }
    fields.retain(|field| !SERVER_FIELDS.contains(&field.as_str()));
    Ok(fields)
}

/// A document that somebody sent: an object, less what answers add.
fn sent(body: &[u8]) -> Result<Tree, Error> {
    document::read(body, "a router document").map_err(|fault| Error::document(vec![fault]))?;
    let tree = Tree::read(body).filter(|tree| matches!(tree, Tree::Object(..)));
    let Some(mut tree) = tree else {
        return Err(Error::document(vec![Fault::new("", "must be an object, the router's document")]));
    };
    let mut names: Vec<String> = tree.members().iter().map(|member| snake_case(&member.name)).collect();
    names.sort_unstable();
    let twice = names.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(one.clone()),
        _ => None,
    });
    if let Some(twice) = twice {
        return Err(Error::document(vec![Fault::new(twice, "is given twice; keep one of them")]));
    }
    SERVER_FIELDS.iter().for_each(|field| tree.remove(field));
    Ok(tree)
}

/// A document that is stored. It has validated, so it is an object.
fn stored(current: &[u8]) -> Result<Tree, Error> {
    Tree::read(current).filter(|tree| matches!(tree, Tree::Object(..))).ok_or_else(|| {
        Error::document(vec![Fault::new(
            "",
            "the stored document is no JSON object; write the whole of it anew",
        )])
    })
}

fn check_name(name: &str, body: &Tree) -> Result<(), Error> {
    let Some(Tree::Raw(written)) = body.get("name").filter(|written| !written.is_null()) else {
        return Ok(());
    };
    let written: String = serde_json::from_str(written).unwrap_or_default();
    if written.strip_prefix("routers/").unwrap_or(&written) == name {
        return Ok(());
    }
    let message = format!(
        "A router's name cannot be changed: this one is '{name}'. Make another, and delete this one."
    );
    Err(Error::invalid("name", message))
}

/// The end of every edit: validated, its ids written down, and what changed in a sentence.
fn written(name: &str, before: Option<&[u8]>, mut tree: Tree) -> Result<Edited, Error> {
    let bytes = tree.written().into_bytes();
    let router = parse(name, &bytes).map_err(Error::document)?;
    let bytes = if pin(&router, &mut tree) { tree.written().into_bytes() } else { bytes };
    let router = parse(name, &bytes).map_err(Error::document)?;
    let summary = summary(name, before, Some(&bytes));
    Ok(Edited { bytes, summary, warnings: router.warnings })
}

/// Writes down the ids of a router that was read of this very document; whether there was one to write.
fn pin(router: &Router, tree: &mut Tree) -> bool {
    let around = tree.spelling().unwrap_or(Spelling::Snake);
    let mut is_changed = false;
    for ((_, route), tree) in router.routes().zip(routes_mut(tree)) {
        let spelling = tree.spelling().unwrap_or(around);
        if let Some(variants) = tree.get_mut("variants") {
            for (variant, slot) in route.variants.iter().zip(variants.items_mut()) {
                let Some(tree) = slot.get_mut("variant") else { continue };
                is_changed |= name(tree, "variant_id", &variant.id, spelling);
            }
        }
        is_changed |= name(tree, "route_id", &route.id, spelling);
    }
    is_changed
}

/// Writes an id where there is none.
fn name(tree: &mut Tree, field: &str, id: &str, spelling: Spelling) -> bool {
    let is_missing = tree.get(field).is_none_or(Tree::is_null);
    if is_missing {
        tree.set(field, tree.own_spelling().unwrap_or(spelling), Place::First, Tree::text(id));
    }
    is_missing
}

/// The routes of a document, in the order of [`Router::routes`].
fn routes_mut(tree: &mut Tree) -> Vec<&mut Tree> {
    let (mut routes, mut default) = (Vec::new(), None);
    for member in tree.members_mut() {
        match snake_case(&member.name).as_str() {
            "routes" => routes.extend(member.value.items_mut().filter_map(|item| item.get_mut("route"))),
            "default_route" if !member.value.is_null() => default = Some(&mut member.value),
            _ => {}
        }
    }
    routes.extend(default);
    routes
}

/// One of them.
fn route_at(tree: &mut Tree, at: usize) -> Option<&mut Tree> {
    routes_mut(tree).into_iter().nth(at)
}
