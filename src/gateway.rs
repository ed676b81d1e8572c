//! Downstreams: the built-in providers and those of the KV key `gateway`, and which of them serves a model.
