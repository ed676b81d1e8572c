//! The bytes: bodies and events as OpenAI's Chat Completions writes them, members in its order.

use serde::Serialize;

/// What every body and event of one completion begins with.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: &'static str,
}

/// Why the text ends.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Finish {
    Stop,
    Length,
}

/// Tokens of one call.
#[derive(Clone, Copy)]
pub(super) struct Tokens {
    pub(super) prompt: u64,
    pub(super) completion: u64,
}

/// What an event adds to the message. `()` is written as `null`.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Delta<'a> {
    Role { role: &'static str, content: &'static str, refusal: () },
    Text { content: &'a str },
    End {},
}

impl<'a> Delta<'a> {
    pub(super) fn role() -> Self {
        Delta::Role { role: "assistant", content: "", refusal: () }
    }

    pub(super) fn text(content: &'a str) -> Self {
        Delta::Text { content }
    }

    pub(super) fn end() -> Self {
        Delta::End {}
    }
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'static str,
    choices: [Choice<'a>; 1],
    usage: Usage,
    service_tier: &'static str,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: (),
    finish_reason: Finish,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    refusal: (),
    annotations: [(); 0],
}

#[derive(Serialize)]
struct Event<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'static str,
    service_tier: &'static str,
    system_fingerprint: &'static str,
    choices: &'a [EventChoice<'a>],
    /// Absent where the caller did not ask for it, `null` in every event but the last where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct EventChoice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<Finish>,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Default, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    audio_tokens: u64,
}

#[derive(Default, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Usage {
        Usage {
            prompt_tokens: tokens.prompt,
            completion_tokens: tokens.completion,
            total_tokens: tokens.prompt + tokens.completion,
            prompt_tokens_details: PromptDetails::default(),
            completion_tokens_details: CompletionDetails::default(),
        }
    }
}

const SERVICE_TIER: &str = "default";
const SYSTEM_FINGERPRINT: &str = "fp_demo";

impl Head {
    /// The whole answer as one body.
    pub(super) fn completion(&self, text: &str, finish: Finish, tokens: Tokens) -> String {
        let message = Message { role: "assistant", content: text, refusal: (), annotations: [] };
        json(&Completion {
            id: &self.id,
            object: "chat.completion",
            created: self.created,
            model: self.model,
            choices: [Choice { index: 0, message, logprobs: (), finish_reason: finish }],
            usage: tokens.into(),
            service_tier: SERVICE_TIER,
            system_fingerprint: SYSTEM_FINGERPRINT,
        })
    }

    /// An event that adds `delta`; `include_usage` puts the `null` in it.
    pub(super) fn delta(&self, delta: Delta<'_>, finish: Option<Finish>, include_usage: bool) -> String {
        let choice = EventChoice { index: 0, delta, logprobs: (), finish_reason: finish };
        self.chunk(&[choice], include_usage.then_some(None))
    }

    /// The event with the usage, which has no choices.
    pub(super) fn usage(&self, tokens: Tokens) -> String {
        self.chunk(&[], Some(Some(tokens.into())))
    }

    fn chunk(&self, choices: &[EventChoice<'_>], usage: Option<Option<Usage>>) -> String {
        event(&json(&Event {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: self.model,
            service_tier: SERVICE_TIER,
            system_fingerprint: SYSTEM_FINGERPRINT,
            choices,
            usage,
        }))
    }
}

/// An error body.
pub(super) fn error(message: &str, kind: &str, code: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": kind, "param": null, "code": code}}).to_string()
}

/// One server-sent event.
pub(super) fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// Strings, numbers and structs: nothing here that serde_json could refuse.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
