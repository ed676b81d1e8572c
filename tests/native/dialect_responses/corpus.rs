//! Every recording of this dialect in `../shared/corpus`, read, and written again. Skipped where it is absent.

use std::path::{Path, PathBuf};

use turnout::dialect::answer::{Answer, Choice, Growth, Stop};
use turnout::usage::Usage;

use super::*;

const FOLDERS: [&str; 3] = ["azure", "openai-responses", "xai-responses"];

/// The recordings of this dialect whose names end so; none where the corpus is absent, which is said.
fn recordings(ending: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(corpus) = ["../shared/corpus", "../../shared/corpus"]
        .map(|path| root.join(path))
        .into_iter()
        .find(|path| path.is_dir())
    else {
        eprintln!("SKIPPED: the recordings of real providers (../shared/corpus) are not here");
        return Vec::new();
    };
    let mut files: Vec<(PathBuf, String)> = FOLDERS
        .iter()
        .flat_map(|folder| std::fs::read_dir(corpus.join(folder)).expect("a folder of the corpus"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a recording");
            (path, text)
        })
        // Azure's others are of Chat Completions; one body is an error.
        .filter(|(_, text)| text.replace(' ', "").contains(r#""object":"response""#))
        .collect();
    files.sort();
    assert!(files.len() >= 17, "only {} recordings end in {ending}", files.len());
    files
}

/// What a client sees of a response.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    text: String,
    annotations: Vec<Value>,
    calls: Vec<[String; 3]>,
    summaries: Vec<String>,
    sealed: Vec<Value>,
    /// Types of all items but thoughts that tell nothing.
    items: Vec<String>,
    usage: Value,
    reason: Value,
}

/// Read straight from the JSON.
fn seen(response: &Value) -> Seen {
    let mut seen = Seen { reason: response["incomplete_details"].clone(), ..Seen::default() };
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for item in response["output"].as_array().expect("output") {
        let kind = string(&item["type"]);
        match kind.as_str() {
            "message" => {
                for content in item["content"].as_array().expect("content") {
                    seen.text += content["text"].as_str().expect("text");
                    seen.annotations.extend(content["annotations"].as_array().cloned().unwrap_or_default());
                }
            }
            "function_call" | "custom_tool_call" => {
                let arguments = item.get("arguments").unwrap_or(&item["input"]);
                seen.calls.push([string(&item["call_id"]), string(&item["name"]), string(arguments)]);
            }
            "reasoning" => {
                let summary = item["summary"].as_array().expect("a summary").iter();
                let summary: Vec<String> = summary.map(|part| string(&part["text"])).collect();
                if summary.is_empty() && item.get("encrypted_content").is_none() {
                    continue;
                }
                seen.summaries.push(summary.join("\n\n"));
                seen.sealed.extend(item.get("encrypted_content").cloned());
            }
            _ => {}
        }
        seen.items.push(kind);
    }
    let usage = &response["usage"];
    seen.usage = json!([
        usage["input_tokens"],
        usage["input_tokens_details"]["cached_tokens"],
        usage["output_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
        usage["total_tokens"],
    ]);
    seen
}

/// The same of a decoded answer, as far as another dialect would see it.
fn check_answer(answer: &Answer, seen: &Seen, what: &str) {
    let [choice] = answer.choices.as_slice() else { panic!("{what}: not one choice") };
    let (mut text, mut calls) = (String::new(), Vec::new());
    for part in &choice.parts {
        match part {
            Part::Text { text: more, .. } => text += more,
            Part::ToolCall(call) => {
                calls.push([call.id.clone(), call.name.clone(), call.arguments.clone()]);
            }
            _ => {}
        }
    }
    assert_eq!((&text, &calls), (&seen.text, &seen.calls), "{what}");
    let stop = if calls.is_empty() { Stop::End } else { Stop::ToolCalls };
    assert_eq!(choice.stop, Some(stop), "{what}");
    check_usage(&answer.usage, seen, what);
}

fn check_usage(usage: &Usage, seen: &Seen, what: &str) {
    let input = usage.input.unwrap() + usage.cache_read.unwrap_or(0) + usage.cache_write.unwrap_or(0);
    let counts =
        json!([input, usage.cache_read, usage.output, usage.reasoning, input + usage.output.unwrap()]);
    assert_eq!(counts, seen.usage, "{what}");
}

#[test]
fn whole_answers_are_read_and_written_again() {
    for (path, text) in recordings(".json") {
        let what = path.display().to_string();
        let seen = seen(&serde_json::from_str(&text).expect("JSON"));
        let answer =
            responses::decode_answer(text.as_bytes()).unwrap_or_else(|fault| panic!("{what}: {fault:?}"));
        check_answer(&answer, &seen, &what);
        let again = responses::encode_answer(&answer, &reply_to(Conversation::default()));
        let again: Value = serde_json::from_slice(&again).expect("JSON");
        assert_eq!(super::corpus::seen(&again), seen, "{what}");
    }
}

/// The lines of each recorded stream; one recording is of two that followed one another.
fn streams() -> Vec<(String, Vec<String>)> {
    let mut streams: Vec<(String, Vec<String>)> = Vec::new();
    for (path, text) in recordings(".chunks.txt") {
        for line in text.lines() {
            if line.contains(r#""type":"response.created""#) {
                streams.push((format!("{} at {}", path.display(), streams.len()), Vec::new()));
            }
            streams.last_mut().expect("a beginning").1.push(line.to_owned());
        }
    }
    streams
}

#[test]
fn streams_are_read_and_written_again() {
    for (what, lines) in streams() {
        let last: Value = serde_json::from_str(lines.last().expect("a last event")).expect("JSON");
        let seen = of_any_seal(seen(&last["response"]));
        let events = events_of(lines.iter().map(String::as_str));
        check_events(&events, &seen, &what);
        let payloads = stream_of(&events, reply_to(Conversation::default()));
        let again = order::check(&payloads, &what);
        assert_eq!(of_any_seal(super::corpus::seen(&again)), seen, "{what}");

        // What is told in fragments is what is told in whole.
        let whole = responses::decode_answer(last["response"].to_string().as_bytes()).expect("an answer");
        let streamed = super::streams::assembled(&events);
        assert_eq!(of_any_seals(streamed), of_any_seals(whole.choices), "{what}");
    }
}

/// OpenAI encrypts the same thought anew in the last event: only that there is a seal is the same.
fn of_any_seal(mut seen: Seen) -> Seen {
    seen.sealed.fill(Value::Null);
    seen
}

/// As of [`of_any_seal`]; the fingerprint of a program is encrypted anew too.
fn of_any_seals(mut choices: Vec<Choice>) -> Vec<Choice> {
    for part in choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        match part {
            Part::Thought(Thought { seal: Some(seal), .. }) => seal.value.clear(),
            Part::Own { json, .. } if json["fingerprint"].is_string() => json["fingerprint"] = "".into(),
            _ => {}
        }
    }
    choices
}

fn check_events(events: &[Event], seen: &Seen, what: &str) {
    let mut usage = Usage::default();
    let (mut text, mut arguments) = (String::new(), String::new());
    let mut texts = std::collections::BTreeSet::new();
    for event in events {
        match event {
            Event::Open { block, part: Part::Text { .. }, .. } => {
                texts.insert(*block);
            }
            Event::Grow { block, by: Growth::Text(delta) } if texts.contains(block) => text += delta,
            Event::Grow { by: Growth::Arguments(delta), .. } => arguments += delta,
            Event::Usage(later) => usage.merge(*later),
            _ => {}
        }
    }
    let all: String = seen.calls.iter().map(|[_, _, arguments]| arguments.as_str()).collect();
    assert_eq!((&text, &arguments), (&seen.text, &all), "{what}");
    check_usage(&usage, seen, what);
    assert_eq!(events.last(), Some(&Event::End), "{what}");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Start { .. })).count(), 1, "{what}");
}

#[test]
fn a_stream_that_is_cut_off_is_malformed() {
    for (what, lines) in streams() {
        for kept in [0, 1, lines.len() / 2, lines.len() - 1] {
            let (mut decoder, mut events) = (Decoder::new(), Vec::new());
            for line in &lines[..kept] {
                decoder.push(b"", line.as_bytes(), &mut events).expect("an event");
            }
            assert!(decoder.finish(&mut events).is_err(), "{what}: {kept} events");
        }
    }
}

/// Keeps the reading in this file honest: two recordings, read by eye.
#[test]
fn recordings_say_what_they_say() {
    for (path, text) in recordings(".json") {
        let seen = seen(&serde_json::from_str(&text).expect("JSON"));
        let name = path.file_name().unwrap().to_string_lossy();
        if name == "openai-custom-tool.1.json" {
            let [call] = seen.calls.as_slice() else { panic!("{seen:?}") };
            assert_eq!(
                call.each_ref().map(String::as_str),
                ["call_custom_sql_001", "write_sql", "SELECT * FROM users WHERE age > 25",]
            );
            assert_eq!(seen.usage, json!([50, 0, 20, 0, 70]));
        }
        if name == "openai-web-search-tool.1.json" {
            assert_eq!((seen.annotations.len(), &seen.usage), (10, &json!([19681, 3712, 3773, 3136, 23454])));
        }
    }
}
