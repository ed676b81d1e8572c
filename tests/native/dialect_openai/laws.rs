//! Laws, tried on conversations that are made up.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use turnout::dialect::conversation::{
    Conversation, Format, Part, Role, Sampling, Seal, Source, Thinking, Thought, Tool, ToolCall, ToolChoice,
    ToolKind, Turn,
};
use turnout::dialect::loss::Losses;
use turnout::dialect::{Dialect, openai};

use super::events;

fn word() -> impl Strategy<Value = String> {
    "[a-zäß€𝄞\"\\\\ \n]{1,8}"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,6}"
}

fn image() -> impl Strategy<Value = Part> {
    let source = prop_oneof![
        name().prop_map(|name| Source::Url(format!("https://a.example/{name}.png"))),
        "[A-Za-z0-9]{4}".prop_map(|data| Source::Base64 { media_type: "image/png".to_owned(), data }),
    ];
    (source, option::of(Just("low".to_owned()))).prop_map(|(source, detail)| Part::Image {
        source,
        detail,
        cache: None,
    })
}

/// One text where there is nothing else, for several become one.
fn said() -> impl Strategy<Value = Vec<Part>> {
    prop_oneof![
        word().prop_map(|text| vec![Part::text(text)]),
        (word(), image(), option::of(word())).prop_map(|(text, image, more)| {
            let mut parts = vec![Part::text(text), image];
            parts.extend(more.map(Part::text));
            parts
        }),
    ]
}

fn seal(value: &str) -> Option<Seal> {
    Some(Seal { dialect: Dialect::OpenAi, is_redacted: false, value: value.to_owned() })
}

fn call() -> impl Strategy<Value = ToolCall> {
    (name(), name(), word(), any::<bool>(), option::of(Just("sig"))).prop_map(
        |(id, name, input, is_custom, signature)| {
            let arguments = if is_custom { input } else { json!({"a": input}).to_string() };
            ToolCall { id, name, arguments, is_custom, seal: signature.and_then(seal) }
        },
    )
}

/// A thought, a text, calls and their results: what one step of an agent is.
fn step() -> impl Strategy<Value = Vec<Turn>> {
    let thought =
        word().prop_map(|text| Thought { text, seal: seal("reasoning_content"), ..Thought::default() });
    (option::of(thought), word(), vec(call(), 0..4), said()).prop_map(|(thought, text, calls, said)| {
        let mut parts: Vec<Part> = thought.map(Part::Thought).into_iter().collect();
        parts.push(Part::text(text.clone()));
        parts.extend(calls.iter().cloned().map(Part::ToolCall));
        let results = calls.iter().map(|call| Part::ToolResult {
            id: call.id.clone(),
            parts: vec![Part::text(text.clone())],
            is_error: false,
            cache: None,
        });
        let turn = |role, parts| Turn { role, name: None, parts };
        let mut turns = vec![turn(Role::User, said), turn(Role::Assistant, parts)];
        let results: Vec<Part> = results.collect();
        if !results.is_empty() {
            turns.push(turn(Role::User, results));
        }
        turns
    })
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let function =
        (name(), option::of(word()), option::of(any::<bool>())).prop_map(|(name, description, strict)| {
            ToolKind::Function { name, description, parameters: Some(json!({"type": "object"})), strict }
        });
    let custom = (name(), option::of(word())).prop_map(|(name, description)| ToolKind::Custom {
        name,
        description,
        format: None,
    });
    vec(prop_oneof![function, custom].prop_map(|kind| Tool { kind, cache: None }), 0..4)
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let number = |range: std::ops::Range<i32>| option::of(range.prop_map(serde_json::Number::from));
    let logit_bias = option::of(Just(json!({"5": 1})));
    (
        number(0..2),
        number(0..2),
        number(-2..2),
        number(-2..2),
        number(0..99),
        vec(word(), 0..3),
        option::of(0..5_u64),
        logit_bias,
    )
        .prop_map(
            |(temperature, top_p, frequency_penalty, presence_penalty, seed, stop, logprobs, logit_bias)| {
                Sampling {
                    temperature,
                    top_p,
                    top_k: None,
                    frequency_penalty,
                    presence_penalty,
                    seed,
                    stop,
                    logprobs,
                    logit_bias,
                }
            },
        )
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let format = option::of(prop_oneof![
        Just(Format::JsonObject),
        (name(), option::of(any::<bool>())).prop_map(|(name, strict)| Format::JsonSchema {
            name: Some(name),
            description: None,
            schema: json!({"type": "object"}),
            strict
        }),
    ]);
    let thinking = option::of(Just(Thinking { effort: Some("low".to_owned()), ..Thinking::default() }));
    let words = (option::of(word()), option::of(name()), option::of(name()), option::of(name()));
    let counts = (option::of(1..99_u64), option::of(1..4_u64), any::<bool>(), option::of(any::<bool>()));
    let head = (vec(step(), 1..4), tools(), sampling(), format, thinking, words, counts);
    head.prop_map(
        |(
            steps,
            tools,
            sampling,
            format,
            thinking,
            (system, user, verbosity, key),
            (max_tokens, n, stream, parallel),
        )| {
            let named = tools.first().map(|tool| match &tool.kind {
                ToolKind::Function { name, .. } | ToolKind::Custom { name, .. } => {
                    ToolChoice::Named(name.clone())
                }
                other => panic!("{other:?}"),
            });
            Conversation {
                model: "gpt-5".to_owned(),
                stream,
                system: system.map(Part::text).into_iter().collect(),
                turns: steps.into_iter().flatten().collect(),
                parallel_tool_calls: parallel.filter(|_| !tools.is_empty()),
                tool_choice: named,
                tools,
                legacy_functions: false,
                format,
                thinking,
                sampling,
                max_tokens,
                n,
                user,
                verbosity,
                service_tier: None,
                prompt_cache_key: key,
                own: Map::new(),
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(conversation in conversation()) {
        let mut losses = Losses::new(Dialect::OpenAi);
        let body = openai::encode_request(&conversation, "gpt-5", &mut losses).expect("nothing is refused");
        prop_assert_eq!(losses.note(), None);
        prop_assert_eq!(openai::decode_request(&body).expect("a request"), conversation);
    }

    /// Whatever a body says, it is read or refused, and what was read can be written.
    #[test]
    fn nothing_panics(text in ".{0,40}", mutated in conversation(), at in any::<prop::sample::Index>(), with in "[\\[\\]{}\",:0-9a-z]") {
        let mut losses = Losses::new(Dialect::OpenAi);
        let body = openai::encode_request(&mutated, "m", &mut losses).unwrap_or_default();
        let mut body = String::from_utf8(body).expect("UTF-8");
        let cut = (0..=at.index(body.len())).rev().find(|at| body.is_char_boundary(*at)).unwrap_or(0);
        body.insert_str(cut, &with);
        for body in [text.as_str(), body.as_str()] {
            if let Ok(read) = openai::decode_request(body.as_bytes()) {
                let _ = openai::encode_request(&read, "m", &mut Losses::new(Dialect::OpenAi));
            }
            let _ = openai::decode_answer(body.as_bytes());
            let _ = openai::decode_error(400, body.as_bytes());
            let _ = events([body]);
        }
    }

    /// Any delta is read, or is a fault of the stream.
    #[test]
    fn no_delta_panics(deltas in vec(delta(), 0..8)) {
        let chunks: Vec<String> = deltas.iter().map(|delta| json!({"choices": [{"delta": delta}]}).to_string()).collect();
        let mut payloads: Vec<&str> = chunks.iter().map(String::as_str).collect();
        payloads.push("[DONE]");
        if let Ok(read) = events(payloads) {
            super::assembled(&read);
        }
    }
}

/// Deltas of all kinds, sane and odd.
fn delta() -> impl Strategy<Value = Value> {
    let odd = prop_oneof![
        Just(Value::Null),
        Just(json!(0)),
        Just(json!("")),
        Just(json!("x")),
        Just(json!([])),
        Just(json!({}))
    ];
    let call = (odd.clone(), odd.clone(), odd.clone(), odd.clone()).prop_map(|(index, id, name, arguments)| {
        json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]})
    });
    let entry = (odd.clone(), odd.clone(), odd.clone()).prop_map(|(index, text, signature)| {
        json!({"reasoning_details": [{"type": "reasoning.text", "index": index, "text": text, "signature": signature}]})
    });
    let plain = prop_oneof![
        Just("content"),
        Just("refusal"),
        Just("reasoning_content"),
        Just("images"),
        Just("audio"),
        Just("function_call")
    ];
    prop_oneof![call, entry, (plain, odd).prop_map(|(name, value)| json!({name: value}))]
}
