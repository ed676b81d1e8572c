//! Who may name a secret for a host (law 8): `ADMIN_KEY` any; everybody else where it was given for that host already, by the
//! provider's table or by the document as it stands.

use crate::document::Format;
use crate::error::{Error, ErrorKind};
use crate::gateway::base_url::BaseUrl;
use crate::gateway::{Credential, Gateway};
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
    Ok(())
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
