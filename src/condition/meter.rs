//! What one evaluation may cost, counted while it runs: callers choose how long their lists and texts are.
//!
//! A step is one node of the expression evaluated, or 64 bytes of a caller's text read. Straight-line code is bounded when
//! it is compiled (`check`), so only loops, texts and lists are counted. When the budget is used up, loops end and texts
//! and lists read as empty, so that the evaluation winds down at once; its result is then thrown away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cel_interpreter::ExecutionError;
use cel_interpreter::common::traits::{self, Iterable, Sizer};
use cel_interpreter::common::types::{CelList, CelMap, CelMapKey, CelString, DYN_TYPE, Type};
use cel_interpreter::common::value::{CowVal, StaticVal, Val};

/// Steps of one evaluation: 16 MiB of text read once (64 B × 2^18), or 262,144 nodes. Measured natively, the worst calls use
/// it up in some 20 ms, and in 60 ms where a pattern does.
const BUDGET: u32 = 1 << 18;
/// Longest list of the caller's, in items. Expressions may hold a list a hundred times over (`prepare`); this keeps all its
/// copies in some 30 MB.
const MAX_LIST_ITEMS: usize = 8192;
/// Bytes of text that count as one step.
const BYTES_PER_STEP: usize = 64;

/// The budget of one evaluation.
#[derive(Debug)]
pub(super) struct Meter {
    // Atomic only because the CEL crate wants values to be `Sync`; one evaluation never leaves its thread.
    left: AtomicU32,
    /// What a text reads as when the budget is used up.
    pub(super) nothing: CelString<'static>,
}

impl Default for Meter {
    fn default() -> Self {
        Meter { left: AtomicU32::new(BUDGET), nothing: CelString::default() }
    }
}

/// The note of an evaluation that used up its budget.
pub(super) fn too_much() -> String {
    format!(
        "the call is too large for the expression, which may take {BUDGET} steps (64 bytes of text read are one) and \
         read lists of at most {MAX_LIST_ITEMS} items"
    )
}

impl Meter {
    /// Takes steps from the budget; false where it is used up.
    pub(super) fn spend(&self, steps: u32) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        let rest = left.saturating_sub(steps);
        self.left.store(rest, Ordering::Relaxed);
        rest > 0
    }

    /// As `spend`, for reading text, at so many steps for each 64 bytes or part of them.
    pub(super) fn spend_on_text(&self, bytes: usize, steps_each: u32) -> bool {
        let pieces = u32::try_from(bytes.div_ceil(BYTES_PER_STEP)).unwrap_or(u32::MAX);
        self.spend(pieces.saturating_mul(steps_each))
    }

    /// As `spend`, for making a list of the caller's readable.
    pub(super) fn spend_on_list(&self, items: usize) -> bool {
        match u32::try_from(items) {
            Ok(steps) if items <= MAX_LIST_ITEMS => self.spend(steps),
            _ => self.spend(u32::MAX),
        }
    }

    /// Whether the budget is used up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

/// What a loop pays with: the budget, and what one of its turns costs. An argument of [`metered`].
#[derive(Clone, Debug)]
pub(super) struct Fare {
    pub(super) meter: Arc<Meter>,
    pub(super) steps: u32,
}

pub(super) static FARE_TYPE: Type = Type::new_unspecified_type("loop fare");

impl Val for Fare {
    fn get_type(&self) -> &Type {
        &FARE_TYPE
    }
    fn cel_type() -> &'static Type {
        &FARE_TYPE
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}
impl StaticVal for Fare {}

/// `@loop(range, fare)`: the range of a loop, each turn of which is paid for.
pub(super) fn metered<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut args = args.into_iter();
    let (Some(range), Some(fare)) = (args.next(), args.next()) else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let Some(fare) = fare.downcast_ref::<Fare>().cloned() else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    // A map's keys come in the order of a randomly seeded hash table; an evaluation gives the same result each time.
    let range = match range.downcast_ref::<CelMap>() {
        Some(map) => Box::new(sorted_keys(map)),
        None => range.into_owned(),
    };
    Ok(CowVal::owned(Metered { range, fare }))
}

fn sorted_keys<'v>(map: &CelMap<'v>) -> CelList<'v> {
    let mut keys: Vec<&CelMapKey<'v>> = map.inner().keys().collect();
    keys.sort();
    CelList::from(keys.into_iter().map(|key| key.inner().clone_as_boxed()).collect::<Vec<_>>())
}

#[derive(Clone, Debug)]
struct Metered<'a> {
    range: Box<dyn Val + 'a>,
    fare: Fare,
}

impl<'a> Val for Metered<'a> {
    fn get_type(&self) -> &Type {
        self.range.get_type()
    }
    fn cel_type() -> &'static Type {
        &DYN_TYPE
    }
    fn as_sizer(&self) -> Option<&dyn Sizer> {
        self.range.as_sizer()
    }
    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        self.range.as_iterable().map(|_| self as &(dyn Iterable + 'v))
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }
}

impl<'a> Iterable for Metered<'a> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn traits::Iterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        let turns: Turns<'b, 'a> =
            Turns { items: self.range.as_iterable().map(Iterable::iter), fare: &self.fare };
        Box::new(turns)
    }
}

struct Turns<'b, 'a> {
    items: Option<Box<dyn traits::Iterator<'b, 'a> + 'b>>,
    fare: &'b Fare,
}

impl<'b, 'v, 'a: 'v> traits::Iterator<'b, 'v> for Turns<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        let item = self.items.as_mut()?.next()?;
        self.fare.meter.spend(self.fare.steps).then_some(item)
    }
}
