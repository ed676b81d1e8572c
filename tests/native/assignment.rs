//! Assignment: the frozen vectors, and the laws that an experiment hangs on.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use turnout::assignment::{Entrant, Weight, assign, draw, uniform};

#[derive(Deserialize)]
struct Vectors {
    assign: Vec<Assign>,
    u: Vec<U>,
    population: Vec<Population>,
}

#[derive(Deserialize)]
struct Assign {
    salt: String,
    weights: BTreeMap<String, f64>,
    variant_of: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct U {
    salt: String,
    unit: String,
    variant_id: String,
    /// As written: serde_json's own reading of a float may be off by a last bit, the standard library's is not.
    u: Box<serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct Population {
    salt: String,
    before: BTreeMap<String, f64>,
    after: BTreeMap<String, f64>,
    count_before: BTreeMap<String, u32>,
    count_after: BTreeMap<String, u32>,
    moved: BTreeMap<String, u32>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../fixtures/assignment.json")).unwrap()
}

fn weight(percent: f64) -> Weight {
    Weight::from_hundredths((percent * 100.0).round() as u16).unwrap()
}

fn variant_of<'w>(salt: &str, unit: &str, weights: &'w BTreeMap<String, f64>) -> &'w str {
    let entrants = weights.iter().map(|(id, percent)| Entrant { id, weight: weight(*percent) });
    let position = assign(salt, unit, entrants).unwrap();
    weights.keys().nth(position).unwrap()
}

#[test]
fn the_vectors_are_reproduced() {
    let vectors = vectors();
    assert!(vectors.assign.len() >= 20);
    for case in &vectors.assign {
        for (unit, expected) in &case.variant_of {
            let variant = variant_of(&case.salt, unit, &case.weights);
            assert_eq!(variant, expected, "{} {unit:?} {:?}", case.salt, case.weights);
        }
    }
    for case in &vectors.u {
        let expected: f64 = case.u.get().parse().unwrap();
        let u = uniform(&case.salt, &case.unit, &case.variant_id);
        assert_eq!(u.to_bits(), expected.to_bits(), "{}", case.unit);
    }
}

#[test]
fn a_population_moves_as_the_vectors_say() {
    for case in vectors().population {
        let (mut before, mut after, mut moved) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for number in 0..100_000 {
            let unit = format!("user-{number}");
            let (from, to) =
                (variant_of(&case.salt, &unit, &case.before), variant_of(&case.salt, &unit, &case.after));
            *before.entry(from.to_owned()).or_insert(0) += 1;
            *after.entry(to.to_owned()).or_insert(0) += 1;
            if from != to {
                *moved.entry(format!("{from}->{to}")).or_insert(0) += 1;
            }
        }
        assert_eq!(before, case.count_before);
        assert_eq!(after, case.count_after);
        assert_eq!(moved, case.moved);
    }
}

/// Counts of a fair split of 100,000 units over `bins` of equal weight, for a χ² test.
fn chi_squared(salt: &str, bins: usize, prefix: &str) -> f64 {
    let ids: Vec<String> = (0..bins).map(|bin| format!("v{bin}")).collect();
    let each = Weight::from_hundredths((10_000 / bins) as u16).unwrap();
    let mut counts = vec![0_f64; bins];
    for number in 0..100_000 {
        let entrants = ids.iter().map(|id| Entrant { id, weight: each });
        counts[assign(salt, &format!("{prefix}{number}"), entrants).unwrap()] += 1.0;
    }
    let expected = 100_000.0 / bins as f64;
    counts.iter().map(|count| (count - expected).powi(2) / expected).sum()
}

#[test]
fn a_split_is_as_even_as_chance() {
    // The 99.9 % limit of χ² with 99 degrees of freedom.
    let statistic = chi_squared("even/1", 100, "user-");
    assert!(statistic < 148.2, "{statistic}");
}

#[test]
fn an_80_20_split_stays_within_the_band() {
    // Binomial, p = .2 of 100,000: 99.9 % lie within 20,000 ± 3.29 √16,000.
    let weights = BTreeMap::from([("a".to_owned(), 80.0), ("b".to_owned(), 20.0)]);
    let b = (0..100_000).filter(|n| variant_of("split/1", &format!("user-{n}"), &weights) == "b").count();
    assert!((19_584..=20_416).contains(&b), "{b}");
}

#[test]
fn two_salts_are_independent() {
    let ids: Vec<String> = (0..10).map(|bin| format!("v{bin}")).collect();
    let each = Weight::from_hundredths(1_000).unwrap();
    let mut table = [[0_f64; 10]; 10];
    for number in 0..100_000 {
        let unit = format!("user-{number}");
        let of = |salt| assign(salt, &unit, ids.iter().map(|id| Entrant { id, weight: each })).unwrap();
        table[of("one/1")][of("two/1")] += 1.0;
    }
    let rows: Vec<f64> = table.iter().map(|row| row.iter().sum()).collect();
    let columns: Vec<f64> = (0..10).map(|column| table.iter().map(|row| row[column]).sum()).collect();
    let mut statistic = 0.0;
    for (row, total) in table.iter().zip(&rows) {
        for (count, column) in row.iter().zip(&columns) {
            let expected = total * column / 100_000.0;
            statistic += (count - expected).powi(2) / expected;
        }
    }
    // The 99.9 % limit of χ² with 81 degrees of freedom.
    assert!(statistic < 126.1, "{statistic}");
}

#[test]
fn draws_follow_the_weights() {
    let weights = [8_000, 0, 2_000].map(|hundredths| Weight::from_hundredths(hundredths).unwrap());
    let share = |fraction: f64| draw((fraction * 2_f64.powi(64)) as u64, weights.into_iter());
    assert_eq!(share(0.0), Some(0));
    assert_eq!(share(0.799_999), Some(0));
    assert_eq!(share(0.800_001), Some(2));
    assert_eq!(draw(u64::MAX, weights.into_iter()), Some(2));
    assert_eq!(draw(7, std::iter::empty()), None);
}

#[test]
fn weight_zero_never_wins_and_nobody_wins_without_weight() {
    for number in 0..1_000 {
        let weights = BTreeMap::from([("a".to_owned(), 0.0), ("b".to_owned(), 100.0)]);
        assert_eq!(variant_of("zero/1", &number.to_string(), &weights), "b");
    }
    let none = [Entrant { id: "a", weight: Weight::default() }];
    assert_eq!(assign("zero/1", "u", none.into_iter()), None);
}

/// Three to six variants with weights that sum to 100 %.
fn weights() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(1_u16..1_000, 3..=6).prop_map(|parts| {
        let sum: u32 = parts.iter().map(|part| u32::from(*part)).sum();
        let mut weights: Vec<u16> =
            parts.iter().map(|part| (u32::from(*part) * 10_000 / sum) as u16).collect();
        weights[0] += 10_000 - weights.iter().sum::<u16>();
        weights
    })
}

fn winner(unit: &str, order: &[usize], weights: &[u16]) -> usize {
    let ids: Vec<String> = (0..weights.len()).map(|position| format!("v{position}")).collect();
    let entrants = order.iter().map(|position| Entrant {
        id: &ids[*position],
        weight: Weight::from_hundredths(weights[*position]).unwrap(),
    });
    order[assign("law/1", unit, entrants).unwrap()]
}

proptest! {
    #[test]
    fn reordering_moves_nobody(unit in ".*", weights in weights(), seed in any::<u64>()) {
        let straight: Vec<usize> = (0..weights.len()).collect();
        let mut shuffled = straight.clone();
        shuffled.rotate_left(seed as usize % weights.len());
        shuffled.reverse();
        prop_assert_eq!(winner(&unit, &straight, &weights), winner(&unit, &shuffled, &weights));
    }

    /// Who wins more weight may gain units, who loses weight may lose some; nobody moves between two unchanged variants.
    #[test]
    fn a_weight_moved_from_one_variant_to_another_moves_units_between_no_others(
        unit in ".*", before in weights(), amount in 1_u16..500,
    ) {
        let order: Vec<usize> = (0..before.len()).collect();
        let mut after = before.clone();
        let amount = amount.min(after[0]);
        after[0] -= amount;
        after[1] += amount;
        let (from, to) = (winner(&unit, &order, &before), winner(&unit, &order, &after));
        prop_assert!(from == to || from == 0 || to == 1, "{} -> {}", from, to);
        prop_assert_eq!(winner(&unit, &order, &before), from, "a return to old weights returns everyone");
    }

    #[test]
    fn a_ramp_of_two_variants_is_monotone(unit in ".*", low in 0_u16..=10_000, high in 0_u16..=10_000) {
        let (low, high) = (low.min(high), low.max(high));
        let has_second = |share: u16| winner(&unit, &[0, 1], &[10_000 - share, share]) == 1;
        prop_assert!(!has_second(low) || has_second(high));
    }
}
