//! Plans: which targets are tried, and in which order.

use std::collections::BTreeSet;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::sample::select;
use turnout::exchange::plan::{Asked, Failover, MOST_TARGETS, holders, plan};

/// A failover of models, ignored and others, separated by spaces.
fn failover(models: &str, ignore: &str, others: &str) -> Failover {
    let list = |text: &str| text.split_whitespace().map(Rc::from).collect::<Vec<Rc<str>>>();
    Failover {
        models: list(models),
        ignore: list(ignore),
        others: list(others).into(),
        ..Failover::default()
    }
}

/// What a request asks of models and ignored, separated by spaces.
fn asked(models: &str, ignore: &str) -> Asked {
    let list = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    Asked { models: list(models), ignore: list(ignore), ..Asked::default() }
}

fn check(model: &str, failover: &Failover, asked: &Asked, expected: &str) {
    assert_eq!(plan(&Rc::from(model), failover, asked).join(" "), expected, "{failover:?} {asked:?}");
}

#[test]
fn the_assigned_model_then_its_selection_then_the_requests_then_other_variants() {
    let none = failover("", "", "");
    check("a/1", &none, &Asked::default(), "a/1");
    check("a/1", &failover("b/1 b/2", "", ""), &Asked::default(), "a/1 b/1 b/2");
    check("a/1", &failover("b/1", "", "d/1 d/2"), &asked("c/2 c/1", ""), "a/1 b/1 c/2 c/1 d/1 d/2");
    check("listed", &none, &asked("another c/1", ""), "listed another c/1");
}

#[test]
fn holders_are_the_routes_models_that_are_not_in_the_plan() {
    let check = |failover: &Failover, asked: &Asked, expected: &str| {
        let targets = plan(&Rc::from("a/1"), failover, asked);
        assert_eq!(holders(&targets, failover, asked).join(" "), expected, "{failover:?} {asked:?}");
    };
    let route = |ignore: &str| Failover {
        holders: ["c/1", "a/1", "b/1", "d/1"].map(Rc::from).into(),
        ..failover("b/1", ignore, "")
    };
    check(&route(""), &Asked::default(), "c/1 d/1");
    check(&route("c"), &Asked::default(), "d/1");
    check(&route("c"), &asked("d/1", ""), "");
    check(&route(""), &asked("", "d/1"), "c/1");
    let many: Vec<String> = (0..MOST_TARGETS).map(|at| format!("m/{at}")).collect();
    check(&route(""), &asked(&many.join(" "), ""), "");
}

#[test]
fn a_duplicate_keeps_its_first_place() {
    check(
        "a/1",
        &failover("a/1 b/1 b/1", "", "b/1 a/1 d/1"),
        &asked("b/1 a/1 c/1 c/1", ""),
        "a/1 b/1 c/1 d/1",
    );
    check("a/1", &failover("A/1 a/1-x", "", ""), &Asked::default(), "a/1 A/1 a/1-x");
}

#[test]
fn what_either_ignores_is_left_out_the_assigned_model_too() {
    let all = |ignore: &str| failover("b/1 b/2", ignore, "d/1");
    let more = |ignore: &str| asked("c/1 a/2", ignore);
    check("a/1", &all("b"), &more(""), "a/1 c/1 a/2 d/1");
    check("a/1", &all(""), &more("b"), "a/1 c/1 a/2 d/1");
    check("a/1", &all("b/2"), &more("c d/1"), "a/1 b/1 a/2");
    check("a/1", &all("a"), &more(""), "b/1 b/2 c/1 d/1");
    check("a/1", &all(""), &more("a/1"), "b/1 b/2 c/1 a/2 d/1");
    check("a/1", &all("b d"), &more("a c"), "");
    check("a/1", &all("B b/ /1 1 b/1/x"), &more(""), "a/1 b/1 b/2 c/1 a/2 d/1");
    check("a/b/1", &failover("", "", ""), &asked("a/b", "a/b b b/1"), "a/b/1");
    check("listed", &failover("", "", ""), &asked("other", "listed"), "other");
}

#[test]
fn a_plan_has_an_end() {
    let names = |prefix: &str| (0..40).map(|n| format!("{prefix}/{n}")).collect::<Vec<_>>().join(" ");
    let targets = plan(&Rc::from("a/1"), &failover(&names("b"), "", &names("d")), &asked(&names("c"), ""));
    assert_eq!((targets.len(), &*targets[31]), (MOST_TARGETS, "b/30"));
    // What is ignored takes no place.
    let targets = plan(&Rc::from("a/1"), &failover(&names("b"), "b", &names("d")), &Asked::default());
    assert_eq!((targets.len(), &*targets[31]), (MOST_TARGETS, "d/30"));
}

fn names(most: usize) -> impl Strategy<Value = String> {
    let name = select(vec!["a/1", "a/2", "b/1", "b/2", "b/1/x", "c/1", "listed", "d/1", "d/2"]);
    prop::collection::vec(name, 0..most).prop_map(|names| names.join(" "))
}

fn ignored() -> impl Strategy<Value = String> {
    let entry = select(vec!["a", "a/1", "b", "b/1", "c", "listed", "none", "d/1"]);
    prop::collection::vec(entry, 0..4).prop_map(|entries| entries.join(" "))
}

proptest! {
    #[test]
    fn a_plan_is_the_first_of_each_that_is_not_ignored(
        model in select(vec!["a/1", "b/1/x", "listed"]),
        lists in (names(6), names(6), names(6)),
        ignore in (ignored(), ignored()),
    ) {
        let (models, more, others) = &lists;
        let failover = failover(models, &ignore.0, others);
        let asked = asked(more, &ignore.1);
        let targets = plan(&Rc::from(model), &failover, &asked);
        let is_ignored = |target: &str| {
            let entries = ignore.0.split_whitespace().chain(ignore.1.split_whitespace());
            let provider = target.split_once('/').map(|(provider, _)| provider);
            entries.into_iter().any(|entry| entry == target || Some(entry) == provider)
        };

        prop_assert_eq!(targets.iter().collect::<BTreeSet<_>>().len(), targets.len(), "none is there twice");
        prop_assert!(!targets.iter().any(|target| is_ignored(target)), "none is ignored: {:?}", targets);
        if !is_ignored(model) {
            prop_assert_eq!(targets.first().map(|first| &**first), Some(model), "the assigned model is first");
        }
        // Each one that may be there is, in the order of where it stands first.
        let all = format!("{model} {models} {more} {others}");
        let mut expected: Vec<&str> = Vec::new();
        for name in all.split_whitespace() {
            if !is_ignored(name) && !expected.contains(&name) {
                expected.push(name);
            }
        }
        prop_assert_eq!(targets.iter().map(|target| &**target).collect::<Vec<_>>(), expected);
    }
}
