//! Whole answers. Reading is [`super::stream`]'s, of a stream of one event.

use serde_json::{Map, Value, json};

use super::fields::set;
use super::metadata::{self, Grounding};
use super::parts::{write_audio, write_source};
use super::signature;
use super::stream::Decoder;
use super::writer::function_call;
use crate::dialect::answer::{Answer, Choice, Event, Growth, Malformed};
use crate::dialect::conversation::{Part, Thought};
use crate::dialect::{Dialect, ReplyTo};

/// Reads a whole answer.
///
/// # Errors
/// Where it is none of this dialect.
pub fn decode_answer(body: &[u8]) -> Result<Answer, Malformed> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    decoder.push(b"", body, &mut events)?;
    decoder.finish(&mut events)?;
    let mut answer = Answer::default();
    // Of each block: its choice, and its place among that choice's parts.
    let mut places = Vec::new();
    for event in events {
        match event {
            Event::Start { id, model, created } => {
                (answer.id, answer.model, answer.created) = (id, model, created);
            }
            Event::Open { choice, part, .. } => {
                let parts = &mut choice_of(&mut answer, choice).parts;
                parts.push(part);
                places.push((choice, parts.len() - 1));
            }
            Event::Grow { block, by } => {
                let part = places
                    .get(block)
                    .and_then(|(choice, at)| choice_of(&mut answer, *choice).parts.get_mut(*at));
                if let Some(part) = part {
                    grow(part, by);
                }
            }
            Event::Logprobs { choice, tokens } => choice_of(&mut answer, choice).logprobs = Some(tokens),
            Event::Stop { choice, stop } => choice_of(&mut answer, choice).stop = Some(stop),
            Event::Usage(usage) => answer.usage = usage,
            Event::Failed(failure) => return Err(Malformed(failure.message)),
            Event::Close { .. } | Event::Ping | Event::End => {}
        }
    }
    Ok(answer)
}

/// The choice of an index; those before it are there too, for their place is their index.
#[expect(clippy::indexing_slicing, reason = "the loop has just made it")]
fn choice_of(answer: &mut Answer, index: u64) -> &mut Choice {
    /// The most that Google gives; whatever says more is not counted by places.
    const MOST: usize = 8;
    let at = usize::try_from(index).unwrap_or(MOST).min(MOST);
    while answer.choices.len() <= at {
        answer.choices.push(Choice::default());
    }
    &mut answer.choices[at]
}

fn grow(part: &mut Part, by: Growth) {
    match (part, by) {
        (Part::Text { text, .. } | Part::Refusal(text), Growth::Text(piece)) => text.push_str(&piece),
        (Part::Text { citations, .. }, Growth::Citation(citation)) => citations.push(citation),
        (Part::Thought(thought), Growth::Text(piece)) => thought.text.push_str(&piece),
        (Part::Thought(thought), Growth::Seal(seal)) => thought.seal = Some(seal),
        (Part::ToolCall(call), Growth::Arguments(piece)) => call.arguments.push_str(&piece),
        (Part::ToolCall(call), Growth::Seal(seal)) => call.seal = Some(seal),
        _ => {}
    }
}

/// Writes a whole answer.
pub fn encode_answer(answer: &Answer, to: &ReplyTo) -> Vec<u8> {
    let candidates = answer.choices.iter().enumerate().map(|(index, choice)| candidate(index, choice));
    let mut body = Map::new();
    body.insert("candidates".to_owned(), candidates.collect());
    if let Some(usage) = metadata::usage_metadata(&answer.usage) {
        body.insert("usageMetadata".to_owned(), usage);
    }
    add_origin(&mut body, answer.id.as_deref(), answer.model.as_deref(), to);
    Value::Object(body).to_string().into_bytes()
}

/// `modelVersion` and `responseId`.
pub(super) fn add_origin(body: &mut Map<String, Value>, id: Option<&str>, model: Option<&str>, to: &ReplyTo) {
    body.insert("modelVersion".to_owned(), model.unwrap_or(&to.conversation.model).into());
    body.insert("responseId".to_owned(), id.unwrap_or(&to.id).into());
}

fn candidate(index: usize, choice: &Choice) -> Value {
    let mut parts: Vec<Value> = Vec::new();
    let mut grounding = Grounding::default();
    for part in &choice.parts {
        if let Part::Text { text, citations, .. } = part {
            citations.iter().for_each(|citation| grounding.add(citation, text, parts.len()));
        }
        match carried(part) {
            Some(seal) => sign_last(&mut parts, seal),
            None => parts.extend(written(part)),
        }
    }
    let (reason, message) = metadata::finish(choice.stop.as_ref());
    let mut candidate = json!({"content": content(parts), "finishReason": reason, "index": index});
    if let Some(message) = message {
        set(&mut candidate, "finishMessage", message);
    }
    if let Some(tokens) = &choice.logprobs {
        set(&mut candidate, "logprobsResult", metadata::logprobs_result(tokens));
    }
    if let Some(grounding) = grounding.take() {
        set(&mut candidate, "groundingMetadata", grounding);
    }
    candidate
}

/// Contents that Google's clients take for valid, and keep in a chat's history: there is a part.
pub(super) fn content(mut parts: Vec<Value>) -> Value {
    if parts.is_empty() {
        parts.push(json!({"text": ""}));
    }
    json!({"role": "model", "parts": parts})
}

/// The signature that a thought without text bears for the part before it.
fn carried(part: &Part) -> Option<String> {
    match part {
        Part::Thought(Thought { text, seal: Some(seal), .. })
            if text.is_empty() && seal.is_of(Dialect::Gemini) && !seal.is_redacted =>
        {
            Some(signature::for_caller(seal))
        }
        _ => None,
    }
}

fn sign_last(parts: &mut Vec<Value>, seal: String) {
    match parts.last_mut() {
        Some(part) if part.get("thought").is_none() && part.get("thoughtSignature").is_none() => {
            set(part, "thoughtSignature", seal);
        }
        _ => parts.push(json!({"text": "", "thoughtSignature": seal})),
    }
}

/// A part as a caller is given it; `None` where there is nothing that Gemini's callers could be told.
pub(super) fn written(part: &Part) -> Option<Value> {
    Some(match part {
        Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => return None,
        Part::Text { text, .. } | Part::Refusal(text) => json!({"text": text}),
        Part::Thought(thought) => return thought_part(thought),
        Part::ToolCall(call) => {
            let mut part = json!({"functionCall": function_call(call)});
            if let Some(seal) = &call.seal {
                set(&mut part, "thoughtSignature", signature::for_caller(seal));
            }
            part
        }
        Part::Image { source, .. } => write_source(source, "image/png")?,
        Part::Document { source, .. } => write_source(source, "application/pdf")?,
        Part::Audio { format, data } => write_audio(format, data),
        Part::Own { dialect: Dialect::Gemini, json } => json.clone(),
        // A step of another provider's own tool: what came of it stands in the text.
        Part::Own { .. } | Part::ToolResult { .. } => return None,
    })
}

/// A thought, or a signature alone: that of a part before where it is Gemini's, else of the thought before.
pub(super) fn thought_part(thought: &Thought) -> Option<Value> {
    let seal = thought.seal.as_ref();
    let is_carrier =
        thought.text.is_empty() && seal.is_some_and(|seal| seal.is_of(Dialect::Gemini) && !seal.is_redacted);
    let mut part = match (thought.text.is_empty(), seal) {
        (true, None) => return None,
        _ if is_carrier => json!({"text": ""}),
        _ => json!({"text": thought.text, "thought": true}),
    };
    if let Some(seal) = seal {
        set(&mut part, "thoughtSignature", signature::for_caller(seal));
    }
    Some(part)
}
