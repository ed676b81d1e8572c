//! Where `generateContent` has what plugins look for.

use crate::plugin::text::{member, with_each, with_last, with_member, without_elements};
use crate::plugin::{Hidden, Parts, Verdict};

pub(super) const PARTS: Parts = Parts {
    // A stream that is no event stream is a list of answers.
    without_thoughts: |body| {
        if body.trim_start().starts_with('[') { with_each(body.trim(), candidates) } else { candidates(body) }
    },
    thoughtless: |_: &mut Hidden, data| Verdict::from(candidates(data)),
    reminded,
};

fn candidates(json: &str) -> Option<String> {
    with_member(json, "candidates", |candidates| {
        with_each(candidates, |candidate| {
            with_member(candidate, "content", |content| {
                with_member(content, "parts", |parts| {
                    without_elements(parts, |part| member(part, "thought") == Some("true"))
                })
            })
        })
    })
}

fn reminded(body: &str, text: &str) -> Option<String> {
    with_member(body, "contents", |contents| {
        with_last(contents, &format!(r#"{{"role":"user","parts":[{{"text":{text}}}]}}"#))
    })
}
