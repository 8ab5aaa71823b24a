//! What `porten run` prints while it hosts the agent: a line with its time whenever the state is another one.

use jiff::{Timestamp, Zoned};
use porten_core::snapshot::{Overall, Snapshot};
use serde_json::json;

use crate::printer::{is_watched, say, say_json};
use crate::words::{self, connect};

/// What was printed last, so that the same is not printed again.
pub(crate) struct Display {
    json: bool,
    last: String,
    /// Whether it was said how clients get here.
    connected: bool,
}

impl Display {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json, last: String::new(), connected: false }
    }

    /// The picture, where it differs in more than numbers that change by the second.
    pub(crate) fn show(&mut self, picture: &Snapshot) {
        let line = words::headline(picture, Timestamp::now());
        let kind = kind(&picture.overall, &line);
        let retries = matches!(picture.overall, Overall::Connecting) && self.last.starts_with(WAITING);
        // Before its first attempt an agent is off.
        let begins = matches!(picture.overall, Overall::Off) && self.last.is_empty();
        if kind == self.last || retries || begins {
            return;
        }
        self.last = kind;
        if self.json {
            let event = json!({ "event": "state", "at": Timestamp::now(), "state": picture.overall, "text": line });
            return say_json(&event);
        }
        self.line(&line);
        let connect = connect::lines(picture);
        if !self.connected && !connect.is_empty() {
            self.connected = true;
            connect.iter().for_each(|(name, value)| self.line(&format!("  {name:<9} {value}")));
        }
    }

    /// What is to be said beside the state.
    pub(crate) fn tell(&self, text: &str) {
        if self.json {
            say_json(&json!({ "event": "told", "at": Timestamp::now(), "text": text }));
        } else {
            self.line(text);
        }
    }

    /// A person sees the time of day, a file the log's time.
    #[expect(clippy::unused_self, reason = "the same voice as the others")]
    fn line(&self, text: &str) {
        let time = if is_watched() {
            Zoned::now().strftime("%H:%M:%S").to_string()
        } else {
            Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
        };
        say(&format!("{time}  {text}"));
    }
}

/// How [`kind`] begins while the Hub is waited for.
const WAITING: &str = "waiting ";

/// What makes a line another one: not how many requests run while it serves, nor the seconds to the next attempt.
fn kind(overall: &Overall, line: &str) -> String {
    let without_numbers = || line.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    match overall {
        Overall::Serving { .. } => "Ready".to_owned(),
        Overall::Waiting { .. } => format!("{WAITING}{}", without_numbers()),
        Overall::Finishing { .. } | Overall::Ready { .. } => line.to_owned(),
        _ => without_numbers(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_by_the_second_is_not_another_line() {
        let until = Timestamp::UNIX_EPOCH;
        let waiting = |line| kind(&Overall::Waiting { until }, line);
        assert_eq!(waiting("Trying again in 3 s · refused"), waiting("Trying again in 58 s · refused"));
        assert_ne!(waiting("Trying again in 3 s · refused"), waiting("Trying again in 3 s · no network"));
        let serving = |requests| kind(&Overall::Serving { requests }, "x");
        assert_eq!(serving(1), serving(20));
        let ready = kind(&Overall::Ready { models: 1, wanted: 1 }, "Ready");
        assert_eq!(serving(1), ready);
        let finishing = |line| kind(&Overall::Finishing { requests: 1 }, line);
        assert_ne!(finishing("Finishing 2 requests"), finishing("Finishing 1 request"));
    }
}
