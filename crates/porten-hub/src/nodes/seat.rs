//! One request's place on a node, and what its end says about the node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use h2::client::SendRequest;
use porten_core::wire::Offer;

use super::Nodes;

/// How a request ended on a node, as far as that says something about the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The answer was whole.
    Whole,
    /// It refused because of its engine, its answer broke off, or it gave none.
    Failed,
    /// Nothing: the client left, or the request itself was at fault.
    Nothing,
}

/// One request's place on a node; the node is less busy when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// The node's id, for the log.
    pub(crate) node: Arc<str>,
    /// Which connection it is on.
    pub(crate) connection: u64,
    /// Where to send the request.
    pub(crate) calls: SendRequest<Bytes>,
    pub(super) busy: Arc<AtomicU32>,
    pub(super) nodes: Arc<Nodes>,
    pub(super) account: i64,
    /// What was asked for.
    pub(super) offer: Arc<Offer>,
    pub(super) told: bool,
}

impl Place {
    /// Says once how the request ended.
    pub(crate) fn ended(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.told, true) {
            self.nodes.ended(self, outcome);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
        self.ended(Outcome::Nothing);
    }
}

impl Nodes {
    fn ended(&self, place: &Place, outcome: Outcome) {
        let now = self.now();
        let mut inside = self.lock();
        let live = inside.live_mut(place.account, &place.node).filter(|live| live.connection == place.connection);
        if let Some(live) = live {
            live.ended(&place.offer.id, outcome, now);
        }
    }
}
