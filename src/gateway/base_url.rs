//! A base URL that is safe to send a credential to, and the Chat Completions URL that it means.
//!
//! Stricter than a browser's parser on purpose: what is accepted here is read alike by `fetch`, so that a credential
//! goes to the host that was checked and to no other. Messages never quote the URL: it may hold a password.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;

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

const CHAT: &str = "/chat/completions";

impl BaseUrl {
    /// Reads one; the error says what is wrong and what would be right.
    pub(crate) fn parse(text: &str) -> Result<BaseUrl, &'static str> {
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
        // `host:` and `host:99999` have a colon and no port.
        let after_host = authority.as_str().len() != host.len();
        let port = match authority.port_u16() {
            Some(0) => return Err("must not name port 0"),
            Some(port) => port,
            None if after_host => return Err("must name a port between 1 and 65535 after the colon"),
            None if https => 443,
            None => 80,
        };
        Ok(BaseUrl { https, host, port, path: uri.path().trim_end_matches('/').to_owned() })
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

    /// Where Chat Completions are: a path that repeats is joined once.
    ///
    /// `/chat/completions` at the end stays; a known provider's host alone, or with its path, means its endpoint; a
    /// path with a version in it is the API's root; anything else has `/v1` below it, as SDKs assume.
    pub(crate) fn chat_url(&self) -> String {
        let path = &self.path;
        let joined = match self.provider() {
            _ if path.ends_with(CHAT) => path.clone(),
            Some(known) if path.is_empty() || path == known.path() => format!("{}{CHAT}", known.path()),
            _ if path.split('/').any(is_version) => format!("{path}{CHAT}"),
            _ => format!("{path}/v1{CHAT}"),
        };
        format!("{}{joined}", self.origin())
    }

    fn origin(&self) -> String {
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
