//! Whether a program can be a service from where it lies: it must still be there at the next login.

/// Where a program lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Where programs are kept.
    Fine,
    /// Where it may be gone one day; one sentence.
    Doubtful(&'static str),
    /// Where it will be gone at the next login; one sentence with what to do.
    Refused(&'static str),
}

/// Folders that are emptied now and then, or with the next build. On macOS `/tmp` and `/var` are links into `/private`.
const TEMPORARY: [&str; 6] =
    ["/tmp/", "/var/tmp/", "/private/tmp/", "/private/var/tmp/", "/var/folders/", "/private/var/folders/"];
const BUILT: [&str; 2] = ["/target/debug/", "/target/release/"];

/// Judges the path of a program, links followed.
#[must_use]
pub fn placement(program: &str) -> Placement {
    if program.contains("/AppTranslocation/") {
        return Placement::Refused(
            "macOS runs this porten from a place of the moment; move Porten to Applications, and install the service from there",
        );
    }
    if program.starts_with("/Volumes/") {
        return Placement::Refused(
            "this porten is on a disk image or an external disk, which is not there at the next login; copy it to this machine's own disk, and install the service from there",
        );
    }
    if program.contains("/.mount_") {
        return Placement::Refused(
            "this porten runs from a mounted AppImage, which is gone when it ends; unpack it, and install the service from there",
        );
    }
    if program.ends_with(" (deleted)") {
        return Placement::Refused("this porten was replaced while it ran; run the command once more");
    }
    if BUILT.iter().any(|folder| program.contains(folder)) {
        return Placement::Doubtful("it lies in a build folder: the service breaks when that is cleaned");
    }
    if TEMPORARY.iter().any(|folder| program.starts_with(folder)) {
        return Placement::Doubtful("it lies in a temporary folder: the service breaks when that is emptied");
    }
    if program.contains("/Downloads/") {
        return Placement::Doubtful("it lies among downloads: the service breaks when those are cleared");
    }
    Placement::Fine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_at_the_next_login_is_refused_with_what_to_do() {
        for program in [
            "/Volumes/Porten/Porten.app/Contents/MacOS/porten",
            "/private/var/folders/x7/T/AppTranslocation/0A1B/d/Porten.app/Contents/MacOS/porten",
            "/tmp/.mount_PortenX/usr/bin/porten",
            "/usr/bin/porten (deleted)",
        ] {
            let Placement::Refused(why) = placement(program) else { panic!("{program}") };
            assert!(why.contains("install the service from there") || why.contains("once more"), "{why}");
        }
    }

    #[test]
    fn what_may_be_gone_one_day_is_said_and_the_rest_is_fine() {
        for program in ["/tmp/porten", "/home/a/porten/target/release/porten", "/Users/a/Downloads/porten"] {
            assert!(matches!(placement(program), Placement::Doubtful(_)), "{program}");
        }
        for program in ["/usr/local/bin/porten", "/home/a/Volumes/porten", "/opt/target/porten"] {
            assert_eq!(placement(program), Placement::Fine, "{program}");
        }
    }
}
