//! Knows which nodes are connected, and hands each request to one of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use porten_core::route::Route;
use porten_core::time::Moment;
use porten_core::wire::Offer;
use tokio::sync::{Notify, mpsc};

use crate::demand::Demand;
use crate::place::{self, Candidate, Choice};
use crate::store::Bearer;

mod live;
mod member;
mod opening;
mod seat;

use live::Live;
pub(crate) use member::Member;
pub(crate) use opening::{Full, Opening};
pub(crate) use seat::{Outcome, Place};

/// Nodes connected at a time, over all accounts.
pub(crate) const MAX_NODES: usize = 1024;
/// Nodes connected at a time of one account, and tunnels that it is opening.
pub(crate) const MAX_ACCOUNT_NODES: usize = 64;

/// Wakes that may wait for a tunnel: a node has a handful of models.
const WAKES: usize = 16;

/// How many nodes may come back in one second after a restart, each with its TLS handshake: a few are back at once, a
/// thousand over forty seconds.
const RETURNS: usize = 25;

/// What a list of models takes, measured and rounded up: the message, each model in it, and each look at a node.
const ONE_ANSWER: Duration = Duration::from_micros(20);
const ONE_MODEL: Duration = Duration::from_micros(2);
const ONE_LOOK: Duration = Duration::from_nanos(200);

/// Why a tunnel must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The Hub stops; over how many seconds its nodes may come back.
    Restart { within_s: u32 },
    /// The grant has ended.
    Revoked,
    /// The same node connected again.
    Replaced,
    /// The same node signed in anew, so this sign-in has ended. Its agent is not told that it was signed out: the new
    /// sign-in is most often its own.
    Superseded,
}

/// The connected nodes.
#[derive(Debug)]
pub(crate) struct Nodes {
    inside: Mutex<Inside>,
    /// Nodes at a time, over all accounts.
    most: usize,
    born: Instant,
}

#[derive(Debug, Default)]
struct Inside {
    /// By account: nothing that one account asks for walks the nodes of another.
    accounts: BTreeMap<i64, Account>,
    /// The nodes of all accounts, and the tunnels that are being opened.
    connected: usize,
    opening: usize,
    /// Connections counted so far: a dead one's late words are not taken for the new one's.
    connections: u64,
    /// What clients asked for.
    demand: Demand,
    /// The Hub stops: it takes no new requests, and nodes finish what runs.
    stopping: bool,
    /// The Hub has stopped: nobody joins any more.
    closed: bool,
}

/// The nodes of one account.
#[derive(Debug, Default)]
struct Account {
    live: BTreeMap<Arc<str>, Live>,
    /// Tunnels that are being opened.
    opening: usize,
}

/// Why the Hub asks a node to finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Whoever runs the Hub said so.
    Node,
    /// The Hub stops.
    Hub,
}

impl Held {
    /// For the person at the node.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Node => "Whoever runs the Hub asked this node to finish.",
            Self::Hub => "The Hub is about to stop.",
        }
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
    /// Room for so many nodes.
    pub(crate) fn new(most: usize) -> Self {
        Self { inside: Mutex::default(), most, born: Instant::now() }
    }

    /// Lets a node in, whose tunnel has been opened. An older connection of the same node is told to go: the newest wins.
    /// None if there are too many, or the Hub stops.
    pub(crate) fn join(
        self: &Arc<Self>,
        bearer: &Bearer,
        calls: SendRequest<Bytes>,
        opening: Opening,
    ) -> Option<Member> {
        drop(opening);
        let (account, node) = (bearer.account, Arc::from(bearer.node.as_str()));
        // One farewell is all a tunnel waits for.
        let (farewell, farewells) = mpsc::channel(1);
        let (wakes, wakes_seen) = mpsc::channel(WAKES);
        let mut inside = self.lock();
        if self.is_full(&inside, account, &node).is_some() {
            return None;
        }
        inside.connections += 1;
        let connection = inside.connections;
        let stir = Arc::new(Notify::new());
        if inside.stopping {
            stir.notify_one();
        }
        let live = Live::new(connection, bearer.grant, calls, (farewell, wakes, Arc::clone(&stir)));
        match inside.accounts.entry(account).or_default().live.insert(Arc::clone(&node), live) {
            Some(older) => older.bid(Farewell::Replaced),
            None => inside.connected += 1,
        }
        Some(Member {
            nodes: Arc::clone(self),
            account,
            node,
            connection,
            farewell: farewells,
            wakes: wakes_seen,
            stir,
        })
    }

    /// Takes the best place for a request, of those whose connection is not in `tried`.
    pub(crate) fn take(self: &Arc<Self>, account: i64, offer: &Arc<Offer>, route: Route, tried: &[u64]) -> Taken {
        let now = self.now();
        let mut inside = self.lock();
        let inside = &mut *inside;
        if tried.is_empty() {
            inside.demand.note(account, &offer.id, now);
        }
        let Some(own) = inside.accounts.get_mut(&account) else { return Taken::Nobody };
        let mut live: Vec<(&Arc<str>, &mut Live)> = own.live.iter_mut().collect();
        let candidates: Vec<Candidate<'_>> = live
            .iter()
            .map(|(node, live)| live.candidate(node, tried.contains(&live.connection), &offer.id, now))
            .collect();
        let at = match place::choose(&candidates, offer, route) {
            Choice::Node(at) => at,
            Choice::AllBusy => return Taken::AllBusy,
            Choice::Nobody => return Taken::Nobody,
        };
        let (node, chosen) = &mut live[at];
        // Counted under the lock, so that two requests do not take the same last place.
        chosen.take(&offer.id, now);
        Taken::Place(Place {
            node: Arc::clone(node),
            connection: chosen.connection,
            calls: chosen.calls.clone(),
            busy: Arc::clone(&chosen.busy),
            nodes: Arc::clone(self),
            account,
            offer: Arc::clone(offer),
            told: false,
        })
    }

    /// Whether any node of the account could answer for this model if it were not busy.
    pub(crate) fn could(&self, account: i64, offer: &Offer) -> bool {
        self.lock().able(account, offer, self.now()).next().is_some()
    }

    /// Asks the node that has this model cold, if one does and could serve it, to load it again.
    pub(crate) fn wake(&self, account: i64, offer: &Offer) -> bool {
        let inside = self.lock();
        let mut own = inside.accounts.get(&account).into_iter().flat_map(|own| own.live.values());
        let cold = own.find(|live| live.is_cold(&offer.id, offer.memory_mib));
        // Full: it was asked already.
        cold.is_some_and(|live| live.wakes.try_send(offer.id.clone()).is_ok() || !live.wakes.is_closed())
    }

    /// How much work it is to look for so many models at each node of an account, and to write them down.
    pub(crate) fn work(&self, account: i64, models: usize) -> Duration {
        self.lock().work(account, models)
    }

    /// Ends the tunnels of these grants.
    pub(crate) fn revoke(&self, grants: &[i64]) {
        self.bid(grants, Farewell::Revoked);
    }

    /// Ends the tunnels of these grants, in whose place there is a newer one of the same node.
    pub(crate) fn supersede(&self, grants: &[i64]) {
        self.bid(grants, Farewell::Superseded);
    }

    fn bid(&self, grants: &[i64], farewell: Farewell) {
        let inside = self.lock();
        inside.all().filter(|live| grants.contains(&live.grant)).for_each(|live| live.bid(farewell));
    }

    /// The grants of all connected nodes.
    pub(crate) fn grants(&self) -> Vec<i64> {
        self.lock().all().map(|live| live.grant).collect()
    }

    /// Places nothing more on the nodes of these grants, and places again on all others.
    pub(crate) fn hold(&self, grants: &[i64]) {
        for live in self.lock().accounts.values_mut().flat_map(|account| account.live.values_mut()) {
            live.hold(grants.contains(&live.grant));
        }
    }

    /// The Hub begins to stop: clients are turned away, and nodes are asked to finish what runs.
    pub(crate) fn begin_stop(&self) {
        let mut inside = self.lock();
        inside.stopping = true;
        inside.all().for_each(|live| live.stir.notify_one());
    }

    /// Whether the Hub stops.
    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Ends all tunnels and lets nobody in any more: the Hub stops.
    pub(crate) fn close(&self) {
        let mut inside = self.lock();
        inside.closed = true;
        let within_s = time_to_return(inside.connected);
        inside.all().for_each(|live| live.bid(Farewell::Restart { within_s }));
    }

    /// On a clock that is never set.
    fn now(&self) -> Moment {
        Moment::after_start(self.born.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Each change is one insertion, removal or assignment: a panic leaves nothing half done.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn work(&self, account: i64, models: usize) -> Duration {
        let nodes = self.accounts.get(&account).map_or(0, |account| account.live.len());
        let times = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        ONE_ANSWER + ONE_MODEL * times(models) + ONE_LOOK * times(models * nodes)
    }

    fn all(&self) -> impl Iterator<Item = &Live> {
        self.accounts.values().flat_map(|account| account.live.values())
    }

    fn live(&self, account: i64, node: &str) -> Option<&Live> {
        self.accounts.get(&account)?.live.get(node)
    }

    fn live_mut(&mut self, account: i64, node: &str) -> Option<&mut Live> {
        self.accounts.get_mut(&account)?.live.get_mut(node)
    }

    /// The account's nodes that could answer for this model, on any route, if they were not busy.
    fn able<'a>(&'a self, account: i64, offer: &'a Offer, now: Moment) -> impl Iterator<Item = &'a Live> {
        let own = self.accounts.get(&account).into_iter().flat_map(|own| &own.live);
        own.filter(move |(node, live)| {
            let candidate = live.candidate(node, false, &offer.id, now);
            offer.routes.iter().any(|&route| place::can(&candidate, offer, route))
        })
        .map(|(_, live)| live)
    }
}

/// Over how many seconds so many nodes may come back.
fn time_to_return(nodes: usize) -> u32 {
    u32::try_from(nodes / RETURNS).unwrap_or(u32::MAX)
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
