//! Google's schema object (<https://ai.google.dev/api/caching#Schema>), a subset of OpenAPI 3.0, as JSON Schema.
//!
//! Out of scope: the way back. What is written is JSON Schema (`parametersJsonSchema`, `responseJsonSchema`), which every
//! model takes that is served since late 2025, and which leaves nothing to translate.

use serde_json::{Map, Value};

/// Nesting beyond which a schema is left as it is, so that none can exhaust the stack.
const MAX_DEPTH: usize = 64;

/// Keywords whose numbers are 64-bit integers, which protobuf's JSON writes as strings.
const COUNTS: &[&str] = &["minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"];

/// The schema as JSON Schema: types in lower case, `nullable` as a type of its own, counts as numbers.
pub(super) fn json_schema(schema: &Value) -> Value {
    at_depth(schema, 0)
}

fn at_depth(schema: &Value, depth: usize) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    if depth > MAX_DEPTH {
        return schema.clone();
    }
    let mut translated = Map::new();
    for (name, value) in members {
        let name = camel_case(name);
        let value = match (name.as_str(), value) {
            ("type", Value::String(word)) => match word.to_ascii_lowercase() {
                word if word == "type_unspecified" => continue,
                word => word.into(),
            },
            ("properties" | "$defs", Value::Object(named)) => {
                let schemas = named.iter().map(|(name, schema)| (name.clone(), at_depth(schema, depth + 1)));
                Value::Object(schemas.collect())
            }
            ("items" | "additionalProperties", schema) => at_depth(schema, depth + 1),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter().map(|schema| at_depth(schema, depth + 1)).collect()
            }
            (count, Value::String(text)) if COUNTS.contains(&count) => {
                text.parse::<u64>().map_or_else(|_| value.clone(), Value::from)
            }
            ("nullable" | "propertyOrdering" | "example", _) => continue,
            _ => value.clone(),
        };
        translated.insert(name, value);
    }
    if members.get("nullable") == Some(&Value::Bool(true)) {
        allow_null(&mut translated);
    }
    Value::Object(translated)
}

fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(Value::String(word)) = schema.get("type") {
        let either = Value::Array(vec![word.clone().into(), "null".into()]);
        schema.insert("type".to_owned(), either);
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.push(serde_json::json!({"type": "null"}));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

/// `any_of` as `anyOf`. The names of properties are not touched: they are no keywords.
fn camel_case(keyword: &str) -> String {
    let mut words = keyword.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.extend(chars);
    }
    camel
}
