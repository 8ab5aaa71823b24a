//! Raises how many files this process may have open: each connection is one, and the usual limit is 1,024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What macOS lets a process have (`OPEN_MAX`), even where it says that there is no limit.
const OPEN_MAX: u64 = 10_240;

/// Raises the limit as far as the system lets this process; what it then is.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // None is no limit.
    let (soft, hard) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    for wanted in [hard, hard.min(OPEN_MAX)] {
        if wanted > soft && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).is_ok() {
            return wanted;
        }
    }
    soft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_is_said_and_never_lower() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let raised = raise();
        assert!(raised >= before);
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), raised);
        assert_eq!(raise(), raised, "there is nothing left to raise");
    }
}
