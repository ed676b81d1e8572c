//! What carries an upstream body to the caller.
