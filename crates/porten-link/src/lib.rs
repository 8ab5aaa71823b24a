//! The one connection between agent and Hub, used by both ends: a WebSocket whose text frames are control messages and
//! whose binary frames are the octets of an HTTP/2 connection with reversed roles.
//!
//! ```text
//! agent                                                          Hub
//! dial ──► Opened ── hello ──────────────────────────────► Opened ◄── accept
//!          Opened ◄───────────────────────────── welcome ── Opened
//!          into_link                                     into_link
//!          ├─ WsBytes ► http2::serve  ◄── requests ──  http2::call ◄ WsBytes ─┤
//!          └─ Control ◄────────── text frames ─────────────────────► Control ─┘
//! ```

mod bytes;
pub mod dial;
mod end;
pub mod http2;
mod opened;
pub mod proxy;
mod pulse;
mod socket;
pub mod tls;

pub use bytes::WsBytes;
pub use end::End;
pub use opened::{Control, Opened, Outgoing, accept};
pub use pulse::Beat;
pub use socket::{Io, tune};

/// The `Sec-WebSocket-Accept` value for a client's `Sec-WebSocket-Key` (RFC 6455, 4.2.2).
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    tokio_tungstenite::tungstenite::handshake::derive_accept_key(key)
}
