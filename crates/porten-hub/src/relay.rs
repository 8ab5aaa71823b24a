//! Carries one request to a node and its answer back, and asks another node as long as nothing was answered.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::response::Response;
use bytes::Bytes;
use porten_core::api_error::ApiError;
use porten_core::route::Route;
use porten_core::wire::Offer;
use tokio::time::Instant;

use crate::body_budget::Room;
use crate::hub::Hub;
use crate::keys_in_use::KeyUse;
use crate::nodes::Taken;
use crate::quota::Seat;

mod answer_body;
mod call;
mod kind;
mod refusal;
mod seam;

use call::Called;
use refusal::Refusal;
pub(crate) use refusal::{key_ended, stopping};

/// Nodes that are asked for one request; after so many the trouble is not the node's.
const MAX_NODES_ASKED: usize = 8;

/// What lets a request be here, until its answer has ended.
#[derive(Debug)]
pub(crate) struct Pass {
    /// Whose it is.
    pub(crate) account: i64,
    /// Its use of the key that it came with.
    pub(crate) key: KeyUse,
    /// Its place among the account's requests.
    #[expect(dead_code, reason = "it is held, not read")]
    pub(crate) seat: Seat,
}

/// One request to relay.
#[derive(Debug)]
pub(crate) struct Job {
    /// On whose nodes, and for how long.
    pub(crate) pass: Pass,
    pub(crate) route: Route,
    /// The model, as the catalog offers it.
    pub(crate) offer: Arc<Offer>,
    /// The request's id.
    pub(crate) id: HeaderValue,
    /// How long nodes may take to begin to answer, and the one that answers until its first byte.
    pub(crate) patience: Duration,
    pub(crate) body: Bytes,
    /// The body's room: given back once a node has answered.
    pub(crate) room: Room,
}

/// Relays until a node answers or none is left.
pub(crate) async fn run(hub: &Hub, job: Job) -> Result<Response, ApiError> {
    let account = job.pass.account;
    let deadline = Instant::now() + job.patience;
    let mut asked: Vec<u64> = Vec::new();
    let mut last: Option<Refusal> = None;
    while asked.len() < MAX_NODES_ASKED {
        let place = match hub.nodes.take(account, &job.offer, job.route, &asked) {
            Taken::Place(place) => place,
            Taken::AllBusy => return Err(refusal::all_busy(&job.offer.id)),
            Taken::Nobody if asked.is_empty() && hub.nodes.wake(account, &job.offer) => {
                return Err(refusal::cold(&job.offer.id));
            }
            Taken::Nobody => break,
        };
        asked.push(place.connection);
        let node = Arc::clone(&place.node);
        match call::call(&job, place, deadline).await {
            // The body's room is given back here.
            Called::Answered(answered) => return Ok(answered.response(job.pass)),
            Called::Failed(error) => return Err(error),
            Called::Refused(refusal) => {
                tracing::info!(id = ?job.id, node = &*node, status = refusal.status(), "the node refused");
                if !refusal.worth_another() {
                    return Ok(refusal.answer(&job.offer.id));
                }
                last = Some(refusal);
            }
            Called::Lost(error) => {
                tracing::info!(id = ?job.id, node = &*node, error = &error as &dyn std::error::Error, "the node gave no answer");
                last = Some(Refusal::Lost);
            }
        }
    }
    // Nobody is left who could want the body again.
    drop((job.body, job.room));
    last.map_or_else(|| Err(refusal::no_node(&job.offer.id)), |last| Ok(last.answer(&job.offer.id)))
}
