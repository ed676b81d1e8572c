//! What becomes of each feature on its way into Messages.

use crate::dialect::loss::{Fate, Feature};

pub(super) fn fate(feature: Feature) -> Fate {
    match feature {
        Feature::TopK
        | Feature::StopSequences
        | Feature::DocumentUrl
        | Feature::StrictTool
        | Feature::WebSearchDomains
        | Feature::OneToolAtATime
        | Feature::ThinkingBudget
        | Feature::ThinkingDisplay
        | Feature::CacheControl
        | Feature::User => Fate::Carried,
        Feature::Penalties
        | Feature::Seed
        | Feature::ImageDetail
        | Feature::WebSearchDetails
        | Feature::ServerToolHistory
        | Feature::ForeignThought
        | Feature::PromptCacheKey
        | Feature::Citations
        | Feature::SpeakerName
        | Feature::LateSystem
        | Feature::Verbosity
        | Feature::ServiceTier
        | Feature::OwnField
        | Feature::SamplingAsAsked
        | Feature::ThinkingAsAsked => Fate::Dropped,
        Feature::Logprobs
        | Feature::LogitBias
        | Feature::SeveralAnswers
        | Feature::Audio
        | Feature::UploadedFile
        | Feature::JsonObject
        | Feature::CustomGrammar
        | Feature::OtherServerTool
        | Feature::SpokenAnswer
        | Feature::StoredState => Fate::Refused,
    }
}
