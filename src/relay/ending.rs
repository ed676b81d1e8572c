//! How a stream that broke ends for the caller: with an error as its dialect has it, never as if it had come to its end.

use crate::dialect::Dialect;
use crate::error::Error;

/// What is appended to a stream that broke after something of it had gone out, so that `error` is an event of its own.
/// `between_events` says whether what went out ends with an event's end: [`Observer::between_events`] of what passes as it
/// is, [`UsageFilter::between_events`] of what does not.
///
/// An event that was cut off cannot be taken back. It is ended, and a reader that takes it apart fails at it.
///
/// [`Observer::between_events`]: super::Observer::between_events
/// [`UsageFilter::between_events`]: super::UsageFilter::between_events
pub fn error_ending(dialect: Dialect, between_events: bool, error: &Error) -> Vec<u8> {
    let blank_line = if between_events { "" } else { "\n\n" };
    format!("{blank_line}{}", error.event(dialect)).into_bytes()
}

/// The last bytes of a stream, as many as show whether they end an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastBytes([u8; 3]);

impl LastBytes {
    /// Of a stream at its beginning, where an event may begin as after a blank line.
    pub(super) fn new() -> LastBytes {
        LastBytes([b'\n'; 3])
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes.get(bytes.len().saturating_sub(3)..).unwrap_or_default() {
            let [_, second, third] = self.0;
            self.0 = [second, third, *byte];
        }
    }

    /// Whether an empty line was the last: then no event is in progress. A line ends with LF, CR or both.
    pub(super) fn end_an_event(self) -> bool {
        matches!(self.0, [_, b'\n', b'\n' | b'\r'] | [_, b'\r', b'\r'] | [b'\n' | b'\r', b'\r', b'\n'])
    }
}
