//! A Hub with two accounts: the others' one, with an agent and a node more, and the attacker's.

use std::time::Duration;

use porten_tests::{Agent, Hub, Process};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

use super::attacker::Account;
use super::net::{self, OTHERS, Visitor};
use crate::engine::MODEL;
use crate::order::Target;
use crate::path::{self, Engine};

/// A command of the Hub's ends within this time.
const COMMAND: Duration = Duration::from_secs(20);

/// All of it ends when dropped.
pub(crate) struct House {
    _agent: Agent,
    pub(crate) hub: Hub,
    /// Where the others ask.
    pub(crate) target: Target,
    pub(crate) mallory: Account,
    /// A node of the others' that is not connected: id and access token.
    pub(crate) spare: (String, String),
}

impl House {
    /// # Panics
    /// The test bed's: a program is missing or does not do its part; the sentence says which.
    pub(crate) async fn start(engine: &Engine, files: Option<u64>) -> Result<Self, String> {
        let before = getrlimit(Resource::Nofile);
        if let Some(files) = files {
            limit(Rlimit { current: Some(files), ..before })?;
        }
        let mut hub = Hub::start_with_log("info").await;
        limit(before)?;
        let agent = path::serving(engine, &hub, &hub.ws_url()).await;
        let target = Target { url: hub.url(), key: hub.api_key.clone(), model: MODEL.into() };
        let spare = grant(&hub, "spare").await?;
        let mut mallory = Account { name: "mallory".into(), ..Account::default() };
        let said = command(&hub, &["account", "add", "mallory"]).await?;
        mallory.passphrase = word(&said, is_passphrase).ok_or("`porten-hub account add` told no passphrase")?;
        let said = command(&hub, &["key", "add", "mallory"]).await?;
        mallory.key = word(&said, |word| word.starts_with("porten_key_")).ok_or("`porten-hub key add` told no key")?;
        let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        mallory.key_number = word(&said, is_number).ok_or("`porten-hub key add` told no number")?;
        // The page is answered by whoever the Hub's own fields name.
        hub.account.clone_from(&mallory.name);
        hub.passphrase.clone_from(&mallory.passphrase);
        mallory.node = grant(&hub, "mallory-1").await?;
        Ok(Self { _agent: agent, hub, target, mallory, spare })
    }

    /// The Hub's state file.
    pub(crate) fn state(&self) -> std::path::PathBuf {
        state(&self.hub)
    }

    /// The length of the Hub's log (bytes).
    pub(crate) fn log(&self) -> usize {
        self.hub.process().stderr().len()
    }
}

fn state(hub: &Hub) -> std::path::PathBuf {
    hub.home().path().join("hub.sqlite")
}

fn limit(files: Rlimit) -> Result<(), String> {
    setrlimit(Resource::Nofile, files).map_err(|error| format!("the number of open files cannot be set ({error})"))
}

/// Runs a `porten-hub` command on the Hub's state; what it printed.
async fn command(hub: &Hub, arguments: &[&str]) -> Result<String, String> {
    let state = state(hub).to_string_lossy().into_owned();
    let arguments = [arguments, &["--state", &state]].concat();
    let ended =
        Process::start("porten-hub", &arguments, &hub.home().environment(), hub.home().path()).ended(COMMAND).await;
    if ended.code == Some(0) {
        Ok(ended.stdout)
    } else {
        Err(format!("porten-hub {}: {}", arguments.join(" "), ended.stderr))
    }
}

/// A node's sign-in, approved by whoever the Hub's fields name: its id and access token.
async fn grant(hub: &Hub, node: &str) -> Result<(String, String), String> {
    let mut machine = Visitor::new(net::address(&hub.url())?, OTHERS);
    let fields = [("client_id", "porten"), ("node", node), ("name", "mac")];
    let told = machine.form("/oauth/device_authorization", &fields).await?;
    let told: Value = serde_json::from_str(&told.text).map_err(|_| format!("no codes: {}", told.text))?;
    let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
    hub.approve(&text("user_code")).await;
    let device_code = text("device_code");
    let kind = "urn:ietf:params:oauth:grant-type:device_code";
    let fields = [("client_id", "porten"), ("grant_type", kind), ("device_code", device_code.as_str())];
    let told = machine.form("/oauth/token", &fields).await?;
    let tokens: Value = serde_json::from_str(&told.text).unwrap_or_default();
    let access = tokens["access_token"].as_str().ok_or_else(|| format!("no token: {}", told.status))?;
    Ok((node.to_owned(), access.to_owned()))
}

fn word(text: &str, is_it: impl Fn(&str) -> bool) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c)).filter(|word| !word.is_empty());
    words.into_iter().find(|word| is_it(word)).map(str::to_owned)
}

/// Groups of letters with dashes between, as in `bcdfg-hjklm-npqrs`.
fn is_passphrase(word: &str) -> bool {
    let mut groups = word.split('-');
    word.matches('-').count() >= 2
        && groups.all(|group| group.len() >= 4 && group.bytes().all(|byte| byte.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_commands_told_is_found_in_any_sentence() {
        let said = "Account mallory. Its passphrase, shown this once:\nbcdfg-hjklm-npqrs-tvwxz\n";
        assert_eq!(word(said, is_passphrase).as_deref(), Some("bcdfg-hjklm-npqrs-tvwxz"));
        assert_eq!(word("no-such-thing a-b", is_passphrase), None);
    }
}
