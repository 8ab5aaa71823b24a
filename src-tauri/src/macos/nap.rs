//! Holds App Nap off: it slows the timers and sockets of an app that shows no window, and so the link to the Hub.
#![allow(unsafe_code, reason = "Apple's calls are unsafe to Rust")]

use objc2::rc::Retained;
use objc2::runtime::{NSObjectProtocol, ProtocolObject};
use objc2_foundation::{NSActivityOptions, NSProcessInfo, NSString};
use porten_core::bridge::Scene;
use porten_core::snapshot::LinkView;
use tokio::sync::watch;

/// Holds it off while somebody wants to be online, until the app ends.
pub(crate) async fn hold_off(mut scenes: watch::Receiver<Scene>) {
    let mut held = None;
    loop {
        let link = scenes.borrow_and_update().snapshot.as_ref().map(|snapshot| snapshot.hub.link.clone());
        let online = link.is_some_and(|link| !matches!(link, LinkView::Off | LinkView::SignedOut { .. }));
        match (online, held.is_some()) {
            (true, false) => held = Some(Activity::begin()),
            (false, true) => held = None,
            _ => {}
        }
        if scenes.changed().await.is_err() {
            return;
        }
    }
}

/// While it lives, macOS lets this app run as it likes. The machine may sleep all the same.
struct Activity(Retained<ProtocolObject<dyn NSObjectProtocol>>);

// SAFETY: the token is only handed back, and NSProcessInfo may be called from any thread.
unsafe impl Send for Activity {}

impl Activity {
    fn begin() -> Self {
        let why = NSString::from_str("Porten is connected to its Hub and answers requests");
        let options = NSActivityOptions::UserInitiatedAllowingIdleSystemSleep;
        Self(NSProcessInfo::processInfo().beginActivityWithOptions_reason(options, &why))
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        // SAFETY: it is what `begin` was given, and is ended once.
        unsafe { NSProcessInfo::processInfo().endActivity(&self.0) };
    }
}
