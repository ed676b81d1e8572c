//! The demo models: the same prompt gives the same answer, and an experiment between two of them shows what they state.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout::demo::{Answer, Chunk, DemoRequest, MODELS, answer};

const CREATED: u64 = 1_760_000_000;

fn prompt(text: &str) -> Value {
    json!([{"role": "system", "content": "You are terse."}, {"role": "user", "content": text}])
}

fn ask(model: &str, messages: &Value, stream: bool, max_tokens: Option<u64>) -> Answer {
    answer(&DemoRequest { model, messages, stream, include_usage: stream, max_tokens, created: CREATED })
}

/// What an answer says, streamed or not.
#[derive(Debug, PartialEq)]
struct Said {
    id: String,
    text: String,
    finish: String,
    usage: Value,
    total_ms: u32,
}

/// The payloads of a stream's events before `[DONE]`, each of them one JSON object, and whether `[DONE]` came.
fn payloads(chunks: &[Chunk]) -> (Vec<Value>, bool) {
    let data = |chunk: &Chunk| -> String {
        let data = chunk.bytes.strip_prefix("data: ").and_then(|bytes| bytes.strip_suffix("\n\n"));
        let data = data.expect("an event is one data line and a blank line");
        assert!(!data.contains('\n'), "{data}");
        data.to_owned()
    };
    let mut events: Vec<String> = chunks.iter().map(data).collect();
    let done = events.last().is_some_and(|last| last == "[DONE]");
    if done {
        events.pop();
    }
    (events.iter().map(|event| serde_json::from_str(event).expect("JSON")).collect(), done)
}

/// `None` for an answer that is an error or breaks off with one.
fn said(answer: &Answer) -> Option<Said> {
    match answer {
        Answer::Whole { status: 200, body, after_ms, .. } => {
            let body: Value = serde_json::from_str(body).unwrap();
            let choice = &body["choices"][0];
            Some(Said {
                id: body["id"].as_str().unwrap().to_owned(),
                text: choice["message"]["content"].as_str().unwrap().to_owned(),
                finish: choice["finish_reason"].as_str().unwrap().to_owned(),
                usage: body["usage"].clone(),
                total_ms: *after_ms,
            })
        }
        Answer::Whole { .. } => None,
        Answer::Stream(chunks) => {
            let (events, done) = payloads(chunks);
            if !done {
                assert!(events.last().unwrap()["error"]["message"].is_string());
                return None;
            }
            let content = |event: &Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
            let finish = |event: &Value| event["choices"][0]["finish_reason"].as_str().map(str::to_owned);
            Some(Said {
                id: events[0]["id"].as_str().unwrap().to_owned(),
                text: events.iter().filter_map(content).collect(),
                finish: events.iter().find_map(finish).unwrap(),
                usage: events.last().unwrap()["usage"].clone(),
                total_ms: chunks.iter().map(|chunk| chunk.after_ms).sum(),
            })
        }
    }
}

fn prompts(count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(|number| prompt(&format!("How do I plan trip number {number}?")))
}

#[test]
fn the_models_that_docs_and_seeds_name_exist() {
    let ids: Vec<&str> = MODELS.iter().map(|model| model.id).collect();
    for id in ["demo/swift", "demo/sage", "demo/flaky"] {
        assert!(ids.contains(&id), "{ids:?}");
    }
    assert!(MODELS.iter().all(|model| !model.description.is_empty()));
}

#[test]
fn the_same_prompt_gives_the_same_answer_and_another_gives_another() {
    for model in MODELS {
        let answers: Vec<Answer> = prompts(50).map(|prompt| ask(model.id, &prompt, true, None)).collect();
        let again: Vec<Answer> = prompts(50).map(|prompt| ask(model.id, &prompt, true, None)).collect();
        assert_eq!(answers, again, "{}", model.id);
        let texts: Vec<String> = answers.iter().filter_map(said).map(|said| said.text).collect();
        let distinct: HashSet<&String> = texts.iter().collect();
        assert!(
            texts.len() > 20 && distinct.len() == texts.len(),
            "{}: {} of {}",
            model.id,
            distinct.len(),
            texts.len()
        );
    }
}

/// Frozen: an answer may differ from version to version, but not from machine to machine, and not unnoticed.
#[test]
fn an_answer_is_the_same_on_every_machine() {
    let said = said(&ask("demo/swift", &prompt("How do I brew good coffee?"), false, None)).unwrap();
    assert_eq!(
        said.text,
        "As for “How do I brew good coffee”, the short version is this. Ask someone who has done it twice; the second time is where the lessons are. Try it on a few cases that you know well before you trust it with those that you do not."
    );
    assert_eq!((said.id.as_str(), said.total_ms), ("chatcmpl-demo-7972100e378258a068e77800", 997));
}

#[test]
fn only_the_prompt_matters_to_the_text() {
    let messages = prompt("What is a turnout?");
    let request = |created, model| {
        let stream = false;
        let request = DemoRequest {
            model,
            messages: &messages,
            stream,
            include_usage: false,
            max_tokens: None,
            created,
        };
        said(&answer(&request)).unwrap()
    };
    let (first, later, bare) = (request(1, "demo/sage"), request(2, "demo/sage"), request(1, "sage"));
    assert_eq!(first.text, later.text);
    assert_ne!(first.id, later.id, "two calls are two completions");
    assert_eq!(first, bare, "with or without `demo/`");
}

#[test]
fn a_stream_says_what_the_whole_answer_says_in_the_same_time() {
    for model in MODELS {
        for prompt in prompts(200) {
            for max_tokens in [None, Some(20)] {
                let whole = said(&ask(model.id, &prompt, false, max_tokens));
                assert_eq!(said(&ask(model.id, &prompt, true, max_tokens)), whole, "{} {prompt}", model.id);
            }
        }
    }
}

#[test]
fn a_whole_answer_looks_like_openais() {
    let Answer::Whole { status, retry_after, body, .. } =
        ask("demo/sage", &prompt("Hello, you."), false, None)
    else {
        panic!("a whole answer");
    };
    assert_eq!((status, retry_after), (200, None));
    let text = serde_json::from_str::<Value>(&body).unwrap()["choices"][0]["message"]["content"].clone();
    let id = serde_json::from_str::<Value>(&body).unwrap()["id"].clone();
    assert!(id.as_str().unwrap().starts_with("chatcmpl-demo-"));
    let completion = text.as_str().unwrap().chars().count().div_ceil(4);
    // "You are terse." and "Hello, you." are 14 and 11 characters, 4 and 3 tokens.
    let total = completion + 7;
    assert_eq!(
        body,
        format!(r#"{{"id":{id},"object":"chat.completion","created":1760000000,"model":"demo/sage","#)
            + &format!(
                r#""choices":[{{"index":0,"message":{{"role":"assistant","content":{text},"refusal":null,"annotations":[]}},"#
            )
            + r#""logprobs":null,"finish_reason":"stop"}],"#
            + &format!(
                r#""usage":{{"prompt_tokens":7,"completion_tokens":{completion},"total_tokens":{total},"#
            )
            + r#""prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"#
            + r#""completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"#
            + r#""rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_demo"}"#
    );
}

#[test]
fn a_stream_looks_like_openais() {
    let messages = prompt("Hello, you.");
    for include_usage in [false, true] {
        let request = DemoRequest {
            model: "demo/sage",
            messages: &messages,
            stream: true,
            include_usage,
            max_tokens: None,
            created: CREATED,
        };
        let Answer::Stream(chunks) = answer(&request) else { panic!("a stream") };
        let (mut events, done) = payloads(&chunks);
        assert!(done);
        if include_usage {
            let last = events.pop().unwrap();
            assert_eq!(last["choices"], json!([]));
            assert!(last["usage"]["completion_tokens"].as_u64().unwrap() > 0);
        }
        for event in &events {
            assert_eq!(event["object"], "chat.completion.chunk");
            assert_eq!((&event["id"], &event["created"]), (&events[0]["id"], &json!(CREATED)));
            assert_eq!(event.get("usage"), include_usage.then_some(&Value::Null));
            assert_eq!(event["choices"].as_array().unwrap().len(), 1);
        }
        let (first, last) = (&events[0]["choices"][0], &events.last().unwrap()["choices"][0]);
        assert_eq!(first["delta"], json!({"role": "assistant", "content": "", "refusal": null}));
        assert_eq!((&last["delta"], &last["finish_reason"]), (&json!({}), &json!("stop")));
        assert!(chunks[0].bytes.starts_with(r#"data: {"id":"chatcmpl-demo-"#), "{}", chunks[0].bytes);
    }
}

#[test]
fn errors_come_as_often_as_stated() {
    for model in MODELS {
        let mut kinds = [0_u32; 3];
        for prompt in prompts(10_000) {
            let Answer::Whole { status, retry_after, body, .. } = ask(model.id, &prompt, false, Some(1))
            else {
                panic!("a whole answer");
            };
            let kind = match status {
                200 => continue,
                429 => 0,
                503 => 1,
                500 => 2,
                other => panic!("status {other}"),
            };
            kinds[kind] += 1;
            let body: Value = serde_json::from_str(&body).unwrap();
            assert!(body["error"]["code"].is_string() && body["error"]["message"].is_string(), "{body}");
            assert_eq!(retry_after.is_some_and(|seconds| seconds > 0), status != 500, "{status}");
        }
        // 99.9 % of a binomial lies within 3.29 standard deviations.
        let rate = f64::from(model.errors_per_thousand) / 1000.0;
        let (expected, deviation) = (10_000.0 * rate, (10_000.0 * rate * (1.0 - rate)).sqrt());
        let errors = f64::from(kinds.iter().sum::<u32>());
        assert!((errors - expected).abs() <= 3.29 * deviation, "{}: {errors} for {expected}", model.id);
        assert!(
            rate < 0.1 || kinds.iter().all(|kind| *kind > 300),
            "{}: every kind is seen: {kinds:?}",
            model.id
        );
    }
}

#[test]
fn a_break_comes_before_the_first_word_or_in_the_middle() {
    let mut with_words = [false, false];
    for prompt in prompts(500) {
        let Answer::Stream(chunks) = ask("demo/flaky", &prompt, true, None) else { continue };
        let (events, done) = payloads(&chunks);
        if done {
            continue;
        }
        let error = &events.last().unwrap()["error"];
        assert_eq!((&error["type"], &error["code"]), (&json!("server_error"), &json!("server_error")));
        // The role and the error; else words between them.
        with_words[usize::from(events.len() > 2)] = true;
        let Answer::Whole { status, .. } = ask("demo/flaky", &prompt, false, None) else {
            panic!("a whole answer")
        };
        assert_eq!(status, 500, "without a stream the same prompt fails as well");
    }
    assert_eq!(with_words, [true, true]);
}

struct Means {
    total_ms: f64,
    first_ms: f64,
    tokens: f64,
}

fn means(model: &str) -> Means {
    let (mut sums, mut count) = (Means { total_ms: 0.0, first_ms: 0.0, tokens: 0.0 }, 0.0);
    for prompt in prompts(200) {
        let answer = ask(model, &prompt, true, None);
        let (Answer::Stream(chunks), Some(said)) = (&answer, said(&answer)) else { continue };
        assert!((500..=6500).contains(&said.total_ms), "{model} takes {} ms", said.total_ms);
        sums.total_ms += f64::from(said.total_ms);
        sums.first_ms += f64::from(chunks[0].after_ms + chunks[1].after_ms);
        sums.tokens += said.usage["completion_tokens"].as_f64().unwrap();
        count += 1.0;
    }
    Means { total_ms: sums.total_ms / count, first_ms: sums.first_ms / count, tokens: sums.tokens / count }
}

#[test]
fn swift_is_plainly_quicker_and_briefer_than_sage() {
    let (swift, sage) = (means("demo/swift"), means("demo/sage"));
    assert!(sage.total_ms > 3.0 * swift.total_ms, "{} and {} ms", swift.total_ms, sage.total_ms);
    assert!(sage.first_ms > 3.0 * swift.first_ms, "{} and {} ms", swift.first_ms, sage.first_ms);
    assert!(sage.tokens > 2.0 * swift.tokens, "{} and {} tokens", swift.tokens, sage.tokens);
}

#[test]
fn the_pace_is_the_stated_one() {
    for model in MODELS {
        let means = means(model.id);
        let first = means.first_ms / f64::from(model.first_token_ms);
        let rate =
            means.tokens / (means.total_ms - means.first_ms) * 1000.0 / f64::from(model.tokens_per_second);
        // Whole milliseconds round down, and the first word comes with the first token.
        assert!(
            (0.97..1.03).contains(&first) && (0.97..1.10).contains(&rate),
            "{}: {first}, {rate}",
            model.id
        );
    }
}

#[test]
fn max_tokens_is_honoured() {
    let messages = prompt("How do I brew good coffee?");
    let full = said(&ask("demo/sage", &messages, true, None)).unwrap();
    let tokens = full.usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(full.finish, "stop");
    for max_tokens in [0, 1, 17, tokens - 1, tokens, tokens + 1, u64::MAX] {
        let cut = said(&ask("demo/sage", &messages, true, Some(max_tokens))).unwrap();
        assert_eq!(cut.usage["completion_tokens"].as_u64().unwrap(), tokens.min(max_tokens));
        assert_eq!(cut.finish, if max_tokens < tokens { "length" } else { "stop" }, "{max_tokens}");
        assert!(full.text.starts_with(&cut.text));
        assert!(max_tokens >= tokens || cut.text.chars().count() as u64 == max_tokens * 4);
    }
}

#[test]
fn the_answer_takes_up_the_last_words_of_the_user() {
    let text_of = |messages: Value| said(&ask("demo/sage", &messages, false, None)).unwrap().text;
    let cases = [
        (json!([{"role": "user", "content": "Why is the sky blue?"}]), "“Why is the sky blue”"),
        (
            json!([{"role": "user", "content": "No."}, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": " So\n what? "}]),
            "“So what”",
        ),
        (
            json!([{"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "What is this"}]}]),
            "“What is this”",
        ),
        (
            json!([{"role": "user", "content": "one two three four five six seven eight nine"}]),
            "“one two three four five six seven eight…”",
        ),
        (json!([{"role": "user", "content": "é".repeat(70)}]), &format!("“{}…”", "é".repeat(60))),
        (json!([{"role": "user", "content": "{topic} \"quoted\""}]), "“{topic} \"quoted\"”"),
        (json!([{"role": "system", "content": "Only this."}]), "your question"),
        (json!([{"role": "user", "content": "?!"}]), "your question"),
        (json!([{"role": "user"}, 5, null]), "your question"),
    ];
    for (messages, expected) in cases {
        let text = text_of(messages.clone());
        assert!(text.contains(expected), "{messages} gave {text}");
    }
}

#[test]
fn bad_input_gets_an_error_that_says_what_is_right() {
    let hello = prompt("Hello");
    let cases = [
        ("demo/genius", &hello, 404, "model_not_found", "model", "demo/swift, demo/sage, demo/flaky"),
        ("", &hello, 404, "model_not_found", "model", "demo/swift"),
        ("demo/demo/swift", &hello, 404, "model_not_found", "model", "demo/swift"),
        ("demo/swift", &json!([]), 400, "invalid_request", "messages", "at least one message"),
        ("demo/swift", &Value::Null, 400, "invalid_request", "messages", "at least one message"),
        ("demo/swift", &json!("hello"), 400, "invalid_request", "messages", "at least one message"),
    ];
    for (model, messages, expected_status, code, param, says) in cases {
        for stream in [false, true] {
            let Answer::Whole { status, retry_after, body, after_ms } = ask(model, messages, stream, None)
            else {
                panic!("{model} gave a stream");
            };
            let error = serde_json::from_str::<Value>(&body).unwrap()["error"].clone();
            assert_eq!((status, retry_after, after_ms), (expected_status, None, 0), "{body}");
            assert_eq!((&error["code"], &error["param"]), (&json!(code), &json!(param)), "{body}");
            assert!(error["message"].as_str().unwrap().contains(says), "{body}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_messages_give_well_formed_answers(
        text in any::<String>(),
        role in "[a-z]{0,6}",
        model in 0..3_usize,
        max_tokens in any::<Option<u64>>(),
    ) {
        let messages = json!([{"role": role, "content": text}]);
        let whole = said(&ask(MODELS[model].id, &messages, false, max_tokens));
        prop_assert_eq!(said(&ask(MODELS[model].id, &messages, true, max_tokens)), whole);
    }
}
