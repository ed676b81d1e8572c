//! Router documents: every spelling that must work, every fault with its path, and what is derived.

use turnout::router::{Choice, MAX_BYTES, Route, Router, UsageMode, is_name, named_by, parse};
use turnout::shelf::summary;

const AB_TEST: &str = include_str!("../fixtures/routers/ab-test-router.json");
const USER_AWARE: &str = include_str!("../fixtures/routers/user-aware.json");
const BY_RULE: &str = include_str!("../fixtures/routers/by-rule.json");

fn valid(name: &str, document: &str) -> Router {
    parse(name, document.as_bytes()).unwrap_or_else(|faults| panic!("{}", summary(&faults)))
}

fn routes(router: &Router) -> Vec<&Route> {
    let Choice::Routes(routes) = &router.choice else { panic!("a rule") };
    routes.iter().map(|(_, route)| route).chain(&router.default).collect()
}

/// `route: variant=model@weight, …; epoch` of every route, the default last.
fn described(router: &Router) -> Vec<String> {
    let describe = |route: &&Route| {
        let variants: Vec<String> = route
            .variants
            .iter()
            .map(|variant| format!("{}={}@{}", variant.id, variant.model, variant.weight.percent()))
            .collect();
        format!("{}: {}; {}", route.id, variants.join(", "), route.epoch.hex())
    };
    routes(router).iter().map(describe).collect()
}

// Epochs and derived ids below were computed apart from this code, with Python's hashlib.

#[test]
fn the_documented_split_works_as_it_stands() {
    let router = valid("ab-test-router", AB_TEST);
    assert_eq!(
        described(&router),
        [
            "ab-test-route: variant-a=openai/gpt-5@80, variant-b=anthropic/claude-opus-4-6@20; 4502da733e80788f",
            "default: default-variant=openai/gpt-5@100; 31d5fab1f947e63a",
        ]
    );
    assert_eq!(routes(&router)[0].salt, "ab-test-router/ab-test-route");
    assert_eq!(routes(&router)[0].variants[0].reference, [0xa2, 0xea, 0x96, 0x8a, 0x3e, 0xc0, 0x4e, 0x3e]);
}

#[test]
fn a_document_without_name_or_ids_gets_them_from_its_content() {
    assert_eq!(
        described(&valid("user-aware", USER_AWARE)),
        [
            "r-87fd34f8: openai/gpt-5.2=openai/gpt-5.2@100; 3179a1c3a2f64288",
            "r-02dddebd: anthropic/claude-haiku-4-5=anthropic/claude-haiku-4-5@100; e570c7c397b04ad5",
            "default: anthropic/claude-sonnet-4-6=anthropic/claude-sonnet-4-6@100; cfeafdf3d7e8b045",
        ]
    );
}

#[test]
fn a_rule_stands_in_place_of_routes() {
    let router = valid("by-rule", BY_RULE);
    let Choice::Rule(rule) = &router.choice else { panic!("routes") };
    assert_eq!(rule.epoch.hex(), "1dfd4b80a8cf365d");
    assert_eq!(rule.expected, None);
    let expected = BY_RULE.replacen(
        '{',
        r#"{"weights": {"openai/gpt-5.4": 50, "anthropic/claude-sonnet-4-6": 50}, "#,
        1,
    );
    let Choice::Rule(rule) = valid("by-rule", &expected).choice else { panic!("routes") };
    assert_eq!(rule.expected.unwrap().len(), 2);
}

/// A default route of these variants, each `model@weight`.
fn of_variants(variants: &[&str]) -> String {
    let variants: Vec<String> = variants
        .iter()
        .map(|variant| {
            let (model, weight) = variant.rsplit_once('@').unwrap();
            format!(r#"{{"variant": {{"model_id": "{model}"}}, "weight": {weight}}}"#)
        })
        .collect();
    format!(r#"{{"default_route": {{"variants": [{}]}}}}"#, variants.join(", "))
}

#[test]
fn a_repeated_derived_id_is_numbered() {
    let router = valid("r", &of_variants(&["x/a@50", "x/a@25", "x/b@20", "x/a@5"]));
    let ids: Vec<&str> = routes(&router)[0].variants.iter().map(|variant| &*variant.id).collect();
    assert_eq!(ids, ["x/a", "x/a-2", "x/b", "x/a-3"]);
}

#[test]
fn decimals_of_two_places_are_weights_and_zero_leaves_the_epoch() {
    let thirds = valid("m", &with_salt(&of_variants(&["x/a@33.33", "x/b@33.33", "x/c@33.34", "x/d@0"])));
    let weights: Vec<u16> =
        routes(&thirds)[0].variants.iter().map(|variant| variant.weight.hundredths()).collect();
    assert_eq!(weights, [3333, 3333, 3334, 0]);
    let without = valid("m", &with_salt(&of_variants(&["x/a@33.33", "x/b@33.33", "x/c@33.34"])));
    assert_eq!(routes(&thirds)[0].epoch, routes(&without)[0].epoch);
}

fn with_salt(document: &str) -> String {
    document.replacen(r#""variants""#, r#""salt": "m/2026", "variants""#, 1)
}

#[test]
fn an_epoch_is_of_content_and_not_of_order() {
    let epoch = |variants: &[&str]| routes(&valid("r", &of_variants(variants)))[0].epoch;
    let base = epoch(&["x/a@50", "x/b@50"]);
    assert_eq!(base, epoch(&["x/b@50", "x/a@50"]));
    assert_eq!(base, epoch(&["x/a@50.00", "x/b@5e1"]));
    assert_ne!(base, epoch(&["x/a@51", "x/b@49"]));
    assert_ne!(base, epoch(&["x/a@50", "x/c@50"]));
}

#[test]
fn reordering_routes_changes_no_id_and_no_salt() {
    let router = valid("user-aware", USER_AWARE);
    let mut document: serde_json::Value = serde_json::from_str(USER_AWARE).unwrap();
    document["routes"].as_array_mut().unwrap().reverse();
    let reordered = valid("user-aware", &document.to_string());
    let salts = |router: &Router| -> Vec<(String, String)> {
        let mut salts: Vec<_> =
            routes(router).iter().map(|route| (route.id.to_string(), route.salt.clone())).collect();
        salts.sort();
        salts
    };
    assert_eq!(salts(&router), salts(&reordered));
}

#[test]
fn usage_can_be_left_as_asked() {
    let document =
        |mode: &str| of_variants(&["x/a@100"]).replacen('{', &format!(r#"{{"usage": "{mode}", "#), 1);
    assert_eq!(valid("r", &document("as_asked")).usage, UsageMode::AsAsked);
    assert_eq!(valid("r", &document("always")).usage, UsageMode::Always);
    faults(&document("never"), &["usage: 'never' is no usage mode"]);
}

/// Each fault of a document begins as expected: path, then what is wrong.
fn faults(document: &str, expected: &[&str]) {
    let found = parse("r", document.as_bytes()).err().unwrap_or_default();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{document}\n{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{document}\n{found}\n{expected}");
    }
}

/// A default route with the weights as they are written.
fn weights(weights: &[&str]) -> String {
    let variants: Vec<String> =
        weights.iter().enumerate().map(|(n, weight)| format!("x/m{n}@{weight}")).collect();
    of_variants(&variants.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn wrong_weights_are_named_with_their_path() {
    let path = "default_route.variants";
    faults(&weights(&["50", "40"]), &[&format!("{path}: the weights sum to 90, not to 100 (10 missing)")]);
    faults(
        &weights(&["70", "40.5"]),
        &[&format!("{path}: the weights sum to 110.5, not to 100 (10.5 too much)")],
    );
    faults(
        &weights(&["-1", "101"]),
        &[&format!("{path}[0].weight: -1 is no"), &format!("{path}[1].weight: 101 is no")],
    );
    faults(
        &weights(&["33.333", "66.667"]),
        &[
            &format!("{path}[0].weight: 33.333 has more than two decimals"),
            &format!("{path}[1].weight: 66.667 has more than two decimals"),
        ],
    );
    faults(&weights(&["\"50\"", "50"]), &[&format!("{path}[0].weight: a weight is a number, not a string")]);
    faults(&weights(&["null", "100"]), &[&format!("{path}[0].weight: is missing")]);
    faults(&weights(&["1e999"]), &["the document is not JSON"]);
}

#[test]
fn what_is_missing_or_twice_is_named() {
    faults("{}", &["the router has no way to choose"]);
    faults(r#"{"routes": []}"#, &["the router has no way to choose"]);
    faults(r#"{"default_route": {"variants": []}}"#, &["default_route.variants: a route needs at least one"]);
    faults(r#"{"default_route": {}}"#, &["default_route.variants: is missing"]);
    faults(
        r#"{"defaultRoute": {"variants": [{"weight": 100}]}}"#,
        &["defaultRoute.variants[0].variant: is missing"],
    );
    let twice = AB_TEST.replace("variant-b", "variant-a").replace("ab-test-router", "r");
    faults(&twice, &["routes[0].route.variants[1].variant: the id 'variant-a' is given twice"]);
    let twice = AB_TEST.replace("ab-test-route\"", "default\"").replace("ab-test-router", "r");
    faults(&twice, &["routes[0].route: the id 'default' is given twice"]);
    let both = of_variants(&["x/a@100"]).replace(r#""model_id""#, r#""modelId": "x/b", "model_id""#);
    faults(&both, &["default_route.variants[0].variant.model_id: is given twice, in both spellings"]);
    let again = of_variants(&["x/a@100"]).replace(r#""weight""#, r#""weight": 100, "weight""#);
    faults(&again, &["default_route.variants[0].weight: is given twice; keep one of them"]);
    let both = BY_RULE.replacen('{', r#"{"routes": [], "#, 1);
    faults(&both, &["rule: a router has either `rule` or `routes`"]);
}

#[test]
fn a_typo_is_a_fault_and_an_unknown_field_is_not() {
    let typo = of_variants(&["x/a@100"]).replace("weight", "weigth");
    faults(
        &typo,
        &[
            "default_route.variants[0].weigth: is no field here; did you mean `weight`?",
            "default_route.variants[0].weight: is missing",
        ],
    );
    let router = valid("r", &of_variants(&["x/a@100"]).replacen('{', r#"{"team": "growth", "#, 1));
    assert_eq!(router.warnings[0].to_string(), "team: is no field here, and is ignored");
    // Two slips from `name` and three from `rule`: in a name of four letters that is another word.
    let router = valid("r", &of_variants(&["x/a@100"]).replacen('{', r#"{"note": "ours", "#, 1));
    assert_eq!(router.warnings[0].to_string(), "note: is no field here, and is ignored");
}

#[test]
fn wrong_conditions_are_named() {
    let document = |condition: &str| {
        format!(
            r#"{{"routes": [{{"route": {{"variants": [{{"variant": {{"model_id": "x/a"}}, "weight": 100}}]}}, {condition}}}]}}"#
        )
    };
    let cel = |source: &str| {
        document(&format!(r#""condition": {{"cel_expression": {}}}"#, serde_json::json!(source)))
    };
    faults(&cel("tier =="), &["routes[0].condition.cel_expression: "]);
    faults(&cel("nothing(tier)"), &["routes[0].condition.cel_expression: "]);
    faults(&cel(&"(".repeat(10_000)), &["routes[0].condition.cel_expression: "]);
    faults(
        &cel(&format!("{}1{}", "[".repeat(100), "]".repeat(100))),
        &["routes[0].condition.cel_expression: "],
    );
    faults(&document(r#""condition": {}"#), &["routes[0].condition.cel_expression: is missing"]);
    faults(&document(r#""x-note": 1"#), &["routes[0].condition: is missing"]);
    faults(
        &document(r#""condition": {"celExpression": 7}"#),
        &["routes[0].condition.celExpression: must be a string, not a number"],
    );
}

#[test]
fn a_model_names_its_provider_and_is_no_router() {
    let path = "default_route.variants[0].variant.model_id";
    faults(
        &of_variants(&["gpt-5@100"]),
        &[&format!("{path}: 'gpt-5' names no provider; write \"provider/model\"")],
    );
    faults(&of_variants(&["turnout/x@100"]), &[&format!("{path}: 'turnout/x' is a router")]);
    faults(&of_variants(&["/x@100"]), &[&format!("{path}: '/x' is not complete")]);
    faults(&of_variants(&["x/ y@100"]), &[&format!("{path}: a model id has no white space")]);
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    valid("r", &format!("\u{feff}{}", of_variants(&["x/a@100"])));
}

#[test]
fn what_is_no_document_is_told_apart() {
    faults("", &["the document is empty"]);
    faults(" \n", &["the document is empty"]);
    faults("{", &["the document is not JSON"]);
    faults("routes: []", &["the document is not JSON"]);
    faults("[]", &["must be an object, not an array"]);
    faults(&format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)), &["the document is not JSON"]);
    assert!(summary(&parse("r", b"\xff\xfe{}").unwrap_err()).contains("not UTF-8"));
    assert!(summary(&parse("r", &vec![b' '; MAX_BYTES + 1]).unwrap_err()).contains("1 MiB"));
    let other = of_variants(&["x/a@100"]).replacen('{', r#"{"name": "routers/other", "#, 1);
    faults(&other, &["name: the document calls itself 'routers/other' but is stored as 'router:r'"]);
}

#[test]
fn what_this_version_does_not_serve_is_refused_and_not_left_out() {
    let stop = of_variants(&["x/a@100"]).replace(
        r#""variants""#,
        r#""ramp": {"variant_id": "x/a", "steps": [{"at": 1, "weight": 100}], "guardrails": []}, "variants""#,
    );
    faults(&stop, &["default_route.ramp.guardrails: guardrails are not served"]);
}

#[test]
fn faults_come_all_at_once_but_not_without_end() {
    let many = weights(&["\"x\""; 500]);
    let faults = parse("r", many.as_bytes()).unwrap_err();
    assert_eq!(faults.len(), 65);
    assert_eq!(faults[64].to_string(), "and 436 more");
}

#[test]
fn thousands_of_routes_are_one_router() {
    let route = r#"{"route": {"variants": [{"variant": {"model_id": "x/a"}, "weight": 100}]}, "condition": {"cel_expression": "tier == 'N'"}}"#;
    let all: Vec<String> = (0..5_000).map(|n| route.replace('N', &n.to_string())).collect();
    let router = valid("r", &format!(r#"{{"routes": [{}]}}"#, all.join(",")));
    assert_eq!(routes(&router).len(), 5_000);
}

#[test]
fn repeated_derived_ids_take_no_more_than_their_number() {
    // Counted anew for each, these would take minutes.
    let router =
        valid("r", &of_variants(&std::iter::once("x/a@100").chain(["x/a@0"; 9_999]).collect::<Vec<_>>()));
    assert_eq!(&*routes(&router)[0].variants[9_999].id, "x/a-10000");
}

#[test]
fn names_are_as_the_contract_says() {
    for name in ["a", "0", "user-aware", "a-", &"a".repeat(63)] {
        assert!(is_name(name), "{name}");
    }
    for name in ["", "-a", "A", "a_b", "a/b", "ä", &"a".repeat(64)] {
        assert!(!is_name(name), "{name}");
    }
    assert_eq!(named_by("turnout/x"), Some("x"));
    assert_eq!(named_by("inworld/x"), Some("x"));
    assert_eq!(named_by("routers/x"), Some("x"));
    assert_eq!(named_by("turnoutx/x"), None);
    assert_eq!(named_by("x"), None);
}

proptest::proptest! {
    #[test]
    fn no_document_panics(text in ".*", position in 0_usize..700, byte in proptest::prelude::any::<u8>()) {
        let _ = parse("r", text.as_bytes());
        let mut damaged = AB_TEST.as_bytes().to_vec();
        if let Some(place) = damaged.get_mut(position) {
            *place = byte;
        }
        let _ = parse("ab-test-router", &damaged);
    }
}
