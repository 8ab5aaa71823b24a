//! The popover's page in the app's own WebKit, read and clicked through WebDriver.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

use super::SOON;
use crate::agent::Agent;
use crate::process::app;
use crate::wait::wait_until;

/// The page of an app that the driver started; the app ends with it.
#[derive(Debug)]
pub struct Page {
    client: Client,
    driver: Child,
}

impl Page {
    /// Starts the app of this machine, with its popover open.
    ///
    /// # Panics
    /// There is no driver (package webkit2gtk-driver), or the app does not come up.
    pub async fn open(agent: &Agent) -> Self {
        let port = free_port();
        // The app's own log, since the app is the driver's child.
        let log = File::create(agent.home().path().join("app.err")).expect("a file for the app's log");
        let driver = Command::new("WebKitWebDriver")
            .arg(format!("--port={port}"))
            .env_clear()
            .envs(agent.environment())
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("WebKitWebDriver (package webkit2gtk-driver)");
        let wants = json!({ "webkitgtk:browserOptions": { "binary": app(), "args": ["--open"] } });
        let wants = wants.as_object().cloned().unwrap_or_default();
        let at = format!("http://127.0.0.1:{port}");
        let client = wait_until(SOON, "the driver has the page", async || {
            let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(wants.clone()).connect(&at).await.ok()
        })
        .await;
        Self { client, driver }
    }

    /// What a script in the page answers.
    ///
    /// # Panics
    /// It fails.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Turns to the page with this address, like `settings.html`, once it is there. It must have been shown once.
    ///
    /// # Panics
    /// It does not come.
    pub async fn turn_to(&self, page: &str) {
        wait_until(SOON, &format!("the page {page}"), async || {
            for handle in self.client.windows().await.ok()? {
                self.client.switch_to_window(handle).await.ok()?;
                if self.client.current_url().await.ok()?.path().ends_with(page) {
                    return Some(());
                }
            }
            None
        })
        .await;
    }

    /// What the host answers when the page asks for this command with these arguments: what it gives, or why not.
    ///
    /// # Errors
    /// It was refused.
    pub async fn ask(&self, command: &str, arguments: &Value) -> Result<Value, String> {
        let script = format!(
            "return window.__TAURI_INTERNALS__.invoke('{command}', {arguments})\
             .then((given) => ({{ given }}), (error) => ({{ error: error?.text ?? String(error) }}))"
        );
        let mut answer = self.run(&script).await;
        match answer["error"].take() {
            Value::String(error) => Err(error),
            _ => Ok(answer["given"].take()),
        }
    }

    /// All that it says.
    pub async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until it says this.
    ///
    /// # Panics
    /// It does not.
    pub async fn says(&self, words: &str) {
        let until = Instant::now() + SOON;
        loop {
            let text = self.text().await;
            if text.contains(words) {
                return;
            }
            assert!(Instant::now() < until, "waited {SOON:?} in vain until the popover says {words}; it says {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks on what this CSS selector finds, once it is there.
    ///
    /// # Panics
    /// It is not.
    pub async fn click(&self, selector: &str) {
        let found = wait_until(SOON, &format!("the popover has {selector}"), async || {
            self.client.find(Locator::Css(selector)).await.ok()
        })
        .await;
        found.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // The app is the driver's child, and ends with its session.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The driver cannot be told to take any port, so one that was free a moment ago is given.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
