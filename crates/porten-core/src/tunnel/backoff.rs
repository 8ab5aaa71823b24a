//! How long to wait before the next dial.

use std::time::Duration;

/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(60);
/// The first waits.
const FIRST: Duration = Duration::from_secs(1);
/// Of the outage so far, the part that the next wait may add to it: a Hub that was away for 60 s is found again after
/// at most 6 s more, one that was away for 3 s after at most 1 s. Waits still grow geometrically (by a tenth a try).
const SHARE: u32 = 10;

/// The wait after a failure, `outage` after the last good link ended; `luck` in `[0, 1)` takes it anywhere in its upper
/// half, so that a thousand agents do not come back in one second.
#[must_use]
pub fn wait(outage: Duration, luck: f64) -> Duration {
    let whole = (outage / SHARE).clamp(FIRST, LONGEST);
    whole.mul_f64(0.5 + luck.clamp(0.0, 1.0) / 2.0)
}

/// A wait that a Hub asked for, and up to half of it more: the many that were told the same must not return as one.
#[must_use]
pub fn spread(asked: Duration, luck: f64) -> Duration {
    asked + asked.mul_f64(luck.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_outage_is_noticed_to_be_over_within_a_second_and_a_minute_within_six() {
        assert_eq!(wait(Duration::ZERO, 0.999_999).as_millis(), 999);
        assert!(wait(Duration::from_secs(3), 1.0) <= Duration::from_secs(1));
        assert!(wait(Duration::from_secs(60), 1.0) <= Duration::from_secs(6));
        assert_eq!(wait(Duration::from_secs(86_400), 1.0), LONGEST);
        assert_eq!(wait(Duration::from_secs(86_400), 0.0), LONGEST / 2);
    }

    #[test]
    fn an_hour_of_outage_costs_few_dials() {
        let (mut outage, mut dials) = (Duration::ZERO, 0);
        while outage < Duration::from_secs(3600) {
            outage += wait(outage, 0.5);
            dials += 1;
        }
        assert!((60..160).contains(&dials), "{dials}");
    }
}
