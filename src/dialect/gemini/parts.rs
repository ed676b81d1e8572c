//! Parts that stand for the same thing in requests and answers: pictures, files, sound.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::fields::member;
use crate::dialect::conversation::{Part, Source};

/// `fileUri` of what was uploaded to Google before, and means nothing to another provider.
const UPLOADED: [&str; 2] = ["gs://", "https://generativelanguage.googleapis.com/"];

/// Media types by the ending of a URL's path, for Vertex AI wants one and Chat Completions says none.
const ENDINGS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
];

/// The picture, file or sound of a part that has `inlineData` or `fileData`; `None` where it has neither, or lacks what makes
/// it one.
pub(super) fn read_media(part: &Value) -> Option<Part> {
    if let Some(blob) = member(part, "inlineData") {
        let media_type = member(blob, "mimeType")?.as_str()?;
        let data = member(blob, "data")?.as_str()?;
        return Some(read_inline(media_type, data, name_of(blob)));
    }
    let file = member(part, "fileData")?;
    let uri = member(file, "fileUri")?.as_str()?;
    let media_type = member(file, "mimeType").and_then(Value::as_str).or_else(|| guessed(uri));
    let is_uploaded = UPLOADED.iter().any(|prefix| uri.starts_with(prefix));
    let source = if is_uploaded { Source::File(uri.to_owned()) } else { Source::Url(uri.to_owned()) };
    Some(if media_type.is_some_and(|media_type| media_type.starts_with("image/")) {
        Part::Image { source, detail: None, cache: None }
    } else {
        Part::Document { source, name: name_of(file), cache: None }
    })
}

fn read_inline(media_type: &str, data: &str, name: Option<String>) -> Part {
    let source = || Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() };
    match media_type.split_once('/') {
        Some(("image", _)) => Part::Image { source: source(), detail: None, cache: None },
        Some(("audio", subtype)) => {
            let format = if subtype == "mpeg" { "mp3" } else { subtype };
            Part::Audio { format: format.to_owned(), data: data.to_owned() }
        }
        _ => {
            let text = (media_type == "text/plain").then(|| BASE64.decode(data.as_bytes()).ok()).flatten();
            let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
            Part::Document { source: text.map_or_else(source, Source::Text), name, cache: None }
        }
    }
}

fn name_of(data: &Value) -> Option<String> {
    member(data, "displayName").and_then(Value::as_str).map(str::to_owned)
}

/// A part of a picture or a file. `None` where the bytes were uploaded to another provider.
pub(super) fn write_source(source: &Source, fallback_media_type: &str) -> Option<Value> {
    Some(match source {
        Source::Base64 { media_type, data } => inline(media_type, data),
        Source::Text(text) => inline("text/plain", &BASE64.encode(text.as_bytes())),
        Source::Url(url) => match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
            Some((media_type, data)) => inline(media_type, data),
            None => file(url, fallback_media_type),
        },
        Source::File(uri) if UPLOADED.iter().any(|prefix| uri.starts_with(prefix)) => {
            file(uri, fallback_media_type)
        }
        Source::File(_) => return None,
    })
}

/// A part of sound.
pub(super) fn write_audio(format: &str, data: &str) -> Value {
    inline(&format!("audio/{format}"), data)
}

fn inline(media_type: &str, data: &str) -> Value {
    json!({"inlineData": {"mimeType": media_type, "data": data}})
}

fn file(uri: &str, fallback_media_type: &str) -> Value {
    json!({"fileData": {"mimeType": guessed(uri).unwrap_or(fallback_media_type), "fileUri": uri}})
}

fn guessed(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next()?;
    let ending = path.rsplit('/').next()?.rsplit_once('.')?.1.to_ascii_lowercase();
    ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, media_type)| *media_type)
}
