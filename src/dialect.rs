//! Wire formats, and the neutral conversation between them.
//!
//! In scope: their names, which is nearest to which, and translation: every dialect decodes into [`conversation`] and
//! [`answer`], and encodes from them. A fifth is a folder and a line in the table below: whatever the rest of the worker has to
//! know of a dialect it asks `Dialect::wire`.
//! Out of scope: calls whose caller and downstream speak the same dialect. Their bytes are spliced and never come here (law 1).

pub mod answer;
pub mod conversation;
mod custom;
pub mod loss;
pub mod translate;
pub(crate) mod wire;

pub mod anthropic;
pub mod gemini;
pub mod openai;
pub mod responses;

use serde_json::Value;

use self::conversation::Conversation;
use self::wire::Wire;

/// Makes [`Dialect`] of the table below: a line is what it is, its name in code, and its folder.
macro_rules! dialects {
    ($(#[doc = $what:literal] $dialect:ident = $folder:ident;)+) => {
        /// A wire format that a caller or a downstream speaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Dialect {
            $(#[doc = $what] $dialect,)+
        }

        impl Dialect {
            /// Every dialect, in the order of the tables.
            pub const ALL: [Dialect; Dialect::NAMES.len()] = [$(Dialect::$dialect),+];

            /// Their names, in the same order.
            pub const NAMES: &[&str] = &[$($folder::WIRE.name),+];

            /// What is particular to it.
            pub(crate) const fn wire(self) -> &'static Wire {
                match self {
                    $(Dialect::$dialect => &$folder::WIRE,)+
                }
            }
        }
    };
}

// The table of dialects. Everything else about one is in its folder, and reached through its `WIRE`.
dialects! {
    /// OpenAI Chat Completions.
    OpenAi = openai;
    /// Anthropic Messages.
    Anthropic = anthropic;
    /// OpenAI Responses.
    Responses = responses;
    /// Gemini's `generateContent`.
    Gemini = gemini;
}

impl Dialect {
    /// The name in documents, records and CEL (`request.dialect`).
    pub fn as_str(self) -> &'static str {
        self.wire().name
    }

    /// A list of routers and models by their ids, as its clients read it.
    pub fn list_of(self, ids: &[String]) -> Value {
        let models = &self.wire().models;
        (models.list)(ids, ids.iter().map(|id| (models.one)(id)).collect())
    }

    /// One of them.
    pub fn model_of(self, id: &str) -> Value {
        (self.wire().models.one)(id)
    }

    /// The dialect of that name.
    pub fn named(name: &str) -> Option<Dialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }

    /// Those of `spoken` that a caller of this dialect is served by: the same one, else the nearest. `None` where none is
    /// spoken at all.
    pub fn nearest(self, spoken: &[Dialect]) -> Option<Dialect> {
        let named = self.wire().nearest.iter().copied();
        let order = [self].into_iter().chain(named).chain(Dialect::ALL);
        order.into_iter().find(|dialect| spoken.contains(dialect))
    }
}

/// What the encoder of an answer has to know of the request that it answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplyTo {
    /// The request: names of custom tools, what Responses echoes, the model for want of another.
    pub conversation: Conversation,
    /// An id for want of the provider's: letters and digits, unique to the call.
    pub id: String,
    /// Seconds since 1970, for want of the provider's.
    pub created: u64,
    /// The caller wants a usage chunk in its stream (`stream_options.include_usage`).
    pub wants_usage: bool,
    /// The caller reads server-sent events; else, of Gemini's streams, one JSON array.
    pub wants_events: bool,
}
