//! Carries out one `porten-hub` command.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use porten_hub::commands::{self, CommandError};
use porten_hub::{
    Capacity, Catalog, CatalogError, Config, Origin, OriginError, Running, Seeded, StartError, Store, StoreError,
    Timing,
};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Account, Key, Node, Serve, What};

/// How long running requests may take once the Hub is told to stop: under what systemd gives by itself (90 s).
const DRAIN: Duration = Duration::from_secs(60);
/// The same in development, where nobody wants to wait.
const DEV_DRAIN: Duration = Duration::from_secs(2);
/// The largest catalog file that is read (bytes).
const MAX_CATALOG: u64 = 1024 * 1024;

/// Why a command was not done, in one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Command(#[from] CommandError),
    #[error("{}", with_cause(.0))]
    Store(#[from] StoreError),
    #[error("{}", with_cause(.0))]
    Start(#[from] StartError),
    #[error("{0}")]
    PublicUrl(#[from] OriginError),
    #[error("--listen {0} is reached from other machines, so agents need its address: add --public-url https://…")]
    NoPublicUrl(SocketAddr),
    #[error("{0}")]
    Log(#[from] porten_log::LogError),
    #[error("the catalog {} cannot be read: {source}", path.display())]
    CatalogFile { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Catalog { path: PathBuf, source: CatalogError },
    #[error("the built-in catalog does not read: {0}")]
    BuiltIn(#[from] CatalogError),
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
}

impl Failure {
    /// 2 if what was asked was wrong, 1 if we broke.
    pub(crate) fn code(&self) -> ExitCode {
        let is_askers = match self {
            Self::Command(error) => error.is_askers(),
            Self::PublicUrl(_)
            | Self::NoPublicUrl(_)
            | Self::Log(_)
            | Self::CatalogFile { .. }
            | Self::Catalog { .. } => true,
            Self::Start(StartError::Listen { .. }) => true,
            Self::Store(error) => matches!(error, StoreError::File { .. } | StoreError::Newer),
            Self::BuiltIn(_) | Self::System(_) => false,
        };
        ExitCode::from(if is_askers { 2 } else { 1 })
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}

pub(crate) async fn run(what: What) -> Result<(), Failure> {
    match what {
        What::Serve(wanted) => serve(wanted).await,
        What::Account(wanted) => account(wanted).await,
        What::Key(wanted) => key(wanted).await,
        What::Node(wanted) => node(wanted).await,
    }
}

async fn account(wanted: Account) -> Result<(), Failure> {
    match wanted {
        Account::Add { name, state } => {
            let passphrase = commands::add_account(&Store::open(&state.file())?, &name).await?;
            print(&format!("Account {name}. Its passphrase, shown this once:\n{}", passphrase.expose()))
        }
        Account::Passphrase { name, state } => {
            let passphrase = commands::renew_passphrase(&Store::open(&state.file())?, &name).await?;
            print(&format!(
                "New passphrase of {name}, shown this once:\n{}\nWho was signed in on the page as {name} is not any \
                 more. Nodes and API keys stay as they are.",
                passphrase.expose()
            ))
        }
        Account::Remove { name, state } => {
            let ended = commands::remove_account(&Store::open(&state.file())?, &name).await?;
            print(&format!("Account {name} is removed. {ended}"))
        }
        Account::List { state } => print_lines(&commands::list_accounts(&Store::open(&state.file())?).await?),
    }
}

async fn key(wanted: Key) -> Result<(), Failure> {
    match wanted {
        Key::Add { account, label, state } => {
            let (number, key) = commands::add_key(&Store::open(&state.file())?, &account, &label).await?;
            print(&format!("Key number {number} of {account}, shown this once:\n{}", key.expose()))
        }
        Key::Revoke { number, state } => {
            commands::revoke_key(&Store::open(&state.file())?, number).await?;
            print(&format!("Key number {number} has ended."))
        }
        Key::List { state } => print_lines(&commands::list_keys(&Store::open(&state.file())?).await?),
    }
}

async fn node(wanted: Node) -> Result<(), Failure> {
    match wanted {
        Node::List { state } => print_lines(&commands::list_nodes(&Store::open(&state.file())?).await?),
        Node::Revoke { number, state } => print(&commands::revoke_node(&Store::open(&state.file())?, number).await?),
        Node::Drain { number, state } => {
            commands::drain_node(&Store::open(&state.file())?, number, true).await?;
            print(&format!("The node of sign-in number {number} gets no more requests; `node resume` takes that back."))
        }
        Node::Resume { number, state } => {
            commands::drain_node(&Store::open(&state.file())?, number, false).await?;
            print(&format!("The node of sign-in number {number} gets requests again."))
        }
    }
}

async fn serve(wanted: Serve) -> Result<(), Failure> {
    let public = wanted.public_url.as_deref().map(Origin::read).transpose()?;
    if public.is_none() && !wanted.listen.ip().is_loopback() {
        return Err(Failure::NoPublicUrl(wanted.listen));
    }
    let catalog = read_catalog(wanted.catalog.as_deref(), wanted.dev)?;
    let store = match (wanted.dev, wanted.state.state.is_some()) {
        (true, false) => Store::in_memory()?,
        _ => Store::open(&wanted.state.file())?,
    };
    let seeded = if wanted.dev { Some(porten_hub::seed(&store).await?) } else { None };
    let timing = if wanted.dev { Timing::dev() } else { Timing::default() };
    // Signals are caught before anybody is told that the Hub is there.
    let mut signals = Signals::new()?;
    let drain_within = wanted.drain_within.unwrap_or(if wanted.dev { DEV_DRAIN } else { DRAIN });
    let trusted_proxies = wanted.trusted_proxies.into_iter().collect();
    let capacity = Capacity::of(porten_hub::raise_open_files());
    let config =
        Config { listen: wanted.listen, public, trusted_proxies, store, catalog, capacity, timing, drain_within };
    let running = porten_hub::start(config).await?;
    print(&announcement(&running, seeded.as_ref(), wanted.json))?;
    while signals.next().await == Signal::Reload {
        match read_catalog(wanted.catalog.as_deref(), wanted.dev) {
            Ok(catalog) => {
                tracing::info!(models = catalog.offers().len(), "the catalog was read again");
                running.set_catalog(catalog);
            }
            Err(failure) => tracing::error!("{failure}; the old catalog stays"),
        }
    }
    let now = running.hurry();
    let mut stopped = std::pin::pin!(running.stop());
    tokio::select! {
        () = &mut stopped => return Ok(()),
        // Waits for running requests no longer; clients and nodes are still told.
        () = signals.stop_again() => now.cancel(),
    }
    tokio::select! {
        () = stopped => {}
        // Whoever asks a third time does not care.
        () = signals.stop_again() => {}
    }
    Ok(())
}

fn read_catalog(file: Option<&Path>, dev: bool) -> Result<Catalog, Failure> {
    let catalog = match file {
        None => Catalog::built_in()?,
        Some(path) => {
            let text = read_bounded(path).map_err(|source| Failure::CatalogFile { path: path.to_owned(), source })?;
            Catalog::read(&text).map_err(|source| Failure::Catalog { path: path.to_owned(), source })?
        }
    };
    Ok(if dev { catalog.with_tiny() } else { catalog })
}

fn read_bounded(path: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_CATALOG + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_CATALOG { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

fn announcement(running: &Running, seeded: Option<&Seeded>, json: bool) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        account: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        passphrase: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        api_key: Option<&'a str>,
    }
    let url = running.url();
    if json {
        let line = Line {
            url,
            account: seeded.map(|seeded| seeded.account),
            passphrase: seeded.map(|seeded| seeded.passphrase.expose()),
            api_key: seeded.map(|seeded| seeded.api_key.expose()),
        };
        // A struct of strings always serialises.
        return serde_json::to_string(&line).unwrap_or_default();
    }
    let listens = format!("The Hub is at {url} (listening on {}).", running.address());
    seeded.map_or(listens.clone(), |seeded| {
        format!(
            "{listens}\nFor development only:\n  account     {}\n  passphrase  {}\n  API key     {}\n\
             Connect a node:   PORTEN_HUB_URL={} porten login\n\
             Ask for models:   curl -H 'Authorization: Bearer {}' {url}/v1/models",
            seeded.account,
            seeded.passphrase.expose(),
            seeded.api_key.expose(),
            // Agents name the tunnel's scheme: http becomes ws, https becomes wss.
            url.replacen("http", "ws", 1),
            seeded.api_key.expose(),
        )
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Signal {
    Stop,
    Reload,
}

struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }

    async fn stop_again(&mut self) {
        while self.next().await == Signal::Reload {}
    }
}

fn print_lines(lines: &[String]) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| print(line))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
