//! Runs the suites: starts what they need, measures, prints, writes the file, and judges.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::args::Wishes;
use crate::path::{self, Engine, EngineError};
use crate::rounds::{self, RoundError};
use crate::row::Row;
use crate::{gates, peers, suites, table};

/// Open files that each process of a run may need: a Hub has two sockets for each of 512 streams at most, and a few.
pub(crate) const FILES: u64 = 4096;
/// The same where thousands of connections are an attack.
pub(crate) const MANY_FILES: u64 = 16_384;

/// Why a run came to no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("{}", with_cause(.0))]
    Engine(#[from] EngineError),
    #[error("{}", with_cause(.0))]
    Round(#[from] RoundError),
    #[error("{} cannot be written ({source})", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("only Linux has what this measures with")]
    NotLinux,
    #[error("the attacker: {0}")]
    #[cfg(target_os = "linux")]
    Attacker(String),
    #[error("there is no attack {0:?}; --isolation --list lists them")]
    #[cfg(target_os = "linux")]
    NoSuchAttack(String),
    #[error("this program does not know where it lies ({0})")]
    NoPlace(io::Error),
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}

/// Runs what was wished for; whether every promise was kept. Everything that it started ends with this future, be it
/// dropped half-way.
pub(crate) async fn run(wishes: &Wishes) -> Result<bool, RunError> {
    if cfg!(debug_assertions) {
        tell("This is a debug build: its numbers mean nothing. `make bench` makes a release build.");
    }
    let file = place(&std::env::current_exe().map_err(RunError::NoPlace)?);
    let begun = Instant::now();
    tell("starting an engine, a Hub and an agent, and signing in");
    let engine = Engine::start(wishes.seating).await?;
    let (line, mut paths) = if wishes.line {
        let (line, paths) = on_a_line(&engine).await?;
        (Some(line), paths)
    } else {
        (None, vec![path::direct(&engine), path::porten(&engine).await])
    };
    if wishes.peers {
        paths.extend(peers::start(&engine, tell).await);
    }
    rounds::warm_up(&paths, wishes.seating).await?;
    let mut steps =
        if wishes.line { suites::on_a_line(wishes.quick) } else { suites::plan(wishes.quick, wishes.suite.as_deref()) };
    steps.retain(|step| wishes.suite.as_deref().is_none_or(|suite| step.suite == suite));
    steps.retain(|step| wishes.streams.is_none_or(|streams| step.work.streams == streams));
    for step in &mut steps {
        step.rounds = wishes.rounds.unwrap_or(step.rounds);
    }
    let mut rows: Vec<Row> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let streams =
            if step.work.streams == 1 { "1 stream".to_owned() } else { format!("{} streams", step.work.streams) };
        tell(&format!("[{}/{}] {}, {streams}", number + 1, steps.len(), step.suite));
        rows.extend(rounds::run(step, &paths, wishes.seating, tell).await?);
    }
    drop((paths, line, engine));
    save(&file, &rows)?;
    print(&table::draw(&rows));
    tell(&format!("{} s; the rows are in {}", begun.elapsed().as_secs(), file.display()));
    // The promises are of a machine's own loopback.
    if wishes.no_gates || wishes.line {
        return Ok(true);
    }
    let gates = gates::judge(&rows);
    print(&format!("\n{}", table::draw_gates(&gates)));
    Ok(gates.iter().all(|gate| gate.is_kept))
}

#[cfg(target_os = "linux")]
async fn on_a_line(engine: &Engine) -> Result<(crate::line::Line, Vec<path::Path>), RunError> {
    Ok(crate::line::on_a_line(engine).await?)
}

#[cfg(not(target_os = "linux"))]
fn on_a_line(_: &Engine) -> std::future::Ready<Result<((), Vec<path::Path>), RunError>> {
    std::future::ready(Err(RunError::NotLinux))
}

/// Beside the profile's folder in which this program lies: `target/bench.json`.
fn place(program: &FilePath) -> PathBuf {
    let profile = program.parent().unwrap_or(FilePath::new("."));
    profile.parent().unwrap_or(profile).join("bench.json")
}

fn save(file: &FilePath, rows: &[Row]) -> Result<(), RunError> {
    let lines: Result<Vec<String>, _> = rows.iter().map(serde_json::to_string).collect();
    let written = lines.map_err(io::Error::other).and_then(|lines| {
        // One row a line: two runs can be compared by diff.
        std::fs::write(file, format!("[\n{}\n]\n", lines.join(",\n")))
    });
    written.map_err(|source| RunError::File { path: file.to_owned(), source })
}

/// So many open files for this process and all that it starts; a Mac gives 256 by default. Where it is not allowed,
/// requests fail and are counted.
pub(crate) fn allow_files(wanted: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}

#[expect(clippy::print_stdout, reason = "the result is for the terminal or a pipe")]
pub(crate) fn print(text: &str) {
    print!("{text}");
}

#[expect(clippy::print_stderr, reason = "progress is for a person who waits")]
pub(crate) fn tell(line: &str) {
    eprintln!("bench: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_lies_in_the_target_folder_and_reads_as_one_array() {
        assert_eq!(place(FilePath::new("/t/release/porten-bench")), FilePath::new("/t/bench.json"));
        let folder = std::env::temp_dir().join(format!("porten-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("bench.json");
        let step = suites::plan(true, Some("ttfb"))[0];
        save(&file, &[Row::of(&step, "direct", &[]), Row::of(&step, "porten", &[])]).unwrap();
        let read: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!((read[0]["path"].as_str(), read[1]["path"].as_str()), (Some("direct"), Some("porten")));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
