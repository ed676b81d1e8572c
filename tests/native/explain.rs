//! Explanations: that they are what the call path decides, and what they say of why.

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::assignment::{Weight, score, uniform};
use turnout::call::Call;
use turnout::decision::explain::{ExplainRequest, Explanation, explained};
use turnout::decision::{Circumstances, Origin, decide};
use turnout::dialect::Dialect;
use turnout::endpoint::Ask;
use turnout::error::{Error, ErrorKind};
use turnout::gateway::Gateway;
use turnout::reach::Surroundings;
use turnout::router::{Router, parse};

const AB_TEST: &str = include_str!("../fixtures/routers/ab-test-router.json");
const USER_AWARE: &str = include_str!("../fixtures/routers/user-aware.json");
const BY_RULE: &str = include_str!("../fixtures/routers/by-rule.json");

fn router(name: &str, document: &str) -> Router {
    parse(name, document.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn explain(router: &Router, request: Value) -> Result<Explanation, Error> {
    let request: ExplainRequest = serde_json::from_value(request).unwrap();
    let gateway = Gateway::default();
    let settings = |name: &str| (name == "OPENAI_API_KEY").then(|| "sk-secret".to_owned());
    let surroundings = Surroundings { gateway: &gateway, settings: &settings, demo: false };
    explained(router, &request, &surroundings, &|_, _| None, 1_766_000_000_123)
}

/// `route/variant`, or `none`.
fn choice(explanation: &Explanation) -> String {
    explanation
        .assigned
        .as_ref()
        .map_or("none".to_owned(), |got| format!("{}/{}", got.route_id, got.variant_id))
}

#[test]
fn an_explanation_has_the_race_that_decided() {
    let router = router("ab-test-router", AB_TEST);
    let explanation = explain(&router, json!({"user": "user-123"})).unwrap();
    // As in the golden vectors.
    assert_eq!(choice(&explanation), "ab-test-route/variant-a");
    let route = explanation.route.unwrap();
    assert_eq!(
        (route.salt.as_str(), route.epoch.as_str()),
        ("ab-test-router/ab-test-route", "4502da733e80788f")
    );
    for variant in &route.variants {
        let expected = uniform(&route.salt, "user-123", &variant.variant_id);
        assert_eq!(variant.uniform, Some(expected));
        assert_eq!(variant.score, Some(score(expected, Weight::from_percent(variant.weight).unwrap())));
    }
    let winner = route.variants.iter().min_by(|a, b| a.score.partial_cmp(&b.score).unwrap()).unwrap();
    assert!(winner.assigned && winner.variant_id == "variant-a");
    assert_eq!((explanation.unit.kind, explanation.unit.id.as_deref()), ("user", Some("user-123")));
    let [attempt] = &explanation.attempts[..] else { panic!("{:?}", explanation.attempts) };
    assert_eq!(
        (attempt.model.as_str(), attempt.provider.as_deref(), attempt.has_credential, &attempt.problem),
        ("openai/gpt-5", Some("openai"), true, &None)
    );
}

#[test]
fn every_condition_is_shown_with_what_it_says() {
    let router = router("user-aware", USER_AWARE);
    let check = |request: Value, expected: &[&str], got: &str| {
        let explanation = explain(&router, request.clone()).unwrap();
        let said: Vec<String> = explanation
            .conditions
            .iter()
            .map(|shown| {
                format!("{:?} {} {}", shown.verdict, shown.note.as_deref().unwrap_or("-"), shown.decides)
            })
            .collect();
        assert_eq!(said, expected, "{request}");
        assert_eq!(choice(&explanation), got, "{request}");
    };
    check(
        json!({"user": "u", "metadata": {"plan": "free"}}),
        &["DoesNotHold `language` is missing false", "Holds - true"],
        "r-02dddebd/anthropic/claude-haiku-4-5",
    );
    check(
        json!({"user": "u", "metadata": {"plan": "free", "language": "es"}}),
        &["Holds - true", "Holds - false"],
        "r-87fd34f8/openai/gpt-5.2",
    );
    check(
        json!({"user": "u", "extra_body": {"metadata": {"plan": "paid", "language": "de"}}}),
        &["DoesNotHold - false", "DoesNotHold - false"],
        "default/anthropic/claude-sonnet-4-6",
    );
    let erring = self::router("user-aware", &USER_AWARE.replace("plan == \\\"free\\\"", "plan > 3"));
    let explanation = explain(&erring, json!({"user": "u", "metadata": {"plan": "secret"}})).unwrap();
    let note = explanation.conditions[1].note.clone().unwrap();
    assert!(note.contains("no such overload") && !note.contains("secret"), "{note}");
}

#[test]
fn conditions_see_what_they_would_see_in_a_call() {
    let check = |condition: &str, request: Value, holds: bool| {
        let router = router("ab-test-router", &AB_TEST.replace(r#""true""#, &json!(condition).to_string()));
        let explanation = explain(&router, request.clone()).unwrap();
        assert_eq!(explanation.conditions[0].decides, holds, "{condition} {request}");
    };
    check("headers['x-team'] == 'growth'", json!({"user": "u", "headers": {"X-Team": "growth"}}), true);
    check(
        "request.stream && request.max_tokens == 5 && request.has_tools",
        json!({"stream": true, "max_tokens": 5, "tools": [{}]}),
        true,
    );
    check("request.model == 'turnout/ab-test-router'", json!({}), true);
    check("request.model == 'ab-test-router'", json!({"model": "ab-test-router"}), true);
    check(
        "request.dialect == 'anthropic' && request.path == '/v1/messages'",
        json!({"dialect": "anthropic"}),
        true,
    );
    check(
        "messages.last().content.matches('refund')",
        json!({"messages": [{"role": "user", "content": "a refund"}]}),
        true,
    );
    check("cf.country == 'CZ' && cf.asn == 64500", json!({"cf": {"country": "CZ", "asn": 64500}}), true);
    check("now == 1766000000", json!({}), true);
    check("now == 1796083200", json!({"now": "2026-12-01T00:00:00Z"}), true);
    check("now == 1796083200", json!({"now": 1_796_083_200}), true);
    check("user_id == 'u'", json!({"session": "u"}), false);
}

#[test]
fn a_call_without_a_unit_is_drawn_and_gets_nothing_certain() {
    let router = router("ab-test-router", AB_TEST);
    let explanation = explain(&router, json!({})).unwrap();
    assert_eq!(
        (choice(&explanation).as_str(), explanation.unit.kind, explanation.attempts.len()),
        ("none", "call", 0)
    );
    assert!(explanation.notes[0].contains("drawn by weight"), "{:?}", explanation.notes);
    let route = explanation.route.unwrap();
    assert!(route.variants.iter().all(|variant| variant.uniform.is_none() && !variant.assigned));
    let session = explain(&router, json!({"session": "s"})).unwrap();
    assert_eq!((session.unit.kind, session.assigned.is_some()), ("session", true));
}

#[test]
fn a_rule_and_sticky_by_are_shown_with_their_values() {
    let rule = router("by-rule", BY_RULE);
    let explanation = explain(&rule, json!({"user": "user-123"})).unwrap();
    assert_eq!(choice(&explanation), "rule/anthropic/claude-sonnet-4-6");
    assert_eq!(explanation.rule.unwrap().value.as_deref(), Some("anthropic/claude-sonnet-4-6"));
    assert!(explanation.attempts[0].problem.as_deref().unwrap().contains("set ANTHROPIC_API_KEY"));
    let explanation = explain(&rule, json!({})).unwrap();
    assert_eq!(explanation.rule.unwrap().note.as_deref(), Some("`user_id` is missing"));
    assert!(explanation.notes.iter().any(|note| note.contains("404")), "{:?}", explanation.notes);
    let sticky =
        router("ab-test-router", &AB_TEST.replacen('{', r#"{"sticky_by": "org + '/' + user_id", "#, 1));
    let explanation = explain(&sticky, json!({"user": "u", "metadata": {"org": "acme"}})).unwrap();
    assert_eq!(explanation.unit.id.as_deref(), Some("acme/u"));
    assert_eq!(explanation.sticky_by.unwrap().value.as_deref(), Some("acme/u"));
}

#[test]
fn a_ramp_is_explained_at_the_moment_that_is_asked_for() {
    let ramp = r#""ramp": {"variant_id": "variant-b", "steps": [{"at": 100, "weight": 100}]}, "#;
    let router = router(
        "ab-test-router",
        &AB_TEST.replace(
            "\"route_id\": \"ab-test-route\", ",
            &format!("\"route_id\": \"ab-test-route\", {ramp}"),
        ),
    );
    let check = |now: u64, weight: f64, got: &str| {
        let explanation = explain(&router, json!({"user": "user-123", "now": now})).unwrap();
        assert_eq!(choice(&explanation), format!("ab-test-route/{got}"));
        assert_eq!(explanation.route.unwrap().ramp.unwrap().current_weight, weight);
    };
    check(99, 20.0, "variant-a");
    check(100, 100.0, "variant-b");
}

#[test]
fn the_plan_of_attempts_is_that_of_the_call() {
    let selection =
        r#""variant_id": "variant-a", "model_selection": {"models": ["anthropic/claude-x", "nobody/y"]}"#;
    let router = router("ab-test-router", &AB_TEST.replace(r#""variant_id": "variant-a""#, selection));
    let explanation =
        explain(&router, json!({"user": "user-123", "models": ["openai/gpt-4"], "ignore": ["nobody"]}))
            .unwrap();
    let attempts: Vec<(&str, bool, Option<&str>)> = explanation
        .attempts
        .iter()
        .map(|one| (one.model.as_str(), one.has_credential, one.dialect))
        .collect();
    assert_eq!(
        attempts,
        [
            ("openai/gpt-5", true, Some("openai")),
            ("anthropic/claude-x", false, Some("anthropic")),
            ("openai/gpt-4", true, Some("openai"))
        ]
    );
    assert!(!serde_json::to_string(&explanation).unwrap().contains("sk-secret"));
}

#[test]
fn a_variable_that_its_prompt_needs_is_missed() {
    let prompt =
        r#""variant_id": "variant-a", "message_templates": [{"role": "system", "content": "Be {{tone}}."}]"#;
    let router = router("ab-test-router", &AB_TEST.replace(r#""variant_id": "variant-a""#, prompt));
    let notes = |request: Value| explain(&router, request).unwrap().notes.join(" ");
    let said = notes(json!({"user": "user-123"}));
    assert!(said.contains("The call would be refused") && said.contains("prompt_variables.tone"), "{said}");
    assert_eq!(notes(json!({"user": "user-123", "prompt_variables": {"tone": "brief"}})), "");
}

#[test]
fn what_a_call_would_be_refused_for_is_refused() {
    let router = router("ab-test-router", AB_TEST);
    let check = |request: Value, param: &str| {
        let error = explain(&router, request.clone()).expect_err(&request.to_string());
        assert_eq!(
            (error.kind, error.param.as_deref()),
            (ErrorKind::InvalidRequest, Some(param)),
            "{request} {error:?}"
        );
    };
    check(json!({"user": 7}), "user");
    check(json!({"metadata": []}), "metadata");
    check(json!({"now": "tomorrow"}), "now");
    check(json!({"now": -1}), "now");
    check(json!({"dialect": "latin"}), "dialect");
}

proptest! {
    #[test]
    fn an_explanation_is_what_is_decided(user in "[a-z0-9]{1,8}", plan in "free|paid|x", language in "es|de", has_user in any::<bool>()) {
        for (name, document) in [("ab-test-router", AB_TEST), ("user-aware", USER_AWARE), ("by-rule", BY_RULE)] {
            let router = router(name, document);
            let mut request = json!({"metadata": {"plan": plan, "language": language}});
            if has_user {
                request["user"] = json!(user);
            } else {
                request["session"] = json!(user);
            }
            let explanation = explain(&router, request.clone()).unwrap();
            let mut body = request.clone();
            body["model"] = json!("m");
            let call = Call::parse(&Ask::of(Dialect::OpenAi), body.to_string().into_bytes()).unwrap();
            let headers = vec![("x-session-id".to_owned(), user.clone())];
            let origin = Origin::default();
            let headers = if has_user { &[][..] } else { &headers };
            let circumstances = Circumstances { call: &call, path: "", headers, origin: &origin, now: 0, random: 7 };
            let decision = decide(&router, &circumstances);
            let decided = decision.assigned.map_or("none".to_owned(), |got| format!("{}/{}", got.route, got.variant));
            prop_assert_eq!(choice(&explanation), decided);
            prop_assert_eq!(explanation.unit.kind, decision.unit.kind.as_str());
        }
    }
}
