//! A whole agent in a home of its own, and a Hub's end of its link.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use porten_agent::agent::{Agent, Setup};
use porten_agent::credentials;
use porten_agent::in_use::InUse;
use porten_agent::node::node_id;
use porten_agent::places::Places;
use porten_agent::relay::Limits;
use porten_agent::vault::Vault;
use porten_agent::wishes::Wishes;
use porten_agent::{Beat, tcp};
use porten_core::config::{self, Config, HubUrl, Keychain};
use porten_core::seat::Host;
use porten_core::secret::Secret;
use porten_core::signin::Credential;
use porten_core::wire::{self, FromAgent, FromHub};
use porten_link::{Control, End, Opened, Outgoing, http2};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::engine::Engine;
use super::{ENGINE_ID, soon};

pub(crate) struct Home {
    pub(crate) places: Places,
    pub(crate) config: Config,
    pub(crate) environment: BTreeMap<String, String>,
    /// How long nobody has used the machine (seconds); below zero nobody can say.
    pub(crate) unused: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl Home {
    /// Settings for this Hub and this engine, `tiny` to be served.
    pub(crate) fn of(hub: &str, engine: &str) -> Self {
        porten_agent::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let places = Places::find(Some(folder.path())).unwrap();
        places.prepare().unwrap();
        let models = format!("tiny={ENGINE_ID}");
        let environment: BTreeMap<String, String> = [
            ("PORTEN_HUB_URL", hub),
            ("PORTEN_ENGINE_URL", engine),
            ("PORTEN_ENGINE_MODELS", &models),
            ("PORTEN_KEYCHAIN", "file"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let config = config::read(&environment, None).unwrap();
        Self { places, config, environment, unused: Arc::new(AtomicI64::new(-1)), _folder: folder }
    }

    pub(crate) async fn signed_in(hub: &str, engine: &Engine) -> Self {
        let home = Self::of(hub, engine.url.as_str());
        home.sign_in(900).await;
        home
    }

    pub(crate) fn hub(&self) -> &HubUrl {
        &self.config.hub.value
    }

    pub(crate) fn vault(&self) -> Vault {
        let node = node_id(&self.places.state).unwrap();
        Vault::open(Keychain::File, &self.places.state, &node, self.hub().origin())
    }

    /// Stores `access-1` and `refresh-1`, good for so long (seconds).
    pub(crate) async fn sign_in(&self, lasts: i64) {
        let issued_at = jiff::Timestamp::now();
        let credential = Credential {
            hub: self.hub().origin().to_owned(),
            access: Secret::new("access-1".into()),
            refresh: Secret::new("refresh-1".into()),
            issued_at,
            expires_at: issued_at + jiff::SignedDuration::from_secs(lasts),
            account: None,
            signed_in_at: None,
        };
        credentials::store(&self.vault(), &credential).await.unwrap();
    }

    /// The credential files of this home, as they are.
    pub(crate) fn stored(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.places.state).unwrap().map(|file| file.unwrap().path());
        let ours = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("credential"));
        ours.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    fn in_use(&self) -> InUse {
        let unused = Arc::clone(&self.unused);
        Arc::new(move || {
            let seconds = u64::try_from(unused.load(Ordering::SeqCst));
            Box::pin(async move { seconds.map(Duration::from_secs).map_err(|_| "Nobody can say.".into()) })
        })
    }

    pub(crate) fn start(&self) -> Agent {
        self.start_as(Host::Run)
    }

    pub(crate) fn start_as(&self, host: Host) -> Agent {
        Agent::start(Setup {
            config: self.config.clone(),
            places: self.places.clone(),
            environment: self.environment.clone(),
            host,
            connect: tcp(),
            proxy: tokio::sync::watch::Sender::new(None).subscribe(),
            beat: Beat::default(),
            limits: Limits::default(),
            in_use: self.in_use(),
        })
        .unwrap()
    }
}

/// A home without an engine whose person wants to be offline.
pub(crate) async fn offline(hub: &str) -> Home {
    let home = Home::of(hub, "http://127.0.0.1:9");
    Wishes { online: false, ..Wishes::default() }.store(&home.places.state).unwrap();
    home
}

/// The Hub's end of a link after the welcome.
pub(crate) struct Link {
    pub(crate) control: Control,
    pub(crate) call: SendRequest<Bytes>,
    _driver: JoinSet<()>,
}

impl Link {
    pub(crate) async fn of(opened: Opened<TcpStream>) -> Self {
        let (bytes, control) = opened.into_link(Beat::default());
        let (call, connection) = soon("HTTP/2", http2::call(bytes)).await.unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        Self { control, call, _driver: driver }
    }

    pub(crate) async fn say(&self, said: &FromHub) {
        self.send(Outgoing::Text(wire::write(said))).await;
    }

    pub(crate) async fn send(&self, message: Outgoing) {
        self.control.outgoing.send(message).await.unwrap();
    }

    /// The next message that is meant; others are passed over.
    pub(crate) async fn hear(&mut self, is_meant: impl Fn(&FromAgent) -> bool) -> FromAgent {
        soon("a message of the agent", async {
            loop {
                let text = self.control.incoming.recv().await.expect("the link has ended");
                let said = wire::read_from_agent(&text).unwrap().unwrap();
                if is_meant(&said) {
                    return said;
                }
            }
        })
        .await
    }

    /// Waits until the agent drains, and says that no more comes; what it said.
    pub(crate) async fn confirm(&mut self) -> FromAgent {
        let said = self.hear(|said| matches!(said, FromAgent::Draining(_))).await;
        self.say(&FromHub::Drained(wire::Drained { in_flight: 0 })).await;
        said
    }

    /// How it ended, and that it did so in time.
    pub(crate) async fn ended(&mut self, within: Duration) -> End {
        let ended = tokio::time::timeout(within, self.control.end.wait_for(Option::is_some)).await;
        ended.expect("the link did not end").unwrap().clone().unwrap()
    }
}
