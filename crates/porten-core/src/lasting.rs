//! A length of time as people write it: `90s`, `10m`, `1h`.

use std::time::Duration;

/// What is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATime {
    /// It is not written as one.
    #[error("{0:?} is no length of time; write it like 90s, 10m or 1h30m")]
    Unreadable(String),
    /// It is longer than makes sense.
    #[error("{text:?} is too long: {} is the most", days(*most))]
    TooLong {
        /// As it was written.
        text: String,
        /// The longest that is taken.
        most: Duration,
    },
    /// It has a minus before it.
    #[error("{0:?} is in the past; write how long from now, like 90s, 10m or 1h30m")]
    Past(String),
}

fn days(most: Duration) -> String {
    match most.as_secs() / DAY {
        1 => "a day (24h)".to_owned(),
        days => format!("{days} days"),
    }
}

const DAY: u64 = 24 * 60 * 60;
/// The longest that is taken.
pub const MOST: Duration = Duration::from_secs(DAY);

/// Reads a length of time: whole numbers, each with `s`, `m`, `h` or `d` or the words for them.
///
/// # Errors
/// It is none, or longer than [`MOST`].
pub fn read(text: &str) -> Result<Duration, NotATime> {
    read_up_to(text, MOST)
}

/// The same with another longest one.
///
/// # Errors
/// It is none, or longer than `most`.
pub fn read_up_to(text: &str, most: Duration) -> Result<Duration, NotATime> {
    let unreadable = || NotATime::Unreadable(text.to_owned());
    let too_long = || NotATime::TooLong { text: text.to_owned(), most };
    if let Some(rest) = text.trim().strip_prefix('-')
        && read_up_to(rest, most).is_ok()
    {
        return Err(NotATime::Past(text.to_owned()));
    }
    let mut rest = text.trim();
    let mut all = Duration::ZERO;
    if rest.is_empty() {
        return Err(unreadable());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0).ok_or_else(unreadable)?;
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let (unit, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len()));
        let seconds: u64 = match unit.to_ascii_lowercase().as_str() {
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 60 * 60,
            "d" | "day" | "days" => DAY,
            _ => return Err(unreadable()),
        };
        // Digits that are too many for a number are too many for a day.
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or_else(too_long)?;
        all = all.saturating_add(Duration::from_secs(part));
        rest = tail.trim_start();
    }
    if all > most { Err(too_long()) } else { Ok(all) }
}

/// As people write it, in the largest unit that says it whole.
#[must_use]
pub fn words(lasting: Duration) -> String {
    match lasting.as_secs() {
        s if s > 0 && s % 3600 == 0 => format!("{} h", s / 3600),
        s if s > 0 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("1h", 3600),
            (" 5 min ", 300),
            ("2 Hours", 7200),
            ("1h30m", 5400),
            ("0s", 0),
            ("24h", 86_400),
            ("1d", 86_400),
        ] {
            assert_eq!(read(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_with_one_that_is() {
        for text in ["", "10", "m", "ten minutes", "-", "--5m", "1.5h", "10 parsecs", "5m 3", "١٠m"] {
            assert_eq!(read(text), Err(NotATime::Unreadable(text.to_owned())), "{text}");
        }
        for text in ["25h", "99999999999999999999s", "18446744073709551615h"] {
            assert_eq!(read(text), Err(NotATime::TooLong { text: text.to_owned(), most: MOST }), "{text}");
        }
        assert_eq!(read("-5m"), Err(NotATime::Past("-5m".to_owned())));
        assert!(read("2d").unwrap_err().to_string().ends_with("a day (24h) is the most"));
        assert_eq!(read_up_to("2 days 1h", 3 * MOST), Ok(Duration::from_secs(49 * 3600)));
        assert!(read_up_to("4d", 3 * MOST).unwrap_err().to_string().ends_with("3 days is the most"));
        assert!(read("10").unwrap_err().to_string().contains("like 90s, 10m or 1h30m"));
    }

    #[test]
    fn a_time_is_told_in_its_largest_whole_unit() {
        let told = [0, 45, 90, 600, 5400, 7200].map(|s| words(Duration::from_secs(s)));
        assert_eq!(told, ["0 s", "45 s", "90 s", "10 min", "90 min", "2 h"]);
    }
}
