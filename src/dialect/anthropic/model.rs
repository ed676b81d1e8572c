//! What a model takes, by its name.
//!
//! Anthropic answers a field that a model does not take with a 400, and which it takes changes from version to version. Versions
//! to come are taken for the newest that is known, so that they need no change here; a name that is not
//! Claude's is of another provider that speaks the dialect, and is given its oldest and commonest form.

/// The version that a name without one stands for (`claude-latest`): what all newer ones have in common.
const UNNUMBERED: u32 = 5_00;

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It does not think: before 3.7.
    None,
    /// `{type: enabled, budget_tokens}`: 3.7 to 4.5, and other providers.
    Budget,
    /// That, or `{type: adaptive}` and an effort: 4.6.
    Either,
    /// `{type: adaptive}` and an effort alone: since 4.7.
    Adaptive,
}

/// How a model is told not to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It does not, unless told to: before 5.
    ByDefault,
    /// `{type: disabled}`.
    ByWord,
    /// It always does: Fable and Mythos, and since 5.5 all but Haiku.
    Never,
}

/// What a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// How it is told to think.
    pub(super) form: Form,
    /// How it is told not to.
    pub(super) silence: Silence,
    /// It takes `temperature`, `top_p` and `top_k`: before 4.7.
    pub(super) sampling: bool,
    /// It takes `temperature` beside `top_p`: others than Claude.
    pub(super) temperature_beside_top_p: bool,
    /// It knows the effort `xhigh`: since 4.7.
    pub(super) xhigh: bool,
    /// It can be made to call a tool.
    pub(super) forced_tools: bool,
    /// `max_tokens`, which Anthropic asks for, where the caller leaves it to the model. It is meant not to cut an answer
    /// short, and still to be taken: not more than the model may write, and of models before 4.5 at most 32,000, for they
    /// refuse a prompt which together with it exceeds their 200,000.
    pub(super) default_max_tokens: u64,
}

impl Abilities {
    /// What the model of that name takes.
    pub(super) fn of(model: &str) -> Abilities {
        let name = model.to_ascii_lowercase();
        if !name.contains("claude") {
            return Abilities {
                form: Form::Budget,
                silence: Silence::ByDefault,
                sampling: true,
                temperature_beside_top_p: true,
                xhigh: false,
                forced_tools: true,
                default_max_tokens: 8_192,
            };
        }
        let version = version(&name);
        let always_thinks = name.contains("fable") || name.contains("mythos");
        let is_haiku = name.contains("haiku");
        Abilities {
            form: match version {
                0..3_07 => Form::None,
                3_07..4_06 => Form::Budget,
                4_06..4_07 => Form::Either,
                _ => Form::Adaptive,
            },
            silence: match version {
                _ if always_thinks || (version >= 5_05 && !is_haiku) => Silence::Never,
                0..5_00 => Silence::ByDefault,
                _ => Silence::ByWord,
            },
            sampling: version < 4_07,
            temperature_beside_top_p: false,
            xhigh: version >= 4_07,
            forced_tools: !((always_thinks && version >= 5_01) || (version >= 5_05 && !is_haiku)),
            default_max_tokens: match version {
                0..3_05 => 4_096,
                3_05..3_07 => 8_192,
                3_07..4_05 => 32_000,
                _ => 64_000,
            },
        }
    }
}

/// The version in a model's name, 100 × major + minor: of `claude-3-7-sonnet-20250219`, `claude-opus-4-20250514`,
/// `anthropic.claude-opus-4-6-v1:0`, `claude-sonnet-4.5`. [`UNNUMBERED`] where it has none.
fn version(name: &str) -> u32 {
    let mut tokens = name
        .split(|character: char| !character.is_ascii_alphanumeric())
        // A longer number is a date.
        .map(|token| token.parse::<u32>().ok().filter(|_| token.len() <= 2))
        .skip_while(Option::is_none);
    let Some(major) = tokens.next().flatten() else { return UNNUMBERED };
    major * 100 + tokens.next().flatten().unwrap_or(0)
}
