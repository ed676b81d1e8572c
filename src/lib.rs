//! Turnout: A/B tests of LLMs on live traffic, as a worker on the user's own Cloudflare account.
//!
//! Modules in reading order: what comes in, what is decided, what is sent, what comes back, what is written down.
//! Everything but `edge` is pure: no IO, clock, randomness, global or `async`; `now`, seeds and secrets are arguments.

pub mod api;
pub mod dialect;
pub mod document;
pub mod endpoint;
pub mod error;
pub mod fault;
pub mod hash;
pub mod moment;
pub mod nearest;
pub mod openapi;
pub mod random;

pub mod auth;
pub mod call;
pub mod identity;
pub mod keys;

pub mod assignment;
pub mod condition;
pub mod decision;
pub mod router;
pub mod treatment;

pub mod gateway;
pub mod outbound;
pub mod plugin;
pub mod provider;
pub mod reach;
pub mod shelf;

pub mod control;

pub mod exchange;

pub mod relay;
pub mod sse;
pub mod usage;

pub mod demo;
pub mod record;

#[cfg(target_arch = "wasm32")]
mod edge;
