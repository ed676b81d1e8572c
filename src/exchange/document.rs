//! Reads failover settings: `failover` of a router's `defaults` and of a route, `fallback` of a request.
//!
//! In scope: one set of fields for all three, durations as people write them. Out of scope: where they stand. A message
//! says what is wrong with the field at its path, so that it reads well after `path: ` and after `` `path` `` alike.

use super::policy::{LONGEST_MS, MOST_ATTEMPTS, SHORTEST_TTFT_MS, Triggers, Tuning};
use crate::document::{Field, Fields, Found, Json, Kind, Object, Reader, field, object, typo_of};

/// The settings of a router or of a route.
pub(crate) static FAILOVER: Object =
    object("Failover", "When a call goes on to another target, and for how long.", FIELDS);

/// Those of a request.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) static ASKED: Object = object(
    "Fallback",
    "How this call fails over; each setting goes over the router's.",
    match FIELDS.split_last() {
        Some((_across_variants, of_any_level)) => of_any_level,
        None => FIELDS,
    },
);

/// The one that requests lack is the last.
const FIELDS: &[Field] = &[
    field("on", Kind::List(&TRIGGER), "What is a failure, in place of the whole list that holds by itself."),
    field(
        "ttft_timeout",
        DURATION,
        "From sending a streamed call to its first word, at least `300ms`; unlimited by itself.",
    ),
    field(
        "attempt_timeout",
        DURATION,
        "From sending a call that does not stream to the end of its answer; unlimited by itself.",
    ),
    field(
        "deadline",
        DURATION,
        "From the first attempt to the first word, pauses included; `10m` by itself.",
    ),
    field("attempts", Kind::Whole(1, MOST_ATTEMPTS as i64), "The most upstream calls; 6 by itself."),
    field("retry_on_empty", Kind::Boolean, "Whether an answer that says nothing is a failure."),
    field(
        "across_variants",
        Kind::Boolean,
        "Whether the route's other variants stand in, by falling weight.",
    ),
];

/// At most an hour.
const DURATION: Kind = Kind::Pattern("^[0-9]+(\\.[0-9]+)?(ms|s|m)$");
const TRIGGER: Kind = Kind::Either(&[Kind::Whole(400, 599), Kind::Word(&["4xx", "5xx"]), Kind::Word(WORDS)]);

/// Reads the settings of a router or of a route; what is wrong is a fault at its path.
pub(crate) fn tuning(reader: &mut Reader, found: Found) -> Option<Tuning> {
    let mut fields = reader.object(found, FIELDS)?;
    let across_variants = fields.take("across_variants").and_then(|found| reader.boolean(&found));
    Some(Tuning { across_variants, ..of_any_level(reader, &mut fields) })
}

/// Reads the settings of a request. Whether the experiment's other arms stand in is not the caller's to say.
pub(crate) fn asked_tuning(reader: &mut Reader, found: Found) -> Option<Tuning> {
    let mut fields = reader.object(found, FIELDS)?;
    if let Some(found) = fields.take("across_variants") {
        reader
            .fault(found.path, "is a setting of routers and not of requests; name other models in `models`");
    }
    Some(of_any_level(reader, &mut fields))
}

fn of_any_level(reader: &mut Reader, fields: &mut Fields) -> Tuning {
    let mut duration = |name, shortest_ms| {
        let found = fields.take(name)?;
        self::duration(reader, &found, shortest_ms)
    };
    let ttft_ms = duration("ttft_timeout", SHORTEST_TTFT_MS);
    let attempt_ms = duration("attempt_timeout", 1);
    let deadline_ms = duration("deadline", 1);
    Tuning {
        on: fields.take("on").and_then(|found| triggers(reader, found)),
        ttft_ms,
        attempt_ms,
        deadline_ms,
        attempts: fields.take("attempts").and_then(|found| attempts(reader, &found)),
        retry_on_empty: fields.take("retry_on_empty").and_then(|found| reader.boolean(&found)),
        across_variants: None,
    }
}

/// Milliseconds.
fn duration(reader: &mut Reader, found: &Found, shortest_ms: u64) -> Option<u64> {
    let fault = match &found.value {
        Json::Text(text) => match milliseconds(text) {
            None => {
                "is no duration; write a number and its unit, as in \"300ms\", \"1.5s\" or \"2m\"".to_owned()
            }
            Some(ms) if ms > LONGEST_MS => "is longer than an hour, which is the most".to_owned(),
            Some(ms) if ms >= shortest_ms => return Some(ms),
            Some(_) if shortest_ms > 1 => {
                format!("must be at least \"{shortest_ms}ms\"; in less time healthy models fail")
            }
            Some(_) => "must be longer than 0".to_owned(),
        },
        Json::Number(_) => "is a number without a unit; write a string such as \"1.5s\"".to_owned(),
        other => format!("must be a duration such as \"1.5s\", not {}", other.kind()),
    };
    reader.fault(&found.path, fault);
    None
}

/// `300ms`, `1.5s`, `2m`: plain decimals, to the nearest millisecond.
fn milliseconds(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    let unit_ms = match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        _ => return None,
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_decimal = [whole, decimals]
        .iter()
        .all(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let ms = number.parse::<f64>().ok().filter(|_| is_decimal)? * unit_ms;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and what is beyond a `u64` becomes the largest, which is over the limit"
    )]
    Some(ms.round() as u64)
}

fn attempts(reader: &mut Reader, found: &Found) -> Option<u32> {
    let whole = match found.value {
        Json::Number(number) => (1..=MOST_ATTEMPTS).find(|attempts| f64::from(*attempts) == number),
        _ => None,
    };
    if whole.is_none() {
        reader.fault(&found.path, format!("must be a whole number from 1 to {MOST_ATTEMPTS}"));
    }
    whole
}

/// The words of `on` that are no statuses.
const WORDS: &[&str] = &["connection", "timeout", "cut", "credentials", "model"];

fn triggers(reader: &mut Reader, found: Found) -> Option<Triggers> {
    let mut on = Triggers {
        statuses: Vec::new(),
        connection: false,
        timeout: false,
        cut: false,
        credentials: false,
        model: false,
    };
    for item in reader.items(found)? {
        if let Err(fault) = add(&mut on, &item.value) {
            reader.fault(item.path, fault);
        }
    }
    on.statuses.sort_unstable();
    on.statuses.dedup();
    Some(on)
}

/// Adds what one item of `on` names; errs with what would be right.
fn add(on: &mut Triggers, item: &Json) -> Result<(), String> {
    match item {
        Json::Number(number) => {
            let status = (400..600).find(|status| f64::from(*status) == *number);
            on.statuses.push(status.ok_or("is no status from 400 to 599")?);
        }
        Json::Text(text) => match text.as_str() {
            "4xx" => on.statuses.extend(400..500),
            "5xx" => on.statuses.extend(500..600),
            "connection" => on.connection = true,
            "timeout" => on.timeout = true,
            "cut" => on.cut = true,
            "credentials" => on.credentials = true,
            "model" => on.model = true,
            other => return Err(no_trigger(other)),
        },
        other => return Err(format!("must be a status or a word, not {}", other.kind())),
    }
    Ok(())
}

fn no_trigger(text: &str) -> String {
    if text.parse::<u16>().is_ok() {
        return "is a status in quotes; write the number alone".to_owned();
    }
    match typo_of(text, WORDS) {
        Some(word) => format!("is no failure; did you mean \"{word}\"?"),
        None => format!(
            "is no failure; write a status from 400 to 599, \"4xx\", \"5xx\", \"{}\"",
            WORDS.join("\", \"")
        ),
    }
}
