//! Whole answers.

use serde_json::{Map, Value, json};

use super::calls;
use super::history;
use super::words::{self, Said};
use super::{citations, parts, thoughts};
use crate::dialect::answer::{Answer, Choice, Malformed, Stop};
use crate::dialect::conversation::{Part, Thought, ToolCall};
use crate::dialect::{Dialect, ReplyTo, custom};
use crate::usage::Usage;

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Result<Answer, Malformed> {
    let answer: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Malformed(format!("the answer is no JSON object: {error}")))?;
    if answer.get("error").is_some_and(|error| !error.is_null()) {
        return Err(Malformed("an error stands in place of an answer".to_owned()));
    }
    let choices = answer.get("choices").and_then(Value::as_array).filter(|choices| !choices.is_empty());
    let choices = choices.ok_or_else(|| Malformed("the answer has no `choices`".to_owned()))?;
    let mut read = choices
        .iter()
        .enumerate()
        .map(|(at, choice)| {
            let index = choice.get("index").and_then(Value::as_u64);
            Ok((index.unwrap_or(at as u64), read_choice(choice, &answer, at)?))
        })
        .collect::<Result<Vec<_>, _>>()?;
    read.sort_by_key(|(index, _)| *index);
    Ok(Answer {
        id: text(&answer, "id"),
        model: text(&answer, "model"),
        created: answer.get("created").and_then(Value::as_u64).filter(|created| *created > 0),
        choices: read.into_iter().map(|(_, choice)| choice).collect(),
        usage: Usage::from_chat(body).unwrap_or_default(),
        service_tier: text(&answer, "service_tier"),
    })
}

fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn read_choice(choice: &Value, answer: &Map<String, Value>, at: usize) -> Result<Choice, Malformed> {
    let place = format!("choices[{at}]");
    let choice = choice.as_object().ok_or_else(|| Malformed(format!("`{place}` is no object")))?;
    let message = choice.get("message").and_then(Value::as_object);
    let message = message.ok_or_else(|| Malformed(format!("`{place}` has no `message`")))?;
    let parts = read_message(message, answer, &format!("{place}.message"))?;
    let said = Said {
        calls_tools: parts.iter().any(|part| matches!(part, Part::ToolCall(_))),
        refuses: parts.iter().any(|part| matches!(part, Part::Refusal(_))),
    };
    let reason = choice.get("finish_reason").and_then(Value::as_str);
    let stop = reason.map(|reason| words::stop(reason, said));
    Ok(Choice { parts, stop: at_text(stop, choice), logprobs: tokens(choice) })
}

/// The text at which it stopped, where the provider tells.
pub(super) fn at_text(stop: Option<Stop>, choice: &Map<String, Value>) -> Option<Stop> {
    match (stop, words::stop_text(choice)) {
        (Some(Stop::End), Some(text)) => Some(Stop::Sequence(Some(text))),
        (stop, _) => stop,
    }
}

/// Likelihoods of a choice's tokens.
pub(super) fn tokens(choice: &Map<String, Value>) -> Option<Value> {
    let tokens = choice.get("logprobs")?.get("content")?;
    tokens.as_array().filter(|tokens| !tokens.is_empty())?;
    Some(tokens.clone())
}

fn read_message(
    message: &Map<String, Value>,
    answer: &Map<String, Value>,
    place: &str,
) -> Result<Vec<Part>, Malformed> {
    let malformed = |error: crate::error::Error| Malformed(error.message);
    let mut said: Vec<Part> = thoughts::read(message).into_iter().map(Part::Thought).collect();
    said.extend(history::signature(message));
    let content = message.get("content").filter(|content| !content.is_null()).cloned();
    let mut content = parts::read(content, &format!("{place}.content"), true).map_err(malformed)?;
    content.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    let mut found = citations::read(message);
    if found.is_empty() {
        found = citations::read_pages(answer);
    }
    citations::attach(&mut content, found);
    said.extend(content);
    said.extend(text(message, "refusal").map(Part::Refusal));
    let id = text(answer, "id").unwrap_or_default();
    let list = message.get("tool_calls").and_then(Value::as_array);
    for (at, call) in list.into_iter().flatten().enumerate() {
        let place = format!("{place}.tool_calls[{at}]");
        said.push(Part::ToolCall(calls::read(call.clone(), &place, || made_id(&id, at)).map_err(malformed)?));
    }
    if let Some(call) = message.get("function_call").filter(|call| call.is_object()) {
        let mut call =
            super::fields::Fields::of(call.clone(), format!("{place}.function_call")).map_err(malformed)?;
        said.push(Part::ToolCall(calls::read_function(&mut call, made_id(&id, 0)).map_err(malformed)?));
    }
    said.extend(images(message));
    said.extend(audio(message));
    Ok(said)
}

/// An id for a call that came without, of the answer's own: ids of one conversation must not repeat.
pub(super) fn made_id(answer: &str, call: usize) -> String {
    let answer: String = answer.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("call_{answer}_{call}")
}

/// Pictures that OpenRouter's models make.
pub(super) fn images(message: &Map<String, Value>) -> Vec<Part> {
    let images = message.get("images").and_then(Value::as_array);
    let urls = images.into_iter().flatten().filter_map(|image| image.get("image_url")?.get("url")?.as_str());
    urls.map(|url| Part::Image { source: parts::source_of_url(url.to_owned()), detail: None, cache: None })
        .collect()
}

/// A spoken answer, which nobody else has.
pub(super) fn audio(message: &Map<String, Value>) -> Option<Part> {
    let audio = message.get("audio").filter(|audio| audio.is_object())?;
    Some(Part::Own { dialect: Dialect::OpenAi, json: json!({"audio": audio}) })
}

/// Writes a whole answer.
pub(super) fn encode(answer: &Answer, to: &ReplyTo) -> Vec<u8> {
    let choices: Vec<Value> =
        answer.choices.iter().enumerate().map(|(index, choice)| write_choice(index, choice, to)).collect();
    let mut body = Map::from_iter([
        ("id".to_owned(), Value::from(id(answer.id.as_deref(), to))),
        ("object".to_owned(), "chat.completion".into()),
        ("created".to_owned(), answer.created.unwrap_or(to.created).into()),
        ("model".to_owned(), answer.model.as_deref().unwrap_or(&to.conversation.model).into()),
        ("choices".to_owned(), choices.into()),
    ]);
    body.extend(words::usage(&answer.usage).map(|usage| ("usage".to_owned(), usage)));
    body.extend(answer.service_tier.clone().map(|tier| ("service_tier".to_owned(), tier.into())));
    Value::Object(body).to_string().into_bytes()
}

/// The answer's id; one that is made where the provider gave none.
pub(super) fn id(given: Option<&str>, to: &ReplyTo) -> String {
    given.map_or_else(|| format!("chatcmpl-{}", to.id), str::to_owned)
}

fn write_choice(index: usize, choice: &Choice, to: &ReplyTo) -> Value {
    let mut message = Map::from_iter([("role".to_owned(), Value::from("assistant"))]);
    let of_kind = |part: &&Part| matches!(part, Part::Thought(_));
    let thoughts: Vec<&Thought> = choice
        .parts
        .iter()
        .filter(of_kind)
        .filter_map(|part| match part {
            Part::Thought(thought) => Some(thought),
            _ => None,
        })
        .collect();
    thoughts::write_answer(&thoughts, &mut message);
    let mut written = Written::default();
    for part in &choice.parts {
        written.add(part, to, &mut message);
    }
    let said = Said { calls_tools: !written.calls.is_empty(), refuses: !written.refusal.is_empty() };
    written.finish(&mut message, to);
    let stop = choice
        .stop
        .as_ref()
        .map_or("stop", |stop| words::finish_reason(stop, said, to.conversation.legacy_functions));
    json!({
        "index": index,
        "message": message,
        "finish_reason": stop,
        "logprobs": choice.logprobs.as_ref().map(words::logprobs),
    })
}

/// What a message says, as its parts are gone through.
#[derive(Default)]
struct Written {
    text: String,
    /// Characters of `text`.
    length: u64,
    refusal: String,
    calls: Vec<Value>,
    annotations: Vec<Value>,
    images: Vec<Value>,
}

impl Written {
    fn add(&mut self, part: &Part, to: &ReplyTo, message: &mut Map<String, Value>) {
        match part {
            Part::Text { text, citations, .. } => {
                let end = self.length + text.chars().count() as u64;
                let span = (self.length, end);
                self.annotations
                    .extend(citations.iter().filter_map(|citation| citations::write(citation, span)));
                self.text.push_str(text);
                self.length = end;
            }
            Part::Refusal(text) => self.refusal.push_str(text),
            Part::ToolCall(call) => self.calls.push(write_call(call, to)),
            Part::Image { source, .. } => self.images.extend(parts::write_image(source, None)),
            Part::Own { dialect: Dialect::OpenAi, json } => {
                message.extend(json.as_object().cloned().unwrap_or_default());
            }
            // Thoughts are written together. Steps of another provider's tools have no form here; what came of them is in the text.
            Part::Thought(_)
            | Part::Own { .. }
            | Part::ToolResult { .. }
            | Part::Document { .. }
            | Part::Audio { .. } => {}
        }
    }

    fn finish(self, message: &mut Map<String, Value>, to: &ReplyTo) {
        let nothing_else = self.calls.is_empty() && self.refusal.is_empty();
        let content = if self.text.is_empty() && !nothing_else { Value::Null } else { self.text.into() };
        message.insert("content".to_owned(), content);
        let refusal = if self.refusal.is_empty() { Value::Null } else { self.refusal.into() };
        message.insert("refusal".to_owned(), refusal);
        if !self.annotations.is_empty() {
            message.insert("annotations".to_owned(), self.annotations.into());
        }
        if !self.images.is_empty() {
            message.insert("images".to_owned(), self.images.into());
        }
        match self.calls.first().and_then(|call| call.get("function")) {
            Some(function) if to.conversation.legacy_functions => {
                message.insert("function_call".to_owned(), function.clone());
            }
            _ if self.calls.is_empty() => {}
            _ => {
                message.insert("tool_calls".to_owned(), self.calls.into());
            }
        }
    }
}

/// A call, as one of free text where that is what the caller declared.
fn write_call(call: &ToolCall, to: &ReplyTo) -> Value {
    if !call.is_custom && custom::is_custom(&to.conversation, &call.name) {
        return calls::write(call, true, &custom::unwrap(&call.arguments));
    }
    calls::write(call, call.is_custom, &call.arguments)
}
