//! Runs a Hub: listens, serves connections, and stops in order.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::Catalog;
use crate::client_address::TrustedProxies;
use crate::clock::{self, Millis};
use crate::hub::{Hub, Timing};
use crate::origin::Origin;
use crate::routes;
use crate::stall::Patient;
use crate::store::Store;

/// Connections that wait to be accepted: 512 clients that come at once must not be told to try again in a second.
const BACKLOG: u32 = 1024;
/// Connections at a time, besides the tunnels, of which there are [`crate::nodes::MAX_NODES`].
const MAX_CONNECTIONS: usize = 8192;
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
    let Config { listen, public, trusted_proxies, store, catalog, timing, drain_within } = config;
    let refused = |source| StartError::Listen { address: listen, source };
    let listener = bind(listen).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let origin = public.unwrap_or_else(|| Origin::listening(address));
    let hub = Arc::new(Hub::new(origin, trusted_proxies, timing, store, catalog));
    let stop = Stop { asked: CancellationToken::new(), now: CancellationToken::new(), within: drain_within };
    let done = tokio::spawn(run(Arc::clone(&hub), listener, stop.clone()));
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

async fn run(hub: Arc<Hub>, listener: TcpListener, stop: Stop) {
    let connections = TaskTracker::new();
    let (finish, kill) = (CancellationToken::new(), CancellationToken::new());
    let lives = Lives { finish: finish.clone(), kill: kill.clone() };
    tokio::select! {
        () = stop.asked.cancelled() => {}
        () = accept(&hub, &listener, &connections, &lives) => {}
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
        () = accept(&hub, &listener, &connections, &lives) => {}
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

async fn accept(hub: &Arc<Hub>, listener: &TcpListener, connections: &TaskTracker, lives: &Lives) {
    let others = routes::others(Arc::clone(hub));
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // Beyond the limit connections wait in the backlog. The semaphore is never closed.
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let served = serve(socket, peer.ip(), Arc::clone(hub), others.clone(), lives.clone());
        connections.spawn(async move {
            served.await;
            drop(seat);
        });
    }
}

async fn serve(socket: TcpStream, peer: IpAddr, hub: Arc<Hub>, others: Router, lives: Lives) {
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
        .serve_connection(io, service_fn(|request| routes::respond(Arc::clone(&hub), others.clone(), peer, request)))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
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
            () = lives.finish.cancelled(), if !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            () = lives.kill.cancelled(), if finishing => return,
        }
    }
}

/// Does what `porten-hub` commands, which are other processes, have changed: ends the tunnels of nodes that were signed
/// out, and drains those that are to be drained.
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
        let version = match hub.store.foreign_version().await {
            Ok(version) => version,
            Err(error) => {
                hub.broken(&error);
                continue;
            }
        };
        if seen.replace(version) == Some(version) {
            continue;
        }
        match hub.store.ended(hub.nodes.grants()).await {
            Ok(ended) => hub.nodes.revoke(&ended),
            Err(error) => drop(hub.broken(&error)),
        }
        match hub.store.drained().await {
            Ok(drained) => hub.nodes.hold(&drained),
            Err(error) => drop(hub.broken(&error)),
        }
    }
}
