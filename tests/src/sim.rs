//! An exo cluster made of software, as a process: `porten-sim`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::home::Home;
use crate::process::Process;
use crate::wait::wait_until;

/// It is up in this time, on a machine that compiles something else beside.
const START: Duration = Duration::from_secs(20);

/// A cluster; it ends when dropped.
#[derive(Debug)]
pub struct Sim {
    url: String,
    process: Process,
    _home: Home,
}

impl Sim {
    /// A cluster with these arguments, beside `--json --api-port 0`.
    ///
    /// # Panics
    /// It does not come up.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::try_start(arguments).await.unwrap_or_else(|why| panic!("porten-sim {arguments:?} does not start: {why}"))
    }

    /// The same, or what it complains of if it ends at once.
    ///
    /// # Errors
    /// It refuses its arguments, in its own words.
    ///
    /// # Panics
    /// It neither comes up nor ends.
    pub async fn try_start(arguments: &[&str]) -> Result<Self, String> {
        let home = Home::new();
        let mut all = vec!["--json", "--api-port", "0"];
        all.extend(arguments);
        let mut process = Process::start("porten-sim", &all, &home.environment(), home.path());
        let line = wait_until(START, "porten-sim prints a line", async || {
            // Asked first: what it printed before it ended is there by then.
            let ended = !process.is_running();
            match process.stdout().split_once('\n') {
                Some((line, _)) => Some(Ok(line.to_owned())),
                None => ended.then(|| Err(process.stderr())),
            }
        })
        .await?;
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("porten-sim printed {line}"));
        let url = told["url"].as_str().unwrap_or_else(|| panic!("porten-sim told no address: {line}")).to_owned();
        Ok(Self { url, process, _home: home })
    }

    /// `http://localhost:PORT`, as a person would write it.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.replace("127.0.0.1", "localhost")
    }

    /// Its process.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// One of its documents.
    pub async fn get(&self, path: &str) -> Value {
        Client::new(&self.url, "").get(path).await.json
    }

    /// Every `METHOD /path` that it was asked, by whomever.
    pub async fn requests(&self) -> Vec<String> {
        let seen = self.get("/sim/requests").await;
        seen.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// From now on it misbehaves so: the words of `porten-sim --trouble`.
    ///
    /// # Panics
    /// It does not know that trouble.
    pub async fn trouble(&self, trouble: &str) {
        let answer = Client::new(&self.url, "").post("/sim/trouble", &json!({ "trouble": trouble })).await;
        assert_eq!(answer.status, 200, "{trouble}: {}", answer.text);
    }

    /// The ids of the instances that hold this model.
    pub async fn instances_of(&self, model: &str) -> Vec<String> {
        let instances = self.get("/state/instances").await;
        let all = instances.as_object().cloned().unwrap_or_default();
        all.into_iter().filter(|(_, one)| one.to_string().contains(&format!("\"{model}\""))).map(|(id, _)| id).collect()
    }
}
