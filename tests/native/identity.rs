//! Units, their hashes, and request ids.

use proptest::prelude::*;
use serde::Deserialize;
use turnout::call::Call;
use turnout::dialect::Dialect;
use turnout::endpoint::Ask;
use turnout::identity::{Keys, RequestStamp, Unit, UnitKind, reference};

#[derive(Deserialize)]
struct Vectors {
    unit_hash: Vec<Hash>,
}

#[derive(Deserialize)]
struct Hash {
    key: String,
    kind: String,
    unit: String,
    hash: String,
}

#[test]
fn unit_hashes_are_those_of_the_vectors() {
    let vectors: Vectors = serde_json::from_str(include_str!("../fixtures/assignment.json")).unwrap();
    assert!(vectors.unit_hash.len() >= 6);
    for case in vectors.unit_hash {
        let kind = if case.kind == "user" { UnitKind::User } else { UnitKind::Session };
        let unit = Unit { kind, id: case.unit };
        assert_eq!(Keys::new(&case.key, "any").unit_hash(&unit).unwrap().hex(), case.hash);
    }
}

#[test]
fn a_call_without_a_unit_has_no_hash() {
    let unit = Unit { kind: UnitKind::Call, id: String::new() };
    assert_eq!(Keys::new("k", "a").unit_hash(&unit), None);
}

/// What unit a body and headers give, as `kind:id`.
fn check(body: &str, headers: &[(&str, &str)], expected: &str) {
    check_as(Dialect::OpenAi, body, headers, expected);
}

fn check_as(dialect: Dialect, body: &str, headers: &[(&str, &str)], expected: &str) {
    let body = format!(r#"{{"model":"m"{body}}}"#);
    let model = (dialect == Dialect::Gemini).then(|| "m".to_owned());
    let call = Call::parse(&Ask { model, ..Ask::of(dialect) }, body.clone().into_bytes()).unwrap();
    let unit =
        Unit::of(&call, |name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value));
    assert_eq!(format!("{}:{}", unit.kind.as_str(), unit.id), expected, "{body} {headers:?}");
}

#[test]
fn the_unit_is_the_first_that_is_named() {
    let both = [("x-turnout-user", "h"), ("x-session-id", "s")];
    check(r#","user":"u","safety_identifier":"i""#, &both, "user:u");
    check(r#","user":"","safety_identifier":"i""#, &both, "user:i");
    check(r#","user":null"#, &both, "user:h");
    check("", &[("x-turnout-user", ""), ("x-session-id", "s")], "session:s");
    check("", &[("x-session-id", "")], "call:");
    check(r#","prompt_cache_key":"p""#, &[], "call:");
    check(r#","user":" User ÄÖ ""#, &[], "user: User ÄÖ ");
}

#[test]
fn every_dialect_names_its_users() {
    use Dialect::{Anthropic, Gemini, OpenAi, Responses};
    let header = [("x-turnout-user", "h"), ("x-session-id", "s")];
    check_as(Anthropic, r#","metadata":{"user_id":"a"}"#, &header, "user:a");
    check_as(Anthropic, r#","metadata":{"user_id":"a"},"safety_identifier":"i""#, &header, "user:i");
    check_as(Anthropic, r#","metadata":{"user_id":"a"},"user":"u""#, &header, "user:u");
    check_as(Anthropic, r#","metadata":{"user_id":""}"#, &header, "user:h");
    check_as(Anthropic, r#","metadata":{"user_id":null}"#, &[], "call:");
    check_as(Anthropic, r#","extra_body":{"metadata":{"user_id":"a"}}"#, &[], "call:");
    check_as(Responses, r#","user":"u","safety_identifier":"i""#, &header, "user:u");
    check_as(Responses, r#","safety_identifier":"i""#, &header, "user:i");
    check_as(Gemini, r#","user":"u""#, &header, "user:u");
    check_as(Gemini, "", &header, "user:h");
    for dialect in [OpenAi, Responses, Gemini] {
        check_as(dialect, r#","metadata":{"user_id":"a"}"#, &[], "call:");
    }
}

#[test]
fn a_user_of_claude_code_is_the_same_in_every_session_and_version() {
    let check = |user_id: &str, expected: &str| {
        let body = format!(r#","metadata":{}"#, serde_json::json!({"user_id": user_id}));
        check_as(Dialect::Anthropic, &body, &[], &format!("user:{expected}"));
    };
    check("user_5dd0_account_9e1c_session_d2e7-9100", "user_5dd0_account_9e1c");
    check("user_5dd0_account__session_d2e7-9100", "user_5dd0_account_");
    check(r#"{"device_id":"5dd0","account_uuid":"9e1c","session_id":"d2e7"}"#, "user_5dd0_account_9e1c");
    check(
        r#"{"session_id":"ffff","x":[1],"account_uuid":"9e1c","device_id":"5d\u0064\u0030"}"#,
        "user_5dd0_account_9e1c",
    );
    check(r#"{"device_id":"5dd0","account_uuid":"","session_id":"d2e7"}"#, "user_5dd0_account_");
    check(r#"{"device_id":"5dd0","session_id":"d2e7"}"#, "user_5dd0_account_");
    // An app's own ids are taken as they are.
    for own in [
        "user_1_session_2",
        "my_account_1_session_2",
        "user_1_account_2",
        r#"{"device_id":"5dd0","account_uuid":"9e1c"}"#,
        r#"{"session_id":"d2e7"}"#,
        r#"{"device_id":7,"session_id":"d2e7"}"#,
        "{",
        "[]",
        "12",
        "_session_",
    ] {
        check(own, own);
    }
}

fn stamp() -> RequestStamp {
    let unit = Unit::user("user-123");
    RequestStamp {
        time: 1_766_000_000_123,
        random: [1, 2, 3, 4, 5, 6],
        kind: UnitKind::User,
        unit: Keys::new("test-key", "").unit_hash(&unit),
        epoch: [0x45, 0x02, 0xda, 0x73, 0x3e, 0x80, 0x78, 0x8f],
        reference: reference("ab-test-router", "ab-test-route", "variant-a"),
    }
}

#[test]
fn a_request_id_is_frozen() {
    // Computed apart from this code, with Python's hmac.
    let id = "AQGbLc18ewECAwQFBgEgmRnbbRvoFsi_YrjxyUbaRQLacz6AeI-i6paKPsBOPnLuDiJs1riV84I";
    assert_eq!(Keys::new("test-key", "whatever").sign(&stamp()), id);
}

#[test]
fn a_request_id_gives_back_what_it_carries() {
    let keys = Keys::new("test-key", "");
    let direct =
        RequestStamp { kind: UnitKind::Call, unit: None, epoch: [0; 8], reference: [0; 8], ..stamp() };
    for stamp in [stamp(), direct] {
        assert_eq!(keys.verify(&keys.sign(&stamp)), Some(stamp));
    }
}

#[test]
fn a_request_id_is_signed_with_the_admin_key_where_there_is_no_other() {
    let id = Keys::new("", "admin-1").sign(&stamp());
    assert!(Keys::new("", "admin-1").verify(&id).is_some());
    assert!(Keys::new("", "admin-2").verify(&id).is_none());
    let id = Keys::new("units", "admin-1").sign(&stamp());
    assert!(Keys::new("units", "admin-2").verify(&id).is_some(), "a changed admin key loses no feedback");
}

proptest! {
    #[test]
    fn a_changed_request_id_is_refused(position in 0_usize..75, letter in "[A-Za-z0-9_-]") {
        let keys = Keys::new("test-key", "");
        let id = keys.sign(&stamp());
        let mut forged = id.clone();
        forged.replace_range(position..=position, &letter);
        prop_assert!(forged == id || keys.verify(&forged).is_none());
    }

    #[test]
    fn no_text_is_a_request_id_by_chance(text in ".*") {
        prop_assert!(Keys::new("test-key", "").verify(&text).is_none());
    }
}
