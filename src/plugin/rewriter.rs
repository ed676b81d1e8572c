//! A stream of events, some of which are changed or left out. All other bytes pass as they came.

use super::parts::Hidden;
use super::usage::Counts;
use crate::dialect::Dialect;
use crate::sse::{self, Decoder, Start};

/// What becomes of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Drop,
    /// Other data under the same name.
    Replace(String),
}

impl From<Option<String>> for Verdict {
    fn from(edited: Option<String>) -> Verdict {
        edited.map_or(Verdict::Keep, Verdict::Replace)
    }
}

/// Takes a stream's bytes in any chunks, and gives those of the stream as it is to be. What it holds back is at most one
/// incomplete event; one that is larger than [`sse::MAX_EVENT_BYTES`] passes as it is.
#[derive(Debug)]
pub struct Rewriter {
    decoder: Decoder,
    /// What came of the event in progress in earlier chunks.
    held: Vec<u8>,
    /// The last byte was the carriage return that ended an event which did not pass: its line feed does not either.
    drop_line_feed: bool,
    edit: Edit,
}

#[derive(Debug)]
enum Edit {
    Thoughts(Dialect, Hidden),
    Counts(Counts),
}

impl Rewriter {
    /// Takes the model's thoughts out of a stream of that dialect.
    pub fn without_thoughts(dialect: Dialect) -> Rewriter {
        Rewriter::of(Edit::Thoughts(dialect, Hidden::default()))
    }

    /// Fills in the counts that a stream of Messages lacks.
    pub fn with_usage() -> Rewriter {
        Rewriter::of(Edit::Counts(Counts::default()))
    }

    fn of(edit: Edit) -> Rewriter {
        Rewriter { decoder: Decoder::new(), held: Vec::new(), drop_line_feed: false, edit }
    }

    /// Takes the next bytes and appends what may pass now.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if chunk.is_empty() {
            return;
        }
        let Rewriter { decoder, held, drop_line_feed, edit } = self;
        let slice = |from: usize, to: usize| chunk.get(from..to).unwrap_or_default();
        // Everything of the chunk before it is settled.
        let mut from = usize::from(std::mem::take(drop_line_feed) && chunk.first() == Some(&b'\n'));
        decoder.push(chunk, |event| {
            if let Start::At(start) = event.start {
                // What was held came to nothing: an event without data.
                out.append(held);
                out.extend_from_slice(slice(from, start));
                from = start;
            }
            let verdict = edit.event(event.data);
            if verdict == Verdict::Keep {
                out.append(held);
                out.extend_from_slice(slice(from, event.end));
            } else {
                held.clear();
                *drop_line_feed = event.end == chunk.len() && chunk.last() == Some(&b'\r');
            }
            if let Verdict::Replace(data) = verdict {
                write(event.name, &data, out);
            }
            from = event.end;
        });
        let start = match decoder.in_progress() {
            Some(Start::Earlier) => from,
            Some(Start::At(start)) => {
                out.append(held);
                start.max(from)
            }
            None => {
                out.append(held);
                chunk.len()
            }
        };
        out.extend_from_slice(slice(from, start));
        held.extend_from_slice(slice(start, chunk.len()));
        if held.len() > sse::MAX_EVENT_BYTES {
            out.append(held);
        }
    }

    /// Takes the end of the stream, and appends what was still held.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let Rewriter { decoder, held, edit, .. } = self;
        decoder.finish(|event| match edit.event(event.data) {
            Verdict::Keep => {}
            Verdict::Drop => held.clear(),
            Verdict::Replace(data) => {
                held.clear();
                write(event.name, &data, out);
            }
        });
        out.append(held);
    }
}

impl Edit {
    fn event(&mut self, data: &[u8]) -> Verdict {
        // What is no text is none of a dialect's, and nothing to change.
        let Ok(data) = std::str::from_utf8(data) else { return Verdict::Keep };
        match self {
            Edit::Thoughts(dialect, hidden) => (dialect.wire().plugins.thoughtless)(hidden, data),
            Edit::Counts(counts) => counts.event(data),
        }
    }
}

fn write(name: &[u8], data: &str, out: &mut Vec<u8>) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name);
        out.push(b'\n');
    }
    for line in data.split('\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}
