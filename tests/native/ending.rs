//! How a stream that broke ends, wherever it broke.

use proptest::collection::vec;
use proptest::prelude::*;
use turnout::dialect::Dialect;
use turnout::error::{Error, ErrorKind};
use turnout::relay::{Observer, UsageFilter, error_ending};
use turnout::sse::Decoder;

use crate::relay::{cut, stream};

fn broken() -> Error {
    Error::new(ErrorKind::UpstreamUnreachable, "The downstream's answer broke off.")
}

/// The data of each event.
fn events(bytes: &[u8]) -> Vec<String> {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    let mut note =
        |event: turnout::sse::Event<'_>| events.push(String::from_utf8_lossy(event.data).into_owned());
    decoder.push(bytes, &mut note);
    decoder.finish(&mut note);
    events
}

#[test]
fn an_error_is_one_event_in_the_official_form() {
    assert_eq!(
        broken().event(Dialect::OpenAi),
        "data: {\"error\":{\"message\":\"The downstream's answer broke off.\",\"type\":\"server_error\",\
         \"param\":null,\"code\":\"upstream_unreachable\"}}\n\n"
    );
    let error = Error::invalid("a\nb", "two\r\nlines \u{2028} and a \"quote\"");
    let event = error.event(Dialect::OpenAi);
    assert_eq!(events(event.as_bytes()), [error.body(Dialect::OpenAi)]);
    assert_eq!(event.bytes().filter(|byte| b"\r\n".contains(byte)).count(), 2, "{event}");
}

#[test]
fn an_event_that_was_cut_off_is_ended_first() {
    let ending =
        |between_events| String::from_utf8(error_ending(Dialect::OpenAi, between_events, &broken())).unwrap();
    assert_eq!(ending(true), broken().event(Dialect::OpenAi));
    assert_eq!(ending(false), format!("\n\n{}", broken().event(Dialect::OpenAi)));
    assert!(!ending(true).contains("[DONE]"));
}

#[test]
fn an_event_ends_with_a_blank_line_in_any_spelling() {
    for (bytes, expected) in [
        ("", true),
        ("\n", true),
        ("\r\n", true),
        ("d", false),
        ("data: x", false),
        ("data: x\n", false),
        ("data: x\n\n", true),
        ("data: x\n\n\n", true),
        ("data: x\r", false),
        ("data: x\r\r", true),
        ("data: x\r\n", false),
        ("data: x\r\n\r", true),
        ("data: x\r\n\r\n", true),
        ("data: x\r\n\n", true),
        ("data: x\r\r\n", true),
        ("data: x\n\r", true),
        ("data: x\n\r\n", true),
        ("data: x\n\n:", false),
        ("data: x\n\n: a comment\n", false),
        ("data: x\n\ndata: y", false),
    ] {
        let (mut whole, mut bytewise) = (Observer::new(Dialect::OpenAi), Observer::new(Dialect::OpenAi));
        let (mut filter, mut out) = (UsageFilter::new(Dialect::OpenAi), Vec::new());
        whole.push(bytes.as_bytes());
        bytes.bytes().for_each(|byte| bytewise.push(&[byte]));
        filter.push(bytes.as_bytes(), &mut out);
        filter.end(&mut out);
        assert_eq!(out, bytes.as_bytes());
        for between_events in [whole.between_events(), bytewise.between_events(), filter.between_events()] {
            assert_eq!(between_events, expected, "{bytes:?}");
        }
    }
}

#[test]
fn what_the_filter_still_holds_goes_out_before_the_ending() {
    let mut filter = UsageFilter::new(Dialect::OpenAi);
    let mut out = Vec::new();
    filter.push(b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"choices\":[", &mut out);
    assert!(out.ends_with(b"\n\n") && filter.between_events(), "the next event is held");
    filter.end(&mut out);
    assert!(out.ends_with(b"data: {\"choices\":[") && !filter.between_events());
    let observed = filter.finish(&mut out);
    assert!(out.ends_with(b"data: {\"choices\":["), "nothing goes out twice");
    assert!(observed.meaningful && !observed.done);
}

#[test]
fn the_middle_of_a_long_stream_may_be_skipped() {
    let event =
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "word ".repeat(200));
    let mut observer = Observer::new(Dialect::OpenAi);
    for _ in 0..1_000 {
        let (beginning, rest) = event.split_at(500);
        observer.push(beginning.as_bytes());
        assert!(!observer.between_events());
        observer.push(rest.as_bytes());
        assert!(observer.between_events());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_error_is_an_event_of_its_own_wherever_a_stream_broke(
        (stream, _, _) in stream(),
        at in any::<usize>(),
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let stream = &stream[..at % (stream.len() + 1)];
        let (mut filter, mut passed) = (UsageFilter::new(Dialect::OpenAi), Vec::new());
        let mut observer = Observer::new(Dialect::OpenAi);
        for chunk in cut(stream, &cuts) {
            filter.push(chunk, &mut passed);
            observer.push(chunk);
        }
        filter.end(&mut passed);
        for (sent, between_events) in [(stream, observer.between_events()), (&passed[..], filter.between_events())] {
            let mut expected = events(sent);
            expected.push(broken().body(Dialect::OpenAi));
            let whole = [sent, &error_ending(Dialect::OpenAi, between_events, &broken())].concat();
            prop_assert_eq!(events(&whole), expected, "{:?}", String::from_utf8_lossy(sent));
        }
    }
}
