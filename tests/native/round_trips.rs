//! A → B → A: a request that has only what every dialect has a word for comes back as it was, whatever dialect it went
//! through. What the loss table drops or refuses is not among it; each dialect's own tests have decode(encode(c)).

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::dialect::conversation::{
    Conversation, Part, Role, Sampling, Source, Tool, ToolCall, ToolChoice, ToolKind, Turn,
};
use turnout::dialect::loss::Losses;
use turnout::dialect::{Dialect, translate};

fn words() -> impl Strategy<Value = String> {
    "[a-zA-Zäß€😀\"\\\\][a-zA-Z äß€😀\"\\\\\n]{0,18}[a-z.]"
}

fn user(parts: Vec<Part>) -> Turn {
    Turn { role: Role::User, name: None, parts }
}

fn assistant(parts: Vec<Part>) -> Turn {
    Turn { role: Role::Assistant, name: None, parts }
}

/// What the user says, with a picture or without.
fn question() -> impl Strategy<Value = Turn> {
    (words(), any::<bool>()).prop_map(|(text, has_picture)| {
        let source = Source::Base64 { media_type: "image/png".to_owned(), data: "iVBORw0KGgo=".to_owned() };
        let picture = has_picture.then_some(Part::Image { source, detail: None, cache: None });
        user(std::iter::once(Part::text(text)).chain(picture).collect())
    })
}

/// A question and its answer, with calls of tools in between or without.
fn round() -> impl Strategy<Value = Vec<Turn>> {
    let call = ("call_[a-z0-9]{12}", words(), words());
    (question(), vec(call, 0..3), words()).prop_map(|(question, calls, answer)| {
        let mut turns = vec![question];
        if !calls.is_empty() {
            let called = calls.iter().map(|(id, city, _)| {
                let arguments = json!({"city": city, "days": [1, 2.5, null]}).to_string();
                let (id, name) = (id.clone(), "weather".to_owned());
                Part::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
            });
            let gave = calls.iter().map(|(id, _, result)| {
                let parts = vec![Part::text(result)];
                Part::ToolResult { id: id.clone(), parts, is_error: false, cache: None }
            });
            turns.extend([assistant(called.collect()), user(gave.collect())]);
        }
        turns.push(assistant(vec![Part::text(answer)]));
        turns
    })
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let choice = prop_oneof![
        Just(None),
        Just(Some(ToolChoice::Required)),
        Just(Some(ToolChoice::Named("weather".to_owned()))),
    ];
    let settings = (1_u64..4000, prop::option::of(0..=4_u8), any::<bool>(), choice);
    (prop::option::of(words()), vec(round(), 0..4), question(), settings).prop_map(
        |(system, rounds, last, (max_tokens, temperature, stream, tool_choice))| {
            let parameters = json!({
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "number"}}},
                "required": ["city"],
            });
            let kind = ToolKind::Function {
                name: "weather".to_owned(),
                description: Some("Tells the weather.".to_owned()),
                parameters: Some(parameters),
                strict: None,
            };
            let temperature = temperature.and_then(|quarters| {
                serde_json::Number::from_f64(f64::from(quarters) / 4.0)
            });
            Conversation {
                stream,
                system: system.map(Part::text).into_iter().collect(),
                turns: rounds.into_iter().flatten().chain([last]).collect(),
                tools: vec![Tool { kind, cache: None }],
                tool_choice,
                sampling: Sampling { temperature, ..Sampling::default() },
                max_tokens: Some(max_tokens + 16),
                ..Conversation::default()
            }
        },
    )
}

/// The conversation as `dialect` has it, and that nothing was lost on the way in.
fn written(dialect: Dialect, conversation: &Conversation) -> Vec<u8> {
    let mut losses = Losses::new(dialect);
    let body = translate::encode_request(dialect, conversation, "m", &mut losses);
    let body = body.unwrap_or_else(|error| panic!("{dialect:?}: {error:?}"));
    assert_eq!(losses.note(), None, "{dialect:?}");
    body
}

fn read(dialect: Dialect, body: &[u8], stream: bool) -> Conversation {
    let read = translate::decode_request(dialect, body);
    let mut conversation =
        read.unwrap_or_else(|error| panic!("{dialect:?}: {error:?}\n{}", String::from_utf8_lossy(body)));
    // Of Gemini's requests the path says it.
    conversation.stream = stream;
    conversation
}

/// The body, less `"strict": false` of a tool: Responses has to say it, and it is what Chat Completions mean without it.
fn json(body: &[u8]) -> Value {
    let mut body: Value = serde_json::from_slice(body).unwrap();
    for tool in body["tools"].as_array_mut().into_iter().flatten() {
        let inner = if tool["function"].is_object() { &mut tool["function"] } else { tool };
        if let Some(tool) = inner.as_object_mut() {
            tool.retain(|name, value| name != "strict" || *value == true);
        }
    }
    body
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn there_and_back_is_the_same_request(conversation in conversation()) {
        for there in Dialect::ALL {
            for via in Dialect::ALL {
                let first = written(there, &conversation);
                let stream = conversation.stream;
                let through = written(via, &read(there, &first, stream));
                let again = written(there, &read(via, &through, stream));
                prop_assert_eq!(json(&again), json(&first), "{:?} via {:?}", there, via);
            }
        }
    }
}
