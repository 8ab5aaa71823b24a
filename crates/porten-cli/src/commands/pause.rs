//! `porten pause` and `porten resume`.

use std::time::Duration;

use anyhow::Result;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::AmbiguousOffset;
use jiff::{SignedDuration, Timestamp, Unit, Zoned};
use porten_agent::local::LocalError;
use porten_agent::wishes::Wishes;
use porten_core::command::Command;
use porten_core::lasting::{self, NotATime};
use porten_core::pause::{MORNING, Pause, tomorrow};
use porten_core::snapshot::Overall;
use serde_json::json;

use crate::exit::{Exit, Fail};
use crate::printer::{say, say_json};
use crate::shell::Shell;

/// The longest rest: whoever wants a longer one wants to be offline.
const MOST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How long a rest is to last.
pub(crate) fn lasting(text: &str) -> Result<Duration, NotATime> {
    lasting::read_up_to(text, MOST)
}

/// The rest that somebody asks for on the command line.
pub(crate) fn read(lasting: Option<Duration>, until: Option<&str>, now: &Zoned) -> Result<Pause, Fail> {
    let until = match (lasting, until) {
        (None, None) => return Ok(Pause::WhileInUse),
        (None, Some(text)) => self::until(text.trim(), now).map_err(Fail::usage)?,
        (Some(Duration::ZERO), _) => {
            return Err(Fail::usage("a rest of no time is none; end one with: porten resume"));
        }
        (Some(lasting), _) => {
            let lasting = SignedDuration::try_from(lasting).unwrap_or(SignedDuration::MAX);
            now.timestamp().saturating_add(lasting).unwrap_or(Timestamp::MAX)
        }
    };
    Ok(Pause::Until { until })
}

/// When a clock here shows this next: `18:00`, `tomorrow` (eight in the morning), `tomorrow 18:00`, `2026-12-24` (eight in the
/// morning), `2026-12-24 18:00`; or the sentence that says why not.
fn until(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let unreadable =
        || format!("{text:?} is no time; write it like 18:00, tomorrow, 2026-12-24 or \"2026-12-24 18:00\"");
    let time = |text: &str| Time::strptime("%H:%M", text).ok();
    let (day, time_of_day) = match text.split_once([' ', 'T']) {
        Some((day, rest)) => (day, Some(time(rest.trim()).ok_or_else(unreadable)?)),
        None => match time(text) {
            Some(time) => return today(time, now),
            None => (text, None),
        },
    };
    if day == "tomorrow" && time_of_day.is_none() {
        return tomorrow(now).ok_or_else(unreadable);
    }
    let date = match day {
        "today" => now.date(),
        "tomorrow" => now.date().tomorrow().map_err(|_| unreadable())?,
        day => Date::strptime("%Y-%m-%d", day).map_err(|_| unreadable())?,
    };
    let at = date.to_datetime(time_of_day.unwrap_or_else(|| Time::constant(MORNING, 0, 0, 0)));
    let at = next(at, now)
        .ok_or_else(|| format!("{text:?} is over already; it is {} now", now.strftime("%Y-%m-%d %H:%M")))?;
    let most = now.timestamp().saturating_add(SignedDuration::try_from(MOST).unwrap_or_default());
    match most {
        Ok(most) if at > most => {
            Err(format!("{text:?} is more than a year from now; for so long go offline with: porten offline"))
        }
        _ => Ok(at),
    }
}

/// The next time that a clock here shows this time of day.
fn today(time: Time, now: &Zoned) -> Result<Timestamp, String> {
    if (time.hour(), time.minute()) == (now.hour(), now.minute()) {
        let text = time.strftime("%H:%M");
        return Err(format!("it is {text} now; for {text} tomorrow write --until \"tomorrow {text}\""));
    }
    let tomorrow = now.date().tomorrow().ok().map(|day| day.to_datetime(time));
    next(now.date().to_datetime(time), now)
        .or_else(|| next(tomorrow?, now))
        .ok_or_else(|| "there is no tomorrow in this calendar".to_owned())
}

/// The first moment after now that is called so here: an hour that is repeated when clocks are set back has two of them.
fn next(at: DateTime, now: &Zoned) -> Option<Timestamp> {
    let ambiguous = now.time_zone().to_ambiguous_timestamp(at);
    let moments = match ambiguous.offset() {
        AmbiguousOffset::Fold { before, after } => [before.to_timestamp(at).ok(), after.to_timestamp(at).ok()],
        // A time that is left out when clocks are set forward is as much later as they are.
        _ => [ambiguous.compatible().ok(), None],
    };
    moments.into_iter().flatten().find(|moment| *moment > now.timestamp())
}

pub(crate) async fn run(shell: &Shell, pause: Option<Pause>) -> Result<Exit> {
    let agent = shell.agent()?;
    let picture = match agent.snapshot().await {
        Ok(picture) => Some(picture),
        Err(LocalError::NotRunning) => None,
        Err(error) => return Err(error.into()),
    };
    match &picture {
        Some(picture) => {
            if pause.is_none() {
                shell.same_hub(picture)?;
            } else {
                shell.note_other_hub(picture);
            }
            agent.send(&Command::Pause { pause }).await?;
        }
        None => {
            shell.places.prepare()?;
            Wishes { pause, ..Wishes::fetch(&shell.places.state) }.store(&shell.places.state)?;
        }
    }
    if shell.json {
        let agent = if picture.is_some() { "running" } else { "not_running" };
        let hub = picture.map(|picture| picture.hub.url);
        say_json(&json!({ "pause": pause, "agent": agent, "hub": hub }));
        return Ok(Exit::Done);
    }
    say(&match (pause, &picture) {
        (Some(pause), _) => told(pause),
        (None, Some(picture)) if picture.pause.is_none() => "There was no rest to end.".to_owned(),
        (None, Some(picture)) if picture.overall == Overall::Off => {
            "The rest is over; the node stays offline until: porten online".to_owned()
        }
        (None, _) => "The rest is over.".to_owned(),
    });
    if picture.is_none() {
        say("No agent is running; the next one goes by it.");
    }
    Ok(Exit::Done)
}

fn told(pause: Pause) -> String {
    match pause {
        Pause::Until { until } => format!(
            "Resting until {}: running requests are finished within 10 min, no new ones are taken. Sooner: porten resume",
            clock(until)
        ),
        Pause::WhileInUse => {
            "Resting whenever somebody uses this machine, until five minutes after. No more of that: porten resume"
                .to_owned()
        }
    }
}

/// As a clock here shows it, with the day where that is not today.
pub(crate) fn clock(at: Timestamp) -> String {
    shown(at, &Zoned::now())
}

fn shown(at: Timestamp, now: &Zoned) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    let at = at.round(Unit::Minute).unwrap_or(at);
    let days = now.date().until(at.date()).map_or(0, |span| span.get_days());
    let twice = now.time_zone().to_ambiguous_timestamp(at.datetime()).is_ambiguous();
    // Of the two hours that a clock shows alike, the zone's name tells which.
    let zone = if twice { " %Z" } else { "" };
    let day = match days {
        0 => "",
        1..=6 => "%A ",
        _ => "%Y-%m-%d ",
    };
    at.strftime(&format!("{day}%H:%M{zone}")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zoned(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_of_day_is_the_next_one() {
        let now = zoned("2026-11-25T17:30:20+00:00[UTC]");
        let at = |text| until(text, &now).map(|at| at.to_string());
        assert_eq!(at("18:00").as_deref(), Ok("2026-11-25T18:00:00Z"));
        assert_eq!(at("17:29").as_deref(), Ok("2026-11-26T17:29:00Z"));
        assert_eq!(at("tomorrow").as_deref(), Ok("2026-11-26T08:00:00Z"));
        assert_eq!(at("tomorrow 17:30").as_deref(), Ok("2026-11-26T17:30:00Z"));
        assert_eq!(at("2026-12-24").as_deref(), Ok("2026-12-24T08:00:00Z"));
        assert_eq!(at("2026-12-24 18:00").as_deref(), Ok("2026-12-24T18:00:00Z"));
        assert_eq!(at("2026-12-24T18:00").as_deref(), Ok("2026-12-24T18:00:00Z"));
        for wrong in ["", "25:00", "noon", "18", "2026-02-30", "24.12.2026", "tomorrow noon"] {
            assert!(at(wrong).unwrap_err().contains("write it like 18:00"), "{wrong}");
        }
        assert!(at("17:30").unwrap_err().contains("tomorrow 17:30"), "this very minute");
        assert!(at("2026-11-25").unwrap_err().contains("is over already"));
        assert!(at("2028-01-01").unwrap_err().contains("porten offline"));
    }

    #[test]
    fn in_the_hour_that_is_repeated_the_next_one_is_meant() {
        // 03:00 summer time becomes 02:00: there are two 02:30.
        let at = |now: &str, text| until(text, &zoned(now)).map(|at| at.to_string());
        let first = "2026-10-25T02:10:00+02:00[Europe/Berlin]";
        assert_eq!(at(first, "02:30").as_deref(), Ok("2026-10-25T00:30:00Z"));
        let between = "2026-10-25T02:40:00+02:00[Europe/Berlin]";
        assert_eq!(at(between, "02:30").as_deref(), Ok("2026-10-25T01:30:00Z"));
        let second = "2026-10-25T02:40:00+01:00[Europe/Berlin]";
        assert_eq!(at(second, "02:30").as_deref(), Ok("2026-10-26T01:30:00Z"));
        // 02:00 becomes 03:00: there is no 02:30.
        assert_eq!(at("2026-03-29T01:00:00+01:00[Europe/Berlin]", "02:30").as_deref(), Ok("2026-03-29T01:30:00Z"));
    }

    #[test]
    fn a_rest_has_an_end_that_is_still_to_come() {
        let now = zoned("2026-11-25T17:30:20+00:00[UTC]");
        let two_days = read(Some(Duration::from_secs(172_800)), None, &now).unwrap();
        assert_eq!(two_days, Pause::Until { until: "2026-11-27T17:30:20Z".parse().unwrap() });
        assert!(read(Some(Duration::ZERO), None, &now).unwrap_err().to_string().contains("porten resume"));
        assert_eq!(read(None, None, &now).unwrap(), Pause::WhileInUse);
        assert!(lasting("-1h").unwrap_err().to_string().contains("in the past"));
        assert!(lasting("400d").unwrap_err().to_string().contains("366 days"));
    }

    #[test]
    fn a_time_is_shown_with_its_day_where_that_is_another_one() {
        let now = zoned("2026-10-24T23:00:00+02:00[Europe/Berlin]");
        let at = |text: &str| shown(text.parse().unwrap(), &now);
        assert_eq!(at("2026-10-24T21:30:00Z"), "23:30");
        assert_eq!(at("2026-10-26T07:00:00Z"), "Monday 08:00");
        assert_eq!(at("2026-12-24T17:00:00Z"), "2026-12-24 18:00");
        assert_eq!(at("2026-10-25T00:30:00Z"), "Sunday 02:30 CEST");
        assert_eq!(at("2026-10-25T01:30:00Z"), "Sunday 02:30 CET");
    }
}
