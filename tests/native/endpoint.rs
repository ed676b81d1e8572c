//! Paths and methods, and what a client with a wrong base URL is told.

use turnout::dialect::Dialect;
use turnout::endpoint::Endpoint;
use turnout::error::ErrorKind;

#[test]
fn known_paths() {
    let call = Endpoint::Call(Dialect::OpenAi);
    let model = |id: &str| Endpoint::Model(id.to_owned());
    let cases = [
        ("POST", "/v1/chat/completions", call.clone()),
        ("POST", "/v1/chat/completions/", call),
        ("GET", "/v1/models", Endpoint::Models),
        ("GET", "/v1/models/", Endpoint::Models),
        ("GET", "/v1/models/gpt-5", model("gpt-5")),
        ("GET", "/v1/models/openai/gpt-5", model("openai/gpt-5")),
        ("GET", "/v1/models/openai%2Fgpt-5/", model("openai/gpt-5")),
        ("GET", "/v1/models/a%20b%C3%A9", model("a bé")),
        ("GET", "/v1/models/100%", model("100%")),
        ("GET", "/v1/models/models", model("models")),
        ("GET", "/healthz", Endpoint::Health),
        ("HEAD", "/healthz", Endpoint::Health),
    ];
    for (method, path, expected) in cases {
        assert_eq!(Endpoint::parse(method, path).as_ref(), Ok(&expected), "{method} {path}");
    }
}

#[test]
fn refusals_say_what_is_right() {
    use ErrorKind::{InvalidRequest, MethodNotAllowed, NotFound};
    const BASE_URL: &str = "set it to this worker's address followed by `/v1`";
    let cases: [(&str, &str, ErrorKind, &[&str]); 22] = [
        (
            "GET",
            "/v1/chat/completions",
            MethodNotAllowed(&["POST"]),
            &["`/v1/chat/completions` takes POST, not GET"],
        ),
        ("HEAD", "/v1/models", MethodNotAllowed(&["GET"]), &["takes GET, not HEAD"]),
        ("DELETE", "/v1/models/x", MethodNotAllowed(&["GET"]), &["takes GET, not DELETE"]),
        ("POST", "/healthz", MethodNotAllowed(&["GET", "HEAD"]), &["takes GET or HEAD, not POST"]),
        ("get", "/healthz", MethodNotAllowed(&["GET", "HEAD"]), &["not get"]),
        ("GET", "/v1/models/%FF", InvalidRequest, &["UTF-8"]),
        ("POST", "/chat/completions", NotFound, &["leaves out `/v1`", BASE_URL]),
        ("POST", "/chat/completions/", NotFound, &["leaves out `/v1`", BASE_URL]),
        ("GET", "/models", NotFound, &["leaves out `/v1`", BASE_URL]),
        ("GET", "/models/openai/gpt-5", NotFound, &["leaves out `/v1`", BASE_URL]),
        ("POST", "/v1/v1/chat/completions", NotFound, &["has `/v1` twice", BASE_URL]),
        ("GET", "/v1/v1/models/openai/gpt-5", NotFound, &["has `/v1` twice", BASE_URL]),
        ("POST", "/openai/v1/chat/completions", NotFound, &["ends in `/openai/v1`", BASE_URL]),
        ("POST", "/v1//chat/completions", NotFound, &["ends in `/v1/`", BASE_URL]),
        ("POST", "/v1/chat/completions/chat/completions", NotFound, &["`/v1/chat/completions`", BASE_URL]),
        ("POST", "/v1/chat/completion", NotFound, &["Did you mean /v1/chat/completions?"]),
        ("POST", "/V1/Chat/Completions", NotFound, &["Did you mean /v1/chat/completions?"]),
        ("GET", "/health", NotFound, &["Did you mean /healthz?"]),
        ("GET", "/v1/models//", NotFound, &["Did you mean /v1/models"]),
        (
            "GET",
            "/favicon.ico",
            NotFound,
            &["nothing at `/favicon.ico`. Known: POST /v1/chat/completions, GET"],
        ),
        ("GET", "", NotFound, &["GET /v1/models/{id}, GET or HEAD /healthz."]),
        ("GET", "/", NotFound, &["nothing at `/`"]),
    ];
    for (method, path, kind, parts) in cases {
        let error = Endpoint::parse(method, path).expect_err(path);
        assert_eq!(error.kind, kind, "{method} {path}: {}", error.message);
        for part in parts {
            assert!(error.message.contains(part), "{method} {path}: {} lacks {part}", error.message);
        }
    }
}

#[test]
fn a_long_path_is_not_repeated_whole() {
    let path = format!("/{}", "é".repeat(5_000));
    let error = Endpoint::parse("GET", &path).unwrap_err();
    assert!(error.message.len() < 500 && error.message.contains("é…`"), "{}", error.message);
}
