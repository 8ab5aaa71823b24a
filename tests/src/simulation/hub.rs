//! A Hub in memory: it takes links with the product's own end of them, and hands out who can be asked.

use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use porten_core::wire::{self, FromHub, Goodbye, GoodbyeReason, close};
use porten_link::{Beat, Outgoing, accept, accept_key, http2};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::scripted_hub::welcome;

/// How it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Serve,
    /// With a goodbye.
    Leave,
}

/// The link that was made last, while it lives, and how many were made.
type Links = (u64, Option<SendRequest<Bytes>>);

/// The Hub; clones are the same one. It ends with the arrivals.
#[derive(Clone)]
pub struct Hub {
    links: watch::Receiver<Links>,
    orders: Arc<watch::Sender<Order>>,
    crash: mpsc::UnboundedSender<()>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// Takes what arrives.
    #[must_use]
    pub fn start(mut arrived: mpsc::UnboundedReceiver<DuplexStream>) -> Self {
        let (links, seen) = watch::channel((0, None));
        let orders = Arc::new(watch::Sender::new(Order::Serve));
        let (crash, mut crashes) = mpsc::unbounded_channel();
        let heard = Arc::clone(&orders);
        tokio::spawn(async move {
            let mut running = JoinSet::new();
            loop {
                tokio::select! {
                    arrived = arrived.recv() => match arrived {
                        Some(io) => drop(running.spawn(hold(io, links.clone(), heard.subscribe()))),
                        None => return,
                    },
                    Some(()) = crashes.recv() => {
                        running.shutdown().await;
                        links.send_modify(|(_, link)| *link = None);
                    }
                    Some(_) = running.join_next() => {}
                }
            }
        });
        Self { links: seen, orders, crash }
    }

    /// Who can be asked now.
    #[must_use]
    pub fn link(&self) -> Option<SendRequest<Bytes>> {
        self.links.borrow().1.clone()
    }

    /// Whether a link is up.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.links.borrow().1.is_some()
    }

    /// All its links are dropped.
    pub fn crash(&self) {
        // It has ended: there is nothing to drop.
        let _ = self.crash.send(());
    }

    /// It says goodbye on all its links.
    pub fn leave(&self) {
        self.orders.send_replace(Order::Leave);
        self.orders.send_replace(Order::Serve);
    }
}

/// One link from its upgrade to its end.
async fn hold(io: DuplexStream, links: watch::Sender<Links>, orders: watch::Receiver<Order>) {
    // A link that does not come about is none.
    let _ = serve(io, &links, orders).await;
}

async fn serve(mut io: DuplexStream, links: &watch::Sender<Links>, mut orders: watch::Receiver<Order>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    let proof = accept_key(key.as_bytes());
    let switch = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-protocol: porten.v1\r\nsec-websocket-accept: {proof}\r\n\r\n"
    );
    io.write_all(switch.as_bytes()).await.ok()?;
    let mut opened = accept(io).await;
    opened.receive().await.ok()?;
    opened.send(welcome()).await.ok()?;
    let (bytes, mut control) = opened.into_link(Beat::default());
    let (requests, connection) = http2::call(bytes).await.ok()?;
    orders.mark_unchanged();
    // The newest wins, as at any Hub: the one before it is dead, if it does not know that yet.
    let mut own = 0;
    links.send_modify(|links| {
        own = links.0 + 1;
        *links = (own, Some(requests));
    });
    let mut connection = std::pin::pin!(connection);
    loop {
        tokio::select! {
            _ = &mut connection => break,
            heard = control.incoming.recv() => if heard.is_none() { break },
            Ok(()) = orders.changed() => {
                let goodbye = Goodbye::new(GoodbyeReason::Restart, "The Hub restarts.");
                let text = Outgoing::Text(wire::write(&FromHub::Goodbye(goodbye)));
                let close = Outgoing::Close { code: close::RESTART, reason: String::new() };
                for word in [text, close] {
                    // The link may have ended by itself.
                    let _ = control.outgoing.send(word).await;
                }
            }
        }
    }
    links.send_if_modified(|links| links.0 == own && links.1.take().is_some());
    Some(())
}
