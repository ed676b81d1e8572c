//! The functions of the language: which exist, how they are called, and those that are ours.

use std::sync::{Arc, LazyLock};

use cel_interpreter::common::ast::CallExpr;
use cel_interpreter::common::types::{
    CelDouble, CelInt, CelList, CelString, DYN_TYPE, LIST_TYPE, STRING_TYPE,
};
use cel_interpreter::common::value::CowVal;
use cel_interpreter::{Env, ExecutionError};

use super::meter::{FARE_TYPE, metered};
use super::pattern::{PATTERN_TYPE, matches};
use super::prepare::{JOIN, LOOP};
use crate::hash::{Framed, top53};

/// Longest text that `+` makes, in bytes, and longest list, in items: enough for a key of several parts, and nothing can
/// be doubled again and again.
const MAX_JOINED: usize = 4096;

/// A function that may be called.
struct Callable {
    name: &'static str,
    /// Numbers of arguments as a function; empty where it is none.
    as_function: &'static [usize],
    /// Numbers of arguments as a method.
    as_method: &'static [usize],
    usage: &'static str,
}

const fn function(name: &'static str, arguments: &'static [usize], usage: &'static str) -> Callable {
    Callable { name, as_function: arguments, as_method: &[], usage }
}

const fn method(name: &'static str, arguments: &'static [usize], usage: &'static str) -> Callable {
    Callable { name, as_function: &[], as_method: arguments, usage }
}

/// A macro is rewritten when it is parsed; a call by its name that is left was not written as it should be.
const fn macro_(name: &'static str, usage: &'static str) -> Callable {
    Callable { name, as_function: &[], as_method: &[], usage }
}

const CALLABLES: &[Callable] = &[
    Callable { name: "size", as_function: &[1], as_method: &[0], usage: "size(x) or x.size()" },
    Callable { name: "last", as_function: &[1], as_method: &[0], usage: "last(list) or list.last()" },
    Callable { name: "matches", as_function: &[2], as_method: &[1], usage: "text.matches('pattern')" },
    method("contains", &[1], "text.contains('part'), or 'item' in list"),
    method("startsWith", &[1], "text.startsWith('prefix')"),
    method("endsWith", &[1], "text.endsWith('suffix')"),
    function("user_hash", &[1], "user_hash(user_id)"),
    function("bucket", &[2], "bucket('salt', user_id)"),
    function("int", &[1], "int(x)"),
    function("uint", &[1], "uint(x)"),
    function("double", &[1], "double(x)"),
    function("string", &[1], "string(x)"),
    function("bool", &[1], "bool(x)"),
    function("dyn", &[1], "dyn(x)"),
    function("type", &[1], "type(x)"),
    macro_("has", "has(metadata.key)"),
    macro_("all", "list.all(x, condition)"),
    macro_("exists", "list.exists(x, condition)"),
    macro_("exists_one", "list.exists_one(x, condition)"),
    macro_("existsOne", "list.existsOne(x, condition)"),
    macro_("filter", "list.filter(x, condition)"),
    macro_("map", "list.map(x, value)"),
];

/// What to do instead of a function that others have.
const INSTEAD: &[(&[&str], &str)] = &[
    (
        &["timestamp", "duration", "getHours", "getDayOfWeek", "getDate", "getFullYear", "getMonth"],
        "there are no dates here: `now` is the time in seconds since 1970, an int",
    ),
    (
        &["lowerAscii", "upperAscii", "toLowerCase", "toUpperCase", "lower", "upper"],
        "to ignore case, write text.matches('(?i)pattern')",
    ),
    (&["bytes"], "there are no bytes here"),
];

/// What is wrong with a call of a named function, if anything is.
pub(super) fn fault(call: &CallExpr) -> Option<String> {
    let name = call.func_name.as_str();
    let Some(callable) = CALLABLES.iter().find(|callable| callable.name == name) else {
        return Some(unknown(name));
    };
    let arguments = if call.target.is_some() { callable.as_method } else { callable.as_function };
    let fits = arguments.contains(&call.args.len());
    (!fits).then(|| format!("`{name}` is not called like that: write {}", callable.usage))
}

fn unknown(name: &str) -> String {
    if let Some((_, instead)) = INSTEAD.iter().find(|(names, _)| names.contains(&name)) {
        return format!("there is no function `{name}`; {instead}");
    }
    let nearest = CALLABLES
        .iter()
        .map(|callable| {
            (strsim::damerau_levenshtein(&name.to_lowercase(), &callable.name.to_lowercase()), callable)
        })
        .filter(|(distance, callable)| *distance <= (callable.name.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((_, callable)) => format!("there is no function `{name}`; did you mean {}?", callable.usage),
        None => {
            let names: Vec<&str> = CALLABLES.iter().map(|callable| callable.name).collect();
            format!("there is no function `{name}`; there are {}", names.join(", "))
        }
    }
}

/// The functions and types of every expression. Constant data, built once (it takes longer than a hundred evaluations) and
/// never changed: no state is shared through it.
pub(super) fn environment() -> Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(build_environment()));
    Arc::clone(&ENVIRONMENT)
}

fn build_environment() -> Env {
    let mut env = Env::default().with_optional_support(false).with_stdlib();
    let pattern = || PATTERN_TYPE.to_owned();
    let declared = [
        env.add_overload("user_hash", "user_hash_string", vec![STRING_TYPE], user_hash),
        env.add_overload("bucket", "bucket_string_string", vec![STRING_TYPE, STRING_TYPE], bucket),
        env.add_overload("last", "last_list", vec![LIST_TYPE], last),
        env.add_member_overload("last", "list_last", LIST_TYPE, vec![], last),
        env.add_overload("matches", "matches_string_pattern", vec![STRING_TYPE, pattern()], matches),
        env.add_member_overload("matches", "string_matches_pattern", STRING_TYPE, vec![pattern()], matches),
        env.add_overload(JOIN, "join", vec![DYN_TYPE, DYN_TYPE], join),
        env.add_overload(LOOP, "loop", vec![DYN_TYPE, FARE_TYPE.to_owned()], metered),
    ];
    debug_assert!(declared.iter().all(Result::is_ok), "no overload is declared twice");
    env
}

type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Outcome<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn text<'a>(argument: Option<&'a CowVal<'_, '_>>) -> Result<&'a str, ExecutionError> {
    let text = argument.and_then(|argument| argument.downcast_ref::<CelString>());
    text.map(CelString::inner).ok_or(ExecutionError::MissingArgumentOrTarget)
}

/// `user_hash(text)`: an int of 53 bits, the same for a text for ever. It is one hash for all experiments; `bucket` has a
/// salt, and neither is the hash of the assignment.
fn user_hash<'b, 'v>(args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    let hash = top53(&Framed::new("turnout/user_hash/1").add(text(args.first())?).finish());
    Ok(CowVal::owned(CelInt::from(i64::try_from(hash).unwrap_or(i64::MAX))))
}

/// `bucket(salt, unit)`: a double in [0, 100), uniform over units and independent between salts.
fn bucket<'b, 'v>(args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    let digest = Framed::new("turnout/bucket/1").add(text(args.first())?).add(text(args.get(1))?).finish();
    // 53 bits and 2^53 are both exact in a double, and so is their quotient.
    let fraction = top53(&digest) as f64 / (1_u64 << 53) as f64;
    Ok(CowVal::owned(CelDouble::from(fraction * 100.0)))
}

/// `last(list)`: its last item, which an empty list misses as a map does a key.
fn last<'b, 'v>(mut args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    let missing = || ExecutionError::no_such_key("last");
    match args.pop() {
        Some(CowVal::Borrowed(list)) => {
            let item = list.downcast_ref::<CelList>().and_then(|list| list.inner().last());
            item.map(|item| CowVal::Borrowed(item.as_ref())).ok_or_else(missing)
        }
        Some(CowVal::Owned(list)) => {
            let item = list.downcast_ref::<CelList>().and_then(|list| list.inner().last());
            item.map(|item| CowVal::Owned(item.clone())).ok_or_else(missing)
        }
        None => Err(ExecutionError::MissingArgumentOrTarget),
    }
}

/// `a + b` as an expression writes it: the CEL crate's own `+`, with a bound on what it makes.
fn join<'b, 'v>(args: Args<'b, 'v>) -> Outcome<'b, 'v> {
    let [left, right] = args.as_slice() else { return Err(ExecutionError::MissingArgumentOrTarget) };
    if let (Some(left), Some(right)) = (left.downcast_ref::<CelString>(), right.downcast_ref::<CelString>()) {
        let (left, right) = (left.inner(), right.inner());
        if left.len() + right.len() > MAX_JOINED {
            return Err(ExecutionError::function_error(
                JOIN,
                format!("makes a text of over {MAX_JOINED} bytes"),
            ));
        }
        return Ok(CowVal::owned(CelString::from([left, right].concat())));
    }
    if let (Some(left), Some(right)) = (left.downcast_ref::<CelList>(), right.downcast_ref::<CelList>())
        && left.inner().len() + right.inner().len() > MAX_JOINED
    {
        return Err(ExecutionError::function_error(JOIN, format!("makes a list of over {MAX_JOINED} items")));
    }
    let types = || vec![left.get_type().name().to_owned(), right.get_type().name().to_owned()];
    let overload = || ExecutionError::no_such_overload("_+_", types());
    let sum = left.as_adder().ok_or_else(overload)?.add(right.as_ref());
    match sum {
        Ok(sum) => Ok(CowVal::Owned(sum.into_owned())),
        Err(ExecutionError::Overflow(..)) => Err(ExecutionError::function_error(JOIN, "overflows")),
        Err(_) => Err(overload()),
    }
}
