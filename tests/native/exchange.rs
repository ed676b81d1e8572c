//! The exchange: scripts played against the pure machine with a fake clock, its laws as properties, and its parts.

mod backoff;
mod circuit;
mod failure;
mod properties;
mod script;
