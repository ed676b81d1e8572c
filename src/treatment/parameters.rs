//! `text_generation_config`: how a variant's answers are sampled.
//!
//! In scope: the values, their hash, and how they are set on a request in no dialect. Out of scope: their ranges
//! (`router::parameters`), and how a dialect and a model spell them, which the dialects' encoders know.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use crate::dialect::Dialect;
use crate::dialect::conversation::{Conversation, Sampling, Thinking};
use crate::dialect::loss::Feature;
use crate::hash::push_field;
use crate::provider::Habits;

/// What a variant says of sampling. Whole numbers are written without a decimal point, so that `1` and `1.0` are one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The most output tokens.
    pub max_tokens: Option<u64>,
    /// From 0 to 2.
    pub temperature: Option<Number>,
    /// From 0 to 1.
    pub top_p: Option<Number>,
    /// From 0 to 2; 1 does nothing. Not in any of the four dialects, but known to many servers that speak OpenAI's.
    pub repetition_penalty: Option<Number>,
    /// From -2 to 2.
    pub frequency_penalty: Option<Number>,
    /// From -2 to 2.
    pub presence_penalty: Option<Number>,
    /// Texts at which the model stops.
    pub stop_sequences: Vec<String>,
    /// Within 2^53.
    pub seed: Option<i64>,
    /// Token id to bias, from -100 to 100.
    pub logit_bias: BTreeMap<u64, Number>,
    /// How much the model thinks.
    pub reasoning: Reasoning,
}

/// How much a model thinks before it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// One of [`EFFORTS`](Self::EFFORTS).
    pub effort: Option<&'static str>,
    /// The most tokens of thought.
    pub max_tokens: Option<u64>,
    /// Thoughts are not shown.
    pub exclude: bool,
}

impl Reasoning {
    /// The words for how much.
    pub const EFFORTS: [&'static str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

    fn says_how_much(&self) -> bool {
        self.effort.is_some() || self.max_tokens.is_some()
    }
}

/// What of parameters goes to a downstream in words that no encoder has.
#[derive(Debug, Default)]
pub(super) struct OwnWords {
    pub(super) members: Vec<(&'static str, Value)>,
    /// The names of what the downstream does not take.
    pub(super) lost: Vec<&'static str>,
}

impl Parameters {
    /// Sets them on a request, over what it says itself.
    pub(super) fn set(&self, conversation: &mut Conversation) {
        let Conversation { max_tokens, sampling, thinking, .. } = conversation;
        over(max_tokens, &self.max_tokens);
        let Sampling { temperature, top_p, frequency_penalty, presence_penalty, .. } = sampling;
        over(temperature, &self.temperature);
        over(top_p, &self.top_p);
        over(frequency_penalty, &self.frequency_penalty);
        over(presence_penalty, &self.presence_penalty);
        over(&mut sampling.seed, &self.seed.map(Number::from));
        if !self.stop_sequences.is_empty() {
            sampling.stop.clone_from(&self.stop_sequences);
        }
        if !self.logit_bias.is_empty() {
            let bias = self.logit_bias.iter().map(|(token, bias)| (token.to_string(), bias.clone().into()));
            sampling.logit_bias = Some(Value::Object(bias.collect()));
        }
        if self.reasoning != Reasoning::default() {
            let mut told = thinking.take().unwrap_or_default();
            if self.reasoning.says_how_much() {
                let Reasoning { effort, max_tokens, .. } = self.reasoning;
                told = Thinking { mode: None, effort: effort.map(str::to_owned), budget: max_tokens, ..told };
            }
            if self.reasoning.exclude {
                told.shown = Some("omitted".to_owned());
            }
            *thinking = Some(told);
        }
    }

    /// A request that says otherwise wherever these parameters say something: what an encoder writes differently for it is how
    /// it spells them.
    pub(super) fn unset(&self, conversation: &mut Conversation) {
        // Anthropic's encoder has a number of its own where there is none, which may be this one.
        conversation.max_tokens = match self.max_tokens {
            Some(most) => Some(most.saturating_add(1_000)),
            None => conversation.max_tokens,
        };
        let sampling = &mut conversation.sampling;
        let numbers = [
            (self.temperature.is_some(), &mut sampling.temperature),
            (self.top_p.is_some(), &mut sampling.top_p),
            (self.frequency_penalty.is_some(), &mut sampling.frequency_penalty),
            (self.presence_penalty.is_some(), &mut sampling.presence_penalty),
            (self.seed.is_some(), &mut sampling.seed),
        ];
        for (_, said) in numbers.into_iter().filter(|(is_set, _)| *is_set) {
            *said = None;
        }
        if !self.stop_sequences.is_empty() {
            sampling.stop.clear();
        }
        if !self.logit_bias.is_empty() {
            sampling.logit_bias = None;
        }
        if let Some(told) = &mut conversation.thinking {
            if self.reasoning.says_how_much() {
                *told = Thinking { shown: told.shown.take(), ..Thinking::default() };
            }
            if self.reasoning.exclude {
                told.shown = None;
            }
        }
    }

    /// What is said in words of the downstream's own, and the rest of the parameters, which the dialect's encoder spells.
    pub(super) fn in_own_words(&self, dialect: Dialect, habits: &Habits) -> (Parameters, OwnWords) {
        let mut rest = self.clone();
        let mut own = OwnWords::default();
        let has_own_words = dialect.wire().places.has_own_words;
        if let Some(penalty) = rest.repetition_penalty.take() {
            if has_own_words && habits.takes_repetition_penalty {
                own.members.push(("repetition_penalty", Value::Number(penalty)));
            } else {
                own.lost.push("`repetition_penalty`");
            }
        }
        if has_own_words && habits.takes_routing && rest.reasoning != Reasoning::default() {
            own.members.push(("reasoning", rest.reasoning.as_openrouter_has_it()));
            rest.reasoning = Reasoning::default();
        }
        (rest, own)
    }

    /// The features of the loss table that they are.
    pub(super) fn features(&self) -> Vec<Feature> {
        let said = [
            (!self.stop_sequences.is_empty(), Feature::StopSequences),
            (!self.logit_bias.is_empty(), Feature::LogitBias),
        ];
        said.into_iter().filter(|(is_said, _)| *is_said).map(|(_, feature)| feature).collect()
    }

    /// For each that is set, by name: `lp(name) lp(value)`. Frozen by golden vectors.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let mut said: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        let numbers = [
            ("temperature", &self.temperature),
            ("top_p", &self.top_p),
            ("repetition_penalty", &self.repetition_penalty),
            ("frequency_penalty", &self.frequency_penalty),
            ("presence_penalty", &self.presence_penalty),
        ];
        for (name, number) in numbers {
            said.extend(number.as_ref().map(|number| (name, bits(number))));
        }
        let whole = [
            ("max_tokens", self.max_tokens.map(|most| most.to_string())),
            ("seed", self.seed.map(|seed| seed.to_string())),
            ("reasoning.effort", self.reasoning.effort.map(str::to_owned)),
            ("reasoning.max_tokens", self.reasoning.max_tokens.map(|most| most.to_string())),
            ("reasoning.exclude", self.reasoning.exclude.then(|| "true".to_owned())),
        ];
        for (name, digits) in whole {
            said.extend(digits.map(|digits| (name, digits.into_bytes())));
        }
        let lists = [
            ("stop_sequences", fields(self.stop_sequences.iter().map(|text| text.as_bytes().to_vec()))),
            (
                "logit_bias",
                fields(
                    self.logit_bias
                        .iter()
                        .flat_map(|(token, bias)| [token.to_string().into_bytes(), bits(bias)]),
                ),
            ),
        ];
        said.extend(lists.into_iter().filter(|(_, list)| !list.is_empty()));
        fields(said.into_iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value]))
    }
}

impl Reasoning {
    fn as_openrouter_has_it(&self) -> Value {
        let Reasoning { effort, max_tokens, exclude } = self;
        let mut reasoning = Map::new();
        reasoning.extend(effort.map(|effort| ("effort".to_owned(), effort.into())));
        // It takes one of the two.
        let budget = max_tokens.filter(|_| effort.is_none());
        reasoning.extend(budget.map(|most| ("max_tokens".to_owned(), most.into())));
        reasoning.extend(exclude.then(|| ("exclude".to_owned(), true.into())));
        Value::Object(reasoning)
    }
}

fn over<T: Clone>(said: &mut Option<T>, own: &Option<T>) {
    if own.is_some() {
        said.clone_from(own);
    }
}

/// A number as the 16 hex digits of its bits as a big-endian double; -0 is 0.
fn bits(number: &Number) -> Vec<u8> {
    let double = number.as_f64().unwrap_or_default() + 0.0;
    data_encoding::HEXLOWER.encode(&double.to_be_bytes()).into_bytes()
}

/// Each field with its length before it.
fn fields(fields: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    fields.fold(Vec::new(), |mut all, field| {
        push_field(&mut all, &field);
        all
    })
}
