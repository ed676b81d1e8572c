//! `text_generation_config`, `message_templates` and `prompt_variables`: what is read, and every fault with its path.

use serde_json::{Value, json};
use turnout::call::Call;
use turnout::dialect::Dialect::OpenAi;
use turnout::endpoint::{Ask, Operation};
use turnout::router::parse;
use turnout::treatment::{Piece, pieces};

use super::{applied, call, document, router};

/// The faults of a variant with these members, or its warnings, each with its path below the variant.
fn check(variant: &Value, expected: &[&str]) {
    let document = document("x/m", variant, &json!({})).to_string();
    let (found, kind) = match parse("r", document.as_bytes()) {
        Ok(router) => (router.warnings, "warning"),
        Err(faults) => (faults, "fault"),
    };
    let path = "default_route.variants[0].variant.";
    let found: Vec<String> = found
        .iter()
        .map(|fault| format!("{kind} {}", fault.to_string().strip_prefix(path).unwrap_or_default()))
        .collect();
    assert_eq!(found.len(), expected.len(), "{variant}: {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{variant}\n{found}\n{expected}");
    }
}

#[test]
fn a_long_prompt_of_thousands_of_variants_is_held_once_and_bounded() {
    // Each variant has parameters of its own, and the prompt of `defaults`.
    let document = |variants: usize, prompt: usize| {
        let variants: Vec<Value> = (0..variants)
            .map(|n| json!({"variant": {"variant_id": format!("v{n}"), "model_id": "x/m", "text_generation_config": {"seed": n}}, "weight": 100 / variants}))
            .collect();
        let prompts = json!([{"role": "system", "content": "x".repeat(prompt)}]);
        json!({"default_route": {"variants": variants}, "defaults": {"message_templates": prompts}})
    };
    let few = router(&document(2, 200_000));
    let default = few.default.unwrap();
    let [one, other] = &*default.variants else { panic!("two variants") };
    assert!(std::rc::Rc::ptr_eq(&one.treatment.prompts, &other.treatment.prompts), "it is held once");

    let mut many = document(100, 200_000);
    assert!(parse("r", many.to_string().as_bytes()).is_ok(), "20 MB are hashed");
    let steps: Vec<Value> = (0..20).map(|n| json!({"at": n, "weight": n})).collect();
    many["default_route"]["ramp"] = json!({"variant_id": "v0", "steps": steps});
    let faults = parse("r", many.to_string().as_bytes()).expect_err("420 MB are not");
    assert!(faults[0].message.contains("420000000 bytes"), "{faults:?}");
}

#[test]
fn every_fault_of_parameters_is_named_at_once() {
    check(
        &json!({"text_generation_config": {
            "maxTokens": 0, "max_new_tokens": 5, "temperature": 2.5, "top_p": "1", "repetition_penalty": -1,
            "frequency_penalty": 3, "presence_penalty": [], "seed": 1.5,
        }}),
        &[
            "fault text_generation_config.max_new_tokens: means the same as `max_tokens`",
            "fault text_generation_config.maxTokens: must be from 1 to 10000000",
            "fault text_generation_config.temperature: must be from 0 to 2",
            "fault text_generation_config.top_p: must be a number, not a string",
            "fault text_generation_config.repetition_penalty: must be from 0 to 2",
            "fault text_generation_config.frequency_penalty: must be from -2 to 2",
            "fault text_generation_config.presence_penalty: must be a number, not an array",
            "fault text_generation_config.seed: must be a whole number",
        ],
    );
    check(
        &json!({"textGenerationConfig": {
            "stopSequences": ["", "ok", 7, "x".repeat(257)],
            "logitBias": [{"tokenId": -1, "biasValue": 101}, {"tokenId": "x", "biasValue": 1}, {"bias_value": 1},
                {"token_id": 7, "bias_value": 1}, {"token_id": "7", "bias_value": 1}],
            "reasoning": {"effort": "most", "maxTokens": 1.5, "exclude": "yes", "budget": 7},
        }}),
        &[
            "fault textGenerationConfig.stopSequences[0]: must have from 1 to 256 bytes",
            "fault textGenerationConfig.stopSequences[2]: must be a string, not a number",
            "fault textGenerationConfig.stopSequences[3]: must have from 1 to 256 bytes",
            "fault textGenerationConfig.logitBias[0].tokenId: must be from 0 to 4294967295",
            "fault textGenerationConfig.logitBias[0].biasValue: must be from -100 to 100",
            "fault textGenerationConfig.logitBias[1].tokenId: must be a number, not a string",
            "fault textGenerationConfig.logitBias[2].token_id: is missing; write the token's number",
            "fault textGenerationConfig.logitBias[4].token_id: the token 7 is given twice",
            "fault textGenerationConfig.reasoning.budget: is no field here; those that there are: effort, max_tokens, exclude",
            "fault textGenerationConfig.reasoning.effort: is no effort; write one of none, minimal, low,",
            "fault textGenerationConfig.reasoning.maxTokens: must be a whole number",
            "fault textGenerationConfig.reasoning.exclude: must be true or false, not a string",
        ],
    );
    // What was left out would compare something else.
    check(
        &json!({"text_generation_config": {"top_k": 5}}),
        &["fault text_generation_config.top_k: is no field here; did you mean `top_p`?"],
    );
    check(
        &json!({"text_generation_config": {"mirostat": 5}}),
        &["fault text_generation_config.mirostat: is no field here; those"],
    );
    check(
        &json!({"text_generation_config": []}),
        &["fault text_generation_config: must be an object, not an array"],
    );
    check(
        &json!({"text_generation_config": {"stop_sequences": vec!["x"; 17], "logit_bias": vec![1; 301]}}),
        &[
            "fault text_generation_config.stop_sequences: has 17 entries; 16 are the most",
            "fault text_generation_config.logit_bias: has 301 entries; 300 are the most",
        ],
    );
    check(
        &json!({"text_generation_config": {"stop_sequences": ["a", "b", "c", "d", "e"]}}),
        &["warning text_generation_config.stop_sequences: has more than 4 entries, which OpenAI refuses"],
    );
}

#[test]
fn every_fault_of_prompts_is_named_at_once() {
    check(
        &json!({"message_templates": [
            {"role": "tool", "content": ""},
            {"content": 7},
            {"role": "user", "content": [], "name": "x"},
            {"role": "user", "content": [{"type": "image_url", "text": "x"}, {"type": "text"}, "x"]},
            {"role": "user", "content": [{"text": "x", "cache_control": {"type": "forever", "ttl": "2h"}}]},
        ]}),
        &[
            "fault message_templates[0].role: is no role of a prompt",
            "fault message_templates[0].content: is empty",
            "fault message_templates[1].role: is missing",
            "fault message_templates[1].content: must be a string, not a number",
            "fault message_templates[2].name: is no field here; those that there are: role, content",
            "fault message_templates[2].content: is empty",
            "fault message_templates[3].content[0].type: must be \"text\"",
            "fault message_templates[3].content[1].text: is missing",
            "fault message_templates[3].content[2]: must be an object, not a string",
            "fault message_templates[4].content[0].cache_control.type: must be \"ephemeral\"",
            "fault message_templates[4].content[0].cache_control.ttl: must be \"5m\" or \"1h\"",
        ],
    );
    check(
        &json!({"message_templates": vec![json!({"role": "user", "content": "x"}); 65]}),
        &["fault message_templates: has 65 messages; 64 are the most"],
    );
    let long = "x".repeat(200 * 1024);
    check(
        &json!({"message_templates": [{"role": "user", "content": long}, {"role": "user", "content": long}]}),
        &["fault message_templates: is too long; all texts together may have 262144 bytes"],
    );
    check(
        &json!({"message_templates": [{"role": "user", "content": "{{a b}}"}, {"role": "system", "content": "x"}]}),
        &[
            "warning message_templates[0].content: has `{{` and no variable",
            "warning message_templates[1]: goes to the beginning",
        ],
    );
}

#[test]
fn what_a_provider_cannot_be_told_is_a_warning() {
    let warnings = |model: &str, parameters: Value| {
        let router = router(&document(model, &json!({"text_generation_config": parameters}), &json!({})));
        router.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let path = "default_route.variants[0].variant.text_generation_config";
    assert_eq!(
        warnings("anthropic/claude-opus-4-7", json!({"seed": 1, "temperature": 1, "max_tokens": 5})),
        [format!(
            "{path}: 'anthropic/claude-opus-4-7' takes no `seed`, `temperature`, `top_p` or `top_k` as asked; it is called without"
        )]
    );
    assert_eq!(
        warnings("google/gemini-2.5-pro", json!({"logit_bias": [{"token_id": 1, "bias_value": 1}]})),
        [format!("{path}: 'google/gemini-2.5-pro' takes no `logit_bias`; it is called without")]
    );
    // One of its dialects takes them.
    assert_eq!(warnings("openai/gpt-5", json!({"stop_sequences": ["x"], "seed": 1})), Vec::<String>::new());
    assert_eq!(warnings("openai/gpt-5", json!({"repetition_penalty": 1.1})).len(), 1);
    assert_eq!(warnings("openrouter/x/y", json!({"repetition_penalty": 1.1})), Vec::<String>::new());
    // It may be anything.
    assert_eq!(warnings("ours/claude", json!({"seed": 1})), Vec::<String>::new());
}

#[test]
fn variables_are_names_between_double_braces() {
    let literal = |text: &str| Piece::Literal(text.to_owned());
    let variable = |name: &str| Piece::Variable(name.to_owned());
    for (template, expected) in [
        ("", vec![]),
        ("a", vec![literal("a")]),
        ("{{a}}", vec![variable("a")]),
        ("x{{ a.b-c_1 }}{{d}}y", vec![literal("x"), variable("a.b-c_1"), variable("d"), literal("y")]),
        ("{{{a}}}", vec![literal("{"), variable("a"), literal("}")]),
        ("{{a b}} {{1}} {{}} {{", vec![literal("{{a b}} {{1}} {{}} {{")]),
        (r#"{"a":{"b":1}}"#, vec![literal(r#"{"a":{"b":1}}"#)]),
        ("{{ {{a}} }}", vec![literal("{{ "), variable("a"), literal(" }}")]),
        ("{{ü}}", vec![literal("{{ü}}")]),
    ] {
        assert_eq!(pieces(template), expected, "{template}");
    }
    assert_eq!(pieces(&format!("{{{{{}}}}}", "a".repeat(65))).len(), 1);
    assert_eq!(pieces(&"{".repeat(200_000)).len(), 1);
}

fn asks(variables: &str) -> String {
    format!(r#"{{"model":"r","messages":[],"prompt_variables":{variables}}}"#)
}

fn prompt(content: &str) -> Value {
    json!({"message_templates": [{"role": "system", "content": content}]})
}

/// The system prompt that a call with these variables gets.
fn said(template: &str, body: &str) -> Result<String, (String, String)> {
    let call = call(OpenAi, Operation::Generate, body);
    match applied(&prompt(template), &call) {
        Err(error) => Err((error.param.unwrap_or_default(), error.message)),
        Ok(applied) => {
            let (edits, _) = applied.unwrap().edits(body, &call, "m", &turnout::provider::Habits::default());
            let turn = edits.within.first().map(|splice| splice.with.clone()).unwrap_or_default();
            let turn: Value = serde_json::from_str(turn.trim_end_matches(',')).unwrap_or_default();
            Ok(turn["content"].as_str().unwrap_or_default().to_owned())
        }
    }
}

#[test]
fn scalars_are_filled_in_as_they_are_written() {
    let body = asks(r#"{"s":"a \"q\" \u00e9 {{n}}","n":1.50,"e":-1E3,"b":true}"#);
    assert_eq!(said("{{s}}|{{n}}|{{e}}|{{b}}", &body).unwrap(), "a \"q\" é {{n}}|1.50|-1E3|true");
    let inside = r#"{"model":"r","messages":[],"extra_body":{"prompt_variables":{"s":"x"}}}"#;
    assert_eq!(said("{{s}}", inside).unwrap(), "x");
    let both = r#"{"model":"r","messages":[],"prompt_variables":{"s":"top"},"extra_body":{"prompt_variables":{"s":"x"}}}"#;
    assert_eq!(said("{{s}}", both).unwrap(), "top");
    assert_eq!(said("none", &asks("null")).unwrap(), "none");
}

#[test]
fn a_variable_that_is_missing_or_no_text_is_named() {
    let fault = |variables: &str| said("{{ plan }}", &asks(variables)).unwrap_err();
    let path = "prompt_variables.plan".to_owned();
    assert_eq!(
        fault("{}"),
        (path.clone(), "`prompt_variables.plan` is missing: a prompt of this router's needs it.".to_owned())
    );
    for (value, kind) in
        [("null", "null"), ("[]", "a list"), ("{}", "an object"), (r#""\ud83d""#, "half of a surrogate pair")]
    {
        let (param, message) = fault(&format!(r#"{{"plan":{value}}}"#));
        assert_eq!(param, path);
        assert_eq!(
            message,
            format!("`prompt_variables.plan` must be a string, a number or a boolean, and is {kind}.")
        );
    }
}

#[test]
fn variables_are_bounded_and_read_strictly() {
    let fault = |body: String| {
        let error = Call::parse(&Ask::of(OpenAi), body.into_bytes()).unwrap_err();
        (error.param.unwrap_or_default(), error.message)
    };
    let (param, message) = fault(asks("[]"));
    assert_eq!(
        (param.as_str(), message.as_str()),
        ("prompt_variables", "`prompt_variables` must be an object, and is a list.")
    );
    let (param, _) = fault(r#"{"model":"r","extra_body":{"prompt_variables":7}}"#.to_owned());
    assert_eq!(param, "extra_body.prompt_variables");
    let (_, message) = fault(asks(&format!(r#"{{"a":"{}"}}"#, "x".repeat(65_536))));
    assert!(message.contains("has 65544 bytes"), "{message}");
    let many: Vec<String> = (0..65).map(|n| format!(r#""v{n}":1"#)).collect();
    let (_, message) = fault(asks(&format!("{{{}}}", many.join(","))));
    assert!(message.contains("has 65 members"), "{message}");
    let (_, message) = fault(asks(r#"{"a":1,"\u0061":2}"#));
    assert!(message.contains("has a member twice"), "{message}");
    // A short template may say a long value a thousand times.
    let (param, message) =
        said(&"{{a}}".repeat(1_000), &asks(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1_000)))).unwrap_err();
    assert_eq!(param, "prompt_variables");
    assert!(message.contains("longer than 262144 bytes"), "{message}");
}

#[test]
fn what_is_filled_with_nothing_is_left_out() {
    assert_eq!(said("{{a}}", &asks(r#"{"a":""}"#)).unwrap(), "");
}
