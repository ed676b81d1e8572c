//! Bodies to try: those of the calls are answered by the demo router of `make dev`.

use serde_json::{Value, json};

pub(super) fn chat() -> Value {
    json!({
        "model": "turnout/demo",
        "messages": [{"role": "user", "content": "Hello"}],
        "user": "user-123",
    })
}

pub(super) fn message() -> Value {
    json!({
        "model": "turnout/demo",
        "max_tokens": 200,
        "messages": [{"role": "user", "content": "Hello"}],
        "metadata": {"user_id": "user-123"},
    })
}

pub(super) fn response() -> Value {
    json!({"model": "turnout/demo", "input": "Hello", "user": "user-123"})
}

pub(super) fn contents() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}], "user": "user-123"})
}

/// A router of two variants and a condition.
pub(super) fn router() -> Value {
    json!({
        "name": "routers/ab-test-router",
        "routes": [{
            "route": {
                "route_id": "ab-test-route",
                "variants": [
                    {"variant": {"variant_id": "variant-a", "model_id": "openai/gpt-5"}, "weight": 80},
                    {"variant": {"variant_id": "variant-b", "model_id": "anthropic/claude-opus-4-6"}, "weight": 20},
                ],
            },
            "condition": {"cel_expression": "true"},
        }],
        "defaultRoute": {
            "route_id": "default",
            "variants": [{"variant": {"variant_id": "default-variant", "model_id": "openai/gpt-5"}, "weight": 100}],
        },
    })
}

/// One whose name is derived.
pub(super) fn user_aware() -> Value {
    json!({
        "displayName": "User-Aware",
        "routes": [
            {
                "condition": {"cel_expression": "language == \"es\""},
                "route": {"variants": [{"variant": {"modelId": "openai/gpt-5.2"}, "weight": 100}]},
            },
            {
                "condition": {"cel_expression": "plan == \"free\""},
                "route": {"variants": [{"variant": {"modelId": "anthropic/claude-haiku-4-5"}, "weight": 100}]},
            },
        ],
        "defaultRoute": {"variants": [{"variant": {"modelId": "anthropic/claude-sonnet-4-6"}, "weight": 100}]},
    })
}

pub(super) fn key() -> Value {
    json!({"name": "Mobile app", "scopes": ["call"], "routers": ["demo"], "tier": "standard"})
}

pub(super) fn downstream() -> Value {
    json!({
        "id": "azure-openai",
        "name": "Azure OpenAI",
        "base_url": "https://example.openai.azure.com/openai/v1",
        "api_formats": ["openai"],
        "output_model_ids": ["gpt-4o"],
    })
}

pub(super) fn rule() -> Value {
    json!({
        "id": "azure-gpt4o",
        "name": "GPT-4o at Azure",
        "pattern_path": "/v1/chat/completions",
        "pattern_models": ["azure-gpt4o"],
        "match_downstreams": ["azure-openai"],
        "pipeline_config": [{"plugin_id": "custom_header", "config": {"headers": {"x-team": "search"}}}],
        "is_enabled": true,
    })
}

pub(super) fn gateway() -> Value {
    json!({"downstreams": [downstream()], "rules": [rule()]})
}
