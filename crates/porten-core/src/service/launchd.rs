//! The service as a launchd user agent: the property list in `~/Library/LaunchAgents`, and what `launchctl print` says.
//!
//! Why each key has its value (launchd.plist(5)):
//! - `ProcessType` `Interactive`: the others are held back. `Background` throttles processor and disk, `Standard`, which is also
//!   the default, does so lightly, and `Adaptive` counts as `Background` for a program without XPC connections. A person waits for
//!   each token that passes through here.
//! - `KeepAlive` with `SuccessfulExit` false: started again after a crash or an error, not after it was stopped in order.
//! - `ThrottleInterval`: at most one start in so many seconds; one that ran longer is started again at once.
//! - `ExitTimeOut`: without it launchd kills 20 s after SIGTERM, in the middle of an answer.
//! - `Umask`: a property list has no octal numbers, so 077 is written 63.

use std::fmt::Write as _;

use super::{ARGUMENTS, LABEL, OPEN_FILES, STOP_TIMEOUT, ServiceSpec, ServiceState};

/// Seconds between two starts.
const THROTTLE_S: u32 = 10;
/// 077.
const UMASK: u32 = 0o077;

/// The property list's text.
#[must_use]
pub fn unit(spec: &ServiceSpec) -> String {
    let mut out = String::from(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n",
        "<plist version=\"1.0\">\n<dict>\n",
    ));
    let mut line = |text: &str| {
        // A String takes all that is written.
        let _ = writeln!(out, "\t{text}");
    };
    line("<key>Label</key>");
    line(&string(LABEL));
    line("<key>ProgramArguments</key>");
    line("<array>");
    for word in [spec.program.as_str()].into_iter().chain(ARGUMENTS) {
        line(&format!("\t{}", string(word)));
    }
    line("</array>");
    if !spec.environment.is_empty() {
        line("<key>EnvironmentVariables</key>");
        line("<dict>");
        for (name, value) in &spec.environment {
            line(&format!("\t{}", key(name)));
            line(&format!("\t{}", string(value)));
        }
        line("</dict>");
    }
    line("<key>RunAtLoad</key>");
    line("<true/>");
    line("<key>KeepAlive</key>");
    line("<dict>");
    line("\t<key>SuccessfulExit</key>");
    line("\t<false/>");
    line("</dict>");
    for (name, value) in [("ThrottleInterval", u64::from(THROTTLE_S)), ("ExitTimeOut", STOP_TIMEOUT.as_secs())] {
        line(&key(name));
        line(&integer(value));
    }
    line("<key>ProcessType</key>");
    line(&string("Interactive"));
    line("<key>Umask</key>");
    line(&integer(u64::from(UMASK)));
    line("<key>SoftResourceLimits</key>");
    line("<dict>");
    line("\t<key>NumberOfFiles</key>");
    line(&format!("\t{}", integer(u64::from(OPEN_FILES))));
    line("</dict>");
    out.push_str("</dict>\n</plist>\n");
    out
}

fn key(name: &str) -> String {
    format!("<key>{}</key>", escaped(name))
}

fn string(text: &str) -> String {
    format!("<string>{}</string>", escaped(text))
}

fn integer(number: u64) -> String {
    format!("<integer>{number}</integer>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Reads what `launchctl print gui/UID/LABEL` says; its text is for people, so that only plain lines of `name = value` at the
/// first level count.
#[must_use]
pub fn state(printed: &str) -> ServiceState {
    let first_level = printed.lines().filter_map(|line| line.strip_prefix('\t'));
    let mut state = ServiceState { loaded: true, ..ServiceState::default() };
    for (name, value) in first_level.filter_map(|line| line.split_once(" = ")) {
        match name {
            "pid" => state.pid = value.trim().parse().ok(),
            "path" => state.unit = Some(value.trim().to_owned()),
            "last exit code" if value.trim() != "(never exited)" => {
                state.last_exit = Some(format!("exit code {}", value.trim()));
            }
            "last terminating signal" => state.last_exit = Some(format!("signal {}", value.trim())),
            _ => {}
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn spec() -> ServiceSpec {
        let home = BTreeMap::from([("PORTEN_HOME".to_owned(), "/Users/jane/a & b <c>".to_owned())]);
        ServiceSpec::new("/Applications/P&Q \"1\"/porten", home).unwrap()
    }

    #[test]
    fn the_property_list_reads_back_with_what_launchd_needs() {
        let read = plist::Value::from_reader_xml(unit(&spec()).as_bytes()).unwrap();
        let all = read.as_dictionary().unwrap();
        let text = |key: &str| all.get(key).and_then(plist::Value::as_string);
        let number = |key: &str| all.get(key).and_then(plist::Value::as_unsigned_integer);
        assert_eq!(text("Label"), Some(LABEL));
        let words: Vec<_> = all["ProgramArguments"].as_array().unwrap().iter().filter_map(|w| w.as_string()).collect();
        assert_eq!(words, ["/Applications/P&Q \"1\"/porten", "run", "--service"]);
        let environment = all["EnvironmentVariables"].as_dictionary().unwrap();
        assert_eq!(environment["PORTEN_HOME"].as_string(), Some("/Users/jane/a & b <c>"));
        assert_eq!(environment.len(), 1);
        assert_eq!(all["RunAtLoad"].as_boolean(), Some(true));
        let keep = all["KeepAlive"].as_dictionary().unwrap();
        assert_eq!((keep.len(), keep["SuccessfulExit"].as_boolean()), (1, Some(false)));
        assert_eq!(
            (number("ThrottleInterval"), number("ExitTimeOut"), number("Umask")),
            (Some(10), Some(60), Some(63))
        );
        assert_eq!(text("ProcessType"), Some("Interactive"));
        assert_eq!(all["SoftResourceLimits"].as_dictionary().unwrap().len(), 1);
        assert_eq!(all.len(), 10, "nothing else: {all:?}");
    }

    #[test]
    fn no_variables_no_table_of_them() {
        let text = unit(&ServiceSpec::new("/usr/local/bin/porten", BTreeMap::new()).unwrap());
        assert!(!text.contains("EnvironmentVariables") && plist::Value::from_reader_xml(text.as_bytes()).is_ok());
    }

    #[test]
    fn what_launchctl_prints_is_read_at_its_first_level() {
        let running = "gui/501/ai.porten.agent = {\n\tactive count = 1\n\tpath = /Users/jane/Library/LaunchAgents/ai.porten.agent.plist\n\tstate = running\n\tenvironment = {\n\t\tpid = 7\n\t}\n\tpid = 4711\n\tlast exit code = (never exited)\n}\n";
        let unit = Some("/Users/jane/Library/LaunchAgents/ai.porten.agent.plist".to_owned());
        assert_eq!(state(running), ServiceState { loaded: true, pid: Some(4711), last_exit: None, unit });
        let stopped = state("gui/501/ai.porten.agent = {\n\tstate = not running\n\tlast exit code = 1\n}\n");
        assert_eq!((stopped.pid, stopped.last_exit.as_deref()), (None, Some("exit code 1")));
        let killed = state("x = {\n\tlast terminating signal = Killed: 9\n}\n");
        assert_eq!(killed.last_exit.as_deref(), Some("signal Killed: 9"));
        assert_eq!(state("nonsense"), ServiceState { loaded: true, ..ServiceState::default() });
    }
}
