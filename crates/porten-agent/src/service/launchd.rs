//! launchd's domain of the person at the screen (`gui/UID`), by way of `launchctl`.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use porten_core::service::launchd::state;
use porten_core::service::{LABEL, STOP_TIMEOUT, ServiceState};
use tokio::time::Instant;

use super::command::{complaint, done, run};
use super::{ServiceError, remove};

/// How often it is looked whether the service has ended, or can be loaded.
const LOOK: Duration = Duration::from_millis(100);
/// For the moment after a service was unloaded, in which launchd loads no other.
const SETTLE: Duration = Duration::from_secs(5);

/// The manager.
#[derive(Debug, Clone)]
pub struct Launchd {
    tool: String,
    unit: PathBuf,
    domain: String,
}

impl Launchd {
    pub(super) fn new(home: &Path) -> Self {
        let unit = home.join("Library/LaunchAgents").join(format!("{LABEL}.plist"));
        Self { tool: "launchctl".to_owned(), unit, domain: format!("gui/{}", rustix::process::getuid().as_raw()) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.unit
    }

    fn target(&self) -> String {
        format!("{}/{LABEL}", self.domain)
    }

    pub(super) async fn state(&self) -> Result<ServiceState, ServiceError> {
        let output = self.launchctl(&["print", &self.target()]).await?;
        if output.status.success() {
            return Ok(state(&String::from_utf8_lossy(&output.stdout)));
        }
        // Either it is not loaded, or there is no session to load it in.
        let session = self.launchctl(&["print", &self.domain]).await?;
        if session.status.success() {
            return Ok(ServiceState::default());
        }
        Err(ServiceError::NoManager(format!(
            "launchd has no session of this account ({}); log in at this Mac's screen, or by Screen Sharing, and try again there",
            complaint(&session)
        )))
    }

    pub(super) async fn install(&self) -> Result<(), ServiceError> {
        self.unload().await?;
        self.load().await
    }

    pub(super) async fn start(&self) -> Result<(), ServiceError> {
        if !self.state().await?.loaded {
            return self.load().await;
        }
        self.ask(&["kickstart", &self.target()]).await
    }

    pub(super) async fn restart(&self) -> Result<(), ServiceError> {
        self.stop().await?;
        self.start().await
    }

    pub(super) async fn stop(&self) -> Result<(), ServiceError> {
        if self.state().await?.pid.is_some() {
            // Ended in order it is not started again (`KeepAlive`), and stays loaded for the next login.
            self.ask(&["kill", "SIGTERM", &self.target()]).await?;
            self.wait("stop", |state| state.pid.is_none()).await?;
        }
        Ok(())
    }

    pub(super) async fn uninstall(&self) -> Result<(), ServiceError> {
        self.unload().await?;
        remove(&self.unit)
    }

    async fn load(&self) -> Result<(), ServiceError> {
        // Somebody may have disabled it with launchctl; asked to install it, they want it.
        self.ask(&["enable", &self.target()]).await?;
        let (unit, until) = (self.unit.display().to_string(), Instant::now() + SETTLE);
        let arguments = ["bootstrap", &self.domain, &unit];
        loop {
            let output = self.launchctl(&arguments).await?;
            if output.status.success() || Instant::now() > until {
                return done(&self.tool, &arguments, &output).map(drop);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn unload(&self) -> Result<(), ServiceError> {
        if self.state().await?.loaded {
            // It may say that the service is still ending (36), which is waited for here.
            self.launchctl(&["bootout", &self.target()]).await?;
            self.wait("unload", |state| !state.loaded).await?;
        }
        Ok(())
    }

    async fn wait(&self, what: &'static str, is_so: impl Fn(&ServiceState) -> bool) -> Result<(), ServiceError> {
        let patience = STOP_TIMEOUT + SETTLE;
        let until = Instant::now() + patience;
        while !is_so(&self.state().await?) {
            if Instant::now() > until {
                return Err(ServiceError::Silent(format!("launchd, asked to {what} the service,"), patience));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn ask(&self, arguments: &[&str]) -> Result<(), ServiceError> {
        done(&self.tool, arguments, &self.launchctl(arguments).await?).map(drop)
    }

    async fn launchctl(&self, arguments: &[&str]) -> Result<Output, ServiceError> {
        run(&self.tool, arguments, &[]).await
    }
}

// The stand-in needs GNU's date.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use porten_core::service::ServiceSpec;

    use super::*;

    /// As much of launchctl as is asked for here, by its manual page: a job that is loaded runs, ends 300 ms after it was told
    /// to, and is gone only then. Each call is written down.
    const LAUNCHCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >>calls
[ -e no-session ] && { echo "Could not find domain for port" >&2; exit 113; }
[ -e ending ] && [ "$(($(date +%s%N) - $(cat ending)))" -gt 300000000 ] && { . ./ending-does; rm ending; }
case "$1" in
print)
    case "$2" in */*/*) ;; *) exit 0 ;; esac
    [ -e loaded ] || { echo "Could not find service" >&2; exit 113; }
    printf '%s = {\n\tpath = %s\n' "$2" "$(cat loaded)"
    [ -e running ] && printf '\tstate = running\n\tpid = 77\n'
    printf '\tlast exit code = %s\n}\n' "$([ -e ended ] && echo 0 || echo '(never exited)')" ;;
enable) ;;
bootstrap)
    [ -e loaded ] && { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }
    [ -f "$3" ] || { echo "Bootstrap failed: 2: No such file" >&2; exit 2; }
    echo "$3" >loaded; touch running ;;
kickstart) [ -e loaded ] || exit 113; touch running ;;
kill) [ -e running ] || exit 3; date +%s%N >ending; echo 'rm -f running; touch ended' >ending-does ;;
bootout) date +%s%N >ending; echo 'rm -f running loaded' >ending-does; echo "Operation now in progress" >&2; exit 36 ;;
*) echo "Unrecognized subcommand: $1" >&2; exit 64 ;;
esac
"#;

    fn launchd(home: &Path) -> Launchd {
        let tool = home.join("launchctl");
        std::fs::write(&tool, LAUNCHCTL).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        Launchd { tool: tool.display().to_string(), ..Launchd::new(home) }
    }

    #[tokio::test]
    async fn a_job_is_loaded_stopped_and_unloaded_when_it_has_ended() {
        let home = tempfile::tempdir().unwrap();
        let launchd = launchd(home.path());
        assert_eq!(launchd.state().await.unwrap(), ServiceState::default());
        assert!(launchd.start().await.is_err(), "there is no file to load");

        let manager = super::super::Manager::Launchd(launchd.clone());
        let unit = manager.unit(&ServiceSpec::new("/usr/local/bin/porten", BTreeMap::new()).unwrap());
        for _ in 0..2 {
            // The second time it runs already, and is let finish first.
            manager.install(&unit).await.unwrap();
            assert_eq!(manager.installed().unwrap().as_ref(), Some(&unit));
            let state = launchd.state().await.unwrap();
            assert_eq!(
                (state.loaded, state.pid, state.unit),
                (true, Some(77), Some(launchd.path().display().to_string()))
            );
        }
        launchd.stop().await.unwrap();
        let stopped = launchd.state().await.unwrap();
        assert_eq!((stopped.loaded, stopped.pid, stopped.last_exit.as_deref()), (true, None, Some("exit code 0")));
        launchd.stop().await.unwrap();
        launchd.restart().await.unwrap();
        assert_eq!(launchd.state().await.unwrap().pid, Some(77));
        launchd.uninstall().await.unwrap();
        assert!(!launchd.path().exists() && !launchd.state().await.unwrap().loaded);
        launchd.uninstall().await.unwrap();
        let calls = std::fs::read_to_string(home.path().join("calls")).unwrap();
        let domain = format!("gui/{}", rustix::process::getuid().as_raw());
        assert!(calls.contains(&format!("bootstrap {domain} {}", launchd.path().display())), "{calls}");
        assert!(
            calls.contains(&format!("kill SIGTERM {domain}/{LABEL}")) && !calls.contains("kickstart -k"),
            "{calls}"
        );
    }

    #[tokio::test]
    async fn without_a_session_it_says_where_to_log_in() {
        let home = tempfile::tempdir().unwrap();
        let launchd = launchd(home.path());
        std::fs::write(home.path().join("no-session"), "").unwrap();
        let said = launchd.state().await.unwrap_err().to_string();
        assert!(said.contains("log in at this Mac") && !said.contains('\n'), "{said}");
        let missing = Launchd { tool: "/nowhere/launchctl".to_owned(), ..launchd };
        assert!(missing.state().await.unwrap_err().to_string().contains("porten run"));
    }
}
