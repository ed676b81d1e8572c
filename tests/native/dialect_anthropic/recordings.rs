//! Every recording of Anthropic in `../shared/corpus`, read and written again. Skipped where it is absent.

use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use turnout::dialect::ReplyTo;
use turnout::dialect::answer::{Event, Malformed};
use turnout::dialect::anthropic::{Decoder, Encoder, decode_answer, encode_answer};

use super::client;

/// The recorded streams, by name: the payloads of one message each, for some recordings are of several calls.
fn streams() -> Vec<(String, Vec<String>)> {
    let mut streams = Vec::new();
    for (name, text) in recordings(".chunks.txt") {
        let lines: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let messages = lines.split_inclusive(|line| line.contains(r#""type":"message_stop""#));
        streams.extend(messages.map(|message| (name.clone(), message.to_vec())));
    }
    streams
}

/// The recordings whose names end so, by name; none where the corpus is absent, which is said.
fn recordings(ending: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A work tree of its own may lie one folder deeper than the project does.
    let folders = ["../shared/corpus/anthropic", "../../shared/corpus/anthropic"].map(|path| root.join(path));
    let Some(folder) = folders.into_iter().find(|path| path.is_dir()) else {
        eprintln!("SKIPPED: the recordings of real providers (../shared/corpus) are not here");
        return Vec::new();
    };
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut read: Vec<(String, String)> = files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .filter(|(name, _)| name.ends_with(ending))
        .map(|(name, path)| (name, std::fs::read_to_string(path).expect("a recording")))
        .collect();
    read.sort();
    assert!(read.len() > 10, "too few recordings");
    read
}

pub(crate) fn decoded(payloads: &[&str]) -> Result<Vec<Event>, Malformed> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for payload in payloads {
        let kind = serde_json::from_str::<Value>(payload).unwrap()["type"].as_str().unwrap().to_owned();
        decoder.push(kind.as_bytes(), payload.as_bytes(), &mut events)?;
    }
    decoder.finish(&mut events)?;
    Ok(events)
}

pub(crate) fn encoded(events: &[Event]) -> Vec<u8> {
    let mut encoder = Encoder::new(Rc::new(ReplyTo::default()));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    out
}

/// What a client sees of a message, in one form whatever was left out as nothing. Members of a call that say who called
/// it are Anthropic's own.
fn seen(message: &Value) -> Value {
    let content: Vec<Value> = message["content"].as_array().unwrap().iter().map(block_seen).collect();
    let content: Vec<Value> =
        content.into_iter().filter(|block| *block != json!({"type": "text", "text": ""})).collect();
    let count = |name: &str| message["usage"][name].as_u64().unwrap_or(0);
    let counts = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"];
    let counts = counts.map(count);
    json!({
        "id": message["id"],
        "model": message["model"],
        "content": content,
        "stop": message["stop_reason"],
        "sequence": message["stop_sequence"],
        "usage": counts,
        "thinking": message["usage"]["output_tokens_details"]["thinking_tokens"],
    })
}

fn block_seen(block: &Value) -> Value {
    let mut block = block.clone();
    let object = block.as_object_mut().unwrap();
    if ["text", "tool_use"].contains(&object["type"].as_str().unwrap()) {
        object.retain(|_, value| !value.is_null() && *value != json!([]));
        object.remove("caller");
    }
    if object["type"] == "thinking" {
        object.entry("signature").or_insert(json!(""));
    }
    block
}

#[test]
fn a_whole_answer_says_what_it_said() {
    for (name, text) in recordings(".json") {
        let recorded: Value = serde_json::from_str(&text).unwrap();
        let answer = decode_answer(text.as_bytes()).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        let written: Value = serde_json::from_slice(&encode_answer(&answer, &ReplyTo::default())).unwrap();
        assert_eq!(seen(&written), seen(&recorded), "{name}");
    }
}

/// What the deltas of a recording add up to, by its own indices and without the code under test.
fn accumulated(payloads: &[&str]) -> Value {
    let mut message = Value::Null;
    let mut inputs: Vec<String> = Vec::new();
    for payload in payloads {
        let event: Value = serde_json::from_str(payload).unwrap();
        let index = event["index"].as_u64().unwrap_or(0) as usize;
        let delta = &event["delta"];
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                message["content"].as_array_mut().unwrap().push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let block = &mut message["content"][index];
                match delta["type"].as_str().unwrap() {
                    "input_json_delta" => inputs[index] += delta["partial_json"].as_str().unwrap(),
                    "citations_delta" => {
                        let mut citations = block["citations"].as_array().cloned().unwrap_or_default();
                        citations.push(delta["citation"].clone());
                        block["citations"] = citations.into();
                    }
                    _ => {
                        for name in ["text", "thinking", "signature"] {
                            if let Some(more) = delta[name].as_str() {
                                block[name] = format!("{}{more}", block[name].as_str().unwrap_or("")).into();
                            }
                        }
                    }
                }
            }
            "message_delta" => {
                let counts = event["usage"].as_object().unwrap().clone();
                counts.into_iter().for_each(|(name, count)| message["usage"][name] = count);
                for name in ["stop_reason", "stop_sequence"] {
                    message[name] = delta[name].clone();
                }
            }
            _ => {}
        }
    }
    for (index, input) in inputs.iter().enumerate().filter(|(_, input)| !input.is_empty()) {
        message["content"][index]["input"] = serde_json::from_str(input).unwrap();
    }
    message
}

#[test]
fn a_stream_says_what_it_said() {
    for (name, payloads) in streams() {
        let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
        let events = decoded(&payloads);
        // One message begins in the midst of another: no client of Anthropic's takes that.
        if name == "spliced-message-start.chunks.txt" {
            assert!(events.is_err(), "{name}");
            continue;
        }
        let events = events.unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        let message = client::message(&encoded(&events));
        assert_eq!(seen(&message), seen(&accumulated(&payloads)), "{name}");
    }
}

#[test]
fn a_stream_that_is_cut_anywhere_before_its_end_is_malformed() {
    for (name, payloads) in streams().into_iter().filter(|(name, _)| name.ends_with("-text.chunks.txt")) {
        let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
        let stop = payloads.iter().position(|line| line.contains("message_delta")).unwrap();
        for length in 0..payloads.len() {
            assert_eq!(decoded(&payloads[..length]).is_err(), length <= stop, "{name}: {length}");
        }
    }
}
