//! One app for each home: a lock in the private run folder, and beside it a socket by which a second start asks the first
//! to open its popover.
//!
//! The plugin that Tauri has for this listens in `/tmp` on a Mac, where any account can put a socket first and so keep the
//! app from starting.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use porten_agent::places::Places;

/// How long the first app may take to answer; it answers from a thread of its own.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a second start asks, and what it is answered.
const OPEN: &[u8] = b"open\n";
const DONE: &[u8] = b"done\n";

/// What came of a start.
#[derive(Debug)]
pub(crate) enum Started {
    /// It is the first.
    First(Instance),
    /// The first one has been asked to open its popover.
    Second,
}

/// This process is the home's one app, until it ends in whatever way.
#[derive(Debug)]
pub(crate) struct Instance {
    lock: File,
    socket: PathBuf,
}

/// Another app has the lock and does not answer, or the lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstanceError {
    /// It runs and is stuck.
    #[error(
        "Porten runs already and does not answer; quit it in Activity Monitor (or end porten-app), then start it again"
    )]
    Stuck(#[source] io::Error),
    /// No lock, no start: two apps would fight for one agent.
    #[error("{} cannot be locked, so it cannot be seen whether Porten runs already: {source}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Takes the lock, or asks the app that has it to open its popover. The run folder must be there and private.
pub(crate) fn start(places: &Places) -> Result<Started, InstanceError> {
    let (path, socket) = (places.run.join("app.lock"), places.run.join("app.sock"));
    let fail = |source| InstanceError::Lock { path: path.clone(), source };
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(fail)?;
    match lock.try_lock() {
        Ok(()) => Ok(Started::First(Instance { lock, socket })),
        Err(TryLockError::WouldBlock) => {
            ask(&socket).map_err(InstanceError::Stuck)?;
            Ok(Started::Second)
        }
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}

/// The first app may hold the lock already and listen a moment later: it is asked again until it does.
fn ask(socket: &PathBuf) -> io::Result<()> {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        match ask_once(socket) {
            Err(error) if std::time::Instant::now() >= until => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
            Ok(()) => return Ok(()),
        }
    }
}

fn ask_once(socket: &PathBuf) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(OPEN)?;
    let mut answer = [0; DONE.len()];
    stream.read_exact(&mut answer)?;
    if answer == DONE { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

impl Instance {
    /// Calls `open` whenever the app is started again, from a thread of its own, for as long as the process lives.
    pub(crate) fn listen(self, open: impl Fn() + Send + 'static) -> io::Result<()> {
        match std::fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // Whoever left it there is dead: we have the lock.
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket)?;
        std::thread::Builder::new().name("second-starts".to_owned()).spawn(move || {
            // Held for as long as anybody could ask.
            let _lock = self.lock;
            for mut stream in listener.incoming().flatten() {
                let mut asked = [0; OPEN.len()];
                // Who says nothing keeps the next one waiting for a moment only.
                let heard =
                    stream.set_read_timeout(Some(Duration::from_secs(1))).and_then(|()| stream.read_exact(&mut asked));
                if heard.is_ok() && asked == OPEN {
                    open();
                    // It may have left already.
                    let _ = stream.write_all(DONE);
                }
            }
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn places() -> (tempfile::TempDir, Places) {
        let home = tempfile::tempdir().unwrap();
        let places = Places::find(Some(home.path())).unwrap();
        places.prepare().unwrap();
        (home, places)
    }

    #[test]
    fn a_second_start_opens_the_first() {
        let (_home, places) = places();
        // What a crash left behind is no obstacle.
        drop(UnixListener::bind(places.run.join("app.sock")).unwrap());
        let Started::First(instance) = start(&places).unwrap() else { panic!("it is the first") };
        let (opened, seen) = mpsc::channel();
        instance.listen(move || opened.send(()).unwrap()).unwrap();
        for _ in 0..2 {
            assert!(matches!(start(&places).unwrap(), Started::Second));
            seen.recv_timeout(Duration::from_secs(5)).unwrap();
        }
    }

    #[test]
    fn a_first_app_that_is_slow_to_listen_is_waited_for() {
        let (_home, places) = places();
        let Started::First(instance) = start(&places).unwrap() else { panic!("it is the first") };
        let second = std::thread::spawn(move || start(&places));
        std::thread::sleep(Duration::from_millis(300));
        instance.listen(|| {}).unwrap();
        assert!(matches!(second.join().unwrap().unwrap(), Started::Second));
    }

    #[test]
    fn a_socket_without_the_lock_decides_nothing() {
        let (_home, places) = places();
        let _squatter = UnixListener::bind(places.run.join("app.sock")).unwrap();
        assert!(matches!(start(&places).unwrap(), Started::First(_)));
    }
}
