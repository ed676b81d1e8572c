//! Rules: what is read, what can match nothing, and whom a call goes to.

use serde_json::{Value, json};
use turnout::dialect::Dialect;
use turnout::gateway::{Asked, Gateway};
use turnout::plugin::Step;

use super::{check_fault, parse, shown};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";
const GEMINI: &str = "/v1beta/models/g:streamGenerateContent";

/// Downstreams of every make: `a` and `b` speak Chat Completions and both list `shared`, `claude` Messages, `both` the two.
fn downstreams() -> Value {
    let one = |id: &str, formats: Value, models: Value| {
        json!({"id": id, "base_url": format!("https://{id}.example"), "api_key": "sk-1",
               "api_formats": formats, "output_model_ids": models})
    };
    json!([
        one("a", json!(["openai"]), json!(["shared", "only-a"])),
        one("b", json!(["openai"]), json!(["shared"])),
        one("claude", json!(["anthropic"]), json!(["opus"])),
        one("both", json!(["openai", "anthropic"]), json!([])),
    ])
}

fn document(rules: &[Value]) -> Value {
    json!({"downstreams": downstreams(), "rules": rules})
}

/// A rule with these members; what it does not say is the least that is needed.
fn rule(members: Value) -> Value {
    let mut rule = json!({"id": "r", "pattern_path": "*", "match_downstreams": ["a"]});
    for (name, value) in members.as_object().unwrap() {
        rule[name] = value.clone();
    }
    rule
}

fn gateway(rules: &[Value]) -> Gateway {
    let document = document(rules);
    parse(&document).unwrap_or_else(|faults| panic!("{document}: {:?}", shown(&faults))).0
}

/// Whom a call goes to by rules that name its model, and else by those for every model.
fn targets(gateway: &Gateway, path: &str, model: &str) -> (Vec<String>, Vec<String>) {
    let dialect = turnout::endpoint::Endpoint::dialect_of(path);
    let asked = Asked { path, dialect, model };
    let names =
        |targets: Vec<turnout::gateway::Target<'_>>| targets.iter().map(ToString::to_string).collect();
    (names(gateway.claimed(&asked)), names(gateway.caught(&asked)))
}

#[test]
fn each_fault_of_a_rule_names_its_field_and_what_would_be_right() {
    for (members, expected) in [
        (json!({"id": null}), "rules[0].id: is missing"),
        (json!({"id": "a b"}), "rules[0].id: must be 1 to 96"),
        (json!({"id": "a:b"}), "rules[0].id: must be 1 to 96"),
        (json!({"name": 1}), "rules[0].name: must be a string"),
        (json!({"pattern_path": null}), "rules[0].pattern_path: is missing"),
        (json!({"pattern_path": 1}), "rules[0].pattern_path: must be a string"),
        (json!({"pattern_path": "/v1/embeddings"}), "rules[0].pattern_path: is the path of no model call"),
        (json!({"pattern_path": "/v1/models"}), "rules[0].pattern_path: is the path of no model call"),
        (json!({"pattern_path": "/v1/*"}), "rules[0].pattern_path: is the path of no model call"),
        (
            json!({"pattern_path": "/router/v1/routers"}),
            "rules[0].pattern_path: is the path of no model call",
        ),
        (json!({"pattern_model": 4.1}), "rules[0].pattern_model: must be a string, not a number"),
        (json!({"pattern_model": "a b"}), "rules[0].pattern_model: must be 1 to 256"),
        (json!({"pattern_model": "gpt-*"}), "rules[0].pattern_model: names models one by one"),
        (
            json!({"pattern_model": "turnout/x"}),
            "rules[0].pattern_model: names a router, which no rule takes",
        ),
        (json!({"pattern_models": "gpt"}), "rules[0].pattern_models: must be an array"),
        (json!({"pattern_models": ["x", ""]}), "rules[0].pattern_models[1]: must be 1 to 256"),
        (
            json!({"pattern_model": "x", "pattern_models": ["x"]}),
            "rules[0].pattern_models[0]: is listed twice",
        ),
        (
            json!({"match_format": ["opneai"]}),
            "rules[0].match_format[0]: is no format; did you mean `openai`?",
        ),
        (json!({"match_format": "openai"}), "rules[0].match_format: must be an array"),
        (
            json!({"pattern_path": MESSAGES, "match_format": ["openai"]}),
            "rules[0].match_format: excludes every call: what is asked at that path is `anthropic`",
        ),
        (
            json!({"pattern_path": "/v1beta/models/*", "match_format": ["openai", "anthropic"]}),
            "rules[0].match_format: excludes every call: what is asked at that path is `gemini`",
        ),
        (
            json!({"match_downstream_format": ["anthropic", "gemini"]}),
            "rules[0].match_downstream_format: excludes every downstream: a speaks none of these",
        ),
        (
            json!({"match_downstreams": ["c"]}),
            "rules[0].match_downstreams[0]: is no downstream; did you mean",
        ),
        (
            json!({"match_downstreams": ["a", "nowhere-near"]}),
            "rules[0].match_downstreams[1]: is no downstream; add it to `downstreams` first",
        ),
        (json!({"match_downstreams": ["a", "a"]}), "rules[0].match_downstreams[1]: is listed twice"),
        (json!({"is_enabled": "yes"}), "rules[0].is_enabled: must be true or false, not a string"),
        (json!({"is_enabld": true}), "rules[0].is_enabld: is no field here; did you mean `is_enabled`?"),
        (json!({"pipeline_config": {}}), "rules[0].pipeline_config: must be an array"),
        (json!({"pipeline_config": [{}]}), "rules[0].pipeline_config[0].plugin_id: is missing"),
        (
            json!({"pipeline_config": vec![json!({"plugin_id": "break_repeat"}); 33]}),
            "rules[0].pipeline_config: has 33 entries; 32 are the most",
        ),
        (
            json!({"pipeline_config": [{"plugin_id": "remove_thoughts"}]}),
            "rules[0].pipeline_config[0].plugin_id: is no plugin; the plugins are custom_header, break_repeat",
        ),
        (
            json!({"pipeline_config": [{"plugin_id": "remove-thinking"}]}),
            "rules[0].pipeline_config[0].plugin_id: is no plugin; did you mean `remove_thinking`?",
        ),
        (
            json!({"pipeline_config": [{"plugin_id": "break_repeat", "config": []}]}),
            "rules[0].pipeline_config[0].config: must be an object, not an array",
        ),
    ] {
        check_fault(&document(&[rule(members)]), expected);
    }
    check_fault(&document(&[rule(json!({})), rule(json!({}))]), "rules[1].id: is also the id of rules[0]");
    let many: Vec<String> = (0..257).map(|n| format!("m{n}")).collect();
    let too_long = rule(json!({"pattern_models": many}));
    check_fault(&document(&[too_long]), "rules[0].pattern_models: has 257 entries; 256 are the most");
    check_fault(&document(&vec![json!({}); 257]), "rules: has 257 entries; 256 are the most");
}

#[test]
fn faults_of_downstreams_and_rules_are_reported_at_once_and_one_is_no_reason_for_another() {
    let faults = parse(&json!({
        "downstreams": [{"id": "x", "base_url": "ftp://x.example", "api_key": "k"}],
        "rules": [rule(json!({"match_downstreams": ["x"], "match_downstream_format": ["gemini"]})),
                  rule(json!({"id": "", "pattern_path": "/x"}))],
    }))
    .unwrap_err();
    let paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        ["downstreams[0].base_url", "rules[1].id", "rules[1].pattern_path", "rules[1].match_downstreams[0]"]
    );
}

#[test]
fn a_custom_header_is_nobody_elses() {
    let with = |headers: Value| {
        document(&[rule(
            json!({"pipeline_config": [{"plugin_id": "custom_header", "config": {"headers": headers}}]}),
        )])
    };
    let path = "rules[0].pipeline_config[0].config.headers";
    for name in [
        "Authorization",
        "x-api-key",
        "api-key",
        "X-Goog-Api-Key",
        "proxy-authorization",
        "cookie",
        "host",
        "Content-Length",
        "content-type",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "accept-encoding",
        "cf-ray",
        "CF-Connecting-IP",
        "x-turnout-user",
    ] {
        check_fault(&with(json!({name: "v"})), &format!("{path}.{name}: is no header for a rule"));
    }
    for name in ["", "a b", "a:b", "ä", "a\r\nb"] {
        check_fault(&with(json!({name: "v"})), &format!("{path}.{name}: is no name of a header"));
    }
    for value in ["a\r\nx: y", "a\nb", "a\u{0}", "ä", " a", "a\t", "\u{7f}"] {
        check_fault(&with(json!({"x-tag": value})), &format!("{path}.x-tag: must be at most 4096 printable"));
    }
    check_fault(&with(json!({"x-tag": 1})), &format!("{path}.x-tag: must be a string, not a number"));
    check_fault(&with(json!({"x-tag": "1", "X-Tag": "2"})), &format!("{path}.X-Tag: is given twice"));
    check_fault(&with(json!([])), &format!("{path}: must be an object, not an array"));
    let none = document(&[rule(json!({"pipeline_config": [{"plugin_id": "custom_header"}]}))]);
    check_fault(&none, "rules[0].pipeline_config[0].config: is missing; write {\"headers\"");
    let (_, warnings) = parse(&with(json!({"x-tag": "1", "Helicone-Auth": "Bearer k"}))).unwrap();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[1].to_string().starts_with(&format!("{path}.Helicone-Auth: looks like a credential")));
    assert!(!warnings[1].message.contains("Bearer k"));
}

#[test]
fn a_rule_that_does_nothing_is_a_warning() {
    let translator = |from_to: &str| json!([{"plugin_id": from_to}]);
    for (rules, expected) in [
        (vec![rule(json!({"match_downstreams": []}))], "rules[0]: picks no downstream and has no steps"),
        (
            vec![rule(json!({"pattern_path": CHAT, "pipeline_config": translator("openai2anthropic")}))],
            "rules[0].pipeline_config[0]: does nothing: no call that the rule takes goes between `openai` and `anthropic`",
        ),
        (
            vec![rule(json!({"pattern_path": CHAT, "match_downstreams": ["claude"],
                             "pipeline_config": translator("gemini2anthropic")}))],
            "rules[0].pipeline_config[0]: does nothing",
        ),
        (
            vec![
                rule(json!({"pattern_model": "m"})),
                rule(json!({"id": "s", "pattern_model": "m", "match_downstreams": ["b"]})),
            ],
            "rules[1]: comes after rule `r`, which picks the downstream of the same calls",
        ),
        (
            vec![rule(json!({"pipeline_config": [{"plugin_id": "break_repeat", "config": {"rounds": 3}}]}))],
            "rules[0].pipeline_config[0].config: is ignored",
        ),
    ] {
        let document = document(&rules);
        let (_, warnings) = parse(&document).unwrap();
        let warnings = shown(&warnings);
        let others = "downstreams: `shared` is listed by";
        let warnings: Vec<&String> = warnings.iter().filter(|warning| !warning.starts_with(others)).collect();
        assert!(
            warnings.len() == 1 && warnings[0].starts_with(expected),
            "{document}\n{expected}\n{warnings:?}"
        );
    }
    for sound in [
        json!({"pattern_path": CHAT, "match_downstreams": ["claude"], "pipeline_config": translator("openai2anthropic")}),
        json!({"pattern_path": CHAT, "match_downstreams": ["claude"], "pipeline_config": translator("anthropic2openai")}),
        json!({"pattern_path": CHAT, "match_downstreams": ["both"], "pipeline_config": translator("openai2anthropic")}),
        json!({"match_downstreams": [], "pipeline_config": translator("gemini2responses")}),
        json!({"is_enabled": false, "match_downstreams": []}),
        json!({"match_downstreams": [], "pattern_model": "shared", "match_downstream_format": ["openai"]}),
    ] {
        let (_, warnings) = parse(&document(&[rule(sound.clone())])).unwrap();
        assert_eq!(warnings.len(), 1, "{sound}: {:?}", shown(&warnings));
    }
}

#[test]
fn the_most_specific_rule_picks_then_the_earlier_one() {
    let any = rule(json!({"id": "any", "match_downstreams": ["both"]}));
    let path = rule(json!({"id": "path", "pattern_path": CHAT, "match_downstreams": ["claude"]}));
    let model = rule(json!({"id": "model", "pattern_model": "m", "match_downstreams": ["b"]}));
    let exact =
        rule(json!({"id": "exact", "pattern_path": CHAT, "pattern_model": "m", "match_downstreams": ["a"]}));
    let later = rule(
        json!({"id": "later", "pattern_path": CHAT, "pattern_model": "m", "match_downstreams": ["b", "a"]}),
    );
    let gateway = gateway(&[any, path, model, later.clone(), exact.clone()]);
    let order: Vec<&str> = gateway.rules().iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(order, ["later", "exact", "model", "path", "any"]);
    let check = |path, model, claimed: &[&str], caught: &[&str]| {
        let (by_model, by_any) = targets(&gateway, path, model);
        assert_eq!(
            (by_model, by_any),
            (
                claimed.iter().map(ToString::to_string).collect(),
                caught.iter().map(ToString::to_string).collect()
            ),
            "{path} {model}"
        );
    };
    // Several downstreams are called in the rule's order; a name that one does not list is its only one, else as it is.
    check(CHAT, "m", &["b/shared", "a/m"], &["claude/opus"]);
    check(MESSAGES, "m", &["b/shared"], &["both/m"]);
    check(CHAT, "other", &[], &["claude/opus"]);
    check(RESPONSES, "other", &[], &["both/other"]);
}

#[test]
fn filters_are_or_within_a_list_and_and_across_lists_and_empty_means_any() {
    for (members, path, model, expected) in [
        (json!({"pattern_models": ["x", "y"]}), CHAT, "y", vec!["a/y"]),
        (json!({"pattern_models": ["x", "y"]}), CHAT, "z", vec![]),
        (json!({"pattern_model": "x", "pattern_models": ["y"]}), CHAT, "y", vec!["a/y"]),
        (json!({"pattern_model": "x", "match_format": ["anthropic", "openai"]}), CHAT, "x", vec!["a/x"]),
        (json!({"pattern_model": "x", "match_format": ["anthropic", "openai"]}), RESPONSES, "x", vec![]),
        (json!({"pattern_model": "x", "match_format": []}), RESPONSES, "x", vec!["a/x"]),
        (json!({"pattern_model": "x", "is_enabled": false}), CHAT, "x", vec![]),
        (json!({"pattern_model": "x", "pattern_path": "/v1beta/models/*"}), GEMINI, "x", vec!["a/x"]),
        (json!({"pattern_model": "x", "pattern_path": "/v1beta/models/*"}), CHAT, "x", vec![]),
        (json!({"pattern_model": "x", "pattern_path": "/v1/chat/completions/"}), CHAT, "x", vec!["a/x"]),
        (json!({"pattern_model": "x", "pattern_path": CHAT}), "/v1/chat/completions/", "x", vec!["a/x"]),
        // Who counts tokens goes where the answer would come from.
        (
            json!({"pattern_model": "x", "pattern_path": MESSAGES}),
            "/v1/messages/count_tokens",
            "x",
            vec!["a/x"],
        ),
        (
            json!({"pattern_model": "x", "match_downstreams": ["a", "claude", "both"], "match_downstream_format": ["anthropic"]}),
            CHAT,
            "x",
            vec!["claude/opus", "both/x"],
        ),
        // Without downstreams of its own, those that list the model, in the document's order.
        (
            json!({"pattern_model": "shared", "match_downstreams": []}),
            CHAT,
            "shared",
            vec!["a/shared", "b/shared"],
        ),
        (
            json!({"pattern_model": "shared", "match_downstreams": [], "match_downstream_format": ["anthropic"]}),
            CHAT,
            "shared",
            vec![],
        ),
        (json!({"pattern_model": "x", "match_downstreams": []}), CHAT, "x", vec![]),
        // A built-in is a downstream too; its own id before the slash is none of the model's.
        (
            json!({"pattern_model": "mistral/x", "match_downstreams": ["mistral", "a"]}),
            CHAT,
            "mistral/x",
            vec!["mistral/x", "a/mistral/x"],
        ),
    ] {
        let gateway = gateway(&[rule(members.clone())]);
        assert_eq!(targets(&gateway, path, model).0, expected, "{members} {path} {model}");
    }
}

#[test]
fn models_that_rules_name_are_listed_once() {
    let gateway = gateway(&[
        rule(json!({"id": "1", "pattern_models": ["x", "y"]})),
        rule(json!({"id": "2", "pattern_path": CHAT, "pattern_models": ["y", "z"]})),
        rule(json!({"id": "3", "pattern_model": "off", "is_enabled": false})),
        rule(
            json!({"id": "4", "pattern_model": "nobody", "match_downstreams": [], "pipeline_config": [{"plugin_id": "break_repeat"}]}),
        ),
    ]);
    assert_eq!(gateway.claimable(), ["y", "z", "x"]);
}

#[test]
fn the_pipelines_of_all_rules_that_are_met_are_one() {
    let header = |value: &str| json!([{"plugin_id": "custom_header", "config": {"headers": {"X-Tag": value, (format!("x-{value}")): "1"}}}]);
    let step = |plugin: &str| json!([{"plugin_id": plugin}]);
    let gateway = gateway(&[
        rule(json!({"id": "any", "match_downstreams": [], "pipeline_config": header("any")})),
        rule(
            json!({"id": "model", "pattern_model": "shared", "match_downstreams": [], "pipeline_config": step("remove_thinking")}),
        ),
        rule(
            json!({"id": "exact", "pattern_path": CHAT, "pattern_model": "mine", "match_downstreams": ["b"], "pipeline_config": header("exact")}),
        ),
        rule(
            json!({"id": "claude", "match_downstreams": ["claude"], "pipeline_config": step("break_repeat")}),
        ),
        rule(json!({"id": "also", "match_downstream_format": ["anthropic"], "match_downstreams": [],
                    "pipeline_config": [{"plugin_id": "break_repeat"}, {"plugin_id": "fix_anthropic_images"}]})),
    ]);
    let at = |path, model: &str, downstream: &str, there: &str| {
        let dialect = turnout::endpoint::Endpoint::dialect_of(path);
        let target =
            turnout::gateway::Target { downstream: gateway.downstream(downstream).unwrap(), model: there };
        let pipeline = gateway.pipeline(&Asked { path, dialect, model }, &target);
        let steps: Vec<Step> = pipeline.request_steps().into_iter().cloned().collect();
        (pipeline.headers(), steps, pipeline.has(&Step::RemoveThinking))
    };
    let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    // By the name that was asked for, and by the model's name there; of two headers of a name that of the more specific rule holds.
    assert_eq!(
        at(CHAT, "mine", "b", "shared"),
        (vec![tag("x-tag", "exact"), tag("x-exact", "1"), tag("x-any", "1")], vec![], true)
    );
    assert_eq!(
        at(MESSAGES, "mine", "b", "other"),
        (vec![tag("x-tag", "any"), tag("x-any", "1")], vec![], false)
    );
    // Each step once.
    assert_eq!(at(CHAT, "claude/opus", "claude", "opus").1, [Step::BreakRepeat, Step::FixAnthropicImages]);
    let none = Gateway::default();
    let target = none.target("openai/gpt-5").unwrap();
    assert!(
        none.pipeline(&Asked { path: CHAT, dialect: Dialect::OpenAi, model: "openai/gpt-5" }, &target)
            .is_empty()
    );
}

#[test]
fn a_translator_is_dropped_where_translation_comes_by_itself() {
    let spoken = |caller: Dialect, downstream: &str, plugins: &[&str]| {
        let steps: Vec<Value> = plugins.iter().map(|plugin| json!({"plugin_id": plugin})).collect();
        let gateway = gateway(&[rule(json!({"match_downstreams": [], "pipeline_config": steps}))]);
        let target =
            turnout::gateway::Target { downstream: gateway.downstream(downstream).unwrap(), model: "m" };
        let pipeline = gateway.pipeline(&Asked { path: CHAT, dialect: caller, model: "m" }, &target);
        pipeline.dialect(caller, target.downstream)
    };
    use Dialect::{Anthropic, Gemini, OpenAi};
    for (caller, downstream, plugins, expected) in [
        (OpenAi, "claude", &[][..], Anthropic),
        (OpenAi, "claude", &["openai2anthropic"], Anthropic),
        (OpenAi, "claude", &["anthropic2openai"], Anthropic),
        (OpenAi, "claude", &["openai2anthropic", "anthropic2openai"], Anthropic),
        (OpenAi, "claude", &["openai2gemini"], Anthropic),
        (OpenAi, "a", &["openai2anthropic"], OpenAi),
        (OpenAi, "both", &[], OpenAi),
        (OpenAi, "both", &["openai2anthropic"], Anthropic),
        // The way back alone does not turn a call that needs no translation.
        (OpenAi, "both", &["anthropic2openai"], OpenAi),
        (Anthropic, "both", &["anthropic2openai"], OpenAi),
        (Gemini, "both", &["gemini2anthropic"], Anthropic),
    ] {
        assert_eq!(spoken(caller, downstream, plugins), expected, "{caller:?} {downstream} {plugins:?}");
    }
}

#[test]
fn the_documented_example_works_whole_and_verbatim() {
    let (gateway, warnings) =
        Gateway::parse(include_bytes!("../../fixtures/gateway/documented.yaml")).unwrap();
    let listed_twice = "downstreams: `gpt-4o` is listed by `openai` as well, which serves it by that name; \
                        here it is `azure-openai/gpt-4o`";
    assert_eq!(shown(&warnings), [listed_twice]);
    for (model, expected, dialect) in [
        ("gpt-4o", "openai/gpt-4o", Dialect::OpenAi),
        ("claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-20250514", Dialect::Anthropic),
        ("azure-gpt4o", "azure-openai/gpt-4o", Dialect::OpenAi),
    ] {
        let asked = Asked { path: CHAT, dialect: Dialect::OpenAi, model };
        let targets = gateway.claimed(&asked);
        assert_eq!(targets.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
        let pipeline = gateway.pipeline(&asked, &targets[0]);
        assert_eq!(pipeline.dialect(Dialect::OpenAi, targets[0].downstream), dialect);
    }
    assert_eq!(gateway.claimable(), ["gpt-4o", "claude-sonnet-4-20250514", "azure-gpt4o"]);
}
