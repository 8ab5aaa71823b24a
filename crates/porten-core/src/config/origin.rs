//! Where a value comes from, so that a person who wonders about it knows what to change.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "from", content = "name", rename_all = "snake_case")]
pub enum Origin {
    /// This environment variable. A front end shows such a value locked.
    Environment(String),
    /// This file, as a person would write its path.
    File(String),
    /// Nobody said anything, and this is what then holds.
    Default,
    /// Nobody said anything, and looking around showed this.
    Found,
}

impl Origin {
    /// Whether a person said it, in whatever place.
    #[must_use]
    pub const fn is_chosen(&self) -> bool {
        matches!(self, Self::Environment(_) | Self::File(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) | Self::File(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
            Self::Found => f.write_str("found by looking"),
        }
    }
}

/// A value that knows where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting<T> {
    /// What holds.
    pub value: T,
    /// Who said so.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// What holds when nobody says anything.
    #[must_use]
    pub const fn default(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }

    /// What looking around showed.
    #[must_use]
    pub const fn found(value: T) -> Self {
        Self { value, origin: Origin::Found }
    }
}
