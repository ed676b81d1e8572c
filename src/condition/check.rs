//! What may be written: bounds on size and depth, functions that exist, and mistakes that would never hold.
//!
//! Everything is refused here, when a document is read, that would otherwise trap, or fail on each call in silence.

use std::collections::BTreeSet;

use cel_interpreter::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel_interpreter::parser::PrattParser;

use super::{MAX_SOURCE_BYTES, functions};

/// Deepest nesting of parentheses, brackets and operators that the parser descends into.
const MAX_PARSE_DEPTH: u16 = 32;
/// Deepest expression tree. Evaluation recurses; a worker's stack is 1 MiB.
const MAX_DEPTH: usize = 48;
/// Most nodes of an expression tree; a macro such as `exists` is about ten.
const MAX_NODES: usize = 512;

/// Parses a source that is short enough, into a tree that is small enough to be walked by recursion.
pub(super) fn parse(source: &str) -> Result<IdedExpr, String> {
    if source.trim().is_empty() {
        return Err(
            "the expression is empty: write a condition such as tier == \"premium\", or true".to_owned()
        );
    }
    if source.len() > MAX_SOURCE_BYTES {
        return Err(format!(
            "the expression is {} bytes long; the longest is {MAX_SOURCE_BYTES}: split it into several routes, or move \
             what it knows into metadata",
            source.len()
        ));
    }
    let tree = PrattParser::new().max_recursion_depth(MAX_PARSE_DEPTH).parse(source).map_err(|errors| {
        let first = errors.errors.first().map(|error| (error.pos, error.msg.as_str()));
        syntax_fault(source, first.unwrap_or(((0, 0), "unknown error")))
    })?;
    let mut nodes = 0;
    measure(&tree, 1, &mut nodes)?;
    Ok(tree)
}

fn syntax_fault(source: &str, ((line, column), message): ((isize, isize), &str)) -> String {
    if message.contains("recursion limit") {
        return too_deep();
    }
    let message = message.trim_start_matches("Syntax error: ");
    let place = if line > 0 { format!(" at line {line}, column {column}") } else { String::new() };
    let hint = hint(source, message).map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("the expression does not parse{place}: {message}{hint}")
}

/// What the author of a source that does not parse may have meant.
fn hint(source: &str, message: &str) -> Option<&'static str> {
    let has_word =
        |word: &str| source.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word);
    if message.contains("has() macro") {
        Some("`has` takes a field: write has(metadata.key)")
    } else if has_word("if") || has_word("else") {
        Some("CEL has no `if`: write condition ? 'one' : 'other'")
    } else if has_word("and") || has_word("or") || has_word("not") {
        Some("CEL writes `&&`, `||` and `!`")
    } else if message.contains("'='") || message.contains("'=='") && source.contains("===") {
        Some("CEL compares with `==`")
    } else {
        None
    }
}

fn too_deep() -> String {
    format!(
        "the expression is nested too deeply: at most {MAX_PARSE_DEPTH} brackets and {MAX_DEPTH} operations in one another"
    )
}

fn measure(node: &IdedExpr, depth: usize, nodes: &mut usize) -> Result<(), String> {
    *nodes += 1;
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    if *nodes > MAX_NODES {
        return Err(format!("the expression has too many parts: more than {MAX_NODES}"));
    }
    children(&node.expr).into_iter().try_for_each(|child| measure(child, depth + 1, nodes))
}

/// The parts of a node, in the order of evaluation.
fn children(expr: &Expr) -> Vec<&IdedExpr> {
    match expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Struct(fields) => fields.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Comprehension(each) => {
            vec![&each.iter_range, &each.accu_init, &each.loop_cond, &each.loop_step, &each.result]
        }
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// Checks a tree, and gives the top-level names that it mentions.
pub(super) fn check(tree: &IdedExpr) -> Result<BTreeSet<String>, String> {
    let mut checker = Checker::default();
    checker.visit(tree)?;
    Ok(checker.names)
}

#[derive(Default)]
struct Checker {
    names: BTreeSet<String>,
    /// Variables of the loops around the node.
    loop_variables: Vec<String>,
}

impl Checker {
    fn visit(&mut self, node: &IdedExpr) -> Result<(), String> {
        match &node.expr {
            Expr::Unspecified => return Err("the expression is incomplete".to_owned()),
            Expr::Struct(_) => {
                return Err("messages of a type (Name{…}) are not supported: write a map".to_owned());
            }
            Expr::Literal(LiteralValue::Bytes(_)) => {
                return Err("bytes (b\"…\") are not supported: write a string".to_owned());
            }
            Expr::Ident(name) => self.mention(name),
            Expr::Call(call) => self.call(call)?,
            Expr::Map(map) if !map.entries.iter().all(|entry| has_literal_key(&entry.expr)) => {
                return Err("the keys of a map must be literals, as in {'a': 1}".to_owned());
            }
            Expr::Comprehension(each) => {
                self.visit(&each.iter_range)?;
                self.loop_variables.push(each.iter_var.clone());
                for part in [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result] {
                    self.visit(part)?;
                }
                self.loop_variables.pop();
                return Ok(());
            }
            _ => {}
        }
        children(&node.expr).into_iter().try_for_each(|child| self.visit(child))
    }

    fn mention(&mut self, name: &str) {
        let is_internal = name.starts_with('@');
        if !is_internal && !self.loop_variables.iter().any(|variable| variable == name) {
            // A leading dot means the name outside all loops.
            self.names.insert(name.trim_start_matches('.').to_owned());
        }
    }

    /// Whether a node is this top-level name, and not a loop's variable of the same name.
    fn is_name(&self, node: &IdedExpr, name: &str) -> bool {
        matches!(&node.expr, Expr::Ident(found) if found == name)
            && !self.loop_variables.iter().any(|variable| variable == name)
    }

    fn call(&self, call: &CallExpr) -> Result<(), String> {
        let is_operator = OPERATORS.contains(&call.func_name.as_str());
        if !is_operator && let Some(fault) = functions::fault(call) {
            return Err(fault);
        }
        let faults = [
            self.user_as_text(call),
            self.dash_in_header(call),
            self.capital_in_header(call),
            map_in_list(call),
        ];
        faults.into_iter().flatten().next().map_or(Ok(()), Err)
    }

    /// `user == "…"`: `user` is a map, so that this never holds.
    fn user_as_text(&self, call: &CallExpr) -> Option<String> {
        let suspects = match call.func_name.as_str() {
            operators::IN | operators::INDEX => call.args.iter().take(1).collect::<Vec<_>>(),
            "size" | "dyn" | "type" | "last" => return None,
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::CONDITIONAL => return None,
            _ => call.target.as_deref().into_iter().chain(&call.args).collect(),
        };
        let indexed = call.func_name == operators::INDEX;
        let found = !indexed && suspects.into_iter().any(|part| self.is_name(part, "user"));
        found.then(|| {
            "`user` is a map (the metadata, and `id`), not a string: use user_id, or a field such as user.tier".to_owned()
        })
    }

    /// `headers.user-agent` reads as `headers.user` minus `agent`.
    fn dash_in_header(&self, call: &CallExpr) -> Option<String> {
        let header = match call.args.first().map(|left| &left.expr) {
            Some(Expr::Select(select)) if call.func_name == operators::SUBSTRACT => select,
            _ => return None,
        };
        self.is_name(&header.operand, "headers").then(|| {
            format!(
                "headers.{}-… reads as a subtraction: write the whole name as headers['{}-…']",
                header.field, header.field
            )
        })
    }

    /// `headers['X-Plan']`: names of headers are lower-case.
    fn capital_in_header(&self, call: &CallExpr) -> Option<String> {
        let [map, key] = call.args.as_slice() else { return None };
        let Expr::Literal(LiteralValue::String(name)) = &key.expr else { return None };
        let name = name.inner();
        let is_wrong = call.func_name == operators::INDEX
            && self.is_name(map, "headers")
            && name.chars().any(|letter| letter.is_ascii_uppercase());
        is_wrong.then(|| {
            format!("names of headers are lower-case: write headers['{}']", name.to_ascii_lowercase())
        })
    }
}

/// The operators of CEL, as the parser names them. A function of one's own may well begin with `_`.
const OPERATORS: [&str; 19] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
    operators::NOT_STRICTLY_FALSE,
];

fn has_literal_key(entry: &EntryExpr) -> bool {
    matches!(entry, EntryExpr::MapEntry(entry) if matches!(entry.key.expr, Expr::Literal(_)))
}

/// `x in [{…}]`: a map in a list literal is never equal to one of the call's, which the CEL crate sees as another kind.
fn map_in_list(call: &CallExpr) -> Option<String> {
    let Some(Expr::List(list)) = call.args.get(1).map(|right| &right.expr) else { return None };
    let has_map = list.elements.iter().any(|element| matches!(element.expr, Expr::Map(_)));
    (call.func_name == operators::IN && has_map)
        .then(|| "`in` does not find maps: compare their fields instead".to_owned())
}
