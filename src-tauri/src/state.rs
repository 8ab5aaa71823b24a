//! What the parts of the app share: receivers of what is, and the few things that a person moves.

use std::sync::Mutex;

use porten_agent::clock::Clock;
use porten_core::bridge::{Scene, SignInView, Visit};
use porten_core::popover::{Area, Popover};
use porten_core::time::Now;
use tokio::sync::watch;

use crate::hold::Hold;
use crate::leave::Leave;
use crate::sign_in::SignIn;
use crate::stage::{Seats, Stage};

/// The app's state, managed by Tauri.
pub(crate) struct Porten {
    /// The hold on an agent.
    pub(crate) holds: watch::Receiver<Hold>,
    /// What there is to see.
    pub(crate) scenes: watch::Receiver<Scene>,
    /// The sign-in, if one is under way.
    pub(crate) sign_in: SignIn,
    /// When the popover is shown.
    pub(crate) popover: Mutex<Popover>,
    /// Where the icon is that was clicked last.
    pub(crate) icon: Mutex<Option<Area>>,
    /// Since when the icon counts as hidden.
    #[cfg_attr(not(target_os = "macos"), expect(dead_code, reason = "macOS alone tells"))]
    pub(crate) hidden: watch::Sender<Option<Now>>,
    /// The popover's window and page.
    pub(crate) stage: Stage,
    /// The settings window and its page.
    pub(crate) settings: Stage,
    /// The way out.
    pub(crate) leave: Leave,
    /// Time.
    pub(crate) clock: Clock,
}

/// The other ends, for the tasks that feed and read them.
pub(crate) struct Hands {
    pub(crate) holds: watch::Sender<Hold>,
    pub(crate) holds_seen: watch::Receiver<Hold>,
    pub(crate) scenes: watch::Sender<Scene>,
    pub(crate) sign_in_seen: watch::Receiver<Visit>,
    pub(crate) hidden_seen: watch::Receiver<Option<Now>>,
    /// Of the popover and the settings window.
    pub(crate) seats: [Seats; 2],
}

impl Porten {
    pub(crate) fn new() -> (Self, Hands) {
        let (holds, holds_seen) = watch::channel(Hold::Starting);
        let empty = Scene { snapshot: None, sign_in: SignInView::Idle, trouble: None, quitting: false };
        let (scenes, scenes_seen) = watch::channel(empty);
        let (hidden, hidden_seen) = watch::channel(None);
        let (stage, popover_seats) = Stage::new();
        let (settings, settings_seats) = Stage::new();
        let (sign_in, sign_in_seen) = SignIn::new();
        let porten = Self {
            holds: holds_seen.clone(),
            scenes: scenes_seen,
            sign_in,
            popover: Mutex::default(),
            icon: Mutex::default(),
            hidden,
            stage,
            settings,
            leave: Leave::default(),
            clock: Clock::start(),
        };
        (porten, Hands { holds, holds_seen, scenes, sign_in_seen, hidden_seen, seats: [popover_seats, settings_seats] })
    }
}
