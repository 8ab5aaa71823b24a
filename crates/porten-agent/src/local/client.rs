//! A front end's hold on an agent in another process, through its socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use porten_core::command::{Answered, Command, Declined};
use porten_core::snapshot::Snapshot;
use reqwest::{Client, Response, redirect};
use serde::de::DeserializeOwned;

use super::{COMMAND, LOOK, PROTOCOL, PROTOCOL_HEADER, SNAPSHOT, VERSION_HEADER, WATCH};

/// For one exchange; sign-out waits for the Hub (10 s) and twice for the keychain (10 s each).
const DEADLINE: Duration = Duration::from_secs(40);
/// No picture is larger (bytes).
const MAX_SNAPSHOT: usize = 1024 * 1024;

/// The socket of an agent.
#[derive(Debug, Clone)]
pub struct Local {
    client: Client,
    path: PathBuf,
}

/// The agent could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Nobody listens.
    #[error("no agent is running on this machine; start it with: porten run")]
    NotRunning,
    /// It speaks another version of the local protocol.
    #[error("the running agent is version {0}, which this porten cannot talk to; restart it")]
    Version(String),
    /// It does not answer as an agent does.
    #[error("the agent at {} did not answer; if it hangs, stop and start it", .0.display())]
    NoAnswer(PathBuf),
    /// It declined the command.
    #[error(transparent)]
    Declined(#[from] Declined),
}

impl Local {
    /// The agent whose socket is at `path`; nothing is contacted yet.
    ///
    /// # Errors
    /// This process cannot make HTTP requests at all.
    pub fn at(path: &Path) -> Result<Self, LocalError> {
        let client = Client::builder()
            .unix_socket(path)
            .no_proxy()
            // Nothing here is encrypted: the system's certificates, a file each, need not be read.
            .tls_certs_only([])
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|_| LocalError::NoAnswer(path.to_owned()))?;
        Ok(Self { client, path: path.to_owned() })
    }

    /// The picture now.
    ///
    /// # Errors
    /// No agent runs, or it does not answer.
    pub async fn snapshot(&self) -> Result<Snapshot, LocalError> {
        let response = self.exchange(self.client.get(url(SNAPSHOT)).timeout(DEADLINE)).await?;
        self.lines(response).read().await?.ok_or_else(|| self.no_answer())
    }

    /// The picture now, and each that differs.
    ///
    /// # Errors
    /// No agent runs, or it does not answer.
    pub async fn watch(&self) -> Result<Lines, LocalError> {
        let response = self.exchange(self.client.get(url(WATCH))).await?;
        Ok(self.lines(response))
    }

    /// The same, by somebody who looks at the screen now.
    ///
    /// # Errors
    /// No agent runs, or it does not answer.
    pub async fn look(&self) -> Result<Lines, LocalError> {
        let response = self.exchange(self.client.get(url(LOOK))).await?;
        Ok(self.lines(response))
    }

    /// Asks for something.
    ///
    /// # Errors
    /// No agent runs, it does not answer, or it declined.
    pub async fn send(&self, command: &Command) -> Result<(), LocalError> {
        self.ask(command).await.map(drop)
    }

    /// The same, with what came of it.
    ///
    /// # Errors
    /// No agent runs, it does not answer, or it declined.
    pub async fn ask(&self, command: &Command) -> Result<Answered, LocalError> {
        let response = self.exchange(self.client.post(url(COMMAND)).timeout(DEADLINE).json(command)).await?;
        if response.status().is_success() {
            return self.lines(response).read().await?.ok_or_else(|| self.no_answer());
        }
        let declined: Option<Declined> = self.lines(response).read().await?;
        Err(declined.ok_or_else(|| self.no_answer())?.into())
    }

    fn lines(&self, response: Response) -> Lines {
        Lines { response, rest: Vec::new(), path: self.path.clone() }
    }

    fn no_answer(&self) -> LocalError {
        LocalError::NoAnswer(self.path.clone())
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Response, LocalError> {
        let response = match tokio::time::timeout(DEADLINE, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => return Err(LocalError::NotRunning),
            Ok(Err(_)) | Err(_) => return Err(self.no_answer()),
        };
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        match header(PROTOCOL_HEADER) {
            Some(PROTOCOL) => Ok(response),
            Some(_) => Err(LocalError::Version(header(VERSION_HEADER).unwrap_or("unknown").to_owned())),
            None => Err(self.no_answer()),
        }
    }
}

fn url(path: &str) -> String {
    format!("http://localhost{path}")
}

/// Pictures, one a line.
#[derive(Debug)]
pub struct Lines {
    response: Response,
    rest: Vec<u8>,
    path: PathBuf,
}

impl Lines {
    /// The next picture; `None` when the agent stopped.
    ///
    /// # Errors
    /// What came is no picture.
    pub async fn next(&mut self) -> Result<Option<Snapshot>, LocalError> {
        self.read().await
    }

    async fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, LocalError> {
        let strange = || LocalError::NoAnswer(self.path.clone());
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line).map(Some).map_err(|_| strange());
            }
            if self.rest.len() > MAX_SNAPSHOT {
                return Err(strange());
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.rest.extend_from_slice(&chunk),
                Ok(None) if self.rest.is_empty() => return Ok(None),
                Ok(None) => {
                    let whole = std::mem::take(&mut self.rest);
                    return serde_json::from_slice(&whole).map(Some).map_err(|_| strange());
                }
                // The agent ended in the middle of a line: it stopped.
                Err(_) => return Ok(None),
            }
        }
    }
}
