//! Law 1 under a treatment: the outbound body is the caller's JSON with exactly those members changed, and every other byte is the
//! caller's.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use turnout::dialect::Dialect;
use turnout::endpoint::Operation;
use turnout::provider::Habits;

use super::{call, sent};

/// Members of a caller's body, by dialect: those that a treatment may touch, in odd spellings, and those that it may not.
fn members(dialect: Dialect) -> Vec<&'static str> {
    let mut members = match dialect {
        Dialect::OpenAi => vec![
            r#""temperature" : 2e-1"#,
            r#""max_tokens":5"#,
            r#""max_completion_tokens" :6"#,
            r#""top_p":null"#,
            r#""seed":1"#,
            r#""stop":"x""#,
            r#""reasoning_effort":"low""#,
            r#""logit_bias": {"1": 1.0}"#,
            r#""messages": [ {"role":"system","content":"own"} , {"role":"user","content":"\u00e9"} ]"#,
        ],
        Dialect::Anthropic => vec![
            r#""temperature" : 2e-1"#,
            r#""max_tokens":5"#,
            r#""top_p":0.1"#,
            r#""stop_sequences":["x"]"#,
            r#""system": "own \u00e9""#,
            r#""messages": [ {"role":"user","content":"\u00e9"} ]"#,
        ],
        Dialect::Responses => vec![
            r#""temperature" : 2e-1"#,
            r#""max_output_tokens":5"#,
            r#""top_p":0.1"#,
            r#""reasoning":{ "effort":"low" , "summary":"auto" }"#,
            r#""instructions": "own \u00e9""#,
            r#""input": "\u00e9""#,
        ],
        Dialect::Gemini => vec![
            r#""generationConfig": { "temperature":2e-1 , "responseSchema":{"b":1,"a":1.0}, "top_p":0.1 }"#,
            r#""systemInstruction":{"parts":[ {"text":"own"} ]}"#,
            r#""contents": [ {"role":"user","parts":[{"text":"\u00e9"}]} ]"#,
        ],
    };
    members.extend([r#""zeta":1.00"#, r#""tools" : [ ]"#, r#""unknown":{"b":1E+3, "a":[]}"#]);
    members
}

fn parameters() -> impl Strategy<Value = Value> {
    let all = vec![
        ("max_tokens", json!(2_000)),
        ("temperature", json!(0.9)),
        ("top_p", json!(0.8)),
        ("frequency_penalty", json!(0.5)),
        ("presence_penalty", json!(-0.5)),
        ("stop_sequences", json!(["END"])),
        ("seed", json!(7)),
        ("logit_bias", json!([{"token_id": 1, "bias_value": 2}])),
        ("reasoning", json!({"effort": "medium"})),
    ];
    let most = all.len();
    subsequence(all, 0..=most).prop_map(|chosen| {
        Value::Object(chosen.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

fn prompts() -> impl Strategy<Value = Value> {
    let all = vec![
        json!({"role": "system", "content": "S \"1\""}),
        json!({"role": "user", "content": "U"}),
        json!({"role": "assistant", "content": "A"}),
    ];
    subsequence(all, 0..=3).prop_map(Value::Array)
}

fn case() -> impl Strategy<Value = (Dialect, String, Value)> {
    select(Dialect::ALL.to_vec()).prop_flat_map(|dialect| {
        let members = members(dialect);
        let most = members.len();
        let body = subsequence(members, 0..=most).prop_shuffle().prop_map(move |members| {
            let model = (dialect != Dialect::Gemini).then_some(r#""model":"r""#);
            let all: Vec<&str> = members.into_iter().chain(model).collect();
            format!("{{ {}\n}}", all.join(" ,\t"))
        });
        let variant = (parameters(), prompts())
            .prop_map(|(parameters, prompts)| json!({"text_generation_config": parameters, "message_templates": prompts}))
            .prop_filter("a treatment", |variant| {
                variant["text_generation_config"] != json!({}) || variant["message_templates"] != json!([])
            });
        (Just(dialect), body, variant)
    })
}

/// What a treatment may touch at the top level of a dialect.
fn may_change(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenAi => &[
            "model",
            "temperature",
            "top_p",
            "max_tokens",
            "max_completion_tokens",
            "frequency_penalty",
            "presence_penalty",
            "seed",
            "stop",
            "logit_bias",
            "reasoning_effort",
            "messages",
        ],
        Dialect::Anthropic => &[
            "model",
            "temperature",
            "top_p",
            "max_tokens",
            "stop_sequences",
            "thinking",
            "output_config",
            "system",
            "messages",
        ],
        Dialect::Responses => {
            &["model", "temperature", "top_p", "max_output_tokens", "reasoning", "instructions", "input"]
        }
        Dialect::Gemini => &["generationConfig", "systemInstruction", "contents"],
    }
}

/// A value of the caller's less what came before it: what is left must be the caller's.
fn own(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("messages" | "contents", Value::Array(turns)) => turns
            .iter()
            .filter(|turn| {
                let text = turn.to_string();
                !["\"S \\\"1\\\"\"", "\"U\"", "\"A\""].iter().any(|prompt| text.contains(prompt))
            })
            .cloned()
            .collect(),
        ("input", Value::Array(turns)) => turns.last().map_or(Value::Null, |turn| turn["content"].clone()),
        ("system", Value::Array(blocks)) => blocks.last().map_or(Value::Null, |block| block["text"].clone()),
        ("systemInstruction", Value::Object(content)) => {
            content["parts"].as_array().and_then(|parts| parts.last()).cloned().unwrap_or_default()
        }
        ("instructions", Value::String(text)) => text.trim_start_matches("S \"1\"\n\n").into(),
        _ => value.clone(),
    }
}

proptest! {
    #[test]
    fn only_what_the_treatment_names_is_changed((dialect, body, variant) in case()) {
        let call = call(dialect, Operation::Generate, &body);
        let (out, _) = sent(&variant, &call, "claude-or-gpt", &Habits::default());
        let after: Value = serde_json::from_str(&out).unwrap_or_else(|fault| panic!("{fault}: {out}"));
        let before: Value = serde_json::from_str(&body).unwrap();
        let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
        for (name, value) in before {
            if !may_change(dialect).contains(&name.as_str()) {
                prop_assert_eq!(after.get(name), Some(value), "{} of {}", name, &out);
            }
        }
        for name in after.keys().filter(|name| !before.contains_key(*name)) {
            prop_assert!(may_change(dialect).contains(&name.as_str()), "{} in {}", name, &out);
        }
        // What the caller said is still there, after the prompts.
        for name in ["messages", "contents", "input", "system", "instructions", "systemInstruction"] {
            if let (Some(before), Some(after)) = (before.get(name), after.get(name)) {
                prop_assert_eq!(own(name, after), own(name, before), "{} of {}", name, &out);
            }
        }
        // Members that are not touched are there byte for byte.
        for member in members(dialect) {
            let name = member.split('"').nth(1).unwrap_or_default();
            if before.contains_key(name) && before.get(name) == after.get(name) {
                prop_assert!(out.contains(member), "{} in {}", member, &out);
            }
        }
    }

    #[test]
    fn what_is_set_is_what_is_sent((dialect, body, variant) in case()) {
        let call = call(dialect, Operation::Generate, &body);
        let (out, note) = sent(&variant, &call, "claude-or-gpt", &Habits::default());
        let after: Value = serde_json::from_str(&out).unwrap();
        let config = match dialect { Dialect::Gemini => &after["generationConfig"], _ => &after };
        let said = &variant["text_generation_config"];
        let note = note.unwrap_or_default();
        let words: [(&str, &[&str]); 4] = [
            ("temperature", &["temperature"]),
            ("top_p", &["top_p", "topP"]),
            ("max_tokens", &["max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens"]),
            ("seed", &["seed"]),
        ];
        for (name, spellings) in words {
            let Some(value) = said.get(name) else { continue };
            let sent = spellings.iter().filter_map(|spelling| config.get(*spelling)).collect::<Vec<_>>();
            prop_assert!(sent == [value] || note.contains(name), "{} in {} ({})", name, &out, &note);
        }
    }
}
