//! Runs one of the service manager's own tools, with a deadline.

use std::process::{Output, Stdio};
use std::time::Duration;

use porten_core::display_text::sanitize;
use porten_core::service::STOP_TIMEOUT;
use tokio::process::Command;

use super::ServiceError;

/// For one command. Some wait until the service has ended.
const DEADLINE: Duration = Duration::from_secs(STOP_TIMEOUT.as_secs() + 30);

/// Runs it to its end, whatever that is.
pub(super) async fn run(
    tool: &str,
    arguments: &[&str],
    environment: &[(&str, String)],
) -> Result<Output, ServiceError> {
    let mut command = Command::new(tool);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    // Its words are read, and in one language.
    command.env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(DEADLINE, command.output()).await {
        Ok(output) => output.map_err(|source| ServiceError::Tool { tool: tool.to_owned(), source }),
        Err(_) => Err(ServiceError::Silent(line(tool, arguments), DEADLINE)),
    }
}

/// What it printed, if it went well.
pub(super) fn done(tool: &str, arguments: &[&str], output: &Output) -> Result<String, ServiceError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ServiceError::Failed { command: line(tool, arguments), text: complaint(output) })
}

/// Its last words in one line.
pub(super) fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned);
    said.map_or_else(|| output.status.to_string(), |said| sanitize(&said, 300))
}

fn line(tool: &str, arguments: &[&str]) -> String {
    format!("`{tool} {}`", arguments.join(" "))
}
