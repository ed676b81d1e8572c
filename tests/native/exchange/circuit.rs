//! Circuits: when a target is left alone, for how long, and who tries it.

use proptest::prelude::*;
use turnout::exchange::circuit::{
    Circuits, FAILURES, LONGEST_OPEN_MS, MOST_TARGETS, PROBE_MS, ROW_MS, SHORTEST_OPEN_MS, State,
};

/// What happens to a target, `at` milliseconds after the beginning.
#[derive(Clone, Copy, Debug)]
enum Act {
    Failed,
    /// With how long it asked to be left alone.
    Asked(u64),
    Succeeded,
    Probe,
    Released,
}
use Act::{Asked, Failed, Probe, Released, Succeeded};

const BEGINNING: u64 = 1_760_000_000_000;

fn played(acts: &[(u64, Act)]) -> Circuits {
    let mut circuits = Circuits::default();
    for (at, act) in acts {
        play(&mut circuits, "a", *act, BEGINNING + at);
    }
    circuits
}

fn play(circuits: &mut Circuits, target: &str, act: Act, now: u64) {
    match act {
        Failed => circuits.failed(target, None, now),
        Asked(pause) => circuits.failed(target, Some(pause), now),
        Succeeded => circuits.succeeded(target, now),
        Probe => circuits.probe(target, now),
        Released => circuits.released(target),
    }
}

/// `closed`, `half-open`, or why it is open.
fn state(circuits: &Circuits, at: u64) -> String {
    match circuits.state("a", BEGINNING + at) {
        State::Closed => "closed".to_owned(),
        State::HalfOpen => "half-open".to_owned(),
        State::Open { why } => why,
    }
}

fn check(rule: &str, acts: &[(u64, Act)], at: u64, expected: &str) {
    assert_eq!(state(&played(acts), at), expected, "{rule}");
}

/// Failures one millisecond apart, the last of them at 0.
fn opened(rest: &[(u64, Act)]) -> Vec<(u64, Act)> {
    [[(0, Failed); 5].as_slice(), rest].concat()
}

#[test]
fn a_row_of_failures_opens() {
    assert_eq!((FAILURES, SHORTEST_OPEN_MS, LONGEST_OPEN_MS), (5, 5_000, 60_000));
    check("nothing is known", &[], 0, "closed");
    check("four are too few", &[(0, Failed); 4], 0, "closed");
    check("five in a row", &opened(&[]), 0, "5 failures in a row, tried again in 5 s");
    check("a begun second counts", &opened(&[]), 4_001, "5 failures in a row, tried again in 1 s");
    let broken = [(0, Failed), (0, Failed), (0, Failed), (0, Failed), (1, Succeeded), (2, Failed)];
    check("a success between them begins the row anew", &broken, 2, "closed");
    let apart: Vec<_> = (0..20).map(|nth| (nth * (ROW_MS + 1), Failed)).collect();
    check("far apart they are in no row", &apart, 19 * (ROW_MS + 1), "closed");
    let slow: Vec<_> = (0..5).map(|nth| (nth * ROW_MS, Failed)).collect();
    check("a minute apart they are", &slow, 4 * ROW_MS, "5 failures in a row, tried again in 5 s");
    let late = opened(&[(100, Failed), (200, Failed)]);
    check("calls that were under way change nothing", &late, 300, "5 failures in a row, tried again in 5 s");
}

#[test]
fn one_call_tries_it() {
    check("its time is over", &opened(&[]), 5_000, "half-open");
    check("however long ago", &opened(&[]), 5_000_000, "half-open");
    let probed = opened(&[(5_000, Probe)]);
    check("others leave it alone", &probed, 5_001, "5 failures in a row, another call is trying it");
    check("until the probe has had its time", &probed, 5_000 + PROBE_MS, "half-open");
    check("or was given back", &opened(&[(5_000, Probe), (5_100, Released)]), 5_200, "half-open");
    check("success closes", &opened(&[(5_000, Probe), (5_100, Succeeded)]), 5_200, "closed");
    let again = opened(&[(5_000, Probe), (5_100, Succeeded), (5_200, Failed)]);
    check("and forgets", &again, 5_200, "closed");
    let failed = opened(&[(5_000, Probe), (6_000, Failed)]);
    check("failure opens for longer", &failed, 6_000, "6 failures in a row, tried again in 10 s");
    let free = opened(&[(5_000, Probe), (6_000, Failed)]);
    check("and the next may be tried after that", &free, 16_000, "half-open");
    check("success closes what is open", &opened(&[(1_000, Succeeded)]), 1_000, "closed");
}

#[test]
fn it_is_left_alone_for_twice_as_long_each_time() {
    let mut circuits = played(&opened(&[]));
    let mut at = 0;
    for seconds in [5, 10, 20, 40, 60, 60, 60] {
        assert!(state(&circuits, at).ends_with(&format!("tried again in {seconds} s")), "{at} {seconds}");
        assert!(state(&circuits, at + seconds * 1000 - 1).ends_with("tried again in 1 s"));
        at += seconds * 1000;
        assert_eq!(state(&circuits, at), "half-open");
        play(&mut circuits, "a", Probe, BEGINNING + at);
        play(&mut circuits, "a", Failed, BEGINNING + at);
    }
}

#[test]
fn what_it_asks_for() {
    let why = |seconds: u64| format!("it asked to be left alone for another {seconds} s");
    check("at once", &[(0, Asked(12_000))], 0, &why(12));
    check("for that long", &[(0, Asked(12_000))], 11_999, &why(1));
    check("then it is called as before", &[(0, Asked(12_000))], 12_000, "closed");
    check("a minute at most", &[(0, Asked(3_600_000))], 0, &why(60));
    check("nothing", &[(0, Asked(0))], 0, "closed");
    check("the longer of two", &[(0, Asked(12_000)), (1, Asked(1_000))], 2_000, &why(10));
    let answered = [(0, Asked(12_000)), (100, Succeeded)];
    check("an answer to a call from before takes nothing back", &answered, 100, &why(12));
    let crowd: Vec<_> = (0..50).map(|nth| (nth, Asked(1_000))).collect();
    check("a crowd that was refused at once is one failure", &crowd, 1_100, "closed");
    let row: Vec<_> = (0..5).map(|nth| (nth * 2_000, Asked(1_000))).collect();
    check("who asks again and again fails in a row", &row, 9_000, "5 failures in a row, tried again in 4 s");
    check("its own word comes first", &opened(&[(1, Asked(9_000))]), 1, &why(9));
    check("and outlasts the other", &opened(&[(1, Asked(9_000))]), 9_001, "half-open");
}

#[test]
fn targets_are_apart_and_few() {
    let mut circuits = Circuits::default();
    for nth in 0..MOST_TARGETS as u64 {
        for _ in 0..FAILURES {
            circuits.failed(&format!("t{nth}"), None, BEGINNING + nth);
        }
    }
    let now = BEGINNING + MOST_TARGETS as u64;
    let is_open = |circuits: &Circuits, target: &str| circuits.state(target, now) != State::Closed;
    assert!(is_open(&circuits, "t0") && is_open(&circuits, "t1"));
    assert!(!is_open(&circuits, "another"));

    // The first fails once more: the second is the oldest now.
    circuits.failed("t0", None, now);
    circuits.failed("another", None, now);
    assert!(is_open(&circuits, "t0") && !is_open(&circuits, "t1") && is_open(&circuits, "t2"));
}

proptest! {
    /// Whatever happens: nobody is left alone for more than a minute (or the time of a probe), a success that was not asked
    /// to wait closes, and a call for which nothing failed finds it closed.
    #[test]
    fn nobody_is_left_alone_for_ever(acts in proptest::collection::vec((0_u64..40_000, any_act()), 0..60)) {
        let mut circuits = Circuits::default();
        let mut now = BEGINNING;
        for (after, act) in acts {
            now += after;
            play(&mut circuits, "a", act, now);
            prop_assert_eq!(circuits.state("b", now), State::Closed);
        }
        let later = now + LONGEST_OPEN_MS.max(PROBE_MS);
        let is_open = matches!(circuits.state("a", later), State::Open { .. });
        prop_assert!(!is_open);
        circuits.succeeded("a", later);
        prop_assert_eq!(circuits.state("a", later), State::Closed);
    }
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Failed),
        1 => (0_u64..100_000).prop_map(Asked),
        1 => Just(Succeeded),
        1 => Just(Probe),
        1 => Just(Released),
    ]
}
