//! Downstreams: the built-in providers and those of the KV key `gateway`, which of them serves a model, and the rules.
//!
//! In scope: a gateway that is valid by construction, and its look-ups. Out of scope: the request that is sent (`outbound`),
//! what a rule's steps do (`plugin`), `demo/…` models, which the worker serves itself.

mod base_url;
mod document;
pub mod edit;
mod formats;
mod host;
mod routing;
mod rules;

use std::collections::BTreeMap;
use std::fmt;

use crate::dialect::Dialect;
use crate::document::Format;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::provider::{self, Habits, PROVIDERS, Provider};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use document::{DOCUMENT, DOWNSTREAM};
pub use routing::{Asked, Pipeline};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use rules::RULE;
pub use rules::{PathPattern, Rule};

/// The id before the slash of models that the worker serves itself, where `DEMO=on`.
pub const DEMO: &str = "demo";

/// Ids that no document may give to a downstream: `DEMO`, and the prefixes by which a request names a router.
pub const RESERVED: &[&str] = &["turnout", "inworld", "routers", DEMO];

/// What is shown in place of a literal key, and what stands for it in a document that comes back (law 8).
pub const KEPT: &str = "***";

/// Every downstream by id. A default one has the built-ins alone.
#[derive(Clone, Debug)]
pub struct Gateway {
    downstreams: BTreeMap<String, Downstream>,
    /// The ids of the document's downstreams, in its order.
    order: Vec<String>,
    /// A listed model to the first downstream, in the document's order, that lists it.
    listed: BTreeMap<String, String>,
    /// By falling specificity, then in the document's order.
    rules: Vec<Rule>,
    /// What is odd in the document.
    warnings: Vec<Fault>,
}

/// An endpoint that serves models.
#[derive(Clone, Debug)]
pub struct Downstream {
    /// What comes before the slash of a model.
    pub id: String,
    /// For people.
    pub name: String,
    /// Without trailing slash; of a document's, the host in lower case and no default port.
    pub base_url: String,
    /// What it speaks, each dialect once; never empty.
    pub spoken: Vec<Spoken>,
    /// What it is called with.
    pub credential: Credential,
    /// What it expects of a request.
    pub habits: Habits,
    /// The models that its document lists; others are called as `id/model` all the same.
    pub models: Vec<String>,
    /// Whether it stands in the document, rather than only in the table of built-ins.
    pub configured: bool,
}

/// A dialect that a downstream speaks, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Which.
    pub dialect: Dialect,
    /// Its endpoints are below this URL, which has no trailing slash and is at the scheme, host and port of `base_url` (law 8).
    /// A built-in's may hold `{NAME}`, a variable of the worker.
    pub root: String,
}

/// What a downstream is called with. `Debug` never shows a literal.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// The secret of that name.
    Secret(String),
    /// A key that stands in the document itself.
    Literal(String),
    /// None at all: no credential is sent.
    None,
}

/// A downstream, and the name by which it knows the model.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Who serves it.
    pub downstream: &'a Downstream,
    /// The model's name there.
    pub model: &'a str,
}

impl Gateway {
    /// Reads the KV document `gateway`: the gateway and its warnings, or every fault that it has (at most 64 are listed).
    pub fn parse(bytes: &[u8]) -> Result<(Gateway, Vec<Fault>), Vec<Fault>> {
        Gateway::parse_as(Format::Either, bytes)
    }

    /// As [`Gateway::parse`], of a document that is said to be in a format.
    pub fn parse_as(format: Format, bytes: &[u8]) -> Result<(Gateway, Vec<Fault>), Vec<Fault>> {
        document::parse(format, bytes)
    }

    /// The rules, the most specific first.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The downstream and model that `provider/model` names. The first slash divides: `openrouter/anthropic/claude-x`
    /// is the model `anthropic/claude-x` of `openrouter`. Fails with `ModelNotFound`.
    pub fn target<'a>(&'a self, model: &'a str) -> Result<Target<'a>, Error> {
        let Some((id, name)) = model.split_once('/') else {
            let message =
                format!("`{}` names no provider; write provider/model, as openai/gpt-5", shortened(model));
            return Err(not_found(message));
        };
        match self.downstreams.get(id) {
            Some(_) if name.is_empty() => {
                Err(not_found(format!("`{}` names no model; write provider/model", shortened(model))))
            }
            Some(downstream) => Ok(Target { downstream, model: name }),
            None => Err(not_found(format!(
                "no provider is called `{}`; the nearest are {}",
                shortened(id),
                self.nearest(id).join(", ")
            ))),
        }
    }

    /// The downstream that lists a model of that very name; the document's first where several do.
    pub fn by_listed_model<'a>(&'a self, model: &'a str) -> Option<Target<'a>> {
        let downstream = self.downstreams.get(self.listed.get(model)?)?;
        Some(Target { downstream, model })
    }

    /// A downstream by id.
    pub fn downstream(&self, id: &str) -> Option<&Downstream> {
        self.downstreams.get(id)
    }

    /// Every downstream, by id.
    pub fn downstreams(&self) -> impl Iterator<Item = &Downstream> {
        self.downstreams.values()
    }

    /// `downstream/model` of every listed model, by downstream id and then in the document's order.
    pub fn models(&self) -> impl Iterator<Item = String> {
        self.downstreams()
            .flat_map(|downstream| downstream.models.iter().map(|model| format!("{}/{model}", downstream.id)))
    }

    /// The built-ins, replaced where the document has one of that id. There are no rules yet.
    fn with(configured: Vec<Downstream>) -> Gateway {
        let mut listed = BTreeMap::new();
        for downstream in &configured {
            for model in &downstream.models {
                listed.entry(model.clone()).or_insert_with(|| downstream.id.clone());
            }
        }
        let order = configured.iter().map(|downstream| downstream.id.clone()).collect();
        let builtins = PROVIDERS.iter().map(Downstream::builtin);
        let downstreams =
            builtins.chain(configured).map(|downstream| (downstream.id.clone(), downstream)).collect();
        Gateway { downstreams, order, listed, rules: Vec::new(), warnings: Vec::new() }
    }

    /// The three ids that are most like `id`; another name of a provider stands for its id.
    fn nearest(&self, id: &str) -> Vec<&str> {
        let ids = self.downstreams.keys().map(|known| (known.as_str(), known.as_str()));
        let aliases = provider::ALSO_KNOWN_AS.iter().copied();
        let id = shortened(id);
        let mut ranked: Vec<(usize, &str)> =
            ids.chain(aliases).map(|(name, known)| (strsim::damerau_levenshtein(name, &id), known)).collect();
        ranked.sort_unstable();
        let mut nearest = Vec::new();
        for (_, known) in ranked {
            if !nearest.contains(&known) {
                nearest.push(known);
            }
        }
        nearest.truncate(3);
        nearest
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Gateway::with(Vec::new())
    }
}

impl Downstream {
    /// The dialect in which it serves a caller: the caller's own where it speaks it, else the nearest that it speaks.
    pub fn dialect_for(&self, caller: Dialect) -> Dialect {
        if self.speaks(caller) {
            return caller;
        }
        let spoken: Vec<Dialect> = self.spoken.iter().map(|spoken| spoken.dialect).collect();
        caller.nearest(&spoken).unwrap_or(caller)
    }

    /// Whether it speaks a dialect.
    pub fn speaks(&self, dialect: Dialect) -> bool {
        self.root_of(dialect).is_some()
    }

    /// The URL that a dialect's endpoints are below, where it is spoken.
    pub fn root_of(&self, dialect: Dialect) -> Option<&str> {
        self.spoken.iter().find(|spoken| spoken.dialect == dialect).map(|spoken| spoken.root.as_str())
    }

    fn builtin(provider: &Provider) -> Downstream {
        let spoken = provider.spoken.iter().map(|dialect| Spoken {
            dialect: *dialect,
            root: format!("https://{}{}", provider.host(), provider.path_of(*dialect).unwrap_or_default()),
        });
        Downstream {
            id: provider.id.to_owned(),
            name: provider.name.to_owned(),
            base_url: provider.base_url.to_owned(),
            spoken: spoken.collect(),
            credential: Credential::Secret(provider.secret()),
            habits: provider.habits,
            models: Vec::new(),
            configured: false,
        }
    }
}

impl fmt::Display for Target<'_> {
    /// `downstream/model`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.downstream.id, self.model)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Secret(name) => f.debug_tuple("Secret").field(name).finish(),
            Credential::Literal(_) => f.write_str("Literal(…)"),
            Credential::None => f.write_str("None"),
        }
    }
}

fn not_found(message: String) -> Error {
    Error { param: Some("model".to_owned()), ..Error::new(ErrorKind::ModelNotFound, message) }
}

/// What a message quotes of a name that may be of any length.
fn shortened(name: &str) -> String {
    const MOST: usize = 64;
    if name.chars().nth(MOST).is_none() {
        return name.to_owned();
    }
    name.chars().take(MOST).chain(['…']).collect()
}

impl crate::shelf::Document for Gateway {
    const KEEPS_GOOD: bool = true;
    const MAX_BYTES: usize = crate::document::MAX_BYTES;

    fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    fn parse(_: &str, bytes: &[u8]) -> Result<Self, Vec<Fault>> {
        Gateway::parse(bytes).map(|(gateway, warnings)| Gateway { warnings, ..gateway })
    }
}
