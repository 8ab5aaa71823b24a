//! A place on the way between an agent and its Hub that a test commands: it passes bytes on, falls silent, or resets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// What goes at a time on a narrow line (bytes).
const PACKET: usize = 1448;
/// How late a packet may be without losing its turn.
const LATE: Duration = Duration::from_millis(5);
/// A narrow line's socket buffers (bytes; the system doubles them).
const BUFFER: u32 = 16 * 1024;

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
    /// No port is free, or there is no runtime.
    #[must_use]
    pub fn to(target: u16) -> Self {
        Self::begin(target, None)
    }

    /// The same, over a line that carries so many bytes a second each way and holds next to none of them.
    ///
    /// # Panics
    /// No port is free.
    #[must_use]
    pub fn narrow(target: u16, bytes_per_second: u32) -> Self {
        Self::begin(target, Some(bytes_per_second))
    }

    fn begin(target: u16, rate: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        if rate.is_some() {
            small(&socket);
        }
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let listener = socket.listen(64).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (orders, heard) = watch::channel((0, Order::Pass));
        let passed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&passed);
        let task = tokio::spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst) as u64;
                running.spawn(pass(near, target, number, heard.clone(), rate));
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
async fn pass(
    mut near: TcpStream,
    target: u16,
    number: u64,
    mut orders: watch::Receiver<(u64, Order)>,
    rate: Option<u32>,
) {
    let socket = TcpSocket::new_v4().expect("a socket");
    if rate.is_some() {
        small(&socket);
    }
    let Ok(mut far) = socket.connect(SocketAddr::from(([127, 0, 0, 1], target))).await else { return };
    let order = tokio::select! {
        () = carry(&mut near, &mut far, rate) => return,
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

/// Passes on until either end is done; how it ended is the two ends' matter.
async fn carry(near: &mut TcpStream, far: &mut TcpStream, rate: Option<u32>) {
    let Some(rate) = rate else {
        let _ = copy_bidirectional(near, far).await;
        return;
    };
    let ((mut near_reads, mut near_writes), (mut far_reads, mut far_writes)) = (near.split(), far.split());
    tokio::select! {
        () = trickle(&mut near_reads, &mut far_writes, rate) => {}
        () = trickle(&mut far_reads, &mut near_writes, rate) => {}
    }
}

/// Packet by packet, each taking its time on the line.
async fn trickle(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin), rate: u32) {
    let mut packet = [0; PACKET];
    let mut free = Instant::now();
    while let Ok(count @ 1..) = from.read(&mut packet).await {
        // A timer is a millisecond late; the line is not.
        free = free.max(Instant::now() - LATE) + Duration::from_secs_f64(count as f64 / f64::from(rate));
        tokio::time::sleep_until(free).await;
        if to.write_all(&packet[..count]).await.is_err() {
            return;
        }
    }
}

/// What a line holds: a home router's few packets, not the megabytes that loopback takes.
fn small(socket: &TcpSocket) {
    socket.set_recv_buffer_size(BUFFER).expect("a small buffer");
    socket.set_send_buffer_size(BUFFER).expect("a small buffer");
}
