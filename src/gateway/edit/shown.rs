//! What may be shown of a document, whatever bytes lie in KV: the fields that are known, and [`KEPT`] for every key.
//!
//! A hand edit that does not validate is shown as well, and a slip of the hand may have put a key under any name. So only what
//! is known to be harmless is shown as it is; every other string is hidden (law 8).

use super::parts::{List, Parts};
use crate::document::{Format, Json, read_as, snake_case, to_yaml};
use crate::gateway::KEPT;
use crate::gateway::base_url::BaseUrl;

/// A document less its keys.
pub struct Shown(Vec<(String, Json)>);

impl Shown {
    /// Of stored bytes; an empty one where they cannot be read.
    pub fn of(bytes: &[u8]) -> Shown {
        let found = read_as(Format::Either, bytes, "{}").ok();
        let Json::Object(members) = Parts::of(found).into_json() else { return Shown(Vec::new()) };
        let shown = members.into_iter().map(|(key, value)| {
            let value = match snake_case(&key).as_str() {
                "downstreams" => each(value, downstream),
                "rules" => each(value, rule),
                _ => hidden(value),
            };
            (key, value)
        });
        Shown(shown.collect())
    }

    /// The item of that id.
    pub fn item(&self, list: List, id: &str) -> Option<Shown> {
        let parts = Parts(self.0.clone());
        match parts.item(list, id) {
            Some(Json::Object(members)) => Some(Shown(members.clone())),
            _ => None,
        }
    }

    /// One of the lists alone.
    pub fn list(&self, list: List) -> Shown {
        let items = Parts(self.0.clone()).items(list).to_vec();
        Shown(vec![(list.field().to_owned(), Json::Array(items))])
    }

    /// Its ids.
    pub fn ids(&self, list: List) -> Vec<String> {
        Parts(self.0.clone()).ids(list).into_iter().map(str::to_owned).collect()
    }

    /// In JSON, with members after its own; each is a name and a value.
    pub fn to_json(&self, more: Vec<(&'static str, serde_json::Value)>) -> Vec<u8> {
        let mut out = serde_json::Map::new();
        for (key, value) in &self.0 {
            // What is shown holds nothing that cannot be written.
            out.insert(key.clone(), serde_json::to_value(value).unwrap_or_default());
        }
        out.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        serde_json::Value::Object(out).to_string().into_bytes()
    }

    /// In YAML.
    pub fn to_yaml(&self) -> Vec<u8> {
        to_yaml(&Json::Object(self.0.clone())).into_bytes()
    }
}

fn each(value: Json, show: impl Fn(&str, Json) -> Json) -> Json {
    let Json::Array(items) = value else { return hidden(value) };
    let item = |item| match item {
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .map(|(key, value)| {
                    let shown = show(&snake_case(&key), value);
                    (key, shown)
                })
                .collect(),
        ),
        other => hidden(other),
    };
    Json::Array(items.into_iter().map(item).collect())
}

fn downstream(field: &str, value: Json) -> Json {
    match (field, value) {
        ("id" | "name" | "api_formats" | "output_model_ids", value) => value,
        ("base_url", Json::Text(url)) => url_alone(url),
        ("format_urls", Json::Object(urls)) => {
            let shown = |(format, url)| match url {
                Json::Text(url) => (format, url_alone(url)),
                other => (format, hidden(other)),
            };
            Json::Object(urls.into_iter().map(shown).collect())
        }
        ("api_key", Json::Text(key)) if is_reference(&key) => Json::Text(key),
        (_, other) => hidden(other),
    }
}

fn rule(field: &str, value: Json) -> Json {
    match field {
        "id"
        | "name"
        | "pattern_path"
        | "pattern_model"
        | "pattern_models"
        | "match_format"
        | "match_downstream_format"
        | "match_downstreams"
        | "pipeline_config"
        | "is_enabled" => value,
        _ => hidden(value),
    }
}

/// A URL may hold a password where it is no base URL.
fn url_alone(url: String) -> Json {
    Json::Text(if BaseUrl::of(&url).is_some() { url } else { KEPT.to_owned() })
}

/// `${NAME_API_KEY}`
fn is_reference(key: &str) -> bool {
    crate::gateway::document::is_reference(key)
}

/// Every string within is hidden.
fn hidden(value: Json) -> Json {
    match value {
        Json::Text(_) => Json::Text(KEPT.to_owned()),
        Json::Array(items) => Json::Array(items.into_iter().map(hidden).collect()),
        Json::Object(members) => {
            Json::Object(members.into_iter().map(|(key, value)| (key, hidden(value))).collect())
        }
        // A key of digits alone is a number to YAML.
        Json::Number(_) => Json::Text(KEPT.to_owned()),
        other => other,
    }
}
