//! Client keys through control: found by their id, those put into KV by hand too, and brought to KV like any document.

use serde_json::{Value, json};
use turnout::auth::{KeyDigest, KeyRecord};
use turnout::error::Error;

use super::world::{Fate, World, body, request};

const KEYS: &str = "/keys";

#[test]
fn the_log_has_no_hash_of_a_key() {
    use turnout::control::Subject;

    let key = KeyDigest::of("tk-1").storage_key();
    let logged = Subject::logged(&key);
    assert!(key.starts_with(logged.trim_end_matches('…')), "what is there finds the record: {logged}");
    assert!(logged.chars().count() < 24, "and is no hash: {logged}");
    assert_eq!(Subject::logged("router:x"), "router:x");
    assert_eq!(Subject::logged("good-gateway"), "good-gateway");
}

/// A world that draws other numbers for each request.
#[derive(Default)]
struct Keys {
    world: World,
    draws: u64,
}

impl Keys {
    fn ask(&mut self, method: &str, target: &str, sent: Value) -> Result<Value, Error> {
        let text = if sent.is_null() { String::new() } else { sent.to_string() };
        let mut request = request(method, target, &text);
        self.draws += 1;
        request.envelope.random = [self.draws; 4];
        self.world.tick(10);
        self.world.ask(request).map(|reply| body(&reply))
    }

    fn make(&mut self, name: &str) -> Value {
        self.ask("POST", KEYS, json!({"name": name, "scopes": ["call"]})).unwrap()
    }

    fn code(&mut self, method: &str, target: &str, sent: Value) -> &'static str {
        self.ask(method, target, sent).unwrap_err().kind.code()
    }

    /// The record in KV of a key.
    fn record(&self, key: &str) -> KeyRecord {
        let (bytes, _) = self.world.kv.get(&KeyDigest::of(key).storage_key()).expect("a record in KV");
        KeyRecord::parse(bytes).unwrap()
    }

    /// Puts a record into KV as a person would.
    fn by_hand(&mut self, key: &str, record: &str) {
        self.world.hand_edit(&KeyDigest::of(key).storage_key(), record);
    }
}

fn path_id(key: &str) -> String {
    let hex = KeyDigest::of(key).hex();
    format!("key-{}", hex.split_at(12).0)
}

#[test]
fn a_key_is_stored_under_its_digest_and_found_by_its_id() {
    let mut keys = Keys::default();
    let made = keys.make("Mobile app");
    let key = made["key"].as_str().unwrap().to_owned();
    assert_eq!(keys.record(&key).id, "mobile-app");
    let got = keys.ask("GET", "/keys/mobile-app", Value::Null).unwrap();
    assert_eq!((&got["id"], &got["path_id"]), (&json!("mobile-app"), &json!(path_id(&key))));
    assert_eq!(keys.ask("GET", &format!("/keys/{}", path_id(&key)), Value::Null).unwrap(), got);
    assert_eq!(keys.code("GET", "/keys/mobile", Value::Null), "no_such_resource");
}

#[test]
fn two_draws_make_two_keys_with_two_ids() {
    let mut keys = Keys::default();
    let (first, second) = (keys.make("Twin"), keys.make("Twin"));
    assert_ne!(first["key"], second["key"]);
    assert_eq!((&first["id"], &second["id"]), (&json!("twin"), &json!("twin-2")));
}

#[test]
fn a_record_by_hand_is_found_without_a_list_before() {
    let mut keys = Keys::default();
    keys.by_hand("ck-1", r#"{"id":"old","scopes":["call"]}"#);
    assert_eq!(keys.ask("GET", "/keys/old", Value::Null).unwrap()["updated_by"]["id"], "kv");
    let changed = keys.ask("PATCH", "/keys/old", json!({"tier": "low"})).unwrap();
    assert_eq!(changed["tier"], "low");
    assert_eq!(keys.record("ck-1").tier.as_deref(), Some("low"));
}

#[test]
fn a_new_id_is_none_that_somebody_has_by_hand() {
    let mut keys = Keys::default();
    keys.by_hand("ck-1", r#"{"id":"app","scopes":["call"]}"#);
    assert_eq!(keys.make("App")["id"], "app-2");
}

#[test]
fn two_records_by_hand_with_one_id_are_told_apart() {
    let mut keys = Keys::default();
    for key in ["ck-1", "ck-2"] {
        keys.by_hand(key, r#"{"id":"same","scopes":["call"]}"#);
    }
    assert_eq!(keys.code("GET", "/keys/same", Value::Null), "conflict");
    for key in ["ck-1", "ck-2"] {
        let revoked = keys.ask("DELETE", &format!("/keys/{}", path_id(key)), Value::Null).unwrap();
        assert_eq!(revoked["revoked"], true);
        assert!(keys.record(key).revoked);
    }
}

#[test]
fn a_record_that_cannot_be_read_is_shown_and_can_only_be_revoked() {
    let mut keys = Keys::default();
    keys.by_hand("ck-1", r#"{"id":"x","scope":["call"]}"#);
    let list = keys.ask("GET", KEYS, Value::Null).unwrap();
    assert_eq!(list["keys"][0]["path_id"], json!(path_id("ck-1")));
    assert!(!list["keys"][0]["faults"].as_array().unwrap().is_empty());
    let target = format!("/keys/{}", path_id("ck-1"));
    assert_eq!(keys.code("PATCH", &target, json!({"tier": "low"})), "conflict");
    assert_eq!(keys.ask("DELETE", &target, Value::Null).unwrap()["revoked"], true);
    assert!(keys.record("ck-1").revoked);
}

#[test]
fn what_was_revoked_by_hand_is_not_brought_back_by_a_change() {
    let mut keys = Keys::default();
    let made = keys.make("App");
    let key = made["key"].as_str().unwrap().to_owned();
    keys.by_hand(&key, r#"{"id":"app","name":"App","scopes":["call"],"revoked":true}"#);
    assert_eq!(keys.code("PATCH", "/keys/app", json!({"tier": "low"})), "conflict");
    assert!(keys.record(&key).revoked);
}

#[test]
fn an_etag_that_is_not_the_newest_changes_nothing() {
    let mut keys = Keys::default();
    let etag = keys.make("App")["etag"].clone();
    keys.ask("PATCH", "/keys/app", json!({"tier": "low", "etag": etag})).unwrap();
    assert_eq!(keys.code("PATCH", "/keys/app", json!({"tier": "high", "etag": etag})), "etag_mismatch");
    assert_eq!(keys.ask("GET", "/keys/app", Value::Null).unwrap()["tier"], "low");
}

#[test]
fn a_revocation_stands_while_kv_fails_and_gets_there() {
    let mut keys = Keys::default();
    let made = keys.make("App");
    let key = made["key"].as_str().unwrap().to_owned();
    let request = request("DELETE", "/keys/app", "");
    let reply = keys.world.ask_with(request, |_| Fate::Fails).unwrap();
    assert_eq!((&body(&reply)["revoked"], &body(&reply)["kv"]), (&json!(true), &json!("pending")));
    assert!(!keys.record(&key).revoked);
    keys.world.settle();
    assert!(keys.record(&key).revoked);
}

#[test]
fn a_page_ends_where_the_next_begins() {
    let mut keys = Keys::default();
    for number in 0..7 {
        keys.make(&format!("App {number}"));
    }
    let all = keys.ask("GET", "/keys?page_size=100", Value::Null).unwrap();
    let all: Vec<_> = all["keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
    assert_eq!(all.len(), 7);
    let (mut leafed, mut token) = (Vec::new(), String::new());
    loop {
        let page = keys.ask("GET", &format!("/keys?page_size=3{token}"), Value::Null).unwrap();
        leafed.extend(page["keys"].as_array().unwrap().iter().map(|key| key["id"].clone()));
        let Some(next) = page["next_page_token"].as_str() else { break };
        // A token is no hash that one could look a key up by.
        assert_eq!(next.len(), 12);
        token = format!("&page_token={next}");
    }
    assert_eq!(leafed, all);
    for token in ["x", "0123456789ab0", "0123456789AB"] {
        assert_eq!(keys.code("GET", &format!("/keys?page_token={token}"), Value::Null), "invalid_request");
    }
}

#[test]
fn a_router_that_is_not_there_is_a_warning_where_the_routers_are_known() {
    let mut keys = Keys::default();
    let mut request = request("POST", KEYS, r#"{"name":"App","scopes":["call"],"routers":["chat","cht"]}"#);
    request.envelope.routers = Some(vec!["chat".to_owned()]);
    let made = body(&keys.world.ask(request).unwrap());
    assert_eq!(made["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(made["warnings"][0]["path"], "routers[1]");
}

#[test]
fn a_list_is_no_object() {
    let mut keys = Keys::default();
    keys.make("App");
    for sent in [json!([]), json!([null]), json!(["k", "Name", ["read"]])] {
        assert_eq!(keys.code("PATCH", "/keys/app", sent.clone()), "invalid_request", "{sent}");
        assert_eq!(keys.code("POST", KEYS, sent.clone()), "invalid_request", "{sent}");
    }
}
