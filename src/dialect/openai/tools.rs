//! Tools, which of them are called, and the form of the answer.

use serde_json::{Map, Value, json};

use super::fields::{Fields, missing, wrong};
use super::parts::cache;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Format, Tool, ToolChoice, ToolKind};
use crate::dialect::custom;
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// Reads `tools`, `functions` and `web_search_options`.
pub(super) fn read(fields: &mut Fields) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::new();
    for (at, tool) in fields.list("tools")?.into_iter().enumerate() {
        tools.push(read_tool(tool, &fields.path(&format!("tools[{at}]")))?);
    }
    for (at, function) in fields.list("functions")?.into_iter().enumerate() {
        let mut function = Fields::of(function, fields.path(&format!("functions[{at}]")))?;
        tools.push(Tool { kind: read_function(&mut function)?, cache: None });
    }
    if let Some(mut options) = fields.object("web_search_options")? {
        tools.push(Tool { kind: read_web_search(&mut options)?, cache: None });
    }
    Ok(tools)
}

fn read_tool(tool: Value, path: &str) -> Result<Tool, Error> {
    let whole = tool.clone();
    let mut fields = Fields::of(tool, path)?;
    let mut cache_of_tool = cache(&mut fields);
    let kind = match fields.string("type")?.as_deref() {
        Some("function") | None => {
            let mut function = fields.required_object("function")?;
            cache_of_tool = cache_of_tool.or(cache(&mut function));
            read_function(&mut function)?
        }
        Some("custom") => {
            let mut custom = fields.required_object("custom")?;
            ToolKind::Custom {
                name: custom.required_string("name")?,
                description: custom.string("description")?,
                format: custom.take("format"),
            }
        }
        Some(_) => ToolKind::Own { dialect: Dialect::OpenAi, json: whole },
    };
    Ok(Tool { kind, cache: cache_of_tool })
}

fn read_function(function: &mut Fields) -> Result<ToolKind, Error> {
    Ok(ToolKind::Function {
        name: function.required_string("name")?,
        description: function.string("description")?,
        parameters: function.take("parameters"),
        strict: function.boolean("strict")?,
    })
}

fn read_web_search(options: &mut Fields) -> Result<ToolKind, Error> {
    let path = options.path("user_location");
    let user_location = match options.take("user_location") {
        Some(Value::Object(location)) => {
            let mut flat =
                location.get("approximate").and_then(Value::as_object).cloned().unwrap_or_default();
            flat.insert("type".to_owned(), "approximate".into());
            Some(Value::Object(flat))
        }
        Some(other) => return Err(wrong(&path, "an object", &other)),
        None => None,
    };
    Ok(ToolKind::WebSearch {
        context_size: options.string("search_context_size")?,
        max_uses: None,
        allowed_domains: Vec::new(),
        blocked_domains: Vec::new(),
        user_location,
    })
}

/// Reads `tool_choice`, else `function_call`.
pub(super) fn read_choice(fields: &mut Fields) -> Result<Option<ToolChoice>, Error> {
    let path = fields.path("tool_choice");
    match (fields.take("tool_choice"), fields.take("function_call")) {
        (Some(Value::String(word)), _) | (None, Some(Value::String(word))) => {
            read_choice_word(&word, &path).map(Some)
        }
        (Some(choice), _) => read_choice_object(Fields::of(choice, path)?).map(Some),
        (None, Some(call)) => {
            let name = Fields::of(call, fields.path("function_call"))?.required_string("name")?;
            Ok(Some(ToolChoice::Named(name)))
        }
        (None, None) => Ok(None),
    }
}

fn read_choice_word(word: &str, path: &str) -> Result<ToolChoice, Error> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        // `any` is Mistral's word.
        "required" | "any" => Ok(ToolChoice::Required),
        other => {
            let message = format!(
                "`{path}` is `{other}`: use `auto`, `none`, `required` or an object that names a tool."
            );
            Err(Error::invalid(path, message))
        }
    }
}

fn read_choice_object(mut choice: Fields) -> Result<ToolChoice, Error> {
    match choice.string("type")?.as_deref() {
        Some("function") | None => {
            Ok(ToolChoice::Named(choice.required_object("function")?.required_string("name")?))
        }
        Some("custom") => Ok(ToolChoice::Named(choice.required_object("custom")?.required_string("name")?)),
        Some("allowed_tools") => {
            let mut allowed = choice.required_object("allowed_tools")?;
            let required = allowed.string("mode")?.as_deref() == Some("required");
            let path = allowed.path("tools");
            let names = allowed
                .list("tools")?
                .iter()
                .map(|tool| allowed_name(tool, &path))
                .collect::<Result<_, _>>()?;
            Ok(ToolChoice::Among { names, required })
        }
        Some(other) => {
            let path = choice.path("type");
            let message = format!("`{path}` is `{other}`: use `function`, `custom` or `allowed_tools`.");
            Err(Error::invalid(path, message))
        }
    }
}

fn allowed_name(tool: &Value, path: &str) -> Result<String, Error> {
    let name = ["function", "custom"].iter().find_map(|kind| tool.get(kind)?.get("name")?.as_str());
    name.map(str::to_owned)
        .ok_or_else(|| missing(path, "tools as `{\"type\": \"function\", \"function\": {\"name\": …}}`"))
}

/// Reads `response_format`; `None` for plain text.
pub(super) fn read_format(fields: &mut Fields) -> Result<Option<Format>, Error> {
    let Some(mut format) = fields.object("response_format")? else { return Ok(None) };
    match format.required_string("type")?.as_str() {
        "text" => Ok(None),
        "json_object" => Ok(Some(Format::JsonObject)),
        "json_schema" => {
            let mut schema = format.required_object("json_schema")?;
            let path = schema.path("schema");
            Ok(Some(Format::JsonSchema {
                name: schema.string("name")?,
                description: schema.string("description")?,
                schema: schema.take("schema").ok_or_else(|| missing(&path, "a JSON Schema"))?,
                strict: schema.boolean("strict")?,
            }))
        }
        other => {
            let path = format.path("type");
            let message = format!("`{path}` is `{other}`: use `text`, `json_object` or `json_schema`.");
            Err(Error::invalid(path, message))
        }
    }
}

/// Tools and what is said of them, as a request to a model has them.
pub(super) struct Writer<'c> {
    conversation: &'c Conversation,
    /// The downstream is OpenAI itself, by the model's name: it has custom tools, and `allowed_tools`.
    is_openais: bool,
}

impl<'c> Writer<'c> {
    pub(super) fn new(conversation: &'c Conversation, is_openais: bool) -> Writer<'c> {
        Writer { conversation, is_openais }
    }

    /// Whether a tool that takes free text is sent as one, or as a function that stands for it. A grammar is never
    /// pretended: its downstream says itself whether it has such tools.
    pub(super) fn is_custom(&self, name: &str) -> bool {
        self.is_openais
            || self.conversation.tools.iter().any(|tool| match &tool.kind {
                ToolKind::Custom { name: custom, format: Some(format), .. } => {
                    custom == name && is_grammar(format)
                }
                _ => false,
            })
    }

    /// Writes `tools`, `web_search_options`, `tool_choice` and `parallel_tool_calls`.
    pub(super) fn write(&self, body: &mut Map<String, Value>, losses: &mut Losses) -> Result<(), Error> {
        let mut tools = Vec::new();
        for (at, tool) in self.conversation.tools.iter().enumerate() {
            let path = format!("tools[{at}]");
            if tool.cache.is_some() {
                losses.meet(Feature::CacheControl, &path)?;
            }
            if !self.is_left_out(tool) {
                self.write_tool(tool, &path, body, losses)?.into_iter().for_each(|tool| tools.push(tool));
            }
        }
        let has_tools = !tools.is_empty();
        if has_tools {
            body.insert("tools".to_owned(), Value::Array(tools));
        }
        // Without tools both are refused; what they would say is then true by itself, unless a call is demanded.
        match &self.conversation.tool_choice {
            Some(choice) if has_tools || is_demand(choice) => {
                body.insert("tool_choice".to_owned(), self.choice(choice));
            }
            _ => {}
        }
        if let Some(parallel) = self.conversation.parallel_tool_calls.filter(|_| has_tools) {
            body.insert("parallel_tool_calls".to_owned(), parallel.into());
        }
        Ok(())
    }

    /// Whether `allowed_tools` leaves it out, and the downstream does not know that.
    fn is_left_out(&self, tool: &Tool) -> bool {
        let (ToolKind::Function { name, .. } | ToolKind::Custom { name, .. }) = &tool.kind else {
            return false;
        };
        match &self.conversation.tool_choice {
            Some(ToolChoice::Among { names, .. }) => !self.is_openais && !names.contains(name),
            _ => false,
        }
    }

    fn write_tool(
        &self,
        tool: &Tool,
        path: &str,
        body: &mut Map<String, Value>,
        losses: &mut Losses,
    ) -> Result<Option<Value>, Error> {
        Ok(match &tool.kind {
            ToolKind::Function { name, description, parameters, strict } => {
                // Some refuse a function without parameters.
                let none = || json!({"type": "object", "properties": {}});
                let parameters = parameters.clone().unwrap_or_else(none);
                Some(function(name, description.as_deref(), parameters, *strict))
            }
            ToolKind::Custom { name, description, format } => Some(if self.is_custom(name) {
                let mut custom = named(name, description.as_deref());
                custom.extend(format.clone().map(|format| ("format".to_owned(), format)));
                json!({"type": "custom", "custom": custom})
            } else {
                function(name, description.as_deref(), custom::parameters(), None)
            }),
            ToolKind::WebSearch { .. } => {
                let options = web_search(&tool.kind, path, losses)?;
                body.insert("web_search_options".to_owned(), Value::Object(options));
                None
            }
            ToolKind::Own { dialect: Dialect::OpenAi, json } => Some(json.clone()),
            ToolKind::Own { .. } => {
                losses.meet(Feature::OtherServerTool, path)?;
                None
            }
        })
    }

    fn choice(&self, choice: &ToolChoice) -> Value {
        let reference = |name: &str| {
            let kind = if custom::is_custom(self.conversation, name) && self.is_custom(name) {
                "custom"
            } else {
                "function"
            };
            json!({"type": kind, kind: {"name": name}})
        };
        match choice {
            ToolChoice::Auto => "auto".into(),
            ToolChoice::None => "none".into(),
            ToolChoice::Required => "required".into(),
            ToolChoice::Named(name) => reference(name),
            ToolChoice::Among { names, required } => {
                let mode = if *required { "required" } else { "auto" };
                if !self.is_openais {
                    return mode.into();
                }
                let tools: Vec<Value> = names.iter().map(|name| reference(name)).collect();
                json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
            }
        }
    }
}

fn is_grammar(format: &Value) -> bool {
    format.get("type").and_then(Value::as_str) != Some("text")
}

fn is_demand(choice: &ToolChoice) -> bool {
    match choice {
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Among { required: false, .. } => false,
        ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { required: true, .. } => true,
    }
}

fn named(name: &str, description: Option<&str>) -> Map<String, Value> {
    let mut object = Map::from_iter([("name".to_owned(), Value::from(name))]);
    object.extend(description.map(|description| ("description".to_owned(), description.into())));
    object
}

fn function(name: &str, description: Option<&str>, parameters: Value, strict: Option<bool>) -> Value {
    let mut function = named(name, description);
    function.insert("parameters".to_owned(), parameters);
    function.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
    json!({"type": "function", "function": function})
}

fn web_search(kind: &ToolKind, path: &str, losses: &mut Losses) -> Result<Map<String, Value>, Error> {
    let mut options = Map::new();
    let ToolKind::WebSearch { context_size, max_uses, allowed_domains, blocked_domains, user_location } =
        kind
    else {
        return Ok(options);
    };
    if !allowed_domains.is_empty() || !blocked_domains.is_empty() {
        losses.meet(Feature::WebSearchDomains, path)?;
    }
    if max_uses.is_some() {
        losses.meet(Feature::WebSearchDetails, path)?;
    }
    options.extend(context_size.clone().map(|size| ("search_context_size".to_owned(), size.into())));
    if let Some(Value::Object(location)) = user_location {
        let mut approximate = location.clone();
        approximate.remove("type");
        let location = json!({"type": "approximate", "approximate": approximate});
        options.insert("user_location".to_owned(), location);
    }
    Ok(options)
}

/// `response_format`.
pub(super) fn write_format(format: &Format) -> Value {
    match format {
        Format::JsonObject => json!({"type": "json_object"}),
        Format::JsonSchema { name, description, schema, strict } => {
            let mut object = named(name.as_deref().unwrap_or("answer"), description.as_deref());
            object.insert("schema".to_owned(), schema.clone());
            object.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
            json!({"type": "json_schema", "json_schema": object})
        }
    }
}
