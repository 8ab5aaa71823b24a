//! The sessions at this machine's screens and consoles, as logind lists them, and the more exact count of GNOME's own session.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zbus::zvariant::{OwnedObjectPath, OwnedValue};
use zbus::{Connection, Error};

use crate::logind;

/// Nobody is logged in here.
const NOBODY: Duration = Duration::MAX;

/// A person at this machine, as logind knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Session {
    uid: u32,
    /// On a console, where logind reads the time of the last key.
    is_tty: bool,
    idle: bool,
    /// When that began, or when the last key was (since 1970); zero if it was never told.
    since: Duration,
}

pub(super) async fn rested() -> Result<Duration, String> {
    let gnome = gnome().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let least = match (sessions().await, gnome) {
        (Ok(sessions), gnome) => {
            least(&sessions, gnome.map(|rested| (rustix::process::getuid().as_raw(), rested)), now)
        }
        (Err(_), gnome) => gnome,
    };
    least.ok_or_else(|| "This system does not tell when it was last used; pause for a time instead.".to_owned())
}

/// Since when nobody of these has used the machine; `None` if nobody can say. Of one person's sessions GNOME has told, and
/// more exactly.
fn least(sessions: &[Session], gnome: Option<(u32, Duration)>, now: Duration) -> Option<Duration> {
    let others = sessions.iter().filter(|session| gnome.is_none_or(|(uid, _)| session.uid != uid));
    let told: Vec<Option<Duration>> = others.map(|session| session.rested(now)).collect();
    let shortest = told.iter().flatten().copied().chain(gnome.map(|(_, rested)| rested)).min();
    match shortest {
        // One that tells nothing may be in use; one that is in use is enough.
        Some(rested) if rested < porten_core::pause::UNUSED => Some(rested),
        _ if told.contains(&None) => None,
        rested => Some(rested.unwrap_or(NOBODY)),
    }
}

impl Session {
    /// A desktop tells when it takes itself for unused, and when not any more; some never do.
    fn rested(&self, now: Duration) -> Option<Duration> {
        let since = Some(self.since).filter(|since| !since.is_zero())?;
        Some(if self.is_tty || self.idle { now.saturating_sub(since) } else { Duration::ZERO })
    }
}

/// Milliseconds of the GNOME session that this program belongs to, if it does.
async fn gnome() -> Option<Duration> {
    let bus = Connection::session().await.ok()?;
    let monitor = "org.gnome.Mutter.IdleMonitor";
    let path = "/org/gnome/Mutter/IdleMonitor/Core";
    let reply = bus.call_method(Some(monitor), path, Some(monitor), "GetIdletime", &()).await.ok()?;
    reply.body().deserialize().ok().map(Duration::from_millis)
}

/// Those of people at a seat. Who comes over the network touches no key here, and the login screen is nobody.
async fn sessions() -> Result<Vec<Session>, Error> {
    let bus = Connection::system().await?;
    let reply = logind::call(&bus, "ListSessions", &()).await?;
    let listed: Vec<(String, u32, String, String, OwnedObjectPath)> = reply.body().deserialize()?;
    let mut sessions = Vec::new();
    for (_, uid, _, seat, path) in listed {
        if seat.is_empty() {
            continue;
        }
        // It may have ended meanwhile.
        let Ok(told) = properties(&bus, &path).await else { continue };
        let text = |name: &str| told.get(name).and_then(|value| value.downcast_ref::<&str>().ok()).unwrap_or_default();
        if !text("Class").starts_with("user") || text("State") == "closing" {
            continue;
        }
        let micros = told.get("IdleSinceHint").and_then(|value| value.downcast_ref::<u64>().ok());
        let idle = told.get("IdleHint").and_then(|value| value.downcast_ref::<bool>().ok());
        sessions.push(Session {
            uid,
            is_tty: text("Type") == "tty",
            idle: idle.unwrap_or_default(),
            since: Duration::from_micros(micros.unwrap_or_default()),
        });
    }
    Ok(sessions)
}

async fn properties(bus: &Connection, path: &OwnedObjectPath) -> Result<HashMap<String, OwnedValue>, Error> {
    let of = Some("org.freedesktop.DBus.Properties");
    let reply = bus.call_method(Some(logind::NAME), path, of, "GetAll", &"org.freedesktop.login1.Session").await?;
    reply.body().deserialize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn session(uid: u32, is_tty: bool, idle: bool, ago: Option<Duration>) -> Session {
        Session { uid, is_tty, idle, since: ago.map_or(Duration::ZERO, |ago| NOW - ago) }
    }

    #[test]
    fn a_desktop_is_in_use_until_it_says_otherwise_and_a_console_since_its_last_key() {
        let one = |session: Session| least(&[session], None, NOW);
        assert_eq!(one(session(1, false, false, Some(9 * MINUTE))), Some(Duration::ZERO));
        assert_eq!(one(session(1, false, true, Some(9 * MINUTE))), Some(9 * MINUTE));
        assert_eq!(one(session(1, true, false, Some(9 * MINUTE))), Some(9 * MINUTE));
        assert_eq!(one(session(1, false, true, Some(Duration::ZERO))), Some(Duration::ZERO));
        let later = Session { since: NOW + MINUTE, ..session(1, true, false, None) };
        assert_eq!(one(later), Some(Duration::ZERO), "a clock that was set back");
    }

    #[test]
    fn a_desktop_that_never_told_is_unknown_unless_somebody_is_surely_there() {
        let silent = session(1, false, false, None);
        assert_eq!(least(&[silent], None, NOW), None);
        assert_eq!(least(&[silent, session(2, true, false, Some(9 * MINUTE))], None, NOW), None);
        assert_eq!(least(&[silent, session(2, true, false, Some(MINUTE))], None, NOW), Some(MINUTE));
    }

    #[test]
    fn where_nobody_is_logged_in_nobody_uses_it() {
        assert_eq!(least(&[], None, NOW), Some(NOBODY));
    }

    #[test]
    fn gnome_speaks_for_the_sessions_of_its_person_alone() {
        let mine = session(1, false, false, Some(9 * MINUTE));
        let other = session(2, false, true, Some(7 * MINUTE));
        assert_eq!(least(&[mine], Some((1, 8 * MINUTE)), NOW), Some(8 * MINUTE));
        assert_eq!(least(&[mine, other], Some((1, 8 * MINUTE)), NOW), Some(7 * MINUTE));
        assert_eq!(least(&[session(1, false, false, None)], Some((1, MINUTE)), NOW), Some(MINUTE));
    }
}
