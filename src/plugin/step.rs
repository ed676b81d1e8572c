//! One entry of `pipeline_config`, read.

use super::headers;
use crate::dialect::Dialect;
use crate::document::{Found, Json, Kind, Object, Reader, field, object, required, typo_of};

/// One step of a rule's pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `a2b`: requests in the first go on in the second. The way back is the same step.
    Translate(Dialect, Dialect),
    /// `custom_header`: names in lower case, and values.
    Headers(Vec<(String, String)>),
    /// `break_repeat`.
    BreakRepeat,
    /// `fix_anthropic_images`.
    FixAnthropicImages,
    /// `fix_anthropic_usage`.
    FixAnthropicUsage,
    /// `remove_thinking`.
    RemoveThinking,
}

const OPENAI: Dialect = Dialect::OpenAi;
const ANTHROPIC: Dialect = Dialect::Anthropic;
const RESPONSES: Dialect = Dialect::Responses;
const GEMINI: Dialect = Dialect::Gemini;

/// What `plugin_id` may be, and the step where it takes no config.
pub const PLUGINS: &[(&str, Step)] = &[
    ("custom_header", Step::Headers(Vec::new())),
    ("break_repeat", Step::BreakRepeat),
    ("fix_anthropic_images", Step::FixAnthropicImages),
    ("fix_anthropic_usage", Step::FixAnthropicUsage),
    ("remove_thinking", Step::RemoveThinking),
    ("openai2anthropic", Step::Translate(OPENAI, ANTHROPIC)),
    ("openai2responses", Step::Translate(OPENAI, RESPONSES)),
    ("openai2gemini", Step::Translate(OPENAI, GEMINI)),
    ("anthropic2openai", Step::Translate(ANTHROPIC, OPENAI)),
    ("anthropic2responses", Step::Translate(ANTHROPIC, RESPONSES)),
    ("anthropic2gemini", Step::Translate(ANTHROPIC, GEMINI)),
    ("responses2openai", Step::Translate(RESPONSES, OPENAI)),
    ("responses2anthropic", Step::Translate(RESPONSES, ANTHROPIC)),
    ("responses2gemini", Step::Translate(RESPONSES, GEMINI)),
    ("gemini2openai", Step::Translate(GEMINI, OPENAI)),
    ("gemini2anthropic", Step::Translate(GEMINI, ANTHROPIC)),
    ("gemini2responses", Step::Translate(GEMINI, RESPONSES)),
];

/// One entry of `pipeline_config`.
pub(crate) static STEP: Object = object(
    "PipelineStep",
    "Something that is done to a call.",
    &[
        required("plugin_id", Kind::Word(IDS), "What."),
        field("config", Kind::Map(&Kind::Any), "What it needs: of `custom_header`, `headers`."),
    ],
);

/// The ids of [`PLUGINS`].
const IDS: &[&str] = {
    const NAMES: [&str; PLUGINS.len()] = {
        let mut names = [""; PLUGINS.len()];
        let mut index = 0;
        while index < PLUGINS.len() {
            #[expect(clippy::indexing_slicing, reason = "below the length of both")]
            {
                names[index] = PLUGINS[index].0;
            }
            index += 1;
        }
        names
    };
    &NAMES
};

/// Reads one entry: the step, and where it stands.
pub(crate) fn read(reader: &mut Reader, found: Found) -> Option<(Step, String)> {
    let path = found.path.clone();
    let mut fields = reader.object(found, STEP.fields)?;
    let config_path = fields.at("config");
    let config = fields.take("config");
    let found = fields.required(reader, "plugin_id", "the name of a plugin, as remove_thinking")?;
    let name = reader.text(&found)?;
    let Some((_, step)) = PLUGINS.iter().find(|(known, _)| *known == name) else {
        let names: Vec<&str> = PLUGINS.iter().map(|(name, _)| *name).collect();
        let hint = match typo_of(name, &names) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("the plugins are {}", names.join(", ")),
        };
        reader.fault(&found.path, format!("is no plugin; {hint}"));
        return None;
    };
    if let Step::Headers(_) = step {
        return Some((Step::Headers(headers::read(reader, config, &config_path)?), path));
    }
    match config.as_ref().map(|config| &config.value) {
        None => {}
        Some(Json::Object(members)) if members.is_empty() => {}
        Some(Json::Object(_)) => reader.warn(config_path, "is ignored: this plugin takes none"),
        Some(_) => {
            if let Some(config) = &config {
                reader.wrong_type(config, "an object");
            }
        }
    }
    Some((step.clone(), path))
}
