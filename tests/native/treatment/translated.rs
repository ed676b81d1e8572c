//! In another dialect than the caller's: parameters and prompts are in what the downstream gets.

use serde_json::{Value, json};
use turnout::dialect::Dialect::{self, Anthropic, Gemini, OpenAi, Responses};
use turnout::dialect::translate::decode_request;
use turnout::endpoint::Operation;
use turnout::provider::Habits;

use super::{applied, call};

fn treated(from: Dialect, to: Dialect, model: &str, variant: &Value, body: &str) -> (Value, Option<String>) {
    let call = call(from, Operation::Generate, body);
    let conversation = decode_request(from, body.as_bytes()).unwrap();
    let applied = applied(variant, &call).unwrap().unwrap();
    let written = applied.translated(&conversation, to, model, &Habits::default()).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.note)
}

fn variant() -> Value {
    json!({
        "text_generation_config": {"temperature": 0.5, "max_tokens": 100, "stop_sequences": ["END"], "repetition_penalty": 1.1,
            "logit_bias": [{"token_id": 7, "bias_value": 1}]},
        "message_templates": [{"role": "system", "content": "S {{plan}}"}, {"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}],
    })
}

const CHAT: &str = r#"{"model":"r","temperature":2,"prompt_variables":{"plan":"free"},"messages":[{"role":"system","content":"own"},{"role":"user","content":"x"}]}"#;

#[test]
fn prompts_come_before_the_callers_and_parameters_win() {
    let (body, note) = treated(OpenAi, Anthropic, "claude-3-5-haiku", &variant(), CHAT);
    assert_eq!(
        body,
        json!({
            "model": "claude-3-5-haiku", "max_tokens": 100, "temperature": 0.5, "stop_sequences": ["END"],
            "system": [{"type": "text", "text": "S free"}, {"type": "text", "text": "own"}],
            "messages": [
                {"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "x"},
            ],
        })
    );
    assert_eq!(note.as_deref(), Some("not sent to anthropic: `logit_bias`, `repetition_penalty`"));

    let (body, note) = treated(OpenAi, Gemini, "gemini-2.5-flash", &variant(), CHAT);
    assert_eq!(body["systemInstruction"]["parts"], json!([{"text": "S free"}, {"text": "own"}]));
    assert_eq!(
        body["contents"],
        json!([
            {"role": "user", "parts": [{"text": "U"}]}, {"role": "model", "parts": [{"text": "A"}]},
            {"role": "user", "parts": [{"text": "x"}]},
        ])
    );
    assert_eq!(
        body["generationConfig"],
        json!({"temperature": 0.5, "maxOutputTokens": 100, "stopSequences": ["END"]})
    );
    assert_eq!(note.as_deref(), Some("not sent to gemini: `logit_bias`, `repetition_penalty`"));

    let (body, note) = treated(OpenAi, Responses, "gpt-4.1", &variant(), CHAT);
    assert_eq!(body["instructions"], "S free");
    assert_eq!(body["max_output_tokens"], 100);
    assert_eq!(body["temperature"], 0.5);
    // Of the caller's own a stop sequence would be a 400; the caller did not write this one.
    assert_eq!(
        note.as_deref(),
        Some("not sent to openai_responses: stop sequences, `logit_bias`, `repetition_penalty`")
    );
}

#[test]
fn from_every_dialect_to_chat_completions() {
    let expected = |body: &Value, note: Option<String>| {
        assert_eq!(body["messages"][0], json!({"role": "system", "content": "S free\n\nown"}));
        assert_eq!(body["messages"][1], json!({"role": "user", "content": "U"}));
        assert_eq!(body["messages"][2], json!({"role": "assistant", "content": "A"}));
        assert_eq!(body["messages"][3], json!({"role": "user", "content": "x"}));
        assert_eq!(body["max_completion_tokens"], 100);
        assert_eq!(body["temperature"], 0.5);
        assert_eq!(body["stop"], json!(["END"]));
        assert_eq!(body["logit_bias"], json!({"7": 1}));
        assert_eq!(body["repetition_penalty"], 1.1);
        assert_eq!(note, None);
    };
    for (from, body) in [
        (
            Anthropic,
            r#"{"model":"r","max_tokens":9,"system":"own","messages":[{"role":"user","content":"x"}],"prompt_variables":{"plan":"free"}}"#,
        ),
        (
            Responses,
            r#"{"model":"r","max_output_tokens":9,"instructions":"own","input":"x","prompt_variables":{"plan":"free"}}"#,
        ),
        (
            Gemini,
            r#"{"systemInstruction":{"parts":[{"text":"own"}]},"contents":[{"role":"user","parts":[{"text":"x"}]}],"prompt_variables":{"plan":"free"}}"#,
        ),
    ] {
        // What is ours is spliced out before a request is read.
        let stripped = body.replace(r#","prompt_variables":{"plan":"free"}"#, "");
        let call = call(from, Operation::Generate, body);
        let applied = applied(&variant(), &call).unwrap().unwrap();
        let conversation = decode_request(from, stripped.as_bytes()).unwrap();
        let written = applied.translated(&conversation, OpenAi, "gpt-5", &Habits::default()).unwrap();
        expected(&serde_json::from_slice(&written.body).unwrap(), written.note);
    }
}

#[test]
fn the_callers_own_is_still_refused_where_it_cannot_be_carried() {
    let body = r#"{"model":"r","stop":["x"],"messages":[{"role":"user","content":"x"}]}"#;
    let call = call(OpenAi, Operation::Generate, body);
    let conversation = decode_request(OpenAi, body.as_bytes()).unwrap();
    let hot = json!({"text_generation_config": {"temperature": 1}});
    let applied = applied(&hot, &call).unwrap().unwrap();
    let error = applied.translated(&conversation, Responses, "gpt-4.1", &Habits::default()).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("stop"));
}

#[test]
fn a_blank_stop_sequence_of_the_variants_is_left_out() {
    let stops = json!({"text_generation_config": {"stop_sequences": ["\n", "END"]}});
    let (body, note) = treated(
        OpenAi,
        Anthropic,
        "claude-3-5-haiku",
        &stops,
        r#"{"model":"r","messages":[{"role":"user","content":"x"}]}"#,
    );
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!(note.as_deref(), Some("not sent to anthropic: stop sequences"));
}

#[test]
fn openrouter_is_told_in_its_own_words() {
    let habits = turnout::provider::builtin("openrouter").unwrap().habits;
    let body = r#"{"model":"r","reasoning":{"effort":"high"},"input":"x"}"#;
    let call = call(Responses, Operation::Generate, body);
    let conversation = decode_request(Responses, body.as_bytes()).unwrap();
    let variant = json!({"text_generation_config": {"reasoning": {"max_tokens": 500}}});
    let applied = applied(&variant, &call).unwrap().unwrap();
    let written = applied.translated(&conversation, OpenAi, "x/m", &habits).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(body["reasoning"], json!({"max_tokens": 500}));
    assert_eq!(body.get("reasoning_effort"), None);
    assert_eq!(written.note, None);
}
