//! A power assertion keeps the Mac from sleeping while nobody uses it; its screen may go dark, and a closed lid is a closed lid.
#![allow(unsafe_code, reason = "IOKit hands out the assertion's id through a pointer")]

use objc2_core_foundation::CFString;
use objc2_io_kit::{IOPMAssertionCreateWithName, IOPMAssertionID, IOPMAssertionRelease, IOPSGetTimeRemainingEstimate};

/// The value of `kIOPMAssertionTypePreventUserIdleSystemSleep` (IOPMLib.h).
const NO_IDLE_SLEEP: &str = "PreventUserIdleSystemSleep";
/// `kIOPMAssertionLevelOn` (IOPMLib.h).
const ON: u32 = 255;
/// `kIOPSTimeRemainingUnlimited` (IOPowerSources.h): the power comes from a source without an end. On a battery it is a
/// number of seconds, or -1 while that is being estimated.
const UNLIMITED: f64 = -2.0;

/// While it lives the Mac does not sleep by itself.
pub(super) struct Hold(IOPMAssertionID);

impl Drop for Hold {
    fn drop(&mut self) {
        // What cannot be released ends with this process.
        let _ = IOPMAssertionRelease(self.0);
    }
}

/// Asks for an assertion.
pub(super) async fn hold(reason: &'static str) -> Result<Hold, String> {
    let asked = tokio::task::spawn_blocking(move || assert(&format!("Porten: {reason}"))).await;
    asked.unwrap_or_else(|_| Err("macOS could not be asked to keep this Mac awake; it is asked again".to_owned()))
}

fn assert(name: &str) -> Result<Hold, String> {
    let (kind, name) = (CFString::from_static_str(NO_IDLE_SLEEP), CFString::from_str(name));
    let mut id = 0;
    // SAFETY: both strings live through the call, and `id` is a place for the answer.
    let code = unsafe { IOPMAssertionCreateWithName(Some(&kind), ON, Some(&name), &raw mut id) };
    // kIOReturnSuccess.
    if code == 0 {
        return Ok(Hold(id));
    }
    Err(format!(
        "macOS does not let Porten keep this Mac awake (IOKit's error {code:#x}); set it in System Settings, Energy"
    ))
}

/// Whether it runs on mains, or has no battery.
pub(super) fn on_mains() -> bool {
    IOPSGetTimeRemainingEstimate() <= UNLIMITED
}
