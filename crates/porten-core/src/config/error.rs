//! What is wrong with a setting: one sentence that names the place and the remedy.

use std::fmt;

use super::engine_url::EngineUrlError;
use super::hub_url::HubUrlError;

/// A setting that cannot be used. Its `Display` is the whole sentence for the person; the command exits 2 with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} {problem}")]
pub struct ConfigError {
    /// Where it stands.
    pub place: Place,
    /// What is wrong there.
    pub problem: Problem,
}

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A key that somebody asks to change, wherever it stands.
    Asked(String),
    /// An environment variable.
    Variable(String),
    /// A key of the file.
    Key {
        /// With its table: `hub.url`.
        key: String,
        /// Counted from 1.
        line: usize,
        /// The file, as a person would write its path.
        path: String,
    },
    /// The file as a whole, or a line of it.
    File {
        /// The file, as a person would write its path.
        path: String,
        /// Counted from 1, if one line is to blame.
        line: Option<usize>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(name) | Self::Variable(name) => f.write_str(name),
            Self::Key { key, line, path } => write!(f, "{key} (line {line} of {path})"),
            Self::File { path, line: Some(line) } => write!(f, "{path} (line {line})"),
            Self::File { path, line: None } => f.write_str(path),
        }
    }
}

/// What is wrong, as the rest of a sentence that began with a [`Place`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// See there.
    #[error(transparent)]
    Hub(#[from] HubUrlError),
    /// See there.
    #[error(transparent)]
    Engine(#[from] EngineUrlError),
    /// Not one of a few words.
    #[error("is {given}; write {choices}")]
    Choice {
        /// What stands there.
        given: Quoted,
        /// `a, b or c`.
        choices: &'static str,
    },
    /// No memory size.
    #[error("is {given}, which is not a whole number of MiB from 1 to 2147483648; write 65536 for 64 GiB")]
    Mib {
        /// What stands there.
        given: Quoted,
    },
    /// Out of its range.
    #[error("is {given}; write a whole number from {least} to {most}")]
    Number {
        /// What stands there.
        given: Quoted,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A list with nothing in it.
    #[error("lists no model; leave it out to offer every model of the Hub's catalog that the engine serves")]
    NoModel,
    /// Two commas in a row, or one at the end.
    #[error("has an empty entry; write ids with one comma between them, like deepseek-v4-flash,glm-5")]
    EmptyModel,
    /// A Hub id that is none.
    #[error(
        "lists {given}, which is not a model id; write the Hub's id (at most 200 letters, digits and . _ / : @ -), or hub-id=engine-id"
    )]
    HubId {
        /// The entry.
        given: Quoted,
    },
    /// An alias for nothing the engine could serve.
    #[error(
        "lists {given}, where the part after = is not an id of an engine; write it as the engine's /v1/models does"
    )]
    EngineId {
        /// The entry.
        given: Quoted,
    },
    /// One Hub id, listed again.
    #[error("lists {id} twice; leave one out")]
    Twice {
        /// The Hub id.
        id: String,
    },
    /// A name that means nothing here.
    #[error("is not a setting; {}", meant(nearest.as_deref()))]
    Unknown {
        /// The known name that is meant, if one is near enough to be; several with " or " between.
        nearest: Option<String>,
    },
    /// Quotes that a shell or a service manager did not take away.
    #[error("begins and ends with quotes, and they are part of the value here; write it without them")]
    InQuotes,
    /// A name that looks like a secret.
    #[error(
        "looks like a secret, and Porten keeps none in files: take it out and sign in with `porten login`, which uses the keychain"
    )]
    Secret,
    /// A value of another kind.
    #[error("must be {wanted}")]
    Kind {
        /// The kind, with an example.
        wanted: &'static str,
    },
    /// The file does not read at all.
    #[error("is not TOML ({reason}); correct it, or move the file away to use the defaults")]
    Syntax {
        /// The reader's words, in one line.
        reason: String,
    },
    /// A file longer than [`super::MAX_FILE`].
    #[error("is too long for a settings file (more than 64 KiB); is it the right file?")]
    TooLong,
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| "`porten config` lists them".to_owned(), |nearest| format!("the nearest one is {nearest}"))
}

/// A piece of what a person wrote, in quotes, short and without anything that could disturb a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    const SHOWN: usize = 60;

    pub(super) fn new(text: &str) -> Self {
        Self(text.chars().take(Self::SHOWN + 1).collect())
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.chars().count() <= Self::SHOWN {
            return write!(f, "{:?}", self.0);
        }
        let short: String = self.0.chars().take(Self::SHOWN).collect();
        write!(f, "{short:?}…")
    }
}
