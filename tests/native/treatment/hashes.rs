//! Arms and epochs with parameters and prompts. The vectors were computed apart from this code, with Python's hashlib and struct.

use serde_json::{Value, json};
use turnout::router::Choice;

use super::{document, router};

/// The epoch of a router whose one variant `a` of `x/m` has these members.
fn epoch(variant: &Value, of_router: &Value) -> String {
    router(&document("x/m", variant, of_router)).default.unwrap().epoch.hex()
}

fn one_parameter() -> Value {
    json!({"temperature": 0.7, "max_tokens": 256})
}

fn every_parameter() -> Value {
    json!({
        "max_tokens": 100, "temperature": 0.5, "top_p": 1, "repetition_penalty": 1.1, "frequency_penalty": -0.5,
        "presence_penalty": -0.0, "stop_sequences": ["END", "\n"], "seed": -7,
        "logit_bias": [{"token_id": 50256, "bias_value": -100}, {"token_id": 11, "bias_value": 1.5}],
        "reasoning": {"effort": "low", "max_tokens": 500, "exclude": true},
    })
}

fn prompts() -> Value {
    json!([
        {"role": "system", "content": "You serve {{plan}}."},
        {"role": "user", "content": [
            {"type": "text", "text": "Hé"},
            {"type": "text", "text": "ß", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"text": "x", "cache_control": {"type": "ephemeral"}},
        ]},
    ])
}

const PLAIN: &str = "1877daad0987a4fc";

#[test]
fn epochs_are_frozen() {
    let none = json!({});
    let parameters = |parameters: Value| json!({"text_generation_config": parameters});
    let check = |variant: Value, expected: &str| assert_eq!(epoch(&variant, &none), expected, "{variant}");
    check(none.clone(), PLAIN);
    check(parameters(one_parameter()), "ab8af90d1e6b3f77");
    check(parameters(every_parameter()), "3a4bcc4ff560bfbb");
    check(json!({"message_templates": prompts()}), "bdd7c97ec5d1724f");
    check(
        json!({"message_templates": prompts(), "text_generation_config": one_parameter()}),
        "229055859d9a0e7c",
    );
}

#[test]
fn each_variant_of_a_route_has_its_own() {
    let variant = |id: &str, member: &str, value: Value| json!({"variant": {"variant_id": id, "model_id": "x/m", member: value}, "weight": 50});
    let variants =
        [variant("b", "message_templates", prompts()), variant("a", "textGenerationConfig", one_parameter())];
    let router = router(&json!({"default_route": {"variants": variants}}));
    assert_eq!(router.default.unwrap().epoch.hex(), "61dda50de767dfcf");
}

#[test]
fn a_rules_epoch_has_the_routers_defaults() {
    let rule = json!({"rule": {"cel_expression": "'x/m'"}, "defaults":
        {"text_generation_config": one_parameter(), "message_templates": prompts()}});
    let Choice::Rule(rule) = router(&rule).choice else { panic!("routes") };
    assert_eq!(rule.epoch.hex(), "78c397f7cd571da1");
    assert!(!rule.treatment.is_plain());
}

#[test]
fn a_default_is_as_if_each_variant_had_it_and_is_replaced_whole() {
    let defaults =
        json!({"defaults": {"text_generation_config": one_parameter(), "message_templates": prompts()}});
    assert_eq!(epoch(&json!({}), &defaults), "229055859d9a0e7c");
    assert_eq!(epoch(&json!({"message_templates": []}), &defaults), "ab8af90d1e6b3f77");
    assert_eq!(epoch(&json!({"text_generation_config": {}}), &defaults), "bdd7c97ec5d1724f");
    assert_eq!(epoch(&json!({"text_generation_config": {}, "messageTemplates": []}), &defaults), PLAIN);
    let hot = json!({"text_generation_config": {"temperature": 2}});
    assert_eq!(
        epoch(&hot, &json!({"defaults": {"text_generation_config": one_parameter()}})),
        epoch(&hot, &json!({}))
    );
}

#[test]
fn two_spellings_of_the_same_are_one_arm() {
    let same = |one: Value, other: Value| {
        assert_eq!(epoch(&one, &json!({})), epoch(&other, &json!({})), "{one} {other}");
    };
    let parameters =
        |text: &str| json!({"text_generation_config": serde_json::from_str::<Value>(text).unwrap()});
    let message =
        |role: &str, content: Value| json!({"message_templates": [{"role": role, "content": content}]});
    same(
        parameters(r#"{"max_new_tokens": 5, "top_p": 1}"#),
        parameters(r#"{"topP": 1.0, "maxTokens": 5e0}"#),
    );
    same(
        parameters(
            r#"{"logitBias": [{"tokenId": "7", "biasValue": 1.0}, {"token_id": 3, "bias_value": 2}]}"#,
        ),
        parameters(r#"{"logit_bias": [{"token_id": 3, "bias_value": 2}, {"token_id": 7, "bias_value": 1}]}"#),
    );
    same(
        parameters(
            r#"{"reasoning": {"exclude": false}, "stop_sequences": [], "logit_bias": [], "seed": null}"#,
        ),
        json!({}),
    );
    same(
        message("developer", "x {{ a }}".into()),
        message("system", json!([{"type": "text", "text": "x {{a}}"}])),
    );
}

#[test]
fn whatever_differs_is_another_arm() {
    let arms = [
        json!({}),
        json!({"text_generation_config": {"temperature": 1}}),
        json!({"text_generation_config": {"top_p": 1}}),
        json!({"text_generation_config": {"frequency_penalty": 1}}),
        json!({"text_generation_config": {"presence_penalty": 1}}),
        json!({"text_generation_config": {"repetition_penalty": 1}}),
        json!({"text_generation_config": {"seed": 1}}),
        json!({"text_generation_config": {"max_tokens": 1}}),
        json!({"text_generation_config": {"reasoning": {"max_tokens": 1}}}),
        json!({"text_generation_config": {"reasoning": {"effort": "low"}}}),
        json!({"text_generation_config": {"reasoning": {"exclude": true}}}),
        json!({"text_generation_config": {"stop_sequences": ["ab"]}}),
        json!({"text_generation_config": {"stop_sequences": ["a", "b"]}}),
        json!({"text_generation_config": {"logit_bias": [{"token_id": 1, "bias_value": 1}]}}),
        json!({"message_templates": [{"role": "user", "content": "ab"}]}),
        json!({"message_templates": [{"role": "assistant", "content": "ab"}]}),
        json!({"message_templates": [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]}),
        json!({"message_templates": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}),
        json!({"message_templates": [{"role": "user", "content": [{"text": "ab", "cache_control": {"type": "ephemeral"}}]}]}),
    ];
    let mut epochs: Vec<String> = arms.iter().map(|arm| epoch(arm, &json!({}))).collect();
    epochs.sort();
    epochs.dedup();
    assert_eq!(epochs.len(), arms.len());
}
