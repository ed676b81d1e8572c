//! What Anthropic's, Responses' and Gemini's bodies say, and what of them goes on.

use serde_json::{Value, json};
use turnout::call::{Call, Overrides};
use turnout::dialect::Dialect::{self, Anthropic, Gemini, OpenAi, Responses};
use turnout::endpoint::{Ask, Operation};

use super::{TO_M, outbound, parse_as};

#[test]
fn fields_are_read() {
    let call = parse_as(
        Anthropic,
        r#"{"model":"turnout/r","max_tokens":20,"stream":true,"tools":[{}],"metadata":{"user_id":"u","plan":"pro"},
            "user":"mine","models":["a/b"]}"#,
    );
    assert_eq!((call.dialect(), call.operation()), (Anthropic, Operation::Generate));
    assert_eq!((call.model(), call.max_tokens()), ("turnout/r", Some(20)));
    assert_eq!((call.user(), call.metadata_user_id()), (Some("mine"), Some("u")));
    assert!(call.stream() && call.has_tools() && !call.asks_usage() && !call.refers_to_state());
    assert_eq!(call.asked().models, ["a/b"]);
    assert_eq!(Value::Object(call.metadata().clone()), json!({"user_id": "u", "plan": "pro"}));

    let call = parse_as(
        Responses,
        r#"{"model":"turnout/r","max_output_tokens":20,"max_tokens":9,"stream":true,"store":true,"safety_identifier":"s",
            "tools":[{}],"metadata":{"plan":"pro"}, "extra_body":{"metadata":{"plan":"free"}}}"#,
    );
    assert_eq!((call.model(), call.max_tokens()), ("turnout/r", Some(20)));
    assert_eq!((call.user(), call.safety_identifier()), (None, Some("s")));
    assert!(call.stream() && call.has_tools() && call.store());
    assert_eq!(Value::Object(call.metadata().clone()), json!({"plan": "free"}));

    let call = parse_as(
        Gemini,
        r#"{"model":"models/ignored","stream":false,"generationConfig":{"temperature":1,"maxOutputTokens":20},
            "tools":[{"functionDeclarations":[]}],"user":"u","metadata":{"plan":"pro","user_id":"x"}}"#,
    );
    assert_eq!((call.model(), call.max_tokens(), call.user()), ("turnout/r", Some(20), Some("u")));
    assert_eq!(call.metadata_user_id(), None);
    assert!(call.stream() && call.has_tools());
    assert_eq!(parse_as(Gemini, r#"{"generation_config":{"max_output_tokens":7}}"#).max_tokens(), Some(7));
    assert_eq!(parse_as(Gemini, r#"{"generationConfig":[7]}"#).max_tokens(), None);
    assert_eq!(parse_as(Gemini, "{}").model(), "turnout/r");
}

#[test]
fn the_path_says_whether_there_is_a_stream_where_it_can() {
    let streams = |ask: Ask, body: &str| Call::parse(&ask, body.as_bytes().to_vec()).unwrap().stream();
    let gemini = Ask { model: Some("a".to_owned()), stream: Some(false), ..Ask::of(Gemini) };
    assert!(!streams(gemini, r#"{"stream":true}"#));
    let count = Ask { operation: Operation::CountTokens, stream: Some(false), ..Ask::of(Anthropic) };
    assert!(!streams(count, r#"{"model":"a","stream":true}"#));
}

#[test]
fn what_a_provider_keeps_is_seen() {
    for (fields, expected) in [
        ("", false),
        (r#","previous_response_id":null,"conversation":null"#, false),
        (r#","previous_response_id":"""#, false),
        (r#","previous_response_id":"resp_1""#, true),
        (r#","conversation":"conv_1""#, true),
        (r#","conversation":{"id":"conv_1"}"#, true),
        (r#","input":"item_reference""#, false),
        (r#","input":[{"role":"user","content":"item_reference"}]"#, false),
        (r#","input":[{"role":"user"},{"type":"item_reference","id":"rs_1"}]"#, true),
        (r#","input":[{"type":"item\u005freference","id":"rs_1"}]"#, true),
    ] {
        let body = format!(r#"{{"model":"a"{fields}}}"#);
        assert_eq!(parse_as(Responses, &body).refers_to_state(), expected, "{body}");
        assert!(!parse_as(OpenAi, &body).refers_to_state(), "it is no field of Chat Completions");
    }
}

#[track_caller]
fn says(dialect: Dialect, body: &str, expected: &[(&str, &str)]) {
    let expected: Vec<Value> =
        expected.iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
    assert_eq!(parse_as(dialect, body).messages(), Value::Array(expected), "{body}");
}

#[test]
fn anthropics_messages_are_role_and_text() {
    says(
        Anthropic,
        r#"{"model":"a","system":"be brief","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[
            {"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"one"},{"type":"tool_use","input":{}},
            {"type":"text","text":"two"}]}]}"#,
        &[("system", "be brief"), ("user", "hi"), ("assistant", "one\ntwo")],
    );
    says(
        Anthropic,
        r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":"12 °C"},{"type":"tool_result",
            "content":[{"type":"image"},{"type":"text","text":"sunny"},{"type":"search_result","content":[{"type":"text",
            "text":"found"}]}]},{"type":"tool_result","is_error":true},{"type":"text","text":"so?"}]}],"model":"a",
            "system":[{"type":"text","text":"one"},{"type":"text","text":"two","cache_control":{}}]}"#,
        &[("system", "one\ntwo"), ("user", "12 °C\nsunny\nfound\nso?")],
    );
    says(Anthropic, r#"{"model":"a","system":[],"messages":[7]}"#, &[("", "")]);
}

#[test]
fn responses_items_are_role_and_text() {
    says(Responses, r#"{"model":"a","input":"hi","instructions":"s"}"#, &[("system", "s"), ("user", "hi")]);
    says(Responses, r#"{"model":"a","instructions":null}"#, &[]);
    says(
        Responses,
        r#"{"model":"a","input":[{"role":"developer","content":"d"},{"type":"message","role":"user","content":[
            {"type":"input_text","text":"one"},{"type":"input_image"},{"type":"input_text","text":"two"}]},
            {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
            {"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call_output","output":"12"},
            {"type":"custom_tool_call_output","output":[{"type":"input_text","text":"13"}]},
            {"type":"item_reference","id":"i"},{"type":"message","role":"assistant","content":[
            {"type":"output_text","text":"ok"},{"type":"refusal","refusal":"no"}]}]}"#,
        &[
            ("developer", "d"),
            ("user", "one\ntwo"),
            ("assistant", ""),
            ("assistant", ""),
            ("tool", "12"),
            ("tool", "13"),
            ("", ""),
            ("assistant", "ok"),
        ],
    );
}

#[test]
fn geminis_contents_are_role_and_text() {
    says(
        Gemini,
        r#"{"systemInstruction":{"role":"user","parts":[{"text":"be"},{"text":"brief"}]},"contents":[
            {"parts":[{"text":"hi"},{"inlineData":{}},{"text":"there"}]},
            {"role":"model","parts":[{"text":"hm","thought":true},{"text":"I look"},{"functionCall":{"name":"f"}}]},
            {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"12"}}}]},
            {"role":"function","parts":[{"function_response":{"response":{"t":12, "u":"C"}}}]},
            {"role":"model"}]}"#,
        &[
            ("system", "be\nbrief"),
            ("user", "hi\nthere"),
            ("assistant", "I look"),
            ("user", "12"),
            ("tool", r#"{"t":12, "u":"C"}"#),
            ("assistant", ""),
        ],
    );
    says(Gemini, r#"{"system_instruction":{"parts":[{"text":"s"}]},"contents":"hi"}"#, &[("system", "s")]);
}

#[test]
fn images_are_seen() {
    let image = r#"{"type":"image","source":{}}"#;
    for (dialect, body, expected) in [
        (Anthropic, format!(r#""messages":[{{"content":[{image}]}}]"#), true),
        (
            Anthropic,
            format!(r#""messages":[{{"content":[{{"type":"tool_result","content":[{image}]}}]}}]"#),
            true,
        ),
        (
            Anthropic,
            format!(r#""messages":[{{"content":[{{"type":"tool_use","input":[{image}]}}]}}]"#),
            false,
        ),
        (Anthropic, r#""messages":[{"content":"image"}]"#.to_owned(), false),
        (Responses, r#""input":[{"content":[{"type":"input_image"}]}]"#.to_owned(), true),
        (Responses, r#""input":[{"output":[{"type":"input_image"}]}]"#.to_owned(), true),
        (Responses, r#""input":"input_image""#.to_owned(), false),
        (Gemini, r#""contents":[{"parts":[{"inlineData":{"mimeType":"image\/png"}}]}]"#.to_owned(), true),
        (Gemini, r#""contents":[{"parts":[{"file_data":{"mime_type":"image/png"}}]}]"#.to_owned(), true),
        (Gemini, r#""contents":[{"parts":[{"inlineData":{"mimeType":"audio/image"}}]}]"#.to_owned(), false),
    ] {
        let body = format!(r#"{{"model":"a",{body}}}"#);
        assert_eq!(parse_as(dialect, &body).has_images(), expected, "{body}");
    }
}

#[test]
fn deep_nesting_is_skipped_not_followed() {
    let deep = format!("{}[]{}", r#"[{"type":"x","content":"#.repeat(50_000), "}]".repeat(50_000));
    for dialect in Dialect::ALL {
        let messages = match dialect {
            OpenAi | Anthropic => "messages",
            Responses => "input",
            Gemini => "contents",
        };
        for value in [&deep, &format!(r#"[{{"role":"user","content":{deep},"parts":{deep}}},"image"]"#)] {
            let call =
                parse_as(dialect, &format!(r#"{{"model":"a","{messages}":{value},"system":{value}}}"#));
            call.messages();
            assert!(!call.has_images());
        }
    }
}

#[track_caller]
fn goes_on(dialect: Dialect, overrides: &Overrides<'_>, cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        assert_eq!(outbound(&parse_as(dialect, body), overrides), *expected, "of {body}");
    }
}

#[test]
fn of_anthropics_metadata_the_user_id_alone_goes_on() {
    goes_on(
        Anthropic,
        &TO_M,
        &[
            (
                r#"{"model":"a","metadata":{ "user_id" : "u" },"x":1}"#,
                r#"{"model":"m","metadata":{ "user_id" : "u" },"x":1}"#,
            ),
            (
                r#"{"model":"a","metadata":{"user_id":"u", "plan":"pro", "b":1}}"#,
                r#"{"model":"m","metadata":{"user_id":"u"}}"#,
            ),
            (
                r#"{"model":"a","metadata":{ "plan":"pro", "user_id":"u" }}"#,
                r#"{"model":"m","metadata":{ "user_id":"u" }}"#,
            ),
            (
                r#"{"metadata":{"a":{"user_id":1} ,"\u0075ser_id":"\u00fc","b":[1,{}]},"model":"a"}"#,
                r#"{"metadata":{"\u0075ser_id":"\u00fc"},"model":"m"}"#,
            ),
            (
                r#"{"model":"a","metadata":{"user_id":null,"a":1}}"#,
                r#"{"model":"m","metadata":{"user_id":null}}"#,
            ),
            (r#"{"model":"a","metadata":{"plan":"pro"},"x":1}"#, r#"{"model":"m","x":1}"#),
            (r#"{"model":"a","metadata":null,"x":1}"#, r#"{"model":"m","metadata":null,"x":1}"#),
            (r#"{"model":"a","metadata":{ }}"#, r#"{"model":"m","metadata":{ }}"#),
            (
                r#"{"model":"a","extra_body":{"metadata":{"user_id":"u"}},"metadata":{"user_id":"v","a":1}}"#,
                r#"{"model":"m","metadata":{"user_id":"v"}}"#,
            ),
            (r#"{"model":"a","user":"u","safety_identifier":"s","sort":[]}"#, r#"{"model":"m"}"#),
        ],
    );
    let ask = Ask { operation: Operation::CountTokens, stream: Some(false), ..Ask::of(Anthropic) };
    let body = r#"{"model":"a","metadata":{"user_id":"u"},"messages":[]}"#;
    let call = Call::parse(&ask, body.as_bytes().to_vec()).unwrap();
    assert_eq!(outbound(&call, &TO_M), r#"{"model":"m","messages":[]}"#);
}

#[test]
fn responses_go_on_with_their_metadata() {
    let body = r#"{"model":"a","metadata":{"plan":"pro"},"user":"u","safety_identifier":"s","fallback":{},"input":"x",
        "previous_response_id":"resp_1","stream":true,"stream_options":{"include_obfuscation":false}}"#;
    let expected = body.replace(r#""model":"a""#, r#""model":"m""#).replace(r#""fallback":{},"#, "");
    let asking = Overrides { ask_usage: true, ..TO_M };
    goes_on(Responses, &asking, &[(body, &expected)]);
    goes_on(
        Responses,
        &TO_M,
        &[(r#"{"model":"a","extra_body":{"metadata":{},"top_k":1}}"#, r#"{"model":"m","top_k":1}"#)],
    );
}

#[test]
fn of_geminis_bodies_nothing_may_stay() {
    goes_on(
        Gemini,
        &Overrides { ask_usage: true, forward_metadata: true, ..TO_M },
        &[
            (r#"{"contents":[],"x":{ "a":1.0}}"#, r#"{"contents":[],"x":{ "a":1.0}}"#),
            (r#"{"model":"models/x","stream":true}"#, r#"{"model":"models/x","stream":true}"#),
            (r#"{"metadata":{"user_id":"u"},"contents":[],"user":"u"}"#, r#"{"contents":[]}"#),
            (" { \"metadata\" : {} , \"user\":\"u\" } ", " {  } "),
            ("{}", "{}"),
            (r#"{"extra_body":{}}"#, "{}"),
            (r#"{"extra_body":{"metadata":{}},"sort":[]}"#, "{}"),
            (r#"{"sort":[],"extra_body":{"metadata":{},"a":1},"ignore":"a"}"#, r#"{"a":1}"#),
        ],
    );
}
