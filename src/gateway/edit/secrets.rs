//! Who may name a secret for a host (law 8): `ADMIN_KEY` any; everybody else where it was given for that host already, by the
//! provider's table or by the document as it stands. A host may itself be a gateway, which a header tells whom to forward a call
//! and its credential to: who may not send a secret elsewhere may not add such a header either.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::Format;
use crate::error::{Error, ErrorKind};
use crate::gateway::base_url::BaseUrl;
use crate::gateway::{Credential, Downstream, Gateway, Rule};
use crate::plugin::{self, Step};
use crate::provider::PROVIDERS;

/// Refuses a document that sends a secret to a host that it was not given for.
pub(super) fn check(current: Option<&[u8]>, after: &Gateway) -> Result<(), Error> {
    let before = current.and_then(|bytes| Gateway::parse_as(Format::Either, bytes).ok());
    let given = before.as_ref().map(|(gateway, _)| pairs(gateway)).unwrap_or_default();
    for (secret, url) in pairs(after) {
        let is_providers =
            PROVIDERS.iter().any(|provider| provider.secret() == secret && url.is_at(provider));
        let is_given = || given.iter().any(|(known, at)| *known == secret && url.is_at_origin_of(at));
        if !is_providers && !is_given() {
            let message = format!(
                "{secret} was not given for {}, and only ADMIN_KEY may send a secret to another host. Ask who holds it \
                 to make this change, or write a key of your own in its place.",
                url.origin()
            );
            return Err(Error {
                param: Some("api_key".to_owned()),
                ..Error::new(ErrorKind::MissingScope, message)
            });
        }
    }
    headers(before.as_ref().map(|(gateway, _)| gateway), after)
}

/// A header's name in lower case, and its value.
type Header<'g> = (&'g str, &'g str);

/// Where a header goes: a downstream's origin, and what that is called with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'g> {
    origin: String,
    /// A literal key, or the name of a secret.
    key: (bool, &'g str),
}

/// Refuses a header that could lead a credential away, unless it goes along with that credential already.
fn headers(before: Option<&Gateway>, after: &Gateway) -> Result<(), Error> {
    let leading = leading(after);
    if leading.is_empty() {
        return Ok(());
    }
    let mut given: BTreeMap<Header<'_>, BTreeSet<Place<'_>>> = BTreeMap::new();
    for (header, rule) in before.map(self::leading).unwrap_or_default() {
        given.entry(header).or_default().extend(before.into_iter().flat_map(|before| places(before, rule)));
    }
    let stored = before.into_iter().flat_map(Gateway::downstreams).filter_map(literal);
    let stored: BTreeSet<&str> = stored.collect();
    for (header, rule) in leading {
        let known = given.get(&header);
        for place in places(after, rule) {
            // A key that its author writes in place of another one is the author's own to send there.
            let is_new = place.key.0 && !stored.contains(place.key.1);
            let is_given = known.is_some_and(|known| {
                known.contains(&place) || is_new && known.iter().any(|other| other.origin == place.origin)
            });
            if !is_given {
                let message = format!(
                    "The header `{}` of rule '{}' may tell {} to forward calls, and their credential, to another host, and \
                     only ADMIN_KEY may add or change one. Ask who holds it to make this change, or leave the header out.",
                    header.0, rule.id, place.origin
                );
                return Err(Error {
                    param: Some("pipeline_config".to_owned()),
                    ..Error::new(ErrorKind::MissingScope, message)
                });
            }
        }
    }
    Ok(())
}

/// The headers of rules in use that may lead a call away.
fn leading(gateway: &Gateway) -> Vec<(Header<'_>, &Rule)> {
    let rules = gateway.rules().iter().filter(|rule| rule.is_enabled);
    let headers = rules.flat_map(|rule| {
        let headers = rule.steps.iter().flat_map(|step| match step {
            Step::Headers(headers) => headers.as_slice(),
            _ => &[],
        });
        headers.map(move |(name, value)| ((name.as_str(), value.as_str()), rule))
    });
    headers.filter(|((name, _), _)| plugin::may_lead_away(name)).collect()
}

/// Where a rule's headers go along with a credential.
fn places<'g>(gateway: &'g Gateway, rule: &'g Rule) -> Vec<Place<'g>> {
    let place = |downstream: &'g Downstream| {
        let key = match &downstream.credential {
            Credential::Secret(name) => (false, name.as_str()),
            Credential::Literal(key) => (true, key.as_str()),
            Credential::None => return None,
        };
        rule.takes(downstream).then(|| Place { origin: origin(downstream), key })
    };
    if rule.downstreams.is_empty() {
        return gateway.downstreams().filter_map(place).collect();
    }
    rule.downstreams.iter().filter_map(|id| gateway.downstream(id)).filter_map(place).collect()
}

/// A built-in's URL may hold a variable; its origin is then all of it.
fn origin(downstream: &Downstream) -> String {
    BaseUrl::of(&downstream.base_url).map_or_else(|| downstream.base_url.clone(), |url| url.origin())
}

fn literal(downstream: &Downstream) -> Option<&str> {
    match &downstream.credential {
        Credential::Literal(key) => Some(key),
        Credential::Secret(_) | Credential::None => None,
    }
}

/// Each secret of the document with the host that it goes to.
fn pairs(gateway: &Gateway) -> Vec<(&str, BaseUrl)> {
    let configured = gateway.downstreams().filter(|downstream| downstream.configured);
    configured
        .filter_map(|downstream| match &downstream.credential {
            Credential::Secret(name) => Some((name.as_str(), BaseUrl::of(&downstream.base_url)?)),
            Credential::Literal(_) | Credential::None => None,
        })
        .collect()
}
