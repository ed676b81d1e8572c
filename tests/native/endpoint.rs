//! Paths and methods, and what a client with a wrong base URL is told.

use turnout::dialect::Dialect;
use turnout::endpoint::{Ask, Endpoint, Operation};
use turnout::error::ErrorKind;

#[test]
fn known_paths() {
    use Dialect::{Anthropic, Gemini, OpenAi, Responses};
    let call = |dialect| Endpoint::Call(Ask::of(dialect));
    let model = |dialect, id: &str| Endpoint::Model(dialect, id.to_owned());
    let count = Ask { operation: Operation::CountTokens, stream: Some(false), ..Ask::of(Anthropic) };
    let cases = [
        ("POST", "/v1/chat/completions", call(OpenAi)),
        ("POST", "/v1/chat/completions/", call(OpenAi)),
        ("POST", "/v1/messages", call(Anthropic)),
        ("POST", "/v1/messages/count_tokens", Endpoint::Call(count)),
        ("POST", "/v1/responses", call(Responses)),
        ("GET", "/v1/models", Endpoint::Models(OpenAi)),
        ("GET", "/v1/models/", Endpoint::Models(OpenAi)),
        ("GET", "/v1/models/gpt-5", model(OpenAi, "gpt-5")),
        ("GET", "/v1/models/openai/gpt-5", model(OpenAi, "openai/gpt-5")),
        ("GET", "/v1/models/openai%2Fgpt-5/", model(OpenAi, "openai/gpt-5")),
        ("GET", "/v1/models/a%20b%C3%A9", model(OpenAi, "a bé")),
        ("GET", "/v1/models/100%", model(OpenAi, "100%")),
        ("GET", "/v1/models/models", model(OpenAi, "models")),
        ("GET", "/v1beta/models", Endpoint::Models(Gemini)),
        ("GET", "/v1beta/models/", Endpoint::Models(Gemini)),
        ("GET", "/v1beta/models/turnout/r", model(Gemini, "turnout/r")),
        ("GET", "/v1beta/models/turnout%2Fr", model(Gemini, "turnout/r")),
        ("GET", "/v1beta/models/ollama/llama3:8b", model(Gemini, "ollama/llama3:8b")),
        ("GET", "/healthz", Endpoint::Health),
        ("HEAD", "/healthz", Endpoint::Health),
    ];
    for (method, path, expected) in cases {
        assert_eq!(Endpoint::parse(method, path, "").as_ref(), Ok(&expected), "{method} {path}");
    }
}

#[test]
fn geminis_paths_name_model_and_stream() {
    for (path, query, model, stream, events) in [
        ("/v1beta/models/gemini-2.5-pro:generateContent", "", "gemini-2.5-pro", false, false),
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", "", "gemini-2.5-pro", true, false),
        ("/v1beta/models/x:streamGenerateContent", "alt=sse", "x", true, true),
        ("/v1beta/models/x:streamGenerateContent", "key=k&alt=sse", "x", true, true),
        ("/v1beta/models/x:streamGenerateContent", "%24alt=sse&$alt=s%73e", "x", true, true),
        ("/v1beta/models/x:streamGenerateContent", "alt=json", "x", true, false),
        ("/v1beta/models/x:streamGenerateContent", "salt=sse&alt", "x", true, false),
        ("/v1beta/models/x:streamGenerateContent/", "alt=sse", "x", true, true),
        // A router's name holds a slash, in either spelling; some clients then leave out the collection.
        ("/v1beta/models/turnout/my-router:generateContent", "", "turnout/my-router", false, false),
        ("/v1beta/models/turnout%2Fmy-router:generateContent", "", "turnout/my-router", false, false),
        ("/v1beta/models%2Fturnout%2Fmy-router%3AgenerateContent", "", "turnout/my-router", false, false),
        ("/v1beta/turnout/my-router:generateContent", "", "turnout/my-router", false, false),
        ("/v1beta/models/models/gemini-2.5-pro:generateContent", "", "gemini-2.5-pro", false, false),
        ("/v1beta/tunedModels/t:generateContent", "", "tunedModels/t", false, false),
        ("/v1beta/models/ollama/llama3:8b:generateContent", "", "ollama/llama3:8b", false, false),
        ("/v1beta/models/caf%C3%A9:generateContent", "", "café", false, false),
    ] {
        let ask =
            Ask { model: Some(model.to_owned()), stream: Some(stream), events, ..Ask::of(Dialect::Gemini) };
        assert_eq!(Endpoint::parse("POST", path, query), Ok(Endpoint::Call(ask)), "{path}?{query}");
    }
}

#[test]
fn refusals_say_what_is_right() {
    use ErrorKind::{InvalidRequest, MethodNotAllowed, NotFound};
    const BASE_URL: &str = "set it to this worker's address followed by `/v1`, as in";
    const OR_NOTHING: &str = "followed by `/v1` (or by nothing, where the client adds that itself), as in";
    const BETA: &str = "followed by `/v1beta` (or by nothing, where the client adds that itself), as in";
    let cases: [(&str, &str, ErrorKind, &[&str]); 40] = [
        (
            "GET",
            "/v1/chat/completions",
            MethodNotAllowed(&["POST"]),
            &["`/v1/chat/completions` takes POST, not GET"],
        ),
        ("GET", "/v1/messages", MethodNotAllowed(&["POST"]), &["takes POST, not GET"]),
        ("DELETE", "/v1/responses", MethodNotAllowed(&["POST"]), &["takes POST, not DELETE"]),
        ("GET", "/v1beta/models/x:generateContent", MethodNotAllowed(&["POST"]), &["takes POST, not GET"]),
        ("POST", "/v1beta/models/x", MethodNotAllowed(&["GET"]), &["takes GET, not POST"]),
        ("HEAD", "/v1/models", MethodNotAllowed(&["GET"]), &["takes GET, not HEAD"]),
        ("DELETE", "/v1/models/x", MethodNotAllowed(&["GET"]), &["takes GET, not DELETE"]),
        ("POST", "/healthz", MethodNotAllowed(&["GET", "HEAD"]), &["takes GET or HEAD, not POST"]),
        ("get", "/healthz", MethodNotAllowed(&["GET", "HEAD"]), &["not get"]),
        ("GET", "/v1/models/%FF", InvalidRequest, &["UTF-8"]),
        ("POST", "/v1beta/models/%FF:generateContent", InvalidRequest, &["UTF-8"]),
        (
            "POST",
            "/chat/completions",
            NotFound,
            &["leaves out `/v1`", BASE_URL, "come to `/v1/chat/completions`"],
        ),
        ("POST", "/chat/completions/", NotFound, &["leaves out `/v1`", BASE_URL]),
        ("GET", "/models", NotFound, &["leaves out `/v1`", BASE_URL]),
        ("GET", "/models/openai/gpt-5", NotFound, &["leaves out `/v1`", BASE_URL]),
        ("POST", "/responses", NotFound, &["leaves out `/v1`", BASE_URL, "come to `/v1/responses`"]),
        ("POST", "/messages", NotFound, &["leaves out `/v1`", OR_NOTHING, "come to `/v1/messages`"]),
        ("POST", "/v1/v1/chat/completions", NotFound, &["has `/v1` twice", BASE_URL]),
        ("POST", "/v1/v1/messages", NotFound, &["has `/v1` twice", OR_NOTHING]),
        (
            "POST",
            "/v1/v1/messages/count_tokens",
            NotFound,
            &["has `/v1` twice", "`/v1/messages/count_tokens`"],
        ),
        ("GET", "/v1/v1/models/openai/gpt-5", NotFound, &["has `/v1` twice", BASE_URL]),
        ("POST", "/openai/v1/chat/completions", NotFound, &["ends in `/openai/v1`", BASE_URL]),
        ("POST", "/v1beta/openai/chat/completions", NotFound, &["ends in `/v1beta/openai`", BASE_URL]),
        ("POST", "/anthropic/v1/messages", NotFound, &["ends in `/anthropic/v1`", OR_NOTHING]),
        ("POST", "/v1//chat/completions", NotFound, &["ends in `/v1/`", BASE_URL]),
        ("POST", "/v1/chat/completions/chat/completions", NotFound, &["`/v1/chat/completions`", BASE_URL]),
        ("POST", "/v1beta/v1beta/models/x:generateContent", NotFound, &["has `/v1beta` twice", BETA]),
        (
            "POST",
            "/v1/models/x:streamGenerateContent",
            NotFound,
            &["ends in `/v1`", BETA, "`/v1beta/models/…`"],
        ),
        ("POST", "/models/turnout/r:generateContent", NotFound, &["leaves out `/v1beta`", BETA]),
        (
            "POST",
            "/v1beta/models/x:countTokens",
            NotFound,
            &["`:countTokens` is not served; of Gemini's methods"],
        ),
        ("POST", "/v1beta/models/x:embedContent", NotFound, &["`:embedContent` is not served"]),
        (
            "POST",
            "/v1beta/models/:generateContent",
            NotFound,
            &["Did you mean /v1beta/models/{model}:generateContent?"],
        ),
        ("GET", "/v1beta/cachedContents", NotFound, &["nothing at `/v1beta/cachedContents`."]),
        ("POST", "/v1/chat/completion", NotFound, &["Did you mean /v1/chat/completions?"]),
        ("POST", "/v1/message", NotFound, &["Did you mean /v1/messages?"]),
        ("POST", "/V1/Chat/Completions", NotFound, &["Did you mean /v1/chat/completions?"]),
        ("GET", "/health", NotFound, &["Did you mean /healthz?"]),
        ("GET", "/v1/models//", NotFound, &["Did you mean /v1/models"]),
        (
            "GET",
            "/favicon.ico",
            NotFound,
            &["nothing at `/favicon.ico`. Known: POST /v1/chat/completions, POST /v1/messages,"],
        ),
        ("GET", "", NotFound, &["GET /v1beta/models/{id}, GET or HEAD /healthz."]),
    ];
    for (method, path, kind, parts) in cases {
        let error = Endpoint::parse(method, path, "").expect_err(path);
        assert_eq!(error.kind, kind, "{method} {path}: {}", error.message);
        for part in parts {
            assert!(error.message.contains(part), "{method} {path}: {} lacks {part}", error.message);
        }
    }
}

#[test]
fn a_path_tells_its_clients_dialect() {
    use Dialect::{Anthropic, Gemini, OpenAi, Responses};
    for (dialect, paths) in [
        (
            OpenAi,
            &[
                "/v1/chat/completions",
                "/v1/models",
                "/v1/models/messages",
                "/v1/models/x:y",
                "/",
                "",
                "/healthz",
            ][..],
        ),
        (OpenAi, &["/v1beta/openai/chat/completions", "/v1/embeddings"]),
        (
            Anthropic,
            &[
                "/v1/messages",
                "/v1/messages/",
                "/v1/messages/count_tokens",
                "/v1/messages/batches",
                "/v1/v1/messages",
            ],
        ),
        (Responses, &["/v1/responses", "/responses", "/v1/responses/resp_1"]),
        (
            Gemini,
            &["/v1beta/models", "/v1beta/x", "/v1beta/models/x:generateContent", "/v1beta/models/messages"],
        ),
        (
            Gemini,
            &["/v1/models/x:generateContent", "/models/x:countTokens", "/v1beta/turnout/r:generateContent"],
        ),
    ] {
        for path in paths {
            assert_eq!(Endpoint::dialect_of(path), dialect, "{path}");
        }
    }
}

#[test]
fn anthropics_clients_ask_for_models_too() {
    let list = |path| Endpoint::parse("GET", path, "").unwrap();
    let version = |name: &str| (name == "anthropic-version").then_some("2023-06-01");
    assert_eq!(list("/v1/models").for_client(version), Endpoint::Models(Dialect::Anthropic));
    assert_eq!(list("/v1/models/x").for_client(version), Endpoint::Model(Dialect::Anthropic, "x".to_owned()));
    assert_eq!(list("/v1/models").for_client(|_| None), Endpoint::Models(Dialect::OpenAi));
    assert_eq!(list("/v1beta/models").for_client(version), Endpoint::Models(Dialect::Gemini));
}

#[test]
fn a_long_path_is_not_repeated_whole() {
    let path = format!("/{}", "é".repeat(5_000));
    let error = Endpoint::parse("GET", &path, "").unwrap_err();
    assert!(error.message.len() < 700 && error.message.contains("é…`"), "{}", error.message);
}

#[test]
fn every_dialect_lists_models_as_its_clients_read_them() {
    let ids = ["turnout/a".to_owned(), "openai/gpt-5".to_owned()];
    let cases = [
        (
            Dialect::OpenAi,
            r#"{"object":"list","data":[{"id":"turnout/a","object":"model","created":0,"owned_by":"turnout"},"#,
        ),
        (
            Dialect::Anthropic,
            r#"{"data":[{"type":"model","id":"turnout/a","display_name":"turnout/a","created_at":"1970-01-01T00:00:00Z"},"#,
        ),
        (
            Dialect::Responses,
            r#"{"object":"list","data":[{"id":"turnout/a","object":"model","created":0,"owned_by":"turnout"},"#,
        ),
        (
            Dialect::Gemini,
            r#"{"models":[{"name":"models/turnout/a","displayName":"turnout/a","supportedGenerationMethods":["generateContent","streamGenerateContent"]},"#,
        ),
    ];
    for (dialect, beginning) in cases {
        let list = dialect.list_of(&ids).to_string();
        assert!(list.starts_with(beginning), "{list}");
        assert!(list.contains(&dialect.model_of("openai/gpt-5").to_string()), "{list}");
    }
    let list = Dialect::Anthropic.list_of(&ids);
    assert_eq!((&list["first_id"], &list["last_id"]), (&ids[0].as_str().into(), &ids[1].as_str().into()));
}

#[test]
fn a_key_in_the_query_is_read_of_geminis_clients_alone() {
    for path in ["/v1beta/models", "/v1beta/models/x:generateContent", "/v1/models/x:generateContent"] {
        assert_eq!(Endpoint::query_with_key(path, "key=K"), "key=K", "{path}");
    }
    for path in ["/v1/models", "/v1/messages", "/v1/responses", "/v1/chat/completions", "/elsewhere"] {
        assert_eq!(Endpoint::query_with_key(path, "key=K"), "", "{path}");
    }
}
