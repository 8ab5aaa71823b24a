//! Turns a WebSocket into the byte stream HTTP/2 runs on, and does the link's other duties whenever it is polled:
//! control messages both ways, pings, and the close.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{Sink as _, Stream as _};
use porten_core::time::Moment;
use porten_core::wire::MAX_MESSAGE_SENT;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::end::End;
use crate::opened::{CLOSE_PATIENCE, Outgoing, frame};
use crate::pulse::{Act, Beat, Pulse};
use crate::socket::Io;

/// The ends of the channels whose other ends are [`crate::Control`].
#[derive(Debug)]
pub(crate) struct Wires {
    pub(crate) from_owner: mpsc::Receiver<Outgoing>,
    pub(crate) to_owner: mpsc::Sender<String>,
    pub(crate) rtt: watch::Sender<Option<Duration>>,
    pub(crate) end: watch::Sender<Option<End>>,
}

/// A link's byte half; `http2` owns it.
#[derive(Debug)]
pub struct WsBytes<S> {
    ws: WebSocketStream<S>,
    /// What is left of the binary message being read.
    inbound: Bytes,
    /// A control message that found the socket busy.
    waiting: Option<Message>,
    /// Something was queued that has not been flushed.
    dirty: bool,
    /// This side sent its close frame and gives the peer until the timer to answer.
    closing: bool,
    pulse: Pulse,
    timer: Pin<Box<Sleep>>,
    born: Instant,
    wires: Wires,
}

impl<S: Io> WsBytes<S> {
    pub(crate) fn new(ws: WebSocketStream<S>, beat: Beat, wires: Wires) -> Self {
        let born = Instant::now();
        Self {
            ws,
            inbound: Bytes::new(),
            waiting: None,
            dirty: false,
            closing: false,
            pulse: Pulse::new(beat, Moment::START),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            born,
            wires,
        }
    }

    fn now(&self) -> Moment {
        Moment::after_start(self.born.elapsed())
    }

    /// Notes how the link ended; the first word stands.
    fn ended(&self, end: End) -> End {
        self.wires.end.send_if_modified(|told| {
            let first = told.is_none();
            if first {
                *told = Some(end.clone());
            }
            first
        });
        end
    }

    /// Ends the link because of the peer, telling it why as far as the socket takes it at once.
    fn condemn(&mut self, end: End, cx: &mut Context<'_>) -> io::Error {
        if let Some(code) = end.code()
            && self.poll_queue(Message::Close(Some(frame(code, &end.to_string()))), cx).is_ready()
        {
            let _ = Pin::new(&mut self.ws).poll_flush(cx);
        }
        self.ended(end).into()
    }

    /// Hands one message to the socket's queue if it has room; keeps it otherwise.
    fn poll_queue(&mut self, message: Message, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        match Pin::new(&mut self.ws).poll_ready(cx) {
            Poll::Pending => {
                self.waiting = Some(message);
                return Poll::Pending;
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(())) => {}
        }
        self.dirty = true;
        Poll::Ready(Pin::new(&mut self.ws).start_send(message).map_err(End::from))
    }

    /// Control messages out, pings, and the flush after each. Never blocks reading or writing of data.
    fn duties(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while let Some(message) = self.next_duty(cx)? {
            match self.poll_queue(message, cx) {
                Poll::Ready(queued) => queued?,
                Poll::Pending => break,
            }
        }
        if self.dirty && Pin::new(&mut self.ws).poll_flush(cx).map_err(End::from)?.is_ready() {
            self.dirty = false;
        }
        Ok(())
    }

    fn next_duty(&mut self, cx: &mut Context<'_>) -> Result<Option<Message>, End> {
        if let Some(message) = self.waiting.take() {
            return Ok(Some(message));
        }
        if self.closing {
            return if self.timer.as_mut().poll(cx).is_ready() { Err(End::Ours) } else { Ok(None) };
        }
        match self.wires.from_owner.poll_recv(cx) {
            Poll::Ready(Some(Outgoing::Text(text))) => return Ok(Some(Message::text(text))),
            Poll::Ready(Some(Outgoing::Close { code, reason })) => {
                self.closing = true;
                self.ended(End::Ours);
                self.timer.as_mut().reset(Instant::now() + CLOSE_PATIENCE);
                return Ok(Some(Message::Close(Some(frame(code, &reason)))));
            }
            // The owner dropped its sender: nothing more to say, the data half lives on.
            Poll::Ready(None) | Poll::Pending => {}
        }
        self.next_beat(cx)
    }

    fn next_beat(&mut self, cx: &mut Context<'_>) -> Result<Option<Message>, End> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = self.now();
            match self.pulse.act(now) {
                Act::Ping(count) => return Ok(Some(Message::Ping(Bytes::copy_from_slice(&count.to_be_bytes())))),
                Act::Wait(until) => self.timer.as_mut().reset(self.born + until.since_start()),
                Act::Dead => return Err(End::NoPong),
            }
        }
        Ok(None)
    }

    /// Takes one message from the peer; data lands in `inbound`.
    fn take(&mut self, message: Message) -> Result<(), End> {
        let now = self.now();
        self.pulse.hear(now);
        match message {
            Message::Binary(data) => self.inbound = data,
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
}

impl<S: Io> AsyncRead for WsBytes<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if let Err(end) = this.duties(cx) {
                return Poll::Ready(Err(this.condemn(end, cx)));
            }
            if !this.inbound.is_empty() {
                let take = this.inbound.len().min(buf.remaining());
                buf.put_slice(&this.inbound[..take]);
                this.inbound.advance(take);
                return Poll::Ready(Ok(()));
            }
            let end = match ready!(Pin::new(&mut this.ws).poll_next(cx)) {
                Some(Ok(message)) => match this.take(message) {
                    Ok(()) => continue,
                    Err(end) => end,
                },
                Some(Err(error)) => End::from(error),
                None => End::Cut,
            };
            if let End::Closed { .. } = end {
                // The library queued the answering close frame.
                let _ = Pin::new(&mut this.ws).poll_flush(cx);
                this.ended(end);
                return Poll::Ready(Ok(()));
            }
            return Poll::Ready(Err(this.condemn(end, cx)));
        }
    }
}

impl<S: Io> WsBytes<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>, message: impl FnOnce() -> (Bytes, usize)) -> Poll<io::Result<usize>> {
        if let Err(error) = ready!(Pin::new(&mut self.ws).poll_ready(cx)) {
            return Poll::Ready(Err(self.ended(error.into()).into()));
        }
        let (data, taken) = message();
        match Pin::new(&mut self.ws).start_send(Message::Binary(data)) {
            Ok(()) => Poll::Ready(Ok(taken)),
            Err(error) => Poll::Ready(Err(self.ended(error.into()).into())),
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

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A peer that is gone must be noticed also while this side is stuck writing.
        if let Err(end) = this.duties(cx) {
            return Poll::Ready(Err(this.condemn(end, cx)));
        }
        let flushed = ready!(Pin::new(&mut this.ws).poll_flush(cx));
        this.dirty = false;
        Poll::Ready(flushed.map_err(|error| this.ended(error.into()).into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.ended(End::Ours);
        // An error here means that the peer went first.
        let _ = ready!(Pin::new(&mut this.ws).poll_close(cx));
        Poll::Ready(Ok(()))
    }
}
