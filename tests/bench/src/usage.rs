//! What a process uses, read from Linux's /proc; elsewhere nothing is known.

use porten_tests::process::peak;

/// What a process has used since it was last asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    /// The most memory it held (bytes).
    pub(crate) peak_rss: u64,
    /// Time on a processor (milliseconds).
    pub(crate) cpu_ms: f64,
    /// How often it had nothing to do and was woken (voluntary switches of all its threads).
    pub(crate) waits: u64,
}

/// Watches a process through one measurement.
#[derive(Debug)]
pub(crate) struct Meter {
    id: u32,
    cpu_before: f64,
    waits_before: u64,
}

impl Meter {
    /// Begins; none where there is no /proc.
    pub(crate) fn start(id: u32) -> Option<Self> {
        // The peak begins anew. Where that is not allowed it is the peak since the process began, which is no less.
        let _ = std::fs::write(format!("/proc/{id}/clear_refs"), "5");
        Some(Self { id, cpu_before: cpu_ms(id)?, waits_before: waits(id)? })
    }

    /// What was used since.
    pub(crate) fn stop(&self) -> Option<Usage> {
        Some(Usage {
            peak_rss: peak(self.id)?,
            cpu_ms: cpu_ms(self.id)? - self.cpu_before,
            waits: waits(self.id)?.saturating_sub(self.waits_before),
        })
    }
}

fn cpu_ms(id: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
    let (ticks, a_second) = (read_ticks(&stat)? as f64, rustix::param::clock_ticks_per_second() as f64);
    Some(ticks / a_second * 1000.0)
}

/// Of the threads that there are; one that ended takes its own with it.
fn waits(id: u32) -> Option<u64> {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).ok()?.flatten();
    let of = |thread: std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<u64>().ok()
    };
    Some(threads.filter_map(of).sum())
}

/// User and system time of a /proc/PID/stat (clock ticks): fields 14 and 15, counted after the name in brackets.
fn read_ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read_also_behind_a_strange_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 900 0 0 0 31 11 0 0 20 0 3 0 100 1 1";
        assert_eq!(read_ticks(stat), Some(42));
        assert_eq!(read_ticks("7 (a) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        let usage = Meter::start(std::process::id()).and_then(|meter| meter.stop()).unwrap();
        assert!(usage.peak_rss > 100_000 && usage.cpu_ms >= 0.0, "{usage:?}");
    }
}
