//! Runs a simulator: listens on this machine, answers, and stops in order.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::documents::card;
use crate::macs::Mac;
use crate::routes;
use crate::sim::Sim;
use crate::trouble;
use crate::world::{Calendar, MakeError, World};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long it may take to find out whether a port of this machine is taken.
const PATIENCE: Duration = Duration::from_secs(1);
/// When it stops: how long answers that are no streams may still take.
const GRACE: Duration = Duration::from_secs(2);

/// What a simulator is started with.
#[derive(Debug)]
pub struct Config {
    /// The Macs of the cluster; one at the least.
    pub macs: Vec<Mac>,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub api_port: u16,
    /// Models that are loaded from the start, by their whole ids.
    pub loaded: Vec<String>,
    /// How much faster than real everything goes; more than 0.
    pub speed: f64,
    /// What shall go wrong, as [`crate::trouble::help`] lists it.
    pub troubles: Vec<String>,
}

/// A simulator that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken.
    #[error("cannot listen on port {port}: is exo running here? Choose another with --api-port")]
    Listen {
        /// Which.
        port: u16,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A model cannot be loaded.
    #[error("--loaded: {0}; without --loaded, /v1/models lists what there is")]
    Load(String),
    /// A trouble that there is not.
    #[error("--trouble: {0}")]
    Trouble(String),
    /// The cards built into this program do not read.
    #[error("the built-in model cards do not read")]
    Cards(#[source] serde_json::Error),
}

/// A simulator that runs.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    macs: Vec<Named>,
    stop: CancellationToken,
    done: tokio::task::JoinHandle<()>,
}

/// A Mac and what exo calls it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Named {
    /// Its own name.
    pub name: String,
    /// exo's id for it.
    pub node_id: String,
    /// Installed memory (MiB).
    pub ram_mib: u64,
}

impl Running {
    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its Macs; the first is the one that answers.
    #[must_use]
    pub fn macs(&self) -> &[Named] {
        &self.macs
    }

    /// Stops; returns within two seconds.
    pub async fn stop(self) {
        self.stop.cancel();
        // An error would say that serving panicked: then it has stopped as well.
        let _ = self.done.await;
    }
}

/// Starts a simulator.
///
/// # Errors
/// It cannot listen, a model cannot be loaded, or there is no such trouble.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let Config { macs, api_port, loaded, speed, troubles } = config;
    let refused = |source| StartError::Listen { port: api_port, source };
    if is_taken(api_port).await {
        return Err(refused(io::ErrorKind::AddrInUse.into()));
    }
    let listener = listen(api_port).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let cards = card::built_in().map_err(StartError::Cards)?;
    let calendar = Calendar { epoch: Timestamp::now(), speed };
    let mut world = World::new(cards, &macs, address.port(), calendar, rand::random());
    for model in &loaded {
        world.load(model).map_err(|error| StartError::Load(said(&error)))?;
    }
    let nodes = world.nodes();
    let known = world.known();
    for text in &troubles {
        world.order(trouble::read(text, &known).map_err(|error| StartError::Trouble(error.to_string()))?);
    }
    let named =
        macs.iter().zip(nodes).map(|(mac, node_id)| Named { name: mac.name.clone(), node_id, ram_mib: mac.gib * 1024 });
    let macs = named.collect();
    let stop = CancellationToken::new();
    let sim = Arc::new(Sim::new(world, calendar, stop.clone()));
    let done = tokio::spawn(run(sim, listener, stop.clone()));
    Ok(Running { address, macs, stop, done })
}

fn said(error: &MakeError) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}

/// Whether somebody answers there already. macOS would let us listen beside an exo that has the port on all addresses.
async fn is_taken(port: u16) -> bool {
    let asked = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    port != 0 && tokio::time::timeout(PATIENCE, asked).await.is_ok_and(|socket| socket.is_ok())
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // One that restarts takes its port back although old connections linger.
    socket.set_reuseaddr(true)?;
    // The real one listens everywhere, without any password. This one is for this machine.
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}

async fn run(sim: Arc<Sim>, listener: TcpListener, stop: CancellationToken) {
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection went at once");
        }
    });
    let stopped = stop.clone();
    let serving = axum::serve(listener, routes::router(sim)).with_graceful_shutdown(stopped.cancelled_owned());
    let limit = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving.into_future() => {
            if let Err(error) = served {
                tracing::error!(error = &error as &dyn std::error::Error, "no more connections can be accepted");
            }
        }
        () = limit => tracing::debug!("connections were still open"),
    }
}
