//! The table of built-in downstreams: base URL, auth header, secret, habits.
