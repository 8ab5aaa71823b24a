//! The agent without its loop: the tunnel machine and the real sessions and relay that it starts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use porten_agent::clock::Clock;
use porten_agent::credentials::{self, Credentials};
use porten_agent::engine::EngineClient;
use porten_agent::hub_http::HubHttp;
use porten_agent::ledger::Ledger;
use porten_agent::relay::{Limits, Relay, RelayFacts};
use porten_agent::session::{self, Told, Way};
use porten_agent::vault::Vault;
use porten_core::config::{EngineUrl, HubUrl, Keychain};
use porten_core::relay::{Served, Serving};
use porten_core::route::Route;
use porten_core::secret::Secret;
use porten_core::signin::Credential;
use porten_core::time::Moment;
use porten_core::tunnel::{ConnId, Effect, Input, Tunnel};
use porten_core::wire::{Advert, Hello};
use porten_link::Beat;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::{Engine, Network};
use crate::luck::Luck;

/// Keeps a link up as the agent does, until it is dropped.
#[derive(Debug)]
pub struct Driver {
    /// What the relay counted.
    pub ledger: Ledger,
    _task: JoinSet<()>,
    _facts: watch::Sender<Arc<RelayFacts>>,
    _adverts: watch::Sender<Advert>,
    _folder: tempfile::TempDir,
}

impl Driver {
    /// Starts it. Nothing of it needs a thread or a socket from here on, so that time may be anybody's.
    ///
    /// # Panics
    /// No folder can be made.
    pub async fn start(network: &Network, engine: &Engine, tls: &Arc<rustls::ClientConfig>, luck: Luck) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = HubUrl::read("ws://127.0.0.1:9").expect("a Hub's address");
        let credentials = sign_in(folder.path(), network, tls, &hub).await;
        let served = Served { engine_id: "m".into(), routes: Route::ALL.to_vec() };
        let serving: Serving = [("tiny".to_owned(), served)].into_iter().collect();
        let at = EngineUrl::read("http://127.0.0.1:9", false).expect("an engine's address");
        let (facts, seen) = watch::channel(Arc::new(RelayFacts {
            serving: Arc::new(serving),
            engine: Some(at),
            ..RelayFacts::default()
        }));
        let advert = Advert { seq: 0, memory_mib: 1, models: vec![], max_streams: 8, engine_up: true, cold: vec![] };
        let (adverts, adverts_seen) = watch::channel(advert);
        let ledger = Ledger::default();
        let client = EngineClient::over((**tls).clone(), engine.connect()).expect("an HTTP client");
        let (told, heard) = mpsc::channel(64);
        let text = |text: &str| text.to_owned();
        let way = Way {
            url: hub.tunnel().clone(),
            tls: Arc::clone(tls),
            connect: network.connect(),
            beat: Beat::default(),
            credentials,
            hello: Hello { node: text("n"), name: text("n"), agent: text("0"), platform: text("test") },
            adverts: adverts_seen,
            drain: tokio_util::sync::CancellationToken::new(),
            probe: Arc::default(),
            relay: Relay::new(client, seen, ledger.clone(), Limits::default()),
            told,
        };
        let mut task = JoinSet::new();
        task.spawn(drive(way, heard, luck));
        Self { ledger, _task: task, _facts: facts, _adverts: adverts, _folder: folder }
    }
}

async fn sign_in(
    folder: &std::path::Path,
    network: &Network,
    tls: &Arc<rustls::ClientConfig>,
    hub: &HubUrl,
) -> Credentials {
    let vault = || Vault::open(Keychain::File, folder, "n", hub.origin());
    let issued_at = jiff::Timestamp::now();
    let credential = Credential {
        hub: hub.origin().to_owned(),
        access: Secret::new("access".into()),
        refresh: Secret::new("refresh".into()),
        issued_at,
        expires_at: issued_at + jiff::SignedDuration::from_hours(1),
        account: None,
        signed_in_at: None,
    };
    credentials::store(&vault(), &credential).await.expect("a credential is kept");
    let http = HubHttp::new(Arc::clone(tls), network.connect());
    let credentials = Credentials::spawn(vault(), http, hub.clone(), Clock::start());
    credentials.reload().await.expect("the credential is read");
    credentials
}

/// Does what the machine says, as the agent's loop does.
async fn drive(way: Way, mut heard: mpsc::Receiver<(ConnId, Told)>, mut luck: Luck) {
    let begun = Instant::now();
    let now = || Moment::after_start(begun.elapsed());
    let mut tunnel = Tunnel::default();
    let mut running = JoinSet::new();
    let mut links: BTreeMap<ConnId, AbortHandle> = BTreeMap::new();
    let mut inputs = vec![Input::SignedIn(true), Input::Wanted(true)];
    loop {
        for input in inputs.drain(..) {
            #[expect(clippy::cast_precision_loss, reason = "a fraction")]
            let chance = (luck.draw() >> 12) as f64 / (1_u64 << 52) as f64;
            for effect in tunnel.on(input, now(), chance) {
                match effect {
                    Effect::Dial(conn) => {
                        links.insert(conn, running.spawn(session::run(way.clone(), conn)));
                    }
                    Effect::Hangup(conn) => {
                        if let Some(link) = links.remove(&conn) {
                            link.abort();
                        }
                    }
                    Effect::Probe(_) => way.probe.notify_one(),
                    Effect::ForgetCredential => panic!("a sign-in that is good was given up"),
                }
            }
        }
        let due = tunnel.deadline().map(|moment| begun + moment.since_start());
        let tick = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            told = heard.recv() => match told {
                Some((conn, Told::Opened(_))) => inputs.push(Input::Opened(conn)),
                Some((conn, Told::Ended(failure))) => {
                    links.remove(&conn);
                    inputs.push(Input::Ended(conn, failure));
                }
                Some((_, Told::Said(_) | Told::Rtt(_))) => {}
                None => return,
            },
            () = tick => inputs.push(Input::Tick),
            Some(_) = running.join_next() => {}
        }
        // Timers have a millisecond's grain; the machine must not see its deadline early for ever.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
