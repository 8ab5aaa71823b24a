//! Runs a Hub: listens, serves connections, and stops in order.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::capacity::Capacity;
use crate::catalog::Catalog;
use crate::client_address::TrustedProxies;
use crate::clock::{self, Millis};
use crate::hub::{Hub, Timing};
use crate::origin::Origin;
use crate::routes;
use crate::stall::Patient;
use crate::store::{Store, StoreError};
use crate::strangers::Connection;

/// Connections that wait to be accepted: 512 clients that come at once must not be told to try again in a second.
const BACKLOG: u32 = 1024;
/// How long a connection may wait for a request's whole head, the pause since the last request included.
const HEAD_PATIENCE: Duration = Duration::from_secs(75);
/// hyper's buffer for each connection: an answer waits in the tunnel's window, not here (bytes).
const BUFFER: usize = 64 * 1024;
/// Pause after a failed accept: mostly too many open files, which passes when a connection ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the state file is looked at for what `porten-hub` commands changed.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is written down which nodes are connected, so that none of them lapses (milliseconds): a day.
const NOTE_SEEN: Millis = 24 * 60 * 60 * 1000;
/// When the Hub stops: how long nodes may take to say goodbye.
const NODE_GRACE: Duration = Duration::from_secs(3);

/// What a Hub is started with.
#[derive(Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that people and agents use, if not the one it listens on.
    pub public: Option<Origin>,
    /// The proxies in front that are believed about where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// Accounts, keys and grants.
    pub store: Store,
    /// What is offered.
    pub catalog: Catalog,
    /// How much it takes at a time.
    pub capacity: Capacity,
    /// How long things take.
    pub timing: Timing,
    /// How long running requests may still take when the Hub stops.
    pub drain_within: Duration,
}

/// A Hub that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}: choose another address with --listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// A Hub that runs.
#[derive(Debug)]
pub struct Running {
    hub: Arc<Hub>,
    address: SocketAddr,
    stop: Stop,
    done: tokio::task::JoinHandle<()>,
}

impl Running {
    /// The Hub's address, for people and agents.
    #[must_use]
    pub fn url(&self) -> &str {
        self.hub.origin.url()
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Offers another catalog from now on, and tells the nodes.
    pub fn set_catalog(&self, catalog: Catalog) {
        self.hub.catalog.send_replace(Arc::new(catalog));
    }

    /// Cancelled, it makes a stop wait for running requests no longer.
    #[must_use]
    pub fn hurry(&self) -> CancellationToken {
        self.stop.now.clone()
    }

    /// Stops: new requests are turned away with 503, running ones may take the time that the Hub was started with, then
    /// what is left is cut and nodes get a goodbye. Returns when all is done, within three seconds of that.
    pub async fn stop(self) {
        self.stop.asked.cancel();
        // An error would say that serving panicked: then it has stopped as well.
        let _ = self.done.await;
    }
}

/// Starts a Hub.
///
/// # Errors
/// It cannot listen.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let Config { listen, public, trusted_proxies, store, catalog, capacity, timing, drain_within } = config;
    let refused = |source| StartError::Listen { address: listen, source };
    let listener = bind(listen).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let origin = public.unwrap_or_else(|| Origin::listening(address));
    let hub = Arc::new(Hub::new(origin, trusted_proxies, timing, &capacity, store, catalog));
    let stop = Stop { asked: CancellationToken::new(), now: CancellationToken::new(), within: drain_within };
    let done = tokio::spawn(run(Arc::clone(&hub), listener, capacity, stop.clone()));
    Ok(Running { hub, address, stop, done })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A Hub that restarts takes its port back although old connections linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The wish to stop.
#[derive(Debug, Clone)]
struct Stop {
    asked: CancellationToken,
    /// Without waiting for running requests.
    now: CancellationToken,
    /// How long they may take otherwise.
    within: Duration,
}

async fn run(hub: Arc<Hub>, listener: TcpListener, capacity: Capacity, stop: Stop) {
    let connections = TaskTracker::new();
    let seats = Arc::new(Semaphore::new(capacity.connections));
    let (finish, kill) = (CancellationToken::new(), CancellationToken::new());
    let lives = Lives { finish: finish.clone(), kill: kill.clone() };
    tokio::select! {
        () = stop.asked.cancelled() => {}
        () = accept(&hub, &listener, &seats, &connections, &lives) => {}
        () = look(&hub) => {}
    }
    tracing::info!(within = ?stop.within, "stopping");
    // Requests first: a node that is told goodbye at once would cut them.
    hub.nodes.begin_stop();
    finish.cancel();
    connections.close();
    hub.tunnels.close();
    tokio::select! {
        () = connections.wait() => {}
        () = stop.now.cancelled() => {}
        () = tokio::time::sleep(stop.within) => {}
        // Whoever comes now is told in words that the Hub stops, not by a refused connection.
        () = accept(&hub, &listener, &seats, &connections, &lives) => {}
    }
    drop(listener);
    hub.nodes.close();
    let _ = tokio::time::timeout(NODE_GRACE, hub.tunnels.wait()).await;
    kill.cancel();
    connections.wait().await;
}

#[derive(Debug, Clone)]
struct Lives {
    /// Connections end when their running request has.
    finish: CancellationToken,
    /// Connections end now; it comes after `finish`.
    kill: CancellationToken,
}

async fn accept(
    hub: &Arc<Hub>,
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
    connections: &TaskTracker,
    lives: &Lives,
) {
    let others = routes::others(Arc::clone(hub));
    loop {
        // Beyond the limit connections wait in the backlog. The semaphore is never closed.
        let Ok(seat) = Arc::clone(seats).acquire_owned().await else { return };
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let who = hub.strangers.enter(peer.ip(), hub.trusted_proxies.contains(peer.ip()));
        let served = serve(socket, who, Arc::clone(hub), others.clone(), lives.clone());
        connections.spawn(async move {
            served.await;
            drop(seat);
        });
    }
}

async fn serve(socket: TcpStream, who: Arc<Connection>, hub: Arc<Hub>, others: Router, lives: Lives) {
    if porten_link::tune(&socket).is_err() {
        return; // gone already
    }
    let io = TokioIo::new(Patient::new(socket, hub.timing.reader_patience));
    // Who comes while the Hub stops is answered once.
    let mut finishing = lives.finish.is_cancelled();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(BUFFER)
        // A chunk's size, its bytes and its end are copied together: less work than to write three small pieces as one.
        .writev(false)
        .keep_alive(!finishing)
        .serve_connection(
            io,
            service_fn(|request| routes::respond(Arc::clone(&hub), others.clone(), Arc::clone(&who), request)),
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut first_head = std::pin::pin!(tokio::time::sleep(hub.timing.first_head));
    loop {
        tokio::select! {
            // Most often it is the connection that has news: the wishes are asked for only when it has none.
            biased;
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended early");
                }
                return;
            }
            // A stranger that says nothing, or that has to make room for another.
            () = std::future::poll_fn(|cx| {
                let is_late = !who.has_asked() && first_head.as_mut().poll(cx).is_ready();
                if is_late { Poll::Ready(()) } else { who.poll_must_go(cx) }
            }) => return,
            () = lives.finish.cancelled(), if !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            () = lives.kill.cancelled(), if finishing => return,
        }
    }
}

/// Does what `porten-hub` commands, which are other processes, have changed: ends the tunnels of nodes that were signed
/// out and the requests of keys that have ended, and drains the nodes that are to be drained.
async fn look(hub: &Hub) {
    let mut seen = None;
    let mut noted = clock::now();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = clock::now();
        if now < noted || now - noted >= NOTE_SEEN {
            noted = now;
            if let Err(error) = hub.store.note_seen(hub.nodes.grants(), now).await {
                hub.broken(&error);
            }
        }
        // What failed is done a second later.
        match heed_commands(hub, seen).await {
            Ok(version) => seen = Some(version),
            Err(error) => drop(hub.broken(&error)),
        }
    }
}

/// Does what was changed since the state had the version `seen`; its version now.
async fn heed_commands(hub: &Hub, seen: Option<i64>) -> Result<i64, StoreError> {
    let version = hub.store.foreign_version().await?;
    if seen == Some(version) {
        return Ok(version);
    }
    hub.nodes.revoke(&hub.store.ended(hub.nodes.grants()).await?);
    hub.nodes.hold(&hub.store.drained().await?);
    let mut ended = BTreeSet::new();
    for key in hub.keys.keys() {
        if hub.store.key_account(key).await?.is_none() {
            ended.insert(key);
        }
    }
    hub.keys.end(&ended);
    Ok(version)
}
