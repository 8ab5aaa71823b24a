//! Reads one request off a socket as it was written: nothing decoded, nothing joined, nothing forgiven.

use std::io;
use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The largest head (bytes).
const MAX_HEAD: usize = 64 * 1024;
/// The largest body (bytes): a little more than may ever be relayed.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// A request that reached the engine.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When its head was whole.
    pub at: Instant,
    /// The head, with its last empty line.
    pub head: String,
    /// The method.
    pub method: String,
    /// The target: undecoded, in whatever form.
    pub target: String,
    /// Names as they were written, in their order.
    pub headers: Vec<(String, String)>,
    /// The whole body, without chunks' frames.
    pub body: Vec<u8>,
}

impl Seen {
    /// The values of a header, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<&str> {
        let is = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers.iter().filter(is).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// How many tokens it may generate, if it says so.
    #[must_use]
    pub fn max_tokens(&self) -> Option<u32> {
        let json = self.json();
        let most = json.get("max_tokens").or_else(|| json.get("max_completion_tokens"));
        most.and_then(Value::as_u64).map(|most| u32::try_from(most).unwrap_or(u32::MAX))
    }
}

/// Reads the next request; `buffer` holds what came after the last one. `None` at the end of the connection.
pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Option<Seen>> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if buffer.len() > MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if from.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&take(buffer, end)).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().splitn(3, ' ');
    let (method, target) = (first.next().unwrap_or_default().to_owned(), first.next().unwrap_or_default().to_owned());
    let split = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let headers = lines.filter_map(split).collect();
    let mut seen = Seen { at: Instant::now(), head, method, target, headers, body: Vec::new() };
    seen.body = read_body(&seen, from, buffer).await?;
    Ok(Some(seen))
}

async fn read_body(seen: &Seen, from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    if seen.header("transfer-encoding").iter().any(|coding| coding.eq_ignore_ascii_case("chunked")) {
        let mut body = Vec::new();
        loop {
            let line = read_line(from, buffer).await?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
            let chunk = read_exactly(size, from, buffer).await?;
            read_line(from, buffer).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }
    let length = seen.header("content-length").first().and_then(|length| length.parse().ok()).unwrap_or(0);
    read_exactly(length, from, buffer).await
}

async fn read_line(from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(end) = find(buffer, b"\r\n") {
            return Ok(String::from_utf8_lossy(&take(buffer, end + 2)).into_owned());
        }
        if buffer.len() > MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        more(from, buffer).await?;
    }
}

async fn read_exactly(size: usize, from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    if size > MAX_BODY {
        return Err(io::ErrorKind::InvalidData.into());
    }
    while buffer.len() < size {
        more(from, buffer).await?;
    }
    Ok(take(buffer, size))
}

async fn more(from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<()> {
    if from.read_buf(buffer).await? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn take(buffer: &mut Vec<u8>, size: usize) -> Vec<u8> {
    let rest = buffer.split_off(size);
    std::mem::replace(buffer, rest)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
