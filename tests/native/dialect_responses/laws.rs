//! Laws, tried on generated conversations, answers and bytes.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Number;
use turnout::dialect::answer::{Growth, Stop};
use turnout::dialect::conversation::{Format, Sampling, Thinking, Tool, ToolChoice, ToolKind};

use super::*;

fn text() -> impl Strategy<Value = String> {
    "[a-z \"\\\\\nüλ]{1,8}"
}

fn word() -> impl Strategy<Value = String> {
    "[a-z]{1,6}"
}

fn given() -> impl Strategy<Value = Part> {
    let base64 = |media_type: &'static str| {
        "[A-D]{4}".prop_map(move |data| Source::Base64 { media_type: media_type.to_owned(), data })
    };
    let url = || word().prop_map(|host| Source::Url(format!("https://{host}.test/")));
    let image = (prop_oneof![url(), base64("image/png")], option::of(word()));
    // Bytes always come with a name.
    let named =
        (prop_oneof![base64("application/pdf"), text().prop_map(Source::Text)], word().prop_map(Some));
    let document = prop_oneof![named, (url(), option::of(word()))];
    prop_oneof![
        text().prop_map(Part::text),
        image.prop_map(|(source, detail)| Part::Image { source, detail, cache: None }),
        document.prop_map(|(source, name)| Part::Document { source, name, cache: None }),
    ]
}

/// A thought that this dialect's model had: where nothing of it is told, its seal is all that there is.
fn thought() -> impl Strategy<Value = Part> {
    (option::of(text()), any::<bool>(), word(), option::of(word())).prop_map(
        |(told, is_summary, value, id)| {
            let text = told.unwrap_or_default();
            let seal = Seal { is_redacted: text.is_empty(), ..seal(Dialect::Responses, &value) };
            Part::Thought(Thought { is_summary: is_summary && !text.is_empty(), text, seal: Some(seal), id })
        },
    )
}

fn said() -> impl Strategy<Value = Part> {
    let call = (word(), word(), text(), any::<bool>());
    let own = word().prop_map(|id| json!({"type": "web_search_call", "id": id, "status": "completed"}));
    prop_oneof![
        3 => text().prop_map(Part::text),
        1 => text().prop_map(Part::Refusal),
        2 => call.prop_map(|(id, name, arguments, is_custom)| {
            // No two calls have the same id, and it tells of which sort they are.
            let id = format!("{}{id}", if is_custom { "custom-" } else { "" });
            Part::ToolCall(ToolCall { id, name, arguments, is_custom, seal: None })
        }),
        1 => thought(),
        1 => own.prop_map(|json| Part::Own { dialect: Dialect::Responses, json }),
    ]
}

fn result() -> impl Strategy<Value = Part> {
    (word(), vec(given(), 0..3), any::<bool>()).prop_map(|(id, parts, is_error)| Part::ToolResult {
        id,
        parts,
        is_error,
        cache: None,
    })
}

/// Turns of which no two of a kind that this dialect would take for one follow one another.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let round = (
        vec(given(), 1..4),
        vec(said(), 1..5),
        vec(result(), 0..3),
        option::of(vec(text().prop_map(Part::text), 1..3)),
    );
    vec(round, 0..3).prop_map(|rounds| {
        let mut turns = Vec::new();
        for (user, assistant, results, system) in rounds {
            turns.push(turn(Role::User, user));
            turns.push(turn(Role::Assistant, assistant));
            turns.extend((!results.is_empty()).then(|| turn(Role::User, results)));
            turns.extend(system.map(|parts| turn(Role::System, parts)));
        }
        turns
    })
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let schema = word().prop_map(|name| json!({"type": "object", "properties": {name: {"type": "string"}}}));
    let function = (word(), option::of(text()), schema, any::<bool>()).prop_map(
        |(name, description, parameters, strict)| ToolKind::Function {
            name: format!("f-{name}"),
            description,
            parameters: Some(parameters),
            strict: Some(strict),
        },
    );
    let grammar = json!({"type": "grammar", "syntax": "regex", "definition": "a+"});
    let custom =
        (word(), option::of(text()), option::of(Just(grammar))).prop_map(|(name, description, format)| {
            ToolKind::Custom { name: format!("c-{name}"), description, format }
        });
    let search = (option::of(word()), vec(word(), 0..2), vec(word(), 0..2)).prop_map(
        |(context_size, allowed_domains, blocked_domains)| ToolKind::WebSearch {
            context_size,
            max_uses: None,
            allowed_domains,
            blocked_domains,
            user_location: Some(json!({"type": "approximate", "country": "CH"})),
        },
    );
    let own = Just(ToolKind::Own { dialect: Dialect::Responses, json: json!({"type": "shell"}) });
    vec(prop_oneof![function, custom, search, own].prop_map(|kind| Tool { kind, cache: None }), 0..4)
}

fn choice() -> impl Strategy<Value = Option<ToolChoice>> {
    let names = vec(word().prop_map(|name| format!("f-{name}")), 1..3);
    option::of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        Just(ToolChoice::Named("web_search".to_owned())),
        word().prop_map(ToolChoice::Named),
        (names, any::<bool>()).prop_map(|(names, required)| ToolChoice::Among { names, required }),
    ])
}

fn format() -> impl Strategy<Value = Option<Format>> {
    let schema =
        (word(), option::of(text()), option::of(any::<bool>())).prop_map(|(name, description, strict)| {
            Format::JsonSchema { name: Some(name), description, schema: json!({"type": "object"}), strict }
        });
    option::of(prop_oneof![Just(Format::JsonObject), schema])
}

/// What this dialect carries, all of it.
fn conversation() -> impl Strategy<Value = Conversation> {
    let thinking =
        prop_oneof![(word(), option::of(Just("auto".to_owned()))).prop_map(|(effort, shown)| Thinking {
            effort: Some(effort),
            shown,
            ..Thinking::default()
        }),];
    let number =
        || option::of((0..40_u32).prop_map(|tenths| Number::from_f64(f64::from(tenths) / 10.0).unwrap()));
    let sampling = (number(), number(), option::of(0..5_u64)).prop_map(|(temperature, top_p, logprobs)| {
        Sampling { temperature, top_p, logprobs, ..Sampling::default() }
    });
    let own = vec(
        prop_oneof![
            Just(("store", json!(true))),
            Just(("previous_response_id", json!("resp_1"))),
            Just(("truncation", json!("auto"))),
            Just(("metadata", json!({"a": "b"}))),
            Just(("include", json!(["file_search_call.results"]))),
        ],
        0..4,
    );
    let words = || option::of(word());
    (
        (
            any::<bool>(),
            vec(text().prop_map(Part::text), 0..4),
            turns(),
            tools(),
            choice(),
            option::of(any::<bool>()),
        ),
        (format(), option::of(thinking), sampling, option::of(16..1000_u64), own),
        (words(), words(), words()),
    )
        .prop_map(|(said, asked, (user, verbosity, prompt_cache_key))| Conversation {
            model: "gpt-4.1".to_owned(),
            stream: said.0,
            system: said.1,
            turns: said.2,
            tools: said.3,
            tool_choice: said.4,
            parallel_tool_calls: said.5,
            format: asked.0,
            thinking: asked.1,
            sampling: asked.2,
            max_tokens: asked.3,
            own: asked.4.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            user,
            verbosity,
            prompt_cache_key,
            ..Conversation::default()
        })
}

/// Blocks of an answer that this dialect can tell, each in fragments.
fn answer() -> impl Strategy<Value = (Vec<Part>, Vec<usize>)> {
    let thought = (option::of(text()), option::of(word())).prop_map(|(told, seal_value)| {
        let text = told.unwrap_or_else(|| "Hm".to_owned());
        let seal = seal_value.map(|value| seal(Dialect::Responses, &value));
        Part::Thought(Thought { text, is_summary: true, seal, id: None })
    });
    let call = (word(), word(), text(), any::<bool>()).prop_map(|(id, name, arguments, is_custom)| {
        Part::ToolCall(ToolCall { id, name, arguments, is_custom, seal: None })
    });
    let part = prop_oneof![text().prop_map(Part::text), text().prop_map(Part::Refusal), thought, call];
    (vec(part, 0..6), vec(0..6_usize, 0..12))
}

/// Opens with a first fragment each, then fragments in the order of `turns`, then the rest, then the ends.
fn events(parts: &[Part], turns: &[usize]) -> Vec<Event> {
    let mut events = vec![Event::Start { id: None, model: None, created: None }];
    let mut rest: Vec<Vec<Growth>> = Vec::new();
    for (block, part) in parts.iter().enumerate() {
        let (empty, text, seal) = emptied(part);
        events.push(Event::Open { block, choice: 0, part: empty });
        let grow = |text: String| match part {
            Part::ToolCall(_) => Growth::Arguments(text),
            _ => Growth::Text(text),
        };
        let mut growths: Vec<Growth> = text.chars().map(|char| grow(char.to_string())).collect();
        growths.extend(seal.map(Growth::Seal));
        growths.reverse();
        // A thought of which nothing is told is not told of.
        events.extend(growths.pop().map(|by| Event::Grow { block, by }));
        rest.push(growths);
    }
    for block in turns.iter().copied().chain((0..parts.len()).flat_map(|block| [block; 12])) {
        if let Some(by) = rest.get_mut(block).and_then(Vec::pop) {
            events.push(Event::Grow { block, by });
        }
    }
    events.extend((0..parts.len()).rev().map(|block| Event::Close { block }));
    events.extend([Event::Stop { choice: 0, stop: Stop::End }, Event::End]);
    events
}

fn emptied(part: &Part) -> (Part, String, Option<Seal>) {
    let mut part = part.clone();
    let (text, seal) = match &mut part {
        Part::Text { text, .. } | Part::Refusal(text) => (std::mem::take(text), None),
        Part::Thought(thought) => (std::mem::take(&mut thought.text), thought.seal.take()),
        Part::ToolCall(call) => (std::mem::take(&mut call.arguments), None),
        other => panic!("{other:?}"),
    };
    (part, text, seal)
}

/// What an answer says, in the order in which it began: ids are the encoder's.
fn without_ids(mut parts: Vec<Part>) -> Vec<Part> {
    for part in &mut parts {
        if let Part::Thought(thought) = part {
            thought.id = None;
        }
    }
    parts
}

proptest! {
    #[test]
    fn a_request_that_is_written_reads_the_same(conversation in conversation()) {
        let (body, lost) = encoded(&conversation);
        prop_assert_eq!(lost, []);
        prop_assert_eq!(decoded(&body), conversation);
    }

    #[test]
    fn a_stream_that_is_written_reads_the_same((parts, turns) in answer()) {
        let payloads = stream_of(&events(&parts, &turns), reply_to(Conversation::default()));
        let response = order::check(&payloads, "a generated stream");
        let lines: Vec<String> = payloads.iter().map(Value::to_string).collect();
        let read = events_of(lines.iter().map(String::as_str));
        let [choice] = streams::assembled(&read).try_into().unwrap();
        prop_assert_eq!(without_ids(choice.parts), parts.clone());

        let whole = responses::decode_answer(response.to_string().as_bytes()).unwrap();
        prop_assert_eq!(without_ids(whole.choices[0].parts.clone()), parts);
    }

    #[test]
    fn nothing_that_comes_in_panics(
        body in prop_oneof![any::<Vec<u8>>(), json_like().prop_map(|value| value.to_string().into_bytes())],
    ) {
        let _ = responses::decode_request(&body);
        let _ = responses::decode_answer(&body);
        let _ = responses::decode_error(500, &body);
        let (mut decoder, mut events) = (Decoder::new(), Vec::new());
        let _ = decoder.push(b"response.output_item.done", &body, &mut events);
        let _ = decoder.finish(&mut events);
        let payloads = stream_of(&events, reply_to(Conversation::default()));
        prop_assert!(payloads.len() <= 4 * events.len() + 8);
    }
}

/// JSON of this dialect's words in any places.
fn json_like() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 24] = [
        "type",
        "input",
        "output",
        "content",
        "role",
        "user",
        "message",
        "function_call",
        "call_id",
        "id",
        "summary",
        "reasoning",
        "input_text",
        "text",
        "tools",
        "tool_choice",
        "response.completed",
        "response",
        "item",
        "part",
        "response.output_item.done",
        "output_text",
        "annotations",
        "error",
    ];
    let word = || prop::sample::select(WORDS.to_vec());
    let leaf = prop_oneof![
        word().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((word(), inner), 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}
