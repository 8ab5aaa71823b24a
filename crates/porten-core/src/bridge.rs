//! What the menu-bar host shows its popover: the agent's picture, and the sign-in that only the host knows of.

mod settings;

pub use settings::{EngineTest, KeptView, LoginView, SettingView, SettingsView};

use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// One picture of the popover; whole, never a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct Scene {
    /// The agent's picture; `None` for the moment before there is one.
    pub snapshot: Option<Snapshot>,
    /// Where the sign-in of this host is.
    pub sign_in: SignInView,
    /// Why the agent does not run, in one sentence with what to do; `None` while it runs.
    pub trouble: Option<String>,
    /// Somebody quit this host: it ends when the running requests are finished, or at once if it is asked again.
    pub quitting: bool,
}

/// Where a sign-in is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum SignInView {
    /// None is under way.
    #[default]
    Idle,
    /// The Hub is being asked for a code.
    Asking,
    /// The Hub's page is open in the sign-in window.
    Window {
        /// The code that the page must show too.
        code: String,
        /// The Hub asked to wait longer: one sentence.
        slower: Option<String>,
    },
    /// The page is, or should be, open in the person's browser.
    Browser {
        /// The code that the page must show too.
        code: String,
        /// Where to open it, if it did not open by itself.
        url: String,
        /// Where the Hub sends people to sign in, if that is why.
        elsewhere: Option<String>,
        /// The Hub asked to wait longer: one sentence.
        slower: Option<String>,
    },
    /// It came to nothing.
    Failed {
        /// What happened and what to do, one sentence.
        text: String,
    },
}
