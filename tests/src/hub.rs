//! A real Hub as a process, and the person who approves machines on its page.

use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::client::{self, Client};
use crate::home::Home;
use crate::process::Process;

/// A Hub is up in this time, on a machine that compiles something else beside.
const START: Duration = Duration::from_secs(20);
/// It stops in this time: requests, goodbyes, and then some.
const STOP: Duration = Duration::from_secs(20);

/// A Hub of `--dev`. Its state is in a file, so accounts, keys and sign-ins outlive a restart.
#[derive(Debug)]
pub struct Hub {
    /// The name of its account.
    pub account: String,
    /// The account's passphrase.
    pub passphrase: String,
    /// A key for clients.
    pub api_key: String,
    port: u16,
    /// Where people and agents find it, if that is not where it listens.
    public: Option<String>,
    process: Option<Process>,
    home: Home,
    arguments: Vec<String>,
    log: String,
}

/// A person's answer on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Connect this machine.
    Connect,
    /// Don't.
    Refuse,
}

impl Hub {
    /// A Hub with its built-in catalog and the model `tiny`.
    pub async fn start_dev() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more arguments, like `--catalog FILE`.
    ///
    /// # Panics
    /// It does not come up.
    pub async fn start_with(arguments: &[&str]) -> Self {
        Self::start_as(arguments, "trace").await
    }

    /// The same with this level of its log instead of the most talkative one: what is to be fast must not talk so much.
    ///
    /// # Panics
    /// It does not come up.
    pub async fn start_with_log(level: &str) -> Self {
        Self::start_as(&[], level).await
    }

    /// A Hub that is found at this address only, behind something that passes on to [`Self::port`].
    ///
    /// # Panics
    /// It does not come up.
    pub async fn start_behind(public: &str) -> Self {
        // The Hub prints its public address: where it listens must be known before.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut hub = Self::stopped(&["--public-url", public], "trace");
        hub.port = free.local_addr().expect("its address").port();
        hub.public = Some(public.to_owned());
        drop(free);
        hub.start().await;
        hub
    }

    async fn start_as(arguments: &[&str], log: &str) -> Self {
        let mut hub = Self::stopped(arguments, log);
        hub.start().await;
        hub
    }

    fn stopped(arguments: &[&str], log: &str) -> Self {
        Self {
            account: String::new(),
            passphrase: String::new(),
            api_key: String::new(),
            port: 0,
            public: None,
            process: None,
            home: Home::new(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            log: log.to_owned(),
        }
    }

    /// Starts it on the port it had. The passphrase and the key are new; old keys stay good.
    ///
    /// # Panics
    /// It does not come up.
    pub async fn start(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        let state = self.home.path().join("hub.sqlite").to_string_lossy().into_owned();
        let mut arguments = vec!["serve", "--dev", "--json", "--listen", &listen, "--state", &state];
        arguments.extend(self.arguments.iter().map(String::as_str));
        let mut environment = self.home.environment();
        environment.insert("PORTEN_LOG".into(), self.log.clone());
        let mut process = Process::start("porten-hub", &arguments, &environment, self.home.path());
        let line = process.first_line(START).await;
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the Hub printed {line}"));
        let text =
            |key: &str| told[key].as_str().unwrap_or_else(|| panic!("the Hub did not tell its {key}")).to_owned();
        if self.public.is_none() {
            let port = text("url").rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok());
            self.port = port.expect("the Hub's address has a port");
        }
        self.account = text("account");
        self.passphrase = text("passphrase");
        self.api_key = text("api_key");
        self.process = Some(process);
    }

    /// Stops it in order.
    ///
    /// # Panics
    /// It does not stop in time, or not well.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal("TERM");
            let ended = process.ended(STOP).await;
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Its process.
    ///
    /// # Panics
    /// It was stopped.
    #[must_use]
    pub const fn process(&self) -> &Process {
        self.process.as_ref().expect("the Hub runs")
    }

    /// Its home, with its state file and its logs.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// For people and clients: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// For agents: `ws://127.0.0.1:PORT`.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// A client with the Hub's key.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.url(), &self.api_key)
    }

    /// The models that clients can ask for.
    pub async fn offered(&self) -> Vec<String> {
        let list = self.client().get("/v1/models").await.json;
        let models = list["data"].as_array().into_iter().flatten();
        models.filter_map(|one| one["id"].as_str()).map(str::to_owned).collect()
    }

    /// Signs in on the Hub's page and says yes to the machine that shows this code.
    ///
    /// # Panics
    /// The page does not go that way.
    pub async fn approve(&self, user_code: &str) {
        self.answer(user_code, Verdict::Connect).await;
    }

    /// The same, with either answer. Returns the last page.
    ///
    /// # Panics
    /// The page does not go that way.
    pub async fn answer(&self, user_code: &str, verdict: Verdict) -> String {
        let origin = self.public.clone().unwrap_or_else(|| self.url());
        let mut browser = Browser { http: client::http(), hub: self.url(), origin, cookie: String::new() };
        let asked = format!("/device?user_code={user_code}");
        let page = browser.get(&asked).await;
        let visit = [
            ("csrf", hidden(&page, "csrf")),
            ("user_code", user_code.to_owned()),
            ("account", self.account.clone()),
            ("passphrase", self.passphrase.clone()),
        ];
        browser.post("/device/sign-in", &visit, 303).await;
        let page = browser.get(&asked).await;
        let answer = if verdict == Verdict::Connect { "connect" } else { "refuse" };
        let decision =
            [("csrf", hidden(&page, "csrf")), ("user_code", hidden(&page, "user_code")), ("answer", answer.to_owned())];
        browser.post("/device", &decision, 200).await
    }
}

/// As much of a browser as the page needs: one cookie.
struct Browser {
    http: reqwest::Client,
    hub: String,
    origin: String,
    cookie: String,
}

impl Browser {
    async fn get(&mut self, path: &str) -> String {
        let request = self.http.get(format!("{}{path}", self.hub)).header("cookie", &self.cookie);
        let response = request.send().await.expect("the Hub's page");
        assert_eq!(response.status(), 200, "{path}");
        self.take(response).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, String)], expected: u16) -> String {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.hub)).header("cookie", &self.cookie);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").header("origin", &self.origin);
        let response = request.body(body).send().await.expect("the Hub's page");
        let status = response.status().as_u16();
        let page = self.take(response).await;
        assert_eq!(status, expected, "{path}: {page}");
        page
    }

    async fn take(&mut self, response: reqwest::Response) -> String {
        if let Some(cookie) = response.headers().get("set-cookie") {
            let cookie = cookie.to_str().expect("a cookie is ASCII");
            cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        }
        response.text().await.expect("a whole page")
    }
}

/// The value of a form's hidden field.
fn hidden(page: &str, name: &str) -> String {
    let begin = format!("name=\"{name}\" value=\"");
    let value = page.split_once(&begin).and_then(|(_, rest)| rest.split_once('"'));
    value.unwrap_or_else(|| panic!("the page has no field {name}: {page}")).0.to_owned()
}
