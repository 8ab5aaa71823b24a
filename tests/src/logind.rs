//! A stand-in for logind on the session's bus: it hands out inhibitor locks, or refuses, sees when one is given back, and lists
//! the sessions that a test wants. Beside it GNOME's count of how long its person has touched nothing.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use zbus::fdo::Error;
use zbus::zvariant::{OwnedFd, OwnedObjectPath};
use zbus::{Connection, connection, interface};

/// What it was asked, and what it holds.
#[derive(Debug, Default)]
struct Desk {
    refuses: bool,
    asked: Vec<[String; 4]>,
    held: usize,
    sessions: Vec<Session>,
    listed: usize,
}

/// A session, as its properties tell.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose.
    pub uid: u32,
    /// `seat0`, or empty for who comes over the network.
    pub seat: &'static str,
    /// `user`, or `greeter` for the login screen.
    pub class: &'static str,
    /// `tty`, `x11`, `wayland`.
    pub kind: &'static str,
    /// Whether it takes itself for unused.
    pub idle: bool,
    /// Since when (microseconds since 1970); 0 if that was never told.
    pub since: u64,
}

/// A session of the stand-in, by its place in the list.
struct Listed(Arc<Mutex<Desk>>, usize);

impl Listed {
    fn told(&self) -> Session {
        self.0.lock().expect("the desk").sessions[self.1].clone()
    }
}

#[interface(name = "org.freedesktop.login1.Session")]
impl Listed {
    #[zbus(property)]
    fn class(&self) -> String {
        self.told().class.to_owned()
    }
    #[zbus(property, name = "Type")]
    fn kind(&self) -> String {
        self.told().kind.to_owned()
    }
    #[zbus(property)]
    fn state(&self) -> String {
        "active".to_owned()
    }
    #[zbus(property)]
    fn idle_hint(&self) -> bool {
        self.told().idle
    }
    #[zbus(property)]
    fn idle_since_hint(&self) -> u64 {
        self.told().since
    }
}

fn path_of(session: usize) -> OwnedObjectPath {
    OwnedObjectPath::try_from(format!("/org/freedesktop/login1/session/_{session}")).expect("a path")
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

    fn list_sessions(&self) -> Vec<(String, u32, String, String, OwnedObjectPath)> {
        let mut desk = self.0.lock().expect("the desk");
        desk.listed += 1;
        let rows = desk.sessions.iter().enumerate();
        rows.map(|(n, of)| (n.to_string(), of.uid, "somebody".to_owned(), of.seat.to_owned(), path_of(n))).collect()
    }
}

/// The stand-in; it leaves the bus when it is dropped.
#[derive(Debug)]
pub struct Logind {
    desk: Arc<Mutex<Desk>>,
    connection: Connection,
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
        Self { desk, connection }
    }

    /// Has these sessions from now on.
    ///
    /// # Panics
    /// The bus is gone.
    pub async fn seat(&self, sessions: Vec<Session>) {
        for session in 0..sessions.len() {
            // There may be one of that place already, which reads the same list.
            let listed = Listed(Arc::clone(&self.desk), session);
            self.connection.object_server().at(path_of(session), listed).await.expect("a bus");
        }
        self.desk.lock().expect("the desk").sessions = sessions;
    }

    /// How often its sessions were listed.
    ///
    /// # Panics
    /// A call broke off.
    #[must_use]
    pub fn listed(&self) -> usize {
        self.desk.lock().expect("the desk").listed
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

struct Monitor(u64);

#[interface(name = "org.gnome.Mutter.IdleMonitor")]
impl Monitor {
    fn get_idletime(&self) -> u64 {
        self.0
    }
}

/// GNOME's own count on the session's bus: its person has touched nothing for so many milliseconds. It leaves the bus when it is
/// dropped.
///
/// # Panics
/// There is no bus, or a GNOME on it.
pub async fn gnome(idle: u64) -> Connection {
    connection::Builder::session()
        .and_then(|builder| builder.name("org.gnome.Mutter.IdleMonitor"))
        .and_then(|builder| builder.serve_at("/org/gnome/Mutter/IdleMonitor/Core", Monitor(idle)))
        .expect("a session bus")
        .build()
        .await
        .expect("GNOME's name on the bus")
}
