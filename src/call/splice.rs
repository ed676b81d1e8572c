//! The outbound body: which bytes of the caller's go, and what comes in their place.
//!
//! In scope: removing what is ours, unfolding a literal `extra_body`, the model's name, `include_usage`; commas.
//! Out of scope: which of these a target needs (`outbound`).

use std::ops::Range;

use serde_json::Value;

use super::field::Field;
use super::layout::Piece;
use super::outline::Outline;
use super::value::{UsageAsk, UserId};
use crate::dialect::wire::Metadata;
use crate::endpoint::Operation;

/// What is to be different in the body that goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides<'a> {
    /// The model name that the downstream knows; always spliced where the body names a model (Gemini's is in the URL).
    pub model: &'a str,
    /// Ask for a usage chunk (`stream_options.include_usage`): only of Chat Completions, where the call streams and did not ask
    /// itself. All others say their usage anyhow.
    pub ask_usage: bool,
    /// Of Chat Completions, top-level `metadata` goes on as it is; else it is spliced out (it tells a provider whom one targets,
    /// and many refuse it). Of the other dialects it goes on as far as it is their own: Responses' whole, Anthropic's `user_id`.
    pub forward_metadata: bool,
    /// `models` and `provider` go on: they are the target's own (a direct call to `openrouter`).
    pub forward_routing: bool,
    /// What the variant changes.
    pub edits: Option<&'a Edits>,
}

/// What a variant changes in a body of the caller's own dialect (`treatment`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Within members that stay, in order; none overlaps another or a splice of ours.
    pub within: Vec<Splice>,
    /// Members that go, by where they begin.
    pub removed: Vec<usize>,
    /// Members that are added at the end, each `"name":value`.
    pub added: Vec<String>,
}

/// One replacement in the body. Splices are sorted, do not overlap, and leave valid JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// The bytes of the original that go.
    pub range: Range<usize>,
    /// What comes in their place; empty for a removed member (which takes one comma with it).
    pub with: String,
}

/// The body with the splices done: one allocation of the final size. The splices are those of this very body.
pub fn apply(body: &[u8], splices: &[Splice]) -> Vec<u8> {
    let removed: usize = splices.iter().map(|splice| splice.range.len()).sum();
    let added: usize = splices.iter().map(|splice| splice.with.len()).sum();
    let mut outbound = Vec::with_capacity((body.len() + added).saturating_sub(removed));
    let mut copied_to = 0;
    for splice in splices {
        outbound.extend_from_slice(body.get(copied_to..splice.range.start).unwrap_or_default());
        outbound.extend_from_slice(splice.with.as_bytes());
        copied_to = splice.range.end;
    }
    outbound.extend_from_slice(body.get(copied_to..).unwrap_or_default());
    outbound
}

/// The splices of a body.
pub(super) fn splices(outline: &Outline, overrides: &Overrides<'_>) -> Vec<Splice> {
    let Outline { dialect, pieces, fields, .. } = outline;
    let asks = overrides.ask_usage && fields.stream && dialect.wire().body.usage_on_request;
    let usage_ask = asks.then_some(&fields.usage_ask);
    let mut splices = Vec::new();
    let mut stayed: Option<&Piece> = None;
    let mut run: Option<Range<usize>> = None;
    let none = Edits::default();
    let Edits { within, added, .. } = overrides.edits.unwrap_or(&none);
    for piece in pieces {
        if !stays(outline, piece, overrides) {
            run = Some(run.map_or(piece.span.start, |run| run.start)..piece.span.end);
            continue;
        }
        if let Some(run) = run.take() {
            splices.push(Splice { range: removal(stayed, run, piece), with: String::new() });
        }
        match piece.field {
            Some(Field::Model) => {
                splices.push(replace(&piece.value, Value::from(overrides.model).to_string()));
            }
            Some(Field::StreamOptions) => splices.extend(usage_ask.and_then(ask_within_stream_options)),
            Some(Field::Metadata) => splices.extend(fields.user_id.iter().flat_map(all_but_the_user_id)),
            _ => {}
        }
        let is_here =
            |splice: &&Splice| piece.span.start <= splice.range.start && splice.range.end <= piece.span.end;
        splices.extend(within.iter().filter(is_here).cloned());
        stayed = Some(piece);
    }

    // What goes at the end takes the comma before it, where anything stays. Only of Gemini's bodies nothing may: every other
    // has its `model`.
    let last =
        stayed.map(|piece| piece.span.end).or(run.as_ref().map(|run| run.start)).unwrap_or(outline.inside);
    let end = run.map_or(last, |run| run.end);
    let usage_options = r#""stream_options":{"include_usage":true}"#;
    let asks = usage_ask.is_some_and(|ask| *ask == UsageAsk::Absent).then_some(usage_options);
    let added: Vec<&str> = added.iter().map(String::as_str).chain(asks).collect();
    if end > last || !added.is_empty() {
        let comma = if stayed.is_some() && !added.is_empty() { "," } else { "" };
        splices.push(replace(&(last..end), format!("{comma}{}", added.join(","))));
    }
    splices
}

/// Whether a piece is in the outbound body. Metadata of a literal `extra_body` is for us alone.
fn stays(outline: &Outline, piece: &Piece, overrides: &Overrides<'_>) -> bool {
    let is_removed = overrides.edits.is_some_and(|edits| edits.removed.contains(&piece.span.start));
    let body = &outline.dialect.wire().body;
    !piece.shadowed
        && !is_removed
        && match piece.field {
            Some(
                Field::ExtraBody | Field::Fallback | Field::Ignore | Field::Sort | Field::PromptVariables,
            ) => false,
            Some(Field::Models | Field::Provider) => overrides.forward_routing,
            Some(Field::Metadata) if piece.inside => false,
            Some(Field::Metadata) => match body.metadata {
                Metadata::WhereStored => overrides.forward_metadata,
                // Who counts tokens is not told whose they are.
                Metadata::UserIdAlone => {
                    outline.fields.user_id.is_some() && outline.operation == Operation::Generate
                }
                Metadata::Whole => true,
                Metadata::Nothing => false,
            },
            // Where they are no fields they would be refused.
            Some(Field::User | Field::SafetyIdentifier) => body.takes_user,
            _ => true,
        }
}

/// Anthropic takes no metadata but the user's id.
fn all_but_the_user_id(user_id: &UserId) -> impl Iterator<Item = Splice> {
    let others = user_id.others.iter().filter(|others| !others.is_empty());
    others.map(|others| replace(others, String::new()))
}

/// What goes when the pieces of `run` go before one that stays: they and the comma after them. Only where `run` closes an
/// `extra_body` of which something stays is that comma the one to keep, for the one before is within.
fn removal(stayed: Option<&Piece>, run: Range<usize>, next: &Piece) -> Range<usize> {
    match stayed {
        Some(stayed) if stayed.inside && !next.inside => stayed.span.end..run.end,
        _ => run.start..next.span.start,
    }
}

/// `include_usage: true` in a `stream_options` that is there.
fn ask_within_stream_options(usage_ask: &UsageAsk) -> Option<Splice> {
    match usage_ask {
        UsageAsk::NullOptions(null) => Some(replace(null, r#"{"include_usage":true}"#.to_owned())),
        UsageAsk::Missing { at, alone: true } => {
            Some(replace(&(*at..*at), r#""include_usage":true"#.to_owned()))
        }
        UsageAsk::Missing { at, alone: false } => {
            Some(replace(&(*at..*at), r#""include_usage":true,"#.to_owned()))
        }
        UsageAsk::Declined(value) => Some(replace(value, "true".to_owned())),
        UsageAsk::Absent | UsageAsk::Asked => None,
    }
}

fn replace(range: &Range<usize>, with: String) -> Splice {
    Splice { range: range.clone(), with }
}
