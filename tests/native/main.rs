//! Native tests of the pure core: one `check` and its cases for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod access;
mod assignment;
mod auth;
mod bypass;
mod call;
mod condition;
mod control;
mod corpus;
mod decision;
mod demo;
mod dialect_anthropic;
mod dialect_gemini;
mod dialect_openai;
mod dialect_responses;
mod edits;
mod ending;
mod endpoint;
mod exchange;
mod explain;
mod failover_settings;
mod gateway;
mod identity;
mod keys;
mod losses;
mod openapi;
mod outbound;
mod patience;
mod plan;
mod plugin;
mod provider;
mod ramp;
mod record;
mod relay;
mod round_trips;
mod router;
mod router_plan;
mod shelf;
mod sse;
mod translate;
mod treatment;
mod usage;
mod verdict;
