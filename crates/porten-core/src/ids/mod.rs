//! The two names a model has, the Hub's and the engine's, and how the one finds the other.

mod matching;
mod quantisation;
#[cfg(test)]
mod real_ids;

pub use matching::{MAX_NAMED, Matched, Pair, Unmatched, Wanted, WantedError, match_catalog, match_wanted};
pub use quantisation::without_quantisation;

use serde::{Deserialize, Serialize};

use crate::display_text::is_disguise;

/// The longest Hub id (characters).
pub use crate::wire::MAX_MODEL_ID;
/// The longest engine id (bytes): a path may be long, and macOS ends at 1024.
pub const MAX_ENGINE_ID: usize = 1024;

/// An id that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty.
    #[error("a model id is never empty")]
    Empty,
    /// Longer than [`MAX_MODEL_ID`] or [`MAX_ENGINE_ID`].
    #[error("a model id this long is none")]
    TooLong,
    /// A character that such an id never has.
    #[error("a model id has only letters, digits and . _ / : @ -")]
    Character,
    /// A control character or an unseen one that could disguise the text around it.
    #[error("an engine's model id has no control characters")]
    Control,
    /// A place in a file system, where a public name was wanted.
    #[error("a path is no public name for a model")]
    Path,
    /// A `..` between slashes.
    #[error("a model id never climbs with ..")]
    Climbs,
}

/// A model's public name, as Hub and clients say it: `[A-Za-z0-9._/:@-]{1,200}`, never a path on somebody's disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export, as = "String"))]
#[serde(try_from = "String", into = "String")]
pub struct ModelId(String);

impl ModelId {
    /// Reads an id.
    ///
    /// # Errors
    /// The text is no public name.
    pub fn read(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if is_path(text) {
            return Err(IdError::Path);
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "._/:@-".contains(c)) {
            return Err(IdError::Character);
        }
        if text.len() > MAX_MODEL_ID {
            return Err(IdError::TooLong);
        }
        if climbs(text) {
            return Err(IdError::Climbs);
        }
        Ok(Self(text.to_owned()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A model's name as its engine says it. It may be a path in somebody's home, so it stays on this machine: what leaves
/// it is a [`ModelId`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EngineId(String);

impl EngineId {
    /// Reads an id.
    ///
    /// # Errors
    /// The text cannot name a model of an engine.
    pub fn read(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > MAX_ENGINE_ID {
            return Err(IdError::TooLong);
        }
        if text.contains(is_disguise) {
            return Err(IdError::Control);
        }
        if climbs(text) {
            return Err(IdError::Climbs);
        }
        Ok(Self(text.to_owned()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a place in a file system, which must never leave this machine.
    #[must_use]
    pub fn is_path(&self) -> bool {
        is_path(&self.0)
    }

    /// What stands after the last slash (or backslash, in a path).
    #[must_use]
    pub fn last_part(&self) -> &str {
        let separator = |c| c == '/' || (c == '\\' && self.is_path());
        let whole = self.0.trim_end_matches(separator);
        whole.rsplit(separator).next().unwrap_or(whole)
    }
}

fn is_path(id: &str) -> bool {
    let after_drive = id.strip_prefix(|c: char| c.is_ascii_alphabetic()).and_then(|rest| rest.strip_prefix(':'));
    let on_a_drive = after_drive.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
    id.starts_with(['/', '~', '.']) || id.contains('\\') || id.starts_with("file:") || on_a_drive
}

fn climbs(id: &str) -> bool {
    id.split(['/', '\\']).any(|part| part == "..")
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::read(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
text_newtype!(ModelId);
text_newtype!(EngineId);

#[cfg(test)]
mod tests {
    use super::*;
    fn engine(id: &str) -> EngineId {
        EngineId::read(id).unwrap()
    }

    #[test]
    fn a_hub_id_is_short_plain_and_never_a_path() {
        for good in ["deepseek-v4-flash", "mlx-community/Qwen3.5-27B-4bit", "qwen3:4b", "a@b", &"x".repeat(200)] {
            assert_eq!(ModelId::read(good).unwrap().as_str(), good);
        }
        let bad = [
            ("", IdError::Empty),
            ("two words", IdError::Character),
            ("näme", IdError::Character),
            ("a\nb", IdError::Character),
            ("/Users/jane/m", IdError::Path),
            ("~/m", IdError::Path),
            ("C:/m", IdError::Path),
            ("C:\\m", IdError::Path),
            ("a\\b", IdError::Path),
            ("./m", IdError::Path),
            ("file:///m", IdError::Path),
            ("a/../b", IdError::Climbs),
            (&"x".repeat(201), IdError::TooLong),
        ];
        for (text, error) in bad {
            assert_eq!(ModelId::read(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn an_engine_id_may_be_a_path_but_holds_nothing_unseen() {
        assert!(engine("/Users/jane doe/models/tiny").is_path());
        assert!(!engine("qwen3:4b").is_path(), "a tag is not a drive");
        for bad in [
            "",
            "a\u{0}",
            "a\r\nb",
            "a\u{1b}[2J",
            "a\u{202e}b",
            "a\u{e0041}",
            "a\u{3164}",
            "../x",
            "/a/../b",
            &"x".repeat(1025),
        ] {
            assert!(EngineId::read(bad).is_err(), "{bad:?}");
        }
    }
}
