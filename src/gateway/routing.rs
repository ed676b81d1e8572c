//! What the rules make of a call: which downstreams it goes to, and what is done to it on its way.
//!
//! In scope: precedence among rules, the model's name at a downstream, the steps that a call meets there. Out of scope: how
//! rules are read ([`super::rules`]), the order of a call's other names (`edge::call`), what a step does (`plugin`).

use std::collections::BTreeSet;

use super::{Downstream, Gateway, Rule, Target};
use crate::dialect::Dialect;
use crate::plugin::Step;

/// A call as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The path as it stands in the URL.
    pub path: &'a str,
    /// The caller's dialect.
    pub dialect: Dialect,
    /// The model that it names.
    pub model: &'a str,
}

/// The steps that a call meets on its way to one downstream, those of the most specific rule first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline<'a>(Vec<&'a Step>);

impl Gateway {
    /// The targets, in the order in which they are called, of a call whose model a rule names: those of the first such rule
    /// that has any. Empty where no rule claims it.
    pub fn claimed<'a>(&'a self, asked: &Asked<'a>) -> Vec<Target<'a>> {
        let names_it = |rule: &&Rule| rule.models.iter().any(|model| model == asked.model);
        self.first_with_targets(asked, names_it)
    }

    /// The targets of a call whose model nothing else knows: those of the first rule for every model that picks a downstream.
    pub fn caught<'a>(&'a self, asked: &Asked<'a>) -> Vec<Target<'a>> {
        self.first_with_targets(asked, |rule| rule.models.is_empty() && !rule.downstreams.is_empty())
    }

    /// The models that rules name, by which a caller may ask; each once, in order of precedence.
    pub fn claimable(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let enabled = self.rules.iter().filter(|rule| rule.is_enabled);
        let named = enabled.flat_map(|rule| rule.models.iter().map(move |model| (rule, model.as_str())));
        named
            .filter(|(rule, model)| !self.targets(rule, model).is_empty() && seen.insert(*model))
            .map(|(_, model)| model)
            .collect()
    }

    /// What is done to a call on its way to a target. A rule that names models is met by the name that was asked for, and by
    /// the one that the model has at the downstream.
    pub fn pipeline(&self, asked: &Asked<'_>, target: &Target<'_>) -> Pipeline<'_> {
        if self.rules.is_empty() {
            return Pipeline::default();
        }
        let is_met = |rule: &&Rule| {
            rule.is_for(asked.path, asked.dialect)
                && (rule.models.is_empty()
                    || rule.models.iter().any(|model| model == asked.model || model == target.model))
                && rule.takes(target.downstream)
        };
        Pipeline(self.rules.iter().filter(is_met).flat_map(|rule| &rule.steps).collect())
    }

    fn first_with_targets<'a>(
        &'a self,
        asked: &Asked<'a>,
        which: impl Fn(&&'a Rule) -> bool,
    ) -> Vec<Target<'a>> {
        let rules = self.rules.iter().filter(|rule| rule.is_for(asked.path, asked.dialect)).filter(which);
        let mut targets = rules.map(|rule| self.targets(rule, asked.model));
        targets.find(|targets| !targets.is_empty()).unwrap_or_default()
    }

    /// Whom a rule sends a model to: the downstreams that it names, else those that list the model; as far as its filters
    /// take them.
    fn targets<'a>(&'a self, rule: &'a Rule, model: &'a str) -> Vec<Target<'a>> {
        let is_named = !rule.downstreams.is_empty();
        let ids = if is_named { &rule.downstreams } else { &self.order };
        let downstreams = ids.iter().filter_map(|id| self.downstreams.get(id));
        let taken =
            downstreams.filter(|downstream| rule.takes(downstream) && (is_named || downstream.lists(model)));
        taken.map(|downstream| Target { downstream, model: downstream.name_of(model) }).collect()
    }
}

impl Downstream {
    fn lists(&self, model: &str) -> bool {
        self.models.iter().any(|listed| listed == model)
    }

    /// The name by which it is asked for a model that a rule sends it: as it is where it lists it, else the one model that
    /// it lists, else as it is, less its own id before a slash.
    fn name_of<'a>(&'a self, model: &'a str) -> &'a str {
        if self.lists(model) {
            return model;
        }
        let bare = model.strip_prefix(self.id.as_str()).and_then(|rest| rest.strip_prefix('/'));
        match (bare, self.models.as_slice()) {
            (Some(bare), _) if !bare.is_empty() => bare,
            (_, [only]) => only,
            _ => model,
        }
    }
}

impl Pipeline<'_> {
    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The dialect in which a downstream is spoken to. Translation comes by itself, so a step that asks for the same is
    /// dropped; only where the downstream speaks the caller's dialect too does a step from that one decide.
    pub fn dialect(&self, caller: Dialect, downstream: &Downstream) -> Dialect {
        let wanted = self.0.iter().find_map(|step| match step {
            Step::Translate(from, to) if *from == caller && downstream.speaks(*to) => Some(*to),
            _ => None,
        });
        wanted.unwrap_or_else(|| downstream.dialect_for(caller))
    }

    /// Headers that are added, names in lower case; of two of a name the first holds, which is that of the most specific rule.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in self.0.iter().flat_map(|step| match step {
            Step::Headers(headers) => headers.as_slice(),
            _ => &[],
        }) {
            if headers.iter().all(|(other, _)| other != name) {
                headers.push((name.clone(), value.clone()));
            }
        }
        headers
    }

    /// The steps that may change a request's body, each once.
    pub fn request_steps(&self) -> Vec<&Step> {
        let mut steps: Vec<&Step> = Vec::new();
        for step in &self.0 {
            let changes = matches!(step, Step::BreakRepeat | Step::FixAnthropicImages);
            if changes && !steps.contains(step) {
                steps.push(step);
            }
        }
        steps
    }

    /// Whether a step is among its own.
    pub fn has(&self, step: &Step) -> bool {
        self.0.contains(&step)
    }
}
