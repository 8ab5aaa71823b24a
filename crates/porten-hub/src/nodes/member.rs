//! A node's place among the connected, held by its tunnel.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use porten_core::wire::{Advert, Drained, Offer, Traffic};
use tokio::sync::{Notify, mpsc};

use super::{Farewell, Held, Inside, Live, Nodes};
use crate::catalog::Catalog;
use crate::traffic::{self, Known, Whole};

/// A node's place among the connected; it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) nodes: Arc<Nodes>,
    pub(super) account: i64,
    pub(super) node: Arc<str>,
    pub(super) connection: u64,
    /// Asks the tunnel to end.
    pub(crate) farewell: mpsc::Receiver<Farewell>,
    /// Models that somebody asks for and that are cold there.
    pub(crate) wakes: mpsc::Receiver<String>,
    /// Notified when there is something to tell the node.
    pub(crate) stir: Arc<Notify>,
}

impl Member {
    /// Keeps what the node can serve now.
    pub(crate) fn advertise(&self, advert: Advert) {
        let now = self.nodes.now();
        self.change(|live| live.advertise(advert, now));
    }

    /// Keeps that the node takes nothing new, until this connection ends: one that changed its mind connects again. From
    /// here on nothing is placed there; what was placed before and has not ended is counted.
    pub(crate) fn drain(&self) -> Drained {
        let mut in_flight = 0;
        self.change(|live| {
            live.draining = true;
            in_flight = live.busy.load(Ordering::Relaxed);
        });
        Drained { in_flight }
    }

    /// Whether whoever runs the Hub drains this node.
    pub(crate) fn hold(&self, held: bool) {
        self.change(|live| live.hold(held));
    }

    /// Why the Hub asks this node to finish, if it does.
    pub(crate) fn held(&self) -> Option<Held> {
        let inside = self.nodes.lock();
        let held = self.live(&inside).is_some_and(|live| live.held);
        if inside.stopping { Some(Held::Hub) } else { held.then_some(Held::Node) }
    }

    /// Where the node stands by this catalog; empty before its first advert.
    pub(crate) fn traffic(&self, catalog: &Catalog) -> Traffic {
        let now = self.nodes.now();
        let inside = self.nodes.lock();
        let advertised = self.live(&inside).and_then(|live| Some((live, live.advertised.as_ref()?)));
        let Some((live, advertised)) = advertised else { return Traffic { models: Vec::new() } };
        let whole = Whole {
            memory_mib: advertised.memory_mib,
            draining: live.draining,
            hub_drains: live.held || inside.stopping,
            at_cap: live.is_at_cap(),
            counted: now.since_start(),
        };
        traffic::traffic(live.models(), whole, catalog, |offer: &Offer| {
            let rested = |live: &&Live| live.resting(&offer.id, now).is_none();
            let (mut nodes, mut among) = (0, false);
            for able in inside.able(self.account, offer, now).filter(rested) {
                nodes += 1;
                among |= able.connection == self.connection;
            }
            Known {
                resting: live.resting(&offer.id, now),
                stale: live.is_stale(&offer.id, now),
                asked: inside.demand.asked(self.account, &offer.id, now),
                nodes,
                among,
            }
        })
    }

    /// How much work it is to say where it stands: each of its models is looked for at each of the account's nodes.
    pub(crate) fn work(&self) -> Duration {
        let inside = self.nodes.lock();
        let models = self.live(&inside).map_or(0, |live| live.models().len());
        inside.work(self.account, models)
    }

    fn live<'a>(&self, inside: &'a Inside) -> Option<&'a Live> {
        inside.live(self.account, &self.node).filter(|live| live.connection == self.connection)
    }

    fn change(&self, change: impl FnOnce(&mut Live)) {
        let mut inside = self.nodes.lock();
        let live = inside.live_mut(self.account, &self.node).filter(|live| live.connection == self.connection);
        live.map(change);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut inside = self.nodes.lock();
        if self.live(&inside).is_some() {
            inside.connected -= 1;
            inside.leave(self.account, |account| drop(account.live.remove(&self.node)));
        }
    }
}
