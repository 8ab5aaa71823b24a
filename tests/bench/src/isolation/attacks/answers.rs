//! What a hostile node says to its own account's clients.

use std::collections::BTreeMap;
use std::time::Duration;

use porten_tests::frames::{http2, kind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::isolation::attacker::{Order, Report, Stage, Tally, is_on};
use crate::isolation::net::{self, Visitor, chat, chat_head};
use crate::isolation::node::{EVENTS, Event, Node, Writer};
use crate::isolation::verdict::Finding;

/// Clients that do not read frames of one byte, and large ones.
const STALLED: usize = 32;
const SLOW: usize = 512;
/// What a Hub gives each answer as its window (bytes).
const WINDOW: usize = 128 * 1024;
/// An event with which the way to a client is filled (bytes).
const EVENT: usize = 4096;
/// Of each window so much is left to large frames (bytes); the Hub gives room again by half windows.
const LARGE: usize = 72 * 1024;
/// A way on which nothing moves for so long is full.
const STANDS: Duration = Duration::from_millis(300);
/// The receive buffer of a client that does not read (bytes).
const BUFFER: u32 = 4096;
/// Frames that a flood sends at most.
const MOST: u64 = 2_000_000;
/// Clients of a node that resets.
const CLIENTS: usize = 32;

async fn node(order: &Order) -> Result<Node, String> {
    let (id, access) = &order.mallory.node;
    Node::open(order.hub, net::many(), id, access).await
}

/// Clients whose answers come in frames of one byte, once nothing more fits on the way to them.
pub(super) async fn tiny_frames(stage: &mut Stage) -> Result<Report, String> {
    let (order, tally) = (stage.order.clone(), Tally::default());
    let mut node = node(&order).await?;
    let until = stage.go()?;
    let sockets = stalled(&order, STALLED).await;
    tally.add("clients", sockets.len() as u64);
    let mut answers: BTreeMap<u32, Answer> = BTreeMap::new();
    let event = http2_event(EVENT);
    let mut filling = JoinSet::new();
    while is_on(until) {
        match tokio::time::timeout(Duration::from_millis(10), node.events.recv()).await {
            Ok(Some(Event::Asked(stream))) => {
                node.writer().head(stream, &EVENTS).await?;
                answers.insert(stream, Answer { unread: 0, moved: Instant::now(), is_full: false });
            }
            Ok(Some(Event::Room(stream, bytes))) => {
                if let Some(answer) = answers.get_mut(&stream) {
                    (answer.unread, answer.moved) = (answer.unread.saturating_sub(bytes), Instant::now());
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => {
                for (stream, answer) in answers.iter_mut().filter(|(_, answer)| !answer.is_full) {
                    if answer.unread + EVENT <= LARGE {
                        node.writer().octets(&http2(kind::DATA, 0, *stream, &event)).await?;
                        (answer.unread, answer.moved) = (answer.unread + EVENT, Instant::now());
                    } else if answer.moved.elapsed() > STANDS {
                        answer.is_full = true;
                        let (writer, tally, stream, left) =
                            (node.writer(), tally.clone(), *stream, WINDOW - answer.unread);
                        filling.spawn(async move {
                            let batch = http2(kind::DATA, 0, stream, b"\n").repeat(1000);
                            for _ in 0..left / 1000 {
                                if !matches!(tokio::time::timeout_at(until, writer.octets(&batch)).await, Ok(Ok(()))) {
                                    break;
                                }
                                tally.add("frames of one byte", 1000);
                            }
                        });
                    }
                }
            }
        }
    }
    filling.join_all().await;
    tally.count(if node.is_up() { "link up" } else { "link ended" });
    drop(sockets);
    Ok(tally.report(Vec::new()))
}

/// What is known of one answer that nobody reads.
struct Answer {
    /// Bytes that the Hub has not given room for again.
    unread: usize,
    /// When that changed last.
    moved: Instant,
    is_full: bool,
}

/// A comment of so many bytes, as an event.
fn http2_event(length: usize) -> Vec<u8> {
    let mut event = vec![b':'; length - 2];
    event.extend(b"\n\n");
    event
}

pub(super) async fn slow_readers(stage: &mut Stage) -> Result<Report, String> {
    let (order, tally) = (stage.order.clone(), Tally::default());
    let mut node = node(&order).await?;
    let until = stage.go()?;
    let asking = tokio::spawn({
        let order = order.clone();
        async move { stalled(&order, SLOW).await }
    });
    let mut filling = JoinSet::new();
    while let Ok(Some(event)) = tokio::time::timeout_at(until, node.events.recv()).await {
        if let Event::Asked(stream) = event {
            let (writer, tally) = (node.writer(), tally.clone());
            filling.spawn(async move {
                let filled = tokio::time::timeout_at(until, fill(&writer, stream)).await;
                tally.count(if matches!(filled, Ok(Ok(()))) { "windows filled" } else { "not filled" });
            });
        }
    }
    filling.join_all().await;
    let sockets = asking.await.map_err(|error| error.to_string())?;
    tally.add("clients", sockets.len() as u64);
    tokio::time::sleep_until(until).await;
    tally.count(if node.is_up() { "link up" } else { "link ended" });
    Ok(tally.report(Vec::new()))
}

/// So many clients that ask and read nothing.
async fn stalled(order: &Order, clients: usize) -> Vec<TcpStream> {
    let mut stalled = JoinSet::new();
    for _ in 0..clients {
        let order = order.clone();
        stalled.spawn(async move { stall(&order).await });
    }
    stalled.join_all().await.into_iter().flatten().collect()
}

/// A client that has asked and will not read.
async fn stall(order: &Order) -> Option<TcpStream> {
    let mut socket = net::socket_with(order.hub, net::many(), Some(BUFFER)).await.ok()?;
    let body = chat("tiny", true);
    socket.write_all((chat_head(&order.mallory.key, body.len()) + &body).as_bytes()).await.ok()?;
    Some(socket)
}

/// Fills an answer's window once.
async fn fill(writer: &Writer, stream: u32) -> Result<(), String> {
    writer.head(stream, &EVENTS).await?;
    let batch = http2(kind::DATA, 0, stream, &http2_event(EVENT)).repeat(8);
    for _ in 0..WINDOW / EVENT / 8 {
        writer.octets(&batch).await?;
    }
    Ok(())
}

pub(super) async fn resets(stage: &mut Stage) -> Result<Report, String> {
    let (order, tally) = (stage.order.clone(), Tally::default());
    let mut node = Some(node(&order).await?);
    let until = stage.go()?;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (order, tally) = (order.clone(), tally.clone());
        clients.spawn(async move {
            let (mut client, body) = (Visitor::new(order.hub, net::many()), chat("tiny", true));
            while is_on(until) {
                tally.reply(&client.chat(&order.mallory.key, &body).await);
            }
        });
    }
    while is_on(until) {
        let Some(standing) = &mut node else {
            tally.count("came back");
            node = self::node(&order).await.ok();
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let writer = standing.writer();
        match tokio::time::timeout_at(until, standing.events.recv()).await {
            Ok(Some(Event::Asked(stream))) => {
                tally.count("resets");
                // CANCEL
                if writer.octets(&http2(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8])).await.is_err() {
                    node = None;
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => node = None,
            Err(_) => break,
        }
    }
    clients.join_all().await;
    Ok(tally.report(Vec::new()))
}

pub(super) async fn frame_flood(stage: &mut Stage) -> Result<Report, String> {
    let (order, tally) = (stage.order.clone(), Tally::default());
    let mut node = node(&order).await?;
    let until = stage.go()?;
    let mut pair = http2(kind::PING, 0, 0, &[7; 8]);
    pair.extend(http2(kind::SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]));
    let batch = pair.repeat(1000);
    let mut sent = 0;
    while is_on(until) && sent < MOST {
        if !node.is_up() {
            tally.count("link ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
            if let Ok(again) = self::node(&order).await {
                node = again;
            }
            continue;
        }
        // A Hub that stops reading holds this back; it is not waited for beyond the attack's time.
        match tokio::time::timeout_at(until, node.writer().octets(&batch)).await {
            Ok(Ok(())) => {
                sent += 2000;
                tally.add("frames", 2000);
            }
            Ok(Err(_)) => node.writer().message(0x88, &[]).await.unwrap_or_default(),
            Err(_) => break,
        }
    }
    Ok(tally.report(Vec::new()))
}

/// Statuses that a node tries, and headers that go with them.
const TRIED: [&[u8]; 17] = [
    b"200", b"101", b"103", b"199", b"201", b"204", b"205", b"206", b"301", b"302", b"304", b"401", b"407", b"426",
    b"511", b"600", b"999",
];

/// Whether a client may be told this status (`docs/protocol.md`, 4.4): those that speak of the client's own credentials,
/// proxy or protocol are no node's to send.
const fn is_documented(status: u16) -> bool {
    matches!(status, 200 | 400 | 402 | 404..=406 | 408..=420 | 422..=425 | 427..=599)
}

pub(super) async fn statuses(stage: &mut Stage) -> Result<Report, String> {
    let (order, tally) = (stage.order.clone(), Tally::default());
    let mut seen = BTreeMap::new();
    let until = stage.go()?;
    for status in TRIED.iter().cycle().take(TRIED.len() * 10) {
        if !is_on(until) {
            break;
        }
        // One link each: a status may end it.
        let mut node = node(&order).await?;
        let body = chat("tiny", false);
        let asking = async {
            let mut socket = net::socket(order.hub, net::many()).await?;
            let whole = chat_head(&order.mallory.key, body.len()) + &body;
            socket.write_all(whole.as_bytes()).await.map_err(|error| error.to_string())?;
            let mut head = [0; 12];
            socket.read_exact(&mut head).await.map_err(|_| "no answer".to_owned())?;
            String::from_utf8_lossy(&head)
                .rsplit(' ')
                .next()
                .unwrap_or_default()
                .parse::<u16>()
                .map_err(|_| "no status".to_owned())
        };
        let answering = async {
            while let Some(event) = node.events.recv().await {
                if let Event::Whole(stream) = event {
                    let fields = [(&b":status"[..], *status), (b"content-type", b"application/json")];
                    let _ = node.writer().answer(stream, &fields, b"{}").await;
                }
            }
        };
        let asked = tokio::time::timeout(Duration::from_secs(3), async {
            tokio::select! { asked = asking => asked, () = answering => Err("link ended".to_owned()) }
        });
        match asked.await.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(told) => {
                tally.count(told.to_string());
                if !is_documented(told) {
                    seen.insert(told, String::from_utf8_lossy(status).into_owned());
                }
            }
            Err(why) => tally.count(why),
        }
    }
    let told: Vec<String> = seen.keys().map(u16::to_string).collect();
    let words = if told.is_empty() { "only those".to_owned() } else { format!("told {}", told.join(", ")) };
    let finding = Finding::new("clients are told documented statuses only", told.is_empty(), words);
    Ok(tally.report(vec![finding]))
}
