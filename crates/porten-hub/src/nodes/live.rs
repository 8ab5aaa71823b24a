//! One connection of a node, as the list of nodes keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use porten_core::route::Route;
use porten_core::time::Moment;
use porten_core::wire::{Advert, AdvertModel, MAX_STREAMS};
use tokio::sync::{Notify, mpsc};

use super::{Farewell, Outcome};
use crate::breaker::Breaker;
use crate::place::Candidate;

/// A model that has not been proven for so long gets no requests: an agent in order proves it every half hour, and says so
/// every quarter.
const PROOF_LASTS: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Debug)]
pub(super) struct Live {
    pub(super) connection: u64,
    pub(super) grant: i64,
    /// None before its first advert.
    pub(super) advertised: Option<Advertised>,
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
    /// What was advertised, by model: each request and each advert looks here, for each node of its account.
    models: BTreeMap<Arc<str>, Seen>,
}

/// What a node advertised as a whole.
#[derive(Debug)]
pub(super) struct Advertised {
    pub(super) memory_mib: u64,
    /// Requests it takes at a time.
    cap: u32,
    /// The models in its order, each once.
    ids: Vec<Arc<str>>,
    cold: BTreeSet<String>,
}

/// What was said and seen of one model there.
#[derive(Debug, Default)]
struct Seen {
    routes: Vec<Route>,
    breaker: Breaker,
    /// Until when its last proof counts, where the agent says how old that is.
    proven_until: Option<Moment>,
}

impl Seen {
    fn is_stale(&self, now: Moment) -> bool {
        self.proven_until.is_some_and(|until| now.reached(until))
    }
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
            advertised: None,
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
        let seen = self.models.get(model);
        Candidate {
            node,
            memory_mib: self.advertised.as_ref().map_or(0, |advertised| advertised.memory_mib),
            routes: seen.map_or(&[], |seen| &seen.routes),
            cap: self.cap(),
            draining: self.is_draining(),
            resting: seen.is_some_and(|seen| seen.breaker.is_resting(now)),
            stale: seen.is_some_and(|seen| seen.is_stale(now)),
            busy: self.busy.load(Ordering::Relaxed),
            served: self.served,
            tried,
        }
    }

    fn cap(&self) -> u32 {
        self.advertised.as_ref().map_or(0, |advertised| advertised.cap)
    }

    pub(super) const fn is_draining(&self) -> bool {
        self.draining || self.held
    }

    pub(super) fn is_at_cap(&self) -> bool {
        self.busy.load(Ordering::Relaxed) >= self.cap()
    }

    /// Whether it has this model cold, and could serve it.
    pub(super) fn is_cold(&self, model: &str, memory_mib: u64) -> bool {
        let has = |advertised: &Advertised| advertised.memory_mib >= memory_mib && advertised.cold.contains(model);
        !self.is_draining() && self.advertised.as_ref().is_some_and(has)
    }

    /// The models it advertised, in its order, with their routes.
    pub(super) fn models(&self) -> impl ExactSizeIterator<Item = (&str, &[Route])> {
        let ids = self.advertised.as_ref().map_or(&[][..], |advertised| &advertised.ids);
        ids.iter().map(|id| (&**id, self.models.get(id).map_or(&[][..], |seen| &seen.routes)))
    }

    pub(super) fn resting(&self, model: &str, now: Moment) -> Option<(u32, Duration)> {
        self.models.get(model)?.breaker.resting(now)
    }

    /// An agent that never says when is believed for as long as it advertises.
    pub(super) fn is_stale(&self, model: &str, now: Moment) -> bool {
        self.models.get(model).is_some_and(|seen| seen.is_stale(now))
    }

    /// Keeps what it can serve now. A model that it takes back and advertises anew was proven between.
    pub(super) fn advertise(&mut self, advert: Advert, now: Moment) {
        let mut before = std::mem::take(&mut self.models);
        let mut ids = Vec::with_capacity(advert.models.len());
        for AdvertModel { id, routes, proven_s } in advert.models {
            let id = Arc::from(id);
            let seen = self.models.entry(Arc::clone(&id)).or_insert_with(|| {
                let before = before.remove(&id).unwrap_or_default();
                ids.push(id);
                Seen { routes: Vec::new(), ..before }
            });
            for route in routes {
                if !seen.routes.contains(&route) {
                    seen.routes.push(route);
                }
            }
            if let Some(ago) = proven_s {
                let until = now + PROOF_LASTS.saturating_sub(Duration::from_secs(ago));
                seen.proven_until = seen.proven_until.max(Some(until));
            }
        }
        self.advertised = Some(Advertised {
            memory_mib: advert.memory_mib,
            cap: advert.max_streams.min(MAX_STREAMS),
            ids,
            cold: advert.cold.into_iter().collect(),
        });
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
        // What it does not advertise any more needs no looking after.
        let Some(seen) = self.models.get_mut(model) else { return };
        let was = seen.breaker.is_resting(now);
        match outcome {
            Outcome::Whole => {
                seen.breaker.succeeded();
                seen.proven_until = seen.proven_until.map(|_| now + PROOF_LASTS);
            }
            Outcome::Failed => seen.breaker.failed(now),
            Outcome::Nothing => seen.breaker.said_nothing(),
        }
        if was != seen.breaker.is_resting(now) {
            self.stir.notify_one();
        }
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
