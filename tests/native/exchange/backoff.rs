//! Pauses: full jitter within a bound that doubles.

use proptest::prelude::*;
use turnout::exchange::patience::{LONGEST_BACKOFF_MS, backoff};
use turnout::random::SplitMix;

#[test]
fn the_bound_doubles_up_to_the_longest() {
    for (base, nth, most) in [
        (250, 0, 250),
        (250, 1, 500),
        (250, 5, 8000),
        (250, 6, LONGEST_BACKOFF_MS),
        (250, 64, LONGEST_BACKOFF_MS),
        (u64::MAX, 3, LONGEST_BACKOFF_MS),
        (1, 63, LONGEST_BACKOFF_MS),
        (0, 10, 0),
    ] {
        assert_eq!(backoff(base, nth, 0), 0, "{base} {nth}");
        assert_eq!(backoff(base, nth, u64::MAX), most, "{base} {nth}");
    }
}

#[test]
fn every_pause_is_as_likely() {
    let mut random = SplitMix::new(7);
    let mut counts = [0_u32; 6];
    for _ in 0..60_000 {
        counts[backoff(5, 0, random.next()) as usize] += 1;
    }
    // 10,000 expected of each; one standard deviation is 91.
    assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
}

proptest! {
    #[test]
    fn no_pause_exceeds_its_bound(base: u64, nth: u32, random: u64) {
        let most = base.saturating_mul(2_u64.saturating_pow(nth)).min(LONGEST_BACKOFF_MS);
        prop_assert!(backoff(base, nth, random) <= most);
    }
}
