//! What the parts of the app share: receivers of what is, and the few things that a person moves.

use std::sync::Mutex;

use porten_agent::clock::Clock;
use porten_core::bridge::{Scene, SignInView};
use porten_core::popover::Popover;
use tauri::ipc::Channel;
use tokio::sync::watch;

use crate::hold::Hold;
use crate::leave::Leave;
use crate::sign_in::SignIn;

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
    /// Whether it is.
    pub(crate) shown: watch::Sender<bool>,
    /// The popover's page, while there is one.
    pub(crate) page: watch::Sender<Option<Channel<Scene>>>,
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
    pub(crate) sign_in_seen: watch::Receiver<SignInView>,
    pub(crate) shown_seen: watch::Receiver<bool>,
    pub(crate) page_seen: watch::Receiver<Option<Channel<Scene>>>,
}

impl Porten {
    pub(crate) fn new() -> (Self, Hands) {
        let (holds, holds_seen) = watch::channel(Hold::Starting);
        let empty = Scene { snapshot: None, sign_in: SignInView::Idle, trouble: None, quitting: false };
        let (scenes, scenes_seen) = watch::channel(empty);
        let (shown, shown_seen) = watch::channel(false);
        let (page, page_seen) = watch::channel(None);
        let (sign_in, sign_in_seen) = SignIn::new();
        let porten = Self {
            holds: holds_seen.clone(),
            scenes: scenes_seen,
            sign_in,
            popover: Mutex::default(),
            shown,
            page,
            leave: Leave::default(),
            clock: Clock::start(),
        };
        (porten, Hands { holds, holds_seen, scenes, sign_in_seen, shown_seen, page_seen })
    }
}
