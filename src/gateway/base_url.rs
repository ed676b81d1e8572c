//! A base URL that is safe to send a credential to, and the roots that it means: the URLs below which the endpoints of each
//! dialect are.
//!
//! Stricter than a browser's parser on purpose: what is accepted here is read alike by `fetch`, so that a credential
//! goes to the host that was checked and to no other. Messages never quote the URL: it may hold a password.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;

use super::host::is_private;
use crate::dialect::Dialect;
use crate::dialect::wire::Address;
use crate::document::{Found, Reader};
use crate::provider::{self, Provider};

/// An absolute URL of scheme, host, port and path: `https`, or plain `http` for loopback addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    https: bool,
    /// Lower case; an IPv6 address in brackets.
    host: String,
    port: u16,
    /// Without trailing slash; empty for the root.
    path: String,
}

impl BaseUrl {
    /// Reads one; the error says what is wrong and what would be right.
    fn parse(text: &str) -> Result<BaseUrl, &'static str> {
        // `Uri` drops a fragment without a word, so it is looked for first.
        if text.contains(['?', '#']) {
            return Err("must end with its path, without `?` or `#`; a key belongs in `api_key`");
        }
        if text.contains(['{', '}', '\\']) {
            return Err("must be written out: no `{…}` and no `\\`");
        }
        let not_absolute = "must be an absolute URL, as https://api.example.com/v1";
        let uri: Uri = text.parse().map_err(|_| not_absolute)?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or(not_absolute)?;
        if authority.as_str().contains('@') {
            return Err("must not hold a user name or password; the key belongs in `api_key`");
        }
        let host = authority.host().to_ascii_lowercase();
        if !is_host(&host) {
            return Err("must name its host by letters, digits, `-` and `.`, or by an IP address");
        }
        let https = match scheme {
            "https" => true,
            "http" if is_loopback(&host) => false,
            "http" => {
                return Err(
                    "must be https; plain http is for loopback addresses alone (127.0.0.1, [::1], localhost)",
                );
            }
            _ => return Err("must be https"),
        };
        if !is_loopback(&host) && is_private(&host) {
            return Err("must name a public host: this one is of a private network, or of nobody");
        }
        // `host:` and `host:99999` have a colon and no port.
        let after_host = authority.as_str().len() != host.len();
        let port = match authority.port_u16() {
            Some(0) => return Err("must not name port 0"),
            Some(port) => port,
            None if after_host => return Err("must name a port between 1 and 65535 after the colon"),
            None if https => 443,
            None => 80,
        };
        let path = uri.path();
        let method = path.rsplit_once(':').map_or("", |(_, method)| method);
        if Dialect::ALL.into_iter().any(|dialect| dialect.wire().paths.methods.served.contains(&method)) {
            return Err("must end before `/models/…`; each call says which model and method it is");
        }
        Ok(BaseUrl { https, host, port, path: path.trim_end_matches('/').to_owned() })
    }

    /// One that is sound.
    pub(crate) fn of(text: &str) -> Option<BaseUrl> {
        BaseUrl::parse(text).ok()
    }

    /// Reads one of a document; `None` where it is a fault.
    pub(crate) fn read(reader: &mut Reader, found: &Found) -> Option<BaseUrl> {
        let text = reader.text(found)?;
        BaseUrl::parse(text).map_err(|message| reader.fault(&found.path, message)).ok()
    }

    /// Whether it names this machine, where a model may well need no key.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether scheme, host and port are the provider's (law 8). One whose host holds a variable has no host of its
    /// own to compare with, and so is never the same.
    pub(crate) fn is_at(&self, provider: &Provider) -> bool {
        self.https && self.port == 443 && self.host == provider.host()
    }

    /// The provider that is served from there, whose habits the endpoint therefore has.
    pub(crate) fn provider(&self) -> Option<&'static Provider> {
        if self.https && self.port == 443 { provider::at_host(&self.host) } else { None }
    }

    /// Whether a credential for the other may go here as well (law 8).
    pub(crate) fn is_at_origin_of(&self, other: &BaseUrl) -> bool {
        (self.https, &self.host, self.port) == (other.https, &other.host, other.port)
    }

    /// What is spoken there, where nobody says: the dialect whose endpoint is given in full, else what a known provider
    /// speaks at that path, else Chat Completions.
    pub(crate) fn usual_dialects(&self) -> Vec<Dialect> {
        match self.endpoint() {
            // Where the model comes after it, it is no endpoint yet.
            Some((_, dialect)) if dialect.wire().address.of_model.is_none() => return vec![dialect],
            _ => {}
        }
        let Some(known) = self.provider() else { return vec![Dialect::OpenAi] };
        let at_this_path =
            known.elsewhere.iter().filter(|(_, path)| *path != known.path() && means(path, &self.path));
        let dialects: Vec<Dialect> = at_this_path.map(|(dialect, _)| *dialect).collect();
        if dialects.is_empty() { known.spoken.to_vec() } else { dialects }
    }

    /// The URL that a dialect's endpoints are below, of a downstream that speaks `spoken` at this base: a path that repeats
    /// is joined once.
    ///
    /// - A known provider's host, alone or with any of its paths, means the path at which it has the dialect.
    /// - An endpoint given in full says where the root is.
    /// - A path with a version is the root, and below another one there is the dialect's version, `/v1` or Gemini's `/v1beta`;
    ///   as the SDKs have it, Anthropic's and Google's look for the version at the end alone, OpenAI's for one anywhere.
    /// - Where dialects of several versions share a base, a last `/v1` is `/v1beta` to Gemini, and the other way round.
    pub(crate) fn root(&self, dialect: Dialect, spoken: &[Dialect]) -> String {
        let endpoint = self.endpoint();
        let path = endpoint.map_or(self.path.as_str(), |(path, _)| path);
        let known =
            self.provider().filter(|known| path.is_empty() || known.paths().any(|known| means(known, path)));
        let root = match known.and_then(|known| known.path_of(dialect)) {
            Some(root) => root.to_owned(),
            None => joined(path, dialect, spoken, endpoint.is_some()),
        };
        format!("{}{root}", self.origin())
    }

    /// The path before the endpoint that this URL ends in, and whose endpoint it is.
    fn endpoint(&self) -> Option<(&str, Dialect)> {
        let before = |dialect: Dialect| self.path.strip_suffix(dialect.wire().address.end);
        Dialect::ALL.into_iter().find_map(|dialect| Some((before(dialect)?, dialect)))
    }

    /// Scheme, host and, where it is not the usual one, port.
    pub(crate) fn origin(&self) -> String {
        let (scheme, default) = if self.https { ("https", 443) } else { ("http", 80) };
        if self.port == default {
            format!("{scheme}://{}", self.host)
        } else {
            format!("{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

/// Whether a given path means a known one: with its version or without.
fn means(known: &str, given: &str) -> bool {
    let versionless = known.rsplit_once('/').filter(|(_, last)| is_version(last)).map(|(before, _)| before);
    given == known || versionless == Some(given)
}

/// The path of a dialect's root where no provider is known at `path`.
fn joined(path: &str, dialect: Dialect, spoken: &[Dialect], is_root: bool) -> String {
    let (before, last) = path.rsplit_once('/').unwrap_or(("", path));
    let address = &dialect.wire().address;
    let is_of = |address: &Address| last == address.version || address.other_versions.contains(&last);
    let mut others = spoken.iter().map(|other| &other.wire().address);
    if others.any(|other| other.version != address.version && is_of(other)) {
        return format!("{before}/{}", address.version);
    }
    let has_version =
        if address.version_anywhere { path.split('/').any(is_version) } else { is_version(last) };
    if is_root || has_version { path.to_owned() } else { format!("{path}/{}", address.version) }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = bracketed(host) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if !host.split('.').all(is_label) {
        return false;
    }
    // A last label of digits makes `fetch` read the whole as an IPv4 address, also in forms such as 127.1 or 0x7f.1.
    let last = host.rsplit('.').next().unwrap_or(host);
    let numeric = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    !numeric || host.parse::<Ipv4Addr>().is_ok()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bracketed(host).and_then(|address| address.parse::<Ipv6Addr>().ok()) == Some(Ipv6Addr::LOCALHOST)
}

fn bracketed(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

/// `v1`, `v4`, `v1beta`, `v1alpha2`.
fn is_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix('v') else { return false };
    let stage = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    if stage.len() == rest.len() {
        return false;
    }
    let tail = stage.strip_prefix("beta").or_else(|| stage.strip_prefix("alpha")).unwrap_or(stage);
    tail.bytes().all(|byte| byte.is_ascii_digit())
}
