//! What Anthropic refuses with a 400, of any request that we write.

use serde_json::Value;

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// The blocks of a message.
pub(crate) fn blocks(content: &Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![serde_json::json!({"type": "text", "text": text})],
        Value::Array(blocks) => blocks.clone(),
        other => panic!("content: {other}"),
    }
}

/// Panics where the request would be refused.
pub(crate) fn check(request: &Value) {
    let max_tokens = request["max_tokens"].as_u64().expect("max_tokens");
    let messages = request["messages"].as_array().expect("messages");
    assert_eq!(messages.first().expect("a message")["role"], "user");
    for pair in messages.windows(2) {
        assert_ne!(pair[0]["role"], pair[1]["role"], "roles alternate");
    }
    for message in messages {
        let blocks = blocks(&message["content"]);
        assert!(!blocks.is_empty(), "an empty message");
        blocks.iter().for_each(check_block);
        let of_the_model = ["tool_use", "thinking", "redacted_thinking"];
        let of_the_user = ["tool_result", "image", "document"];
        let foreign = if message["role"] == "user" { of_the_model } else { of_the_user };
        assert!(blocks.iter().all(|block| !foreign.contains(&block["type"].as_str().unwrap())));
        if message["role"] == "user" {
            let mut others = blocks.iter().skip_while(|block| block["type"] == "tool_result");
            assert!(others.all(|block| block["type"] != "tool_result"), "results come first");
        } else {
            let last = blocks.last().unwrap()["type"].as_str().unwrap();
            assert!(!last.ends_with("thinking"), "a thought at the end");
        }
    }
    let last = messages.last().unwrap();
    if last["role"] == "assistant" {
        let text = blocks(&last["content"]).pop().unwrap()["text"].as_str().map(str::to_owned);
        assert!(text.is_none_or(|text| text.trim_end() == text), "white space at the end");
    }
    check_tools(request);
    check_thinking(request, max_tokens);
}

fn check_block(block: &Value) {
    match block["type"].as_str().expect("a type") {
        "text" => assert!(!block["text"].as_str().unwrap().trim().is_empty(), "a blank text"),
        "tool_use" => {
            assert!(block["input"].is_object(), "an input that is no object");
            assert!(is_plain(block["id"].as_str().unwrap()) && is_plain(block["name"].as_str().unwrap()));
        }
        "tool_result" => {
            assert!(is_plain(block["tool_use_id"].as_str().unwrap()));
            if !block["content"].is_null() {
                blocks(&block["content"]).iter().for_each(check_block);
            }
        }
        "thinking" => assert!(!block["signature"].as_str().unwrap().starts_with("turnout.")),
        _ => {}
    }
}

fn check_tools(request: &Value) {
    let names: Vec<&str> = request["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tool| {
            assert!(tool["type"].is_string() || tool["input_schema"]["type"] == "object");
            tool["name"].as_str().expect("a name")
        })
        .collect();
    assert!(names.iter().all(|name| is_plain(name) && name.len() <= 128));
    if !request["tool_choice"].is_null() {
        assert!(!names.is_empty(), "a choice without tools");
        if let Some(name) = request["tool_choice"]["name"].as_str() {
            assert!(names.contains(&name), "a choice of a tool that is not there");
        }
    }
}

fn check_thinking(request: &Value, max_tokens: u64) {
    let thinking = &request["thinking"];
    if let Some(budget) = thinking["budget_tokens"].as_u64() {
        assert!(budget >= 1024 && budget < max_tokens, "{budget} of {max_tokens}");
        let choice = request["tool_choice"]["type"].as_str();
        assert!(!matches!(choice, Some("any" | "tool")), "a forced tool beside a budget");
    }
    let temperature = request["temperature"].as_f64();
    assert!(temperature.is_none_or(|temperature| (0.0..=1.0).contains(&temperature)));
    if thinking["type"].is_string() && thinking["type"] != "disabled" {
        assert!(temperature.is_none() && request["top_k"].is_null() && request["top_p"].is_null());
    }
}
