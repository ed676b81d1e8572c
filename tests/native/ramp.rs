//! Ramps: what may be written, and the weights at each moment.

use proptest::prelude::*;
use turnout::assignment::assign;
use turnout::moment;
use turnout::router::edit::{RampShown, RampState, ramps};
use turnout::router::{Route, Router, parse};
use turnout::shelf::summary;

/// 2026-12-01T00:00:00Z, in milliseconds.
const START: u64 = 1_796_083_200_000;
const HOUR: u64 = 3_600_000;

/// A default route of variants `id@weight`, with these members beside them.
fn document(variants: &str, ramp: &str) -> String {
    let variants: Vec<String> = variants
        .split_whitespace()
        .map(|variant| {
            let (id, weight) = variant.split_once('@').unwrap();
            format!(r#"{{"variant": {{"variant_id": "{id}", "model_id": "x/{id}"}}, "weight": {weight}}}"#)
        })
        .collect();
    format!(r#"{{"default_route": {{"variants": [{}], "ramp": {ramp}}}}}"#, variants.join(", "))
}

/// A ramp of `b`, a step an hour from [`START`] on, and further members.
fn hourly(weights: &str, more: &str) -> String {
    let steps: Vec<String> = weights
        .split_whitespace()
        .zip(0..)
        .map(|(weight, hour)| {
            format!(r#"{{"at": "{}", "weight": {weight}}}"#, moment::rfc3339(START + hour * HOUR))
        })
        .collect();
    format!(r#"{{"variant_id": "b", "steps": [{}]{more}}}"#, steps.join(", "))
}

fn router(document: &str) -> Router {
    parse("r", document.as_bytes()).unwrap_or_else(|faults| panic!("{document}\n{}", summary(&faults)))
}

fn route(router: &Router) -> &Route {
    router.default.as_ref().unwrap()
}

/// `a@99 b@1` at a moment.
fn weights(router: &Router, now: u64) -> String {
    let weights = route(router).at(now).variants.iter();
    weights
        .map(|variant| format!("{}@{}", variant.id, variant.weight.percent()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn weights_are_those_of_the_step_that_holds() {
    let check = |variants: &str, ramp: &str, moments: &[(u64, &str)]| {
        let router = router(&document(variants, ramp));
        for (at, expected) in moments {
            assert_eq!(weights(&router, START - HOUR + at), *expected, "{ramp} after {at}");
        }
    };
    let two = &hourly("1 5 100", "");
    let before = HOUR - 1;
    check(
        "a@90 b@10",
        two,
        &[
            (0, "a@90 b@10"),
            (before, "a@90 b@10"),
            (HOUR, "a@99 b@1"),
            (2 * HOUR - 1, "a@99 b@1"),
            (2 * HOUR, "a@95 b@5"),
            (3 * HOUR, "a@0 b@100"),
            (1000 * HOUR, "a@0 b@100"),
        ],
    );
    // The others share in proportion to their own weights, to the hundredth, the largest remainder first.
    check("a@60 b@10 c@30", two, &[(HOUR, "a@66 b@1 c@33"), (2 * HOUR, "a@63.33 b@5 c@31.67")]);
    check("a@50 b@0 c@25 d@25", &hourly("33.33", ""), &[(HOUR, "a@33.33 b@33.33 c@16.67 d@16.67")]);
    // Equal remainders: the smaller id gains, wherever it stands.
    check("c@25 a@25 d@50 b@0", &hourly("0.01", ""), &[(HOUR, "c@25 a@25 d@49.99 b@0.01")]);
    check("c@50 a@50 b@0", &hourly("0.01", ""), &[(HOUR, "c@49.99 a@50 b@0.01")]);
    // Paused, it stands still.
    let paused = &hourly(
        "1 5 100",
        &format!(r#", "state": "paused", "paused_at": "{}""#, moment::rfc3339(START + HOUR + 1)),
    );
    check(
        "a@90 b@10",
        paused,
        &[(before, "a@90 b@10"), (HOUR, "a@99 b@1"), (2 * HOUR, "a@95 b@5"), (99 * HOUR, "a@95 b@5")],
    );
    // Weights may fall, and other variants have 0 where the ramped one takes all.
    check("a@0 b@100", &hourly("100", ""), &[(HOUR, "a@0 b@100")]);
    // Unix seconds, and both spellings.
    let seconds = START / 1000;
    check(
        "a@90 b@10",
        &format!(r#"{{"variantId": "b", "steps": [{{"at": {seconds}, "weight": 5}}]}}"#),
        &[(HOUR, "a@95 b@5")],
    );
}

#[test]
fn a_phase_has_the_epoch_of_its_weights() {
    let ramped = router(&document("a@90 b@10", &hourly("1 50", "")));
    let plain = |variants: &str| route(&router(&document(variants, "null"))).epoch;
    let epoch = |now| route(&ramped).at(now).epoch;
    assert_eq!(epoch(START - 1), plain("a@90 b@10"));
    assert_eq!(epoch(START), plain("a@99 b@1"));
    assert_eq!(epoch(START + HOUR), plain("a@50 b@50"));
    assert_eq!(route(&ramped).salt, "r/default");
}

#[test]
fn who_stands_in_goes_by_the_weights_of_the_phase() {
    let document = document("a@60 b@40", &hourly("50 100", ""))
        .replace(r#""variants""#, r#""failover": {"across_variants": true}, "variants""#);
    let router = router(&document);
    let others = |now: u64| route(&router).at(now).variants[0].failover.others.join(" ");
    assert_eq!(others(START - 1), "x/a x/b");
    assert_eq!(others(START), "x/a x/b", "of equal weights the smaller id is first");
    assert_eq!(others(START + HOUR), "x/b");
}

#[test]
fn what_is_wrong_with_a_ramp_is_named() {
    let check = |variants: &str, ramp: &str, expected: &[&str]| {
        let found = parse("r", document(variants, ramp).as_bytes()).err().unwrap_or_default();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{ramp}\n{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            let expected = format!("default_route.ramp{expected}");
            assert!(found.starts_with(&expected), "{ramp}\n{found}\n{expected}");
        }
    };
    let two = "a@90 b@10";
    check(two, "7", &[": must be an object, not a number"]);
    check(two, "{}", &[".variant_id: is missing", ".steps: is missing"]);
    check(two, r#"{"variant_id": "b", "steps": []}"#, &[".steps: a ramp needs at least one step"]);
    check(
        two,
        &hourly("1 5", "").replace(r#""b""#, r#""sage""#),
        &[".variant_id: the route has no variant 'sage'; it has 'a', 'b'"],
    );
    check(
        two,
        r#"{"variant_id": "b", "steps": [{"at": 20, "weight": 1}, {"at": 20, "weight": 2}]}"#,
        &[".steps[1].at: is not after"],
    );
    check(
        two,
        r#"{"variant_id": "b", "steps": [{"at": "tomorrow", "weight": 1}]}"#,
        &[".steps[0].at: is no time; write it with its zone"],
    );
    check(
        two,
        r#"{"variant_id": "b", "steps": [{"at": "2026-12-01T00:00:00", "weight": 1}]}"#,
        &[".steps[0].at: is no time"],
    );
    check(
        two,
        r#"{"variant_id": "b", "steps": [{"at": 1796083200000, "weight": 1}]}"#,
        &[".steps[0].at: is no time in Unix seconds; are these milliseconds?"],
    );
    check(
        two,
        r#"{"variant_id": "b", "steps": [{"at": -1, "weight": 1}]}"#,
        &[".steps[0].at: is before 1970"],
    );
    check(
        two,
        r#"{"variant_id": "b", "steps": [{"at": true, "weight": 1}]}"#,
        &[".steps[0].at: must be a time"],
    );
    check(
        two,
        r#"{"variant_id": "b", "steps": [{"weight": 101}]}"#,
        &[".steps[0].at: is missing", ".steps[0].weight: 101 is no percentage"],
    );
    check(two, &hourly("33.333", ""), &[".steps[0].weight: 33.333 has more than two decimals"]);
    check("a@0 b@100", &hourly("100 50", ""), &[": the weights of the other variants are all 0"]);
    check("b@100", &hourly("50", ""), &[": the weights of the other variants are all 0"]);
    check(
        two,
        &hourly("1", r#", "state": "stopped""#),
        &[".state: 'stopped' is no state; write \"running\" or \"paused\""],
    );
    check(two, &hourly("1", r#", "state": "paused""#), &[".paused_at: is missing"]);
    check(two, &hourly("1", r#", "paused_at": 5"#), &[".paused_at: belongs to a ramp that is paused"]);
    check(
        two,
        &hourly("1", r#", "guardrails": []"#),
        &[".guardrails: guardrails are not served by this version"],
    );
    check(two, &hourly(&"1 ".repeat(33), ""), &[".steps: has 33 steps; 32 are the most"]);
}

#[test]
fn a_ramp_is_a_routes_and_a_rule_has_none() {
    let check = |document: &str, expected: &str| {
        let faults = parse("r", document.as_bytes()).unwrap_err();
        assert!(summary(&faults).contains(expected), "{document}\n{}", summary(&faults));
    };
    let rule = r#""rule": {"cel_expression": "'x/a'"}"#;
    check(
        &document("a@90 b@10", &hourly("1", "")).replacen('{', &format!("{{{rule}, "), 1),
        "default_route.ramp: a router with `rule` has no weights",
    );
    check(r#"{"rule": {"cel_expression": "'x/a'", "ramp": {}}}"#, "rule.ramp: is of no use here");
    check(
        &document("a@90 b@10", "null").replacen('{', r#"{"ramp": {}, "#, 1),
        "ramp: a ramp is a field of a route",
    );
}

#[test]
fn the_memory_of_ramps_is_bounded() {
    let variants: Vec<String> =
        std::iter::once("b@100".to_owned()).chain((0..1_000).map(|n| format!("v{n}@0"))).collect();
    let faults =
        parse("r", document(&variants.join(" "), &hourly(&"100 ".repeat(32), "")).as_bytes()).unwrap_err();
    assert!(summary(&faults).contains("its ramps come to 32032 weights"), "{}", summary(&faults));
}

#[test]
fn a_ramp_is_shown_as_it_is_now() {
    let check = |ramp: &str, now: u64, state: RampState, current: f64, next: Option<(u64, f64)>| {
        let shown = ramps(&router(&document("a@90 b@10", ramp)), now);
        let [RampShown { route_id, variant_id, state: found, current_weight, next: found_next }] = &shown[..]
        else {
            panic!("{shown:?}")
        };
        assert_eq!(
            (route_id.as_str(), variant_id.as_str(), *found, *current_weight),
            ("default", "b", state, current)
        );
        let found = found_next.as_ref().map(|step| (moment::parse(&step.at).unwrap(), step.weight));
        assert_eq!(found, next, "{ramp}");
    };
    let ramp = hourly("1 100", "");
    check(&ramp, START - 1, RampState::Running, 10.0, Some((START, 1.0)));
    check(&ramp, START, RampState::Running, 1.0, Some((START + HOUR, 100.0)));
    check(&ramp, START + HOUR, RampState::Done, 100.0, None);
    let paused =
        |at| hourly("1 100", &format!(r#", "state": "paused", "paused_at": "{}""#, moment::rfc3339(at)));
    check(&paused(START + 1), START + 9 * HOUR, RampState::Paused, 1.0, Some((START + HOUR, 100.0)));
    check(&paused(START + HOUR), START + 9 * HOUR, RampState::Done, 100.0, None);
    assert_eq!(ramps(&router(&document("a@90 b@10", "null")), START), []);
}

#[test]
fn moments_are_read_and_written_in_rfc_3339() {
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2026-12-01T01:00:00+01:00", Some(START)),
        ("2026-12-01T00:00:00.25Z", Some(START + 250)),
        ("1969-12-31T23:59:59Z", None),
        ("2026-12-01", None),
        ("", None),
    ] {
        assert_eq!(moment::parse(text), expected, "{text}");
    }
    assert_eq!(moment::rfc3339(START), "2026-12-01T00:00:00Z");
    assert_eq!(moment::rfc3339(START + 5), "2026-12-01T00:00:00.005Z");
    assert_eq!(moment::rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
}

proptest! {
    #[test]
    fn nobody_leaves_a_variant_that_is_ramped_up_against_one_other(
        steps in proptest::collection::btree_set(0_u16..=10_000, 1..6),
        user in "[a-z]{1,12}",
    ) {
        let weights: Vec<String> = steps.iter().map(|weight| (f64::from(*weight) / 100.0).to_string()).collect();
        let router = router(&document("a@100 b@0", &hourly(&weights.join(" "), "")));
        let route = route(&router);
        let mut was_ramped = false;
        for hour in 0..=steps.len() as u64 {
            let phase = route.at(START + hour * HOUR - 1);
            let is_ramped = phase.variants[assign(&route.salt, &user, phase.entrants()).unwrap()].id.as_ref() == "b";
            prop_assert!(is_ramped || !was_ramped);
            was_ramped = is_ramped;
        }
    }

    #[test]
    fn the_weights_of_a_phase_sum_to_all(
        own in proptest::collection::vec(1_u16..2_000, 1..6),
        weight in 0_u16..=10_000,
    ) {
        let rest = 10_000 - own.iter().sum::<u16>();
        let variants: Vec<String> = own.iter().zip(0..).map(|(weight, n)| format!("v{n}@{}", f64::from(*weight) / 100.0)).collect();
        let variants = format!("{} b@{}", variants.join(" "), f64::from(rest) / 100.0);
        let router = router(&document(&variants, &hourly(&(f64::from(weight) / 100.0).to_string(), "")));
        let phase = route(&router).at(START).variants.iter();
        prop_assert_eq!(phase.map(|variant| u32::from(variant.weight.hundredths())).sum::<u32>(), 10_000);
        for (variant, own) in route(&router).at(START).variants.iter().zip(&own) {
            let exact = f64::from(*own) * f64::from(10_000 - weight) / f64::from(10_000 - rest);
            prop_assert!((f64::from(variant.weight.hundredths()) - exact).abs() < 1.0);
        }
    }
}
