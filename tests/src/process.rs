//! A real program of this workspace as a process of its own: private home, explicit environment, output in files.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::wait::wait_until;

/// How much of its output is shown when a test fails (bytes, from the end).
const SHOWN: usize = 8 * 1024;

/// What stands before a secret: the Hub's prefixes, and the passphrase that a Hub for development prints.
const SECRETS: [&str; 7] =
    ["porten_at_", "porten_rt_", "porten_dc_", "porten_key_", "porten_visit_", "\"passphrase\":\"", "passphrase  "];

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A program that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// All that it printed.
    pub stdout: String,
    /// All that it complained and logged.
    pub stderr: String,
}

impl Process {
    /// Starts one of this workspace's programs with exactly this environment. Its output goes to files in `folder`.
    ///
    /// # Panics
    /// It was not built, or does not start.
    #[must_use]
    pub fn start(program: &str, arguments: &[&str], environment: &BTreeMap<String, String>, folder: &Path) -> Self {
        Self::start_at(&binary(program), arguments, environment, folder)
    }

    /// The same for a program that lies elsewhere.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start_at(path: &Path, arguments: &[&str], environment: &BTreeMap<String, String>, folder: &Path) -> Self {
        let program = path.file_name().unwrap_or_default().to_string_lossy();
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (stdout, stderr) = (folder.join(format!("{number}.out")), folder.join(format!("{number}.err")));
        let file = |path: &Path| File::create_new(path).expect("a new file for a program's output");
        let child = Command::new(path)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file(&stdout))
            .stderr(file(&stderr))
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        Self { name: format!("{program} {}", arguments.join(" ")), child, stdout, stderr }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed until now.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it has complained and logged until now.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits for a first whole line of output.
    ///
    /// # Panics
    /// None comes within `limit`, or it ends before.
    pub async fn first_line(&mut self, limit: Duration) -> String {
        let what = format!("{} prints a line", self.name);
        wait_until(limit, &what, async || {
            let text = self.stdout();
            let line = text.split_once('\n').map(|(line, _)| line.to_owned());
            assert!(line.is_some() || self.status().is_none(), "{} ended: {}", self.name, redacted(&self.stderr()));
            line
        })
        .await
    }

    /// Sends a signal by its name, like `TERM`, `STOP`, `CONT` or `KILL`.
    ///
    /// # Panics
    /// There is no shell, or no such process.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("/bin/sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} takes no SIG{name}", self.name);
    }

    /// Ends it at once, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.status().is_none()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It still runs after `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Ended {
        let what = format!("{} ends", self.name);
        let status = wait_until(limit, &what, async || self.status()).await;
        Ended { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            show(&format!("\n=== {}: stdout\n{}", self.name, tail(&self.stdout())));
            show(&format!("=== {}: stderr\n{}===\n", self.name, tail(&self.stderr())));
        }
    }
}

/// The processes that this one started and that still run.
#[cfg(target_os = "linux")]
#[must_use]
pub fn children(parent: u32) -> Vec<u32> {
    let ids = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // `id (name) state parent …`; the name may hold anything.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(&parent.to_string()))
    })
    .collect()
}

/// The processor time that a process has taken (Linux counts it in hundredths of a second).
///
/// # Panics
/// There is no such process.
#[must_use]
pub fn cpu_time(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("a process");
    // The name in brackets may hold anything; the times are the 12th and 13th words after it.
    let words = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = words.skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The memory that a process holds (bytes); nothing where there is no /proc.
#[must_use]
pub fn resident(id: u32) -> Option<u64> {
    read_memory(&std::fs::read_to_string(format!("/proc/{id}/status")).ok()?, "VmRSS:")
}

/// The memory that a process holds, of what it shares its part (bytes).
///
/// # Panics
/// There is no such process.
#[cfg(target_os = "linux")]
#[must_use]
pub fn pss(id: u32) -> u64 {
    let map = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).expect("a process");
    read_memory(&map, "Pss:").unwrap_or_default()
}

/// The first 15 bytes of a process's name; empty if there is none.
#[cfg(target_os = "linux")]
#[must_use]
pub fn name(id: u32) -> String {
    std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default().trim().to_owned()
}

/// The most that it held (bytes).
#[must_use]
pub fn peak(id: u32) -> Option<u64> {
    read_memory(&std::fs::read_to_string(format!("/proc/{id}/status")).ok()?, "VmHWM:")
}

/// A line of a /proc/PID/status (bytes).
fn read_memory(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The files and sockets that a process has open.
///
/// # Panics
/// There is no such process.
#[cfg(target_os = "linux")]
#[must_use]
pub fn open_files(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).expect("a process").count()
}

/// Whether there still is such a process.
#[cfg(target_os = "linux")]
#[must_use]
pub fn runs(id: u32) -> bool {
    std::fs::exists(format!("/proc/{id}")).unwrap_or_default()
}

/// The menu-bar app: on a Mac in its bundle, which `make run` makes, since macOS gives icons to bundles.
///
/// # Panics
/// It was not built.
#[must_use]
pub fn app() -> PathBuf {
    let program = binary("porten-app");
    let bundled = program.with_file_name("Porten.app").join("Contents/MacOS/porten-app");
    if bundled.is_file() { bundled } else { program }
}

/// The path of a program of this workspace, beside the test's own or this program's: `target/PROFILE/`; or in the folder
/// that `PORTEN_BIN` names, to hold other builds against the same test.
///
/// # Panics
/// It was not built.
#[must_use]
pub fn binary(program: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("PORTEN_BIN") {
        let path = Path::new(&folder).join(program);
        assert!(path.is_file(), "{} is missing: PORTEN_BIN names a folder without it", path.display());
        return path;
    }
    let this = std::env::current_exe().expect("a program knows its own path");
    let folder = this.parent().expect("a program lies in a folder");
    // Tests lie one deeper, in target/PROFILE/deps.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join(program);
    assert!(path.is_file(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    path
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The end of a program's output, without the secrets in it: a failure is copied into reports.
fn tail(text: &str) -> String {
    let from = text.len().saturating_sub(SHOWN);
    redacted(text.get(text.ceil_char_boundary(from)..).unwrap_or_default())
}

/// The same text with each key, token and passphrase replaced by `…`.
fn redacted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, mark)) = SECRETS.iter().filter_map(|mark| Some((rest.find(mark)?, *mark))).min() {
        let (before, secret) = rest.split_at(at + mark.len());
        let end = secret.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(secret.len());
        shown.push_str(before);
        shown.push('…');
        rest = &secret[end..];
    }
    shown.push_str(rest);
    shown
}

#[expect(clippy::print_stderr, reason = "a failed test shows what its programs said")]
fn show(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_no_secret() {
        let said = "{\"api_key\":\"porten_key_0af9\",\"passphrase\":\"wdjb-mjht\",\"url\":\"http://x\"} porten_at_12";
        let shown = "{\"api_key\":\"porten_key_…\",\"passphrase\":\"…\",\"url\":\"http://x\"} porten_at_…";
        assert_eq!(redacted(said), shown);
        assert_eq!(redacted("no secret in it"), "no secret in it");
    }

    #[test]
    fn the_kernels_words_about_memory_are_read() {
        let status = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t 9 kB\n";
        assert_eq!(read_memory(status, "VmHWM:"), Some(2 * 1024 * 1024));
        assert_eq!(read_memory(status, "VmRSS:"), Some(9 * 1024));
        assert_eq!(read_memory("Name:\tx\n", "VmHWM:"), None);
    }
}
