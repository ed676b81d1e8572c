//! Every recording in `../shared/corpus`, translated into every dialect: what the target's own reader sees is what the
//! source's own reader sees. Skipped where the corpus is absent.

use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use turnout::dialect::answer::{Answer, Event, Failure, Malformed, Stop};
use turnout::dialect::conversation::{Conversation, Part, Tool, ToolKind};
use turnout::dialect::loss::Losses;
use turnout::dialect::translate::{self, Stream, chat_word};
use turnout::dialect::{Dialect, ReplyTo};
use turnout::sse;
use turnout::usage::Usage;

use crate::dialect_gemini::{assembled, assembled_so_far};

/// What a target cannot say, recording by recording: the end of its name, the target, what differs, and why.
const EXCEPTIONS: &[(&str, Dialect, Differs, &str)] = &[
    ("anthropic-programmatic-tool-calling.1.json", Dialect::OpenAi, Differs::Stop, CALLS_AND_AN_END),
    ("anthropic-programmatic-tool-calling.1.json", Dialect::Responses, Differs::Stop, CALLS_AND_AN_END),
    ("anthropic-programmatic-tool-calling.1.json", Dialect::Gemini, Differs::Stop, CALLS_AND_AN_END),
    (
        "anthropic-fallback-tool-call.sse",
        Dialect::Anthropic,
        Differs::Usage,
        "it says nothing of tokens, and `message_delta` must have a count of the output",
    ),
    (
        "xai-text-with-reasoning-streaming-store-false.1.chunks.txt",
        Dialect::OpenAi,
        Differs::Thoughts,
        "a thought with a seal is told as it comes and once more as a whole entry of `reasoning_details`, which our own \
         reader, unlike clients, puts together",
    ),
];

const CALLS_AND_AN_END: &str = "code that the provider ran called the tools, and it says `end_turn`: elsewhere, calls are the reason to stop";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Differs {
    Text,
    Thoughts,
    Calls,
    Stop,
    Usage,
}

/// A recording as its provider sent it.
struct Recording {
    name: String,
    dialect: Dialect,
    is_stream: bool,
    bytes: Vec<u8>,
}

fn recordings() -> Vec<Recording> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = ["../shared/corpus", "../../shared/corpus"].map(|path| root.join(path));
    let Some(corpus) = corpus.into_iter().find(|path| path.is_dir()) else {
        eprintln!("SKIPPED: the recordings of real providers (../shared/corpus) are not here");
        return Vec::new();
    };
    let folders = std::fs::read_dir(corpus).expect("the corpus").map(|entry| entry.expect("an entry").path());
    let mut recordings: Vec<Recording> = Vec::new();
    for folder in folders.filter(|path| path.is_dir()) {
        for file in std::fs::read_dir(&folder).expect("a folder") {
            let path = file.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a recording");
            let folder = folder.file_name().unwrap().to_string_lossy();
            let file = path.file_name().unwrap().to_string_lossy();
            recordings.extend(recording(&folder, &file, text));
        }
    }
    recordings.sort_by(|one, other| one.name.cmp(&other.name));
    recordings
}

fn recording(folder: &str, file: &str, text: String) -> Option<Recording> {
    let is_typed = text.contains(r#""type":"response."#) || text.contains(r#""type": "response."#);
    let is_response = text.contains(r#""object":"response""#) || text.contains(r#""object": "response""#);
    let dialect = match folder {
        "anthropic" => Dialect::Anthropic,
        "google" => Dialect::Gemini,
        "openai-responses" | "xai-responses" => Dialect::Responses,
        _ if is_typed || is_response => Dialect::Responses,
        _ => Dialect::OpenAi,
    };
    let name = format!("{folder}/{file}");
    let whole = |is_stream, bytes: String| Recording { name, dialect, is_stream, bytes: bytes.into_bytes() };
    if file.ends_with(".chunks.txt") {
        return Some(whole(true, replayed(dialect, &text)));
    }
    if file.ends_with(".sse") {
        return Some(whole(true, text));
    }
    let is_answer = file.ends_with(".json") && !file.ends_with("error.json");
    is_answer.then(|| whole(false, text))
}

/// The payloads as the provider framed them.
fn replayed(dialect: Dialect, text: &str) -> String {
    let mut stream = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let payload: Value = serde_json::from_str(line).unwrap_or(Value::Null);
        stream += &match (dialect, payload["type"].as_str()) {
            (Dialect::Gemini, _) => format!("data: {line}\r\n\r\n"),
            (Dialect::OpenAi, _) | (_, None) => format!("data: {line}\n\n"),
            (_, Some(kind)) => format!("event: {kind}\ndata: {line}\n\n"),
        };
    }
    if dialect == Dialect::OpenAi {
        stream += "data: [DONE]\n\n";
    }
    stream
}

/// What a caller sees of an answer.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    text: String,
    thoughts: String,
    calls: Vec<(String, Value)>,
    stop: Option<String>,
    usage: Usage,
}

fn seen(answer: &Answer) -> Seen {
    let choice = answer.choices.first().cloned().unwrap_or_default();
    let mut seen = Seen {
        text: String::new(),
        thoughts: String::new(),
        calls: Vec::new(),
        stop: choice.stop.as_ref().map(|stop| chat_word(stop).to_owned()),
        usage: answer.usage,
    };
    for part in &choice.parts {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => seen.text.push_str(text),
            Part::Thought(thought) => seen.thoughts.push_str(&thought.text),
            Part::ToolCall(call) => {
                let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
                let mut arguments = serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments));
                // Free text, in a dialect that only knows JSON.
                if call.is_custom {
                    arguments = json!({"input": call.arguments});
                }
                seen.calls.push((call.name.clone(), arguments));
            }
            _ => {}
        }
    }
    seen
}

/// Tokens as a dialect can say them: Anthropic does not count the reasoning, Gemini and Responses not what was written to
/// the cache (it is input). No dialect tells "none" from "not said" of what is a part of another count.
fn usage(usage: Usage, to: Dialect) -> [Option<u64>; 4] {
    let input = [usage.input, usage.cache_read, usage.cache_write];
    let input = input.into_iter().flatten().reduce(|sum, count| sum + count);
    let some = |count: Option<u64>| count.filter(|count| *count > 0);
    let reasoning = some(usage.reasoning).filter(|_| to != Dialect::Anthropic);
    [input, some(usage.cache_read), usage.output, reasoning]
}

/// A caller who wants all that there is, and knows the custom tools of the recordings.
fn reply() -> Rc<ReplyTo> {
    let custom = ToolKind::Custom { name: "write_sql".into(), description: None, format: None };
    let conversation = Conversation {
        model: "turnout/router".into(),
        stream: true,
        tools: vec![Tool { kind: custom, cache: None }],
        ..Conversation::default()
    };
    Rc::new(ReplyTo {
        conversation,
        id: "abc123".into(),
        created: 1_700_000_000,
        wants_usage: true,
        wants_events: true,
    })
}

/// The stream of a recording in another dialect, cut before each of these offsets; and what was wrong with it.
fn translated(recording: &Recording, to: Dialect, cuts: &[usize]) -> (Vec<u8>, Result<(), Malformed>) {
    let mut stream = Stream::new(recording.dialect, to, reply());
    let mut out = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([recording.bytes.len()]) {
        let chunk = &recording.bytes[from..cut];
        if let Err(malformed) = stream.push(chunk, &mut out) {
            return (out, Err(malformed));
        }
        from = cut;
    }
    let result = stream.finish(&mut out);
    assert_eq!(result.is_ok(), stream.is_done() || stream.failed().is_some(), "{} to {to:?}", recording.name);
    (out, result)
}

/// The answer that a stream makes, by its dialect's own reader.
fn read(dialect: Dialect, stream: &[u8]) -> Result<Answer, Malformed> {
    let mut events = Vec::new();
    let mut decode = decoder(dialect);
    let mut result = Ok(());
    sse::Decoder::new().push(stream, |event| {
        if result.is_ok() {
            result = decode(Some((event.name, event.data)), &mut events);
        }
    });
    result?;
    if events.iter().any(|event| matches!(event, Event::Failed(_))) {
        events.retain(|event| !matches!(event, Event::Failed(_)));
        return Ok(assembled_so_far(&events));
    }
    decode(None, &mut events)?;
    Ok(assembled(&events))
}

type Events = Vec<Event>;
type Payload<'p> = Option<(&'p [u8], &'p [u8])>;
type Reader = Box<dyn FnMut(Payload<'_>, &mut Events) -> Result<(), Malformed>>;

/// A reader of a dialect's events; `None` is the end.
fn decoder(dialect: Dialect) -> Reader {
    macro_rules! reader {
        ($dialect:ident) => {{
            let mut decoder = turnout::dialect::$dialect::Decoder::new();
            Box::new(move |payload, out| match payload {
                Some((name, data)) => decoder.push(name, data, out),
                None => decoder.finish(out),
            })
        }};
    }
    match dialect {
        Dialect::OpenAi => reader!(openai),
        Dialect::Anthropic => reader!(anthropic),
        Dialect::Responses => reader!(responses),
        Dialect::Gemini => reader!(gemini),
    }
}

/// Compares what two callers see, but for the exceptions.
fn check(name: &str, to: Dialect, source: &Seen, target: &Seen, faults: &mut Vec<String>) {
    let both = |what: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| format!("{what:?}\n  {other:?}");
    let (said, told) = (usage(source.usage, to), usage(target.usage, to));
    let differs = [
        (Differs::Text, source.text != target.text, both(&source.text, &target.text)),
        (Differs::Thoughts, source.thoughts != target.thoughts, both(&source.thoughts, &target.thoughts)),
        (Differs::Calls, source.calls != target.calls, both(&source.calls, &target.calls)),
        (Differs::Stop, source.stop != target.stop, both(&source.stop, &target.stop)),
        (Differs::Usage, said != told, both(&said, &told)),
    ];
    for (what, differs, both) in differs {
        let is_known = EXCEPTIONS
            .iter()
            .any(|(ending, target, known, _)| name.ends_with(ending) && *target == to && *known == what);
        if differs != is_known {
            let expectation =
                if differs { "differs" } else { "is listed as an exception and does not differ" };
            faults.push(format!("{name} to {}: {what:?} {expectation}\n  {both}", to.as_str()));
        }
    }
}

#[test]
fn whole_answers_say_the_same_in_every_dialect() {
    let mut faults = Vec::new();
    for recording in recordings().iter().filter(|recording| !recording.is_stream) {
        let source = translate::decode_answer(recording.dialect, &recording.bytes);
        let source = source.unwrap_or_else(|error| panic!("{}: {error:?}", recording.name));
        for to in Dialect::ALL {
            let body =
                translate::answer(recording.dialect, to, &recording.bytes, &reply()).expect("an answer");
            let target = translate::decode_answer(to, &body);
            let target = target.unwrap_or_else(|error| panic!("{} to {to:?}: {error:?}", recording.name));
            check(&recording.name, to, &seen(&source), &seen(&target), &mut faults);
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn streams_say_the_same_in_every_dialect() {
    let mut faults = Vec::new();
    for recording in recordings().iter().filter(|recording| recording.is_stream) {
        let source = read(recording.dialect, &recording.bytes).map(|answer| seen(&answer));
        for to in Dialect::ALL {
            let (stream, result) = translated(recording, to, &[]);
            match (&source, result) {
                (Ok(source), Ok(())) => match read(to, &stream) {
                    Ok(target) => check(&recording.name, to, source, &seen(&target), &mut faults),
                    Err(malformed) => faults.push(format!("{} to {to:?}: {malformed:?}", recording.name)),
                },
                // What the provider got wrong is wrong for every caller.
                (Err(malformed), Err(told)) => assert_eq!(*malformed, told, "{}", recording.name),
                (source, told) => faults.push(format!("{} to {to:?}: {source:?}, {told:?}", recording.name)),
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Streams up to this length are cut at every offset.
const SHORT: usize = 2 << 10;

#[test]
fn a_stream_is_the_same_however_it_is_cut() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for recording in recordings().iter().filter(|recording| recording.is_stream) {
        let length = recording.bytes.len();
        for to in Dialect::ALL {
            let whole = translated(recording, to, &[]);
            if length <= SHORT {
                for cut in 0..=length {
                    assert!(translated(recording, to, &[cut]) == whole, "{} cut at {cut}", recording.name);
                }
                let every: Vec<usize> = (1..length).collect();
                assert!(translated(recording, to, &every) == whole, "{} byte by byte", recording.name);
                continue;
            }
            for round in 0..4 {
                let mut cuts: Vec<usize> = (0..1 + round * 20)
                    .map(|_| {
                        random = random
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        usize::try_from(random >> 33).expect("31 bits") % length
                    })
                    .collect();
                cuts.sort_unstable();
                assert!(translated(recording, to, &cuts) == whole, "{} cut at {cuts:?}", recording.name);
            }
        }
    }
}

/// The first events of each dialect, before and with the first that says something, and an error of each.
const BEGINNINGS: [(Dialect, &str, &str, &str); 4] = [
    (
        Dialect::OpenAi,
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n",
        "data: {\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\",\"code\":\"rate_limit_exceeded\"}}\n\n",
    ),
    (
        Dialect::Anthropic,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow down\"}}\n\n",
    ),
    (
        Dialect::Responses,
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"object\":\"response\",\"model\":\"m\",\"status\":\"in_progress\",\"output\":[]}}\n\nevent: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"i\",\"role\":\"assistant\",\"status\":\"in_progress\",\"content\":[]}}\n\nevent: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"sequence_number\":2,\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}}\n\n",
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":3,\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,\"delta\":\"hi\"}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":4,\"code\":\"rate_limit_exceeded\",\"message\":\"slow down\",\"param\":null}\n\n",
    ),
    (
        Dialect::Gemini,
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"m\"}\r\n\r\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"m\"}\r\n\r\n",
        "data: {\"error\":{\"code\":429,\"message\":\"slow down\",\"status\":\"RESOURCE_EXHAUSTED\"}}\r\n\r\n",
    ),
];

#[test]
fn a_stream_has_begun_with_its_first_letter_and_an_error_before_it_is_told_as_a_whole() {
    for (from, beginning, letter, error) in BEGINNINGS {
        for to in Dialect::ALL {
            let how = format!("{} to {}", from.as_str(), to.as_str());
            let mut stream = Stream::new(from, to, reply());
            let mut out = Vec::new();
            stream.push(beginning.as_bytes(), &mut out).expect(&how);
            assert!(!stream.has_begun() && stream.failed().is_none(), "{how}");
            assert_eq!(stream.model(), Some("m"), "{how}");
            let held = out.len();
            stream.push(error.as_bytes(), &mut out).expect(&how);
            assert!(!stream.has_begun() && !stream.is_done(), "{how}");
            assert_eq!(out.len(), held, "{how}: an error that came first is told as a body");
            let failed = stream.failed().expect(&how);
            assert!(failed.body.contains("slow down"), "{how}: {}", failed.body);
            assert!(failed.kind.is_some(), "{how}");
            let read = translate::decode_error(to, failed.status, failed.body.as_bytes());
            assert_eq!(read.message, "slow down", "{how}");
            stream.finish(&mut out).expect(&how);

            let mut stream = Stream::new(from, to, reply());
            let mut out = Vec::new();
            stream.push(beginning.as_bytes(), &mut out).expect(&how);
            stream.push(letter.as_bytes(), &mut out).expect(&how);
            assert!(stream.has_begun(), "{how}");
            let said = out.len();
            stream.push(error.as_bytes(), &mut out).expect(&how);
            let ending = String::from_utf8_lossy(&out[said..]).into_owned();
            assert!(ending.contains("slow down"), "{how}: {ending}");
            stream.ending(&Failure { message: "twice".into(), ..Failure::default() }, &mut out);
            assert!(!String::from_utf8_lossy(&out).contains("twice"), "{how}: nothing comes after an error");
        }
    }
}

#[test]
fn a_stream_that_breaks_off_is_malformed_and_ends_as_its_caller_knows_it() {
    for (from, beginning, letter, _) in BEGINNINGS {
        for to in Dialect::ALL {
            let how = format!("{} to {}", from.as_str(), to.as_str());
            let mut stream = Stream::new(from, to, reply());
            let mut out = Vec::new();
            stream.push(beginning.as_bytes(), &mut out).expect(&how);
            stream.push(letter.as_bytes(), &mut out).expect(&how);
            assert!(stream.finish(&mut out).is_err(), "{how}");
            assert!(!stream.is_done(), "{how}");
            let said = out.len();
            let failure = Failure { status: 502, message: "it broke off".into(), ..Failure::default() };
            stream.ending(&failure, &mut out);
            let ending = String::from_utf8_lossy(&out[said..]).into_owned();
            assert!(ending.contains("it broke off"), "{how}: {ending}");

            let mut stream = Stream::new(from, to, reply());
            assert!(stream.push(b"data: {\"oops\n\n", &mut Vec::new()).is_err(), "{how}");
        }
    }
}

#[test]
fn errors_keep_their_message_and_their_status() {
    for from in Dialect::ALL {
        for (status, expected) in
            [(400, 400), (401, 401), (404, 404), (429, 429), (500, 500), (503, 503), (529, 503)]
        {
            let failure = Failure { status, message: "no".into(), ..Failure::default() };
            let body = translate::encode_error(from, &failure);
            for to in Dialect::ALL {
                let expected = if to == Dialect::Anthropic && status == 529 { 529 } else { expected };
                let (told, body) = translate::error(from, to, status, body.as_bytes());
                assert_eq!(told, expected, "{} to {}", from.as_str(), to.as_str());
                assert_eq!(translate::decode_error(to, told, body.as_bytes()).message, "no");
            }
        }
    }
}

/// The same conversation in each dialect: a question, a call with its result, and a tool.
#[test]
fn a_conversation_reaches_every_dialect_from_every_dialect() {
    let gemini = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {"role": "model", "parts": [{"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Oslo"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "call_1", "name": "weather", "response": {"output": "rain"}}}]},
        ],
        "tools": [{"functionDeclarations": [{
            "name": "weather", "description": "d",
            "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}},
        }]}],
        "generationConfig": {"maxOutputTokens": 100, "temperature": 0.5},
    });
    let first = translate::decode_request(Dialect::Gemini, gemini.to_string().as_bytes()).expect("a request");
    for from in Dialect::ALL {
        let body = translate::encode_request(from, &first, "m", &mut Losses::new(from)).expect("a request");
        let read = translate::decode_request(from, &body).expect("a request");
        for to in Dialect::ALL {
            let how = format!("{} to {}", from.as_str(), to.as_str());
            let body = translate::encode_request(to, &read, "m", &mut Losses::new(to)).expect(&how);
            let again = translate::decode_request(to, &body).expect(&how);
            assert_eq!(again.turns, first.turns, "{how}");
            assert_eq!(again.system, first.system, "{how}");
            assert_eq!(again.max_tokens, Some(100), "{how}");
            assert_eq!(again.sampling.temperature, first.sampling.temperature, "{how}");
            let kind = |conversation: &Conversation| match &conversation.tools[0].kind {
                ToolKind::Function { name, parameters, .. } => (name.clone(), parameters.clone()),
                other => panic!("{how}: {other:?}"),
            };
            assert_eq!(kind(&again), kind(&first), "{how}");
        }
    }
}

/// Keeps the comparison in this file honest: one recording, read by eye.
#[test]
fn a_known_recording_says_what_it_says() {
    for recording in recordings().iter().filter(|it| it.name == "anthropic/anthropic-text.json") {
        let answer = translate::decode_answer(recording.dialect, &recording.bytes).expect("an answer");
        let body: Value = serde_json::from_slice(&recording.bytes).expect("JSON");
        assert_eq!(seen(&answer).text, body["content"][0]["text"].as_str().unwrap());
        assert_eq!(answer.choices[0].stop, Some(Stop::End));
    }
}
