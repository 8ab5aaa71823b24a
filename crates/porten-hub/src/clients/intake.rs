//! Takes in a request's body, within limits of size, time and memory, and reads which model it asks for.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, header};
use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use porten_core::api_error::ApiError;
use porten_core::wire::MAX_BODY;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::body_budget::{NoRoom, Room, SMALL};
use crate::hub::Hub;

/// How long any body may take.
const GRACE: Duration = Duration::from_secs(60);
/// How fast a body must come after the grace (bytes a second); a phone's uplink is faster.
const SLOWEST: f64 = 32.0 * 1024.0;
/// How much of a body that is too large is read for the sake of its client (bytes), for how long, and how
/// long a pause.
const MAX_DISCARDED: usize = 4 * MAX_BODY;
const DISCARDING: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);
/// Bodies above this are parsed off the async thread (bytes), one at a time for each account: 1 MiB takes about 2 ms.
const PARSED_HERE: usize = SMALL;
/// When to try again where there is no room (seconds).
const BUSY_RETRY: u32 = 2;

/// A request's body and what it asks for.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What it asks for.
    pub(crate) ask: Ask,
    /// The body as it came.
    pub(crate) body: Bytes,
    /// The room it takes, given back when dropped.
    pub(crate) room: Room,
}

/// What the Hub needs to know of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The id in `model`.
    pub(crate) model: String,
    /// The answer is wanted as it is made.
    pub(crate) stream: bool,
}

/// Makes sure that a body of so many bytes fits in.
fn grow(room: &mut Room, bytes: usize) -> Result<(), ApiError> {
    room.grow(bytes).map_err(|full| match full {
        NoRoom::Account => {
            let text = "This account's requests hold as much of the Hub's memory as they may. Try again in a moment.";
            ApiError::new(429, "rate_limit_error", "account_busy", text).retry_after(BUSY_RETRY)
        }
        NoRoom::Hub => {
            let text = "The Hub holds as many requests as it can. Try again in a moment.";
            ApiError::unavailable(503, "hub_busy", text).retry_after(BUSY_RETRY)
        }
    })
}

/// The account has as many requests at the Hub as it may have at a time.
pub(crate) fn account_busy(hub: &Hub) -> ApiError {
    let text = format!(
        "This account has {} requests here, and one may have no more. Try again in a moment.",
        hub.quotas.most()
    );
    ApiError::new(429, "rate_limit_error", "account_busy", text).retry_after(BUSY_RETRY)
}

/// Takes in one request.
pub(crate) async fn read(hub: &Hub, account: i64, request: Request<Incoming>) -> Result<Taken, ApiError> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BODY as u64) {
        // Whoever asks first whether to send is told before it does.
        if !request.headers().contains_key(header::EXPECT) {
            discard(&mut request.into_body()).await;
        }
        return Err(too_large());
    }
    let mut room = Room::new(Arc::clone(&hub.bodies), account);
    let body = collect(request.into_body(), &mut room).await?;
    let ask = if body.len() > PARSED_HERE {
        // The semaphore is never closed.
        let _turn = hub.quotas.parsing(account).acquire_owned().await;
        let body = body.clone();
        tokio::task::spawn_blocking(move || parse(&body)).await.unwrap_or_else(|_| Err(unreadable()))?
    } else {
        parse(&body)?
    };
    Ok(Taken { ask, body, room })
}

async fn collect(mut body: impl Body<Data = Bytes> + Unpin, room: &mut Room) -> Result<Bytes, ApiError> {
    let started = Instant::now();
    let mut all = BytesMut::new();
    while !body.is_end_stream() {
        #[expect(clippy::cast_precision_loss, reason = "32 MiB is exact in an f64")]
        let until = started + GRACE + Duration::from_secs_f64(all.len() as f64 / SLOWEST);
        let frame = tokio::time::timeout_at(until, body.frame()).await.map_err(|_| {
            let text = "The request's body came too slowly.";
            ApiError::invalid("body_too_slow", text)
        });
        let data = match frame.map_err(|error| ApiError { status: 408, ..error })? {
            None => break,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            // The client is most likely gone; if not, its framing was wrong.
            Some(Err(_)) => return Err(ApiError::invalid("body_cut", "The request's body ended before its end.")),
        };
        if all.len() + data.len() > MAX_BODY {
            drop(all);
            discard(&mut body).await;
            return Err(too_large());
        }
        grow(room, all.len() + data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// Reads on and forgets, so that a client that is still sending comes to read why it was refused: a connection closed
/// over unread bytes is reset, and the answer with it. Bounded; what is beyond that may be cut.
async fn discard(body: &mut (impl Body<Data = Bytes> + Unpin)) {
    let all = async {
        let mut left = MAX_DISCARDED;
        // A client that pauses is not in the middle of sending.
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(PAUSE, body.frame()).await
            && let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len))
        {
            left = rest;
        }
    };
    // Late is as good as done.
    let _ = tokio::time::timeout(DISCARDING, all).await;
}

fn too_large() -> ApiError {
    let text = "A request's body may have 32 MiB.";
    ApiError::new(413, "invalid_request_error", "body_too_large", text)
}

fn unreadable() -> ApiError {
    ApiError::invalid("invalid_json", "The body must be one JSON object with one string `model`.")
}

/// What a body asks for. The whole body is read, so that what travels on is JSON; what else is in it, the agent judges.
fn parse(body: &[u8]) -> Result<Ask, ApiError> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        model: String,
        #[serde(borrow)]
        stream: Option<&'a RawValue>,
    }
    let Fields { model, stream } = serde_json::from_slice(body).map_err(|_| unreadable())?;
    Ok(Ask { model, stream: stream.is_some_and(|stream| stream.get() == "true") })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn the_model_is_read_and_everything_that_is_no_request_is_refused() {
        let ask = |stream| Ask { model: "m".into(), stream };
        assert_eq!(parse(br#"{"messages":[{"a":1e400}],"model":"m","x":null}"#).unwrap(), ask(false));
        assert_eq!(parse(br#"{"stream" : true, "model":"m"}"#).unwrap(), ask(true));
        assert_eq!(parse(br#"{"stream":[3],"model":"m"}"#).unwrap(), ask(false), "the agent will say what is wrong");
        let deep = format!(r#"{{"model":"m","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        // Deep nesting is either read or refused, and never the end of the thread's stack.
        let _ = parse(deep.as_bytes());
        let wrong: [&[u8]; 9] = [
            b"",
            b"null",
            b"[]",
            b"{}",
            br#"{"model":3}"#,
            br#"{"model":"a","model":"b"}"#,
            br#"{"model":"a"} x"#,
            br#"{"model":"a"#,
            b"\xff\xfe",
        ];
        for body in wrong {
            assert_eq!(parse(body).unwrap_err().status, 400, "{:?}", String::from_utf8_lossy(body));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up() {
        let drops = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let mut room = Room::new(Arc::default(), 1);
        let error = collect(Body::from_stream(drops), &mut room).await.unwrap_err();
        assert_eq!((error.status, error.code), (408, "body_too_slow"));
    }
}
