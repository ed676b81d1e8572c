//! What a text rests on: `annotations` of a message, and Perplexity's pages beside it.

use serde_json::{Map, Value, json};

use crate::dialect::Dialect;
use crate::dialect::conversation::{Citation, Part};

/// The annotations of a message or a delta that cite a page.
pub(super) fn read(message: &Map<String, Value>) -> Vec<Citation> {
    let annotations = message.get("annotations").and_then(Value::as_array);
    annotations.into_iter().flatten().filter_map(read_annotation).collect()
}

fn read_annotation(annotation: &Value) -> Option<Citation> {
    // OpenRouter adds `content`, the words of the page.
    let page = annotation.get("url_citation").filter(|page| page.is_object())?;
    let text = |name| page.get(name).and_then(Value::as_str).map(str::to_owned);
    let at = |name| page.get(name).and_then(Value::as_u64);
    Some(Citation {
        url: text("url"),
        title: text("title"),
        cited_text: text("content"),
        span: at("start_index").zip(at("end_index")),
        own: Some((Dialect::OpenAi, annotation.clone())),
    })
}

/// The pages that Perplexity names beside its answer: `search_results`, which have titles, else `citations`.
pub(super) fn read_pages(body: &Map<String, Value>) -> Vec<Citation> {
    let list = |name| body.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    let results = list("search_results").into_iter().flatten().filter_map(|result| {
        let url = result.get("url")?.as_str()?.to_owned();
        let title = result.get("title").and_then(Value::as_str).map(str::to_owned);
        Some(Citation { url: Some(url), title, ..Citation::default() })
    });
    let results: Vec<Citation> = results.collect();
    if !results.is_empty() {
        return results;
    }
    let urls = list("citations").into_iter().flatten().filter_map(Value::as_str);
    urls.map(|url| Citation { url: Some(url.to_owned()), ..Citation::default() }).collect()
}

/// Puts citations on the last text; without one they have nothing to stand on.
pub(super) fn attach(parts: &mut [Part], found: Vec<Citation>) {
    let last = parts.iter_mut().rev().find_map(|part| match part {
        Part::Text { citations, .. } => Some(citations),
        _ => None,
    });
    if let Some(citations) = last {
        citations.extend(found);
    }
}

/// A citation as an annotation; `None` where it names no page. `text` is the span, in characters of the content, of the
/// text that it stands on: its own span counts from there, and it stands on all of it where it has none.
pub(super) fn write(citation: &Citation, text: (u64, u64)) -> Option<Value> {
    let url = citation.url.as_deref()?;
    let (start, end) = citation.span.map_or(text, |(start, end)| (text.0 + start, text.0 + end));
    let title = citation.title.as_deref().unwrap_or(url);
    let mut page = json!({"url": url, "title": title, "start_index": start, "end_index": end});
    if let (Value::Object(page), Some(cited)) = (&mut page, &citation.cited_text) {
        page.insert("content".to_owned(), cited.as_str().into());
    }
    Some(json!({"type": "url_citation", "url_citation": page}))
}
