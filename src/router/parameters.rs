//! A variant's `text_generation_config`, read: every fault with its path and what would be right.
//!
//! In scope: names and ranges. Out of scope: what a provider takes of it (`treatment`). A field that is not known here is a
//! fault, for an experiment that left it out would compare something else.

use serde_json::Number;

use crate::document::{Fields, Found, Json, Kind, Object, Reader, field, object, required};
use crate::treatment::{Parameters, Reasoning};

/// A `text_generation_config`.
pub(super) static PARAMETERS: Object = object(
    "TextGenerationConfig",
    "Parameters of a variant. They are its treatment, and win over the request's own.",
    &[
        field("max_tokens", TOKENS, "The most tokens of an answer."),
        field("max_new_tokens", TOKENS, "The same as `max_tokens`."),
        field("temperature", Kind::Number(0.0, 2.0), ""),
        field("top_p", Kind::Number(0.0, 1.0), ""),
        field("repetition_penalty", Kind::Number(0.0, 2.0), "Where the provider takes it."),
        field("frequency_penalty", Kind::Number(-2.0, 2.0), ""),
        field("presence_penalty", Kind::Number(-2.0, 2.0), ""),
        field(
            "stop_sequences",
            Kind::Few(&Kind::Filled(LONGEST_STOP), 0, MOST_STOPS),
            "OpenAI takes four of them.",
        ),
        field("seed", Kind::Whole(-9_007_199_254_740_991, 9_007_199_254_740_991), ""),
        field("logit_bias", Kind::Few(&Kind::Object(&BIAS), 0, MOST_BIASES), "Each token once."),
        field("reasoning", Kind::Object(&REASONING), "How much to think."),
    ],
);

static BIAS: Object = object(
    "LogitBias",
    "How much likelier a token is made.",
    &[
        required(
            "token_id",
            Kind::Either(&[Kind::Whole(0, 4_294_967_295), Kind::Pattern("^[0-9]{1,9}$")]),
            "The token's number, also as a string.",
        ),
        required("bias_value", Kind::Number(-100.0, 100.0), ""),
    ],
);

static REASONING: Object = object(
    "Reasoning",
    "How much to think.",
    &[
        field("effort", Kind::Word(&Reasoning::EFFORTS), ""),
        field("max_tokens", Kind::Whole(0, 10_000_000), "The most tokens of thought."),
        field("exclude", Kind::Boolean, "Whether thoughts are not shown."),
    ],
);

const TOKENS: Kind = Kind::Whole(1, 10_000_000);

/// More than any model writes.
const MOST_TOKENS: f64 = 10_000_000.0;
/// Whole numbers beyond this are not exact in JSON.
const MOST_SEED: f64 = 9_007_199_254_740_991.0;
const MOST_STOPS: usize = 16;
/// OpenAI takes so many, and Google one more.
const USUAL_STOPS: usize = 4;
const LONGEST_STOP: usize = 256;
/// OpenAI takes so many.
const MOST_BIASES: usize = 300;
/// Token ids are 32 bits everywhere.
const MOST_TOKEN_ID: f64 = 4_294_967_295.0;

/// Reads a `text_generation_config`. Where there is a fault, what comes back is not complete.
pub(super) fn read(reader: &mut Reader, found: Found) -> Parameters {
    let Some(mut fields) = reader.object_of(found, PARAMETERS.fields) else { return Parameters::default() };
    let max_tokens = limit(reader, &mut fields);
    let mut ranged = |name: &str, least: f64, most: f64| {
        fields.take(name).and_then(|found| number(reader, &found, least, most)).map(plain)
    };
    let temperature = ranged("temperature", 0.0, 2.0);
    let top_p = ranged("top_p", 0.0, 1.0);
    let repetition_penalty = ranged("repetition_penalty", 0.0, 2.0);
    let frequency_penalty = ranged("frequency_penalty", -2.0, 2.0);
    let presence_penalty = ranged("presence_penalty", -2.0, 2.0);
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
    let seed = fields
        .take("seed")
        .and_then(|found| whole(reader, &found, -MOST_SEED, MOST_SEED))
        .map(|seed| seed as i64);
    Parameters {
        max_tokens,
        temperature,
        top_p,
        repetition_penalty,
        frequency_penalty,
        presence_penalty,
        stop_sequences: fields
            .take("stop_sequences")
            .map(|found| stop_sequences(reader, found))
            .unwrap_or_default(),
        seed,
        logit_bias: fields
            .take("logit_bias")
            .map(|found| logit_bias(reader, found))
            .unwrap_or_default()
            .into_iter()
            .collect(),
        reasoning: fields.take("reasoning").map(|found| reasoning(reader, found)).unwrap_or_default(),
    }
}

/// `max_tokens`, or `max_new_tokens`, which is the same.
fn limit(reader: &mut Reader, fields: &mut Fields) -> Option<u64> {
    let (most, new) = (fields.take("max_tokens"), fields.take("max_new_tokens"));
    if let (Some(_), Some(new)) = (&most, &new) {
        reader.fault(&new.path, "means the same as `max_tokens`; keep one of them");
    }
    most.or(new).and_then(|found| count(reader, &found, 1.0))
}

fn stop_sequences(reader: &mut Reader, found: Found) -> Vec<String> {
    let path = found.path.clone();
    let Some(items) = reader.items(found) else { return Vec::new() };
    if items.len() > MOST_STOPS {
        reader.fault(path, format!("has {} entries; {MOST_STOPS} are the most", items.len()));
        return Vec::new();
    }
    if items.len() > USUAL_STOPS {
        reader.warn(path, format!("has more than {USUAL_STOPS} entries, which OpenAI refuses"));
    }
    let mut texts = Vec::new();
    for item in items {
        let Some(text) = reader.text(&item) else { continue };
        if text.is_empty() || text.len() > LONGEST_STOP {
            reader.fault(&item.path, format!("must have from 1 to {LONGEST_STOP} bytes"));
            continue;
        }
        texts.push(text.to_owned());
    }
    texts
}

fn logit_bias(reader: &mut Reader, found: Found) -> Vec<(u64, Number)> {
    let path = found.path.clone();
    let Some(items) = reader.items(found) else { return Vec::new() };
    if items.len() > MOST_BIASES {
        reader.fault(path, format!("has {} entries; {MOST_BIASES} are the most", items.len()));
        return Vec::new();
    }
    let mut biases: Vec<(u64, Number)> = Vec::new();
    for item in items {
        let Some(mut fields) = reader.object_of(item, BIAS.fields) else { continue };
        let token = fields
            .required(reader, "token_id", "the token's number")
            .and_then(|found| token_id(reader, &found).map(|token| (found.path, token)));
        let bias = fields
            .required(reader, "bias_value", "a number from -100 to 100")
            .and_then(|found| number(reader, &found, -100.0, 100.0));
        let (Some((path, token)), Some(bias)) = (token, bias) else { continue };
        if biases.iter().any(|(other, _)| *other == token) {
            reader.fault(path, format!("the token {token} is given twice; keep one of them"));
        }
        biases.push((token, plain(bias)));
    }
    biases
}

/// A token's id, which some write as a string.
fn token_id(reader: &mut Reader, found: &Found) -> Option<u64> {
    let number = match &found.value {
        Json::Text(digits) => digits.parse().ok().map(Json::Number),
        _ => None,
    };
    let found = Found { path: found.path.clone(), value: number.unwrap_or_else(|| found.value.clone()) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of 32 bits")]
    whole(reader, &found, 0.0, MOST_TOKEN_ID).map(|token| token as u64)
}

fn reasoning(reader: &mut Reader, found: Found) -> Reasoning {
    let Some(mut fields) = reader.object_of(found, REASONING.fields) else { return Reasoning::default() };
    Reasoning {
        effort: fields.take("effort").and_then(|found| effort(reader, &found)),
        max_tokens: fields.take("max_tokens").and_then(|found| count(reader, &found, 0.0)),
        exclude: fields.take("exclude").and_then(|found| reader.boolean(&found)).unwrap_or_default(),
    }
}

fn effort(reader: &mut Reader, found: &Found) -> Option<&'static str> {
    let written = reader.text(found)?;
    let effort = Reasoning::EFFORTS.into_iter().find(|effort| *effort == written);
    if effort.is_none() {
        reader.fault(&found.path, format!("is no effort; write one of {}", Reasoning::EFFORTS.join(", ")));
    }
    effort
}

fn count(reader: &mut Reader, found: &Found, least: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of 24 bits")]
    whole(reader, found, least, MOST_TOKENS).map(|count| count as u64)
}

fn whole(reader: &mut Reader, found: &Found, least: f64, most: f64) -> Option<f64> {
    let number = number(reader, found, least, most)?;
    if number.fract() == 0.0 {
        return Some(number);
    }
    reader.fault(&found.path, "must be a whole number");
    None
}

fn number(reader: &mut Reader, found: &Found, least: f64, most: f64) -> Option<f64> {
    let Json::Number(number) = found.value else {
        reader.wrong_type(found, "a number");
        return None;
    };
    if (least..=most).contains(&number) {
        return Some(number);
    }
    reader.fault(&found.path, format!("must be from {least} to {most}"));
    None
}

/// A number as JSON has it: a whole one without a decimal point.
fn plain(number: f64) -> Number {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most three digits")]
    let whole = (number.fract() == 0.0).then_some(number as i64).map(Number::from);
    // Every range excludes what is no number.
    whole.or_else(|| Number::from_f64(number)).unwrap_or_else(|| Number::from(0))
}
