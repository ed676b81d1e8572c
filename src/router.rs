//! A router that is valid by construction: what the hot path reads.
//!
//! In scope: the parsed form, and what is derived from it once (salts, epochs, references). Out of scope: how it is
//! written in KV (`document`), and choosing ([`crate::decision`]). Nothing here is checked twice.

mod document;
pub mod edit;
mod epoch;
mod ids;
mod parameters;
pub mod plan;
pub mod ramp;
mod selection;
mod share;
mod templates;
mod variant;

use std::rc::Rc;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use document::ROUTER as DOCUMENT;
pub use document::parse;

use crate::assignment::{Entrant, Weight};
use crate::condition::Expression;
pub use crate::document::MAX_BYTES;
use crate::exchange::plan::Failover;
use crate::fault::Fault;
use crate::treatment::Treatment;
use ramp::Ramp;

/// A named definition: what an app names as its `model`.
#[derive(Debug)]
pub struct Router {
    /// The name of its KV key, less the prefix.
    pub name: String,
    /// Who is assigned, where the router says so itself.
    pub sticky_by: Option<Expression>,
    /// What it chooses by.
    pub choice: Choice,
    /// The route where no other holds.
    pub default: Option<Route>,
    /// Whether streams are asked for their usage.
    pub usage: UsageMode,
    /// Whether a condition looks at the caller's headers, which are not read otherwise.
    pub reads_headers: bool,
    /// What is odd in the document and harmless to traffic.
    pub warnings: Vec<Fault>,
}

/// How a router chooses.
#[derive(Debug)]
pub enum Choice {
    /// The first route whose condition holds.
    Routes(Vec<(Expression, Route)>),
    /// One expression whose value is the model, which is the variant as well. It has no weights.
    Rule(Rule),
}

/// Weighted variants, of which a unit gets one.
#[derive(Debug)]
pub struct Route {
    /// Its id, given or derived.
    pub id: Rc<str>,
    /// What its units are hashed with.
    pub salt: String,
    /// At least one; their own weights sum to 100 %. Which weights hold now, [`Route::at`] says.
    pub variants: Vec<Variant>,
    /// Of the variants' own weights. Identifies arms and weights: figures of two epochs are never simply added.
    pub epoch: Epoch,
    /// Other weights from given moments on.
    pub ramp: Option<Box<Ramp>>,
}

/// A route at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Phase<'r> {
    /// Its variants, with the weights that hold then.
    pub variants: &'r [Variant],
    /// Of these weights.
    pub epoch: Epoch,
}

impl Route {
    /// The route as it is at `now`, in milliseconds since 1970.
    pub fn at(&self, now: u64) -> Phase<'_> {
        match self.ramp.as_ref().and_then(|ramp| ramp.step_at(now)) {
            None => Phase { variants: &self.variants, epoch: self.epoch },
            Some(step) => Phase { variants: &step.variants, epoch: step.epoch },
        }
    }
}

impl<'r> Phase<'r> {
    /// The variants as they enter the race.
    pub fn entrants(self) -> impl Iterator<Item = Entrant<'r>> + Clone {
        self.variants.iter().map(|variant| Entrant { id: &variant.id, weight: variant.weight })
    }
}

/// One arm.
#[derive(Debug)]
pub struct Variant {
    /// Its id, given or derived.
    pub id: Rc<str>,
    /// `provider/model`.
    pub model: Rc<str>,
    /// Its share of the route's units.
    pub weight: Weight,
    /// Stands for router, route and variant in request ids.
    pub reference: [u8; 8],
    /// Its parameters and prompts.
    pub treatment: Rc<Treatment>,
    /// For the case that the model fails; no part of the epoch, for it changes who serves and not what is compared.
    pub failover: Rc<Failover>,
}

/// An expression in place of routes.
#[derive(Debug)]
pub struct Rule {
    /// Gives `provider/model`.
    pub expression: Expression,
    /// The hash of its source, parameters and prompts.
    pub epoch: Epoch,
    /// The shares that its author expects of each model, without which the split cannot be checked.
    pub expected: Option<Vec<(String, Weight)>>,
    /// The router's own parameters and prompts, whichever model it gives.
    pub treatment: Rc<Treatment>,
    /// For the case that the model fails: the router's own settings.
    pub failover: Rc<Failover>,
}

/// The route id of what a rule chose.
pub const RULE_ROUTE: &str = "rule";

/// Eight bytes of a content hash over arms and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(pub [u8; 8]);

impl Epoch {
    /// 16 hex digits, as records have it.
    pub fn hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

/// Whether Turnout asks for the usage of streams whose caller did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageMode {
    /// It does, and keeps the extra chunk from the caller.
    #[default]
    Always,
    /// It does not: usage is unknown where the caller does not ask.
    AsAsked,
}

/// Whether a name can be a router's: `^[a-z0-9][a-z0-9-]{0,62}$`.
pub fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The router that a `model` names by prefix: `turnout/x`, `inworld/x`, `routers/x`.
pub fn named_by(model: &str) -> Option<&str> {
    PREFIXES.iter().find_map(|prefix| model.strip_prefix(prefix)?.strip_prefix('/'))
}

/// What precedes a router's name in a `model`; no provider can have one of these ids.
pub const PREFIXES: [&str; 3] = ["turnout", "inworld", "routers"];

/// Whether what a rule gives can be a variant and its model: `provider/model`, never a router, and of the form of an id.
pub fn is_model(model: &str) -> bool {
    variant::model_fault(model).is_none() && ids::is_id(model)
}

impl Router {
    /// Every route in order of precedence, with its condition; the default route, which has none, last.
    pub fn routes(&self) -> impl Iterator<Item = (Option<&Expression>, &Route)> {
        let conditional: &[(Expression, Route)] = match &self.choice {
            Choice::Routes(routes) => routes,
            Choice::Rule(_) => &[],
        };
        let default = self.default.iter().map(|route| (None, route));
        conditional.iter().map(|(condition, route)| (Some(condition), route)).chain(default)
    }

    /// Every expression of the router.
    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let (routes, rule): (&[_], _) = match &self.choice {
            Choice::Routes(routes) => (routes, None),
            Choice::Rule(rule) => (&[], Some(&rule.expression)),
        };
        routes.iter().map(|(condition, _)| condition).chain(rule).chain(&self.sticky_by)
    }
}

impl crate::shelf::Document for Router {
    const KEEPS_GOOD: bool = true;
    const MAX_BYTES: usize = MAX_BYTES;

    fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Fault>> {
        parse(name, bytes)
    }
}
