//! Reads failover settings: `failover` of a router's `defaults` and of a route, `fallback` of a request.
//!
//! In scope: one set of fields for all three, durations as people write them. Out of scope: where they stand.

use super::policy::Tuning;
use crate::document::{Found, Reader};

/// Reads an object of settings; what is wrong is a fault at its path.
pub(crate) fn tuning(reader: &mut Reader, found: Found) -> Option<Tuning> {
    let _ = (reader, found);
    todo!()
}
