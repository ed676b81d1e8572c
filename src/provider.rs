//! The built-in downstreams: where each is reached, which secret it reads, and what it expects of a request.
//!
//! In scope: providers, the dialects that each speaks, and at which path of its host. Out of scope: downstreams of the KV
//! document and their credentials (`gateway`), the request that is sent (`outbound`).

mod table;

use crate::dialect::Dialect;

pub use table::PROVIDERS;

/// A provider known by name: `openai/gpt-5` is its model `gpt-5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// What comes before the slash of a model; `^[a-z0-9][a-z0-9-]{0,62}$`.
    pub id: &'static str,
    /// For people.
    pub name: &'static str,
    /// Where its own dialects are: Chat Completions at this URL plus `/chat/completions`, and so on. `{NAME}` stands for a
    /// variable of the worker.
    pub base_url: &'static str,
    /// What it speaks, at least one; where a document names no formats, also what a downstream at its host speaks.
    pub spoken: &'static [Dialect],
    /// Dialects that are at another path of its host, with that path: those of `spoken`, and others that a document may name.
    pub elsewhere: &'static [(Dialect, &'static str)],
    /// What it expects of a request.
    pub habits: Habits,
}

/// What an endpoint expects of a request, beyond the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// The header that carries the credential of calls in OpenAI's dialects.
    pub auth: AuthStyle,
    /// The header that carries the credential of calls in Messages.
    pub messages_auth: AuthStyle,
    /// How a stream of Chat Completions has its usage. Every other dialect says it unasked.
    pub stream_usage: StreamUsage,
    /// Takes top-level `metadata` of Chat Completions where the call has `store: true`; others refuse it or ignore it.
    pub takes_metadata: bool,
    /// Has top-level `models` and `provider` as fields of its own, and `reasoning` as OpenRouter has it.
    pub takes_routing: bool,
    /// Takes `repetition_penalty` beside what is OpenAI's.
    pub takes_repetition_penalty: bool,
}

/// The header that carries a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthStyle {
    /// `authorization: Bearer K`
    Bearer,
    /// `authorization: Basic K`, K being what the provider hands out, already encoded.
    Basic,
    /// `api-key: K`
    ApiKey,
    /// `x-api-key: K`
    XApiKey,
    /// `x-goog-api-key: K`
    XGoogApiKey,
}

/// How the usage of a streamed answer is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// It takes `stream_options.include_usage`.
    OnRequest,
    /// It sends usage in any case, so it is never asked: that stream goes through untouched.
    Always,
    /// It refuses the field, or nothing public shows that it takes it; a stream's usage may stay unknown.
    Never,
}

/// Other names under which a provider is looked for: suggested in errors, never resolved, so that a model has one name.
pub const ALSO_KNOWN_AS: &[(&str, &str)] = &[
    ("azure-openai", "azure"),
    ("claude", "anthropic"),
    ("cloudflare", "workers-ai"),
    ("dashscope", "alibaba"),
    ("fireworks-ai", "fireworks"),
    ("fireworks_ai", "fireworks"),
    ("gemini", "google"),
    ("github-models", "github"),
    ("glm", "zai"),
    ("google-ai-studio", "google"),
    ("grok", "xai"),
    ("hf", "huggingface"),
    ("kimi", "moonshot"),
    ("mistralai", "mistral"),
    ("moonshotai", "moonshot"),
    ("nim", "nvidia"),
    ("novita-ai", "novita"),
    ("qwen", "alibaba"),
    ("together-ai", "together"),
    ("together_ai", "together"),
    ("togetherai", "together"),
    ("x-ai", "xai"),
    ("z-ai", "zai"),
    ("zhipu", "zai"),
];

/// The built-in of that id.
pub fn builtin(id: &str) -> Option<&'static Provider> {
    PROVIDERS
        .binary_search_by(|provider| provider.id.cmp(id))
        .ok()
        .and_then(|position| PROVIDERS.get(position))
}

/// The built-in whose `https` endpoint is at that host (lower case, no port). A host with a variable in it is matched
/// by what follows the variable: `my-resource.openai.azure.com` is Azure's.
pub fn at_host(host: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| match provider.host().split_once('}') {
        None => provider.host() == host,
        Some((_, rest)) => {
            host.strip_suffix(rest).is_some_and(|label| !label.is_empty() && !label.contains('.'))
        }
    })
}

impl Provider {
    /// The secret that holds its key: the id in upper case, `-` as `_`, and `_API_KEY`.
    pub fn secret(&self) -> String {
        format!("{}_API_KEY", self.id.to_ascii_uppercase().replace('-', "_"))
    }

    /// The host of its base URL; may begin with a variable.
    pub fn host(&self) -> &'static str {
        self.host_and_path().0
    }

    /// The path of its base URL, with a leading slash, or empty; may hold a variable.
    pub fn path(&self) -> &'static str {
        self.host_and_path().1
    }

    /// The path that a dialect is below, where it is known to be served at all.
    pub fn path_of(&self, dialect: Dialect) -> Option<&'static str> {
        let elsewhere = self.elsewhere.iter().find(|(other, _)| *other == dialect).map(|(_, path)| *path);
        elsewhere.or_else(|| self.spoken.contains(&dialect).then_some(self.path()))
    }

    /// Every path at which it serves a dialect.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.elsewhere.iter().map(|(_, path)| *path).chain([self.path()])
    }

    fn host_and_path(&self) -> (&'static str, &'static str) {
        // Every base URL of the table begins so; a test holds it to that.
        let rest = self.base_url.strip_prefix("https://").unwrap_or(self.base_url);
        rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, ""))
    }
}

impl Habits {
    /// The header that carries the credential of calls in a dialect: the dialect's own, but where the downstream has another.
    pub fn auth_for(&self, dialect: Dialect) -> AuthStyle {
        (dialect.wire().address.auth)(self)
    }
}

impl AuthStyle {
    /// The header's name, in lower case.
    pub fn header(self) -> &'static str {
        match self {
            AuthStyle::Bearer | AuthStyle::Basic => "authorization",
            AuthStyle::ApiKey => "api-key",
            AuthStyle::XApiKey => "x-api-key",
            AuthStyle::XGoogApiKey => "x-goog-api-key",
        }
    }

    /// The header's value.
    pub fn value(self, key: &str) -> String {
        match self {
            AuthStyle::Bearer => format!("Bearer {key}"),
            AuthStyle::Basic => format!("Basic {key}"),
            AuthStyle::ApiKey | AuthStyle::XApiKey | AuthStyle::XGoogApiKey => key.to_owned(),
        }
    }
}

impl Default for Habits {
    /// Those of a downstream of which nothing is known, a vLLM or an Ollama say.
    fn default() -> Self {
        PLAIN
    }
}

/// Each dialect's own header, asked for usage, and none of OpenAI's or OpenRouter's own fields.
pub(crate) const PLAIN: Habits = Habits {
    auth: AuthStyle::Bearer,
    messages_auth: AuthStyle::XApiKey,
    stream_usage: StreamUsage::OnRequest,
    takes_metadata: false,
    takes_routing: false,
    // vLLM, SGLang and TGI do; llama.cpp and Ollama pass over it.
    takes_repetition_penalty: true,
};
