//! Reads a request from the tunnel: head, then body, each refused as early as it can be.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http::Request;
use porten_core::api_error::ApiError;
use porten_core::config::EngineUrl;
use porten_core::relay::admit::{BUSY_RETRY, body_too_large};
use porten_core::relay::{Facts, Head, Names, Wants, admit, admit_body, body, tokens};
use porten_core::route::Route;
use porten_core::wire::{MAX_BODY, MAX_STREAMS};
use tokio::time::Instant;

use super::room::Part;
use super::{Relay, RelayFacts, Stop};
use crate::heavy;

/// A request that may go to the engine.
pub(super) struct Job {
    pub(super) route: Route,
    pub(super) names: Names,
    pub(super) engine_id: String,
    pub(super) wants: Wants,
    pub(super) engine: EngineUrl,
    /// What it may come to hold in the engine's memory (tokens), as far as that is bounded.
    pub(super) tokens: u64,
}

/// What the engine is sent, and the room it takes; kept no longer than it may have to be sent again.
pub(super) struct Prompt {
    pub(super) bytes: Bytes,
    _room: Part,
}

pub(super) async fn receive(
    relay: &Relay,
    request: Request<RecvStream>,
    has_place: bool,
) -> Result<(Job, Prompt), Stop> {
    let facts = Arc::clone(&relay.facts.borrow());
    let (head, stream) = request.into_parts();
    let path = head.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    let admitted = admit(
        &Facts {
            serving: Arc::clone(&facts.serving),
            draining: facts.draining,
            in_flight: if has_place { 0 } else { MAX_STREAMS },
            cap: MAX_STREAMS,
        },
        &Head { method: &head.method, path, headers: &head.headers },
    )?;
    let mut room = relay.room.part();
    let body = read_body(stream, admitted.length, relay.limits.body, &mut room).await?;
    // What was cut meanwhile keeps its room until its work is done.
    let read = heavy::run(body.len(), move || (read(&facts, admitted.route, &body), room)).await;
    let (read, room) = read.ok_or(Stop::Left)?;
    let (job, bytes) = read?;
    Ok((job, Prompt { bytes, _room: room }))
}

/// Reads the body, and writes the one for the engine.
fn read(facts: &RelayFacts, route: Route, body: &[u8]) -> Result<(Job, Bytes), ApiError> {
    let ask = body::read(route, body)?;
    let served = admit_body(&facts.serving, route, &ask.model)?;
    let load = tokens::admit(&ask, facts.bounds.of(&ask.model))?;
    // A served model has an engine; between two facts of the loop it may just have gone.
    let engine = facts.engine.clone().ok_or_else(super::unreachable)?;
    let names = facts.serving.names(&ask.model).ok_or_else(super::unreachable)?;
    let bytes = Bytes::from(ask.for_engine(&served.engine_id));
    let job = Job {
        route,
        names: names.clone(),
        engine_id: served.engine_id.clone(),
        wants: ask.wants,
        engine,
        tokens: load.all,
    };
    Ok((job, bytes))
}

/// What must come of a body while the patience for it lasts (bytes): one that trickles would hold its place for ever.
const PACE: usize = 16 * 1024;

/// The whole body. Windows are released as it is read, so one slow prompt holds up no other.
async fn read_body(
    mut stream: RecvStream,
    length: Option<usize>,
    patience: Duration,
    room: &mut Part,
) -> Result<BytesMut, Stop> {
    // What a Hub announces is believed only up to a megabyte before it is there.
    let mut body = BytesMut::with_capacity(length.unwrap_or_default().min(1024 * 1024));
    let (mut since, mut had) = (Instant::now(), 0);
    loop {
        let piece = match tokio::time::timeout_at(since + patience, stream.data()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(None) => return Ok(body),
            Ok(Some(Err(_))) => return Err(Stop::Left),
            Err(_) => {
                let text = "The request's body stopped coming.";
                return Err(ApiError::new(408, "invalid_request_error", "request_timeout", text).into());
            }
        };
        if body.len() + piece.len() > MAX_BODY {
            return Err(body_too_large().into());
        }
        if !room.grow(body.len() + piece.len()) {
            let text = "This node has as many prompts in memory as it can take; ask again in a moment.";
            return Err(ApiError::unavailable(503, "busy", text).retry_after(BUSY_RETRY).into());
        }
        body.extend_from_slice(&piece);
        if body.len() - had >= PACE {
            (since, had) = (Instant::now(), body.len());
        }
        stream.flow_control().release_capacity(piece.len()).map_err(|_| Stop::Left)?;
    }
}
