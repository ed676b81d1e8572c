//! What becomes of each feature on its way into Responses.

use crate::dialect::loss::{Fate, Feature};

pub(super) fn fate(feature: Feature) -> Fate {
    match feature {
        Feature::Logprobs
        | Feature::DocumentUrl
        | Feature::ImageDetail
        | Feature::JsonObject
        | Feature::StrictTool
        | Feature::CustomGrammar
        | Feature::WebSearchDomains
        | Feature::OneToolAtATime
        | Feature::ThinkingDisplay
        | Feature::PromptCacheKey
        | Feature::LateSystem
        | Feature::User
        | Feature::Verbosity
        | Feature::StoredState => Fate::Carried,
        Feature::TopK
        | Feature::Penalties
        | Feature::Seed
        | Feature::WebSearchDetails
        | Feature::ServerToolHistory
        | Feature::ThinkingBudget
        | Feature::ForeignThought
        | Feature::CacheControl
        | Feature::Citations
        | Feature::SpeakerName
        | Feature::ServiceTier
        | Feature::OwnField
        | Feature::SamplingAsAsked
        | Feature::ThinkingAsAsked => Fate::Dropped,
        Feature::StopSequences
        | Feature::LogitBias
        | Feature::SeveralAnswers
        | Feature::Audio
        | Feature::UploadedFile
        | Feature::OtherServerTool
        | Feature::SpokenAnswer => Fate::Refused,
    }
}
