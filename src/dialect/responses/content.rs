//! The parts of a message or of a tool's result.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::answer;
use super::fields::Fields;
use crate::dialect::conversation::{Cache, Part, Source};
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// Reads content: a text, or a list of parts.
pub(super) fn decode(fields: &Fields<'_>, name: &str) -> Result<Vec<Part>, Error> {
    match fields.get(name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text.as_str())]),
        Some(Value::Array(parts)) => {
            let path = fields.path(name);
            let parts = parts.iter().enumerate();
            parts.map(|(index, part)| decode_part(part, &format!("{path}[{index}]"))).collect()
        }
        Some(_) => Err(fields.fault(name, "a string or an array of parts")),
    }
}

fn decode_part(part: &Value, path: &str) -> Result<Part, Error> {
    let fields = Fields::of(part, path)?;
    let cache = cache(&fields)?;
    match fields.required("type")? {
        "input_text" | "text" | "summary_text" | "reasoning_text" => {
            Ok(Part::Text { text: fields.required("text")?.to_owned(), citations: Vec::new(), cache })
        }
        "output_text" => Ok(Part::Text {
            text: fields.required("text")?.to_owned(),
            citations: fields.list("annotations")?.iter().filter_map(answer::citation).collect(),
            cache,
        }),
        "refusal" => Ok(Part::Refusal(fields.required("refusal")?.to_owned())),
        "input_image" => image(&fields, cache),
        "input_file" => file(&fields, cache),
        "input_audio" => {
            let path = fields.path("input_audio");
            let audio =
                fields.object("input_audio")?.ok_or_else(|| fields.fault("input_audio", "an object"))?;
            let audio = Fields::of(audio, &path)?;
            let format = audio.required("format")?.to_owned();
            Ok(Part::Audio { format, data: audio.required("data")?.to_owned() })
        }
        _ => Err(fields.fault(
            "type",
            "`input_text`, `input_image`, `input_file`, `input_audio`, `output_text` or `refusal`",
        )),
    }
}

fn cache(fields: &Fields<'_>) -> Result<Option<Cache>, Error> {
    let Some(breakpoint) = fields.object("prompt_cache_breakpoint")? else { return Ok(None) };
    let ttl = breakpoint.get("ttl").and_then(Value::as_str).map(str::to_owned);
    Ok(Some(Cache { ttl }))
}

fn image(fields: &Fields<'_>, cache: Option<Cache>) -> Result<Part, Error> {
    let url = match fields.get("image_url") {
        // As Chat Completions has it; some clients send it here too.
        Some(Value::Object(image)) => image.get("url").and_then(Value::as_str),
        _ => fields.text("image_url")?,
    };
    let source = match (url, fields.string("file_id")?) {
        (Some(url), _) => from_url(url),
        (None, Some(id)) => Source::File(id),
        (None, None) => return Err(fields.fault("image_url", "a URL, or `file_id` the id of a file")),
    };
    Ok(Part::Image { source, detail: fields.string("detail")?, cache })
}

fn file(fields: &Fields<'_>, cache: Option<Cache>) -> Result<Part, Error> {
    let name = fields.string("filename")?;
    let source = match (fields.text("file_data")?, fields.string("file_url")?, fields.string("file_id")?) {
        (Some(data), _, _) if data.starts_with("data:") => document_from_url(data),
        (Some(data), _, _) => {
            Source::Base64 { media_type: media_type_of(name.as_deref()).to_owned(), data: data.to_owned() }
        }
        (None, Some(url), _) => Source::Url(url),
        (None, None, Some(id)) => Source::File(id),
        (None, None, None) => {
            return Err(fields.fault("file_data", "a data URL, or there must be `file_url` or `file_id`"));
        }
    };
    Ok(Part::Document { source, name, cache })
}

/// A URL, or what a data URL holds.
fn from_url(url: &str) -> Source {
    let inline = url.strip_prefix("data:").and_then(|rest| {
        let (media_type, data) = rest.split_once(";base64,")?;
        Some(Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() })
    });
    inline.unwrap_or_else(|| Source::Url(url.to_owned()))
}

/// [`from_url`], and plain text is read.
fn document_from_url(url: &str) -> Source {
    let source = from_url(url);
    match &source {
        Source::Base64 { media_type, data } if media_type == "text/plain" => {
            let text = BASE64.decode(data.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            text.map_or(source, Source::Text)
        }
        _ => source,
    }
}

/// What a file is whose bytes come without a media type: by its name, for want of anything better.
fn media_type_of(name: Option<&str>) -> &'static str {
    match name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending) {
        Some("txt") => "text/plain",
        Some("md") => "text/markdown",
        Some("csv") => "text/csv",
        Some("html") => "text/html",
        Some("json") => "application/json",
        _ => "application/pdf",
    }
}

/// Writes what a user, or a tool, gives. `None` where the part is not of that kind, and stands elsewhere.
pub(super) fn encode(part: &Part, path: &str, losses: &mut Losses) -> Result<Option<Value>, Error> {
    let cached = match part {
        Part::Text { cache, .. } | Part::Image { cache, .. } | Part::Document { cache, .. } => {
            cache.is_some()
        }
        _ => false,
    };
    if cached {
        losses.meet(Feature::CacheControl, path)?;
    }
    let value = match part {
        Part::Text { text, citations, .. } => {
            if !citations.is_empty() {
                losses.meet(Feature::Citations, path)?;
            }
            json!({"type": "input_text", "text": text})
        }
        Part::Image { source, detail, .. } => {
            // A text is no picture: nothing makes such a part.
            let url = match source {
                Source::Url(url) => url.clone(),
                Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
                Source::Text(text) => format!("data:text/plain;base64,{}", BASE64.encode(text.as_bytes())),
                Source::File(_) => {
                    losses.meet(Feature::UploadedFile, path)?;
                    return Ok(None);
                }
            };
            match detail {
                Some(detail) => json!({"type": "input_image", "image_url": url, "detail": detail}),
                None => json!({"type": "input_image", "image_url": url}),
            }
        }
        Part::Document { source, name, .. } => return document(source, name.as_deref(), path, losses),
        Part::Audio { .. } => {
            losses.meet(Feature::Audio, path)?;
            return Ok(None);
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn document(
    source: &Source,
    name: Option<&str>,
    path: &str,
    losses: &mut Losses,
) -> Result<Option<Value>, Error> {
    let (media_type, data) = match source {
        Source::Url(url) => {
            let mut file = json!({"type": "input_file", "file_url": url});
            if let (Some(name), Some(file)) = (name, file.as_object_mut()) {
                file.insert("filename".to_owned(), name.into());
            }
            return Ok(Some(file));
        }
        Source::File(_) => {
            losses.meet(Feature::UploadedFile, path)?;
            return Ok(None);
        }
        Source::Base64 { media_type, data } => (media_type.as_str(), data.clone()),
        Source::Text(text) => ("text/plain", BASE64.encode(text.as_bytes())),
    };
    // The provider wants a name with every file that comes as bytes.
    let unnamed = if media_type == "text/plain" { "document.txt" } else { "document.pdf" };
    Ok(Some(json!({
        "type": "input_file",
        "filename": name.unwrap_or(unnamed),
        "file_data": format!("data:{media_type};base64,{data}"),
    })))
}
