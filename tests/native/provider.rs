use std::collections::BTreeSet;

use turnout::dialect::Dialect::{self, Anthropic, Gemini, OpenAi, Responses};
use turnout::gateway::{Credential, Gateway};
use turnout::provider::{self, ALSO_KNOWN_AS, AuthStyle, PROVIDERS, StreamUsage};

#[test]
fn the_table_is_sorted_by_unique_well_formed_ids() {
    assert!(PROVIDERS.len() >= 25);
    assert!(PROVIDERS.windows(2).all(|pair| pair[0].id < pair[1].id));
    for provider in PROVIDERS {
        assert!(!provider.id.starts_with('-') && provider.id.len() <= 63, "{}", provider.id);
        assert!(provider.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        assert_eq!(provider::builtin(provider.id), Some(provider));
    }
    assert_eq!(provider::builtin("nobody"), None);
}

#[test]
fn every_base_url_is_https_without_trailing_slash_and_its_host_is_its_own() {
    let mut hosts = BTreeSet::new();
    for provider in PROVIDERS {
        assert!(provider.base_url.starts_with("https://"), "{}", provider.id);
        assert!(!provider.base_url.ends_with('/'), "{}", provider.id);
        assert!(!provider.base_url.ends_with("/chat/completions"), "{}", provider.id);
        assert_eq!(format!("https://{}{}", provider.host(), provider.path()), provider.base_url);
        assert!(hosts.insert(provider.host()), "{} is at another's host", provider.id);
    }
}

/// A base URL without a variable, written into a document, means the very endpoint that the table means.
#[test]
fn a_document_with_a_built_ins_base_url_means_its_endpoint_and_secret() {
    for provider in PROVIDERS.iter().filter(|p| !p.base_url.contains('{') && p.id != "inworld") {
        for base_url in [provider.base_url.to_owned(), format!("{}/", provider.base_url)] {
            let document = serde_json::json!({"downstreams": [{"id": provider.id, "base_url": base_url}]});
            let (gateway, warnings) = Gateway::parse(document.to_string().as_bytes()).unwrap();
            assert_eq!(warnings, []);
            let (replaced, default) = (gateway.downstream(provider.id).unwrap(), Gateway::default());
            let builtin = default.downstream(provider.id).unwrap();
            assert_eq!(replaced.spoken, builtin.spoken, "{base_url}");
            assert_eq!(replaced.credential, builtin.credential);
            assert_eq!(replaced.habits, builtin.habits);
        }
    }
}

#[test]
fn each_speaks_something_at_a_path_of_its_own_host() {
    for provider in PROVIDERS {
        let spoken: BTreeSet<Dialect> = provider.spoken.iter().copied().collect();
        assert!(!spoken.is_empty() && spoken.len() == provider.spoken.len(), "{}", provider.id);
        for (_, path) in provider.elsewhere {
            assert!(path.starts_with('/') && !path.ends_with('/'), "{} {path}", provider.id);
        }
        for dialect in Dialect::ALL {
            let known =
                spoken.contains(&dialect) || provider.elsewhere.iter().any(|(other, _)| *other == dialect);
            assert_eq!(provider.path_of(dialect).is_some(), known, "{} {dialect:?}", provider.id);
        }
    }
}

#[test]
fn dialects_are_as_the_providers_document_them() {
    let beyond_chat: Vec<_> =
        PROVIDERS.iter().filter(|p| p.spoken != [OpenAi]).map(|p| (p.id, p.spoken.to_vec())).collect();
    assert_eq!(
        beyond_chat,
        [
            ("anthropic", vec![Anthropic]),
            ("azure", vec![OpenAi, Responses]),
            ("deepseek", vec![OpenAi, Anthropic]),
            ("google", vec![Gemini]),
            ("inworld", vec![OpenAi, Anthropic]),
            ("minimax", vec![OpenAi, Anthropic]),
            ("moonshot", vec![OpenAi, Anthropic]),
            ("openai", vec![OpenAi, Responses]),
            ("openrouter", vec![OpenAi, Anthropic]),
            ("xai", vec![OpenAi, Responses]),
            ("zai", vec![OpenAi, Anthropic]),
        ]
    );
    let gateway = Gateway::default();
    for (id, dialect, root) in [
        ("anthropic", Anthropic, "https://api.anthropic.com/v1"),
        ("azure", Responses, "https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1"),
        ("deepseek", OpenAi, "https://api.deepseek.com/v1"),
        ("deepseek", Anthropic, "https://api.deepseek.com/anthropic/v1"),
        ("google", Gemini, "https://generativelanguage.googleapis.com/v1beta"),
        ("inworld", Anthropic, "https://api.inworld.ai/v1"),
        ("minimax", Anthropic, "https://api.minimax.io/anthropic/v1"),
        ("moonshot", Anthropic, "https://api.moonshot.ai/anthropic/v1"),
        ("openai", Responses, "https://api.openai.com/v1"),
        ("openrouter", Anthropic, "https://openrouter.ai/api/v1"),
        ("xai", Responses, "https://api.x.ai/v1"),
        ("zai", Anthropic, "https://api.z.ai/api/anthropic/v1"),
    ] {
        assert_eq!(gateway.downstream(id).unwrap().root_of(dialect), Some(root), "{id} {dialect:?}");
    }
    assert_eq!(gateway.downstream("anthropic").unwrap().root_of(OpenAi), None, "only a document can name it");
}

#[test]
fn secrets_are_named_for_the_id() {
    for (id, secret) in [
        ("openai", "OPENAI_API_KEY"),
        ("google", "GOOGLE_API_KEY"),
        ("workers-ai", "WORKERS_AI_API_KEY"),
        ("inference-net", "INFERENCE_NET_API_KEY"),
    ] {
        assert_eq!(provider::builtin(id).unwrap().secret(), secret);
        let gateway = Gateway::default();
        assert_eq!(gateway.downstream(id).unwrap().credential, Credential::Secret(secret.to_owned()));
    }
}

#[test]
fn habits_are_as_the_providers_document_them() {
    let habits = |id| provider::builtin(id).unwrap().habits;
    let usage_of = |usage| PROVIDERS.iter().filter(move |p| p.habits.stream_usage == usage).map(|p| p.id);
    assert_eq!(
        usage_of(StreamUsage::Always).collect::<Vec<_>>(),
        ["groq", "inworld", "mistral", "openrouter", "perplexity", "zai"]
    );
    assert!(usage_of(StreamUsage::Never).any(|id| id == "cohere"));
    assert!(
        ["anthropic", "azure", "google", "openai", "xai"]
            .iter()
            .all(|id| habits(id).stream_usage == StreamUsage::OnRequest)
    );
    let taking = |takes: fn(&provider::Habits) -> bool| {
        PROVIDERS.iter().filter(|p| takes(&p.habits)).map(|p| p.id).collect::<Vec<_>>()
    };
    assert_eq!(taking(|h| h.takes_metadata), ["azure", "openai"]);
    assert_eq!(taking(|h| h.takes_routing), ["openrouter"]);
    assert_eq!(taking(|h| h.auth == AuthStyle::ApiKey), ["azure"]);
    assert_eq!(taking(|h| h.auth == AuthStyle::Basic), ["inworld"]);
    assert_eq!(
        taking(|h| h.messages_auth != AuthStyle::XApiKey),
        ["inworld", "moonshot", "openrouter", "zai"]
    );
}

#[test]
fn a_host_with_a_variable_is_known_by_the_rest_of_it() {
    let at = |host| provider::at_host(host).map(|provider| provider.id);
    assert_eq!(at("my-resource.openai.azure.com"), Some("azure"));
    assert_eq!(at("api.mistral.ai"), Some("mistral"));
    for host in [
        "openai.azure.com",
        ".openai.azure.com",
        "a.b.openai.azure.com",
        "evil-openai.azure.com",
        "mistral.ai",
    ] {
        assert_eq!(at(host), None, "{host}");
    }
}

#[test]
fn other_names_lead_to_built_ins_and_are_none_themselves() {
    for (name, id) in ALSO_KNOWN_AS {
        assert!(provider::builtin(id).is_some(), "{name} leads to {id}");
        assert!(provider::builtin(name).is_none(), "{name}");
    }
}
