//! A request's fields, but for its items ([`super::items`]) and tools ([`super::tools`]).

use serde_json::{Map, Value};

use super::fields::Fields;
use super::items::History;
use super::tools;
use crate::dialect::conversation::{Conversation, Format, Part, Sampling, Thinking};
use crate::error::Error;

/// Fields that only this dialect knows, kept as they were. `store` is not among them: its default is told from its absence.
pub(super) const OWN_FIELDS: [&str; 12] = [
    "background",
    "context_management",
    "conversation",
    "max_tool_calls",
    "metadata",
    "moderation",
    "previous_response_id",
    "prompt",
    "prompt_cache_options",
    "prompt_cache_retention",
    "tool_choice",
    "truncation",
];

/// What `include` may ask for that the neutral conversation says in its own way.
pub(super) const WANTS_THOUGHTS: &str = "reasoning.encrypted_content";
/// As of [`WANTS_THOUGHTS`].
pub(super) const WANTS_LOGPROBS: &str = "message.output_text.logprobs";

/// Fields that are read into the neutral conversation, or are Turnout's own extensions.
const READ_FIELDS: [&str; 29] = [
    "extra_body",
    "fallback",
    "ignore",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "model",
    "models",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_variables",
    "provider",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "sort",
    "store",
    "stream",
    "temperature",
    "text",
    "tools",
    "tool_choice",
    "top_logprobs",
    "top_p",
    "user",
    "frequency_penalty",
    "presence_penalty",
    "top_k",
];

/// Reads a request.
pub(super) fn decode(body: &[u8]) -> Result<Conversation, Error> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|fault| Error::invalid("", format!("The body is not valid JSON: {fault}.")))?;
    let Value::Object(map) = &body else {
        return Err(Error::invalid("", "The body must be a JSON object."));
    };
    let fields = Fields::new(map, "");

    let mut history = History::default();
    if let Some(instructions) = fields.text("instructions")?.filter(|text| !text.is_empty()) {
        history.system.push(Part::text(instructions));
    }
    read_input(&fields, &mut history)?;
    let mut own = own_fields(map, &fields)?;
    if !history.references.is_empty() {
        own.insert("item_reference".to_owned(), Value::Array(history.references));
    }
    let tool_choice = tools::decode_choice(&fields, &mut own)?;
    let (format, verbosity) = text_options(&fields)?;
    let user = fields.string("safety_identifier")?.filter(|id| !id.is_empty());

    Ok(Conversation {
        legacy_functions: false,
        model: fields.text("model")?.unwrap_or_default().to_owned(),
        stream: fields.flag("stream")?.unwrap_or(false),
        system: history.system,
        turns: history.turns,
        tools: tools::decode_tools(&fields)?,
        tool_choice,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        format,
        thinking: thinking(&fields, &mut own)?,
        sampling: sampling(&fields)?,
        max_tokens: fields.count("max_output_tokens")?,
        n: None,
        user: user.or(fields.string("user")?.filter(|id| !id.is_empty())),
        verbosity,
        service_tier: fields.string("service_tier")?,
        prompt_cache_key: fields.string("prompt_cache_key")?,
        own,
    })
}

fn read_input(fields: &Fields<'_>, history: &mut History) -> Result<(), Error> {
    match fields.get("input") {
        None => Ok(()),
        Some(Value::String(text)) => {
            history.user_text(text);
            Ok(())
        }
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| history.read(item, &format!("input[{index}]"))),
        Some(_) => Err(fields.fault("input", "a string or an array of items")),
    }
}

/// What only this dialect, or the provider, knows.
fn own_fields(map: &Map<String, Value>, fields: &Fields<'_>) -> Result<Map<String, Value>, Error> {
    let mut own = Map::new();
    for (name, value) in map {
        if !value.is_null() && !READ_FIELDS.contains(&name.as_str()) {
            own.insert(name.clone(), value.clone());
        }
    }
    // What is stored by default is not what is stored where nothing is said of it: an encoder cannot tell them apart.
    if fields.flag("store")?.unwrap_or(true) {
        own.insert("store".to_owned(), Value::Bool(true));
    }
    let mut include = fields.texts("include")?;
    include.retain(|what| what != WANTS_THOUGHTS && what != WANTS_LOGPROBS);
    if !include.is_empty() {
        own.insert("include".to_owned(), include.into());
    }
    Ok(own)
}

fn text_options(fields: &Fields<'_>) -> Result<(Option<Format>, Option<String>), Error> {
    let Some(text) = fields.object("text")? else { return Ok((None, None)) };
    let text = Fields::of(text, "text")?;
    let verbosity = text.string("verbosity")?;
    let Some(format) = text.object("format")? else { return Ok((None, verbosity)) };
    let format = Fields::of(format, "text.format")?;
    let format = match format.required("type")? {
        "text" => None,
        "json_object" => Some(Format::JsonObject),
        "json_schema" => Some(Format::JsonSchema {
            name: format.string("name")?,
            description: format.string("description")?,
            schema: format.object("schema")?.ok_or_else(|| format.fault("schema", "a JSON Schema"))?.clone(),
            strict: format.flag("strict")?,
        }),
        _ => return Err(format.fault("type", "`text`, `json_object` or `json_schema`")),
    };
    Ok((format, verbosity))
}

fn thinking(fields: &Fields<'_>, own: &mut Map<String, Value>) -> Result<Option<Thinking>, Error> {
    let Some(value) = fields.object("reasoning")? else { return Ok(None) };
    let reasoning = Fields::of(value, "reasoning")?;
    let shown = reasoning.string("summary")?.or(reasoning.string("generate_summary")?);
    let thinking = Thinking { mode: None, effort: reasoning.string("effort")?, budget: None, shown };
    // `context`, `mode`: how much of what it thought before the model sees again.
    let mut rest = value.as_object().cloned().unwrap_or_default();
    rest.retain(|name, value| {
        !["effort", "summary", "generate_summary"].contains(&name.as_str()) && !value.is_null()
    });
    if !rest.is_empty() {
        own.insert("reasoning".to_owned(), Value::Object(rest));
    }
    Ok((thinking != Thinking::default()).then_some(thinking))
}

fn sampling(fields: &Fields<'_>) -> Result<Sampling, Error> {
    let top_logprobs = fields.count("top_logprobs")?;
    let wants_logprobs = fields.texts("include")?.iter().any(|what| what == WANTS_LOGPROBS);
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        // OpenAI has none of these three, but some who speak its dialect do.
        top_k: fields.number("top_k")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        presence_penalty: fields.number("presence_penalty")?,
        seed: None,
        stop: Vec::new(),
        logprobs: if wants_logprobs {
            Some(top_logprobs.unwrap_or(0))
        } else {
            top_logprobs.filter(|likeliest| *likeliest > 0)
        },
        logit_bias: None,
    })
}
