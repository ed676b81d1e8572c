//! Plans: which targets are tried, and in which order.

use std::collections::BTreeSet;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::sample::select;
use turnout::exchange::figures::Figures;
use turnout::exchange::order::{Criterion, Metric, Preference};
use turnout::exchange::plan::{Asked, Failover, MOST_TARGETS, holders, plan, planned};

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

/// A preference: providers, then what to sort by (`-` before it: the largest first), separated by spaces.
fn preference(providers: &str, sort: &str) -> Preference {
    let criterion = |word: &str| {
        let metric = match word.trim_start_matches('-') {
            "price" => Metric::Price,
            "latency" => Metric::Latency,
            "throughput" => Metric::Throughput,
            other => Metric::Other(other.to_owned()),
        };
        Criterion { metric, descending: word.starts_with('-') }
    };
    Preference {
        providers: providers.split_whitespace().map(str::to_owned).collect(),
        sort: sort.split_whitespace().map(criterion).collect(),
    }
}

/// Figures by metric: price is in the name of the model (`a/1` costs 1, `a/x` is not known), latency its negative.
fn figures(metric: &Metric, target: &str) -> Option<f64> {
    let figure: f64 = target.split_once('/')?.1.parse().ok()?;
    match metric {
        Metric::Price => Some(figure),
        Metric::Latency => Some(-figure),
        Metric::Throughput | Metric::Other(_) => None,
    }
}

#[test]
fn what_is_preferred_is_tried_first_and_the_rest_keeps_its_order() {
    let check =
        |model: Option<&str>, variants: Preference, requests: Preference, expected: &str, notes: &[&str]| {
            let failover = Failover { preference: variants, ..failover("b/1 a/2 c/x", "", "d/0") };
            let asked = Asked { preference: requests, ..asked("b/9 e/5", "") };
            let plan = planned(model.map(Rc::from).as_ref(), &failover, &asked, &figures);
            assert_eq!(plan.targets.join(" "), expected);
            assert_eq!(plan.notes, notes);
        };
    let none = Preference::default;
    let model = Some("a/3");
    check(model, none(), none(), "a/3 b/1 a/2 c/x b/9 e/5 d/0", &[]);
    check(model, preference("b", ""), none(), "b/1 b/9 a/3 a/2 c/x e/5 d/0", &[]);
    check(model, preference("e B", ""), none(), "e/5 b/1 b/9 a/3 a/2 c/x d/0", &[]);
    check(model, preference("a/2", ""), none(), "a/2 a/3 b/1 c/x b/9 e/5 d/0", &[]);
    // What is not known comes last, whichever way.
    check(model, preference("", "price"), none(), "b/1 a/2 a/3 e/5 b/9 c/x d/0", &[]);
    check(model, preference("", "-price"), none(), "b/9 e/5 a/3 a/2 b/1 c/x d/0", &[]);
    check(model, preference("", "latency"), none(), "b/9 e/5 a/3 a/2 b/1 c/x d/0", &[]);
    // Providers first, each of them sorted.
    check(model, preference("b", "price"), none(), "b/1 b/9 a/2 a/3 e/5 c/x d/0", &[]);
    // The request's, each in place of the variant's.
    check(model, preference("b", "price"), preference("c", ""), "c/x b/1 a/2 a/3 e/5 b/9 d/0", &[]);
    check(model, preference("b", "price"), preference("", "-price"), "b/9 b/1 e/5 a/3 a/2 c/x d/0", &[]);
    // What nothing is known of.
    let unknown = "not sorted by throughput, of which nothing is known yet";
    check(model, preference("", "throughput"), none(), "a/3 b/1 a/2 c/x b/9 e/5 d/0", &[unknown]);
    check(model, preference("", "throughput price"), none(), "b/1 a/2 a/3 e/5 b/9 c/x d/0", &[unknown]);
    check(
        model,
        preference("", "wit"),
        none(),
        "a/3 b/1 a/2 c/x b/9 e/5 d/0",
        &["not sorted by wit, of which nothing is known yet"],
    );
}

#[test]
fn without_a_model_the_requests_are_all() {
    let asked = Asked { preference: preference("b", "-price"), ..asked("a/1 b/1 c/1 b/2", "c") };
    let plan = planned(None, &Failover::default(), &asked, &figures);
    assert_eq!(plan.targets.join(" "), "b/2 b/1 a/1");
    assert_eq!(planned(None, &Failover::default(), &Asked::default(), &figures).targets.len(), 0);
}

#[test]
fn one_model_is_not_sorted_and_nothing_is_noted() {
    let failover = Failover { preference: preference("", "wit"), ..failover("", "", "") };
    assert_eq!(
        planned(Some(&Rc::from("a/1")), &failover, &Asked::default(), &figures).notes,
        Vec::<String>::new()
    );
}

#[test]
fn figures_follow_what_is_measured() {
    let mut figures = Figures::default();
    assert_eq!(figures.measure(&Metric::Latency, "a/1"), None);
    figures.first_token("a/1", 100);
    assert_eq!(figures.measure(&Metric::Latency, "a/1"), Some(100.0));
    figures.first_token("a/1", 200);
    assert_eq!(figures.measure(&Metric::Latency, "a/1"), Some(120.0));
    assert_eq!(figures.measure(&Metric::Throughput, "a/1"), None);
    figures.stream("a/1", 50, 2_000);
    assert_eq!(figures.measure(&Metric::Throughput, "a/1"), Some(25.0));
    // What cannot be divided says nothing.
    figures.stream("a/1", 50, 0);
    figures.stream("a/1", 0, 10);
    assert_eq!(figures.measure(&Metric::Throughput, "a/1"), Some(25.0));
    assert_eq!(figures.measure(&Metric::Price, "a/1"), None);
    assert_eq!(figures.measure(&Metric::Latency, "a/2"), None);
    // They do not grow without end.
    for model in 0..1_024 {
        figures.first_token(&format!("b/{model}"), 1);
    }
    assert_eq!(figures.measure(&Metric::Latency, "a/1"), None);
    assert_eq!(figures.measure(&Metric::Latency, "b/1023"), Some(1.0));
}
