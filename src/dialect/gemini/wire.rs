//! What the rest of the worker has to know of `generateContent`.

use serde_json::{Value, json};

use super::places::PLACES;
use super::plugin::PARTS;
use super::{Decoder, Encoder, error, loss, path, reading, said};
use crate::call::field::Field;
use crate::dialect::Dialect;
use crate::dialect::answer::Failure;
use crate::dialect::loss::Feature;
use crate::dialect::translate::coders;
use crate::dialect::wire::{Address, Body, Errors, Metadata, Models, Paths, Stream, Translation, Wire};
use crate::provider::AuthStyle;

pub(crate) static WIRE: Wire = Wire {
    name: "gemini",
    nearest: &[Dialect::Responses, Dialect::OpenAi, Dialect::Anthropic],
    paths: Paths {
        calls: &["/v1beta/models/{model}:generateContent", "/v1beta/models/{model}:streamGenerateContent"],
        lists: &[path::MODELS, "/v1beta/models/{id}"],
        at: path::at,
        likeness: path::likeness,
        known_by: None,
        shares_list: false,
        // Older clients do.
        key_in_query: true,
        methods: path::METHODS,
        version: "/v1beta",
        client_adds_version: true,
        ends: &[],
        list_end: None,
    },
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
    places: PLACES,
    plugins: PARTS,
    stream: Stream {
        marks: &["\"usageMetadata\"", "\"error\"", "\"finishReason\"", "\"blockReason\""],
        read_event: |_, data, _| reading::read(data),
        read_body: reading::read_body,
        read_torn: Some(|_, end| reading::read_torn(end)),
    },
    errors: Errors {
        body: |error| error::encode_error(&Failure::from(error)),
        event: |error| format!("data: {}\r\n\r\n", error::encode_error(&Failure::from(error))),
        overloaded: 503,
    },
    translation: Translation {
        decode_request: super::decode_request,
        encode_request: super::encode_request,
        decode_answer: super::decode_answer,
        encode_answer: super::encode_answer,
        decode_error: super::decode_error,
        encode_error: super::encode_error,
        decoder: || Box::new(Decoder::new()),
        encoder: |reply| Box::new(Encoder::new(reply)),
    },
    models: Models { list: |_, models| json!({"models": models}), one: model },
    fate: loss::fate,
    own_features: &[
        ("cachedContent", Feature::StoredState),
        ("responseModalities", Feature::SpokenAnswer),
        ("speechConfig", Feature::SpokenAnswer),
    ],
};

/// A model.
fn model(id: &str) -> Value {
    json!({
        "name": format!("models/{id}"),
        "displayName": id,
        "supportedGenerationMethods": path::METHODS.served,
    })
}

coders!(Decoder, Encoder);
