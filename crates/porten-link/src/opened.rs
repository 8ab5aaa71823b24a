//! A WebSocket before HTTP/2 starts on it: only text frames are legal, and every wait has its end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use porten_core::wire::{MAX_MESSAGE_SENT, MAX_MESSAGE_TAKEN, close};
use tokio::sync::{Notify, mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use crate::bytes::WsBytes;
use crate::end::End;
use crate::pulse::Beat;
use crate::socket::Io;

/// How long a close handshake may take before the socket is dropped.
pub(crate) const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// Control messages waiting on either side of a link; more is a flood.
const CONTROL_QUEUE: usize = 64;
/// The same from a peer of which little is believed.
const SHORT_QUEUE: usize = 16;

/// Both ends' WebSocket limits, all explicit: the library's defaults are 64 MiB a message and an unbounded queue.
pub(crate) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        // The library writes zeros over what is free of it before each read, however little comes.
        .read_buffer_size(16 * 1024)
        .write_buffer_size(MAX_MESSAGE_SENT)
        // Up to one full buffer waits unwritten when a message is added. Data messages end at MAX_MESSAGE_SENT; a
        // control message (a Hub's long catalog) may be what the peer takes. The rest is frame heads and pongs; a peer
        // that pings without reading fills it and is a flood.
        .max_write_buffer_size(MAX_MESSAGE_SENT + MAX_MESSAGE_TAKEN + MAX_MESSAGE_SENT)
        .max_message_size(Some(MAX_MESSAGE_TAKEN))
        .max_frame_size(Some(MAX_MESSAGE_TAKEN))
}

/// Starts the Hub's side on a connection that was already upgraded.
pub async fn accept<S: Io>(io: S) -> Opened<S> {
    Opened { ws: WebSocketStream::from_raw_socket(io, Role::Server, Some(limits())).await }
}

/// A message from a link's owner to its peer.
#[derive(Debug)]
pub enum Outgoing {
    /// One control message, at most [`MAX_MESSAGE_TAKEN`] bytes: a longer one ends the link with [`End::TooBig`].
    Text(String),
    /// Close the link; the owner then sees [`End::Ours`]. The peer has two seconds to answer.
    Close {
        /// Close code; one that may not be sent (1005, 1006, …) becomes 1000.
        code: u16,
        /// For the peer, at most 123 bytes.
        reason: String,
    },
}

/// A link's control half.
#[derive(Debug)]
pub struct Control {
    /// Control messages to the peer.
    pub outgoing: mpsc::Sender<Outgoing>,
    /// Control messages from the peer.
    pub incoming: mpsc::Receiver<String>,
    /// Asks whether the peer is still there: a ping at once, and [`End::NoPong`] after three silent seconds.
    pub probe: Arc<Notify>,
    /// The last measured round trip.
    pub rtt: watch::Receiver<Option<Duration>>,
    /// How the link ended, once it has: always told before its sender goes.
    pub end: watch::Receiver<Option<End>>,
}

/// The ends of the channels whose other ends are [`Control`].
pub(crate) struct Wires {
    pub(crate) from_owner: mpsc::Receiver<Outgoing>,
    pub(crate) to_owner: mpsc::Sender<String>,
    /// The longest control message that is taken (bytes).
    pub(crate) longest: usize,
    pub(crate) probe: Arc<Notify>,
    pub(crate) rtt: watch::Sender<Option<Duration>>,
    pub(crate) end: watch::Sender<Option<End>>,
}

impl Wires {
    /// Notes how the link ended and answers what stands: the first word.
    pub(crate) fn ended(&self, end: &End) -> End {
        let mut stands = end.clone();
        self.end.send_if_modified(|told| match told {
            Some(first) => {
                stands = first.clone();
                false
            }
            None => {
                *told = Some(end.clone());
                true
            }
        });
        stands
    }
}

/// A WebSocket on which hello and welcome are exchanged.
pub struct Opened<S> {
    ws: WebSocketStream<S>,
}

/// What was said stands in the buffers and is not shown.
impl<S> std::fmt::Debug for Opened<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl<S: Io> Opened<S> {
    pub(crate) const fn new(ws: WebSocketStream<S>) -> Self {
        Self { ws }
    }

    /// Sends one control message.
    ///
    /// # Errors
    /// The link ended. [`End::TooBig`]: the message is over [`MAX_MESSAGE_TAKEN`] and was not sent.
    pub async fn send(&mut self, text: String) -> Result<(), End> {
        if text.len() > MAX_MESSAGE_TAKEN {
            return Err(End::TooBig);
        }
        self.ws.send(Message::text(text)).await.map_err(End::from)
    }

    /// The next control message. Pings are answered meanwhile; a binary frame is a violation, since HTTP/2 has not begun.
    ///
    /// # Errors
    /// The link ended, or the peer broke the protocol; it was told with a close frame.
    pub async fn receive(&mut self) -> Result<String, End> {
        let end = loop {
            match self.ws.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Binary(_))) => break End::Protocol("binary data before the welcome"),
                Some(Ok(Message::Close(frame))) => break End::closed(frame.as_ref()),
                // The library queued the pong; it goes out with the next flush.
                Some(Ok(Message::Ping(_))) => self.ws.flush().await.map_err(End::from)?,
                Some(Ok(Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => break End::from(error),
                None => break End::Cut,
            }
        };
        match (end.code(), &end) {
            (Some(code), _) => self.shut(code, &end.to_string()).await,
            // The library queued the answering close frame. Whether it still goes out changes nothing here.
            (None, End::Closed { .. }) => {
                let _ = tokio::time::timeout(CLOSE_PATIENCE, self.ws.flush()).await;
            }
            (None, _) => {}
        }
        Err(end)
    }

    /// Closes with a code and words for the peer, waiting for its answer only briefly.
    pub async fn close(mut self, code: u16, reason: &str) {
        self.shut(code, reason).await;
    }

    async fn shut(&mut self, code: u16, reason: &str) {
        let farewell = async {
            if self.ws.close(Some(frame(code, reason))).await.is_ok() {
                while let Some(Ok(_)) = self.ws.next().await {}
            }
        };
        // Whether the peer says goodbye too is not ours to decide: after the wait the socket is dropped.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, farewell).await;
    }

    /// Goes over to HTTP/2: the bytes for [`crate::http2`] and the control half.
    pub fn into_link(self, beat: Beat) -> (WsBytes<S>, Control) {
        self.link(beat, MAX_MESSAGE_TAKEN, CONTROL_QUEUE)
    }

    /// The same for a peer whose control messages are shorter than any may be: one that is longer than so many bytes ends
    /// the link with [`End::TooBig`], and sixteen that wait are a flood. So those of a peer that sends faster than its owner
    /// takes them cost little.
    pub fn into_bounded_link(self, beat: Beat, longest: usize) -> (WsBytes<S>, Control) {
        self.link(beat, longest, SHORT_QUEUE)
    }

    fn link(self, beat: Beat, longest: usize, queue: usize) -> (WsBytes<S>, Control) {
        let (outgoing, from_owner) = mpsc::channel(CONTROL_QUEUE);
        let (to_owner, incoming) = mpsc::channel(queue);
        let (rtt_out, rtt) = watch::channel(None);
        let (end_out, end) = watch::channel(None);
        let probe = Arc::new(Notify::new());
        let wires = Wires { from_owner, to_owner, longest, probe: Arc::clone(&probe), rtt: rtt_out, end: end_out };
        (WsBytes::new(self.ws, beat, wires), Control { outgoing, incoming, probe, rtt, end })
    }
}

/// A close frame whose reason fits (RFC 6455 allows 123 bytes) and whose code may be sent (1005 and its kin may not).
pub(crate) fn frame(code: u16, reason: &str) -> CloseFrame {
    let mut cut = reason.len().min(123);
    while !reason.is_char_boundary(cut) {
        cut -= 1;
    }
    let code = CloseCode::from(code);
    let code = if code.is_allowed() { code } else { CloseCode::from(close::NORMAL) };
    CloseFrame { code, reason: reason[..cut].into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_reason_is_cut_between_characters_and_a_code_that_may_not_be_sent_is_not() {
        let cut = frame(4409, &"é".repeat(100));
        assert_eq!((u16::from(cut.code), cut.reason.len()), (4409, 122));
        for code in [0, 999, 1004, 1005, 1006, 1015, 5000] {
            assert_eq!(u16::from(frame(code, "").code), 1000, "{code}");
        }
        assert_eq!(u16::from(frame(1012, "").code), 1012);
    }
}
