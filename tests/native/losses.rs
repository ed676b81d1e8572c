//! The loss table, held together with what the encoders do and with README.

use serde_json::{Value, json};
use turnout::dialect::conversation::{
    Cache, Citation, Conversation, Format, Part, Role, Seal, Source, Thinking, Thought, Tool, ToolKind, Turn,
};
use turnout::dialect::loss::{Fate, Feature, Losses, TABLE};
use turnout::dialect::{Dialect, translate};

#[test]
fn readme_has_the_table() {
    let rows = TABLE.iter().map(|row| {
        let fates = Dialect::ALL.map(|dialect| match row.fate(dialect) {
            Fate::Carried => "✓",
            Fate::Dropped => "noted",
            Fate::Refused => "400",
        });
        format!("| {} | {} | {} |\n", row.name, fates.join(" | "), row.why)
    });
    let names = Dialect::ALL.map(|dialect| format!("into `{}`", dialect.as_str())).join(" | ");
    let table = format!("| | {names} | since |\n|---|---|---|---|---|---|\n{}", rows.collect::<String>());
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("<!-- losses").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let (written, _) = rest.split_once("<!-- /losses -->").unwrap();
    assert!(written == table, "README's table of losses should be:\n{table}");
}

#[test]
fn every_feature_stands_in_the_table_once() {
    for (index, row) in TABLE.iter().enumerate() {
        assert!(!TABLE[..index].iter().any(|other| other.feature == row.feature), "{:?} twice", row.feature);
    }
}

/// A request that has one feature more than it needs.
fn asking(change: impl FnOnce(&mut Conversation)) -> Conversation {
    let mut conversation = Conversation { max_tokens: Some(4096), ..Conversation::default() };
    conversation.turns = vec![said(Part::text("Hello"))];
    change(&mut conversation);
    conversation
}

fn said(part: Part) -> Turn {
    Turn { role: Role::User, name: None, parts: vec![part] }
}

fn text_with(cache: Option<Cache>, citations: Vec<Citation>) -> Part {
    Part::Text { text: "x".to_owned(), citations, cache }
}

fn examples() -> Vec<(Feature, Conversation)> {
    let number = |value: Value| value.as_number().cloned();
    let function = |strict| ToolKind::Function {
        name: "f".to_owned(),
        description: None,
        parameters: Some(
            json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false}),
        ),
        strict,
    };
    let tool = |kind| vec![Tool { kind, cache: None }];
    vec![
        (Feature::TopK, asking(|c| c.sampling.top_k = number(json!(5)))),
        (Feature::Penalties, asking(|c| c.sampling.presence_penalty = number(json!(0.5)))),
        (Feature::Seed, asking(|c| c.sampling.seed = number(json!(7)))),
        (Feature::StopSequences, asking(|c| c.sampling.stop = vec!["END".to_owned()])),
        (Feature::Logprobs, asking(|c| c.sampling.logprobs = Some(2))),
        (Feature::LogitBias, asking(|c| c.sampling.logit_bias = Some(json!({"50256": -100})))),
        (Feature::SeveralAnswers, asking(|c| c.n = Some(2))),
        (
            Feature::Audio,
            asking(|c| {
                let audio = Part::Audio { format: "wav".to_owned(), data: "AAAA".to_owned() };
                c.turns.push(said(audio));
            }),
        ),
        (
            Feature::DocumentUrl,
            asking(|c| {
                let source = Source::Url("https://a.example/a.pdf".to_owned());
                c.turns.push(said(Part::Document { source, name: None, cache: None }));
            }),
        ),
        (
            Feature::ImageDetail,
            asking(|c| {
                let source =
                    Source::Base64 { media_type: "image/png".to_owned(), data: "iVBORw0KGgo=".to_owned() };
                c.turns.push(said(Part::Image { source, detail: Some("low".to_owned()), cache: None }));
            }),
        ),
        (Feature::JsonObject, asking(|c| c.format = Some(Format::JsonObject))),
        (Feature::StrictTool, asking(|c| c.tools = tool(function(Some(true))))),
        (
            Feature::CustomGrammar,
            asking(|c| {
                let format = Some(json!({"type": "grammar", "syntax": "lark", "definition": "start: \"x\""}));
                c.tools = tool(ToolKind::Custom { name: "f".to_owned(), description: None, format });
            }),
        ),
        (
            Feature::WebSearchDomains,
            asking(|c| {
                c.tools = tool(ToolKind::WebSearch {
                    context_size: None,
                    max_uses: None,
                    allowed_domains: vec!["a.example".to_owned()],
                    blocked_domains: Vec::new(),
                    user_location: None,
                });
            }),
        ),
        (
            Feature::OneToolAtATime,
            asking(|c| {
                c.tools = tool(function(None));
                c.parallel_tool_calls = Some(false);
            }),
        ),
        (
            Feature::CacheControl,
            asking(|c| c.turns.push(said(text_with(Some(Cache { ttl: None }), Vec::new())))),
        ),
        (Feature::PromptCacheKey, asking(|c| c.prompt_cache_key = Some("k".to_owned()))),
        (
            Feature::SpeakerName,
            asking(|c| c.turns.iter_mut().for_each(|turn| turn.name = Some("ann".to_owned()))),
        ),
        (
            Feature::LateSystem,
            asking(|c| {
                let parts = vec![Part::text("Be brief.")];
                c.turns.push(Turn { role: Role::System, name: None, parts });
                c.turns.push(said(Part::text("And now?")));
            }),
        ),
        (Feature::User, asking(|c| c.user = Some("u-1".to_owned()))),
        (Feature::Verbosity, asking(|c| c.verbosity = Some("low".to_owned()))),
        (
            Feature::SpokenAnswer,
            asking(|c| drop(c.own.insert("modalities".to_owned(), json!(["text", "audio"])))),
        ),
        (
            Feature::StoredState,
            asking(|c| drop(c.own.insert("previous_response_id".to_owned(), json!("resp_1")))),
        ),
    ]
}

/// The cells that an example cannot show, each with why.
fn is_exempt(feature: Feature, target: Dialect) -> bool {
    // Chat Completions' own fields pass there as they are.
    matches!((feature, target), (Feature::SpokenAnswer, Dialect::OpenAi))
}

#[test]
fn encoders_do_what_the_table_says() {
    let mut wrong = Vec::new();
    let examples = examples();
    for (feature, conversation) in &examples {
        let row = TABLE.iter().find(|row| row.feature == *feature).unwrap();
        for target in Dialect::ALL {
            let model = match target {
                Dialect::OpenAi | Dialect::Responses => "gpt-5.4",
                Dialect::Anthropic => "claude-sonnet-4-5",
                Dialect::Gemini => "gemini-3-pro",
            };
            let mut losses = Losses::new(target);
            let encoded = translate::encode_request(target, conversation, model, &mut losses);
            let was_dropped = losses.dropped().any(|dropped| dropped == *feature);
            let shown = match (&encoded, was_dropped) {
                (Err(_), _) => Fate::Refused,
                (Ok(_), true) => Fate::Dropped,
                (Ok(_), false) => Fate::Carried,
            };
            if shown != row.fate(target) && !is_exempt(*feature, target) {
                let why = encoded.err().map(|error| error.message).unwrap_or_default();
                wrong.push(format!("{feature:?} into {}: {shown:?} {why}", target.as_str()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_another_model_signed_is_sent_to_its_maker_alone() {
    for maker in Dialect::ALL {
        let seal = Seal { dialect: maker, is_redacted: false, value: "c2lnbmVk".to_owned() };
        let thought = Thought { text: "hm".to_owned(), seal: Some(seal), ..Thought::default() };
        let conversation = asking(|c| {
            let parts = vec![Part::Thought(thought), Part::text("Yes.")];
            c.turns.push(Turn { role: Role::Assistant, name: None, parts });
            c.turns.push(said(Part::text("Why?")));
            c.thinking = Some(Thinking { effort: Some("low".to_owned()), ..Thinking::default() });
        });
        for target in Dialect::ALL.into_iter().filter(|target| *target != maker) {
            let mut losses = Losses::new(target);
            let body = translate::encode_request(target, &conversation, "m", &mut losses).unwrap();
            let body = String::from_utf8(body).unwrap();
            assert!(!body.contains("c2lnbmVk"), "{maker:?} into {target:?}: {body}");
        }
    }
}
