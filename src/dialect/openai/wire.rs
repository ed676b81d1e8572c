//! What the rest of the worker has to know of Chat Completions.

use serde_json::{Value, json};

use super::places::PLACES;
use super::plugin::PARTS;
use super::{Decoder, Encoder, error, loss, reading};
use crate::call::field::Field;
use crate::call::messages;
use crate::dialect::Dialect;
use crate::dialect::loss::Feature;
use crate::dialect::translate::coders;
use crate::dialect::wire::{
    Address, Body, Errors, Likeness, Metadata, Methods, Models, Paths, Stream, Translation, Wire,
};
use crate::endpoint::{Endpoint, Found, GET, call_at, decoded, id_after, names_a_method};
use crate::error::Error;

pub(crate) static WIRE: Wire = Wire {
    name: "openai",
    nearest: &[Dialect::Responses, Dialect::Anthropic, Dialect::Gemini],
    paths: Paths {
        calls: &["/v1/chat/completions"],
        lists: &[MODELS, "/v1/models/{id}"],
        at,
        likeness,
        known_by: None,
        shares_list: true,
        key_in_query: false,
        methods: Methods::NONE,
        version: "/v1",
        client_adds_version: false,
        ends: &["/chat/completions"],
        list_end: Some("/models"),
    },
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
    plugins: PARTS,
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
    models: Models { list: |_, models| json!({"object": "list", "data": models}), one: model },
    fate: loss::fate,
    own_features: &[("modalities", Feature::SpokenAnswer), ("audio", Feature::SpokenAnswer)],
};

/// The list of models.
const MODELS: &str = "/v1/models";

/// What stands at a path.
fn at(path: &str, _: &str) -> Result<Option<Found>, Error> {
    if path == MODELS {
        return Ok(Some((Endpoint::Models(Dialect::OpenAi), GET)));
    }
    match id_after(MODELS, path) {
        // The base URL is another dialect's.
        Some(id) if names_a_method(id) => Ok(None),
        Some(id) => Ok(Some((Endpoint::Model(Dialect::OpenAi, decoded(id)?), GET))),
        None => Ok(call_at(Dialect::OpenAi, path)),
    }
}

/// By its endpoint, or the list of models.
fn likeness(path: &str) -> Likeness {
    if path.ends_with("/chat/completions") {
        Likeness::Endpoint
    } else if path.split('/').any(|segment| segment == "models") {
        Likeness::List
    } else {
        Likeness::None
    }
}

/// A model, as OpenAI's clients read it. They want a time of creation; KV keeps none, and a made-up one would be a lie.
pub(in crate::dialect) fn model(id: &str) -> Value {
    let owner = id.split_once('/').map_or("turnout", |(owner, _)| owner);
    json!({"id": id, "object": "model", "created": 0, "owned_by": owner})
}

coders!(Decoder, Encoder);
