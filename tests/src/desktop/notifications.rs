//! The desktop's notification service, as a shell has one: it takes what is posted, and a person's click goes back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use zbus::zvariant::OwnedValue;
use zbus::{Connection, connection, interface};

use super::SOON;
use crate::wait::wait_until;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// What was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    id: u32,
    /// Who says it.
    pub app: String,
    /// The headline.
    pub title: String,
    /// The text; markup of the desktop's may be in it.
    pub text: String,
    /// What can be clicked: key and label in turn.
    pub actions: Vec<String>,
}

struct Service(Arc<Mutex<Vec<Posted>>>);

#[interface(name = "org.freedesktop.Notifications")]
impl Service {
    #[expect(clippy::too_many_arguments, reason = "the desktop's protocol has as many")]
    fn notify(
        &self,
        app_name: String,
        _replaces_id: u32,
        _app_icon: &str,
        summary: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
    ) -> u32 {
        let mut posted = self.0.lock().expect("the list");
        let id = u32::try_from(posted.len()).unwrap_or_default() + 1;
        posted.push(Posted { id, app: app_name, title: summary, text: body, actions });
        id
    }

    fn close_notification(&self, _id: u32) {}

    fn get_capabilities(&self) -> Vec<&'static str> {
        vec!["actions", "body", "body-markup"]
    }

    fn get_server_information(&self) -> (&'static str, &'static str, &'static str, &'static str) {
        ("a test", "porten", "1", "1.2")
    }
}

/// The service. It must be there before something is posted.
#[derive(Debug)]
pub struct Notifications {
    connection: Connection,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Notifications {
    /// Opens it on the session's bus.
    ///
    /// # Panics
    /// There is no bus, or another service.
    pub async fn open() -> Self {
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        let connection = connection::Builder::session()
            .and_then(|builder| builder.name(NAME))
            .and_then(|builder| builder.serve_at(PATH, Service(Arc::clone(&posted))))
            .expect("a session bus")
            .build()
            .await
            .expect("the service's name on the bus");
        Self { connection, posted }
    }

    /// All that was posted, in order.
    ///
    /// # Panics
    /// The list broke.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().expect("the list").clone()
    }

    /// Waits for so many, and returns the last of them.
    ///
    /// # Panics
    /// They do not come.
    pub async fn last_of(&self, many: usize) -> Posted {
        wait_until(SOON, &format!("{many} notifications"), async || self.posted().into_iter().nth(many.checked_sub(1)?))
            .await
    }

    /// Clicks on it.
    ///
    /// # Panics
    /// The bus is gone.
    pub async fn click(&self, posted: &Posted) {
        let nobody: Option<&str> = None;
        let click = (posted.id, "default");
        self.connection.emit_signal(nobody, PATH, NAME, "ActionInvoked", &click).await.expect("a click");
    }
}
