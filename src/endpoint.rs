//! `(method, path)` to what is asked for.
//!
//! In scope: the paths there are, and what to say to a client whose base URL is off by a `/v1`.
//! Out of scope: the query, `OPTIONS`, and who may ask (`auth`).

use percent_encoding::percent_decode_str;

use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A model call: `POST /v1/chat/completions`.
    Call(Dialect),
    /// `GET /v1/models`.
    Models,
    /// `GET /v1/models/{id}`; the id may hold slashes and is percent-decoded.
    Model(String),
    /// `GET /healthz`.
    Health,
}

/// What a model call is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Answer.
    Generate,
    /// Count the tokens of what would be asked.
    CountTokens,
}

const CHAT_COMPLETIONS: &str = "/v1/chat/completions";
const MODELS: &str = "/v1/models";
const HEALTH: &str = "/healthz";

/// The paths there are, each with its methods, as they are told to a caller.
const KNOWN: [(&str, &str); 4] =
    [("POST", CHAT_COMPLETIONS), ("GET", MODELS), ("GET", "/v1/models/{id}"), ("GET or HEAD", HEALTH)];

/// Below this share of common letters (`strsim::normalized_damerau_levenshtein`) a known path is no likely typo.
const SIMILAR: f64 = 0.6;

/// No more of a caller's path is repeated to it than this many characters.
const SHOWN_PATH: usize = 80;

impl Endpoint {
    /// What `method` on `path` asks for; `path` is as it stands in the URL, percent-encoded and without a query. One
    /// slash at the end is ignored.
    ///
    /// Errs with `NotFound` on an unknown path (saying what the base URL should be where that is what is wrong),
    /// `MethodNotAllowed` on a known path with another method, and `InvalidRequest` on a model id that is not UTF-8.
    pub fn parse(method: &str, path: &str) -> Result<Endpoint, Error> {
        let (endpoint, methods) = at(path)?.ok_or_else(|| not_found(path))?;
        if methods.contains(&method) {
            return Ok(endpoint);
        }
        let message = format!("{} takes {}, not {method}.", shown(path), methods.join(" or "));
        Err(Error::new(ErrorKind::MethodNotAllowed(methods), message))
    }
}

/// What stands at a path, and the methods that it takes.
fn at(path: &str) -> Result<Option<(Endpoint, &'static [&'static str])>, Error> {
    Ok(Some(match path.strip_suffix('/').unwrap_or(path) {
        CHAT_COMPLETIONS => (Endpoint::Call(Dialect::OpenAi), &["POST"]),
        MODELS => (Endpoint::Models, &["GET"]),
        HEALTH => (Endpoint::Health, &["GET", "HEAD"]),
        other => match other.strip_prefix(MODELS).and_then(|rest| rest.strip_prefix('/')) {
            None | Some("") => return Ok(None),
            Some(id) => (Endpoint::Model(model_id(id)?), &["GET"]),
        },
    }))
}

fn model_id(encoded: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(encoded).decode_utf8().map_err(|_| {
        Error::invalid("model", "The model id in the path is not UTF-8 once it is percent-decoded.")
    })?;
    Ok(decoded.into_owned())
}

fn not_found(path: &str) -> Error {
    let known: Vec<_> = KNOWN.iter().map(|(methods, known)| format!("{methods} {known}")).collect();
    let hint = base_url_hint(path).or_else(|| nearest_hint(path)).unwrap_or_default();
    let message = format!("There is nothing at {}.{hint} Known: {}.", shown(path), known.join(", "));
    Error::new(ErrorKind::NotFound, message)
}

/// For a path that ends as one of ours but begins otherwise: the client's base URL is to blame, and this is the right one.
fn base_url_hint(path: &str) -> Option<String> {
    let base = ["/chat/completions", "/models"].iter().find_map(|end| before(end, path))?;
    let fault = match base {
        "/v1" => return None,
        "" => "leaves out `/v1`".to_owned(),
        "/v1/v1" => "has `/v1` twice".to_owned(),
        _ => format!("ends in {}", shown(base)),
    };
    Some(format!(
        " Your client's base URL {fault}: set it to this worker's address followed by `/v1`, as in \
         `https://turnout.example.workers.dev/v1`."
    ))
}

/// What stands before `end` in a path, where nothing or only a model's id comes after it.
fn before<'a>(end: &str, path: &'a str) -> Option<&'a str> {
    let (base, after) = path.rsplit_once(end)?;
    (after.is_empty() || after.starts_with('/')).then_some(base)
}

fn nearest_hint(path: &str) -> Option<String> {
    let path = path.to_ascii_lowercase();
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&path, known);
    let (_, nearest) = KNOWN.iter().max_by(|(_, one), (_, other)| alike(one).total_cmp(&alike(other)))?;
    (alike(nearest) >= SIMILAR).then(|| format!(" Did you mean {nearest}?"))
}

/// A path as it is repeated to its caller: cut, for it may be as long as a URL can be.
fn shown(path: &str) -> String {
    match path.char_indices().nth(SHOWN_PATH) {
        Some((cut, _)) => format!("`{}…`", path.get(..cut).unwrap_or_default()),
        None => format!("`{path}`"),
    }
}
