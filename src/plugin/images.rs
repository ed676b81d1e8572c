//! `fix_anthropic_images`: images within tool results move beside them, to the end of the same message.
//!
//! Some servers of Messages see images at the top of a message alone. The tool result stays where it is, with its texts, for
//! every tool call must have its result; one that had nothing but images says that they follow.

use super::text::{member, string, with_each, with_last, with_member, without_elements};
use crate::call::object::elements;

/// What stands in a tool result of which nothing is left.
const FOLLOWS: &str = r#"{"type":"text","text":"What the tool gave is the image below."}"#;

/// The body with its images beside the tool results; `None` where no tool result has any.
pub(super) fn beside(body: &str) -> Option<String> {
    with_member(body, "messages", |messages| {
        with_each(messages, |message| with_member(message, "content", lifted))
    })
}

fn lifted(content: &str) -> Option<String> {
    let mut images: Vec<String> = Vec::new();
    let lifted = with_each(content, |block| {
        if string(block, "type").as_deref() != Some("tool_result") {
            return None;
        }
        let found = elements(member(block, "content")?)?.into_iter().filter(|part| is_image(part));
        let before = images.len();
        images.extend(found.map(str::to_owned));
        if images.len() == before {
            return None;
        }
        with_member(block, "content", |parts| {
            without_elements(parts, is_image)
                .map(|rest| if rest == "[]" { format!("[{FOLLOWS}]") } else { rest })
        })
    })?;
    // All at once: one after the other, each would have the whole message read again.
    with_last(&lifted, &images.join(","))
}

fn is_image(part: &str) -> bool {
    string(part, "type").as_deref() == Some("image")
}
