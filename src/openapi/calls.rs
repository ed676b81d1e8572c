//! The operations outside of the control API: model calls in every dialect, lists of models, liveness.

use serde_json::{Map, Value, json};

use super::examples;
use super::parts::{self, CALL_HEADERS, add_errors, header_references, in_path, in_query};
use super::schemas::Schemas;
use crate::document::{Field, Kind, field, required};
use crate::error::ErrorKind;
use crate::exchange;

/// Every fault that a call can meet before an upstream has its say.
const CALL_ERRORS: &[ErrorKind] = &[
    ErrorKind::InvalidRequest,
    ErrorKind::InvalidKey,
    ErrorKind::NotConfigured,
    ErrorKind::MissingScope,
    ErrorKind::ModelNotAllowed,
    ErrorKind::ModelNotFound,
    ErrorKind::NoRouteMatched,
    ErrorKind::BodyTooLarge,
    ErrorKind::RateLimited,
    ErrorKind::UpstreamCredentials,
    ErrorKind::UpstreamModel,
    ErrorKind::UpstreamUnreachable,
    ErrorKind::InvalidRouter,
    ErrorKind::InvalidGateway,
    ErrorKind::ConfigUnavailable,
    ErrorKind::UpstreamTimeout,
];

const LIST_ERRORS: &[ErrorKind] = &[
    ErrorKind::InvalidKey,
    ErrorKind::NotConfigured,
    ErrorKind::InvalidGateway,
    ErrorKind::ConfigUnavailable,
];

const GET_ERRORS: &[ErrorKind] = &[
    ErrorKind::InvalidKey,
    ErrorKind::NotConfigured,
    ErrorKind::ModelNotAllowed,
    ErrorKind::ModelNotFound,
    ErrorKind::InvalidRouter,
    ErrorKind::InvalidGateway,
    ErrorKind::ConfigUnavailable,
];

const MODEL_NAME: Kind = Kind::Filled(256);

const MODEL: Field = required(
    "model",
    MODEL_NAME,
    "A router (`turnout/<router>`, `inworld/<router>`, `routers/<router>`, or its bare name), a model that a downstream lists, \
     `auto`, or `<provider>/<model>`.",
);
const STREAM: Field = field("stream", Kind::Boolean, "Whether the answer is streamed.");
const USER: Field = field("user", Kind::Text, "Who is assigned a variant.");
const SAFETY_IDENTIFIER: Field =
    field("safety_identifier", Kind::Text, "Who is assigned, where there is no `user`.");
const METADATA: Field = field(
    "metadata",
    Kind::Map(&Kind::Any),
    "What conditions look at, each by its name; at most 64 names, 16 KiB and 8 levels. Goes on only where the target takes it.",
);
const MODELS: Field = field(
    "models",
    Kind::Few(&MODEL_NAME, 0, 16),
    "Models to call in turn where the first fails; of `auto`, the pool. Never a router.",
);
const FALLBACK: Field = field("fallback", Kind::Object(&exchange::ASKED), "How this call fails over.");
const IGNORE: Field = field(
    "ignore",
    Kind::Either(&[MODEL_NAME, Kind::Few(&MODEL_NAME, 0, 64)]),
    "Providers, or `provider/model`s, that are not to be called.",
);
const SORT: Field = field("sort", exchange::order::SORT, "By what the models are put in order.");
const PROVIDER: Field =
    field("provider", Kind::Object(&exchange::order::PROVIDER), "Which providers go first.");
const PROMPT_VARIABLES: Field =
    field("prompt_variables", Kind::Map(&Kind::Any), "What `{{names}}` in a variant's templates stand for.");
const EXTRA_BODY: Field = field(
    "extra_body",
    Kind::Map(&Kind::Any),
    "The same fields once more, as some SDKs nest them; its other members move to the top level.",
);

const CHAT: &[Field] = &[
    MODEL,
    field("messages", Kind::Any, "The conversation, as Chat Completions have it."),
    STREAM,
    field("stream_options", Kind::Object(&STREAM_OPTIONS), "As Chat Completions have it."),
    USER,
    SAFETY_IDENTIFIER,
    METADATA,
    MODELS,
    FALLBACK,
    IGNORE,
    SORT,
    PROVIDER,
    PROMPT_VARIABLES,
    EXTRA_BODY,
];

static STREAM_OPTIONS: crate::document::Object = crate::document::object(
    "StreamOptions",
    "",
    &[field("include_usage", Kind::Boolean, "Whether a last chunk tells the usage.")],
);

const MESSAGES: &[Field] = &[
    MODEL,
    field("messages", Kind::Any, "The conversation, as Messages have it."),
    field("system", Kind::Any, "The system prompt, as Messages have it."),
    STREAM,
    METADATA,
    MODELS,
    FALLBACK,
    IGNORE,
    SORT,
    PROVIDER,
    PROMPT_VARIABLES,
    EXTRA_BODY,
];

const RESPONSES: &[Field] = &[
    MODEL,
    field("input", Kind::Any, "The conversation, as Responses have it."),
    field("instructions", Kind::Any, "The system prompt, as Responses have it."),
    STREAM,
    USER,
    SAFETY_IDENTIFIER,
    METADATA,
    MODELS,
    FALLBACK,
    IGNORE,
    SORT,
    PROVIDER,
    PROMPT_VARIABLES,
    EXTRA_BODY,
];

const CONTENTS: &[Field] = &[
    field("contents", Kind::Any, "The conversation, as Gemini has it."),
    field("systemInstruction", Kind::Any, "The system prompt, as Gemini has it."),
    field("generationConfig", Kind::Any, "Parameters, as Gemini has them."),
    USER,
    METADATA,
    MODELS,
    FALLBACK,
    IGNORE,
    SORT,
    PROVIDER,
    PROMPT_VARIABLES,
    EXTRA_BODY,
];

/// A shape that errors have.
#[derive(Clone, Copy)]
enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Shape {
    fn add_errors(self, responses: &mut Map<String, Value>, kinds: &[ErrorKind], schemas: &mut Schemas) {
        let (name, body) = match self {
            Shape::OpenAi => ("openai", parts::error_body(schemas)),
            Shape::Anthropic => ("anthropic", parts::anthropic_error(schemas)),
            Shape::Gemini => ("gemini", parts::gemini_error(schemas)),
        };
        add_errors(responses, kinds, name, &body, schemas);
    }
}

/// A model call.
struct Call {
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    /// The name of its body's schema.
    body: &'static str,
    fields: &'static [Field],
    shape: Shape,
    /// What it is answered with, and what that is.
    answers: &'static [(&'static str, &'static str)],
    example: fn() -> Value,
}

const WHOLE: (&str, &str) = ("application/json", "object");
/// Of events, OpenAPI 3.1 has no schema.
const EVENTS: (&str, &str) = ("text/event-stream", "");

const CALLS: &[Call] = &[
    Call {
        path: "/v1/chat/completions",
        id: "createChatCompletion",
        summary: "A model call in the dialect of OpenAI's Chat Completions.",
        body: "ChatCompletionRequest",
        fields: CHAT,
        shape: Shape::OpenAi,
        answers: &[WHOLE, EVENTS],
        example: examples::chat,
    },
    Call {
        path: "/v1/messages",
        id: "createMessage",
        summary: "A model call in the dialect of Anthropic's Messages.",
        body: "MessageRequest",
        fields: MESSAGES,
        shape: Shape::Anthropic,
        answers: &[WHOLE, EVENTS],
        example: examples::message,
    },
    Call {
        path: "/v1/messages/count_tokens",
        id: "countMessageTokens",
        summary: "Counts the tokens of a call in Anthropic's dialect; answered by downstreams that speak it.",
        body: "MessageRequest",
        fields: MESSAGES,
        shape: Shape::Anthropic,
        answers: &[WHOLE],
        example: examples::message,
    },
    Call {
        path: "/v1/responses",
        id: "createResponse",
        summary: "A model call in the dialect of OpenAI's Responses.",
        body: "ResponseRequest",
        fields: RESPONSES,
        shape: Shape::OpenAi,
        answers: &[WHOLE, EVENTS],
        example: examples::response,
    },
    Call {
        path: "/v1beta/models/{model}:generateContent",
        id: "generateContent",
        summary: "A model call in Gemini's dialect.",
        body: "GenerateContentRequest",
        fields: CONTENTS,
        shape: Shape::Gemini,
        answers: &[WHOLE],
        example: examples::contents,
    },
    Call {
        path: "/v1beta/models/{model}:streamGenerateContent",
        id: "streamGenerateContent",
        summary: "A streamed model call in Gemini's dialect: events with `alt=sse`, else one JSON array.",
        body: "GenerateContentRequest",
        fields: CONTENTS,
        shape: Shape::Gemini,
        answers: &[("application/json", "array"), EVENTS],
        example: examples::contents,
    },
];

/// A list, or something of one.
struct Get {
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    shape: Shape,
    errors: &'static [ErrorKind],
}

const GETS: &[Get] = &[
    Get {
        path: "/v1/models",
        id: "listModels",
        summary: "The routers that the key may name, and the models that downstreams list; in Anthropic's shape where the header `anthropic-version` is sent.",
        shape: Shape::OpenAi,
        errors: LIST_ERRORS,
    },
    Get {
        path: "/v1/models/{id}",
        id: "getModel",
        summary: "One of them; its id may hold slashes.",
        shape: Shape::OpenAi,
        errors: GET_ERRORS,
    },
    Get {
        path: "/v1beta/models",
        id: "listGeminiModels",
        summary: "The same list in Gemini's shape.",
        shape: Shape::Gemini,
        errors: LIST_ERRORS,
    },
    Get {
        path: "/v1beta/models/{id}",
        id: "getGeminiModel",
        summary: "One of them in Gemini's shape; its id may hold slashes.",
        shape: Shape::Gemini,
        errors: GET_ERRORS,
    },
];

/// Adds them to `paths`.
pub(super) fn add(paths: &mut Map<String, Value>, schemas: &mut Schemas) {
    for call in CALLS {
        paths.insert(call.path.to_owned(), json!({"post": of_call(call, schemas)}));
    }
    for get in GETS {
        paths.insert(get.path.to_owned(), json!({"get": of_get(get, schemas)}));
    }
    paths.insert("/healthz".to_owned(), health());
}

fn of_call(call: &Call, schemas: &mut Schemas) -> Value {
    let body =
        schemas.of_fields("Fields that are not named here go on to the provider as they are.", call.fields);
    let body = schemas.named(call.body, body);
    let content = |kind: &str| if kind.is_empty() { json!({}) } else { json!({"schema": {"type": kind}}) };
    let contents = call.answers.iter().map(|(media, kind)| ((*media).to_owned(), content(kind)));
    let contents: Map<_, _> = contents.collect();
    let headers = header_references(CALL_HEADERS);
    let mut responses = Map::new();
    let answered = json!({
        "description": "The answer, as the dialect has it.",
        "headers": headers,
        "content": contents,
    });
    responses.insert("200".to_owned(), answered);
    call.shape.add_errors(&mut responses, CALL_ERRORS, schemas);
    let upstream = json!({
        "description": "A provider's own error, passed on as it is when all attempts are spent.",
        "headers": headers,
    });
    responses.insert("default".to_owned(), upstream);
    let mut operation = json!({
        "operationId": call.id,
        "tags": ["Calls"],
        "summary": call.summary,
        "description": "Needs the scope `call` for a router, `models` for a model by name.",
        "requestBody": {
            "required": true,
            "content": {"application/json": {"schema": body, "example": (call.example)()}},
        },
        "responses": responses,
        "security": parts::security(),
    });
    let parameters = parameters_of(call.path);
    if !parameters.is_empty()
        && let Some(members) = operation.as_object_mut()
    {
        members.insert("parameters".to_owned(), parameters.into());
    }
    operation
}

fn parameters_of(path: &str) -> Vec<Value> {
    let mut parameters = Vec::new();
    if path.contains("{model}") {
        let example =
            json!({"type": "string", "minLength": 1, "maxLength": 256, "example": "turnout%2Fdemo"});
        parameters.push(in_path(
            "model",
            example,
            "What is called, as `model` of other dialects; slashes may be percent-encoded.",
        ));
    }
    if path.ends_with(":streamGenerateContent") {
        let meaning = "`sse` for events; else the stream is one JSON array.";
        parameters.push(in_query("alt", json!({"type": "string"}), meaning));
    }
    if path.ends_with("/{id}") {
        parameters.push(in_path(
            "id",
            json!({"type": "string", "minLength": 1}),
            "The id, as the list has it.",
        ));
    }
    parameters
}

fn of_get(get: &Get, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    let listed = json!({
        "description": "As clients of the dialect read it.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    });
    responses.insert("200".to_owned(), listed);
    get.shape.add_errors(&mut responses, get.errors, schemas);
    let mut operation = json!({
        "operationId": get.id,
        "tags": ["Models"],
        "summary": get.summary,
        "responses": responses,
        "security": parts::security(),
    });
    let parameters = parameters_of(get.path);
    if !parameters.is_empty()
        && let Some(members) = operation.as_object_mut()
    {
        members.insert("parameters".to_owned(), parameters.into());
    }
    operation
}

fn health() -> Value {
    let well = json!({
        "description": "It answers.",
        "content": {"application/json": {"schema": {
            "type": "object",
            "required": ["status"],
            "properties": {"status": {"const": "ok"}},
        }}},
    });
    json!({
        "get": {
            "operationId": "getHealth",
            "tags": ["Meta"],
            "summary": "Whether the worker answers at all.",
            "responses": {"200": well},
            "security": [],
        },
        "head": {
            "operationId": "headHealth",
            "tags": ["Meta"],
            "summary": "The same without a body.",
            "responses": {"200": {"description": "It answers."}},
            "security": [],
        },
    })
}
