//! The OpenAPI document: made of the code, served as it is committed, whole.

mod fields;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use turnout::api::{Access, TABLE};
use turnout::endpoint::{Endpoint, Operation};
use turnout::openapi::{DOCUMENT, document};

/// `UPDATE=1` writes the file instead.
#[test]
fn what_is_served_is_what_the_code_says() {
    let made = document().to_string();
    if std::env::var_os("UPDATE").is_some() {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/openapi/openapi.json");
        fs::write(place, &made).unwrap();
        return;
    }
    assert!(made == DOCUMENT, "src/openapi/openapi.json is stale; `UPDATE=1 cargo test openapi` writes it");
}

/// Every operation: path, method, and what is said of it.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, methods)| {
        methods
            .as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    methods.collect()
}

#[test]
fn every_operation_of_the_control_api_is_in_it() {
    let document = document();
    let operations = operations(&document);
    for row in TABLE {
        let method = row.method.to_ascii_lowercase();
        let found = operations.iter().find(|(path, known, _)| *path == row.path && *known == method);
        let (_, _, operation) = found.unwrap_or_else(|| panic!("{} {}", row.method, row.path));
        let is_open = operation["security"].as_array().unwrap().is_empty();
        assert_eq!(is_open, row.access == Access::Open, "{}", row.path);
        let scope = match row.access {
            Access::Scope(scope) => Some(scope.as_str()),
            Access::Open | Access::Admin => None,
        };
        assert_eq!(operation["x-scope"].as_str(), scope, "{}", row.path);
    }
}

#[test]
fn every_path_in_it_is_there_and_every_path_that_is_there_is_in_it() {
    let document = document();
    let operations = operations(&document);
    for (path, method, _) in &operations {
        let path = path.replace("{revision}", "1").replace(['{', '}'], "");
        let parsed = Endpoint::parse(&method.to_ascii_uppercase(), &path, "");
        assert!(parsed.is_ok(), "{method} {path}: {parsed:?}");
    }
    // What an unknown path is told that there is.
    let told = Endpoint::parse("GET", "/nowhere", "").unwrap_err().message;
    let (_, known) = told.split_once("Known: ").unwrap();
    for known in known.trim_end_matches('.').split(", ") {
        let (methods, path) = known.rsplit_once(' ').unwrap();
        for method in methods.split(" or ") {
            let method = method.to_ascii_lowercase();
            assert!(operations.iter().any(|(other, of, _)| *other == path && *of == method), "{known}");
        }
    }
}

#[test]
fn every_kind_of_call_is_described() {
    let document = document();
    let mut kinds = BTreeSet::new();
    for (path, method, _) in operations(&document) {
        let path = path.replace(['{', '}'], "");
        if let Ok(Endpoint::Call(ask)) = Endpoint::parse(&method.to_ascii_uppercase(), &path, "") {
            kinds.insert((ask.dialect.as_str(), ask.operation == Operation::CountTokens));
        }
    }
    for dialect in turnout::dialect::Dialect::ALL {
        assert!(kinds.contains(&(dialect.as_str(), false)), "{}", dialect.as_str());
    }
}

#[test]
fn ids_are_unique_and_in_camel_case() {
    let document = document();
    let mut seen = BTreeSet::new();
    for (path, _, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(seen.insert(id.to_owned()), "{id}");
        assert!(id.starts_with(|first: char| first.is_ascii_lowercase()), "{path} {id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{path} {id}");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{path}");
    }
}

/// Everything in the document, with its place.
fn walk(value: &Value, place: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(place, value);
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| walk(member, &format!("{place}/{name}"), visit))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{place}/{index}"), visit))
        }
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut used = BTreeSet::new();
    walk(&document, "", &mut |place, value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{place} refers to {reference}");
            used.insert(reference.to_owned());
        }
    });
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(used.contains(&format!("#/components/schemas/{name}")), "{name} is not used");
    }
}

#[test]
fn every_parameter_of_a_path_is_described() {
    let document = document();
    for (path, _, operation) in operations(&document) {
        let expected: Vec<_> = path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let described: Vec<_> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(described, expected, "{path}");
    }
}
