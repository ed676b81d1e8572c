//! Writes a request: stateless, as its items are all that there is.

use serde_json::{Map, Number, Value, json};

use super::history;
use super::request::{OWN_FIELDS, WANTS_LOGPROBS, WANTS_THOUGHTS};
use super::tools;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Format, Part, Thinking, ThinkingMode};
use crate::dialect::loss::{self, Feature, Losses};
use crate::error::Error;
use crate::hash::Framed;

/// OpenAI refuses less. An answer that is a few tokens longer than asked for is better than none.
const LEAST_OUTPUT_TOKENS: u64 = 16;

/// OpenAI refuses ids of users and of calls that are longer.
pub(super) const LONGEST_ID: usize = 64;

/// Writes a request for `model`.
pub(super) fn encode(
    conversation: &Conversation,
    model: &str,
    losses: &mut Losses,
) -> Result<Vec<u8>, Error> {
    meet_what_has_no_word(conversation, losses)?;
    let mut body = Body(Map::new());
    body.set("model", model);
    body.set("stream", conversation.stream);
    own_fields(conversation, &mut body, losses)?;
    let (instructions, input) = history::encode(conversation, losses)?;
    body.maybe("instructions", instructions);
    body.set("input", input);

    if !conversation.tools.is_empty() {
        body.set("tools", tools::encode_tools(&conversation.tools, losses)?);
    }
    let choice = conversation.tool_choice.as_ref();
    body.maybe("tool_choice", choice.map(|choice| tools::choice_json(conversation, choice)));
    body.maybe("parallel_tool_calls", conversation.parallel_tool_calls);
    body.maybe("text", text_json(conversation));
    body.maybe("reasoning", reasoning(conversation, losses)?);
    body.maybe("max_output_tokens", conversation.max_tokens.map(|most| most.max(LEAST_OUTPUT_TOKENS)));
    body.maybe("temperature", conversation.sampling.temperature.clone().map(Value::Number));
    body.maybe("top_p", conversation.sampling.top_p.clone().map(Value::Number));
    body.maybe("top_logprobs", conversation.sampling.logprobs.filter(|likeliest| *likeliest > 0));
    body.maybe("user", conversation.user.as_deref().map(shortened));
    body.maybe("prompt_cache_key", conversation.prompt_cache_key.clone());
    let include = include(conversation, model);
    body.maybe("include", (!include.is_empty()).then_some(include));

    serde_json::to_vec(&body.0)
        .map_err(|fault| Error::invalid("", format!("The request cannot be written: {fault}.")))
}

/// The body in the making.
struct Body(Map<String, Value>);

impl Body {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn maybe(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }
}

fn meet_what_has_no_word(conversation: &Conversation, losses: &mut Losses) -> Result<(), Error> {
    let sampling = &conversation.sampling;
    let is_said =
        |penalty: &Option<Number>| penalty.as_ref().is_some_and(|penalty| penalty.as_f64() != Some(0.0));
    let met = [
        (sampling.top_k.is_some(), Feature::TopK, "top_k"),
        (is_said(&sampling.frequency_penalty), Feature::Penalties, "frequency_penalty"),
        (is_said(&sampling.presence_penalty), Feature::Penalties, "presence_penalty"),
        (sampling.seed.is_some(), Feature::Seed, "seed"),
        (!sampling.stop.is_empty(), Feature::StopSequences, "stop"),
        (sampling.logit_bias.is_some(), Feature::LogitBias, "logit_bias"),
        (conversation.n.is_some_and(|n| n > 1), Feature::SeveralAnswers, "n"),
        (
            conversation.service_tier.as_deref().is_some_and(|tier| tier != "auto"),
            Feature::ServiceTier,
            "service_tier",
        ),
    ];
    met.into_iter()
        .filter(|(is_met, ..)| *is_met)
        .try_for_each(|(_, feature, path)| losses.meet(feature, path))
}

/// What is this dialect's own, as it was. Nothing is stored unless the caller's own provider would have.
fn own_fields(conversation: &Conversation, body: &mut Body, losses: &mut Losses) -> Result<(), Error> {
    body.set("store", conversation.own.get("store") == Some(&Value::Bool(true)));
    for (name, value) in &conversation.own {
        match name.as_str() {
            // Anthropic has a field of this name, which is an object.
            "context_management" if !value.is_array() => loss::own_field(name, value, losses)?,
            // State too, but Gemini's: what this dialect carries of the kind is its own.
            "cachedContent" if !value.is_null() => losses.meet(Feature::StoredState, name)?,
            // Written with what belongs to them; of references, the items say it.
            "store" | "include" | "reasoning" | "item_reference" => {}
            own if OWN_FIELDS.contains(&own) => body.set(own, value.clone()),
            _ => loss::own_field(name, value, losses)?,
        }
    }
    Ok(())
}

/// `text`, where anything is said of it.
pub(super) fn text_json(conversation: &Conversation) -> Option<Value> {
    let mut text = Map::new();
    if let Some(format) = &conversation.format {
        text.insert("format".to_owned(), format_json(format));
    }
    if let Some(verbosity) = &conversation.verbosity {
        text.insert("verbosity".to_owned(), verbosity.as_str().into());
    }
    (!text.is_empty()).then_some(Value::Object(text))
}

fn format_json(format: &Format) -> Value {
    match format {
        Format::JsonObject => json!({"type": "json_object"}),
        Format::JsonSchema { name, description, schema, strict } => {
            let mut format = json!({
                "type": "json_schema",
                "name": name.as_deref().unwrap_or("answer"),
                "schema": schema,
            });
            if let Some(format) = format.as_object_mut() {
                if let Some(description) = description {
                    format.insert("description".to_owned(), description.as_str().into());
                }
                if let Some(strict) = strict {
                    format.insert("strict".to_owned(), (*strict).into());
                }
            }
            format
        }
    }
}

fn reasoning(conversation: &Conversation, losses: &mut Losses) -> Result<Option<Value>, Error> {
    let mut reasoning =
        conversation.own.get("reasoning").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(thinking) = &conversation.thinking {
        // Models that cannot but think refuse `none`, and those that cannot think refuse the whole field.
        let is_off = thinking.mode == Some(ThinkingMode::Off) && thinking.effort.is_none();
        if thinking.budget.is_some() || is_off {
            losses.meet(Feature::ThinkingBudget, "thinking")?;
        }
        if let Some(effort) = effort(thinking).filter(|_| !is_off) {
            reasoning.insert("effort".to_owned(), effort.into());
        }
        if let Some(summary) = thinking.shown.as_deref().and_then(summary).filter(|_| !is_off) {
            reasoning.insert("summary".to_owned(), summary.into());
        }
    }
    Ok((!reasoning.is_empty()).then_some(Value::Object(reasoning)))
}

/// An effort, or the one that stands in for a budget of tokens.
fn effort(thinking: &Thinking) -> Option<&str> {
    match (&thinking.effort, thinking.budget) {
        (Some(effort), _) => Some(effort),
        (None, Some(budget)) => Some(match budget {
            0..=2_048 => "low",
            2_049..=8_192 => "medium",
            _ => "high",
        }),
        (None, None) => None,
    }
}

/// The word for how thoughts are shown; `None` where they are not.
fn summary(shown: &str) -> Option<&str> {
    match shown {
        "auto" | "concise" | "detailed" => Some(shown),
        "omitted" | "none" | "false" | "" => None,
        _ => Some("auto"),
    }
}

fn include(conversation: &Conversation, model: &str) -> Vec<Value> {
    let mut include = conversation.own.get("include").and_then(Value::as_array).cloned().unwrap_or_default();
    if may_think(conversation, model) {
        include.push(WANTS_THOUGHTS.into());
    }
    if conversation.sampling.logprobs.is_some() {
        include.push(WANTS_LOGPROBS.into());
    }
    include
}

/// Whether there may be thoughts to come back: models that do not think refuse to be asked for them.
fn may_think(conversation: &Conversation, model: &str) -> bool {
    let is_asked_to = conversation.thinking.as_ref().is_some_and(|thinking| {
        thinking.mode != Some(ThinkingMode::Off)
            && !(thinking.effort.is_none() && thinking.budget.is_none() && thinking.mode.is_none())
    });
    let has_thought = || {
        conversation.turns.iter().flat_map(|turn| &turn.parts).any(|part| match part {
            Part::Thought(thought) => {
                thought.seal.as_ref().is_some_and(|seal| seal.is_of(Dialect::Responses))
            }
            _ => false,
        })
    };
    let name = model.rsplit('/').next().unwrap_or(model);
    let is_known_to =
        ["o1", "o3", "o4", "gpt-5", "gpt-6", "codex"].iter().any(|family| name.starts_with(family))
            && !name.contains("-chat");
    is_asked_to || is_known_to || has_thought()
}

/// An id that is not too long: of one that is, the hash.
pub(super) fn shortened(id: &str) -> String {
    if id.chars().count() <= LONGEST_ID {
        return id.to_owned();
    }
    let digest = Framed::new("turnout/responses_id/1").add(id).finish();
    data_encoding::HEXLOWER.encode(&digest)
}
