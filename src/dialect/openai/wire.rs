//! What the rest of the worker has to know of Chat Completions.

use crate::call::field::Field;
use crate::call::messages;
use crate::dialect::Dialect;
use crate::dialect::wire::{Address, Body, Metadata, Wire};

pub(crate) static WIRE: Wire = Wire {
    name: "openai",
    nearest: &[Dialect::Responses, Dialect::Anthropic, Dialect::Gemini],
    body: Body {
        form: "a Chat Completions request, such as {\"model\": …, \"messages\": […]}",
        fields: &[
            ("model", Field::Model),
            ("stream", Field::Stream),
            ("stream_options", Field::StreamOptions),
            ("store", Field::Store),
            ("max_tokens", Field::MaxTokens),
            ("max_completion_tokens", Field::MaxCompletionTokens),
            ("functions", Field::Functions),
            ("messages", Field::Messages),
        ],
        max_tokens_in: &[],
        metadata: Metadata::WhereStored,
        takes_user: true,
        usage_on_request: true,
        keeps_state: false,
        system_text: messages::content_text,
        said: messages::of_chat,
        has_image: messages::has_content_image,
    },
    address: Address {
        end: "/chat/completions",
        of_model: None,
        count_tokens: None,
        version: "v1",
        other_versions: &[],
        version_anywhere: true,
        forwarded: &["idempotency-key", "openai-beta"],
        meant: &[],
        auth: |habits| habits.auth,
    },
};
