use serde_json::json;

use turnout::dialect::Dialect;

use super::{check_fault, document_with, downstream, url};

#[test]
fn a_base_url_is_absolute_https_or_loopback_and_nothing_more() {
    for good in [
        "https://a.example",
        "https://a.example/",
        "https://a.example:8443/v1",
        "https://93.184.215.14/v1",
        "https://[2606:4700:4700::1111]/v1",
        "https://llm.internal.example.com",
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
        ("https://a.example/v1beta/models/gemini-3:generateContent", "must end before `/models/"),
        ("https://a.example/v1beta/models/gemini-3:streamGenerateContent", "must end before `/models/"),
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
fn a_base_url_is_of_a_public_host() {
    for host in [
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.255",
        "0.0.0.0",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::2]",
        "[::ffff:10.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:127.0.0.1]",
        "[::10.0.0.1]",
        "[::ffff:0:10.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::1.1.1.1]",
        "[2002:a00:1::]",
        "[2001:db8::1]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[fe80::1]",
        "[ff02::1]",
        "[100::1]",
        "metadata",
        "metadata.google.internal",
        "printer.local",
        "a.localhost",
        "nas.home.arpa",
    ] {
        let document = document_with(json!({"base_url": format!("https://{host}/v1")}));
        check_fault(&document, "downstreams[0].base_url: must name a public host");
    }
    // No spelling of an address is read that `fetch` would read as another one.
    for host in
        ["0x7f.0.0.1", "0177.0.0.1", "2130706433", "0x7f000001", "127.1", "10.0.1", "0xa.0.0.1", "012.0.0.1"]
    {
        let document = document_with(json!({"base_url": format!("https://{host}/v1")}));
        check_fault(&document, "downstreams[0].base_url: must name its host by");
    }
    for host in [
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "1.1.1.1",
        "[::ffff:1.1.1.1]",
        "[64:ff9b::1.1.1.1]",
    ] {
        downstream(json!({"base_url": format!("https://{host}/v1")}));
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
        let mine = downstream(json!({"base_url": base_url, "api_formats": ["openai"]}));
        assert_eq!(url(&mine, Dialect::OpenAi), chat_url, "{base_url}");
    }
}

/// Where each of the formats is called, at a base that they share.
fn check(base_url: &str, expected: &[(&str, &str)]) {
    let formats: Vec<&str> = expected.iter().map(|(format, _)| *format).collect();
    let mine = downstream(json!({"base_url": base_url, "api_formats": formats}));
    for (format, expected) in expected {
        assert_eq!(url(&mine, Dialect::named(format).unwrap()), *expected, "{base_url} {format}");
    }
}

#[test]
fn each_dialect_has_its_own_path_below_the_base() {
    for base_url in
        ["https://a.example", "https://a.example/", "https://a.example/v1", "https://a.example/v1beta"]
    {
        check(
            base_url,
            &[
                ("openai", "https://a.example/v1/chat/completions"),
                ("anthropic", "https://a.example/v1/messages"),
                ("openai_responses", "https://a.example/v1/responses"),
                ("gemini", "https://a.example/v1beta/models/m:generateContent"),
            ],
        );
    }
    for (base_url, format, expected) in [
        ("https://a.example", "anthropic", "https://a.example/v1/messages"),
        ("https://a.example/v1", "anthropic", "https://a.example/v1/messages"),
        ("https://a.example/anthropic", "anthropic", "https://a.example/anthropic/v1/messages"),
        ("https://a.example/anthropic/v1/", "anthropic", "https://a.example/anthropic/v1/messages"),
        ("https://a.example/v1/messages", "anthropic", "https://a.example/v1/messages"),
        ("https://a.example/messages", "anthropic", "https://a.example/messages"),
        (
            "https://a.example/v1/acct/gateway/anthropic",
            "anthropic",
            "https://a.example/v1/acct/gateway/anthropic/v1/messages",
        ),
        (
            "https://a.example/v1/acct/gateway/openai",
            "openai",
            "https://a.example/v1/acct/gateway/openai/chat/completions",
        ),
        ("https://a.example", "openai_responses", "https://a.example/v1/responses"),
        (
            "https://a.example/openai/v1/responses",
            "openai_responses",
            "https://a.example/openai/v1/responses",
        ),
        ("https://a.example", "gemini", "https://a.example/v1beta/models/m:generateContent"),
        ("https://a.example/v1beta", "gemini", "https://a.example/v1beta/models/m:generateContent"),
        ("https://a.example/v1alpha", "gemini", "https://a.example/v1alpha/models/m:generateContent"),
        ("https://a.example/v1", "gemini", "https://a.example/v1/models/m:generateContent"),
        ("https://a.example/v1beta/models", "gemini", "https://a.example/v1beta/models/m:generateContent"),
        ("https://a.example/google/models", "gemini", "https://a.example/google/models/m:generateContent"),
        ("http://127.0.0.1:9", "gemini", "http://127.0.0.1:9/v1beta/models/m:generateContent"),
    ] {
        check(base_url, &[(format, expected)]);
    }
}

#[test]
fn an_endpoint_in_full_says_where_the_others_are() {
    check(
        "https://a.example/api/v1/chat/completions",
        &[
            ("openai", "https://a.example/api/v1/chat/completions"),
            ("openai_responses", "https://a.example/api/v1/responses"),
            ("gemini", "https://a.example/api/v1beta/models/m:generateContent"),
        ],
    );
    check(
        "https://a.example/v1/messages",
        &[
            ("anthropic", "https://a.example/v1/messages"),
            ("openai", "https://a.example/v1/chat/completions"),
        ],
    );
}

#[test]
fn at_a_known_host_each_dialect_is_where_the_provider_has_it() {
    for (base_url, expected) in [
        (
            "https://api.deepseek.com",
            &[
                ("openai", "https://api.deepseek.com/v1/chat/completions"),
                ("anthropic", "https://api.deepseek.com/anthropic/v1/messages"),
            ][..],
        ),
        (
            "https://api.deepseek.com/anthropic",
            &[
                ("anthropic", "https://api.deepseek.com/anthropic/v1/messages"),
                ("openai", "https://api.deepseek.com/v1/chat/completions"),
            ],
        ),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai",
            &[
                ("openai", "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"),
                ("gemini", "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent"),
            ],
        ),
        (
            "https://generativelanguage.googleapis.com",
            &[("gemini", "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent")],
        ),
        ("https://api.anthropic.com", &[("openai", "https://api.anthropic.com/v1/chat/completions")]),
        ("https://api.anthropic.com", &[("anthropic", "https://api.anthropic.com/v1/messages")]),
        (
            "https://my-resource.openai.azure.com/openai",
            &[("openai_responses", "https://my-resource.openai.azure.com/openai/v1/responses")],
        ),
        // Nothing is known of it there, so it is as at any host.
        ("https://api.mistral.ai/v1", &[("anthropic", "https://api.mistral.ai/v1/messages")]),
        ("https://api.deepseek.com/beta", &[("openai", "https://api.deepseek.com/beta/v1/chat/completions")]),
    ] {
        check(base_url, expected);
    }
}
