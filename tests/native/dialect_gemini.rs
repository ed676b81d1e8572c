//! Gemini's dialect: each field both ways, histories, answers, streams, errors.

mod answers;
mod laws;
mod recordings;
mod requests;
mod writing;

use serde_json::Value;
use turnout::dialect::Dialect;
use turnout::dialect::answer::{Answer, Event, Growth};
use turnout::dialect::conversation::{Conversation, Part};
use turnout::dialect::gemini;
use turnout::dialect::loss::Losses;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn decoded(body: &Value) -> Conversation {
    gemini::decode_request(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

/// The request that is written, and the note of what was not.
fn encoded(conversation: &Conversation, model: &str) -> (Value, Option<String>) {
    let mut losses = Losses::new(Dialect::Gemini);
    let body = gemini::encode_request(conversation, model, &mut losses);
    let body = body.unwrap_or_else(|error| panic!("{conversation:?}: {error:?}"));
    (serde_json::from_slice(&body).expect("JSON"), losses.note())
}

/// The events of a stream of these payloads.
fn events(payloads: &[&str]) -> Vec<Event> {
    let (mut decoder, mut events) = (gemini::Decoder::new(), Vec::new());
    for payload in payloads {
        decoder.push(b"", payload.as_bytes(), &mut events).expect(payload);
    }
    decoder.finish(&mut events).expect("an end");
    events
}

/// The answer that a stream makes, put together as its reader does it.
pub(crate) fn assembled(events: &[Event]) -> Answer {
    let (answer, open) = put_together(events);
    assert!(open.is_empty(), "blocks are open at the end: {open:?}");
    answer
}

/// The same of a stream that an error has ended.
pub(crate) fn assembled_so_far(events: &[Event]) -> Answer {
    put_together(events).0
}

fn put_together(events: &[Event]) -> (Answer, Vec<usize>) {
    let mut answer = Answer::default();
    let mut blocks: Vec<(usize, Part)> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for event in events {
        match event {
            Event::Start { id, model, created } => {
                answer.id.clone_from(id);
                answer.model.clone_from(model);
                answer.created = *created;
            }
            Event::Open { block, choice, part } => {
                assert_eq!(*block, blocks.len(), "blocks are counted in the order of opening");
                open.push(*block);
                blocks.push((usize::try_from(*choice).unwrap(), part.clone()));
            }
            Event::Grow { block, by } => {
                assert!(open.contains(block), "block {block} grows while it is not open");
                grow(&mut blocks[*block].1, by);
            }
            Event::Close { block } => {
                assert!(open.contains(block), "block {block} is closed twice");
                open.retain(|open| open != block);
            }
            Event::Logprobs { choice, tokens } => {
                let choice = choice_of(&mut answer, usize::try_from(*choice).unwrap());
                let before = choice.logprobs.take().unwrap_or_else(|| Value::Array(Vec::new()));
                let all = before.as_array().unwrap().iter().chain(tokens.as_array().unwrap());
                choice.logprobs = Some(all.cloned().collect());
            }
            Event::Stop { choice, stop } => {
                choice_of(&mut answer, usize::try_from(*choice).unwrap()).stop = Some(stop.clone());
            }
            Event::Usage(usage) => answer.usage.merge(*usage),
            Event::Ping | Event::End => {}
            Event::Failed(failure) => panic!("{failure:?}"),
        }
    }
    for (choice, part) in blocks {
        choice_of(&mut answer, choice).parts.push(part);
    }
    (answer, open)
}

fn choice_of(answer: &mut Answer, at: usize) -> &mut turnout::dialect::answer::Choice {
    if answer.choices.len() <= at {
        answer.choices.resize_with(at + 1, Default::default);
    }
    &mut answer.choices[at]
}

fn grow(part: &mut Part, by: &Growth) {
    match (part, by) {
        (Part::Text { text, .. } | Part::Refusal(text), Growth::Text(piece)) => text.push_str(piece),
        (Part::Text { citations, .. }, Growth::Citation(citation)) => citations.push(citation.clone()),
        (Part::Thought(thought), Growth::Text(piece)) => thought.text.push_str(piece),
        (Part::Thought(thought), Growth::Seal(seal)) => thought.seal = Some(seal.clone()),
        (Part::ToolCall(call), Growth::Arguments(piece)) => call.arguments.push_str(piece),
        (Part::ToolCall(call), Growth::Seal(seal)) => call.seal = Some(seal.clone()),
        (part, by) => panic!("{part:?} cannot grow by {by:?}"),
    }
}
