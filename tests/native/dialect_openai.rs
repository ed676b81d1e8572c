//! Chat Completions and the neutral conversation, both ways.

mod answers;
mod errors;
mod laws;
mod recordings;
mod requests;
mod streams;
mod thoughts;

use std::rc::Rc;

use serde_json::Value;
use turnout::dialect::answer::{Answer, Choice, Event, Growth, Malformed};
use turnout::dialect::conversation::{Conversation, Part};
use turnout::dialect::loss::Losses;
use turnout::dialect::{Dialect, ReplyTo, openai};
use turnout::sse;

fn decode(body: &Value) -> Conversation {
    openai::decode_request(body.to_string().as_bytes()).expect("a request")
}

/// The request as JSON, and what was lost.
fn encode(conversation: &Conversation, model: &str) -> (Value, String) {
    let mut losses = Losses::new(Dialect::OpenAi);
    let body = openai::encode_request(conversation, model, &mut losses).expect("nothing is refused");
    (serde_json::from_slice(&body).expect("JSON"), losses.note().unwrap_or_default())
}

/// The events of payloads, with the end of the stream.
fn events<'p>(payloads: impl IntoIterator<Item = &'p str>) -> Result<Vec<Event>, Malformed> {
    let (mut decoder, mut events) = (openai::Decoder::new(), Vec::new());
    for payload in payloads {
        decoder.push(b"", payload.as_bytes(), &mut events)?;
    }
    decoder.finish(&mut events)?;
    Ok(events)
}

fn stream(events: &[Event], to: &ReplyTo) -> Vec<u8> {
    let (mut encoder, mut bytes) = (openai::Encoder::new(Rc::new(to.clone())), Vec::new());
    for event in events {
        encoder.push(event, &mut bytes);
    }
    bytes
}

/// The payloads of a stream.
fn payloads(stream: &[u8]) -> Vec<String> {
    let (mut decoder, mut payloads) = (sse::Decoder::new(), Vec::new());
    decoder.push(stream, |event| payloads.push(String::from_utf8_lossy(event.data).into_owned()));
    payloads
}

fn reply() -> ReplyTo {
    let conversation = Conversation { model: "asked".to_owned(), ..Conversation::default() };
    ReplyTo { conversation, id: "abc".to_owned(), created: 7, wants_usage: true, wants_events: true }
}

/// Puts events together as one whole answer, and holds them to the rules of [`Event`] on the way.
fn assembled(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    let mut blocks: Vec<(u64, Part, bool)> = Vec::new();
    let mut ended = false;
    for (at, event) in events.iter().enumerate() {
        assert!(!ended, "{event:?} after the end");
        assert_eq!(at == 0, matches!(event, Event::Start { .. }), "Start is first, and once: {event:?}");
        match event {
            Event::Start { id, model, created } => {
                (answer.id, answer.model, answer.created) = (id.clone(), model.clone(), *created);
            }
            Event::Open { block, choice, part } => {
                assert_eq!(*block, blocks.len(), "blocks are counted in order");
                blocks.push((*choice, part.clone(), true));
            }
            Event::Grow { block, by } => {
                let (_, part, open) = &mut blocks[*block];
                assert!(*open, "{event:?} of a block that is closed");
                grow(part, by);
            }
            Event::Close { block } => {
                assert!(std::mem::replace(&mut blocks[*block].2, false), "{event:?} twice");
            }
            Event::Logprobs { choice, tokens } => {
                let Value::Array(more) = tokens else { panic!("{tokens}") };
                match choice_of(&mut answer, *choice).logprobs.get_or_insert(Value::Array(Vec::new())) {
                    Value::Array(all) => all.extend(more.clone()),
                    other => panic!("{other}"),
                }
            }
            Event::Stop { choice, stop } => {
                assert!(
                    blocks.iter().all(|(of, _, open)| of != choice || !open),
                    "a block is open at {event:?}"
                );
                let choice = choice_of(&mut answer, *choice);
                assert!(choice.stop.replace(stop.clone()).is_none(), "{event:?} twice");
            }
            Event::Usage(usage) => answer.usage.merge(*usage),
            Event::Ping => {}
            Event::Failed(failure) => panic!("{failure:?}"),
            Event::End => ended = true,
        }
    }
    assert!(ended, "no end");
    for (choice, part, _) in blocks {
        choice_of(&mut answer, choice).parts.push(part);
    }
    answer
}

fn choice_of(answer: &mut Answer, index: u64) -> &mut Choice {
    let index = usize::try_from(index).expect("small");
    if answer.choices.len() <= index {
        answer.choices.resize(index + 1, Choice::default());
    }
    &mut answer.choices[index]
}

fn grow(part: &mut Part, by: &Growth) {
    match (part, by) {
        (Part::Text { text, .. } | Part::Refusal(text), Growth::Text(more)) => text.push_str(more),
        (Part::Thought(thought), Growth::Text(more)) => thought.text.push_str(more),
        (Part::ToolCall(call), Growth::Arguments(more)) => call.arguments.push_str(more),
        (Part::Text { citations, .. }, Growth::Citation(citation)) => citations.push(citation.clone()),
        (Part::Thought(thought), Growth::Seal(seal)) => thought.seal = Some(seal.clone()),
        (Part::ToolCall(call), Growth::Seal(seal)) => call.seal = Some(seal.clone()),
        (part, by) => panic!("{part:?} grows by {by:?}"),
    }
}
