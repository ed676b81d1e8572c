//! What carries an upstream body to the caller, and what is learnt from it on the way: bytes in, bytes out.
//!
//! In scope: [`Observer`] reads usage, model, errors and the first meaningful event in any dialect, and changes nothing;
//! [`UsageFilter`] passes all bytes but a usage chunk of Chat Completions that we asked for and the caller did not (law 1);
//! [`may_bypass`] says which chunks need neither; [`error_ending`] ends a stream that broke. Out of scope: moving bytes
//! (`edge`), failover, translation.
//!
//! A stream costs by the event, so JSON is parsed only where it may matter: each event up to the first meaningful one, and
//! after it only those that show one of the marks below; of a stream that is merely observed, only those at its end.

mod ending;
mod filter;
pub(crate) mod marks;
mod observer;
pub(crate) mod reading;
mod tail;

pub use ending::error_ending;
pub use filter::UsageFilter;
pub use marks::may_bypass;
pub use observer::{First, Observed, Observer, Said};
