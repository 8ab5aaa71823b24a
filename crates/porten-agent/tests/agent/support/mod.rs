//! What the tests stand on: an engine and a Hub made of raw sockets, and a tunnel between relay and Hub.

pub(crate) mod agent;
pub(crate) mod engine;
pub(crate) mod house;
pub(crate) mod hub;
pub(crate) mod tunnel;

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A path of this machine, as mlx_lm names its models; it must never leave it.
pub(crate) const ENGINE_ID: &str = "/Users/ada/models/tiny-4bit";

/// One HTTP/1.1 request as it came, byte for byte.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn is(&self, line: &str) -> bool {
        self.head.starts_with(&format!("{line} HTTP/1.1\r\n"))
    }

    /// Names and values, names in lower case, sorted.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut headers: Vec<_> = lines.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        headers.sort();
        headers
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers().into_iter().find_map(|(known, value)| (known == name).then_some(value))
    }
}

/// Reads one request; nothing if the peer left before it was whole.
pub(crate) async fn read_request(socket: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let seen = Seen { head: String::from_utf8(bytes[..end].to_vec()).ok()?, body: String::new() };
    let length: usize = seen.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    while bytes.len() < end + length {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { body: String::from_utf8_lossy(&bytes[end..]).into_owned(), ..seen })
}

/// A whole HTTP/1.1 answer whose end is the connection's.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// Writes what the peer may no longer want.
pub(crate) async fn write(socket: &mut TcpStream, text: &str) {
    let _ = socket.write_all(text.as_bytes()).await;
}

/// What must come soon, with what it was in the panic.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(10), future).await {
        Ok(done) => done,
        Err(_) => panic!("this did not come: {what}"),
    }
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    soon(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
