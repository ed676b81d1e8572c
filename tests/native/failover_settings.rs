//! Failover settings: the same object in a router's defaults, on a route and in a request; and how one goes over another.

use std::rc::Rc;

use turnout::call::Call;
use turnout::dialect::Dialect;
use turnout::endpoint::Ask;
use turnout::exchange::plan::Failover;
use turnout::exchange::policy::{Policy, Triggers};
use turnout::router::{Choice, Router, parse};
use turnout::shelf::summary;

/// The settings of a call, or every fault as `path: message`, in each place where settings may stand.
fn everywhere(settings: &str) -> Vec<(&'static str, Result<Policy, Vec<String>>)> {
    let router = |before: &str, within: &str| {
        let document = format!(
            r#"{{{before}"default_route": {{{within}"variants": [{{"variant": {{"model_id": "x/a"}}, "weight": 100}}]}}}}"#
        );
        parse("r", document.as_bytes())
            .map(|router| router.default.unwrap().variants[0].failover.policy.clone())
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let request = |body: String| {
        Call::parse(&Ask::of(Dialect::OpenAi), body.into_bytes())
            .map(|call| Policy::default().tuned(&call.asked().tuning))
            .map_err(|error| {
                let path = error.param.unwrap();
                let message = error.message.strip_prefix(&format!("`{path}` ")).unwrap().to_owned();
                vec![format!("{path}: {message}")]
            })
    };
    let member = format!(r#""failover": {settings}, "#);
    vec![
        ("defaults.failover", router(&format!(r#""defaults": {{"failover": {settings}}}, "#), "")),
        ("default_route.failover", router("", &member)),
        ("fallback", request(format!(r#"{{"model":"a","fallback":{settings}}}"#))),
        (
            "extra_body.fallback",
            request(format!(r#"{{"model":"a","extra_body":{{"fallback": {settings}}}}}"#)),
        ),
    ]
}

const FIELDS: [(&str, &str); 5] = [
    ("ttft_timeout", "ttftTimeout"),
    ("attempt_timeout", "attemptTimeout"),
    ("retry_on_empty", "retryOnEmpty"),
    ("across_variants", "acrossVariants"),
    ("deadline", "deadline"),
];

fn camel_case(text: &str) -> String {
    FIELDS.iter().fold(text.to_owned(), |text, (snake, camel)| text.replace(snake, camel))
}

/// What settings make of the defaults, in each place and in both spellings.
fn check(settings: &str, expected: impl FnOnce(&mut Policy)) {
    let mut policy = Policy::default();
    expected(&mut policy);
    for settings in [settings.to_owned(), camel_case(settings)] {
        for (place, read) in everywhere(&settings) {
            assert_eq!(read.as_ref(), Ok(&policy), "{settings} in {place}");
        }
    }
}

/// The only fault of settings: at this path below them, beginning so; in each place and in both spellings.
fn check_fault(settings: &str, path: &str, message: &str) {
    for (settings, path) in [(settings.to_owned(), path.to_owned()), (camel_case(settings), camel_case(path))]
    {
        for (place, read) in everywhere(&settings) {
            let faults = read.expect_err(&format!("{settings} in {place}"));
            let expected = format!("{place}{path}: {message}");
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].starts_with(&expected), "{settings}\n{}\n{expected}", faults[0]);
        }
    }
}

fn triggers(statuses: impl IntoIterator<Item = u16>) -> Triggers {
    let statuses = statuses.into_iter().collect();
    Triggers { statuses, connection: false, timeout: false, cut: false, credentials: false, model: false }
}

#[test]
fn what_is_left_out_is_the_default() {
    check("{}", |_| {});
    check("null", |_| {});
    check(
        r#"{"on": null, "ttft_timeout": null, "attempt_timeout": null, "deadline": null, "attempts": null, "retry_on_empty": null}"#,
        |_| {},
    );
    check(r#"{"colour": 1}"#, |_| {});
}

#[test]
fn durations_are_numbers_with_a_unit() {
    for (written, ms) in [
        ("300ms", 300),
        ("1.5s", 1_500),
        ("2m", 120_000),
        ("0.5m", 30_000),
        ("60m", 3_600_000),
        ("3600s", 3_600_000),
        ("0300ms", 300),
        ("300.4ms", 300),
        ("0.3s", 300),
        ("1.005s", 1_005),
    ] {
        check(&format!(r#"{{"ttft_timeout": "{written}"}}"#), |policy| policy.ttft_ms = Some(ms));
        check(&format!(r#"{{"attempt_timeout": "{written}"}}"#), |policy| policy.attempt_ms = Some(ms));
        check(&format!(r#"{{"deadline": "{written}"}}"#), |policy| policy.deadline_ms = ms);
    }
    check(r#"{"attempt_timeout": "1ms", "deadline": "1ms"}"#, |policy| {
        (policy.attempt_ms, policy.deadline_ms) = (Some(1), 1);
    });
    for written in [
        "", "s", "300", "1.5", "1.5 s", " 1s", "1s ", "1S", "1h", "1sec", "-1s", "+1s", "1e3ms", "1.s",
        ".5s", "1..5s", "1.5.5s", "1,5s", "infs", "NaNs", "s1", "1s1", "٣s", "1µs",
    ] {
        for field in ["ttft_timeout", "attempt_timeout", "deadline"] {
            let settings = format!(r#"{{"{field}": "{written}"}}"#);
            check_fault(
                &settings,
                &format!(".{field}"),
                "is no duration; write a number and its unit, as in \"300ms\"",
            );
        }
    }
}

#[test]
fn durations_have_limits() {
    let short = "must be at least \"300ms\"; in less time healthy models fail";
    for (settings, path, message) in [
        (r#"{"ttft_timeout": "299ms"}"#, ".ttft_timeout", short),
        (r#"{"ttft_timeout": "0s"}"#, ".ttft_timeout", short),
        (r#"{"attempt_timeout": "0ms"}"#, ".attempt_timeout", "must be longer than 0"),
        (r#"{"deadline": "0.0m"}"#, ".deadline", "must be longer than 0"),
        (r#"{"deadline": "0.0001s"}"#, ".deadline", "must be longer than 0"),
        (r#"{"deadline": "3600001ms"}"#, ".deadline", "is longer than an hour, which is the most"),
        (r#"{"ttft_timeout": "61m"}"#, ".ttft_timeout", "is longer than an hour"),
        (r#"{"deadline": 1.5}"#, ".deadline", "is a number without a unit; write a string such as \"1.5s\""),
        (r#"{"ttft_timeout": 300}"#, ".ttft_timeout", "is a number without a unit"),
        (
            r#"{"attempt_timeout": true}"#,
            ".attempt_timeout",
            "must be a duration such as \"1.5s\", not a boolean",
        ),
    ] {
        check_fault(settings, path, message);
    }
    let endless = format!(r#"{{"deadline": "{}s"}}"#, "9".repeat(400));
    check_fault(&endless, ".deadline", "is longer than an hour");
}

#[test]
fn on_replaces_the_list_of_failures() {
    check(r#"{"on": []}"#, |policy| policy.on = Rc::new(triggers([])));
    check(r#"{"on": [429, 503, 429, 400]}"#, |policy| policy.on = Rc::new(triggers([400, 429, 503])));
    check(r#"{"on": ["4xx", 404, 599]}"#, |policy| {
        policy.on = Rc::new(triggers((400..500).chain([599])));
    });
    check(r#"{"on": ["5xx", "connection", "cut"]}"#, |policy| {
        policy.on = Rc::new(Triggers { connection: true, cut: true, ..triggers(500..600) });
    });
    check(
        r#"{"on": [408, 409, 425, 429, "5xx", "connection", "timeout", "cut", "credentials", "model"]}"#,
        |_| {},
    );
    let no_failure = "is no failure; write a status from 400 to 599, \"4xx\", \"5xx\", \"connection\", \"timeout\", \"cut\", \"credentials\", \"model\"";
    for (item, message) in [
        ("399", "is no status from 400 to 599"),
        ("600", "is no status"),
        ("429.5", "is no status"),
        ("-1", "is no status"),
        (r#""429""#, "is a status in quotes; write the number alone"),
        (r#""timeuot""#, "is no failure; did you mean \"timeout\"?"),
        (r#""3xx""#, no_failure),
        (r#""rate limits""#, no_failure),
        ("null", "must be a status or a word, not null"),
        ("[429]", "must be a status or a word, not an array"),
    ] {
        check_fault(&format!(r#"{{"on": ["5xx", {item}]}}"#), ".on[1]", message);
    }
    check_fault(r#"{"on": 429}"#, ".on", "must be an array, not a number");
}

#[test]
fn attempts_and_switches() {
    for attempts in [1, 6, 20] {
        check(&format!(r#"{{"attempts": {attempts}}}"#), |policy| policy.attempts = attempts);
    }
    for wrong in ["0", "21", "-1", "1.5", r#""3""#, "true", "1e300"] {
        check_fault(
            &format!(r#"{{"attempts": {wrong}}}"#),
            ".attempts",
            "must be a whole number from 1 to 20",
        );
    }
    check(r#"{"retry_on_empty": true}"#, |policy| policy.retry_on_empty = true);
    check(r#"{"retry_on_empty": false}"#, |_| {});
    check_fault(r#"{"retry_on_empty": 1}"#, ".retry_on_empty", "must be true or false, not a number");
}

#[test]
fn slips_are_named() {
    check_fault(r#"{"ttft_timout": "1s"}"#, ".ttft_timout", "is no field here; did you mean `ttft_timeout`?");
    check_fault(r#"{"atempts": 1}"#, ".atempts", "is no field here; did you mean `attempts`?");
    check_fault(r#"{"attempts": 1, "attempts": 2}"#, ".attempts", "is given twice; keep one of them");
    check_fault(
        r#"{"deadline": "1s", "Deadline": "2s"}"#,
        ".Deadline",
        "is no field here; did you mean `deadline`?",
    );
    check_fault("[]", "", "must be an object, not an array");
    check_fault("\"1s\"", "", "must be an object, not a string");
    let both = r#"{"ttft_timeout": "1s", "ttftTimeout": "1s"}"#;
    for (place, read) in everywhere(both) {
        let fault = format!("{place}.ttftTimeout: is given twice, in both spellings; keep one of them");
        assert!(read.unwrap_err()[0].starts_with(&fault), "{place}");
    }
}

#[test]
fn no_fault_repeats_a_value() {
    for settings in [
        r#"{"deadline": "sk-secret"}"#,
        r#"{"on": ["sk-secret"]}"#,
        r#"{"attempts": "sk-secret"}"#,
        r#"{"retry_on_empty": "sk-secret"}"#,
        r#""sk-secret""#,
    ] {
        for (place, read) in everywhere(settings) {
            assert!(!read.unwrap_err().concat().contains("sk-secret"), "{settings} in {place}");
        }
    }
}

#[test]
fn a_document_has_all_its_faults_and_a_warning_for_what_is_not_known() {
    let document = r#"{"defaults": {"failover": {"attempts": 0, "deadline": 5, "weather": "fine"}},
        "default_route": {"failover": {"on": [1, 2]}, "variants": [{"variant": {"model_id": "x/a"}, "weight": 100}]}}"#;
    let faults = parse("r", document.as_bytes()).unwrap_err();
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "defaults.failover.deadline",
            "defaults.failover.attempts",
            "default_route.failover.on[0]",
            "default_route.failover.on[1]"
        ]
    );
    let router = router(r#"{"weather": "fine"}"#, "{}", "");
    assert_eq!(router.warnings[0].to_string(), "defaults.failover.weather: is no field here, and is ignored");
    assert_eq!(router.warnings.len(), 1);
}

/// A router of these defaults, with one conditional route `r` of three variants and a default route of two: settings of the
/// conditional one, and further fields of its first variant.
fn router(defaults: &str, route: &str, variant: &str) -> Router {
    let document = format!(
        r#"{{"defaults": {{"failover": {defaults}}},
        "routes": [{{"condition": {{"cel_expression": "true"}}, "route": {{"route_id": "r", "failover": {route}, "variants": [
            {{"variant": {{"variant_id": "b", "model_id": "x/b"{variant}}}, "weight": 30}},
            {{"variant": {{"variant_id": "off", "model_id": "x/off"}}, "weight": 0}},
            {{"variant": {{"variant_id": "a", "model_id": "x/a"}}, "weight": 30}},
            {{"variant": {{"variant_id": "c", "model_id": "x/c"}}, "weight": 40}}]}}}}],
        "default_route": {{"variants": [
            {{"variant": {{"variant_id": "d", "model_id": "x/d"}}, "weight": 50}},
            {{"variant": {{"variant_id": "e", "model_id": "x/e"}}, "weight": 50}}]}}}}"#
    );
    parse("r", document.as_bytes()).unwrap_or_else(|faults| panic!("{document}\n{}", summary(&faults)))
}

/// The failover of the first variant of the conditional route, and of the default route.
fn failovers(router: &Router) -> [Rc<Failover>; 2] {
    let Choice::Routes(routes) = &router.choice else { panic!("a rule") };
    [&routes[0].1, router.default.as_ref().unwrap()].map(|route| route.variants[0].failover.clone())
}

#[test]
fn a_request_goes_over_the_route_and_the_route_over_the_defaults() {
    let deadline = |defaults: &str, route: &str, request: &str| {
        let [failover, _] = failovers(&router(defaults, route, ""));
        let call = Call::parse(
            &Ask::of(Dialect::OpenAi),
            format!(r#"{{"model":"turnout/r","fallback":{request}}}"#).into_bytes(),
        )
        .unwrap();
        let policy = failover.policy.tuned(&call.asked().tuning);
        (policy.deadline_ms, policy.attempts)
    };
    let (one, two, three) = (r#"{"deadline": "1s"}"#, r#"{"deadline": "2s"}"#, r#"{"deadline": "3s"}"#);
    assert_eq!(deadline("null", "null", "null"), (600_000, 6));
    assert_eq!(deadline(one, "null", "null"), (1_000, 6));
    assert_eq!(deadline(one, two, "null"), (2_000, 6));
    assert_eq!(deadline(one, two, three), (3_000, 6));
    assert_eq!(deadline(one, "null", three), (3_000, 6));
    assert_eq!(deadline(one, r#"{"attempts": 2}"#, three), (3_000, 2), "each field by itself");
    let [_, other] = failovers(&router(one, two, ""));
    assert_eq!(other.policy.deadline_ms, 1_000, "a route's settings are its own");
}

#[test]
fn other_variants_stand_in_where_the_policy_says_so() {
    let others = |defaults: &str, route: &str| {
        failovers(&router(defaults, route, "")).map(|failover| {
            let others: Vec<&str> = failover.others.iter().map(|model| &**model).collect();
            (failover.policy.across_variants, others.join(" "))
        })
    };
    let (on, off) = (r#"{"across_variants": true}"#, r#"{"acrossVariants": false}"#);
    let (by_weight, by_id) = ((true, "x/c x/a x/b".to_owned()), (true, "x/d x/e".to_owned()));
    let none = (false, String::new());
    assert_eq!(others("{}", "{}"), [none.clone(), none.clone()]);
    assert_eq!(others(on, "{}"), [by_weight.clone(), by_id.clone()], "never what is switched off");
    assert_eq!(others(on, off), [none.clone(), by_id]);
    assert_eq!(others(off, on), [by_weight, none]);
}

#[test]
fn every_variant_may_hold_what_a_call_builds_upon() {
    for defaults in ["{}", r#"{"across_variants": true}"#] {
        let [failover, other] = failovers(&router(defaults, "{}", ""));
        let named = |models: &[Rc<str>]| models.join(" ");
        assert_eq!(named(&failover.holders), "x/c x/a x/b x/off", "what is switched off too");
        assert_eq!(named(&other.holders), "x/d x/e");
    }
}

#[test]
fn requests_do_not_name_other_variants() {
    for (body, path) in [
        (r#"{"model":"a","fallback":{"across_variants":true}}"#, "fallback.across_variants"),
        (
            r#"{"model":"a","extra_body":{"fallback":{"acrossVariants":false}}}"#,
            "extra_body.fallback.acrossVariants",
        ),
    ] {
        let error = Call::parse(&Ask::of(Dialect::OpenAi), body.as_bytes().to_vec()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(path));
        assert!(error.message.contains("is a setting of routers and not of requests"), "{}", error.message);
    }
}

#[test]
fn a_selection_is_its_variants_own() {
    for selection in [
        r#", "model_selection": {"models": ["y/a", "z/b/c"], "ignore": ["z", "x/c"]}"#,
        r#", "modelSelection": {"models": ["y/a", "z/b/c"], "ignore": ["z", "x/c"]}"#,
    ] {
        let router = router(r#"{"across_variants": true}"#, "{}", selection);
        let [failover, other] = failovers(&router);
        assert_eq!(failover.models, ["y/a", "z/b/c"].map(Rc::from));
        assert_eq!(failover.ignore, ["z", "x/c"].map(Rc::from));
        assert_eq!((failover.others.len(), failover.policy.across_variants), (3, true));
        assert_eq!((other.models.len(), other.ignore.len()), (0, 0));
        assert_eq!(router.warnings, []);
    }
}

#[test]
fn what_is_odd_in_a_selection_is_named() {
    let path = "routes[0].route.variants[0].variant.model_selection";
    let faults = |selection: &str, expected: &[&str]| {
        let document = format!(
            r#"{{"routes": [{{"condition": {{"cel_expression": "true"}}, "route": {{"variants": [
                {{"variant": {{"model_id": "x/a", "model_selection": {selection}}}, "weight": 100}}]}}}}]}}"#
        );
        let (found, kind) = match parse("r", document.as_bytes()) {
            Ok(router) => (router.warnings, "warning"),
            Err(faults) => (faults, "fault"),
        };
        let found: Vec<String> = found.iter().map(|fault| format!("{kind} {fault}")).collect();
        assert_eq!(found.len(), expected.len(), "{selection}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            let (kind, rest) = expected.split_once(' ').unwrap();
            assert!(found.starts_with(&format!("{kind} {path}{rest}")), "{found}\n{expected}");
        }
    };
    faults(r#"{"models": [], "ignore": []}"#, &[]);
    faults(r#"{"models": "y/a"}"#, &["fault .models: must be an array, not a string"]);
    faults(
        r#"{"models": ["y/a", "gpt-5", "turnout/x", 7]}"#,
        &[
            "fault .models[1]: 'gpt-5' names no provider; write \"provider/model\"",
            "fault .models[2]: 'turnout/x' is a router",
            "fault .models[3]: must be a string, not a number",
        ],
    );
    let many = format!(r#"{{"models": [{}]}}"#, vec![r#""y/a""#; 33].join(","));
    faults(&many, &["fault .models: has 33 entries; 32 are the most"]);
    let wrong = "must be a provider, such as \"openai\", or \"provider/model\"";
    faults(
        r#"{"ignore": ["", "a b", "openai", "openai/gpt-5"]}"#,
        &[&format!("fault .ignore[0]: {wrong}"), &format!("fault .ignore[1]: {wrong}")],
    );
    for own in ["x", "x/a"] {
        faults(
            &format!(r#"{{"ignore": ["{own}"]}}"#),
            &["warning .ignore: takes in the variant's own model"],
        );
    }
    faults(
        r#"{"sort": ["price"], "provider": {"order": []}, "model": 1}"#,
        &["fault .model: is no field here; did you mean `models`?"],
    );
    faults(
        r#"{"sort": ["price", "SORT_METRIC_LATENCY"], "provider": {"order": ["x", "y/a"], "only": ["x"]}}"#,
        &["warning .provider.only: is no field here, and is ignored"],
    );
    faults(r#"{"sort": ["intelligence"]}"#, &["warning .sort[0]: is no metric that is measured here"]);
    faults(
        r#"{"sort": 7, "provider": {"order": ["", "a b", 7]}}"#,
        &[
            "fault .provider.order[0]: must be a provider",
            "fault .provider.order[1]: must be a provider",
            "fault .provider.order[2]: must be a string, not a number",
            "fault .sort: must be an array of metrics, such as [\"price\", \"latency\"], not a number",
        ],
    );
    faults(
        r#"{"sort": [{"direction": "up"}, {"metric": "price", "direction": "up"}, {"metric": 7}, 7]}"#,
        &[
            "fault .sort[0].metric: is missing",
            "fault .sort[1].direction: is no direction; write \"ascending\" or \"descending\"",
            "fault .sort[2].metric: must be a string, not a number",
            "fault .sort[3]: must be an object, not a number",
        ],
    );
}

#[test]
fn failover_is_no_part_of_what_is_compared() {
    let epochs = |router: &Router| {
        let Choice::Routes(routes) = &router.choice else { panic!("a rule") };
        let route = &routes[0].1;
        (route.epoch, route.salt.clone(), route.variants[0].reference)
    };
    let plain = epochs(&router("{}", "{}", ""));
    let tuned = r#"{"across_variants": true, "attempts": 2, "on": []}"#;
    assert_eq!(plain, epochs(&router(tuned, "{}", "")));
    assert_eq!(plain, epochs(&router("{}", tuned, r#", "model_selection": {"models": ["y/a"]}"#)));
    let preferring = r#", "model_selection": {"sort": ["price"], "provider": {"order": ["y"]}}"#;
    assert_eq!(plain, epochs(&router("{}", "{}", preferring)));
}

#[test]
fn a_rule_has_the_routers_defaults() {
    let document = r#"{"rule": {"cel_expression": "'x/a'"}, "defaults": {"failover": {"attempts": 2}}}"#;
    let router = parse("r", document.as_bytes()).unwrap();
    let Choice::Rule(rule) = &router.choice else { panic!("routes") };
    assert_eq!(rule.failover.policy, Policy { attempts: 2, ..Policy::default() });
}

#[test]
fn thousands_of_variants_share_one_list() {
    // A list for each of them would take gigabytes.
    let variant = r#"{"variant": {"model_id": "x/N", "model_selection": {"ignore": ["y"]}}, "weight": 0.01}"#;
    let variants: Vec<String> = (0..10_000).map(|n| variant.replace('N', &n.to_string())).collect();
    let document = format!(
        r#"{{"default_route": {{"failover": {{"across_variants": true}}, "variants": [{}]}}}}"#,
        variants.join(",")
    );
    let variants = parse("r", document.as_bytes()).unwrap().default.unwrap().variants;
    let [first, last] = [&variants[0], &variants[9_999]].map(|variant| &variant.failover.others);
    assert!(Rc::ptr_eq(first, last) && first.len() == 10_000);
}

#[test]
fn the_readmes_example_is_as_it_says() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("\n## Failover\n").unwrap();
    let (document, _) = section.split_once("```json\n").unwrap().1.split_once("```").unwrap();
    let router = parse("r", document.as_bytes()).unwrap_or_else(|faults| panic!("{}", summary(&faults)));
    assert_eq!(router.warnings, []);
    let variants = router.default.unwrap().variants;
    let failover = &variants[0].failover;
    let expected = Policy {
        ttft_ms: Some(8_000),
        deadline_ms: 60_000,
        attempts: 4,
        across_variants: true,
        ..Policy::default()
    };
    assert_eq!(failover.policy, expected);
    assert_eq!((&*failover.models[0], failover.others.len()), ("azure/gpt-5", 2));
}
