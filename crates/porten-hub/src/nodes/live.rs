//! One connection of a node, as the list of nodes keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use porten_core::time::Moment;
use porten_core::wire::{Advert, AdvertModel};
use tokio::sync::{Notify, mpsc};

use super::{Farewell, Outcome};
use crate::breaker::Breaker;
use crate::place::{Candidate, cap};

/// A model that has not been proven for so long gets no requests: an agent in order proves it every half hour, and says so
/// every quarter.
const PROOF_LASTS: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Debug)]
pub(super) struct Live {
    pub(super) connection: u64,
    pub(super) grant: i64,
    pub(super) advert: Option<Advert>,
    /// It said that it drains.
    pub(super) draining: bool,
    /// Whoever runs the Hub drains it.
    pub(super) held: bool,
    pub(super) busy: Arc<AtomicU32>,
    served: u64,
    pub(super) calls: SendRequest<Bytes>,
    farewell: mpsc::Sender<Farewell>,
    pub(super) wakes: mpsc::Sender<String>,
    /// Tells its tunnel that there is something to say.
    pub(super) stir: Arc<Notify>,
    /// By model; only what was advertised and asked for.
    models: BTreeMap<String, Seen>,
}

/// What was seen of one model there.
#[derive(Debug, Default)]
struct Seen {
    breaker: Breaker,
    /// Until when its last proof counts, where the agent says how old that is.
    proven_until: Option<Moment>,
}

impl Live {
    pub(super) fn new(
        connection: u64,
        grant: i64,
        calls: SendRequest<Bytes>,
        (farewell, wakes, stir): (mpsc::Sender<Farewell>, mpsc::Sender<String>, Arc<Notify>),
    ) -> Self {
        Self {
            connection,
            grant,
            advert: None,
            draining: false,
            held: false,
            busy: Arc::default(),
            served: 0,
            calls,
            farewell,
            wakes,
            stir,
            models: BTreeMap::new(),
        }
    }

    pub(super) fn candidate<'a>(&'a self, node: &'a str, tried: bool, model: &str, now: Moment) -> Candidate<'a> {
        Candidate {
            node,
            advert: self.advert.as_ref(),
            draining: self.is_draining(),
            resting: self.resting(model, now).is_some(),
            stale: self.is_stale(model, now),
            busy: self.busy.load(Ordering::Relaxed),
            served: self.served,
            tried,
        }
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.draining || self.held
    }

    pub(super) fn is_at_cap(&self) -> bool {
        self.busy.load(Ordering::Relaxed) >= cap(self.advert.as_ref())
    }

    pub(super) fn resting(&self, model: &str, now: Moment) -> Option<(u32, Duration)> {
        self.models.get(model)?.breaker.resting(now)
    }

    /// An agent that never says when is believed for as long as it advertises.
    pub(super) fn is_stale(&self, model: &str, now: Moment) -> bool {
        self.models.get(model).and_then(|seen| seen.proven_until).is_some_and(|until| now.reached(until))
    }

    /// Keeps what it can serve now. A model that it takes back and advertises anew was proven between.
    pub(super) fn advertise(&mut self, advert: Advert, now: Moment) {
        self.models.retain(|id, _| advert.models.iter().any(|model| model.id == *id));
        for AdvertModel { id, proven_s, .. } in &advert.models {
            if let Some(ago) = proven_s {
                let until = now + PROOF_LASTS.saturating_sub(Duration::from_secs(*ago));
                let seen = self.models.entry(id.clone()).or_default();
                seen.proven_until = seen.proven_until.max(Some(until));
            }
        }
        self.advert = Some(advert);
    }

    pub(super) fn take(&mut self, model: &str, now: Moment) {
        self.served += 1;
        self.busy.fetch_add(1, Ordering::Relaxed);
        if let Some(seen) = self.models.get_mut(model) {
            seen.breaker.taken(now);
        }
    }

    /// How a request ended there; the node is told if others are asked first from now on, or no longer.
    pub(super) fn ended(&mut self, model: &str, outcome: Outcome, now: Moment) {
        let was = self.resting(model, now).is_some();
        // What it does not advertise any more needs no looking after.
        let Some(seen) = self.seen(model) else { return };
        match outcome {
            Outcome::Whole => {
                seen.breaker.succeeded();
                seen.proven_until = seen.proven_until.map(|_| now + PROOF_LASTS);
            }
            Outcome::Failed => seen.breaker.failed(now),
            Outcome::Nothing => seen.breaker.said_nothing(),
        }
        if was != self.resting(model, now).is_some() {
            self.stir.notify_one();
        }
    }

    fn seen(&mut self, model: &str) -> Option<&mut Seen> {
        let advertised = self.advert.as_ref()?.models.iter().any(|advertised| advertised.id == model);
        advertised.then(|| self.models.entry(model.to_owned()).or_default())
    }

    pub(super) fn hold(&mut self, held: bool) {
        if self.held != held {
            self.held = held;
            self.stir.notify_one();
        }
    }

    pub(super) fn bid(&self, farewell: Farewell) {
        // Full: it was told already, and the first word stands. Closed: it is going.
        let _ = self.farewell.try_send(farewell);
    }
}
