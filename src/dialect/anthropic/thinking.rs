//! How much a model thinks, in the form that it takes.
//!
//! An effort becomes `{type: adaptive}` and `output_config.effort` since 4.6, before that a budget: 1,024 tokens (the least
//! that is taken) for `minimal`, 2,048, 8,192, 16,384 for `low`, `medium`, `high`, 24,576 and 32,768 for `xhigh` and `max`;
//! never more than half of `max_tokens`, which has to hold the answer too. A budget becomes an effort where no budget is
//! taken: `low` to 4,096, `medium` to 12,288, else `high`. What a request asks of a model that cannot be told so is
//! [`Feature::ThinkingAsAsked`].

use serde_json::{Map, Value, json};

use super::model::{Abilities, Form, Silence};
use super::tool;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Part, Role, Thinking, ThinkingMode};
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// The least budget that is taken.
const MIN_BUDGET: u64 = 1_024;

/// What is written of it.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The field `thinking`.
    pub(super) thinking: Option<Value>,
    /// The field `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// The model thinks, and so takes no sampling.
    pub(super) thinks: bool,
}

/// Writes how much the model is to think, at most within `max_tokens`.
pub(super) fn write(
    conversation: &Conversation,
    abilities: &Abilities,
    max_tokens: u64,
    losses: &mut Losses,
) -> Result<Written, Error> {
    let Some(wanted) = conversation.thinking.as_ref().filter(|wanted| **wanted != Thinking::default()) else {
        return Ok(Written::default());
    };
    if is_off(wanted) {
        return off(wanted, abilities, losses);
    }
    match abilities.form {
        Form::None => {
            losses.meet(Feature::ThinkingAsAsked, "thinking")?;
            Ok(Written::default())
        }
        Form::Either if wanted.budget.is_none() => adaptive(wanted, abilities, losses),
        Form::Adaptive => adaptive(wanted, abilities, losses),
        Form::Budget | Form::Either => budgeted(conversation, wanted, abilities, max_tokens, losses),
    }
}

fn is_off(wanted: &Thinking) -> bool {
    match wanted.mode {
        Some(mode) => mode == ThinkingMode::Off,
        None => wanted.effort.as_deref() == Some("none") || wanted.budget == Some(0),
    }
}

fn off(wanted: &Thinking, abilities: &Abilities, losses: &mut Losses) -> Result<Written, Error> {
    if matches!(abilities.form, Form::None | Form::Budget) {
        return Ok(Written::default());
    }
    let effort = match effort(wanted, abilities) {
        // More is refused of a model that does not think.
        Some("xhigh" | "max") => {
            losses.meet(Feature::ThinkingAsAsked, "output_config.effort")?;
            Some("high")
        }
        effort => effort,
    };
    match abilities.silence {
        Silence::ByDefault => Ok(Written { effort, ..Written::default() }),
        Silence::ByWord => {
            Ok(Written { thinking: Some(json!({"type": "disabled"})), effort, ..Written::default() })
        }
        Silence::Never => {
            losses.meet(Feature::ThinkingAsAsked, "thinking")?;
            Ok(Written { effort: Some("low"), thinks: true, ..Written::default() })
        }
    }
}

fn adaptive(wanted: &Thinking, abilities: &Abilities, losses: &mut Losses) -> Result<Written, Error> {
    let by_budget = match (wanted.effort.as_deref(), wanted.budget) {
        (None, Some(budget)) => {
            losses.meet(Feature::ThinkingAsAsked, "thinking.budget_tokens")?;
            Some(match budget {
                0..=4_096 => "low",
                4_097..=12_288 => "medium",
                _ => "high",
            })
        }
        _ => None,
    };
    let mut thinking = Map::new();
    thinking.insert("type".into(), "adaptive".into());
    put_display(&mut thinking, wanted);
    Ok(Written {
        thinking: Some(Value::Object(thinking)),
        effort: by_budget.or_else(|| effort(wanted, abilities)),
        thinks: true,
    })
}

/// The effort in a word that the model knows.
fn effort(wanted: &Thinking, abilities: &Abilities) -> Option<&'static str> {
    Some(match wanted.effort.as_deref()? {
        "minimal" | "low" => "low",
        "medium" => "medium",
        "high" => "high",
        "xhigh" if abilities.xhigh => "xhigh",
        "xhigh" => "high",
        "max" => "max",
        _ => return None,
    })
}

fn budgeted(
    conversation: &Conversation,
    wanted: &Thinking,
    abilities: &Abilities,
    max_tokens: u64,
    losses: &mut Losses,
) -> Result<Written, Error> {
    let says_nothing_of_how_much =
        wanted.mode.is_none() && wanted.effort.is_none() && wanted.budget.is_none();
    if says_nothing_of_how_much {
        return Ok(Written::default());
    }
    // The budget has to be less than `max_tokens`; one that is not a caller's number leaves room for an answer.
    let most = if wanted.budget.is_some() { max_tokens.saturating_sub(1) } else { max_tokens / 2 };
    let asked = wanted.budget.unwrap_or_else(|| budget_of(wanted.effort.as_deref()));
    let budget = asked.max(MIN_BUDGET).min(most);
    if budget < MIN_BUDGET || tool::forces_a_tool(conversation) || breaks_off_a_thought(conversation) {
        losses.meet(Feature::ThinkingAsAsked, "thinking")?;
        return Ok(Written::default());
    }
    if wanted.budget.is_some_and(|asked| asked != budget) {
        losses.meet(Feature::ThinkingAsAsked, "thinking.budget_tokens")?;
    }
    let mut thinking = Map::new();
    thinking.insert("type".into(), "enabled".into());
    thinking.insert("budget_tokens".into(), budget.into());
    if abilities.form == Form::Either {
        put_display(&mut thinking, wanted);
    }
    Ok(Written { thinking: Some(Value::Object(thinking)), effort: None, thinks: true })
}

fn budget_of(effort: Option<&str>) -> u64 {
    match effort {
        Some("minimal") => MIN_BUDGET,
        Some("low") => 2_048,
        Some("high") => 16_384,
        Some("xhigh") => 24_576,
        Some("max") => 32_768,
        _ => 8_192,
    }
}

/// `display`: all of OpenAI's words ask for a summary, which newer models leave out unless they are asked.
fn put_display(thinking: &mut Map<String, Value>, wanted: &Thinking) {
    let display = match wanted.shown.as_deref() {
        None => return,
        Some("omitted" | "none" | "false") => "omitted",
        Some(_) => "summarized",
    };
    thinking.insert("display".into(), display.into());
}

/// With a budget, a turn that waits for the results of its calls has to begin with its thought; one of another model, or
/// made without thinking, has none that could be sent.
fn breaks_off_a_thought(conversation: &Conversation) -> bool {
    let waits = |part: &Part| matches!(part, Part::ToolResult { .. });
    let turns = conversation.turns.iter().rev();
    let open_loop = turns.take_while(|turn| turn.role == Role::Assistant || turn.parts.iter().any(waits));
    let assistant: Vec<_> = open_loop.filter(|turn| turn.role == Role::Assistant).collect();
    let parts = || assistant.iter().flat_map(|turn| &turn.parts);
    let calls = parts().any(|part| matches!(part, Part::ToolCall(_)));
    let is_own = |part: &Part| match part {
        Part::Thought(thought) => thought.seal.as_ref().is_some_and(|seal| seal.is_of(Dialect::Anthropic)),
        _ => false,
    };
    calls && !parts().any(is_own)
}
