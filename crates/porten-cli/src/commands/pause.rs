//! `porten pause` and `porten resume`.

use std::time::Duration;

use anyhow::Result;
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, Unit, Zoned};
use porten_agent::local::{Local, LocalError};
use porten_agent::setup::Setup;
use porten_agent::wishes::Wishes;
use porten_core::command::Command;
use porten_core::pause::{Pause, tomorrow};

use crate::exit::Exit;
use crate::printer::say;

/// The next time that a clock here shows this: `18:00`, or `tomorrow` for eight in the morning.
pub(crate) fn until(text: &str) -> Result<Timestamp, String> {
    next(text, &Zoned::now()).ok_or_else(|| format!("{text:?} is no time of day; write it like 18:00, or tomorrow"))
}

fn next(text: &str, now: &Zoned) -> Option<Timestamp> {
    if text.trim() == "tomorrow" {
        return tomorrow(now);
    }
    let time = Time::strptime("%H:%M", text.trim()).ok()?;
    let today = now.with().time(time).build().ok()?;
    let day = if today <= *now { now.tomorrow().ok()?.with().time(time).build().ok()? } else { today };
    Some(day.timestamp())
}

/// After so long.
pub(crate) fn after(lasting: Duration) -> Option<Timestamp> {
    Timestamp::now().checked_add(SignedDuration::try_from(lasting).ok()?).ok()
}

pub(crate) async fn run(setup: &Setup, pause: Option<Pause>) -> Result<Exit> {
    let told = match pause {
        None => "The rest is over.".to_owned(),
        Some(Pause::Until { until }) => format!(
            "Resting until {}: running requests are finished within 10 min, no new ones are taken. Sooner: porten resume",
            clock(until)
        ),
        Some(Pause::WhileInUse) => {
            "Resting whenever somebody uses this machine, until five minutes after. No more of that: porten resume"
                .to_owned()
        }
    };
    match Local::at(&setup.places.socket())?.send(&Command::Pause { pause }).await {
        Ok(()) => say(&told),
        Err(LocalError::NotRunning) => {
            setup.places.prepare()?;
            Wishes { pause, ..Wishes::fetch(&setup.places.state) }.store(&setup.places.state)?;
            say("No agent is running; the next one goes by it.");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}

/// As a clock here shows it, with the day where that is not today.
pub(crate) fn clock(at: Timestamp) -> String {
    let (at, now) = (at.to_zoned(jiff::tz::TimeZone::system()), Zoned::now());
    let at = at.round(Unit::Minute).unwrap_or(at);
    at.strftime(if at.date() == now.date() { "%H:%M" } else { "%A %H:%M" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_next_one() {
        let now: Zoned = "2026-11-25T17:30:00+00:00[UTC]".parse().unwrap();
        let at = |text| next(text, &now).map(|at| at.to_string());
        assert_eq!(at("18:00").as_deref(), Some("2026-11-25T18:00:00Z"));
        assert_eq!(at("17:30").as_deref(), Some("2026-11-26T17:30:00Z"));
        assert_eq!(at("tomorrow").as_deref(), Some("2026-11-26T08:00:00Z"));
        for wrong in ["", "25:00", "noon", "18"] {
            assert!(until(wrong).unwrap_err().contains("write it like 18:00"), "{wrong}");
        }
    }
}
