//! The control plane as a state machine: a world of a store, a KV namespace and a clock, played step by step.

mod chaos;
mod faults;
mod hand_edits;
mod keys;
mod rules;
mod world;
