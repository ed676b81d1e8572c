//! Native tests of the pure core: one `check` and its cases for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod assignment;
mod auth;
mod bypass;
mod call;
mod condition;
mod corpus;
mod decision;
mod demo;
mod dialect_anthropic;
mod dialect_gemini;
mod dialect_openai;
mod dialect_responses;
mod ending;
mod endpoint;
mod exchange;
mod failover_settings;
mod gateway;
mod identity;
mod losses;
mod outbound;
mod patience;
mod plan;
mod provider;
mod record;
mod relay;
mod round_trips;
mod router;
mod shelf;
mod sse;
mod translate;
mod treatment;
mod usage;
mod verdict;
