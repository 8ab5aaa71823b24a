//! The life of an instance, from the command that asked for it to the first request it can serve.
//!
//! ```text
//! Accepted ─► Spawning ─► Downloading ─► Idle ─► (Connecting ─► Connected) ─► Loading ─► Loaded ─► WarmingUp ─► Ready
//!  unseen      no runner    no runner  ▲         several members only          layers
//!                                      └───────────── Failed ◄──────────────────┘  (then a wait, five times at most)
//! ```

use std::time::Duration;

use super::{Now, pace};
use crate::documents::runner::RunnerStatus;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Accepted,
    Spawning,
    Downloading,
    Idle,
    Connecting,
    Connected,
    Loading,
    Loaded,
    WarmingUp,
    Ready,
    /// Its load failed.
    Failed,
    /// There is an instance, and never a runner.
    Phantom,
}

/// A phase and its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) phase: Phase,
    since: Now,
    /// Whether runners have to find each other.
    is_shared: bool,
    /// Loads that failed.
    failures: u32,
}

impl Life {
    pub(super) const fn begin(is_shared: bool, now: Now) -> Self {
        Self { phase: Phase::Accepted, since: now, is_shared, failures: 0 }
    }

    /// One that is ready from the start.
    pub(super) const fn ready(now: Now) -> Self {
        Self { phase: Phase::Ready, since: now, is_shared: false, failures: 0 }
    }

    /// One that never gets a runner.
    pub(super) const fn phantom(now: Now) -> Self {
        Self { phase: Phase::Phantom, since: now, is_shared: false, failures: 0 }
    }

    /// When the phase ends by itself; downloading ends by the downloads, being ready does not end.
    pub(super) fn deadline(&self) -> Option<Now> {
        let lasts = match self.phase {
            Phase::Accepted => pace::ACCEPT,
            Phase::Spawning => pace::SPAWN,
            Phase::Idle | Phase::Connecting | Phase::Connected => pace::JOIN,
            Phase::Loading => pace::LOAD,
            Phase::Loaded => pace::LOADED,
            Phase::WarmingUp => pace::WARM_UP,
            Phase::Failed => self.wait(),
            Phase::Downloading | Phase::Ready | Phase::Phantom => return None,
        };
        Some(self.since + lasts)
    }

    /// Enters the next phase if this one is over; the phase entered.
    pub(super) fn step(&mut self, now: Now, is_downloaded: bool) -> Option<Phase> {
        let is_over = match self.phase {
            Phase::Downloading => is_downloaded,
            _ => self.deadline().is_some_and(|deadline| deadline <= now),
        };
        if !is_over {
            return None;
        }
        self.phase = match self.phase {
            Phase::Accepted => Phase::Spawning,
            Phase::Spawning => Phase::Downloading,
            Phase::Downloading => Phase::Idle,
            Phase::Idle if self.is_shared => Phase::Connecting,
            Phase::Connecting => Phase::Connected,
            Phase::Idle | Phase::Connected => Phase::Loading,
            Phase::Loading => Phase::Loaded,
            Phase::Loaded => Phase::WarmingUp,
            Phase::WarmingUp | Phase::Ready => Phase::Ready,
            Phase::Failed => Phase::Idle,
            Phase::Phantom => Phase::Phantom,
        };
        self.since = now;
        Some(self.phase)
    }

    /// Whether all layers would be there now.
    pub(super) fn is_load_due(&self, now: Now) -> bool {
        self.phase == Phase::Loading && self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// The load fails.
    pub(super) const fn fail(&mut self, now: Now) {
        self.phase = Phase::Failed;
        self.since = now;
        self.failures += 1;
    }

    /// Whether it has failed so often that exo deletes it.
    pub(super) fn is_given_up(&self, now: Now) -> bool {
        self.has_failed()
            && self.failures >= pace::LOAD_ATTEMPTS
            && self.deadline().is_some_and(|deadline| deadline <= now)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.phase == Phase::Failed
    }

    /// How long it waits before it tries again.
    fn wait(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1));
        pace::RETRY.saturating_mul(doubled).min(pace::RETRY_MOST)
    }

    /// Whether `/state` shows the instance.
    pub(super) fn is_visible(&self) -> bool {
        self.phase != Phase::Accepted
    }

    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Whether it wants its files.
    pub(super) fn is_fetching(&self) -> bool {
        matches!(self.phase, Phase::Spawning | Phase::Downloading)
    }

    /// How much of the weights is in memory, 0 to 1.
    pub(super) fn loaded(&self, now: Now) -> f64 {
        match self.phase {
            Phase::Loading => share(now.saturating_sub(self.since), pace::LOAD),
            Phase::Loaded | Phase::WarmingUp | Phase::Ready => 1.0,
            _ => 0.0,
        }
    }

    /// What a runner with so many layers says; nothing before its process is there.
    pub(super) fn runner(&self, layers: u32, is_generating: bool, now: Now) -> Option<RunnerStatus> {
        Some(match self.phase {
            Phase::Accepted | Phase::Spawning | Phase::Downloading | Phase::Phantom => return None,
            Phase::Idle => RunnerStatus::RunnerIdle {},
            Phase::Connecting => RunnerStatus::RunnerConnecting {},
            Phase::Connected => RunnerStatus::RunnerConnected {},
            Phase::Loading => {
                RunnerStatus::RunnerLoading { layers_loaded: whole(self.loaded(now), layers), total_layers: layers }
            }
            Phase::Failed => RunnerStatus::failed(),
            Phase::Loaded => RunnerStatus::RunnerLoaded {},
            Phase::WarmingUp => RunnerStatus::RunnerWarmingUp {},
            Phase::Ready if is_generating => RunnerStatus::RunnerRunning {},
            Phase::Ready => RunnerStatus::RunnerReady { prefill_server_port: None },
        })
    }
}

/// A part of a time, 0 to 1.
pub(super) fn share(part: Duration, whole: Duration) -> f64 {
    (part.as_secs_f64() / whole.as_secs_f64()).clamp(0.0, 1.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32 is a u32")]
fn whole(share: f64, of: u32) -> u32 {
    (share * f64::from(of)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a runner says through a life in steps of 50 ms, each word once.
    fn words(is_shared: bool, downloaded_after: Duration) -> (Vec<String>, Duration) {
        let mut life = Life::begin(is_shared, Duration::ZERO);
        let mut said: Vec<String> = Vec::new();
        let mut now = Duration::ZERO;
        while !life.is_ready() {
            now += Duration::from_millis(50);
            life.step(now, now >= downloaded_after);
            let word = match life.runner(4, false, now) {
                None => "nothing".to_owned(),
                Some(RunnerStatus::RunnerLoading { layers_loaded, .. }) => format!("{layers_loaded}/4"),
                Some(status) => format!("{status:?}").split_whitespace().next().unwrap().to_owned(),
            };
            if said.last() != Some(&word) {
                said.push(word);
            }
        }
        (said, now)
    }

    #[test]
    fn a_runner_loads_layer_after_layer_and_is_then_ready() {
        let (said, took) = words(false, pace::DOWNLOAD);
        let expected =
            ["nothing", "RunnerIdle", "0/4", "1/4", "2/4", "3/4", "RunnerLoaded", "RunnerWarmingUp", "RunnerReady"];
        assert_eq!(said, expected);
        assert!((4..6).contains(&took.as_secs()), "{took:?}");
    }

    #[test]
    fn runners_of_several_members_connect_first() {
        let (said, _) = words(true, Duration::ZERO);
        assert_eq!(said[..4], ["nothing", "RunnerIdle", "RunnerConnecting", "RunnerConnected"]);
    }

    #[test]
    fn after_each_failure_it_waits_twice_as_long_and_is_given_up_after_the_fifth() {
        let mut life = Life { phase: Phase::Loading, ..Life::begin(false, Duration::ZERO) };
        let mut waits = Vec::new();
        for _ in 0..pace::LOAD_ATTEMPTS {
            life.fail(Duration::from_secs(100));
            waits.push((life.deadline().unwrap() - life.since).as_secs_f64());
        }
        assert_eq!(waits, [0.5, 1.0, 2.0, 4.0, 8.0]);
        assert!(!life.is_given_up(Duration::from_secs(100)) && life.is_given_up(Duration::from_secs(108)));
        life.fail(Duration::from_secs(200));
        assert_eq!(life.deadline(), Some(Duration::from_secs(210)), "never more than ten seconds");
    }

    #[test]
    fn an_instance_without_its_files_never_gets_a_runner() {
        let mut life = Life::begin(false, Duration::ZERO);
        for second in 1..1000 {
            life.step(Duration::from_secs(second), false);
        }
        assert_eq!(life.phase, Phase::Downloading);
        assert_eq!((life.deadline(), life.runner(4, false, Duration::from_secs(1000))), (None, None));
    }
}
