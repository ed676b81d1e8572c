//! Sharing out what is left of 100 % in proportion, to the hundredth of a percent.

use crate::assignment::Weight;

/// What each gets of `rest` in proportion to its weight, by the largest remainder, so that the sum is exactly `rest`; a tie goes
/// to the smaller id, so that the order of variants does not matter. `None` where there is something to share and all weights
/// are 0.
pub(super) fn shared(rest: Weight, among: &[(&str, Weight)]) -> Option<Vec<Weight>> {
    let rest = u64::from(rest.hundredths());
    let total: u64 = among.iter().map(|(_, weight)| u64::from(weight.hundredths())).sum();
    if total == 0 {
        return (rest == 0).then(|| vec![Weight::default(); among.len()]);
    }
    let mut shares: Vec<u64> = Vec::with_capacity(among.len());
    let mut remainders: Vec<(u64, &str, usize)> = Vec::with_capacity(among.len());
    for (at, (id, weight)) in among.iter().enumerate() {
        let product = u64::from(weight.hundredths()) * rest;
        shares.push(product / total);
        remainders.push((product % total, id, at));
    }
    remainders.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let missing = rest - shares.iter().sum::<u64>();
    for (_, (_, _, at)) in (0..missing).zip(remainders) {
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
        }
    }
    shares.into_iter().map(|share| Weight::from_hundredths(u16::try_from(share).ok()?)).collect()
}

/// `50`, `33.33`: a weight as documents write it.
pub(super) fn written(weight: Weight) -> String {
    weight.percent().to_string()
}
