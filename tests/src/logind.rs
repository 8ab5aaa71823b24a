//! A stand-in for logind on the session's bus: it hands out inhibitor locks, or refuses, and sees when one is given back.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use zbus::fdo::Error;
use zbus::zvariant::OwnedFd;
use zbus::{Connection, connection, interface};

/// What it was asked, and what it holds.
#[derive(Debug, Default)]
struct Desk {
    refuses: bool,
    asked: Vec<[String; 4]>,
    held: usize,
}

struct Manager(Arc<Mutex<Desk>>);

#[interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn inhibit(&self, what: String, who: String, why: String, mode: String) -> Result<OwnedFd, Error> {
        let mut desk = self.0.lock().expect("the desk");
        desk.asked.push([what, who, why, mode]);
        if desk.refuses {
            return Err(Error::AccessDenied("Permission denied".into()));
        }
        let (mut ours, theirs) = std::io::pipe().map_err(|error| Error::Failed(error.to_string()))?;
        desk.held += 1;
        let seen = Arc::clone(&self.0);
        // The pipe ends when the last copy of the other end is closed, as logind's does.
        std::thread::spawn(move || {
            let _ = ours.read(&mut [0]);
            seen.lock().expect("the desk").held -= 1;
        });
        Ok(std::os::fd::OwnedFd::from(theirs).into())
    }
}

/// The stand-in; it leaves the bus when it is dropped.
#[derive(Debug)]
pub struct Logind {
    desk: Arc<Mutex<Desk>>,
    _connection: Connection,
}

impl Logind {
    /// Opens it on the session's bus.
    ///
    /// # Panics
    /// There is no bus, or another logind on it.
    pub async fn open(refuses: bool) -> Self {
        let desk = Arc::new(Mutex::new(Desk { refuses, ..Desk::default() }));
        let connection = connection::Builder::session()
            .and_then(|builder| builder.name("org.freedesktop.login1"))
            .and_then(|builder| builder.serve_at("/org/freedesktop/login1", Manager(Arc::clone(&desk))))
            .expect("a session bus")
            .build()
            .await
            .expect("logind's name on the bus");
        Self { desk, _connection: connection }
    }

    /// How many locks are held now.
    ///
    /// # Panics
    /// A call broke off.
    #[must_use]
    pub fn held(&self) -> usize {
        self.desk.lock().expect("the desk").held
    }

    /// All that it was asked: what, who, why, mode.
    ///
    /// # Panics
    /// A call broke off.
    #[must_use]
    pub fn asked(&self) -> Vec<[String; 4]> {
        self.desk.lock().expect("the desk").asked.clone()
    }
}
