//! One Mac: what it is, and what it reports of itself at a moment.

use std::time::Duration;

use super::{Now, pace};
use crate::documents::card::Memory;
use crate::documents::member::{Bridge, Disk, Identity, MemoryUse, System};
use crate::macs::{Kind, Mac};

const GIB: u64 = 1024 * 1024 * 1024;
/// What macOS and exo take of a Mac's memory, whatever its size (bytes).
const SYSTEM: u64 = 5 * GIB;
/// And of each GiB installed: a twenty-fifth.
const SYSTEM_SHARE: u64 = 25;
/// How far that use goes up and down (bytes).
const SWELL: f64 = 96.0 * 1024.0 * 1024.0;
const SWAP: u64 = 2 * GIB;
/// A disk of 4 TB as macOS counts it, and what is free on the first Mac's (bytes).
const DISK: u64 = 3_996_467_068_928;
const DISK_FREE: u64 = 1_932_735_283_200;
/// What each Mac has less than the one before (bytes).
const DISK_STEP: u64 = 322_122_547_200;

/// What a Mac is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Nothing,
    Loading,
    Generating,
}

/// A Mac of the cluster.
#[derive(Debug)]
pub(super) struct Member {
    /// exo's id for it, new at each start.
    pub(super) node: String,
    pub(super) mac: Mac,
    /// Its place in the cluster; addresses and phases follow from it.
    pub(super) place: u8,
    /// One for each of its Thunderbolt ports.
    pub(super) domains: Vec<String>,
}

impl Member {
    pub(super) fn identity(&self) -> Identity {
        Identity {
            model_id: self.mac.kind.model(),
            chip_id: self.mac.kind.chip(),
            friendly_name: self.mac.name.clone(),
            os_version: "26.2",
            os_build_version: "25C56",
        }
    }

    const fn installed(&self) -> u64 {
        self.mac.gib * GIB
    }

    /// Bytes that are free with so many taken by weights.
    pub(super) fn available(&self, weights: u64, now: Now) -> u64 {
        let taken = SYSTEM + self.installed() / SYSTEM_SHARE + self.swell(now) + weights;
        self.installed().saturating_sub(taken)
    }

    pub(super) fn memory(&self, weights: u64, now: Now) -> MemoryUse {
        MemoryUse {
            ram_total: Memory::from(self.installed()),
            ram_available: Memory::from(self.available(weights, now)),
            swap_total: SWAP.into(),
            swap_available: SWAP.into(),
        }
    }

    pub(super) fn disk(&self, stored: u64) -> Disk {
        let free = DISK_FREE - DISK_STEP * u64::from(self.place.min(5));
        Disk { total: DISK.into(), available: free.saturating_sub(stored).into() }
    }

    pub(super) fn system(&self, work: Work, now: Now) -> System {
        let wave = self.wave(now);
        let (idle, busy) = match self.mac.kind {
            Kind::Studio => (12.0, 190.0),
            Kind::Book => (8.0, 105.0),
            Kind::Mini => (6.0, 70.0),
        };
        let gpu = match work {
            Work::Nothing => 0.02 + 0.01 * wave,
            Work::Loading => 0.12 + 0.04 * wave,
            Work::Generating => 0.91 + 0.05 * wave,
        };
        System {
            gpu_usage: gpu,
            temp: 38.0 + 26.0 * gpu + wave,
            sys_power: idle + (busy - idle) * gpu,
            pcpu_usage: if work == Work::Loading { 0.45 + 0.1 * wave } else { 0.06 + 0.02 * wave },
            ecpu_usage: 0.11 + 0.04 * wave,
        }
    }

    pub(super) const fn bridge() -> Bridge {
        Bridge { enabled: false, exists: true, service_name: "Thunderbolt Bridge" }
    }

    /// How often it has told something: memory and load, each once a second.
    pub(super) fn reports(&self, now: Now) -> u64 {
        let told = (now + self.phase()).as_nanos() / Self::EVERY.as_nanos();
        u64::try_from(told).unwrap_or(u64::MAX)
    }

    /// When it told something last.
    pub(super) fn last_seen(&self, now: Now) -> Now {
        let past = (now + self.phase()).as_nanos() % Self::EVERY.as_nanos();
        now.saturating_sub(Duration::from_nanos(u64::try_from(past).unwrap_or_default()))
    }

    const EVERY: Duration = Duration::from_millis(pace::TELEMETRY.as_millis() as u64 / 2);

    /// Macs do not report in step.
    fn phase(&self) -> Duration {
        Duration::from_millis(137 * u64::from(self.place))
    }

    /// Up and down between -1 and 1, another for each Mac; it stands still between two reports.
    fn wave(&self, now: Now) -> f64 {
        (self.last_seen(now).as_secs_f64() / 5.0 + f64::from(self.place) * 1.7).sin()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 192 MiB")]
    fn swell(&self, now: Now) -> u64 {
        (SWELL * (1.0 + self.wave(now))) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(gib: u64) -> Member {
        let mac = Mac { name: "studio-1".into(), kind: Kind::Studio, gib };
        Member { node: "n".into(), mac, place: 1, domains: Vec::new() }
    }

    #[test]
    fn a_mac_is_seen_at_least_once_a_second_and_never_in_the_future() {
        let member = member(128);
        let mut last = Duration::ZERO;
        for step in 0..1_000 {
            let now = Duration::from_millis(step * 17);
            let seen = member.last_seen(now);
            assert!(seen <= now && now - seen < Duration::from_secs(1) && seen >= last, "{now:?} {seen:?}");
            last = seen;
        }
    }

    #[test]
    fn weights_are_taken_from_free_memory_and_never_more_than_there_is() {
        let (small, now) = (member(8), Duration::from_secs(3));
        assert_eq!(member(128).available(0, now) - member(128).available(GIB, now), GIB);
        assert!(small.available(0, now) > 2 * GIB);
        assert_eq!(small.available(64 * GIB, now), 0);
    }

    #[test]
    fn the_gpu_is_busy_while_it_generates_and_usages_are_fractions() {
        for second in 0..100 {
            let now = Duration::from_secs(second);
            let (idle, busy) = (member(128).system(Work::Nothing, now), member(128).system(Work::Generating, now));
            assert!(idle.gpu_usage >= 0.0 && idle.gpu_usage < 0.05 && busy.gpu_usage > 0.8 && busy.gpu_usage <= 1.0);
            assert!(busy.sys_power > idle.sys_power && busy.temp > idle.temp);
        }
    }
}
