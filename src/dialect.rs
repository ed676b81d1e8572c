//! Wire formats. In scope: their names. Their translation into one another comes with the second of them.

/// A wire format that a caller or a downstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions.
    OpenAi,
}

impl Dialect {
    /// The name in documents, records and CEL (`request.dialect`).
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::OpenAi => "openai",
        }
    }
}
