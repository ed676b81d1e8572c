//! Requests, written. Their contents: [`super::writer`].

use serde_json::{Map, Value, json};

use super::FREE_TEXT;
use super::thinking::{self, is_gemini_3};
use super::writer::Writer;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Format, Sampling, Tool, ToolChoice, ToolKind};
use crate::dialect::loss::{self, Feature, Losses};
use crate::error::Error;

/// Members of [`Conversation::own`] that are this dialect's, by the object that they stand in.
const OWN: &[(Place, &[&str])] = &[
    (Place::Body, &["safetySettings", "labels", "cachedContent"]),
    (Place::ToolConfig, &["retrievalConfig", "includeServerSideToolInvocations"]),
    (
        Place::Config,
        &[
            "responseModalities",
            "speechConfig",
            "mediaResolution",
            "imageConfig",
            "audioTimestamp",
            "enableAffectiveDialog",
            "enableEnhancedCivicAnswers",
            "routingConfig",
            "modelSelectionConfig",
        ],
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Body,
    ToolConfig,
    Config,
}

/// Writes a request for `model`.
///
/// # Errors
/// A 400 that names what this dialect cannot carry and the answer would be wrong without.
pub fn encode_request(
    conversation: &Conversation,
    model: &str,
    losses: &mut Losses,
) -> Result<Vec<u8>, Error> {
    meet_what_has_no_word(conversation, losses)?;
    let mut config = own(conversation, Place::Config);
    write_sampling(&conversation.sampling, &mut config, losses)?;
    put(&mut config, "maxOutputTokens", conversation.max_tokens);
    put(&mut config, "candidateCount", conversation.n.filter(|n| *n > 1));
    if let Some(thinking) = &conversation.thinking {
        put(&mut config, "thinkingConfig", thinking::write(thinking, model, losses)?);
    }
    write_format(conversation.format.as_ref(), &mut config);

    let tools = Tools::new(conversation, losses)?;
    let mut tool_config = own(conversation, Place::ToolConfig);
    tools.write_config(conversation.tool_choice.as_ref(), model, &mut tool_config);

    let mut writer = Writer::new(conversation, model);
    writer.write(losses)?;
    let (system, contents) = writer.finish();

    let mut body = own(conversation, Place::Body);
    put(&mut body, "contents", Some(contents));
    put(&mut body, "systemInstruction", system);
    put(&mut body, "tools", tools.written());
    put(&mut body, "toolConfig", some(tool_config));
    put(&mut body, "generationConfig", some(config));
    Ok(Value::Object(body).to_string().into_bytes())
}

fn put(members: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value.into());
    }
}

fn some(members: Map<String, Value>) -> Option<Value> {
    (!members.is_empty()).then_some(Value::Object(members))
}

fn meet_what_has_no_word(conversation: &Conversation, losses: &mut Losses) -> Result<(), Error> {
    let present = [
        (conversation.user.is_some(), Feature::User, "user"),
        (conversation.verbosity.is_some(), Feature::Verbosity, "verbosity"),
        (conversation.service_tier.is_some(), Feature::ServiceTier, "service_tier"),
        (conversation.prompt_cache_key.is_some(), Feature::PromptCacheKey, "prompt_cache_key"),
        (conversation.parallel_tool_calls == Some(false), Feature::OneToolAtATime, "parallel_tool_calls"),
    ];
    for (_, feature, path) in present.into_iter().filter(|(is_present, ..)| *is_present) {
        losses.meet(feature, path)?;
    }
    let own = |name: &String| OWN.iter().any(|(_, names)| names.contains(&name.as_str()));
    let mut foreign = conversation.own.iter().filter(|(name, _)| !own(name));
    foreign.try_for_each(|(name, value)| loss::own_field(name, value, losses))
}

/// What a caller who speaks Gemini said in words that only Gemini has.
fn own(conversation: &Conversation, place: Place) -> Map<String, Value> {
    let names = OWN.iter().filter(|(there, _)| *there == place).flat_map(|(_, names)| names.iter());
    let present = names.filter_map(|name| Some(((*name).to_owned(), conversation.own.get(*name)?.clone())));
    present.collect()
}

fn write_sampling(
    sampling: &Sampling,
    config: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Result<(), Error> {
    let numbers = [
        ("temperature", &sampling.temperature),
        ("topP", &sampling.top_p),
        ("topK", &sampling.top_k),
        ("frequencyPenalty", &sampling.frequency_penalty),
        ("presencePenalty", &sampling.presence_penalty),
        ("seed", &sampling.seed),
    ];
    for (name, number) in numbers {
        put(config, name, number.clone().map(Value::Number));
    }
    put(config, "stopSequences", (!sampling.stop.is_empty()).then(|| sampling.stop.clone()));
    put(config, "responseLogprobs", sampling.logprobs.map(|_| true));
    put(config, "logprobs", sampling.logprobs.filter(|others| *others > 0));
    match sampling.logit_bias {
        Some(_) => losses.meet(Feature::LogitBias, "logit_bias"),
        None => Ok(()),
    }
}

fn write_format(format: Option<&Format>, config: &mut Map<String, Value>) {
    let Some(format) = format else { return };
    put(config, "responseMimeType", Some("application/json"));
    let Format::JsonSchema { description, schema, .. } = format else { return };
    let mut schema = schema.clone();
    if let (Some(description), Some(members)) = (description, schema.as_object_mut()) {
        members.entry("description").or_insert_with(|| description.clone().into());
    }
    put(config, "responseJsonSchema", Some(schema));
}

/// The tools, as they are written.
#[derive(Debug, Default)]
struct Tools {
    functions: Vec<Value>,
    others: Vec<Value>,
}

impl Tools {
    fn new(conversation: &Conversation, losses: &mut Losses) -> Result<Tools, Error> {
        let mut tools = Tools::default();
        for (at, tool) in conversation.tools.iter().enumerate() {
            tools.add(tool, &format!("tools[{at}]"), losses)?;
        }
        if conversation.tool_choice == Some(ToolChoice::None) {
            // The mode `NONE` holds back functions alone.
            tools.others.clear();
        }
        Ok(tools)
    }

    fn add(&mut self, tool: &Tool, path: &str, losses: &mut Losses) -> Result<(), Error> {
        if tool.cache.is_some() {
            losses.meet(Feature::CacheControl, path)?;
        }
        match &tool.kind {
            ToolKind::Function { name, description, parameters, strict } => {
                if *strict == Some(true) {
                    losses.meet(Feature::StrictTool, &format!("{path}.strict"))?;
                }
                self.functions.push(declaration(name, description.as_deref(), parameters.clone()));
            }
            ToolKind::Custom { name, description, format } => {
                if format.as_ref().is_some_and(|format| format["type"] != "text") {
                    losses.meet(Feature::CustomGrammar, &format!("{path}.format"))?;
                }
                let parameters = json!({
                    "type": "object",
                    "properties": {FREE_TEXT: {"type": "string"}},
                    "required": [FREE_TEXT],
                });
                self.functions.push(declaration(name, description.as_deref(), Some(parameters)));
            }
            ToolKind::WebSearch {
                context_size,
                max_uses,
                allowed_domains,
                blocked_domains,
                user_location,
            } => {
                if !allowed_domains.is_empty() || !blocked_domains.is_empty() {
                    losses.meet(Feature::WebSearchDomains, path)?;
                }
                if context_size.is_some() || max_uses.is_some() || user_location.is_some() {
                    losses.meet(Feature::WebSearchDetails, path)?;
                }
                self.others.push(json!({"googleSearch": {}}));
            }
            ToolKind::Own { dialect: Dialect::Gemini, json } => self.others.push(json.clone()),
            ToolKind::Own { .. } => losses.meet(Feature::OtherServerTool, path)?,
        }
        Ok(())
    }

    fn written(&self) -> Option<Value> {
        let mut tools = self.others.clone();
        if !self.functions.is_empty() {
            tools.push(json!({"functionDeclarations": self.functions}));
        }
        (!tools.is_empty()).then_some(Value::Array(tools))
    }

    fn write_config(&self, choice: Option<&ToolChoice>, model: &str, config: &mut Map<String, Value>) {
        if self.functions.is_empty() {
            return;
        }
        // Gemini 3 takes functions beside its own tools, if it is told to show the steps of those.
        let is_mixed = !self.others.is_empty() && is_gemini_3(model);
        if is_mixed {
            put(config, "includeServerSideToolInvocations", Some(true));
        }
        let (mode, names) = match choice {
            None if is_mixed => ("VALIDATED", None),
            None => return,
            Some(ToolChoice::Auto) => (if is_mixed { "VALIDATED" } else { "AUTO" }, None),
            Some(ToolChoice::None) => ("NONE", None),
            Some(ToolChoice::Required) => ("ANY", None),
            Some(ToolChoice::Named(name)) => ("ANY", Some(vec![name.clone()])),
            Some(ToolChoice::Among { names, required }) => {
                (if *required { "ANY" } else { "VALIDATED" }, Some(names.clone()))
            }
        };
        let mut calling = Map::new();
        put(&mut calling, "mode", Some(mode));
        put(&mut calling, "allowedFunctionNames", names);
        put(config, "functionCallingConfig", Some(Value::Object(calling)));
    }
}

fn declaration(name: &str, description: Option<&str>, parameters: Option<Value>) -> Value {
    let mut declaration = Map::new();
    put(&mut declaration, "name", Some(name));
    put(&mut declaration, "description", description);
    put(&mut declaration, "parametersJsonSchema", parameters);
    Value::Object(declaration)
}
