//! In the caller's own dialect: its bytes, with those members changed.

use serde_json::{Value, json};
use turnout::dialect::Dialect::{self, Anthropic, Gemini, OpenAi, Responses};
use turnout::endpoint::Operation;
use turnout::provider::Habits;

use super::{call, sent};

/// A body that goes to `model`, and what it goes as.
fn check(dialect: Dialect, model: &str, variant: &Value, body: &str, expected: &str) {
    noted(dialect, model, variant, body, expected, None);
}

fn noted(dialect: Dialect, model: &str, variant: &Value, body: &str, expected: &str, note: Option<&str>) {
    let call = call(dialect, Operation::Generate, body);
    let (out, said) = sent(variant, &call, model, &Habits::default());
    assert_eq!(out, expected, "{variant}");
    assert_eq!(said.as_deref(), note, "{variant} in {body}");
}

fn parameters(parameters: &Value) -> Value {
    json!({"text_generation_config": parameters})
}

fn prompts(prompts: &[(&str, &str)]) -> Value {
    let prompts: Vec<Value> =
        prompts.iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
    json!({"message_templates": prompts})
}

#[test]
fn a_parameter_is_replaced_where_it_stands_or_added_at_the_end() {
    let hot = parameters(&json!({"temperature": 0.9, "top_p": 1}));
    check(
        OpenAi,
        "m",
        &hot,
        "{ \"temperature\" :\t2e-1, \"model\":\"r\",\"messages\" : [ ],\"zeta\":1.0 }",
        "{ \"temperature\" :\t0.9, \"model\":\"m\",\"messages\" : [ ],\"zeta\":1.0,\"top_p\":1 }",
    );
    check(
        Anthropic,
        "claude-3-5-haiku",
        &parameters(&json!({"temperature": 1})),
        r#"{"model":"r","max_tokens":5,"messages":[]}"#,
        r#"{"model":"claude-3-5-haiku","max_tokens":5,"messages":[],"temperature":1}"#,
    );
    check(
        Responses,
        "gpt-m",
        &hot,
        r#"{"top_p":0.5,"model":"r","input":"x"}"#,
        r#"{"top_p":1,"model":"gpt-m","input":"x","temperature":0.9}"#,
    );
    check(
        Gemini,
        "m",
        &hot,
        r#"{"contents":[],"generationConfig":{ "topP" : 0.5 , "responseSchema" : {"b":1, "a":2.0} } }"#,
        r#"{"contents":[],"generationConfig":{ "topP" : 1 , "responseSchema" : {"b":1, "a":2.0},"temperature":0.9 } }"#,
    );
    check(
        Gemini,
        "m",
        &hot,
        r#"{"contents":[]}"#,
        r#"{"contents":[],"generationConfig":{"temperature":0.9,"topP":1}}"#,
    );
    check(Gemini, "m", &hot, " { } ", " {\"generationConfig\":{\"temperature\":0.9,\"topP\":1} } ");
    check(Gemini, "m", &hot, r#"{"metadata":{}}"#, r#"{"generationConfig":{"temperature":0.9,"topP":1}}"#);
}

#[test]
fn a_value_that_is_there_already_stays_as_it_is_written() {
    check(
        OpenAi,
        "m",
        &parameters(&json!({"temperature": 0.9})),
        r#"{"model":"r","temperature":0.900,"messages":[]}"#,
        r#"{"model":"m","temperature":0.900,"messages":[]}"#,
    );
    check(
        Gemini,
        "m",
        &parameters(&json!({"temperature": 0.9})),
        r#"{"generation_config":{"temperature":9e-1},"contents":[]}"#,
        r#"{"generation_config":{"temperature":9e-1},"contents":[]}"#,
    );
}

#[test]
fn another_name_for_the_same_is_replaced_too() {
    let most = parameters(&json!({"max_new_tokens": 100}));
    for (model, body, expected) in [
        (
            "gpt-5",
            r#"{"model":"r","max_tokens":5,"messages":[]}"#,
            r#"{"model":"gpt-5","max_completion_tokens":100,"messages":[]}"#,
        ),
        (
            "gpt-5",
            r#"{"model":"r","messages":[],"max_completion_tokens":5}"#,
            r#"{"model":"gpt-5","messages":[],"max_completion_tokens":100}"#,
        ),
        (
            "gpt-5",
            r#"{"model":"r","max_tokens":5,"max_completion_tokens":5,"messages":[]}"#,
            r#"{"model":"gpt-5","max_completion_tokens":100,"messages":[]}"#,
        ),
        ("llama", r#"{"model":"r","messages":[]}"#, r#"{"model":"llama","messages":[],"max_tokens":100}"#),
        // It may be OpenAI's under a name of somebody's own, and who calls it knows.
        (
            "ours",
            r#"{"model":"r","max_completion_tokens":5,"messages":[]}"#,
            r#"{"model":"ours","max_completion_tokens":100,"messages":[]}"#,
        ),
    ] {
        check(OpenAi, model, &most, body, expected);
    }
    check(
        Gemini,
        "m",
        &most,
        r#"{"contents":[],"generation_config":{"max_output_tokens":5,"top_k":3}}"#,
        r#"{"contents":[],"generation_config":{"max_output_tokens":100,"top_k":3}}"#,
    );
    check(
        OpenAi,
        "o3",
        &parameters(&json!({"reasoning": {"effort": "low"}})),
        r#"{"model":"r","reasoning":{"effort":"high","exclude":true},"thinking":{"type":"enabled"},"messages":[]}"#,
        r#"{"model":"o3","reasoning_effort":"low","messages":[]}"#,
    );
}

#[test]
fn a_field_of_a_literal_extra_body_is_a_field() {
    check(
        OpenAi,
        "m",
        &parameters(&json!({"seed": 7, "temperature": 1})),
        r#"{"extra_body":{"seed":1,"models":["a/b"]},"model":"r","messages":[]}"#,
        r#"{"seed":7,"model":"m","messages":[],"temperature":1}"#,
    );
}

#[test]
fn a_field_that_stands_twice_stands_once() {
    check(
        OpenAi,
        "m",
        &parameters(&json!({"temperature": 1})),
        r#"{"temperature":0.1,"model":"r","temperature":0.2,"messages":[]}"#,
        r#"{"temperature":1,"model":"m","messages":[]}"#,
    );
    check(
        Gemini,
        "m",
        &parameters(&json!({"temperature": 1})),
        r#"{"contents":[],"generationConfig":{"temperature":0.1,"seed":1,"temperature":0.2}}"#,
        r#"{"contents":[],"generationConfig":{"temperature":1,"seed":1}}"#,
    );
}

#[test]
fn every_parameter_in_every_dialect() {
    let all = json!({
        "max_tokens": 100, "temperature": 0.5, "top_p": 0.9, "repetition_penalty": 1.1, "frequency_penalty": -0.5,
        "presence_penalty": 2, "stop_sequences": ["END", "\n"], "seed": -7,
        "logit_bias": [{"token_id": 50256, "bias_value": -100}, {"tokenId": "11", "biasValue": 1.5}],
        "reasoning": {"effort": "low", "exclude": true},
    });
    let in_dialect = |dialect, model, body: &str| {
        let (out, note) =
            sent(&parameters(&all), &call(dialect, Operation::Generate, body), model, &Habits::default());
        (serde_json::from_str::<Value>(&out).unwrap(), note.unwrap_or_default())
    };
    let (chat, note) = in_dialect(OpenAi, "m", r#"{"model":"r","messages":[]}"#);
    assert_eq!(
        chat,
        json!({
            "model": "m", "messages": [], "max_tokens": 100, "temperature": 0.5, "top_p": 0.9, "repetition_penalty": 1.1,
            "frequency_penalty": -0.5, "presence_penalty": 2, "stop": ["END", "\n"], "seed": -7,
            "logit_bias": {"50256": -100, "11": 1.5}, "reasoning_effort": "low",
        })
    );
    assert_eq!(note, "not sent to openai: how thoughts are shown");
    let (messages, note) =
        in_dialect(Anthropic, "claude-3-5-haiku", r#"{"model":"r","max_tokens":5,"messages":[]}"#);
    assert_eq!(
        messages,
        json!({
            "model": "claude-3-5-haiku", "messages": [], "max_tokens": 100, "temperature": 0.5, "stop_sequences": ["END"],
        })
    );
    assert_eq!(
        note,
        "not sent to anthropic: frequency and presence penalties, `seed`, `logit_bias`, how much to think, as asked, \
         `temperature`, `top_p` or `top_k` as asked, stop sequences, `repetition_penalty`"
    );
    let (responses, note) = in_dialect(Responses, "gpt-5", r#"{"model":"r","input":"x"}"#);
    assert_eq!(
        responses,
        json!({
            "model": "gpt-5", "input": "x", "max_output_tokens": 100, "temperature": 0.5, "top_p": 0.9,
            "reasoning": {"effort": "low"},
        })
    );
    assert_eq!(
        note,
        "not sent to openai_responses: frequency and presence penalties, `seed`, stop sequences, `logit_bias`, `repetition_penalty`"
    );
    let (gemini, note) = in_dialect(Gemini, "gemini-3-pro", r#"{"contents":[]}"#);
    assert_eq!(
        gemini,
        json!({"contents": [], "generationConfig": {
            "maxOutputTokens": 100, "temperature": 0.5, "topP": 0.9, "frequencyPenalty": -0.5, "presencePenalty": 2,
            "stopSequences": ["END", "\n"], "seed": -7, "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": false},
        }})
    );
    assert_eq!(note, "not sent to gemini: `logit_bias`, `repetition_penalty`");
}

#[test]
fn openrouter_is_told_in_its_own_words() {
    let habits = turnout::provider::builtin("openrouter").unwrap().habits;
    let variant =
        parameters(&json!({"reasoning": {"max_tokens": 500, "exclude": true}, "repetition_penalty": 1.2}));
    let body = r#"{"model":"r","reasoning_effort":"high","messages":[]}"#;
    let (out, note) = sent(&variant, &call(OpenAi, Operation::Generate, body), "x/m", &habits);
    assert_eq!(
        out,
        r#"{"model":"x/m","reasoning":{"max_tokens":500,"exclude":true},"messages":[],"repetition_penalty":1.2}"#
    );
    assert_eq!(note, None);
}

#[test]
fn who_does_not_take_a_repetition_penalty_is_not_sent_one() {
    let habits = turnout::provider::builtin("openai").unwrap().habits;
    let variant = parameters(&json!({"repetition_penalty": 1.2}));
    let body = r#"{"model":"r","messages":[]}"#;
    let (out, note) = sent(&variant, &call(OpenAi, Operation::Generate, body), "gpt-5", &habits);
    assert_eq!(out, r#"{"model":"gpt-5","messages":[]}"#);
    assert_eq!(note.as_deref(), Some("not sent to openai: `repetition_penalty`"));
}

#[test]
fn what_a_parameter_excludes_of_the_callers_goes() {
    // A model that thinks takes no temperature; the limit is the arm's, and the budget has to be less.
    let thinks = parameters(&json!({"reasoning": {"max_tokens": 2000}, "max_tokens": 4000}));
    noted(
        Anthropic,
        "claude-sonnet-4-5",
        &thinks,
        r#"{"model":"r","temperature":0.2,"max_tokens":9000,"messages":[]}"#,
        r#"{"model":"claude-sonnet-4-5","max_tokens":4000,"messages":[],"thinking":{"type":"enabled","budget_tokens":2000}}"#,
        Some("not sent to anthropic: `temperature`, `top_p` or `top_k` as asked"),
    );
    let silent = parameters(&json!({"reasoning": {"effort": "none"}}));
    check(
        Anthropic,
        "claude-sonnet-4-5",
        &silent,
        r#"{"model":"r","thinking":{"type":"enabled","budget_tokens":2000},"max_tokens":9000,"messages":[]}"#,
        r#"{"model":"claude-sonnet-4-5","max_tokens":9000,"messages":[]}"#,
    );
    // An effort beside the form of the answer, which stays as it is written.
    check(
        Anthropic,
        "claude-opus-4-7",
        &parameters(&json!({"reasoning": {"effort": "high"}})),
        r#"{"model":"r","output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},"max_tokens":9000,"messages":[]}"#,
        r#"{"model":"claude-opus-4-7","output_config":{"format":{"type":"json_schema","schema":{"type":"object"}},"effort":"high"},"max_tokens":9000,"messages":[],"thinking":{"type":"adaptive"}}"#,
    );
    check(
        Gemini,
        "gemini-2.5-flash",
        &parameters(&json!({"reasoning": {"effort": "high"}})),
        r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":5,"includeThoughts":true}}}"#,
        r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":24576,"includeThoughts":true}}}"#,
    );
    check(
        Responses,
        "gpt-5",
        &parameters(&json!({"reasoning": {"effort": "minimal"}})),
        r#"{"model":"r","input":"x","reasoning":{"generate_summary":"auto","effort":"high","summary":"auto"},"include":["x"]}"#,
        r#"{"model":"gpt-5","input":"x","reasoning":{"generate_summary":"auto","effort":"minimal","summary":"auto"},"include":["x"]}"#,
    );
}

#[test]
fn settings_that_cannot_be_read_are_replaced_all_the_same() {
    check(
        OpenAi,
        "m",
        &parameters(&json!({"temperature": 1})),
        r#"{"model":"r","temperature":"hot","top_p":[],"messages":7}"#,
        r#"{"model":"m","temperature":1,"top_p":[],"messages":7}"#,
    );
    check(
        Gemini,
        "m",
        &parameters(&json!({"temperature": 1})),
        r#"{"generationConfig":null,"contents":[]}"#,
        r#"{"generationConfig":{"temperature":1},"contents":[]}"#,
    );
}

#[test]
fn prompts_of_chat_completions_are_turns() {
    let both = prompts(&[("system", "S"), ("user", "U"), ("assistant", "A")]);
    let body = |messages: &str| format!(r#"{{"model":"r","messages":{messages}}}"#);
    let to = |messages: &str| format!(r#"{{"model":"m","messages":{messages}}}"#);
    let s = r#"{"role":"system","content":"S"}"#;
    let ua = r#"{"role":"user","content":"U"},{"role":"assistant","content":"A"}"#;
    let own = r#"{"role":"user","content":"é\u00e9"}"#;
    let prompt = r#"{ "role" : "developer" , "content":[] }"#;
    for (messages, expected) in [
        ("[]".to_owned(), format!("[{s},{ua}]")),
        ("[ ]".to_owned(), format!("[{s},{ua} ]")),
        (format!("[ {own} ]"), format!("[{s},{ua}, {own} ]")),
        (format!("[ {prompt} ,{own}]"), format!("[{s}, {prompt},{ua} ,{own}]")),
        (format!("[{prompt}]"), format!("[{s},{prompt},{ua}]")),
        (format!("[{own},{prompt}]"), format!("[{s},{ua},{own},{prompt}]")),
    ] {
        check(OpenAi, "m", &both, &body(&messages), &to(&expected));
    }
    check(
        OpenAi,
        "m",
        &prompts(&[("developer", "S")]),
        &body(&format!("[{own}]")),
        &to(&format!("[{s},{own}]")),
    );
    check(OpenAi, "m", &prompts(&[("user", "U")]), &body("7"), &to("7"));
    check(
        OpenAi,
        "m",
        &prompts(&[("user", "U")]),
        r#"{"model":"r"}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"U"}]}"#,
    );
    // One text, for there are servers that take no parts.
    let parts = json!({"message_templates": [{"role": "system", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}]});
    check(OpenAi, "m", &parts, &body("[]"), &to(r#"[{"role":"system","content":"a\n\nb"}]"#));
}

#[test]
fn prompts_of_messages_stand_apart() {
    let both = prompts(&[("system", "S"), ("user", "U")]);
    let s = r#"{"type":"text","text":"S"}"#;
    let u = r#"{"role":"user","content":[{"type":"text","text":"U"}]}"#;
    for (system, expected) in [
        (r#"" é\u00e9""#, format!(r#"[{s},{{"type":"text","text":" é\u00e9"}}]"#)),
        (r#""""#, format!("[{s}]")),
        ("null", format!("[{s}]")),
        ("[]", format!("[{s}]")),
        (
            r#"[ {"type":"text","text":"x","cache_control":{"type":"ephemeral"}} ]"#,
            format!(r#"[{s}, {{"type":"text","text":"x","cache_control":{{"type":"ephemeral"}}}} ]"#),
        ),
        ("7", "7".to_owned()),
    ] {
        check(
            Anthropic,
            "m",
            &both,
            &format!(
                r#"{{"system":{system},"model":"r","max_tokens":5,"messages":[{{"role":"user","content":"x"}}]}}"#
            ),
            &format!(
                r#"{{"system":{expected},"model":"m","max_tokens":5,"messages":[{u},{{"role":"user","content":"x"}}]}}"#
            ),
        );
    }
    check(
        Anthropic,
        "m",
        &both,
        r#"{"model":"r","max_tokens":5,"messages":[]}"#,
        &format!(r#"{{"model":"m","max_tokens":5,"messages":[{u}],"system":[{s}]}}"#),
    );
    let marked = json!({"message_templates": [{"role": "system", "content":
        [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]});
    check(
        Anthropic,
        "m",
        &marked,
        r#"{"model":"r","max_tokens":5,"messages":[]}"#,
        r#"{"model":"m","max_tokens":5,"messages":[],"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}]}"#,
    );
    noted(
        OpenAi,
        "m",
        &marked,
        r#"{"model":"r","messages":[]}"#,
        r#"{"model":"m","messages":[{"role":"system","content":"S"}]}"#,
        Some("not sent to openai: `cache_control`"),
    );
}

#[test]
fn a_text_in_place_of_messages_leaves_json() {
    // What becomes of it is the provider's to say; it gets the system prompt all the same.
    for (variant, expected) in [
        (prompts(&[("system", "S")]), r#"{"role":"system","content":"S"},"#),
        (prompts(&[("user", "U")]), r#"{"role":"user","content":"U"},"#),
    ] {
        check(
            OpenAi,
            "m",
            &variant,
            r#"{"model":"r","messages":"x"}"#,
            &format!(r#"{{"model":"m","messages":[{expected}{{"role":"user","content":"x"}}]}}"#),
        );
    }
}

#[test]
fn prompts_of_responses_are_instructions_and_items() {
    let both = prompts(&[("system", "S \"1\""), ("system", "S2"), ("user", "U"), ("assistant", "A")]);
    let ua = r#"{"role":"user","content":"U"},{"role":"assistant","content":"A"}"#;
    for (body, expected) in [
        (
            r#"{"model":"r","input":"x\u00e9"}"#.to_owned(),
            format!(
                r#"{{"model":"m","input":[{ua},{{"role":"user","content":"x\u00e9"}}],"instructions":"S \"1\"\n\nS2"}}"#
            ),
        ),
        (
            r#"{"instructions" : "own \u00e9","model":"r","input":[ {"type":"message"} ]}"#.to_owned(),
            format!(
                r#"{{"instructions" : "S \"1\"\n\nS2\n\nown \u00e9","model":"m","input":[{ua}, {{"type":"message"}} ]}}"#
            ),
        ),
        (
            r#"{"instructions":null,"model":"r","input":[]}"#.to_owned(),
            format!(r#"{{"instructions":"S \"1\"\n\nS2","model":"m","input":[{ua}]}}"#),
        ),
        (
            r#"{"instructions":"","model":"r","prompt":{"id":"p"}}"#.to_owned(),
            format!(r#"{{"instructions":"S \"1\"\n\nS2","model":"m","prompt":{{"id":"p"}},"input":[{ua}]}}"#),
        ),
    ] {
        check(Responses, "m", &both, &body, &expected);
    }
    check(
        Responses,
        "m",
        &prompts(&[("system", "S")]),
        r#"{"model":"r","input":"x"}"#,
        r#"{"model":"m","input":"x","instructions":"S"}"#,
    );
}

#[test]
fn a_call_that_goes_on_has_the_turns_already() {
    let both = prompts(&[("system", "S"), ("user", "U")]);
    noted(
        Responses,
        "m",
        &both,
        r#"{"model":"r","input":"x","previous_response_id":"resp_1"}"#,
        r#"{"model":"m","input":"x","previous_response_id":"resp_1","instructions":"S"}"#,
        Some(
            "not sent to openai_responses: the variant's turns, for the call goes on from one that had them",
        ),
    );
    // A reference to an item is no conversation.
    check(
        Responses,
        "m",
        &prompts(&[("user", "U")]),
        r#"{"model":"r","input":[{"type":"item_reference","id":"rs_1"}],"previous_response_id":null}"#,
        r#"{"model":"m","input":[{"role":"user","content":"U"},{"type":"item_reference","id":"rs_1"}],"previous_response_id":null}"#,
    );
}

#[test]
fn prompts_of_gemini_are_parts_and_contents() {
    let both = prompts(&[("system", "S"), ("assistant", "A")]);
    let a = r#"{"role":"model","parts":[{"text":"A"}]}"#;
    for (system, expected) in [
        (
            r#""systemInstruction":{ "role":"x","parts":[ {"text":"own"} ]},"#,
            r#""systemInstruction":{ "role":"x","parts":[{"text":"S"}, {"text":"own"} ]},"#,
        ),
        (r#""system_instruction":{"parts":[]},"#, r#""system_instruction":{"parts":[{"text":"S"}]},"#),
        (r#""systemInstruction":"own","#, r#""systemInstruction":{"parts":[{"text":"S"},{"text":"own"}]},"#),
        (
            r#""systemInstruction":{"role":"x"},"#,
            r#""systemInstruction":{"role":"x","parts":[{"text":"S"}]},"#,
        ),
        (r#""systemInstruction":null,"#, r#""systemInstruction":{"parts":[{"text":"S"}]},"#),
    ] {
        check(
            Gemini,
            "m",
            &both,
            &format!(r#"{{{system}"contents":[{{"parts":[]}}]}}"#),
            &format!(r#"{{{expected}"contents":[{a},{{"parts":[]}}]}}"#),
        );
    }
    check(
        Gemini,
        "m",
        &both,
        r#"{"contents":[]}"#,
        &format!(r#"{{"contents":[{a}],"systemInstruction":{{"parts":[{{"text":"S"}}]}}}}"#),
    );
}

#[test]
fn a_count_of_tokens_counts_the_prompts_and_has_no_parameters() {
    let mut variant = prompts(&[("system", "S")]);
    variant["text_generation_config"] = json!({"temperature": 1, "max_tokens": 5});
    let call = call(Anthropic, Operation::CountTokens, r#"{"model":"r","messages":[]}"#);
    let (out, note) = sent(&variant, &call, "m", &Habits::default());
    assert_eq!(out, r#"{"model":"m","messages":[],"system":[{"type":"text","text":"S"}]}"#);
    assert_eq!(note, None);
}

#[test]
fn a_conversation_that_is_a_text_becomes_a_turn_beside_prompts_alone() {
    let cold = parameters(&json!({"temperature": 0}));
    check(
        OpenAi,
        "m",
        &cold,
        r#"{"model":"r","messages":"hi"}"#,
        r#"{"model":"m","messages":"hi","temperature":0}"#,
    );
    for (template, expected) in [
        (
            ("system", "S"),
            r#"{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"hi"}]}"#,
        ),
        (
            ("user", "U"),
            r#"{"model":"m","messages":[{"role":"user","content":"U"},{"role":"user","content":"hi"}]}"#,
        ),
    ] {
        check(OpenAi, "m", &prompts(&[template]), r#"{"model":"r","messages":"hi"}"#, expected);
    }
    let both = prompts(&[("system", "S"), ("user", "U")]);
    let expected = r#"{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"U"},{"role":"user","content":"hi"}]}"#;
    check(OpenAi, "m", &both, r#"{"model":"r","messages":"hi"}"#, expected);
}
