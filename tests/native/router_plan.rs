//! Plans of changes: who moves, exactly and as the call path has it; and what is said.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use turnout::assignment::{Entrant, Weight, assign};
use turnout::call::Call;
use turnout::decision::{Circumstances, Origin, decide};
use turnout::dialect::Dialect;
use turnout::endpoint::Ask;
use turnout::error::{Error, ErrorKind};
use turnout::gateway::Gateway;
use turnout::reach::Surroundings;
use turnout::router::edit::pinned;
use turnout::router::parse;
use turnout::router::plan::moves::Moves;
use turnout::router::plan::{Basis, Plan, PlanRequest, RouteChange, RoutePlan, planned};

const AB_TEST: &str = include_str!("../fixtures/routers/ab-test-router.json");
const BY_RULE: &str = include_str!("../fixtures/routers/by-rule.json");

/// Every pair's share, row by row.
fn matrix(old: &[u16], new: &[u16], is_dealt_anew: bool) -> Vec<f64> {
    let moves = Moves::new(old, new, is_dealt_anew);
    let places = 0..old.len();
    places
        .clone()
        .flat_map(|from| places.clone().map(move |to| (from, to)))
        .map(|(from, to)| moves.share(from, to))
        .collect()
}

#[test]
fn shares_that_can_be_told_by_hand() {
    let check = |old: &[u16], new: &[u16], expected: &[f64]| {
        let found = matrix(old, new, false);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{old:?} → {new:?}: {found} {expected}");
        }
    };
    check(&[5000, 5000], &[5000, 5000], &[0.5, 0.0, 0.0, 0.5]);
    check(&[10_000, 0], &[0, 10_000], &[0.0, 1.0, 0.0, 0.0]);
    check(&[8000, 2000], &[5000, 5000], &[0.5, 0.3, 0.0, 0.2]);
    // The others keep their proportion, so that all who leave go to the one that grows.
    check(&[5000, 3000, 2000], &[2500, 1500, 6000], &[0.25, 0.0, 0.25, 0.0, 0.15, 0.15, 0.0, 0.0, 0.2]);
    // A variant that goes leaves to the others by their weights.
    check(&[5000, 3000, 2000], &[6250, 3750, 0], &[0.5, 0.0, 0.0, 0.0, 0.3, 0.0, 0.125, 0.075, 0.0]);
    // a keeps, c comes where b was: b's go to c alone, but c also wins of a, whom b's going gives as many.
    // P(a → c) = 50 · 50 ∫ ds/(100 + 50 s)² over s from 0 to 1 = 1/6.
    check(
        &[5000, 5000, 0],
        &[5000, 0, 5000],
        &[1.0 / 3.0, 0.0, 1.0 / 6.0, 1.0 / 6.0, 0.0, 1.0 / 3.0, 0.0, 0.0, 0.0],
    );
}

/// Weights of so many variants that sum to 10,000, some of them 0.
fn weights(count: usize) -> impl Strategy<Value = Vec<u16>> {
    (
        proptest::collection::vec(prop_oneof![1 => Just(0_u32), 4 => 1_u32..1_000], count),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(parts, at)| {
            let mut parts = parts;
            let at = at.index(parts.len());
            parts[at] += 1;
            let total: u32 = parts.iter().sum();
            let mut weights: Vec<u16> =
                parts.iter().map(|part| u16::try_from(part * 10_000 / total).unwrap()).collect();
            weights[at] += 10_000 - weights.iter().sum::<u16>();
            weights
        })
}

proptest! {
    #[test]
    fn shares_agree_with_both_weightings((old, new) in (1_usize..9).prop_flat_map(|count| (weights(count), weights(count))), anew in any::<bool>()) {
        let moves = Moves::new(&old, &new, anew);
        let places = 0..old.len();
        for at in places.clone() {
            let (row, column): (f64, f64) = (
                places.clone().map(|to| moves.share(at, to)).sum(), places.clone().map(|from| moves.share(from, at)).sum(),
            );
            prop_assert!((row - f64::from(old[at]) / 1e4).abs() < 1e-12, "{row} {old:?} {new:?}");
            prop_assert!((column - f64::from(new[at]) / 1e4).abs() < 1e-12, "{column} {old:?} {new:?}");
            let leave: f64 = places.clone().filter(|to| *to != at).map(|to| moves.share(at, to)).sum();
            prop_assert!((leave - moves.leave(at)).abs() < 1e-12);
        }
        let d = moves.least();
        prop_assert!(moves.moved() >= d - 1e-12);
        // Optimal correlated sampling: at most 2d/(1+d).
        prop_assert!(anew || moves.moved() <= 2.0 * d / (1.0 + d) + 1e-12, "{} {d}", moves.moved());
    }

    #[test]
    fn of_two_variants_those_move_who_must((old, new) in (0_u16..=10_000, 0_u16..=10_000)) {
        let found = matrix(&[old, 10_000 - old], &[new, 10_000 - new], false);
        let less = (f64::from(old) - f64::from(new)) / 10_000.0;
        prop_assert!((found[1] - less.max(0.0)).abs() < 1e-12);
        prop_assert!((found[2] - (-less).max(0.0)).abs() < 1e-12);
    }

    #[test]
    fn a_way_and_its_return_are_mirrored((old, new) in (2_usize..7).prop_flat_map(|count| (weights(count), weights(count)))) {
        let (there, back) = (Moves::new(&old, &new, false), Moves::new(&new, &old, false));
        for (from, to) in (0..old.len()).flat_map(|from| (0..old.len()).map(move |to| (from, to))) {
            prop_assert!((there.share(from, to) - back.share(to, from)).abs() < 1e-12);
        }
    }
}

/// Whether a count out of `of` is one of probability `share`, within five σ.
fn is_within(count: usize, of: usize, share: f64) -> bool {
    let (count, of) = (count as f64, of as f64);
    let sigma = (of * share * (1.0 - share)).max(1.0).sqrt();
    (count - of * share).abs() <= 5.0 * sigma
}

#[test]
fn the_closed_form_is_what_the_race_does() {
    let ids = ["a", "b", "c", "d", "e"];
    for (old, new) in [
        ([5000, 3000, 1000, 1000, 0], [1000, 1000, 3000, 1000, 4000]),
        ([2000, 2000, 2000, 2000, 2000], [4000, 3000, 2000, 1000, 0]),
        ([1, 9999, 0, 0, 0], [3333, 3333, 3334, 0, 0]),
    ] {
        let assigned = |weights: &[u16; 5], unit: &str| {
            let entrants = ids
                .iter()
                .zip(weights)
                .map(|(id, weight)| Entrant { id, weight: Weight::from_hundredths(*weight).unwrap() });
            assign("salt", unit, entrants).unwrap()
        };
        const UNITS: usize = 100_000;
        let mut counts = [0_usize; 25];
        for unit in 0..UNITS {
            let unit = format!("u{unit}");
            counts[assigned(&old, &unit) * 5 + assigned(&new, &unit)] += 1;
        }
        for (at, (count, share)) in counts.iter().zip(matrix(&old, &new, false)).enumerate() {
            assert!(is_within(*count, UNITS, share), "{old:?} → {new:?} at {at}: {count} for {share}");
            assert!(share > 0.0 || *count == 0, "nobody goes where nobody can");
        }
    }
}

fn plan(
    name: &str,
    current: Option<&str>,
    document: &str,
    mask: Option<&str>,
    now: u64,
) -> Result<Plan, Error> {
    let request: PlanRequest = serde_json::from_str(&match mask {
        Some(mask) => format!(r#"{{"document": {document}, "updateMask": "{mask}"}}"#),
        None => format!(r#"{{"document": {document}}}"#),
    })
    .unwrap();
    let gateway = Gateway::default();
    let settings = |name: &str| (name == "OPENAI_API_KEY").then(|| "sk-secret".to_owned());
    let surroundings = Surroundings { gateway: &gateway, settings: &settings, demo: false };
    let basis = Basis { current: current.map(str::as_bytes), etag: Some("e7"), revision: Some("7") };
    planned(name, &basis, &request, &surroundings, now)
}

/// A random router of up to three routes by tier and a default route, as a document.
#[derive(Clone, Debug)]
struct Draft {
    /// Which tiers have a route, in order, and its variants' weights.
    routes: Vec<(usize, Vec<u16>)>,
    default: Vec<u16>,
    salt: Option<&'static str>,
}

const TIERS: usize = 3;

fn any_draft() -> impl Strategy<Value = Draft> {
    let route = || (1_usize..5).prop_flat_map(weights);
    let tiers = Just((0..TIERS).collect::<Vec<_>>()).prop_shuffle();
    (
        tiers,
        proptest::collection::vec(route(), 0..=TIERS),
        route(),
        prop_oneof![4 => Just(None), 1 => Just(Some("other"))],
    )
        .prop_map(|(tiers, weights, default, salt)| Draft {
            routes: tiers.into_iter().zip(weights).collect(),
            default,
            salt,
        })
}

impl Draft {
    fn document(&self) -> String {
        let variants = |weights: &[u16]| -> Value {
            let variants = weights.iter().zip(0..).map(|(weight, n)| {
                json!({"variant": {"variant_id": format!("v{n}"), "model_id": format!("openai/m{n}")}, "weight": f64::from(*weight) / 100.0})
            });
            variants.collect()
        };
        let routes: Vec<Value> = self
            .routes
            .iter()
            .map(|(tier, weights)| {
                let mut route = json!({"route_id": format!("t{tier}"), "variants": variants(weights)});
                if let Some(salt) = self.salt {
                    route["salt"] = json!(salt);
                }
                json!({"route": route, "condition": {"cel_expression": format!("tier == {tier}")}})
            })
            .collect();
        json!({"routes": routes, "default_route": {"route_id": "default", "variants": variants(&self.default)}}).to_string()
    }
}

#[test]
fn moves_are_those_of_two_snapshots_of_the_call_path() {
    const USERS: usize = 100_000;
    let check = |before: &Draft, after: &Draft| {
        let (before, after) = (before.document(), after.document());
        let plan = plan("r", Some(&before), &after, Some("*"), 0).unwrap();
        let (old, new) = (parse("r", before.as_bytes()).unwrap(), parse("r", after.as_bytes()).unwrap());
        // (route, from, to) of those who stay on their route.
        let mut counts: HashMap<(String, String, String), usize> = HashMap::new();
        let mut on_route: HashMap<String, usize> = HashMap::new();
        for user in 0..USERS {
            let body = format!(
                r#"{{"model":"m","user":"user-{user}","metadata":{{"tier":{}}}}}"#,
                user % (TIERS + 1)
            );
            let call = Call::parse(&Ask::of(Dialect::OpenAi), body.into_bytes()).unwrap();
            let origin = Origin::default();
            let circumstances =
                Circumstances { call: &call, path: "", headers: &[], origin: &origin, now: 0, random: 0 };
            let [was, is] = [&old, &new].map(|router| decide(router, &circumstances).assigned.unwrap());
            if was.route == is.route {
                *on_route.entry(was.route.to_string()).or_default() += 1;
                *counts
                    .entry((was.route.to_string(), was.variant.to_string(), is.variant.to_string()))
                    .or_default() += 1;
            }
        }
        for (route, users) in on_route {
            let planned = plan.routes.iter().find(|planned| planned.route_id == route).unwrap();
            let told: HashMap<(&str, &str), f64> =
                planned.moves.iter().map(|one| ((one.from.as_str(), one.to.as_str()), one.share)).collect();
            let ids: Vec<&str> = planned.variants.iter().map(|arm| arm.variant_id.as_str()).collect();
            for (from, to) in ids.iter().flat_map(|from| ids.iter().map(move |to| (*from, *to))) {
                let count =
                    counts.get(&(route.clone(), from.to_owned(), to.to_owned())).copied().unwrap_or_default();
                let share = if from == to {
                    planned.variants.iter().find(|arm| arm.variant_id == from).unwrap().stay
                } else {
                    told.get(&(from, to)).copied().unwrap_or_default()
                };
                assert!(
                    is_within(count, users, share),
                    "{route} {from} → {to}: {count} of {users} for {share}\n{before}\n{after}"
                );
            }
        }
    };
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    runner
        .run(&(any_draft(), any_draft()), |(before, after)| {
            check(&before, &after);
            Ok(())
        })
        .unwrap();
}

fn route<'p>(plan: &'p Plan, id: &str) -> &'p RoutePlan {
    plan.routes.iter().find(|route| route.route_id == id).unwrap_or_else(|| panic!("{id} in {plan:#?}"))
}

#[test]
fn a_plan_says_who_goes_where_and_against_what() {
    let after = AB_TEST.replace(": 80", ": 39.88").replace(": 20", ": 60.12");
    let plan = plan("ab-test-router", Some(AB_TEST), &after, None, 0).unwrap();
    assert_eq!(plan.summary, "ab-test-route: variant-a 80 → 39.88, variant-b 20 → 60.12");
    assert_eq!(plan.against.as_ref().and_then(|against| against.etag.as_deref()), Some("e7"));
    let changed = route(&plan, "ab-test-route");
    assert_eq!(changed.change, RouteChange::Changed);
    let [one] = &changed.moves[..] else { panic!("{changed:#?}") };
    assert_eq!(
        (one.per_10000, one.sentence.as_str()),
        (4012, "4,012 of 10,000 users go from variant-a to variant-b.")
    );
    assert!((changed.moved - 0.4012).abs() < 1e-12 && (changed.least - 0.4012).abs() < 1e-12);
    let epochs = changed.epoch.as_ref().unwrap();
    assert_eq!(epochs.before, "4502da733e80788f");
    assert_ne!(epochs.after, epochs.before);
    assert_eq!(route(&plan, "default").change, RouteChange::Unchanged);
    assert!(plan.notes.is_empty() && plan.warnings.is_empty(), "{plan:#?}");
    let few = AB_TEST.replace(": 80", ": 79.99").replace(": 20", ": 20.01");
    let few = self::plan("ab-test-router", Some(AB_TEST), &few, None, 0).unwrap();
    assert_eq!(
        route(&few, "ab-test-route").moves[0].sentence,
        "1 of 10,000 users goes from variant-a to variant-b."
    );
}

#[test]
fn models_that_cannot_be_called_come_first() {
    let after = AB_TEST.replace("\"variant-b\", \"model_id\": \"anthropic/claude-opus-4-6\"", "\"variant-b\", \"model_id\": \"opnai/gpt-5\", \"model_selection\": {\"models\": [\"anthropic/claude-x\", \"demo/swift\"]}");
    let plan = plan("ab-test-router", Some(AB_TEST), &after, None, 0).unwrap();
    let said: Vec<String> = plan
        .models
        .iter()
        .map(|model| {
            format!(
                "{} {:?} {} {}",
                model.model,
                model.provider,
                model.has_credential,
                model.problem.as_deref().unwrap_or("-")
            )
        })
        .collect();
    assert!(said[0].starts_with("anthropic/claude-x Some(\"anthropic\") false `anthropic` has no credential; set ANTHROPIC_API_KEY"), "{said:#?}");
    assert!(
        said[1].starts_with(
            "demo/swift Some(\"demo\") true 'demo/swift' is a demo model, and those are off here"
        ),
        "{said:#?}"
    );
    assert!(
        said[2].starts_with("opnai/gpt-5 None false no provider is called `opnai`; the nearest are openai"),
        "{said:#?}"
    );
    assert_eq!(said[3], "openai/gpt-5 Some(\"openai\") true -");
    assert!(!serde_json::to_string(&plan).unwrap().contains("sk-secret"));
}

#[test]
fn what_is_to_be_known_is_said() {
    let all = |plan: &Plan| {
        let routes = plan.routes.iter().flat_map(|route| &route.warnings);
        plan.notes.iter().chain(routes).cloned().collect::<Vec<_>>().join("\n")
    };
    let check = |after: &str, expected: &[&str]| {
        let plan = plan("ab-test-router", Some(AB_TEST), after, Some("*"), 0)
            .unwrap_or_else(|error| panic!("{after} {error:?}"));
        let said = all(&plan);
        for expected in expected {
            assert!(said.contains(expected), "{expected}\n{said}");
        }
        assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
    };
    check(AB_TEST, &[]);
    check(
        &AB_TEST.replace("\"true\"", "\"tier == 1\""),
        &["The condition changes: 'ab-test-route'. Users may come over"],
    );
    check(
        &AB_TEST
            .replace("\"ab-test-route\"", "\"salt\" : \"x\"")
            .replace("\"route_id\": \"salt\" : \"x\"", "\"route_id\": \"ab-test-route\", \"salt\": \"x\""),
        &["The salt changes"],
    );
    check(
        &AB_TEST.replace("\"ab-test-route\"", "\"premium\""),
        &["A route appears: 'premium'", "A route goes: 'ab-test-route'", "give it the old `route_id`"],
    );
    check(
        &AB_TEST.replace("claude-opus-4-6", "claude-5"),
        &["'variant-b' has another model (anthropic/claude-opus-4-6 → anthropic/claude-5) under the same id"],
    );
    check(
        &AB_TEST.replace("variant-b", "variant-c"),
        &["'variant-b' goes and 'variant-c' comes: another id is another variant"],
    );
    check(
        &AB_TEST.replacen('{', "{\"sticky_by\": \"org\", ", 1),
        &["`sticky_by` changes, so that units are hashed by another id"],
    );
    check(r#"{"rule": {"cel_expression": "'x/a'"}}"#, &["changes between `rule` and routes"]);
    let rule = plan("by-rule", Some(BY_RULE), &BY_RULE.replace("== 0", "== 1"), None, 0).unwrap();
    assert!(all(&rule).contains("The rule changes"), "{rule:#?}");
}

#[test]
fn another_salt_or_unit_deals_all_anew() {
    let other_unit = AB_TEST.replacen('{', "{\"sticky_by\": \"org\", ", 1);
    let plan = plan("ab-test-router", Some(AB_TEST), &other_unit, None, 0).unwrap();
    let changed = route(&plan, "ab-test-route");
    assert!(changed.dealt_anew);
    assert!((changed.moved - 0.32).abs() < 1e-12 && changed.least == 0.0, "{changed:#?}");
}

#[test]
fn a_plan_is_of_the_weights_that_hold_now() {
    let ramp = r#""ramp": {"variant_id": "variant-b", "steps": [{"at": 100, "weight": 50}, {"at": 200, "weight": 100}]}, "#;
    let ramped = AB_TEST
        .replace("\"route_id\": \"ab-test-route\", ", &format!("\"route_id\": \"ab-test-route\", {ramp}"));
    let moved = |current: &str, document: &str, now: u64| {
        let plan = plan("ab-test-router", Some(current), document, Some("*"), now).unwrap();
        let route = route(&plan, "ab-test-route").clone();
        (format!("{:.4}", route.moved), route.warnings.join(" "))
    };
    let check = |found: (String, String), moved: &str, said: &str| {
        assert_eq!(found.0, moved);
        assert!(found.1.contains(said), "{}", found.1);
    };
    check(
        moved(AB_TEST, &ramped, 99_999),
        "0.0000",
        "the ramp of 'variant-b' moves more: 50 % from 1970-01-01T00:01:40Z on",
    );
    check(moved(AB_TEST, &ramped, 100_000), "0.3000", "moves more: 100 % from 1970-01-01T00:03:20Z");
    check(moved(&ramped, AB_TEST, 100_000), "0.3000", "which stands at 50 %, is not in the new document");
}

#[test]
fn a_plan_of_what_is_not_there_yet_has_no_moves() {
    let plan = plan("ab-test-router", None, AB_TEST, None, 0).unwrap();
    assert_eq!((plan.summary.as_str(), &plan.against), ("made", &None));
    assert!(plan.routes.iter().all(|route| route.change == RouteChange::Added && route.moves.is_empty()));
}

#[test]
fn a_plan_has_the_faults_that_the_change_would_have() {
    let error = plan(
        "ab-test-router",
        Some(AB_TEST),
        &AB_TEST.replace(": 80", ": 70").replace("\"true\"", "\"tier ==\""),
        None,
        0,
    )
    .unwrap_err();
    assert_eq!((error.kind, error.faults.len()), (ErrorKind::InvalidDocument, 2), "{error:?}");
    assert_eq!(
        plan("ab-test-router", Some(AB_TEST), "{}", Some("colour"), 0).unwrap_err().param.as_deref(),
        Some("update_mask")
    );
}

#[test]
fn planning_against_ids_that_are_derived_is_planning_against_those_that_are_written() {
    let loose = r#"{"default_route": {"variants": [{"variant": {"model_id": "openai/a"}, "weight": 60}, {"variant": {"model_id": "openai/b"}, "weight": 40}]}}"#;
    let written = String::from_utf8(pinned("r", loose.as_bytes()).unwrap()).unwrap();
    let after = loose.replace(": 60", ": 50").replace(": 40", ": 50");
    let of = |current: &str| plan("r", Some(current), &after, None, 0).unwrap().routes;
    assert_eq!(of(loose), of(&written));
    assert_eq!(of(loose)[0].moves[0].per_10000, 1000);
}

#[test]
fn a_route_of_thousands_is_planned() {
    let variants = |shift: usize| -> String {
        let weight = |n: usize| if (n + shift).is_multiple_of(4) { 0.04 } else { 0.0 };
        let variants = (0..10_000).map(|n| {
            format!(
                r#"{{"variant": {{"variant_id": "v{n}", "model_id": "openai/m"}}, "weight": {}}}"#,
                weight(n)
            )
        });
        format!(r#"{{"default_route": {{"variants": [{}]}}}}"#, variants.collect::<Vec<_>>().join(","))
    };
    let plan = plan("r", Some(&variants(0)), &variants(1), None, 0).unwrap();
    let route = &plan.routes[0];
    assert_eq!(route.moves.len(), 64);
    let listed: f64 = route.moves.iter().map(|one| one.share).sum();
    assert!((route.moved - 1.0).abs() < 1e-9 && (listed + route.other_moves - 1.0).abs() < 1e-9);
    assert_eq!(route.moves[0].sentence, "Fewer than 1 of 10,000 users go from v0 to v3.");
}
