//! Lets requests wait for their turn at the engine; whose turn it is decides `core::relay::queue`.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use porten_core::api_error::ApiError;
use porten_core::relay::Bounds;
use porten_core::relay::admit::draining;
use porten_core::relay::queue::{self, Entered, Full, Ticket, Wish};
use tokio::sync::{oneshot, watch};

use super::ask::Way;
use super::back::Left;
use super::receive::Job;
use super::{Relay, RelayFacts, Stop};

/// The places at the engine and the line before them; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    queue: queue::Queue,
    bounds: Arc<Bounds>,
    waiting: BTreeMap<Ticket, oneshot::Sender<()>>,
}

/// What a request gets.
enum Turn<'a> {
    /// It goes now.
    Seat(Seat<'a>),
    /// It waits.
    Waits(Waiting<'a>),
}

/// A place at the engine; free again when it is dropped.
pub(super) struct Seat<'a> {
    queue: &'a Queue,
    wish: Wish<'a>,
    took: Option<Duration>,
}

/// A place in the line; free again when it is dropped.
struct Waiting<'a> {
    queue: &'a Queue,
    wish: Wish<'a>,
    ticket: Ticket,
    called: oneshot::Receiver<()>,
    /// Whether its turn was taken: then there is a [`Seat`] for it.
    taken: bool,
}

/// Its place at the engine, once it is its turn.
pub(super) async fn seat<'a>(relay: &'a Relay, job: &'a Job, again: bool, way: &mut Way) -> Result<Seat<'a>, Stop> {
    let wish = Wish { model: job.names.hub_id(), tokens: job.tokens, again };
    let bounds = Arc::clone(&relay.facts.borrow().bounds);
    let waiting = match relay.queue.enter(&bounds, wish, relay.limits.turn)? {
        Turn::Seat(seat) => return Ok(seat),
        Turn::Waits(waiting) => waiting,
    };
    let turn = Box::pin(waiting.turn(relay.facts.clone(), relay.limits.turn));
    match way.wait(turn, pin!(relay.broken(&job.engine_id))).await {
        Ok(Some(seat)) => {
            let seat = seat?;
            relay.still_serves(job)?;
            Ok(seat)
        }
        Ok(None) => Err(relay.why_broken().into()),
        Err(Left) => Err(Stop::Left),
    }
}

impl Queue {
    /// A request comes, and would wait so long.
    ///
    /// # Errors
    /// 429: it is not worth waiting.
    fn enter<'a>(&'a self, bounds: &Arc<Bounds>, wish: Wish<'a>, patience: Duration) -> Result<Turn<'a>, ApiError> {
        let mut inner = self.lock();
        inner.bound_by(bounds);
        let Inner { queue, bounds, waiting } = &mut *inner;
        match queue.enter(bounds, wish, patience) {
            Entered::Now => Ok(Turn::Seat(Seat { queue: self, wish, took: None })),
            Entered::Full(full) => Err(full.error()),
            Entered::Waits(ticket) => {
                let (call, called) = oneshot::channel();
                waiting.insert(ticket, call);
                Ok(Turn::Waits(Waiting { queue: self, wish, ticket, called, taken: false }))
            }
        }
    }

    fn rebound(&self, bounds: &Arc<Bounds>) {
        self.lock().bound_by(bounds);
    }

    /// A panic elsewhere leaves no half-taken step behind.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn bound_by(&mut self, bounds: &Arc<Bounds>) {
        if !Arc::ptr_eq(&self.bounds, bounds) {
            self.bounds = Arc::clone(bounds);
            self.call();
        }
    }

    fn call(&mut self) {
        while let Some(ticket) = self.queue.call(&self.bounds) {
            if let Some(call) = self.waiting.remove(&ticket) {
                // One that is just leaving finds out that it was called, and gives its place back.
                let _ = call.send(());
            }
        }
    }
}

impl Seat<'_> {
    /// Its answer was whole, and took so long.
    pub(super) const fn took(&mut self, took: Duration) {
        self.took = Some(took);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut inner = self.queue.lock();
        inner.queue.leave(self.wish.model, self.wish.tokens, self.took);
        inner.call();
    }
}

impl<'a> Waiting<'a> {
    /// Waits until it is called.
    ///
    /// # Errors
    /// 429: it was not in time. 503: this node drains.
    async fn turn(
        mut self,
        mut facts: watch::Receiver<Arc<RelayFacts>>,
        patience: Duration,
    ) -> Result<Seat<'a>, ApiError> {
        let late = tokio::time::sleep(patience);
        tokio::pin!(late);
        loop {
            tokio::select! {
                biased;
                _ = &mut self.called => {
                    self.taken = true;
                    return Ok(Seat { queue: self.queue, wish: self.wish, took: None });
                }
                // If the loop has ended, what waits is about to be dropped.
                Ok(()) = facts.changed() => {
                    let facts = Arc::clone(&facts.borrow_and_update());
                    if facts.draining {
                        return Err(draining());
                    }
                    self.queue.rebound(&facts.bounds);
                }
                () = &mut late => {
                    let inner = self.queue.lock();
                    return Err(Full::Places(inner.queue.retry_after(&inner.bounds, self.wish.model)).error());
                }
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut inner = self.queue.lock();
        if inner.waiting.remove(&self.ticket).is_some() {
            inner.queue.give_up(self.wish.model, self.ticket);
        } else {
            inner.queue.leave(self.wish.model, self.wish.tokens, None);
        }
        inner.call();
    }
}
