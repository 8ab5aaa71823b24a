//! A fake engine: a real server on loopback that records what reached it and misbehaves in every measured way.
//!
//! It is written on bare sockets, because what matters is what no HTTP library would send: bodies without an end,
//! connections that are reset, heads that never come; and because it must see a request as it was written.

mod answer;
mod connection;
mod manner;
pub(crate) mod request;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};

pub use manner::{Cut, Dialect, ErrorShape, Framing, List, Manner, Reply, content};
pub use request::Seen;

/// A server that plays an engine. It stops when dropped.
#[derive(Debug)]
pub struct Engine {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

/// What all connections know.
#[derive(Debug, Default)]
struct Shared {
    manner: Mutex<Manner>,
    seen: Mutex<Vec<Seen>>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    generating: AtomicUsize,
    most_generating: AtomicUsize,
    completed: AtomicUsize,
    cancelled: AtomicUsize,
    chunks: AtomicU64,
}

impl Engine {
    /// An engine on a free port of 127.0.0.1.
    pub async fn start(manner: Manner) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), manner).await
    }

    /// An engine at this address.
    ///
    /// # Panics
    /// The address is taken.
    pub async fn start_at(address: SocketAddr, manner: Manner) -> Self {
        let shared = Arc::new(Shared { manner: Mutex::new(manner), ..Shared::default() });
        let mut engine = Self { address, shared, serving: None };
        engine.restart().await;
        engine
    }

    /// Ends it as a kill would: the port is closed and every connection with it.
    pub async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            // It was aborted, so an error is what is expected; when this returns, its sockets are closed.
            let _ = serving.await;
        }
    }

    /// Listens again, on the port it had. What it saw and counted stays.
    ///
    /// # Panics
    /// Somebody else took the port.
    #[expect(clippy::unused_async, reason = "binding needs the runtime, which an async fn is sure to have")]
    pub async fn restart(&mut self) {
        let listener = bind(self.address).expect("the fake engine listens");
        self.address = listener.local_addr().expect("a listener knows its address");
        self.serving = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes how it behaves; answers that have begun go on as they were.
    pub fn change(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut lock(&self.shared.manner));
    }

    /// Every request that reached it, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// The requests for generations that reached it, without one-token ones (those are proofs of life).
    #[must_use]
    pub fn asked(&self) -> Vec<Seen> {
        let wanted = |seen: &Seen| seen.target.ends_with("/completions") && seen.max_tokens() != Some(1);
        lock(&self.shared.seen).iter().filter(|seen| wanted(seen)).cloned().collect()
    }

    /// Every request that reached it since this was last asked.
    #[must_use]
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.shared.seen))
    }

    /// Forgets what it saw.
    pub fn forget(&self) {
        lock(&self.shared.seen).clear();
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.counts.connections.load(Ordering::SeqCst)
    }

    /// Generations that run now.
    #[must_use]
    pub fn generating(&self) -> usize {
        self.shared.counts.generating.load(Ordering::SeqCst)
    }

    /// The most generations that ever ran at a time.
    #[must_use]
    pub fn most_generating(&self) -> usize {
        self.shared.counts.most_generating.load(Ordering::SeqCst)
    }

    /// Generations that ran to their end, be it a planned cut.
    #[must_use]
    pub fn completed(&self) -> usize {
        self.shared.counts.completed.load(Ordering::SeqCst)
    }

    /// Generations that ended because the one who asked left.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.shared.counts.cancelled.load(Ordering::SeqCst)
    }

    /// Chunks of content that were generated, over all requests.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.shared.counts.chunks.load(Ordering::SeqCst)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropping the set ends every connection with the listener.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of descriptors: the next connection may find some.
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(connection::serve(stream, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // The connections of the engine that was killed may linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// A poisoned lock means that a test has failed already; the data are still the best there are.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize, most: Option<&AtomicUsize>) -> Self {
        let now = count.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(most) = most {
            most.fetch_max(now, Ordering::SeqCst);
        }
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
