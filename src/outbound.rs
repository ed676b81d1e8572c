//! One upstream call, ready to send: URL, headers, body splices.
//!
//! In scope: what of a caller's request goes on, and the credential. Out of scope: which downstream serves a model
//! (`gateway`), the splicing itself (`call`), sending. The caller's credential never goes on; nothing of the caller's
//! client does (`x-stainless-*`, `user-agent`, cookies, addresses), only the few headers below.

use std::fmt;

use crate::call::{Outline, Overrides, Splice};
use crate::error::{Error, ErrorKind};
use crate::gateway::{Credential, Downstream, Target};
use crate::provider::{AuthStyle, StreamUsage};

/// Headers of the caller that go on to every downstream. The operator's account is nobody else's business, so
/// `openai-organization` and `openai-project` are not among them.
pub const FORWARDED: &[&str] = &["idempotency-key", "openai-beta"];

/// And to OpenRouter: by which app it ranks and shows a call.
pub const FORWARDED_TO_OPENROUTER: &[&str] = &["http-referer", "x-title"];

/// Some providers refuse a request without one.
const USER_AGENT: &str = concat!("turnout/", env!("CARGO_PKG_VERSION"));

/// A secret or variable of the worker, by name.
pub type Settings<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A request as it goes out: `POST`, these headers, and the caller's body with the splices done.
#[derive(Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Where to.
    pub url: String,
    /// Lower-case names. One of them carries the credential; `Debug` shows no value.
    pub headers: Vec<(&'static str, String)>,
    /// For `call::apply`.
    pub splices: Vec<Splice>,
    /// Whether we ask for a usage chunk that the caller did not ask for, and must therefore withhold.
    pub asked_usage: bool,
}

impl Outbound {
    /// Whether bytes of the upstream's show the credential that it was sent. Providers mask the middle of it: its beginning
    /// is enough.
    pub fn is_revealed_by(&self, bytes: &[u8]) -> bool {
        let sent = self.headers.iter().filter(|(name, _)| matches!(*name, "authorization" | "api-key"));
        sent.map(|(_, value)| value.rsplit_once(' ').map_or(value.as_str(), |(_, key)| key)).any(|key| {
            let shown = key.as_bytes().get(..SHOWN_AT_LEAST).unwrap_or(key.as_bytes());
            memchr::memmem::find(bytes, shown).is_some()
        })
    }
}

/// Bytes of a key that no error of a provider says by chance, but for the prefix that all its keys have.
const SHOWN_AT_LEAST: usize = 8;

/// What the call's context, rather than its body, says of the sending.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sending<'a> {
    /// The caller's headers, names in lower case.
    pub forwarded: &'a [(&'a str, &'a str)],
    /// The router has `"usage": "as_asked"`: we never ask for usage ourselves.
    pub usage_as_asked: bool,
    /// The caller named this downstream itself, not a router.
    pub direct: bool,
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

/// The call as it goes to the target. Fails with `UpstreamCredentials` where a secret or variable is missing or
/// unusable; the message names it and says how to set it, and never holds a value.
pub fn outbound(
    call: &Outline,
    target: &Target<'_>,
    sending: &Sending<'_>,
    settings: Settings<'_>,
) -> Result<Outbound, Error> {
    let facts = CallFacts { stream: call.stream(), asks_usage: call.asks_usage(), store: call.store() };
    let overrides = overrides_for(facts, target, sending);
    Ok(Outbound {
        url: url_for(target.downstream, settings)?,
        headers: headers_for(target.downstream, facts.stream, sending.forwarded, settings)?,
        splices: call.splices(&overrides),
        asked_usage: overrides.ask_usage,
    })
}

/// What is to be different in the body (law 1), by the habits of the downstream.
pub fn overrides_for<'a>(facts: CallFacts, target: &Target<'a>, sending: &Sending<'_>) -> Overrides<'a> {
    let habits = target.downstream.habits;
    Overrides {
        model: target.model,
        ask_usage: facts.stream
            && !facts.asks_usage
            && !sending.usage_as_asked
            && habits.stream_usage == StreamUsage::OnRequest,
        forward_metadata: facts.store && habits.takes_metadata,
        forward_routing: sending.direct && habits.takes_routing,
    }
}

/// The downstream's Chat Completions URL, with the worker's variables in place of `{NAME}`.
pub fn url_for(downstream: &Downstream, settings: Settings<'_>) -> Result<String, Error> {
    let mut url = String::with_capacity(downstream.chat_url.len() + 32);
    let mut rest = downstream.chat_url.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        url.push_str(before);
        url.push_str(&variable(downstream, name, settings)?);
        rest = after;
    }
    url.push_str(rest);
    Ok(url)
}

/// The headers, names in lower case. `accept-encoding` and `content-length` are the platform's.
pub fn headers_for(
    downstream: &Downstream,
    stream: bool,
    forwarded: &[(&str, &str)],
    settings: Settings<'_>,
) -> Result<Vec<(&'static str, String)>, Error> {
    // An error of a streamed call is JSON too.
    let accept = if stream { "text/event-stream, application/json" } else { "application/json" };
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", accept.to_owned()),
        ("user-agent", USER_AGENT.to_owned()),
    ];
    headers.extend(credential_header(downstream, settings)?);
    let to_openrouter = if downstream.habits.takes_routing { FORWARDED_TO_OPENROUTER } else { &[] };
    for name in FORWARDED.iter().chain(to_openrouter) {
        let values = forwarded.iter().filter(|(given, _)| given == name);
        headers.extend(values.map(|(_, value)| (*name, (*value).to_owned())));
    }
    Ok(headers)
}

fn credential_header(
    downstream: &Downstream,
    settings: Settings<'_>,
) -> Result<Option<(&'static str, String)>, Error> {
    let key = match &downstream.credential {
        Credential::None => return Ok(None),
        Credential::Literal(key) => key.clone(),
        Credential::Secret(name) => secret(downstream, name, settings)?,
    };
    Ok(Some(match downstream.habits.auth {
        AuthStyle::Bearer => ("authorization", format!("Bearer {key}")),
        AuthStyle::Basic => ("authorization", format!("Basic {key}")),
        AuthStyle::ApiKey => ("api-key", key),
    }))
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

fn missing(message: String) -> Error {
    Error::new(ErrorKind::UpstreamCredentials, message)
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Outbound")
            .field("url", &self.url)
            .field("headers", &names)
            .field("splices", &self.splices)
            .field("asked_usage", &self.asked_usage)
            .finish()
    }
}
