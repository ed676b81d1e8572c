//! Whether a target could be called now: for plans and explanations, by the functions that calls go through.
//!
//! In scope: who serves a `provider/model`, in which dialect, and what is missing. Out of scope: calling it, and whether it answers.

use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::gateway::{DEMO, Gateway};
use crate::outbound::{Sending, Settings, headers_for, url_for};

/// What decides whether a target can be called.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Every downstream.
    pub gateway: &'a Gateway,
    /// Secrets and variables of the worker.
    pub settings: Settings<'a>,
    /// Whether `demo/…` models are served.
    pub demo: bool,
}

/// A target, and what keeps it from being called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The downstream; `None` where nobody serves the model.
    pub provider: Option<String>,
    /// In which dialect it is called.
    pub dialect: Option<Dialect>,
    /// Whether it has the credential that it needs; one that needs none has.
    pub has_credential: bool,
    /// What is missing, in a sentence; `None` where nothing is.
    pub problem: Option<String>,
}

/// Whether a variant's model could be called for a caller of that dialect.
pub fn reach(surroundings: &Surroundings<'_>, model: &str, caller: Dialect) -> Reach {
    let Surroundings { gateway, settings, demo } = *surroundings;
    if let Some(name) = model.strip_prefix(DEMO).and_then(|rest| rest.strip_prefix('/')) {
        let problem = (!demo).then(|| crate::demo::off(name).message);
        let (provider, dialect) = (Some(DEMO.to_owned()), Some(Dialect::OpenAi));
        return Reach { provider, dialect, has_credential: true, problem };
    }
    let target = gateway.target(model).or_else(|error| gateway.by_listed_model(model).ok_or(error));
    let target = match target {
        Ok(target) => target,
        Err(Error { message, .. }) => {
            return Reach { provider: None, dialect: None, has_credential: false, problem: Some(message) };
        }
    };
    let dialect = target.downstream.dialect_for(caller);
    let sending = Sending::of(dialect);
    let headers = headers_for(target.downstream, &sending, false, dialect != caller, settings);
    let url = url_for(&target, &sending, false, settings);
    let has_credential = !matches!(&headers, Err(error) if error.kind == ErrorKind::UpstreamCredentials);
    let problem = headers.map(|_| ()).and(url.map(|_| ())).err().map(|error| error.message);
    Reach { provider: Some(target.downstream.id.clone()), dialect: Some(dialect), has_credential, problem }
}
