//! A real agent: the `porten` program with a home of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use porten_agent::local::Local;
use porten_core::command::Command;
use porten_core::ids::ModelId;
use serde_json::{Value, json};

use crate::home::Home;
use crate::hub::Hub;
use crate::process::{Ended, Process, app};
use crate::wait::wait_until;

/// A command answers in this time, on a machine that compiles something else beside.
const COMMAND: Duration = Duration::from_secs(20);
/// A sign-in takes a poll or two, a second each.
const LOGIN: Duration = Duration::from_secs(30);
/// An agent that was asked to end has the Hub's drain time.
const STOP: Duration = Duration::from_secs(45);

/// A machine with `porten` on it. What runs is killed when it is dropped.
#[derive(Debug)]
pub struct Agent {
    environment: BTreeMap<String, String>,
    running: Option<Process>,
    home: Home,
}

impl Agent {
    /// A machine whose settings name this Hub. The log is at its most talkative.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        let mut agent = Self::bare();
        agent.set("PORTEN_HUB_URL", &hub.ws_url());
        agent
    }

    /// A machine without settings.
    #[must_use]
    pub fn bare() -> Self {
        let home = Home::new();
        let mut environment = home.environment();
        environment.insert("PORTEN_LOG".into(), "trace".into());
        Self { environment, running: None, home }
    }

    /// Sets an environment variable for everything that is started from now on.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Serves the model `tiny` of the engine at this address, with memory enough for it.
    pub fn set_engine(&mut self, url: &str) -> &mut Self {
        self.set("PORTEN_ENGINE", "openai").set("PORTEN_ENGINE_URL", url);
        self.set("PORTEN_ENGINE_MODELS", "tiny").set("PORTEN_VRAM_BUDGET_MB", "4096")
    }

    /// Takes one away.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.environment.remove(name);
        self
    }

    /// Its home.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// Starts a `porten` command.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Process {
        Process::start("porten", arguments, &self.environment, self.home.path())
    }

    /// Its programs' environment.
    #[must_use]
    pub const fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The menu-bar app, until [`Agent::stop`], [`Agent::kill`] or the end of the test.
    pub fn run_app(&mut self, arguments: &[&str]) {
        self.running = Some(self.start_app(arguments));
    }

    /// Starts the menu-bar app once more.
    #[must_use]
    pub fn start_app(&self, arguments: &[&str]) -> Process {
        Process::start_at(&app(), arguments, &self.environment, self.home.path())
    }

    /// Runs a `porten` command to its end.
    ///
    /// # Panics
    /// It takes too long.
    pub async fn command(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended(COMMAND).await
    }

    /// `porten login`, with a person who says yes.
    ///
    /// # Panics
    /// It ends in anything but success.
    pub async fn login(&self, hub: &Hub) {
        let (mut login, code) = self.begin_login().await;
        hub.approve(&code).await;
        let ended = login.ended(LOGIN).await;
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }

    /// `porten login`, as far as the code that it shows.
    ///
    /// # Panics
    /// It shows none.
    pub async fn begin_login(&self) -> (Process, String) {
        self.begin_login_with(&[]).await
    }

    /// The same with more arguments.
    ///
    /// # Panics
    /// It shows none.
    pub async fn begin_login_with(&self, more: &[&str]) -> (Process, String) {
        let mut login = self.start(&[&["login", "--no-browser"], more].concat());
        let code = wait_until(COMMAND, "porten login shows a code", async || {
            let code = user_code(&login.stdout()).or_else(|| user_code(&login.stderr()));
            assert!(code.is_some() || login.is_running(), "it ended: {}{}", login.stdout(), login.stderr());
            code
        })
        .await;
        (login, code)
    }

    /// Puts a credential of the Hub at this origin where the agent looks for it, as if a person had signed in.
    ///
    /// # Panics
    /// The home cannot be written to.
    pub fn store_credential(&self, origin: &str) {
        let hour = jiff::SignedDuration::from_hours(1);
        let credential = json!({
            "hub": origin,
            "access": "scripted-access",
            "refresh": "scripted-refresh",
            "issued_at": Timestamp::now().to_string(),
            "expires_at": (Timestamp::now() + hour).to_string(),
        });
        let state = self.home.porten().join("state");
        std::fs::create_dir_all(&state).expect("a state folder");
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = origin.chars().map(plain).collect();
        let path = state.join(format!("credential-{name}.json"));
        std::fs::write(&path, credential.to_string()).expect("a credential");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).expect("a private credential");
    }

    /// `porten run`, until [`Agent::stop`], [`Agent::kill`] or the end of the test.
    pub fn run(&mut self) {
        self.running = Some(self.start(&["run"]));
    }

    /// The running agent.
    ///
    /// # Panics
    /// None runs.
    #[must_use]
    pub const fn process(&mut self) -> &mut Process {
        self.running.as_mut().expect("the agent runs")
    }

    /// Ends the running agent in order, and returns all it said.
    ///
    /// # Panics
    /// None runs, or it does not end.
    pub async fn stop(&mut self) -> Ended {
        let mut process = self.running.take().expect("the agent runs");
        process.signal("TERM");
        process.ended(STOP).await
    }

    /// Ends the running agent as a crash would.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// What the session's keyring holds for this machine at this Hub; nothing while there is no item.
    ///
    /// # Panics
    /// There is no node id, or no `secret-tool` (package libsecret-tools).
    #[must_use]
    pub fn keyring_item(&self, hub: &Hub) -> Vec<u8> {
        let node = std::fs::read_to_string(self.home.porten().join("state/node-id")).expect("a node id");
        let account = format!("{} at {}", node.trim(), hub.url());
        let mut lookup = std::process::Command::new("secret-tool");
        lookup.args(["lookup", "service", "Porten", "username", &account]);
        lookup.output().expect("secret-tool").stdout
    }

    /// Sees that the keyring has both tokens, and no file of this machine's has one.
    ///
    /// # Panics
    /// It is not so.
    pub fn assert_tokens_are_in_the_keyring_alone(&self, hub: &Hub) {
        let kept: Value = serde_json::from_slice(&self.keyring_item(hub)).expect("the item in the keyring");
        for name in ["access", "refresh"] {
            let token = kept[name].as_str().expect("a token");
            assert!(self.home.files_with(token).is_empty(), "{name} is in a file");
        }
    }

    /// Turns a model on or off, without a process for it.
    ///
    /// # Panics
    /// The agent does not take it.
    pub async fn turn(&self, id: &str, on: bool) {
        let id = ModelId::read(id).expect("a model id");
        self.local().send(&Command::turn(id, on)).await.expect("the agent takes it");
    }

    /// Its socket.
    ///
    /// # Panics
    /// An HTTP client cannot be made.
    #[must_use]
    pub fn local(&self) -> Local {
        porten_agent::install_crypto();
        Local::at(&self.home.porten().join("run/agent.sock")).expect("an HTTP client")
    }

    /// `porten status --json`.
    ///
    /// # Panics
    /// It prints no JSON.
    pub async fn status(&self) -> Value {
        let ended = self.command(&["status", "--json"]).await;
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("status printed {ended:?}"))
    }

    /// Waits until the status is so, and returns it.
    ///
    /// # Panics
    /// It is not within `limit`.
    pub async fn status_until(&self, limit: Duration, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_until(limit, what, async || Some(self.status().await).filter(&is_so)).await
    }
}

/// A word like `WDJB-MJHT`.
fn user_code(text: &str) -> Option<String> {
    let is_half = |half: &str| half.len() == 4 && half.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_code = |word: &&str| word.split_once('-').is_some_and(|(left, right)| is_half(left) && is_half(right));
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').find(is_code).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_any_sentence() {
        let text = "Open http://127.0.0.1:1/device?user_code=WDJB-MJHT and check the code.";
        assert_eq!(user_code(text).as_deref(), Some("WDJB-MJHT"));
        assert_eq!(user_code("UTF-8 LONG-WORDS X-YZ wdjb-mjht"), None);
    }
}
