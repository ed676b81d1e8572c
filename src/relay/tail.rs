//! The end of a stream, as much of it as is kept to be read once the stream is over.

use memchr::memmem;

use crate::dialect::Dialect;

/// As much of a stream's end is kept: many times its longest events but for media, and for Responses' last one, which has
/// the whole answer once more.
const TAIL: usize = 64 << 10;
/// And as much of it is read first: the last three events or so, of which one has the usage where any has.
const ENDING: usize = 4 << 10;
/// As much is kept of the beginning of an event whose middle was let go: its type stands there.
const BEGINNING: usize = 256;

/// The end of a stream.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// Something before it was let go.
    was_cut: bool,
    /// Whether the last event may be one that is cut into.
    may_tear: bool,
    /// The beginning of the event that `bytes` begin within; empty where they begin with one.
    beginning: Vec<u8>,
}

impl Tail {
    /// Of a stream in this dialect, before anything of it is kept.
    pub(super) fn of(dialect: Dialect) -> Tail {
        // Elsewhere what matters stands in small events.
        let may_tear = dialect.wire().stream.read_torn.is_some();
        Tail { bytes: Vec::new(), was_cut: false, may_tear, beginning: Vec::new() }
    }

    /// Takes what came of an event that goes on with the first [push](Tail::push).
    pub(super) fn begins_within(&mut self, event: &[u8]) {
        if self.may_tear {
            extend_beginning(&mut self.beginning, event);
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * TAIL {
            let cut = self.bytes.len() - TAIL;
            if self.may_tear {
                self.note_beginning(cut);
            }
            self.bytes.drain(..cut);
            self.was_cut = true;
        }
    }

    /// Notes the beginning of the event that is cut into where the bytes before `cut` are let go.
    fn note_beginning(&mut self, cut: usize) {
        // A blank line may be cut into as well.
        let before = self.bytes.get(..cut + 3).unwrap_or(&self.bytes);
        let ends = BLANK_LINES.map(|blank| Some(memmem::rfind(before, blank)? + blank.len()));
        if let Some(begin) = ends.into_iter().flatten().max() {
            self.beginning.clear();
            let event = self.bytes.get(begin..).unwrap_or_default();
            extend_beginning(&mut self.beginning, if begin < cut { event } else { &[] });
        } else {
            extend_beginning(&mut self.beginning, &self.bytes);
        }
    }

    /// It, leaving nothing.
    pub(super) fn take(&mut self) -> Tail {
        Tail {
            bytes: std::mem::take(&mut self.bytes),
            was_cut: std::mem::take(&mut self.was_cut),
            may_tear: self.may_tear,
            beginning: std::mem::take(&mut self.beginning),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Its last few events, where it has more than these.
    pub(super) fn ending(&self) -> Option<&[u8]> {
        self.bytes.len().checked_sub(ENDING).and_then(|start| self.bytes.get(start..))
    }

    /// The beginning of the event that was cut into, and what was kept of its end; `None` where it did not come to its end.
    pub(super) fn torn_event(&self) -> Option<(&[u8], &[u8])> {
        let ends = BLANK_LINES.map(|blank| memmem::find(&self.bytes, blank));
        let end = ends.into_iter().flatten().min().filter(|_| !self.beginning.is_empty())?;
        Some((&self.beginning, self.bytes.get(..end)?))
    }
}

/// What ends an event, the end of its last line included.
const BLANK_LINES: [&[u8]; 2] = [b"\n\n", b"\n\r\n"];

/// Adds what follows, up to [`BEGINNING`].
fn extend_beginning(beginning: &mut Vec<u8>, bytes: &[u8]) {
    let room = BEGINNING.saturating_sub(beginning.len());
    beginning.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}
