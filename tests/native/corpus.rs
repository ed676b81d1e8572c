//! Every recording of Chat Completions in `../shared/corpus`, replayed at all sorts of chunkings. Skipped where it is absent.

use std::path::{Path, PathBuf};

use serde_json::Value;
use turnout::dialect::Dialect;
use turnout::relay::Observer;
use turnout::usage::Usage;

use crate::relay::{cut, observe, relay};

const PROVIDERS: [&str; 7] =
    ["azure", "groq", "mistral", "moonshotai", "openai", "openai-compatible", "perplexity"];

/// The recordings whose names end so, by name; none where the corpus is absent, which is said.
pub(crate) fn recordings(ending: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A work tree of its own may lie one folder deeper than the project does.
    let Some(corpus) = ["../shared/corpus", "../../shared/corpus"]
        .map(|path| root.join(path))
        .into_iter()
        .find(|path| path.is_dir())
    else {
        eprintln!("SKIPPED: the recordings of real providers (../shared/corpus) are not here");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = PROVIDERS
        .iter()
        .flat_map(|provider| std::fs::read_dir(corpus.join(provider)).expect("a folder of the corpus"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    let texts = files.into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).expect("a recording");
        (path, text)
    });
    // Some of Azure's are of the Responses API, which has a type in each payload.
    texts
        .filter(|(_, text)| {
            !text.contains(r#""object":"response""#) && !text.contains(r#""object": "response""#)
        })
        .collect()
}

/// What a payload says of usage, read in another way than the code under test reads it: nothing but `total_tokens` tells
/// the output.
fn usage_of(payload: &Value) -> Option<Usage> {
    let usage = [&payload["usage"], &payload["x_groq"]["usage"], &payload["choices"][0]["usage"]]
        .into_iter()
        .find(|usage| usage.is_object())?;
    let prompt = usage["prompt_tokens"].as_u64()?;
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().or(usage["cached_tokens"].as_u64());
    let reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
        .as_u64()
        .or(usage["reasoning_tokens"].as_u64());
    Some(Usage {
        input: Some(prompt - cached.unwrap_or(0)),
        cache_read: cached,
        cache_write: None,
        output: Some(usage["total_tokens"].as_u64()? - prompt),
        reasoning,
    })
}

/// A recording as it is replayed, what of it a caller sees who did not ask for usage, and what it says of usage.
struct Replay {
    name: String,
    stream: Vec<u8>,
    passed: Vec<u8>,
    usage: Option<Usage>,
    payloads: Vec<String>,
    /// Offsets of the events' ends.
    ends: Vec<usize>,
}

/// The payloads of every recorded stream, by the recording's path.
pub(crate) fn streams() -> Vec<(PathBuf, Vec<String>)> {
    let chunks = recordings(".chunks.txt").into_iter().map(|(path, text)| {
        let mut payloads: Vec<String> = text.lines().map(str::to_owned).collect();
        payloads.push("[DONE]".to_owned());
        (path, payloads)
    });
    let events = recordings(".sse").into_iter().map(|(path, text)| {
        let payloads = text
            .split_terminator("\n\n")
            .map(|event| event.strip_prefix("data: ").expect("data").trim_end().to_owned());
        (path, payloads.collect())
    });
    chunks.chain(events).collect()
}

fn replays() -> Vec<Replay> {
    streams().into_iter().map(|(path, payloads)| Replay::new(&path.to_string_lossy(), payloads)).collect()
}

impl Replay {
    fn new(name: &str, payloads: Vec<String>) -> Replay {
        let (mut stream, mut passed, mut usage, mut ends) = (Vec::new(), Vec::new(), None, Vec::new());
        for payload in &payloads {
            let event = format!("data: {payload}\n\n").into_bytes();
            let value: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
            usage = usage_of(&value).or(usage);
            let withheld =
                value["usage"].is_object() && value["choices"].as_array().is_some_and(Vec::is_empty);
            if !withheld {
                passed.extend_from_slice(&event);
            }
            stream.extend_from_slice(&event);
            ends.push(stream.len());
        }
        Replay { name: name.to_owned(), stream, passed, usage, payloads, ends }
    }

    fn check(&self, chunks: &[&[u8]], bypass: bool, how: &dyn Fn() -> String) {
        let relayed = relay(chunks.iter().copied(), bypass);
        assert!(relayed.bytes == self.passed, "{}: bytes, {}, bypass {bypass}", self.name, how());
        assert_eq!(relayed.observed.usage, self.usage, "{}: usage, {}, bypass {bypass}", self.name, how());
        assert!(relayed.observed.meaningful && relayed.observed.done, "{}: {}", self.name, how());
    }

    /// At splits into two, where no chunk is one to bypass: the first has the beginning, the second the end.
    fn check_splits(&self, splits: impl Iterator<Item = usize>) {
        for at in splits {
            self.check(&cut(&self.stream, &[at]), false, &|| format!("split at {at}"));
        }
    }

    /// The same recording, shortened to its first and last events and those at `middle`.
    fn shortened(&self, middle: std::ops::Range<usize>) -> Replay {
        let last = self.payloads.len().saturating_sub(3);
        let payloads = self.payloads.iter().enumerate();
        let kept = payloads.filter(|(at, _)| *at < 3 || *at >= last || middle.contains(at));
        Replay::new(
            &format!("{}, events {middle:?}", self.name),
            kept.map(|(_, payload)| payload.clone()).collect(),
        )
    }
}

/// A short recording is split at every offset. A long one at a stride, and, shortened to be quick, around both ends of every
/// event and everywhere in its last 2 KB: an event knows nothing of those that are not beside it.
#[test]
fn streams_pass_untouched_and_their_usage_is_read_at_every_split() {
    let replays = replays();
    for replay in &replays {
        let length = replay.stream.len();
        if length <= 6 << 10 {
            replay.check_splits(0..=length);
            continue;
        }
        replay.check_splits((0..length).step_by(length / 40));
        for event in 3..replay.payloads.len() - 3 {
            let shortened = replay.shortened(event..event + 1);
            let ends = &shortened.ends[2..4];
            shortened.check_splits(ends.iter().flat_map(|end| end - 3..=end + 3));
        }
        let tail = replay.shortened(replay.payloads.len().saturating_sub(20)..replay.payloads.len());
        tail.check_splits(tail.stream.len() - 2048..=tail.stream.len());
    }
    if !replays.is_empty() {
        assert!(replays.len() >= 10, "only {} recordings", replays.len());
        assert!(
            replays.iter().any(|replay| replay.passed != replay.stream),
            "none has a usage chunk to withhold"
        );
        assert!(replays.iter().any(|replay| replay.usage.is_none()), "none lacks usage");
    }
}

#[test]
fn streams_pass_untouched_byte_by_byte_and_in_random_chunks() {
    for replay in replays() {
        for size in [1, 2, 7, 100, 1460, 4096, 65536] {
            let chunks: Vec<&[u8]> = replay.stream.chunks(size).collect();
            replay.check(&chunks, size != 1, &|| format!("chunks of {size}"));
            assert_eq!(observe(chunks).usage, replay.usage, "{}: observer, chunks of {size}", replay.name);
        }
        // As a provider sends them: events whole, some together.
        let events: Vec<usize> = replay.ends.iter().step_by(3).copied().collect();
        for bypass in [false, true] {
            replay.check(&cut(&replay.stream, &replay.ends), bypass, &|| "each event".to_owned());
            replay.check(&cut(&replay.stream, &events), bypass, &|| "three events".to_owned());
        }
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        for round in 0..40 {
            let cuts: Vec<usize> = (0..1 + round % 20)
                .map(|_| {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    usize::try_from(random >> 33).expect("31 bits")
                })
                .collect();
            replay.check(&cut(&replay.stream, &cuts), true, &|| format!("cuts at {cuts:?}"));
        }
    }
}

#[test]
fn whole_bodies_are_read() {
    for (path, text) in recordings(".json") {
        let body: Value = serde_json::from_str(&text).expect("a body");
        let observed = Observer::whole(Dialect::OpenAi, text.as_bytes());
        let failed = body["error"].is_object();
        assert_eq!(observed.usage, usage_of(&body), "{}", path.display());
        assert_eq!(observed.model.as_deref(), body["model"].as_str(), "{}", path.display());
        assert_eq!(observed.error.is_some(), failed, "{}", path.display());
        assert_eq!((observed.meaningful, observed.done), (!failed, !failed), "{}", path.display());
    }
}

/// Keeps the reading in this file honest: three recordings, read by eye.
#[test]
fn usage_is_what_the_recordings_say() {
    let usage = |input, cache_read, output, reasoning| {
        Some(Usage { input: Some(input), cache_read, cache_write: None, output: Some(output), reasoning })
    };
    for (name, expected) in [
        ("xai-tool-call.chunks.txt", usage(1, Some(306), 253, Some(227))),
        ("azure-deepseek-reasoning.1.chunks.txt", usage(19, None, 1720, Some(0))),
        ("groq-reasoning.chunks.txt", usage(17, None, 1107, Some(963))),
        ("mistral-incremental-tool-call.chunks.txt", usage(43, Some(128), 14, None)),
        ("perplexity-citations.chunks.txt", usage(10, None, 336, None)),
        ("anthropic-fallback-tool-call.sse", None),
    ] {
        for replay in replays().iter().filter(|replay| replay.name.ends_with(name)) {
            assert_eq!(observe([&replay.stream[..]]).usage, expected, "{name}");
        }
    }
}
