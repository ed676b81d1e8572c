//! Tools and the choice of them, both ways.

use serde_json::{Map, Value, json};

use super::fields::Fields;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Tool, ToolChoice, ToolKind};
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// The name under which a search of the web is chosen, where others choose tools by name.
const WEB_SEARCH: &str = "web_search";

/// Reads `tools`.
pub(super) fn decode_tools(fields: &Fields<'_>) -> Result<Vec<Tool>, Error> {
    let tools = fields.list("tools")?.iter().enumerate();
    tools
        .map(|(index, tool)| Ok(Tool { kind: decode_tool(tool, &format!("tools[{index}]"))?, cache: None }))
        .collect()
}

fn decode_tool(tool: &Value, path: &str) -> Result<ToolKind, Error> {
    let fields = Fields::of(tool, path)?;
    match fields.required("type")? {
        "function" => {
            let parameters = fields.object("parameters")?.cloned();
            // The default is to keep to the schema, as far as that can be kept to. Elsewhere one that cannot is refused.
            let strict = fields
                .flag("strict")?
                .or_else(|| parameters.as_ref().is_some_and(can_be_strict).then_some(true));
            Ok(ToolKind::Function {
                name: fields.required("name")?.to_owned(),
                description: fields.string("description")?,
                parameters,
                strict,
            })
        }
        "custom" => Ok(ToolKind::Custom {
            name: fields.required("name")?.to_owned(),
            description: fields.string("description")?,
            format: fields
                .object("format")?
                .filter(|format| format.get("type").is_none_or(|kind| kind != "text"))
                .cloned(),
        }),
        kind if is_web_search(kind) && fields.flag("external_web_access")? != Some(false) => {
            let path = fields.path("filters");
            let filters = fields.object("filters")?.map(|filters| Fields::of(filters, &path)).transpose()?;
            let domains = |name| filters.map_or(Ok(Vec::new()), |filters| filters.texts(name));
            Ok(ToolKind::WebSearch {
                context_size: fields.string("search_context_size")?,
                max_uses: None,
                allowed_domains: domains("allowed_domains")?,
                blocked_domains: domains("blocked_domains")?,
                user_location: fields.object("user_location")?.cloned(),
            })
        }
        _ => Ok(ToolKind::Own { dialect: Dialect::Responses, json: tool.clone() }),
    }
}

/// `web_search` and `web_search_preview`, dated or not.
fn is_web_search(kind: &str) -> bool {
    kind.starts_with(WEB_SEARCH)
}

/// Whether a schema is one that strict mode takes: every object names all its members as required, and no others may be.
pub(in crate::dialect) fn can_be_strict(schema: &Value) -> bool {
    let Value::Object(schema) = schema else { return true };
    let of_members = |name: &str| {
        schema.get(name).and_then(Value::as_object).is_none_or(|members| members.values().all(can_be_strict))
    };
    let is_closed = || {
        let required = schema.get("required").and_then(Value::as_array);
        let names = schema.get("properties").and_then(Value::as_object);
        schema.get("additionalProperties") == Some(&Value::Bool(false))
            && names.is_none_or(|names| {
                names.keys().all(|name| required.is_some_and(|all| all.iter().any(|one| one == name)))
            })
    };
    let is_object =
        schema.contains_key("properties") || schema.get("type").is_some_and(|kind| kind == "object");
    (!is_object || is_closed())
        && ["properties", "$defs", "definitions"].into_iter().all(of_members)
        && schema.get("items").is_none_or(can_be_strict)
        && schema
            .get("anyOf")
            .and_then(Value::as_array)
            .is_none_or(|choices| choices.iter().all(can_be_strict))
}

/// Reads `tool_choice`. One of a tool that only this dialect has goes to `own`.
pub(super) fn decode_choice(
    fields: &Fields<'_>,
    own: &mut Map<String, Value>,
) -> Result<Option<ToolChoice>, Error> {
    let Some(value) = fields.get("tool_choice") else { return Ok(None) };
    let choice = match value {
        Value::String(word) => match word.as_str() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" => Some(ToolChoice::Required),
            _ => return Err(fields.fault("tool_choice", "`auto`, `none`, `required` or an object")),
        },
        Value::Object(_) => {
            let choice = Fields::of(value, "tool_choice")?;
            match choice.required("type")? {
                "allowed_tools" => {
                    let names: Option<Vec<String>> = choice.list("tools")?.iter().map(name_of).collect();
                    let required = choice.text("mode")? == Some("required");
                    names.map(|names| ToolChoice::Among { names, required })
                }
                "function" | "custom" => Some(ToolChoice::Named(choice.required("name")?.to_owned())),
                _ => name_of(value).map(ToolChoice::Named),
            }
        }
        _ => return Err(fields.fault("tool_choice", "a string or an object")),
    };
    if choice.is_none() {
        own.insert("tool_choice".to_owned(), value.clone());
    }
    Ok(choice)
}

/// The name of a tool that others may have too.
fn name_of(choice: &Value) -> Option<String> {
    match choice.get("type")?.as_str()? {
        "function" | "custom" => Some(choice.get("name")?.as_str()?.to_owned()),
        kind if is_web_search(kind) => Some(WEB_SEARCH.to_owned()),
        _ => None,
    }
}

/// Writes `tools`.
pub(super) fn encode_tools(tools: &[Tool], losses: &mut Losses) -> Result<Vec<Value>, Error> {
    let tools = tools.iter().enumerate();
    tools.map(|(index, tool)| encode_tool(tool, &format!("tools[{index}]"), losses)).collect()
}

fn encode_tool(tool: &Tool, path: &str, losses: &mut Losses) -> Result<Value, Error> {
    if tool.cache.is_some() {
        losses.meet(Feature::CacheControl, path)?;
    }
    if let ToolKind::WebSearch { max_uses: Some(_), .. } = tool.kind {
        losses.meet(Feature::WebSearchDetails, path)?;
    }
    match &tool.kind {
        ToolKind::Own { dialect, .. } if *dialect != Dialect::Responses => {
            losses.meet(Feature::OtherServerTool, path)?;
            Ok(Value::Null)
        }
        kind => Ok(tool_json(kind)),
    }
}

/// A tool as this dialect has it.
pub(super) fn tool_json(kind: &ToolKind) -> Value {
    match kind {
        ToolKind::Function { name, description, parameters, strict } => json!({
            "type": "function",
            "name": name,
            "description": description,
            "parameters": parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}})),
            // Said even where it is not asked for: the default here is true.
            "strict": strict.unwrap_or(false),
        }),
        ToolKind::Custom { name, description, format } => {
            let mut tool = json!({"type": "custom", "name": name});
            insert(&mut tool, "description", description.as_deref().map(Value::from));
            insert(&mut tool, "format", format.clone());
            tool
        }
        ToolKind::WebSearch { context_size, allowed_domains, blocked_domains, user_location, .. } => {
            let mut tool = json!({"type": WEB_SEARCH});
            insert(&mut tool, "search_context_size", context_size.as_deref().map(Value::from));
            insert(&mut tool, "user_location", user_location.clone());
            let mut filters = Map::new();
            for (name, domains) in
                [("allowed_domains", allowed_domains), ("blocked_domains", blocked_domains)]
            {
                if !domains.is_empty() {
                    filters.insert(name.to_owned(), domains.clone().into());
                }
            }
            insert(&mut tool, "filters", (!filters.is_empty()).then_some(Value::Object(filters)));
            tool
        }
        ToolKind::Own { json, .. } => json.clone(),
    }
}

fn insert(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value);
    }
}

/// Writes `tool_choice`.
pub(super) fn choice_json(conversation: &Conversation, choice: &ToolChoice) -> Value {
    let one = |name: &String| {
        let custom =
            |tool: &Tool| matches!(&tool.kind, ToolKind::Custom { name: custom, .. } if custom == name);
        let function =
            |tool: &Tool| matches!(&tool.kind, ToolKind::Function { name: one, .. } if one == name);
        if name == WEB_SEARCH && !conversation.tools.iter().any(function) {
            json!({"type": WEB_SEARCH})
        } else if conversation.tools.iter().any(custom) {
            json!({"type": "custom", "name": name})
        } else {
            json!({"type": "function", "name": name})
        }
    };
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => one(name),
        ToolChoice::Among { names, required } => json!({
            "type": "allowed_tools",
            "mode": if *required { "required" } else { "auto" },
            "tools": names.iter().map(one).collect::<Vec<_>>(),
        }),
    }
}
