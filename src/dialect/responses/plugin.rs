//! Where Responses have what plugins look for.

use crate::plugin::text::{member, number, string, with_last, with_member, without_elements};
use crate::plugin::{Hidden, Parts, Verdict};

pub(super) const PARTS: Parts = Parts { without_thoughts, thoughtless, reminded };

fn without_thoughts(response: &str) -> Option<String> {
    with_member(response, "output", |output| without_elements(output, is_thought))
}

fn is_thought(item: &str) -> bool {
    string(item, "type").as_deref() == Some("reasoning")
}

/// Items and events are numbered, and clients find an item by its number.
fn thoughtless(hidden: &mut Hidden, data: &str) -> Verdict {
    let place = number(data, "output_index");
    if let Some(place) = place
        && member(data, "item").is_some_and(is_thought)
    {
        hidden.hide(place);
    }
    if place.is_some_and(|place| hidden.drops(place)) {
        return Verdict::Drop;
    }
    let bare = with_member(data, "response", without_thoughts);
    let text = bare.as_deref().unwrap_or(data);
    let moved = with_member(text, "output_index", |_| hidden.moved(place?)).or(bare);
    let text = moved.as_deref().unwrap_or(data);
    with_member(text, "sequence_number", |number| hidden.counted(number)).or(moved).into()
}

fn reminded(body: &str, text: &str) -> Option<String> {
    with_member(body, "input", |input| with_last(input, &format!(r#"{{"role":"user","content":{text}}}"#)))
}
