//! Failure is a table: which step breaks, what the caller sees, and what KV holds in the end.

use super::world::{Fate, Flight, World, body, named, request, router};
use turnout::control::machine::{Step, Task};

/// The operations on KV of a change, in order.
const STEPS: [&str; 3] = ["read router:x", "write router:x", "write good:x"];

fn name_of(step: &Step) -> String {
    match step {
        Step::Read(key) => format!("read {key}"),
        Step::Write { key, .. } => format!("write {key}"),
        Step::Delete(key) => format!("delete {key}"),
        Step::List { prefix, .. } => format!("list {prefix}"),
        Step::Reply(_) | Step::Rest => "over".to_owned(),
    }
}

/// A router of revision 1, long ago.
fn world() -> World {
    let mut world = World::default();
    world.ask(request("POST", "/routers", &named("x", 10))).expect("made");
    world.settle();
    world.tick(600_000);
    world
}

#[track_caller]
fn settled(world: &mut World, weight: u32, number: u64, rule: &str) {
    world.settle();
    let newest = world.store.all("router:x").last().expect("a revision").clone();
    assert_eq!(newest.entry.number, number, "{rule}");
    let bytes = newest.bytes.expect("a document");
    assert!(String::from_utf8_lossy(&bytes).contains(&format!("\"weight\":{weight}")), "{rule}");
    for key in ["router:x", "good:x"] {
        let (value, metadata) = world.kv.get(key).expect("a value");
        assert_eq!(*value, bytes, "{rule}: {key}");
        assert!(
            metadata.as_ref().is_some_and(|text| text.contains(&format!("\"revision\":{number},"))),
            "{rule}"
        );
    }
}

#[test]
fn a_change_stands_whichever_operation_on_kv_fails() {
    for broken in STEPS {
        let mut world = world();
        let fate = |step: &Step| if name_of(step) == broken { Fate::Fails } else { Fate::Done };
        let reply = world.ask_with(request("PATCH", "/routers/x", &router(20)), fate).expect("it stands");
        assert_eq!(reply.revision, Some(2), "{broken}");
        assert_eq!(body(&reply)["kv"], "pending", "{broken}");
        let shown = body(&world.ask(request("GET", "/routers/x", "")).expect("a router"));
        assert_eq!((&shown["revision"], &shown["kv"]), (&2.into(), &"pending".into()), "{broken}");
        settled(&mut world, 20, 2, broken);
        let shown = body(&world.ask(request("GET", "/routers/x", "")).expect("a router"));
        assert_eq!(shown["kv"], "written", "{broken}");
    }
}

#[test]
fn what_control_has_never_seen_is_not_guessed_while_kv_fails() {
    for (method, target, sent) in [
        ("GET", "/routers/x", String::new()),
        ("POST", "/routers", named("x", 10)),
        ("PATCH", "/routers/x", router(10)),
    ] {
        let error =
            World::default().ask_with(request(method, target, &sent), |_| Fate::Fails).expect_err("unknown");
        assert_eq!(error.kind.code(), "control_unavailable", "{target}");
    }
    let list = World::default().ask_with(request("GET", "/routers", ""), |_| Fate::Fails).expect("a list");
    assert!(body(&list)["note"].is_string(), "what may be missing is said");
}

#[test]
fn a_death_between_any_two_steps_loses_nothing() {
    for dies_before in ["write router:x", "write good:x", "over"] {
        let mut world = world();
        let mut flight = world.begin(Task::request(request("PATCH", "/routers/x", &router(20))));
        while name_of(&flight.step) != dies_before {
            assert!(world.advance(&mut flight, Fate::Done).is_none(), "{dies_before} never comes");
        }
        drop(flight);
        world.restart();
        settled(&mut world, 20, 2, dies_before);
    }
    let mut world = world();
    drop(world.begin(Task::request(request("PATCH", "/routers/x", &router(20)))));
    world.restart();
    settled(&mut world, 10, 1, "before anything was committed nothing has happened");
}

#[test]
fn a_death_of_the_isolate_without_a_restart_is_made_up_for_too() {
    let mut world = world();
    let mut flight = world.begin(Task::request(request("PATCH", "/routers/x", &router(20))));
    world.advance(&mut flight, Fate::Done);
    assert!(flight.is_writing());
    drop(flight); // the caller left, and the runtime ended the request
    settled(&mut world, 20, 2, "after a minute the delivery is taken for lost");
}

#[test]
fn a_deletion_is_finished_too() {
    for broken in ["delete router:x", "delete good:x"] {
        let mut world = world();
        let fate = |step: &Step| if name_of(step) == broken { Fate::Fails } else { Fate::Done };
        world.ask_with(request("DELETE", "/routers/x", ""), fate).expect("deleted");
        world.settle();
        assert_eq!((world.kv.get("router:x"), world.kv.get("good:x")), (None, None), "{broken}");
    }
}

#[test]
fn changes_that_interleave_follow_one_another() {
    // Both have read KV before either writes; the second has no etag, so it is made of what the first has left.
    let mut world = world();
    let mut first = world.begin(Task::request(request("PATCH", "/routers/x", r#"{"description":"first"}"#)));
    let mut second = world.begin(Task::request(request("PATCH", "/routers/x", &router(20))));
    world.advance(&mut first, Fate::Done);
    world.advance(&mut second, Fate::Done);
    assert!(first.is_writing());
    assert!(!second.is_writing(), "one delivery of a document runs at a time: {:?}", second.step);
    finish(&mut world, first);
    let reply = finish(&mut world, second);
    assert_eq!((reply["revision"].as_u64(), &reply["description"]), (Some(3), &"first".into()));
    settled(&mut world, 20, 3, "and the delivery that ran wrote both");
}

#[test]
fn an_answer_is_of_the_change_that_was_asked_for() {
    // While the first is brought to KV, somebody else changes or deletes the router.
    for (method, sent) in [("PATCH", router(30)), ("DELETE", String::new())] {
        let mut world = world();
        let mut first = world.begin(Task::request(request("PATCH", "/routers/x", &router(20))));
        world.advance(&mut first, Fate::Done);
        assert!(first.is_writing());
        world.ask(request(method, "/routers/x", &sent)).expect("it stands");
        let reply = finish(&mut world, first);
        assert_eq!(reply["revision"].as_u64(), Some(2), "{method}: {reply}");
        let is_its_own = reply["etag"].as_str().is_some_and(|etag| etag.starts_with("2-"));
        assert!(is_its_own, "with the etag of a state that its caller has not seen: {method}: {reply}");
    }
}

#[test]
fn of_two_writers_with_the_same_etag_one_is_refused() {
    let mut world = world();
    let etag = world.ask(request("GET", "/routers/x", "")).expect("a router").etag;
    let begin = |world: &mut World, weight| {
        let mut request = request("PATCH", "/routers/x", &router(weight));
        request.envelope.if_match.clone_from(&etag);
        world.begin(Task::request(request))
    };
    let (mut first, mut second) = (begin(&mut world, 20), begin(&mut world, 30));
    world.advance(&mut second, Fate::Done);
    world.advance(&mut first, Fate::Done);
    let Step::Reply(Err(error)) = &first.step else { panic!("a refusal, not {:?}", first.step) };
    assert_eq!(error.kind.code(), "etag_mismatch");
    finish(&mut world, second);
    settled(&mut world, 30, 2, "the one that was committed first");
}

#[test]
fn an_older_write_that_lands_late_is_written_over() {
    let mut world = world();
    let late =
        |step: &Step| if name_of(step) == "write router:x" { Fate::LandsLate(60_000) } else { Fate::Done };
    world.ask_with(request("PATCH", "/routers/x", &router(20)), late).expect("it stands");
    world.tick(5_000);
    let reply = world.ask(request("PATCH", "/routers/x", &router(30))).expect("it stands");
    assert_eq!(body(&reply)["kv"], "written");
    world.tick(60_000);
    let landed = String::from_utf8_lossy(&world.kv.get("router:x").expect("a value").0).into_owned();
    assert!(landed.contains("\"weight\":20"), "the older one landed after the newer: {landed}");
    settled(&mut world, 30, 3, "and KV is looked at once more");
}

#[test]
fn pauses_grow_and_end() {
    let mut world = world();
    world.ask_with(request("PATCH", "/routers/x", &router(20)), |_| Fate::Fails).expect("it stands");
    let mut pauses = Vec::new();
    for _ in 0..14 {
        use turnout::control::store::Store;
        let due = world.store.next_due().expect("a store").expect("something is due");
        pauses.push(due - world.now);
        world.tick(due - world.now);
        world.sweep(|_| Fate::Fails);
    }
    assert!(pauses[0] >= 1000, "KV takes one write a second and key: {pauses:?}");
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
    assert_eq!(pauses.last(), Some(&300_000));
    settled(&mut world, 20, 2, "when KV is well again");
}

#[test]
fn a_store_that_is_broken_changes_nothing_and_says_so() {
    let mut world = world();
    let mut flight = world.begin(Task::request(request("PATCH", "/routers/x", &router(20))));
    world.store.is_broken.set(true);
    world.advance(&mut flight, Fate::Done);
    let Step::Reply(Err(error)) = &flight.step else { panic!("a refusal, not {:?}", flight.step) };
    assert_eq!(error.kind.code(), "control_unavailable");
    world.store.is_broken.set(false);
    settled(&mut world, 10, 1, "nothing has changed");
}

fn finish(world: &mut World, mut flight: Flight) -> serde_json::Value {
    loop {
        if let Some(over) = world.advance(&mut flight, Fate::Done) {
            return body(&over.expect("an answer").expect("no refusal"));
        }
    }
}
