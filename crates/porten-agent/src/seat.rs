//! Takes this machine's one seat: an exclusive lock first, a record of who holds it second.

mod standby;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use porten_core::seat::{Decision, Holder, Host, MAX_RECORD, decide, refusal};

pub use standby::stand_by;

use crate::places::Places;

/// The seat. The lock goes when this is dropped, or when the process dies in whatever way.
#[derive(Debug)]
pub struct Seat {
    // Held for its lock.
    _lock: File,
}

/// What came of wanting the seat.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(Seat),
    /// Another agent has it.
    Held {
        /// What the table says.
        decision: Decision,
        /// Who, where the lock file says so.
        holder: Option<Holder>,
        /// For a person, in one sentence.
        text: String,
    },
}

/// The lock file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be locked: {source}", path.display())]
pub struct SeatError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Takes the seat if it is free.
///
/// # Errors
/// The lock file cannot be opened or locked for another reason than that it is held.
pub fn take(places: &Places, host: Host) -> Result<Taken, SeatError> {
    let path = places.lock();
    let fail = |source| SeatError { path: path.clone(), source };
    let mut file = loop {
        let mut options = OpenOptions::new();
        // Never truncated on opening: the record belongs to whoever holds the lock.
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(fail)?;
        match file.try_lock() {
            // Whoever cleared the seat between the two took this very file away: the next one locks another.
            Ok(()) if !is_at(&file, &path) => {}
            Ok(()) => break file,
            Err(TryLockError::WouldBlock) => {
                let holder = read(&mut file);
                let decision = holder.as_ref().map_or(Decision::Refuse, |holder| decide(host, holder.host));
                let text = refusal(holder.as_ref(), Timestamp::now());
                return Ok(Taken::Held { decision, holder, text });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
    };
    let socket = places.socket().display().to_string();
    let holder = Holder { host, pid: std::process::id(), since: Timestamp::now(), socket };
    write(&mut file, &holder.write()).map_err(fail)?;
    Ok(Taken::Ours(Seat { _lock: file }))
}

/// Takes lock and socket away if nobody holds the seat; says whether they are gone.
///
/// # Errors
/// The lock file cannot be opened, locked or removed.
pub fn clear(places: &Places) -> Result<bool, SeatError> {
    let (path, folder) = (places.lock(), places.run.as_path());
    if !folder.exists() {
        return Ok(true);
    }
    // Removed while it is held: nobody else can have locked this file, and whoever waits for it looks again.
    let Taken::Ours(_seat) = take(places, Host::Run)? else { return Ok(false) };
    for file in [places.socket(), path] {
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(SeatError { path: file, source }),
            _ => {}
        }
    }
    // Somebody else's file in it keeps the folder.
    let _ = std::fs::remove_dir(folder);
    Ok(true)
}

/// Whether this is the file that lies there.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |found: io::Result<std::fs::Metadata>| found.ok().map(|found| (found.dev(), found.ino()));
    let ours = id(file.metadata());
    ours.is_some() && ours == id(std::fs::metadata(path))
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(MAX_RECORD as u64).read_to_string(&mut text).ok()?;
    Holder::read(&text).ok()
}

fn write(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(home: &tempfile::TempDir) -> Places {
        let places = Places::find(Some(home.path())).unwrap();
        places.prepare().unwrap();
        places
    }

    #[test]
    fn one_wins_the_other_is_told_who_holds_it_and_a_free_seat_is_taken_at_once() {
        let home = tempfile::tempdir().unwrap();
        let places = places(&home);
        let Taken::Ours(seat) = take(&places, Host::Run).unwrap() else { panic!("the seat is free") };
        let Taken::Held { decision, text, .. } = take(&places, Host::Run).unwrap() else { panic!("two on one seat") };
        assert_eq!(decision, Decision::Refuse);
        assert!(text.contains(&std::process::id().to_string()), "{text}");
        drop(seat);
        assert!(matches!(take(&places, Host::Run).unwrap(), Taken::Ours(_)));
    }

    #[test]
    fn a_seat_is_cleared_only_while_it_is_free() {
        let home = tempfile::tempdir().unwrap();
        let places = places(&home);
        let Taken::Ours(seat) = take(&places, Host::Service).unwrap() else { panic!("the seat is free") };
        assert!(!clear(&places).unwrap() && places.lock().exists());
        drop(seat);
        std::fs::write(places.socket(), "").unwrap();
        assert!(clear(&places).unwrap());
        assert!(!places.run.exists() && clear(&places).unwrap());
    }

    /// While one clears it again and again and many take it, no two ever hold it.
    #[test]
    fn a_cleared_lock_file_lets_no_two_in() {
        use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
        let home = tempfile::tempdir().unwrap();
        let places = places(&home);
        let (inside, taken, over) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        let _ = places.prepare();
                        let Ok(Taken::Ours(seat)) = take(&places, Host::Run) else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two on one seat");
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        taken.fetch_add(1, Ordering::Relaxed);
                        drop(seat);
                    }
                });
            }
            let until = std::time::Instant::now() + std::time::Duration::from_millis(500);
            while std::time::Instant::now() < until {
                let _ = clear(&places);
            }
            over.store(true, Ordering::Relaxed);
        });
        assert!(taken.load(Ordering::Relaxed) > 10);
    }

    #[test]
    fn a_torn_record_of_a_dead_holder_is_nothing_to_stumble_over() {
        let home = tempfile::tempdir().unwrap();
        let places = places(&home);
        std::fs::write(places.lock(), "{\"host\":\"ru").unwrap();
        assert!(matches!(take(&places, Host::Run).unwrap(), Taken::Ours(_)));
    }
}
