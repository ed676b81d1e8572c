//! Deciding: the unit, the first route that holds, the assignment; and that it cannot fail.

use proptest::prelude::*;
use turnout::assignment::uniform;
use turnout::call::Call;
use turnout::decision::{Circumstances, Decision, Origin, decide};
use turnout::dialect::Dialect;
use turnout::endpoint::Ask;
use turnout::identity::UnitKind;
use turnout::router::{Router, parse};
use turnout::shelf::summary;

const AB_TEST: &str = include_str!("../fixtures/routers/ab-test-router.json");
const USER_AWARE: &str = include_str!("../fixtures/routers/user-aware.json");
const BY_RULE: &str = include_str!("../fixtures/routers/by-rule.json");

fn router(name: &str, document: &str) -> Router {
    parse(name, document.as_bytes()).unwrap_or_else(|faults| panic!("{}", summary(&faults)))
}

/// Decides a call with these further fields (`,"user":"u"`), headers and draw.
fn decided(router: &Router, fields: &str, headers: &[(&str, &str)], random: u64) -> Decision {
    let call =
        Call::parse(&Ask::of(Dialect::OpenAi), format!(r#"{{"model":"m"{fields}}}"#).into_bytes()).unwrap();
    decided_of(router, &call, "/v1/chat/completions", headers, random)
}

fn decided_of(router: &Router, call: &Call, path: &str, headers: &[(&str, &str)], random: u64) -> Decision {
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let origin = Origin { country: Some("CZ".into()), asn: Some(64_500), ..Origin::default() };
    decide(
        router,
        &Circumstances { call, path, headers: &headers, origin: &origin, now: 1_766_000_000_123, random },
    )
}

/// `route/variant` that was decided, `none` where nothing was.
fn choice(decision: &Decision) -> String {
    decision
        .assigned
        .as_ref()
        .map_or("none".into(), |assigned| format!("{}/{}", assigned.route, assigned.variant))
}

#[test]
fn the_first_route_that_holds_decides_else_the_default() {
    let router = router("user-aware", USER_AWARE);
    let check = |fields: &str, expected: &str| {
        assert_eq!(choice(&decided(&router, fields, &[], 0)), expected, "{fields}")
    };
    check(r#","metadata":{"language":"es"}"#, "r-87fd34f8/openai/gpt-5.2");
    check(r#","metadata":{"language":"es","plan":"free"}"#, "r-87fd34f8/openai/gpt-5.2");
    check(r#","metadata":{"plan":"free"}"#, "r-02dddebd/anthropic/claude-haiku-4-5");
    check(r#","extra_body":{"metadata":{"plan":"free"}}"#, "r-02dddebd/anthropic/claude-haiku-4-5");
    check(r#","metadata":{"plan":"paid"}"#, "default/anthropic/claude-sonnet-4-6");
    check("", "default/anthropic/claude-sonnet-4-6");
}

#[test]
fn a_condition_that_errs_does_not_hold_and_leaves_a_note() {
    let router = router("user-aware", USER_AWARE.replace("plan == \\\"free\\\"", "plan > 3").as_str());
    let decision = decided(&router, r#","metadata":{"plan":"secret-plan"}"#, &[], 0);
    assert_eq!(choice(&decision), "default/anthropic/claude-sonnet-4-6");
    assert_eq!(decision.notes.len(), 1);
    assert!(
        decision.notes[0].starts_with("route r-") && !decision.notes[0].contains("secret"),
        "{:?}",
        decision.notes
    );
    assert_eq!(decided(&router, "", &[], 0).notes, [""; 0], "a missing name is no error");
}

#[test]
fn no_route_and_no_default_is_nothing_assigned() {
    let document =
        USER_AWARE.split("\"defaultRoute\"").next().unwrap().trim_end().trim_end_matches(',').to_owned()
            + "}";
    let router = router("user-aware", &document);
    assert_eq!(choice(&decided(&router, "", &[], 0)), "none");
    assert_eq!(
        choice(&decided(&router, r#","metadata":{"plan":"free"}"#, &[], 0)),
        "r-02dddebd/anthropic/claude-haiku-4-5"
    );
}

#[test]
fn a_user_gets_the_variant_of_the_vectors_and_a_call_without_one_is_drawn() {
    let router = router("ab-test-router", AB_TEST);
    for (user, variant) in
        [("user-123", "variant-a"), ("user_a421", "variant-b"), ("e\u{301}", "variant-a"), ("é", "variant-b")]
    {
        let fields = format!(r#","user":{}"#, serde_json::json!(user));
        assert_eq!(choice(&decided(&router, &fields, &[], 0)), format!("ab-test-route/{variant}"), "{user}");
        assert_eq!(
            choice(&decided(&router, "", &[("x-session-id", user)], 0)),
            format!("ab-test-route/{variant}")
        );
    }
    assert_eq!(choice(&decided(&router, "", &[], 0)), "ab-test-route/variant-a");
    let decision = decided(&router, "", &[], u64::MAX);
    assert_eq!((choice(&decision).as_str(), decision.unit.kind), ("ab-test-route/variant-b", UnitKind::Call));
}

#[test]
fn sticky_by_names_the_unit() {
    let document = AB_TEST.replacen('{', r#"{"sticky_by": "org + '/' + user_id", "#, 1);
    let router = router("ab-test-router", &document);
    let decision = decided(&router, r#","user":"u","metadata":{"org":"acme"}"#, &[], 0);
    assert_eq!(decision.unit.user_id(), Some("acme/u"));
    let decision = decided(&router, r#","user":"u""#, &[], 0);
    assert_eq!(
        decision.unit.user_id(),
        Some("u"),
        "where a name is missing, the unit is what the call names"
    );
    let decision = decided(&router, r#","user":"u","metadata":{"org":7}"#, &[], 0);
    assert_eq!(decision.unit.user_id(), Some("u"));
    assert!(decision.notes[0].starts_with("sticky_by: "), "{:?}", decision.notes);
}

#[test]
fn conditions_see_the_call() {
    let check = |condition: &str, fields: &str, headers: &[(&str, &str)], holds: bool| {
        let condition = serde_json::json!(condition).to_string();
        let router = router("ab-test-router", &AB_TEST.replace(r#""true""#, &condition));
        let decision = decided(&router, fields, headers, 0);
        assert_eq!(
            choice(&decision).starts_with("ab-test-route/"),
            holds,
            "{condition} {fields} {:?}",
            decision.notes
        );
    };
    check("request.model == 'm' && request.dialect == 'openai' && !request.stream", "", &[], true);
    check("request.stream && request.max_tokens == 5", r#","stream":true,"max_tokens":5"#, &[], true);
    check("has(request.max_tokens)", "", &[], false);
    check("request.has_tools", r#","tools":[{}]"#, &[], true);
    check("request.path.startsWith('/v1/')", "", &[], true);
    check("headers['x-team'] == 'growth'", "", &[("x-team", "growth")], true);
    check("has(headers.authorization)", "", &[("authorization", "Bearer secret")], false);
    check("cf.country == 'CZ' && cf.asn == 64500", "", &[], true);
    check("has(cf.city)", "", &[], false);
    check("now > 1700000000 && now < 1800000000", "", &[], true);
    check("user.tier == 'gold' && user.id == 'u'", r#","user":"u","metadata":{"tier":"gold"}"#, &[], true);
    check("user_id == 'u'", r#","user":"u""#, &[], true);
    check("user_id == 's'", "", &[("x-session-id", "s")], false);
    check(
        "messages.last().content.matches('(?i)refund')",
        r#","messages":[{"role":"user","content":"A REFUND!"}]"#,
        &[],
        true,
    );
}

#[test]
fn conditions_mean_the_same_in_every_dialect() {
    let parts = r#""parts":[{"text":"a refund"},{"inlineData":{"mimeType":"image/png"}}]"#;
    let gemini = Ask { model: Some("m".to_owned()), stream: Some(true), ..Ask::of(Dialect::Gemini) };
    let shared = r#""metadata":{"plan":"pro"},"user":"u","tools":[{}]"#;
    for (ask, path, body) in [
        (
            Ask::of(Dialect::OpenAi),
            "/v1/chat/completions",
            r#""model":"m","stream":true,"max_tokens":5,"messages":[{"role":"system","content":"be brief"},{"role":"user",
                "content":[{"type":"text","text":"a refund"},{"type":"image_url"}]}]"#
                .to_owned(),
        ),
        (
            Ask::of(Dialect::Anthropic),
            "/v1/messages",
            r#""model":"m","stream":true,"max_tokens":5,"system":"be brief","messages":[{"role":"user","content":[
                {"type":"text","text":"a refund"},{"type":"image"}]}]"#
                .to_owned(),
        ),
        (
            Ask::of(Dialect::Responses),
            "/v1/responses",
            r#""model":"m","stream":true,"max_output_tokens":5,"instructions":"be brief","input":[{"role":"user","content":[
                {"type":"input_text","text":"a refund"},{"type":"input_image"}]}]"#
                .to_owned(),
        ),
        (
            gemini,
            "/v1beta/models/m:streamGenerateContent",
            format!(
                r#""generationConfig":{{"maxOutputTokens":5}},"systemInstruction":{{"parts":[{{"text":"be brief"}}]}},
                "contents":[{{"role":"user",{parts}}}]"#
            ),
        ),
    ] {
        let condition = format!(
            "request.model == 'm' && request.dialect == '{}' && request.path == '{path}' && request.stream && \
             request.has_tools && request.has_images && request.max_tokens == 5 && plan == 'pro' && user_id == 'u' && \
             size(messages) == 2 && messages[0] == {{'role': 'system', 'content': 'be brief'}} && \
             messages.last() == {{'role': 'user', 'content': 'a refund'}}",
            ask.dialect.as_str()
        );
        let condition = serde_json::json!(condition).to_string();
        let router = router("ab-test-router", &AB_TEST.replace(r#""true""#, &condition));
        let call = Call::parse(&ask, format!("{{{shared},{body}}}").into_bytes()).unwrap();
        let decision = decided_of(&router, &call, path, &[], 0);
        assert!(choice(&decision).starts_with("ab-test-route/"), "{path} {:?}", decision.notes);
    }
}

#[test]
fn a_rule_chooses_the_model_and_falls_to_the_default() {
    let rule = router("by-rule", BY_RULE);
    let decision = decided(&rule, r#","user":"user-123""#, &[], 0);
    // The vectors: user_hash("user-123") is odd.
    assert_eq!(choice(&decision), "rule/anthropic/claude-sonnet-4-6");
    assert_eq!(choice(&decided(&rule, r#","user":"user_b918""#, &[], 0)), "rule/openai/gpt-5.4");
    let decision = decided(&rule, "", &[], 0);
    assert_eq!(choice(&decision), "none");
    assert_eq!(decision.notes, ["rule: it gave no model; `user_id` is missing"]);
    let with_default = BY_RULE.trim_end().trim_end_matches('}').to_owned()
        + r#"}, "default_route": {"variants": [{"variant": {"model_id": "x/a"}, "weight": 100}]}}"#;
    let with_default = with_default.replacen("}}, \"default", "}, \"default", 1);
    assert_eq!(choice(&decided(&router("by-rule", &with_default), "", &[], 0)), "default/x/a");
    let no_model = router("by-rule", r#"{"rule": {"cel_expression": "user_id"}}"#);
    let decision = decided(&no_model, r#","user":"somebody""#, &[], 0);
    assert_eq!(choice(&decision), "none");
    assert!(!decision.notes[0].contains("somebody"), "{:?}", decision.notes);
}

#[test]
fn what_stands_in_comes_with_the_assignment() {
    let with = |document: &str| document.replacen('{', r#"{"defaults": {"failover": {"attempts": 2}}, "#, 1);
    let selection = r#""variant_id": "variant-b", "model_selection": {"models": ["x/y"]}"#;
    let document = with(AB_TEST).replace(r#""variant_id": "variant-b""#, selection);
    let router = router("ab-test-router", &document);
    for (user, models) in [("user-123", ""), ("user_a421", "x/y")] {
        let assigned = decided(&router, &format!(r#","user":"{user}""#), &[], 0).assigned.unwrap();
        assert_eq!(
            (assigned.failover.models.join(" ").as_str(), assigned.failover.policy.attempts),
            (models, 2)
        );
    }
    let rule = self::router("by-rule", &with(BY_RULE));
    let assigned = decided(&rule, r#","user":"user-123""#, &[], 0).assigned.unwrap();
    assert_eq!(assigned.failover.policy.attempts, 2);
}

#[test]
fn user_hash_and_assignment_are_independent() {
    // With a domain in common, half of the users would never see one variant of a route behind `user_hash % 2`.
    let users = (0..4_000).map(|number| format!("user-{number}"));
    let even: Vec<bool> = users
        .filter(|user| {
            let rule =
                router("r", r#"{"rule": {"cel_expression": "user_hash(user_id) % 2 == 0 ? 'x/a' : 'x/b'"}}"#);
            choice(&decided(&rule, &format!(r#","user":"{user}""#), &[], 0)) == "rule/x/a"
        })
        .map(|user| uniform("ab-test-router/ab-test-route", &user, "a") < 0.5)
        .collect();
    let share = even.iter().filter(|low| **low).count() as f64 / even.len() as f64;
    assert!((0.45..0.55).contains(&share), "{share} of {}", even.len());
}

proptest! {
    #[test]
    fn deciding_never_panics(user in ".*", key in "[a-z_]{1,8}", value in ".*", random in any::<u64>()) {
        for (name, document) in [("ab-test-router", AB_TEST), ("user-aware", USER_AWARE), ("by-rule", BY_RULE)] {
            let fields = format!(r#","user":{},"metadata":{}"#, serde_json::json!(user), serde_json::json!({key.as_str(): value}));
            let _ = decided(&router(name, document), &fields, &[], random);
        }
    }
}
