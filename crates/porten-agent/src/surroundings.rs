//! Looks at the clocks and addresses of this machine, once a second while somebody wants to be online, and says what changed.
//!
//! Looking is the one way that is the same on every system and needs no rights: a look is two clocks and one `getifaddrs`.

use std::net::IpAddr;

use if_addrs::{Interface, get_if_addrs};
use porten_core::surroundings::{Change, EVERY, Surroundings};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::clock::Clock;

/// Tells each change while `caring`, until nobody listens any more.
pub(crate) async fn watch(clock: Clock, mut caring: watch::Receiver<bool>, told: mpsc::Sender<Change>) {
    while caring.wait_for(|caring| *caring).await.is_ok() {
        let mut surroundings = Surroundings::first(addresses().unwrap_or_default(), clock.now());
        let mut looks = interval_at(Instant::now() + EVERY, EVERY);
        // After a sleep there is one look, not one for each second slept.
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = caring.changed() => {
                    if changed.is_err() || !*caring.borrow_and_update() {
                        break;
                    }
                }
                _ = looks.tick() => {
                    if let Some(change) = surroundings.look(addresses(), clock.now())
                        && told.send(change).await.is_err()
                    {
                        return;
                    }
                }
            }
        }
    }
}

/// The addresses of what is switched on and plugged in; nothing if the system does not tell.
fn addresses() -> Option<Vec<IpAddr>> {
    let interfaces = get_if_addrs().ok()?;
    Some(interfaces.iter().filter(|interface| interface.is_oper_up()).map(Interface::ip).collect())
}
