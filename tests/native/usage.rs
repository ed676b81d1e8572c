use proptest::prelude::*;
use turnout::usage::Usage;

/// (input, cache_read, cache_write, output, reasoning)
type Counts = [Option<u64>; 5];

fn counts(usage: Usage) -> Counts {
    [usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning]
}

fn check(who: &str, usage: &str, expected: Counts) {
    let body = format!(r#"{{"id":"1","choices":[],"usage":{usage}}}"#);
    assert_eq!(Usage::from_chat(body.as_bytes()).map(counts), Some(expected), "{who}: {usage}");
}

#[test]
fn every_spelling_means_the_same() {
    check(
        "OpenAI",
        r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":60,"audio_tokens":0},
            "completion_tokens_details":{"reasoning_tokens":40,"audio_tokens":0}}"#,
        [Some(40), Some(60), None, Some(50), Some(40)],
    );
    check(
        "OpenRouter, and OpenAI where it says what it wrote",
        r#"{"prompt_tokens":25612,"completion_tokens":9,"total_tokens":25621,
            "prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":25600}}"#,
        [Some(12), Some(0), Some(25600), Some(9), None],
    );
    check(
        "DeepSeek",
        r#"{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35,"prompt_cache_hit_tokens":20,"prompt_cache_miss_tokens":10}"#,
        [Some(10), Some(20), None, Some(5), None],
    );
    check(
        "DeepSeek without a sum",
        r#"{"prompt_cache_hit_tokens":20,"prompt_cache_miss_tokens":10}"#,
        [Some(10), Some(20), None, None, None],
    );
    check(
        "Moonshot",
        r#"{"prompt_tokens":20,"completion_tokens":30,"total_tokens":50,"cached_tokens":10}"#,
        [Some(10), Some(10), None, Some(30), None],
    );
    check(
        "xAI counts reasoning apart",
        r#"{"prompt_tokens":307,"completion_tokens":26,"total_tokens":560,
            "prompt_tokens_details":{"cached_tokens":306},"completion_tokens_details":{"reasoning_tokens":227}}"#,
        [Some(1), Some(306), None, Some(253), Some(227)],
    );
    check(
        "Google's compatible endpoint counts thoughts in the total alone",
        r#"{"prompt_tokens":20,"completion_tokens":198,"total_tokens":623}"#,
        [Some(20), None, None, Some(603), None],
    );
    check(
        "Perplexity's deep research leaves reasoning out of the total",
        r#"{"prompt_tokens":108,"completion_tokens":3256,"total_tokens":3364,"citation_tokens":7299,"reasoning_tokens":73248}"#,
        [Some(108), None, None, Some(76504), Some(73248)],
    );
    check(
        "Azure's DeepSeek",
        r#"{"prompt_tokens":19,"total_tokens":1739,"completion_tokens":1720,"prompt_tokens_details":null,"reasoning_tokens":0}"#,
        [Some(19), None, None, Some(1720), Some(0)],
    );
    check(
        "Alibaba",
        r#"{"prompt_tokens":2030,"completion_tokens":4,"total_tokens":2034,
            "prompt_tokens_details":{"cached_tokens":0,"cache_creation_input_tokens":2022}}"#,
        [Some(8), Some(0), Some(2022), Some(4), None],
    );
    check(
        "Anthropic's words beside OpenAI's",
        r#"{"prompt_tokens":1010,"completion_tokens":5,"total_tokens":1015,"cache_read_input_tokens":900,"cache_creation_input_tokens":100}"#,
        [Some(10), Some(900), Some(100), Some(5), None],
    );
}

#[test]
fn a_cache_that_the_prompt_does_not_include_is_not_taken_from_it() {
    // By the sum.
    check(
        "",
        r#"{"prompt_tokens":900,"completion_tokens":5,"total_tokens":1005,"cache_read_input_tokens":100}"#,
        [Some(900), Some(100), None, Some(5), None],
    );
    // A part is never more than the whole.
    check(
        "",
        r#"{"prompt_tokens":3,"completion_tokens":5,"cache_read_input_tokens":100}"#,
        [Some(3), Some(100), None, Some(5), None],
    );
}

#[test]
fn not_said_is_not_zero() {
    check("", r#"{"prompt_tokens":7}"#, [Some(7), None, None, None, None]);
    check("", r#"{"completion_tokens":0}"#, [None, None, None, Some(0), None]);
    for nothing in [
        "{}",
        "[]",
        "null",
        "",
        "{",
        "7",
        r#"{"usage":null}"#,
        r#"{"usage":{}}"#,
        r#"{"usage":"12"}"#,
        r#"{"usage":[1]}"#,
        r#"{"usage":{"prompt_tokens":null}}"#,
        r#"{"usage":{"prompt_tokens":1}"#,
        r#"{"usage":{"prompt_tokens":1}}x"#,
        r#"{"choices":[{"usage":7}],"x_groq":[]}"#,
    ] {
        assert_eq!(Usage::from_chat(nothing.as_bytes()), None, "{nothing}");
    }
}

#[test]
fn a_count_that_is_none_is_one_that_was_not_said() {
    for count in ["-1", "1.5", "1e3", "\"12\"", "null", "true", "[3]", "{}", "18446744073709551616", "-0"] {
        check(
            count,
            &format!(r#"{{"prompt_tokens":{count},"completion_tokens":3}}"#),
            [None, None, None, Some(3), None],
        );
    }
}

#[test]
fn the_largest_counts_do_not_overflow() {
    let most = u64::MAX;
    check(
        "",
        &format!(
            r#"{{"prompt_tokens":{most},"completion_tokens":{most},"total_tokens":{most},"reasoning_tokens":{most},
                "cached_tokens":{most},"cache_creation_input_tokens":{most}}}"#
        ),
        [Some(0), Some(most), Some(most), Some(most), Some(most)],
    );
}

#[test]
fn it_is_found_where_providers_put_it() {
    let expected = Usage { input: Some(3), output: Some(4), ..Usage::default() };
    for body in [
        r#"{"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
        r#"{"x_groq":{"id":"req","usage":{"prompt_tokens":3,"completion_tokens":4}}}"#,
        r#"{"usage":null,"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":4}}}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":3,"completion_tokens":4}}]}"#,
        r#"{"choices":[{"index":0},{"index":1,"usage":{"prompt_tokens":3,"completion_tokens":4}}]}"#,
        r#"{"usage":{"prompt_tokens":9},"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
        r#" { "us\u0061ge" : { "prompt_tokens" : 3 , "completion_tokens" : 4 } } "#,
    ] {
        assert_eq!(Usage::from_chat(body.as_bytes()), Some(expected), "{body}");
    }
}

#[test]
fn of_each_count_the_later_one_holds() {
    let mut usage = Usage { input: Some(10), cache_read: Some(2), output: Some(1), ..Usage::default() };
    usage.merge(Usage { output: Some(9), reasoning: Some(4), ..Usage::default() });
    assert_eq!(counts(usage), [Some(10), Some(2), None, Some(9), Some(4)]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Usage::from_chat(&bytes);
    }

    /// By OpenAI's rule the parts add up to the prompt, and reasoning is a part of the output.
    #[test]
    fn nothing_is_lost_or_counted_twice(uncached: u32, cached: u32, written: u32, said: u32, reasoning: u32) {
        let prompt = u64::from(uncached) + u64::from(cached) + u64::from(written);
        let completion = u64::from(said) + u64::from(reasoning);
        let body = serde_json::json!({"usage": {
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }});
        let usage = Usage::from_chat(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!(counts(usage), [
            Some(uncached.into()), Some(cached.into()), Some(written.into()), Some(completion), Some(reasoning.into()),
        ]);
    }
}
