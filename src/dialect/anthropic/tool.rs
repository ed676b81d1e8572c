//! Tools and their choice, both ways.

use serde_json::{Map, Value, json};

use super::fields::{Fields, wrong};
use super::model::Abilities;
use super::{names, part, schema};
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Part, Tool, ToolChoice, ToolKind};
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// The web search that every model and every cloud has; the later ones need code execution beside them.
const WEB_SEARCH: &str = "web_search_20250305";

/// What is read of a custom tool.
const READ: [&str; 6] = ["type", "name", "description", "input_schema", "strict", "cache_control"];

/// Reads `tools`, `mcp_servers` and `tool_choice`.
pub(super) fn read(fields: &Fields<'_>, conversation: &mut Conversation) -> Result<(), Error> {
    for (index, tool) in fields.array("tools")?.into_iter().flatten().enumerate() {
        let tool = read_tool(tool, &format!("tools[{index}]"), &mut conversation.own)?;
        conversation.tools.push(tool);
    }
    // Each brings tools that the provider runs: without them the answer would be another.
    for server in fields.array("mcp_servers")?.into_iter().flatten() {
        let kind = ToolKind::Own { dialect: Dialect::Anthropic, json: server.clone() };
        conversation.tools.push(Tool { kind, cache: None });
    }
    let Some(choice) = fields.get("tool_choice") else { return Ok(()) };
    let choice = Fields::of(choice, "tool_choice")?;
    conversation.tool_choice = Some(match choice.needed_text("type")? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.needed_text("name")?.to_owned()),
        _ => return Err(wrong("tool_choice.type", "`auto`, `any`, `tool` or `none`")),
    });
    conversation.parallel_tool_calls = choice.flag("disable_parallel_tool_use")?.map(|disabled| !disabled);
    Ok(())
}

fn read_tool(json: &Value, path: &str, own: &mut Map<String, Value>) -> Result<Tool, Error> {
    let tool = Fields::of(json, path)?;
    let cache = json.as_object().and_then(part::read_cache);
    let kind = match tool.text("type")? {
        None | Some("custom") => {
            for (name, value) in tool.iter().filter(|(name, _)| !READ.contains(&name.as_str())) {
                own.insert(tool.at(name), value.clone());
            }
            ToolKind::Function {
                name: tool.needed_text("name")?.to_owned(),
                description: tool.text("description")?.map(str::to_owned),
                parameters: tool.get("input_schema").cloned(),
                strict: tool.flag("strict")?,
            }
        }
        Some(kind) if kind.starts_with("web_search_") => ToolKind::WebSearch {
            context_size: None,
            max_uses: tool.count("max_uses")?,
            allowed_domains: tool.texts("allowed_domains")?,
            blocked_domains: tool.texts("blocked_domains")?,
            user_location: tool.get("user_location").cloned(),
        },
        Some(_) => ToolKind::Own { dialect: Dialect::Anthropic, json: json.clone() },
    };
    Ok(Tool { kind, cache })
}

/// Writes `tools`, `mcp_servers` and `tool_choice`.
pub(super) fn write(
    conversation: &Conversation,
    abilities: &Abilities,
    body: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Result<(), Error> {
    let mut tools = Vec::new();
    let mut servers = Vec::new();
    for (index, tool) in conversation.tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        if !is_among(tool, conversation.tool_choice.as_ref()) {
            continue;
        }
        match &tool.kind {
            ToolKind::Own { dialect: Dialect::Anthropic, json } if json.get("url").is_some() => {
                servers.push(json.clone());
            }
            _ => tools.extend(write_tool(tool, &path, losses)?),
        }
    }
    let mut choice = write_choice(conversation, abilities)?;
    if tools.is_empty() && servers.is_empty() {
        // A history of calls is refused without tools: those that it names are declared, and not called.
        tools = tools_of_history(conversation)?;
        choice = (!tools.is_empty()).then(|| json!({"type": "none"}));
    }
    if !tools.is_empty() {
        body.insert("tools".into(), Value::Array(tools));
    }
    if !servers.is_empty() {
        body.insert("mcp_servers".into(), Value::Array(servers));
    }
    if let Some(choice) = choice {
        body.insert("tool_choice".into(), choice);
    }
    Ok(())
}

/// Whether a tool may be called. Anthropic's choice knows no list of names, so that the others are not declared.
fn is_among(tool: &Tool, choice: Option<&ToolChoice>) -> bool {
    let Some(ToolChoice::Among { names, .. }) = choice else { return true };
    match &tool.kind {
        ToolKind::Function { name, .. } | ToolKind::Custom { name, .. } => names.contains(name),
        ToolKind::WebSearch { .. } => names.iter().any(|name| name.starts_with("web_search")),
        ToolKind::Own { .. } => true,
    }
}

fn write_choice(conversation: &Conversation, abilities: &Abilities) -> Result<Option<Value>, Error> {
    let one_at_a_time = conversation.parallel_tool_calls == Some(false);
    let mut choice = match &conversation.tool_choice {
        None if one_at_a_time => json!({"type": "auto"}),
        None => return Ok(None),
        Some(ToolChoice::None) => return Ok(Some(json!({"type": "none"}))),
        Some(ToolChoice::Auto | ToolChoice::Among { required: false, .. }) => json!({"type": "auto"}),
        Some(ToolChoice::Required | ToolChoice::Among { required: true, .. }) => json!({"type": "any"}),
        Some(ToolChoice::Named(name)) => {
            json!({"type": "tool", "name": checked_name(name, "tool_choice")?})
        }
    };
    if forces_a_tool(conversation) && !abilities.forced_tools {
        let message =
            "`tool_choice`: this model cannot be made to call a tool; send `auto`, or name another model.";
        return Err(Error::invalid("tool_choice", message));
    }
    if let (true, Some(choice)) = (one_at_a_time, choice.as_object_mut()) {
        choice.insert("disable_parallel_tool_use".into(), true.into());
    }
    Ok(Some(choice))
}

/// Whether the model is to call a tool, whatever it thinks.
pub(super) fn forces_a_tool(conversation: &Conversation) -> bool {
    !conversation.tools.is_empty()
        && matches!(
            conversation.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { required: true, .. })
        )
}

fn write_tool(tool: &Tool, path: &str, losses: &mut Losses) -> Result<Option<Value>, Error> {
    let mut written = match &tool.kind {
        ToolKind::Function { name, description, parameters, strict } => {
            let parameters = parameters.as_ref();
            let mut function = declared(name, description.as_ref(), input_schema(parameters, *strict), path)?;
            if let (Some(strict), Some(function)) = (strict, function.as_object_mut()) {
                function.insert("strict".into(), (*strict).into());
            }
            function
        }
        ToolKind::Custom { name, description, format } => {
            if format.as_ref().is_some_and(|format| format.get("type") != Some(&json!("text"))) {
                losses.meet(Feature::CustomGrammar, &format!("{path}.format"))?;
            }
            declared(name, description.as_ref(), free_text_schema(), path)?
        }
        ToolKind::WebSearch { .. } => write_web_search(&tool.kind, path, losses)?,
        ToolKind::Own { dialect: Dialect::Anthropic, json } => json.clone(),
        ToolKind::Own { .. } => {
            losses.meet(Feature::OtherServerTool, path)?;
            return Ok(None);
        }
    };
    part::put_cache(&mut written, tool.cache.as_ref());
    Ok(Some(written))
}

fn declared(name: &str, description: Option<&String>, schema: Value, path: &str) -> Result<Value, Error> {
    let mut tool = Map::new();
    tool.insert("name".into(), checked_name(name, &format!("{path}.name"))?.into());
    if let Some(description) = description {
        tool.insert("description".into(), description.clone().into());
    }
    tool.insert("input_schema".into(), schema);
    Ok(Value::Object(tool))
}

/// A tool's name as Anthropic takes it.
pub(super) fn checked_name(name: &str, path: &str) -> Result<String, Error> {
    let written = names::name_out(name);
    if written.is_empty() || written.len() > names::MAX_NAME_BYTES {
        let most = names::MAX_NAME_BYTES;
        let message = format!(
            "`{path}`: a downstream that speaks `anthropic` takes names of 1 to {most} letters, digits, `_` and `-`; shorten it."
        );
        return Err(Error::invalid(path, message));
    }
    Ok(written)
}

/// The schema of a tool's input, which has to be of an object.
fn input_schema(parameters: Option<&Value>, strict: Option<bool>) -> Value {
    let mut schema = match parameters {
        Some(parameters) if strict == Some(true) => schema::strict(parameters),
        Some(parameters) => parameters.clone(),
        None => json!({"properties": {}}),
    };
    if let Some(schema) = schema.as_object_mut()
        && !schema.get("type").is_some_and(Value::is_string)
    {
        schema.insert("type".into(), "object".into());
    }
    schema
}

fn free_text_schema() -> Value {
    let field = part::FREE_TEXT;
    json!({"type": "object", "properties": {field: {"type": "string"}}, "required": [field]})
}

fn write_web_search(kind: &ToolKind, path: &str, losses: &mut Losses) -> Result<Value, Error> {
    let ToolKind::WebSearch { context_size, max_uses, allowed_domains, blocked_domains, user_location } =
        kind
    else {
        return Ok(Value::Null);
    };
    if context_size.is_some() {
        losses.meet(Feature::WebSearchDetails, &format!("{path}.search_context_size"))?;
    }
    if !allowed_domains.is_empty() && !blocked_domains.is_empty() {
        let message = format!(
            "`{path}`: a downstream that speaks `anthropic` takes allowed or blocked domains of a web search, not both; send one of them."
        );
        return Err(Error::invalid(path, message));
    }
    let mut search = Map::new();
    search.insert("type".into(), WEB_SEARCH.into());
    search.insert("name".into(), "web_search".into());
    if let Some(max_uses) = max_uses {
        search.insert("max_uses".into(), (*max_uses).into());
    }
    for (name, domains) in [("allowed_domains", allowed_domains), ("blocked_domains", blocked_domains)] {
        if !domains.is_empty() {
            search.insert(name.into(), domains.clone().into());
        }
    }
    if let Some(location) = user_location {
        search.insert("user_location".into(), location.clone());
    }
    Ok(Value::Object(search))
}

/// The tools that the history calls, each once, taking anything.
fn tools_of_history(conversation: &Conversation) -> Result<Vec<Value>, Error> {
    let mut names: Vec<&str> = Vec::new();
    for part in conversation.turns.iter().flat_map(|turn| &turn.parts) {
        if let Part::ToolCall(call) = part
            && !names.contains(&call.name.as_str())
        {
            names.push(&call.name);
        }
    }
    names.into_iter().map(|name| declared(name, None, json!({"type": "object"}), "messages")).collect()
}
