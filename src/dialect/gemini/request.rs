//! Requests, read. Their contents: [`super::contents`].

use serde_json::{Map, Value};

use super::contents;
use super::fields::{Object, wrong};
use super::schema::json_schema;
use super::thinking;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Format, Sampling, Thinking, Tool, ToolChoice, ToolKind};
use crate::error::Error;

// What is of Gemini alone goes into `own` by its own name, whichever object it stands in: no name is in two of them.

/// Members of the body that are read here, or are Turnout's own and go nowhere.
const KNOWN: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "serviceTier",
    "model",
    "extraBody",
    "models",
    "fallback",
    "ignore",
    "sort",
    "provider",
    "promptVariables",
    "metadata",
];

/// Members of `generationConfig` that are read here.
const KNOWN_CONFIG: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "maxOutputTokens",
    "stopSequences",
    "candidateCount",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseLogprobs",
    "logprobs",
    "thinkingConfig",
];

/// Reads a request.
///
/// # Errors
/// A 400 that names the field.
pub fn decode_request(body: &[u8]) -> Result<Conversation, Error> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Error::invalid("", format!("The body is not valid JSON: {error}.")))?;
    let body = Object::new(&body, "")?;
    let mut conversation = Conversation {
        model: body.text("model")?.unwrap_or_default().to_owned(),
        system: contents::system(&body)?,
        turns: contents::turns(&body)?,
        tools: tools(&body)?,
        service_tier: body.text("serviceTier")?.map(str::to_owned),
        own: body.except(KNOWN),
        ..Conversation::default()
    };
    if let Some(config) = body.object("toolConfig")? {
        let calling = config.object("functionCallingConfig")?;
        conversation.tool_choice = calling.as_ref().map(tool_choice).transpose()?.flatten();
        conversation.own.extend(config.except(&["functionCallingConfig"]));
    }
    if let Some(config) = body.object("generationConfig")? {
        conversation.sampling = sampling(&config)?;
        conversation.max_tokens = config.count("maxOutputTokens")?;
        conversation.n = config.count("candidateCount")?;
        conversation.format = format(&config)?;
        conversation.thinking = config.object("thinkingConfig")?.as_ref().map(thinking::read).transpose()?;
        conversation.thinking = conversation.thinking.filter(|thinking| *thinking != Thinking::default());
        conversation.own.extend(config.except(KNOWN_CONFIG));
    }
    Ok(conversation)
}

fn sampling(config: &Object<'_>) -> Result<Sampling, Error> {
    let logprobs = config.count("logprobs")?;
    Ok(Sampling {
        temperature: config.number("temperature")?,
        top_p: config.number("topP")?,
        top_k: config.number("topK")?,
        frequency_penalty: config.number("frequencyPenalty")?,
        presence_penalty: config.number("presencePenalty")?,
        seed: config.number("seed")?,
        stop: config.texts("stopSequences")?,
        logprobs: config.flag("responseLogprobs")?.unwrap_or(false).then(|| logprobs.unwrap_or(0)),
        logit_bias: None,
    })
}

fn format(config: &Object<'_>) -> Result<Option<Format>, Error> {
    let openapi = config.get("responseSchema").map(json_schema);
    let schema = config.get("responseJsonSchema").cloned().or(openapi);
    match config.text("responseMimeType")? {
        None | Some("application/json") if schema.is_some() => Ok(schema.map(|schema| Format::JsonSchema {
            name: None,
            description: None,
            schema,
            strict: None,
        })),
        Some("application/json") => Ok(Some(Format::JsonObject)),
        None | Some("text/plain") => Ok(None),
        Some(other) => {
            let path = config.path_of("responseMimeType");
            let message = format!(
                "`{path}`: an answer of the type `{other}` cannot be had from a model that is not Google's; use \
                 `text/plain` or `application/json`."
            );
            Err(Error::invalid(path, message))
        }
    }
}

fn tool_choice(config: &Object<'_>) -> Result<Option<ToolChoice>, Error> {
    let names = config.texts("allowedFunctionNames")?;
    let mode = config.text("mode")?.map(str::to_ascii_uppercase);
    Ok(match (mode.as_deref(), names.as_slice()) {
        (None | Some("MODE_UNSPECIFIED"), _) => None,
        (Some("NONE"), _) => Some(ToolChoice::None),
        (Some("ANY"), []) => Some(ToolChoice::Required),
        (Some("ANY"), [name]) => Some(ToolChoice::Named(name.clone())),
        (Some("ANY"), _) => Some(ToolChoice::Among { names, required: true }),
        // The calls are held to their schemas, which is what others call strict and do by the tool.
        (Some("AUTO" | "VALIDATED"), []) => Some(ToolChoice::Auto),
        (Some("AUTO" | "VALIDATED"), _) => Some(ToolChoice::Among { names, required: false }),
        _ => return Err(wrong(&config.path_of("mode"), "`AUTO`, `ANY`, `NONE` or `VALIDATED`")),
    })
}

fn tools(body: &Object<'_>) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::new();
    for tool in body.objects("tools")? {
        for declaration in tool.objects("functionDeclarations")? {
            tools.push(function(&declaration)?);
        }
        for (name, settings) in tool.except(&["functionDeclarations"]) {
            tools.push(server_tool(&name, settings));
        }
    }
    Ok(tools.into_iter().map(|kind| Tool { kind, cache: None }).collect())
}

fn function(declaration: &Object<'_>) -> Result<ToolKind, Error> {
    let openapi = declaration.get("parameters").map(json_schema);
    Ok(ToolKind::Function {
        name: declaration.required_text("name")?.to_owned(),
        description: declaration.text("description")?.map(str::to_owned),
        parameters: declaration.get("parametersJsonSchema").cloned().or(openapi),
        strict: None,
    })
}

/// A search without settings is every dialect's; one with settings would find something else elsewhere.
fn server_tool(name: &str, settings: Value) -> ToolKind {
    let is_plain = settings.as_object().is_some_and(Map::is_empty);
    let is_search = matches!(
        name,
        "googleSearch" | "google_search" | "googleSearchRetrieval" | "google_search_retrieval"
    );
    let excluded = settings.get("excludeDomains").or(settings.get("exclude_domains"));
    let excludes_only =
        settings.as_object().is_some_and(|settings| settings.len() == 1) && excluded.is_some();
    if is_search && (is_plain || excludes_only) {
        let hosts = excluded.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        return ToolKind::WebSearch {
            context_size: None,
            max_uses: None,
            allowed_domains: Vec::new(),
            blocked_domains: hosts.map(str::to_owned).collect(),
            user_location: None,
        };
    }
    let json = Value::Object(Map::from_iter([(name.to_owned(), settings)]));
    ToolKind::Own { dialect: Dialect::Gemini, json }
}
