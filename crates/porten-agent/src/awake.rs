//! Keeps the machine awake while it serves, as `core::awake` decides: the system is asked off the loop, and what it grants is
//! given back when it is not wanted any more, or when the agent is gone.

#[cfg(not(target_os = "macos"))]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::time::Duration;

#[cfg(not(target_os = "macos"))]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;
use porten_core::awake::{Awake, Effect, LOOK_EVERY, Wish};
use porten_core::snapshot::AwakeView;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;

/// For how long the system is waited for.
const DEADLINE: Duration = Duration::from_secs(10);
/// What a person finds in the system's list of who keeps it awake.
const REASON: &str = "Serving models to a Hub";

/// Follows the wish until nobody wishes any more, and tells what came of it.
pub(crate) async fn keep(clock: Clock, mut wishes: watch::Receiver<Wish>, told: watch::Sender<AwakeView>) {
    let mut awake = Awake::default();
    let mut hold = None;
    loop {
        let wish = *wishes.borrow_and_update();
        let mains = wish.wants() && on_mains().await;
        match awake.look(wish, mains, clock.now().mono) {
            Some(Effect::Hold) => {
                let answer = ask().await;
                awake.answered(answer.as_ref().map(|_| ()).map_err(Clone::clone), clock.now().mono);
                match answer {
                    Ok(granted) => hold = Some(granted),
                    Err(why) => tracing::warn!(%why, "this machine is not kept awake"),
                }
            }
            Some(Effect::Release) => drop(hold.take()),
            None => {}
        }
        told.send_if_modified(|view| {
            let fresh = awake.view();
            let differs = *view != fresh;
            *view = fresh;
            differs
        });
        tokio::select! {
            changed = wishes.changed() => if changed.is_err() { return },
            () = sleep(LOOK_EVERY), if wish.wants() => {}
        }
    }
}

/// A system that does not say what it runs on is one without a battery.
async fn on_mains() -> bool {
    let looked = timeout(DEADLINE, tokio::task::spawn_blocking(system::on_mains)).await;
    !matches!(looked, Ok(Ok(false)))
}

async fn ask() -> Result<system::Hold, String> {
    let late =
        || format!("the system did not say within {} s whether it stays awake; it is asked again", DEADLINE.as_secs());
    timeout(DEADLINE, system::hold(REASON)).await.unwrap_or_else(|_| Err(late()))
}
