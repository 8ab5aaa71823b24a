//! What the parts of a running simulator share: the one world, its clock, and a bell for those who wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::requests::Requests;
use crate::world::{Calendar, Now, World};

/// A running simulator.
#[derive(Debug)]
pub(crate) struct Sim {
    world: Mutex<World>,
    began: Instant,
    calendar: Calendar,
    /// Rings with the world's count of events.
    bell: watch::Sender<u64>,
    pub(crate) requests: Requests,
    /// Ends all streams.
    pub(crate) stop: CancellationToken,
}

impl Sim {
    pub(crate) fn new(world: World, calendar: Calendar, stop: CancellationToken) -> Self {
        let bell = watch::Sender::new(world.events());
        Self { world: Mutex::new(world), began: Instant::now(), calendar, bell, requests: Requests::default(), stop }
    }

    /// Looks at the world, or changes it, at this moment. The only way to it.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.lock();
        world.advance(self.now());
        let out = act(&mut world);
        let events = world.events();
        drop(world);
        self.bell.send_if_modified(|heard| std::mem::replace(heard, events) != events);
        out
    }

    /// The cluster's time.
    pub(crate) fn now(&self) -> Now {
        self.began.elapsed().mul_f64(self.calendar.speed)
    }

    /// How long it really is until then.
    pub(crate) fn until(&self, then: Now) -> Duration {
        self.calendar.real(then.saturating_sub(self.now()))
    }

    /// How long a time of the cluster really takes.
    pub(crate) fn real(&self, time: Now) -> Duration {
        self.calendar.real(time)
    }

    /// Rings when something happened.
    pub(crate) fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // Nothing panics while it holds the lock.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
