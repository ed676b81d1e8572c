//! What the rest of the worker has to know of Responses.

use super::said;
use crate::call::field::Field;
use crate::call::messages;
use crate::dialect::Dialect;
use crate::dialect::wire::{Address, Body, Metadata, Wire};

pub(crate) static WIRE: Wire = Wire {
    name: "openai_responses",
    nearest: &[Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini],
    body: Body {
        form: "a Responses request, such as {\"model\": …, \"input\": …}",
        fields: &[
            ("model", Field::Model),
            ("stream", Field::Stream),
            ("store", Field::Store),
            ("max_output_tokens", Field::MaxTokens),
            ("instructions", Field::System),
            ("input", Field::Messages),
            ("previous_response_id", Field::PreviousResponse),
            ("conversation", Field::Conversation),
        ],
        max_tokens_in: &[],
        metadata: Metadata::Whole,
        takes_user: true,
        usage_on_request: false,
        keeps_state: true,
        system_text: messages::content_text,
        said: said::of_input,
        has_image: messages::has_content_image,
    },
    address: Address {
        end: "/responses",
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
