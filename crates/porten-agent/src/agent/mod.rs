//! The agent: one loop that owns all state, whose body never awaits; everything slow is a task that reports back.
//!
//! ```text
//! sessions ──told──►┌────────────┐──adverts──► the session's control half
//! front ends ─asked►│    loop    │──facts────► relay tasks
//! tasks ────done───►│  (World)   │──picture──► front ends
//! ledger ─changed──►└────────────┘──spawns───► dial · probe · prove · keychain · disk
//! ```

mod cluster;
mod effects;
mod leave;
mod limits;
mod loading;
mod pause;
mod reload;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use porten_core::awake::Wish;
use porten_core::config::Config;
use porten_core::leaving::Leave;
use porten_core::seat::Host;
use porten_core::snapshot::{AwakeView, HostView, ProxyView};
use porten_core::wire::Hello;
use porten_link::Beat;
use porten_link::dial::Connect;
use porten_link::proxy::by_settings;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::awake;
use crate::client::Client;
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::engine::EngineClient;
use crate::hub_http::HubHttp;
use crate::in_use::{self, InUse};
use crate::ledger::Ledger;
use crate::local;
use crate::node::{NodeIdError, installed_mib, machine_name, node_id, platform, wired_limit_mib};
use crate::places::Places;
use crate::relay::{Limits, Relay, RelayFacts};
use crate::session::Way;
use crate::surroundings;
use crate::vault::Vault;
use crate::wishes::Wishes;
use world::{Hands, World};

/// Things that sessions tell the loop and that wait for it.
const TOLD_QUEUE: usize = 256;

/// What an agent is made of. The caller holds the seat.
pub struct Setup {
    /// The settings.
    pub config: Config,
    /// Where things are kept.
    pub places: Places,
    /// The environment's part of the settings, with which the file is read again.
    pub environment: BTreeMap<String, String>,
    /// Which kind of process this is.
    pub host: Host,
    /// The way to the network; injected.
    pub connect: Connect,
    /// Which proxy that goes through, if any, as of the last dial.
    pub proxy: watch::Receiver<Option<ProxyView>>,
    /// How often to ping.
    pub beat: Beat,
    /// The relay's waits.
    pub limits: Limits,
    /// How long nobody has used this machine.
    pub in_use: InUse,
}

impl Setup {
    /// An agent of this kind as people run it: with the system's network and the waits and pings of the product.
    #[must_use]
    pub fn usual(setup: crate::setup::Setup, host: Host) -> Self {
        let crate::setup::Setup { config, places, environment } = setup;
        let (beat, limits) = (Beat::default(), Limits::default());
        let (told, proxy) = watch::channel(None);
        let (connect, in_use) = (by_settings(told), in_use::system());
        Self { config, places, environment, host, connect, proxy, beat, limits, in_use }
    }
}

/// The agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No node id.
    #[error(transparent)]
    Node(#[from] NodeIdError),
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] porten_link::tls::TlsError),
    /// No HTTP client.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// No local socket.
    #[error(transparent)]
    Socket(#[from] local::ServeError),
}

/// How an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked for it.
    Done,
    /// Its settings changed so that another agent must take them up: its host reads them again
    /// ([`crate::setup::Setup::again`]), keeps the seat, and starts that one.
    Anew,
    /// It made way for another kind of host ([`porten_core::command::Command::Yield`]): its own lets go of the seat, and
    /// does not want it back at once.
    Yielded,
}

/// An agent at work.
#[derive(Debug)]
pub struct Agent {
    client: Client,
    settings: watch::Receiver<Arc<Config>>,
    leave: mpsc::UnboundedSender<Leave>,
    task: JoinHandle<Ended>,
    how: Option<Ended>,
    socket: JoinHandle<()>,
    socket_stop: CancellationToken,
}

impl Agent {
    /// Starts the loop and the local socket.
    ///
    /// # Errors
    /// Something this machine must have is missing; nothing runs then.
    pub fn start(setup: Setup) -> Result<Self, StartError> {
        let Setup { config, places, environment, host, connect, proxy, beat, limits, in_use } = setup;
        let clock = Clock::start();
        let node = node_id(&places.state)?;
        let host = host_view(host, node.clone(), clock);
        let tls = porten_link::tls::client()?;
        let hub = config.hub.value.clone();
        let vault = Vault::open(config.keychain.value, &places.state, &node, hub.origin());
        let kept_in = vault.words();
        let credentials =
            Credentials::spawn(vault, HubHttp::new(Arc::clone(&tls), Arc::clone(&connect)), hub.clone(), clock);
        let engine = EngineClient::new((*tls).clone())?;
        let ledger = Ledger::default();
        let (facts, facts_seen) = watch::channel(Arc::new(RelayFacts::default()));
        let (adverts, adverts_seen) = watch::channel(World::first_advert());
        let (told, told_seen) = mpsc::channel(TOLD_QUEUE);
        let hello = Hello { node, name: host.name.clone(), agent: host.version.clone(), platform: platform() };
        let way = Way {
            url: hub.tunnel().clone(),
            tls,
            connect,
            beat,
            credentials: credentials.clone(),
            hello,
            adverts: adverts_seen,
            drain: CancellationToken::new(),
            probe: Arc::default(),
            relay: Relay::new(engine.clone(), facts_seen, ledger.clone(), limits),
            told,
        };
        let wishes = Wishes::fetch(&places.state);
        let (caring, cared) = watch::channel(false);
        let (settings, settings_seen) = watch::channel(Arc::new(config.clone()));
        let (wish, wishes_awake) = watch::channel(Wish::default());
        let (awake_told, awake) = watch::channel(AwakeView::NotWanted);
        let hands = Hands {
            clock,
            places: places.clone(),
            environment: Arc::new(environment),
            way,
            credentials,
            engine,
            ledger,
            facts,
            adverts,
            caring,
            settings,
            in_use,
            proxy: proxy.clone(),
            awake: wish,
        };
        let world = World::new(config, host, kept_in, installed_mib(), wired_limit_mib(), wishes, hands);
        let (snapshots, snapshots_seen) = watch::channel(Arc::new(world.first_picture()));
        let (commands, commands_seen) = mpsc::unbounded_channel();
        let client = Client::new(snapshots_seen, commands);
        let socket_stop = CancellationToken::new();
        let serving = local::serve(&places.socket(), client.clone(), socket_stop.clone())?;
        let (leave, leaves) = mpsc::unbounded_channel();
        let (stirred, stirs) = mpsc::channel(1);
        tokio::spawn(surroundings::watch(clock, cared, stirred));
        tokio::spawn(awake::keep(clock, wishes_awake, awake_told));
        let inputs = world::Inputs {
            stirs,
            told: told_seen,
            asked: commands_seen,
            leave: leaves,
            awake,
            proxy,
            lookers: client.lookers(),
        };
        let task = tokio::spawn(world.run(inputs, snapshots));
        let socket = tokio::spawn(serving);
        Ok(Self { client, settings: settings_seen, leave, task, how: None, socket, socket_stop })
    }

    /// A front end's hold on it.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Asks it to end when the running requests are finished; those that are not within this time are cut, and their
    /// clients told so. Asked again, the sooner time counts.
    pub fn quit(&self, within: Duration) {
        // An agent that has ended needs no asking.
        let _ = self.leave.send(Leave { quit: true, within });
    }

    /// Asks it to end now; what runs is cut with a typed error.
    pub fn quit_now(&self) {
        self.quit(Duration::ZERO);
    }

    /// The settings that hold, now and whenever they are read again. What its host does by them (the log's level,
    /// notifications) follows this.
    #[must_use]
    pub fn settings(&self) -> watch::Receiver<Arc<Config>> {
        self.settings.clone()
    }

    /// Waits until it has ended, and says whether its host is to start another one.
    pub async fn ended(&mut self) -> Ended {
        let how = match self.how {
            Some(how) => how,
            // A panic in the loop was printed already; ending is what is asked here.
            None => *self.how.insert((&mut self.task).await.unwrap_or(Ended::Done)),
        };
        self.socket_stop.cancel();
        if !self.socket.is_finished() {
            let _ = (&mut self.socket).await;
        }
        how
    }
}

fn host_view(kind: Host, node: String, clock: Clock) -> HostView {
    HostView {
        kind,
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        name: machine_name(),
        node,
        since: clock.now().wall,
    }
}
