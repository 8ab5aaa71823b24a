//! The place for tray icons, as a panel has one: it takes the app's icon, reads it, and clicks in its menu.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, Proxy, connection, interface, message::Header};

use super::SOON;
use crate::wait::wait_until;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// Who has registered: bus name and path.
type Items = Arc<Mutex<Vec<(String, String)>>>;

struct Watcher(Items);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    #[expect(clippy::needless_pass_by_value, reason = "D-Bus hands it over so")]
    fn register_status_notifier_item(&self, service: String, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        // Some say their bus name, some their path.
        let item = if service.starts_with('/') { (sender, service) } else { (service, "/StatusNotifierItem".into()) };
        self.0.lock().expect("the list").push(item);
    }

    fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.0.lock().expect("the list").iter().map(|(name, path)| format!("{name}{path}")).collect()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// The tray. It must be there before the app.
#[derive(Debug)]
pub struct Tray {
    connection: Connection,
    items: Items,
}

/// One line of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    id: i32,
    /// Its text; empty for a separator.
    pub label: String,
    /// Whether it can be clicked.
    pub enabled: bool,
}

impl Tray {
    /// Opens it on the session's bus.
    ///
    /// # Panics
    /// There is no bus, or another tray.
    pub async fn open() -> Self {
        let items = Items::default();
        let connection = connection::Builder::session()
            .and_then(|builder| builder.name(WATCHER))
            .and_then(|builder| builder.serve_at("/StatusNotifierWatcher", Watcher(Arc::clone(&items))))
            .expect("a session bus")
            .build()
            .await
            .expect("the tray's name on the bus");
        Self { connection, items }
    }

    /// How many icons are there.
    #[must_use]
    pub fn icons(&self) -> usize {
        self.items.lock().expect("the list").len()
    }

    async fn item(&self) -> (String, String) {
        wait_until(SOON, "the app has an icon", async || self.items.lock().expect("the list").last().cloned()).await
    }

    /// The picture that the icon shows now.
    ///
    /// # Panics
    /// There is no icon.
    pub async fn picture(&self) -> PathBuf {
        let (name, path) = self.item().await;
        let item = Proxy::new(&self.connection, name, path, ITEM).await.expect("the icon");
        let icon: String = item.get_property("IconName").await.expect("the icon's picture");
        let folder: String = item.get_property("IconThemePath").await.unwrap_or_default();
        let file = PathBuf::from(folder).join(icon);
        if file.extension().is_some() { file } else { file.with_extension("png") }
    }

    /// What a screen reader says of the icon.
    ///
    /// # Panics
    /// There is no icon.
    pub async fn title(&self) -> String {
        let (name, path) = self.item().await;
        let item = Proxy::new(&self.connection, name, path, ITEM).await.expect("the icon");
        item.get_property("Title").await.expect("the icon's title")
    }

    /// The menu's lines; those of a menu within it follow its own line.
    ///
    /// # Panics
    /// There is no menu.
    pub async fn menu(&self) -> Vec<Line> {
        type Layout = (u32, (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>));
        let names: &[&str] = &[];
        let (_, (_, _, lines)): Layout =
            self.menu_proxy().await.call("GetLayout", &(0_i32, -1_i32, names)).await.expect("the menu");
        lines.into_iter().flat_map(read).collect()
    }

    /// Clicks on the line with this text, once it is there and can be clicked.
    ///
    /// # Panics
    /// It is not.
    pub async fn click(&self, label: &str) {
        let line = wait_until(SOON, &format!("the menu has {label}"), async || {
            self.menu().await.into_iter().find(|line| line.label == label && line.enabled)
        })
        .await;
        let event = (line.id, "clicked", Value::I32(0), 0_u32);
        let _: () = self.menu_proxy().await.call("Event", &event).await.expect("a click");
    }

    /// Waits until the menu's first line says this.
    ///
    /// # Panics
    /// It does not.
    pub async fn says(&self, word: &str) {
        wait_until(SOON, &format!("the menu says {word}"), async || {
            (self.menu().await.first()?.label == word).then_some(())
        })
        .await;
    }

    async fn menu_proxy(&self) -> Proxy<'_> {
        let (name, path) = self.item().await;
        let item = Proxy::new(&self.connection, name.clone(), path, ITEM).await.expect("the icon");
        let menu: OwnedObjectPath = item.get_property("Menu").await.expect("the icon's menu");
        Proxy::new(&self.connection, name, menu, MENU).await.expect("the menu")
    }
}

fn read(value: OwnedValue) -> Vec<Line> {
    type Node = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);
    let (id, facts, within): Node = value.try_into().expect("a line of a menu");
    let text = |key: &str| facts.get(key).and_then(|value| String::try_from(value.clone()).ok());
    let enabled = facts.get("enabled").is_none_or(|value| bool::try_from(value.clone()).unwrap_or(true));
    // An underscore marks a key to press.
    let line = Line { id, label: text("label").unwrap_or_default().replace('_', ""), enabled };
    std::iter::once(line).chain(within.into_iter().flat_map(read)).collect()
}
