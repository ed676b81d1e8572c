//! The rules of this dialect's streams, checked as a strict client would.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Members that every response object must have.
const OF_RESPONSE: [&str; 17] = [
    "id",
    "object",
    "created_at",
    "status",
    "error",
    "incomplete_details",
    "instructions",
    "metadata",
    "model",
    "output",
    "parallel_tool_calls",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "usage",
    "text",
];

/// What was begun and is not complete.
#[derive(Default)]
struct Open {
    id: String,
    kind: String,
    /// By index: texts, refusals; of a thought, its summary; of a call, its arguments.
    contents: BTreeMap<u64, Value>,
    done: BTreeSet<u64>,
    arguments: String,
    arguments_done: bool,
}

/// Whether a stream keeps to the rules; gives the final response.
pub(super) fn check(events: &[Value], what: &str) -> Value {
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    let mut items: Vec<Option<Value>> = Vec::new();
    let mut ids = BTreeSet::new();
    assert!(events.len() >= 3, "{what}: too few events");
    for (sequence, event) in events.iter().enumerate() {
        let kind = event["type"].as_str().expect("a type");
        let at = || format!("{what}, event {sequence}: {event}");
        assert_eq!(event["sequence_number"].as_u64(), Some(sequence as u64), "{}", at());
        let is_last = sequence + 1 == events.len();
        let index = event["output_index"].as_u64();
        if let Some(id) = event.get("item_id") {
            let item =
                open.get(&index.expect("an index")).unwrap_or_else(|| panic!("no such item: {}", at()));
            assert_eq!(id, &item.id, "{}", at());
        }
        match kind {
            "response.created" => assert_eq!(sequence, 0, "{}", at()),
            "response.in_progress" => assert_eq!(sequence, 1, "{}", at()),
            "response.completed" | "response.incomplete" | "response.failed" => assert!(is_last, "{}", at()),
            "error" => {
                assert!(
                    event["message"].is_string()
                        && event.get("code").is_some()
                        && event.get("param").is_some()
                );
            }
            "response.output_item.added" => {
                assert_eq!(index, Some(items.len() as u64), "{}", at());
                items.push(None);
                let item = &event["item"];
                let id = item["id"].as_str().expect("an id").to_owned();
                assert!(ids.insert(id.clone()) && id.len() <= 64, "{}", at());
                let kind = item["type"].as_str().expect("a type").to_owned();
                open.insert(index.unwrap(), Open { id, kind, ..Open::default() });
            }
            "response.output_item.done" => {
                let index = index.expect("an index");
                let begun = open.remove(&index).unwrap_or_else(|| panic!("not begun: {}", at()));
                item_done(&begun, &event["item"], &at());
                items[index as usize] = Some(event["item"].clone());
            }
            kind => within(kind, event, open.get_mut(&index.expect("an index")).expect("an item"), &at()),
        }
        if let Some(response) = event.get("response") {
            of_response(kind, response, &at());
        }
    }
    let last = events.last().unwrap();
    let failed = last["type"] == "response.failed";
    assert!(failed || open.is_empty(), "{what}: items are not complete");
    let items: Vec<Value> = items.into_iter().flatten().collect();
    assert_eq!(last["response"]["output"], Value::Array(items), "{what}");
    last["response"].clone()
}

fn of_response(kind: &str, response: &Value, at: &str) {
    for name in OF_RESPONSE {
        assert!(response.get(name).is_some(), "no `{name}`: {at}");
    }
    let status = match kind {
        "response.created" | "response.in_progress" => "in_progress",
        kind => kind.strip_prefix("response.").unwrap(),
    };
    assert_eq!(response["status"], status, "{at}");
    assert_eq!(status == "incomplete", !response["incomplete_details"].is_null(), "{at}");
    assert_eq!(status == "failed", !response["error"].is_null(), "{at}");
    if let Some(usage) = response["usage"].as_object() {
        let count =
            |pointer: &str| response["usage"].pointer(pointer).and_then(Value::as_u64).expect("a count");
        assert_eq!(usage["total_tokens"], count("/input_tokens") + count("/output_tokens"), "{at}");
        assert!(count("/input_tokens_details/cached_tokens") <= count("/input_tokens"), "{at}");
        count("/output_tokens_details/reasoning_tokens");
    }
}

fn item_done(begun: &Open, item: &Value, at: &str) {
    assert_eq!(
        (begun.id.as_str(), begun.kind.as_str()),
        (item["id"].as_str().unwrap(), item["type"].as_str().unwrap())
    );
    assert_eq!(begun.done.len(), begun.contents.len(), "a part is not complete: {at}");
    let contents: Vec<Value> = begun.contents.values().cloned().collect();
    match begun.kind.as_str() {
        "message" => assert_eq!(item["content"], Value::Array(contents), "{at}"),
        "reasoning" => assert_eq!(item["summary"], Value::Array(contents), "{at}"),
        "function_call" => {
            assert!(begun.arguments_done && item["arguments"] == begun.arguments, "{at}");
            assert!(item["call_id"].is_string() && item["name"].is_string(), "{at}");
        }
        "custom_tool_call" => assert!(begun.arguments_done && item["input"] == begun.arguments, "{at}"),
        _ => {}
    }
}

/// What is told of an item between its beginning and its end.
fn within(kind: &str, event: &Value, item: &mut Open, at: &str) {
    let index = event["content_index"].as_u64().or(event["summary_index"].as_u64());
    let part = |item: &mut Open, name: &str| {
        let index = index.unwrap_or_else(|| panic!("no index: {at}"));
        assert!(!item.done.contains(&index), "after its end: {at}");
        item.contents.get_mut(&index).unwrap_or_else(|| panic!("no such part: {at}"))[name].take()
    };
    let put = |item: &mut Open, name: &str, value: Value| {
        item.contents.get_mut(&index.unwrap()).unwrap()[name] = value
    };
    let grow = |item: &mut Open, name: &str| {
        let text = part(item, name).as_str().expect("a text of that kind").to_owned()
            + event["delta"].as_str().unwrap();
        put(item, name, text.into());
    };
    let whole = |item: &mut Open, name: &str| {
        let text = part(item, name);
        assert_eq!(text, event[name], "{at}");
        put(item, name, text);
    };
    match kind {
        "response.content_part.added" | "response.reasoning_summary_part.added" => {
            assert_eq!(item.kind == "message", kind.contains("content"), "{at}");
            assert_eq!(index, Some(item.contents.len() as u64), "{at}");
            item.contents.insert(index.unwrap(), event["part"].clone());
        }
        "response.output_text.delta" => {
            grow(item, "text");
            let mut logprobs = part(item, "logprobs");
            logprobs.as_array_mut().unwrap().extend(event["logprobs"].as_array().expect("logprobs").clone());
            put(item, "logprobs", logprobs);
        }
        "response.output_text.done" => {
            whole(item, "text");
            whole(item, "logprobs");
        }
        "response.reasoning_summary_text.delta" => grow(item, "text"),
        "response.reasoning_summary_text.done" => whole(item, "text"),
        "response.refusal.delta" => grow(item, "refusal"),
        "response.refusal.done" => whole(item, "refusal"),
        "response.output_text.annotation.added" => {
            let mut annotations = part(item, "annotations");
            let list = annotations.as_array_mut().expect("annotations");
            assert_eq!(event["annotation_index"].as_u64(), Some(list.len() as u64), "{at}");
            list.push(event["annotation"].clone());
            put(item, "annotations", annotations);
        }
        "response.content_part.done" | "response.reasoning_summary_part.done" => {
            assert_eq!(item.contents.get(&index.unwrap()), Some(&event["part"]), "{at}");
            assert!(item.done.insert(index.unwrap()), "{at}");
        }
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            assert_eq!(item.kind == "function_call", kind.contains("function"), "{at}");
            assert!(!item.arguments_done, "{at}");
            item.arguments += event["delta"].as_str().expect("a fragment");
        }
        "response.function_call_arguments.done" => {
            assert!(event["name"].is_string() && event["arguments"] == item.arguments, "{at}");
            item.arguments_done = true;
        }
        "response.custom_tool_call_input.done" => {
            assert_eq!(event["input"], item.arguments, "{at}");
            item.arguments_done = true;
        }
        _ => panic!("no client knows it: {at}"),
    }
}
