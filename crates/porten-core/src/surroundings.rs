//! Notices what changes around the process and spoils its connections without a word: sleep, and another network.
//!
//! A host looks at its clocks and addresses every [`EVERY`] and hands them in. While a machine sleeps, its monotonic clock
//! stands still (on a Mac) and its wall clock runs on; a process that was frozen finds both run on. Either way far more
//! time has passed since the last look than should have. A wall clock that is set leaps too: that costs one probe.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::time::Now;

/// How often a host looks. Another network must be noticed, and a dead link given up, within five seconds.
pub const EVERY: Duration = Duration::from_secs(1);
/// A look that comes later than this was slept through. A busy machine may be a few seconds late.
const SLEPT: Duration = Duration::from_secs(10);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The machine slept, or the process was frozen.
    Woke,
    /// The machine's addresses are others.
    Network,
}

impl Change {
    /// For the log.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Woke => "this machine slept",
            Self::Network => "this machine's addresses changed",
        }
    }
}

/// What was seen at the last look.
#[derive(Debug)]
pub struct Surroundings {
    looked: Now,
    addresses: BTreeSet<IpAddr>,
}

impl Surroundings {
    /// The first look.
    #[must_use]
    pub fn first(addresses: impl IntoIterator<Item = IpAddr>, now: Now) -> Self {
        Self { looked: now, addresses: outward(addresses) }
    }

    /// The next one: what happened since. Without addresses (the system did not tell them) those of before stand.
    pub fn look(&mut self, addresses: Option<impl IntoIterator<Item = IpAddr>>, now: Now) -> Option<Change> {
        let before = std::mem::replace(&mut self.looked, now);
        let ran = now.mono.since(before.mono);
        // A wall clock that was set back has run less than no time.
        let went = Duration::try_from(now.wall.duration_since(before.wall)).unwrap_or_default();
        let other = addresses.map(outward).filter(|seen| *seen != self.addresses);
        let is_other = other.is_some();
        if let Some(seen) = other {
            self.addresses = seen;
        }
        if ran.max(went) > EVERY + SLEPT { Some(Change::Woke) } else { is_other.then_some(Change::Network) }
    }
}

/// The addresses over which a Hub elsewhere is reached. Loopback never changes, and link-local addresses come and go on
/// cables between Macs and with each device nearby.
fn outward(addresses: impl IntoIterator<Item = IpAddr>) -> BTreeSet<IpAddr> {
    let is_outward = |address: &IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    addresses.into_iter().filter(is_outward).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::time::Moment;

    const HOME: &str = "192.168.1.7";

    fn at(mono: u64, wall: i64) -> Now {
        let wall = Timestamp::from_second(1_700_000_000 + wall).unwrap();
        Now::new(Moment::after_start(Duration::from_secs(mono)), wall)
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn look(seen: &mut Surroundings, texts: &[&str], now: Now) -> Option<Change> {
        seen.look(Some(addresses(texts)), now)
    }

    /// Fault A6: a gap of more than ten seconds, of the wall clock while the other stood still or of both, is a sleep, told
    /// once when it is over.
    #[test]
    fn a_sleep_is_a_gap_between_two_looks_by_either_clock() {
        for (mono, wall) in [(1, 3600), (1, 12), (60, 60), (12, 0)] {
            let mut seen = Surroundings::first(addresses(&[HOME]), at(0, 0));
            assert_eq!(look(&mut seen, &[HOME], at(1, 1)), None);
            assert_eq!(look(&mut seen, &[HOME], at(1 + mono, 1 + wall)), Some(Change::Woke), "{mono} {wall}");
            assert_eq!(look(&mut seen, &[HOME], at(2 + mono, 2 + wall)), None, "once");
        }
    }

    #[test]
    fn a_busy_machine_that_looks_late_has_not_slept() {
        let mut seen = Surroundings::first(addresses(&[HOME]), at(0, 0));
        assert_eq!(look(&mut seen, &[HOME], at(9, 9)), None);
    }

    /// Fault F7: a wall clock that is set a day ahead costs one probe of the link, one that is set back costs nothing.
    #[test]
    fn a_clock_that_is_set_by_a_day_is_a_nudge_at_most() {
        let day = 86_400;
        let mut seen = Surroundings::first(addresses(&[HOME]), at(0, 0));
        assert_eq!(look(&mut seen, &[HOME], at(1, 1 - day)), None);
        assert_eq!(look(&mut seen, &[HOME], at(2, 2 - day)), None);
        assert_eq!(look(&mut seen, &[HOME], at(3, 3)), Some(Change::Woke));
        assert_eq!(look(&mut seen, &[HOME], at(4, 4)), None);
    }

    /// Fault A7: an address that comes or goes is another network, but for those that lead nowhere.
    #[test]
    fn another_set_of_addresses_is_another_network() {
        let mut seen = Surroundings::first(addresses(&[HOME, "127.0.0.1"]), at(0, 0));
        for (second, (texts, change)) in [
            (&[HOME, "fe80::1", "169.254.3.4", "::1"][..], None),
            (&[], Some(Change::Network)),
            (&["10.0.0.9"], Some(Change::Network)),
            (&["10.0.0.9", "2001:db8::9"], Some(Change::Network)),
            (&["2001:db8::9", "10.0.0.9", "127.0.0.1"], None),
        ]
        .into_iter()
        .enumerate()
        {
            let second = second as u64 + 1;
            assert_eq!(look(&mut seen, texts, at(second, second as i64)), change, "{texts:?}");
        }
        assert_eq!(seen.look(None::<Vec<IpAddr>>, at(6, 6)), None, "a system that does not answer says nothing");
    }
}
