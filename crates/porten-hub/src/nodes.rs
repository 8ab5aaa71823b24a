//! Knows which nodes are connected, and hands each request to one of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use h2::client::SendRequest;
use porten_core::route::Route;
use porten_core::wire::{Advert, Offer, Traffic};
use tokio::sync::mpsc;

use crate::catalog::Catalog;
use crate::place::{self, Candidate, Choice};
use crate::store::Bearer;

/// Nodes connected at a time, over all accounts.
pub(crate) const MAX_NODES: usize = 1024;

/// Wakes that may wait for a tunnel: a node has a handful of models.
const WAKES: usize = 16;

/// How many nodes may come back in one second after a restart, each with its TLS handshake: a few are back at once, a
/// thousand over forty seconds.
const RETURNS: usize = 25;

/// Why a tunnel must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The Hub stops; over how many seconds its nodes may come back.
    Restart { within_s: u32 },
    /// The grant has ended.
    Revoked,
    /// The same node connected again.
    Replaced,
}

/// The connected nodes.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    /// By account and node id.
    live: BTreeMap<(i64, String), Live>,
    /// Connections counted so far: a dead one's late words are not taken for the new one's.
    connections: u64,
    /// The Hub stops: nobody joins any more.
    closed: bool,
}

#[derive(Debug)]
struct Live {
    connection: u64,
    grant: i64,
    advert: Option<Advert>,
    draining: bool,
    busy: Arc<AtomicU32>,
    served: u64,
    calls: SendRequest<Bytes>,
    farewell: mpsc::Sender<Farewell>,
    wakes: mpsc::Sender<String>,
}

/// A node's place among the connected; it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    nodes: Arc<Nodes>,
    key: (i64, String),
    connection: u64,
    /// Asks the tunnel to end.
    pub(crate) farewell: mpsc::Receiver<Farewell>,
    /// Models that somebody asks for and that are cold there.
    pub(crate) wakes: mpsc::Receiver<String>,
}

/// One request's place on a node; the node is less busy when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// The node's id, for the log.
    pub(crate) node: String,
    /// Which connection it is on.
    pub(crate) connection: u64,
    /// Where to send the request.
    pub(crate) calls: SendRequest<Bytes>,
    busy: Arc<AtomicU32>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What became of the search for a node.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A place was taken.
    Place(Place),
    /// All that could are at their cap.
    AllBusy,
    /// None could.
    Nobody,
}

impl Nodes {
    /// Lets a node in. An older connection of the same node is told to go: the newest wins.
    /// None if there are too many, or the Hub stops.
    pub(crate) fn join(self: &Arc<Self>, bearer: &Bearer, calls: SendRequest<Bytes>) -> Option<Member> {
        let key = (bearer.account, bearer.node.clone());
        // One farewell is all a tunnel waits for.
        let (farewell, farewells) = mpsc::channel(1);
        let (wakes, wakes_seen) = mpsc::channel(WAKES);
        let mut inside = self.lock();
        if inside.closed || (inside.live.len() >= MAX_NODES && !inside.live.contains_key(&key)) {
            return None;
        }
        inside.connections += 1;
        let connection = inside.connections;
        let live = Live {
            connection,
            grant: bearer.grant,
            advert: None,
            draining: false,
            busy: Arc::default(),
            served: 0,
            calls,
            farewell,
            wakes,
        };
        if let Some(older) = inside.live.insert(key.clone(), live) {
            older.bid(Farewell::Replaced);
        }
        Some(Member { nodes: Arc::clone(self), key, connection, farewell: farewells, wakes: wakes_seen })
    }

    /// Whether nobody may join.
    pub(crate) fn is_full(&self) -> bool {
        let inside = self.lock();
        inside.closed || inside.live.len() >= MAX_NODES
    }

    /// Takes the best place for a request, of those whose connection is not in `tried`.
    pub(crate) fn take(&self, account: i64, offer: &Offer, route: Route, tried: &[u64]) -> Taken {
        let mut inside = self.lock();
        let mut live: Vec<(&String, &mut Live)> =
            inside.live.iter_mut().filter(|(key, _)| key.0 == account).map(|(key, live)| (&key.1, live)).collect();
        let candidates: Vec<Candidate<'_>> =
            live.iter().map(|(node, live)| live.candidate(node, tried.contains(&live.connection))).collect();
        let at = match place::choose(&candidates, offer, route) {
            Choice::Node(at) => at,
            Choice::AllBusy => return Taken::AllBusy,
            Choice::Nobody => return Taken::Nobody,
        };
        let (node, chosen) = &mut live[at];
        chosen.served += 1;
        // Counted under the lock, so that two requests do not take the same last place.
        chosen.busy.fetch_add(1, Ordering::Relaxed);
        Taken::Place(Place {
            node: (*node).clone(),
            connection: chosen.connection,
            calls: chosen.calls.clone(),
            busy: Arc::clone(&chosen.busy),
        })
    }

    /// Whether any node of the account could answer for this model if it were not busy.
    pub(crate) fn could(&self, account: i64, offer: &Offer) -> bool {
        let inside = self.lock();
        let mut own = inside.live.iter().filter(|(key, _)| key.0 == account);
        own.any(|(key, live)| {
            offer.routes.iter().any(|&route| place::can(&live.candidate(&key.1, false), offer, route))
        })
    }

    /// Asks the node that has this model cold, if one does and could serve it, to load it again.
    pub(crate) fn wake(&self, account: i64, offer: &Offer) -> bool {
        let inside = self.lock();
        let mut own = inside.live.iter().filter(|(key, _)| key.0 == account).map(|(_, live)| live);
        let cold = own.find(|live| {
            let has = |advert: &Advert| advert.memory_mib >= offer.memory_mib && advert.cold.contains(&offer.id);
            !live.draining && live.advert.as_ref().is_some_and(has)
        });
        // Full: it was asked already.
        cold.is_some_and(|live| live.wakes.try_send(offer.id.clone()).is_ok() || !live.wakes.is_closed())
    }

    /// Ends the tunnels of these grants.
    pub(crate) fn revoke(&self, grants: &[i64]) {
        let inside = self.lock();
        inside.live.values().filter(|live| grants.contains(&live.grant)).for_each(|live| live.bid(Farewell::Revoked));
    }

    /// The grants of all connected nodes.
    pub(crate) fn grants(&self) -> Vec<i64> {
        self.lock().live.values().map(|live| live.grant).collect()
    }

    /// Ends all tunnels and lets nobody in any more: the Hub stops.
    pub(crate) fn close(&self) {
        let mut inside = self.lock();
        inside.closed = true;
        let within_s = time_to_return(inside.live.len());
        inside.live.values().for_each(|live| live.bid(Farewell::Restart { within_s }));
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Each change is one insertion, removal or assignment: a panic leaves nothing half done.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Over how many seconds so many nodes may come back.
fn time_to_return(nodes: usize) -> u32 {
    u32::try_from(nodes / RETURNS).unwrap_or(u32::MAX)
}

impl Live {
    fn candidate<'a>(&'a self, node: &'a str, tried: bool) -> Candidate<'a> {
        Candidate {
            node,
            advert: self.advert.as_ref(),
            draining: self.draining,
            busy: self.busy.load(Ordering::Relaxed),
            served: self.served,
            tried,
        }
    }

    fn bid(&self, farewell: Farewell) {
        // Full: it was told already, and the first word stands. Closed: it is going.
        let _ = self.farewell.try_send(farewell);
    }
}

impl Member {
    /// Keeps what the node can serve now, and answers where it stands.
    pub(crate) fn advertise(&self, advert: Advert, catalog: &Catalog) -> Traffic {
        self.change(|live| live.advert = Some(advert));
        self.traffic(catalog)
    }

    /// Keeps that the node takes nothing new, until this connection ends: one that changed its mind connects again.
    pub(crate) fn drain(&self) {
        self.change(|live| live.draining = true);
    }

    /// Where the node stands by this catalog; empty before its first advert.
    pub(crate) fn traffic(&self, catalog: &Catalog) -> Traffic {
        let inside = self.nodes.lock();
        let live = inside.live.get(&self.key).filter(|live| live.connection == self.connection);
        let advert = live.and_then(|live| Some((live.advert.as_ref()?, live.draining)));
        advert.map_or(Traffic { models: Vec::new() }, |(advert, draining)| place::traffic(advert, draining, catalog))
    }

    fn change(&self, change: impl FnOnce(&mut Live)) {
        let mut inside = self.nodes.lock();
        let live = inside.live.get_mut(&self.key).filter(|live| live.connection == self.connection);
        live.map(change);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut inside = self.nodes.lock();
        if inside.live.get(&self.key).is_some_and(|live| live.connection == self.connection) {
            inside.live.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault A2: a few nodes are let back at once, a thousand over forty seconds.
    #[test]
    fn the_more_nodes_the_longer_they_may_take_to_return() {
        assert_eq!([1, 24, 25, 1000, MAX_NODES].map(time_to_return), [0, 0, 1, 40, 40]);
    }
}
