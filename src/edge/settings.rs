//! Variables and secrets. They cannot change within an isolate, so each is read from JavaScript once.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use worker::Env;

use super::glue;
use crate::auth::KeyDigest;
use crate::identity::Keys;

/// What the operator set.
pub(super) struct Settings {
    /// The digest of `ADMIN_KEY`; `None` where it is not set or empty.
    pub(super) admin: Option<KeyDigest>,
    /// Made of `UNIT_HASH_KEY` and `ADMIN_KEY`.
    pub(super) keys: Keys,
    /// How long a stored document counts as fresh, in milliseconds.
    pub(super) config_ttl: u64,
    /// The longest body that is read, in bytes.
    pub(super) max_body: u32,
    /// Whether `demo/…` models are served.
    pub(super) demo: bool,
}

thread_local! {
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };
    static BY_NAME: RefCell<HashMap<String, Option<String>>> = RefCell::default();
}

/// 10 s: a weight flipped by hand is seen at once by human measure, for one read of KV per isolate, name and 10 s.
const CONFIG_TTL_SECONDS: u64 = 10;
/// 32 MiB: a body lies in memory up to three times (as it came, in wasm, spliced), and an isolate has 128 MiB.
const MAX_BODY_BYTES: u32 = 32 << 20;

/// The settings of this isolate.
pub(super) fn settings(env: &Env) -> Rc<Settings> {
    SETTINGS.with(|cell| cell.get_or_init(|| Rc::new(Settings::read(env))).clone())
}

/// A variable or secret by name, remembered.
pub(super) fn setting(env: &Env, name: &str) -> Option<String> {
    if let Some(known) = BY_NAME.with_borrow(|known| known.get(name).cloned()) {
        return known;
    }
    let value = glue::setting(env, name);
    BY_NAME.with_borrow_mut(|known| known.insert(name.to_owned(), value.clone()));
    value
}

impl Settings {
    fn read(env: &Env) -> Settings {
        let text = |name: &str| glue::setting(env, name).filter(|value| !value.is_empty());
        let admin_key = text("ADMIN_KEY");
        Settings {
            admin: admin_key.as_deref().map(KeyDigest::of),
            keys: Keys::new(&text("UNIT_HASH_KEY").unwrap_or_default(), &admin_key.unwrap_or_default()),
            config_ttl: number(text("CONFIG_TTL_SECONDS"), "CONFIG_TTL_SECONDS", CONFIG_TTL_SECONDS)
                .saturating_mul(1000),
            max_body: number(text("MAX_BODY_BYTES"), "MAX_BODY_BYTES", MAX_BODY_BYTES),
            demo: text("DEMO").as_deref() == Some("on"),
        }
    }
}

fn number<T: std::str::FromStr + std::fmt::Display>(text: Option<String>, name: &str, default: T) -> T {
    let Some(text) = text else { return default };
    text.trim().parse().unwrap_or_else(|_| {
        worker::console_error!("{name} is '{text}', which is no whole number; {default} is used");
        default
    })
}
