//! Rate limits by tier: the Workers bindings that count, one for each tier.
//!
//! Only a call whose key has a tier is counted, and only such a call waits for it. Where a binding is missing or fails the call
//! passes: a limit is there to spread what there is, and an outage of the counter must not become one of the models.

use std::cell::RefCell;
use std::collections::HashSet;

use worker::console_warn;

use super::glue;
use super::invocation::{Invocation, resolved};
use crate::auth::{Caller, Tier};
use crate::error::Error;

thread_local! {
    /// The tiers whose binding is missing or failed: it is said once an isolate.
    static UNCOUNTED: RefCell<HashSet<Tier>> = RefCell::default();
}

/// Counts a call, and refuses it where the caller's tier allows no more for now.
pub(super) async fn check(invocation: &Invocation, caller: &Caller) -> Result<(), Error> {
    let Some(tier) = caller.tier() else { return Ok(()) };
    let counted = resolved(glue::count(&invocation.env, tier.binding(), caller.key_id())).await;
    match counted.map(|counted| (counted.as_bool(), counted.as_string())) {
        Ok((Some(true), _)) => return Ok(()),
        Ok((Some(false), _)) => return Err(tier.over()),
        Ok((None, why)) => uncounted(tier, &why.unwrap_or_default()),
        Err(_) => uncounted(tier, "it failed"),
    }
    Ok(())
}

fn uncounted(tier: Tier, why: &str) {
    if UNCOUNTED.with_borrow_mut(|known| known.insert(tier)) {
        let (binding, tier) = (tier.binding(), tier.as_str());
        console_warn!(
            "calls of keys of tier '{tier}' are not limited, for the binding {binding} does not count them ({why}); see \
             [[ratelimits]] in wrangler.toml"
        );
    }
}
