//! Method, path and query to what is asked for, and in which dialect.
//!
//! In scope: the paths there are, what of a call stands in its URL (Gemini's), and what to say to a client whose base URL is
//! off by a `/v1`. Out of scope: `OPTIONS`, the body (`call`), and who may ask (`auth`).

mod hint;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::api;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A model call.
    Call(Ask),
    /// The list of routers and models, in the shape that clients of a dialect read.
    Models(Dialect),
    /// One of them by its id, percent-decoded; it may hold slashes.
    Model(Dialect, String),
    /// `GET /healthz`.
    Health,
    /// Something of the control API.
    Control(api::Asked),
}

/// What the URL says of a model call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The caller's dialect.
    pub dialect: Dialect,
    /// What is to be done.
    pub operation: Operation,
    /// The model where the path names it (Gemini's alone), percent-decoded and without `models/`; never empty.
    pub model: Option<String>,
    /// Whether a stream is wanted, where the path says so; else the body does.
    pub stream: Option<bool>,
    /// A stream is to be server-sent events; else, of Gemini's without `alt=sse`, one JSON array.
    pub events: bool,
}

/// What a model call is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Answer.
    Generate,
    /// Count the tokens of what would be asked.
    CountTokens,
}

impl Ask {
    /// A call whose model and stream flag stand in its body.
    pub fn of(dialect: Dialect) -> Ask {
        Ask { dialect, operation: Operation::Generate, model: None, stream: None, events: true }
    }
}

const CHAT_COMPLETIONS: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const COUNT_TOKENS: &str = "/v1/messages/count_tokens";
const RESPONSES: &str = "/v1/responses";
const MODELS: &str = "/v1/models";
const GEMINI: &str = "/v1beta/";
const GEMINI_MODELS: &str = "/v1beta/models";
const HEALTH: &str = "/healthz";

/// The paths there are, each with its methods, as they are told to a caller.
const KNOWN: [(&str, &str); 11] = [
    ("POST", CHAT_COMPLETIONS),
    ("POST", MESSAGES),
    ("POST", COUNT_TOKENS),
    ("POST", RESPONSES),
    ("POST", "/v1beta/models/{model}:generateContent"),
    ("POST", "/v1beta/models/{model}:streamGenerateContent"),
    ("GET", MODELS),
    ("GET", "/v1/models/{id}"),
    ("GET", GEMINI_MODELS),
    ("GET", "/v1beta/models/{id}"),
    ("GET or HEAD", HEALTH),
];

/// What stands at a path, and the methods that it takes.
type Found = (Endpoint, &'static [&'static str]);

impl Endpoint {
    /// What `method` on `path` asks for; path and query are as they stand in the URL, percent-encoded, the query without its
    /// question mark. One slash at the end of the path is ignored.
    ///
    /// # Errors
    /// `NotFound` on an unknown path (saying what the base URL should be where that is what is wrong), `MethodNotAllowed`
    /// on a known path with another method, `InvalidRequest` on a model that is not UTF-8. Their dialect is that of
    /// [`Endpoint::dialect_of`].
    pub fn parse(method: &str, path: &str, query: &str) -> Result<Endpoint, Error> {
        if let Some(asked) = api::parse(method, path)? {
            return Ok(Endpoint::Control(asked));
        }
        let (endpoint, methods) = at(path, query)?.ok_or_else(|| hint::not_found(path))?;
        if methods.contains(&method) {
            return Ok(endpoint);
        }
        let message = format!("{} takes {}, not {method}.", hint::shown(path), methods.join(" or "));
        Err(Error::new(ErrorKind::MethodNotAllowed(methods), message))
    }

    /// The dialect that a client speaks which asks for `path`, as far as one can tell by it: also of an unknown path, for
    /// its client wants to read the error. OpenAI's for want of another.
    pub fn dialect_of(path: &str) -> Dialect {
        let has = |wanted: &[&str]| path.split('/').any(|segment| wanted.contains(&segment));
        if path.ends_with("/chat/completions")
            || has(&["models"]) && !has(&["v1beta"]) && !names_a_method(path)
        {
            Dialect::OpenAi
        } else if has(&["v1beta"]) || names_a_method(path) {
            Dialect::Gemini
        } else if has(&["messages"]) {
            Dialect::Anthropic
        } else if has(&["responses"]) {
            Dialect::Responses
        } else {
            Dialect::OpenAi
        }
    }

    /// For the client that sent this header `anthropic-version`: Anthropic's clients ask for `/v1/models` too, and read
    /// another shape.
    #[must_use]
    pub fn for_version(self, anthropic_version: Option<&str>) -> Endpoint {
        match self {
            Endpoint::Models(Dialect::OpenAi) if anthropic_version.is_some() => {
                Endpoint::Models(Dialect::Anthropic)
            }
            Endpoint::Model(Dialect::OpenAi, id) if anthropic_version.is_some() => {
                Endpoint::Model(Dialect::Anthropic, id)
            }
            endpoint => endpoint,
        }
    }
}

/// The value of a parameter in a query as it stands in the URL, percent-decoded; the first of that name.
pub(crate) fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    percent_decode_str(value).decode_utf8().ok()
}

fn at(path: &str, query: &str) -> Result<Option<Found>, Error> {
    let call = |dialect| (Endpoint::Call(Ask::of(dialect)), &["POST"] as &[_]);
    Ok(Some(match path.strip_suffix('/').unwrap_or(path) {
        CHAT_COMPLETIONS => call(Dialect::OpenAi),
        MESSAGES => call(Dialect::Anthropic),
        COUNT_TOKENS => {
            let operation = Operation::CountTokens;
            let ask = Ask { operation, stream: Some(false), ..Ask::of(Dialect::Anthropic) };
            (Endpoint::Call(ask), &["POST"])
        }
        RESPONSES => call(Dialect::Responses),
        MODELS => (Endpoint::Models(Dialect::OpenAi), &["GET"]),
        GEMINI_MODELS => (Endpoint::Models(Dialect::Gemini), &["GET"]),
        HEALTH => (Endpoint::Health, &["GET", "HEAD"]),
        other => match (id_after(MODELS, other), other.strip_prefix(GEMINI)) {
            // The base URL is another dialect's.
            (Some(id), _) if names_a_method(id) => return Ok(None),
            (Some(id), _) => (Endpoint::Model(Dialect::OpenAi, decoded(id)?), &["GET"]),
            (None, Some(resource)) => return gemini(resource, query),
            (None, None) => return Ok(None),
        },
    }))
}

/// What stands at a resource of Gemini's: `models/{model}:{method}`, or `{provider}/{model}:{method}`, as some clients have it
/// of a model whose name holds a slash.
fn gemini(resource: &str, query: &str) -> Result<Option<Found>, Error> {
    let resource = decoded(resource)?;
    let Some((model, stream)) = generating(&resource) else {
        let id = resource.strip_prefix("models/").filter(|id| !id.is_empty() && !names_a_method(id));
        return Ok(id.map(|id| (Endpoint::Model(Dialect::Gemini, bare(id).to_owned()), &["GET"] as &[_])));
    };
    let model = bare(model);
    // A version in it is the base URL's second.
    if model.is_empty() || model.starts_with("v1beta/") || model.starts_with("v1/") {
        return Ok(None);
    }
    let events = ["alt", "$alt"].iter().any(|name| parameter(query, name).as_deref() == Some("sse"));
    let (model, stream) = (Some(model.to_owned()), Some(stream));
    Ok(Some((Endpoint::Call(Ask { model, stream, events, ..Ask::of(Dialect::Gemini) }), &["POST"])))
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

/// Methods of Gemini's models that are served.
const SERVED: [&str; 2] = ["generateContent", "streamGenerateContent"];

/// And those that clients may ask for in vain.
const UNSERVED: [&str; 6] = [
    "countTokens",
    "embedContent",
    "batchEmbedContents",
    "batchGenerateContent",
    "predict",
    "predictLongRunning",
];

/// Whether a path ends in a method of Gemini's. A colon alone does not tell: `llama3:8b` is a model.
fn names_a_method(path: &str) -> bool {
    let method = path.rsplit_once(':').map(|(_, method)| method);
    method.is_some_and(|method| SERVED.contains(&method) || UNSERVED.contains(&method))
}

/// A model without the name of its collection, which clients put before it once or, of a model copied from a list, twice.
fn bare(model: &str) -> &str {
    let model = model.strip_prefix("models/").unwrap_or(model);
    model.strip_prefix("models/").unwrap_or(model)
}

fn id_after<'a>(collection: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(collection)?.strip_prefix('/').filter(|id| !id.is_empty())
}

fn decoded(encoded: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(encoded).decode_utf8().map_err(|_| {
        Error::invalid("model", "The model in the path is not UTF-8 once it is percent-decoded.")
    })?;
    Ok(decoded.into_owned())
}
