//! Feeds the readers of strangers' bytes with new ones for a time (`make fuzz SECONDS=60 TARGET=events`).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the person at the terminal")]

use std::process::ExitCode;
use std::time::Duration;

use porten_tests::fuzz::TARGETS;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().unwrap_or_else(|| "60".into());
    let wanted = arguments.next();
    let (Ok(seconds), None) = (seconds.parse(), arguments.next()) else {
        eprintln!("fuzz [SECONDS [TARGET]]: seconds for each target, 60 if nobody says");
        return ExitCode::from(2);
    };
    let chosen: Vec<_> =
        TARGETS.into_iter().filter(|target| wanted.as_ref().is_none_or(|name| name == target.name)).collect();
    if chosen.is_empty() {
        eprintln!("no such target; there are {}", TARGETS.map(|target| target.name).join(", "));
        return ExitCode::from(2);
    }
    for target in chosen {
        match target.for_long(Duration::from_secs(seconds)) {
            Ok(cases) => println!("{:<10} {cases} inputs", target.name),
            Err(broken) => {
                eprintln!("{broken}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
