//! The KV document `gateway`, as Tresor writes it: `{"downstreams": […], "rules": […]}`, in snake or camel case, JSON or YAML.
//!
//! All faults are found at once, each with its path. No message quotes an `api_key` or a URL, for a URL may hold a
//! password (law 8). Documented fields of a downstream: `id, name, base_url, api_key, api_formats[],
//! output_model_ids[], format_urls{}`; formats `openai, anthropic, openai_responses, gemini`.

use std::collections::{BTreeMap, BTreeSet};

use super::base_url::BaseUrl;
use super::rules::{self, Known};
use super::{Credential, Downstream, Gateway, KEPT, RESERVED, formats};
use crate::dialect::Dialect;
use crate::document::{self, Fields, Format, Found, Kind, Object, Reader, field, object, required};
use crate::fault::Fault;
use crate::provider::{self, Habits};

/// The document.
pub(crate) static DOCUMENT: Object = object(
    "Gateway",
    "Downstreams, and rules that pick them. Fields may be written in snake or camel case.",
    &[
        field(
            "downstreams",
            Kind::List(&Kind::Object(&DOWNSTREAM)),
            "Beside the providers that are built in.",
        ),
        field("rules", Kind::List(&Kind::Object(&rules::RULE)), "By specificity, then in this order."),
    ],
);

/// One of its downstreams.
pub(crate) static DOWNSTREAM: Object = object(
    "Downstream",
    "An endpoint that serves models.",
    &[
        required(
            "id",
            Kind::Pattern("^[a-z0-9][a-z0-9-]{0,62}$"),
            "What stands before the slash of a model. That of a built-in provider replaces it.",
        ),
        field("name", Kind::Text, "For people."),
        required("base_url", Kind::Text, "`https` at a public host, or plain `http` at a loopback address."),
        field(
            "api_key",
            Kind::Text,
            "`${NAME_API_KEY}` reads that secret. A literal is never shown again: sent back as it is shown, it stays.",
        ),
        field("api_formats", Kind::List(&FORMAT), "The dialects that it speaks."),
        field("output_model_ids", Kind::List(&Kind::Text), "Models that may be named without its id."),
        field(
            "format_urls",
            Kind::Map(&Kind::Text),
            "URLs of dialects that are elsewhere at the same host, by dialect.",
        ),
    ],
);

/// The name of a dialect.
pub(super) const FORMAT: Kind = Kind::Word(Dialect::NAMES);

/// The gateway that a document means, and the warnings; or its faults.
pub(super) fn parse(format: Format, bytes: &[u8]) -> Result<(Gateway, Vec<Fault>), Vec<Fault>> {
    let found = document::read_as(format, bytes, "{\"downstreams\": []}").map_err(|fault| vec![fault])?;
    of(found)
}

/// As [`parse`], of a document that is read already.
pub(super) fn of(found: Found) -> Result<(Gateway, Vec<Fault>), Vec<Fault>> {
    let mut reader = Reader::default();
    let gateway = document(&mut reader, found);
    reader.finish(gateway)
}

fn document(reader: &mut Reader, found: Found) -> Option<Gateway> {
    let mut fields = reader.object(found, DOCUMENT.fields)?;
    let rules = fields.take("rules");
    let mut downstreams = Vec::new();
    let mut places = BTreeMap::new();
    let items = fields.take("downstreams").and_then(|found| reader.items(found));
    for (place, item) in items.into_iter().flatten().enumerate() {
        let Some(mut fields) = reader.object(item, DOWNSTREAM.fields) else { continue };
        let id = fields
            .required(reader, "id", "what is to come before the slash of a model")
            .and_then(|found| unique_id(reader, &found, place, &mut places));
        downstreams.extend(downstream(reader, id, fields));
    }
    warn_of_models_listed_twice(reader, &downstreams);
    let mut gateway = Gateway::with(downstreams);
    let known = Known { downstreams: &gateway.downstreams, ids: &places };
    gateway.rules = rules::read(reader, rules, known);
    Some(gateway)
}

/// An id, with a fault where `places` has it already.
fn unique_id(
    reader: &mut Reader,
    found: &Found,
    place: usize,
    places: &mut BTreeMap<String, usize>,
) -> Option<String> {
    let id = id(reader, found)?;
    match places.get(id) {
        Some(first) => {
            reader.fault(&found.path, format!("is also the id of downstreams[{first}]; ids are unique"));
        }
        None => {
            places.insert(id.to_owned(), place);
        }
    }
    Some(id.to_owned())
}

fn id<'f>(reader: &mut Reader, found: &'f Found) -> Option<&'f str> {
    let id = reader.text(found)?;
    let well_formed = (1..=63).contains(&id.len())
        && !id.starts_with('-')
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !well_formed {
        reader.fault(&found.path, "must be 1 to 63 of a-z, 0-9 and `-`, and not begin with `-`");
        return None;
    }
    if RESERVED.contains(&id) {
        reader.fault(&found.path, format!("`{id}` is reserved; choose another id"));
        return None;
    }
    Some(id)
}

/// One downstream; none where a fault of its own leaves nothing to build.
fn downstream(reader: &mut Reader, id: Option<String>, mut fields: Fields) -> Option<Downstream> {
    let name = fields.take("name").and_then(|found| reader.text(&found).map(str::to_owned));
    let models = models(reader, &mut fields);
    let given = credential(reader, &mut fields);
    let base_url = fields
        .required(reader, "base_url", "an absolute URL, as https://api.example.com/v1")
        .and_then(|found| BaseUrl::read(reader, &found));
    let builtin = id.as_deref().and_then(provider::builtin);
    let spoken = formats::spoken(reader, &mut fields, base_url.as_ref(), builtin);

    let (id, base_url) = (id?, base_url?);
    let habits = base_url
        .provider()
        // Habits belong to the endpoint; an unknown endpoint in a built-in's place is taken to be like it.
        .or(builtin)
        .map_or_else(Habits::default, |provider| provider.habits);
    Some(Downstream {
        name: name.unwrap_or_else(|| id.clone()),
        base_url: base_url.to_string(),
        spoken,
        credential: given?.unwrap_or_else(|| inherited(reader, &id, &base_url, fields.at("api_key"))),
        habits,
        models,
        configured: true,
        id,
    })
}

/// `Some(None)` where no key is given; `None` where what is given is a fault.
fn credential(reader: &mut Reader, fields: &mut Fields) -> Option<Option<Credential>> {
    let Some(found) = fields.take("api_key") else { return Some(None) };
    let key = reader.text(&found)?;
    let read = if let Some(reference) = key.strip_prefix('$') {
        secret_name(reference).map(|name| Credential::Secret(name.to_owned())).ok_or(
            "must name a secret as ${NAME_API_KEY}, in A-Z, 0-9 and `_`; only secrets named *_API_KEY are read",
        )
    } else if key == KEPT {
        Err("stands for a key that is stored, and none is stored here; write the key itself")
    } else if key.is_empty() {
        Err("is empty; leave it out where no key is needed")
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(
            "holds white space, control characters or letters beyond ASCII, which no header can carry; copy it again",
        )
    } else {
        Ok(Credential::Literal(key.to_owned()))
    };
    read.map(Some).map_err(|message| reader.fault(&found.path, message)).ok()
}

/// Whether a key is one that names a secret, and so may be shown.
pub(super) fn is_reference(key: &str) -> bool {
    key.strip_prefix('$').is_some_and(|reference| secret_name(reference).is_some())
}

/// `NAME` of `{NAME}`, where it is one that a document may name. Our own secrets have other names.
fn secret_name(reference: &str) -> Option<&str> {
    let name = reference.strip_prefix('{')?.strip_suffix('}')?;
    let well_formed = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    (well_formed && name.len() <= 128 && name.ends_with("_API_KEY")).then_some(name)
}

/// What a downstream without a key of its own (which would be at `path`) is called with (law 8): a built-in's secret goes to its host alone.
fn inherited(reader: &mut Reader, id: &str, endpoint: &BaseUrl, path: String) -> Credential {
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
        reader.warn(path, message);
    }
    Credential::None
}

fn models(reader: &mut Reader, fields: &mut Fields) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut models = Vec::new();
    let items = fields.take("output_model_ids").and_then(|found| reader.items(found));
    for found in items.into_iter().flatten() {
        let Some(model) = reader.text(&found) else { continue };
        if model.is_empty() || model.len() > 256 || model.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            let message = "must be 1 to 256 bytes without white space, as the downstream spells the model";
            reader.fault(&found.path, message);
        } else if seen.insert(model.to_owned()) {
            models.push(model.to_owned());
        } else {
            reader.fault(&found.path, "is listed twice");
        }
    }
    models
}

fn warn_of_models_listed_twice(reader: &mut Reader, downstreams: &[Downstream]) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for downstream in downstreams {
        for model in &downstream.models {
            let id = first.entry(model).or_insert(&downstream.id);
            if *id != downstream.id {
                let message = format!(
                    "`{model}` is listed by `{id}` as well, which serves it by that name; here it is `{}/{model}`",
                    downstream.id
                );
                reader.warn("downstreams", message);
            }
        }
    }
}
