//! Withholds the usage chunk that we asked for and the caller did not.

use memchr::memmem;

use super::ending::LastBytes;
use super::marks::{member_value, skip_space};
use super::observer::{First, Nature, Observed, Observer};
use crate::dialect::Dialect;
use crate::sse::Start;

/// The size beyond which an event is held back no longer and passes whatever it is: 64 KiB, a hundred times a usage event.
const MAX_HELD_BYTES: usize = 64 << 10;

/// Passes a stream byte for byte, less each event that has a `usage` object, an empty list of `choices` and no error;
/// the event is its fields and the blank line, not a comment before them. It reads along as an [`Observer`] does.
///
/// At most one incomplete event is held back, and only while it may still be such an event.
#[derive(Debug)]
pub struct UsageFilter {
    observer: Observer,
    /// The incomplete event that is held back, whole.
    held: Vec<u8>,
    /// The incomplete event passes as it comes.
    passing: bool,
    /// The last byte was the carriage return that ended a withheld event: its line feed goes too.
    drop_line_feed: bool,
    /// Of what has passed.
    last: LastBytes,
}

impl UsageFilter {
    /// A filter at the beginning of a stream.
    pub fn new(dialect: Dialect) -> Self {
        UsageFilter {
            observer: Observer::new(dialect),
            held: Vec::new(),
            passing: false,
            drop_line_feed: false,
            last: LastBytes::new(),
        }
    }

    /// Takes the next bytes and appends to `out` what may pass now.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if chunk.is_empty() {
            return;
        }
        let passed = out.len();
        // Everything of the chunk before `from` is settled.
        let mut from = 0;
        if std::mem::take(&mut self.drop_line_feed) && chunk.first() == Some(&b'\n') {
            from = 1;
        }
        let (held, passing, drop_line_feed) = (&mut self.held, &mut self.passing, &mut self.drop_line_feed);
        self.observer.push_each(chunk, |event, nature| {
            let was_passing = std::mem::take(passing) && event.start == Start::Earlier;
            let start = match event.start {
                Start::Earlier => from,
                Start::At(start) => {
                    // An event without data was held, which is not reported.
                    out.append(held);
                    start
                }
            };
            if nature == Nature::Other || was_passing || event.size > MAX_HELD_BYTES {
                out.append(held);
                return;
            }
            held.extend_from_slice(slice(chunk, start, event.end));
            out.extend_from_slice(slice(chunk, from, start));
            from = event.end;
            if shows_a_choice(held) {
                out.append(held);
            } else {
                held.clear();
                *drop_line_feed = event.end == chunk.len() && chunk.last() == Some(&b'\r');
            }
        });
        self.pass_the_rest(chunk, from, out);
        self.last.push(slice(out, passed, out.len()));
    }

    /// Takes the end of the stream, after which nothing may be pushed, and appends to `out` what was still held. A usage
    /// event without its blank line is withheld too, if it is whole. Where the stream broke, an
    /// [ending](super::error_ending) comes after that.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let held = &mut self.held;
        self.observer.finish_each(|nature| {
            if nature == Nature::UsageAlone && !shows_a_choice(held) {
                held.clear();
            }
        });
        self.last.push(held);
        out.append(held);
    }

    /// What was seen until now.
    pub fn observed(&self) -> &Observed {
        self.observer.observed()
    }

    /// What was seen, the [end](UsageFilter::end) of the stream included.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Observed {
        self.end(out);
        self.observer.finish()
    }

    /// Whether what has passed ends between two events, or nothing has. Chunks that went around the filter make no
    /// difference: they come after an event's end and end with one. (After a comment alone this is false, and a blank line
    /// more does no harm.)
    pub fn between_events(&self) -> bool {
        self.last.end_an_event()
    }

    /// The first event of note, once it was seen.
    pub fn first(&self) -> Option<&First> {
        self.observer.first()
    }

    /// Whether all bytes so far have passed or were withheld, and the next one begins an event: the state in which a
    /// chunk that [may be bypassed](super::may_bypass) needs not be pushed.
    pub fn holds_nothing(&self) -> bool {
        // What is held belongs to an event in progress, and a line feed to drop to a carriage return: the decoder knows both.
        self.observer.decoder().between_events()
    }

    /// Passes the chunk from `from` on, but for an event in progress that may be one to withhold.
    fn pass_the_rest(&mut self, chunk: &[u8], from: usize, out: &mut Vec<u8>) {
        let start = match self.observer.decoder().in_progress() {
            Some(Start::Earlier) => from,
            Some(Start::At(start)) => {
                out.append(&mut self.held);
                self.passing = false;
                start
            }
            None => {
                out.append(&mut self.held);
                self.passing = false;
                chunk.len()
            }
        };
        out.extend_from_slice(slice(chunk, from, start));
        if self.passing {
            out.extend_from_slice(slice(chunk, start, chunk.len()));
            return;
        }
        self.held.extend_from_slice(slice(chunk, start, chunk.len()));
        if self.observer.decoder().size_so_far() > MAX_HELD_BYTES || shows_a_choice(&self.held) {
            self.passing = true;
            out.append(&mut self.held);
        }
    }
}

fn slice(chunk: &[u8], from: usize, to: usize) -> &[u8] {
    chunk.get(from..to).unwrap_or_default()
}

/// Whether the bytes of an event, perhaps incomplete, show a list of choices that is not empty. Once shown it stays so,
/// whatever follows: that makes the verdict the same for any chunking.
fn shows_a_choice(event: &[u8]) -> bool {
    const CHOICES: &[u8] = b"\"choices\"";
    memmem::find_iter(event, CHOICES).any(|at| {
        let rest = event.get(at + CHOICES.len()..).unwrap_or_default();
        let list = member_value(rest).and_then(|value| value.strip_prefix(b"["));
        list.is_some_and(|list| !matches!(skip_space(list).first(), None | Some(b']')))
    })
}
