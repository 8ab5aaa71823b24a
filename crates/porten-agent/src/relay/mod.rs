//! Carries one request from the Hub to the engine and its answer back: a task per stream, decisions in `core::relay`.

mod ask;
mod back;
mod once;
mod piece;
mod queue;
mod receive;
mod room;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use porten_core::api_error::ApiError;
use porten_core::config::EngineUrl;
use porten_core::relay::answer::{member_lost, node_stopped};
use porten_core::relay::engine_error::may_go_elsewhere;
use porten_core::relay::{Bounds, RequestId, Serving, admit_body};
use porten_core::wire::MAX_STREAMS;
use tokio::sync::{Semaphore, watch};
use tracing::Instrument as _;

use crate::engine::EngineClient;
use crate::ledger::Ledger;
use back::Back;
use once::Once;
use queue::Queue;
use receive::Job;
use room::Room;

/// When to ask again after the engine could not be reached (seconds).
const ENGINE_RETRY: u32 = 2;

/// How long each wait of a relayed request may last.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the next 16 KiB of a request's body, or its end.
    pub body: Duration,
    /// Until the engine's head: a non-streaming prefill of a long prompt takes minutes on pooled Macs.
    pub head: Duration,
    /// Between two pieces of an answer: as long, since some engines are silent through a prefill.
    pub silence: Duration,
    /// Until a client that stopped reading takes more.
    pub stall: Duration,
    /// Without a byte to a client that streams, before it gets a keep-alive comment: proxies cut what is silent for a
    /// minute or two, and some engines say nothing through a prefill of minutes (measured: mlx_lm, 120 s).
    pub quiet: Duration,
    /// Until a place at the engine is free: answers on pooled Macs take a minute or two, and who would wait longer for one
    /// does better elsewhere.
    pub turn: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: Duration::from_secs(60),
            head: Duration::from_secs(10 * 60),
            silence: Duration::from_secs(30 * 60),
            stall: Duration::from_secs(60),
            quiet: Duration::from_secs(15),
            turn: Duration::from_secs(120),
        }
    }
}

/// What requests are answered from; replaced whole by the loop.
#[derive(Debug, Clone, Default)]
pub struct RelayFacts {
    /// The models and their routes.
    pub serving: Arc<Serving>,
    /// Where the engine is, while it answers.
    pub engine: Option<EngineUrl>,
    /// No new requests.
    pub draining: bool,
    /// What still runs has to end: the time that it was given is up.
    pub cut: bool,
    /// The engine ids of models that cannot answer any more, as far as is known: their machines are gone, or stand still.
    pub broken: Arc<BTreeSet<String>>,
    /// How much the engine does at a time.
    pub bounds: Arc<Bounds>,
}

/// What a relay task needs; cheap to clone.
#[derive(Debug, Clone)]
pub struct Relay {
    engine: EngineClient,
    facts: watch::Receiver<Arc<RelayFacts>>,
    ledger: Ledger,
    places: Arc<Semaphore>,
    room: Room,
    queue: Queue,
    once: Once,
    limits: Limits,
}

impl Relay {
    /// A relay that answers from `facts`, at most [`MAX_STREAMS`] requests at a time.
    #[must_use]
    pub fn new(engine: EngineClient, facts: watch::Receiver<Arc<RelayFacts>>, ledger: Ledger, limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(MAX_STREAMS as usize));
        let (room, queue, once) = (Room::default(), Queue::default(), Once::default());
        Self { engine, facts, ledger, places, room, queue, once, limits }
    }

    /// Ends when this model cannot answer any more, or this node ends; otherwise never.
    async fn broken(&self, engine_id: &str) {
        let mut facts = self.facts.clone();
        if facts.wait_for(|facts| facts.cut || facts.broken.contains(engine_id)).await.is_err() {
            // The agent ends, and cuts what runs by itself.
            std::future::pending::<()>().await;
        }
    }

    /// Whether what still runs has to end.
    fn is_cut(&self) -> bool {
        self.facts.borrow().cut
    }

    /// Why nothing can come any more.
    fn why_broken(&self) -> ApiError {
        if self.is_cut() { node_stopped() } else { member_lost() }
    }

    /// Whether this model cannot answer any more, as far as is known.
    fn is_broken(&self, engine_id: &str) -> bool {
        self.facts.borrow().broken.contains(engine_id)
    }

    /// A request did not reach the engine.
    fn turned_away(&self, id: &RequestId, error: &ApiError) {
        self.ledger.refuse();
        tracing::info!(id = id.as_str(), status = error.status, code = error.code, "refused");
    }

    /// Whether a request that waited for its turn may still go to the engine: much may have changed.
    fn still_serves(&self, job: &Job) -> Result<(), ApiError> {
        let facts = Arc::clone(&self.facts.borrow());
        let served = admit_body(&facts.serving, job.route, job.names.hub_id())?;
        if served.engine_id == job.engine_id && facts.engine.as_ref() == Some(&job.engine) {
            Ok(())
        } else {
            Err(unreachable())
        }
    }

    /// Requests running now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.ledger.in_flight()
    }
}

/// Why a request is not answered by the engine.
pub(crate) enum Stop {
    /// Tell the client.
    Refused(ApiError),
    /// The client, or the tunnel, left: there is nobody to tell.
    Left,
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

/// Answers one request to its end. Dropping this future at any point closes the engine's connection and resets the stream.
pub async fn serve(relay: Relay, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    // A fresh id is sane, so there always is one; without one the stream is reset as it is dropped.
    let Some(id) = RequestId::of(request.headers()).or_else(fresh_id) else { return };
    let span = tracing::debug_span!("request", id = id.as_str());
    let back = Back::new(respond, id, relay.limits.stall);
    let task = async {
        let place = Arc::clone(&relay.places).try_acquire_owned().ok();
        match receive::receive(&relay, request, place.is_some()).await {
            Ok((job, prompt)) => ask::answer(&relay, &job, prompt, back).await,
            Err(Stop::Refused(error)) => {
                relay.turned_away(back.id(), &error);
                back.refuse(&error, is_refusal(&error)).await;
            }
            Err(Stop::Left) => tracing::debug!("left before it was read"),
        }
        drop(place);
    };
    task.instrument(span).await;
}

/// Whether the Hub may ask another node: this one is busy, leaving, no longer serves the model, or its engine is away.
fn is_refusal(error: &ApiError) -> bool {
    may_go_elsewhere(error) || matches!(error.code, "busy" | "draining" | "model_not_found")
}

fn fresh_id() -> Option<RequestId> {
    RequestId::read(&format!("req-{:016x}", rand::random::<u64>()))
}

/// The engine is not there.
fn unreachable() -> ApiError {
    let text = "The engine behind this node cannot be reached.";
    ApiError::unavailable(503, "engine_unreachable", text).retry_after(ENGINE_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_our_own_is_sane_and_new_each_time() {
        assert!(fresh_id().is_some());
        assert_ne!(fresh_id(), fresh_id());
    }
}
