//! Client keys made through the API: what may be asked for, what becomes of it, what is shown.

use serde_json::{Value, json};
use turnout::auth::{Caller, KeyDigest, KeyRecord};
use turnout::error::Error;
use turnout::keys::{self, KeyChanges, NewKey, RANDOM_BYTES, change, make, revoke, warnings};

const NOW: u64 = 1_800_000_000;
const RANDOM: [u8; RANDOM_BYTES] = [0xa5; RANDOM_BYTES];

fn made(asked: Value) -> Result<KeyRecord, Vec<String>> {
    let new: NewKey = serde_json::from_value(asked).map_err(|error| vec![error.to_string()])?;
    make(&new, &RANDOM, NOW, |_| false).map(|made| made.record).map_err(faults)
}

fn changed(record: &KeyRecord, asked: Value) -> Result<KeyRecord, Vec<String>> {
    let changes: KeyChanges = serde_json::from_value(asked).map_err(|error| vec![error.to_string()])?;
    change(record, &changes, NOW).map(|(record, _)| record).map_err(faults)
}

/// Each fault's path, and the code where there is none.
fn faults(error: Error) -> Vec<String> {
    if error.faults.is_empty() {
        return vec![error.kind.code().to_owned()];
    }
    error.faults.into_iter().map(|fault| fault.path).collect()
}

fn record() -> KeyRecord {
    let asked = json!({"name": "Mobile app", "scopes": ["call"], "routers": ["chat"], "tier": "low", "expires_at": NOW + 60});
    made(asked).unwrap()
}

#[test]
fn a_key_is_what_was_asked_for() {
    let stored = String::from_utf8(keys::bytes(&record())).unwrap();
    let expected = r#"{"id":"mobile-app","name":"Mobile app","scopes":["call"],"routers":["chat"],"tier":"low","expires_at":1800000060,"revoked":false}"#;
    assert_eq!(stored, expected);
    let least = made(json!({"name": "x", "scopes": ["read", "write"]})).unwrap();
    let stored = String::from_utf8(keys::bytes(&least)).unwrap();
    assert_eq!(stored, r#"{"id":"x","name":"x","scopes":["read","write"],"revoked":false}"#);
}

#[test]
fn what_is_stored_is_read_as_it_was() {
    for record in [record(), revoke(&record()), made(json!({"name": "x", "scopes": ["call"]})).unwrap()] {
        assert_eq!(KeyRecord::parse(&keys::bytes(&record)).unwrap(), record);
    }
}

#[test]
fn a_key_is_as_random_as_its_bytes_and_stored_as_a_digest() {
    let new: NewKey = serde_json::from_value(json!({"name": "x", "scopes": ["call"]})).unwrap();
    let made = make(&new, &RANDOM, NOW, |_| false).unwrap();
    assert_eq!(made.key, format!("tk-{}", "a5".repeat(20)));
    assert!(made.digest.matches(&KeyDigest::of(&made.key)));
    let other = make(&new, &[0xa6; RANDOM_BYTES], NOW, |_| false).unwrap();
    assert!(!made.digest.matches(&other.digest));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let refused = |asked: Value, expected: &[&str]| {
        assert_eq!(
            made(asked.clone()),
            Err(expected.iter().map(|&path| path.to_owned()).collect()),
            "{asked}"
        );
    };
    let all_wrong = json!({"name": " ", "scopes": ["call", "root"], "routers": ["ok", "No"], "tier": "gold", "expires_at": NOW});
    refused(all_wrong, &["name", "scopes[1]", "routers[1]", "tier", "expires_at"]);
    refused(json!({"name": "x", "scopes": []}), &["scopes"]);
    refused(json!({"name": "x".repeat(101), "scopes": ["call"]}), &["name"]);
    refused(json!({"name": "a\nb", "scopes": ["call"]}), &["name"]);
    refused(json!({"name": "a\n", "scopes": ["call"]}), &["name"]);
    refused(json!({"name": "x", "scopes": ["call"], "routers": vec!["r"; 201]}), &["routers"]);
    refused(json!({"name": "x", "scopes": ["call"], "routers": ["turnout/chat"]}), &["routers[0]"]);
    refused(json!({"name": "x", "scopes": ["call"], "expires_at": NOW * 1000}), &["expires_at"]);
    refused(json!({"name": "x", "scopes": ["call"], "expires_at": "tomorrow"}), &["expires_at"]);
    refused(json!({"name": "x", "scopes": ["call"], "expires_at": "1969-01-01T00:00:00Z"}), &["expires_at"]);
}

#[test]
fn what_is_no_request_for_a_key_is_refused() {
    for asked in [
        json!({}),
        json!({"name": "x"}),
        json!({"scopes": ["call"]}),
        json!({"name": "x", "scopes": "call"}),
        json!({"name": "x", "scopes": ["call"], "id": "mine"}),
        json!({"name": "x", "scopes": ["call"], "router": "a"}),
        json!({"name": "x", "scopes": ["call"], "expires_at": 1.5}),
        json!({"name": "x", "scopes": ["call"], "expires_at": -1}),
        json!([]),
        json!("x"),
    ] {
        assert!(serde_json::from_value::<NewKey>(asked.clone()).is_err(), "{asked}");
    }
}

#[test]
fn a_fault_says_what_to_do() {
    let new: NewKey = serde_json::from_value(json!({"name": "x", "scopes": ["raed"]})).unwrap();
    let error = make(&new, &RANDOM, NOW, |_| false).map(|_| ()).unwrap_err();
    assert_eq!(error.kind.code(), "invalid_document");
    assert_eq!(error.param.as_deref(), Some("scopes[0]"));
    let message = "scopes[0]: is no scope; there are `call`, `models`, `feedback`, `read`, `write`, `gateway`. Did you mean 'read'?";
    assert_eq!(error.message, message);
}

#[test]
fn a_scope_that_is_named_twice_is_one() {
    let record = made(json!({"name": "x", "scopes": ["call", "read", "call"]})).unwrap();
    assert_eq!(record.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(), ["call", "read"]);
}

#[test]
fn a_time_is_seconds_or_a_date() {
    for moment in
        [json!(1_900_000_000_u64), json!("2030-03-17T17:46:40Z"), json!("2030-03-17T19:46:40.5+02:00")]
    {
        for name in ["expires_at", "expiresAt"] {
            let record = made(json!({"name": "x", "scopes": ["call"], name: moment})).unwrap();
            assert_eq!(record.expires_at, Some(1_900_000_000), "{moment}");
        }
    }
}

#[test]
fn an_id_is_of_the_name_and_free() {
    for (name, taken, expected) in [
        ("Mobile app", &[] as &[&str], "mobile-app"),
        ("  CI / nightly (2) ", &[], "ci-nightly-2"),
        ("mobile app", &["mobile-app"], "mobile-app-2"),
        ("mobile app", &["mobile-app", "mobile-app-2"], "mobile-app-3"),
        ("Schlüssel", &[], "schl-ssel"),
        ("鍵", &[], "key"),
        ("鍵", &["key"], "key-2"),
        // Records of calls know ADMIN_KEY by that.
        ("Admin", &[], "admin-2"),
        (
            "a234567890b234567890c234567890d234567890e234567890",
            &[],
            "a234567890b234567890c234567890d234567890",
        ),
        ("a234567890b234567890c234567890d23456789 x", &[], "a234567890b234567890c234567890d23456789"),
    ] {
        assert_eq!(keys::free_id(name, |id| taken.contains(&id)), expected, "{name} {taken:?}");
    }
}

#[test]
fn a_change_changes_what_it_names() {
    let check = |asked: Value, expected: Value| {
        let changed = changed(&record(), asked.clone()).unwrap();
        let stored: Value = serde_json::from_slice(&keys::bytes(&changed)).unwrap();
        let mut whole = json!({"id": "mobile-app", "name": "Mobile app", "scopes": ["call"], "routers": ["chat"], "tier": "low", "expires_at": NOW + 60, "revoked": false});
        for (name, value) in expected.as_object().unwrap() {
            whole[name] = value.clone();
        }
        whole.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(stored, whole, "{asked}");
    };
    check(json!({}), json!({}));
    check(json!({"name": "Phones"}), json!({"name": "Phones"}));
    check(json!({"name": null}), json!({}));
    check(json!({"scopes": ["call", "read"]}), json!({"scopes": ["call", "read"]}));
    check(
        json!({"routers": ["chat", "b"], "tier": "high"}),
        json!({"routers": ["chat", "b"], "tier": "high"}),
    );
    check(json!({"routers": null}), json!({"routers": null}));
    check(json!({"routers": []}), json!({"routers": []}));
    check(json!({"tier": null, "expires_at": null}), json!({"tier": null, "expires_at": null}));
    check(json!({"expiresAt": NOW + 120}), json!({"expires_at": NOW + 120}));
}

#[test]
fn a_change_that_is_wrong_changes_nothing() {
    let refused = |asked: Value, expected: &[&str]| {
        assert_eq!(
            changed(&record(), asked.clone()),
            Err(expected.iter().map(|&path| path.to_owned()).collect()),
            "{asked}"
        );
    };
    refused(
        json!({"name": "", "scopes": [], "routers": [""], "tier": "x", "expires_at": 1}),
        &["name", "scopes", "routers[0]", "tier", "expires_at"],
    );
    for asked in [json!({"id": "other"}), json!({"revoked": true}), json!({"expire_at": 1})] {
        assert!(serde_json::from_value::<KeyChanges>(asked.clone()).is_err(), "{asked}");
    }
}

#[test]
fn a_revoked_key_stays_so() {
    let revoked = revoke(&record());
    assert!(revoked.revoked);
    assert_eq!(revoke(&revoked), revoked);
    assert_eq!(changed(&revoked, json!({"expires_at": null})), Err(vec!["conflict".to_owned()]));
    assert!(Caller::holding(revoked.into(), NOW).is_err());
}

#[test]
fn a_change_is_told_in_a_sentence() {
    let told = |asked: Value| {
        let changes: KeyChanges = serde_json::from_value(asked).unwrap();
        change(&record(), &changes, NOW).unwrap().1
    };
    assert_eq!(told(json!({})), "nothing changed");
    assert_eq!(told(json!({"tier": null, "routers": null})), "routers chat → all; tier low → none");
    assert_eq!(
        told(json!({"name": "Phones", "scopes": ["call", "read"]})),
        "name 'Mobile app' → 'Phones'; scopes call → call, read"
    );
    assert_eq!(told(json!({"expires_at": null})), "expires at 1800000060 → never");
}

#[test]
fn a_router_that_is_not_there_is_a_warning() {
    let told = |routers: &[&str]| {
        let warnings = warnings(&record(), routers.iter().copied());
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told(&["chat"]), [""; 0]);
    assert_eq!(told(&["chats"]), ["routers[0]: there is no router 'chat' yet. Did you mean 'chats'?"]);
}

#[test]
fn a_record_by_hand_stays_valid_whatever_its_tier() {
    let by_hand = KeyRecord::parse(br#"{"id":"k 1","scopes":["call"],"tier":"gold"}"#).unwrap();
    let warnings = warnings(&by_hand, std::iter::empty());
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].path, "tier");
    // And keeps it while something else is changed.
    let renamed = changed(&by_hand, json!({"name": "Mine"})).unwrap();
    assert_eq!(renamed.tier.as_deref(), Some("gold"));
    assert_eq!(Caller::holding(by_hand.into(), NOW).unwrap().tier(), None);
}
