//! A request in no dialect: what every dialect's request is decoded into, and encoded from.
//!
//! In scope: what two dialects have in common, under one name, and what one of them alone has, kept as it was for its own
//! kind. Out of scope: answers ([`super::answer`]), what a target cannot carry ([`super::loss`]).
//! Only calls between two dialects come here: where caller and downstream speak the same one, bytes are spliced (law 1).

use serde_json::{Map, Number, Value};

use super::Dialect;

/// A request for an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// As the caller spelled it; a target's own name is put in its place by the encoder's caller.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// System and developer prompts that come before the first turn, in order: [`Part::Text`] alone.
    pub system: Vec<Part>,
    /// The turns, in order. Two of the same role may follow one another.
    pub turns: Vec<Turn>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// The caller declared them as `functions`, OpenAI's form before tools, and reads the answer's call in `function_call`.
    pub legacy_functions: bool,
    /// Which of them it may or must.
    pub tool_choice: Option<ToolChoice>,
    /// `false`: at most one call a turn.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer, where it is not plain text.
    pub format: Option<Format>,
    /// How much it may think.
    pub thinking: Option<Thinking>,
    /// How it is sampled.
    pub sampling: Sampling,
    /// The most output tokens, reasoning included.
    pub max_tokens: Option<u64>,
    /// How many answers; absent is 1.
    pub n: Option<u64>,
    /// Whom the provider may hold responsible: `user`, `safety_identifier`, Anthropic's `metadata.user_id`.
    pub user: Option<String>,
    /// How long-winded: `low`, `medium`, `high`.
    pub verbosity: Option<String>,
    /// Which queue: the dialect's own word.
    pub service_tier: Option<String>,
    /// OpenAI's key that routes to the same cache.
    pub prompt_cache_key: Option<String>,
    /// Fields that only the dialect they came in knows, by name, as they were.
    pub own: Map<String, Value>,
}

/// How an answer is sampled. Numbers keep their spelling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// From 0 to 2 (Anthropic: to 1).
    pub temperature: Option<Number>,
    /// Nucleus.
    pub top_p: Option<Number>,
    /// The likeliest so many tokens.
    pub top_k: Option<Number>,
    /// From -2 to 2.
    pub frequency_penalty: Option<Number>,
    /// From -2 to 2.
    pub presence_penalty: Option<Number>,
    /// Repeatable as far as the provider can.
    pub seed: Option<Number>,
    /// Texts at which it stops.
    pub stop: Vec<String>,
    /// Whether the likelihood of each token is wanted, and of how many others in its place.
    pub logprobs: Option<u64>,
    /// Token id to bias.
    pub logit_bias: Option<Value>,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// The speaker's own name, where roles are not enough.
    pub name: Option<String>,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator, in the midst of a conversation; before it, see [`Conversation::system`].
    System,
    /// The user; results of tools are the user's too.
    User,
    /// The model.
    Assistant,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// What it rests on.
        citations: Vec<Citation>,
        /// The prompt up to here is worth caching.
        cache: Option<Cache>,
    },
    /// A picture.
    Image {
        /// Where it is.
        source: Source,
        /// OpenAI's `detail`.
        detail: Option<String>,
        /// As of text.
        cache: Option<Cache>,
    },
    /// A file that is read: PDF or text.
    Document {
        /// Where it is.
        source: Source,
        /// Its file name or title.
        name: Option<String>,
        /// As of text.
        cache: Option<Cache>,
    },
    /// Speech.
    Audio {
        /// `wav`, `mp3`, …: the subtype of its media type.
        format: String,
        /// Base64.
        data: String,
    },
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// What a tool gave.
    ToolResult {
        /// The call's id.
        id: String,
        /// Texts, images, documents.
        parts: Vec<Part>,
        /// It failed.
        is_error: bool,
        /// As of text.
        cache: Option<Cache>,
    },
    /// The model thought.
    Thought(Thought),
    /// The model refused.
    Refusal(String),
    /// What only one dialect has: a server tool's call or result, an item of another kind. Kept whole, and understood by
    /// nobody else.
    Own {
        /// Whose it is.
        dialect: Dialect,
        /// As it was.
        json: Value,
    },
}

/// Where the bytes of a medium are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// To be fetched by the provider.
    Url(String),
    /// Here.
    Base64 {
        /// `image/png`, …
        media_type: String,
        /// Standard alphabet, padded.
        data: String,
    },
    /// Here, as plain text.
    Text(String),
    /// Uploaded to the provider before; means nothing to another.
    File(String),
}

/// Anthropic's mark that a prompt is cached up to here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// `5m`, `1h`.
    pub ttl: Option<String>,
}

/// What a text rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// The page.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// The words that are cited.
    pub cited_text: Option<String>,
    /// The span of the citing text, in characters, where it is known.
    pub span: Option<(u64, u64)>,
    /// The citation as its dialect has it, for its own kind.
    pub own: Option<(Dialect, Value)>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// What its result is to name. Never empty: where a dialect has none, its decoder makes one.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON as the model wrote it, or free text where the tool is [`ToolKind::Custom`].
    pub arguments: String,
    /// It calls a tool that takes free text.
    pub is_custom: bool,
    /// What must come back with it.
    pub seal: Option<Seal>,
}

/// What the model thought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thought {
    /// What may be read of it; may be empty.
    pub text: String,
    /// `text` is a summary, made for the reader, and not the thought itself.
    pub is_summary: bool,
    /// What must come back with it.
    pub seal: Option<Seal>,
    /// The item's id where its dialect has one.
    pub id: Option<String>,
}

/// A signature, or a thought that is encrypted: means something only to those who made it, and must reach them as it was.
///
/// In a history that speaks another dialect than its maker's it is wrapped ([`Seal::wrapped`]), so that it can be told from
/// that dialect's own when it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Whose it is.
    pub dialect: Dialect,
    /// The whole thought is in it, and nothing of it can be read (Anthropic's `redacted_thinking`).
    pub is_redacted: bool,
    /// As it was.
    pub value: String,
}

/// A tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// What it is.
    pub kind: ToolKind,
    /// As of text.
    pub cache: Option<Cache>,
}

/// What a tool is.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// The caller's own, called with JSON.
    Function {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// A JSON Schema; absent is no arguments.
        parameters: Option<Value>,
        /// The model must keep to the schema.
        strict: Option<bool>,
    },
    /// The caller's own, called with free text.
    Custom {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// OpenAI's `format`: a grammar.
        format: Option<Value>,
    },
    /// The provider's: it searches the web by itself.
    WebSearch {
        /// `low`, `medium`, `high`.
        context_size: Option<String>,
        /// The most searches.
        max_uses: Option<u64>,
        /// Search these hosts alone.
        allowed_domains: Vec<String>,
        /// Never these.
        blocked_domains: Vec<String>,
        /// Where the user is, as OpenAI and Anthropic have it (`{type: "approximate", city, region, country, timezone}`).
        user_location: Option<Value>,
    },
    /// The provider's, and of one dialect only: code execution, computer use, file search, MCP, …
    Own {
        /// Whose it is.
        dialect: Dialect,
        /// As it was.
        json: Value,
    },
}

/// Which tools are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model thinks.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
    /// One of these; where `required`, at least one.
    Among {
        /// Their names.
        names: Vec<String>,
        /// At least one is called.
        required: bool,
    },
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Any JSON object.
    JsonObject,
    /// JSON that keeps to a schema.
    JsonSchema {
        /// OpenAI's name of it; `answer` where the source has none and the target needs one.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The JSON Schema.
        schema: Value,
        /// To the letter.
        strict: Option<bool>,
    },
}

/// How much a model may think before it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thinking {
    /// Whether at all, where that is said by itself (Anthropic's `enabled`, `disabled`, `adaptive`).
    pub mode: Option<ThinkingMode>,
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    pub effort: Option<String>,
    /// The most tokens of thought.
    pub budget: Option<u64>,
    /// Whether the caller wants to read it: OpenAI's `summary` (`auto`, `concise`, `detailed`), Gemini's `includeThoughts`,
    /// Anthropic's `display`.
    pub shown: Option<String>,
}

/// Whether a model thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingMode {
    /// It does.
    On,
    /// It does not.
    Off,
    /// As it thinks fit.
    Adaptive,
}

impl Part {
    /// Text, and nothing else about it.
    pub fn text(text: impl Into<String>) -> Part {
        Part::Text { text: text.into(), citations: Vec::new(), cache: None }
    }

    /// The text of a text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Part::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// What precedes a seal in a dialect that is not its maker's.
const WRAPPING: &str = "turnout.";

impl Seal {
    /// The seal as a caller who speaks `dialect` is given it: as it is where it is that dialect's own, else so that
    /// [`Seal::unwrapped`] knows it again.
    pub fn wrapped(&self, dialect: Dialect) -> String {
        if self.dialect == dialect && !self.value.starts_with(WRAPPING) {
            return self.value.clone();
        }
        let form = if self.is_redacted { "r" } else { "s" };
        format!("{WRAPPING}{}.{form}.{}", self.dialect.as_str(), self.value)
    }

    /// What came back from a caller who speaks `dialect`.
    pub fn unwrapped(dialect: Dialect, value: &str) -> Seal {
        let wrapped = value.strip_prefix(WRAPPING).and_then(|rest| {
            let (maker, rest) = rest.split_once('.')?;
            let (form, value) = rest.split_once('.')?;
            let dialect = Dialect::named(maker)?;
            Some(Seal { dialect, is_redacted: form == "r", value: value.to_owned() })
        });
        wrapped.unwrap_or_else(|| Seal { dialect, is_redacted: false, value: value.to_owned() })
    }

    /// Whether it may be sent to a downstream that speaks `dialect`.
    pub fn is_of(&self, dialect: Dialect) -> bool {
        self.dialect == dialect
    }
}
