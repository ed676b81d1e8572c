//! The neutral conversation, written as a request of Chat Completions.

use serde_json::{Map, Value, json};

use super::messages;
use super::model;
use super::tools;
use crate::dialect::conversation::{Conversation, Sampling, Thinking, ThinkingMode};
use crate::dialect::loss::{self, Feature, Losses};
use crate::error::Error;

/// Writes a request for `model`.
pub(super) fn encode(
    conversation: &Conversation,
    model: &str,
    losses: &mut Losses,
) -> Result<Vec<u8>, Error> {
    let tools = tools::Writer::new(conversation, model::is_openais(model));
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    body.insert("messages".to_owned(), Value::Array(messages::write(conversation, &tools, losses)?));
    if conversation.stream {
        body.insert("stream".to_owned(), true.into());
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    tools.write(&mut body, losses)?;
    if let Some(format) = &conversation.format {
        body.insert("response_format".to_owned(), tools::write_format(format));
    }
    if let Some(thinking) = &conversation.thinking {
        write_thinking(thinking, model, &mut body, losses)?;
    }
    write_sampling(&conversation.sampling, &mut body, losses)?;
    write_rest(conversation, model, &mut body, losses)?;
    write_own(&conversation.own, &mut body, losses)?;
    Ok(Value::Object(body).to_string().into_bytes())
}

fn write_rest(
    conversation: &Conversation,
    model: &str,
    body: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Result<(), Error> {
    let max_tokens = if model::is_openais(model) { "max_completion_tokens" } else { "max_tokens" };
    let mut put = |name: &str, value: Option<Value>| {
        body.extend(value.map(|value| (name.to_owned(), value)));
    };
    put(max_tokens, conversation.max_tokens.map(Value::from));
    put("n", conversation.n.map(Value::from));
    put("user", conversation.user.clone().map(Value::from));
    put("verbosity", conversation.verbosity.clone().map(Value::from));
    put("prompt_cache_key", conversation.prompt_cache_key.clone().map(Value::from));
    if conversation.service_tier.is_some() {
        losses.meet(Feature::ServiceTier, "service_tier")?;
    }
    Ok(())
}

fn write_sampling(
    sampling: &Sampling,
    body: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Result<(), Error> {
    let numbers = [
        ("temperature", &sampling.temperature),
        ("top_p", &sampling.top_p),
        ("frequency_penalty", &sampling.frequency_penalty),
        ("presence_penalty", &sampling.presence_penalty),
        ("seed", &sampling.seed),
    ];
    for (name, number) in numbers {
        body.extend(number.clone().map(|number| (name.to_owned(), Value::Number(number))));
    }
    if sampling.top_k.is_some() {
        losses.meet(Feature::TopK, "top_k")?;
    }
    if !sampling.stop.is_empty() {
        body.insert("stop".to_owned(), sampling.stop.clone().into());
    }
    if let Some(others) = sampling.logprobs {
        body.insert("logprobs".to_owned(), true.into());
        if others > 0 {
            body.insert("top_logprobs".to_owned(), others.into());
        }
    }
    body.extend(sampling.logit_bias.clone().map(|bias| ("logit_bias".to_owned(), bias)));
    Ok(())
}

/// Budgets up to which an effort stands in for them.
const EFFORTS: [(u64, &str); 3] = [(2048, "low"), (16_384, "medium"), (u64::MAX, "high")];

fn write_thinking(
    thinking: &Thinking,
    model: &str,
    body: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Result<(), Error> {
    if thinking.budget.is_some() {
        losses.meet(Feature::ThinkingBudget, "thinking")?;
    }
    if thinking.shown.is_some() {
        losses.meet(Feature::ThinkingDisplay, "thinking")?;
    }
    let by_budget = |budget: u64| {
        let effort = EFFORTS.iter().find(|(most, _)| budget <= *most);
        effort.map(|(_, effort)| *effort)
    };
    let effort = match (thinking.mode, &thinking.effort, thinking.budget) {
        (Some(ThinkingMode::Off), _, _) | (_, None, Some(0)) => Some("none"),
        (_, Some(effort), _) => Some(effort.as_str()),
        (_, None, Some(budget)) => by_budget(budget),
        (Some(ThinkingMode::On), None, None) => Some("medium"),
        // As it thinks fit is what a model does that is told nothing.
        (Some(ThinkingMode::Adaptive) | None, None, None) => None,
    };
    // To one that never thinks, `none` says nothing, and it would refuse the word.
    if let Some(effort) = effort.filter(|effort| !(*effort == "none" && model::never_thinks(model))) {
        body.insert("reasoning_effort".to_owned(), effort.into());
    }
    Ok(())
}

/// What other dialects have of their own: a spoken answer and a prediction are this one's; the rest it does not know.
fn write_own(
    own: &Map<String, Value>,
    body: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Result<(), Error> {
    for (name, value) in own {
        match name.as_str() {
            "modalities" | "audio" | "prediction" => {
                body.insert(name.clone(), value.clone());
            }
            _ => loss::own_field(name, value, losses)?,
        }
    }
    Ok(())
}
