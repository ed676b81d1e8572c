//! Edits of router documents: what comes out, what stays as its author wrote it, and what is said.

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::error::{Error, ErrorKind};
use turnout::moment;
use turnout::router::edit::{
    Edited, PromoteRequest, RampRequest, authored, created, pinned, promoted, ramped, summary, updated,
};
use turnout::router::{Router, parse};

const AB_TEST: &str = include_str!("../fixtures/routers/ab-test-router.json");
const USER_AWARE: &str = include_str!("../fixtures/routers/user-aware.json");
const BY_RULE: &str = include_str!("../fixtures/routers/by-rule.json");

/// 2026-12-01T00:00:00Z.
const NOW: u64 = 1_796_083_200_000;
const HOUR: u64 = 3_600_000;

fn text(edited: &Edited) -> &str {
    std::str::from_utf8(&edited.bytes).unwrap()
}

/// Ids, salts, epochs and weights of every route.
fn described(name: &str, bytes: &[u8]) -> Vec<String> {
    let router = parse(name, bytes).unwrap_or_else(|faults| panic!("{faults:?}"));
    let describe = |router: &Router| {
        let routes = router.routes().map(|(condition, route)| {
            let variants: Vec<String> = route
                .variants
                .iter()
                .map(|variant| format!("{}={}@{}", variant.id, variant.model, variant.weight.percent()))
                .collect();
            let condition = condition.map(|condition| condition.source().to_owned());
            format!("{condition:?} {} {} {} {}", route.id, route.salt, route.epoch.hex(), variants.join(" "))
        });
        routes.collect()
    };
    describe(&router)
}

#[test]
fn derived_ids_are_written_down_in_the_spelling_around_them() {
    let check = |name: &str, document: &str, expected: &str| {
        let pinned = pinned(name, document.as_bytes()).unwrap();
        assert_eq!(std::str::from_utf8(&pinned).unwrap(), expected);
        assert_eq!(described(name, document.as_bytes()), described(name, &pinned), "{document}");
        assert_eq!(turnout::router::edit::pinned(name, &pinned).unwrap(), pinned);
    };
    check("ab-test-router", AB_TEST, AB_TEST);
    check("by-rule", BY_RULE, BY_RULE);
    check(
        "r",
        r#"{"defaultRoute":{"variants":[{"weight":100,"variant":{"modelId":"x/a"}}]}}"#,
        r#"{"defaultRoute":{"routeId":"default","variants":[{"weight":100,"variant":{"variantId":"x/a","modelId":"x/a"}}]}}"#,
    );
    check(
        "r",
        "{\n  \"default_route\": {\n    \"variants\": [\n      {\"variant\": {\"model_id\": \"x/a\"}, \"weight\": 5e1},\n      {\"variant\": {\"model_id\": \"x/a\", \"variant_id\": null}, \"weight\": 50.00}\n    ]\n  }\n}",
        "{\n  \"default_route\": {\n    \"route_id\": \"default\",\n    \"variants\": [\n      {\"variant\": {\"variant_id\": \"x/a\", \"model_id\": \"x/a\"}, \"weight\": 5e1},\n      {\"variant\": {\"model_id\": \"x/a\", \"variant_id\": \"x/a-2\"}, \"weight\": 50.00}\n    ]\n  }\n}",
    );
    let user_aware = pinned("user-aware", USER_AWARE.as_bytes()).unwrap();
    assert_eq!(described("user-aware", USER_AWARE.as_bytes()), described("user-aware", &user_aware));
    let pinned: Value = serde_json::from_slice(&user_aware).unwrap();
    let original: Value = serde_json::from_str(USER_AWARE).unwrap();
    assert_eq!(pinned["routes"][0]["condition"], original["routes"][0]["condition"]);
    assert!(String::from_utf8(user_aware).unwrap().contains("r-87fd34f8"));
}

/// A router of one default route, variants `id@weight`.
fn document(variants: &str) -> String {
    let variants: Vec<String> = variants
        .split_whitespace()
        .map(|variant| {
            let (id, weight) = variant.split_once('@').unwrap();
            format!(r#"{{"variant": {{"variant_id": "{id}", "model_id": "x/{id}"}}, "weight": {weight}}}"#)
        })
        .collect();
    format!(r#"{{"default_route": {{"route_id": "default", "variants": [{}]}}}}"#, variants.join(", "))
}

/// `sage@50 swift@50`: the own weights of the only route.
fn weights(bytes: &[u8]) -> String {
    let router = parse("r", bytes).unwrap_or_else(|faults| panic!("{faults:?}"));
    let (_, route) = router.routes().next().unwrap();
    let weights = route.variants.iter().map(|variant| format!("{}@{}", variant.id, variant.weight.percent()));
    weights.collect::<Vec<_>>().join(" ")
}

fn promote(document: &str, request: Value) -> Result<Edited, Error> {
    promoted("r", document.as_bytes(), &serde_json::from_value::<PromoteRequest>(request).unwrap(), NOW)
}

#[test]
fn promoting_sets_one_weight_and_scales_the_others() {
    let check = |before: &str, request: Value, after: &str, said: &str| {
        let edited = promote(&document(before), request.clone())
            .unwrap_or_else(|error| panic!("{before} {request} {error:?}"));
        assert_eq!((weights(&edited.bytes).as_str(), edited.summary.as_str()), (after, said), "{request}");
    };
    check(
        "sage@50 swift@50",
        json!({"variant_id": "sage"}),
        "sage@100 swift@0",
        "default: sage 50 → 100, swift 50 → 0",
    );
    check(
        "sage@50 swift@50",
        json!({"variantId": "sage", "weight": 10}),
        "sage@10 swift@90",
        "default: sage 50 → 10, swift 50 → 90",
    );
    check(
        "a@60 b@30 c@10",
        json!({"variant_id": "c", "weight": 50}),
        "a@33.33 b@16.67 c@50",
        "default: a 60 → 33.33, b 30 → 16.67, c 10 → 50",
    );
    check(
        "a@33.33 b@33.33 c@33.34",
        json!({"variant_id": "c", "weight": 0}),
        "a@50 b@50 c@0",
        "default: a 33.33 → 50, b 33.33 → 50, c 33.34 → 0",
    );
    check("a@100 b@0", json!({"variant_id": "a", "weight": 100}), "a@100 b@0", "nothing that counts");
    check(
        "a@100 b@0",
        json!({"weights": {"a": 12.5, "b": 87.5}}),
        "a@12.5 b@87.5",
        "default: a 100 → 12.5, b 0 → 87.5",
    );
    check(
        "a@100 b@0 c@0",
        json!({"weights": {"a": 40, "b": 60}}),
        "a@40 b@60 c@0",
        "default: a 100 → 40, b 0 → 60",
    );
    check(
        "a@100 b@0",
        json!({"route_id": "default", "variant_id": "b"}),
        "a@0 b@100",
        "default: a 100 → 0, b 0 → 100",
    );
}

#[test]
fn weights_that_stay_keep_their_spelling_and_so_does_all_else() {
    let before = document("a@4e1 b@40.00 c@20").replacen(
        '{',
        "{\"team\" : [1e3, 1.0 ],\n\t\"big\": 123456789012345678901234567890, ",
        1,
    );
    let after = promote(&before, json!({"weights": {"a": 40, "b": 50, "c": 10}})).unwrap();
    assert_eq!(text(&after), before.replace("40.00", "50").replace(": 20}", ": 10}"));
}

#[test]
fn a_promotion_that_cannot_be_is_refused_with_what_there_is() {
    let check = |before: &str, request: Value, kind: ErrorKind, param: &str, said: &str| {
        let error = promote(before, request.clone()).expect_err(&request.to_string());
        assert_eq!((error.kind, error.param.as_deref()), (kind, Some(param)), "{request} {error:?}");
        assert!(error.message.contains(said), "{request}\n{}", error.message);
    };
    let one = &document("a@100 b@0");
    let invalid = ErrorKind::InvalidRequest;
    check(
        one,
        json!({"variant_id": "a", "weight": 60}),
        invalid,
        "weights",
        "{\"weights\": {\"a\": …, \"b\": …}}",
    );
    check(one, json!({"variant_id": "sage"}), invalid, "variant_id", "no variant 'sage'; it has 'a', 'b'");
    check(
        one,
        json!({"route_id": "x", "variant_id": "a"}),
        invalid,
        "route_id",
        "no route 'x'; there are 'default'",
    );
    check(one, json!({"variant_id": "a", "weight": 33.333}), invalid, "weight", "at most two decimals");
    check(one, json!({"variant_id": "a", "weight": -1}), invalid, "weight", "from 0 to 100");
    check(one, json!({"weights": {"a": 40}}), invalid, "weights", "sum to 40, not to 100");
    check(one, json!({"weights": {"a": "40"}}), invalid, "weights.a", "must be a number");
    check(one, json!({"weights": {"z": 100}}), invalid, "weights.z", "no variant 'z'");
    check(one, json!({"weights": {"a": 100}, "variant_id": "a"}), invalid, "weights", "not both");
    check(one, json!({"weights": {"a": 100}, "weight": 5}), invalid, "weights", "not both");
    check(one, json!({}), invalid, "variant_id", "Name the variant");
    check(
        &AB_TEST.replace("ab-test-router", "r"),
        json!({"variant_id": "variant-a"}),
        invalid,
        "route_id",
        "there are 'ab-test-route', 'default'",
    );
    check(
        &BY_RULE.replace("by-rule", "r"),
        json!({"variant_id": "a"}),
        invalid,
        "route_id",
        "A router with `rule` has no weights",
    );
}

fn ramp(document: &str, request: Value, now: u64) -> Result<Edited, Error> {
    ramped("r", document.as_bytes(), &serde_json::from_value::<RampRequest>(request).unwrap(), now)
}

/// Steps at hours from [`NOW`] on.
fn steps(weights: &[f64]) -> Value {
    weights
        .iter()
        .zip(0..)
        .map(|(weight, hour)| json!({"at": moment::rfc3339(NOW + hour * HOUR), "weight": weight}))
        .collect()
}

/// The document with a ramp of `b` to these weights, started an hour before its first step.
fn started(variants: &str, weights: &[f64]) -> String {
    let request = json!({"variant_id": "b", "steps": steps(weights)});
    text(&ramp(&document(variants), request, NOW - HOUR).unwrap()).to_owned()
}

/// The ramped weights of the only route at a moment.
fn weights_at(document: &str, now: u64) -> String {
    let router = parse("r", document.as_bytes()).unwrap();
    let (_, route) = router.routes().next().unwrap();
    let weights = route.at(now).variants.iter();
    weights
        .map(|variant| format!("{}@{}", variant.id, variant.weight.percent()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_ramp_is_started_paused_resumed_and_ended() {
    let document = started("a@90 b@10", &[1.0, 5.0, 100.0]);
    assert!(document.ends_with(
        r#""ramp": {"variant_id": "b", "steps": [{"at": "2026-12-01T00:00:00Z", "weight": 1}, {"at": "2026-12-01T01:00:00Z", "weight": 5}, {"at": "2026-12-01T02:00:00Z", "weight": 100}], "state": "running"}}}"#
    ), "{document}");
    let during = NOW + HOUR + 1_500;
    let paused = ramp(&document, json!({"action": "pause"}), during).unwrap();
    assert_eq!(paused.summary, "ramp of b paused on default");
    assert!(
        text(&paused).ends_with(r#""state": "paused", "paused_at": "2026-12-01T01:00:01.500Z"}}}"#),
        "{}",
        text(&paused)
    );
    assert_eq!(weights_at(text(&paused), NOW + 99 * HOUR), "a@95 b@5");

    let resumed = ramp(text(&paused), json!({"action": "resume"}), during + 10 * HOUR).unwrap();
    assert_eq!(resumed.summary, "ramp of b resumed on default");
    assert_eq!(text(&resumed), document.replace("T02:00:00Z", "T12:00:00Z"));
    assert_eq!(weights_at(text(&resumed), during + 10 * HOUR), "a@95 b@5");
    assert_eq!(weights_at(text(&resumed), NOW + 12 * HOUR), "a@0 b@100");

    let ended = |request: Value, expected: &str| {
        let edited = ramp(&document, request.clone(), during).unwrap();
        assert_eq!(weights(&edited.bytes), expected, "{request}");
        assert!(!text(&edited).contains("ramp"), "{}", text(&edited));
        assert!(edited.summary.ends_with("ramp of b ended on default"), "{}", edited.summary);
    };
    ended(json!({"action": "cancel"}), "a@90 b@10");
    ended(json!({"action": "cancel", "keep": true}), "a@95 b@5");
    ended(json!({"action": "finish"}), "a@0 b@100");
}

#[test]
fn the_spelling_of_a_ramp_is_that_around_it() {
    let camel = document("a@90 b@10").replace("variant_id", "variantId").replace("model_id", "modelId");
    let request = json!({"variant_id": "b", "steps": [{"at": 1796083200, "weight": 1}, {"at": 1796086800.5, "weight": 2}]});
    let started = ramp(&camel, request, NOW - 1).unwrap();
    assert!(
        text(&started).contains(
            r#""ramp": {"variantId": "b", "steps": [{"at": 1796083200, "weight": 1}, {"at": 1796086800.5, "#
        ),
        "{}",
        text(&started)
    );
    let paused = ramp(text(&started), json!({"action": "pause"}), NOW + 1).unwrap();
    assert!(text(&paused).contains("\"pausedAt\": \"2026"), "{}", text(&paused));
    let resumed = ramp(text(&paused), json!({"action": "resume"}), NOW + 5_001).unwrap();
    assert_eq!(text(&resumed), text(&started).replace("1796086800.5", "1796086805.5"));
}

#[test]
fn a_ramp_that_begins_in_the_past_is_said() {
    let request =
        |hours: u64| (json!({"variant_id": "b", "steps": steps(&[5.0, 50.0])}), NOW + hours * HOUR + 1);
    let check = |hours: u64, said: &str| {
        let (request, now) = request(hours);
        let edited = ramp(&document("a@90 b@10"), request, now).unwrap();
        assert_eq!(edited.warnings[0].to_string(), said);
    };
    check(0, "default.ramp: it begins in the past: 'b' has the weight 5 at once");
    check(1, "default.ramp: all of its steps are in the past: 'b' has its last weight, 50, at once");
    assert_eq!(ramp(&document("a@90 b@10"), request(0).0, NOW - 1).unwrap().warnings, []);
}

#[test]
fn what_a_ramp_is_not_in_a_state_for_is_refused() {
    let plain = document("a@90 b@10");
    let running = started("a@90 b@10", &[1.0, 100.0]);
    let paused = text(&ramp(&running, json!({"action": "pause"}), NOW).unwrap()).to_owned();
    let check = |document: &str, now: u64, request: Value, kind: ErrorKind, said: &str| {
        let error = ramp(document, request.clone(), now).expect_err(&request.to_string());
        assert_eq!(error.kind, kind, "{request} {error:?}");
        assert!(error.message.contains(said), "{request}\n{}", error.message);
    };
    let (conflict, invalid) = (ErrorKind::Conflict, ErrorKind::InvalidRequest);
    let start = json!({"variant_id": "b", "steps": steps(&[1.0])});
    check(&running, NOW, start.clone(), conflict, "has a ramp of 'b' that has not reached its end");
    check(&paused, NOW + 9 * HOUR, start, conflict, "has not reached its end");
    check(&running, NOW, json!({"action": "resume"}), conflict, "is not paused");
    check(&paused, NOW, json!({"action": "pause"}), conflict, "is paused already");
    check(&running, NOW + HOUR, json!({"action": "pause"}), conflict, "has reached its last step");
    for action in ["pause", "resume", "cancel", "finish"] {
        check(&plain, NOW, json!({"action": action}), conflict, "The route 'default' has no ramp");
    }
    check(&plain, NOW, json!({"variant_id": "b"}), invalid, "Send the steps");
    check(&plain, NOW, json!({"steps": []}), invalid, "Name the variant");
    check(&plain, NOW, json!({"variant_id": "c", "steps": []}), invalid, "no variant 'c'; it has 'a', 'b'");
    check(
        &plain,
        NOW,
        json!({"variant_id": "b", "steps": []}),
        ErrorKind::InvalidDocument,
        "needs at least one step",
    );
    check(
        &plain,
        NOW,
        json!({"variant_id": "b", "steps": [{"at": "soon", "weight": 1}]}),
        ErrorKind::InvalidDocument,
        "is no time",
    );
    check(
        &plain,
        NOW,
        json!({"variant_id": "b", "steps": [{"at": 1, "weight": 1.234}]}),
        invalid,
        "`steps[0].weight` must be",
    );
    check(&running, NOW, json!({"action": "pause", "steps": []}), invalid, "leave them out");
    check(&running, NOW, json!({"action": "finish", "keep": true}), invalid, "`keep` belongs to");
    check(
        &plain,
        NOW,
        json!({"variant_id": "b", "steps": [], "guardrails": {}}),
        invalid,
        "Guardrails are not served",
    );
    let error = promoted(
        "r",
        running.as_bytes(),
        &PromoteRequest { variant_id: Some("a".into()), ..PromoteRequest::default() },
        NOW,
    );
    assert_eq!(error.unwrap_err().kind, conflict);
    let error = promoted(
        "r",
        paused.as_bytes(),
        &PromoteRequest { variant_id: Some("a".into()), ..PromoteRequest::default() },
        NOW + 9 * HOUR,
    );
    assert_eq!(error.unwrap_err().kind, conflict, "a paused ramp has not ended");
}

#[test]
fn a_ramp_that_is_done_is_folded_into_what_comes_next() {
    let done = started("a@60 b@10 c@30", &[1.0, 40.0]);
    let request =
        PromoteRequest { variant_id: Some("c".into()), weight: Some(50.0), ..PromoteRequest::default() };
    let promoted = promoted("r", done.as_bytes(), &request, NOW + HOUR).unwrap();
    // It held 40, 20 for c, 40 for a: the others share 50 by that.
    assert_eq!(weights(&promoted.bytes), "a@25 b@25 c@50");
    assert!(!text(&promoted).contains("ramp"));
    let again = ramp(
        &done,
        json!({"variant_id": "b", "steps": [{"at": moment::rfc3339(NOW + 9 * HOUR), "weight": 100}]}),
        NOW + HOUR,
    )
    .unwrap();
    assert_eq!(weights(&again.bytes), "a@40 b@40 c@20");
    assert_eq!(weights_at(text(&again), NOW + 9 * HOUR), "a@0 b@100 c@0");
}

fn update(document: &str, body: &str, mask: Option<&str>) -> Result<Edited, Error> {
    updated("r", document.as_bytes(), body.as_bytes(), mask)
}

#[test]
fn an_update_changes_the_fields_that_mask_or_body_name_and_no_other() {
    let before = r#"{ "name":"routers/r", "displayName" : "R",  "min_users": 1e2, "team": {"a":1}, "defaultRoute": {"routeId": "default", "variants": [{"variant": {"variantId": "a", "modelId": "x/a"}, "weight": 100}]}, "sticky_by": "org"}"#;
    let check = |body: &str, mask: Option<&str>, changes: &[(&str, &str)], said: &str| {
        let edited = update(before, body, mask).unwrap_or_else(|error| panic!("{body} {mask:?} {error:?}"));
        let expected = changes.iter().fold(before.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        assert_eq!(text(&edited), expected, "{body} {mask:?}");
        assert_eq!(edited.summary, said, "{body} {mask:?}");
    };
    let renamed = ("\"R\"", "\"Better\"");
    check(r#"{"display_name": "Better"}"#, None, &[renamed], "display_name");
    check(r#"{"displayName": "Better", "min_users": 7}"#, Some("display_name"), &[renamed], "display_name");
    check(
        r#"{"displayName": "Better"}"#,
        Some("displayName, minUsers"),
        &[renamed, (r#"  "min_users": 1e2,"#, "")],
        "display_name; min_users",
    );
    check(r#"{"min_users": null}"#, None, &[(r#"  "min_users": 1e2,"#, "")], "min_users");
    check("{}", Some("sticky_by"), &[(r#", "sticky_by": "org""#, "")], "sticky_by");
    check("{}", None, &[], "nothing that counts");
    check(r#"{"goal": "x"}"#, None, &[(r#""org""#, r#""org", "goal": "x""#)], "goal");
    check(
        r#"{"recordMetadata": []}"#,
        None,
        &[(r#""org""#, r#""org", "recordMetadata": []"#)],
        "record_metadata",
    );
    check(r#"{"ourTeam": 1e2}"#, None, &[(r#""org""#, r#""org", "ourTeam": 1e2"#)], "our_team");
    // What answers add comes back and is passed over, and so is the name.
    check(
        r#"{"name": "routers/r", "etag": "\"x\"", "revision": 7, "create_time": "x", "updateTime": "y", "updated_by": "z", "warnings": [], "serving": {}, "kv": "written", "displayName": "Better"}"#,
        None,
        &[renamed],
        "display_name",
    );
    check(
        r#"{"name": "r", "etag": "x", "display_name": "Better"}"#,
        Some("name,etag,display_name"),
        &[renamed],
        "display_name",
    );
}

#[test]
fn a_whole_update_leaves_the_name() {
    let edited = update(
        &document("a@100").replacen('{', r#"{"name": "r", "goal": "x", "#, 1),
        &document("b@100"),
        Some("*"),
    )
    .unwrap();
    assert_eq!(text(&edited), document("b@100").replacen('{', r#"{"name": "r", "#, 1));
    assert_eq!(edited.summary, "default: b added with 100, a removed, which had 100; goal");
}

#[test]
fn an_update_that_cannot_be_is_refused() {
    let check = |body: &str, mask: Option<&str>, kind: ErrorKind, param: &str, said: &str| {
        let error = update(&document("a@100"), body, mask).expect_err(body);
        assert_eq!(
            (error.kind, error.param.as_deref().unwrap_or_default()),
            (kind, param),
            "{body} {error:?}"
        );
        assert!(error.message.contains(said), "{body}\n{}", error.message);
    };
    let (invalid, document) = (ErrorKind::InvalidRequest, ErrorKind::InvalidDocument);
    check(
        "{}",
        Some("routes,colour"),
        invalid,
        "update_mask",
        "no field 'colour'. The fields are display_name, description, routes, default_route",
    );
    check("{}", Some("defaults.failover"), invalid, "update_mask", "name the whole of it, `defaults`");
    check(r#"{"name": "other"}"#, None, invalid, "name", "cannot be changed: this one is 'r'");
    check("[]", None, document, "", "must be an object");
    check("", None, document, "", "the document is empty");
    check("{", None, document, "", "not JSON");
    check(r#"{"goal": 1, "goal": 2}"#, None, document, "goal", "is given twice");
    check(r#"{"min_users": 1, "minUsers": 2}"#, None, document, "min_users", "is given twice");
    check("{}", Some("default_route"), document, "", "the router has no way to choose");
    check(r#"{"rotes": []}"#, None, document, "rotes", "did you mean `routes`?");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    check(&format!(r#"{{"goal": {deep}}}"#), None, document, "", "not JSON");
    let error = update(
        &self::document("a@100"),
        r#"{"default_route": {"variants": [{"weight": 101}]}, "usage": "never"}"#,
        None,
    )
    .unwrap_err();
    assert_eq!(error.faults.len(), 3, "all faults at once: {:?}", error.faults);
}

#[test]
fn a_new_document_is_stored_as_it_was_sent_but_for_what_answers_add() {
    let sent = r#"{"etag": "x", "displayName": "User-Aware", "default_route": {"variants": [{"variant": {"model_id": "x/a"}, "weight": 100}]}}"#;
    let edited = created("user-aware", sent.as_bytes()).unwrap();
    assert_eq!(
        text(&edited),
        r#"{"displayName": "User-Aware", "default_route": {"route_id": "default", "variants": [{"variant": {"variant_id": "x/a", "model_id": "x/a"}, "weight": 100}]}}"#
    );
    assert_eq!(edited.summary, "made");
    assert_eq!(created("other", AB_TEST.as_bytes()).unwrap_err().param.as_deref(), Some("name"));
}

#[test]
fn what_answers_add_can_be_taken_off_again() {
    let answer = AB_TEST.trim_end().strip_suffix('}').unwrap().to_owned()
        + r#","etag":"x","revision":7,"createTime":"x","update_time":"y","warnings":[],"kv":"written","serving":{},"ramps":[]}"#;
    assert_eq!(String::from_utf8(authored(answer.as_bytes())).unwrap(), AB_TEST.trim_end());
    assert_eq!(authored(b"{"), b"{");
}

#[test]
fn an_edit_of_a_pinned_document_deals_nobody_anew() {
    let pinned = pinned("user-aware", USER_AWARE.as_bytes()).unwrap();
    let before = parse("user-aware", &pinned).unwrap();
    let edited = String::from_utf8(pinned)
        .unwrap()
        .replace("plan ==", "tier ==")
        .replace("openai/gpt-5.2\"}", "openai/gpt-6\"}");
    let after = parse("user-aware", edited.as_bytes()).unwrap();
    let ids = |router: &Router| -> Vec<(String, String)> {
        let routes = router.routes().map(|(_, route)| route);
        routes.map(|route| (route.salt.clone(), route.variants[0].id.to_string())).collect()
    };
    assert_eq!(ids(&before), ids(&after));
    assert_ne!(described("user-aware", USER_AWARE.as_bytes()), described("user-aware", edited.as_bytes()));
}

#[test]
fn what_changed_is_said() {
    let base = AB_TEST.replace("ab-test-router", "r");
    let check = |after: &str, said: &str| {
        assert_ne!(after, base);
        assert_eq!(summary("r", Some(base.as_bytes()), Some(after.as_bytes())), said);
    };
    check(&base.replace("\"true\"", "\"tier == 'x'\""), "condition of ab-test-route");
    check(
        &base.replace("anthropic/claude-opus-4-6", "x/y"),
        "model of ab-test-route/variant-b anthropic/claude-opus-4-6 → x/y",
    );
    check(
        &base.replace("variant-b", "variant-c"),
        "ab-test-route: variant-c added with 20, variant-b removed, which had 20",
    );
    check(
        &base.replace("\"ab-test-route\"", "\"premium\""),
        "route premium added; route ab-test-route removed",
    );
    check(
        &base.replace("\"route_id\": \"ab-test-route\"", "\"salt\": \"s\", \"route_id\": \"ab-test-route\""),
        "salt of ab-test-route, so that its users are dealt anew",
    );
    check(
        &base.replace("\"route_id\": \"ab-test-route\"", "\"failover\": {}, \"route_id\": \"ab-test-route\""),
        "failover of ab-test-route",
    );
    check(
        &base.replace(
            "\"variant_id\": \"variant-a\"",
            "\"display_name\": \"A\", \"variant_id\": \"variant-a\"",
        ),
        "display_name of ab-test-route/variant-a",
    );
    check(&base.replacen('{', "{\"usage\": \"always\", ", 1), "usage");
    check(&base.replace(": 80", ": 80.0"), "nothing that counts");
    check("{", "no longer valid");
    assert_eq!(summary("r", Some(b"{"), Some(base.as_bytes())), "valid again");
    assert_eq!(summary("r", None, Some(base.as_bytes())), "made");
    assert_eq!(summary("r", Some(base.as_bytes()), None), "deleted");
    let user_aware = pinned("user-aware", USER_AWARE.as_bytes()).unwrap();
    let mut reversed: Value = serde_json::from_slice(&user_aware).unwrap();
    reversed["routes"].as_array_mut().unwrap().reverse();
    assert_eq!(
        summary("user-aware", Some(&user_aware), Some(reversed.to_string().as_bytes())),
        "routes in another order"
    );
    assert_eq!(
        summary("by-rule", Some(BY_RULE.as_bytes()), Some(BY_RULE.replace("== 0", "== 1").as_bytes())),
        "rule"
    );
}

/// JSON with odd white space, both spellings, and numbers as nobody would write them.
fn any_document() -> impl Strategy<Value = (String, Vec<u16>)> {
    let space = proptest::sample::select(vec!["", " ", "\n", "\n\t ", "  "]);
    let weights = proptest::collection::vec(1_u16..3_000, 1..4);
    (weights, proptest::collection::vec(space, 8), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(mut weights, space, is_camel, has_ids, has_name)| {
            weights.push(10_000 - weights.iter().sum::<u16>());
            let key = |snake: &'static str, camel: &'static str| if is_camel { camel } else { snake };
            let [s0, s1, s2, s3, s4, s5, s6, s7] = space[..] else { panic!("eight") };
            let variants: Vec<String> = weights
                .iter()
                .zip(0..)
                .map(|(weight, n)| {
                    let id = if has_ids { format!(r#""{}":{s3}"v{n}",{s1}"#, key("variant_id", "variantId")) } else { String::new() };
                    format!(
                        r#"{s0}{{{s1}"variant"{s2}:{s3}{{{s4}{id}"{}": "x/m{n}"{s5}}},{s6}"weight":{s7}{:.2}{s0}}}{s1}"#,
                        key("model_id", "modelId"),
                        f64::from(*weight) / 100.0
                    )
                })
                .collect();
            let name = if has_name { format!(r#""name":{s1}"r",{s2}"#) } else { String::new() };
            let document = format!(
                r#"{{{s0}{name}"x-notes":{s1}[{s2}],{s3}"x-more":{{{s4}}},{s5}"{}":{s6}{{{s7}"variants":{s0}[{}],{s1}"x": -1.50e+2{s2}}}{s3}}}"#,
                key("default_route", "defaultRoute"),
                variants.join(",")
            );
            (document, weights)
        },
    )
}

proptest! {
    #[test]
    fn an_edit_leaves_every_byte_that_it_is_not_about((document, weights) in any_document(), at in 0_usize..4, weight in 0_u16..=10_000) {
        let pinned_once = pinned("r", document.as_bytes()).unwrap();
        prop_assert_eq!(described("r", document.as_bytes()), described("r", &pinned_once));
        prop_assert_eq!(&pinned("r", &pinned_once).unwrap(), &pinned_once);
        let text = String::from_utf8(pinned_once.clone()).unwrap();
        let router = parse("r", &pinned_once).unwrap();
        let (_, route) = router.routes().next().unwrap();
        let variant = &route.variants[at % weights.len()];
        let request = PromoteRequest {
            variant_id: Some(variant.id.to_string()), weight: Some(f64::from(weight) / 100.0), ..PromoteRequest::default()
        };
        let edited = promoted("r", &pinned_once, &request, 0).unwrap();
        let after = parse("r", &edited.bytes).unwrap();
        let (_, route) = after.routes().next().unwrap();
        prop_assert_eq!(route.variants.iter().map(|variant| u32::from(variant.weight.hundredths())).sum::<u32>(), 10_000);
        prop_assert_eq!(route.variants[at % weights.len()].weight.hundredths(), weight);
        // With every weight put back in the author's spelling, nothing else differs.
        let mut rest = self::text(&edited);
        let mut restored = String::new();
        for old in &weights {
            let (before, after) = rest.split_once("\"weight\":").unwrap();
            let value = after.trim_start();
            let (space, _) = after.split_at(after.len() - value.len());
            let end = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap();
            restored.push_str(&format!("{before}\"weight\":{space}{:.2}", f64::from(*old) / 100.0));
            (_, rest) = value.split_at(end);
        }
        restored.push_str(rest);
        prop_assert_eq!(restored, text);
    }

    #[test]
    fn no_body_or_mask_panics(body in ".*", mask in ".*", damaged in any::<u8>(), position in 0_usize..700) {
        let _ = update(AB_TEST, &body, Some(&mask));
        let mut bytes = AB_TEST.as_bytes().to_vec();
        if let Some(place) = bytes.get_mut(position) {
            *place = damaged;
        }
        let _ = updated("ab-test-router", AB_TEST.as_bytes(), &bytes, None);
        let _ = updated("ab-test-router", &bytes, b"{}", None);
        let _ = pinned("ab-test-router", &bytes);
        let _ = summary("ab-test-router", Some(AB_TEST.as_bytes()), Some(&bytes));
    }
}
