//! Native tests of the pure core: one `check` and its cases for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod call;
mod condition;
mod corpus;
mod demo;
mod endpoint;
mod gateway;
mod outbound;
mod provider;
mod record;
mod relay;
mod sse;
mod usage;
