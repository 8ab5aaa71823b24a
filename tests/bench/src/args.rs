//! Reads the arguments: a role, or what to run.

use crate::suites;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Measures answers that come through a Hub, the tunnel and an agent beside answers that come straight from the engine.

Usage: porten-bench [--quick] [--suite NAME] [--streams N] [--rounds N] [--peers] [--no-gates]

  --quick       each measurement once and short: a smoke test, its numbers mean little
  --suite NAME  only this suite: ttfb, ttfb-newconn, req10, paced, burst1000 or prompt5mb
  --streams N   only at this number of streams: 1, 16, 128 or 512
  --rounds N    so many rounds instead of the suite's own: for a profiler that wants to look longer
  --peers       also two plain TCP forwards in a row, and rathole and bore where they are found
  --no-gates    measure only; without it a broken promise ends the run with 1

It prints a table and writes bench.json into the target folder that it was built in.";

/// What this process is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs the suites.
    Runner(Wishes),
    /// The engine; started by the runner.
    Engine,
    /// The load tool; started by the runner.
    Load,
    /// A plain forward to an address; started by the runner.
    Forward(String),
    /// Prints [`HELP`].
    Help,
}

/// What the runner is to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) quick: bool,
    /// One of [`suites::NAMES`].
    pub(crate) suite: Option<String>,
    /// Only the steps of so many streams.
    pub(crate) streams: Option<usize>,
    /// Instead of each step's own number.
    pub(crate) rounds: Option<usize>,
    /// Beside them the other tunnels that are found.
    pub(crate) peers: bool,
    pub(crate) no_gates: bool,
}

/// An argument that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgsError {
    /// Not one of ours.
    #[error("porten-bench does not know {0:?}; --help lists what it takes")]
    Unknown(String),
    /// `--suite` at the end.
    #[error("--suite needs a name: {}", suites::NAMES.join(", "))]
    NoSuite,
    /// `--suite` with a name that is none.
    #[error("there is no suite {0:?}; there are {names}", names = suites::NAMES.join(", "))]
    NoSuchSuite(String),
    /// `--streams` or `--rounds` without a number.
    #[error("{0} needs a whole number above 0")]
    NoNumber(&'static str),
}

/// Reads the arguments that follow the program's name.
pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Role, ArgsError> {
    let mut wishes = Wishes::default();
    let mut arguments = arguments.into_iter();
    let mut is_first = true;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => wishes.quick = true,
            "--peers" => wishes.peers = true,
            "--no-gates" => wishes.no_gates = true,
            "--suite" => wishes.suite = Some(suite(arguments.next().ok_or(ArgsError::NoSuite)?)?),
            "--streams" => wishes.streams = Some(number("--streams", arguments.next())?),
            "--rounds" => wishes.rounds = Some(number("--rounds", arguments.next())?),
            "--help" | "-h" => return Ok(Role::Help),
            "engine" | "load" if is_first => {
                let role = if argument == "engine" { Role::Engine } else { Role::Load };
                return arguments.next().map_or(Ok(role), |more| Err(ArgsError::Unknown(more)));
            }
            "forward" if is_first => {
                return arguments.next().map(Role::Forward).ok_or(ArgsError::Unknown(argument));
            }
            _ => return Err(ArgsError::Unknown(argument)),
        }
        is_first = false;
    }
    Ok(Role::Runner(wishes))
}

fn number(of: &'static str, text: Option<String>) -> Result<usize, ArgsError> {
    text.and_then(|text| text.parse().ok()).filter(|number| *number > 0).ok_or(ArgsError::NoNumber(of))
}

fn suite(name: String) -> Result<String, ArgsError> {
    if suites::NAMES.contains(&name.as_str()) { Ok(name) } else { Err(ArgsError::NoSuchSuite(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Role, ArgsError> {
        super::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn wishes_and_roles_are_read() {
        assert_eq!(read(""), Ok(Role::Runner(Wishes::default())));
        let some = Wishes {
            quick: true,
            suite: Some("req10".into()),
            streams: Some(16),
            rounds: None,
            peers: true,
            no_gates: true,
        };
        assert_eq!(read("--no-gates --suite req10 --quick --streams 16 --peers"), Ok(Role::Runner(some)));
        assert_eq!(
            (read("engine"), read("load"), read("--quick -h")),
            (Ok(Role::Engine), Ok(Role::Load), Ok(Role::Help))
        );
        assert_eq!(read("forward 127.0.0.1:1"), Ok(Role::Forward("127.0.0.1:1".into())));
    }

    #[test]
    fn what_is_not_known_is_said_in_one_sentence() {
        for unknown in ["--fast", "quick", "--quick engine", "engine --quick", "--suite=ttfb"] {
            let said = read(unknown).unwrap_err().to_string();
            assert!(said.ends_with("--help lists what it takes") && said.lines().count() == 1, "{said}");
        }
        for wrong in ["--rounds", "--rounds 0", "--rounds many"] {
            assert_eq!(read(wrong), Err(ArgsError::NoNumber("--rounds")), "{wrong}");
        }
        assert_eq!(read("--suite"), Err(ArgsError::NoSuite));
        let said = read("--suite ttbf").unwrap_err().to_string();
        assert!(said.starts_with("there is no suite \"ttbf\"; there are ttfb, "), "{said}");
    }

    #[test]
    fn the_help_names_every_suite() {
        assert!(suites::NAMES.iter().all(|name| HELP.contains(name)));
    }
}
