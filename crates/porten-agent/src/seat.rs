//! Takes this machine's one seat: an exclusive lock first, a record of who holds it second.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use jiff::Timestamp;
use porten_core::seat::{Decision, Holder, Host, MAX_RECORD, decide, refusal};

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
    let mut options = OpenOptions::new();
    // Never truncated on opening: the record belongs to whoever holds the lock.
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = read(&mut file);
            let decision = holder.as_ref().map_or(Decision::Refuse, |holder| decide(host, holder.host));
            return Ok(Taken::Held { decision, text: refusal(holder.as_ref(), Timestamp::now()) });
        }
        Err(TryLockError::Error(source)) => return Err(fail(source)),
    }
    let socket = places.socket().display().to_string();
    let holder = Holder { host, pid: std::process::id(), since: Timestamp::now(), socket };
    write(&mut file, &holder.write()).map_err(fail)?;
    Ok(Taken::Ours(Seat { _lock: file }))
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
        let Taken::Held { decision, text } = take(&places, Host::Run).unwrap() else { panic!("two on one seat") };
        assert_eq!(decision, Decision::Refuse);
        assert!(text.contains(&std::process::id().to_string()), "{text}");
        drop(seat);
        assert!(matches!(take(&places, Host::Run).unwrap(), Taken::Ours(_)));
    }

    #[test]
    fn a_torn_record_of_a_dead_holder_is_nothing_to_stumble_over() {
        let home = tempfile::tempdir().unwrap();
        let places = places(&home);
        std::fs::write(places.lock(), "{\"host\":\"ru").unwrap();
        assert!(matches!(take(&places, Host::Run).unwrap(), Taken::Ours(_)));
    }
}
