//! The Responses dialect, by its public functions alone.

mod answers;
mod corpus;
mod laws;
mod order;
mod requests;
mod streams;

use std::rc::Rc;

use serde_json::{Value, json};
use turnout::dialect::answer::Event;
use turnout::dialect::conversation::{
    Cache, Citation, Conversation, Part, Role, Seal, Source, Thought, ToolCall, Turn,
};
use turnout::dialect::loss::{Feature, Losses};
use turnout::dialect::responses::{self, Decoder, Encoder};
use turnout::dialect::{Dialect, ReplyTo};

/// A request of these fields, decoded.
fn decoded(body: &Value) -> Conversation {
    responses::decode_request(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

/// A conversation, encoded, and what it lost.
fn encoded(conversation: &Conversation) -> (Value, Vec<Feature>) {
    let mut losses = Losses::new(Dialect::Responses);
    let body = responses::encode_request(conversation, "gpt-4.1", &mut losses)
        .unwrap_or_else(|error| panic!("{conversation:?}: {error:?}"));
    (serde_json::from_slice(&body).expect("JSON"), losses.dropped().collect())
}

/// A conversation of these turns.
fn of_turns(turns: Vec<Turn>) -> Conversation {
    Conversation { turns, ..Conversation::default() }
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn seal(dialect: Dialect, value: &str) -> Seal {
    Seal { dialect, is_redacted: false, value: value.to_owned() }
}

fn reply_to(conversation: Conversation) -> ReplyTo {
    ReplyTo {
        conversation,
        id: "abc123".to_owned(),
        created: 1_700_000_000,
        wants_usage: true,
        wants_events: true,
    }
}

/// What a stream of these payloads says.
fn events_of<'p>(payloads: impl IntoIterator<Item = &'p str>) -> Vec<Event> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for payload in payloads {
        decoder.push(b"", payload.as_bytes(), &mut events).expect("an event");
    }
    decoder.finish(&mut events).expect("the end");
    events
}

/// The payloads that tell these events.
fn stream_of(events: &[Event], to: ReplyTo) -> Vec<Value> {
    let mut encoder = Encoder::new(Rc::new(to));
    let mut bytes = Vec::new();
    for event in events {
        encoder.push(event, &mut bytes);
    }
    payloads(&bytes)
}

/// The payloads of server-sent events, each named for its type; comments are read over.
fn payloads(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let events = text.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
    events
        .map(|event| {
            let (name, data) = event.split_once('\n').expect("a name and data");
            let payload: Value =
                serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
            assert_eq!(Some(name), payload["type"].as_str().map(|kind| format!("event: {kind}")).as_deref());
            payload
        })
        .collect()
}
