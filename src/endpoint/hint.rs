//! What a client is told that asked for a path that there is not: the likeliest mistake, then what there is.

use super::known;
use crate::dialect::Dialect;
use crate::dialect::wire::Paths;
use crate::error::{Error, ErrorKind};

/// Below this share of common letters (`strsim::normalized_damerau_levenshtein`) a known path is no likely typo.
const SIMILAR: f64 = 0.6;

/// No more of a caller's path is repeated to it than this many characters.
const SHOWN_PATH: usize = 80;

/// Where the examples say that the worker is.
const EXAMPLE: &str = "https://turnout.example.workers.dev";

pub(super) fn not_found(path: &str) -> Error {
    let known: Vec<_> = known().map(|(methods, known)| format!("{methods} {known}")).collect();
    let hint = method_hint(path).or_else(|| base_url_hint(path)).or_else(|| nearest_hint(path));
    let hint = hint.unwrap_or_default();
    let message = format!("There is nothing at {}.{hint} Known: {}.", shown(path), known.join(", "));
    Error::new(ErrorKind::NotFound, message)
}

/// A path as it is repeated to its caller: cut, for it may be as long as a URL can be.
pub(super) fn shown(path: &str) -> String {
    match path.char_indices().nth(SHOWN_PATH) {
        Some((cut, _)) => format!("`{}…`", path.get(..cut).unwrap_or_default()),
        None => format!("`{path}`"),
    }
}

/// For a path that ends as one of ours but begins otherwise: the client's base URL is to blame, and this is the right one.
fn base_url_hint(path: &str) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let all = || Dialect::ALL.into_iter().map(|dialect| &dialect.wire().paths);
    let of_call = |paths: &'static Paths| Some((call_base(paths, path)?, paths));
    let of_list = |paths: &'static Paths| {
        let end = paths.list_end?;
        Some(((before(end, path)?, end.to_owned()), paths))
    };
    let ((base, end), paths) = all().find_map(of_call).or_else(|| all().find_map(of_list))?;
    (base != paths.version).then(|| advice(base, paths, &end))
}

/// What is wrong with a base URL that brought a call to `base` instead of `version`. Some clients put the version there
/// themselves, so that what counts is where their calls come to.
fn advice(base: &str, paths: &Paths, end: &str) -> String {
    let Paths { version, client_adds_version, .. } = paths;
    let fault = match base.strip_prefix(*version) {
        _ if base.is_empty() => format!("leaves out `{version}`"),
        Some(rest) if rest == *version => format!("has `{version}` twice"),
        _ => format!("ends in {}", shown(base)),
    };
    let or = if *client_adds_version { " (or by nothing, where the client adds that itself)" } else { "" };
    format!(
        " Your client's base URL {fault}: set it to this worker's address followed by `{version}`{or}, as in \
         `{EXAMPLE}{version}`, so that its calls come to `{version}{end}`."
    )
}

/// What stands in a path before a call of a dialect, and that call.
fn call_base<'a>(paths: &Paths, path: &'a str) -> Option<(&'a str, String)> {
    if let Some((resource, method)) = path.rsplit_once(':')
        && paths.methods.served.contains(&method)
        && let Some((base, _)) = resource.split_once("/models/")
    {
        return Some((base, "/models/…".to_owned()));
    }
    paths.ends.iter().find_map(|end| Some((before(end, path)?, (*end).to_owned())))
}

/// What stands before `end` in a path, where nothing or only a model's id comes after it.
fn before<'a>(end: &str, path: &'a str) -> Option<&'a str> {
    let (base, after) = path.rsplit_once(end)?;
    (after.is_empty() || end == "/models" && after.starts_with('/')).then_some(base)
}

/// For a method of a model that is not served.
fn method_hint(path: &str) -> Option<String> {
    let (_, method) = path.rsplit_once(':')?;
    let all = Dialect::ALL.into_iter().map(|dialect| &dialect.wire().paths.methods);
    let methods = all.into_iter().find(|methods| methods.unserved.contains(&method))?;
    let served: Vec<_> = methods.served.iter().map(|served| format!("`:{served}`")).collect();
    Some(format!(" `:{method}` is not served; of {} methods, {} are.", methods.whose, served.join(" and ")))
}

fn nearest_hint(path: &str) -> Option<String> {
    let path = path.to_ascii_lowercase();
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&path, known);
    let (_, nearest) = known().max_by(|(_, one), (_, other)| alike(one).total_cmp(&alike(other)))?;
    (alike(nearest) >= SIMILAR).then(|| format!(" Did you mean {nearest}?"))
}
