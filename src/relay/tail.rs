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
    /// The beginning of the event that `bytes` begin within, where it may be the last one.
    torn: Option<Vec<u8>>,
}

impl Tail {
    /// Of a stream in this dialect, before anything of it is kept.
    pub(super) fn of(dialect: Dialect) -> Tail {
        // What matters of Chat Completions and Anthropic stands in small events.
        let may_tear = matches!(dialect, Dialect::Responses | Dialect::Gemini);
        Tail { bytes: Vec::new(), was_cut: false, torn: may_tear.then(Vec::new) }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * TAIL {
            let cut = self.bytes.len() - TAIL;
            if let Some(beginning) = &mut self.torn
                && let Some(at) = event_before(&self.bytes, cut)
            {
                let end = self.bytes.len().min(at + BEGINNING);
                *beginning = self.bytes.get(at..end).unwrap_or_default().to_vec();
            }
            self.bytes.drain(..cut);
            self.was_cut = true;
        }
    }

    /// It, leaving nothing.
    pub(super) fn take(&mut self) -> Tail {
        Tail {
            bytes: std::mem::take(&mut self.bytes),
            was_cut: std::mem::take(&mut self.was_cut),
            torn: self.torn.as_mut().map(std::mem::take),
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

    /// The beginning of the event that was cut into (empty where that is not known), and what was kept of its end; `None`
    /// where it did not come to its end.
    pub(super) fn torn_event(&self) -> Option<(&[u8], &[u8])> {
        let beginning = self.torn.as_ref()?;
        let ends = [&b"\n\n"[..], b"\n\r\n"].map(|blank| memmem::find(&self.bytes, blank));
        let end = ends.into_iter().flatten().min()?;
        Some((beginning, self.bytes.get(..end)?))
    }
}

/// Where the event begins that `cut` lies within, if that is in `bytes`.
fn event_before(bytes: &[u8], cut: usize) -> Option<usize> {
    let before = bytes.get(..cut)?;
    let ends = [&b"\n\n"[..], b"\n\r\n"].map(|blank| Some(memmem::rfind(before, blank)? + blank.len()));
    ends.into_iter().flatten().max()
}
