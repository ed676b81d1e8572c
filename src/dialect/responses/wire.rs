//! What the rest of the worker has to know of Responses.

use serde_json::json;

use super::places::PLACES;
use super::plugin::PARTS;
use super::{Decoder, Encoder, error, loss, reading, said};
use crate::call::field::Field;
use crate::call::messages;
use crate::dialect::Dialect;
use crate::dialect::answer::Failure;
use crate::dialect::loss::Feature;
use crate::dialect::translate::coders;
use crate::dialect::wire::{
    Address, Body, Errors, Likeness, Metadata, Methods, Models, Paths, Stream, Translation, Wire,
};
use crate::endpoint::call_at;

pub(crate) static WIRE: Wire = Wire {
    name: "openai_responses",
    nearest: &[Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini],
    paths: Paths {
        calls: &["/v1/responses"],
        lists: &[],
        at: |path, _| Ok(call_at(Dialect::Responses, path)),
        likeness: |path| Likeness::by_word(path, "responses"),
        known_by: None,
        shares_list: false,
        key_in_query: false,
        methods: Methods::NONE,
        version: "/v1",
        client_adds_version: false,
        ends: &["/responses"],
        list_end: None,
    },
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
    places: PLACES,
    plugins: PARTS,
    stream: Stream {
        marks: &[
            "\"usage\"",
            "\"error\"",
            "\"response.completed\"",
            "\"response.incomplete\"",
            "\"response.failed\"",
        ],
        read_event: reading::read_event,
        read_body: |json| reading::read_body(json).into_iter().collect(),
        read_torn: Some(reading::read_torn),
    },
    errors: Errors {
        body: |error| error::encode(&Failure::from(error)),
        event: |error| format!("event: error\ndata: {}\n\n", error::refusal_event(error)),
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
    // Its clients are Chat Completions' too, and list models as such.
    models: Models {
        list: |_, models| json!({"object": "list", "data": models}),
        one: crate::dialect::openai::model,
    },
    fate: loss::fate,
    own_features: &[
        ("previous_response_id", Feature::StoredState),
        ("conversation", Feature::StoredState),
        ("background", Feature::StoredState),
        ("prompt", Feature::StoredState),
        ("item_reference", Feature::StoredState),
    ],
};

coders!(Decoder, Encoder);
