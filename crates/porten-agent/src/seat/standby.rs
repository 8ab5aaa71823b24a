//! Waits for the seat, and asks whoever has it to make way where the table says so.

use std::time::Duration;

use porten_core::command::Command;
use porten_core::seat::{Decision, Host};
use tokio::time::Instant;

use super::{Seat, SeatError, Taken, take};
use crate::local::{Local, LocalError};
use crate::places::Places;

/// While somebody finishes for us: short, for nobody serves until we do.
const YIELDING: Duration = Duration::from_millis(50);
/// While somebody else serves.
const SERVED: Duration = Duration::from_millis(500);
/// Whoever was asked and does not seem to have heard is asked once more.
const AGAIN: Duration = Duration::from_secs(5);

/// Waits until the seat is ours. `waits` is told who has it whenever that changes; one sentence.
///
/// # Errors
/// The lock file cannot be used.
pub async fn stand_by(places: &Places, host: Host, mut waits: impl FnMut(&str)) -> Result<Seat, SeatError> {
    let (mut told, mut asked) = (None, None::<Instant>);
    loop {
        let (decision, holder, text) = match take(places, host)? {
            Taken::Ours(seat) => return Ok(seat),
            Taken::Held { decision, holder, text } => (decision, holder, text),
        };
        let who = holder.map(|holder| holder.pid);
        if told != Some(who) {
            (told, asked) = (Some(who), None);
            waits(&text);
        }
        if decision == Decision::AskToYield && asked.is_none_or(|asked| asked.elapsed() > AGAIN) {
            match ask(places, host).await {
                // It starts, or ends already: its socket is not there.
                Err(LocalError::NotRunning) => {}
                answered => {
                    asked = Some(Instant::now());
                    if let Err(error) = answered {
                        tracing::warn!(%error, "it does not make way");
                    }
                }
            }
        }
        // A lock without a record, which is written in a moment, says nothing yet.
        tokio::time::sleep(if decision == Decision::Wait { SERVED } else { YIELDING }).await;
    }
}

async fn ask(places: &Places, to: Host) -> Result<(), LocalError> {
    Local::at(&places.socket())?.send(&Command::Yield { to }).await.map(drop)
}
