//! Laws: nothing panics, evaluation is deterministic, notes hold no values, and a condition is one of three things.

use proptest::prelude::*;
use serde_json::{Map, Value};
use turnout::condition::{Expression, Verdict};

use super::Call;

/// Strings that a parser may see something in.
fn sources() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "tier",
        "user",
        "user_id",
        "messages",
        "metadata",
        "headers",
        "cf",
        "now",
        "request",
        "x",
        "m",
        "0",
        "1",
        "-1",
        "2.5",
        "3u",
        "'a'",
        "\"b\"",
        "'ž'",
        "true",
        "false",
        "null",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "?",
        ".",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        " in ",
        ".size()",
        ".last()",
        ".exists(x, ",
        ".all(x, ",
        ".map(x, ",
        ".filter(m, ",
        "has(",
        "user_hash(",
        "bucket(",
        "int(",
        "string(",
        "type(",
        ".matches('a')",
        ".contains(",
        "[0]",
        ".content",
        ".tier",
        "'",
        "\"",
        "\\",
        "\0",
        "@",
        "`",
        "//",
        "\n",
        "r'",
        "b'",
    ]);
    prop_oneof![
        3 => prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat()),
        1 => any::<String>(),
        1 => "[ -~]{0,80}",
    ]
}

/// Expressions that mostly compile: every operator and function over every kind of operand.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "tier",
        "plan",
        "age",
        "score",
        "tags",
        "numbers",
        "org",
        "nothing",
        "beta",
        "nope",
        "user.tier",
        "user_id",
        "messages",
        "metadata",
        "headers",
        "cf",
        "request",
        "now",
        "0",
        "1",
        "-3",
        "2.5",
        "7u",
        "'a'",
        "''",
        "true",
        "false",
        "null",
        "[1, 2]",
        "['a', tier]",
        "{'a': 1}",
        "messages.last().content",
        "9223372036854775807",
        "org.seats.used",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 32, 3, |inner| {
        let binary = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in",
        ]);
        let unary = prop::sample::select(vec![
            "!(_)",
            "-(_)",
            "size(_)",
            "int(_)",
            "double(_)",
            "string(_)",
            "bool(_)",
            "type(_)",
            "dyn(_)",
            "last(_)",
            "user_hash(_)",
            "bucket('s', _)",
            "(_).matches('(?i)^a')",
            "(_).size()",
            "(_).last()",
            "(_)[0]",
            "(_)['a']",
            "(_).a",
            "has(metadata.a) || (_)",
            "(_).all(x, x == 1)",
            "(_).exists(x, x != 'a')",
            "(_).map(x, x)",
            "(_).filter(x, x == x)",
            "(_).exists_one(x, x == 'a')",
            "[_]",
            "{'k': _}",
        ]);
        let binary_function = prop::sample::select(vec!["contains", "startsWith", "endsWith"]);
        prop_oneof![
            (inner.clone(), binary, inner.clone())
                .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
            (unary, inner.clone()).prop_map(|(shape, operand)| shape.replace('_', &operand)),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            (inner.clone(), binary_function, inner.clone())
                .prop_map(|(text, name, part)| format!("({text}).{name}({part})")),
            (inner.clone(), inner).prop_map(|(list, body)| format!("({list}).exists(x, ({body}) == x)")),
        ]
    })
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn calls() -> impl Strategy<Value = Call> {
    let keys = prop::sample::select(vec![
        "tier", "plan", "age", "score", "tags", "numbers", "org", "nothing", "beta", "a", "user",
    ]);
    let metadata = prop::collection::btree_map(keys, json(), 0..8);
    (metadata, prop::option::of(".{0,12}"), json(), json(), json(), any::<i64>()).prop_map(
        |(metadata, user_id, messages, request, headers, now)| Call {
            metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>(),
            user_id,
            messages,
            request,
            headers,
            now,
            ..Call::bare()
        },
    )
}

/// Evaluates in every way, twice; what it says must be the same both times.
fn evaluate(expression: &Expression, call: &Call) -> Result<Verdict, TestCaseError> {
    let verdict = expression.holds(call);
    prop_assert_eq!(&verdict, &expression.holds(call));
    prop_assert_eq!(expression.string(call), expression.string(call));
    let again = Expression::compile(expression.source()).map_err(TestCaseError::fail)?;
    prop_assert_eq!(&verdict, &again.holds(call));
    Ok(verdict)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_source_panics(source in sources()) {
        match Expression::compile(&source) {
            Ok(expression) => {
                evaluate(&expression, &Call::full())?;
                evaluate(&expression, &Call::bare())?;
            }
            Err(fault) => prop_assert!(!fault.is_empty() && fault.len() < 4_000),
        }
    }

    #[test]
    fn no_expression_panics_on_any_call(source in expressions(), call in calls()) {
        if let Ok(expression) = Expression::compile(&source) {
            evaluate(&expression, &call)?;
            evaluate(&expression, &Call::full())?;
        }
    }

    #[test]
    fn a_condition_and_its_negation_never_both_hold(source in expressions(), call in calls()) {
        if let (Ok(one), Ok(negation)) = (Expression::compile(&source), Expression::compile(&format!("!({source})"))) {
            match (one.holds(&call), negation.holds(&call)) {
                (Verdict::Holds, negation) => prop_assert_eq!(negation, Verdict::DoesNotHold),
                (Verdict::DoesNotHold, negation) => prop_assert!(!matches!(negation, Verdict::Errs(_))),
                (Verdict::Errs(_), negation) => prop_assert!(matches!(negation, Verdict::Errs(_))),
            }
        }
    }

    #[test]
    fn equality_of_values_is_symmetric(one in json(), other in json()) {
        let call = Call::bare().with("one", one.clone()).with("other", other.clone());
        let verdict = |source: &str| Expression::compile(source).map(|expression| expression.holds(&call));
        prop_assert_eq!(verdict("one == other"), verdict("other == one"));
        prop_assert_eq!(verdict("one == one && {'a': one} == {'a': one} && [one] == [one]"), Ok(Verdict::Holds));
    }

    #[test]
    fn integers_of_json_are_ints_where_they_fit(number in any::<i64>()) {
        let call = Call::bare().with("n", number.into());
        let source = format!("n == {number} && type(n) == int && n % 7 == {}", number % 7);
        prop_assert_eq!(Expression::compile(&source).map(|expression| expression.holds(&call)), Ok(Verdict::Holds));
    }
}
