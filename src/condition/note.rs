//! What is said of an expression that gave no value.
//!
//! Notes go into response headers and logs, so they name types and operators and never hold a value: most of the CEL
//! crate's own messages do.

use cel_interpreter::common::ast::operators;
use cel_interpreter::common::value::Val;
use cel_interpreter::objects::ValueType;
use cel_interpreter::{ExecutionError, OverloadError, Value};

use super::prepare::JOIN;

/// Why an evaluation gave no value.
#[derive(Debug)]
pub(super) enum Failure {
    /// A name or a key that it needs is missing from the call; the name, where it stands in the expression.
    Missing(Option<String>),
    /// Anything else, as a note.
    Erred(String),
}

/// The name of a value's type.
pub(super) fn type_of(value: &dyn Val) -> &str {
    value.get_type().name()
}

/// What an error means.
pub(super) fn failure(error: &ExecutionError) -> Failure {
    Failure::Erred(match error {
        // Functions are known to exist, so a reference that is not declared is a name that the call does not have.
        ExecutionError::UndeclaredReference(name) => return Failure::Missing(Some(name.to_string())),
        ExecutionError::NoSuchKey(_) => return Failure::Missing(None),
        ExecutionError::NoSuchOverload(overload) => no_such_overload(overload),
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let operator = written(operator);
            format!("no such overload: {operator} ({}, {})", type_name(left), type_name(right))
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} cannot be compared", type_name(left), type_name(right))
        }
        ExecutionError::UnexpectedType { got, want } => format!("a value is of type {got}, not {want}"),
        ExecutionError::UnsupportedKeyType(key) => format!("{} cannot be a key of a map", type_name(key)),
        ExecutionError::UnsupportedIndex(index, value) => {
            format!("no such overload: _[_] ({}, {})", type_name(value), type_name(index))
        }
        ExecutionError::FunctionError { function, message } if function == JOIN => format!("`+` {message}"),
        ExecutionError::FunctionError { function, .. } => {
            format!("`{function}` cannot take the value it was given")
        }
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "remainder of a division by zero".to_owned(),
        ExecutionError::Overflow(operator, ..) => format!("{} overflows", written(operator)),
        ExecutionError::IndexOutOfBounds(_) => "an index is outside its list".to_owned(),
        ExecutionError::DuplicateKey(_) => "a map has the same key twice".to_owned(),
        // The rest cannot come of an expression that compiled; their messages may hold values.
        _ => "it could not be evaluated".to_owned(),
    })
}

/// The name of the type of an error's value, as in the rest of CEL.
fn type_name(value: &Value) -> String {
    match value.type_of() {
        ValueType::Float => "double".to_owned(),
        ValueType::Null => "null_type".to_owned(),
        other => other.to_string(),
    }
}

/// An operator by the name that overloads have; the CEL crate's arithmetic has names of its own.
fn written(operator: &str) -> &str {
    match operator {
        "add" => operators::ADD,
        "sub" => operators::SUBSTRACT,
        "mul" => operators::MULTIPLY,
        "div" => operators::DIVIDE,
        "rem" => operators::MODULO,
        "negate" => operators::NEGATE,
        other => other,
    }
}

fn no_such_overload(overload: &OverloadError) -> String {
    let operator = match overload.function() {
        operators::IN => "in",
        operator => operator,
    };
    format!("no such overload: {operator} ({})", overload.argument_types().join(", "))
}
