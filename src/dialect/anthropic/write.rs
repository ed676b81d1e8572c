//! Requests, written.

use serde_json::{Map, Number, Value, json};

use super::model::Abilities;
use super::{history, schema, thinking, tool};
use crate::dialect::conversation::{Conversation, Format};
use crate::dialect::loss::{self, Feature, Losses};
use crate::error::Error;

/// The longest `metadata.user_id` that Anthropic takes, in characters.
const MAX_USER_CHARS: usize = 256;

/// Writes a request for `model`.
///
/// # Errors
/// A 400 that names what this dialect cannot carry and the answer would be wrong without.
pub fn encode_request(
    conversation: &Conversation,
    model: &str,
    losses: &mut Losses,
) -> Result<Vec<u8>, Error> {
    let abilities = Abilities::of(model);
    let max_tokens = conversation.max_tokens.unwrap_or(abilities.default_max_tokens);
    meet_what_is_unknown(conversation, losses)?;

    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("max_tokens".into(), max_tokens.into());
    if conversation.stream {
        body.insert("stream".into(), true.into());
    }
    let history = history::write(conversation, losses)?;
    if !history.system.is_empty() {
        body.insert("system".into(), history::compact(history.system));
    }
    body.insert("messages".into(), Value::Array(history.messages));
    tool::write(conversation, &abilities, &mut body, losses)?;

    let thinking = thinking::write(conversation, &abilities, max_tokens, losses)?;
    write_sampling(conversation, &abilities, thinking.thinks, &mut body, losses)?;
    if let Some(thinking) = thinking.thinking {
        body.insert("thinking".into(), thinking);
    }
    let mut config = Map::new();
    if let Some(effort) = thinking.effort {
        config.insert("effort".into(), effort.into());
    }
    if let Some(format) = write_format(conversation.format.as_ref(), losses)? {
        config.insert("format".into(), format);
    }
    if !config.is_empty() {
        body.insert("output_config".into(), Value::Object(config));
    }
    write_user(conversation, &mut body, losses)?;
    Ok(Value::Object(body).to_string().into_bytes())
}

/// What Anthropic has no word for.
fn meet_what_is_unknown(conversation: &Conversation, losses: &mut Losses) -> Result<(), Error> {
    let sampling = &conversation.sampling;
    let unknown = [
        (sampling.frequency_penalty.is_some(), Feature::Penalties, "frequency_penalty"),
        (sampling.presence_penalty.is_some(), Feature::Penalties, "presence_penalty"),
        (sampling.seed.is_some(), Feature::Seed, "seed"),
        (sampling.logprobs.is_some(), Feature::Logprobs, "logprobs"),
        (sampling.logit_bias.is_some(), Feature::LogitBias, "logit_bias"),
        (conversation.n.is_some_and(|n| n > 1), Feature::SeveralAnswers, "n"),
        (conversation.verbosity.is_some(), Feature::Verbosity, "verbosity"),
        (conversation.service_tier.is_some(), Feature::ServiceTier, "service_tier"),
        (conversation.prompt_cache_key.is_some(), Feature::PromptCacheKey, "prompt_cache_key"),
    ];
    for (_, feature, path) in unknown.into_iter().filter(|(is_there, ..)| *is_there) {
        losses.meet(feature, path)?;
    }
    loss::own_fields(conversation, losses)
}

/// `temperature`, `top_p`, `top_k`, `stop_sequences`. A model that thinks takes none of the first three, since 4.7 none
/// does, and before that Claude takes one of the first two: the temperature then. Above 1, where OpenAI's goes on to 2,
/// it is 1.
fn write_sampling(
    conversation: &Conversation,
    abilities: &Abilities,
    thinks: bool,
    body: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Result<(), Error> {
    let sampling = &conversation.sampling;
    let is_taken = abilities.sampling && !thinks;
    let is_alone = abilities.temperature_beside_top_p || sampling.temperature.is_none();
    let taken = [
        ("temperature", &sampling.temperature, is_taken),
        ("top_p", &sampling.top_p, is_taken && is_alone),
        ("top_k", &sampling.top_k, is_taken),
    ];
    for (name, value, is_taken) in taken {
        let Some(value) = value else { continue };
        let is_over = name == "temperature" && value.as_f64().is_some_and(|value| value > 1.0);
        if !is_taken || is_over {
            losses.meet(Feature::SamplingAsAsked, name)?;
        }
        if is_taken {
            let value = if is_over { Number::from(1) } else { value.clone() };
            body.insert(name.into(), Value::Number(value));
        }
    }
    let (blank, stop): (Vec<_>, Vec<_>) = sampling.stop.iter().partition(|text| text.trim().is_empty());
    if !blank.is_empty() {
        if !losses.forgives(Feature::StopSequences) {
            let message = "`stop`: a downstream that speaks `anthropic` does not stop at white space alone; leave that out, or name another model.";
            return Err(Error::invalid("stop", message));
        }
        losses.meet(Feature::StopSequences, "stop")?;
    }
    if !stop.is_empty() {
        let stop: Vec<Value> = stop.into_iter().map(|text| text.as_str().into()).collect();
        body.insert("stop_sequences".into(), stop.into());
    }
    Ok(())
}

fn write_format(format: Option<&Format>, losses: &mut Losses) -> Result<Option<Value>, Error> {
    match format {
        None => Ok(None),
        Some(Format::JsonObject) => {
            losses.meet(Feature::JsonObject, "response_format")?;
            Ok(None)
        }
        Some(Format::JsonSchema { description, schema, .. }) => {
            let mut schema = schema::strict(schema);
            if let (Some(description), Some(schema)) = (description, schema.as_object_mut()) {
                schema.entry("description").or_insert_with(|| description.clone().into());
            }
            Ok(Some(json!({"type": "json_schema", "schema": schema})))
        }
    }
}

fn write_user(
    conversation: &Conversation,
    body: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Result<(), Error> {
    match &conversation.user {
        Some(user) if user.chars().count() > MAX_USER_CHARS => losses.meet(Feature::OwnField, "user"),
        Some(user) => {
            body.insert("metadata".into(), json!({"user_id": user}));
            Ok(())
        }
        None => Ok(()),
    }
}
