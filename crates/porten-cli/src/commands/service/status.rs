//! `porten service status`.

use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;
use porten_agent::local::Local;
use porten_agent::places::Places;
use porten_agent::service::{Manager, ServiceError};
use porten_core::seat::Host;
use porten_core::service::ServiceState;
use porten_core::snapshot::HostView;
use serde_json::json;

use crate::exit::{Exit, Told};
use crate::printer::say;

const NOT_INSTALLED: &str = "The service is not installed; install it with: porten service install";
const NOT_RUNNING: &str = "The service is installed and does not run; start it with: porten service start";

/// What there is to be said of the service.
#[derive(Debug)]
pub(crate) struct Status {
    installed: bool,
    state: ServiceState,
    /// Why the system's own word is not known.
    unknown: Option<String>,
    /// Who serves, whatever it is.
    host: Option<HostView>,
    unit: PathBuf,
    log: PathBuf,
    only_while_logged_in: Option<String>,
}

impl Status {
    /// Asks the system and the agent.
    pub(crate) async fn read(manager: &Manager, places: &Places) -> Result<Self> {
        let installed = manager.installed()?.is_some();
        let (state, unknown) = match manager.state().await {
            Ok(state) => (state, None),
            Err(error @ (ServiceError::NoManager(_) | ServiceError::Tool { .. })) => {
                (ServiceState::default(), Some(error.to_string()))
            }
            Err(error) => return Err(error.into()),
        };
        let host = Local::at(&places.socket())?.snapshot().await.ok().map(|snapshot| snapshot.host);
        let only_while_logged_in = if installed { manager.only_while_logged_in().await } else { None };
        let (unit, log) = (manager.path().to_owned(), places.service_log());
        Ok(Self { installed, state, unknown, host, unit, log, only_while_logged_in })
    }

    /// Whether it runs.
    pub(crate) const fn runs(&self) -> bool {
        self.state.pid.is_some()
    }

    /// Whether it is the one that serves.
    pub(crate) fn serves(&self) -> bool {
        self.since().is_some()
    }

    fn since(&self) -> Option<Timestamp> {
        let host = self.host.as_ref().filter(|host| host.kind == Host::Service)?;
        (Some(host.pid) == self.state.pid).then_some(host.since)
    }

    pub(crate) fn show(&self, json: bool) {
        if json {
            return say(&self.answer().to_string());
        }
        self.lines().iter().for_each(|line| say(line));
    }

    /// As an object; with whether a command changed anything, if it may have.
    pub(crate) fn json(&self, changed: Option<bool>) -> serde_json::Value {
        json!({
            "installed": self.installed,
            "running": self.runs(),
            "pid": self.state.pid,
            "since": self.since(),
            "serving_host": self.host.as_ref().map(|host| host.kind),
            "serving_pid": self.host.as_ref().map(|host| host.pid),
            "last_exit": self.state.last_exit,
            "unit": self.unit,
            "log": self.log,
            "manager_error": self.unknown,
            "only_while_logged_in": self.only_while_logged_in.is_some(),
            "changed": changed,
        })
    }

    /// What `status` answers: with what is wrong, while it does not run.
    fn answer(&self) -> serde_json::Value {
        let mut told = self.json(None);
        if let (false, Some(fields)) = (self.runs(), told.as_object_mut()) {
            let (code, text) = match (self.installed, &self.unknown) {
                (false, _) => ("not_installed", NOT_INSTALLED),
                (true, Some(unknown)) => ("service", unknown.as_str()),
                (true, None) => ("not_running", NOT_RUNNING),
            };
            let failed = Told::new(Exit::Broken, code, text).json();
            fields.extend(failed.as_object().cloned().unwrap_or_default());
        }
        told
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![match (self.installed, self.state.pid, self.since()) {
            (false, None, _) => NOT_INSTALLED.to_owned(),
            (true, None, _) if self.unknown.is_some() => {
                "The service is installed; whether it runs is not known.".to_owned()
            }
            (true, None, _) => NOT_RUNNING.to_owned(),
            (_, Some(pid), Some(since)) => format!("The service runs (process {pid}) since {since:.0}."),
            (_, Some(pid), None) => match &self.host {
                Some(host) => {
                    format!("The service runs (process {pid}) and waits: {} (process {}) serves.", host.kind, host.pid)
                }
                None => format!("The service runs (process {pid}); no agent answers yet."),
            },
        }];
        lines.extend(self.unknown.clone());
        if self.installed {
            lines.push(format!("  unit       {}", self.unit.display()));
        }
        lines.push(format!("  log        {}", self.log.display()));
        if let Some(exit) = &self.state.last_exit {
            lines.push(format!("  last exit  {exit}"));
        }
        lines.extend(self.only_while_logged_in.clone());
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(pid: Option<u32>, host: Option<(Host, u32)>) -> Status {
        let host = host.map(|(kind, pid)| HostView {
            kind,
            pid,
            version: String::new(),
            name: String::new(),
            node: String::new(),
            since: Timestamp::UNIX_EPOCH,
        });
        let state = ServiceState { loaded: true, pid, last_exit: Some("signal 9".to_owned()), unit: None };
        let (unit, log) = (PathBuf::from("/u"), PathBuf::from("/l"));
        Status { installed: true, state, unknown: None, host, unit, log, only_while_logged_in: None }
    }

    #[test]
    fn it_says_whether_the_service_serves_or_who_does() {
        let first = |status: Status| status.lines().swap_remove(0);
        assert!(first(status(None, None)).contains("does not run"));
        assert_eq!(
            first(status(Some(7), Some((Host::Service, 7)))),
            "The service runs (process 7) since 1970-01-01T00:00:00Z."
        );
        assert_eq!(
            first(status(Some(7), Some((Host::Run, 9)))),
            "The service runs (process 7) and waits: Another `porten run` (process 9) serves."
        );
        assert!(first(Status { installed: false, ..status(None, None) }).contains("not installed"));
        assert!(status(Some(7), Some((Host::Service, 7))).serves() && !status(Some(7), Some((Host::App, 9))).serves());
    }

    #[test]
    fn a_program_reads_numbers_and_nulls() {
        let told = status(Some(7), Some((Host::Service, 7))).json(Some(false));
        assert_eq!(
            (&told["pid"], &told["serving_host"], &told["changed"]),
            (&7.into(), &"service".into(), &false.into())
        );
        let stopped = status(None, None).answer();
        assert!(stopped["pid"].is_null() && stopped["changed"].is_null());
        assert_eq!((&stopped["error"]["code"], &stopped["error"]["exit"]), (&"not_running".into(), &1.into()));
        assert!(status(Some(7), None).answer().get("error").is_none());
    }
}
