//! Parts of a content: texts, images, files, speech.

use std::borrow::Cow;

use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::fields::{Fields, wrong};
use super::thoughts;
use crate::dialect::Dialect;
use crate::dialect::conversation::{Cache, Part, Source};
use crate::dialect::loss::{Feature, Losses};
use crate::error::Error;

/// Reads a content: a text, or a list of parts. What only an assistant's message may have is let pass where
/// `is_assistants`; elsewhere a part that nobody else could understand is an error, for the model would not see it.
pub(super) fn read(content: Option<Value>, path: &str, is_assistants: bool) -> Result<Vec<Part>, Error> {
    match content {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text)]),
        Some(Value::Array(parts)) => parts
            .into_iter()
            .enumerate()
            .map(|(at, part)| read_part(part, &format!("{path}[{at}]"), is_assistants))
            .collect(),
        Some(other) => Err(wrong(path, "a string or an array of parts", &other)),
    }
}

fn read_part(part: Value, path: &str, is_assistants: bool) -> Result<Part, Error> {
    let mut fields = Fields::of(part, path)?;
    let whole = fields.members().clone();
    let cache = cache(&mut fields);
    let kind = fields.required_string("type")?;
    match kind.as_str() {
        // `input_text` and `output_text` are the words of Responses, which some mix in.
        "text" | "input_text" | "output_text" => {
            Ok(Part::Text { text: fields.required_string("text")?, citations: Vec::new(), cache })
        }
        "image_url" => read_image(&mut fields, cache),
        "input_audio" => {
            let mut audio = fields.required_object("input_audio")?;
            Ok(Part::Audio { format: audio.required_string("format")?, data: audio.required_string("data")? })
        }
        "file" => read_file(&mut fields, cache),
        // Mistral's.
        "document_url" => {
            let source = source_of_url(fields.required_string("document_url")?);
            Ok(Part::Document { source, name: fields.string("document_name")?, cache })
        }
        "refusal" if is_assistants => Ok(Part::Refusal(fields.required_string("refusal")?)),
        "thinking" if is_assistants => Ok(Part::Thought(thoughts::read_part(&whole))),
        _ if is_assistants => Ok(Part::Own { dialect: Dialect::OpenAi, json: Value::Object(whole) }),
        other => {
            let at = fields.path("type");
            let message = format!(
                "`{at}` is `{other}`, which cannot be translated for the model that is to answer: use `text`, `image_url`, \
                 `file` or `input_audio`."
            );
            Err(Error::invalid(at, message))
        }
    }
}

fn read_image(fields: &mut Fields, cache: Option<Cache>) -> Result<Part, Error> {
    // Mistral takes the URL itself.
    if matches!(fields.members().get("image_url"), Some(Value::String(_))) {
        let source = source_of_url(fields.required_string("image_url")?);
        return Ok(Part::Image { source, detail: None, cache });
    }
    let mut image = fields.required_object("image_url")?;
    let source = source_of_url(image.required_string("url")?);
    Ok(Part::Image { source, detail: image.string("detail")?, cache })
}

fn read_file(fields: &mut Fields, cache: Option<Cache>) -> Result<Part, Error> {
    let mut file = fields.required_object("file")?;
    let name = file.string("filename")?;
    let source = match file.string("file_id")? {
        Some(id) => Source::File(id),
        None => {
            let data = file.required_string("file_data")?;
            if data.contains(':') {
                source_of_url(data)
            } else {
                Source::Base64 { media_type: media_type_of(name.as_deref()).to_owned(), data }
            }
        }
    };
    Ok(Part::Document { source, name, cache })
}

/// The media type that a file's name stands for; PDF, which is all that OpenAI reads, where it tells nothing.
fn media_type_of(name: Option<&str>) -> &'static str {
    match name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending) {
        Some("txt") => "text/plain",
        Some("md") => "text/markdown",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        _ => "application/pdf",
    }
}

/// A URL, or the bytes that are in it.
pub(super) fn source_of_url(url: String) -> Source {
    let inside = url.strip_prefix("data:").and_then(|rest| {
        let (head, data) = rest.split_once(',')?;
        let media_type = head.split(';').next().filter(|media_type| !media_type.is_empty());
        let media_type = media_type.unwrap_or("text/plain").to_owned();
        let data = if head.ends_with(";base64") {
            data.to_owned()
        } else {
            BASE64.encode(&Cow::from(percent_decode_str(data)))
        };
        Some(Source::Base64 { media_type, data })
    });
    inside.unwrap_or(Source::Url(url))
}

/// The mark that the prompt is to be cached up to here: Anthropic's, as OpenRouter and LiteLLM take it, or OpenAI's.
pub(super) fn cache(fields: &mut Fields) -> Option<Cache> {
    let openais = fields.take("prompt_cache_breakpoint").map(|_| Cache { ttl: None });
    let anthropics = fields
        .take("cache_control")
        .map(|control| Cache { ttl: control.get("ttl").and_then(Value::as_str).map(str::to_owned) });
    anthropics.or(openais)
}

/// A text as a part.
pub(super) fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// A picture, a document or speech as a part of a user's content; `None` for what is none of these.
pub(super) fn write(part: &Part, path: &str, losses: &mut Losses) -> Result<Option<Value>, Error> {
    Ok(match part {
        Part::Image { source, detail, .. } => write_image(source, detail.as_deref())
            .map_or_else(|| uploaded(path, losses), |image| Ok(Some(image)))?,
        Part::Document { source, name, .. } => write_document(source, name.as_deref(), path, losses)?,
        Part::Audio { format, data } => Some(
            json!({"type": "input_audio", "input_audio": {"data": data, "format": openais_format(format)}}),
        ),
        _ => None,
    })
}

/// `mp3` is what OpenAI calls `audio/mpeg`.
fn openais_format(format: &str) -> &str {
    match format {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        other => other,
    }
}

fn uploaded(path: &str, losses: &mut Losses) -> Result<Option<Value>, Error> {
    losses.meet(Feature::UploadedFile, path)?;
    Ok(None)
}

/// A picture as a part; `None` where it was uploaded to somebody else.
pub(super) fn write_image(source: &Source, detail: Option<&str>) -> Option<Value> {
    let url = match source {
        Source::Url(url) => url.clone(),
        Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
        Source::Text(svg) => format!("data:image/svg+xml;base64,{}", BASE64.encode(svg.as_bytes())),
        Source::File(_) => return None,
    };
    let mut image = Map::from_iter([("url".to_owned(), Value::String(url))]);
    if let Some(detail) = detail {
        image.insert("detail".to_owned(), detail.into());
    }
    Some(json!({"type": "image_url", "image_url": image}))
}

/// A document: as a file where it is a PDF or the like, as text where it is text, for files of text are refused.
fn write_document(
    source: &Source,
    name: Option<&str>,
    path: &str,
    losses: &mut Losses,
) -> Result<Option<Value>, Error> {
    match source {
        Source::Text(body) => Ok(Some(text(&titled(body, name)))),
        Source::Base64 { media_type, data } => {
            let body = is_text(media_type)
                .then(|| BASE64.decode(data.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok()))
                .flatten();
            if let Some(body) = body {
                return Ok(Some(text(&titled(&body, name))));
            }
            let name = name.unwrap_or("document.pdf");
            let data = format!("data:{media_type};base64,{data}");
            Ok(Some(json!({"type": "file", "file": {"filename": name, "file_data": data}})))
        }
        Source::Url(_) => {
            losses.meet(Feature::DocumentUrl, path)?;
            Ok(None)
        }
        Source::File(_) => uploaded(path, losses),
    }
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || media_type == "application/json"
}

fn titled(body: &str, name: Option<&str>) -> String {
    name.map_or_else(|| body.to_owned(), |name| format!("{name}\n\n{body}"))
}
