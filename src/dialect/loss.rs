//! What a target cannot carry: refused where the answer would be wrong without it, else dropped and noted.
//!
//! The table is the only place that decides: its rows are here, its columns in the folders of the dialects. An encoder that meets a feature that it has no word for hands it to
//! [`Losses::meet`]; what the table does not allow to be dropped becomes a 400 that names the field.
//! (The table itself, generated from [`TABLE`], belongs here and into README; a test holds all three together.)

use serde_json::Value;

use super::Dialect;
use super::conversation::Conversation;
use crate::error::Error;

/// What becomes of a feature on its way into a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The dialect has a word for it.
    Carried,
    /// It is left out, and `x-turnout-note` says so.
    Dropped,
    /// The call is refused with a 400 that names it.
    Refused,
}

/// What may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their words are in the table")]
pub enum Feature {
    TopK,
    Penalties,
    Seed,
    StopSequences,
    Logprobs,
    LogitBias,
    SeveralAnswers,
    Audio,
    DocumentUrl,
    UploadedFile,
    ImageDetail,
    JsonObject,
    StrictTool,
    CustomGrammar,
    WebSearchDomains,
    WebSearchDetails,
    OtherServerTool,
    ServerToolHistory,
    OneToolAtATime,
    ThinkingBudget,
    ThinkingDisplay,
    ForeignThought,
    CacheControl,
    PromptCacheKey,
    Citations,
    SpeakerName,
    LateSystem,
    User,
    Verbosity,
    ServiceTier,
    SpokenAnswer,
    StoredState,
    OwnField,
    SamplingAsAsked,
    ThinkingAsAsked,
}

/// A feature. Its fate in a dialect stands in the folder of that.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What.
    pub feature: Feature,
    /// In people's words, for notes and errors.
    pub name: &'static str,
    /// Why it is dropped or refused, where it is.
    pub why: &'static str,
}

/// The loss table, less its columns: those are [`Row::fate`].
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    Row { feature: Feature::TopK, name: "`top_k`", why: "it only narrows the draw" },
    Row { feature: Feature::Penalties, name: "frequency and presence penalties", why: "they only shade the draw" },
    Row { feature: Feature::Seed, name: "`seed`", why: "no provider promises the same answer by it" },
    Row { feature: Feature::StopSequences, name: "stop sequences", why: "the answer would run on past them" },
    Row { feature: Feature::Logprobs, name: "log probabilities", why: "the answer would lack what was asked for" },
    Row { feature: Feature::LogitBias, name: "`logit_bias`", why: "token ids mean nothing to another model" },
    Row { feature: Feature::SeveralAnswers, name: "more than one answer (`n`)", why: "the answer would lack what was asked for" },
    Row { feature: Feature::Audio, name: "spoken input", why: "the model would not hear it" },
    Row { feature: Feature::DocumentUrl, name: "a document by URL", why: "the model would not read it" },
    Row { feature: Feature::UploadedFile, name: "a file that was uploaded to another provider", why: "its id means nothing elsewhere" },
    Row { feature: Feature::ImageDetail, name: "an image's `detail`", why: "the model chooses by itself" },
    Row { feature: Feature::JsonObject, name: "JSON mode without a schema", why: "the answer might be no JSON" },
    Row { feature: Feature::StrictTool, name: "`strict` of a tool", why: "the schema is still given" },
    Row { feature: Feature::CustomGrammar, name: "a custom tool's grammar", why: "the call might not keep to it" },
    Row { feature: Feature::WebSearchDomains, name: "the hosts of a web search", why: "it would search where it must not" },
    Row { feature: Feature::WebSearchDetails, name: "details of a web search", why: "it searches as it thinks fit" },
    Row { feature: Feature::OtherServerTool, name: "a tool that only another provider runs", why: "nobody would run it" },
    Row { feature: Feature::ServerToolHistory, name: "a step of a tool that another provider ran", why: "what came of it stands in the text" },
    Row { feature: Feature::OneToolAtATime, name: "one tool call at a time", why: "calls may come at once" },
    Row { feature: Feature::ThinkingBudget, name: "a budget of thought in tokens", why: "an effort stands in for it" },
    Row { feature: Feature::ThinkingDisplay, name: "how thoughts are shown", why: "they are shown as the provider does" },
    Row { feature: Feature::ForeignThought, name: "a thought that another model signed", why: "a signature means nothing to another" },
    Row { feature: Feature::CacheControl, name: "`cache_control`", why: "the provider caches by itself" },
    Row { feature: Feature::PromptCacheKey, name: "`prompt_cache_key`", why: "the provider caches by itself" },
    Row { feature: Feature::Citations, name: "citations in the history", why: "the text that cites stays" },
    Row { feature: Feature::SpeakerName, name: "the name of a speaker", why: "roles stay" },
    Row { feature: Feature::LateSystem, name: "a system prompt in mid-conversation", why: "it stands at the beginning instead" },
    Row { feature: Feature::User, name: "the user's id", why: "it only tells the provider whom to hold responsible" },
    Row { feature: Feature::Verbosity, name: "`verbosity`", why: "the model chooses by itself" },
    Row { feature: Feature::ServiceTier, name: "`service_tier`", why: "another provider has other queues" },
    Row { feature: Feature::SpokenAnswer, name: "a spoken answer", why: "there would be nothing to hear" },
    Row { feature: Feature::StoredState, name: "state that the provider keeps (`previous_response_id`, `conversation`, `background`, `prompt`, `item_reference`)", why: "the model would not know what went before" },
    Row { feature: Feature::OwnField, name: "a field of the caller's own dialect", why: "no other dialect has it" },
    Row { feature: Feature::SamplingAsAsked, name: "`temperature`, `top_p` or `top_k` as asked", why: "the model takes it otherwise, or not at all" },
    Row { feature: Feature::ThinkingAsAsked, name: "how much to think, as asked", why: "the model is told otherwise, or not at all" },
];

/// What was lost of one request on its way into one dialect.
#[derive(Clone, Debug)]
pub struct Losses {
    target: Dialect,
    noted: Vec<&'static Row>,
    /// What is dropped where the table would refuse it.
    forgiven: Vec<Feature>,
}

impl Losses {
    /// Nothing so far.
    pub fn new(target: Dialect) -> Losses {
        Losses::forgiving(target, Vec::new())
    }

    /// Nothing so far; of these features none is refused, for they are not the caller's.
    pub(crate) fn forgiving(target: Dialect, forgiven: Vec<Feature>) -> Losses {
        Losses { target, noted: Vec::new(), forgiven }
    }

    /// Whether a feature is dropped where the table would refuse it.
    pub(super) fn forgives(&self, feature: Feature) -> bool {
        self.forgiven.contains(&feature)
    }

    /// The target has no word for what stands at `path` of the caller's body.
    ///
    /// # Errors
    /// A 400 that names it, where the table does not let it be dropped.
    #[inline(never)]
    pub fn meet(&mut self, feature: Feature, path: &str) -> Result<(), Error> {
        let Some(row) = TABLE.iter().find(|row| row.feature == feature) else { return Ok(()) };
        if row.fate(self.target) == Fate::Dropped || self.forgives(feature) {
            if !self.noted.iter().any(|noted| noted.feature == feature) {
                self.noted.push(row);
            }
            return Ok(());
        }
        let message = format!(
            "`{path}`: {} cannot be sent to a downstream that speaks `{}` ({}); leave it out, or name a model that takes it.",
            row.name,
            self.target.as_str(),
            row.why
        );
        Err(Error::invalid(path, message))
    }

    /// What was dropped, for `x-turnout-note`; `None` where nothing was.
    pub fn note(&self) -> Option<String> {
        if self.noted.is_empty() {
            return None;
        }
        let names: Vec<&str> = self.noted.iter().map(|row| row.name).collect();
        Some(format!("not sent to {}: {}", self.target.as_str(), names.join(", ")))
    }

    /// What was dropped, in people's words.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.noted.iter().map(|row| row.name)
    }

    /// The features that were dropped.
    pub fn dropped(&self) -> impl Iterator<Item = Feature> {
        self.noted.iter().map(|row| row.feature)
    }
}

/// Meets what is in [`Conversation::own`]: every encoder calls it once, for none of it is in the neutral conversation.
///
/// # Errors
/// A 400 that names the field, where it holds state that the provider keeps, or asks for a spoken answer.
pub fn own_fields(conversation: &Conversation, losses: &mut Losses) -> Result<(), Error> {
    conversation.own.iter().try_for_each(|(name, value)| own_field(name, value, losses))
}

/// [`own_fields`] for one of them: for an encoder that has a word for some.
///
/// # Errors
/// As of [`own_fields`].
pub fn own_field(name: &str, value: &Value, losses: &mut Losses) -> Result<(), Error> {
    if says_nothing(name, value) {
        return Ok(());
    }
    // Whose field it is, is not known any more.
    let mut known = Dialect::ALL.into_iter().flat_map(|dialect| dialect.wire().own_features);
    let feature = known.find(|(known, _)| *known == name).map_or(Feature::OwnField, |(_, feature)| *feature);
    // What the table has as carried, the target's encoder writes by itself.
    if TABLE.iter().any(|row| row.feature == feature && row.fate(losses.target) == Fate::Carried) {
        return Ok(());
    }
    losses.meet(feature, name)
}

/// Whether a field asks for nothing that a target without a word for it would not do anyway.
fn says_nothing(name: &str, value: &Value) -> bool {
    match name {
        // Nothing is kept, or it is the provider's affair that it is; what is in a stream or an answer beside what it says.
        "store" | "include" | "stream_options" | "metadata" => true,
        "truncation" => value.is_null() || value == "disabled",
        "modalities" | "responseModalities" => match value {
            Value::Array(modes) => {
                modes.iter().all(|mode| mode.as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("text")))
            }
            other => other.is_null(),
        },
        _ => match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(true) | Value::Number(_) => false,
        },
    }
}

impl Row {
    /// What becomes of it on its way into a dialect.
    pub fn fate(&self, target: Dialect) -> Fate {
        (target.wire().fate)(self.feature)
    }
}
