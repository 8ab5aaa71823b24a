//! The service as a systemd user unit: its file in `~/.config/systemd/user`, and what `systemctl --user show` says.
//!
//! Why it says what it says (systemd.service(5), systemd.exec(5)):
//! - No `network-online.target`: user units do not see the system's targets. The agent waits for its Hub by itself.
//! - `StartLimitIntervalSec=0`: never given up. With `RestartSec` a crash at each start costs one start a second.
//! - `Restart=on-failure`: after a crash, a signal or an error; not after it was stopped in order.
//! - `KillMode=mixed`: SIGTERM to the agent alone, which drains; what is left after `TimeoutStopSec` is killed.
//! - `StandardOutput=null`: it writes its own log. What it complains about before that goes to the journal.

use super::{ARGUMENTS, OPEN_FILES, STOP_TIMEOUT, ServiceSpec, ServiceState};

/// Seconds from a crash to the next start.
const RESTART_S: u32 = 1;

/// What of a unit [`state`] reads, for `systemctl --user show -p`.
pub const PROPERTIES: &str =
    "LoadState,ActiveState,SubState,FragmentPath,MainPID,ExecMainCode,ExecMainStatus,ExecMainExitTimestampMonotonic";

/// The unit file's text.
#[must_use]
pub fn unit(spec: &ServiceSpec) -> String {
    let environment: String =
        (spec.environment.iter()).map(|(name, value)| format!("Environment=\"{name}={}\"\n", escaped(value))).collect();
    // A dollar sign is a variable in a command line, and nothing in an assignment.
    let program = escaped(&spec.program).replace('$', "$$");
    let (arguments, timeout) = (ARGUMENTS.join(" "), STOP_TIMEOUT.as_secs());
    format!(
        "[Unit]
Description=Porten agent: serves the models of this machine at a Hub
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=\"{program}\" {arguments}
{environment}Restart=on-failure
RestartSec={RESTART_S}
KillMode=mixed
TimeoutStopSec={timeout}
UMask=0077
LimitNOFILE={OPEN_FILES}
StandardOutput=null

[Install]
WantedBy=default.target
"
    )
}

/// What stands between double quotes: a percent sign would be a specifier.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%")
}

/// Reads what `systemctl --user show` prints of [`PROPERTIES`].
#[must_use]
pub fn state(shown: &str) -> ServiceState {
    let value = |name: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(str::trim).filter(|value| !value.is_empty())
    };
    let pid = value("MainPID").and_then(|pid| pid.parse().ok()).filter(|pid| *pid != 0);
    let has_ended = value("ExecMainExitTimestampMonotonic").is_some_and(|at| at != "0");
    let status = value("ExecMainStatus").unwrap_or("0");
    // CLD_EXITED is 1, CLD_KILLED 2, CLD_DUMPED 3.
    let last_exit = match value("ExecMainCode") {
        Some("1") if has_ended => Some(format!("exit code {status}")),
        Some("2" | "3") if has_ended => Some(format!("signal {status}")),
        _ => None,
    };
    ServiceState {
        loaded: value("LoadState") == Some("loaded"),
        pid: pid.filter(|_| value("ActiveState") != Some("inactive")),
        last_exit,
        unit: value("FragmentPath").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_unit_drains_restarts_and_gives_never_up() {
        let home = BTreeMap::from([("PORTEN_HOME".to_owned(), "/srv/p 100%$x".to_owned())]);
        let text = unit(&ServiceSpec::new("/opt/a \"b\"\\c/$d%e/porten", home).unwrap());
        insta::assert_snapshot!(text, @r#"
        [Unit]
        Description=Porten agent: serves the models of this machine at a Hub
        StartLimitIntervalSec=0

        [Service]
        Type=exec
        ExecStart="/opt/a \"b\"\\c/$$d%%e/porten" run --service
        Environment="PORTEN_HOME=/srv/p 100%%$x"
        Restart=on-failure
        RestartSec=1
        KillMode=mixed
        TimeoutStopSec=60
        UMask=0077
        LimitNOFILE=4096
        StandardOutput=null

        [Install]
        WantedBy=default.target
        "#);
    }

    #[test]
    fn what_systemctl_shows_is_read() {
        let running = "LoadState=loaded\nActiveState=active\nSubState=running\nFragmentPath=/h/.config/systemd/user/porten.service\nMainPID=42\nExecMainCode=0\nExecMainStatus=0\nExecMainExitTimestampMonotonic=0\n";
        let unit = Some("/h/.config/systemd/user/porten.service".to_owned());
        assert_eq!(state(running), ServiceState { loaded: true, pid: Some(42), last_exit: None, unit });
        let killed = state(
            "LoadState=loaded\nActiveState=activating\nMainPID=0\nExecMainCode=2\nExecMainStatus=9\nExecMainExitTimestampMonotonic=77\n",
        );
        assert_eq!((killed.pid, killed.last_exit.as_deref()), (None, Some("signal 9")));
        assert_eq!(state("LoadState=not-found\nActiveState=inactive\nMainPID=0\n"), ServiceState::default());
    }
}
