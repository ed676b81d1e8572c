//! The laws of splicing on random bodies: random order, whitespace, unknown fields and spellings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use turnout::call::{Call, Overrides, apply};
use turnout::dialect::Dialect;
use turnout::endpoint::Ask;

type Named = (&'static str, &'static [&'static str]);

/// Fields that mean the same in every dialect, or nothing, and values that each may have.
const OF_ALL: [Named; 12] = [
    ("metadata", &["{}", r#"{"plan":"free" , "n":[1,{}]}"#, "null"]),
    ("user", &[r#""u""#, "null", r#""\u00e9}\",{""#]),
    ("tools", &["[]", "[{}]"]),
    ("models", &["[]", r#"["a/b"]"#]),
    ("provider", &["{}", r#"{"order":["x"]}"#]),
    ("fallback", &[r#"{"ttft_timeout":"1s"}"#, r#"{ "onTheSide":[{}] }"#, "null"]),
    ("ignore", &["[ ]", r#""a""#, r#"[ "a" , "b/\u0063" ]"#]),
    ("sort", &[r#""price""#, r#"["},{"]"#]),
    ("prompt_variables", &[r#"{"a":"b"}"#]),
    ("temperature", &["0.70", "1E-2"]),
    ("modelled", &["1"]),
    ("cache_control", &[r#"{"type":"ephemeral"}"#]),
];

const STREAM: Named = ("stream", &["true", "true", "false", "null"]);
const STORE: Named = ("store", &["true", "null"]);
const MAX_TOKENS: Named = ("max_tokens", &["1", "1.50"]);
const MESSAGES: Named = ("messages", &[r#"[{"role":"user","content":"\ud83d"}]"#, "[]"]);
const STREAM_OPTIONS: Named = (
    "stream_options",
    &[
        "null",
        "{}",
        "{ }",
        r#"{"include_usage":true}"#,
        r#"{"x":[1] , "include_usage" : false}"#,
        r#"{"include_usage":null,"x":1}"#,
        r#"{ "x":1e5}"#,
    ],
);

/// The fields of a dialect.
fn fields(dialect: Dialect) -> Vec<Named> {
    let own: &[Named] = match dialect {
        Dialect::OpenAi => &[STREAM, STREAM_OPTIONS, STORE, MAX_TOKENS, MESSAGES],
        Dialect::Anthropic => &[
            STREAM,
            MAX_TOKENS,
            MESSAGES,
            (
                "metadata",
                &[
                    r#"{ "user_id":"u" }"#,
                    r#"{"a":1 , "user_id" : "u" ,"b":[]}"#,
                    r#"{"user_id":null,"b":1}"#,
                ],
            ),
            ("system", &[r#"[{"type":"text","text":"s","cache_control":{}}]"#, r#""s""#]),
            ("safety_identifier", &[r#""s""#]),
        ],
        Dialect::Responses => &[
            STREAM,
            STREAM_OPTIONS,
            STORE,
            ("max_output_tokens", &["7"]),
            ("input", &[r#""\ud83d""#, r#"[{"type":"item_reference","id":"i"}]"#]),
            ("instructions", &["null", r#""s""#]),
            ("previous_response_id", &["null", r#""resp_1""#]),
            ("conversation", &[r#"{"id":"c"}"#]),
        ],
        Dialect::Gemini => &[
            STREAM,
            STREAM_OPTIONS,
            ("contents", &[r#"[{"parts":[{"text":"\ud83d","thoughtSignature":"s"}]}]"#, "[]"]),
            ("system_instruction", &[r#"{"parts":[]}"#]),
            ("generationConfig", &[r#"{"maxOutputTokens":5}"#, "null"]),
            ("model", &[r#""models/x""#]),
            ("safetyIdentifier", &["1"]),
        ],
    };
    let of_all = OF_ALL.into_iter().filter(|(name, _)| own.iter().all(|(other, _)| other != name));
    own.iter().copied().chain(of_all).collect()
}

fn ask(dialect: Dialect) -> Ask {
    let model = (dialect == Dialect::Gemini).then(|| "turnout/r".to_owned());
    Ask { stream: model.is_some().then_some(true), model, ..Ask::of(dialect) }
}

fn read(dialect: Dialect, body: impl Into<Vec<u8>>) -> Result<Call, turnout::error::Error> {
    Call::parse(&ask(dialect), body.into())
}

fn dialect() -> impl Strategy<Value = Dialect> {
    select(Dialect::ALL.to_vec())
}

fn space() -> impl Strategy<Value = &'static str> + Clone {
    select(vec!["", "", "", " ", "\n  ", "\t\r\n"])
}

/// Any JSON, as text.
fn any_json() -> impl Strategy<Value = String> {
    let scalars = [
        "0",
        "-0",
        "1.0e+05",
        "1e400",
        "12345678901234567890",
        "null",
        "true",
        r#""""#,
        r#""\ud800""#,
        r#""a,}]{[\"\\""#,
        "\"\u{e9}\u{1f600}\"",
    ];
    select(scalars.to_vec()).prop_map(str::to_owned).prop_recursive(4, 24, 4, |inner| {
        let element =
            (space(), inner, space()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let key = select(vec!["model", "metadata", "sort", "", r#"\u0000"#, "extra_body"]);
        let member = (space(), key, element.clone())
            .prop_map(|(before, key, value)| format!("{before}\"{key}\" :{value}"));
        prop_oneof![
            prop::collection::vec(element, 0..4).prop_map(|elements| format!("[{}]", elements.join(","))),
            prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// A key as it may be written: plainly, or with its first letter escaped.
fn spelled(name: &str, escaped: bool) -> String {
    let mut rest = name.chars();
    match rest.next() {
        Some(first) if escaped => format!("\"\\u{:04X}{}\"", u32::from(first), rest.as_str()),
        _ => format!("\"{name}\""),
    }
}

/// Distinct members, as `"key" : value`.
fn members(dialect: Dialect) -> impl Strategy<Value = Vec<String>> {
    let known = subsequence(fields(dialect), 0..=10).prop_flat_map(|fields| {
        let one = |(name, values): (&'static str, &'static [&'static str])| {
            select(values).prop_map(move |value| (name.to_owned(), value.to_owned()))
        };
        fields.into_iter().map(one).collect::<Vec<_>>()
    });
    let unknown = prop::collection::btree_map("[xyz]{0,2}", any_json(), 0..4);
    (known, unknown).prop_flat_map(|(mut members, unknown)| {
        members.extend(unknown);
        let texts: Vec<_> = members
            .into_iter()
            .map(|(name, value)| {
                (prop::bool::weighted(0.1), space(), space()).prop_map(move |(escaped, before, after)| {
                    format!("{}{before}:{after}{value}", spelled(&name, escaped))
                })
            })
            .collect();
        texts
    })
}

/// An object with whitespace around its members.
fn object(members: Vec<String>) -> impl Strategy<Value = String> {
    let count = members.len();
    (Just(members).prop_shuffle(), prop::collection::vec((space(), space()), count)).prop_map(
        |(members, spaces)| {
            let spaced = members
                .iter()
                .zip(spaces)
                .map(|(member, (before, after))| format!("{before}{member}{after}"));
            format!("{{{}}}", spaced.collect::<Vec<_>>().join(","))
        },
    )
}

/// A dialect and a body of it.
fn spoken() -> impl Strategy<Value = (Dialect, String)> {
    dialect().prop_flat_map(|dialect| (Just(dialect), body(dialect)))
}

/// A valid body: its `model` at the top level or in a literal `extra_body` (Gemini's in neither), unknown fields perhaps
/// repeated.
fn body(dialect: Dialect) -> impl Strategy<Value = String> {
    let model = || {
        (any::<bool>(), select(vec![r#""a""#, r#""\u0061\"/}""#]))
            .prop_map(|(escaped, value)| format!("{}:{value}", spelled("model", escaped)))
    };
    let extra = prop_oneof![
        Just(None),
        Just(Some("null".to_owned())),
        members(dialect).prop_flat_map(object).prop_map(Some),
        (members(dialect), model()).prop_flat_map(move |(mut members, model)| {
            if dialect != Dialect::Gemini {
                members.push(model);
            }
            object(members).prop_map(Some)
        }),
    ];
    (members(dialect), model(), extra, any::<bool>(), space(), space()).prop_flat_map(
        move |(mut members, model, extra, repeats, before, after)| {
            let in_extra =
                extra.as_deref().is_some_and(|extra| ordered(extra).iter().any(|(name, _)| name == "model"));
            if dialect != Dialect::Gemini && (!in_extra || repeats) {
                members.push(model);
            }
            if repeats {
                members.extend(["\"unknown\":1".to_owned(), "\"unknown\":2".to_owned()]);
            }
            members.extend(extra.map(|extra| format!("\"extra_body\" : {extra}")));
            object(members).prop_map(move |object| format!("{before}{object}{after}"))
        },
    )
}

/// Pieces of a body in any order.
const LIKE_JSON: &str = r#"\{("(model|extra_body|stream|messages|metadata|input|contents)"|[{}\[\],: ]|"a"|\\u006d|true|null|1){0,24}\}"#;

/// Bytes to put somewhere in a body.
fn damage() -> impl Strategy<Value = Vec<(Index, u8)>> {
    prop::collection::vec((any::<Index>(), any::<u8>()), 1..4)
}

fn overrides() -> impl Strategy<Value = Overrides<'static>> {
    (select(vec!["gpt-5", "ä\"\\\n"]), any::<[bool; 3]>()).prop_map(
        |(model, [ask_usage, forward_metadata, forward_routing])| Overrides {
            model,
            ask_usage,
            forward_metadata,
            forward_routing,
            edits: None,
        },
    )
}

/// The members of an object in their order, values as they are written; none of what is no object.
fn ordered(text: &str) -> Vec<(String, String)> {
    struct Ordered(Vec<(String, String)>);
    impl<'de> Deserialize<'de> for Ordered {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct OrderedVisitor;
            impl<'de> Visitor<'de> for OrderedVisitor {
                type Value = Ordered;
                fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                    formatter.write_str("an object")
                }
                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                    let mut members = Vec::new();
                    while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                        members.push((name, value.get().to_owned()));
                    }
                    Ok(Ordered(members))
                }
            }
            deserializer.deserialize_map(OrderedVisitor)
        }
    }
    if text == "null" {
        return Vec::new();
    }
    serde_json::from_str::<Ordered>(text).unwrap_or_else(|fault| panic!("{fault} of {text}")).0
}

/// What ought to go out, said without spans: the members in their order.
fn expected(dialect: Dialect, body: &str, overrides: &Overrides<'_>) -> Vec<(String, String)> {
    let names_the_user = matches!(dialect, Dialect::OpenAi | Dialect::Responses);
    let stays = |name: &str, inside: bool| match name {
        "extra_body" | "fallback" | "ignore" | "sort" | "prompt_variables" => false,
        "models" | "provider" => overrides.forward_routing,
        "user" | "safety_identifier" => names_the_user,
        "metadata" => !inside && (names_the_user || dialect == Dialect::Anthropic),
        _ => true,
    };
    let top_level = ordered(body);
    let taken: BTreeSet<_> = top_level.iter().map(|(name, _)| name.clone()).collect();
    let mut members = Vec::new();
    for (name, value) in top_level {
        if name == "extra_body" {
            let inside = ordered(&value).into_iter();
            members.extend(inside.filter(|(name, _)| stays(name, true) && !taken.contains(name)));
        } else if stays(&name, false) {
            members.push((name, value));
        }
    }
    let streams = members.contains(&("stream".to_owned(), "true".to_owned()));
    let asks = overrides.ask_usage && streams && dialect == Dialect::OpenAi;
    members.retain_mut(|(name, value)| name != "metadata" || takes(dialect, value, overrides));
    for (name, value) in &mut members {
        match name.as_str() {
            "model" if dialect != Dialect::Gemini => *value = Value::from(overrides.model).to_string(),
            "stream_options" if asks => *value = asking(value),
            _ => {}
        }
    }
    if asks && !members.iter().any(|(name, _)| name == "stream_options") {
        members.push(("stream_options".to_owned(), asking("null")));
    }
    members
}

/// Whether a dialect takes metadata; of Anthropic's, `user_id` alone.
fn takes(dialect: Dialect, metadata: &mut String, overrides: &Overrides<'_>) -> bool {
    let members = ordered(metadata);
    match dialect {
        Dialect::OpenAi => overrides.forward_metadata,
        Dialect::Anthropic if members.len() > 1 => {
            let user_id = members.iter().find(|(name, _)| name == "user_id");
            *metadata = user_id.map(|(_, value)| format!("{{\"user_id\":{value}}}")).unwrap_or_default();
            user_id.is_some()
        }
        Dialect::Anthropic => members.is_empty() || members.iter().any(|(name, _)| name == "user_id"),
        Dialect::Responses | Dialect::Gemini => true,
    }
}

/// `stream_options` that asks for usage, as a canonical text.
fn asking(stream_options: &str) -> String {
    let mut options: BTreeMap<String, Value> =
        serde_json::from_str::<Option<_>>(stream_options).unwrap().unwrap_or_default();
    options.insert("include_usage".to_owned(), Value::Bool(true));
    serde_json::to_string(&options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_outbound_body_is_the_callers_with_the_named_splices((dialect, body) in spoken(), overrides in overrides()) {
        let call = read(dialect, body.clone()).unwrap();
        let splices = call.splices(&overrides);
        let outbound = String::from_utf8(apply(body.as_bytes(), &splices)).unwrap();

        // Valid JSON, and each member that stays is in its place and as it was written; nothing is there that was not.
        // Where we ask for usage, `stream_options` is compared by value, once it is seen to ask.
        let mut members = ordered(&outbound);
        if overrides.ask_usage && call.stream() && dialect == Dialect::OpenAi {
            prop_assert!(read(dialect, outbound.clone()).unwrap().asks_usage());
            let (_, options) = members.iter_mut().find(|(name, _)| name == "stream_options").unwrap();
            *options = asking(options);
        }
        // What of Anthropic's metadata is left is compared without the spaces where others stood.
        let wanted = expected(dialect, &body, &overrides);
        for ((name, value), (_, wanted)) in members.iter_mut().zip(&wanted) {
            if name == "metadata" && value != wanted && dialect == Dialect::Anthropic {
                let user_id = ordered(value).into_iter().map(|(name, value)| format!("\"{name}\":{value}"));
                *value = format!("{{{}}}", user_id.collect::<String>());
            }
        }
        prop_assert_eq!(&members, &wanted, "{} of {}", outbound, body);

        // No name is there more often than the caller's top level had it.
        let top_level = ordered(&body);
        for (name, _) in &members {
            let times = |members: &[(String, String)]| members.iter().filter(|(other, _)| other == name).count();
            prop_assert!(times(&members) <= times(&top_level).max(1), "{name} in {outbound}");
        }

        // Sorted and apart, and every byte outside them unchanged.
        let mut rest = body.as_str();
        let mut spliced = String::new();
        let mut at = 0;
        for splice in &splices {
            prop_assert!(at <= splice.range.start && splice.range.start <= splice.range.end, "{splices:?}");
            let (kept, gone) = rest.split_at(splice.range.start - at);
            spliced.push_str(kept);
            spliced.push_str(&splice.with);
            (_, rest) = gone.split_at(splice.range.len());
            at = splice.range.end;
        }
        prop_assert_eq!(spliced + rest, outbound);

        // The body is needed for none of it.
        prop_assert_eq!(call.into_outline().splices(&overrides), splices);
    }

    #[test]
    fn a_body_cut_short_is_refused((dialect, body) in spoken()) {
        let bytes = body.trim_end().as_bytes();
        for end in 0..bytes.len() {
            prop_assert!(read(dialect, &bytes[..end]).is_err(), "{end} of {body}");
        }
    }

    #[test]
    fn a_damaged_body_never_panics((dialect, body) in spoken(), damage in damage(), overrides in overrides()) {
        let mut bytes = body.into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_all(dialect, bytes, &overrides)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(dialect in dialect(), bytes in prop::collection::vec(any::<u8>(), 0..200), overrides in overrides()) {
        read_all(dialect, bytes, &overrides)?;
    }

    #[test]
    fn anything_like_json_never_panics(dialect in dialect(), text in LIKE_JSON, overrides in overrides()) {
        read_all(dialect, text.into_bytes(), &overrides)?;
    }
}

/// Reads everything of what may be a body; if it is one, the outbound body must be JSON.
fn read_all(dialect: Dialect, bytes: Vec<u8>, overrides: &Overrides<'_>) -> Result<(), TestCaseError> {
    let Ok(call) = read(dialect, bytes) else { return Ok(()) };
    call.messages();
    call.has_images();
    let outbound = apply(call.body(), &call.splices(overrides));
    let parsed = serde_json::from_slice::<&RawValue>(&outbound);
    prop_assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&outbound));
    Ok(())
}
