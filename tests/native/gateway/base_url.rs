use serde_json::json;

use super::{check_fault, document_with, downstream};

#[test]
fn a_base_url_is_absolute_https_or_loopback_and_nothing_more() {
    for good in [
        "https://a.example",
        "https://a.example/",
        "https://a.example:8443/v1",
        "https://10.0.0.1/v1",
        "https://[2001:db8::1]/v1",
        "http://localhost:11434",
        "http://127.0.0.1:1/v1",
        "http://127.8.9.1",
        "http://[::1]:8080/v1",
        "HTTPS://A.example",
    ] {
        downstream(json!({"base_url": good}));
    }
    for (bad, expected) in [
        ("", "must be an absolute URL"),
        ("api.example.com/v1", "must be an absolute URL"),
        ("/v1", "must be an absolute URL"),
        ("https://", "must be an absolute URL"),
        ("https:///v1", "must be an absolute URL"),
        ("https://a b/v1", "must be an absolute URL"),
        ("https://a.example\n/v1", "must be an absolute URL"),
        ("ftp://a.example", "must be https"),
        ("http://a.example", "must be https; plain http is for loopback"),
        ("http://128.0.0.1", "must be https; plain http is for loopback"),
        ("http://10.0.0.1", "must be https; plain http is for loopback"),
        ("http://localhost.example", "must be https; plain http is for loopback"),
        ("http://[::2]", "must be https; plain http is for loopback"),
        ("http://127.1", "must name its host"),
        ("http://0x7f.1", "must name its host"),
        ("https://a..example", "must name its host"),
        ("https://a.example./v1", "must name its host"),
        ("https://a%2eexample/v1", "must be an absolute URL"),
        ("https://me:secret@a.example/v1", "must not hold a user name or password"),
        ("https://api.openai.com@a.example/v1", "must not hold a user name or password"),
        ("https://api.openai.com\\@a.example/v1", "must be written out"),
        ("https://{AZURE_RESOURCE_NAME}.openai.azure.com", "must be written out"),
        ("https://a.example/v1?key=secret", "must end with its path"),
        ("https://a.example/v1#secret", "must end with its path"),
        ("https://a.example:", "must name a port"),
        ("https://a.example:99999", "must"),
        ("https://a.example:0", "must not name port 0"),
    ] {
        check_fault(
            &document_with(json!({"base_url": bad})),
            &format!("downstreams[0].base_url: {expected}"),
        );
        check_fault(
            &document_with(json!({"format_urls": {"openai": bad}})),
            &format!("downstreams[0].format_urls.openai: {expected}"),
        );
    }
}

#[test]
fn a_base_path_that_repeats_is_joined_once() {
    for (base_url, chat_url) in [
        ("https://a.example", "https://a.example/v1/chat/completions"),
        ("https://A.example:443/", "https://a.example/v1/chat/completions"),
        ("https://a.example/v1", "https://a.example/v1/chat/completions"),
        ("https://a.example/v1/", "https://a.example/v1/chat/completions"),
        ("https://a.example/v1/chat/completions", "https://a.example/v1/chat/completions"),
        ("https://a.example/api/paas/v4", "https://a.example/api/paas/v4/chat/completions"),
        ("https://a.example/v1beta/openai", "https://a.example/v1beta/openai/chat/completions"),
        ("https://a.example/v1alpha2", "https://a.example/v1alpha2/chat/completions"),
        ("https://a.example/openai", "https://a.example/openai/v1/chat/completions"),
        ("https://a.example/version", "https://a.example/version/v1/chat/completions"),
        ("https://a.example/v", "https://a.example/v/v1/chat/completions"),
        ("https://a.example:8443", "https://a.example:8443/v1/chat/completions"),
        ("http://localhost:11434", "http://localhost:11434/v1/chat/completions"),
        ("http://[::1]:80/v1", "http://[::1]/v1/chat/completions"),
        ("https://api.openai.com", "https://api.openai.com/v1/chat/completions"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/chat/completions"),
        (
            "https://my-resource.openai.azure.com/openai",
            "https://my-resource.openai.azure.com/openai/v1/chat/completions",
        ),
        (
            "https://my-resource.openai.azure.com",
            "https://my-resource.openai.azure.com/openai/v1/chat/completions",
        ),
        ("https://api.groq.com", "https://api.groq.com/openai/v1/chat/completions"),
        ("https://api.perplexity.ai", "https://api.perplexity.ai/chat/completions"),
        ("https://models.github.ai/inference", "https://models.github.ai/inference/chat/completions"),
    ] {
        assert_eq!(downstream(json!({"base_url": base_url})).chat_url, chat_url, "{base_url}");
    }
}

#[test]
fn a_format_url_of_its_own_stands_for_the_base_url() {
    let mine = downstream(
        json!({"format_urls": {"openai": "https://other.example/v2", "anthropic": "https://third.example"}}),
    );
    assert_eq!(mine.chat_url, "https://other.example/v2/chat/completions");
}
