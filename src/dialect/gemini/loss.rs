//! What becomes of each feature on its way into `generateContent`.

use crate::dialect::loss::{Fate, Feature};

pub(super) fn fate(feature: Feature) -> Fate {
    match feature {
        Feature::TopK
        | Feature::Penalties
        | Feature::Seed
        | Feature::StopSequences
        | Feature::Logprobs
        | Feature::SeveralAnswers
        | Feature::Audio
        | Feature::DocumentUrl
        | Feature::JsonObject
        | Feature::ThinkingBudget
        | Feature::ThinkingDisplay => Fate::Carried,
        Feature::ImageDetail
        | Feature::StrictTool
        | Feature::WebSearchDetails
        | Feature::ServerToolHistory
        | Feature::OneToolAtATime
        | Feature::ForeignThought
        | Feature::CacheControl
        | Feature::PromptCacheKey
        | Feature::Citations
        | Feature::SpeakerName
        | Feature::LateSystem
        | Feature::User
        | Feature::Verbosity
        | Feature::ServiceTier
        | Feature::OwnField
        | Feature::SamplingAsAsked
        | Feature::ThinkingAsAsked => Fate::Dropped,
        Feature::LogitBias
        | Feature::UploadedFile
        | Feature::CustomGrammar
        | Feature::WebSearchDomains
        | Feature::OtherServerTool
        | Feature::SpokenAnswer
        | Feature::StoredState => Fate::Refused,
    }
}
