//! Streams a node's answer to the client as fast as the client reads, and never lets a cut look like an end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame};

use super::Pass;
use super::call::end;
use super::kind::Kind;
use super::refusal::{key_ended, upstream_cut};
use super::seam::Seam;
use crate::nodes::{Outcome, Place};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Bytes come.
    Data,
    /// The bytes have ended; how, the trailers say.
    Trailers,
    /// Over, one way or the other.
    Done,
}

/// The body of a relayed answer. Dropping it early resets the stream, which tells the node to stop.
#[derive(Debug)]
pub(super) struct AnswerBody {
    kind: Kind,
    stage: Stage,
    first: Bytes,
    stream: RecvStream,
    seam: Seam,
    /// Bytes that the client's side has taken since the node was last given room for more.
    owed: usize,
    /// Bytes that went out.
    sent: u64,
    place: Place,
    pass: Pass,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All of it came.
    Complete,
    /// The node was lost.
    Cut,
    /// The key that it was asked for with has ended.
    KeyEnded,
}

impl AnswerBody {
    /// An answer whose first bytes have come; no first bytes means that it is whole and empty.
    pub(super) fn new(kind: Kind, first: Bytes, stream: RecvStream, place: Place, pass: Pass) -> Self {
        let stage = if first.is_empty() { Stage::Done } else { Stage::Data };
        Self { kind, stage, first, stream, seam: Seam::default(), owed: 0, sent: 0, place, pass }
    }

    /// The next bytes as the node sent them.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        // The client's side asks for more, so what it got before is on its way: the node may send as much again.
        let owed = std::mem::take(&mut self.owed);
        if owed > 0 {
            // An error says that the stream is over; the poll tells how.
            let _ = self.stream.flow_control().release_capacity(owed);
        }
        self.stream.poll_data(cx)
    }

    /// How the answer ends when its bytes have: what is left to send.
    fn finish(&mut self, how: End) -> Option<Result<Frame<Bytes>, io::Error>> {
        self.stage = Stage::Done;
        let error = match how {
            End::Complete => {
                tracing::debug!(node = &*self.place.node, bytes = self.sent, outcome = "complete", "the answer ended");
                return self.seam.rest().map(|rest| Ok(Frame::data(rest)));
            }
            End::Cut => {
                tracing::info!(node = &*self.place.node, bytes = self.sent, outcome = "cut", "the answer ended");
                self.place.ended(Outcome::Failed);
                upstream_cut()
            }
            End::KeyEnded => {
                tracing::info!(node = &*self.place.node, bytes = self.sent, outcome = "key ended", "the answer ended");
                self.place.ended(Outcome::Nothing);
                key_ended()
            }
        };
        match self.kind {
            Kind::Document => Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof))),
            // Half an event that has gone out already is ended first.
            Kind::Events => {
                let end = if self.seam.is_torn() { "\n\n" } else { "" };
                Some(Ok(Frame::data(Bytes::from(format!("{end}{}", error.event())))))
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        loop {
            match this.stage {
                Stage::Data if this.pass.key.has_ended() => return Poll::Ready(this.finish(End::KeyEnded)),
                Stage::Data => match this.poll_chunk(cx) {
                    Poll::Pending => {
                        ready!(this.pass.key.poll_end(cx));
                        return Poll::Ready(this.finish(End::KeyEnded));
                    }
                    Poll::Ready(Some(Ok(chunk))) => {
                        this.owed += chunk.len();
                        let passed = match this.kind {
                            Kind::Events => this.seam.pass(chunk),
                            Kind::Document => Some(chunk),
                        };
                        if let Some(bytes) = passed.filter(|bytes| !bytes.is_empty()) {
                            this.sent += bytes.len() as u64;
                            return Poll::Ready(Some(Ok(Frame::data(bytes))));
                        }
                    }
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(this.finish(End::Cut)),
                    Poll::Ready(None) => this.stage = Stage::Trailers,
                },
                Stage::Trailers => {
                    let trailers = ready!(this.stream.poll_trailers(cx));
                    let end = trailers.ok().flatten().and_then(|trailers| end(&trailers));
                    // A cut counts when it is told.
                    if let Some(outcome) = end {
                        this.place.ended(outcome);
                    }
                    return Poll::Ready(this.finish(if end.is_some() { End::Complete } else { End::Cut }));
                }
                Stage::Done => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::Done
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if self.stage != Stage::Done {
            tracing::debug!(node = &*self.place.node, bytes = self.sent, outcome = "client left", "the answer ended");
        }
    }
}
