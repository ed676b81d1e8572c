//! What is particular to one dialect, as data and functions: the one thing that a dialect's folder gives to the rest.
//!
//! In scope: the form of it. Whoever has a question that dialects answer differently asks [`Dialect::wire`], never which
//! dialect it is; a question that is new becomes a member here, and the compiler then asks every folder for its answer.
//! Out of scope: the answers, which each folder has in its own `wire`.

use std::rc::Rc;

use serde_json::Value;

use super::answer::{Answer, Failure, Malformed};
use super::conversation::Conversation;
use super::loss::{Fate, Feature, Losses};
use super::translate::{Decode, Encode};
use super::{Dialect, ReplyTo};
use crate::call::field::Field;
use crate::endpoint::Found;
use crate::error::Error;
use crate::plugin;
use crate::provider::{AuthStyle, Habits};
use crate::relay::reading::Reading;
use crate::treatment::Places;

/// A dialect, as the rest of the worker sees it.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The name in documents, records and CEL.
    pub(crate) name: &'static str,
    /// The others, the nearest first; any that is left out comes after these, in the order of the table.
    pub(crate) nearest: &'static [Dialect],
    pub(crate) paths: Paths,
    pub(crate) body: Body,
    pub(crate) address: Address,
    /// Where it has what a variant sets.
    pub(crate) places: Places,
    /// Where it has what plugins look for.
    pub(crate) plugins: plugin::Parts,
    pub(crate) stream: Stream,
    pub(crate) errors: Errors,
    pub(crate) translation: Translation,
    pub(crate) models: Models,
    /// What becomes of a feature on its way into it: its column of the loss table.
    pub(crate) fate: fn(Feature) -> Fate,
    /// What those of its fields ask for that are kept in [`Conversation::own`]; any other is [`Feature::OwnField`].
    pub(crate) own_features: &'static [(&'static str, Feature)],
}

/// Where its callers call (`endpoint`).
#[derive(Debug)]
pub(crate) struct Paths {
    /// The paths of its calls as callers are told them, and those of its list of models and of one of them.
    pub(crate) calls: &'static [&'static str],
    pub(crate) lists: &'static [&'static str],
    /// What stands at a path (without a slash at its end) with a query, and the methods that it takes.
    pub(crate) at: fn(&str, &str) -> Result<Option<Found>, Error>,
    /// How likely it is that who asks for a path speaks it.
    pub(crate) likeness: fn(&str) -> Likeness,
    /// Its callers send this header; those who list models where [`shares_list`](Paths::shares_list) are told by it.
    pub(crate) known_by: Option<&'static str>,
    /// Clients of other dialects ask for models at its path.
    pub(crate) shares_list: bool,
    /// Its clients may send their key as `?key=`.
    pub(crate) key_in_query: bool,
    /// What its methods are, where a model's path ends in one.
    pub(crate) methods: Methods,
    /// What a client's base URL ends in, and whether official clients add that by themselves.
    pub(crate) version: &'static str,
    pub(crate) client_adds_version: bool,
    /// What comes after the base URL: of calls, and of the list of models where it is told of no other dialect.
    pub(crate) ends: &'static [&'static str],
    pub(crate) list_end: Option<&'static str>,
}

/// How likely it is that who asks for a path speaks a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    /// No more than any other.
    None,
    /// A word of its endpoint is in it.
    Word,
    /// The word of a list that it shares with others.
    List,
    /// It has a version or a method that only this dialect has.
    Version,
    /// It ends as its endpoint does.
    Endpoint,
}

impl Likeness {
    /// [`Likeness::Word`], where one of the path's segments is `word`.
    pub(crate) fn by_word(path: &str, word: &str) -> Likeness {
        if path.split('/').any(|segment| segment == word) { Likeness::Word } else { Likeness::None }
    }
}

/// Methods as they stand at the end of a path: `{model}:{method}`.
#[derive(Debug)]
pub(crate) struct Methods {
    /// For messages.
    pub(crate) whose: &'static str,
    pub(crate) served: &'static [&'static str],
    /// Those that clients may ask for in vain.
    pub(crate) unserved: &'static [&'static str],
}

impl Methods {
    /// Of a dialect whose paths have none.
    pub(crate) const NONE: Methods = Methods { whose: "", served: &[], unserved: &[] };
}

/// The list of models, as its clients read it (`edge::models`).
#[derive(Debug)]
pub(crate) struct Models {
    /// Of all ids, each of which [`one`](Models::one) has made a model of.
    pub(crate) list: fn(&[String], Vec<Value>) -> Value,
    /// One of them, by its id.
    pub(crate) one: fn(&str) -> Value,
}

/// What a call's body is to who reads and splices it (`call`, `outbound`).
#[derive(Debug)]
pub(crate) struct Body {
    /// What a body ought to be, for messages.
    pub(crate) form: &'static str,
    /// What its top-level names mean, beside those that mean the same in every dialect. Of two names for one thing the
    /// first is told to callers.
    pub(crate) fields: &'static [(&'static str, Field)],
    /// Where in [`Field::GenerationConfig`] the most tokens of the answer stand, by any of these names.
    pub(crate) max_tokens_in: &'static [&'static str],
    pub(crate) metadata: Metadata,
    /// `user` and `safety_identifier` are fields of its own; else they would be refused, and are spliced out.
    pub(crate) takes_user: bool,
    /// A stream says its usage only where `stream_options.include_usage` asks for it; all others say it anyhow.
    pub(crate) usage_on_request: bool,
    /// A call may build upon what the provider keeps: an earlier answer, a conversation, an item of [`Field::Messages`].
    pub(crate) keeps_state: bool,
    /// The text of [`Field::System`], for conditions.
    pub(crate) system_text: fn(&str) -> String,
    /// `{role, content}` of each message of [`Field::Messages`], in Chat Completions' words, for conditions.
    pub(crate) said: fn(&str) -> Vec<Value>,
    /// Whether one element of [`Field::Messages`] carries an image. Only asked of messages that show the word.
    pub(crate) has_image: fn(&str) -> bool,
}

/// What of top-level `metadata` goes on to a downstream of the caller's own dialect. What does not is spliced out: it tells
/// a provider whom one targets, and many refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metadata {
    /// All of it, where the call has `store: true` and the downstream takes it.
    WhereStored,
    /// Its member `user_id`, but not to who counts tokens.
    UserIdAlone,
    /// All of it.
    Whole,
    /// Nothing.
    Nothing,
}

/// Where its endpoints are below a root, and which headers a call to them has (`outbound`, `gateway::base_url`).
#[derive(Debug)]
pub(crate) struct Address {
    /// How the URL of its endpoint ends, or of what stands before the model: what somebody may give in place of the base.
    pub(crate) end: &'static str,
    /// Where the URL names the model: writes it in place of [`end`](Address::end).
    pub(crate) of_model: Option<fn(&mut String, Generate<'_>)>,
    /// The endpoint that counts tokens, where there is one.
    pub(crate) count_tokens: Option<&'static str>,
    /// What a root ends in, as its clients have it, and other versions that are its own.
    pub(crate) version: &'static str,
    pub(crate) other_versions: &'static [&'static str],
    /// Its clients take a version anywhere in a base URL for one; else at the end alone.
    pub(crate) version_anywhere: bool,
    /// Headers of a caller that go on to a downstream that speaks the same.
    pub(crate) forwarded: &'static [&'static str],
    /// Headers that a call must have, and what is meant where its caller says nothing.
    pub(crate) meant: &'static [(&'static str, &'static str)],
    /// The header that carries the credential, by the habits of the downstream.
    pub(crate) auth: fn(&Habits) -> AuthStyle,
}

/// What a URL that names the model says of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generate<'a> {
    /// The model that the downstream knows.
    pub(crate) model: &'a str,
    /// A stream is wanted.
    pub(crate) stream: bool,
    /// A stream comes as server-sent events.
    pub(crate) events: bool,
}

/// What is read of its streams and whole answers on their way to a caller who speaks the same (`relay`).
#[derive(Debug)]
pub(crate) struct Stream {
    /// Names of members and types, in quotes, by which an event is known that matters after the first meaningful one.
    pub(crate) marks: &'static [&'static str],
    /// What an event shows, of that name and with that data; `None` where it is no JSON object. The last says whether
    /// something meaningful came before: then it need not be looked for.
    pub(crate) read_event: for<'j> fn(&[u8], &'j [u8], bool) -> Option<Reading<'j>>,
    /// What a whole body shows; nothing where it is of another make. More than one reading of a stream that is a list.
    pub(crate) read_body: for<'j> fn(&'j [u8]) -> Vec<Reading<'j>>,
    /// What an event shows whose middle was not kept: its beginning, and what was kept of its end. Of dialects whose last
    /// event can be large.
    pub(crate) read_torn: Option<ReadTorn>,
}

/// Reads the beginning and the end of an event.
pub(crate) type ReadTorn = for<'j> fn(&[u8], &'j [u8]) -> Reading<'j>;

/// How errors of ours are told to its callers.
#[derive(Debug)]
pub(crate) struct Errors {
    pub(crate) body: fn(&Error) -> String,
    /// As one event of a stream, with the blank line after it.
    pub(crate) event: fn(&Error) -> String,
    /// The status that says that a provider has too much to do.
    pub(crate) overloaded: u16,
}

/// From and to the neutral conversation (`translate`, which says what each is).
#[derive(Debug)]
pub(crate) struct Translation {
    pub(crate) decode_request: fn(&[u8]) -> Result<Conversation, Error>,
    pub(crate) encode_request: fn(&Conversation, &str, &mut Losses) -> Result<Vec<u8>, Error>,
    pub(crate) decode_answer: fn(&[u8]) -> Result<Answer, Malformed>,
    pub(crate) encode_answer: fn(&Answer, &ReplyTo) -> Vec<u8>,
    pub(crate) decode_error: fn(u16, &[u8]) -> Failure,
    pub(crate) encode_error: fn(&Failure) -> String,
    pub(crate) decoder: fn() -> Box<dyn Decode>,
    pub(crate) encoder: fn(Rc<ReplyTo>) -> Box<dyn Encode>,
}

impl Body {
    /// What a name means.
    pub(crate) fn field(&self, name: &str) -> Option<Field> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    /// The name of a field, for messages.
    pub(crate) fn name_of(&self, field: Field) -> Option<&'static str> {
        self.fields.iter().find(|(_, known)| *known == field).map(|(name, _)| *name)
    }
}
