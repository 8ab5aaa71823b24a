//! The way back to the Hub: heads, bytes with backpressure, and the trailer that says how the answer ended.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use porten_core::api_error::ApiError;
use porten_core::relay::RequestId;
use porten_core::relay::headers;
use porten_core::wire::{END_COMPLETE, END_ERROR};

/// The client, or the tunnel, is gone.
#[derive(Debug)]
pub(super) struct Left;

/// An answer whose head was not sent yet.
pub(super) struct Back {
    respond: SendResponse<Bytes>,
    id: RequestId,
    stall: Duration,
}

/// An answer whose head was sent.
pub(super) struct Body {
    stream: SendStream<Bytes>,
    stall: Duration,
}

impl Back {
    pub(super) const fn new(respond: SendResponse<Bytes>, id: RequestId, stall: Duration) -> Self {
        Self { respond, id, stall }
    }

    pub(super) const fn id(&self) -> &RequestId {
        &self.id
    }

    /// Ends when the client leaves; otherwise never.
    pub(super) async fn left(&mut self) {
        // An error says that the connection is gone.
        let _ = poll_fn(|cx| self.respond.poll_reset(cx)).await;
    }

    /// Begins a good answer.
    pub(super) fn begin(self, stream: bool) -> Result<Body, Left> {
        let head = headers::for_answer(stream, &self.id);
        self.send(StatusCode::OK, head)
    }

    /// Answers with an error. `refusal` tells the Hub that it may ask another node.
    pub(super) async fn refuse(self, error: &ApiError, refusal: bool) {
        let head = headers::for_error(error, refusal, &self.id);
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Ok(mut body) = self.send(status, head) {
            // Whoever left does not read the error.
            if body.send(Bytes::from(error.body())).await.is_ok() {
                body.end(END_COMPLETE);
            }
        }
    }

    fn send(mut self, status: StatusCode, head: HeaderMap) -> Result<Body, Left> {
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = head;
        let stream = self.respond.send_response(response, false).map_err(|_| Left)?;
        Ok(Body { stream, stall: self.stall })
    }
}

impl Body {
    /// Ends when the client leaves; otherwise never.
    pub(super) async fn left(&mut self) {
        let _ = poll_fn(|cx| self.stream.poll_reset(cx)).await;
    }

    /// Sends all of `data`, as fast as the client takes it. One that takes nothing for too long is cut off, so that
    /// neither the engine nor the tunnel's memory waits for it.
    pub(super) async fn send(&mut self, mut data: Bytes) -> Result<(), Left> {
        while !data.is_empty() {
            self.stream.reserve_capacity(data.len());
            let Ok(granted) = tokio::time::timeout(self.stall, self.capacity()).await else {
                tracing::info!("the client stopped reading");
                self.stream.send_reset(Reason::CANCEL);
                return Err(Left);
            };
            let piece = data.split_to(granted?.min(data.len()));
            self.stream.send_data(piece, false).map_err(|_| Left)?;
        }
        Ok(())
    }

    /// Waits until there is room, or the client left.
    async fn capacity(&mut self) -> Result<usize, Left> {
        poll_fn(|cx| {
            if self.stream.poll_reset(cx).is_ready() {
                return Poll::Ready(Err(Left));
            }
            loop {
                let room = self.stream.capacity();
                if room > 0 {
                    return Poll::Ready(Ok(room));
                }
                match self.stream.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(Left)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Ends a whole answer.
    pub(super) fn complete(self) {
        self.end(END_COMPLETE);
    }

    /// Ends an answer whose last event is an error.
    pub(super) fn failed(self) {
        self.end(END_ERROR);
    }

    fn end(mut self, how: &'static str) {
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(headers::END_NAME, HeaderValue::from_static(how));
        // An error says that the client left meanwhile.
        let _ = self.stream.send_trailers(trailers);
    }
}
