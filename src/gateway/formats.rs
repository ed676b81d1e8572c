//! What a downstream of the document speaks, and where: `api_formats` and `format_urls`.
//!
//! In scope: both fields, and what is meant where they are left out. Out of scope: how a URL is joined (`base_url`).
//!
//! A `format_urls` value is a base of its own for one format, or its endpoint in full. It must be at the scheme, host and port
//! of `base_url`: there is one `api_key`, and a URL that is added later must not lead it elsewhere (law 8).

use super::Spoken;
use super::base_url::BaseUrl;
use crate::dialect::Dialect;
use crate::document::{Fields, Found, Reader, typo_of};
use crate::provider::Provider;

/// The names of the dialects, which are those of the formats.
const FORMATS: &[&str] = Dialect::NAMES;

/// A URL that a format has of its own.
struct FormatUrl {
    /// Where it stands in the document.
    path: String,
    dialect: Dialect,
    url: BaseUrl,
}

/// What is spoken; `builtin` is the provider in whose place the downstream stands. Empty only where there is a fault.
pub(super) fn spoken(
    reader: &mut Reader,
    fields: &mut Fields,
    base_url: Option<&BaseUrl>,
    builtin: Option<&Provider>,
) -> Vec<Spoken> {
    let urls = format_urls(reader, fields, base_url);
    let named = api_formats(reader, fields);
    let Some(base_url) = base_url else { return Vec::new() };
    let dialects = match named {
        Some(dialects) => {
            for unused in urls.iter().filter(|own| !dialects.contains(&own.dialect)) {
                reader.warn(&unused.path, "is not among `api_formats`, and is ignored");
            }
            dialects
        }
        None => unnamed(reader, fields, base_url, &urls, builtin),
    };
    let root = |dialect| match urls.iter().find(|own| own.dialect == dialect) {
        Some(own) => own.url.root(dialect, &[dialect]),
        None => base_url.root(dialect, &dialects),
    };
    dialects.iter().map(|dialect| Spoken { dialect: *dialect, root: root(*dialect) }).collect()
}

/// What is spoken where the document names no formats: the usual, and those that have a URL of their own.
fn unnamed(
    reader: &mut Reader,
    fields: &Fields,
    base_url: &BaseUrl,
    urls: &[FormatUrl],
    builtin: Option<&Provider>,
) -> Vec<Dialect> {
    let mut dialects = base_url.usual_dialects();
    for own in urls {
        if !dialects.contains(&own.dialect) {
            dialects.push(own.dialect);
        }
    }
    // At a host of its own, a built-in's name says nothing of what is spoken there.
    if let Some(builtin) = builtin
        && base_url.provider().is_none()
        && !builtin.spoken.iter().any(|dialect| dialects.contains(dialect))
    {
        let formats: Vec<&str> = builtin.spoken.iter().map(|dialect| dialect.as_str()).collect();
        let message = format!(
            "is missing, so `openai` is spoken; write [\"{}\"] if this host speaks as {} does",
            formats.join("\", \""),
            builtin.name
        );
        reader.warn(fields.at("api_formats"), message);
    }
    dialects
}

/// The formats that the document names; `None` where it names none.
fn api_formats(reader: &mut Reader, fields: &mut Fields) -> Option<Vec<Dialect>> {
    let found = fields.take("api_formats")?;
    let path = found.path.clone();
    let items = reader.items(found)?;
    if items.len() == 0 {
        reader.fault(path, format!("is empty; name what is spoken there, of {}", FORMATS.join(", ")));
        return None;
    }
    let mut dialects = Vec::new();
    for found in items {
        let dialect = format(reader, &found);
        dialects.extend(dialect.filter(|dialect| !dialects.contains(dialect)));
    }
    Some(dialects)
}

/// The dialect that a format names.
pub(super) fn format(reader: &mut Reader, found: &Found) -> Option<Dialect> {
    let name = reader.text(found)?;
    let dialect = Dialect::named(name);
    if dialect.is_none() {
        let hint = match typo_of(name, FORMATS) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("the formats are {}", FORMATS.join(", ")),
        };
        reader.fault(&found.path, format!("is no format; {hint}"));
    }
    dialect
}

/// The URLs that formats have of their own, each with its path in the document.
fn format_urls(reader: &mut Reader, fields: &mut Fields, base_url: Option<&BaseUrl>) -> Vec<FormatUrl> {
    let found = fields.take("format_urls");
    let Some(mut given) = found.and_then(|found| reader.object(found, FORMATS)) else { return Vec::new() };
    let mut urls = Vec::new();
    for dialect in Dialect::ALL {
        let Some(found) = given.take(dialect.as_str()) else { continue };
        let Some(url) = BaseUrl::read(reader, &found) else { continue };
        if base_url.is_some_and(|base_url| !url.is_at_origin_of(base_url)) {
            let message = "must be at the scheme, host and port of `base_url`, for which the credential was given; \
                           make another downstream of another host";
            reader.fault(&found.path, message);
        }
        urls.push(FormatUrl { path: found.path, dialect, url });
    }
    urls
}
