//! The operations of the control API: what each is sent and answers. Who may ask, methods and paths are `api::TABLE`'s.

use serde_json::{Map, Value, json};

use super::parts::{self, add_errors, header_references, in_header, in_path, in_query};
use super::schemas::Schemas;
use super::{documents, examples};
use crate::api::{Access, Operation, Row};
use crate::control::history::{History, RollBack};
use crate::decision::explain::{ExplainRequest, Explanation};
use crate::error::ErrorKind;
use crate::gateway;
use crate::keys::{KeyChanges, KeyList, MadeKey, NewKey, ShownKey};
use crate::router::edit::{PromoteRequest, RampRequest};
use crate::router::plan::{Plan, PlanRequest};

/// What an operation is sent and answers.
struct Details {
    tag: &'static str,
    body: Option<Body>,
    /// Parameters beside those of the path.
    parameters: Vec<Value>,
    answer: Answer,
    /// Errors beside those that follow from the row.
    errors: Vec<ErrorKind>,
}

struct Body {
    schema: Value,
    /// JSON first.
    media: &'static [&'static str],
    examples: Vec<(&'static str, Value)>,
}

struct Answer {
    status: u16,
    meaning: &'static str,
    schema: Value,
    media: &'static [&'static str],
    /// The headers that it has.
    headers: &'static [&'static str],
}

const JSON: &[&str] = &["application/json"];
const JSON_OR_YAML: &[&str] = &["application/json", "application/yaml"];
/// Headers of a document as it stands.
const STATE: &[&str] = &["etag", "x-turnout-revision"];
const NUMBERED: &[&str] = &["x-turnout-revision"];

/// Adds all of them to `paths`.
pub(super) fn add(paths: &mut Map<String, Value>, schemas: &mut Schemas, rows: &[Row]) {
    for row in rows {
        let operation = operation(row, schemas);
        let path = paths.entry(row.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(row.method.to_ascii_lowercase(), operation);
        }
    }
}

fn operation(row: &Row, schemas: &mut Schemas) -> Value {
    let Details { tag, body, mut parameters, answer, errors } = details(row.operation, schemas);
    let mut kinds = errors;
    let mut all = path_parameters(row.path);
    all.append(&mut parameters);
    if body.is_some() {
        kinds.extend([ErrorKind::InvalidRequest, ErrorKind::BodyTooLarge]);
    }
    let description = match row.access {
        Access::Open => "Needs no key.".to_owned(),
        Access::Scope(scope) => format!("Needs the scope `{}`.", scope.as_str()),
        Access::Admin => "Needs `ADMIN_KEY`.".to_owned(),
    };
    if row.access != Access::Open {
        kinds.extend([
            ErrorKind::InvalidKey,
            ErrorKind::NotConfigured,
            ErrorKind::MissingScope,
            ErrorKind::ConfigUnavailable,
            ErrorKind::ControlUnavailable,
        ]);
    }
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), id(row.operation).into());
    operation.insert("tags".to_owned(), json!([tag]));
    operation.insert("summary".to_owned(), row.summary.into());
    operation.insert("description".to_owned(), description.into());
    if !all.is_empty() {
        operation.insert("parameters".to_owned(), all.into());
    }
    if let Some(body) = body {
        operation.insert("requestBody".to_owned(), of_body(body));
    }
    operation.insert("responses".to_owned(), responses(answer, &kinds, schemas));
    let security = if row.access == Access::Open { json!([]) } else { parts::security() };
    operation.insert("security".to_owned(), security);
    if let Access::Scope(scope) = row.access {
        operation.insert("x-scope".to_owned(), scope.as_str().into());
    }
    Value::Object(operation)
}

/// `listRouters` of `ListRouters`.
fn id(operation: Operation) -> String {
    let name = format!("{operation:?}");
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_ascii_lowercase())
}

fn path_parameters(path: &str) -> Vec<Value> {
    let mut parameters = Vec::new();
    let named = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    for name in named {
        parameters.push(match name {
            "name" => parts::router_name(),
            "revision" => in_path(
                name,
                json!({"type": "integer", "minimum": 1}),
                "A revision's number, as the history has it.",
            ),
            _ => in_path(name, json!({"type": "string", "minLength": 1}), "The id, as the list has it."),
        });
    }
    parameters
}

fn of_body(body: Body) -> Value {
    let Body { schema, media, examples } = body;
    let examples: Map<_, _> =
        examples.into_iter().map(|(name, value)| (name.to_owned(), json!({"value": value}))).collect();
    let contents = media.iter().map(|media| {
        let mut content = json!({"schema": schema});
        if *media == "application/json"
            && !examples.is_empty()
            && let Some(members) = content.as_object_mut()
        {
            members.insert("examples".to_owned(), Value::Object(examples.clone()));
        }
        ((*media).to_owned(), content)
    });
    json!({"required": true, "content": contents.collect::<Map<_, _>>()})
}

fn responses(answer: Answer, kinds: &[ErrorKind], schemas: &mut Schemas) -> Value {
    let Answer { status, meaning, schema, media, headers } = answer;
    let contents = media.iter().map(|media| ((*media).to_owned(), json!({"schema": schema})));
    let mut answered = json!({"description": meaning, "content": contents.collect::<Map<_, _>>()});
    if !headers.is_empty()
        && let Some(members) = answered.as_object_mut()
    {
        members.insert("headers".to_owned(), header_references(headers));
    }
    let mut responses = Map::new();
    responses.insert(status.to_string(), answered);
    let body = parts::error_body(schemas);
    add_errors(&mut responses, kinds, "openai", &body, schemas);
    Value::Object(responses)
}

fn page() -> Vec<Value> {
    vec![
        in_query(
            "page_size",
            json!({"type": "integer", "minimum": 0, "maximum": u32::MAX, "default": 20}),
            "How many, at the most; 0 for the default, and 100 in any case.",
        ),
        in_query("page_token", json!({"type": "string"}), "The `next_page_token` of the page before."),
    ]
}

fn if_match() -> Value {
    in_header(
        "if-match",
        json!({"type": "string", "pattern": "^(\"[A-Za-z0-9-]{1,62}\"|\\*)?$"}),
        "The etag of the state that the change was thought up for; where it is not the newest, nothing changes (412).",
    )
}

impl Answer {
    fn of(meaning: &'static str, schema: Value) -> Answer {
        Answer { status: 200, meaning, schema, media: JSON, headers: &[] }
    }

    fn with(self, headers: &'static [&'static str]) -> Answer {
        Answer { headers, ..self }
    }
}

impl Body {
    fn of(schema: Value) -> Option<Body> {
        Some(Body { schema, media: JSON, examples: Vec::new() })
    }

    fn such_as(schema: Value, examples: &[(&'static str, Value)]) -> Option<Body> {
        Some(Body { schema, media: JSON, examples: examples.to_vec() })
    }
}

/// Something that is read, in which nothing can be wrong but its name.
fn read(tag: &'static str, answer: Answer) -> Details {
    Details { tag, body: None, parameters: Vec::new(), answer, errors: vec![ErrorKind::NoSuchResource] }
}

/// A page of a list.
fn list(tag: &'static str, answer: Answer, is_named: bool) -> Details {
    let mut errors = vec![ErrorKind::InvalidRequest];
    errors.extend(is_named.then_some(ErrorKind::NoSuchResource));
    Details { tag, body: None, parameters: page(), answer, errors }
}

/// A change of something that is there.
fn change(tag: &'static str, body: Option<Body>, answer: Answer) -> Details {
    let errors = vec![
        ErrorKind::InvalidRequest,
        ErrorKind::InvalidDocument,
        ErrorKind::NoSuchResource,
        ErrorKind::Conflict,
        ErrorKind::EtagMismatch,
    ];
    Details { tag, body, parameters: vec![if_match()], answer, errors }
}

const ROUTERS: &str = "Routers";
const GATEWAY: &str = "Gateway";
const KEYS: &str = "Keys";

fn details(operation: Operation, schemas: &mut Schemas) -> Details {
    match operation {
        Operation::ListRouters
        | Operation::CreateRouter
        | Operation::GetRouter
        | Operation::UpdateRouter
        | Operation::DeleteRouter
        | Operation::RouterHistory
        | Operation::RouterRevision
        | Operation::RollBackRouter
        | Operation::PromoteVariant
        | Operation::RampVariant
        | Operation::PlanRouter
        | Operation::ExplainRouter => of_routers(operation, schemas),
        Operation::GetGateway
        | Operation::PutGateway
        | Operation::GatewayHistory
        | Operation::RollBackGateway
        | Operation::ListDownstreams
        | Operation::AddDownstreams
        | Operation::GetDownstream
        | Operation::PutDownstream
        | Operation::DeleteDownstream
        | Operation::ListRules
        | Operation::AddRules
        | Operation::GetRule
        | Operation::PutRule
        | Operation::DeleteRule => of_gateway(operation, schemas),
        Operation::ListKeys
        | Operation::CreateKey
        | Operation::GetKey
        | Operation::UpdateKey
        | Operation::RevokeKey => of_keys(operation, schemas),
        Operation::OpenApi => {
            let schema = json!({"type": "object", "required": ["openapi"]});
            let answer = Answer::of("This document.", schema);
            Details { tag: "Meta", body: None, parameters: Vec::new(), answer, errors: Vec::new() }
        }
    }
}

fn of_routers(operation: Operation, schemas: &mut Schemas) -> Details {
    let state = || "The router as it stands now.";
    match operation {
        Operation::ListRouters => {
            list(ROUTERS, Answer::of("A page of routers.", documents::routers(schemas)), false)
        }
        Operation::CreateRouter => {
            let examples = [("ab-test", examples::router()), ("user-aware", examples::user_aware())];
            let body = Body::such_as(documents::router(schemas), &examples);
            let answer = Answer::of("An operation that is done.", documents::operation(schemas)).with(STATE);
            let errors = vec![ErrorKind::InvalidDocument, ErrorKind::AlreadyExists, ErrorKind::EtagMismatch];
            Details { tag: ROUTERS, body, parameters: Vec::new(), answer, errors }
        }
        Operation::GetRouter => {
            read(ROUTERS, Answer::of(state(), documents::standing_router(schemas)).with(STATE))
        }
        Operation::UpdateRouter => {
            let body = Body::of(documents::router(schemas));
            let mask = in_query(
                "update_mask",
                json!({"type": "string"}),
                "The fields to change, with commas; one that the body lacks is cleared. Without it: those that the body has.",
            );
            let mut details =
                change(ROUTERS, body, Answer::of(state(), documents::standing_router(schemas)).with(STATE));
            details.parameters.push(mask);
            details
        }
        Operation::DeleteRouter => {
            let answer =
                Answer::of("It is deleted.", json!({"type": "object", "maxProperties": 0})).with(NUMBERED);
            let mut details = change(ROUTERS, None, answer);
            let force = json!({"type": "boolean", "default": false});
            details.parameters.push(in_query(
                "force",
                force,
                "Also where a key is limited to it, or a ramp runs.",
            ));
            details
        }
        Operation::RouterHistory => {
            list(ROUTERS, Answer::of("Revisions, newest first.", schemas.answer::<History>()), true)
        }
        Operation::RouterRevision => {
            read(ROUTERS, Answer::of("The router as it was.", documents::past_router(schemas)).with(NUMBERED))
        }
        Operation::RollBackRouter => {
            let body = Body::of(schemas.request::<RollBack>());
            change(ROUTERS, body, Answer::of(state(), documents::standing_router(schemas)).with(STATE))
        }
        Operation::PromoteVariant => {
            let example = json!({"route_id": "ab-test-route", "variant_id": "variant-b", "weight": 50});
            let body = Body::such_as(schemas.request::<PromoteRequest>(), &[("half", example)]);
            change(ROUTERS, body, Answer::of(state(), documents::standing_router(schemas)).with(STATE))
        }
        Operation::RampVariant => {
            let steps = json!([{"at": "2027-01-04T09:00:00Z", "weight": 10}, {"at": "2027-01-11T09:00:00Z", "weight": 100}]);
            let example = json!({"route_id": "ab-test-route", "variant_id": "variant-b", "steps": steps});
            let body = Body::such_as(schemas.request::<RampRequest>(), &[("two steps", example)]);
            change(ROUTERS, body, Answer::of(state(), documents::standing_router(schemas)).with(STATE))
        }
        Operation::PlanRouter => {
            let body = Body::such_as(
                schemas.request::<PlanRequest>(),
                &[("whole", json!({"document": examples::router()}))],
            );
            let answer = Answer::of("What it would do.", schemas.answer::<Plan>()).with(NUMBERED);
            asked(body, answer, &[ErrorKind::InvalidDocument, ErrorKind::InvalidGateway])
        }
        _ => {
            let example = json!({"user": "user-123", "metadata": {"plan": "free"}});
            let body = Body::such_as(schemas.request::<ExplainRequest>(), &[("a user", example)]);
            let answer =
                Answer::of("Which variant, and why.", schemas.answer::<Explanation>()).with(NUMBERED);
            asked(body, answer, &[ErrorKind::InvalidRouter, ErrorKind::InvalidGateway])
        }
    }
}

/// What is asked of a router and changes nothing.
fn asked(body: Option<Body>, answer: Answer, errors: &[ErrorKind]) -> Details {
    let mut details = read(ROUTERS, answer);
    details.errors.extend(errors);
    Details { body, ..details }
}

fn of_gateway(operation: Operation, schemas: &mut Schemas) -> Details {
    let whole = |schemas: &mut Schemas| {
        yaml(Answer::of("The gateway as it stands now.", documents::standing_gateway(schemas)))
    };
    let downstreams = |schemas: &mut Schemas| {
        yaml(Answer::of("The downstreams.", documents::list(schemas, "downstreams", &gateway::DOWNSTREAM)))
    };
    let rules = |schemas: &mut Schemas| {
        yaml(Answer::of("The rules.", documents::list(schemas, "rules", &gateway::RULE)))
    };
    let downstream = |schemas: &mut Schemas| {
        yaml(Answer::of(
            "The downstream.",
            documents::standing(schemas, "StandingDownstream", &gateway::DOWNSTREAM),
        ))
    };
    let rule = |schemas: &mut Schemas| {
        yaml(Answer::of("The rule.", documents::standing(schemas, "StandingRule", &gateway::RULE)))
    };
    let gone = || Answer::of("It is gone.", json!({"type": "object", "maxProperties": 0})).with(STATE);
    match operation {
        Operation::GetGateway => unnamed(whole(schemas)),
        Operation::ListDownstreams => unnamed(downstreams(schemas)),
        Operation::ListRules => unnamed(rules(schemas)),
        Operation::GatewayHistory => {
            list(GATEWAY, Answer::of("Revisions, newest first.", schemas.answer::<History>()), false)
        }
        Operation::GetDownstream => read(GATEWAY, downstream(schemas)),
        Operation::GetRule => read(GATEWAY, rule(schemas)),
        Operation::PutGateway => {
            let body = documented(schemas.object(&gateway::DOCUMENT), examples::gateway());
            change(GATEWAY, body, whole(schemas))
        }
        Operation::RollBackGateway => {
            let body = Body::of(schemas.request::<RollBack>());
            change(GATEWAY, body, whole(schemas))
        }
        Operation::AddDownstreams => {
            let body = documented(one_or_more(schemas.object(&gateway::DOWNSTREAM)), examples::downstream());
            adding(change(GATEWAY, body, downstreams(schemas)))
        }
        Operation::AddRules => {
            let body = documented(one_or_more(schemas.object(&gateway::RULE)), examples::rule());
            adding(change(GATEWAY, body, rules(schemas)))
        }
        Operation::PutDownstream => {
            let body = documented(schemas.identified(&gateway::DOWNSTREAM), examples::downstream());
            change(GATEWAY, body, downstream(schemas))
        }
        Operation::PutRule => {
            let body = documented(schemas.identified(&gateway::RULE), examples::rule());
            change(GATEWAY, body, rule(schemas))
        }
        _ => change(GATEWAY, None, gone()),
    }
}

/// An answer that comes in YAML to whoever accepts that.
fn yaml(answer: Answer) -> Answer {
    Answer { media: JSON_OR_YAML, ..answer.with(STATE) }
}

/// A document, in JSON or YAML.
fn documented(schema: Value, example: Value) -> Option<Body> {
    Some(Body { schema, media: JSON_OR_YAML, examples: vec![("one", example)] })
}

fn one_or_more(item: Value) -> Value {
    json!({"anyOf": [item, {"type": "array", "items": item}]})
}

fn adding(mut details: Details) -> Details {
    details.errors.push(ErrorKind::AlreadyExists);
    details
}

/// What is there in any case.
fn unnamed(answer: Answer) -> Details {
    Details { tag: GATEWAY, body: None, parameters: Vec::new(), answer, errors: Vec::new() }
}

fn of_keys(operation: Operation, schemas: &mut Schemas) -> Details {
    match operation {
        Operation::CreateKey => {
            let body = Body::such_as(schemas.request::<NewKey>(), &[("mobile", examples::key())]);
            let answer = Answer::of("The key, shown this once.", schemas.answer::<MadeKey>()).with(STATE);
            let answer = Answer { status: 201, ..answer };
            let errors = vec![ErrorKind::InvalidDocument];
            Details { tag: KEYS, body, parameters: Vec::new(), answer, errors }
        }
        Operation::UpdateKey => {
            let body = Body::of(schemas.request::<KeyChanges>());
            change(KEYS, body, Answer::of("The key as it is now.", schemas.answer::<ShownKey>()).with(STATE))
        }
        Operation::RevokeKey => {
            change(KEYS, None, Answer::of("The key, revoked.", schemas.answer::<ShownKey>()).with(STATE))
        }
        Operation::GetKey => {
            let mut details = read(KEYS, Answer::of("The key.", schemas.answer::<ShownKey>()).with(STATE));
            details.errors.push(ErrorKind::Conflict);
            details
        }
        _ => list(KEYS, Answer::of("A page of keys.", schemas.answer::<KeyList>()), false),
    }
}
