//! The outbound bytes, byte for byte.

use turnout::call::Overrides;

use super::{TO_M, outbound, parse};

fn check(overrides: &Overrides<'_>, cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        assert_eq!(outbound(&parse(body), overrides), *expected, "of {body}");
    }
}

#[test]
fn only_the_model_differs() {
    let cases = [
        (r#"{"model":"a"}"#, r#"{"model":"m"}"#),
        (" {\t\"model\"\n:\r\"a\" } \n", " {\t\"model\"\n:\r\"m\" } \n"),
        (
            r#"{"z":1,"model":"a","b":1.0e+05,"b":-0,"c":1e400}"#,
            r#"{"z":1,"model":"m","b":1.0e+05,"b":-0,"c":1e400}"#,
        ),
        (r#"{"\u006dodel":"\u0061\"}"}"#, r#"{"\u006dodel":"m"}"#),
        (r#"{"x":"\ud83d \"model\":\"a\"","model":"a"}"#, r#"{"x":"\ud83d \"model\":\"a\"","model":"m"}"#),
        (
            r#"{"x":{"model":"a","metadata":{}},"model":"a"}"#,
            r#"{"x":{"model":"a","metadata":{}},"model":"m"}"#,
        ),
        (
            r#"{"model":"a","messages":[{"cache_control":{"type":"ephemeral"}}]}"#,
            r#"{"model":"m","messages":[{"cache_control":{"type":"ephemeral"}}]}"#,
        ),
        (
            r#"{"model":"a","user":"u","store":true,"prompt_cache_key":"k","":0}"#,
            r#"{"model":"m","user":"u","store":true,"prompt_cache_key":"k","":0}"#,
        ),
        ("{\"model\":\"ä\",\"x\":\"日本\u{1f600}\"}", "{\"model\":\"m\",\"x\":\"日本\u{1f600}\"}"),
    ];
    check(&TO_M, &cases);
    check(&Overrides { model: "q\"\n/é", ..TO_M }, &[(r#"{"model":"a"}"#, r#"{"model":"q\"\n/é"}"#)]);
}

#[test]
fn ours_is_removed_with_one_comma() {
    check(
        &TO_M,
        &[
            (r#"{"sort":[],"model":"a"}"#, r#"{"model":"m"}"#),
            (r#"{"model":"a","sort":[]}"#, r#"{"model":"m"}"#),
            (r#"{"sort":[],"model":"a","ignore":"a"}"#, r#"{"model":"m"}"#),
            (r#"{"model":"a","sort":[],"x":2}"#, r#"{"model":"m","x":2}"#),
            (
                r#"{"models":[],"fallback":{},"ignore":"a","sort":[],"provider":{},"model":"a"}"#,
                r#"{"model":"m"}"#,
            ),
            (r#"{"prompt_variables":{},"metadata":{},"extra_body":{},"model":"a"}"#, r#"{"model":"m"}"#),
            (
                r#"{"model":"a","models":[],"fallback":{},"x":1,"ignore":"a","sort":[],"y":2,"provider":{}}"#,
                r#"{"model":"m","x":1,"y":2}"#,
            ),
            (
                r#"{"model":"a","x":1,"metadata":null,"extra_body":null,"prompt_variables":{}}"#,
                r#"{"model":"m","x":1}"#,
            ),
            (
                "{\n  \"model\": \"a\",\n  \"sort\": [\"a\",\n \"b\"],\n  \"x\": 1\n}",
                "{\n  \"model\": \"m\",\n  \"x\": 1\n}",
            ),
            ("{\n  \"sort\" : [ ] ,\n  \"model\": \"a\"\n}", "{\n  \"model\": \"m\"\n}"),
            ("{\n  \"model\": \"a\" ,\n  \"sort\": []\n}", "{\n  \"model\": \"m\"\n}"),
            (r#"{"model":"a","\u0073ort":"},{","x":1}"#, r#"{"model":"m","x":1}"#),
        ],
    );
}

#[test]
fn routing_and_metadata_go_on_where_they_are_the_targets_own() {
    let body = r#"{"models":["b"],"model":"a","provider":{"order":[ ]},"metadata":{"k":"v"},"sort":[]}"#;
    check(
        &Overrides { forward_routing: true, ..TO_M },
        &[(body, r#"{"models":["b"],"model":"m","provider":{"order":[ ]}}"#)],
    );
    check(&Overrides { forward_metadata: true, ..TO_M }, &[(body, r#"{"model":"m","metadata":{"k":"v"}}"#)]);
}

#[test]
fn a_literal_extra_body_is_unfolded_where_it_stands() {
    check(
        &TO_M,
        &[
            (r#"{"model":"a","extra_body":{"top_k":5}}"#, r#"{"model":"m","top_k":5}"#),
            (r#"{"extra_body":{"top_k":5},"model":"a"}"#, r#"{"top_k":5,"model":"m"}"#),
            (
                r#"{"model":"a","extra_body":{"metadata":{"k":1},"top_k":5},"x":1}"#,
                r#"{"model":"m","top_k":5,"x":1}"#,
            ),
            (
                r#"{"model":"a","extra_body":{"top_k":5,"metadata":{"k":1}},"x":1}"#,
                r#"{"model":"m","top_k":5,"x":1}"#,
            ),
            (
                r#"{"model":"a","sort":[],"extra_body":{"sort":[],"y":2,"sorts":3,"z":4},"ignore":"a","x":1}"#,
                r#"{"model":"m","y":2,"sorts":3,"z":4,"x":1}"#,
            ),
            (
                r#"{"model":"a","extra_body":{"y":2,"ignore":"a","z":4,"provider":{}},"ignore":"a","x":1}"#,
                r#"{"model":"m","y":2,"z":4,"x":1}"#,
            ),
            (r#"{"model":"a","extra_body":{"metadata":{}},"x":1}"#, r#"{"model":"m","x":1}"#),
            (r#"{"extra_body":{ },"model":"a"}"#, r#"{"model":"m"}"#),
            (r#"{"sort":[],"extra_body":{},"model":"a","extra":1}"#, r#"{"model":"m","extra":1}"#),
            (
                r#"{ "model": "a" , "extra_body" : { "search" : { } , "metadata" : { } } , "x": 1 }"#,
                r#"{ "model": "m" , "search" : { } , "x": 1 }"#,
            ),
            (
                "{ \"sort\": [], \"extra_body\" : { \"y\" : 1 } , \"ignore\" : [ ] , \"model\": \"a\" }",
                "{ \"y\" : 1 , \"model\": \"m\" }",
            ),
            // The top level's own wins, in whatever spelling; nothing is there twice.
            (
                r#"{"model":"a","top_k":1,"extra_body":{"\u0074op_k":2,"y":3}}"#,
                r#"{"model":"m","top_k":1,"y":3}"#,
            ),
            (r#"{"extra_body":{"model":"b","messages":[]},"model":"a"}"#, r#"{"messages":[],"model":"m"}"#),
            // The model may stand in it alone, and one `extra_body` in another is ours.
            (r#"{"extra_body":{"model":"b","extra_body":{"z":1}}}"#, r#"{"model":"m"}"#),
            (r#"{"x":1,"extra_body":{"y":1,"model":"b"}}"#, r#"{"x":1,"y":1,"model":"m"}"#),
        ],
    );
    check(
        &Overrides { forward_routing: true, forward_metadata: true, ..TO_M },
        &[
            (
                r#"{"model":"a","extra_body":{"provider":{"sort":"price"},"metadata":{"k":1},"sort":[]}}"#,
                r#"{"model":"m","provider":{"sort":"price"}}"#,
            ),
            (
                r#"{"model":"a","models":["1"],"extra_body":{"models":["2"],"metadata":{}},"metadata":{"k":2}}"#,
                r#"{"model":"m","models":["1"],"metadata":{"k":2}}"#,
            ),
        ],
    );
}

#[test]
fn usage_is_asked_for_where_the_call_streams_and_did_not_ask() {
    let asking = Overrides { ask_usage: true, ..TO_M };
    let asked = [
        (
            r#"{"model":"a","stream":true}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            "{\"stream\":true,\"model\":\"a\"\n}\n",
            "{\"stream\":true,\"model\":\"m\",\"stream_options\":{\"include_usage\":true}\n}\n",
        ),
        (
            r#"{"model":"a","stream":true,"sort":[]}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"a","extra_body":{"stream":true,"ignore":"a"} ,"sort":[] }"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true} }"#,
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":null,"x":1}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"x":1}"#,
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{ }}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{ "x":false}}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true, "x":false}}"#,
        ),
        (
            r#"{"stream_options":{"x":1,"include_usage" : false },"model":"a","stream":true}"#,
            r#"{"stream_options":{"x":1,"include_usage" : true },"model":"m","stream":true}"#,
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{"include_\u0075sage":null}}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_\u0075sage":true}}"#,
        ),
        (
            r#"{"model":"a","stream":true,"extra_body":{"stream_options":{"include_usage":false}}}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
    ];
    check(&asking, &asked);
    for (_, outbound) in asked {
        assert!(parse(outbound).asks_usage(), "{outbound}");
    }

    let left_alone = [
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"model":"m","stream":false}"#,
        r#"{"model":"m","stream":null,"stream_options":null}"#,
        r#"{"model":"m","stream_options":{"include_usage":false}}"#,
    ];
    for body in left_alone {
        check(&asking, &[(body, body)]);
    }
    let unasked = r#"{"model":"m","stream":true,"stream_options":{"include_usage":false}}"#;
    check(&TO_M, &[(unasked, unasked)]);
}

#[test]
fn splices_are_sorted_and_apart() {
    let call = parse(
        r#"{"sort":[],"stream":true,"x":0,"model":"a","ignore":"a","extra_body":{"y":1},"fallback":{}}"#,
    );
    let splices = call.splices(&Overrides { ask_usage: true, ..TO_M });
    let splices: Vec<_> = splices.iter().map(|splice| (splice.range.clone(), splice.with.as_str())).collect();
    let usage = r#","stream_options":{"include_usage":true}"#;
    assert_eq!(splices, [(1..11, ""), (39..42, r#""m""#), (43..70, ""), (75..90, usage)]);
}
