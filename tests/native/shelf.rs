//! The shelf of stored documents, played with a fake clock and a KV that a test holds in its hand.

use turnout::fault::Fault;
use turnout::shelf::{Document, Look, MOST_ENTRIES, Next, Reading, Shelf, State, summary};

/// A document that is valid where its bytes begin with `ok`, and odd where they end with `?`.
#[derive(Debug)]
struct Text(String, Vec<Fault>);

impl Document for Text {
    const KEEPS_GOOD: bool = true;
    const MAX_BYTES: usize = 64;

    fn warnings(&self) -> &[Fault] {
        &self.1
    }

    fn parse(_: &str, bytes: &[u8]) -> Result<Self, Vec<Fault>> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let odd = text.ends_with('?').then(|| Fault::new("end", "is odd"));
        if text.starts_with("ok") {
            Ok(Text(text, odd.into_iter().collect()))
        } else {
            Err(vec![Fault::new("field", format!("'{text}' is bad"))])
        }
    }
}

const TTL: u64 = 10_000;

fn edit(text: &str) -> Reading {
    Reading::Value { bytes: text.as_bytes().to_vec(), revision: None }
}

/// What a state says, as `text@revision`, with the fault behind it.
fn described(state: Option<State<Text>>) -> String {
    match state {
        None => "unknown".into(),
        Some(State::Absent) => "absent".into(),
        Some(State::Invalid(faults)) => format!("invalid: {}", summary(&faults)),
        Some(State::Present(stored)) => {
            let fault = stored.fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
            format!("{}@{}{fault}", stored.value.0, stored.revision)
        }
    }
}

fn hit(shelf: &mut Shelf<Text>, now: u64) -> (String, bool) {
    match shelf.look("a", now, TTL) {
        Look::Hit { state, refresh } => (described(Some(state)), refresh),
        Look::Miss => ("miss".into(), false),
    }
}

#[test]
fn what_is_held_is_used_at_once_and_refreshed_by_one_call() {
    let mut shelf = Shelf::default();
    assert_eq!(hit(&mut shelf, 0).0, "miss");
    assert_eq!(shelf.settle("a", 0, edit("ok 1")), Next::KeepGood(b"ok 1".to_vec()));
    let first = "ok 1@h-2f0c5d5b";
    let held = hit(&mut shelf, TTL - 1);
    assert!(held.0.starts_with("ok 1@h-") && held.0.len() == first.len(), "{}", held.0);
    assert!(!held.1, "fresh");
    assert!(hit(&mut shelf, TTL).1, "stale: this call refreshes");
    assert!(!hit(&mut shelf, TTL + 1).1, "and no other does");
    assert_eq!(
        shelf.settle("a", TTL + 5, edit("ok 1")),
        Next::Done,
        "unchanged bytes are not parsed or stored again"
    );
    assert!(!hit(&mut shelf, TTL + 6).1, "checked just now");
}

#[test]
fn what_was_changed_here_is_read_again_and_is_as_old_as_it_was() {
    let mut shelf = Shelf::default();
    shelf.settle("a", 1_000, edit("ok 1"));
    shelf.expire("a");
    assert_eq!(shelf.age("a", 3_000), Some(2_000), "an answer says how long ago KV was asked");
    assert!(hit(&mut shelf, 3_000).1, "the next call refreshes");
    shelf.settle("a", 3_000, edit("ok 2"));
    assert!(!hit(&mut shelf, 3_001).1, "checked just now");
    assert_eq!(shelf.age("a", 3_001), Some(1));
}

#[test]
fn a_refresh_that_never_reports_does_not_stop_others_for_ever() {
    let mut shelf = Shelf::default();
    shelf.settle("a", 0, edit("ok 1"));
    assert!(hit(&mut shelf, TTL).1);
    assert!(!hit(&mut shelf, TTL + 29_999).1);
    assert!(hit(&mut shelf, TTL + 30_000).1);
}

#[test]
fn a_revision_is_what_control_wrote_beside_the_value() {
    let mut shelf = Shelf::default();
    let reading = Reading::Value { bytes: b"ok 1".to_vec(), revision: Some("7".into()) };
    assert_eq!(shelf.settle("a", 0, reading), Next::Done, "control keeps its own good copies");
    assert_eq!(hit(&mut shelf, 0).0, "ok 1@7");
}

#[test]
fn a_document_that_does_not_validate_never_replaces_one_that_did() {
    let mut shelf = Shelf::default();
    let reading = Reading::Value { bytes: b"ok 1".to_vec(), revision: Some("7".into()) };
    shelf.settle("a", 0, reading);
    assert_eq!(shelf.settle("a", 1, edit("bad")), Next::Done);
    assert_eq!(shelf.take_log("a").as_deref(), Some("not valid: field: 'bad' is bad"));
    assert_eq!(shelf.take_log("a"), None, "said once");
    assert_eq!(hit(&mut shelf, 1).0, "ok 1@7 (field: 'bad' is bad)");
    shelf.settle("a", 2, edit("bad"));
    assert_eq!(shelf.take_log("a"), None, "a known fault is not logged again");
    assert_eq!(hit(&mut shelf, 2).0, "ok 1@7 (field: 'bad' is bad)");
    shelf.settle("a", 3, edit("ok 2"));
    assert!(hit(&mut shelf, 3).0.starts_with("ok 2@h-") && !hit(&mut shelf, 3).0.contains('('), "mended");
}

/// A cold isolate that meets `bad`, and what it finds as the last good copy.
fn cold(good: Reading) -> (Shelf<Text>, String) {
    let mut shelf = Shelf::default();
    let Next::LoadGood(rejected) = shelf.settle("a", 5, edit("bad")) else {
        panic!("no last good one is asked for")
    };
    shelf.settle_good("a", 5, rejected, good);
    let state = described(shelf.known("a"));
    (shelf, state)
}

#[test]
fn a_cold_isolate_serves_the_stored_last_good_one() {
    let good = Reading::Value { bytes: b"ok 1".to_vec(), revision: Some("6".into()) };
    assert_eq!(cold(good).1, "ok 1@6 (field: 'bad' is bad)");
    assert_eq!(cold(Reading::Absent).1, "invalid: field: 'bad' is bad");
    assert_eq!(cold(edit("bad too")).1, "invalid: field: 'bad' is bad");
}

#[test]
fn a_last_good_copy_that_cannot_be_read_is_asked_for_again() {
    let (mut shelf, state) = cold(Reading::Unavailable);
    assert_eq!(state, "invalid: field: 'bad' is bad");
    assert_eq!(hit(&mut shelf, TTL).0, "miss", "without waiting for a TTL of its own");
    assert!(
        matches!(shelf.settle("a", TTL, edit("bad")), Next::LoadGood(_)),
        "the same bytes are looked at again"
    );
}

#[test]
fn absence_and_failure_are_two_things() {
    let mut shelf = Shelf::<Text>::default();
    assert_eq!(shelf.settle("a", 0, Reading::Unavailable), Next::Done);
    assert_eq!(described(shelf.known("a")), "unknown");
    shelf.settle("a", 0, Reading::Absent);
    assert_eq!(hit(&mut shelf, 1), ("absent".into(), false));
    shelf.settle("a", 2, edit("ok 1"));
    shelf.settle("a", TTL, Reading::Unavailable);
    assert!(hit(&mut shelf, TTL + 1).0.starts_with("ok 1"), "stale, but served");
    assert_eq!(shelf.settle("a", TTL + 2, Reading::Absent), Next::ForgetGood, "and its good copy with it");
    assert_eq!(hit(&mut shelf, TTL + 3).0, "absent", "a document that was deleted is gone");
    assert_eq!(shelf.settle("a", TTL + 4, Reading::Absent), Next::Done);
}

#[test]
fn an_absence_and_a_fault_are_nothing_that_a_call_has() {
    let mut shelf = Shelf::<Text>::default();
    shelf.settle("a", 0, Reading::Absent);
    assert_eq!(hit(&mut shelf, TTL - 1).0, "absent");
    assert_eq!(hit(&mut shelf, TTL).0, "miss", "what was made meanwhile is found by the first call");
    let (mut shelf, _) = cold(Reading::Absent);
    assert_eq!(hit(&mut shelf, 5 + TTL).0, "miss", "and so is what was mended");
}

#[test]
fn a_document_that_must_not_be_stale_is_read_again() {
    let mut shelf = Shelf::<Strict>::default();
    shelf.settle("a", 0, edit("ok"));
    assert!(matches!(shelf.look("a", 59_999, TTL), Look::Hit { refresh: true, .. }));
    assert!(matches!(shelf.look("a", 60_000, TTL), Look::Miss));
}

#[test]
fn a_hand_edit_that_control_numbers_gets_its_number() {
    let mut shelf = Shelf::<Text>::default();
    shelf.settle("a", 0, edit("ok 1"));
    shelf.settle("a", 1, Reading::Value { bytes: b"ok 1".to_vec(), revision: Some("7".into()) });
    assert_eq!(hit(&mut shelf, 1).0, "ok 1@7");
}

#[test]
fn what_is_odd_is_logged_once() {
    let mut shelf = Shelf::<Text>::default();
    shelf.settle("a", 0, edit("ok?"));
    assert_eq!(shelf.take_log("a").as_deref(), Some("odd: end: is odd"));
    shelf.settle("a", 1, edit("ok?"));
    assert_eq!(shelf.take_log("a"), None);
}

#[test]
fn a_large_document_is_refused_unread() {
    let mut shelf = Shelf::<Text>::default();
    let Next::LoadGood(rejected) = shelf.settle("a", 0, edit(&"ok".repeat(33))) else { panic!() };
    shelf.settle_good("a", 0, rejected, Reading::Absent);
    let log = shelf.take_log("a").unwrap();
    assert!(log.contains("larger than 64 bytes"), "{log}");
}

#[derive(Debug)]
struct Strict;

impl Document for Strict {
    const KEEPS_GOOD: bool = false;
    const MAX_BYTES: usize = 64;
    const MOST_STALE: Option<u64> = Some(60_000);

    fn warnings(&self) -> &[Fault] {
        &[]
    }

    fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Fault>> {
        Text::parse(name, bytes).map(|_| Strict)
    }
}

#[test]
fn what_keeps_no_good_copy_is_invalid_as_soon_as_it_is() {
    let mut shelf = Shelf::<Strict>::default();
    assert_eq!(shelf.settle("a", 0, edit("ok")), Next::Done);
    assert_eq!(shelf.settle("a", 1, edit("bad")), Next::Done);
    assert!(matches!(shelf.known("a"), Some(State::Invalid(_))));
}

#[test]
fn invented_names_do_not_fill_the_memory() {
    let mut shelf = Shelf::<Text>::default();
    shelf.settle("a", 0, edit("ok"));
    for number in 0..5 * MOST_ENTRIES as u64 {
        shelf.settle(&format!("invented-{number}"), number, Reading::Absent);
        let _ = shelf.look("a", number, u64::MAX);
    }
    assert!(matches!(shelf.known("a"), Some(State::Present(_))), "what is in use stays");
    let held =
        (0..5 * MOST_ENTRIES).filter(|number| shelf.known(&format!("invented-{number}")).is_some()).count();
    assert!((MOST_ENTRIES / 2..MOST_ENTRIES).contains(&held), "{held}");
}
