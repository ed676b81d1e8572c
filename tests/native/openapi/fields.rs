//! The readers of documents hold to the kinds that the OpenAPI document says: each field of each document is given a value of
//! another kind, and there must be a fault at its path.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use turnout::fault::Fault;
use turnout::gateway::Gateway;
use turnout::openapi::document;
use turnout::router;
use turnout::shelf::Document;

/// Documents that validate and have, all together, every field.
fn routers() -> Vec<Value> {
    let moment = "2027-01-04T09:00:00Z";
    let parameters = json!({
        "max_tokens": 100, "temperature": 0.5, "top_p": 0.5, "repetition_penalty": 1.1, "frequency_penalty": 0.5,
        "presence_penalty": 0.5, "stop_sequences": ["END"], "seed": 7, "logit_bias": [{"token_id": 7, "bias_value": 1.5}],
        "reasoning": {"effort": "low", "max_tokens": 100, "exclude": true},
    });
    let templates = json!([
        {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"role": "user", "content": "Hello"},
    ]);
    let failover = json!({
        "on": [429, "5xx", "timeout"], "ttft_timeout": "1s", "attempt_timeout": "1s", "deadline": "1m", "attempts": 2,
        "retry_on_empty": true, "across_variants": true,
    });
    let selection = json!({
        "models": ["openai/b"], "ignore": ["groq"], "sort": [{"metric": "price", "direction": "ascending"}], "provider": {"order": ["openai"]},
    });
    let variant = json!({
        "variant_id": "v", "display_name": "V", "description": "One", "model_id": "openai/a", "text_generation_config": parameters,
        "message_templates": templates, "model_selection": selection,
    });
    let route = json!({
        "route_id": "r", "display_name": "R", "description": "One", "salt": "s", "failover": failover,
        "variants": [{"variant": variant, "weight": 60}, {"variant": {"model_id": "openai/b"}, "weight": 40}],
        "ramp": {"variant_id": "v", "steps": [{"at": moment, "weight": 80}], "state": "paused", "paused_at": moment},
    });
    let routed = json!({
        "name": "x", "display_name": "X", "description": "One", "routes": [{"condition": {"cel_expression": "true"}, "route": route}],
        "default_route": {"variants": [{"variant": {"model_id": "openai/a", "text_generation_config": {"max_new_tokens": 5}}, "weight": 100}]},
        "sticky_by": "org_id", "usage": "always",
        "defaults": {"text_generation_config": parameters, "message_templates": templates, "failover": failover},
        "metrics": {}, "goal": {}, "guardrails": {}, "baseline": {}, "min_users": 5, "record_metadata": [],
    });
    let ruled = json!({"rule": {"cel_expression": "'openai/a'"}, "weights": {"openai/a": 100}});
    vec![routed, ruled]
}

fn gateways() -> Vec<Value> {
    vec![json!({
        "downstreams": [{
            "id": "mine", "name": "Mine", "base_url": "https://api.openai.com/v1", "api_key": "${OPENAI_API_KEY}",
            "api_formats": ["openai", "openai_responses"], "output_model_ids": ["m"],
            "format_urls": {"openai_responses": "https://api.openai.com/v1/responses"},
        }],
        "rules": [{
            "id": "one", "name": "One", "pattern_path": "/v1/chat/completions", "pattern_model": "m2", "pattern_models": ["m3"],
            "match_format": ["openai"], "match_downstream_format": ["openai"], "match_downstreams": ["mine"],
            "pipeline_config": [{"plugin_id": "custom_header", "config": {"headers": {"x-team": "search"}}}], "is_enabled": true,
        }],
    })]
}

fn router_faults(document: &Value) -> Vec<Fault> {
    router::parse("x", document.to_string().as_bytes()).err().unwrap_or_default()
}

fn gateway_faults(document: &Value) -> Vec<Fault> {
    <Gateway as Document>::parse("gateway", document.to_string().as_bytes()).err().unwrap_or_default()
}

/// A schema without its reference, and without what it says of null.
fn resolved<'s>(whole: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        return resolved(whole, whole.pointer(pointer).unwrap());
    }
    match schema["anyOf"].as_array() {
        Some(either) => either.iter().flat_map(|schema| resolved(whole, schema)).collect(),
        None => vec![schema],
    }
}

/// The kinds of value that a schema takes; none where it says nothing of it.
fn kinds(whole: &Value, schema: &Value) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for schema in resolved(whole, schema) {
        match &schema["type"] {
            Value::String(kind) => _ = kinds.insert(kind.clone()),
            Value::Array(several) => {
                kinds.extend(several.iter().map(|kind| kind.as_str().unwrap().to_owned()))
            }
            _ => {}
        }
    }
    kinds
}

/// A value of every kind, but null, which counts as left out.
fn values() -> [(&'static str, Value); 5] {
    [
        ("boolean", json!(true)),
        ("number", json!(7.25)),
        ("string", json!("\u{7f} no word of ours")),
        ("array", json!([{}])),
        ("object", json!({})),
    ]
}

/// Every field of a document, as `(its pointer, its path, its schema, the name of its object and its own)`.
fn fields<'s>(
    whole: &'s Value,
    schema: &'s Value,
    value: &Value,
    pointer: &str,
    path: &str,
    found: &mut Vec<(String, String, &'s Value)>,
) {
    for schema in resolved(whole, schema) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let Some(schema) = schema["properties"].get(name) else { continue };
                    let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    found.push((pointer.clone(), path.clone(), schema));
                    fields(whole, schema, member, &pointer, &path, found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let (pointer, path) = (format!("{pointer}/{index}"), format!("{path}[{index}]"));
                    fields(whole, &schema["items"], item, &pointer, &path, found);
                }
            }
            _ => {}
        }
    }
}

/// Every property that a schema has, as `object.field`.
fn properties(whole: &Value, name: &str, seen: &mut BTreeSet<String>) {
    let Some(properties) = whole["components"]["schemas"][name]["properties"].as_object() else { return };
    for (field, schema) in properties {
        if seen.insert(format!("{name}.{field}")) {
            for name in names(schema) {
                self::properties(whole, &name, seen);
            }
        }
    }
}

/// The names of the schemas that one refers to.
fn names(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| match member {
                Value::String(reference) if name == "$ref" => {
                    vec![reference.rsplit('/').next().unwrap().to_owned()]
                }
                member => names(member),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(names).collect(),
        _ => Vec::new(),
    }
}

fn check(name: &str, documents: &[Value], faults: fn(&Value) -> Vec<Fault>) {
    let whole = document();
    let schema = json!({"$ref": format!("#/components/schemas/{name}")});
    let mut had = BTreeSet::new();
    for document in documents {
        assert_eq!(faults(document), [], "{document}");
        let mut found = Vec::new();
        fields(&whole, &schema, document, "", "", &mut found);
        for (pointer, path, schema) in found {
            had.insert(path.rsplit(['.', ']']).next().unwrap().to_owned());
            let kinds = kinds(&whole, schema);
            for (kind, value) in values() {
                let takes = |kind: &str| {
                    kinds.contains(kind)
                        || kind == "number" && kinds.contains("integer") && kinds.contains("number")
                };
                if kinds.is_empty() || takes(kind) {
                    continue;
                }
                let mut wrong = document.clone();
                *wrong.pointer_mut(&pointer).unwrap() = value.clone();
                let faults = faults(&wrong);
                let is_told = faults.iter().any(|fault| {
                    fault.path == path
                        || fault.path.starts_with(&format!("{path}."))
                        || fault.path.starts_with(&format!("{path}["))
                });
                assert!(is_told, "{path} takes {value}, and the schema says {kinds:?}; told: {faults:?}");
            }
        }
    }
    let mut all = BTreeSet::new();
    properties(&whole, name, &mut all);
    for property in all {
        let field = property.rsplit('.').next().unwrap();
        assert!(had.contains(field), "no document here has {property}");
    }
}

#[test]
fn every_field_of_a_router_is_of_the_kind_that_is_said() {
    check("Router", &routers(), router_faults);
}

#[test]
fn every_field_of_the_gateway_is_of_the_kind_that_is_said() {
    check("Gateway", &gateways(), gateway_faults);
}

/// The reader takes both spellings, so that the schema's one is as good as the other.
#[test]
fn every_field_may_be_written_in_camel_case() {
    fn camel(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let spelled = members.iter().map(|(name, member)| {
                    let mut words = name.split('_');
                    let first = words.next().unwrap_or_default().to_owned();
                    let name = words.fold(first, |name, word| {
                        let (initial, rest) = word.split_at(1);
                        format!("{name}{}{rest}", initial.to_ascii_uppercase())
                    });
                    (name, camel(member))
                });
                Value::Object(spelled.collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(camel).collect()),
            value => value.clone(),
        }
    }
    for document in routers() {
        assert_eq!(router_faults(&camel(&document)), []);
    }
    // Names that are not ours stay as they are written: a format's is one.
    let mut gateway = gateways().remove(0);
    gateway["downstreams"][0].as_object_mut().unwrap().remove("format_urls");
    assert_eq!(gateway_faults(&camel(&gateway)), []);
}
