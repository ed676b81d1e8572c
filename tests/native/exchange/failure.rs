//! Errors as providers send them, and what they are taken for. The bodies are read by the relay, as in a call.

use turnout::dialect::Dialect;
use turnout::exchange::failure::Failure::{self, Credentials, Model, Redirect, State, Status};
use turnout::exchange::policy::Triggers;
use turnout::relay::Observer;

/// An error by its status and its body, and what it is.
fn check(who: &str, status: u16, body: &str, expected: Failure) {
    check_in(Dialect::OpenAi, who, status, body, expected);
}

fn check_in(dialect: Dialect, who: &str, status: u16, body: &str, expected: Failure) {
    let word = Observer::judge(dialect, body.as_bytes()).0.error;
    let judged = Failure::of_error(status, word.as_deref(), false);
    assert_eq!(judged, expected, "{who}: {status} {word:?}");
}

/// The error in an object, as most send it.
fn error(members: &str) -> String {
    format!(r#"{{"error":{{"message":"It did not work.",{members}}}}}"#)
}

#[test]
fn errors_as_they_are_sent() {
    let openai = |kind: &str, code: &str| error(&format!(r#""type":"{kind}","param":null,"code":"{code}""#));
    let typed = |kind: &str| error(&format!(r#""type":"{kind}""#));
    let coded = |code: &str| error(&format!(r#""code":{code}"#));

    check("OpenAI, key", 401, &openai("invalid_request_error", "invalid_api_key"), Credentials);
    check("OpenAI, money", 429, &openai("insufficient_quota", "insufficient_quota"), Credentials);
    check("OpenAI, limit", 400, &openai("invalid_request_error", "billing_hard_limit_reached"), Credentials);
    check("OpenAI, rate", 429, &openai("tokens", "rate_limit_exceeded"), Status(429));
    check("OpenAI, model", 404, &openai("invalid_request_error", "model_not_found"), Model);
    check("OpenAI, project", 403, &openai("invalid_request_error", "model_not_found"), Model);
    check(
        "OpenAI, region",
        403,
        &openai("request_forbidden", "unsupported_country_region_territory"),
        Credentials,
    );
    check("OpenAI, parameter", 400, &openai("invalid_request_error", "unsupported_parameter"), Status(400));
    check("OpenAI, length", 400, &openai("invalid_request_error", "context_length_exceeded"), Status(400));
    check("OpenAI, its own", 500, &openai("server_error", "server_error"), Status(500));
    check(
        "OpenAI, in a stream",
        200,
        &openai("service_unavailable_error", "server_is_overloaded"),
        Status(503),
    );

    let anthropic = |kind: &str| format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"No."}}}}"#);
    check("Anthropic, key", 401, &anthropic("authentication_error"), Credentials);
    check("Anthropic, overload", 529, &anthropic("overloaded_error"), Status(529));
    check("Anthropic, in a stream", 200, &anthropic("overloaded_error"), Status(529));
    check("Anthropic, in a stream", 200, &anthropic("rate_limit_error"), Status(429));
    check("Anthropic, in a stream", 200, &anthropic("api_error"), Status(500));
    check("Anthropic, in a stream", 200, &anthropic("not_found_error"), Model);
    check("Anthropic, in a stream", 200, &anthropic("billing_error"), Credentials);
    check("Anthropic, size", 413, &anthropic("request_too_large"), Status(413));

    check("Groq, too large for a minute", 413, &openai("tokens", "rate_limit_exceeded"), Status(429));
    check("Groq, old model", 400, &openai("invalid_request_error", "model_decommissioned"), Model);
    check("Groq, tool", 200, &openai("invalid_request_error", "tool_use_failed"), Status(400));

    let mistral = |kind: &str, code: &str| {
        format!(r#"{{"object":"error","message":"No.","type":"{kind}","param":null,"code":"{code}"}}"#)
    };
    check("Mistral, model", 400, &mistral("invalid_model", "1500"), Model);
    check("Mistral, rate", 429, &mistral("rate_limited", "1300"), Status(429));
    check("Mistral, capacity", 200, &mistral("service_tier_capacity_exceeded", "3505"), Status(429));

    check("Moonshot, money", 429, &typed("exceeded_current_quota_error"), Credentials);
    check("Moonshot, overload", 429, &typed("engine_overloaded_error"), Status(429));
    check("Moonshot, overload in a stream", 200, &typed("engine_overloaded_error"), Status(503));
    check("Moonshot, closed", 403, &typed("access_terminated_error"), Credentials);

    check("Google, rate", 429, &error(r#""code":429,"status":"RESOURCE_EXHAUSTED""#), Status(429));
    check("Google, in a stream", 200, &error(r#""code":503,"status":"UNAVAILABLE""#), Status(503));
    check("Google, by status alone", 200, &error(r#""status":"DEADLINE_EXCEEDED""#), Status(504));
    check("Google, by status alone", 200, &error(r#""status":"PERMISSION_DENIED""#), Credentials);

    check("OpenRouter, in a stream", 200, &coded("502"), Status(502));
    check("OpenRouter, credits", 200, &coded("402"), Credentials);
    check("OpenRouter, model", 200, &coded("404"), Model);
    check("OpenRouter, rate", 200, &coded("429"), Status(429));
    check("OpenRouter, mistake", 200, &coded("400"), Status(400));

    check("DashScope, overdue", 400, &openai("Arrearage", "Arrearage"), Credentials);
    check("DashScope, key", 401, &openai("invalid_request_error", "InvalidApiKey"), Credentials);
    check("DashScope, rate", 429, &coded(r#""Throttling.RateQuota""#), Status(429));
    check("DashScope, model", 400, &coded(r#""ModelNotFound""#), Model);
    check("Azure, deployment", 404, &coded(r#""DeploymentNotFound""#), Model);
    check("Azure, moderated", 400, &openai("", "content_filter"), Status(400));
    check("Z.ai, money", 429, &coded(r#""1113""#), Credentials);
    check("Z.ai, model", 400, &coded(r#""1211""#), Model);
    check("Z.ai, in a stream", 200, &coded(r#""1302""#), Status(429));
    check("Cerebras, rate", 429, &typed("too_many_requests_error"), Status(429));
    check("a reseller without a channel", 503, &openai("new_api_error", "model_not_found"), Model);
}

#[test]
fn errors_in_anthropics_own_dialect() {
    for (status, kind, own, inside) in [
        (400, "invalid_request_error", Status(400), Status(400)),
        (401, "authentication_error", Credentials, Credentials),
        (402, "billing_error", Credentials, Credentials),
        (403, "permission_error", Credentials, Credentials),
        (404, "not_found_error", Model, Model),
        (409, "conflict_error", Status(409), Status(409)),
        (413, "request_too_large", Status(413), Status(413)),
        (429, "rate_limit_error", Status(429), Status(429)),
        (500, "api_error", Status(500), Status(500)),
        (504, "timeout_error", Status(504), Status(504)),
        (529, "overloaded_error", Status(529), Status(529)),
    ] {
        let body =
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"No."}},"request_id":"r"}}"#);
        check_in(Dialect::Anthropic, kind, status, &body, own);
        check_in(Dialect::Anthropic, kind, 200, &body, inside);
    }
}

#[test]
fn errors_in_geminis_own_dialect() {
    for (code, status, own, inside) in [
        (400, "INVALID_ARGUMENT", Status(400), Status(400)),
        // The country, or that nobody pays.
        (400, "FAILED_PRECONDITION", Credentials, Credentials),
        (401, "UNAUTHENTICATED", Credentials, Credentials),
        (403, "PERMISSION_DENIED", Credentials, Credentials),
        (404, "NOT_FOUND", Model, Model),
        (429, "RESOURCE_EXHAUSTED", Status(429), Status(429)),
        (499, "CANCELLED", Status(499), Status(503)),
        (500, "INTERNAL", Status(500), Status(500)),
        (503, "UNAVAILABLE", Status(503), Status(503)),
        (504, "DEADLINE_EXCEEDED", Status(504), Status(504)),
    ] {
        let body = error(&format!(r#""code":{code},"status":"{status}""#));
        check_in(Dialect::Gemini, status, code, &body, own);
        check_in(Dialect::Gemini, status, 200, &body, inside);
    }
    let key = r#""code":400,"status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",
        "reason":"API_KEY_INVALID","domain":"googleapis.com","metadata":{"service":"generativelanguage.googleapis.com"}}]"#;
    check_in(Dialect::Gemini, "a key that is not valid", 400, &error(key), Credentials);
    check("the same at its compatible endpoint", 400, &format!("[{}]", error(key)), Credentials);
    let argument = key.replace("API_KEY_INVALID", "FIELD_INVALID");
    check_in(Dialect::Gemini, "a mistake with a reason", 400, &error(&argument), Status(400));
}

#[test]
fn errors_in_responses_own_dialect() {
    let responses = |who: &str, status: u16, members: &str, expected: Failure| {
        check_in(Dialect::Responses, who, status, &error(members), expected);
    };
    let mistake =
        |param: &str, code: &str| format!(r#""type":"invalid_request_error","param":{param},"code":{code}"#);
    responses("a key", 401, &mistake("null", r#""invalid_api_key""#), Credentials);
    responses("a model", 404, &mistake(r#""model""#, r#""model_not_found""#), Model);
    responses("a model", 400, &mistake(r#""model""#, r#""model_not_found""#), Model);
    responses("a parameter", 400, &mistake(r#""temperature""#, "null"), Status(400));
    responses("a mistake", 400, &mistake("null", "null"), Status(400));
    responses("an input", 400, &mistake(r#""input""#, "null"), Status(400));
    responses("nobody knows what", 404, r#""type":"x","param":null,"code":null"#, Model);

    responses(
        "an answer",
        400,
        &mistake(r#""previous_response_id""#, r#""previous_response_not_found""#),
        State,
    );
    responses("an answer", 404, &mistake(r#""previous_response_id""#, "null"), State);
    responses("an answer, vLLM", 404, r#""type":"NotFoundError","param":"response_id","code":404"#, State);
    responses("an item", 404, &mistake(r#""input""#, "null"), State);
    responses("a conversation", 404, &mistake("null", "null"), State);
    responses(
        "a conversation, Azure",
        404,
        &mistake(r#""conversation_id""#, r#""invalid_request_error""#),
        State,
    );
    responses("another's thoughts", 400, &mistake("null", r#""invalid_encrypted_content""#), State);
    responses("inside a 200", 200, r#""code":"previous_response_not_found""#, State);
    responses("not ours to read", 401, &mistake(r#""previous_response_id""#, "null"), Credentials);
    responses("another trouble", 500, &mistake(r#""previous_response_id""#, "null"), Status(500));
    // In the other dialects, nothing is stored.
    check("a wrong address", 404, &error(&mistake("null", "null")), Model);

    for (code, expected) in [
        ("server_error", Status(500)),
        ("rate_limit_exceeded", Status(429)),
        ("vector_store_timeout", Status(504)),
        ("invalid_prompt", Status(400)),
        ("image_parse_error", Status(400)),
        ("slow_down", Status(503)),
        ("never_heard_of", Status(502)),
    ] {
        responses("in a stream", 200, &format!(r#""code":"{code}""#), expected);
    }
}

#[test]
fn by_status_where_no_word_helps() {
    for (status, expected) in [
        (301, Redirect),
        (308, Redirect),
        (400, Status(400)),
        (401, Credentials),
        (402, Credentials),
        (403, Credentials),
        (404, Model),
        (408, Status(408)),
        (429, Status(429)),
        (500, Status(500)),
        (529, Status(529)),
        (599, Status(599)),
        // No status of an answer, or none that ours can have.
        (0, Status(502)),
        (199, Status(502)),
        (600, Status(502)),
        (999, Status(502)),
        // An error, and nothing that says which.
        (200, Status(502)),
        (204, Status(502)),
    ] {
        for word in [None, Some("error"), Some("kaput"), Some(""), Some("__")] {
            assert_eq!(Failure::of_error(status, word, false), expected, "{status} {word:?}");
        }
    }
}

#[test]
fn a_number_inside_a_200_is_a_status_where_it_can_be_one() {
    for (word, expected) in [
        ("400", Status(400)),
        ("401", Credentials),
        ("404", Model),
        ("599", Status(599)),
        ("399", Status(502)),
        ("600", Status(502)),
        ("200", Status(502)),
        ("70000", Status(502)),
        ("-429", Status(502)),
    ] {
        assert_eq!(Failure::of_error(200, Some(word), false), expected, "{word}");
        // The head is what it is, where it says that it is an error.
        assert_eq!(Failure::of_error(500, Some(word), false), Status(500), "{word}");
    }
}

#[test]
fn a_word_is_known_in_any_spelling() {
    for word in ["model_not_found", "ModelNotFound", "MODEL_NOT_FOUND", "model-not-found", "model.notFound"] {
        assert_eq!(Failure::of_error(400, Some(word), false), Model, "{word}");
    }
    for word in ["model_not_found_", "modelnotfound"] {
        assert_eq!(Failure::of_error(400, Some(word), false), Model, "{word}");
    }
    for word in ["model_not", "the_model_not_found", "model_not_found2"] {
        assert_eq!(Failure::of_error(400, Some(word), false), Status(400), "{word}");
    }
}

#[test]
fn words_of_less_weight_do_not_overrule_a_status() {
    for (status, word) in
        [(429, "invalid_request_error"), (500, "not_found"), (400, "overloaded_error"), (400, "forbidden")]
    {
        assert_eq!(Failure::of_error(status, Some(word), false), Status(status), "{status} {word}");
    }
    assert_eq!(Failure::of_error(401, Some("rate_limit_error"), false), Credentials);
    for status in [400, 403, 413, 422] {
        assert_eq!(Failure::of_error(status, Some("rate_limit_exceeded"), false), Status(429), "{status}");
    }
}

#[test]
fn what_shows_the_credential_is_never_the_callers_business() {
    for status in [200, 400, 404, 429, 500, 999] {
        assert_eq!(Failure::of_error(status, Some("server_error"), true), Credentials, "{status}");
    }
    assert_eq!(Failure::of_error(302, None, true), Redirect);
}

#[test]
fn defaults_lead_on_for_all_but_the_callers_own() {
    let triggers = Triggers::default();
    let leads_on = [408, 409, 425, 429, 500, 503, 529, 599].map(Status);
    let operators = [Credentials, Model, Redirect, State, Failure::Timeout, Failure::Cut, Failure::Empty];
    let connection = [true, false].map(|reset| Failure::Unreachable { reset });
    for failure in leads_on.into_iter().chain(operators).chain(connection) {
        assert!(failure.leads_on(&triggers), "{failure:?}");
    }
    for status in (400..500).filter(|status| ![408, 409, 425, 429].contains(status)) {
        assert!(!Status(status).leads_on(&triggers), "{status}");
    }
}
