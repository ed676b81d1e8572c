//! What the words in providers' errors mean: the `code`, `type` or `status` beside the message, never the message.
//!
//! In scope: one table for all providers; a provider that is not named here says the same as OpenAI or Google. A word is
//! found in any spelling: `model_not_found`, `ModelNotFound` and `MODEL-NOT-FOUND` are one. Out of scope: what follows
//! from a meaning ([`super::failure`]). The comments say who was seen to say a word, and with which status.

/// What a word stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The credential, the account or its money: whatever the status.
    Credentials,
    /// The model: whatever the status.
    Model,
    /// What an earlier call stored, where the status is that of a caller's mistake.
    State,
    /// The same, where the status is 404; else the caller's mistake.
    Missing,
    /// A status, where the answer's own says less.
    Status(u16),
}

/// The meaning of a word, where it is known.
pub(super) fn meaning(word: &str) -> Option<Meaning> {
    let found = WORDS.iter().find(|(_, words)| words.iter().any(|known| is_same(known, word)));
    found.map(|(meaning, _)| *meaning)
}

/// The same letters and digits, whatever stands between them and however they are written.
fn is_same(known: &str, word: &str) -> bool {
    letters(known).eq(letters(word))
}

fn letters(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

const WORDS: &[(Meaning, &[&str])] = &[
    (
        Meaning::Credentials,
        &[
            // OpenAI, 401; DashScope, 401 (`InvalidApiKey` too)
            "invalid_api_key",
            // OpenAI, 401: the account was closed
            "account_deactivated",
            // OpenAI, 429: no money left. DashScope says it, with 429, of a limit per minute too, and cannot be told apart:
            // either way another target is the answer, and the same one within seconds is not.
            "insufficient_quota",
            // OpenAI, 400 and 429: the spending limit that the operator set, or no way to pay
            "billing_hard_limit_reached",
            "billing_not_active",
            // Moonshot, 429: no balance; 401; 403
            "exceeded_current_quota_error",
            "invalid_authentication_error",
            "incorrect_api_key_error",
            "permission_denied_error",
            "access_terminated_error",
            // Anthropic, 401, 402 and 403; Moonshot's Anthropic dialect
            "authentication_error",
            "billing_error",
            "permission_error",
            // Google: `reason` of a 400; `status` of a 401 and of a 403
            "API_KEY_INVALID",
            "API_KEY_EXPIRED",
            "UNAUTHENTICATED",
            "PERMISSION_DENIED",
            // Google, 400: the country that the call comes from, which on Workers is where the isolate runs; no billing there
            "FAILED_PRECONDITION",
            // DashScope, 400: overdue payment; 403
            "Arrearage",
            "AccessDenied.Unpurchased",
            // Volcengine, 403: overdue payment
            "AccountOverdueError",
            // Cerebras, 401 and 402
            "wrong_api_key",
            "payment_required",
            // ZenMux, 402; DeepSeek and others behind resellers, 402
            "insufficient_credit",
            "insufficient_credits",
            "insufficient_balance",
            "reject_no_credit",
            // Z.ai, 429: account overdue; locked; plan over
            "1113",
            "1112",
            "1309",
        ],
    ),
    (
        Meaning::Model,
        &[
            // OpenAI, 404, and 403 where the project has no access to it; DashScope (`ModelNotFound`); resellers, 503
            "model_not_found",
            // Groq, 400
            "model_decommissioned",
            // Groq, 404 and 403
            "model_not_active",
            "model_permission_blocked_project",
            "model_permission_blocked_org",
            // Mistral, 400: `code` stands before `type`
            "1500",
            "invalid_model",
            // Together, 404 and 400
            "model_not_available",
            // Azure, 404; 400 where the deployment is of another kind of model
            "DeploymentNotFound",
            "OperationNotSupported",
            // Azure and GitHub Models, 400 and 404
            "unknown_model",
            "unavailable_model",
            // Moonshot, 404
            "resource_not_found_error",
            // Volcengine, 404
            "ModelNotOpen",
            "InvalidEndpointOrModel.NotFound",
            "InvalidEndpoint.ClosedEndpoint",
            // ZenMux, 404; Hugging Face's router, 400
            "model_not_supported",
            // Z.ai, 400: no such model; not in the plan
            "1211",
            "1311",
        ],
    ),
    (
        Meaning::State,
        &[
            // OpenAI's Responses, 400: `code`. Where there is none, `relay` takes the field at fault for a word.
            "previous_response_not_found",
            "previous_response_id",
            "conversation_not_found",
            "conversation",
            // OpenAI's Responses, 400: thoughts of another account
            "invalid_encrypted_content",
        ],
    ),
    (
        Meaning::Missing,
        // OpenAI's Responses: an item of the input, or a conversation, that is not stored there, is a 404 without a code. A
        // model that is missing has one.
        &["input", "unspecified_invalid_request"],
    ),
    (
        Meaning::Status(429),
        &[
            // OpenAI, 429. Groq, 429, and 413 where one request alone is larger than the minute's tokens: this target
            // will never take it, another may. So a 400, 403, 413 or 422 with one of these leads on as a 429 would.
            "rate_limit_exceeded",
            // OpenAI and Groq, 429: the `type`, where the `code` is null
            "tokens",
            "requests",
            // Anthropic and many others, 429
            "rate_limit_error",
            "rate_limit",
            // Mistral, 429: `code` and `type`; capacity
            "1300",
            "rate_limited",
            "3505",
            "service_tier_capacity_exceeded",
            // Moonshot, 429
            "rate_limit_reached_error",
            // Cerebras, 429
            "request_quota_exceeded",
            "token_quota_exceeded",
            "queue_exceeded",
            "too_many_requests_error",
            "too_many_requests",
            // Google, 429 and, in older services, 403
            "RESOURCE_EXHAUSTED",
            "quota_exceeded",
            // DashScope, 429; Bedrock, 400 and 429
            "Throttling",
            "Throttling.RateQuota",
            "Throttling.BurstRate",
            "Throttling.AllocationQuota",
            "ThrottlingException",
            "limit_requests",
            // Azure, 429; inside a stream too
            "RateLimitReached",
            "TooManyRequests",
            // Z.ai, 429: at once, in a while, the service, the model
            "1302",
            "1303",
            "1305",
            "1312",
        ],
    ),
    (
        Meaning::Status(529),
        // Anthropic, 529, and first in a stream of status 200
        &["overloaded_error", "overloaded"],
    ),
    (
        Meaning::Status(503),
        &[
            // OpenAI, first in a stream of status 200, and 503
            "server_is_overloaded",
            "service_unavailable_error",
            "service_unavailable",
            // OpenAI, 503: too many calls more than a moment ago
            "slow_down",
            // Moonshot, 429
            "engine_overloaded_error",
            // Google, 503; 499, where it gave up by itself
            "UNAVAILABLE",
            "CANCELLED",
            // Volcengine, 429; Bedrock, 503
            "ServerOverloaded",
            "ServiceUnavailableException",
        ],
    ),
    (
        Meaning::Status(504),
        // Anthropic, 504; Google, 504; vLLM and others behind a balancer
        &[
            "timeout_error",
            "DEADLINE_EXCEEDED",
            "gateway_timeout",
            "request_timeout",
            "timeout",
            "vector_store_timeout",
        ],
    ),
    (
        Meaning::Status(500),
        &[
            // OpenAI and Moonshot, 500
            "server_error",
            // Anthropic, 500
            "api_error",
            // Google, 500
            "INTERNAL",
            "UNKNOWN",
            "DATA_LOSS",
            // vLLM, SGLang and many others, 500
            "internal_error",
            "internal_server_error",
            "InternalServiceError",
        ],
    ),
    // Less than a credential's own words: they count inside a 200 alone. Proxies of every kind; ZenMux; OpenAI, of regions.
    (Meaning::Status(401), &["unauthorized"]),
    (Meaning::Status(402), &["quote_exceeded"]),
    (Meaning::Status(403), &["forbidden", "access_denied", "request_forbidden"]),
    (
        Meaning::Status(404),
        // Anthropic; Google; vLLM. Of a call to a model, it can only be the model.
        &["not_found_error", "NOT_FOUND"],
    ),
    (
        Meaning::Status(409),
        // Anthropic; Google
        &["conflict_error", "ABORTED", "ALREADY_EXISTS"],
    ),
    (
        Meaning::Status(413),
        // Anthropic, 413
        &["request_too_large"],
    ),
    (
        Meaning::Status(400),
        &[
            // OpenAI and all who copy it; vLLM (`BadRequestError`); Google
            "invalid_request_error",
            "invalid_request",
            "bad_request",
            "BadRequestError",
            "INVALID_ARGUMENT",
            "OUT_OF_RANGE",
            "InvalidParameter",
            "invalid_value",
            "unsupported_parameter",
            "unsupported_value",
            // too long: OpenAI, Groq, OpenRouter
            "context_length_exceeded",
            "string_above_max_length",
            "max_tokens_exceeded",
            // moderated: Azure, OpenAI, Moonshot; DashScope; Z.ai
            "content_filter",
            "content_policy_violation",
            "data_inspection_failed",
            "1301",
            // OpenAI's Responses, in `response.failed`: what was sent is at fault
            "invalid_prompt",
            "bio_policy",
            "invalid_image",
            "invalid_image_format",
            "invalid_image_mode",
            "invalid_image_url",
            "invalid_base64_image",
            "image_content_policy_violation",
            "image_file_not_found",
            "image_file_too_large",
            "image_parse_error",
            "image_too_large",
            "image_too_small",
            "empty_image_file",
            "failed_to_download_image",
            "unsupported_image_media_type",
            // Groq, first in a stream of status 200: the model wrote no valid call of a tool
            "tool_use_failed",
            "json_validate_failed",
        ],
    ),
];
