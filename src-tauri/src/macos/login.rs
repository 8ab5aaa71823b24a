//! Asks ServiceManagement whether a person has switched the entry off in System Settings, which the entry does not tell.
#![allow(unsafe_code, reason = "Apple's calls are unsafe to Rust")]

use objc2_foundation::{NSString, NSURL};
use objc2_service_management::{SMAppService, SMAppServiceStatus};
use porten_core::login_item::Approval;

/// What macOS says of the launch agent of this name.
pub(crate) fn approval(name: &str) -> Approval {
    let Some(home) = std::env::home_dir() else { return Approval::Given };
    let file = home.join("Library/LaunchAgents").join(format!("{name}.plist"));
    let url = NSURL::fileURLWithPath(&NSString::from_str(&file.to_string_lossy()));
    // SAFETY: a class method that reads; the address is a file's, as it asks for.
    let status = unsafe { SMAppService::statusForLegacyURL(&url) };
    if status == SMAppServiceStatus::RequiresApproval { Approval::Withdrawn } else { Approval::Given }
}

/// Opens System Settings at its login items.
pub(crate) fn open_settings() {
    // SAFETY: a class method without arguments.
    unsafe { SMAppService::openSystemSettingsLoginItems() };
}
