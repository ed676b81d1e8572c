//! The names that somebody may have meant.

/// The names of `known` within a few typos of `name`, the nearest first, at most three. A name also counts by what follows
/// its last slash: `gpt-5` may mean `openai/gpt-5`.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let reach = (name.len() / 3).clamp(1, 4);
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let last = candidate.rsplit_once('/').map(|(_, last)| last);
            let distance = [Some(candidate), last]
                .into_iter()
                .flatten()
                .filter(|part| part.len().abs_diff(name.len()) <= reach)
                .map(|part| strsim::damerau_levenshtein(name, part))
                .min()?;
            (distance <= reach).then_some((distance, candidate))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// ` Did you mean 'a' or 'b'?`, or nothing.
pub fn did_you_mean(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        _ => format!(" Did you mean '{}'?", names.join("' or '")),
    }
}

/// A name as an error shows it: the beginning, where it is long.
pub fn shortened(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MOST_SHOWN)).unwrap_or(name)
}

const MOST_SHOWN: usize = 100;
