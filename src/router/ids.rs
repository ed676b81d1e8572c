//! Ids of routes and variants: as given, or derived from content and never from position, so that reordering moves nobody.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::document::{Found, Reader};

/// `r-` and eight hex digits of the SHA-256 of the condition: content, not position, so that reordering moves nobody.
pub(super) fn of_condition(source: &str) -> Rc<str> {
    let digest = Sha256::digest(source.as_bytes());
    let (start, _) = digest.split_at(4);
    format!("r-{}", HEXLOWER.encode(start)).into()
}

pub(super) fn given(reader: &mut Reader, found: Found) -> Option<Rc<str>> {
    let id = reader.text(&found)?;
    if is_id(id) {
        return Some(id.into());
    }
    reader.fault(&found.path, format!("'{id}' cannot be an id; begin with a letter or digit, then letters, digits and ._:/@- (at most 96)"));
    None
}

pub(super) fn is_id(id: &str) -> bool {
    id.len() <= 96
        && id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte))
}

/// The ids that are taken in one router or route.
#[derive(Default)]
pub(super) struct Taken {
    ids: HashSet<Rc<str>>,
    /// The number that a derived id was given last: counting from 2 for each would take the square of their number.
    last: HashMap<Rc<str>, u32>,
}

impl Taken {
    /// Takes the ids that are given, with a fault for each that is given twice.
    pub(super) fn given(
        reader: &mut Reader,
        given: impl Iterator<Item = (impl AsRef<str>, Option<Rc<str>>)>,
    ) -> Taken {
        let mut taken = Taken::default();
        for (path, id) in given {
            if let Some(id) = id
                && !taken.ids.insert(id.clone())
            {
                let message =
                    format!("the id '{id}' is given twice; ids are unique, and the assignment hangs on them");
                reader.fault(path.as_ref(), message);
            }
        }
        taken
    }

    /// A derived id that is still free: itself, then with `-2`, `-3`, ….
    pub(super) fn fresh(&mut self, derived: &Rc<str>) -> Rc<str> {
        let count = self.last.entry(derived.clone()).or_insert(0);
        loop {
            *count = count.saturating_add(1);
            let id = if *count == 1 { derived.clone() } else { format!("{derived}-{count}").into() };
            if self.ids.insert(id.clone()) {
                return id;
            }
        }
    }
}
