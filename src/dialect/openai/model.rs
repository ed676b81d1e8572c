//! What a model's name tells of the API behind it, since the encoder is told nothing else of the downstream.
//!
//! OpenAI's own models refuse `max_tokens` (those that think) and know custom tools and `allowed_tools`; most who only
//! speak the dialect refuse `max_completion_tokens` or read over it, and know functions alone.

/// The name without a provider before it (`openai/gpt-5`) or a mark of fine-tuning (`ft:gpt-4o:…`).
fn bare(model: &str) -> &str {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.strip_prefix("ft:").unwrap_or(name)
}

/// Whether it is a model that OpenAI serves under its own API.
pub(super) fn is_openais(model: &str) -> bool {
    let name = bare(model);
    let is_o_series =
        name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    // Their open weights are served by others.
    let is_gpt = name.starts_with("gpt-") && !name.starts_with("gpt-oss");
    is_o_series
        || is_gpt
        || ["chatgpt-", "codex-", "computer-use-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether it is one of OpenAI's that never think, and refuse to be told how much.
pub(super) fn never_thinks(model: &str) -> bool {
    let name = bare(model);
    ["gpt-3.5", "gpt-4", "chatgpt-4o"].iter().any(|prefix| name.starts_with(prefix))
}
