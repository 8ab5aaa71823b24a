//! The way between an agent and its Hub: pipes that are slow, stand still, or are cut.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use porten_link::dial::{Connect, Transport};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::sync::{mpsc, watch};

/// What a pipe holds (bytes).
const PIPE: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    /// Nothing passes, and nothing is lost: what was sent waits, as TCP does.
    stands_still: bool,
    /// Connections that were made before this many cuts are cut.
    cuts: u64,
    /// Nobody listens at the other end.
    nobody: bool,
    /// How often any of this changed.
    changes: u64,
}

/// The network; clones are the same one.
#[derive(Debug, Clone)]
pub struct Network {
    weather: Arc<watch::Sender<Weather>>,
    arrivals: mpsc::UnboundedSender<DuplexStream>,
    latency: Duration,
}

impl Network {
    /// A network whose bytes take so long, and the connections that arrive at its other end.
    #[must_use]
    pub fn new(latency: Duration) -> (Self, mpsc::UnboundedReceiver<DuplexStream>) {
        let (arrivals, arrived) = mpsc::unbounded_channel();
        (Self { weather: Arc::new(watch::Sender::default()), arrivals, latency }, arrived)
    }

    /// The way in, for whoever dials.
    #[must_use]
    pub fn connect(&self) -> Connect {
        let network = self.clone();
        Arc::new(move |_, _| {
            let network = network.clone();
            Box::pin(async move { network.dial().await.map(|near| Box::new(near) as Transport) })
        })
    }

    async fn dial(&self) -> io::Result<DuplexStream> {
        let mut weather = self.weather.subscribe();
        // A dial through a network that stands still takes until it moves, or until it is given up.
        weather.wait_for(|now| !now.stands_still).await.map_err(|_| io::ErrorKind::TimedOut)?;
        if weather.borrow().nobody {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let ((near, one), (other, far)) = (duplex(PIPE), duplex(PIPE));
        tokio::spawn(carry(one, other, weather, self.latency));
        self.arrivals.send(far).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(near)
    }

    /// How often the weather has changed: what was begun and ended under the same number was not disturbed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.weather.borrow().changes
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.change(|weather| weather.cuts += 1);
    }

    /// Stands still, or moves again.
    pub fn stand_still(&self, still: bool) {
        self.change(|weather| weather.stands_still = still);
    }

    /// Whether it stands still.
    #[must_use]
    pub fn stands_still(&self) -> bool {
        self.weather.borrow().stands_still
    }

    /// Whether somebody listens at the other end.
    pub fn listen(&self, somebody: bool) {
        self.change(|weather| weather.nobody = !somebody);
    }

    fn change(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(|weather| {
            change(weather);
            weather.changes += 1;
        });
    }
}

async fn carry(near: DuplexStream, far: DuplexStream, mut weather: watch::Receiver<Weather>, latency: Duration) {
    let born = weather.borrow().cuts;
    let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
    let flows =
        (flow(near_read, far_write, weather.clone(), latency), flow(far_read, near_write, weather.clone(), latency));
    tokio::select! {
        _ = async { tokio::join!(flows.0, flows.1) } => {}
        _ = weather.wait_for(|now| now.cuts > born) => {}
    }
}

async fn flow(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
    latency: Duration,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(got @ 1..) = from.read(&mut buffer).await {
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let moves = weather.wait_for(|now| !now.stands_still).await.is_ok();
        if !moves || to.write_all(&buffer[..got]).await.is_err() {
            break;
        }
    }
    // Whoever reads there may be gone as well.
    let _ = to.shutdown().await;
}
