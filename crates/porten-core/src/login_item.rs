//! Decides whether Porten can be opened at login from where it lies, and what is said of it.

use crate::bridge::LoginView;

/// What the system says of an entry that is there, where it has a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// It holds, or the system has no say.
    Given,
    /// A person has switched it off in the system's own settings.
    Withdrawn,
}

/// Why a program that lies there cannot be opened at login, one sentence; `None` if it can.
///
/// A disk image is gone at the next login, and so is the place that macOS moves a fresh download to for one run.
#[must_use]
pub fn refusal(program: &str) -> Option<&'static str> {
    if program.contains("/AppTranslocation/") {
        return Some(
            "macOS runs Porten from a place of the moment; move it to Applications, open it there, and switch this on then.",
        );
    }
    program.starts_with("/Volumes/").then_some(
        "Porten runs from a disk image, which is not there at the next login; move it to Applications, open it there, and switch this on then.",
    )
}

/// What is shown, given where the program lies, whether there is an entry, and what the system says of it.
#[must_use]
pub fn view(program: &str, entry: bool, approval: Approval) -> LoginView {
    match (entry, approval, refusal(program)) {
        // An entry that is there can be taken away from anywhere.
        (true, Approval::Given, _) => LoginView::On,
        (true, Approval::Withdrawn, _) => LoginView::SwitchedOff,
        (false, _, Some(why)) => LoginView::Refused { why: why.to_owned() },
        (false, _, None) => LoginView::Off,
    }
}

/// The same in words, one sentence.
#[must_use]
pub fn words(view: &LoginView) -> &str {
    match view {
        LoginView::Off => "Porten does not open at login.",
        LoginView::On => "Porten opens at login.",
        LoginView::SwitchedOff => {
            "Porten is to open at login, but that is switched off in System Settings, General, Login Items."
        }
        LoginView::Refused { why } => why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_HOME: &str = "/Applications/Porten.app/Contents/MacOS/porten-app";
    const IMAGE: &str = "/Volumes/Porten/Porten.app/Contents/MacOS/porten-app";
    const MOVED: &str = "/private/var/folders/x7/T/AppTranslocation/0A1B/d/Porten.app/Contents/MacOS/porten-app";

    #[test]
    fn it_is_off_until_asked_and_says_when_a_person_switched_it_off_elsewhere() {
        assert_eq!(view(AT_HOME, false, Approval::Given), LoginView::Off);
        assert_eq!(view(AT_HOME, false, Approval::Withdrawn), LoginView::Off, "there is nothing to switch off");
        assert_eq!(view(AT_HOME, true, Approval::Given), LoginView::On);
        assert_eq!(view(AT_HOME, true, Approval::Withdrawn), LoginView::SwitchedOff);
        assert!(words(&LoginView::SwitchedOff).contains("System Settings"));
    }

    #[test]
    fn a_disk_image_and_a_place_of_the_moment_are_refused_with_what_to_do() {
        for program in [IMAGE, MOVED] {
            let LoginView::Refused { why } = view(program, false, Approval::Given) else { panic!("{program}") };
            assert!(why.contains("move it to Applications"), "{why}");
            assert_eq!(words(&LoginView::Refused { why: why.clone() }), why);
        }
        assert_eq!(refusal("/home/a/Volumes/porten-app"), None);
        assert_eq!(refusal("/usr/bin/porten-app"), None);
    }

    #[test]
    fn an_entry_that_is_there_can_be_taken_away_from_a_disk_image_too() {
        assert_eq!(view(IMAGE, true, Approval::Given), LoginView::On);
    }
}
