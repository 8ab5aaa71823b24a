//! One account's bodies: large ones that its own node takes and never answers, and small ones that never end.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::isolation::attacker::{Report, Stage, Tally, is_on};
use crate::isolation::net::{self, chat_head};
use crate::isolation::node::{Event, Node};

/// Bodies that are held: almost all the room of a Hub.
const HELD: usize = 31;
/// Each of them (bytes).
const LENGTH: usize = 32 * 1024 * 1024;
/// Bodies that trickle.
const TRICKLING: usize = 540;
/// Between two bytes of them.
const DRIP: Duration = Duration::from_secs(1);
/// A piece of a body that is not taken in this time is not taken.
const STUCK: Duration = Duration::from_secs(10);

pub(super) async fn held(stage: &mut Stage) -> Result<Report, String> {
    let (order, tally) = (stage.order.clone(), Tally::default());
    let (id, access) = order.mallory.node.clone();
    let mut node = Node::open(order.hub, net::many(), &id, &access).await?;
    let until = stage.go()?;
    let mut holding = JoinSet::new();
    for _ in 0..HELD {
        let (order, tally) = (order.clone(), tally.clone());
        holding.spawn(async move {
            match hold(&order.hub, &order.mallory.key).await {
                Ok(socket) => {
                    tally.count("held");
                    tokio::time::sleep_until(until).await;
                    drop(socket);
                }
                Err(why) => tally.count(why),
            }
        });
    }
    let mut trickling = JoinSet::new();
    for _ in 0..TRICKLING {
        let (order, tally) = (order.clone(), tally.clone());
        trickling.spawn(async move {
            let opened = async {
                let mut socket = net::socket(order.hub, net::many()).await?;
                let head = chat_head(&order.mallory.key, 1000);
                socket.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
                Ok::<_, String>(socket)
            };
            let Ok(mut socket) = opened.await else { return tally.count("no connection") };
            while is_on(until) {
                if socket.write_all(b"{").await.is_err() {
                    return tally.count("trickle cut");
                }
                tokio::time::sleep(DRIP).await;
            }
            tally.count("trickles");
        });
    }
    let mut taken = 0;
    while is_on(until) {
        match tokio::time::timeout_at(until, node.events.recv()).await {
            Ok(Some(Event::Body(bytes))) => taken += bytes as u64,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    tokio::time::sleep_until(until).await;
    tally.add("MiB that the node took", taken >> 20);
    holding.join_all().await;
    trickling.join_all().await;
    Ok(tally.report(Vec::new()))
}

/// Sends one body whole, and waits for nothing.
async fn hold(hub: &std::net::SocketAddr, key: &str) -> Result<TcpStream, String> {
    let mut socket = net::socket(*hub, net::many()).await?;
    let body = |left: usize| if left == LENGTH { &br#"{"model":"tiny","x":""#[..] } else { &[b'a'; 64 * 1024][..] };
    let mut send = async |bytes: &[u8]| {
        let sent = tokio::time::timeout(STUCK, socket.write_all(bytes)).await;
        sent.map_err(|_| "the body is not taken".to_owned())?.map_err(|_| "the body was refused".to_owned())
    };
    send(chat_head(key, LENGTH).as_bytes()).await?;
    let mut left = LENGTH;
    while left > 2 {
        let piece = body(left);
        let piece = piece.get(..left - 2).unwrap_or(piece);
        send(piece).await?;
        left -= piece.len();
    }
    send(b"\"}").await?;
    Ok(socket)
}
