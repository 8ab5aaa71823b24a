//! Who is the live agent of this machine: one seat, held by an exclusive lock, and a table of who yields to whom.
//!
//! ```text
//!   wants \ holds   App         Service     Run
//!   App             attach      attach      attach      the popover shows whoever serves
//!   Service         ask, take   wait        wait        a service outlives the screen, so the app makes way
//!   Run             refuse      refuse      refuse      a person at a terminal is told, never surprised
//! ```

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What hosts the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// The menu-bar app.
    App,
    /// The background service.
    Service,
    /// `porten run` in somebody's terminal.
    Run,
}

/// What to do about a seat that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Become a front end of the agent that serves already.
    Attach,
    /// Ask the holder to let go, then take the seat.
    AskToYield,
    /// Stand by until it is free: a service that ended instead would be started again and again.
    Wait,
    /// Say who holds it (see [`refusal`]) and end with [`REFUSED`].
    Refuse,
}

/// The exit code of a command that found the seat taken.
pub const REFUSED: u8 = 3;

/// Decides for a host that wants the seat while another one holds it. A holder asked to let go decides by the same
/// table: it yields to a host for which this says [`Decision::AskToYield`].
#[must_use]
pub const fn decide(wants: Host, holds: Host) -> Decision {
    match (wants, holds) {
        (Host::App, Host::App | Host::Service | Host::Run) => Decision::Attach,
        (Host::Service, Host::App) => Decision::AskToYield,
        (Host::Service, Host::Service | Host::Run) => Decision::Wait,
        (Host::Run, Host::App | Host::Service | Host::Run) => Decision::Refuse,
    }
}

/// What the holder writes into the lock file, for whoever finds the seat taken. The lock decides, this only tells:
/// after a kill it is still there, and means nothing without the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What kind it is.
    pub host: Host,
    /// Its process.
    pub pid: u32,
    /// When it took the seat, by this machine's clock.
    pub since: Timestamp,
    /// Where its local socket is.
    pub socket: String,
}

/// A lock file is never longer (bytes): a path of at most 104 and a few short fields.
pub const MAX_RECORD: usize = 4096;

/// A lock file that tells nothing: the holder is about to write it, or a newer version wrote it.
#[derive(Debug, thiserror::Error)]
#[error("the lock file does not say who holds the seat")]
pub struct UnreadableHolder(#[source] serde_json::Error);

impl Holder {
    /// Reads the lock file.
    ///
    /// # Errors
    /// It holds no record (yet).
    pub fn read(text: &str) -> Result<Self, UnreadableHolder> {
        serde_json::from_str(text).map_err(UnreadableHolder)
    }

    /// The lock file's text.
    #[must_use]
    pub fn write(&self) -> String {
        // A struct of numbers and strings always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The sentence for somebody who wanted the seat and may not have it.
#[must_use]
pub fn refusal(holder: Option<&Holder>, now: Timestamp) -> String {
    let Some(Holder { host, pid, since, .. }) = holder else {
        return "Another Porten agent is running on this machine: watch it with `porten status`, or end it first."
            .into();
    };
    let lasted = Lasted(now.duration_since(*since));
    let end = match host {
        Host::App => "quit the app from its menu",
        Host::Service => "stop it with `porten service stop`",
        Host::Run => "end it with Ctrl-C there",
    };
    format!(
        "{host} (process {pid}) already serves on this machine, for {lasted}: watch it with `porten status`, or {end} first."
    )
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "The Porten app",
            Self::Service => "The Porten service",
            Self::Run => "Another `porten run`",
        })
    }
}

/// A while in the one unit a person would use.
struct Lasted(SignedDuration);

impl fmt::Display for Lasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs().max(0);
        let (count, unit) = match seconds {
            0..60 => return f.write_str("less than a minute"),
            60..3600 => (seconds / 60, "minute"),
            3600..86_400 => (seconds / 3600, "hour"),
            _ => (seconds / 86_400, "day"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: [Host; 3] = [Host::App, Host::Service, Host::Run];

    fn holder(host: Host) -> Holder {
        let since = "2026-11-22T19:00:00Z".parse().unwrap();
        Holder { host, pid: 4711, since, socket: "/Users/jane/.porten/run/agent.sock".into() }
    }

    #[test]
    fn the_app_attaches_the_service_takes_over_from_it_and_run_is_refused() {
        for holds in HOSTS {
            assert_eq!(decide(Host::App, holds), Decision::Attach);
            assert_eq!(decide(Host::Run, holds), Decision::Refuse);
        }
        assert_eq!(decide(Host::Service, Host::App), Decision::AskToYield);
        assert_eq!(decide(Host::Service, Host::Run), Decision::Wait, "a person's terminal is not taken away");
        assert_eq!(decide(Host::Service, Host::Service), Decision::Wait);
    }

    #[test]
    fn no_two_hosts_push_each_other_off_the_seat_for_ever() {
        for (a, b) in HOSTS.into_iter().flat_map(|a| HOSTS.map(|b| (a, b))) {
            assert!(!(decide(a, b) == Decision::AskToYield && decide(b, a) == Decision::AskToYield), "{a:?} {b:?}");
        }
    }

    #[test]
    fn the_record_reads_back_and_a_torn_one_is_no_record() {
        let text = holder(Host::Run).write();
        assert_eq!(
            text,
            r#"{"host":"run","pid":4711,"since":"2026-11-22T19:00:00Z","socket":"/Users/jane/.porten/run/agent.sock"}"#
        );
        assert_eq!(Holder::read(&text).unwrap(), holder(Host::Run));
        for cut in 0..text.len() {
            assert!(Holder::read(&text[..cut]).is_err(), "{cut}");
        }
        let newer = text.replace("{\"host\"", "{\"mood\":\"calm\",\"host\"");
        assert_eq!(Holder::read(&newer).unwrap(), holder(Host::Run));
    }

    #[test]
    fn the_refusal_says_who_and_what_to_do() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let told = [
            refusal(Some(&holder(Host::Run)), at("2026-11-22T19:00:59Z")),
            refusal(Some(&holder(Host::App)), at("2026-11-22T20:59:59Z")),
            refusal(Some(&holder(Host::Service)), at("2026-12-22T19:00:00Z")),
            refusal(Some(&holder(Host::Run)), at("2020-01-01T00:00:00Z")),
            refusal(None, Timestamp::UNIX_EPOCH),
        ];
        insta::assert_snapshot!(told.join("\n"), @r"
        Another `porten run` (process 4711) already serves on this machine, for less than a minute: watch it with `porten status`, or end it with Ctrl-C there first.
        The Porten app (process 4711) already serves on this machine, for 1 hour: watch it with `porten status`, or quit the app from its menu first.
        The Porten service (process 4711) already serves on this machine, for 30 days: watch it with `porten status`, or stop it with `porten service stop` first.
        Another `porten run` (process 4711) already serves on this machine, for less than a minute: watch it with `porten status`, or end it with Ctrl-C there first.
        Another Porten agent is running on this machine: watch it with `porten status`, or end it first.
        ");
    }
}
