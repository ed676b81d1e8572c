//! Schemas by name: those of serde types, which schemars makes, and those of tables of fields, which are made here.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::document::{Field, Kind, Object};

/// Where a reference points.
const PLACE: &str = "#/components/schemas/";

/// The schemas so far.
pub(super) struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
    own: Map<String, Value>,
    responses: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new() -> Schemas {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Schemas {
            requests: settings().for_deserialize().into_generator(),
            answers: settings().for_serialize().into_generator(),
            own: Map::new(),
            responses: Map::new(),
        }
    }

    /// The schema of a type as it is read.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// The schema of a type as it is written.
    pub(super) fn answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// A schema under a name of its own.
    pub(super) fn named(&mut self, name: &str, schema: Value) -> Value {
        self.own.insert(name.to_owned(), schema);
        reference(name)
    }

    /// A response that several operations have, under its name.
    pub(super) fn response(&mut self, name: &str, response: Value) -> Value {
        self.responses.insert(name.to_owned(), response);
        json!({"$ref": format!("#/components/responses/{name}")})
    }

    /// Those responses, in the order of their names.
    pub(super) fn responses(&mut self) -> Map<String, Value> {
        let mut responses = std::mem::take(&mut self.responses);
        responses.sort_keys();
        responses
    }

    /// The schema of an object that a table describes, under its name.
    pub(super) fn object(&mut self, object: &'static Object) -> Value {
        if !self.own.contains_key(object.name) {
            // Its place is taken first, for it may hold itself.
            self.own.insert(object.name.to_owned(), Value::Null);
            let schema = self.of_fields(object.meaning, object.fields);
            self.own.insert(object.name.to_owned(), schema);
        }
        reference(object.name)
    }

    /// The same of an object whose id its path names, so that its body need not.
    pub(super) fn identified(&mut self, object: &'static Object) -> Value {
        let mut schema = self.of_fields(object.meaning, object.fields);
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.retain(|name| name != "id");
        }
        self.named(&format!("{}Item", object.name), schema)
    }

    /// The schema of an object with these fields. What is not known is allowed: documents of other systems have fields of their
    /// own, and dialects have hundreds.
    pub(super) fn of_fields(&mut self, meaning: &str, fields: &'static [Field]) -> Value {
        let mut properties = Map::new();
        for field in fields.iter().filter(|field| !matches!(field.kind, Kind::Misplaced)) {
            let mut schema = self.of_kind(&field.kind);
            if !field.is_required {
                schema = or_null(schema);
            }
            if !field.meaning.is_empty()
                && let Some(members) = schema.as_object_mut()
            {
                members.insert("description".to_owned(), field.meaning.into());
            }
            properties.insert(field.name.to_owned(), schema);
        }
        let required: Vec<_> =
            fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
        let mut schema = json!({"type": "object", "properties": properties});
        if let Some(members) = schema.as_object_mut() {
            if !meaning.is_empty() {
                members.insert("description".to_owned(), meaning.into());
            }
            if !required.is_empty() {
                members.insert("required".to_owned(), required.into());
            }
        }
        schema
    }

    fn of_kind(&mut self, kind: &'static Kind) -> Value {
        match kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Filled(most) => json!({"type": "string", "minLength": 1, "maxLength": most}),
            Kind::Moment => json!({"type": "string", "format": "date-time"}),
            Kind::Pattern(pattern) => json!({"type": "string", "pattern": pattern}),
            Kind::Word(words) => json!({"type": "string", "enum": words}),
            Kind::Boolean => json!({"type": "boolean"}),
            Kind::Number(f64::MIN, f64::MAX) => json!({"type": "number"}),
            Kind::Number(least, most) => json!({"type": "number", "minimum": least, "maximum": most}),
            Kind::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Kind::List(kind) => json!({"type": "array", "items": self.of_kind(kind)}),
            Kind::Few(kind, least, most) => {
                json!({"type": "array", "items": self.of_kind(kind), "minItems": least, "maxItems": most})
            }
            Kind::Object(object) => self.object(object),
            Kind::Map(kind) => json!({"type": "object", "additionalProperties": self.of_kind(kind)}),
            Kind::Either(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| self.of_kind(kind)).collect();
                json!({"anyOf": kinds})
            }
            Kind::Any | Kind::Misplaced => json!({}),
        }
    }

    /// All of them, in the order of their names.
    ///
    /// # Panics
    /// Where two types that differ have one name.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        let mut all: Vec<(String, Value)> = self.own.into_iter().collect();
        all.extend(self.requests.take_definitions(true));
        all.extend(self.answers.take_definitions(true));
        all.sort_by(|(first, _), (second, _)| first.cmp(second));
        let mut schemas = Map::new();
        for (name, schema) in all {
            let schema = in_one_line(schema);
            let before = schemas.insert(name.clone(), schema.clone());
            assert!(before.is_none_or(|before| before == schema), "two schemas are named {name}");
        }
        schemas
    }
}

/// Descriptions that come of comments have their line ends.
fn in_one_line(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "description" => {
                        *text = text
                            .split("\n\n")
                            .map(|part| part.replace('\n', " "))
                            .collect::<Vec<_>>()
                            .join("\n\n");
                    }
                    member => *member = in_one_line(member.take()),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = in_one_line(item.take())),
        _ => {}
    }
    schema
}

pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("{PLACE}{name}")})
}

/// The same, or null.
pub(super) fn or_null(schema: Value) -> Value {
    match schema {
        Value::Object(mut members) if members.get("type").is_some_and(Value::is_string) => {
            let kind = members.get("type").cloned();
            members.insert("type".to_owned(), json!([kind, "null"]));
            if let Some(Value::Array(words)) = members.get_mut("enum") {
                words.push(Value::Null);
            }
            Value::Object(members)
        }
        Value::Object(members) if members.is_empty() => Value::Object(members),
        schema => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}
