//! Bodies of calls: what is read, what is refused, and the outbound bytes; the laws behind them in `laws`.

mod asked;
mod dialects;
mod faults;
mod laws;
mod reading;
mod splicing;

use turnout::call::{Call, Overrides, apply};
use turnout::dialect::Dialect;
use turnout::endpoint::Ask;

/// What most cases send on to: another model, and nothing else asked for.
const TO_M: Overrides<'static> =
    Overrides { model: "m", ask_usage: false, forward_metadata: false, forward_routing: false, edits: None };

fn parse(body: &str) -> Call {
    parse_as(Dialect::OpenAi, body)
}

/// Gemini's path names the model and streams.
fn parse_as(dialect: Dialect, body: &str) -> Call {
    let model = (dialect == Dialect::Gemini).then(|| "turnout/r".to_owned());
    let ask = Ask { stream: model.is_some().then_some(true), model, ..Ask::of(dialect) };
    Call::parse(&ask, body.as_bytes().to_vec()).unwrap_or_else(|fault| panic!("{fault:?} of {body:.200}"))
}

fn outbound(call: &Call, overrides: &Overrides<'_>) -> String {
    String::from_utf8(apply(call.body(), &call.splices(overrides))).unwrap()
}
