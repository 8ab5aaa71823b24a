//! Reads the arguments: a role, or what to run.

use crate::seat::Seating;
use crate::suites;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Measures answers that come through a Hub, the tunnel and an agent beside answers that come straight from the engine.

Usage: porten-bench [--quick] [--suite NAME] [--streams N] [--rounds N] [--peers | --line] [--unseated]
                    [--no-gates]
       porten-bench --idle MINUTES
       porten-bench --storm AGENTS
       porten-bench --isolation [--only ATTACK] [--json] [--quick]
       porten-bench --isolation --list

  --quick       each measurement once and short: a smoke test, its numbers mean little
  --suite NAME  only this suite: ttfb, ttfb-newconn, req10, steady10, paced, burst1000 or prompt5mb
  --streams N   only at this number of streams: 1, 16, 128 or 512
  --rounds N    so many rounds instead of the suite's own: for a profiler that wants to look longer
  --peers       also two plain TCP forwards in a row, rathole and bore, and wstunnel, chisel and frp where PATH has them
  --line        over a line of 40 ms there and back that loses one packet in a hundred: token by token, and in bursts
                (Linux, as root of a network namespace; tools/bench.sh --line makes one)
  --unseated    the parts go where the scheduler puts them; else each keeps to a processor, on every path alike (Linux)
  --no-gates    measure only; without it a broken promise ends the run with 1
  --idle N      what an agent that serves and is not asked uses in N minutes
  --storm N     a Hub crashes under N agents and comes back: how long until each serves again
  --isolation   what attacks by one account, a stranger or a Hub do to others' requests, beside a process that burns
                as much processor time (Linux; at most 15 minutes): --only one of them, --list which there are,
                --json instead of the table. PORTEN_BIN=FOLDER measures the programs there

It prints a table and writes bench.json into the target folder that it was built in.";

/// What this process is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Measures.
    Runner(What),
    /// The engine; started by the runner.
    Engine,
    /// The load tool; started by the runner.
    Load,
    /// A plain forward to an address; started by the runner.
    Forward(String),
    /// An attacker; started by the runner.
    Attack,
    /// Burns processor time: thousandths of a processor, and seconds; started by the runner.
    Burn(u64, u64),
    /// Prints the attacks' names.
    ListAttacks,
    /// Prints [`HELP`].
    Help,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The suites.
    Suites(Wishes),
    /// An agent that is not asked, for so many minutes.
    Idle(usize),
    /// So many agents whose Hub crashes.
    Storm(usize),
    /// Attacks, and what they do to others.
    Isolation(Isolation),
}

/// Which attacks, and how they are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Isolation {
    /// Only this one.
    pub(crate) only: Option<String>,
    /// JSON instead of the table.
    pub(crate) json: bool,
    /// Short phases: a smoke test, its numbers mean little.
    pub(crate) quick: bool,
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
    /// Over a long, lossy line.
    pub(crate) line: bool,
    /// Where the parts run.
    pub(crate) seating: Seating,
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
    /// `--only` at the end.
    #[error("--only needs an attack's name; --isolation --list lists them")]
    NoAttack,
    /// `--peers` and `--line` at once.
    #[error("--line measures without other tunnels; leave --peers out")]
    PeersOnLine,
    /// An argument with a number, without it.
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
            "--line" => wishes.line = true,
            "--idle" if is_first => {
                let minutes = number("--idle", arguments.next())?;
                return alone(Role::Runner(What::Idle(minutes)), arguments.next());
            }
            "--storm" if is_first => {
                let agents = number("--storm", arguments.next())?;
                return alone(Role::Runner(What::Storm(agents)), arguments.next());
            }
            "--isolation" if is_first => return isolation(arguments),
            "--unseated" => wishes.seating = Seating::Free,
            "--no-gates" => wishes.no_gates = true,
            "--suite" => wishes.suite = Some(suite(arguments.next().ok_or(ArgsError::NoSuite)?)?),
            "--streams" => wishes.streams = Some(number("--streams", arguments.next())?),
            "--rounds" => wishes.rounds = Some(number("--rounds", arguments.next())?),
            "--help" | "-h" => return Ok(Role::Help),
            "engine" | "load" | "attack" if is_first => {
                let role = match argument.as_str() {
                    "engine" => Role::Engine,
                    "load" => Role::Load,
                    _ => Role::Attack,
                };
                return alone(role, arguments.next());
            }
            "burn" if is_first => {
                let mut next = || arguments.next().and_then(|text| text.parse().ok());
                let (permille, seconds) = (next(), next());
                return permille.zip(seconds).map(|(p, s)| Role::Burn(p, s)).ok_or(ArgsError::Unknown(argument));
            }
            "forward" if is_first => {
                return arguments.next().map(Role::Forward).ok_or(ArgsError::Unknown(argument));
            }
            _ => return Err(ArgsError::Unknown(argument)),
        }
        is_first = false;
    }
    if wishes.peers && wishes.line {
        return Err(ArgsError::PeersOnLine);
    }
    Ok(Role::Runner(What::Suites(wishes)))
}

/// What follows `--isolation`.
fn isolation(mut arguments: impl Iterator<Item = String>) -> Result<Role, ArgsError> {
    let mut wishes = Isolation::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => return alone(Role::ListAttacks, arguments.next()),
            "--json" => wishes.json = true,
            "--quick" => wishes.quick = true,
            "--only" => wishes.only = Some(arguments.next().ok_or(ArgsError::NoAttack)?),
            "--help" | "-h" => return Ok(Role::Help),
            _ => return Err(ArgsError::Unknown(argument)),
        }
    }
    Ok(Role::Runner(What::Isolation(wishes)))
}

/// A role that takes nothing more.
fn alone(role: Role, more: Option<String>) -> Result<Role, ArgsError> {
    more.map_or(Ok(role), |more| Err(ArgsError::Unknown(more)))
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
        assert_eq!(read(""), Ok(Role::Runner(What::Suites(Wishes::default()))));
        let some = Wishes {
            quick: true,
            suite: Some("req10".into()),
            streams: Some(16),
            rounds: None,
            peers: true,
            line: false,
            seating: Seating::Free,
            no_gates: true,
        };
        assert_eq!(
            read("--no-gates --suite req10 --quick --streams 16 --peers --unseated"),
            Ok(Role::Runner(What::Suites(some)))
        );
        assert_eq!(
            (read("engine"), read("load"), read("--quick -h")),
            (Ok(Role::Engine), Ok(Role::Load), Ok(Role::Help))
        );
        assert_eq!(read("forward 127.0.0.1:1"), Ok(Role::Forward("127.0.0.1:1".into())));
        assert_eq!(read("--idle 10"), Ok(Role::Runner(What::Idle(10))));
        assert_eq!(read("--storm 32"), Ok(Role::Runner(What::Storm(32))));
        let only = Isolation { only: Some("many-nodes".into()), json: true, quick: true };
        assert_eq!(read("--isolation --quick --only many-nodes --json"), Ok(Role::Runner(What::Isolation(only))));
        assert_eq!((read("--isolation --list"), read("attack")), (Ok(Role::ListAttacks), Ok(Role::Attack)));
        assert_eq!(read("burn 1500 8"), Ok(Role::Burn(1500, 8)));
        assert_eq!(read("--line"), Ok(Role::Runner(What::Suites(Wishes { line: true, ..Wishes::default() }))));
    }

    #[test]
    fn what_is_not_known_is_said_in_one_sentence() {
        for unknown in [
            "--fast",
            "quick",
            "--quick engine",
            "engine --quick",
            "--suite=ttfb",
            "--quick --idle 1",
            "--storm 1 --quick",
            "--quick --isolation",
            "--isolation --list --json",
            "burn many",
        ] {
            let said = read(unknown).unwrap_err().to_string();
            assert!(said.ends_with("--help lists what it takes") && said.lines().count() == 1, "{said}");
        }
        for wrong in ["--rounds", "--rounds 0", "--rounds many"] {
            assert_eq!(read(wrong), Err(ArgsError::NoNumber("--rounds")), "{wrong}");
        }
        assert_eq!(
            (read("--idle"), read("--line --peers")),
            (Err(ArgsError::NoNumber("--idle")), Err(ArgsError::PeersOnLine))
        );
        assert_eq!(read("--isolation --only"), Err(ArgsError::NoAttack));
        assert_eq!(read("--suite"), Err(ArgsError::NoSuite));
        let said = read("--suite ttbf").unwrap_err().to_string();
        assert!(said.starts_with("there is no suite \"ttbf\"; there are ttfb, "), "{said}");
    }

    #[test]
    fn the_help_names_every_suite() {
        assert!(suites::NAMES.iter().all(|name| HELP.contains(name)));
    }
}
