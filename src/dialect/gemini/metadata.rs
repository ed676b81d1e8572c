//! What stands beside an answer's parts: why it ended, tokens, likelihoods, sources.

use serde_json::{Map, Value, json};

use crate::dialect::Dialect;
use crate::dialect::answer::Stop;
use crate::dialect::conversation::Citation;
use crate::usage::Usage;

/// `finishReason` of what was refused by the model or by a filter.
const REFUSALS: &[&str] = &[
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
];

/// Those that stand for no other dialect's word, and pass as they are.
const OTHERS: &[&str] = &[
    "LANGUAGE",
    "OTHER",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "NO_IMAGE",
    "IMAGE_OTHER",
];

/// Why an answer ended. `None` where it has not.
pub(super) fn stop(finish_reason: &str, has_calls: bool) -> Option<Stop> {
    match finish_reason {
        "" | "FINISH_REASON_UNSPECIFIED" => None,
        "STOP" if has_calls => Some(Stop::ToolCalls),
        "STOP" => Some(Stop::End),
        // The cap of one request, in the midst of a long answer.
        "MAX_TOKENS" | "CONTINUATION" => Some(Stop::Length),
        refusal if REFUSALS.contains(&refusal) => Some(Stop::Refusal),
        other => Some(Stop::Other(other.to_owned())),
    }
}

/// The `finishReason`, and the `finishMessage` where the reason says less than the stop does.
pub(super) fn finish(stop: Option<&Stop>) -> (&'static str, Option<&str>) {
    match stop {
        None | Some(Stop::End | Stop::ToolCalls | Stop::Sequence(_)) => ("STOP", None),
        Some(Stop::Length) => ("MAX_TOKENS", None),
        Some(Stop::Refusal) => ("SAFETY", None),
        Some(Stop::Pause) => ("OTHER", Some("pause_turn")),
        Some(Stop::Other(word)) => match OTHERS.iter().find(|known| *known == word) {
            Some(known) => (known, None),
            None => ("OTHER", Some(word)),
        },
    }
}

/// `usageMetadata`. The prompt's count includes the cached tokens, that of the candidates no thoughts; a count of nothing is
/// left out by Google.
pub(super) fn usage(metadata: &Value) -> Usage {
    let count = |name: &str| metadata.get(name).and_then(Value::as_u64);
    let (prompt, cached) = (count("promptTokenCount"), count("cachedContentTokenCount"));
    let (tools, thoughts) = (count("toolUsePromptTokenCount"), count("thoughtsTokenCount"));
    let input =
        prompt.map(|prompt| prompt.saturating_sub(cached.unwrap_or(0)).saturating_add(tools.unwrap_or(0)));
    let output = match (count("candidatesTokenCount"), thoughts) {
        (None, None) => None,
        (said, thoughts) => Some(said.unwrap_or(0).saturating_add(thoughts.unwrap_or(0))),
    };
    Usage { input, cache_read: cached, cache_write: None, output, reasoning: thoughts }
}

/// `usageMetadata` of what is known; `None` where nothing is.
pub(super) fn usage_metadata(usage: &Usage) -> Option<Value> {
    if *usage == Usage::default() {
        return None;
    }
    let known = |counts: &[Option<u64>]| -> Option<u64> {
        counts.iter().flatten().copied().reduce(u64::saturating_add)
    };
    let prompt = known(&[usage.input, usage.cache_read, usage.cache_write]);
    let said = usage.output.map(|output| output.saturating_sub(usage.reasoning.unwrap_or(0)));
    let total = known(&[prompt, usage.output.or(usage.reasoning)]);
    let counts = [
        ("promptTokenCount", prompt),
        ("cachedContentTokenCount", usage.cache_read),
        ("candidatesTokenCount", said),
        ("thoughtsTokenCount", usage.reasoning),
        ("totalTokenCount", total),
    ];
    let counts = counts.into_iter().filter_map(|(name, count)| Some((name.to_owned(), count?.into())));
    Some(Value::Object(counts.collect()))
}

/// `logprobsResult` as Chat Completions has it; `None` where it says nothing.
pub(super) fn logprobs(result: &Value) -> Option<Value> {
    let chosen = result.get("chosenCandidates")?.as_array()?;
    let top = result.get("topCandidates").and_then(Value::as_array);
    let tokens = chosen.iter().enumerate().map(|(at, candidate)| {
        let mut token = likelihood(candidate);
        let others = top.and_then(|top| top.get(at)?.get("candidates")?.as_array());
        token.insert("top_logprobs".to_owned(), others.into_iter().flatten().map(likelihood).collect());
        Value::Object(token)
    });
    let tokens: Vec<Value> = tokens.collect();
    (!tokens.is_empty()).then_some(Value::Array(tokens))
}

fn likelihood(candidate: &Value) -> Map<String, Value> {
    let token = candidate.get("token").and_then(Value::as_str).unwrap_or_default();
    let logprob = candidate.get("logProbability").cloned().unwrap_or(Value::Null);
    let bytes: Vec<u8> = token.bytes().collect();
    [("token", token.into()), ("logprob", logprob), ("bytes", bytes.into())]
        .map(|(name, value): (&str, Value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// `logprobsResult` of what Chat Completions has.
pub(super) fn logprobs_result(tokens: &Value) -> Value {
    let candidate = |token: &Value| json!({"token": token["token"], "logProbability": token["logprob"]});
    let tokens = tokens.as_array().map(Vec::as_slice).unwrap_or_default();
    let chosen: Vec<Value> = tokens.iter().map(candidate).collect();
    let top = tokens.iter().map(|token| {
        let others = token["top_logprobs"].as_array().map(Vec::as_slice).unwrap_or_default();
        json!({"candidates": others.iter().map(candidate).collect::<Vec<_>>()})
    });
    json!({"chosenCandidates": chosen, "topCandidates": top.collect::<Vec<_>>()})
}

/// What `groundingMetadata` says that `text` rests on: each source of each segment, else each source.
pub(super) fn citations(metadata: &Value, text: &str) -> Vec<Citation> {
    let list =
        |name: &str| metadata.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let chunks = list("groundingChunks");
    let supports = list("groundingSupports");
    if supports.is_empty() {
        return chunks.iter().map(|chunk| citation(chunk, None)).collect();
    }
    let cited = supports.iter().flat_map(|support| {
        let span = support.get("segment").and_then(|segment| span(segment, text));
        let indices = support.get("groundingChunkIndices").and_then(Value::as_array);
        let indices = indices.into_iter().flatten().filter_map(Value::as_u64);
        let chunks = indices.filter_map(|index| chunks.get(usize::try_from(index).ok()?));
        chunks.map(move |chunk| citation(chunk, span))
    });
    cited.collect()
}

fn citation(chunk: &Value, span: Option<(u64, u64)>) -> Citation {
    let source = ["web", "retrievedContext", "image", "maps"].iter().find_map(|kind| chunk.get(kind));
    let text = |name: &str| source.and_then(|source| source.get(name)?.as_str()).map(str::to_owned);
    Citation {
        url: text("uri").or_else(|| text("sourceUri")),
        title: text("title"),
        cited_text: text("text"),
        span,
        own: Some((Dialect::Gemini, chunk.clone())),
    }
}

/// The segment in characters of the whole text. Its offsets are bytes of a part; where the text was said in several, its
/// words tell where it is.
fn span(segment: &Value, text: &str) -> Option<(u64, u64)> {
    let offset =
        |name: &str| segment.get(name).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
    let (start, end) = (offset("startIndex").unwrap_or(0), offset("endIndex")?);
    let words = segment.get("text").and_then(Value::as_str);
    let (start, end) = match (text.get(start..end), words) {
        (Some(there), Some(words)) if there != words => located(text, words)?,
        (None, Some(words)) => located(text, words)?,
        (None, None) => return None,
        (Some(_), _) => (start, end),
    };
    let characters = |to: usize| Some(u64::try_from(text.get(..to)?.chars().count()).unwrap_or(u64::MAX));
    Some((characters(start)?, characters(end)?))
}

fn located(text: &str, words: &str) -> Option<(usize, usize)> {
    let start = text.find(words).filter(|_| !words.is_empty())?;
    Some((start, start + words.len()))
}

/// `groundingMetadata` in the making.
#[derive(Debug, Default)]
pub(super) struct Grounding {
    chunks: Vec<Value>,
    supports: Vec<Value>,
}

impl Grounding {
    /// Adds what a text, which is the part of that index, rests on.
    pub(super) fn add(&mut self, citation: &Citation, text: &str, part: usize) {
        let chunk = match &citation.own {
            Some((Dialect::Gemini, chunk)) => chunk.clone(),
            _ => chunk_of(citation),
        };
        let index = self.chunks.iter().position(|known| *known == chunk).unwrap_or_else(|| {
            self.chunks.push(chunk);
            self.chunks.len() - 1
        });
        let Some((start, end)) = citation.span.and_then(|span| bytes_of(text, span)) else { return };
        let Some(words) = text.get(start..end) else { return };
        let segment = json!({"partIndex": part, "startIndex": start, "endIndex": end, "text": words});
        self.supports.push(json!({"segment": segment, "groundingChunkIndices": [index]}));
    }

    /// The whole; `None` where nothing was added.
    pub(super) fn take(&mut self) -> Option<Value> {
        let (chunks, supports) = (std::mem::take(&mut self.chunks), std::mem::take(&mut self.supports));
        if chunks.is_empty() {
            return None;
        }
        let mut metadata = json!({"groundingChunks": chunks});
        if !supports.is_empty()
            && let Some(metadata) = metadata.as_object_mut()
        {
            metadata.insert("groundingSupports".to_owned(), supports.into());
        }
        Some(metadata)
    }
}

fn chunk_of(citation: &Citation) -> Value {
    let members = |names: [(&str, &Option<String>); 3]| -> Value {
        let present =
            names.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
        Value::Object(present.collect())
    };
    if citation.url.is_some() {
        return json!({"web": members([("uri", &citation.url), ("title", &citation.title), ("text", &None)])});
    }
    json!({"retrievedContext": members([("uri", &None), ("title", &citation.title), ("text", &citation.cited_text)])})
}

/// A span in characters as bytes.
fn bytes_of(text: &str, (start, end): (u64, u64)) -> Option<(usize, usize)> {
    let byte = |character: u64| {
        let character = usize::try_from(character).ok()?;
        text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(character)
    };
    Some((byte(start)?, byte(end)?)).filter(|(start, end)| start <= end)
}
