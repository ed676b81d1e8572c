//! What holds of every conversation: it comes back from a request as it went in, and nothing panics.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::dialect::Dialect;
use turnout::dialect::conversation::{
    Conversation, Format, Part, Role, Sampling, Seal, Source, Thinking, Thought, Tool, ToolCall, ToolChoice,
    ToolKind, Turn,
};
use turnout::dialect::gemini;

use super::{decoded, encoded};

const MODEL: &str = "gemini-3-flash-preview";

fn said() -> impl Strategy<Value = String> {
    "[a-zé \"\\\\]{1,8}"
}

fn seal() -> impl Strategy<Value = Option<Seal>> {
    option::of("[A-Z0-9]{4}".prop_map(|value| Seal { dialect: Dialect::Gemini, is_redacted: false, value }))
}

fn user_part() -> impl Strategy<Value = Part> {
    let base64 = |media_type: &str| Source::Base64 { media_type: media_type.into(), data: "AAAA".into() };
    prop_oneof![
        said().prop_map(Part::text),
        Just(Part::Image { source: base64("image/png"), detail: None, cache: None }),
        Just(Part::Image { source: Source::Url("https://x.com/a.webp".into()), detail: None, cache: None }),
        Just(Part::Document { source: base64("application/pdf"), name: None, cache: None }),
        said().prop_map(|text| Part::Document { source: Source::Text(text), name: None, cache: None }),
        Just(Part::Audio { format: "mp3".into(), data: "AAAA".into() }),
        Just(Part::Own { dialect: Dialect::Gemini, json: json!({"executableCode": {"code": "1"}}) }),
    ]
}

/// What a model says, and the calls at its end.
fn exchange() -> impl Strategy<Value = Vec<Turn>> {
    let spoken = vec(
        prop_oneof![
            said().prop_map(Part::text),
            (said(), seal()).prop_map(|(text, seal)| {
                Part::Thought(Thought { text, is_summary: true, seal, id: None })
            }),
        ],
        0..3,
    );
    let result =
        prop_oneof![said(), Just(r#"{"a":1,"b":[2]}"#.to_owned()), Just(r#"{"output":"x"}"#.to_owned())];
    let calls = vec(("[fg]", option::of(0..9), seal(), result, any::<bool>()), 0..3);
    (vec(user_part(), 1..3), spoken, seal(), calls).prop_map(|(user, mut spoken, carried, calls)| {
        // Neighbours of one kind are one: clients store a stream as its pieces.
        spoken.dedup_by_key(|part| std::mem::discriminant(part));
        if let (Some(Part::Text { .. }), Some(_)) = (spoken.last(), &carried) {
            spoken.push(Part::Thought(Thought { seal: carried, ..Thought::default() }));
        }
        let mut turns = vec![Turn { role: Role::User, name: None, parts: user }];
        let mut results = Vec::new();
        for (at, (name, argument, seal, result, is_error)) in calls.into_iter().enumerate() {
            let id = format!("id{at}");
            let arguments = argument.map_or_else(|| "{}".to_owned(), |value| json!({"x": value}).to_string());
            let call = ToolCall { id: id.clone(), name, arguments, is_custom: false, seal };
            spoken.push(Part::ToolCall(call));
            results.push(Part::ToolResult { id, parts: vec![Part::text(result)], is_error, cache: None });
        }
        if !spoken.is_empty() {
            turns.push(Turn { role: Role::Assistant, name: None, parts: spoken });
        }
        if !results.is_empty() {
            turns.push(Turn { role: Role::User, name: None, parts: results });
        }
        turns
    })
}

/// Conversations of as many exchanges, whose ids differ.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    vec(exchange(), 1..3).prop_map(|exchanges| {
        let mut turns: Vec<Turn> = Vec::new();
        for (at, exchange) in exchanges.into_iter().enumerate() {
            for mut turn in exchange {
                for part in &mut turn.parts {
                    if let Part::ToolCall(ToolCall { id, .. }) | Part::ToolResult { id, .. } = part {
                        *id = format!("{id}-{at}");
                    }
                }
                // The roles alternate.
                match turns.last_mut() {
                    Some(last) if last.role == turn.role => last.parts.extend(turn.parts),
                    _ => turns.push(turn),
                }
            }
        }
        turns
    })
}

prop_compose! {
    fn conversation()(
        turns in turns(),
        system in option::of(said()),
        (max_tokens, n, stop) in (option::of(1..9_u64), option::of(2..4_u64), vec(said(), 0..2)),
        (seed, logprobs) in (option::of(0..9_i32), option::of(0..3_u64)),
        (effort, shown) in (option::of("low|medium|high|minimal"), option::of("auto|omitted")),
        format in option::of(prop_oneof![
            Just(Format::JsonObject),
            Just(Format::JsonSchema {
                name: None, description: None, schema: json!({"type": "object"}), strict: None,
            }),
        ]),
        choice in option::of(prop_oneof![
            Just(ToolChoice::Auto), Just(ToolChoice::Required), Just(ToolChoice::None),
            Just(ToolChoice::Named("f".into())),
        ]),
        parameters in option::of(Just(json!({"type": "object"}))),
    ) -> Conversation {
        let thinking = Thinking { effort, shown, ..Thinking::default() };
        let function = ToolKind::Function { name: "f".into(), description: None, parameters, strict: None };
        Conversation {
            turns,
            system: system.map(Part::text).into_iter().collect(),
            max_tokens,
            n,
            sampling: Sampling { stop, seed: seed.map(Into::into), logprobs, ..Sampling::default() },
            thinking: Some(thinking).filter(|it| *it != Thinking::default()),
            format,
            tools: vec![Tool { kind: function, cache: None }],
            tool_choice: choice,
            ..Conversation::default()
        }
    }
}

proptest! {
    #[test]
    fn a_conversation_comes_back_as_it_was(conversation in conversation()) {
        let (body, note) = encoded(&conversation, MODEL);
        prop_assert_eq!(note, None);
        prop_assert_eq!(decoded(&body), conversation);
    }

    #[test]
    fn a_request_is_valid(conversation in conversation()) {
        let (body, _) = encoded(&conversation, MODEL);
        let contents = body["contents"].as_array().unwrap();
        let role = |content: &Value| content["role"].as_str().unwrap().to_owned();
        for (before, after) in contents.iter().zip(contents.iter().skip(1)) {
            prop_assert_ne!(role(before), role(after));
            let names = |content: &Value, kind: &str| -> Vec<Value> {
                let parts = content["parts"].as_array().unwrap().iter();
                parts.filter_map(|part| Some(part.get(kind)?["name"].clone())).collect()
            };
            prop_assert_eq!(names(before, "functionCall"), names(after, "functionResponse"));
        }
        for content in contents {
            let parts = content["parts"].as_array().unwrap();
            prop_assert!(!parts.is_empty());
            let first = parts.iter().find(|part| part.get("functionCall").is_some());
            prop_assert!(first.is_none_or(|part| part["thoughtSignature"].is_string()));
        }
    }

    #[test]
    fn nothing_that_comes_in_panics(body in ".{0,60}", payload in "\\{\"candidates\":\\[.{0,40}\\]\\}") {
        for text in [&body, &payload] {
            let _ = gemini::decode_request(text.as_bytes());
            let _ = gemini::decode_answer(text.as_bytes());
            let _ = gemini::decode_error(500, text.as_bytes());
        }
    }
}
