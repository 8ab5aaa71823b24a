//! What the settings window shows: each setting with its origin, and what the host knows of its own place in the system.

use serde::{Deserialize, Serialize};

use crate::config::Origin;

/// Everything that the settings window can change, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct SettingsView {
    /// Settings of the file, in the order of docs/configuration.md, with what holds.
    pub settings: Vec<SettingView>,
    /// The settings file, as a person would write its path.
    pub file: String,
    /// Whether this app opens at login.
    pub login: LoginView,
    /// What is kept where, in words: the credential, the settings, the wishes, the log.
    pub kept: Vec<KeptView>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct SettingView {
    /// As the file names it: `hub.url`, `model."ID".free_after_minutes`.
    pub key: String,
    /// What holds, as text; a list with commas between. `None` if nothing was said and nothing holds by itself.
    pub value: Option<String>,
    /// Who said so; a value of the environment cannot be changed here.
    pub origin: Origin,
}

/// Whether the app opens at login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LoginView {
    /// It does not.
    Off,
    /// It does.
    On,
    /// It was asked for, and a person has switched it off in System Settings.
    SwitchedOff,
    /// It cannot be asked for from here: why and what to do, one sentence.
    Refused {
        /// The sentence.
        why: String,
    },
}

/// One thing that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct KeptView {
    /// What.
    pub what: String,
    /// Where: a path, or the store's name.
    pub place: String,
}

/// What a look at an engine's address found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct EngineTest {
    /// Where it was looked.
    pub url: String,
    /// Whether an engine answered there.
    pub answers: bool,
    /// One sentence: what answered, with how many models, in which time; or why not and what to do.
    pub text: String,
    /// The models that it lists; the settings window is given 100 at most.
    pub models: Vec<String>,
}
