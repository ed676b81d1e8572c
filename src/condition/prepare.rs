//! Makes a checked tree ready to run: what it may cost is estimated and bounded, and what must be paid for when it runs, or
//! is better done once, is put in its place.
//!
//! - the range of each loop becomes `@loop(range, @fare:N)`, where N is what one turn costs (`meter`);
//! - the literal pattern of `matches` becomes `@pattern:N`, compiled here (`pattern`);
//! - `a + b` becomes `@join(a, b)`, which bounds what it makes (`functions`);
//! - a literal on the left of `==` goes to the right: the call's values know how to compare themselves with it.

use cel_interpreter::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators,
};

use super::pattern::Pattern;

/// Names that the source cannot hold: `@` begins no identifier of CEL.
pub(super) const LOOP: &str = "@loop";
pub(super) const JOIN: &str = "@join";
pub(super) const FARE_PREFIX: &str = "@fare:";
pub(super) const PATTERN_PREFIX: &str = "@pattern:";

/// Most steps of an evaluation whose lists are of the assumed length. Two nested loops over the call pass (50² turns of
/// some 30 steps), three do not.
const MAX_STEPS: u64 = 100_000;
/// The length that is assumed of a list of the call's. Longer ones are paid for as they are (`meter`).
const ASSUMED_ITEMS: u64 = 50;
/// Most values that an expression's result may hold, so that nested `map`s cannot double a value again and again.
const MAX_SIZE: u64 = 512;
/// What a value of the call's counts for in such a result: it may be a list.
const CALL_SIZE: u64 = 4;
/// Steps of a function over text: a hash takes as long as some ten nodes.
const FUNCTION_STEPS: u64 = 10;

/// Rewrites the tree, and gives the patterns that it now refers to by number.
pub(super) fn prepare(tree: &mut IdedExpr) -> Result<Vec<Pattern>, String> {
    let mut preparation = Preparation::default();
    let estimate = preparation.visit(tree)?;
    if estimate.steps > MAX_STEPS {
        return Err(format!(
            "the expression would take some {} steps on a call with lists of {ASSUMED_ITEMS} items; at most {MAX_STEPS} \
             are allowed: nest fewer loops",
            estimate.steps
        ));
    }
    Ok(preparation.patterns)
}

/// What one evaluation of a node costs, and what it gives.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    /// Steps, all loops run.
    steps: u64,
    /// Steps that are not paid for by the turns of a loop inside.
    straight: u64,
    /// Values in the result, itself among them.
    size: u64,
    /// Items of the result, where it is a list or a map; a loop over it takes as many turns.
    items: u64,
    /// Values in the largest of those items.
    item_size: u64,
    /// Whether the result may hold a list of the call's, whose length is not known.
    of_call: bool,
}

impl Estimate {
    const LITERAL: Estimate =
        Estimate { steps: 1, straight: 1, size: 1, items: 1, item_size: 1, of_call: false };
    const NAME: Estimate = Estimate {
        size: CALL_SIZE,
        items: ASSUMED_ITEMS,
        item_size: CALL_SIZE,
        of_call: true,
        ..Estimate::LITERAL
    };

    /// A node that does something with its parts: their work and its own, which includes a look at each.
    fn of_parts(parts: &[Estimate], own_steps: u64) -> Estimate {
        let own = Estimate { steps: own_steps, straight: own_steps, ..Estimate::LITERAL };
        parts.iter().fold(own, |sum, part| Estimate {
            steps: sum.steps.saturating_add(part.steps).saturating_add(part.size),
            straight: sum.straight.saturating_add(part.straight).saturating_add(part.size),
            ..sum
        })
    }

    /// The same work, giving a collection of the parts.
    fn collecting(self, parts: &[Estimate]) -> Estimate {
        Estimate {
            size: total(parts, |part| part.size).saturating_add(1),
            items: parts.len() as u64,
            item_size: largest(parts, |part| part.size),
            of_call: parts.iter().any(|part| part.of_call),
            ..self
        }
    }

    /// The same work, giving all the parts joined.
    fn joining(self, parts: &[Estimate]) -> Estimate {
        let joined = self.choosing(parts);
        Estimate { size: total(parts, |part| part.size), items: total(parts, |part| part.items), ..joined }
    }

    /// The same work, giving one of the parts.
    fn choosing(self, parts: &[Estimate]) -> Estimate {
        Estimate {
            size: largest(parts, |part| part.size),
            items: largest(parts, |part| part.items),
            item_size: largest(parts, |part| part.item_size),
            of_call: parts.iter().any(|part| part.of_call),
            ..self
        }
    }

    /// The same work, giving an item of a collection.
    fn picking(self, from: Estimate) -> Estimate {
        let size = from.item_size;
        let items = if from.of_call { size.max(ASSUMED_ITEMS) } else { size };
        Estimate { size, items, item_size: size, of_call: from.of_call, ..self }
    }
}

fn total(parts: &[Estimate], of: impl Fn(&Estimate) -> u64) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(of(part)))
}

fn largest(parts: &[Estimate], of: impl Fn(&Estimate) -> u64) -> u64 {
    parts.iter().map(of).max().unwrap_or(1)
}

#[derive(Default)]
struct Preparation {
    patterns: Vec<Pattern>,
    /// Variables of the loops around the node.
    loop_variables: Vec<(String, Estimate)>,
}

impl Preparation {
    fn visit(&mut self, node: &mut IdedExpr) -> Result<Estimate, String> {
        let estimate = match &mut node.expr {
            Expr::Unspecified | Expr::Literal(_) | Expr::Struct(_) => Estimate::LITERAL,
            Expr::Ident(name) => {
                let variable = self.loop_variables.iter().rev().find(|(variable, _)| variable == name);
                variable.map_or(Estimate::NAME, |(_, estimate)| *estimate)
            }
            Expr::Select(select) => {
                let operand = self.visit(&mut select.operand)?;
                Estimate::of_parts(&[operand], 1).picking(operand)
            }
            Expr::List(list) => {
                let parts = self.visit_all(list.elements.iter_mut())?;
                Estimate::of_parts(&parts, 1).collecting(&parts)
            }
            Expr::Map(map) => {
                let values = map.entries.iter_mut().filter_map(|entry| match &mut entry.expr {
                    EntryExpr::MapEntry(entry) => Some(&mut entry.value),
                    EntryExpr::StructField(_) => None,
                });
                let parts = self.visit_all(values)?;
                Estimate::of_parts(&parts, 1 + parts.len() as u64).collecting(&parts)
            }
            Expr::Call(call) => self.call(call)?,
            Expr::Comprehension(each) => self.comprehension(each)?,
        };
        if estimate.size > MAX_SIZE {
            return Err(format!("the expression makes too large a value: of more than {MAX_SIZE} parts"));
        }
        Ok(estimate)
    }

    fn visit_all<'a>(
        &mut self,
        nodes: impl Iterator<Item = &'a mut IdedExpr>,
    ) -> Result<Vec<Estimate>, String> {
        nodes.map(|node| self.visit(node)).collect()
    }

    fn call(&mut self, call: &mut CallExpr) -> Result<Estimate, String> {
        if call.func_name == "matches" {
            self.compile_pattern(call)?;
        }
        let parts = self.visit_all(call.target.as_deref_mut().into_iter().chain(&mut call.args))?;
        let own_steps = if call.func_name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            FUNCTION_STEPS
        } else {
            1
        };
        let estimate = Estimate::of_parts(&parts, own_steps);
        Ok(match call.func_name.as_str() {
            operators::ADD => {
                if !call.args.first().is_some_and(is_internal) {
                    call.func_name = JOIN.to_owned();
                }
                estimate.joining(&parts)
            }
            operators::CONDITIONAL => estimate.choosing(parts.get(1..).unwrap_or_default()),
            operators::INDEX | "last" => parts.first().map_or(estimate, |list| estimate.picking(*list)),
            "dyn" => estimate.choosing(&parts),
            operators::EQUALS | operators::NOT_EQUALS => {
                if call.args.first().is_some_and(|left| matches!(left.expr, Expr::Map(_) | Expr::List(_))) {
                    call.args.reverse();
                }
                estimate
            }
            _ => estimate,
        })
    }

    fn compile_pattern(&mut self, call: &mut CallExpr) -> Result<(), String> {
        let Some(IdedExpr { expr, .. }) = call.args.last_mut() else { return Ok(()) };
        let Expr::Literal(LiteralValue::String(pattern)) = expr else {
            return Err(
                "the pattern of `matches` must be a string literal, as in text.matches('pattern')".to_owned()
            );
        };
        self.patterns.push(Pattern::compile(pattern.inner())?);
        *expr = Expr::Ident(format!("{PATTERN_PREFIX}{}", self.patterns.len() - 1));
        Ok(())
    }

    fn comprehension(&mut self, each: &mut ComprehensionExpr) -> Result<Estimate, String> {
        let range = self.visit(&mut each.iter_range)?;
        let collects = matches!(each.accu_init.expr, Expr::List(_));
        let accumulator = Estimate { size: 0, items: 0, ..Estimate::LITERAL };
        self.loop_variables.push((each.iter_var.clone(), Estimate::LITERAL.picking(range)));
        self.loop_variables.push((each.accu_var.clone(), accumulator));
        let condition = self.visit(&mut each.loop_cond)?;
        let step = self.visit(&mut each.loop_step)?;
        self.loop_variables.truncate(self.loop_variables.len().saturating_sub(2));

        let turn = condition.steps.saturating_add(step.steps).saturating_add(2);
        let fare = condition.straight.saturating_add(step.straight).saturating_add(2);
        pay_for_turns(each, fare);
        let estimate = Estimate {
            steps: range.steps.saturating_add(range.items.saturating_mul(turn)).saturating_add(4),
            straight: range.straight.saturating_add(range.size).saturating_add(4),
            ..Estimate::LITERAL
        };
        if !collects {
            return Ok(estimate);
        }
        Ok(Estimate {
            size: range.items.saturating_mul(step.size).saturating_add(1),
            items: range.items,
            item_size: step.item_size,
            of_call: range.of_call || step.of_call,
            ..estimate
        })
    }
}

fn is_internal(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name.starts_with('@'))
}

fn pay_for_turns(each: &mut ComprehensionExpr, fare: u64) {
    let fare =
        IdedExpr { id: 0, expr: Expr::Ident(format!("{FARE_PREFIX}{}", fare.min(u64::from(u32::MAX)))) };
    let range = std::mem::take(&mut each.iter_range);
    let metered = CallExpr { func_name: LOOP.to_owned(), target: None, args: vec![range, fare] };
    each.iter_range = IdedExpr { id: 0, expr: Expr::Call(metered) };
}
