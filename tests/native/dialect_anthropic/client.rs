//! A client of a stream, strict where Anthropic's own SDK relies on the order of events.

use serde_json::{Value, json};

/// The events of a stream: name and data.
pub(crate) fn events(stream: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(stream).expect("UTF-8");
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|event| {
            let (name, data) = event.split_once('\n').expect("two lines");
            let name = name.strip_prefix("event: ").expect("a name").to_owned();
            let data = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
            (name, data)
        })
        .collect()
}

/// The message that a client builds; or, where the stream fails, its error. Panics where the order is not Anthropic's.
pub(crate) fn message(stream: &[u8]) -> Value {
    let mut message = Value::Null;
    let mut open: Option<(usize, String)> = None;
    let (mut is_complete, mut is_over) = (false, false);
    for (name, event) in events(stream) {
        assert_eq!(event["type"], name, "an event is named by its type");
        assert!(!is_over, "{name} after the end");
        match name.as_str() {
            "message_start" => {
                assert!(message.is_null(), "a second message_start");
                message = event["message"].clone();
                check_skeleton(&message);
            }
            "ping" => assert!(!message.is_null(), "a ping before the message"),
            "error" => return event,
            _ if message.is_null() => panic!("{name} before message_start"),
            "content_block_start" => {
                assert!(open.is_none() && !is_complete, "a block begins in the midst of one");
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(event["index"], content.len(), "indices count up from 0");
                content.push(event["content_block"].clone());
                open = Some((content.len() - 1, String::new()));
            }
            "content_block_delta" => {
                let (index, json) = open.as_mut().expect("a delta of an open block");
                assert_eq!(event["index"], *index);
                grow(&mut message["content"][*index], json, &event["delta"]);
            }
            "content_block_stop" => {
                let (index, json) = open.take().expect("a stop of an open block");
                assert_eq!(event["index"], index);
                if !json.is_empty() {
                    message["content"][index]["input"] =
                        serde_json::from_str(&json).expect("JSON of an input");
                }
            }
            "message_delta" => {
                assert!(open.is_none() && !is_complete);
                is_complete = true;
                assert!(event["delta"]["stop_reason"].is_string());
                assert!(event["usage"]["output_tokens"].is_u64());
                let counts = event["usage"].as_object().unwrap().iter().filter(|(_, count)| !count.is_null());
                counts.for_each(|(name, count)| message["usage"][name] = count.clone());
                for name in ["stop_reason", "stop_sequence"] {
                    message[name] = event["delta"][name].clone();
                }
            }
            "message_stop" => {
                assert!(is_complete, "message_stop before message_delta");
                is_over = true;
            }
            _ => panic!("an unknown event: {name}"),
        }
    }
    assert!(is_over, "the stream has no end");
    message
}

fn check_skeleton(message: &Value) {
    assert!(message["id"].as_str().is_some_and(|id| !id.is_empty()));
    assert!(message["model"].is_string());
    assert_eq!((&message["type"], &message["role"]), (&json!("message"), &json!("assistant")));
    assert_eq!((&message["content"], &message["stop_reason"]), (&json!([]), &Value::Null));
    assert!(message["usage"]["input_tokens"].is_u64() && message["usage"]["output_tokens"].is_u64());
}

fn grow(block: &mut Value, json: &mut String, delta: &Value) {
    let kind = block["type"].as_str().unwrap().to_owned();
    let append = |block: &mut Value, name: &str| {
        let text = format!("{}{}", block[name].as_str().unwrap(), delta[name].as_str().unwrap());
        block[name] = text.into();
    };
    match (kind.as_str(), delta["type"].as_str().unwrap()) {
        ("text", "text_delta") => append(block, "text"),
        ("text", "citations_delta") => {
            let mut citations = block["citations"].as_array().cloned().unwrap_or_default();
            citations.push(delta["citation"].clone());
            block["citations"] = citations.into();
        }
        ("thinking", "thinking_delta") => append(block, "thinking"),
        ("thinking", "signature_delta") => block["signature"] = delta["signature"].clone(),
        ("tool_use" | "server_tool_use" | "mcp_tool_use", "input_json_delta") => {
            json.push_str(delta["partial_json"].as_str().unwrap());
        }
        pair => panic!("a delta of another kind of block: {pair:?}"),
    }
}
