//! The built-in demo models: `demo/…`, served without network, key or account where the variable `DEMO` is `on`.
//!
//! In scope: what a model answers to a prompt and at what pace, as bytes in the shape of OpenAI's Chat Completions.
//! Everything but the id and `created` is a function of the model and the messages: the same prompt gives the same text,
//! pace and failure, streamed or not.
//! Out of scope: waiting (`edge`), tools, `n`, sampling parameters and answer formats, which are ignored.

mod chance;
mod text;
mod wire;

use serde_json::Value;

use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::gateway::DEMO;
use chance::{Chance, Dice};
use text::Length;
use wire::{Delta, Finish, Head, Tokens};

/// What they speak.
pub const DIALECT: Dialect = Dialect::OpenAi;

/// A demo model, and what is to be expected of it.
#[derive(Debug)]
pub struct DemoModel {
    /// `demo/<name>`.
    pub id: &'static str,
    /// One sentence for lists of models.
    pub description: &'static str,
    /// Mean milliseconds to the first token.
    pub first_token_ms: u32,
    /// Mean pace after it.
    pub tokens_per_second: u32,
    /// Of a thousand prompts, how many end in an error.
    pub errors_per_thousand: u32,
    length: Length,
}

/// The demo models: plainly apart in speed, length and error rate, so that an experiment between two of them shows something.
pub const MODELS: &[DemoModel] = &[
    DemoModel {
        id: "demo/swift",
        description: "Quick and brief: answers in about a second, errs once in a hundred prompts.",
        first_token_ms: 120,
        tokens_per_second: 60,
        errors_per_thousand: 10,
        length: Length::Short,
    },
    DemoModel {
        id: "demo/sage",
        description: "Slow and thorough: several paragraphs in four to six seconds, never errs.",
        first_token_ms: 450,
        tokens_per_second: 45,
        errors_per_thousand: 0,
        length: Length::Long,
    },
    DemoModel {
        id: "demo/flaky",
        description: "Of middling pace, and errs on every fourth prompt: rate limits, overload, streams that break off.",
        first_token_ms: 250,
        tokens_per_second: 60,
        errors_per_thousand: 250,
        length: Length::Medium,
    },
];

/// A call to a demo model.
#[derive(Clone, Copy, Debug)]
pub struct DemoRequest<'a> {
    /// The model, with or without `demo/`.
    pub model: &'a str,
    /// `messages` as the caller sent it, or as `[{role, content}]`.
    pub messages: &'a Value,
    /// Whether to stream.
    pub stream: bool,
    /// Whether a stream ends in a usage chunk (`stream_options.include_usage`).
    pub include_usage: bool,
    /// The most tokens that the answer may have.
    pub max_tokens: Option<u64>,
    /// Now, in seconds since 1970: `created` in the answer.
    pub created: u64,
}

/// What a demo model answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One JSON body, an error or a completion.
    Whole {
        /// The HTTP status.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u32>,
        /// The body, `application/json`.
        body: String,
        /// Milliseconds to wait before answering.
        after_ms: u32,
    },
    /// A `text/event-stream` with status 200. It ends in `data: [DONE]` unless it breaks off with an error event.
    Stream(Vec<Chunk>),
}

/// One server-sent event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Milliseconds to wait after the chunk before it; often 0.
    pub after_ms: u32,
    /// The event's bytes, its blank line included.
    pub bytes: String,
}

/// Characters a token, by which the demo models count: OpenAI's rule of thumb for English.
const CHARS_PER_TOKEN: u32 = 4;

/// What a call to a demo model is told where there are none.
pub fn off(model: &str) -> Error {
    let message = format!(
        "'{DEMO}/{model}' is a demo model, and those are off here; set the variable DEMO to `on` to have them."
    );
    Error { param: Some("model".to_owned()), ..Error::new(ErrorKind::ModelNotFound, message) }
}

/// Answers a call.
///
/// 1. Find the model: 404 `model_not_found`, naming those that there are.
/// 2. The messages: a list that is not empty, else 400.
/// 3. Draw whether it errs: 429 or 503 at once, or later a stream that breaks off (500 where there is no stream).
/// 4. Compose the text, cut it at `max_tokens`, pace it.
/// 5. Stream it, or answer it whole after the same time.
pub fn answer(request: &DemoRequest<'_>) -> Answer {
    let name = request.model.strip_prefix("demo/").unwrap_or(request.model);
    let Some(model) = MODELS.iter().find(|model| model.id.strip_prefix("demo/") == Some(name)) else {
        return refusal(&unknown_model(request.model));
    };
    let messages = match request.messages.as_array() {
        Some(messages) if !messages.is_empty() => messages,
        _ => {
            return refusal(&Error::invalid(
                "messages",
                "`messages` must be a list of at least one message.",
            ));
        }
    };

    let mut chance = Chance::of(model.id, request.messages);
    let failure = model.failure(&mut chance.fate);
    if let Some(Failure::Refuses(refuses)) = failure {
        return refuses.answer(model, &mut chance.fate);
    }

    let prompt: u64 = messages.iter().map(|message| tokens_in(&text::of_message(message))).sum();
    let composed = text::compose(model.length, &text::topic(messages), &mut chance.text);
    let (text, finish) = cut(&composed, request.max_tokens);
    let pace = model.pace(text, &mut chance.pace);
    let reply = Reply {
        head: Head {
            id: format!("chatcmpl-demo-{:016x}{:08x}", chance.id, request.created),
            created: request.created,
            model: model.id,
        },
        text,
        finish,
        tokens: Tokens { prompt, completion: tokens_in(text) },
        // Half of the breaks come before the first word, where a failover is still possible, half in mid-sentence.
        breaks_after: failure.map(|_| if chance.fate.below(2) == 0 { 0 } else { pace.words.len() / 2 }),
        pace,
    };
    if request.stream { reply.stream(request.include_usage) } else { reply.whole() }
}

/// How a demo model fails.
enum Failure {
    /// With an error status, at once.
    Refuses(Refuses),
    /// After it began to answer.
    BreaksOff,
}

enum Refuses {
    RateLimited,
    Overloaded,
}

impl Refuses {
    fn answer(&self, model: &DemoModel, dice: &mut Dice) -> Answer {
        let id = model.id;
        let (status, body) = match self {
            Refuses::RateLimited => (
                429,
                wire::error(&format!("Rate limit reached for {id}."), "requests", "rate_limit_exceeded"),
            ),
            Refuses::Overloaded => (
                503,
                wire::error(&format!("{id} is overloaded. Try again later."), "server_error", "overloaded"),
            ),
        };
        Answer::Whole { status, retry_after: Some(dice.between(1, 3)), body, after_ms: dice.between(40, 120) }
    }
}

impl DemoModel {
    /// Of five failures two are rate limits, two overload, and one breaks off.
    fn failure(&self, dice: &mut Dice) -> Option<Failure> {
        if dice.below(1000) >= u64::from(self.errors_per_thousand) {
            return None;
        }
        Some(match dice.below(5) {
            0 | 1 => Failure::Refuses(Refuses::RateLimited),
            2 | 3 => Failure::Refuses(Refuses::Overloaded),
            _ => Failure::BreaksOff,
        })
    }

    /// The text, word by word, with the time that each takes; jitter is ±20 % on the first token, ±30 % on the others.
    fn pace<'a>(&self, text: &'a str, dice: &mut Dice) -> Pace<'a> {
        let first_ms = self.first_token_ms * dice.between(80, 120) / 100;
        let words = text.split_inclusive(char::is_whitespace).enumerate().map(|(index, word)| {
            let chars = u32::try_from(word.chars().count()).unwrap_or(u32::MAX);
            // chars / CHARS_PER_TOKEN tokens, at tokens_per_second, times a percentage.
            let ms = chars.saturating_mul(1000 * dice.between(70, 130))
                / (CHARS_PER_TOKEN * self.tokens_per_second * 100);
            // The first word comes with the first token.
            (if index == 0 { 0 } else { ms }, word)
        });
        Pace { first_ms, words: words.collect() }
    }
}

/// A text in time.
struct Pace<'a> {
    /// To the first token.
    first_ms: u32,
    /// Each word with the whitespace after it, and how long it takes.
    words: Vec<(u32, &'a str)>,
}

/// All of an answer, before it is written as a stream or as one body.
struct Reply<'a> {
    head: Head,
    text: &'a str,
    finish: Finish,
    tokens: Tokens,
    pace: Pace<'a>,
    /// The number of words after which the answer breaks off, where it does.
    breaks_after: Option<usize>,
}

impl Reply<'_> {
    fn stream(&self, include_usage: bool) -> Answer {
        let event = |delta, finish| self.head.delta(delta, finish, include_usage);
        let mut chunks = vec![Chunk { after_ms: self.pace.first_ms, bytes: event(Delta::role(), None) }];
        let words = self.spoken().iter();
        chunks.extend(words.map(|(ms, word)| Chunk { after_ms: *ms, bytes: event(Delta::text(word), None) }));
        let at_once = |bytes| Chunk { after_ms: 0, bytes };
        if self.breaks_after.is_some() {
            chunks.push(at_once(wire::event(&self.broken_off())));
            return Answer::Stream(chunks);
        }
        chunks.push(at_once(event(Delta::end(), Some(self.finish))));
        if include_usage {
            chunks.push(at_once(self.head.usage(self.tokens)));
        }
        chunks.push(at_once(wire::event("[DONE]")));
        Answer::Stream(chunks)
    }

    fn whole(&self) -> Answer {
        // As long as the stream takes.
        let after_ms = self.pace.first_ms + self.spoken().iter().map(|(ms, _)| ms).sum::<u32>();
        let (status, body) = match self.breaks_after {
            Some(_) => (500, self.broken_off()),
            None => (200, self.head.completion(self.text, self.finish, self.tokens)),
        };
        Answer::Whole { status, retry_after: None, body, after_ms }
    }

    /// The words that are said: all of them, or those before the break.
    fn spoken(&self) -> &[(u32, &str)] {
        let words = &self.pace.words;
        self.breaks_after.and_then(|count| words.get(..count)).unwrap_or(words)
    }

    fn broken_off(&self) -> String {
        let message = format!("{} broke off while answering.", self.head.model);
        wire::error(&message, "server_error", "server_error")
    }
}

fn unknown_model(named: &str) -> Error {
    let known: Vec<&str> = MODELS.iter().map(|model| model.id).collect();
    let known = known.join(", ");
    let message = format!("There is no demo model `{named}`. The demo models are {known}.");
    Error { param: Some("model".to_owned()), ..Error::new(ErrorKind::ModelNotFound, message) }
}

fn refusal(error: &Error) -> Answer {
    let body = error.body(DIALECT);
    Answer::Whole { status: error.kind.status(), retry_after: None, body, after_ms: 0 }
}

fn tokens_in(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(CHARS_PER_TOKEN.into())
}

/// The text as far as `max_tokens` goes, which may end in mid-word as a real one does, and why it ends there.
fn cut(text: &str, max_tokens: Option<u64>) -> (&str, Finish) {
    let max_chars = max_tokens.map_or(u64::MAX, |tokens| tokens.saturating_mul(CHARS_PER_TOKEN.into()));
    let end = usize::try_from(max_chars).ok().and_then(|chars| text.char_indices().nth(chars));
    match end.and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => (beginning, Finish::Length),
        None => (text, Finish::Stop),
    }
}
