//! Decides whether Porten can be opened at login from where it lies, and what is said of it.

use crate::bridge::LoginView;
use crate::config::HOME;

/// What the Desktop Entry Specification has quoted in an `Exec` line, white space aside.
const RESERVED: &str = r#""'\><~|&;$*?#()`"#;

/// What the system says of an entry that is there, where it has a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// It holds, or the system has no say.
    Given,
    /// A person has switched it off in the system's own settings.
    Withdrawn,
}

/// Why a program that lies there cannot be opened at login, one sentence; `None` if it can. `lost` is whether it has a home
/// of its own (`PORTEN_HOME`) that the system's entry cannot hold: what opened at login would be another Porten.
///
/// A disk image is gone at the next login, and so is the place that macOS moves a fresh download to for one run.
#[must_use]
pub fn refusal(program: &str, lost: bool) -> Option<&'static str> {
    if lost {
        return Some(
            "This Porten keeps everything in a folder of its own (PORTEN_HOME), of which macOS would know nothing at the next login; start Porten without it and switch this on there.",
        );
    }
    if program.contains("/AppTranslocation/") {
        return Some(
            "macOS runs Porten from a place of the moment; move it to Applications, open it there, and switch this on then.",
        );
    }
    program.starts_with("/Volumes/").then_some(
        "Porten runs from a disk image, which is not there at the next login; move it to Applications, open it there, and switch this on then.",
    )
}

/// What is shown, given why it cannot be, whether there is an entry, and what the system says of it.
#[must_use]
pub fn view(refusal: Option<&str>, entry: bool, approval: Approval) -> LoginView {
    match (entry, approval, refusal) {
        // An entry that is there can be taken away from anywhere.
        (true, Approval::Given, _) => LoginView::On,
        (true, Approval::Withdrawn, _) => LoginView::SwitchedOff,
        (false, _, Some(why)) => LoginView::Refused { why: why.to_owned() },
        (false, _, None) => LoginView::Off,
    }
}

/// The command of an entry in a Linux desktop's autostart folder: its `Exec` line, quoted as the Desktop Entry
/// Specification wants it, so that a home of its own (`PORTEN_HOME`) is there at the next login too.
///
/// # Errors
/// One sentence: an entry cannot hold such a path.
pub fn exec(program: &str, home: Option<&str>) -> Result<String, String> {
    let words = match home {
        None => vec![program.to_owned()],
        Some(home) => vec!["env".to_owned(), format!("{HOME}={home}"), program.to_owned()],
    };
    // A line is one line, and what has an = in it would be taken for a variable.
    let odd = |path: &&str| path.contains(char::is_control) || (*path == program && path.contains('='));
    if let Some(path) = [program].into_iter().chain(home).find(odd) {
        return Err(format!(
            "An entry for opening at login cannot name {path:?}; move it to a folder with a plainer name."
        ));
    }
    Ok(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
}

/// A word of an `Exec` line. What is special is quoted; inside quotes a backslash keeps four characters, and is itself written
/// twice in the file; a percent sign would be a field.
fn quoted(word: &str) -> String {
    let word = word.replace('%', "%%");
    if !word.contains(|letter: char| letter.is_whitespace() || RESERVED.contains(letter)) {
        return word;
    }
    let kept = word.chars().map(|letter| match letter {
        '\\' => r"\\\\".to_owned(),
        '"' | '`' | '$' => format!(r"\\{letter}"),
        other => other.to_string(),
    });
    format!("\"{}\"", kept.collect::<String>())
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
        assert_eq!(view(None, false, Approval::Given), LoginView::Off);
        assert_eq!(view(None, false, Approval::Withdrawn), LoginView::Off, "there is nothing to switch off");
        assert_eq!(view(None, true, Approval::Given), LoginView::On);
        assert_eq!(view(None, true, Approval::Withdrawn), LoginView::SwitchedOff);
        assert!(words(&LoginView::SwitchedOff).contains("System Settings"));
    }

    #[test]
    fn a_disk_image_and_a_place_of_the_moment_are_refused_with_what_to_do() {
        for program in [IMAGE, MOVED] {
            let LoginView::Refused { why } = view(refusal(program, false), false, Approval::Given) else {
                panic!("{program}")
            };
            assert!(why.contains("move it to Applications"), "{why}");
            assert_eq!(words(&LoginView::Refused { why: why.clone() }), why);
        }
        assert_eq!(refusal("/home/a/Volumes/porten-app", false), None);
        assert_eq!(refusal(AT_HOME, false), None);
    }

    #[test]
    fn a_home_that_the_entry_cannot_hold_is_refused_with_what_to_do() {
        let why = refusal(AT_HOME, true).unwrap_or_default();
        assert!(why.contains("PORTEN_HOME") && why.contains("start Porten without it"), "{why}");
    }

    #[test]
    fn an_autostart_entry_names_any_folder_so_that_a_desktop_reads_it_back() {
        let plain = exec("/usr/bin/porten-app", None);
        assert_eq!(plain.as_deref(), Ok("/usr/bin/porten-app"));
        assert_eq!(
            exec("/home/a/My Apps/porten-app", Some("/srv/p")).as_deref(),
            Ok(r#"env PORTEN_HOME=/srv/p "/home/a/My Apps/porten-app""#)
        );
        assert_eq!(exec("/a/100%", Some("/b/c d")).as_deref(), Ok(r#"env "PORTEN_HOME=/b/c d" /a/100%%"#));
        assert_eq!(exec(r#"/a/$b`c"d\e"#, None).as_deref(), Ok(r#""/a/\\$b\\`c\\"d\\\\e""#));
    }

    #[test]
    fn an_autostart_entry_that_no_desktop_could_read_back_is_refused() {
        for (program, home) in [("/a/b\nExec=x", None), ("/a/b=c", None), ("/a", Some("/b\tc"))] {
            let why = exec(program, home).unwrap_err();
            assert!(why.contains("plainer name") && !why.contains('\n') && why.ends_with('.'), "{why}");
        }
        assert!(exec("/a", Some("/b=c")).is_ok());
    }

    #[test]
    fn an_entry_that_is_there_can_be_taken_away_from_a_disk_image_too() {
        assert_eq!(view(refusal(IMAGE, false), true, Approval::Given), LoginView::On);
    }
}
