//! Google's recordings: what is read, and read again after it was written, is what they say. Skipped where they are absent.

use std::path::Path;
use std::rc::Rc;

use serde_json::Value;
use turnout::dialect::answer::{Answer, Stop};
use turnout::dialect::conversation::Part;
use turnout::dialect::{ReplyTo, gemini};
use turnout::sse;

use super::{assembled, events, json};

fn recordings(ending: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = ["../shared/corpus/google", "../../shared/corpus/google"].map(|path| root.join(path));
    let Some(corpus) = corpus.into_iter().find(|path| path.is_dir()) else {
        eprintln!("SKIPPED: the recordings of real providers (../shared/corpus) are not here");
        return Vec::new();
    };
    let files = std::fs::read_dir(corpus).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.to_string_lossy().ends_with(ending));
    files.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).expect("a file"))).collect()
}

/// What recordings say, read in another way than the code under test does: by pointers into the JSON.
#[derive(Debug, PartialEq)]
struct Said {
    text: String,
    thoughts: String,
    signatures: Vec<String>,
    /// Names, and whether the arguments are those that are said (pieces of them are the tests' of pieces).
    calls: Vec<String>,
    finish: String,
    /// Prompt, candidates, thoughts.
    tokens: [Option<u64>; 3],
}

fn said(payloads: &[Value]) -> Said {
    let parts = payloads.iter().filter_map(|it| it.pointer("/candidates/0/content/parts")?.as_array());
    let parts: Vec<&Value> = parts.flatten().collect();
    let texts = |is_thought: bool| -> String {
        let texts = parts.iter().filter(|part| part["thought"].as_bool().unwrap_or(false) == is_thought);
        texts.filter_map(|part| part["text"].as_str()).collect()
    };
    let finish = payloads.iter().rev().find_map(|it| it.pointer("/candidates/0/finishReason")?.as_str());
    let count = |name: &str| payloads.iter().rev().find_map(|it| it["usageMetadata"][name].as_u64());
    Said {
        text: texts(false),
        thoughts: texts(true),
        signatures: parts
            .iter()
            .filter_map(|part| Some(part["thoughtSignature"].as_str()?.to_owned()))
            .collect(),
        calls: parts
            .iter()
            .filter_map(|part| Some(part["functionCall"]["name"].as_str()?.to_owned()))
            .collect(),
        finish: finish.unwrap_or_default().to_owned(),
        tokens: ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"].map(count),
    }
}

fn told(answer: &Answer) -> Said {
    let choice = &answer.choices[0];
    let mut said = Said {
        text: String::new(),
        thoughts: String::new(),
        signatures: Vec::new(),
        calls: Vec::new(),
        finish: match choice.stop {
            Some(Stop::End | Stop::ToolCalls) => "STOP".into(),
            ref other => format!("{other:?}"),
        },
        tokens: [
            answer.usage.input,
            Some(answer.usage.output.unwrap() - answer.usage.reasoning.unwrap()),
            answer.usage.reasoning,
        ],
    };
    for part in &choice.parts {
        match part {
            Part::Text { text, .. } => said.text.push_str(text),
            Part::Thought(thought) => {
                said.thoughts.push_str(&thought.text);
                said.signatures.extend(thought.seal.as_ref().map(|seal| seal.value.clone()));
            }
            Part::ToolCall(call) => {
                said.calls.push(call.name.clone());
                said.signatures.extend(call.seal.as_ref().map(|seal| seal.value.clone()));
                assert!(json(&call.arguments).is_object());
            }
            other => panic!("{other:?}"),
        }
    }
    let has_calls = !said.calls.is_empty();
    assert_eq!(choice.stop == Some(Stop::ToolCalls), has_calls);
    said
}

fn reply() -> Rc<ReplyTo> {
    Rc::new(ReplyTo { wants_events: true, ..ReplyTo::default() })
}

#[test]
fn whole_answers_are_read_and_written_again() {
    for (name, text) in recordings(".json") {
        let expected = said(&[json(&text)]);
        let answer = gemini::decode_answer(text.as_bytes()).expect(&name);
        assert_eq!(told(&answer), expected, "{name}");
        let body = gemini::encode_answer(&answer, &reply());
        assert_eq!(said(&[serde_json::from_slice(&body).unwrap()]), expected, "{name}, written again");
        assert_eq!(gemini::decode_answer(&body).expect(&name), answer, "{name}, read again");
    }
}

#[test]
fn streams_are_read_and_written_again() {
    for (name, text) in recordings(".chunks.txt") {
        let payloads: Vec<&str> = text.lines().collect();
        let expected = said(&payloads.iter().map(|payload| json(payload)).collect::<Vec<_>>());
        let events = events(&payloads);
        let answer = assembled(&events);
        assert_eq!(told(&answer), expected, "{name}");

        let (mut encoder, mut stream) = (gemini::Encoder::new(reply()), Vec::new());
        events.iter().for_each(|event| encoder.push(event, &mut stream));
        let mut again: Vec<String> = Vec::new();
        sse::Decoder::new()
            .push(&stream, |event| again.push(String::from_utf8(event.data.to_vec()).unwrap()));
        let again: Vec<&str> = again.iter().map(String::as_str).collect();
        let read = assembled(&super::events(&again));
        assert_eq!(told(&read), expected, "{name}, written again");
        assert_eq!(read.choices[0].stop, answer.choices[0].stop, "{name}");
        let calls = |answer: &Answer| -> Vec<Part> {
            let parts = answer.choices[0].parts.iter();
            parts.filter(|part| matches!(part, Part::ToolCall(_))).cloned().collect()
        };
        let as_values = |parts: Vec<Part>| -> Vec<(String, Value)> {
            let calls = parts.into_iter().map(|part| match part {
                Part::ToolCall(call) => (call.id, json(&call.arguments)),
                _ => unreachable!(),
            });
            calls.collect()
        };
        assert_eq!(as_values(calls(&read)), as_values(calls(&answer)), "{name}");
    }
}

/// Keeps the reading in this file honest: one recording, read by eye.
#[test]
fn arguments_in_pieces_are_what_the_recording_says() {
    for (name, text) in recordings("nested.1.chunks.txt") {
        let answer = assembled(&events(&text.lines().collect::<Vec<_>>()));
        let [Part::ToolCall(call)] = &answer.choices[0].parts[..] else { panic!("{name}: {answer:?}") };
        let arguments = json(&call.arguments);
        assert_eq!(
            arguments["recipe"]["ingredients"][0],
            json(r#"{"amount": "16 oz", "name": "Lasagna noodles"}"#)
        );
        assert_eq!(arguments["recipe"]["ingredients"].as_array().unwrap().len(), 10);
        assert_eq!(
            arguments["recipe"]["steps"][4],
            "In a 9x13 baking dish, spread a thin layer of meat sauce."
        );
        assert_eq!(arguments["recipe"]["name"], "Lasagna");
    }
}
