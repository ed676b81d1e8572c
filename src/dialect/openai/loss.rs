//! What becomes of each feature on its way into Chat Completions.

use crate::dialect::loss::{Fate, Feature};

pub(super) fn fate(feature: Feature) -> Fate {
    match feature {
        Feature::Penalties
        | Feature::Seed
        | Feature::StopSequences
        | Feature::Logprobs
        | Feature::LogitBias
        | Feature::SeveralAnswers
        | Feature::Audio
        | Feature::ImageDetail
        | Feature::JsonObject
        | Feature::StrictTool
        | Feature::CustomGrammar
        | Feature::OneToolAtATime
        | Feature::PromptCacheKey
        | Feature::SpeakerName
        | Feature::LateSystem
        | Feature::User
        | Feature::Verbosity
        | Feature::SpokenAnswer => Fate::Carried,
        Feature::TopK
        | Feature::WebSearchDetails
        | Feature::ServerToolHistory
        | Feature::ThinkingBudget
        | Feature::ThinkingDisplay
        | Feature::ForeignThought
        | Feature::CacheControl
        | Feature::Citations
        | Feature::ServiceTier
        | Feature::OwnField
        | Feature::SamplingAsAsked
        | Feature::ThinkingAsAsked => Fate::Dropped,
        Feature::DocumentUrl
        | Feature::UploadedFile
        | Feature::WebSearchDomains
        | Feature::OtherServerTool
        | Feature::StoredState => Fate::Refused,
    }
}
