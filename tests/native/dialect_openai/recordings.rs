//! Every recording of Chat Completions in `../shared/corpus`, read and written again: what a client sees of both is the same.

use serde_json::Value;
use turnout::dialect::answer::Event;
use turnout::dialect::openai;
use turnout::usage::Usage;

use super::{assembled, events, payloads, reply, stream};
use crate::corpus::{recordings, streams};

/// What a client of this dialect makes of messages or deltas, read straight from the JSON.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    text: String,
    thought: String,
    refusal: String,
    /// Id, name, arguments.
    calls: Vec<(String, String, String)>,
    stop: Option<String>,
    usage: Option<Usage>,
}

impl Seen {
    fn add(&mut self, body: &Value) {
        self.usage = Usage::from_chat(body.to_string().as_bytes()).or(self.usage);
        let Some(choice) = body["choices"].get(0) else { return };
        let message = choice.get("delta").unwrap_or(&choice["message"]);
        match &message["content"] {
            Value::Array(parts) => {
                for part in parts {
                    self.text.push_str(part["text"].as_str().unwrap_or_default());
                    self.thought.push_str(part["thinking"][0]["text"].as_str().unwrap_or_default());
                }
            }
            content => self.text.push_str(content.as_str().unwrap_or_default()),
        }
        for name in ["reasoning_content", "reasoning"] {
            self.thought.push_str(message[name].as_str().unwrap_or_default());
        }
        self.refusal.push_str(message["refusal"].as_str().unwrap_or_default());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (name, arguments) = (text(&call["function"]["name"]), text(&call["function"]["arguments"]));
            match self.calls.last_mut().filter(|_| call["id"].is_null()) {
                Some(last) => last.2.push_str(&arguments),
                None => self.calls.push((text(&call["id"]), name, arguments)),
            }
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.stop = Some(reason.to_owned());
        }
    }

    fn of<'b>(bodies: impl IntoIterator<Item = &'b str>) -> Seen {
        let mut seen = Seen::default();
        for body in bodies.into_iter().filter(|body| *body != "[DONE]") {
            seen.add(&serde_json::from_str(body).expect("JSON"));
        }
        seen
    }
}

#[test]
fn whole_answers_are_the_same_when_written_again() {
    let mut count = 0;
    for (path, text) in recordings(".json") {
        if text.contains(r#""error""#) {
            openai::decode_answer(text.as_bytes()).expect_err("an error is no answer");
            let failure = openai::decode_error(400, text.as_bytes());
            assert!(failure.message.starts_with("Unsupported parameter"), "{failure:?}");
            continue;
        }
        let answer = openai::decode_answer(text.as_bytes()).expect("an answer");
        let again = String::from_utf8(openai::encode_answer(&answer, &reply())).expect("UTF-8");
        assert_eq!(Seen::of([again.as_str()]), Seen::of([text.as_str()]), "{}", path.display());
        assert_eq!(openai::decode_answer(again.as_bytes()).expect("an answer").usage, answer.usage);
        count += 1;
    }
    assert!(count == 0 || count >= 10, "only {count} recordings");
}

#[test]
fn streams_are_the_same_when_written_again() {
    let mut count = 0;
    for (path, recorded) in streams() {
        let name = path.display();
        let read =
            events(recorded.iter().map(String::as_str)).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let answer = assembled(&read);
        let again = payloads(&stream(&read, &reply()));
        assert_eq!(again.last().map(String::as_str), Some("[DONE]"), "{name}");
        let seen = Seen::of(recorded.iter().map(String::as_str));
        assert_eq!(Seen::of(again.iter().map(String::as_str)), seen, "{name}");
        assert!(!seen.text.is_empty() || !seen.calls.is_empty(), "{name}: nothing seen");

        // As a whole answer it says the same.
        let whole = String::from_utf8(openai::encode_answer(&answer, &reply())).expect("UTF-8");
        assert_eq!(Seen::of([whole.as_str()]), seen, "{name}");

        // Cut off before its end, it is not whole.
        let cut = recorded.len() / 2;
        events(recorded[..cut].iter().map(String::as_str)).expect_err("a stream that is cut off");
        let opens = |event: &&Event| matches!(event, Event::Open { .. });
        assert_eq!(read.iter().filter(opens).count(), answer.choices[0].parts.len(), "{name}");
        count += 1;
    }
    assert!(count == 0 || count >= 8, "only {count} recordings");
}
