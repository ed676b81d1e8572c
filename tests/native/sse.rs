use proptest::collection::vec;
use proptest::prelude::*;
use turnout::sse::{Decoder, MAX_EVENT_BYTES};

/// (name, data) of each event, the one that the end cuts off included.
type Events = Vec<(String, String)>;

fn decode(chunks: &[&[u8]]) -> (Events, Vec<usize>) {
    let (mut events, mut sizes) = (Vec::new(), Vec::new());
    let mut decoder = Decoder::new();
    let mut collect = |event: turnout::sse::Event<'_>| {
        events.push((
            String::from_utf8_lossy(event.name).into_owned(),
            String::from_utf8_lossy(event.data).into_owned(),
        ));
        sizes.push(event.size);
    };
    for chunk in chunks {
        decoder.push(chunk, &mut collect);
    }
    decoder.finish(collect);
    (events, sizes)
}

/// The events of a stream, the same at every split into two and byte by byte.
fn check(stream: &str, expected: &[(&str, &str)]) {
    let stream = stream.as_bytes();
    let whole = decode(&[stream]);
    let expected: Events =
        expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect();
    assert_eq!(whole.0, expected, "{:?}", String::from_utf8_lossy(stream));
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(decode(&[head, tail]), whole, "split at {at}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode(&bytes), whole, "byte by byte");
}

#[test]
fn lines_end_in_lf_crlf_or_cr() {
    for end in ["\n", "\r\n", "\r"] {
        check(&format!("data: a{end}{end}event: x{end}data: b{end}{end}"), &[("", "a"), ("x", "b")]);
    }
    check("data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", &[("", "a"), ("", "b"), ("", "c")]);
}

#[test]
fn data_lines_are_joined_by_line_feeds() {
    check("data: a\ndata: b\ndata: c\n\n", &[("", "a\nb\nc")]);
    check("data\n\n", &[("", "")]);
    check("data\ndata\n\n", &[("", "\n")]);
    check("data:\ndata: b\n\n", &[("", "\nb")]);
}

#[test]
fn one_space_after_the_colon_is_no_part_of_the_value() {
    check("data:a\n\ndata: a\n\ndata:  a\n\n", &[("", "a"), ("", "a"), ("", " a")]);
    check("event:x\ndata:a:b\n\n", &[("x", "a:b")]);
}

#[test]
fn an_event_without_data_is_none_and_its_name_is_forgotten() {
    check("event: x\n\ndata: a\n\n", &[("", "a")]);
    check("id: 1\nretry: 10\n\n\n\ndata: a\n\n", &[("", "a")]);
}

#[test]
fn comments_and_unknown_fields_are_skipped() {
    check(": keep-alive\n\n:\ndata: a\n: within\ndata: b\ndatum: c\n data: d\nid: 5\n\n", &[("", "a\nb")]);
}

#[test]
fn a_byte_order_mark_is_skipped_once_at_the_beginning() {
    check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[("", "a")]);
    check("\u{feff}: comment\ndata: a\n\n", &[("", "a")]);
    check("\u{feff}\u{feff}data: a\n\ndata: b\n\n", &[("", "b")]);
    // The first two bytes of the mark, and then something else.
    for broken in [&b"\xEF\xBBdata: a\n\ndata: b\n\n"[..], b"\xEF\n\ndata: b\n\n"] {
        let whole = decode(&[broken]);
        assert_eq!(whole.0, [(String::new(), "b".to_owned())]);
        for at in 0..broken.len() {
            let (head, tail) = broken.split_at(at);
            assert_eq!(decode(&[head, tail]), whole, "split at {at}");
        }
    }
}

#[test]
fn an_event_that_the_end_cuts_off_is_reported() {
    check("data: a\n\ndata: b\n", &[("", "a"), ("", "b")]);
    check("data: a\n\ndata: b", &[("", "a"), ("", "b")]);
    check("data: a\n\n: comm", &[("", "a")]);
    check("event: x", &[]);
}

#[test]
fn an_event_over_the_bound_is_skipped_and_the_next_one_is_read() {
    let most = "x".repeat(MAX_EVENT_BYTES - "data: ".len());
    for (stream, large_is_read) in [
        (format!("data: {most}\n\ndata: after\n\n"), true),
        (format!("data: {most}x\n\ndata: after\n\n"), false),
        (format!("data: {most}\ndata\n\ndata: after\n\n"), false),
        (format!("data: a\ndata: {most}\n\ndata: after\n\n"), false),
        (format!(": {most}{most}\ndata: b\n\ndata: after\n\n"), true),
    ] {
        for size in [stream.len(), 64 << 10, 1000] {
            let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
            let (events, _) = decode(&chunks);
            assert_eq!(events.len(), 1 + usize::from(large_is_read), "chunks of {size}");
            assert_eq!(events.last().unwrap().1, "after");
        }
    }
}

/// What a stream is made of, so that random ones are not only noise.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 16] = [
        b"data: ",
        b"data:",
        b"data",
        b"event: ",
        b"event:x",
        b": c",
        b"id: 1",
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b"\r\n\r\n",
        b"{}",
        b":",
        b"\xEF\xBB\xBF",
        b"\xEF",
    ];
    prop_oneof![
        8 => proptest::sample::select(pieces.to_vec()).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_same_events(chunks in vec(vec(piece(), 0..5).prop_map(|pieces| pieces.concat()), 0..12)) {
        let whole = chunks.concat();
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(decode(&chunks), decode(&[&whole]));
    }
}
