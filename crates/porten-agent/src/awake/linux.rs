//! logind keeps the machine awake for as long as a file descriptor that it handed out is open; the kernel tells the power supplies.

use std::path::Path;

use porten_core::display_text::sanitize;
use porten_core::wire::MAX_TEXT;
use zbus::zvariant::OwnedFd;
use zbus::{Connection, Error};

use crate::logind;

/// The kernel's list (Documentation/ABI/testing/sysfs-class-power).
const SUPPLIES: &str = "/sys/class/power_supply";

/// While it lives the machine does not sleep by itself.
pub(super) struct Hold {
    _granted: OwnedFd,
}

/// Asks logind.
pub(super) async fn hold(reason: &str) -> Result<Hold, String> {
    inhibit(reason).await.map(|granted| Hold { _granted: granted }).map_err(|error| words(&error))
}

async fn inhibit(reason: &str) -> Result<OwnedFd, Error> {
    let bus = Connection::system().await?;
    logind::call(&bus, "Inhibit", &("sleep:idle", "Porten", reason, "block")).await?.body().deserialize()
}

fn words(error: &Error) -> String {
    let by_hand = "keep this machine awake by its own power settings";
    match error {
        Error::MethodError(name, text, _) if is_refusal(name) => {
            let text = text
                .as_deref()
                .map(|text| format!(" ({})", sanitize(text, MAX_TEXT).trim_end_matches('.')))
                .unwrap_or_default();
            format!(
                "the system does not let Porten keep it awake{text}; allow this account \
                 org.freedesktop.login1.inhibit-block-sleep and -idle in polkit, or {by_hand}"
            )
        }
        other => format!("no logind answers on the system bus ({}); {by_hand}", sanitize(&other.to_string(), MAX_TEXT)),
    }
}

/// As polkit and the bus say no.
fn is_refusal(name: &str) -> bool {
    name.ends_with(".AccessDenied") || name.ends_with(".InteractiveAuthorizationRequired")
}

/// Whether it runs on mains, or has no battery of its own.
pub(super) fn on_mains() -> bool {
    fed_by_mains(Path::new(SUPPLIES))
}

fn fed_by_mains(supplies: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(supplies) else { return true };
    let (mut unplugged, mut battery, mut discharging) = (false, false, false);
    for entry in entries.flatten() {
        let says = |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default().trim().to_owned();
        // The battery of a mouse.
        if says("scope") == "Device" {
            continue;
        }
        match (says("type").as_str(), says("online").as_str()) {
            ("Battery", _) => {
                battery = true;
                discharging |= says("status") == "Discharging";
            }
            ("Mains" | "USB" | "Wireless", "0") => unplugged = true,
            // 2: it charges from one that it can also feed.
            ("Mains" | "USB" | "Wireless", "1" | "2") => return true,
            _ => {}
        }
    }
    !(battery && (unplugged || discharging))
}

#[cfg(test)]
mod tests {
    use zbus::message::Message;

    use super::*;

    fn fed(supplies: &[(&str, &[(&str, &str)])]) -> bool {
        let folder = tempfile::tempdir().unwrap();
        for (supply, files) in supplies {
            let path = folder.path().join(supply);
            std::fs::create_dir(&path).unwrap();
            files.iter().for_each(|(name, text)| std::fs::write(path.join(name), format!("{text}\n")).unwrap());
        }
        fed_by_mains(folder.path())
    }

    #[test]
    fn a_laptop_is_on_mains_while_it_is_plugged_in() {
        let full: (&str, &[_]) = ("BAT0", &[("type", "Battery"), ("status", "Full")]);
        let empties: (&str, &[_]) = ("BAT0", &[("type", "Battery"), ("status", "Discharging")]);
        let plugged: (&str, &[_]) = ("AC", &[("type", "Mains"), ("online", "1")]);
        let unplugged: (&str, &[_]) = ("AC", &[("type", "Mains"), ("online", "0")]);
        let charger: (&str, &[_]) = ("ucsi", &[("type", "USB"), ("online", "1")]);
        assert!(fed(&[full, plugged]));
        assert!(fed(&[empties, plugged]), "a weak charger is a charger");
        assert!(fed(&[full, unplugged, charger]));
        assert!(fed(&[full]));
        assert!(!fed(&[full, unplugged]));
        assert!(!fed(&[empties]));
    }

    #[test]
    fn a_machine_without_a_battery_is_on_mains_whatever_its_mouse_says() {
        let mouse: (&str, &[_]) = ("hid", &[("type", "Battery"), ("scope", "Device"), ("status", "Discharging")]);
        assert!(fed(&[]));
        assert!(fed(&[mouse]));
        assert!(fed(&[mouse, ("ucsi", &[("type", "USB"), ("online", "0")])]));
        assert!(fed_by_mains(Path::new("/nowhere/at/all")));
    }

    #[test]
    fn a_refusal_says_what_to_allow_and_a_missing_logind_says_so() {
        let call = Message::method_call("/", "Inhibit").unwrap().build(&()).unwrap();
        let error = |name: &'static str, text: &str| {
            let name = zbus::names::ErrorName::from_static_str(name).unwrap().into();
            words(&Error::MethodError(name, Some(text.to_owned()), call.clone()))
        };
        let told = error("org.freedesktop.DBus.Error.AccessDenied", "Permission\ndenied.");
        assert_eq!(
            told,
            "the system does not let Porten keep it awake (Permission denied); allow this account \
             org.freedesktop.login1.inhibit-block-sleep and -idle in polkit, or keep this machine awake by its own power settings"
        );
        let told = error("org.freedesktop.DBus.Error.ServiceUnknown", "not provided by any .service files");
        assert!(told.starts_with("no logind answers on the system bus (") && told.contains("ServiceUnknown"), "{told}");
    }
}
