//! Every bound, just inside and just outside; and inputs that were made to break a parser, a stack or a budget.

use std::time::Instant;

use serde_json::{Value, json};
use turnout::condition::{Expression, MAX_SOURCE_BYTES, Verdict};

use super::{Call, compile, fault, holds};

/// The last size that compiles does, and the next does not, with this in its fault.
fn check_edge(of: impl Fn(usize) -> String, last: usize, part: &str) {
    compile(&of(last));
    let fault = fault(&of(last + 1));
    assert!(fault.contains(part), "{part:?} is not in {fault:?}");
}

fn repeat(what: &str, times: usize, between: &str) -> String {
    vec![what; times].join(between)
}

#[test]
fn source_length() {
    check_edge(
        |bytes| format!("true{}", " ".repeat(bytes - 4)),
        MAX_SOURCE_BYTES,
        "2049 bytes long; the longest is 2048",
    );
    let multi_byte = |bytes: usize| format!("'{}' == ''", "ž".repeat((bytes - 8) / 2));
    compile(&multi_byte(2048));
    assert!(fault(&multi_byte(2050)).contains("2050 bytes long"));
}

#[test]
fn depth_of_brackets() {
    check_edge(|depth| format!("x == {}1{}", "[".repeat(depth), "]".repeat(depth)), 32, "nested too deeply");
    check_edge(
        |depth| format!("{}x{} == 1", "last(".repeat(depth), ")".repeat(depth)),
        32,
        "nested too deeply",
    );
    // Parentheses around parentheses are one to the parser.
    compile(&format!("{}true{}", "(".repeat(1_000), ")".repeat(1_000)));
}

#[test]
fn depth_of_operations() {
    check_edge(|terms| format!("{} > 0", repeat("1", terms, "+")), 47, "nested too deeply");
    check_edge(|fields| format!("has(a{})", ".x".repeat(fields)), 47, "nested too deeply");
    check_edge(|indexes| format!("x{} == 1", "[0]".repeat(indexes)), 46, "nested too deeply");
    check_edge(|calls| format!("x{} == 1", ".last()".repeat(calls)), 46, "nested too deeply");
}

#[test]
fn long_chains_of_conditions_are_not_deep() {
    let chain = |operator: &str| format!("{} || true", repeat("t == 'a'", 120, operator));
    assert_eq!(holds(&chain(" || "), &Call::bare()), Verdict::Holds);
    assert_eq!(holds(&chain(" && "), &Call::bare()), Verdict::Holds);
}

#[test]
fn number_of_parts() {
    check_edge(|items| format!("x in [{}]", repeat("1", items, ",")), 509, "too many parts");
}

#[test]
fn size_of_a_result() {
    let twice = |items: usize| format!("[1, 2].map(x, [{}]).size() > 0", repeat("1", items, ","));
    check_edge(twice, 253, "too large a value");
    // Each turn doubles the value: 3, 7, 15, … parts, and two lists around them.
    let doubled = |times: usize| format!("[1]{}.size() > 0", ".map(x, [x, x])".repeat(times));
    check_edge(doubled, 7, "too large a value");
    let squared = "tags.map(a, tags.map(b, [a, b])).size() > 0";
    assert!(fault(squared).contains("too large a value"));
}

#[test]
fn estimated_steps() {
    compile("messages.exists(a, messages.exists(b, a.content == b.content))");
    let cubed =
        "messages.exists(a, messages.exists(b, messages.exists(c, a.content == b.content + c.content)))";
    assert!(fault(cubed).contains("nest fewer loops"));
    let literal = |length: usize| {
        let list = repeat("1", length, ",");
        format!("[{list}].exists(a, [{list}].exists(b, [{list}].exists(c, a + b + c == 5)))")
    };
    assert_eq!(holds(&literal(10), &Call::bare()), Verdict::DoesNotHold);
    assert!(fault(&literal(20)).contains("nest fewer loops"));
}

#[test]
fn patterns() {
    check_edge(
        |bytes| format!("t.matches('{}')", "a".repeat(bytes)),
        256,
        "257 bytes long; the longest is 256",
    );
    check_edge(
        |depth| format!("t.matches('{}a{}')", "(".repeat(depth), ")".repeat(depth)),
        16,
        "does not compile",
    );
    assert!(fault("t.matches('((a{99}){99}){99}')").contains("does not compile"));
    assert!(fault("t.matches('\\\\pL{500}')").contains("does not compile"));
}

#[test]
fn joined_text() {
    let call = |bytes: usize| Call::bare().with("t", json!("x".repeat(bytes)));
    assert_eq!(holds("(t + t).size() == 4096", &call(2048)), Verdict::Holds);
    assert_eq!(
        holds("(t + t).size() > 0", &call(2049)),
        Verdict::Errs("`+` makes a text of over 4096 bytes".to_owned())
    );
    assert_eq!(
        holds("('' + t).size() > 0", &call(4097)),
        Verdict::Errs("`+` makes a text of over 4096 bytes".to_owned())
    );
    let list = |items: usize| Call::bare().with("l", json!(vec![1; items]));
    assert_eq!(holds("(l + l).size() == 4096", &list(2048)), Verdict::Holds);
    assert_eq!(
        holds("(l + l).size() > 0", &list(2049)),
        Verdict::Errs("`+` makes a list of over 4096 items".to_owned())
    );
}

fn check_too_large(source: &str, call: &Call) {
    let Verdict::Errs(note) = holds(source, call) else { panic!("{source}: no note") };
    assert!(note.contains("the call is too large"), "{source}: {note}");
}

#[test]
fn lists_of_the_callers() {
    let list = |items: usize| Call::bare().with("l", json!(vec![1; items]));
    assert_eq!(holds("l.size() == 8192", &list(8192)), Verdict::Holds);
    check_too_large("l.size() > 0", &list(8193));
    // What the condition does not name costs nothing.
    assert_eq!(holds("true", &list(100_000)), Verdict::Holds);
}

fn conversation(messages: usize, bytes: usize) -> Call {
    let message = json!({"role": "user", "content": "x".repeat(bytes)});
    Call { messages: Value::Array(vec![message; messages]), ..Call::bare() }
}

#[test]
fn long_conversations_are_fine_up_to_the_budget() {
    let source = "messages.exists(m, m.content.contains('refund'))";
    assert_eq!(holds(source, &conversation(2_000, 4_000)), Verdict::DoesNotHold);
    check_too_large(source, &conversation(8_000, 4_000));
    let last = "messages.last().content.matches('(?i)refund')";
    assert_eq!(holds(last, &conversation(500, 100_000)), Verdict::DoesNotHold);
    check_too_large(last, &conversation(1, 2_000_000));
    assert_eq!(holds("messages.last().content.size() > 8000", &conversation(1, 2_000_000)), Verdict::Holds);
}

/// None of these may take long, whatever the caller sends: this is a debug build on a busy machine, hence the seconds.
#[test]
#[expect(clippy::disallowed_methods, reason = "a native test, and about time")]
fn a_callers_data_cannot_burn_time() {
    let items = Value::Array((0..8_000).map(|index| json!(format!("item-{index}"))).collect());
    let call = Call { user_id: Some("u".repeat(4_000_000)), ..conversation(4_000, 4_000) }
        .with("l", items)
        .with("t", json!("a".repeat(4_000_000)));
    for source in [
        "messages.exists(a, messages.exists(b, a.content == b.content + 'x'))",
        "messages.all(a, l.all(b, a.content != b))",
        "l.map(a, l.map(b, b)).size() > 0",
        "[messages, messages, messages].all(m, m.all(a, m.all(b, a != {'x': b})))",
        "[messages.map(m, m)].all(x, x.all(a, x.exists(b, a == b)))",
        "[t].all(c, l.all(i, c.contains('zzz') || true))",
        "[t].all(c, l.all(i, c.matches('(a?){60}b') || true))",
        "l.all(i, t.matches('(a*)*b') || true)",
        "l.all(i, i.matches('(a|b|c){60}$') || true)",
        "l.all(i, user_hash(user_id) > 0)",
        "l.all(i, bucket(i, user_id) > 0.0)",
        "l.all(i, metadata == metadata)",
        "l.all(i, l == l)",
        "l.all(i, l.map(x, x).size() > 0)",
        "messages == messages && messages != l",
        "(l + l).size() > 0",
        "t < t + 'a' || 'a' + t < t",
        "string(t) == dyn(t) && {'a': t} == {'a': t} && t in [t, t]",
    ] {
        let expression = Expression::compile(source);
        let begun = Instant::now();
        let verdict = expression.map(|expression| expression.holds(&call));
        assert!(begun.elapsed().as_secs() < 5, "{source}: {:?} {verdict:?}", begun.elapsed());
    }
}

fn adversarial() -> Vec<String> {
    let mut sources: Vec<String> = Vec::new();
    for length in [1, 10, 31, 32, 33, 47, 48, 100, 400, 600, 1_000, 2_040, 10_000] {
        for (head, what, tail) in [
            ("1", "+1", ""),
            ("x", "[0]", ""),
            ("x", ".f()", ""),
            ("x", ".last()", ""),
            ("x", ".y", ""),
            ("", "(", ""),
            ("", "[", ""),
            ("", "{", ""),
            ("", "{'a':", ""),
            ("", "!", "true"),
            ("", "-", "1"),
            ("", "last(", ""),
            ("a", "?b:c", ""),
            ("a", "?a", ""),
            ("x", " in x", ""),
            ("true", "&&true", ""),
            ("true", "||true", ""),
            ("1", "==1", ""),
            ("'", "ž", "'"),
            ("\"", "\\", ""),
            ("'", "\\u", "'"),
            ("", "\0", ""),
            ("'", "\0", "'"),
            ("", "😀", ""),
            ("", "\u{301}", ""),
            ("", "'", ""),
            ("", "\"\"\"", ""),
            ("", "`", ""),
            ("", "//", ""),
            ("", "\n", ""),
            ("", "9", ""),
            ("", "1.", ""),
            ("", "1e", ""),
            ("0x", "f", "u"),
            ("", ",", ""),
            ("[", "1,", "]"),
            ("[1]", ".map(x,[x,x])", ""),
            ("[1]", ".exists(x,x>0)", ""),
            ("x", ".all(x,x", ")"),
            ("", "has(", ""),
            ("a.matches('", "(", "')"),
            ("a.matches('", "a{9}", "')"),
            ("a.matches('", "a?", "')"),
        ] {
            sources.push(format!("{head}{}{tail}", what.repeat(length)));
        }
        for (open, close) in
            [("(", ")"), ("[", "]"), ("last(", ")"), ("[", "][0]"), ("{'a':", "}"), ("-(", ")"), ("x[", "]")]
        {
            sources.push(format!("{}1{}", open.repeat(length), close.repeat(length)));
        }
        sources.push(format!("{}x{}", "[1].map(x, ".repeat(length), ")".repeat(length)));
        sources.push(format!("{}x{}", "l.exists(x, ".repeat(length), ")".repeat(length)));
    }
    sources
}

/// Half of a worker's stack, which is 1 MiB; an unoptimised build has frames ten times as large.
const STACK_BYTES: usize = if cfg!(debug_assertions) { 8 << 20 } else { 512 << 10 };

#[test]
fn adversarial_sources_neither_panic_nor_overflow_a_small_stack() {
    let run = || {
        let call = Call::full().with("x", json!([[[[1]]]])).with("l", json!([1, 2])).with("a", json!("aaa"));
        let mut compiled = 0;
        for source in adversarial() {
            if let Ok(expression) = Expression::compile(&source) {
                compiled += 1;
                let _ = expression.holds(&call);
                let _ = expression.string(&call);
            }
        }
        compiled
    };
    let compiled = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
    assert!(compiled > 50, "only {compiled} compiled");
}

#[test]
fn deep_json_is_compared_on_a_small_stack() {
    // serde_json reads no deeper than 127 levels.
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let nested = (0..120).fold(json!(1), |inside, _| json!({"a": inside}));
    let call = Call::bare().with("d", serde_json::from_str(&deep).unwrap()).with("n", nested);
    let run = move || holds("d == d && n == n && metadata == metadata && [d, n] == [d, n]", &call);
    let verdict = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap().join().unwrap();
    assert_eq!(verdict, Verdict::Holds);
}
