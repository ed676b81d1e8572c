//! What the rest of the worker has to know of Messages.

use serde_json::{Value, json};

use super::places::PLACES;
use super::plugin::PARTS;
use super::{Decoder, Encoder, error, loss, reading};
use crate::call::field::Field;
use crate::call::messages;
use crate::dialect::Dialect;
use crate::dialect::answer::Failure;
use crate::dialect::translate::coders;
use crate::dialect::wire::{
    Address, Body, Errors, Likeness, Metadata, Methods, Models, Paths, Stream, Translation, Wire,
};
use crate::endpoint::{Ask, Endpoint, Found, Operation, POST, call_at};
use crate::error::Error;

const VERSION: &str = "anthropic-version";

/// The version that our translation writes, and that callers mean who name none. It is not the newest: since 2026-10-21
/// Messages refuse `temperature`, `top_p` and `top_k`, and callers of that version say so themselves. Nothing that a
/// translated request holds needs `anthropic-beta` here: `output_config` (structured outputs, effort) and `ttl` of
/// `cache_control` are generally available.
const VERSION_MEANT: &str = "2023-06-01";

pub(crate) static WIRE: Wire = Wire {
    name: "anthropic",
    nearest: &[Dialect::Responses, Dialect::OpenAi, Dialect::Gemini],
    paths: Paths {
        calls: &["/v1/messages", COUNT_TOKENS],
        lists: &[],
        at,
        likeness: |path| Likeness::by_word(path, "messages"),
        known_by: Some(VERSION),
        shares_list: false,
        key_in_query: false,
        methods: Methods::NONE,
        version: "/v1",
        client_adds_version: true,
        ends: &["/messages/count_tokens", "/messages"],
        list_end: None,
    },
    body: Body {
        form: "a Messages request, such as {\"model\": …, \"max_tokens\": …, \"messages\": […]}",
        fields: &[
            ("model", Field::Model),
            ("stream", Field::Stream),
            ("max_tokens", Field::MaxTokens),
            ("system", Field::System),
            ("messages", Field::Messages),
        ],
        max_tokens_in: &[],
        metadata: Metadata::UserIdAlone,
        takes_user: false,
        usage_on_request: false,
        keeps_state: false,
        system_text: messages::content_text,
        said: messages::of_chat,
        has_image: messages::has_content_image,
    },
    address: Address {
        end: "/messages",
        of_model: None,
        count_tokens: Some("/messages/count_tokens"),
        version: "v1",
        other_versions: &[],
        version_anywhere: false,
        forwarded: &[VERSION, "anthropic-beta"],
        meant: &[(VERSION, VERSION_MEANT)],
        auth: |habits| habits.messages_auth,
    },
    places: PLACES,
    plugins: PARTS,
    stream: Stream {
        marks: &["\"usage\"", "\"error\"", "\"stop_reason\"", "\"message_stop\""],
        read_event: |name, data, _| reading::read_event(name, data),
        read_body: |json| reading::read_body(json).into_iter().collect(),
        read_torn: None,
    },
    errors: Errors {
        body: |error| error::encode_error(&Failure::from(error)),
        event: |error| format!("event: error\ndata: {}\n\n", error::encode_error(&Failure::from(error))),
        overloaded: 529,
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
    models: Models { list, one: model },
    fate: loss::fate,
    own_features: &[],
};

const COUNT_TOKENS: &str = "/v1/messages/count_tokens";

/// What stands at a path.
fn at(path: &str, _: &str) -> Result<Option<Found>, Error> {
    if path == COUNT_TOKENS {
        let (operation, stream) = (Operation::CountTokens, Some(false));
        let ask = Ask { operation, stream, ..Ask::of(Dialect::Anthropic) };
        return Ok(Some((Endpoint::Call(ask), POST)));
    }
    Ok(call_at(Dialect::Anthropic, path))
}

fn list(ids: &[String], models: Vec<Value>) -> Value {
    json!({"data": models, "has_more": false, "first_id": ids.first(), "last_id": ids.last()})
}

/// A model. Clients want a time of creation; KV keeps none, and a made-up one would be a lie.
fn model(id: &str) -> Value {
    json!({"type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z"})
}

coders!(Decoder, Encoder);
