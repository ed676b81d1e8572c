//! What every operation reads of a request alike: its JSON body, its query, the etag that it expects.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Envelope, Request, gateway};
use crate::api;
use crate::document::{Format, read_as};
use crate::endpoint::parameter;
use crate::error::{Error, ErrorKind};

/// A request on its way to the Durable Object: a line of JSON, then the body as it came.
#[derive(Serialize, Deserialize)]
struct Line {
    method: String,
    path: String,
    query: String,
    envelope: Envelope,
}

/// A request as it goes to the Durable Object. Method, path and query are the caller's own.
///
/// # Errors
/// None that a request can cause.
pub fn encode(
    (method, path, query): (&str, &str, &str),
    envelope: Envelope,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let mut bytes = serde_json::to_vec(&Line { method, path, query, envelope }).map_err(|_| unreadable())?;
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// A request as it came to the Durable Object.
///
/// # Errors
/// `ControlUnavailable` where it is none: two versions of the worker are being deployed.
pub fn decode(bytes: &[u8]) -> Result<Request, Error> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(unreadable)?;
    let (line, body) = bytes.split_at_checked(end).ok_or_else(unreadable)?;
    let Line { method, path, query, envelope } = serde_json::from_slice(line).map_err(|_| unreadable())?;
    let asked = api::parse(&method, &path)?.ok_or_else(unreadable)?;
    Ok(Request { asked, query, body: body.strip_prefix(b"\n").unwrap_or(body).to_vec(), envelope })
}

fn unreadable() -> Error {
    let message =
        "The request did not reach control as it was sent; two versions may be deployed just now. Try again.";
    Error::new(ErrorKind::ControlUnavailable, message)
}

impl Request {
    /// A parameter of the query, percent-decoded; none where it is empty.
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.query, name).filter(|value| !value.is_empty()).map(std::borrow::Cow::into_owned)
    }

    /// Whether a parameter of the query is set: `force`, `force=true`, `force=1`.
    ///
    /// # Errors
    /// `InvalidRequest` for any other value.
    pub fn flag(&self, name: &str) -> Result<bool, Error> {
        match parameter(&self.query, name).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1" | "") => Ok(true),
            Some(_) => Err(Error::invalid(name, format!("`{name}` is true or false."))),
        }
    }

    /// The body as text in JSON, whatever it says.
    ///
    /// # Errors
    /// `InvalidRequest` where it is empty, of another media type or not UTF-8.
    pub fn json_text(&self) -> Result<&str, Error> {
        let media = self.envelope.content_type.as_str();
        let is_json = media.is_empty() || media == "text/json" || media == "application/json";
        if !is_json && !media.ends_with("+json") {
            let message = format!(
                "The body's type is '{}', and this operation takes JSON; send `content-type: application/json`.",
                media.chars().take(64).collect::<String>()
            );
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let text = std::str::from_utf8(&self.body)
            .map_err(|_| Error::new(ErrorKind::InvalidRequest, "The body is not UTF-8; send it as UTF-8."))?;
        // Some editors put a byte order mark first.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
        if text.is_empty() {
            return Err(Error::new(ErrorKind::InvalidRequest, "The body is empty; send a JSON object."));
        }
        Ok(text)
    }

    /// The body as a type of the API's.
    ///
    /// # Errors
    /// `InvalidRequest` where it is no such thing. A value is never quoted, for it may be a credential.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.json_text()?;
        // serde takes a list for a struct, its members in their order, which nobody would write and some would be.
        if text.starts_with('[') {
            let message = "The body is a list, and this operation takes a JSON object.";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        serde_json::from_str(text).map_err(|error| invalid_json(&error))
    }

    /// The etag in the header `if-match`, without quotes; `*` for any.
    ///
    /// # Errors
    /// `InvalidRequest` where it is none.
    pub fn if_match(&self) -> Result<Option<String>, Error> {
        self.envelope.if_match.as_deref().map(etag_of).transpose()
    }

    /// The etag that must still be the newest, without quotes; `*` for any. Said by `if-match`, by `etag` in the body or in the query.
    ///
    /// # Errors
    /// `InvalidRequest` where it is no etag, or two are said that differ.
    pub fn expected(&self) -> Result<Option<String>, Error> {
        let header = self.if_match()?;
        let body: Option<serde_json::Value> = if gateway::is_yaml(&self.envelope.content_type) {
            let found = read_as(Format::Yaml, &self.body, "{}").ok();
            found.and_then(|found| serde_json::to_value(found.value).ok())
        } else {
            serde_json::from_slice(&self.body).ok()
        };
        // A list of items has none.
        let in_body = match body.as_ref().and_then(|body| body.get("etag")) {
            Some(etag) if !etag.is_null() => {
                let text = etag.as_str().ok_or_else(|| {
                    Error::invalid("etag", "`etag` must be a string, as an answer had it; or leave it out.")
                })?;
                Some(etag_of(text)?)
            }
            _ => None,
        };
        let in_query = self.parameter("etag").as_deref().map(etag_of).transpose()?;
        let mut said = [header, in_body, in_query].into_iter().flatten();
        let first = said.next();
        if said.any(|other| Some(&other) != first.as_ref()) {
            let message = "`if-match` and `etag` name different states; send one of them.";
            return Err(Error::invalid("etag", message));
        }
        Ok(first)
    }
}

/// What is wrong with a JSON body, without the value that is.
pub(super) fn invalid_json(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    // serde quotes values in these two alone; a credential may be one.
    let quotes_value = ["invalid type: ", "invalid value: "].iter().any(|start| text.starts_with(start));
    let message = match text.split_once(", expected ") {
        Some((_, expected)) if quotes_value => {
            format!("The body has a value of the wrong type: expected {expected}.")
        }
        _ => format!("The body cannot be read: {text}."),
    };
    Error::new(ErrorKind::InvalidRequest, message)
}

/// `"x"`, `W/"x"`, `x` or `*`.
fn etag_of(text: &str) -> Result<String, Error> {
    let text = text.trim();
    let bare = text.strip_prefix("W/").unwrap_or(text);
    let bare = bare.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(bare);
    let is_etag = bare == "*"
        || (!bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    if !is_etag || bare.len() > 64 {
        let message = "`if-match` and `etag` take one etag, as an answer had it, or `*`.";
        return Err(Error::invalid("etag", message));
    }
    Ok(bare.to_owned())
}
