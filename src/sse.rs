//! Server-sent events, decoded incrementally.
