//! Credentials in headers, and what a key may do.

use std::rc::Rc;

use turnout::auth::{Caller, KeyDigest, KeyRecord, Scope, presented};

/// The keys that headers present, in their order.
fn check(headers: &[(&str, &str)], expected: &[&str]) {
    check_with_query(headers, "", expected);
}

fn check_with_query(headers: &[(&str, &str)], query: &str, expected: &[&str]) {
    let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    assert_eq!(presented(header, query), expected, "{headers:?} {query}");
}

#[test]
fn every_header_form_is_read() {
    check(&[("authorization", "Bearer tk-1")], &["tk-1"]);
    check(&[("authorization", "bearer   tk-1 ")], &["tk-1"]);
    check(&[("authorization", "Basic tk-1")], &["tk-1"]);
    check(&[("authorization", "Basic dGstMQ==")], &["dGstMQ==", "tk-1"]); // tk-1
    check(&[("authorization", "Basic dGstMTo=")], &["dGstMTo=", "tk-1"]); // tk-1:
    check(&[("x-api-key", "tk-1")], &["tk-1"]);
    check(&[("x-goog-api-key", "tk-1")], &["tk-1"]);
    check(&[("authorization", "Bearer tk-1"), ("x-api-key", "tk-2")], &["tk-1", "tk-2"]);
}

#[test]
fn a_key_in_geminis_query_comes_last() {
    check_with_query(&[], "key=tk-1", &["tk-1"]);
    check_with_query(&[], "alt=sse&key=tk%2D1&key=tk-2", &["tk-1"]);
    check_with_query(&[("x-goog-api-key", "tk-1")], "key=tk-2", &["tk-1", "tk-2"]);
    check_with_query(&[], "key=&monkey=tk-1&key", &[]);
    check_with_query(&[], "key=%FF", &[]);
}

#[test]
fn what_is_no_key_is_none() {
    check(&[], &[]);
    check(&[("authorization", "Bearer")], &[]);
    check(&[("authorization", "Bearer  ")], &[]);
    check(&[("authorization", "Digest tk-1")], &[]);
    check(&[("authorization", "tk-1")], &[]);
    check(&[("x-api-key", "")], &[]);
    check(&[("authorization", "Basic /w==")], &["/w=="]); // decodes to no UTF-8
}

#[test]
fn a_digest_matches_its_own_key_alone() {
    assert!(KeyDigest::of("tk-1").matches(&KeyDigest::of("tk-1")));
    assert!(!KeyDigest::of("tk-1").matches(&KeyDigest::of("tk-2")));
    // Computed apart from this code, with Python's hashlib.
    let key = "key:85aac062a43f69888b3a0c3854188df936d39772946db318a720689642c7e365";
    assert_eq!(KeyDigest::of("tk-1").storage_key(), key);
}

fn holder(json: &str) -> Result<Caller, &'static str> {
    let record = Rc::new(KeyRecord::parse(json.as_bytes()).unwrap());
    Caller::holding(record, 1_000).map_err(|error| error.kind.code())
}

#[test]
fn a_key_may_do_what_its_scopes_say() {
    let caller =
        holder(r#"{"id":"k1","name":"app","scopes":["call"],"routers":["a"],"tier":"gold"}"#).unwrap();
    assert_eq!(caller.key_id(), "k1");
    assert!(caller.check_router("a").is_ok());
    assert_eq!(caller.check_router("b").unwrap_err().kind.code(), "model_not_allowed");
    assert_eq!(caller.check_model("openai/gpt-5").unwrap_err().kind.code(), "model_not_allowed");
    assert_eq!(caller.check_scope(Scope::Write).unwrap_err().kind.code(), "missing_scope");
    assert!(caller.may_name("a") && !caller.may_name("b"));

    let caller = holder(r#"{"id":"k2","scopes":["models"]}"#).unwrap();
    assert!(caller.check_model("openai/gpt-5").is_ok());
    assert_eq!(caller.check_router("a").unwrap_err().kind.code(), "missing_scope");
    assert!(holder(r#"{"id":"k3","scopes":["call"],"expires_at":1001}"#).is_ok());
    assert!(Caller::Admin.check_router("a").is_ok() && Caller::Admin.check_scope(Scope::Gateway).is_ok());
}

#[test]
fn a_key_that_is_over_admits_nobody() {
    assert_eq!(holder(r#"{"id":"k","scopes":["call"],"revoked":true}"#), Err("invalid_api_key"));
    assert_eq!(holder(r#"{"id":"k","scopes":["call"],"expires_at":1000}"#), Err("invalid_api_key"));
    assert_eq!(holder(r#"{"id":"k","scopes":["call"],"expiresAt":1000}"#), Err("invalid_api_key"));
    for broken in [
        r#"{"id":"k","Revoked":true}"#,
        r#"{"id":"k","router":["a"]}"#,
        "",
        "{}",
        "[]",
        r#"{"id":"k","scopes":["root"]}"#,
        r#"{"id":"k","revoked":"yes"}"#,
    ] {
        assert!(KeyRecord::parse(broken.as_bytes()).is_err(), "{broken}");
    }
}
