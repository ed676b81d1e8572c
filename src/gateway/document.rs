//! The KV document `gateway`, as Tresor writes it: `{"downstreams": […], "rules": […]}`, in snake or camel case.
//!
//! All faults are found at once, each with its path. No message quotes an `api_key` or a URL, for a URL may hold a
//! password (law 8). Documented fields of a downstream: `id, name, base_url, api_key, api_formats[],
//! output_model_ids[], format_urls{}`; formats `openai, anthropic, openai_responses, gemini`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::base_url::BaseUrl;
use super::fields::{Fields, Findings, typo_of};
use super::{Credential, Downstream, RESERVED};
use crate::fault::Fault;
use crate::provider::{self, Habits};

/// A larger document is refused unread.
pub(super) const MOST_BYTES: usize = 1 << 20;

const DOCUMENT_FIELDS: &[&str] = &["downstreams", "rules"];
const DOWNSTREAM_FIELDS: &[&str] =
    &["id", "name", "base_url", "api_key", "api_formats", "output_model_ids", "format_urls"];
const FORMATS: &[&str] = &["openai", "anthropic", "openai_responses", "gemini"];
const SERVED_FORMAT: &str = "openai";

/// The document's downstreams, in its order, and the warnings; or its faults.
pub(super) fn parse(bytes: &[u8]) -> Result<(Vec<Downstream>, Vec<Fault>), Vec<Fault>> {
    let value = json(bytes).map_err(|message| vec![Fault::new("", message)])?;
    let mut findings = Findings::default();
    let downstreams = document(&value, &mut findings).unwrap_or_default();
    let warnings = findings.finish()?;
    Ok((downstreams, warnings))
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    if bytes.len() > MOST_BYTES {
        return Err(format!("the document has {} bytes; the limit is {MOST_BYTES} (1 MiB)", bytes.len()));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|_| "the document is not UTF-8; save it as UTF-8".to_owned())?;
    // Some editors put a byte order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err("the document is empty; write {\"downstreams\": []}, or delete the key".to_owned());
    }
    serde_json::from_str(text).map_err(|error| {
        // The reason alone would do, but only the whole says the line; it never quotes the document.
        format!("the document is not JSON (YAML is not read here): {error}")
    })
}

fn document(value: &Value, findings: &mut Findings) -> Option<Vec<Downstream>> {
    let fields = Fields::read(value, String::new(), DOCUMENT_FIELDS, findings)?;
    if fields.array("rules", findings).is_some_and(|rules| !rules.is_empty()) {
        findings.warn(
            "rules",
            "are not served by this version, and are ignored; name models as downstream/model",
        );
    }
    let mut downstreams = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, item) in fields.array("downstreams", findings).unwrap_or_default().iter().enumerate() {
        let path = format!("downstreams[{index}]");
        let Some(fields) = Fields::read(item, path, DOWNSTREAM_FIELDS, findings) else { continue };
        let id = id(&fields, findings);
        if let Some(first) = id.and_then(|id| places.get(id)) {
            findings
                .fault(fields.at("id"), format!("is also the id of downstreams[{first}]; ids are unique"));
        }
        if let Some(id) = id {
            places.entry(id).or_insert(index);
        }
        downstreams.extend(downstream(id, &fields, findings));
    }
    warn_of_models_listed_twice(&downstreams, findings);
    Some(downstreams)
}

fn id<'v>(fields: &Fields<'v>, findings: &mut Findings) -> Option<&'v str> {
    let path = fields.at("id");
    if !fields.has("id") {
        findings.fault(path, "is missing; it is what comes before the slash of a model");
        return None;
    }
    let id = fields.string("id", findings)?;
    let well_formed = (1..=63).contains(&id.len())
        && !id.starts_with('-')
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !well_formed {
        findings.fault(path, "must be 1 to 63 of a-z, 0-9 and `-`, and not begin with `-`");
        return None;
    }
    if RESERVED.contains(&id) {
        findings.fault(path, format!("`{id}` is reserved; choose another id"));
        return None;
    }
    Some(id)
}

/// One downstream; none where a fault of its own leaves nothing to build.
fn downstream(id: Option<&str>, fields: &Fields<'_>, findings: &mut Findings) -> Option<Downstream> {
    let name = fields.string("name", findings);
    let models = models(fields, findings);
    let given = credential(fields, findings);
    let base_url = base_url(fields, findings);
    let openai_url = format_urls(fields, findings);
    let endpoint = openai_url.or(base_url);
    formats(fields, endpoint.as_ref(), findings);

    let (id, endpoint) = (id?, endpoint?);
    let habits = endpoint
        .provider()
        // Habits belong to the endpoint; an unknown endpoint in a built-in's place is taken to be like it.
        .or_else(|| provider::builtin(id))
        .map_or_else(Habits::default, |provider| provider.habits);
    Some(Downstream {
        id: id.to_owned(),
        name: name.unwrap_or(id).to_owned(),
        base_url: endpoint.to_string(),
        chat_url: endpoint.chat_url(),
        credential: given?.unwrap_or_else(|| inherited(id, &endpoint, fields, findings)),
        habits,
        models,
        configured: true,
    })
}

fn base_url(fields: &Fields<'_>, findings: &mut Findings) -> Option<BaseUrl> {
    if !fields.has("base_url") {
        findings
            .fault(fields.at("base_url"), "is missing; write an absolute URL, as https://api.example.com/v1");
        return None;
    }
    let text = fields.string("base_url", findings)?;
    url(fields.at("base_url"), text, findings)
}

/// The URL for the one format that is served, where the document gives it one of its own; all are checked.
fn format_urls(fields: &Fields<'_>, findings: &mut Findings) -> Option<BaseUrl> {
    let value = fields.get("format_urls", findings)?;
    let urls = Fields::read(value, fields.at("format_urls"), FORMATS, findings)?;
    let mut served = None;
    for format in FORMATS {
        let Some(text) = urls.string(format, findings) else { continue };
        let url = url(urls.at(format), text, findings);
        if *format == SERVED_FORMAT {
            served = url;
        }
    }
    served
}

fn url(path: String, text: &str, findings: &mut Findings) -> Option<BaseUrl> {
    BaseUrl::parse(text).map_err(|message| findings.fault(path, message)).ok()
}

/// `Some(None)` where no key is given; `None` where what is given is a fault.
fn credential(fields: &Fields<'_>, findings: &mut Findings) -> Option<Option<Credential>> {
    if !fields.has("api_key") {
        return Some(None);
    }
    let key = fields.string("api_key", findings)?;
    let read = if let Some(reference) = key.strip_prefix('$') {
        secret_name(reference).map(|name| Credential::Secret(name.to_owned())).ok_or(
            "must name a secret as ${NAME_API_KEY}, in A-Z, 0-9 and `_`; only secrets named *_API_KEY are read",
        )
    } else if key.is_empty() {
        Err("is empty; leave it out where no key is needed")
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(
            "holds white space, control characters or letters beyond ASCII, which no header can carry; copy it again",
        )
    } else {
        Ok(Credential::Literal(key.to_owned()))
    };
    read.map(Some).map_err(|message| findings.fault(fields.at("api_key"), message)).ok()
}

/// `NAME` of `{NAME}`, where it is one that a document may name. Our own secrets have other names.
fn secret_name(reference: &str) -> Option<&str> {
    let name = reference.strip_prefix('{')?.strip_suffix('}')?;
    let well_formed = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    (well_formed && name.len() <= 128 && name.ends_with("_API_KEY")).then_some(name)
}

/// What a downstream without a key of its own is called with (law 8): a built-in's secret goes to its host alone.
fn inherited(id: &str, endpoint: &BaseUrl, fields: &Fields<'_>, findings: &mut Findings) -> Credential {
    let builtin = provider::builtin(id);
    if let Some(provider) = builtin.filter(|provider| endpoint.is_at(provider)) {
        return Credential::Secret(provider.secret());
    }
    // A model on this machine needs none.
    if !endpoint.is_loopback() {
        let message = match builtin {
            Some(provider) => format!(
                "is missing, and {} goes only to {}; write \"${{{0}}}\" here if this host is to have it",
                provider.secret(),
                provider.host()
            ),
            None => "is missing, so calls carry no credential; write \"${NAME_API_KEY}\" to name a secret"
                .to_owned(),
        };
        findings.warn(fields.at("api_key"), message);
    }
    Credential::None
}

/// Only `openai` is served for now. A known provider's host has an endpoint for it whatever the document says of it.
fn formats(fields: &Fields<'_>, endpoint: Option<&BaseUrl>, findings: &mut Findings) {
    let path = fields.at("api_formats");
    let Some(formats) = fields.strings("api_formats", findings) else { return };
    for (path, format) in &formats {
        if !FORMATS.contains(format) {
            let hint = match typo_of(format, FORMATS) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("the formats are {}", FORMATS.join(", ")),
            };
            findings.fault(path, format!("is no format; {hint}"));
        }
    }
    if formats.iter().any(|(_, format)| *format == SERVED_FORMAT) {
        return;
    }
    match endpoint.and_then(BaseUrl::provider) {
        Some(provider) => findings.warn(
            path,
            format!(
                "only `openai` is served by this version; {}'s OpenAI-compatible endpoint is used",
                provider.name
            ),
        ),
        None => {
            findings.fault(path, "only `openai` is served by this version; name it if the endpoint speaks it")
        }
    }
}

fn models(fields: &Fields<'_>, findings: &mut Findings) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut models = Vec::new();
    for (path, model) in fields.strings("output_model_ids", findings).unwrap_or_default() {
        if model.is_empty() || model.len() > 256 || model.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            findings.fault(
                path,
                "must be 1 to 256 bytes without white space, as the downstream spells the model",
            );
        } else if seen.insert(model) {
            models.push(model.to_owned());
        } else {
            findings.fault(path, "is listed twice");
        }
    }
    models
}

fn warn_of_models_listed_twice(downstreams: &[Downstream], findings: &mut Findings) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for downstream in downstreams {
        for model in &downstream.models {
            let id = first.entry(model).or_insert(&downstream.id);
            if *id != downstream.id {
                let message = format!(
                    "`{model}` is listed by `{id}` as well, which serves it by that name; here it is `{}/{model}`",
                    downstream.id
                );
                findings.warn("downstreams", message);
            }
        }
    }
}
