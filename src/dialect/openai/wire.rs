//! What the rest of the worker has to know of Chat Completions.

use super::places::PLACES;
use super::{Decoder, Encoder, error, loss, reading};
use crate::call::field::Field;
use crate::call::messages;
use crate::dialect::Dialect;
use crate::dialect::loss::Feature;
use crate::dialect::translate::coders;
use crate::dialect::wire::{Address, Body, Errors, Metadata, Stream, Translation, Wire};

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
    places: PLACES,
    stream: Stream {
        marks: &["\"usage\"", "\"error\"", "\"finish_reason\""],
        read_event: |_, data, _| reading::read(data),
        read_body: |json| reading::read(json).into_iter().collect(),
        read_torn: None,
    },
    errors: Errors {
        body: error::refusal,
        event: |error| format!("data: {}\n\n", error::refusal(error)),
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
    fate: loss::fate,
    own_features: &[("modalities", Feature::SpokenAnswer), ("audio", Feature::SpokenAnswer)],
};

coders!(Decoder, Encoder);
