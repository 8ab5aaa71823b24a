//! Turns a WebSocket into the byte stream HTTP/2 runs on, and does the link's other duties whenever it is polled:
//! control messages both ways, pings, and the close.
//!
//! ```text
//!       HTTP/2 is done           owner closes, drops its half,              peer answers, or
//!                                or CLOSE_PATIENCE passes                   CLOSE_PATIENCE passes
//! Live ──────────────► Leaving ───────────────────────────────► Closing ──────────────────────► Over
//!   ├── owner closes ───────────────────────────────────────────────▲                             ▲
//!   └── peer closes or breaks the protocol, falls silent, or the socket ends (from anywhere) ─────┘
//! ```

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{Sink as _, Stream as _};
use porten_core::time::Moment;
use porten_core::wire::{MAX_MESSAGE_SENT, MAX_MESSAGE_TAKEN, close};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::end::End;
use crate::opened::{CLOSE_PATIENCE, Outgoing, Wires, frame};
use crate::pulse::{Act, Beat, PROBE_PATIENCE, Pulse};
use crate::socket::Io;

/// How much goes one way before the other gets a turn (bytes). HTTP/2 reads for as long as there is something to read,
/// then writes for as long as there is something to write: in a flood of small frames a reset would wait for seconds.
const TURN: usize = 4 * MAX_MESSAGE_SENT;
/// Stands in for a beat so slow that the clock cannot express it.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Open both ways.
    Live,
    /// HTTP/2 has said all it will. Why the link ends is the owner's or the peer's to say; the timer bounds the wait.
    Leaving,
    /// This side's close frame goes out, nothing after it; the timer says until when the peer may answer.
    Closing,
    /// Nothing is read or written any more.
    Over,
}

/// A link's byte half; `http2` owns it.
pub struct WsBytes<S> {
    ws: WebSocketStream<S>,
    /// What is left of the binary message being read.
    inbound: Bytes,
    /// What was read, and what was written, in the present turn (bytes).
    turns: (usize, usize),
    /// A message that found the socket busy.
    waiting: Option<Message>,
    /// A ping that is due.
    ping: Option<u64>,
    /// Something was queued that has not been flushed.
    dirty: bool,
    /// The next turn, which flushes it, was asked for.
    is_due: bool,
    /// The socket did not take all of it.
    is_full: bool,
    phase: Phase,
    pulse: Pulse,
    timer: Pin<Box<Sleep>>,
    /// Comes when the owner asks for a probe.
    probe: Pin<Box<OwnedNotified>>,
    born: Instant,
    wires: Wires,
}

/// Prompts and answers stand in the buffers: only the state is shown.
impl<S> std::fmt::Debug for WsBytes<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WsBytes").field("phase", &self.phase).field("pulse", &self.pulse).finish_non_exhaustive()
    }
}

impl<S> Drop for WsBytes<S> {
    /// Whoever waits for the end hears one also when the connection's task was dropped.
    fn drop(&mut self) {
        self.wires.ended(&End::Ours);
    }
}

impl<S: Io> WsBytes<S> {
    pub(crate) fn new(ws: WebSocketStream<S>, beat: Beat, wires: Wires) -> Self {
        Self {
            ws,
            inbound: Bytes::new(),
            turns: (0, 0),
            waiting: None,
            ping: None,
            dirty: false,
            is_due: false,
            is_full: false,
            phase: Phase::Live,
            pulse: Pulse::new(beat, Moment::START),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            probe: Box::pin(Arc::clone(&wires.probe).notified_owned()),
            born: Instant::now(),
            wires,
        }
    }

    fn now(&self) -> Moment {
        Moment::after_start(self.born.elapsed())
    }

    /// Ends the link because of a failure, telling the peer why as far as the socket takes it at once.
    fn condemn(&mut self, end: &End, cx: &mut Context<'_>) -> io::Error {
        if let Some(code) = end.code()
            && matches!(self.phase, Phase::Live | Phase::Leaving)
            && matches!(Pin::new(&mut self.ws).poll_ready(cx), Poll::Ready(Ok(())))
            && Pin::new(&mut self.ws).start_send(Message::Close(Some(frame(code, &end.to_string())))).is_ok()
        {
            let _ = Pin::new(&mut self.ws).poll_flush(cx);
        }
        self.phase = Phase::Over;
        self.wires.ended(end).into()
    }

    /// Writing failed. The peer may have said why before it went: its close frame can stand unread in the socket.
    fn unwritable(&mut self, end: End, cx: &mut Context<'_>) -> io::Error {
        let mut end = end;
        while let End::Io(_) | End::Cut = end
            && let Poll::Ready(Some(Ok(message))) = Pin::new(&mut self.ws).poll_next(cx)
        {
            if let Err(told) = self.take(message) {
                end = told;
            }
        }
        self.inbound.clear();
        self.condemn(&end, cx)
    }

    /// Turns to closing; the answer is the message that says so.
    fn farewell(&mut self, code: u16, reason: &str) -> Message {
        self.wires.ended(&End::Ours);
        self.phase = Phase::Closing;
        self.ping = None;
        self.timer.as_mut().reset(Instant::now() + CLOSE_PATIENCE);
        Message::Close(Some(frame(code, reason)))
    }

    /// Control messages out, pings, and the flush after each. Never blocks reading or writing of data.
    fn duties(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        self.speak(cx)?;
        if self.phase != Phase::Over && self.dirty {
            self.is_full = Pin::new(&mut self.ws).poll_flush(cx).map_err(End::from)?.is_pending();
            (self.dirty, self.is_due) = (self.is_full, false);
        }
        Ok(())
    }

    /// Queues control messages and pings.
    fn speak(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        if self.phase == Phase::Over {
            return Ok(());
        }
        self.talk(cx)?;
        // Also while a message waits for the socket: a peer that reads nothing is noticed by this timer alone.
        while self.keep_time(cx)? {
            self.talk(cx)?;
        }
        Ok(())
    }

    /// Hands over what this side has to say besides data, as far as the socket takes it.
    fn talk(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while let Some(message) = self.next_message(cx)? {
            match Pin::new(&mut self.ws).poll_ready(cx) {
                Poll::Pending => {
                    self.waiting = Some(message);
                    break;
                }
                Poll::Ready(ready) => ready?,
            }
            self.dirty = true;
            Pin::new(&mut self.ws).start_send(message)?;
        }
        Ok(())
    }

    fn next_message(&mut self, cx: &mut Context<'_>) -> Result<Option<Message>, End> {
        if let Some(message) = self.waiting.take() {
            return Ok(Some(message));
        }
        if let Phase::Closing | Phase::Over = self.phase {
            return Ok(None);
        }
        if let Some(count) = self.ping.take() {
            return Ok(Some(Message::Ping(Bytes::copy_from_slice(&count.to_be_bytes()))));
        }
        match self.wires.from_owner.poll_recv(cx) {
            Poll::Ready(Some(Outgoing::Text(text))) if text.len() > MAX_MESSAGE_TAKEN => Err(End::TooBig),
            Poll::Ready(Some(Outgoing::Text(text))) => Ok(Some(Message::text(text))),
            Poll::Ready(Some(Outgoing::Close { code, reason })) => Ok(Some(self.farewell(code, &reason))),
            Poll::Ready(None) if self.phase == Phase::Leaving => Ok(Some(self.farewell(close::NORMAL, ""))),
            // The owner dropped its sender: nothing more to say, the data half lives on.
            Poll::Ready(None) | Poll::Pending => Ok(None),
        }
    }

    /// Looks at the clock until the timer stands on a moment to come; whether there is something new to say.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut news = false;
        while self.phase == Phase::Live && self.probe.as_mut().poll(cx).is_ready() {
            self.probe.set(Arc::clone(&self.wires.probe).notified_owned());
            self.pulse.probe(PROBE_PATIENCE);
            self.timer.as_mut().reset(Instant::now());
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            match self.phase {
                Phase::Live => news |= self.next_beat()?,
                Phase::Leaving => {
                    self.waiting = Some(self.farewell(close::NORMAL, ""));
                    news = true;
                }
                Phase::Closing | Phase::Over => return Err(End::Ours),
            }
        }
        Ok(news)
    }

    /// Does what is due now and sets the timer for what comes next; whether a ping is due.
    fn next_beat(&mut self) -> Result<bool, End> {
        match self.pulse.act(self.now()) {
            Act::Ping(count) => self.ping = Some(count),
            Act::Wait(until) => {
                let at = self.born.checked_add(until.since_start()).unwrap_or_else(|| Instant::now() + FAR);
                self.timer.as_mut().reset(at);
            }
            Act::Dead => return Err(End::NoPong),
        }
        Ok(self.ping.is_some())
    }

    /// Turns to leaving: the peer's pongs no longer matter, only who says the last word.
    fn leave(&mut self) {
        self.phase = Phase::Leaving;
        self.ping = None;
        self.timer.as_mut().reset(Instant::now() + CLOSE_PATIENCE);
    }

    /// Reads one message from the peer. `false` is its polite close.
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let end = match ready!(Pin::new(&mut self.ws).poll_next(cx)) {
            Some(Ok(message)) => match self.take(message) {
                Ok(()) => return Poll::Ready(Ok(true)),
                Err(end) => end,
            },
            Some(Err(error)) => End::from(error),
            None => End::Cut,
        };
        if let End::Closed { .. } = end {
            // The library queued the answering close frame.
            let _ = Pin::new(&mut self.ws).poll_flush(cx);
            self.phase = Phase::Over;
            self.wires.ended(&end);
            return Poll::Ready(Ok(false));
        }
        Poll::Ready(Err(self.condemn(&end, cx)))
    }

    /// Takes one message from the peer; data lands in `inbound`.
    fn take(&mut self, message: Message) -> Result<(), End> {
        let now = self.now();
        self.pulse.hear(now);
        match message {
            Message::Binary(data) => self.inbound = data,
            Message::Text(text) if text.len() > self.wires.longest => return Err(End::TooBig),
            Message::Text(text) => {
                // The owner reads these one by one; a peer that fills the queue is not talking but flooding. A closed
                // queue means that the owner has left already.
                if let Err(mpsc::error::TrySendError::Full(_)) = self.wires.to_owner.try_send(text.as_str().to_owned())
                {
                    return Err(End::Flood);
                }
            }
            // The library queued the pong; without a flush it would wait for the next data.
            Message::Ping(_) => self.dirty = true,
            Message::Pong(payload) => {
                if let Ok(count) = <[u8; 8]>::try_from(&payload[..])
                    && let Some(rtt) = self.pulse.pong(u64::from_be_bytes(count), now)
                {
                    self.wires.rtt.send_replace(Some(rtt));
                }
            }
            Message::Close(frame) => return Err(End::closed(frame.as_ref())),
            Message::Frame(_) => {}
        }
        Ok(())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, message: impl FnOnce() -> (Bytes, usize)) -> Poll<io::Result<usize>> {
        if self.phase == Phase::Live {
            ready!(poll_turn(&mut self.turns.1, cx));
            match Pin::new(&mut self.ws).poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    let (data, taken) = message();
                    self.turns.1 += taken;
                    self.dirty = true;
                    return Poll::Ready(match Pin::new(&mut self.ws).start_send(Message::Binary(data)) {
                        Ok(()) => Ok(taken),
                        Err(error) => Err(self.unwritable(error.into(), cx)),
                    });
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.unwritable(error.into(), cx))),
                Poll::Pending => {}
            }
        }
        // HTTP/2 that cannot write may not read or flush either: time is kept from here too. Nothing follows a close
        // frame, so a closing link takes no data until its end.
        if let Err(end) = self.duties(cx) {
            return Poll::Ready(Err(self.condemn(&end, cx)));
        }
        if self.phase == Phase::Over { Poll::Ready(Err(self.wires.ended(&End::Cut).into())) } else { Poll::Pending }
    }
}

/// Pending once, and at once due again, when the turn is used up.
fn poll_turn(used: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
    if *used < TURN {
        return Poll::Ready(());
    }
    *used = 0;
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl<S: Io> AsyncRead for WsBytes<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if let Err(end) = this.duties(cx) {
                return Poll::Ready(Err(this.unwritable(end, cx)));
            }
            if !this.inbound.is_empty() {
                ready!(poll_turn(&mut this.turns.0, cx));
                let take = this.inbound.len().min(buf.remaining());
                buf.put_slice(&this.inbound[..take]);
                this.inbound.advance(take);
                this.turns = (this.turns.0 + take, 0);
                return Poll::Ready(Ok(()));
            }
            if this.phase == Phase::Over {
                return Poll::Ready(Ok(()));
            }
            let heard = this.poll_hear(cx);
            if heard.is_pending() {
                this.turns = (0, 0);
            }
            ready!(heard)?;
        }
    }
}

impl<S: Io> AsyncWrite for WsBytes<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, || {
            let take = buf.len().min(MAX_MESSAGE_SENT);
            (Bytes::copy_from_slice(&buf[..take]), take)
        })
    }

    /// A frame's head and its payload come as two slices: one message for both.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, || {
            let whole: usize = slices.iter().map(|slice| slice.len()).sum();
            let mut data = BytesMut::with_capacity(whole.min(MAX_MESSAGE_SENT));
            for slice in slices {
                let room = MAX_MESSAGE_SENT - data.len();
                data.extend_from_slice(&slice[..slice.len().min(room)]);
            }
            let taken = data.len();
            (data.freeze(), taken)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// HTTP/2 flushes after each frame of 256 bytes and more. The socket is flushed once for all frames of a turn: when the
    /// connection is polled next, which is asked for at once and comes after the other tasks that are ready and may have more
    /// to send. Nothing waits for that if there are none.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A peer that is gone must be noticed also while this side is stuck writing.
        let told = if this.is_full { this.duties(cx) } else { this.speak(cx) };
        if let Err(end) = told {
            return Poll::Ready(Err(this.unwritable(end, cx)));
        }
        if this.is_full && this.phase != Phase::Over {
            return Poll::Pending;
        }
        if this.dirty && !std::mem::replace(&mut this.is_due, true) {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the link politely, unless that is under way; bounded by [`CLOSE_PATIENCE`] for the owner's last word and
    /// again for the peer's answer. What the peer still sends is read: a socket closed over unread octets resets the
    /// connection, and a reset can swallow the close frame with its code.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.phase == Phase::Live {
            this.leave();
        }
        loop {
            if let Err(end) = this.duties(cx) {
                this.unwritable(end, cx);
            }
            if this.phase == Phase::Over {
                return Poll::Ready(Ok(()));
            }
            // An error is noted as the link's end already; HTTP/2 is past caring.
            let _ = ready!(this.poll_hear(cx));
            this.inbound.clear();
        }
    }
}
