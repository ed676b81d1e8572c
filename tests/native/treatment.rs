//! Parameters and prompts of variants: how they are read (`reading`), hashed (`hashes`), and put into a request, in the caller's own
//! dialect (`same`) or in another (`translated`); the laws behind them in `laws`.

mod hashes;
mod laws;
mod reading;
mod same;
mod translated;

use std::rc::Rc;

use serde_json::{Value, json};
use turnout::call::{Call, Overrides, apply};
use turnout::dialect::Dialect;
use turnout::endpoint::{Ask, Operation};
use turnout::error::Error;
use turnout::provider::Habits;
use turnout::router::{Router, parse};
use turnout::shelf::summary;
use turnout::treatment::{Applied, Treatment};

/// A router whose default route has one variant with these members, beside these of its own.
fn document(model: &str, variant: &Value, router: &Value) -> Value {
    let mut arm = json!({"variant_id": "a", "model_id": model});
    arm.as_object_mut().unwrap().extend(variant.as_object().unwrap().clone());
    let mut document = json!({"default_route": {"variants": [{"variant": arm, "weight": 100}]}});
    document.as_object_mut().unwrap().extend(router.as_object().unwrap().clone());
    document
}

fn router(document: &Value) -> Router {
    parse("r", document.to_string().as_bytes())
        .unwrap_or_else(|faults| panic!("{} of {document}", summary(&faults)))
}

fn treatment(variant: &Value) -> Rc<Treatment> {
    let router = router(&document("x/m", variant, &json!({})));
    router.default.unwrap().variants[0].treatment.clone()
}

fn call(dialect: Dialect, operation: Operation, body: &str) -> Call {
    let model = (dialect == Dialect::Gemini).then(|| "turnout/r".to_owned());
    let ask = Ask { model, operation, ..Ask::of(dialect) };
    Call::parse(&ask, body.as_bytes().to_vec()).unwrap_or_else(|fault| panic!("{fault:?} of {body:.200}"))
}

fn applied(variant: &Value, call: &Call) -> Result<Option<Applied>, Error> {
    treatment(variant).of_call(call.prompt_variables())
}

/// The body that goes to a downstream of the caller's dialect, and the note.
fn sent(variant: &Value, call: &Call, model: &str, habits: &Habits) -> (String, Option<String>) {
    let applied = applied(variant, call).unwrap().expect("a treatment");
    let body = std::str::from_utf8(call.body()).unwrap();
    let (edits, note) = applied.edits(body, call, model, habits);
    let overrides = Overrides { model, edits: Some(&edits), ..Overrides::default() };
    (String::from_utf8(apply(call.body(), &call.splices(&overrides))).unwrap(), note)
}
