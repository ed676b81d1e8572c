//! Plugins: what a rule's pipeline does to a call beside translating it.
//!
//! In scope: the steps that a document may name, and what each does to a request, a whole answer and a stream. Everything works
//! on the text of the JSON, so that what is not to change keeps its bytes, and on the dialect that the downstream speaks, whose
//! folder says where it has what (`Parts`). Out of scope: which rules' steps a call meets (`gateway`), translation (`dialect`), moving bytes (`edge`). A call that meets none
//! of them never comes here.
//!
//! | plugin | request | answer |
//! |---|---|---|
//! | `custom_header` | adds headers | |
//! | `break_repeat` | after three equal turns of the assistant, asks it to stop | |
//! | `fix_anthropic_images` | images of tool results move beside them (Messages alone) | |
//! | `fix_anthropic_usage` | | counts that SDKs read and the downstream left out are 0 (Messages alone) |
//! | `remove_thinking` | | less the model's thoughts |
//!
//! An answer's counts are recorded before `fix_anthropic_usage` makes them up: what is unknown stays unknown (law 5).

mod headers;
mod images;
mod parts;
mod repeat;
mod rewriter;
mod step;
pub(crate) mod text;
mod usage;

use crate::dialect::Dialect;

pub(crate) use headers::may_lead_away;
pub(crate) use parts::{Hidden, Parts};
pub use rewriter::Rewriter;
pub(crate) use rewriter::Verdict;
pub use step::{PLUGINS, Step};
pub(crate) use step::{STEP, read as read_step};

/// A request's body after a step, in the dialect that the downstream is spoken to in; `None` where the step leaves it as it is.
pub fn request(step: &Step, dialect: Dialect, body: &str) -> Option<String> {
    match step {
        Step::BreakRepeat => repeat::broken(dialect, body),
        Step::FixAnthropicImages if dialect == Dialect::Anthropic => images::beside(body),
        _ => None,
    }
}

/// A whole answer less its thoughts (`remove_thinking`); `None` where it has none. Token counts stay as they are: thoughts are paid
/// for.
pub fn without_thoughts(dialect: Dialect, body: &str) -> Option<String> {
    (dialect.wire().plugins.without_thoughts)(body)
}

/// A whole answer of Messages with all counts that SDKs read; `None` where they are there.
pub fn with_usage(body: &str) -> Option<String> {
    usage::filled(body)
}
