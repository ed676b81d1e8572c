//! Method, path and query to what is asked for, and in which dialect.
//!
//! In scope: which dialect's a path is, where which paths there are stands in the dialects' folders, and what to say to a client whose base URL is
//! off by a `/v1`. Out of scope: `OPTIONS`, the body (`call`), and who may ask (`auth`).

mod hint;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::api;
use crate::dialect::Dialect;
use crate::dialect::wire::Paths;
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

const HEALTH: &str = "/healthz";

/// The paths of model calls and lists, each with its methods, as they are told to a caller.
fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = |pick: fn(&Paths) -> &'static [&'static str]| {
        Dialect::ALL.into_iter().flat_map(move |dialect| pick(&dialect.wire().paths))
    };
    let calls = all(|paths| paths.calls).map(|path| ("POST", *path));
    let lists = all(|paths| paths.lists).map(|path| ("GET", *path));
    calls.chain(lists).chain([("GET or HEAD", HEALTH)])
}

/// What stands at a path, and the methods that it takes.
pub(crate) type Found = (Endpoint, &'static [&'static str]);

/// The methods of a model call, and of a list.
pub(crate) const POST: &[&str] = &["POST"];
pub(crate) const GET: &[&str] = &["GET"];

impl Endpoint {
    /// What `method` on `path` asks for; path and query are as they stand in the URL, percent-encoded, the query without its
    /// question mark. One slash at the end of the path is ignored.
    ///
    /// # Errors
    /// `NotFound` on an unknown path (saying what the base URL should be where that is what is wrong), `MethodNotAllowed`
    /// on a known path with another method, `InvalidRequest` on a model that is not UTF-8. Their dialect is that of
    /// [`Endpoint::dialect_of`].
    pub fn parse(method: &str, path: &str, query: &str) -> Result<Endpoint, Error> {
        // Calls first: they are most of what is asked, and the table of operations is long.
        let Some((endpoint, methods)) = at(path, query)? else {
            return match api::parse(method, path)? {
                Some(asked) => Ok(Endpoint::Control(asked)),
                None => Err(hint::not_found(path)),
            };
        };
        if methods.contains(&method) {
            return Ok(endpoint);
        }
        let message = format!("{} takes {}, not {method}.", hint::shown(path), methods.join(" or "));
        Err(Error::new(ErrorKind::MethodNotAllowed(methods), message))
    }

    /// The dialect that a client speaks which asks for `path`, as far as one can tell by it: also of an unknown path, for
    /// its client wants to read the error. OpenAI's for want of another.
    pub fn dialect_of(path: &str) -> Dialect {
        let [first, others @ ..] = Dialect::ALL;
        let likeness = |dialect: Dialect| (dialect.wire().paths.likeness)(path);
        let likelier = |best, other| if likeness(other) > likeness(best) { other } else { best };
        others.into_iter().fold(first, likelier)
    }

    /// What of a query may hold the caller's key: all of it, of a path whose dialect's clients send it so, else nothing.
    pub fn query_with_key<'q>(path: &str, query: &'q str) -> &'q str {
        if Endpoint::dialect_of(path).wire().paths.key_in_query { query } else { "" }
    }

    /// For a client that is known by a header: Anthropic's clients ask for `/v1/models` too, with `anthropic-version`, and read
    /// another shape. The path's own dialect is not asked.
    #[must_use]
    pub fn for_client<'h>(self, header: impl Fn(&str) -> Option<&'h str>) -> Endpoint {
        let is_shared = |dialect: Dialect| dialect.wire().paths.shares_list;
        let sent =
            |dialect: &Dialect| dialect.wire().paths.known_by.is_some_and(|name| header(name).is_some());
        let client = || Dialect::ALL.into_iter().find(sent);
        match self {
            Endpoint::Models(list) if is_shared(list) => Endpoint::Models(client().unwrap_or(list)),
            Endpoint::Model(list, id) if is_shared(list) => Endpoint::Model(client().unwrap_or(list), id),
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
    let path = path.strip_suffix('/').unwrap_or(path);
    if path == HEALTH {
        return Ok(Some((Endpoint::Health, &["GET", "HEAD"])));
    }
    for dialect in Dialect::ALL {
        let found = (dialect.wire().paths.at)(path, query)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// A model call at one of `calls`, where all that there is to say stands in the body.
pub(crate) fn call_at(dialect: Dialect, path: &str) -> Option<Found> {
    let is_call = dialect.wire().paths.calls.contains(&path);
    is_call.then(|| (Endpoint::Call(Ask::of(dialect)), POST))
}

/// Whether a path ends in a method of a model (`{model}:{method}`), served or not. A colon alone does not tell: `llama3:8b` is
/// a model.
pub(crate) fn names_a_method(path: &str) -> bool {
    let Some((_, method)) = path.rsplit_once(':') else { return false };
    let mut all = Dialect::ALL.into_iter().map(|dialect| &dialect.wire().paths.methods);
    all.any(|methods| methods.served.contains(&method) || methods.unserved.contains(&method))
}

/// What comes after a collection and a slash.
pub(crate) fn id_after<'a>(collection: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(collection)?.strip_prefix('/').filter(|id| !id.is_empty())
}

/// A part of a path, percent-decoded.
pub(crate) fn decoded(encoded: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(encoded).decode_utf8().map_err(|_| {
        Error::invalid("model", "The model in the path is not UTF-8 once it is percent-decoded.")
    })?;
    Ok(decoded.into_owned())
}
