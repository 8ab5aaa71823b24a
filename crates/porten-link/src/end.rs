//! How a link ended, told once and kept for whoever asks.

use std::io;

use tokio_tungstenite::tungstenite::{self, protocol::CloseFrame};

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The peer sent a close frame.
    #[error("closed by the other side with code {code}")]
    Closed {
        /// Close code (1005 stands for "none given").
        code: u16,
        /// The peer's words; untrusted text.
        reason: String,
    },
    /// This side closed.
    #[error("closed by this side")]
    Ours,
    /// The connection ended without a close frame.
    #[error("the connection was cut")]
    Cut,
    /// The peer did not answer a ping in time.
    #[error("no answer to a ping")]
    NoPong,
    /// The peer broke the protocol.
    #[error("the other side broke the protocol: {0}")]
    Protocol(&'static str),
    /// A message over the limit: the peer's, or one of this side's that no peer would take.
    #[error("a message over the size limit")]
    TooBig,
    /// The peer sent control messages faster than they could be taken.
    #[error("too many control messages")]
    Flood,
    /// The operating system reported an error.
    #[error("connection failed ({0})")]
    Io(io::ErrorKind),
}

impl End {
    pub(crate) fn closed(frame: Option<&CloseFrame>) -> Self {
        match frame {
            Some(frame) => Self::Closed { code: frame.code.into(), reason: frame.reason.as_str().to_owned() },
            None => Self::Closed { code: 1005, reason: String::new() },
        }
    }

    /// The close code this side sends for it, if the peer should hear one.
    pub(crate) const fn code(&self) -> Option<u16> {
        use porten_core::wire::close;
        match self {
            Self::Protocol(_) => Some(close::PROTOCOL),
            Self::TooBig => Some(close::TOO_BIG),
            Self::Flood => Some(close::POLICY),
            Self::Closed { .. } | Self::Ours | Self::Cut | Self::NoPong | Self::Io(_) => None,
        }
    }
}

impl From<tungstenite::Error> for End {
    fn from(error: tungstenite::Error) -> Self {
        use tungstenite::Error as E;
        match error {
            E::ConnectionClosed | E::AlreadyClosed => Self::Cut,
            // TLS says so when the socket ends without its own goodbye.
            E::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Cut,
            E::Io(error) => Self::Io(error.kind()),
            E::Capacity(_) => Self::TooBig,
            E::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => Self::Cut,
            E::Utf8(_) => Self::Protocol("text that is not UTF-8"),
            E::WriteBufferFull(_) => Self::Flood,
            _ => Self::Protocol("a malformed WebSocket frame"),
        }
    }
}

impl From<End> for io::Error {
    fn from(end: End) -> Self {
        let kind = match &end {
            End::Io(kind) => *kind,
            End::NoPong => io::ErrorKind::TimedOut,
            End::Protocol(_) | End::TooBig | End::Flood => io::ErrorKind::InvalidData,
            End::Closed { .. } | End::Ours | End::Cut => io::ErrorKind::ConnectionAborted,
        };
        Self::new(kind, end)
    }
}
