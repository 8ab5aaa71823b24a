//! On which processor each part of a path runs.
//!
//! Left alone, Linux wakes whoever hears from a socket on the processor of the one who wrote to it, and on two processors as
//! busy as these it does not look whether the other one is idle: engine and agent shared one, and half of the time the other
//! stood still while somebody waited (docs/performance.md). So each part keeps to one processor, on every path alike, and
//! neighbours on a path never share one, as if they were on two machines.

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The load tool.
    Load,
    /// The engine.
    Engine,
    /// The Hub, or a tunnel's end on its side.
    HubSide,
    /// The agent, or a tunnel's end on the engine's side.
    EngineSide,
}

impl Part {
    /// Which of so many processors is this part's.
    #[cfg(any(target_os = "linux", test))]
    const fn of(self, processors: usize) -> usize {
        match (self, processors) {
            (_, 0 | 1) | (Self::Load, _) | (Self::EngineSide, 2 | 3) => 0,
            (Self::Engine, _) | (Self::HubSide, 2) => 1,
            (Self::HubSide, _) => 2,
            (Self::EngineSide, _) => 3,
        }
    }
}

/// Whether the parts have seats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Seating {
    /// Each part keeps to its processor.
    #[default]
    Fixed,
    /// The scheduler chooses, and chooses anew.
    Free,
}

impl Seating {
    /// What the main thread starts while the seat is held is started on this part's processor, and stays there. Where that is
    /// not possible, as on a Mac, the scheduler chooses.
    pub(crate) fn take(self, part: Part) -> Seat {
        match self {
            Self::Fixed => Seat::of(part),
            Self::Free => Seat::default(),
        }
    }
}

/// A seat as long as it is held.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    /// Where this thread may run otherwise.
    #[cfg(target_os = "linux")]
    before: Option<CpuSet>,
}

impl Seat {
    #[cfg(target_os = "linux")]
    fn of(part: Part) -> Self {
        let Ok(before) = sched_getaffinity(None) else { return Self::default() };
        let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|processor| before.is_set(*processor)).collect();
        let mut own = CpuSet::new();
        if let Some(processor) = processors.get(part.of(processors.len())) {
            own.set(*processor);
        }
        Self { before: sched_setaffinity(None, &own).is_ok().then_some(before) }
    }

    #[cfg(not(target_os = "linux"))]
    const fn of(_: Part) -> Self {
        Self {}
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(before) = &self.before {
            // It was allowed before.
            let _ = sched_setaffinity(None, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_on_a_path_never_share_a_processor() {
        for processors in 2..9 {
            let of = |part: Part| part.of(processors);
            for path in
                [vec![Part::Load, Part::Engine], vec![Part::Load, Part::HubSide, Part::EngineSide, Part::Engine]]
            {
                for pair in path.windows(2) {
                    assert_ne!(of(pair[0]), of(pair[1]), "{pair:?} of {processors}");
                }
                assert!(path.iter().all(|part| of(*part) < processors), "{processors}");
            }
        }
        assert_eq!(Part::Engine.of(1), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_started_on_a_seat_stays_there_and_the_starter_does_not() {
        let allowed = |text: &str| text.lines().find(|line| line.starts_with("Cpus_allowed_list:")).map(str::to_owned);
        let own = || allowed(&std::fs::read_to_string("/proc/thread-self/status").unwrap());
        let before = own();
        let seat = Seating::Fixed.take(Part::Load);
        let child = std::process::Command::new("cat").arg("/proc/self/status").output().unwrap();
        drop(seat);
        let child = allowed(&String::from_utf8_lossy(&child.stdout)).unwrap();
        assert!(child.trim_start_matches("Cpus_allowed_list:").trim().parse::<usize>().is_ok(), "{child}");
        assert_eq!(own(), before);
        let _free = Seating::Free.take(Part::Load);
        assert_eq!(own(), before);
    }
}
