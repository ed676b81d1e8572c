//! A request of Chat Completions, read into the neutral conversation.

use serde_json::{Map, Value};

use super::fields::{Fields, wrong};
use super::history::History;
use super::tools;
use crate::dialect::conversation::{Conversation, Sampling, Thinking, ThinkingMode};
use crate::error::{Error, ErrorKind};

/// Fields that are ours, or that say how a stream is sent and nothing of the answer.
const NOT_CARRIED: [&str; 9] = [
    "extra_body",
    "models",
    "fallback",
    "ignore",
    "sort",
    "provider",
    "prompt_variables",
    "metadata",
    "stream_options",
];

/// Reads a request.
pub(super) fn decode(body: &[u8]) -> Result<Conversation, Error> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("The body must be a JSON object: {error}."))
    })?;
    let mut fields = Fields::of_body(body);
    for name in NOT_CARRIED {
        fields.take(name);
    }
    let legacy_functions = fields.members().get("functions").is_some_and(|functions| !functions.is_null());
    let History { system, turns, .. } = History::read(fields.take("messages"))?;
    let mut conversation = Conversation {
        model: fields.string("model")?.unwrap_or_default(),
        stream: fields.boolean("stream")?.unwrap_or(false),
        system,
        turns,
        tools: tools::read(&mut fields)?,
        legacy_functions,
        tool_choice: tools::read_choice(&mut fields)?,
        parallel_tool_calls: fields.boolean("parallel_tool_calls")?,
        format: tools::read_format(&mut fields)?,
        thinking: read_thinking(&mut fields)?,
        sampling: read_sampling(&mut fields)?,
        max_tokens: read_max_tokens(&mut fields)?,
        n: fields.whole("n")?,
        user: read_user(&mut fields)?,
        verbosity: fields.string("verbosity")?,
        service_tier: fields.string("service_tier")?,
        prompt_cache_key: fields.string("prompt_cache_key")?,
        own: Map::new(),
    };
    conversation.own = fields.rest();
    conversation.own.retain(|name, value| !says_nothing(name, value));
    Ok(conversation)
}

/// What is so by itself is nothing to lose.
fn says_nothing(name: &str, value: &Value) -> bool {
    match name {
        "store" => value == &Value::Bool(false),
        "modalities" => {
            value.as_array().is_some_and(|modalities| modalities.iter().all(|modality| modality == "text"))
        }
        _ => false,
    }
}

fn read_max_tokens(fields: &mut Fields) -> Result<Option<u64>, Error> {
    let (completion, legacy) = (fields.whole("max_completion_tokens")?, fields.whole("max_tokens")?);
    Ok(completion.or(legacy))
}

fn read_user(fields: &mut Fields) -> Result<Option<String>, Error> {
    let (user, safety) = (fields.string("user")?, fields.string("safety_identifier")?);
    Ok(user.filter(|user| !user.is_empty()).or(safety))
}

fn read_sampling(fields: &mut Fields) -> Result<Sampling, Error> {
    let wanted = fields.boolean("logprobs")?.unwrap_or(false);
    let others = fields.whole("top_logprobs")?;
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        // Not OpenAI's, but of many that speak its dialect.
        top_k: fields.number("top_k")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        presence_penalty: fields.number("presence_penalty")?,
        seed: fields.number("seed")?,
        stop: read_stop(fields)?,
        logprobs: wanted.then(|| others.unwrap_or(0)),
        logit_bias: fields
            .take("logit_bias")
            .filter(|bias| bias.as_object().is_none_or(|bias| !bias.is_empty())),
    })
}

fn read_stop(fields: &mut Fields) -> Result<Vec<String>, Error> {
    let expected = "a string or an array of strings";
    match fields.take("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(texts)) => texts
            .into_iter()
            .enumerate()
            .map(|(at, text)| match text {
                Value::String(text) => Ok(text),
                other => Err(wrong(&format!("stop[{at}]"), "a string", &other)),
            })
            .collect(),
        Some(other) => Err(wrong("stop", expected, &other)),
    }
}

/// `reasoning_effort`; OpenRouter's `reasoning` and `include_reasoning`; `thinking` as Anthropic, DeepSeek and others have it.
fn read_thinking(fields: &mut Fields) -> Result<Option<Thinking>, Error> {
    let mut thinking = Thinking { effort: fields.string("reasoning_effort")?, ..Thinking::default() };
    if let Some(mut reasoning) = fields.object("reasoning")? {
        thinking.effort = reasoning.string("effort")?.or(thinking.effort);
        thinking.budget = reasoning.whole("max_tokens")?;
        thinking.mode = reasoning.boolean("enabled")?.map(mode);
        thinking.shown = reasoning.string("summary")?;
        if reasoning.boolean("exclude")? == Some(true) {
            thinking.shown = Some(OMITTED.to_owned());
        }
    }
    match fields.boolean("include_reasoning")? {
        Some(false) => thinking.shown = Some(OMITTED.to_owned()),
        Some(true) => thinking.shown = thinking.shown.or_else(|| Some("auto".to_owned())),
        None => {}
    }
    if let Some(mut object) = fields.object("thinking")? {
        thinking.mode = match object.string("type")?.as_deref() {
            Some("enabled") => Some(ThinkingMode::On),
            Some("disabled") => Some(ThinkingMode::Off),
            Some("adaptive" | "auto") => Some(ThinkingMode::Adaptive),
            _ => thinking.mode,
        };
        thinking.budget = object.whole("budget_tokens")?.or(thinking.budget);
    }
    Ok((thinking != Thinking::default()).then_some(thinking))
}

/// Anthropic's word for thoughts that are not shown.
const OMITTED: &str = "omitted";

fn mode(enabled: bool) -> ThinkingMode {
    if enabled { ThinkingMode::On } else { ThinkingMode::Off }
}
