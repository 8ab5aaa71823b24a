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

impl Scene {
    /// Shows where a sign-in is that began at the Hub with this address. What came of one at a former address is nothing to
    /// a person any more.
    pub fn show_sign_in(&mut self, visit: &Visit) {
        let now = self.snapshot.as_ref().map(|snapshot| snapshot.hub.url.as_str());
        self.sign_in = if visit.is_elsewhere(now) { SignInView::Idle } else { visit.view.clone() };
    }
}

/// A sign-in with the Hub that it is at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visit {
    /// Where it is.
    pub view: SignInView,
    /// The Hub's address; `None` where none was asked.
    pub hub: Option<String>,
}

impl Visit {
    /// Whether it is at another Hub than the one whose address holds now, if one does.
    #[must_use]
    pub fn is_elsewhere(&self, now: Option<&str>) -> bool {
        self.hub.as_deref().zip(now).is_some_and(|(begun, now)| begun != now)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture;

    #[test]
    fn a_sign_in_at_a_former_hub_is_shown_no_more() {
        let mut scene =
            Scene { snapshot: Some(picture::example()), sign_in: SignInView::Idle, trouble: None, quitting: false };
        let failed = SignInView::Failed { text: "The Hub cannot be reached.".into() };
        let asking = SignInView::Asking;
        for view in [failed, asking] {
            let here = scene.snapshot.as_ref().unwrap().hub.url.clone();
            let mut visit = Visit { view: view.clone(), hub: Some(here.clone()) };
            scene.show_sign_in(&visit);
            assert_eq!(scene.sign_in, view);
            visit.hub = Some("wss://former.test".into());
            scene.show_sign_in(&visit);
            assert_eq!(scene.sign_in, SignInView::Idle);
            assert!(visit.is_elsewhere(Some(&here)) && !visit.is_elsewhere(None));
        }
    }
}
