//! Which route and variant a call gets. Cannot fail (law 10): what is odd becomes a note.
//!
//! In scope: the unit, the first route that holds, the assignment. Out of scope: who serves the variant's model
//! (`gateway`) and what happens when nobody does.

pub mod explain;

use std::rc::Rc;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::assignment::{assign, draw};
use crate::call::Call;
use crate::condition::{Facts, Verdict};
use crate::exchange::plan::Failover;
use crate::identity::{Unit, UnitKind, reference};
use crate::router::{Choice, Epoch, RULE_ROUTE, Route, Router, Rule};
use crate::treatment::Treatment;

/// Where a call came from: what Cloudflare says of its connection. What is not known is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Two letters.
    pub country: Option<String>,
    /// Two letters.
    pub continent: Option<String>,
    /// Its name.
    pub city: Option<String>,
    /// The airport code of the data centre.
    pub colo: Option<String>,
    /// The number of the autonomous system.
    pub asn: Option<u64>,
    /// As `Europe/Berlin`.
    pub timezone: Option<String>,
}

/// Everything that a decision is made of.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The call.
    pub call: &'a Call,
    /// The path that was asked.
    pub path: &'a str,
    /// The caller's headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// Where it came from.
    pub origin: &'a Origin,
    /// Milliseconds since 1970.
    pub now: u64,
    /// Uniform over all `u64`: the draw of a call without a unit.
    pub random: u64,
}

impl<'a> Circumstances<'a> {
    /// The first header of that lower-case name.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// The variant that a unit is assigned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The route's id.
    pub route: Rc<str>,
    /// The variant's id.
    pub variant: Rc<str>,
    /// `provider/model`.
    pub model: Rc<str>,
    /// The route's epoch.
    pub epoch: Epoch,
    /// Stands for router, route and variant in request ids.
    pub reference: [u8; 8],
    /// What the variant does to the call.
    pub treatment: Rc<Treatment>,
    /// For the case that the model fails.
    pub failover: Rc<Failover>,
}

/// What was decided, and why it looks odd where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who was assigned.
    pub unit: Unit,
    /// To what; `None` where no route holds and there is no default.
    pub assigned: Option<Assigned>,
    /// Conditions that erred, one sentence each. Hold no value of the caller's.
    pub notes: Vec<String>,
}

/// Decides: the unit, then the first route whose condition holds, else the default, then the unit's variant in it.
pub fn decide(router: &Router, circumstances: &Circumstances<'_>) -> Decision {
    let mut notes = Vec::new();
    let unit = unit(router, circumstances, &mut notes);
    let facts = CallFacts::new(circumstances, unit.user_id());
    let assigned = match &router.choice {
        Choice::Routes(routes) => first_that_holds(routes, &facts, &mut notes)
            .or(router.default.as_ref())
            .and_then(|route| variant_of(route, &unit, circumstances)),
        Choice::Rule(rule) => chosen_by(rule, router, &facts, &mut notes)
            .or_else(|| variant_of(router.default.as_ref()?, &unit, circumstances)),
    };
    Decision { unit, assigned, notes }
}

/// `sticky_by` first, with the unit that the call itself names as its `user_id`; else that unit.
fn unit(router: &Router, circumstances: &Circumstances<'_>, notes: &mut Vec<String>) -> Unit {
    let named = Unit::of(circumstances.call, |name| circumstances.header(name));
    let Some(sticky_by) = &router.sticky_by else { return named };
    match sticky_by.string(&CallFacts::new(circumstances, named.user_id())) {
        Ok(Some(id)) => Unit::user(id),
        Ok(None) => named,
        Err(note) => {
            notes.push(format!("sticky_by: {note}"));
            named
        }
    }
}

fn first_that_holds<'r>(
    routes: &'r [(crate::condition::Expression, Route)],
    facts: &CallFacts<'_>,
    notes: &mut Vec<String>,
) -> Option<&'r Route> {
    routes.iter().find_map(|(condition, route)| match condition.holds(facts) {
        Verdict::Holds => Some(route),
        Verdict::DoesNotHold => None,
        Verdict::Errs(note) => {
            if notes.len() < MOST_NOTES {
                notes.push(format!("route {}: {note}", route.id));
            }
            None
        }
    })
}

/// Notes go into a response header; the first few tell what is wrong.
const MOST_NOTES: usize = 4;

fn variant_of(route: &Route, unit: &Unit, circumstances: &Circumstances<'_>) -> Option<Assigned> {
    let phase = route.at(circumstances.now);
    let position = match unit.kind {
        UnitKind::User | UnitKind::Session => assign(&route.salt, &unit.id, phase.entrants()),
        UnitKind::Call => draw(circumstances.random, phase.variants.iter().map(|variant| variant.weight)),
    };
    let variant = phase.variants.get(position?)?;
    Some(Assigned {
        route: route.id.clone(),
        variant: variant.id.clone(),
        model: variant.model.clone(),
        epoch: phase.epoch,
        reference: variant.reference,
        treatment: variant.treatment.clone(),
        failover: variant.failover.clone(),
    })
}

fn chosen_by(
    rule: &Rule,
    router: &Router,
    facts: &CallFacts<'_>,
    notes: &mut Vec<String>,
) -> Option<Assigned> {
    let model = match rule.expression.string(facts) {
        Ok(Some(model)) if crate::router::is_model(&model) => model,
        Ok(Some(_)) => {
            notes.push("rule: its value is no \"provider/model\"".to_owned());
            return None;
        }
        Ok(None) => {
            let why = rule
                .expression
                .missing(facts)
                .map(|name| format!("; `{name}` is missing"))
                .unwrap_or_default();
            notes.push(format!("rule: it gave no model{why}"));
            return None;
        }
        Err(note) => {
            notes.push(format!("rule: {note}"));
            return None;
        }
    };
    let model: Rc<str> = model.into();
    let reference = reference(&router.name, RULE_ROUTE, &model);
    Some(Assigned {
        route: RULE_ROUTE.into(),
        variant: model.clone(),
        model,
        epoch: rule.epoch,
        reference,
        treatment: rule.treatment.clone(),
        failover: rule.failover.clone(),
    })
}

/// A call's facts for conditions, each built when it is first asked for.
struct CallFacts<'a> {
    circumstances: &'a Circumstances<'a>,
    user_id: Option<&'a str>,
    messages: OnceLock<Value>,
    request: OnceLock<Value>,
    headers: OnceLock<Value>,
    cf: OnceLock<Value>,
}

impl<'a> CallFacts<'a> {
    fn new(circumstances: &'a Circumstances<'a>, user_id: Option<&'a str>) -> Self {
        let (messages, request, headers, cf) = Default::default();
        CallFacts { circumstances, user_id, messages, request, headers, cf }
    }
}

impl Facts for CallFacts<'_> {
    fn metadata(&self) -> &Map<String, Value> {
        self.circumstances.call.metadata()
    }

    fn user_id(&self) -> Option<&str> {
        self.user_id
    }

    fn messages(&self) -> &Value {
        self.messages.get_or_init(|| self.circumstances.call.messages())
    }

    fn request(&self) -> &Value {
        self.request.get_or_init(|| {
            let Circumstances { call, path, .. } = self.circumstances;
            known(json!({
                "model": call.model(),
                "path": path,
                "dialect": call.dialect().as_str(),
                "stream": call.stream(),
                "has_tools": call.has_tools(),
                "has_images": call.has_images(),
                "max_tokens": call.max_tokens(),
            }))
        })
    }

    fn headers(&self) -> &Value {
        self.headers.get_or_init(|| {
            let visible = self.circumstances.headers.iter().filter(|(name, _)| !holds_credentials(name));
            Value::Object(visible.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect())
        })
    }

    fn cf(&self) -> &Value {
        self.cf.get_or_init(|| {
            let Origin { country, continent, city, colo, asn, timezone } = self.circumstances.origin;
            known(json!({
                "country": country,
                "continent": continent,
                "city": city,
                "colo": colo,
                "asn": asn,
                "timezone": timezone,
            }))
        })
    }

    #[expect(clippy::cast_possible_wrap, reason = "seconds since 1970 are far below 2^63")]
    fn now(&self) -> i64 {
        (self.circumstances.now / 1000) as i64
    }
}

/// An object less its nulls: what is not known is missing, so that `has()` tells the truth.
fn known(mut object: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.retain(|_, value| !value.is_null());
    }
    object
}

fn holds_credentials(header: &str) -> bool {
    matches!(
        header,
        "authorization" | "proxy-authorization" | "cookie" | "x-api-key" | "api-key" | "x-goog-api-key"
    ) || header.starts_with("cf-access-")
}
