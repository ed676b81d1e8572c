//! What each request comes to, KV being well: a table of scripts.

use serde_json::{Value, json};

use super::world::{World, body, named, request, router};
use turnout::control::Who;

/// What a request must come to.
enum Want {
    /// An answer that has these values at these pointers; null for none.
    Has(Vec<(&'static str, Value)>),
    /// A refusal of this code.
    Refused(&'static str),
}

use Want::{Has, Refused};

/// Plays a script: method and target, body, and what it must come to.
#[track_caller]
fn check(rule: &str, script: Vec<(&str, String, Want)>) {
    let mut world = World::default();
    for (line, sent, want) in script {
        step(&mut world, rule, None, line, &sent, want);
    }
}

#[track_caller]
fn step(world: &mut World, rule: &str, who: Option<Who>, line: &str, sent: &str, want: Want) {
    let (method, target) = line.split_once(' ').expect("a method and a target");
    let mut request = request(method, target, sent);
    request.envelope.who = who.unwrap_or(request.envelope.who);
    world.tick(10);
    match (world.ask(request), want) {
        (Ok(reply), Has(fields)) => {
            let body = body(&reply);
            for (pointer, value) in fields {
                let found = body.pointer(pointer).cloned().unwrap_or(Value::Null);
                assert_eq!(found, value, "{rule}: {line}: {pointer} in {body}");
            }
        }
        (Err(error), Refused(code)) => assert_eq!(error.kind.code(), code, "{rule}: {line}: {error:?}"),
        (Ok(reply), Refused(code)) => panic!("{rule}: {line}: {code} was due, not {}", body(&reply)),
        (Err(error), Has(_)) => panic!("{rule}: {line}: {error:?}"),
    }
}

fn none() -> String {
    String::new()
}

fn ok() -> Want {
    Has(Vec::new())
}

#[test]
fn a_router_is_named_by_itself_or_its_display_name() {
    let made = |name: &str| {
        Has(vec![("/done", json!(true)), ("/response/name", json!(name)), ("/error", json!(null))])
    };
    for (sent, want) in [
        (named("x", 50), made("routers/x")),
        (named("routers/x", 50), made("routers/x")),
        (router(50).replacen('{', r#"{"displayName":"User-Aware","#, 1), made("routers/user-aware")),
        (router(50).replacen('{', r#"{"display_name":" Two  words! ","#, 1), made("routers/two-words")),
        (router(50).replacen('{', r#"{"name":null,"display_name":"X","#, 1), made("routers/x")),
        (router(50), Refused("invalid_request")),
        (router(50).replacen('{', r#"{"display_name":"—","#, 1), Refused("invalid_request")),
        (named("No", 50), Refused("invalid_request")),
        (named("", 50), Refused("invalid_request")),
    ] {
        check("names", vec![("POST /routers", sent, want)]);
    }
}

#[test]
fn a_name_is_taken_until_it_is_deleted_and_numbers_go_on() {
    check(
        "a name is taken",
        vec![
            ("POST /routers", named("x", 50), Has(vec![("/response/revision", json!(1))])),
            ("POST /routers", named("x", 60), Refused("already_exists")),
            ("DELETE /routers/x", none(), Has(vec![("", json!({}))])),
            ("DELETE /routers/x", none(), Refused("no_such_resource")),
            ("GET /routers/x", none(), Refused("no_such_resource")),
            ("POST /routers", named("x", 60), Has(vec![("/response/revision", json!(3))])),
            ("DELETE /routers/x", none(), ok()),
            (
                "GET /routers/x/history",
                none(),
                Has(vec![
                    ("/revisions/0/revision", json!(4)),
                    ("/revisions/0/deleted", json!(true)),
                    ("/revisions/0/summary", json!("deleted")),
                    ("/revisions/0/author/id", json!("admin")),
                    ("/revisions/3/revision", json!(1)),
                    ("/revisions/4", json!(null)),
                ]),
            ),
            (
                "POST /routers/x:rollback",
                r#"{"revision":1}"#.to_owned(),
                Has(vec![("/revision", json!(5)), ("/defaultRoute/variants/0/weight", json!(50))]),
            ),
        ],
    );
}

#[test]
fn a_page_of_large_routers_ends_before_it_is_full() {
    let mut world = World::default();
    let long = format!(r#"{{"description":"{}","#, "x".repeat(900_000));
    for n in 0..6 {
        let sent = named(&format!("r{n}"), 50).replacen('{', &long, 1);
        world.ask(request("POST", "/routers", &sent)).expect("made");
    }
    let (mut pages, mut names, mut query) = (0, Vec::new(), String::new());
    loop {
        let target = format!("/routers?page_size=100{query}");
        let page = body(&world.ask(request("GET", &target, "")).expect("a page"));
        let routers = page["routers"].as_array().expect("routers");
        assert!(routers.len() <= 5, "a page has some 4 MiB, and not all that there is");
        names.extend(routers.iter().map(|router| router["name"].as_str().unwrap_or_default().to_owned()));
        pages += 1;
        let Some(token) = page["next_page_token"].as_str() else { break };
        query = format!("&page_token={token}");
    }
    let all: Vec<String> = (0..6).map(|n| format!("routers/r{n}")).collect();
    assert_eq!((pages, names), (2, all));
}

#[test]
fn a_roll_back_goes_to_a_revision_that_has_a_document() {
    check(
        "roll back",
        vec![
            ("POST /routers/x:rollback", r#"{"revision":1}"#.to_owned(), Refused("no_such_resource")),
            ("POST /routers", named("x", 50), ok()),
            ("DELETE /routers/x", none(), ok()),
            ("POST /routers/x:rollback", r#"{"revision":2}"#.to_owned(), Refused("invalid_request")),
            ("POST /routers/x:rollback", r#"{"revision":9}"#.to_owned(), Refused("no_such_resource")),
            ("POST /routers/x:rollback", r#"{"revison":1}"#.to_owned(), Refused("invalid_request")),
            (
                "POST /routers/x:rollback",
                r#"{"revision":1,"etag":"1-00000000"}"#.to_owned(),
                Refused("etag_mismatch"),
            ),
            (
                "POST /routers/x:rollback",
                r#"{"revision":1,"etag":"2-deleted"}"#.to_owned(),
                Has(vec![("/revision", json!(3))]),
            ),
            (
                "GET /routers/x/history/1",
                none(),
                Has(vec![("/revision", json!(1)), ("/name", json!("routers/x"))]),
            ),
            ("GET /routers/x/history/2", none(), Refused("no_such_resource")),
            ("GET /routers/x/history/x", none(), Refused("no_such_resource")),
        ],
    );
}

#[test]
fn an_etag_that_is_not_the_newest_changes_nothing() {
    let mut world = World::default();
    let etag = |world: &mut World| {
        let reply = world.ask(request("GET", "/routers/x", "")).expect("a router");
        let tag = reply.etag.clone().expect("an etag");
        assert_eq!(
            Some(tag.trim_matches('"')),
            body(&reply)["etag"].as_str(),
            "header and body say the same"
        );
        tag
    };
    world.ask(request("POST", "/routers", &named("x", 50))).expect("made");
    let first = etag(&mut world);
    world.ask(request("PATCH", "/routers/x", &router(60))).expect("changed without an etag");
    let second = etag(&mut world);
    for (header, sent, target, want) in [
        (Some(first.as_str()), router(70), "/routers/x", "etag_mismatch"),
        (Some("\"1-\""), router(70), "/routers/x", "etag_mismatch"),
        (Some("a b"), router(70), "/routers/x", "invalid_request"),
        (Some("\"1-0\", \"2-0\""), router(70), "/routers/x", "invalid_request"),
        (None, router(70).replacen('{', &format!(r#"{{"etag":{first},"#), 1), "/routers/x", "etag_mismatch"),
        (None, router(70).replacen('{', r#"{"etag":7,"#, 1), "/routers/x", "invalid_request"),
        (
            Some(second.as_str()),
            router(70).replacen('{', &format!(r#"{{"etag":{first},"#), 1),
            "/routers/x",
            "invalid_request",
        ),
        (Some("*"), router(70), "/routers/y", "no_such_resource"),
        (
            Some(second.as_str()),
            router(70).replacen('{', &format!(r#"{{"etag":{second},"#), 1),
            "/routers/x",
            "",
        ),
        (Some("*"), router(80), "/routers/x", ""),
        (None, router(90).replacen('{', r#"{"etag":null,"#, 1), "/routers/x", ""),
    ] {
        let mut request = request("PATCH", target, &sent);
        request.envelope.if_match = header.map(str::to_owned);
        let code = world.ask(request).err().map_or("", |error| error.kind.code());
        assert_eq!(code, want, "if-match {header:?}, {sent}");
    }
    let mut delete = request("DELETE", "/routers/x", "");
    delete.envelope.if_match = Some(second);
    assert_eq!(world.ask(delete).expect_err("too old").kind.code(), "etag_mismatch");
}

#[test]
fn what_changes_nothing_makes_no_revision() {
    let mut world = World::default();
    world.ask(request("POST", "/routers", &named("x", 50))).expect("made");
    world.settle();
    let writes = world.writes.len();
    for (method, target, sent) in
        [("PATCH", "/routers/x", router(50)), ("POST", "/routers/x:rollback", r#"{"revision":1}"#.to_owned())]
    {
        let reply = world.ask(request(method, target, &sent)).expect("nothing to do");
        assert_eq!(reply.revision, Some(1), "{target}");
    }
    assert_eq!(world.writes.len(), writes);
}

#[test]
fn a_document_is_kept_as_its_author_wrote_it() {
    let written = "{ \"description\": \"one\",\n  \"name\": \"routers/x\", \"x-team\": 1e2,\n  \"default_route\": {\"variants\": \
                   [{\"variant\": {\"modelId\": \"demo/swift\"}, \"weight\": 100.0}]} }";
    let mut world = World::default();
    let reply = world.ask(request("POST", "/routers", written)).expect("made");
    let text = String::from_utf8(reply.body).expect("UTF-8");
    for part in ["\"description\":\"one\",\"x-team\":1e2,\"default_route\":{", "\"weight\": 100.0"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let stored = &world.kv.get("router:x").expect("stored").0;
    for part in ["\"x-team\": 1e2", "\"weight\": 100.0"] {
        assert!(
            String::from_utf8_lossy(stored).contains(part),
            "{part} in {}",
            String::from_utf8_lossy(stored)
        );
    }
}

#[test]
fn what_answers_add_is_not_stored() {
    let mut world = World::default();
    world.ask(request("POST", "/routers", &named("x", 50))).expect("made");
    let answered = world.ask(request("GET", "/routers/x", "")).expect("a router");
    let before = world.kv.get("router:x").cloned();
    let sent = String::from_utf8(answered.body).expect("UTF-8");
    let reply = world.ask(request("PATCH", "/routers/x", &sent)).expect("taken back");
    assert_eq!(world.kv.get("router:x").cloned(), before, "{}", body(&reply));
    let copy = sent.replace("routers/x", "routers/y").replace("createTime", "create_time");
    world.ask(request("POST", "/routers", &copy)).expect("a copy under another name");
    let stored = String::from_utf8_lossy(&world.kv.get("router:y").expect("stored").0).into_owned();
    for field in ["etag", "revision", "create_time", "update_time", "updated_by", "warnings", "\"kv\""] {
        assert!(!stored.contains(field), "{field} in {stored}");
    }
}

#[test]
fn all_faults_are_said_at_once_and_nothing_is_saved() {
    let mut world = World::default();
    let sent = r#"{"name":"x","default_route":{"variants":[{"variant":{"model_id":"nowhere"},"weight":40}]},"usage":"never"}"#;
    let error = world.ask(request("POST", "/routers", sent)).expect_err("invalid");
    assert_eq!(error.kind.code(), "invalid_document");
    let paths: Vec<&str> = error.faults.iter().map(|fault| fault.path.as_str()).collect();
    for path in ["default_route.variants[0].variant.model_id", "default_route.variants", "usage"] {
        assert!(paths.contains(&path), "{path} in {paths:?}");
    }
    assert!(world.store.all("router:x").is_empty() && world.writes.is_empty());
}

#[test]
fn bodies_are_json_objects() {
    for (content_type, sent, want) in [
        ("application/json", named("x", 50), ""),
        ("", named("x", 50), ""),
        ("application/merge-patch+json", named("x", 50), ""),
        ("application/json", format!("\u{feff}{}", named("x", 50)), ""),
        ("application/x-www-form-urlencoded", named("x", 50), "invalid_request"),
        ("application/yaml", named("x", 50), "invalid_request"),
        ("application/json", String::new(), "invalid_request"),
        ("application/json", "[]".to_owned(), "invalid_request"),
        ("application/json", "{".to_owned(), "invalid_request"),
        ("application/json", "\"sk-secret\"".to_owned(), "invalid_request"),
    ] {
        let mut world = World::default();
        let mut request = request("POST", "/routers", &sent);
        request.envelope.content_type = content_type.to_owned();
        let error = world.ask(request).err();
        assert_eq!(error.as_ref().map_or("", |error| error.kind.code()), want, "{content_type}: {sent}");
        assert!(error.is_none_or(|error| !error.message.contains("secret")));
    }
}

#[test]
fn lists_and_histories_come_in_pages() {
    let mut world = World::default();
    for name in ["a", "b", "c", "d", "e"] {
        world.ask(request("POST", "/routers", &named(name, 50))).expect("made");
        world.ask(request("PATCH", &format!("/routers/{name}"), &router(60))).expect("changed");
    }
    world.ask(request("DELETE", "/routers/c", "")).expect("deleted");
    let mut leaf = |target: &str, list: &str, of: &str| {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let page = body(
                &world.ask(request("GET", &format!("{target}?page_size=2{token}"), "")).expect("a page"),
            );
            let items = page[list].as_array().expect("a list");
            assert!(items.len() <= 2);
            found.extend(items.iter().map(|item| item[of].clone()));
            let Some(next) = page["next_page_token"].as_str() else { return found };
            token = format!("&page_token={next}");
        }
    };
    assert_eq!(leaf("/routers", "routers", "name"), ["routers/a", "routers/b", "routers/d", "routers/e"]);
    assert_eq!(leaf("/routers/c/history", "revisions", "revision"), [json!(3), json!(2), json!(1)]);
    for target in [
        "/routers?page_size=-1",
        "/routers?page_size=x",
        "/routers?page_token=x",
        "/routers/a/history?page_token=x",
    ] {
        let error = world.ask(request("GET", target, "")).expect_err("no page");
        assert_eq!(error.kind.code(), "invalid_request", "{target}");
    }
}

#[test]
fn a_key_limited_to_routers_sees_no_others() {
    let limited = || Some(Who { id: "k".to_owned(), routers: Some(vec!["x".to_owned()]), ..Who::default() });
    let mut world = World::default();
    for name in ["x", "y"] {
        world.ask(request("POST", "/routers", &named(name, 50))).expect("made");
    }
    for (line, sent, want) in [
        ("GET /routers/x", none(), ok()),
        ("GET /routers/y", none(), Refused("no_such_resource")),
        ("PATCH /routers/y", router(60), Refused("no_such_resource")),
        ("DELETE /routers/y", none(), Refused("no_such_resource")),
        ("GET /routers/y/history", none(), Refused("no_such_resource")),
        ("POST /routers/y:rollback", r#"{"revision":1}"#.to_owned(), Refused("no_such_resource")),
        ("POST /routers", named("z", 50), Refused("missing_scope")),
        (
            "GET /routers",
            none(),
            Has(vec![("/routers/0/name", json!("routers/x")), ("/routers/1", json!(null))]),
        ),
        ("PATCH /routers/x", router(60), Has(vec![("/updated_by/id", json!("k"))])),
    ] {
        step(&mut world, "limited", limited(), line, &sent, want);
    }
}

#[test]
fn a_router_that_keys_are_limited_to_is_deleted_by_force_only() {
    let record = |revoked: bool, routers: &str| {
        format!(r#"{{"id":"app","scopes":["call"],"routers":{routers},"revoked":{revoked}}}"#)
    };
    for (record, target, want) in [
        (record(false, r#"["x"]"#), "/routers/x", "conflict"),
        (record(false, r#"["x"]"#), "/routers/x?force=false", "conflict"),
        (record(false, r#"["x"]"#), "/routers/x?force=perhaps", "invalid_request"),
        (record(false, r#"["x"]"#), "/routers/x?force=true", ""),
        (record(true, r#"["x"]"#), "/routers/x", ""),
        (record(false, r#"["y"]"#), "/routers/x", ""),
        (record(false, "null"), "/routers/x", ""),
    ] {
        let mut world = World::default();
        world.ask(request("POST", "/routers", &named("x", 50))).expect("made");
        // Made by hand, as control has never seen it.
        world.hand_edit(&format!("key:{}", "0".repeat(64)), &record);
        let error = world.ask(request("DELETE", target, "")).err();
        assert_eq!(error.as_ref().map_or("", |error| error.kind.code()), want, "{record}: {target}");
        assert_eq!(world.kv.get("router:x").is_some(), !want.is_empty());
        assert_eq!(world.kv.get("good:x").is_some(), !want.is_empty());
    }
}

#[test]
fn kv_gets_the_document_its_last_good_copy_and_the_metadata() {
    let mut world = World::default();
    world.ask(request("POST", "/routers", &named("x", 50))).expect("made");
    let (bytes, metadata) = world.kv.get("router:x").cloned().expect("stored");
    assert_eq!(world.kv.get("good:x").cloned(), Some((bytes, metadata.clone())));
    let metadata: Value = serde_json::from_str(&metadata.expect("metadata")).expect("JSON");
    assert_eq!(metadata["revision"], 1);
    assert_eq!(metadata["author"], "admin");
    assert_eq!(metadata["time"], "2027-01-15T08:00:00Z");
    let router = body(&world.ask(request("GET", "/routers/x", "")).expect("a router"));
    assert_eq!(metadata["etag"], router["etag"]);
    assert_eq!(router["kv"], "written");
}

#[test]
fn metadata_fits_however_long_the_author_is() {
    for id in ["k".repeat(5000), "\u{1}".repeat(5000), "é".repeat(3000)] {
        let mut world = World::default();
        let mut request = request("POST", "/routers", &named("x", 50));
        request.envelope.who.id = id;
        // The world refuses what KV would.
        world.ask(request).expect("made");
    }
}

#[test]
fn a_router_whose_ramp_is_under_way_is_deleted_by_force_only_and_shows_it() {
    let ramp = r#"{"variant_id":"a","steps":[{"at":"2027-01-15T09:00:00Z","weight":60}]}"#;
    let mut world = World::default();
    world.ask(request("POST", "/routers", &named("x", 50))).expect("made");
    world.ask(request("POST", "/routers/x:ramp", ramp)).expect("a ramp");
    let shown = body(&world.ask(request("GET", "/routers/x", "")).expect("a router"));
    assert_eq!(shown["ramps"][0]["state"], "running", "{shown}");
    let error = world.ask(request("DELETE", "/routers/x", "")).expect_err("a ramp runs");
    assert_eq!(error.kind.code(), "conflict");
    world.ask(request("DELETE", "/routers/x?force=true", "")).expect("deleted");
}
