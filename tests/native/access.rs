//! Who may ask for what of the control API, and whom a tier limits.

use std::rc::Rc;

use turnout::api::{Access, Operation, TABLE};
use turnout::auth::{Caller, KeyRecord, Scope, Tier};

/// What each scope opens, written down apart from the table that says so: this is the promise, that is the code.
fn opened_by(scope: Scope) -> &'static [Operation] {
    use Operation::*;
    match scope {
        // What they open are calls, models and feedback, and nothing of the control API.
        Scope::Call | Scope::Models | Scope::Feedback => &[],
        Scope::Read => &[
            ListRouters,
            GetRouter,
            RouterHistory,
            RouterRevision,
            PlanRouter,
            ExplainRouter,
            GetGateway,
            GatewayHistory,
            ListDownstreams,
            GetDownstream,
            ListRules,
            GetRule,
        ],
        Scope::Write => {
            &[CreateRouter, UpdateRouter, DeleteRouter, RollBackRouter, PromoteVariant, RampVariant]
        }
        Scope::Gateway => &[
            PutGateway,
            RollBackGateway,
            AddDownstreams,
            PutDownstream,
            DeleteDownstream,
            AddRules,
            PutRule,
            DeleteRule,
        ],
    }
}

/// What `ADMIN_KEY` alone may do.
const ADMIN: &[Operation] = &[
    Operation::ListKeys,
    Operation::CreateKey,
    Operation::GetKey,
    Operation::UpdateKey,
    Operation::RevokeKey,
];

fn holder(scopes: &[Scope], tier: Option<&str>) -> Caller {
    let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    let record = serde_json::json!({"id": "k", "scopes": scopes, "tier": tier});
    let record = KeyRecord::parse(record.to_string().as_bytes()).unwrap();
    Caller::holding(Rc::new(record), 0).unwrap()
}

#[test]
fn a_scope_opens_its_operations_and_no_others() {
    for scope in Scope::ALL {
        let caller = holder(&[scope], None);
        for row in TABLE {
            let may = caller.check_access(row.access);
            let expected = row.access == Access::Open || opened_by(scope).contains(&row.operation);
            assert_eq!(may.is_ok(), expected, "{} {}", scope.as_str(), row.summary);
            if let Err(error) = may {
                assert_eq!((error.kind.status(), error.kind.code()), (403, "missing_scope"));
            }
        }
    }
}

#[test]
fn every_operation_is_opened_by_one_scope_or_is_the_admins() {
    for row in TABLE.iter().filter(|row| row.access != Access::Open) {
        let opening =
            Scope::ALL.into_iter().filter(|scope| opened_by(*scope).contains(&row.operation)).count();
        assert_eq!(opening + usize::from(ADMIN.contains(&row.operation)), 1, "{:?}", row.operation);
    }
}

#[test]
fn keys_are_the_admins_alone() {
    let everything = holder(&Scope::ALL, None);
    for row in TABLE {
        assert!(Caller::Admin.check_access(row.access).is_ok(), "{:?}", row.operation);
        assert_eq!(
            everything.check_access(row.access).is_err(),
            ADMIN.contains(&row.operation),
            "{:?}",
            row.operation
        );
    }
}

#[test]
fn calls_models_and_feedback_have_a_scope_each() {
    for scope in Scope::ALL {
        let caller = holder(&[scope], None);
        assert_eq!(caller.check_router("any").is_ok(), scope == Scope::Call, "{}", scope.as_str());
        assert_eq!(caller.check_model("openai/gpt-5").is_ok(), scope == Scope::Models, "{}", scope.as_str());
        assert_eq!(
            caller.check_scope(Scope::Feedback).is_ok(),
            scope == Scope::Feedback,
            "{}",
            scope.as_str()
        );
    }
}

#[test]
fn a_tier_limits_who_has_it() {
    for (tier, expected) in [
        (None, None),
        (Some("low"), Some(Tier::Low)),
        (Some("standard"), Some(Tier::Standard)),
        (Some("high"), Some(Tier::High)),
        (Some("gold"), None),
        (Some(""), None),
    ] {
        assert_eq!(holder(&[Scope::Call], tier).tier(), expected, "{tier:?}");
    }
    assert_eq!(Caller::Admin.tier(), None);
}

#[test]
fn who_is_over_the_limit_is_told_what_it_is() {
    for tier in Tier::ALL {
        let error = tier.over();
        assert_eq!((error.kind.status(), error.kind.code()), (429, "rate_limited"));
        for word in [tier.as_str(), "deployed", "locations", "60 s"] {
            assert!(error.message.contains(word), "{}", error.message);
        }
    }
}
