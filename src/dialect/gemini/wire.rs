//! What the rest of the worker has to know of `generateContent`.

use super::{path, said};
use crate::call::field::Field;
use crate::dialect::Dialect;
use crate::dialect::wire::{Address, Body, Metadata, Wire};
use crate::provider::AuthStyle;

pub(crate) static WIRE: Wire = Wire {
    name: "gemini",
    nearest: &[Dialect::Responses, Dialect::OpenAi, Dialect::Anthropic],
    body: Body {
        form: "a generateContent request, such as {\"contents\": […]}",
        // Model and stream are the path's. Google reads both spellings of every name.
        fields: &[
            ("generationConfig", Field::GenerationConfig),
            ("generation_config", Field::GenerationConfig),
            ("systemInstruction", Field::System),
            ("system_instruction", Field::System),
            ("contents", Field::Messages),
        ],
        max_tokens_in: &["maxOutputTokens", "max_output_tokens"],
        metadata: Metadata::Nothing,
        takes_user: false,
        usage_on_request: false,
        keeps_state: false,
        system_text: said::parts_text,
        said: said::of_contents,
        has_image: said::has_image,
    },
    address: Address {
        end: "/models",
        of_model: Some(path::push),
        count_tokens: None,
        version: "v1beta",
        other_versions: &["v1alpha"],
        version_anywhere: false,
        forwarded: &[],
        meant: &[],
        auth: |_| AuthStyle::XGoogApiKey,
    },
};
