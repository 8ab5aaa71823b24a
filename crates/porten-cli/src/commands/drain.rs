//! `porten drain`: goes offline once what runs is finished, and says how many requests are left.

use std::time::Duration;

use anyhow::Result;
use jiff::SignedDuration;
use porten_agent::local::{Local, LocalError};
use porten_agent::setup::Setup;
use porten_core::command::Command;
use porten_core::snapshot::{Overall, count};

use crate::commands::{pictures, wish};
use crate::exit::Exit;
use crate::printer::{complain, say};

/// The longest that a drain may be told to take.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads a time as people write it.
pub(crate) fn patience(text: &str) -> Result<Duration, String> {
    let time: Option<SignedDuration> = text.parse().ok();
    let time = time.and_then(|time| Duration::try_from(time).ok()).filter(|time| *time <= LONGEST);
    time.ok_or_else(|| "write it like 90s, 10m or 1h30m; at most 24h".to_owned())
}

pub(crate) async fn run(setup: &Setup, within: Duration, json: bool) -> Result<Exit> {
    let agent = Local::at(&setup.places.socket())?;
    match agent.send(&Command::Drain { within_s: within.as_secs() }).await {
        Ok(()) => {}
        Err(LocalError::NotRunning) => return wish::online(setup, false).await,
        Err(error) => return Err(error.into()),
    }
    let mut pictures = agent.look().await?;
    let (mut told, mut has_begun) = (None, false);
    loop {
        let snapshot = match pictures::next(&mut pictures).await? {
            Ok(snapshot) => snapshot,
            Err(exit) => {
                if exit == Exit::Done && !json {
                    say("The drain goes on without this command; to undo it: porten online");
                }
                return Ok(exit);
            }
        };
        let left = snapshot.traffic.in_flight;
        match snapshot.overall {
            Overall::Off => {
                tell(json, left, true);
                return Ok(Exit::Done);
            }
            Overall::Finishing { .. } => has_begun = true,
            // The picture may be from before the drain.
            _ if !has_begun => continue,
            _ => {
                complain("this node was brought online again before the drain was over");
                return Ok(Exit::Broken);
            }
        }
        if told.replace(left) != Some(left) {
            tell(json, left, false);
        }
    }
}

fn tell(json: bool, left: u32, is_over: bool) {
    if json {
        say(&format!(r#"{{"left":{left},"offline":{is_over}}}"#));
    } else if is_over {
        say("Nothing runs any more, and this node is offline; back again: porten online");
    } else {
        say(&format!("Finishing {}; no new ones are taken.", count(left, "request")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h30m", 5400), ("0s", 0), ("24h", 86_400)] {
            assert_eq!(patience(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "ten", "10", "-5m", "25h"] {
            assert!(patience(wrong).unwrap_err().starts_with("write it like"), "{wrong}");
        }
    }
}
