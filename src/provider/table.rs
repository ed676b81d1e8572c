//! The table itself, by id. A comment gives where a base URL, what is said about usage in streams, and any dialect but Chat
//! Completions was read: the provider's own pages, or open code that calls it. Nothing here was tried with a key.
//!
//! "Recorded" means that a recorded stream shows it. `never` without a word on a refusal means that no source was
//! found: a provider that does not know `stream_options` may answer 4xx, and that is worse than an unknown usage.

use super::{AuthStyle, Habits, PLAIN, Provider, StreamUsage};
use crate::dialect::Dialect::{self, Anthropic, Gemini, OpenAi, Responses};

/// Every built-in, by id.
pub const PROVIDERS: &[Provider] = &[
    // docs.ai21.com/reference/jamba-1-6-api-ref; BerriAI/litellm get_llm_provider_logic.py
    provider("ai21", "AI21", "https://api.ai21.com/studio/v1").never(),
    // alibabacloud.com/help/en/model-studio/stream: stream_options.include_usage; the endpoint is the international one
    provider(
        "alibaba",
        "Alibaba Cloud Model Studio",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    ),
    // platform.claude.com/docs/en/api/messages. Its Chat Completions are for trials (docs/en/api/openai-sdk: stream_options
    // taken, metadata ignored), so a document must name them
    provider("anthropic", "Anthropic", "https://api.anthropic.com/v1")
        .speaks(&[Anthropic])
        .at(&[(OpenAi, "/v1")]),
    // learn.microsoft.com/azure/foundry/openai/api-version-lifecycle: the v1 API, no api-version; .../how-to/responses
    provider("azure", "Azure OpenAI", "https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1")
        .speaks(&[OpenAi, Responses])
        .auth(AuthStyle::ApiKey)
        .metadata(),
    // vercel/ai packages/baseten
    provider("baseten", "Baseten", "https://inference.baseten.co/v1").never(),
    // inference-docs.cerebras.ai/resources/openai; blue-pen5805/llm-proxy-on-cloudflare-workers lists stream_options
    provider("cerebras", "Cerebras", "https://api.cerebras.ai/v1"),
    // docs.cohere.com/docs/compatibility-api; refuses stream_options: strandsagents.com, model providers, Cohere
    provider("cohere", "Cohere", "https://api.cohere.ai/compatibility/v1").never(),
    // deepinfra.com/docs/advanced/openai_api
    provider("deepinfra", "DeepInfra", "https://api.deepinfra.com/v1/openai").never(),
    // api-docs.deepseek.com: /v1 is kept for OpenAI SDKs, guides/anthropic_api: x-api-key; crate ds-api has
    // stream_options.include_usage
    provider("deepseek", "DeepSeek", "https://api.deepseek.com/v1")
        .speaks(&[OpenAi, Anthropic])
        .at(&[(Anthropic, "/anthropic/v1")]),
    // BerriAI/litellm get_llm_provider_logic.py; langchain-fireworks 1.2 asks for usage by default
    provider("fireworks", "Fireworks AI", "https://api.fireworks.ai/inference/v1"),
    // docs.github.com/rest/models/inference: stream_options.include_usage
    provider("github", "GitHub Models", "https://models.github.ai/inference"),
    // ai.google.dev/api/generate-content. Its Chat Completions (gemini-api/docs/openai, a beta) take stream_options, and may
    // send usage unasked: discuss.ai.google.dev, 92785; a document must name them
    provider("google", "Google Gemini", "https://generativelanguage.googleapis.com/v1beta")
        .speaks(&[Gemini])
        .at(&[(OpenAi, "/v1beta/openai")]),
    // vercel/ai pull request 1578; recorded: `usage` in the last chunk, unasked
    provider("groq", "Groq", "https://api.groq.com/openai/v1").always(),
    // huggingface.co/docs/inference-providers/tasks/chat-completion: stream_options.include_usage
    provider("huggingface", "Hugging Face Inference Providers", "https://router.huggingface.co/v1"),
    // Portkey-AI/gateway src/providers/hyperbolic
    provider("hyperbolic", "Hyperbolic", "https://api.hyperbolic.xyz/v1").never(),
    // Portkey-AI/gateway src/providers/inference-net
    provider("inference-net", "Inference.net", "https://api.inference.net/v1").never(),
    // docs.inworld.ai/router: keys are handed out encoded, for Basic; usage is always in the answer; Messages with any model
    provider("inworld", "Inworld", "https://api.inworld.ai/v1")
        .speaks(&[OpenAi, Anthropic])
        .auth(AuthStyle::Basic)
        .messages_auth(AuthStyle::Basic)
        .always(),
    // platform.minimax.io/docs/api-reference/text-openai-api; a Rust adapter notes that it does not take stream_options;
    // .../text-anthropic-api: x-api-key by the SDK, Bearer in its curl
    provider("minimax", "MiniMax", "https://api.minimax.io/v1")
        .speaks(&[OpenAi, Anthropic])
        .at(&[(Anthropic, "/anthropic/v1")])
        .never(),
    // refuses stream_options: avante.nvim issue 2347, BerriAI/litellm issue 8978; recorded: usage in the last chunk
    provider("mistral", "Mistral", "https://api.mistral.ai/v1").always(),
    // platform.kimi.ai/docs/api; vercel/ai packages/moonshotai asks for usage; its pages on Claude Code set
    // ANTHROPIC_BASE_URL to /anthropic and ANTHROPIC_AUTH_TOKEN, which is Bearer
    provider("moonshot", "Moonshot AI", "https://api.moonshot.ai/v1")
        .speaks(&[OpenAi, Anthropic])
        .at(&[(Anthropic, "/anthropic/v1")])
        .messages_auth(AuthStyle::Bearer),
    // docs.tokenfactory.nebius.com/api-reference/introduction; strandsagents.com calls it with stream_options
    provider("nebius", "Nebius Token Factory", "https://api.tokenfactory.nebius.com/v1"),
    // novita.ai/docs; docs.litellm.ai/docs/providers/novita lists stream_options
    provider("novita", "Novita AI", "https://api.novita.ai/openai/v1"),
    // docs.nvidia.com/nim: vLLM's server; docs.pipecat.ai, services, NVIDIA, which asks for usage
    provider("nvidia", "NVIDIA NIM", "https://integrate.api.nvidia.com/v1"),
    // platform.openai.com/docs/api-reference/chat/create: metadata needs store: true
    provider("openai", "OpenAI", "https://api.openai.com/v1").speaks(&[OpenAi, Responses]).metadata(),
    // openrouter.ai/docs: usage is always in the stream, include_usage has no effect; models and provider are its own;
    // docs/api/api-reference/anthropic-messages/create-a-message: Bearer. Its Responses are a beta;
    // docs/client-sdks/python/components/defaultparameters: repetition_penalty
    provider("openrouter", "OpenRouter", "https://openrouter.ai/api/v1")
        .speaks(&[OpenAi, Anthropic])
        .messages_auth(AuthStyle::Bearer)
        .always()
        .routing()
        .repetition(),
    // docs.perplexity.ai/docs/sonar/openai-compatibility: no version in the path; recorded: usage in every chunk
    provider("perplexity", "Perplexity", "https://api.perplexity.ai").always(),
    // docs.sambanova.ai; llama-index-llms-sambanovasystems asks for usage
    provider("sambanova", "SambaNova", "https://api.sambanova.ai/v1"),
    // pipecat-ai/pipecat services/together, which asks for usage; Portkey-AI/gateway src/providers/together-ai:
    // repetition_penalty
    provider("together", "Together AI", "https://api.together.xyz/v1").repetition(),
    // console.upstage.ai/api-keys
    provider("upstage", "Upstage", "https://api.upstage.ai/v1").never(),
    // developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility; @cloudflare/workers-types: stream_options
    provider(
        "workers-ai",
        "Cloudflare Workers AI",
        "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
    ),
    // vercel/ai packages/xai, which asks for usage; recorded; docs.x.ai: Responses are what it recommends, and what it had
    // for Anthropic's SDK is deprecated
    provider("xai", "xAI", "https://api.x.ai/v1").speaks(&[OpenAi, Responses]),
    // docs.z.ai/guides/capabilities/streaming: usage is in the last chunk; docs.z.ai/devpack/tool/claude sets
    // ANTHROPIC_BASE_URL to /api/anthropic and ANTHROPIC_AUTH_TOKEN, which is Bearer
    provider("zai", "Z.AI", "https://api.z.ai/api/paas/v4")
        .speaks(&[OpenAi, Anthropic])
        .at(&[(Anthropic, "/api/anthropic/v1")])
        .messages_auth(AuthStyle::Bearer)
        .always(),
];

const fn provider(id: &'static str, name: &'static str, base_url: &'static str) -> Provider {
    let habits = Habits { takes_repetition_penalty: false, ..PLAIN };
    Provider { id, name, base_url, spoken: &[OpenAi], elsewhere: &[], habits }
}

impl Provider {
    const fn speaks(self, spoken: &'static [Dialect]) -> Self {
        Provider { spoken, ..self }
    }

    const fn at(self, elsewhere: &'static [(Dialect, &'static str)]) -> Self {
        Provider { elsewhere, ..self }
    }

    const fn always(self) -> Self {
        self.with(Habits { stream_usage: StreamUsage::Always, ..self.habits })
    }

    const fn never(self) -> Self {
        self.with(Habits { stream_usage: StreamUsage::Never, ..self.habits })
    }

    const fn auth(self, auth: AuthStyle) -> Self {
        self.with(Habits { auth, ..self.habits })
    }

    const fn messages_auth(self, messages_auth: AuthStyle) -> Self {
        self.with(Habits { messages_auth, ..self.habits })
    }

    const fn metadata(self) -> Self {
        self.with(Habits { takes_metadata: true, ..self.habits })
    }

    const fn routing(self) -> Self {
        self.with(Habits { takes_routing: true, ..self.habits })
    }

    const fn repetition(self) -> Self {
        self.with(Habits { takes_repetition_penalty: true, ..self.habits })
    }

    const fn with(self, habits: Habits) -> Self {
        Provider { habits, ..self }
    }
}
