//! A node that keeps to no rule: a tunnel whose frames, WebSocket's and HTTP/2's, are written by hand.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use porten_tests::frames::{self, END_HEADERS, END_STREAM, http2, kind};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::net;

/// The most octets of HTTP/2 in one message (bytes).
const MESSAGE: usize = 60_000;
/// A Hub answers an upgrade and a hello within this time.
const ANSWER: Duration = Duration::from_secs(15);
/// What a peer does not take in this time it does not take.
const STUCK: Duration = Duration::from_secs(10);
/// The flag that makes an acknowledgement of a setting or a ping.
const ACK: u8 = 1;
/// The largest frame that is read (bytes); a Hub's data messages have 64 KiB.
const MAX_FRAME: u64 = 2 << 20;

/// What came through the tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The head of a request on this stream.
    Asked(u32),
    /// The whole request on this stream has come.
    Whole(u32),
    /// So many bytes of a body.
    Body(usize),
    /// Room for so many bytes more on this stream.
    Room(u32, usize),
}

/// A tunnel, as a node holds it; it ends when dropped.
pub(crate) struct Node {
    writer: Writer,
    /// What came.
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    pump: JoinHandle<()>,
}

/// The writing half, for as many tasks as like.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Mutex<OwnedWriteHalf>>);

impl Drop for Node {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// The names in a hello.
pub(crate) fn hello(node: &str) -> Value {
    json!({"type": "hello", "node": node, "name": "mac", "agent": "0.1.0", "platform": "linux"})
}

/// An advert of `tiny`.
pub(crate) fn advert(seq: u64) -> Value {
    advert_of(seq, &[json!({"id": "tiny", "routes": ["/v1/chat/completions"]})])
}

/// An advert of these models.
pub(crate) fn advert_of(seq: u64, models: &[Value]) -> Value {
    json!({"type": "advert", "seq": seq, "memory_mib": 1_000_000, "models": models, "max_streams": 520, "engine_up": true})
}

impl Node {
    /// A tunnel with a good hello and an advert of `tiny`.
    pub(crate) async fn open(hub: SocketAddr, from: Ipv4Addr, id: &str, access: &str) -> Result<Self, String> {
        let node = Self::say(hub, from, access, &hello(id)).await?;
        node.writer.text(&advert(1)).await?;
        // Until a placement counts on it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(node)
    }

    /// A tunnel with this hello, once it was welcomed and HTTP/2 has begun.
    pub(crate) async fn say(hub: SocketAddr, from: Ipv4Addr, access: &str, hello: &Value) -> Result<Self, String> {
        let opening = async {
            let mut socket = net::socket(hub, from).await?;
            upgrade(&mut socket, access).await?;
            let (mut reader, writer) = socket.into_split();
            let writer = Writer(Arc::new(Mutex::new(writer)));
            writer.text(hello).await?;
            loop {
                let (opcode, payload) = frame(&mut reader).await.ok_or("the link ended before its welcome")?;
                match opcode {
                    1 if payload.windows(9).any(|window| window == b"\"welcome\"") => break,
                    8 => return Err("the hello was refused".to_owned()),
                    _ => {}
                }
            }
            // Windows so large that no body ever waits for more.
            let window = (i32::MAX as u32).to_be_bytes();
            let mut first = http2(kind::SETTINGS, 0, 0, &[&[0, 4][..], &window].concat());
            first.extend(http2(kind::WINDOW_UPDATE, 0, 0, &(i32::MAX as u32 - 65_535).to_be_bytes()));
            writer.octets(&first).await?;
            let (told, events) = mpsc::unbounded_channel();
            let pump = tokio::spawn(pump(reader, writer.clone(), told));
            Ok(Self { writer, events, pump })
        };
        tokio::time::timeout(ANSWER, opening).await.map_err(|_| "no welcome in time".to_owned())?
    }

    pub(crate) fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// Whether the Hub still holds the other end.
    pub(crate) fn is_up(&self) -> bool {
        !self.pump.is_finished()
    }
}

async fn upgrade(socket: &mut tokio::net::TcpStream, access: &str) -> Result<(), String> {
    let head = format!(
        "GET /v1/node/tunnel HTTP/1.1\r\nhost: hub\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: porten.v1\r\nauthorization: Bearer {access}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.map_err(|error| error.to_string())?);
    }
    if answer.starts_with(b"HTTP/1.1 101") {
        return Ok(());
    }
    let line = String::from_utf8_lossy(&answer);
    Err(line.lines().next().unwrap_or_default().to_owned())
}

/// The next frame of a Hub: its kind and its payload. None at the end.
async fn frame(reader: &mut OwnedReadHalf) -> Option<(u8, Vec<u8>)> {
    let (first, second) = (reader.read_u8().await.ok()?, reader.read_u8().await.ok()?);
    let length = match second & 0x7F {
        126 => u64::from(reader.read_u16().await.ok()?),
        127 => reader.read_u64().await.ok()?,
        short => u64::from(short),
    };
    if length > MAX_FRAME {
        return None;
    }
    let mut payload = vec![0; usize::try_from(length).ok()?];
    reader.read_exact(&mut payload).await.ok()?;
    Some((first & 0xF, payload))
}

/// Reads all that comes, answers pings and settings, and tells of requests.
async fn pump(mut reader: OwnedReadHalf, writer: Writer, told: mpsc::UnboundedSender<Event>) {
    let mut octets = Vec::new();
    // The client's preface comes first.
    let mut preface = 24;
    while let Some((opcode, payload)) = frame(&mut reader).await {
        match opcode {
            2 => octets.extend(payload),
            9 => drop(writer.message(0x8A, &payload).await),
            8 => break,
            _ => {}
        }
        if preface > 0 && octets.len() >= preface {
            octets.drain(..preface);
            preface = 0;
        }
        if preface > 0 {
            continue;
        }
        let mut rest = octets.as_slice();
        while let Some((head, after)) = rest.split_at_checked(9) {
            let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap_or_default();
            let Some((payload, after)) = after.split_at_checked(length) else { break };
            let stream = u32::from_be_bytes([head[5] & 0x7F, head[6], head[7], head[8]]);
            let (kind, flags) = (head[3], head[4]);
            rest = after;
            match kind {
                kind::SETTINGS if flags & ACK == 0 => drop(writer.octets(&http2(kind::SETTINGS, ACK, 0, &[])).await),
                kind::PING if flags & ACK == 0 => drop(writer.octets(&http2(kind::PING, ACK, 0, payload)).await),
                kind::HEADERS => drop(told.send(Event::Asked(stream))),
                kind::WINDOW_UPDATE if stream != 0 => {
                    let room = payload.first_chunk().map_or(0, |room| u32::from_be_bytes(*room));
                    drop(told.send(Event::Room(stream, usize::try_from(room).unwrap_or_default())));
                }
                kind::DATA => drop(told.send(Event::Body(payload.len()))),
                _ => {}
            }
            if matches!(kind, kind::HEADERS | kind::DATA) && flags & END_STREAM != 0 {
                drop(told.send(Event::Whole(stream)));
            }
        }
        let left = rest.len();
        octets.drain(..octets.len() - left);
    }
}

impl Writer {
    /// A control message.
    pub(crate) async fn text(&self, message: &Value) -> Result<(), String> {
        self.message(0x81, message.to_string().as_bytes()).await
    }

    /// Octets of HTTP/2, cut into messages.
    pub(crate) async fn octets(&self, octets: &[u8]) -> Result<(), String> {
        for piece in octets.chunks(MESSAGE) {
            self.message(0x82, piece).await?;
        }
        Ok(())
    }

    /// A WebSocket frame; `first` is its first byte. Its mask is zeros, which change nothing.
    pub(crate) async fn message(&self, first: u8, payload: &[u8]) -> Result<(), String> {
        let mut octets = frames::websocket_head(first, payload.len() as u64);
        if let Some(second) = octets.get_mut(1) {
            *second |= 0x80;
        }
        octets.extend([0; 4]);
        octets.extend(payload);
        let mut half = self.0.lock().await;
        let written = tokio::time::timeout(STUCK, half.write_all(&octets)).await;
        written.map_err(|_| "the Hub takes nothing more".to_owned())?.map_err(|error| error.to_string())
    }

    /// The head of an answer.
    pub(crate) async fn head(&self, stream: u32, fields: &[(&[u8], &[u8])]) -> Result<(), String> {
        self.octets(&http2(kind::HEADERS, END_HEADERS, stream, &frames::block(fields))).await
    }

    /// A whole answer, with the trailer that makes it one.
    pub(crate) async fn answer(&self, stream: u32, fields: &[(&[u8], &[u8])], body: &[u8]) -> Result<(), String> {
        self.head(stream, fields).await?;
        if !body.is_empty() {
            self.octets(&http2(kind::DATA, 0, stream, body)).await?;
        }
        let trailer = frames::block(&[(b"porten-end", b"complete")]);
        self.octets(&http2(kind::HEADERS, END_HEADERS | END_STREAM, stream, &trailer)).await
    }
}

/// The fields of an answer that streams.
pub(crate) const EVENTS: [(&[u8], &[u8]); 2] = [(b":status", b"200"), (b"content-type", b"text/event-stream")];
