//! Frames written by hand, HTTP/2's and WebSocket's: what no well-behaved library would send.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a client of HTTP/2 begins with, and empty settings.
#[must_use]
pub fn preface() -> Vec<u8> {
    let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    octets.extend(http2(kind::SETTINGS, 0, 0, &[]));
    octets
}

/// Kinds of HTTP/2's frames (RFC 9113, 6).
pub mod kind {
    /// A piece of a body.
    pub const DATA: u8 = 0;
    /// A head.
    pub const HEADERS: u8 = 1;
    /// The end of a stream before its end.
    pub const RST_STREAM: u8 = 3;
    /// Settings.
    pub const SETTINGS: u8 = 4;
    /// A ping.
    pub const PING: u8 = 6;
    /// The end of a connection.
    pub const GOAWAY: u8 = 7;
    /// More room.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a head.
    pub const CONTINUATION: u8 = 9;
}

/// The last frame of a stream.
pub const END_STREAM: u8 = 1;
/// The last frame of a head.
pub const END_HEADERS: u8 = 4;

/// An HTTP/2 frame (RFC 9113, 4.1).
#[must_use]
pub fn http2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    // Frames of tests are far below 16 MiB.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header block of literal fields that are not indexed (RFC 7541, 6.2.2).
#[must_use]
pub fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(&mut block, text.len());
            block.extend(*text);
        }
    }
    block
}

/// A length of seven bits and more (RFC 7541, 5.1), of a text that is not compressed.
pub fn integer(block: &mut Vec<u8>, length: usize) {
    let byte = |length: usize| u8::try_from(length).unwrap_or(u8::MAX);
    let Some(mut rest) = length.checked_sub(127) else { return block.push(byte(length)) };
    block.push(127);
    while rest >= 128 {
        block.push(byte(rest % 128) | 128);
        rest /= 128;
    }
    block.push(byte(rest));
}

/// The head of a good chat, with further fields.
#[must_use]
pub fn chat_head(more: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut fields: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", b"h"),
        (b":path", b"/v1/chat/completions"),
        (b"content-type", b"application/json"),
    ];
    fields.extend(more);
    block(&fields)
}

/// A WebSocket frame as a Hub sends it, without a mask (RFC 6455, 5.2). `first` is its first byte: 0x81 is a whole text.
#[must_use]
pub fn websocket(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = websocket_head(first, payload.len() as u64);
    frame.extend(payload);
    frame
}

/// The head of such a frame alone, which may announce any length.
#[must_use]
pub fn websocket_head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => head.push(short),
        (_, Ok(middle)) => {
            head.push(126);
            head.extend(middle.to_be_bytes());
        }
        _ => {
            head.push(127);
            head.extend(length.to_be_bytes());
        }
    }
    head
}

/// The code of the close frame to come, from a peer that masks; none if the connection ends without one.
pub async fn read_close(io: &mut (impl AsyncRead + Unpin)) -> Option<u16> {
    loop {
        let (first, second) = (io.read_u8().await.ok()?, io.read_u8().await.ok()?);
        let length = match second & 0x7F {
            126 => u64::from(io.read_u16().await.ok()?),
            127 => io.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut mask = [0; 4];
        if second & 0x80 != 0 {
            io.read_exact(&mut mask).await.ok()?;
        }
        let mut payload = vec![0; usize::try_from(length).ok()?];
        io.read_exact(&mut payload).await.ok()?;
        if let (8, [high, low, ..]) = (first & 0xF, payload.as_slice()) {
            return Some(u16::from_be_bytes([high ^ mask[0], low ^ mask[1]]));
        }
    }
}

/// The kind of the frame that answers a stream, or ends it or its connection: a head, a reset or a goodbye. None if the
/// connection ends without one.
pub async fn read_answer(io: &mut (impl AsyncRead + Unpin)) -> Option<u8> {
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).ok()?];
        io.read_exact(&mut payload).await.ok()?;
        if matches!(head[3], kind::HEADERS | kind::RST_STREAM | kind::GOAWAY) {
            return Some(head[3]);
        }
    }
}
