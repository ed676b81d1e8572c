//! Every recording of the dialects that are only read along, replayed at all sorts of chunkings.

use serde_json::Value;
use turnout::dialect::Dialect;
use turnout::relay::{First, Observer, Said};
use turnout::usage::Usage;

use super::{cut, is_of_responses, random_cuts, recordings_of};
use crate::relay::observe_in;

/// The providers that were recorded in a dialect.
fn providers(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenAi => &[],
        Dialect::Anthropic => &["anthropic"],
        Dialect::Responses => &["openai-responses", "xai-responses", "azure"],
        Dialect::Gemini => &["google"],
    }
}

const DIALECTS: [Dialect; 3] = [Dialect::Anthropic, Dialect::Responses, Dialect::Gemini];

struct Replay {
    name: String,
    dialect: Dialect,
    payloads: Vec<Value>,
    stream: Vec<u8>,
    /// Offsets of the events' ends.
    ends: Vec<usize>,
}

fn replays() -> Vec<Replay> {
    let of = |dialect: Dialect| {
        let recordings = recordings_of(providers(dialect), ".chunks.txt").into_iter();
        recordings
            .filter(move |(_, text)| dialect != Dialect::Responses || is_of_responses(text))
            .map(move |(path, text)| Replay::new(dialect, &path.to_string_lossy(), &text))
    };
    DIALECTS.into_iter().flat_map(of).collect()
}

impl Replay {
    fn new(dialect: Dialect, name: &str, text: &str) -> Replay {
        let (mut payloads, mut stream, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            let payload: Value = serde_json::from_str(line).expect("a payload");
            let event = match payload["type"].as_str() {
                Some(kind) => format!("event: {kind}\ndata: {line}\n\n"),
                None => format!("data: {line}\r\n\r\n"),
            };
            stream.extend_from_slice(event.as_bytes());
            ends.push(stream.len());
            payloads.push(payload);
        }
        Replay { name: name.to_owned(), dialect, payloads, stream, ends }
    }

    /// The first event that says something; `None` where none does.
    fn first(&self) -> Option<usize> {
        self.payloads.iter().position(|payload| says(self.dialect, payload))
    }

    /// The first event that has a reason why the answer is over.
    fn last(&self) -> Option<usize> {
        self.payloads.iter().position(|payload| match self.dialect {
            Dialect::OpenAi => false,
            Dialect::Anthropic => payload["delta"]["stop_reason"].is_string(),
            Dialect::Responses => payload["type"] == "response.completed",
            Dialect::Gemini => payload["candidates"][0]["finishReason"].is_string(),
        })
    }

    fn usage(&self) -> Option<Usage> {
        match self.dialect {
            Dialect::OpenAi => None,
            Dialect::Anthropic => anthropic_usage(&self.payloads),
            Dialect::Responses => {
                self.payloads.iter().rev().find_map(|payload| responses_usage(&payload["response"]))
            }
            Dialect::Gemini => self.payloads.iter().rev().find_map(gemini_usage),
        }
    }
}

/// Whether an event says something, by the words that are in the recordings.
fn says(dialect: Dialect, payload: &Value) -> bool {
    let has_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    match (dialect, payload["type"].as_str().unwrap_or_default()) {
        (Dialect::OpenAi, _) => false,
        (Dialect::Anthropic, "content_block_start") => {
            let kind = payload["content_block"]["type"].as_str().expect("a type");
            kind.ends_with("tool_use") || kind.ends_with("_tool_result")
        }
        (Dialect::Anthropic, "content_block_delta") => {
            ["text", "thinking", "partial_json"].iter().any(|name| has_text(&payload["delta"][name]))
        }
        (Dialect::Anthropic, "message_delta") => payload["delta"]["stop_reason"] == "refusal",
        (Dialect::Responses, "response.output_item.added") => !["message", "reasoning", "mcp_list_tools"]
            .contains(&payload["item"]["type"].as_str().expect("a type")),
        (Dialect::Responses, "response.output_item.done") => has_text(&payload["item"]["encrypted_content"]),
        (Dialect::Responses, kind) if kind.ends_with(".delta") => has_text(&payload["delta"]),
        (Dialect::Gemini, _) => {
            let part = &payload["candidates"][0]["content"]["parts"][0];
            has_text(&part["text"]) || part["functionCall"].is_object()
        }
        (Dialect::Anthropic | Dialect::Responses, _) => false,
    }
}

fn anthropic_usage(payloads: &[Value]) -> Option<Usage> {
    let merged = payloads.iter().fold(serde_json::Map::new(), |mut merged, payload| {
        for usage in [&payload["message"]["usage"], &payload["usage"]] {
            merged.extend(usage.as_object().cloned().unwrap_or_default());
        }
        merged
    });
    anthropic_counts(&Value::Object(merged))
}

fn anthropic_counts(usage: &Value) -> Option<Usage> {
    usage.is_object().then(|| Usage {
        input: usage["input_tokens"].as_u64(),
        cache_read: usage["cache_read_input_tokens"].as_u64(),
        cache_write: usage["cache_creation_input_tokens"].as_u64(),
        output: usage["output_tokens"].as_u64(),
        reasoning: usage["output_tokens_details"]["thinking_tokens"].as_u64(),
    })
}

fn responses_usage(response: &Value) -> Option<Usage> {
    let usage = response.get("usage").filter(|usage| usage.is_object())?;
    let details = &usage["input_tokens_details"];
    let (read, written) = (details["cached_tokens"].as_u64(), details["cache_write_tokens"].as_u64());
    Some(Usage {
        input: Some(usage["input_tokens"].as_u64()? - read.unwrap_or(0) - written.unwrap_or(0)),
        cache_read: read,
        cache_write: written,
        output: usage["output_tokens"].as_u64(),
        reasoning: usage["output_tokens_details"]["reasoning_tokens"].as_u64(),
    })
}

/// Nothing but the sum tells the output.
fn gemini_usage(body: &Value) -> Option<Usage> {
    let usage = &body["usageMetadata"];
    let prompt = usage["promptTokenCount"].as_u64()?;
    Some(Usage {
        input: Some(prompt),
        output: Some(usage["totalTokenCount"].as_u64()? - prompt),
        reasoning: usage["thoughtsTokenCount"].as_u64(),
        ..Usage::default()
    })
}

#[test]
fn streams_are_read_alike_at_every_chunking() {
    for replay in replays() {
        let whole = observe_in(replay.dialect, [&replay.stream[..]]);
        assert_eq!(whole.usage, replay.usage(), "{}", replay.name);
        assert!(whole.meaningful && whole.done && whole.error.is_none(), "{}: {whole:?}", replay.name);
        assert!(whole.terminated && whole.model.is_some(), "{}: {whole:?}", replay.name);

        let observe = |chunks: Vec<&[u8]>, how: &str| {
            assert_eq!(observe_in(replay.dialect, chunks), whole, "{}: {how}", replay.name);
        };
        for size in [1, 2, 7, 100, 1460, 4096, 65536] {
            observe(replay.stream.chunks(size).collect(), &format!("chunks of {size}"));
        }
        observe(cut(&replay.stream, &replay.ends), "each event");
        for cuts in random_cuts() {
            observe(cut(&replay.stream, &cuts), &format!("cuts at {cuts:?}"));
        }
        let splits = if replay.stream.len() <= 6 << 10 { 1 } else { replay.stream.len() / 40 };
        for at in (0..=replay.stream.len()).step_by(splits) {
            observe(cut(&replay.stream, &[at]), &format!("split at {at}"));
        }
    }
}

#[test]
fn streams_are_committed_at_their_first_words() {
    let replays = replays();
    for replay in &replays {
        let first = replay.first().expect("something is said");
        for size in [usize::MAX, 1] {
            let mut observer = Observer::new(replay.dialect);
            let mut begin = 0;
            for (event, end) in replay.ends[..=first].iter().enumerate() {
                let bytes = &replay.stream[begin..*end];
                bytes.chunks(size.min(bytes.len())).for_each(|chunk| observer.push(chunk));
                begin = *end;
                let expected = (event == first).then_some(&First::Meaningful);
                assert_eq!(observer.first(), expected, "{}: {}", replay.name, replay.payloads[event]);
                assert!(observer.between_events());
            }
        }
    }
    for dialect in DIALECTS {
        let count = replays.iter().filter(|replay| replay.dialect == dialect).count();
        assert!(replays.is_empty() || count >= 3, "{dialect:?}: {count}");
    }
}

#[test]
fn streams_are_done_at_their_end_and_not_before() {
    for replay in replays() {
        let last = replay.last().expect("an end");
        for (event, end) in replay.ends.iter().enumerate() {
            // Of the middle, one in fifty.
            if event > 20 && event + 20 < last && event % 50 > 0 {
                continue;
            }
            let observed = observe_in(replay.dialect, replay.stream[..*end].chunks(1_000));
            assert_eq!(observed.done, event >= last, "{}: {}", replay.name, replay.payloads[event]);
            assert!(!observed.terminated || observed.done, "{}: {}", replay.name, replay.payloads[event]);
        }
    }
}

#[test]
fn whole_bodies_are_read() {
    for dialect in DIALECTS {
        for (path, text) in recordings_of(providers(dialect), ".json") {
            let body: Value = serde_json::from_str(&text).expect("a body");
            if body["object"] == "chat.completion" {
                continue;
            }
            let (observed, said) = Observer::judge(dialect, text.as_bytes());
            let failed = body["error"].is_object();
            let (usage, model) = match dialect {
                Dialect::OpenAi => (None, &Value::Null),
                Dialect::Anthropic => (anthropic_counts(&body["usage"]), &body["model"]),
                Dialect::Responses => (responses_usage(&body), &body["model"]),
                Dialect::Gemini => (gemini_usage(&body), &body["modelVersion"]),
            };
            assert_eq!(said, if failed { Said::Error } else { Said::Something }, "{}", path.display());
            assert_eq!(observed.usage, usage, "{}", path.display());
            assert_eq!(observed.model.as_deref(), model.as_str(), "{}", path.display());
            assert_eq!(observed.error.is_some(), failed, "{}", path.display());
            assert_eq!((observed.meaningful, observed.done), (!failed, !failed), "{}", path.display());
            assert!(!observed.terminated && (failed || observed.finish_reason.is_some()));
        }
    }
}

/// Keeps the reading in this file honest: some recordings, read by eye.
#[test]
fn usage_is_what_the_recordings_say() {
    let usage = |[input, cache_read, cache_write, output, reasoning]: [Option<u64>; 5]| Usage {
        input,
        cache_read,
        cache_write,
        output,
        reasoning,
    };
    for (name, expected) in [
        ("duplicate-message-start.chunks.txt", [Some(17), None, None, Some(227), None]),
        ("anthropic-message-delta-input-tokens.chunks.txt", [Some(61), None, None, Some(2), None]),
        (
            "anthropic-code-execution-20260120-prompt-cache.1.chunks.txt",
            [Some(6), Some(6289), Some(3337), Some(198), Some(0)],
        ),
        ("xai-text-streaming.1.chunks.txt", [Some(24), Some(192), None, Some(863), Some(237)]),
        ("openai-web-search-tool.1.chunks.txt", [Some(27361), Some(3712), None, Some(4416), Some(3712)]),
        ("google-stream-no-args-tool-call.chunks.txt", [Some(249), None, None, Some(241), Some(183)]),
    ] {
        for replay in replays().iter().filter(|replay| replay.name.ends_with(name)) {
            let observed = observe_in(replay.dialect, [&replay.stream[..]]);
            assert_eq!(observed.usage, Some(usage(expected)), "{name}");
        }
    }
}
