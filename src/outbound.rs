//! One upstream call, ready to send: URL, headers, body.
//!
//! In scope: what a request looks like in each dialect, what of a caller's goes on, and the credential. Out of scope: which
//! downstream serves a model (`gateway`), the splicing itself (`call`), translation (`dialect`), sending. The caller's
//! credential never goes on; nothing of the caller's client does (`x-stainless-*`, `user-agent`, cookies, addresses), only the
//! few headers below, and of those only what the downstream's dialect knows, where it is the caller's as well.

use std::fmt;

use crate::call::{Edits, Outline, Overrides, Splice};
use crate::dialect::Dialect;
use crate::dialect::wire::{Generate, Metadata};
use crate::endpoint::Operation;
use crate::error::{Error, ErrorKind};
use crate::gateway::{Credential, Downstream, Target};
use crate::provider::StreamUsage;

/// Headers of a request that some dialect needs to be read: those that go on where [`forwarded_in`] has them, and those by
/// which its clients are known.
pub fn forwarded() -> Vec<&'static str> {
    let known_by = Dialect::ALL.into_iter().filter_map(|dialect| dialect.wire().paths.known_by);
    let mut all = Vec::new();
    for name in Dialect::ALL.into_iter().flat_map(forwarded_in).copied().chain(known_by) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Headers of a caller's dialect that go on to a downstream that speaks the same. The operator's account is nobody else's
/// business, so `openai-organization` and `openai-project` are not among them.
pub fn forwarded_in(dialect: Dialect) -> &'static [&'static str] {
    dialect.wire().address.forwarded
}

/// And to OpenRouter: by which app it ranks and shows a call.
pub const FORWARDED_TO_OPENROUTER: &[&str] = &["http-referer", "x-title"];

/// Headers that carry a credential.
const CREDENTIALS: &[&str] = &["authorization", "api-key", "x-api-key", "x-goog-api-key"];

/// Some providers refuse a request without one.
const USER_AGENT: &str = concat!("turnout/", env!("CARGO_PKG_VERSION"));

/// A secret or variable of the worker, by name.
pub type Settings<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A request as it goes out: `POST`, these headers, and this body.
#[derive(Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Where to.
    pub url: String,
    /// Lower-case names. One of them carries the credential; `Debug` shows no value.
    pub headers: Vec<(&'static str, String)>,
    /// Headers that a rule adds; of two of a name these hold. None of them may carry a credential, and `Debug` shows none.
    pub added: Vec<(String, String)>,
    /// What is sent.
    pub body: Body,
    /// Whether we ask for a usage chunk that the caller did not ask for, and must therefore withhold.
    pub asked_usage: bool,
}

/// The body of a request as it goes out. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// The caller's own, with these splices done (`call::apply`).
    Spliced(Vec<Splice>),
    /// Another, translated from the caller's.
    Own(Vec<u8>),
}

impl Outbound {
    /// Whether bytes of the upstream's show the credential that it was sent. Providers mask the middle of it: its beginning
    /// is enough.
    pub fn is_revealed_by(&self, bytes: &[u8]) -> bool {
        let sent = self.headers.iter().filter(|(name, _)| CREDENTIALS.contains(name));
        sent.map(|(_, value)| value.rsplit_once(' ').map_or(value.as_str(), |(_, key)| key)).any(|key| {
            let shown = key.as_bytes().get(..SHOWN_AT_LEAST).unwrap_or(key.as_bytes());
            memchr::memmem::find(bytes, shown).is_some()
        })
    }
}

/// Bytes of a key that no error of a provider says by chance, but for the prefix that all its keys have.
const SHOWN_AT_LEAST: usize = 8;

/// What the call's context, rather than its body, says of the sending.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// In which the downstream is spoken to; see [`Downstream::dialect_for`].
    pub dialect: Dialect,
    /// What is to be done.
    pub operation: Operation,
    /// The caller's headers, names in lower case.
    pub forwarded: &'a [(&'a str, &'a str)],
    /// The router has `"usage": "as_asked"`: we never ask for usage ourselves.
    pub usage_as_asked: bool,
    /// The caller named this downstream itself, not a router.
    pub direct: bool,
    /// A stream comes as server-sent events; else, of Gemini's, as one JSON array.
    pub events: bool,
    /// What the variant changes in a body of the caller's own dialect.
    pub edits: Option<&'a Edits>,
}

impl Sending<'_> {
    /// An answer is wanted, by the context that says least.
    pub fn of(dialect: Dialect) -> Self {
        Sending {
            dialect,
            operation: Operation::Generate,
            forwarded: &[],
            usage_as_asked: false,
            direct: false,
            events: true,
            edits: None,
        }
    }
}

/// What of a call's body decides the overrides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallFacts {
    /// `stream: true`.
    pub stream: bool,
    /// `stream_options.include_usage: true`.
    pub asks_usage: bool,
    /// `store: true`.
    pub store: bool,
}

/// The call as it goes to the target. `translated` is its body in the dialect of `sending`, where the caller speaks another.
///
/// # Errors
/// `UpstreamCredentials` where a secret or variable is missing or unusable; the message names it and says how to set it, and
/// never holds a value. `UpstreamModel` where the downstream does not speak the dialect, or cannot count tokens.
pub fn outbound(
    call: &Outline,
    target: &Target<'_>,
    sending: &Sending<'_>,
    translated: Option<Vec<u8>>,
    settings: Settings<'_>,
) -> Result<Outbound, Error> {
    let stream = call.stream() && sending.operation == Operation::Generate;
    let url = url_for(target, sending, stream, settings)?;
    let is_translated = translated.is_some();
    let headers = headers_for(target.downstream, sending, stream, is_translated, settings)?;
    let (body, asked_usage) = match translated {
        // It asks for what usage it needs, and whoever translates the answer knows which of it is the caller's.
        Some(body) => (Body::Own(body), false),
        None => {
            let facts = CallFacts { stream, asks_usage: call.asks_usage(), store: call.store() };
            let overrides = overrides_for(facts, target, sending);
            (Body::Spliced(call.splices(&overrides)), overrides.ask_usage)
        }
    };
    Ok(Outbound { url, headers, added: Vec::new(), body, asked_usage })
}

/// What is to be different in a body of the caller's own dialect (law 1), by the habits of the downstream.
pub fn overrides_for<'a>(facts: CallFacts, target: &Target<'a>, sending: &Sending<'a>) -> Overrides<'a> {
    let habits = target.downstream.habits;
    // Every other dialect says its usage unasked, and takes what metadata is its own.
    let body = &sending.dialect.wire().body;
    Overrides {
        model: target.model,
        ask_usage: body.usage_on_request
            && facts.stream
            && !facts.asks_usage
            && !sending.usage_as_asked
            && habits.stream_usage == StreamUsage::OnRequest,
        forward_metadata: body.metadata == Metadata::WhereStored && facts.store && habits.takes_metadata,
        forward_routing: sending.direct && habits.takes_routing,
        edits: sending.edits,
    }
}

/// Where a call goes: the endpoint of its dialect, with the worker's variables in place of `{NAME}`. `stream` is said in
/// Gemini's URLs.
///
/// # Errors
/// As [`outbound`].
pub fn url_for(
    target: &Target<'_>,
    sending: &Sending<'_>,
    stream: bool,
    settings: Settings<'_>,
) -> Result<String, Error> {
    let Target { downstream, model } = *target;
    let Some(root) = downstream.root_of(sending.dialect) else {
        return Err(unserved(downstream, format!("does not speak `{}`", sending.dialect.as_str())));
    };
    let mut url = filled(downstream, root, settings)?;
    let address = &sending.dialect.wire().address;
    match sending.operation {
        Operation::Generate => match address.of_model {
            Some(push) => push(&mut url, Generate { model, stream, events: sending.events }),
            None => url.push_str(address.end),
        },
        Operation::CountTokens => match address.count_tokens {
            Some(end) => url.push_str(end),
            None => {
                let able = Dialect::ALL.into_iter().filter(|able| able.wire().address.count_tokens.is_some());
                let able: Vec<_> = able.map(|able| format!("`{}`", able.as_str())).collect();
                let message =
                    format!("cannot count tokens: only downstreams that speak {} can", able.join(" or "));
                return Err(unserved(downstream, message));
            }
        },
    }
    Ok(url)
}

/// A root with the worker's variables in place of `{NAME}`.
fn filled(downstream: &Downstream, root: &str, settings: Settings<'_>) -> Result<String, Error> {
    let mut url = String::with_capacity(root.len() + 96);
    let mut rest = root;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        url.push_str(before);
        url.push_str(&variable(downstream, name, settings)?);
        rest = after;
    }
    url.push_str(rest);
    Ok(url)
}

/// The headers, names in lower case. `accept-encoding` and `content-length` are the platform's. A translated call has none of
/// the caller's dialect.
///
/// # Errors
/// `UpstreamCredentials`, as [`outbound`].
pub fn headers_for(
    downstream: &Downstream,
    sending: &Sending<'_>,
    stream: bool,
    is_translated: bool,
    settings: Settings<'_>,
) -> Result<Vec<(&'static str, String)>, Error> {
    let Sending { dialect, forwarded, .. } = *sending;
    // An error of a streamed call is JSON too.
    let accept = if stream { "text/event-stream, application/json" } else { "application/json" };
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", accept.to_owned()),
        ("user-agent", USER_AGENT.to_owned()),
    ];
    if let Some(key) = credential(downstream, settings)? {
        let auth = downstream.habits.auth_for(dialect);
        headers.push((auth.header(), auth.value(&key)));
    }
    let of_the_dialect = if is_translated { &[] } else { forwarded_in(dialect) };
    let to_openrouter = if downstream.habits.takes_routing { FORWARDED_TO_OPENROUTER } else { &[] };
    for name in of_the_dialect.iter().chain(to_openrouter) {
        let values = forwarded.iter().filter(|(given, _)| given == name);
        headers.extend(values.map(|(_, value)| (*name, (*value).to_owned())));
    }
    for (needed, meant) in dialect.wire().address.meant {
        if !headers.iter().any(|(name, _)| name == needed) {
            headers.push((*needed, (*meant).to_owned()));
        }
    }
    Ok(headers)
}

fn credential(downstream: &Downstream, settings: Settings<'_>) -> Result<Option<String>, Error> {
    Ok(match &downstream.credential {
        Credential::None => None,
        Credential::Literal(key) => Some(key.clone()),
        Credential::Secret(name) => Some(secret(downstream, name, settings)?),
    })
}

fn secret(downstream: &Downstream, name: &str, settings: Settings<'_>) -> Result<String, Error> {
    let value = settings(name).unwrap_or_default();
    // `echo key | wrangler secret put NAME` stores the line's end as well.
    let key = value.trim();
    let how = format!("set {name}: npx wrangler secret put {name} (or in .dev.vars for local use)");
    if key.is_empty() {
        return Err(missing(format!("`{}` has no credential; {how}", downstream.id)));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(missing(format!("{name} holds characters that no header can carry; {how}")));
    }
    Ok(key.to_owned())
}

fn variable(downstream: &Downstream, name: &str, settings: Settings<'_>) -> Result<String, Error> {
    let value = settings(name).unwrap_or_default();
    let value = value.trim();
    let how = format!("set {name}: under [vars] in wrangler.toml (or in .dev.vars for local use)");
    if value.is_empty() {
        return Err(missing(format!("the address of `{}` needs {name}; {how}", downstream.id)));
    }
    // It becomes part of a host or a path, and the credential follows it.
    if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(missing(format!("{name} must be letters, digits and `-` alone; {how}")));
    }
    Ok(value.to_owned())
}

fn unserved(downstream: &Downstream, message: String) -> Error {
    let spoken: Vec<&str> = downstream.spoken.iter().map(|spoken| spoken.dialect.as_str()).collect();
    let message = format!("`{}` {message}; it speaks {}", downstream.id, spoken.join(", "));
    Error::new(ErrorKind::UpstreamModel, message)
}

fn missing(message: String) -> Error {
    Error::new(ErrorKind::UpstreamCredentials, message)
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Outbound")
            .field("url", &self.url)
            .field("headers", &names)
            .field("body", &self.body)
            .field("asked_usage", &self.asked_usage)
            .finish()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Spliced(splices) => f.debug_tuple("Spliced").field(&splices.len()).finish(),
            Body::Own(body) => f.debug_tuple("Own").field(&body.len()).finish(),
        }
    }
}
