//! Server-sent events, decoded incrementally.
//!
//! In scope: any bytes in any chunks, to the events that they carry, by the rules of
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>.
//! Two things are ours: an event that the end of the stream cuts off is reported and not discarded (its usage may be
//! whole), and an event over [`MAX_EVENT_BYTES`] is skipped and its memory freed, so that no upstream can fill ours.
//! Out of scope: what an event means (`relay`), reconnection (`id` and `retry` are read over).

use memchr::memchr2;

/// The size from which an event is skipped: 4 MiB. A picture as base64 in one event fits; an isolate has 128 MiB.
pub const MAX_EVENT_BYTES: usize = 4 << 20;

/// Buffers that grew beyond this for one event are given back after it: 64 KiB.
const KEPT_CAPACITY: usize = 64 << 10;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event's type; empty where none was said, which means `message`.
    pub name: &'a [u8],
    /// The lines of data, joined by line feeds. Any bytes: nothing says that they are UTF-8.
    pub data: &'a [u8],
    /// Where in the pushed chunk its first line begins.
    pub start: Start,
    /// Where in the pushed chunk the blank line that ends it ends. Of a CRLF that two chunks share, the line feed is
    /// beyond the end.
    pub end: usize,
    /// Bytes of its lines, without line ends: the same however the stream was chunked.
    pub size: usize,
}

/// Where an event begins. A comment before its first field is no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// In an earlier chunk.
    Earlier,
    /// At this offset of the chunk that was pushed last.
    At(usize),
}

/// The decoder of one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    /// How much of the byte order mark was seen at the stream's very beginning; 3 when that is settled.
    mark: usize,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    /// What there is of a line whose end has not come.
    partial: Partial,
    line: Vec<u8>,
    /// Where the event in progress began; `None` between events.
    started: Option<Start>,
    size: usize,
    too_large: bool,
    name: Vec<u8>,
    has_data: bool,
    data: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Partial {
    #[default]
    None,
    /// Its bytes are in `line`.
    Stored,
    /// It is a comment, or belongs to an event that is skipped.
    Ignored,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Self {
        Decoder::default()
    }

    /// Takes the next bytes and reports each event that they complete. An event whose one line of data lies whole in
    /// `chunk` is reported without a copy.
    pub fn push<'c>(&mut self, chunk: &'c [u8], mut on_event: impl FnMut(Event<'_>)) {
        if self.started.is_some() {
            self.started = Some(Start::Earlier);
        }
        let mut at = self.skip_byte_order_mark(chunk);
        if self.after_return && at < chunk.len() {
            self.after_return = false;
            at += usize::from(chunk.get(at) == Some(&b'\n'));
        }
        // The event's only line of data so far, where it lies whole in this chunk.
        let mut lent: Option<&'c [u8]> = None;
        while let Some(rest) = chunk.get(at..)
            && let Some(length) = memchr2(b'\n', b'\r', rest)
        {
            let line = rest.get(..length).unwrap_or_default();
            let line_at = at;
            at += length + 1;
            if rest.get(length) == Some(&b'\r') {
                match chunk.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
            if line.is_empty() && self.partial == Partial::None {
                self.end_event(lent.take(), at, &mut on_event);
            } else {
                self.end_line(line, line_at, &mut lent);
            }
        }
        let rest = chunk.get(at..).unwrap_or_default();
        if !rest.is_empty() {
            self.partial = if self.takes(rest, at) {
                self.line.extend_from_slice(rest);
                Partial::Stored
            } else {
                Partial::Ignored
            };
        }
        if let Some(data) = lent {
            self.data.extend_from_slice(data);
        }
        self.free_if_too_large();
    }

    /// Takes the end of the stream: reports an event that lacks its blank line, or the end of its last line. Whether it
    /// is whole only its reader can tell: JSON that was cut off does not parse. The decoder begins anew.
    pub fn finish(&mut self, mut on_event: impl FnMut(Event<'_>)) {
        if self.started.is_some() {
            self.started = Some(Start::Earlier);
        }
        if self.partial != Partial::None {
            self.end_line(&[], 0, &mut None);
        }
        self.end_event(None, 0, &mut on_event);
        *self = Decoder::default();
    }

    /// Where the event in progress began; `None` between events.
    pub fn in_progress(&self) -> Option<Start> {
        self.started
    }

    /// What [`Event::size`] of the event in progress is so far.
    pub fn size_so_far(&self) -> usize {
        self.size
    }

    /// Whether the next byte begins an event, whatever it is: nothing at all is pending.
    pub fn between_events(&self) -> bool {
        self.started.is_none() && self.partial == Partial::None && !self.after_return
    }

    /// How many bytes of `chunk` belong to a byte order mark.
    fn skip_byte_order_mark(&mut self, chunk: &[u8]) -> usize {
        let mut skipped = 0;
        while let Some(expected) = BYTE_ORDER_MARK.get(self.mark)
            && let Some(byte) = chunk.get(skipped)
        {
            if byte == expected {
                self.mark += 1;
                skipped += 1;
                continue;
            }
            let earlier = BYTE_ORDER_MARK.get(..self.mark - skipped).unwrap_or_default();
            if !earlier.is_empty() {
                // It was none: what was taken for it begins the name of a field that nobody knows.
                self.takes(earlier, 0);
                self.partial = Partial::Ignored;
            }
            self.mark = BYTE_ORDER_MARK.len();
            return 0;
        }
        skipped
    }

    /// Counts a piece of a line and says whether it is worth storing.
    fn takes(&mut self, piece: &[u8], at: usize) -> bool {
        if self.partial == Partial::None {
            let comment = piece.first() == Some(&b':');
            if comment || self.too_large {
                self.partial = Partial::Ignored;
            }
            if !comment && self.started.is_none() {
                self.started = Some(Start::At(at));
            }
        }
        if self.started.is_some() {
            self.size += piece.len();
            self.too_large |= self.size > MAX_EVENT_BYTES;
        }
        self.partial != Partial::Ignored && !self.too_large
    }

    fn end_line<'c>(&mut self, last_piece: &'c [u8], at: usize, lent: &mut Option<&'c [u8]>) {
        let takes = self.takes(last_piece, at);
        let partial = std::mem::take(&mut self.partial);
        if takes && partial == Partial::None {
            match field(last_piece) {
                Field::Data(value) if !self.has_data => {
                    self.has_data = true;
                    *lent = Some(value);
                }
                Field::Data(value) => self.add_data(value, lent.take()),
                Field::Event(value) => replace(&mut self.name, value),
                Field::Other => {}
            }
        } else if takes {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(last_piece);
            match field(&line) {
                Field::Data(value) => self.add_data(value, lent.take()),
                Field::Event(value) => replace(&mut self.name, value),
                Field::Other => {}
            }
            self.line = line;
        }
        empty(&mut self.line);
        self.free_if_too_large();
    }

    fn add_data(&mut self, value: &[u8], lent: Option<&[u8]>) {
        self.data.extend_from_slice(lent.unwrap_or_default());
        if self.has_data {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
    }

    fn end_event(&mut self, lent: Option<&[u8]>, end: usize, on_event: &mut impl FnMut(Event<'_>)) {
        if let Some(start) = self.started.take()
            && self.has_data
            && !self.too_large
        {
            let data = lent.unwrap_or(&self.data);
            on_event(Event { name: &self.name, data, start, end, size: self.size });
        }
        self.size = 0;
        self.too_large = false;
        self.has_data = false;
        empty(&mut self.name);
        empty(&mut self.data);
    }

    fn free_if_too_large(&mut self) {
        if self.too_large {
            self.line = Vec::new();
            self.data = Vec::new();
            self.name = Vec::new();
            if self.partial == Partial::Stored {
                self.partial = Partial::Ignored;
            }
        }
    }
}

enum Field<'l> {
    Data(&'l [u8]),
    Event(&'l [u8]),
    Other,
}

fn field(line: &[u8]) -> Field<'_> {
    if let Some(rest) = line.strip_prefix(b"data")
        && let Some(value) = field_value(rest)
    {
        Field::Data(value)
    } else if let Some(rest) = line.strip_prefix(b"event")
        && let Some(value) = field_value(rest)
    {
        Field::Event(value)
    } else {
        Field::Other
    }
}

/// What follows a field's name: nothing, or a colon, one space that may be missing, and the value.
fn field_value(rest: &[u8]) -> Option<&[u8]> {
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

fn replace(buffer: &mut Vec<u8>, with: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(with);
}

fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT_CAPACITY {
        *buffer = Vec::new();
    }
}
