//! Model and method as they stand in URLs: a caller's, and a downstream's.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::dialect::Dialect;
use crate::dialect::wire::{Generate, Likeness, Methods};
use crate::endpoint::{Ask, Endpoint, Found, GET, POST, decoded, names_a_method, parameter};
use crate::error::Error;

/// The list of models.
pub(super) const MODELS: &str = "/v1beta/models";

/// Its methods, and those that clients may ask for in vain.
pub(super) const METHODS: Methods = Methods {
    whose: "Gemini's",
    served: &["generateContent", "streamGenerateContent"],
    unserved: &[
        "countTokens",
        "embedContent",
        "batchEmbedContents",
        "batchGenerateContent",
        "predict",
        "predictLongRunning",
    ],
};

/// What stays as it is in a segment of a URL's path: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path below the root. A model may bring its collection along, as Google's own names do.
pub(super) fn push(url: &mut String, call: Generate<'_>) {
    let (collection, name) = match call.model.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), name)) => (collection, name),
        _ => ("models", call.model),
    };
    url.push('/');
    url.push_str(collection);
    url.push('/');
    url.extend(utf8_percent_encode(name, SEGMENT));
    url.push_str(match (call.stream, call.events) {
        (true, true) => ":streamGenerateContent?alt=sse",
        // One JSON array, as the caller asked.
        (true, false) => ":streamGenerateContent",
        (false, _) => ":generateContent",
    });
}

/// What stands at a path.
pub(super) fn at(path: &str, query: &str) -> Result<Option<Found>, Error> {
    match path.strip_prefix("/v1beta/") {
        Some(_) if path == MODELS => Ok(Some((Endpoint::Models(Dialect::Gemini), GET))),
        Some(resource) => of_resource(resource, query),
        None => Ok(None),
    }
}

/// By its version, or a method.
pub(super) fn likeness(path: &str) -> Likeness {
    let is_like = path.split('/').any(|segment| segment == "v1beta") || names_a_method(path);
    if is_like { Likeness::Version } else { Likeness::None }
}

/// What stands at a resource: `models/{model}:{method}`, or `{provider}/{model}:{method}`, as some clients have it
/// of a model whose name holds a slash.
fn of_resource(resource: &str, query: &str) -> Result<Option<Found>, Error> {
    let resource = decoded(resource)?;
    let Some((model, stream)) = generating(&resource) else {
        let id = resource.strip_prefix("models/").filter(|id| !id.is_empty() && !names_a_method(id));
        return Ok(id.map(|id| (Endpoint::Model(Dialect::Gemini, bare(id).to_owned()), GET)));
    };
    let model = bare(model);
    // A version in it is the base URL's second.
    if model.is_empty() || model.starts_with("v1beta/") || model.starts_with("v1/") {
        return Ok(None);
    }
    let events = ["alt", "$alt"].iter().any(|name| parameter(query, name).as_deref() == Some("sse"));
    let (model, stream) = (Some(model.to_owned()), Some(stream));
    Ok(Some((Endpoint::Call(Ask { model, stream, events, ..Ask::of(Dialect::Gemini) }), POST)))
}

/// A resource less its method, and whether that streams. The model's own name may hold a colon.
fn generating(resource: &str) -> Option<(&str, bool)> {
    let (model, method) = resource.rsplit_once(':').filter(|(model, _)| model.contains('/'))?;
    match method {
        "generateContent" => Some((model, false)),
        "streamGenerateContent" => Some((model, true)),
        _ => None,
    }
}

/// A model without the name of its collection, which clients put before it once or, of a model copied from a list, twice.
fn bare(model: &str) -> &str {
    let model = model.strip_prefix("models/").unwrap_or(model);
    model.strip_prefix("models/").unwrap_or(model)
}
