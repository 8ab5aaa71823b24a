//! A place on the way between an agent and its Hub that a test commands: it passes bytes on, falls silent, or resets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What becomes of the connections that stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Pass,
    /// Nothing is passed on any more, and nothing said: a path that is gone.
    Swallow,
    Reset,
}

/// It runs until it is dropped.
#[derive(Debug)]
pub struct Detour {
    port: u16,
    orders: watch::Sender<(u64, Order)>,
    passed: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Detour {
    /// The way to a port of this machine, from a free one.
    ///
    /// # Panics
    /// No port is free.
    pub async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (orders, heard) = watch::channel((0, Order::Pass));
        let passed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&passed);
        let task = tokio::spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst) as u64;
                running.spawn(pass(near, target, number, heard.clone()));
            }
        });
        Self { port, orders, passed, task }
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// For agents.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Connections taken so far.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    /// The connections that stand lead nowhere from now on; new ones pass.
    pub fn swallow(&self) {
        self.orders.send_replace((self.passed() as u64, Order::Swallow));
    }

    /// The connections that stand are reset, at both ends; new ones pass.
    pub fn reset(&self) {
        self.orders.send_replace((self.passed() as u64, Order::Reset));
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An order is for the connections below its number.
async fn pass(mut near: TcpStream, target: u16, number: u64, mut orders: watch::Receiver<(u64, Order)>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    let Ok(mut far) = socket.connect(SocketAddr::from(([127, 0, 0, 1], target))).await else { return };
    let order = tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => return,
        order = orders.wait_for(|(below, order)| number < *below && *order != Order::Pass) => order.map(|order| order.1),
    };
    match order {
        Ok(Order::Reset) => {
            for socket in [&near, &far] {
                socket.set_zero_linger().expect("a socket");
            }
        }
        // Held open, and silent, until the test ends.
        Ok(Order::Swallow) => std::future::pending().await,
        Ok(Order::Pass) | Err(_) => {}
    }
}
