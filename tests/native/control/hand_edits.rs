//! What somebody changed in KV by hand is adopted; what KV shows of the past is not.

use serde_json::json;

use super::world::{Fate, START, World, body, named, request, router};
use turnout::control::machine::Step;

const MINUTE: u64 = 60_000;

/// A router that the API has made and changed: revision 1 has 10 %, revision 2 has 20 %, long ago.
fn world() -> World {
    let mut world = World::default();
    world.ask(request("POST", "/routers", &named("x", 10))).expect("made");
    world.tick(2 * MINUTE);
    world.ask(request("PATCH", "/routers/x", &router(20))).expect("changed");
    world.settle();
    world.tick(10 * MINUTE);
    world
}

fn revision(world: &mut World) -> Option<u64> {
    world.ask(request("GET", "/routers/x", "")).ok().and_then(|reply| body(&reply)["revision"].as_u64())
}

fn summary(world: &mut World) -> (String, String) {
    let history = body(&world.ask(request("GET", "/routers/x/history", "")).expect("a history"));
    let newest = &history["revisions"][0];
    (newest["summary"].as_str().unwrap().to_owned(), newest["origin"].as_str().unwrap().to_owned())
}

#[test]
fn a_value_without_our_metadata_becomes_the_next_revision() {
    let mut world = world();
    world.hand_edit("router:x", &named("x", 30));
    assert_eq!(revision(&mut world), Some(3));
    assert_eq!(summary(&mut world), ("edited in KV".to_owned(), "kv".to_owned()));
    assert_eq!(revision(&mut world), Some(3), "and is adopted once");
    let writes = world.writes.len();
    world.settle();
    assert_eq!(
        world.writes.len(),
        writes,
        "nothing is written for it: a write could fall on a newer hand edit"
    );
}

#[test]
fn documents_that_control_has_never_seen_are_found_by_every_operation() {
    for (method, target, sent) in [
        ("GET", "/routers/x", String::new()),
        ("GET", "/routers", String::new()),
        ("GET", "/routers/x/history", String::new()),
        ("GET", "/routers/x/history/1", String::new()),
        ("PATCH", "/routers/x", router(40)),
        ("DELETE", "/routers/x", String::new()),
        ("POST", "/routers/x:rollback", r#"{"revision":1}"#.to_owned()),
    ] {
        let mut world = World::default();
        world.hand_edit("router:x", &named("x", 30));
        world.ask(request(method, target, &sent)).unwrap_or_else(|error| panic!("{target}: {error:?}"));
        assert_eq!(world.store.all("router:x")[0].bytes, Some(named("x", 30).into_bytes()), "{target}");
        assert_eq!(world.store.all("router:x")[0].entry.summary, "found in KV", "{target}");
    }
    let mut world = World::default();
    world.hand_edit("router:x", &named("x", 30));
    let error = world.ask(request("POST", "/routers", &named("x", 50))).expect_err("it is there");
    assert_eq!(error.kind.code(), "already_exists");
}

/// Puts a value into KV by hand, with or without metadata, and reads it after a while: what the newest revision is then.
#[track_caller]
fn check(rule: &str, value: Option<String>, metadata: Option<u64>, after: u64, want: Option<u64>) {
    let mut world = world();
    let metadata = metadata.map(|revision| json!({"revision": revision}).to_string());
    world.tick(after);
    world.kv.set(world.now, "router:x", value.map(|value| (value.into_bytes(), metadata)));
    assert_eq!(revision(&mut world), want, "{rule}");
}

#[test]
fn digest_and_metadata_tell_a_hand_edit_from_a_stale_read() {
    let now = 0;
    check("the head is the head", Some(named("x", 20)), Some(2), now, Some(2));
    check("an older write of ours is stale", Some(named("x", 10)), Some(1), now, Some(2));
    check("our own bytes put back by hand are a hand edit", Some(named("x", 10)), None, now, Some(3));
    check("the head's bytes put there by hand change nothing", Some(named("x", 20)), None, now, Some(2));
    check("other bytes under our old metadata are a hand edit", Some(named("x", 30)), Some(2), now, Some(3));
    check(
        "a number beyond ours was given by a control that is lost",
        Some(named("x", 30)),
        Some(9),
        now,
        Some(9),
    );
    check("a number without end is not ours", Some(named("x", 30)), Some(u64::MAX), now, Some(3));
    check("a key that was deleted by hand is a deletion", None, None, now, None);
}

#[test]
fn an_adopted_number_is_never_used_again() {
    let mut world = World::default();
    let metadata = json!({"revision": 7}).to_string();
    world.kv.set(START, "router:x", Some((named("x", 30).into_bytes(), Some(metadata))));
    assert_eq!(revision(&mut world), Some(7));
    let reply = world.ask(request("PATCH", "/routers/x", &router(40))).expect("changed");
    assert_eq!(reply.revision, Some(8));
}

#[test]
fn a_hand_edit_that_was_superseded_is_stale_for_minutes_and_a_hand_edit_after() {
    for (after, want) in [(MINUTE, 4), (4 * MINUTE, 4), (6 * MINUTE, 5)] {
        let mut world = world();
        world.hand_edit("router:x", &named("x", 30));
        assert_eq!(revision(&mut world), Some(3));
        world.hand_edit("router:x", &named("x", 40));
        assert_eq!(revision(&mut world), Some(4));
        world.tick(after);
        world.hand_edit("router:x", &named("x", 30));
        assert_eq!(revision(&mut world), Some(want), "after {after} ms");
    }
}

#[test]
fn an_absence_just_after_a_write_is_stale() {
    let mut world = World::default();
    world.ask(request("POST", "/routers", &named("x", 10))).expect("made");
    world.tick(MINUTE);
    let stale =
        |step: &Step| if matches!(step, Step::Read(_)) { Fate::Stale(2 * MINUTE) } else { Fate::Done };
    let reply = world.ask_with(request("GET", "/routers/x", ""), stale).expect("still there");
    assert_eq!(reply.revision, Some(1));
}

#[test]
fn a_hand_edit_that_does_not_validate_is_kept_and_shown_and_the_last_good_one_stays() {
    let mut world = world();
    world.hand_edit("router:x", "{ \"default_route\": ");
    let router = body(&world.ask(request("GET", "/routers/x", "")).expect("a router"));
    assert_eq!(router["revision"], 2, "{router}");
    assert_eq!(router["fault"]["revision"], 3, "{router}");
    assert!(router["fault"]["faults"][0]["message"].as_str().unwrap().contains("not JSON"), "{router}");
    assert_eq!(router["defaultRoute"]["variants"][0]["weight"], 20, "{router}");
    assert!(router["etag"].as_str().unwrap().starts_with("3-"), "{router}");
    let listed = body(&world.ask(request("GET", "/routers", "")).expect("a list"));
    assert_eq!(listed["routers"][0]["fault"]["revision"], 3, "{listed}");
    // An edit is made of the last good one.
    let changed =
        body(&world.ask(request("PATCH", "/routers/x", r#"{"description":"mended"}"#)).expect("changed"));
    assert_eq!(changed["revision"], 4);
    assert_eq!(changed["fault"], json!(null));
    assert_eq!(changed["defaultRoute"]["variants"][0]["weight"], 20, "{changed}");
    assert!(
        world
            .store
            .all("router:x")
            .iter()
            .any(|revision| revision.bytes.as_deref() == Some(b"{ \"default_route\": "))
    );
}

#[test]
fn a_router_that_never_validated_is_shown_with_its_fault_and_can_be_mended() {
    let mut world = World::default();
    world.hand_edit("router:x", "no JSON");
    let router = body(&world.ask(request("GET", "/routers/x", "")).expect("a router"));
    assert_eq!(router["name"], "routers/x");
    assert_eq!(router["revision"], json!(null));
    assert_eq!(router["fault"]["revision"], 1);
    let mended = world.ask(request("PATCH", "/routers/x", &self::router(50))).expect("mended");
    assert_eq!(mended.revision, Some(2));
    let error =
        world.ask(request("POST", "/routers/x:rollback", r#"{"revision":1}"#)).expect_err("no document");
    assert_eq!(error.kind.code(), "invalid_document");
}

#[test]
fn a_hand_edit_that_came_between_is_adopted_and_not_written_over() {
    let mut world = world();
    let fails = |step: &Step| if matches!(step, Step::Read(_)) { Fate::Done } else { Fate::Fails };
    let reply =
        world.ask_with(request("PATCH", "/routers/x", &router(50)), fails).expect("the change stands");
    assert_eq!(body(&reply)["kv"], "pending");
    world.hand_edit("router:x", &named("x", 60));
    world.settle();
    assert_eq!(world.kv.get("router:x").expect("a value").0, named("x", 60).into_bytes());
    assert_eq!(revision(&mut world), Some(4));
    assert_eq!(world.store.all("router:x").len(), 4, "and the change is in the history");
}

#[test]
fn a_router_deleted_by_hand_loses_its_last_good_copy_and_can_be_rolled_back() {
    let mut world = world();
    world.hand_delete("router:x");
    assert_eq!(revision(&mut world), None);
    assert_eq!(summary(&mut world), ("deleted in KV".to_owned(), "kv".to_owned()));
    world.settle();
    assert_eq!(world.kv.get("good:x"), None);
    let reply = world.ask(request("POST", "/routers/x:rollback", r#"{"revision":1}"#)).expect("back");
    assert_eq!(reply.revision, Some(4));
    assert_eq!(world.kv.get("router:x").expect("a value").0, named("x", 10).into_bytes());
}

/// The last good copy is of this revision, under its number.
#[track_caller]
fn good_is(world: &World, number: u64, rule: &str) {
    let revisions = world.store.all("router:x");
    let revision = revisions.iter().find(|revision| revision.entry.number == number).expect("a revision");
    let (bytes, metadata) = world.kv.get("good:x").expect("a last good copy");
    assert_eq!(Some(bytes), revision.bytes.as_ref(), "{rule}");
    let number = format!("\"revision\":{number},");
    assert!(metadata.as_ref().is_some_and(|text| text.contains(&number)), "{rule}: {metadata:?}");
}

#[test]
fn a_change_that_an_invalid_hand_edit_came_before_is_served_as_the_last_good_one() {
    const INVALID: &str = "{ \"default_route\": ";
    // Who adopts the edit: the sweep, a reader; and whether another invalid one follows.
    for (rule, is_read, is_edited_twice) in
        [("sweep", false, false), ("read", true, false), ("read and edited again", true, true)]
    {
        let mut world = world();
        let fails = |step: &Step| if matches!(step, Step::Read(_)) { Fate::Done } else { Fate::Fails };
        world.ask_with(request("PATCH", "/routers/x", &router(50)), fails).expect("the change stands");
        world.hand_edit("router:x", INVALID);
        if is_read {
            assert_eq!(revision(&mut world), Some(3), "{rule}");
        }
        if is_edited_twice {
            world.hand_edit("router:x", "no JSON");
        }
        world.settle();
        good_is(&world, 3, rule);
        let held = if is_edited_twice { "no JSON" } else { INVALID };
        assert_eq!(world.kv.get("router:x").expect("a value").0, held.as_bytes(), "{rule}");
        assert_eq!(revision(&mut world), Some(3), "and that is what is shown as served: {rule}");
    }
}

#[test]
fn of_a_deletion_that_an_invalid_hand_edit_came_before_no_last_good_copy_is_left() {
    let mut world = world();
    let fails = |step: &Step| if matches!(step, Step::Read(_)) { Fate::Done } else { Fate::Fails };
    world.ask_with(request("DELETE", "/routers/x", ""), fails).expect("the deletion stands");
    world.hand_edit("router:x", "no JSON");
    world.settle();
    assert_eq!(world.kv.get("good:x"), None);
    assert_eq!(revision(&mut world), None);
}

#[test]
fn a_late_write_over_an_invalid_hand_edit_ends_with_the_last_good_copy() {
    let mut world = world();
    let late = |step: &Step| match step {
        Step::Read(_) => Fate::Done,
        _ => Fate::LandsLate(MINUTE),
    };
    world.ask_with(request("PATCH", "/routers/x", &router(50)), late).expect("the change stands");
    world.hand_edit("router:x", "no JSON");
    assert_eq!(revision(&mut world), Some(3));
    world.tick(2 * MINUTE);
    world.settle();
    good_is(&world, 3, "what lies there is older than the head, and is not written over");
}

#[test]
fn a_last_good_copy_that_an_isolate_wrote_late_is_written_over() {
    let mut world = world();
    world.ask(request("PATCH", "/routers/x", &router(50))).expect("changed");
    world.hand_edit("good:x", &named("x", 5));
    world.settle();
    good_is(&world, 3, "after a change");
    world.ask(request("DELETE", "/routers/x", "")).expect("deleted");
    world.hand_edit("good:x", &named("x", 5));
    world.settle();
    assert_eq!(world.kv.get("good:x"), None, "after a deletion");
}
