//! Where Messages have what plugins look for.

use crate::call::object::{elements, offset};
use crate::plugin::text::{member, number, string, with_last, with_member, without_elements};
use crate::plugin::{Hidden, Parts, Verdict};

pub(super) const PARTS: Parts = Parts {
    without_thoughts: |body| with_member(body, "content", |content| without_elements(content, is_thought)),
    thoughtless,
    reminded,
};

fn is_thought(block: &str) -> bool {
    matches!(string(block, "type").as_deref(), Some("thinking" | "redacted_thinking"))
}

fn thoughtless(hidden: &mut Hidden, data: &str) -> Verdict {
    let Some(place) = number(data, "index") else { return Verdict::Keep };
    if member(data, "content_block").is_some_and(is_thought) {
        hidden.hide(place);
    }
    if hidden.drops(place) {
        return Verdict::Drop;
    }
    with_member(data, "index", |_| hidden.moved(place)).into()
}

/// Roles alternate where a server is strict: the reminder joins a last turn of the user's.
fn reminded(body: &str, text: &str) -> Option<String> {
    let block = format!(r#"{{"type":"text","text":{text}}}"#);
    with_member(body, "messages", |messages| {
        let last = elements(messages)?.last().copied().unwrap_or_default();
        if string(last, "role").as_deref() != Some("user") {
            return with_last(messages, &format!(r#"{{"role":"user","content":[{block}]}}"#));
        }
        let content = member(last, "content")?;
        let joined = if content.starts_with('[') {
            with_last(content, &block)?
        } else {
            format!(r#"[{{"type":"text","text":{content}}},{block}]"#)
        };
        let turn = with_member(last, "content", |_| Some(joined))?;
        let start = offset(messages, last);
        Some(format!("{}{turn}{}", messages.get(..start)?, messages.get(start + last.len()..)?))
    })
}
