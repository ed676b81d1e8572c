//! How much a model thinks: `thinkingConfig`.
//!
//! | models | say it by | range |
//! |---|---|---|
//! | gemini-2.5-pro | `thinkingBudget` | 128 to 32768, never off |
//! | gemini-2.5-flash-lite | `thinkingBudget` | 512 to 24576, 0 is off |
//! | gemini-2.5-flash | `thinkingBudget` | 1 to 24576, 0 is off |
//! | gemini-3-pro | `thinkingLevel` | low, high |
//! | gemini-3.1-pro and later Pros | `thinkingLevel` | low, medium, high |
//! | all others, and those to come | `thinkingLevel` | minimal, low, medium, high |
//!
//! Efforts become budgets by Google's own table for its OpenAI-compatible endpoint: minimal and low 1024, medium 8192, high
//! 24576. What a model cannot do is done as nearly as it can, and noted: off is the least, `xhigh` and `max` are the most.

use serde_json::{Map, Value};

use super::fields::Object;
use crate::dialect::conversation::{Thinking, ThinkingMode};
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

enum Family {
    Budget { least: u64, most: u64, can_be_off: bool },
    Level { has_minimal: bool, has_medium: bool, most_budget: u64 },
}

/// Whether a model is of the third generation or a later one: its names are open-ended, so what is not known to be older is
/// taken for newer.
pub(super) fn is_gemini_3(model: &str) -> bool {
    let model = bare(model);
    let older = ["gemini-1", "gemini-2", "gemini-pro", "gemini-robotics-er-1"];
    model.starts_with("gemini-") && !older.iter().any(|prefix| model.starts_with(prefix))
}

/// The name without `models/`, `google/` or the like before it.
fn bare(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

fn family(model: &str) -> Family {
    let model = bare(model);
    if !is_gemini_3(model) {
        return match model {
            pro if pro.starts_with("gemini-2.5-pro") => {
                Family::Budget { least: 128, most: 32_768, can_be_off: false }
            }
            lite if lite.contains("flash-lite") => {
                Family::Budget { least: 512, most: 24_576, can_be_off: true }
            }
            _ => Family::Budget { least: 1, most: 24_576, can_be_off: true },
        };
    }
    let is_pro = model.contains("-pro");
    let is_first_pro = model.starts_with("gemini-3-pro");
    Family::Level {
        has_minimal: !is_pro,
        has_medium: !is_first_pro,
        most_budget: if is_pro { 32_768 } else { 24_576 },
    }
}

/// `thinkingConfig` for a model; `None` where nothing is to be said. What the model cannot do as it was asked is met.
pub(super) fn write(thinking: &Thinking, model: &str, losses: &mut Losses) -> Result<Option<Value>, Error> {
    let is_off = thinking.mode == Some(ThinkingMode::Off);
    let effort = if is_off { Some("none") } else { thinking.effort.as_deref() };
    let budget = thinking.budget.filter(|_| !is_off);
    let thinks = is_gemini_3(model) || bare(model).starts_with("gemini-2.5");
    if !thinks && is_none(effort) && budget.is_none() {
        // It does not think, and refuses to be told so.
        return Ok(None);
    }
    let mut config = Map::new();
    let (said, is_as_asked) = match family(model) {
        Family::Budget { least, most, can_be_off } => {
            let asked = budget.or_else(|| effort.map(budget_of));
            let said = asked.map(|asked| if asked == 0 && can_be_off { 0 } else { asked.clamp(least, most) });
            let as_it_thinks_fit = thinking.mode.map(|_| ("thinkingBudget", Value::from(-1)));
            let is_known = budget.is_some() || effort.is_none_or(|effort| !is_beyond_high(effort));
            (said.map(|said| ("thinkingBudget", said.into())).or(as_it_thinks_fit), said == asked && is_known)
        }
        Family::Level { has_minimal, has_medium, most_budget } => match (effort, budget) {
            // Both at once are refused; a budget alone is still taken.
            (Some(effort), budget) => {
                let level = level_of(effort, has_minimal, has_medium);
                (
                    Some(("thinkingLevel", level.into())),
                    level.eq_ignore_ascii_case(effort) && budget.is_none(),
                )
            }
            (None, Some(asked)) => {
                let said = asked.clamp(128, most_budget);
                (Some(("thinkingBudget", said.into())), said == asked)
            }
            (None, None) => (None, true),
        },
    };
    if !is_as_asked {
        losses.meet(Feature::ThinkingAsAsked, "thinking")?;
    }
    config.extend(said.map(|(name, value)| (name.to_owned(), value)));
    if let Some(shown) = thinking.shown.as_deref() {
        let is_shown = !matches!(shown, "omitted" | "none" | "false");
        config.insert("includeThoughts".to_owned(), is_shown.into());
    }
    Ok((!config.is_empty()).then_some(Value::Object(config)))
}

fn is_beyond_high(effort: &str) -> bool {
    matches!(effort, "xhigh" | "max")
}

fn is_none(effort: Option<&str>) -> bool {
    effort.is_none_or(|effort| effort == "none")
}

fn budget_of(effort: &str) -> u64 {
    match effort {
        "none" => 0,
        "minimal" | "low" => 1024,
        "medium" => 8192,
        _ => 24_576,
    }
}

fn level_of(effort: &str, has_minimal: bool, has_medium: bool) -> &'static str {
    match effort {
        "none" | "minimal" if has_minimal => "MINIMAL",
        "none" | "minimal" | "low" => "LOW",
        "medium" if has_medium => "MEDIUM",
        _ => "HIGH",
    }
}

/// Reads `thinkingConfig`.
pub(super) fn read(config: &Object<'_>) -> Result<Thinking, Error> {
    let mut thinking = Thinking::default();
    match config.integer("thinkingBudget")? {
        None => {}
        Some(0) => thinking.mode = Some(ThinkingMode::Off),
        Some(budget) => match u64::try_from(budget) {
            Ok(budget) => {
                thinking.mode = Some(ThinkingMode::On);
                thinking.budget = Some(budget);
            }
            Err(_) => thinking.mode = Some(ThinkingMode::Adaptive),
        },
    }
    let level = config.text("thinkingLevel")?.map(str::to_ascii_lowercase);
    thinking.effort = level.filter(|level| level != "thinking_level_unspecified");
    let shown = config.flag("includeThoughts")?;
    thinking.shown = shown.map(|shown| if shown { "auto" } else { "omitted" }.to_owned());
    Ok(thinking)
}
