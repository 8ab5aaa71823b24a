//! One Mac: what it is, and what it reports of itself at a moment.

use std::time::Duration;

use super::trouble::Condition;
use super::{Now, pace};
use crate::documents::card::Memory;
use crate::documents::member::{Bridge, Disk, Identity, MemoryUse, RdmaCtl, System};
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
/// What is free on a disk that is full (bytes).
const DISK_LEFT: u64 = 210_763_776;

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
    /// When the others first saw it; those of the beginning were always there.
    pub(super) joined: Option<Now>,
    /// Whether a new master has never heard of it.
    pub(super) is_forgotten: bool,
    /// When its exo ended without a word.
    pub(super) died: Option<Now>,
    /// What is wrong with the Mac itself.
    pub(super) condition: Condition,
}

impl Member {
    /// The time that it has reached: a dead one stands still.
    fn clock(&self, now: Now) -> Now {
        self.died.map_or(now, |died| died.min(now))
    }

    /// Whether exo counts it among its nodes.
    pub(super) fn is_seen(&self, now: Now) -> bool {
        self.has_joined(now) && self.died.is_none_or(|died| now < died + pace::MEMBER_LOST)
    }

    pub(super) fn has_joined(&self, now: Now) -> bool {
        !self.is_forgotten && self.joined.is_none_or(|joined| joined <= now)
    }

    /// Whether its links have been looked for since it joined.
    pub(super) fn has_links(&self, now: Now) -> bool {
        self.joined.is_none_or(|joined| joined + pace::LINKS_FOUND <= now)
    }

    /// Whether the others reach it. What it reached itself stays listed for as long as it is.
    pub(super) fn is_reached(&self, now: Now) -> bool {
        self.has_links(now) && self.died.is_none_or(|died| now < died + pace::LINKS_LOST)
    }

    pub(super) fn identity(&self) -> Identity {
        let (os_version, os_build_version) = self.condition.build();
        Identity {
            model_id: self.mac.kind.model(),
            chip_id: self.mac.kind.chip(),
            friendly_name: self.mac.name.clone(),
            os_version,
            os_build_version,
        }
    }

    const fn installed(&self) -> u64 {
        self.mac.gib * GIB
    }

    /// Bytes that are free with so many taken by weights.
    pub(super) fn available(&self, weights: u64, now: Now) -> u64 {
        let taken = SYSTEM + self.installed() / SYSTEM_SHARE + self.swell(now) + weights;
        self.condition.free(self.installed().saturating_sub(taken))
    }

    pub(super) fn memory(&self, weights: u64, now: Now) -> MemoryUse {
        let swapped = self.condition.swapped(self.clock(now));
        // macOS makes more when what there is gets short.
        let swap = SWAP.max(swapped + SWAP / 4);
        MemoryUse {
            ram_total: Memory::from(self.installed()),
            ram_available: Memory::from(self.available(weights, now)),
            swap_total: Memory::from(swap),
            swap_available: Memory::from(swap - swapped),
        }
    }

    pub(super) fn disk(&self, stored: u64) -> Disk {
        let free = DISK_FREE - DISK_STEP * u64::from(self.place.min(5));
        let available = if self.condition.is_disk_full { DISK_LEFT } else { free.saturating_sub(stored) };
        Disk { total: DISK.into(), available: available.into() }
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

    pub(super) const fn bridge(&self) -> Bridge {
        Bridge { enabled: self.condition.has_bridge, exists: true, service_name: "Thunderbolt Bridge" }
    }

    pub(super) const fn rdma_ctl(&self) -> RdmaCtl {
        RdmaCtl { enabled: self.condition.has_rdma() }
    }

    /// How often it has told something since it joined: memory and load, each once a second.
    pub(super) fn reports(&self, now: Now) -> u64 {
        let until = |moment: Now| (moment + self.phase()).as_nanos() / Self::EVERY.as_nanos();
        let told = until(self.clock(now)).saturating_sub(self.joined.map_or(0, until));
        u64::try_from(told).unwrap_or(u64::MAX)
    }

    /// When it told something last.
    pub(super) fn last_seen(&self, now: Now) -> Now {
        let now = self.clock(now);
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
        let condition = Condition::default();
        Member {
            node: "n".into(),
            mac,
            place: 1,
            domains: Vec::new(),
            joined: None,
            is_forgotten: false,
            died: None,
            condition,
        }
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
